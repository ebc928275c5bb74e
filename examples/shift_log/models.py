"""Reports of shifts by the plant's calendar; the next shift signs, and nothing of a signed one changes any more."""

from typing import Any

from mainspring.apps import kit
from mainspring.apps.kit import Author, Choices, Defined, F, Group, Move, Q, Right, Rule, Shape, States, Text, fields
from mainspring.apps.nouns import Asset, Calendar, Finding, Party, worked_shifts

PHASES = {"open": Text("Open", "进行中"), "handed": Text("Handed over", "已交班"), "signed": Text("Signed", "已签收")}
NO_SHIFT = Text("No shift of this calendar runs then.", "该时刻没有此日历的班次。")
TWICE = Text("There is a report of this shift already: {number}.", "该班次已有记录：{number}。")
OUTSIDE = Text("This lies outside the shift.", "该时刻不在本班次内。")
ELSEWHERE = Text("This asset does not belong to {asset}.", "该资产不属于 {asset}。")
NOT_YOU = Text("Only who takes over signs; this is {name}, signed in.", "须由接班人 {name} 登录后签收。")
EARLY = Text("The shift has not ended yet. Sign when you take over.", "班次尚未结束，请在接班时签收。")
THEMSELVES = Text("Nobody takes over from themselves.", "接班人不能是本班班长。")
HOW_LONG = Text("Say how long it stood still.", "请填写停机时间。")
SIGNED = Text(
    "What is signed stays as it is. Write it into the present shift.", "已签收的记录不可更改，请记入当前班次。"
)


class ShiftReport(Defined):
    """One shift of a line or area: who led it, what is to be known of it, who took over."""

    number = fields.code(Text("Number", "编号"), series="SR")
    asset = fields.link(Asset, Text("Line or area", "产线或区域"), need=True)
    calendar = fields.link(Calendar, Text("Calendar", "工作日历"), need=True)
    begun_ms = fields.moment(Text("A time within it", "班次内时刻"), default=kit.now_ms)
    leader = fields.link(Party, Text("Shift leader", "班长"), need=True)
    summary = fields.notes(Text("Handover", "交接内容"))
    relief = fields.link(Party, Text("Taken over by", "接班人"))
    shift = fields.words(Text("Shift", "班次"), given=True)
    start_ms = fields.moment(Text("Start", "开始"), given=True)
    end_ms = fields.moment(Text("End", "结束"), given=True)
    stopped = fields.whole(Text("Standstill", "停机时间"), default=0, unit="min", given=True)
    signed_ms = fields.moment(Text("Signed", "签收时间"), given=True)

    kind = "shift-report"
    shape = Shape(
        one=Text("Shift report", "交接班记录"),
        many=Text("Shift reports", "交接班记录"),
        group=Group.PRODUCTION,
        key=("number",),
        order="-start_ms",
        columns=("number", "asset", "start_ms", "leader", "relief", "stopped", "signed_ms"),
        found_by=("number", "summary"),
        place="asset",
        write=Right.ENTER,
        rules=(Rule("relieved", Q(relief__isnull=True) | ~Q(relief=F("leader")), THEMSELVES, "relief"),),
        states=States(
            words=PHASES,
            moves=(
                Move("hand", ("open",), "handed", Text("Hand over", "交班"), Right.ENTER, needs=("summary", "relief")),
                Move("return", ("handed",), "open", Text("Ask back", "退回补充"), Right.ENTER),
                Move("sign", ("handed",), "signed", Text("Sign", "签收"), Right.ENTER),
            ),
            fixed=frozenset({"signed"}),
            needs={"handed": ("summary", "relief"), "signed": ("summary", "relief", "signed_ms")},
        ),
    )

    class Meta:
        constraints = [kit.UniqueConstraint(fields=["tenant", "asset", "start_ms"], name="shift-report_once")]

    def settle(self) -> None:
        """Find the shift it is of, and add up how long equipment stood still."""
        found = next(worked_shifts(self.calendar, self.begun_ms, self.begun_ms + 1), None)
        if found is None:
            raise kit.Invalid({"begun_ms": NO_SHIFT})
        self.shift, self.start_ms, self.end_ms = found.name, found.start_ms, found.end_ms
        same = ShiftReport.objects.of(self.tenant).filter(asset=self.asset, start_ms=self.start_ms).exclude(pk=self.pk)
        if other := same.first():
            raise kit.Invalid({"begun_ms": TWICE.format(number=other.number)})
        self.stopped = ShiftEntry.objects.filter(report=self.pk).aggregate(sum=kit.Sum("minutes"))["sum"] or 0
        self.signed_ms = (self.signed_ms or kit.now_ms()) if self.state == "signed" else None

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Let the next shift sign, in person and in time, and go on with what is still to be done."""
        if before and before["state"] == "signed" != self.state:
            raise kit.Conflict(SIGNED)
        if before and before["state"] != "signed" == self.state:
            if self.relief.account is None or self.relief.account.pseudonym != author.pseudonym:
                raise kit.Conflict(NOT_YOU, name=self.relief.label())
            if kit.now_ms() < self.end_ms - 30 * 60_000:
                raise kit.Conflict(EARLY)
            self._go_on(author)

    def _go_on(self, author: Author) -> None:
        """Take the tasks that are not done along into the next shift's report, begun if there is none."""
        shifts = worked_shifts(self.calendar, self.end_ms, self.end_ms + 14 * kit.DAY_MS)
        begun = next((each.start_ms for each in shifts if each.start_ms >= self.end_ms), None)
        if begun is None:
            return
        access, where = kit.consequence(author), {"asset": self.asset.pk, "calendar": self.calendar.pk}
        report = ShiftReport.objects.of(self.tenant).filter(asset=self.asset, start_ms=begun).first()
        report = report or kit.create(access, ShiftReport, {**where, "begun_ms": begun, "leader": self.relief.pk})
        for task in ShiftEntry.objects.filter(report=self, sort=EntryKind.TASK, done=False).order_by("at_ms"):
            copied = {"sort": task.sort, "text": task.text, "asset": task.asset and task.asset.pk}
            kit.create(access, ShiftEntry, {**copied, "report": report.pk, "at_ms": begun})


