"""Orders of every kind, their lines, and what ties them to one another."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.business.graph import leads_to
from mainspring.records.business.item import Item
from mainspring.records.business.lot import Lot
from mainspring.records.business.operation import Operation
from mainspring.records.business.party import Party
from mainspring.records.business.project import Project
from mainspring.records.business.unit import Conversion, known_unit, unit_of_item
from mainspring.records.defined import fields
from mainspring.records.defined.fields import Choices, Grade
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import Group, Move, Rule, Shape, States
from mainspring.records.faults import Invalid
from mainspring.records.plant.asset import Asset
from mainspring.records.rights import Right
from mainspring.records.tenant import now_ms

_CYCLE: Final = Text("This order would wait for itself.", "该订单将等待其自身。")
_OTHER_ITEM: Final = Text("{supply} is another item than {demand}.", "{supply} 与 {demand} 不是同一物料。")
_TOO_MUCH: Final = Text(
    "Links take {linked} {unit} of this line, which has {quantity}.",
    "关联数量合计 {linked} {unit}，超过该行的 {quantity}。",
)
_NO_QUANTITY: Final = Text("A line that is linked has a quantity.", "被关联的订单行须有数量。")
ORDER_STATES: Final = States(
    words={
        "draft": Text("Draft", "草稿"),
        "released": Text("Released", "已下达"),
        "started": Text("Started", "执行中"),
        "done": Text("Done", "已完成"),
        "closed": Text("Closed", "已关闭"),
        "cancelled": Text("Cancelled", "已取消"),
    },
    moves=(
        Move("release", ("draft",), "released", Text("Release", "下达")),
        Move("withdraw", ("released",), "draft", Text("Withdraw", "撤回")),
        Move("start", ("released",), "started", Text("Start", "开始"), Right.ENTER),
        Move("finish", ("released", "started"), "done", Text("Finish", "完成"), Right.ENTER),
        Move("reopen", ("done",), "started", Text("Reopen", "重新打开")),
        Move("close", ("done",), "closed", Text("Close", "关闭")),
        Move("cancel", ("draft", "released", "started"), "cancelled", Text("Cancel", "取消")),
    ),
    fixed=frozenset({"done", "closed", "cancelled"}),
)


class OrderKind(Choices):
    """What an order asks for."""

    SALES = "sales", "Sales order", "销售订单"
    PURCHASE = "purchase", "Purchase order", "采购订单"
    WORK = "work", "Work order", "生产工单"
    TRANSFER = "transfer", "Transfer", "调拨单"
    MAINTENANCE = "maintenance", "Maintenance order", "维修工单"
    INSPECTION = "inspection", "Inspection order", "检验单"
    QUOTATION = "quotation", "Quotation", "报价单"
    PERMIT = "permit", "Work permit", "作业票"
    RENTAL = "rental", "Rental", "租赁单"


class Order(Defined):
    """Something to be delivered, made, moved, mended, inspected, permitted or lent, by someone until some time."""

    number = fields.code(Text("Number", "单号"), series="O")
    sort = fields.choice(OrderKind, Text("Kind", "类别"))
    subject = fields.text(Text("Subject", "事项"))
    party = fields.link(Party, Text("Party", "往来方"), hint=Text("customer or supplier", "客户或供应商"))
    asset = fields.link(Asset, Text("Asset", "资产"), hint=Text("where it is done", "执行地点"))
    project = fields.link(Project, Text("Project", "项目"))
    responsible = fields.link(Party, Text("Responsible", "负责人"))
    priority = fields.whole(Text("Priority", "优先级"), most=9, default=5, hint=Text("9 comes first", "9 最优先"))
    ordered_ms = fields.moment(Text("Ordered", "下单时间"), default=now_ms)
    begin_ms = fields.moment(Text("Planned start", "计划开始"))
    due_ms = fields.moment(Text("Due", "到期"))
    currency = fields.code(Text("Currency", "币种"), length=3, default="CNY")
    tax = fields.exact(Text("Tax", "税额"), default=0, unit_in="currency", grade=Grade.CONFIDENTIAL)
    freight = fields.exact(Text("Freight", "运费"), default=0, unit_in="currency", grade=Grade.CONFIDENTIAL)
    remarks = fields.notes(Text("Notes", "备注"))

    kind = "order"
    shape = Shape(
        one=Text("Order", "订单"),
        many=Text("Orders", "订单"),
        group=Group.PRODUCTION,
        key=("number",),
        order="-ordered_ms",
        columns=("number", "sort", "subject", "party", "asset", "priority", "ordered_ms", "due_ms"),
        found_by=("number", "subject"),
        place="asset",
        states=ORDER_STATES,
        labels=("sort", "subject"),
        rules=(
            Rule(
                "due_after_begin",
                Q(begin_ms__isnull=True) | Q(due_ms__isnull=True) | Q(due_ms__gte=F("begin_ms")),
                Text("It cannot be due before it begins.", "到期时间不能早于计划开始时间。"),
                "due_ms",
            ),
        ),
    )


class OrderLine(Defined):
    """One thing an order asks for: an item, an operation, or what words say."""

    order = fields.link(Order, Text("Order", "订单"), need=True, gone=models.CASCADE)
    position = fields.whole(Text("Position", "行号"), need=True, least=1, most=999_999)
    item = fields.link(Item, Text("Item", "物料"))
    operation = fields.link(Operation, Text("Operation", "工序"))
    lot = fields.link(Lot, Text("Lot", "批次"))
    subject = fields.text(Text("Subject", "内容"))
    quantity = fields.exact(Text("Quantity", "数量"), above=0, unit_in="unit")
    unit = unit_of_item()
    price = fields.exact(Text("Price of one", "单价"), least=0, grade=Grade.CONFIDENTIAL)
    due_ms = fields.moment(Text("Due", "到期"))

    order_id: UUID
    item_id: UUID | None
    kind = "order-line"
    shape = Shape(
        one=Text("Order line", "订单行"),
        many=Text("Order lines", "订单行"),
        group=Group.PRODUCTION,
        key=("order", "position"),
        title="position",
        order="position",
        columns=("order", "position", "item", "subject", "quantity", "unit", "price", "due_ms"),
        found_by=("subject",),
        part_of="order",
        rules=(
            Rule(
                "something",
                Q(item__isnull=False) | Q(operation__isnull=False) | ~Q(subject=""),
                Text("Say what is ordered: an item, an operation, or a subject.", "请填写物料、工序或内容。"),
                "item",
            ),
            Rule(
                "item_quantity",
                Q(item__isnull=True) | Q(quantity__isnull=False),
                Text("Say how much of the item.", "请填写物料数量。"),
                "quantity",
            ),
        ),
    )

    def settle(self) -> None:
        """Take the unit by its code; refuse one that is none of the item's."""
        self.unit = known_unit(self.unit) if self.item is None else Conversion(self.item).known(self.unit)

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse another item or a smaller quantity than links rest on."""
        if before is None:
            return
        for link in OrderLink.objects.filter(Q(supply=self) | Q(demand=self)):
            link.settle()
        _refuse_too_much(self, "quantity")

    def label(self) -> str:
        """Return order and position."""
        return f"{self.order.number} / {self.position}"

    def amount(self) -> Decimal:
        """Return what the line costs, without tax."""
        return Decimal(0) if self.price is None else Decimal(self.price * (self.quantity or 1))


class LinkKind(Choices):
    """How one order line serves another."""

    PEG = "peg", "Covers", "供应"
    SPLIT = "split", "Split off", "拆分"
    SUBCONTRACT = "subcontract", "Subcontracted", "外协"


class OrderLink(Defined):
    """That some of one line (the supply) is there for another (the demand)."""

    supply = fields.link(OrderLine, Text("Supply", "供应行"), need=True, gone=models.CASCADE)
    demand = fields.link(OrderLine, Text("Demand", "需求行"), need=True)
    sort = fields.choice(LinkKind, Text("Kind", "类别"), default=LinkKind.PEG)
    quantity = fields.exact(
        Text("Quantity", "数量"), above=0, need=True, hint=Text("in the unit of the supply", "按供应行单位")
    )  # fmt: skip

    supply_id: UUID
    demand_id: UUID
    kind = "order-link"
    shape = Shape(
        one=Text("Order link", "订单关联"),
        many=Text("Order links", "订单关联"),
        group=Group.PRODUCTION,
        key=("supply", "demand", "sort"),
        title="sort",
        columns=("supply", "demand", "sort", "quantity"),
        part_of="supply",
        rules=(
            Rule(
                "not_itself",
                ~Q(supply=F("demand")),
                Text("A line does not serve itself.", "订单行不能供应其自身。"),
                "demand",
            ),
        ),
    )

    def settle(self) -> None:
        """Refuse a link between different items; subcontracted work and what is made of it may differ."""
        if self.supply.quantity is None or self.demand.quantity is None:
            raise Invalid({"supply" if self.supply.quantity is None else "demand": _NO_QUANTITY})
        if self.sort != LinkKind.SUBCONTRACT and self.supply.item_id != self.demand.item_id:
            raise Invalid({"supply": _OTHER_ITEM.format(supply=self.supply.label(), demand=self.demand.label())})

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse circles, and more than either line has."""
        if leads_to(self.supply_id, self.demand_id, _supplies):
            raise Invalid({"supply": _CYCLE})
        _refuse_too_much(self.supply, "quantity")
        _refuse_too_much(self.demand, "quantity")

    def label(self) -> str:
        """Return both lines."""
        return f"{self.supply.label()} → {self.demand.label()}"


def linked(line: OrderLine) -> tuple[Decimal, Decimal]:
    """Return how much of a line serves others, and how much of it others serve, both in its own unit."""
    given, covered = Decimal(0), Decimal(0)
    rows = OrderLink.objects.of(line.tenant).exclude(sort=LinkKind.SUBCONTRACT)
    for link in rows.filter(Q(supply=line) | Q(demand=line)).select_related("supply__item", "demand__item"):
        if link.supply_id == line.pk:
            given += link.quantity
        elif link.supply.item is None:
            covered += link.quantity
        else:
            covered += Conversion(link.supply.item)(link.quantity, link.supply.unit, line.unit)
    return given, covered


def _refuse_too_much(line: OrderLine, named: str) -> None:
    for amount in linked(line):
        if amount > (line.quantity or 0):
            raise Invalid({named: _TOO_MUCH.format(linked=amount, unit=line.unit, quantity=line.quantity)})


def _supplies(ids: list[UUID]) -> Iterable[UUID]:
    return OrderLink.objects.filter(demand__in=ids).values_list("supply_id", flat=True)
