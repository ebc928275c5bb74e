"""Tools are lent and come back; what is due for calibration, or comes back damaged, is held and becomes a finding."""

from typing import Any

from mainspring.apps import kit
from mainspring.apps.kit import Author, Defined, Group, Move, Right, Shape, States, Text, fields
from mainspring.apps.nouns import Asset, Document, Finding, Order, Party

NOT_HERE = Text("{tool} is not in the crib: {state}.", "{tool} 不在工具库中：{state}。")
DUE = Text(
    "{tool} is calibrated until {due}, which does not last until {back}. Send it to calibration first.",
    "{tool} 的校准有效期至 {due}，早于归还日期 {back}，请先送检。",
)
STILL_DUE = Text("This calibration has run out already.", "此校准已过期。")
DAMAGED, DUE_NOW = "Damaged / 损坏: {}", "Calibration due / 校准到期: {}"


class Tool(Defined):
    """A tool or gauge of the crib."""

    number = fields.code(Text("Number", "编号"), series="T")
    name = fields.words(Text("Name", "名称"))
    area = fields.link(Asset, Text("Area", "所属区域"))
    every_days = fields.whole(
        Text("Calibrated every", "校准周期"), least=1, most=3650, unit="d", hint=Text("empty: never", "空：无需校准")
    )
    calibrated = fields.day(Text("Last calibrated", "上次校准"))
    certificate = fields.link(Document, Text("Certificate", "校准证书"))
    due = fields.day(Text("Calibration due", "校准到期"), given=True)
    holder = fields.link(Party, Text("Held by", "持有人"), given=True)
    times = fields.whole(Text("Times lent", "领用次数"), default=0, given=True)

    kind = "tool"
    shape = Shape(
        one=Text("Tool", "工具"),
        many=Text("Tools", "工具"),
        group=Group.MAINTENANCE,
        key=("number",),
        columns=("number", "name", "area", "holder", "due", "times"),
        found_by=("number", "name"),
        place="area",
        states=States(
            words={
                "available": Text("In the crib", "在库"),
                "lent": Text("Lent", "已领用"),
                "held": Text("Held back", "停用待检"),
                "scrapped": Text("Scrapped", "已报废"),
            },
            moves=(
                Move("hold", ("available",), "held", Text("Hold back", "停用"), Right.ENTER),
                Move("pass", ("held",), "available", Text("Put back", "恢复使用")),
                Move("scrap", ("available", "held"), "scrapped", Text("Scrap", "报废")),
            ),
            fixed=frozenset({"scrapped"}),
            needs={"lent": ("holder",)},
        ),
    )

    def settle(self) -> None:
        """Work out when it is due."""
        self.due = self.calibrated and self.every_days and self.calibrated + kit.timedelta(days=self.every_days)

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse to put back what is not calibrated."""
        put_back = before and before["state"] == "held" and self.state == "available"
        if put_back and not self.lasts(kit.today(self.tenant)):
            raise kit.Invalid({"calibrated": STILL_DUE})

    def lasts(self, day: Any) -> bool:
        """Tell whether it is calibrated until a day, that day included, if it needs to be."""
        return self.every_days is None or (self.due is not None and self.due >= day)


class ToolLoan(Defined):
    """A tool in someone's hands, from issue to return."""

    number = fields.code(Text("Number", "编号"), series="TL")
    tool = fields.link(Tool, Text("Tool", "工具"), need=True)
    holder = fields.link(Party, Text("Borrower", "领用人"), need=True)
    order = fields.link(Order, Text("Order", "订单"))
    back_by = fields.day(Text("Back by", "应还日期"), need=True)
    lent_ms = fields.moment(Text("Lent", "领用时间"), given=True)
    back_ms = fields.moment(Text("Returned", "归还时间"), given=True)

    kind = "tool-loan"
    shape = Shape(
        one=Text("Loan of a tool", "工具领用"),
        many=Text("Loans of tools", "工具领用"),
        group=Group.MAINTENANCE,
        key=("number",),
        order="-back_by",
        columns=("number", "tool", "holder", "order", "back_by", "lent_ms", "back_ms"),
        write=Right.ENTER,
        states=States(
            words={
                "asked": Text("Asked for", "已申请"),
                "out": Text("Out", "领用中"),
                "back": Text("Returned", "已归还"),
                "damaged": Text("Returned damaged", "归还时损坏"),
            },
            moves=(
                Move("issue", ("asked",), "out", Text("Issue", "发放"), Right.ENTER),
                Move("return", ("out",), "back", Text("Return", "归还"), Right.ENTER),
                Move("return-damaged", ("out",), "damaged", Text("Return damaged", "损坏归还"), Right.ENTER),
            ),
            fixed=frozenset({"out", "back", "damaged"}),
            needs={"out": ("lent_ms",), "back": ("lent_ms", "back_ms"), "damaged": ("lent_ms", "back_ms")},
        ),
    )

    class Meta:
        constraints = [kit.UniqueConstraint(fields=["tool"], condition=kit.Q(state="out"), name="tool-loan_one_out")]

    def settle(self) -> None:
        """Note when it was lent and when it came back; refuse a second loan of what is out."""
        others = ToolLoan.objects.of(self.tenant).filter(tool=self.tool, state="out").exclude(pk=self.pk)
        if self.state == "out" and others.exists():
            raise kit.Conflict(NOT_HERE, tool=self.tool.number, state=Tool.shape.called("lent"))
        self.lent_ms = (self.lent_ms or kit.now_ms()) if self.state != "asked" else None
        self.back_ms = (self.back_ms or kit.now_ms()) if self.state in {"back", "damaged"} else None

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Hand the tool over, or take it back; in both directions, for steps are undone as well."""
        was = before["state"] if before else "asked"
        if was != self.state and "out" in {was, self.state}:
            work = (self._lend if was == "asked" else self._hand_back) if self.state == "out" else self._take_back
            tool = kit.rework(kit.consequence(author), Tool, self.tool.pk, None, work)
            if tool.state == "held":
                self._tell(author, tool)

    def _lend(self, tool: Tool) -> None:
        if tool.state != "available":
            raise kit.Conflict(NOT_HERE, tool=tool.number, state=tool.shape.called(tool.state))
        if not tool.lasts(self.back_by):
            raise kit.Conflict(DUE, tool=tool.number, due=tool.due or "-", back=self.back_by)
        tool.times += 1
        self._hand_back(tool)

    def _hand_back(self, tool: Tool) -> None:
        tool.state, tool.holder = "lent", self.holder

    def _take_back(self, tool: Tool) -> None:
        usable = self.state != "damaged" and tool.lasts(kit.today(self.tenant) + kit.timedelta(days=1))
        tool.state, tool.holder = "available" if usable else "held", None

    def _tell(self, author: Author, tool: Tool) -> None:
        told = DAMAGED if self.state == "damaged" else DUE_NOW
        fault = {"subject": told.format(tool.number), "about": f"tool:{tool.pk}", "asset": tool.area and tool.area.pk}
        kit.create(kit.consequence(author), Finding, {**fault, "sort": "fault", "severity": "minor"})
