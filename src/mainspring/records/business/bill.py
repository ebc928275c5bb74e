"""Bills of material: what goes into an item, level by level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from mainspring.core.errors import LimitExceeded
from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.business.graph import chunks, leads_to, require_within
from mainspring.records.business.item import Item
from mainspring.records.business.unit import Conversion, UnitOfMeasure, decimal, unit_of_item
from mainspring.records.defined import fields
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import RELEASED, Group, Rule, Shape
from mainspring.records.faults import Invalid
from mainspring.records.tenant import Tenant

LEVELS_MAX: Final = 50
_CYCLE: Final = Text("{item} would go into itself.", "{item} 将包含其自身。")
_TOO_DEEP: Final = Text(
    "The bill of material has more than {limit} levels. Look for an item that goes into itself.",
    "物料清单超过 {limit} 层，请检查是否有物料包含其自身。",
)
VALID: Final = Rule(
    "valid",
    Q(valid_from__isnull=True) | Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
    Text("The last day lies before the first.", "失效日期早于生效日期。"),
    "valid_until",
)


class BillOfMaterial(Defined):
    """What one lot of an item is made of; an item may have alternatives, of which the first that is valid counts."""

    item = fields.link(Item, Text("Item", "物料"), need=True)
    alternative = fields.code(Text("Alternative", "替代方案"), length=16, default="1")
    quantity = fields.exact(Text("Makes", "产量"), above=0, default=1, unit_in="unit")
    unit = unit_of_item()
    valid_from = fields.day(Text("Valid from", "生效日期"))
    valid_until = fields.day(Text("Valid until", "失效日期"))
    remarks = fields.notes(Text("Notes", "备注"))

    kind = "bill-of-material"
    shape = Shape(
        one=Text("Bill of material", "物料清单"),
        many=Text("Bills of material", "物料清单"),
        group=Group.ENGINEERING,
        key=("item", "alternative"),
        title="alternative",
        columns=("item", "alternative", "quantity", "valid_from", "valid_until"),
        states=RELEASED,
        rules=(VALID,),
    )

    def settle(self) -> None:
        """Take the unit by its code; refuse one that is none of the item's."""
        self.unit = Conversion(self.item).known(self.unit)

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse an item that goes into itself."""
        for line in BillLine.objects.filter(bill=self):
            _refuse_cycle(self.item, line.item_id, "item")

    def label(self) -> str:
        """Return the item and the alternative."""
        return f"{self.item.number} / {self.alternative}"


class BillLine(Defined):
    """One component of a bill of material."""

    bill = fields.link(BillOfMaterial, Text("Bill of material", "物料清单"), need=True, gone=models.CASCADE)
    position = fields.whole(Text("Position", "行号"), need=True, least=1, most=999_999)
    item = fields.link(Item, Text("Component", "子件"), need=True)
    quantity = fields.exact(Text("Quantity", "用量"), above=0, need=True, unit_in="unit")
    unit = unit_of_item()
    scrap = fields.exact(
        Text("Scrap", "损耗率"), least=0, most=1000, default=0, unit="%",
        hint=Text("added to the quantity", "在用量之外增加"),
    )  # fmt: skip
    valid_from = fields.day(Text("Valid from", "生效日期"))
    valid_until = fields.day(Text("Valid until", "失效日期"))

    bill_id: UUID
    item_id: UUID
    kind = "bill-line"
    shape = Shape(
        one=Text("Component", "子件"),
        many=Text("Components", "子件"),
        group=Group.ENGINEERING,
        key=("bill", "position"),
        title="position",
        order="position",
        columns=("bill", "position", "item", "quantity", "unit", "scrap", "valid_from", "valid_until"),
        part_of="bill",
        rules=(VALID,),
    )

    def settle(self) -> None:
        """Take the unit by its code; refuse one that is none of the component's."""
        self.unit = Conversion(self.item).known(self.unit)

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse an item that goes into itself."""
        # After it is stored: the audit's chain lets one writer of a company at a time come here, so that two lines
        # that close a circle together meet.
        _refuse_cycle(self.bill.item, self.item_id, "item")


def _refuse_cycle(whole: Item, component: UUID, named: str) -> None:
    if leads_to(component, whole.pk, _components):
        raise Invalid({named: _CYCLE.format(item=whole.number)})


def _components(ids: list[UUID]) -> Iterable[UUID]:
    return BillLine.objects.filter(bill__item__in=ids).values_list("item_id", flat=True)


@dataclass(frozen=True, slots=True)
class Component:
    """One line of a bill as it counts: how many of the component's own unit go into one of the whole's own unit."""

    item: UUID
    each: Fraction


@dataclass(frozen=True, slots=True)
class Explosion:
    """What goes into an item on a day: its structure, and how much of everything."""

    root: UUID
    structure: dict[UUID, list[Component]]
    """The components of each item that has a bill."""
    needs: dict[UUID, Decimal] = field(default_factory=dict)
    """How much of each item, in its own unit; of one that comes in at several places the sum."""
    level: dict[UUID, int] = field(default_factory=dict)
    """The lowest level an item comes in at, the root's being 0."""

    def bought(self) -> dict[UUID, Decimal]:
        """Return how much is needed of the items that have no bill themselves."""
        return {item: need for item, need in self.needs.items() if item not in self.structure}


