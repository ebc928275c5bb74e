"""Commitments and settlements: what was promised to whom until when, and what was rendered against it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from django.db.models import F, Q, Sum

from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.business.document import Document
from mainspring.records.business.item import Item
from mainspring.records.business.order import Order, OrderLine
from mainspring.records.business.party import Party
from mainspring.records.business.unit import decimal, ratio
from mainspring.records.defined import fields
from mainspring.records.defined.fields import Choices, Grade
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import Group, Move, Rule, Shape, States
from mainspring.records.faults import Invalid

_TOO_MUCH: Final = Text(
    "Settlements come to {settled}, more than the {committed} that were committed.",
    "结算合计 {settled}，超过承诺的 {committed}。",
)
_NO_UNIT: Final = Text(
    "{unit} does not measure what was committed in {committed}.", "{unit} 与承诺单位 {committed} 量纲不同。"
)
_OTHER_CURRENCY: Final = Text(
    "What was committed in {committed} is settled in it.", "以 {committed} 承诺的须以其结算。"
)
COMMITMENT_STATES: Final = States(
    words={
        "offered": Text("Offered", "已提出"),
        "accepted": Text("Accepted", "已接受"),
        "kept": Text("Kept", "已履行"),
        "broken": Text("Broken", "已违约"),
        "withdrawn": Text("Withdrawn", "已撤回"),
    },
    moves=(
        Move("accept", ("offered",), "accepted", Text("Accept", "接受")),
        Move("keep", ("accepted",), "kept", Text("Kept", "履行完毕")),
        Move("break", ("accepted",), "broken", Text("Broken", "违约")),
        Move("reopen", ("kept", "broken"), "accepted", Text("Reopen", "重新打开")),
        Move("withdraw", ("offered", "accepted"), "withdrawn", Text("Withdraw", "撤回")),
    ),
    fixed=frozenset({"kept", "broken", "withdrawn"}),
)
SETTLEMENT_STATES: Final = States(
    words={
        "draft": Text("Draft", "草稿"),
        "agreed": Text("Agreed", "已确认"),
        "paid": Text("Paid", "已支付"),
        "void": Text("Void", "已作废"),
    },
    moves=(
        Move("agree", ("draft",), "agreed", Text("Agree", "确认")),
        Move("pay", ("agreed",), "paid", Text("Paid", "支付")),
        Move("void", ("draft", "agreed"), "void", Text("Void", "作废")),
    ),
    fixed=frozenset({"agreed", "paid", "void"}),
)


class CommitmentKind(Choices):
    """What is promised."""

    DELIVERY = "delivery", "Delivery", "交付"
    CAPACITY = "capacity", "Capacity", "产能"
    PAYMENT = "payment", "Payment", "付款"
    SERVICE = "service", "Service level", "服务水平"
    WARRANTY = "warranty", "Warranty", "质保"
    ENERGY = "energy", "Energy", "能源"


class Commitment(Defined):
    """A promise between parties: how much of what, or how much money, until when."""

    number = fields.code(Text("Number", "编号"), series="C")
    sort = fields.choice(CommitmentKind, Text("Kind", "类别"))
    debtor = fields.link(Party, Text("Who promises", "承诺方"), need=True)
    creditor = fields.link(Party, Text("To whom", "受诺方"), need=True)
    order = fields.link(Order, Text("Order", "订单"))
    line = fields.link(OrderLine, Text("Order line", "订单行"))
    item = fields.link(Item, Text("Item", "物料"))
    subject = fields.text(Text("Subject", "事项"))
    quantity = fields.exact(Text("Quantity", "数量"), above=0, unit_in="unit")
    unit = fields.unit(Text("Unit", "单位"), default="{count}")
    amount = fields.exact(Text("Amount", "金额"), above=0, unit_in="currency", grade=Grade.CONFIDENTIAL)
    currency = fields.code(Text("Currency", "币种"), length=3, default="CNY")
    begin_ms = fields.moment(Text("From", "起始时间"))
    due_ms = fields.moment(Text("Until", "截止时间"), need=True)
    over = fields.exact(Text("Allowed beyond", "允许超出"), least=0, most=100, default=0, unit="%")

    kind = "commitment"
    shape = Shape(
        one=Text("Commitment", "承诺"),
        many=Text("Commitments", "承诺"),
        group=Group.SUPPLY,
        key=("number",),
        order="due_ms",
        columns=("number", "sort", "debtor", "creditor", "quantity", "unit", "due_ms"),
        found_by=("number", "subject"),
        states=COMMITMENT_STATES,
        rules=(
            Rule(
                "two_parties",
                ~Q(debtor=F("creditor")),
                Text("Nobody commits to themselves.", "承诺方与受诺方不能相同。"),
                "creditor",
            ),
            Rule(
                "something",
                Q(quantity__isnull=False) | Q(amount__isnull=False),
                Text("Say how much of what, or how much money.", "请填写数量或金额。"),
                "quantity",
            ),
            Rule(
                "until_after_from",
                Q(begin_ms__isnull=True) | Q(due_ms__gte=F("begin_ms")),
                Text("It cannot end before it begins.", "截止时间不能早于起始时间。"),
                "due_ms",
            ),
        ),
    )

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse less than what was settled already."""
        if before is not None:
            _refuse_too_much(self)


