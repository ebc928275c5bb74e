"""Lots and serial units: the very pieces of an item."""

from __future__ import annotations

from typing import Final

from django.db.models import F, Q

from mainspring.core.text import Text
from mainspring.records.business.item import Item, Tracked
from mainspring.records.business.party import Party
from mainspring.records.defined import fields
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import Group, Move, Rule, Shape, States
from mainspring.records.faults import Invalid
from mainspring.records.rights import Right

_UNTRACKED: Final = Text(
    "{item} is told apart by quantity alone; it has no lots. Change how it is tracked first.",
    "{item} 仅按数量管理，没有批次，请先更改追溯方式。",
)
LOT_STATES: Final = States(
    words={
        "available": Text("Available", "可用"),
        "held": Text("Held", "待检"),
        "blocked": Text("Blocked", "冻结"),
        "used-up": Text("Used up", "已用完"),
        "scrapped": Text("Scrapped", "已报废"),
    },
    moves=(
        Move("hold", ("available", "blocked"), "held", Text("Hold", "转待检"), Right.ENTER),
        Move("free", ("held", "blocked"), "available", Text("Free", "放行")),
        Move("block", ("available", "held"), "blocked", Text("Block", "冻结"), Right.ENTER),
        Move("use-up", ("available",), "used-up", Text("Used up", "用完"), Right.ENTER),
        Move("scrap", ("available", "held", "blocked"), "scrapped", Text("Scrap", "报废")),
    ),
    fixed=frozenset({"scrapped"}),
)


class Lot(Defined):
    """A lot of an item, or one unit with a serial number (ISA-95 material lot); events tell how much is where."""

    item = fields.link(Item, Text("Item", "物料"), need=True)
    number = fields.code(Text("Lot or serial number", "批号或序列号"), series="L")
    made = fields.day(Text("Made", "生产日期"))
    expires = fields.day(Text("Expires", "失效日期"))
    supplier = fields.link(Party, Text("Supplier", "供应商"))
    supplier_lot = fields.code(Text("Supplier's lot", "供应商批号"), need=False)
    grade = fields.code(Text("Grade", "等级"), length=32, need=False)
    remarks = fields.notes(Text("Notes", "备注"))

    kind = "lot"
    shape = Shape(
        one=Text("Lot", "批次"),
        many=Text("Lots", "批次"),
        group=Group.MATERIAL,
        key=("item", "number"),
        title="number",
        order="-created_ms",
        columns=("number", "item", "made", "expires", "supplier"),
        found_by=("number", "supplier_lot"),
        states=LOT_STATES,
        write=Right.ENTER,
        labels=("item", "made", "expires"),
        rules=(
            Rule(
                "expires_after_made",
                Q(made__isnull=True) | Q(expires__isnull=True) | Q(expires__gte=F("made")),
                Text("It cannot expire before it is made.", "失效日期不能早于生产日期。"),
                "expires",
            ),
        ),
    )

    def settle(self) -> None:
        """Refuse lots of what has none."""
        if self.item.tracked == Tracked.QUANTITY:
            raise Invalid({"item": _UNTRACKED.format(item=self.item.number)})