def explode(item: Item, quantity: Decimal, on: date, *, states: tuple[str, ...] = ("released",)) -> Explosion:
    """Work out what `quantity` of an item (in its own unit) needs on a day, over all levels.

    One statement a level, each item once, however many ways lead to it. Raises LimitExceeded.
    """
    structure: dict[UUID, list[Component]] = {}
    seen, frontier, depth = {item.pk}, {item.pk}, 0
    while frontier:
        depth += 1
        if depth > LEVELS_MAX:
            raise LimitExceeded(_TOO_DEEP, limit=LEVELS_MAX)
        for chunk in chunks(frontier):
            structure |= _bills(item.tenant, chunk, on, states)
        frontier = {part.item for each in frontier for part in structure.get(each, ())} - seen
        seen |= frontier
        require_within(len(seen))
    needs, level = {item.pk: Fraction(quantity)}, {item.pk: 0}
    ordered = _wholes_first(item.pk, structure)
    if len(ordered) < len(seen):
        raise LimitExceeded(_TOO_DEEP, limit=LEVELS_MAX)
    for each in ordered:
        for part in structure.get(each, ()):
            needs[part.item] = needs.get(part.item, Fraction(0)) + needs[each] * part.each
            level[part.item] = max(level.get(part.item, 0), level[each] + 1)
    return Explosion(item.pk, structure, {each: decimal(need) for each, need in needs.items()}, level)


def _bills(tenant: Tenant, items: list[UUID], on: date, states: tuple[str, ...]) -> dict[UUID, list[Component]]:
    """Return the components of some items as they count on a day."""
    bills = (
        BillOfMaterial.objects.of(tenant).filter(_valid(on), item__in=items, state__in=states)
        .select_related("item").order_by("alternative")
    )  # fmt: skip
    first: dict[UUID, BillOfMaterial] = {}
    for bill in bills:
        first.setdefault(bill.item.pk, bill)
    chosen = {bill.pk: bill for bill in first.values()}
    rows = BillLine.objects.of(tenant).filter(_valid(on), bill__in=list(chosen))
    lines = list(rows.select_related("item").order_by("position"))
    own: dict[UUID, list[tuple[str, Decimal, Decimal]]] = {}
    involved = {line.item_id for line in lines} | set(first)
    for chunk in chunks(involved):
        rows_of: Any = UnitOfMeasure.objects.filter(item__in=chunk)
        for item, *row in rows_of.values_list("item_id", "code", "many", "amount"):
            own.setdefault(item, []).append(tuple(row))
    found: dict[UUID, list[Component]] = {each: [] for each in first}
    for line in lines:
        bill = chosen[line.bill_id]
        makes = Conversion(bill.item, own.get(bill.item.pk, []))(bill.quantity, bill.unit)
        takes = Conversion(line.item, own.get(line.item_id, []))(line.quantity, line.unit)
        each = Fraction(takes) * (1 + Fraction(line.scrap) / 100) / Fraction(makes)
        found[bill.item.pk].append(Component(line.item_id, each))
    return found


def _valid(on: date) -> Q:
    return (Q(valid_from__isnull=True) | Q(valid_from__lte=on)) & (Q(valid_until__isnull=True) | Q(valid_until__gte=on))


def _wholes_first(root: UUID, structure: dict[UUID, list[Component]]) -> list[UUID]:
    """Return the items in an order in which each comes after all it goes into."""
    waiting: dict[UUID, int] = {}
    for parts in structure.values():
        for part in parts:
            waiting[part.item] = waiting.get(part.item, 0) + 1
    ordered, ready = [], [root]
    while ready:
        each = ready.pop()
        ordered.append(each)
        for part in structure.get(each, ()):
            waiting[part.item] -= 1
            if waiting[part.item] == 0:
                ready.append(part.item)
    return ordered