class EntryKind(Choices):
    """What an entry tells."""

    NOTE = "note", "Note", "记事"
    STOP = "stop", "Standstill", "停机"
    HAZARD = "hazard", "Hazard", "隐患"
    TASK = "task", "To be done", "待办"


class ShiftEntry(Defined):
    """One thing that happened, or is to be done."""

    number = fields.code(Text("Number", "编号"), series="SE")
    report = fields.link(ShiftReport, Text("Shift report", "交接班记录"), need=True, gone=kit.CASCADE)
    at_ms = fields.moment(Text("When", "时间"), default=kit.now_ms)
    sort = fields.choice(EntryKind, Text("Kind", "类别"), default=EntryKind.NOTE)
    asset = fields.link(Asset, Text("Asset", "资产"))
    text = fields.text(Text("What", "内容"), length=500, need=True)
    minutes = fields.whole(Text("Standstill", "停机时间"), least=1, most=1440, unit="min")
    done = fields.yes(Text("Done", "已完成"))

    kind = "shift-entry"
    shape = Shape(
        one=Text("Shift entry", "班次记事"),
        many=Text("Shift entries", "班次记事"),
        group=Group.PRODUCTION,
        key=("number",),
        columns=("number", "at_ms", "sort", "asset", "text", "minutes", "done"),
        found_by=("number", "text"),
        part_of="report",
        write=Right.ENTER,
        rules=(Rule("minutes_of_stops", ~Q(sort="stop") | Q(minutes__isnull=False), HOW_LONG, "minutes"),),
    )

    def settle(self) -> None:
        """Refuse what lies outside the shift or its part of the plant."""
        if not self.report.start_ms <= self.at_ms <= self.report.end_ms:
            raise kit.Invalid({"at_ms": OUTSIDE})
        if self.asset and not f"{self.asset.path}/".startswith(f"{self.report.asset.path}/"):
            raise kit.Invalid({"asset": ELSEWHERE.format(asset=self.report.asset.path)})

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Make a finding of a hazard."""
        if before is None and self.sort == EntryKind.HAZARD:
            found = {"sort": "hazard", "subject": self.text[:200], "asset": (self.asset or self.report.asset).pk}
            seen = {"about": f"shift-entry:{self.pk}", "found_ms": self.at_ms, "finder": self.report.leader.pk}
            kit.create(kit.consequence(author), Finding, {**found, **seen})