class Settlement(Defined):
    """What was rendered or paid against a commitment."""

    number = fields.code(Text("Number", "编号"), series="S")
    commitment = fields.link(Commitment, Text("Commitment", "承诺"), need=True)
    day = fields.day(Text("Day", "日期"), need=True)
    quantity = fields.exact(Text("Quantity", "数量"), above=0, unit_in="unit")
    unit = fields.unit(Text("Unit", "单位"), default="{count}")
    amount = fields.exact(Text("Amount", "金额"), above=0, unit_in="currency", grade=Grade.CONFIDENTIAL)
    currency = fields.code(Text("Currency", "币种"), length=3, default="CNY")
    paper = fields.link(Document, Text("Document", "单据"))
    about = fields.anything(Text("Record", "依据"), hint=Text("what it rests on", "结算依据的记录"))

    kind = "settlement"
    shape = Shape(
        one=Text("Settlement", "结算"),
        many=Text("Settlements", "结算"),
        group=Group.SUPPLY,
        key=("number",),
        order="-day",
        columns=("number", "commitment", "day", "quantity", "unit", "amount", "currency"),
        found_by=("number",),
        states=SETTLEMENT_STATES,
        rules=(
            Rule(
                "something",
                Q(quantity__isnull=False) | Q(amount__isnull=False),
                Text("Say how much of what, or how much money.", "请填写数量或金额。"),
                "quantity",
            ),
        ),
    )

    def settle(self) -> None:
        """Refuse units and currencies that the commitment does not have."""
        promised = self.commitment
        if self.quantity is not None and ratio(self.unit, promised.unit) is None:
            raise Invalid({"unit": _NO_UNIT.format(unit=self.unit, committed=promised.unit)})
        if self.amount is not None and self.currency != promised.currency:
            raise Invalid({"currency": _OTHER_CURRENCY.format(committed=promised.currency)})

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse more than was committed."""
        _refuse_too_much(self.commitment)


@dataclass(frozen=True, slots=True)
class Balance:
    """What was settled of a commitment, and what is left of it; None where it does not say how much."""

    quantity: Decimal
    amount: Decimal
    quantity_left: Decimal | None
    amount_left: Decimal | None


def balance(commitment: Commitment) -> Balance:
    """Add up what was settled of a commitment, in its unit and currency."""
    rows = Settlement.objects.of(commitment.tenant).filter(commitment=commitment).exclude(state="void")
    by_unit = rows.exclude(quantity=None).order_by().values_list("unit").annotate(Sum("quantity"))
    quantity = decimal(
        sum((Fraction(total) * (ratio(unit, commitment.unit) or 0) for unit, total in by_unit), Fraction(0))
    )
    paid = rows.aggregate(paid=Sum("amount"))["paid"] or Decimal(0)
    return Balance(
        quantity, paid,
        None if commitment.quantity is None else commitment.quantity - quantity,
        None if commitment.amount is None else commitment.amount - paid,
    )  # fmt: skip


def _refuse_too_much(commitment: Commitment) -> None:
    found = balance(commitment)
    allowed = 1 + commitment.over / 100
    for field, settled, committed in (
        ("quantity", found.quantity, commitment.quantity), ("amount", found.amount, commitment.amount),
    ):  # fmt: skip
        if committed is not None and settled > committed * allowed:
            raise Invalid({field: _TOO_MUCH.format(settled=settled, committed=committed)})
