"""Operations: how an item is made, as a graph of steps with materials, equipment by capability, and times."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.db.models import F, Q, QuerySet

from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.business.capability import able
from mainspring.records.business.graph import leads_to
from mainspring.records.business.item import Item
from mainspring.records.business.unit import Conversion, unit_of_item
from mainspring.records.defined import fields
from mainspring.records.defined.fields import Choices
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import RELEASED, Group, Rule, Shape
from mainspring.records.faults import Invalid
from mainspring.records.tenant import Tenant

_CYCLE: Final = Text("{operation} would come before itself.", "{operation} 将排在其自身之前。")
_OTHER_ROUTING: Final = Text("This operation makes another item.", "该工序属于其他物料的工艺路线。")


class Direction(Choices):
    """Whether a material goes into an operation or comes out of it."""

    IN = "in", "Goes in", "投入"
    OUT = "out", "Comes out", "产出"


class Operation(Defined):
    """One step of making an item (ISA-95 process segment): what it needs, and how long it takes."""

    item = fields.link(Item, Text("Item", "物料"), need=True)
    alternative = fields.code(Text("Alternative", "替代方案"), length=16, default="1")
    number = fields.code(Text("Number", "工序号"), length=16)
    name = fields.words(Text("Name", "名称"))
    process = fields.code(Text("Process", "工艺"), length=80, hint=Text("equipment is found by it", "按此匹配设备能力"))
    material = fields.code(Text("Material", "材料"), length=80, need=False)
    size = fields.exact(Text("Size", "尺寸"), least=0, unit="mm")
    tolerance = fields.exact(Text("Tolerance", "公差"), least=0, unit="mm")
    setup_s = fields.exact(Text("Set-up", "准备时间"), least=0, default=0, unit="s")
    each_s = fields.exact(Text("For each unit", "单件时间"), least=0, default=0, unit="s")
    wait_s = fields.exact(Text("Wait afterwards", "等待时间"), least=0, default=0, unit="s")
    outside = fields.yes(Text("Done by others", "外协"))
    instruction = fields.notes(Text("Instruction", "作业说明"))

    item_id: UUID
    kind = "operation"
    shape = Shape(
        one=Text("Operation", "工序"),
        many=Text("Operations", "工序"),
        group=Group.ENGINEERING,
        key=("item", "alternative", "number"),
        title="number",
        order="number",
        columns=("item", "alternative", "number", "name", "process", "setup_s", "each_s"),
        found_by=("number", "name", "process"),
        states=RELEASED,
    )

    def duration_s(self, quantity: Decimal) -> Decimal:
        """Return how long a quantity takes, without the wait."""
        return Decimal(self.setup_s + self.each_s * quantity)


class OperationOrder(Defined):
    """That one operation begins after another; several ways from one to the next make the routing a graph."""

    operation = fields.link(Operation, Text("Operation", "工序"), need=True, gone=models.CASCADE)
    after = fields.link(Operation, Text("Begins after", "前道工序"), need=True)
    overlap = fields.exact(
        Text("Once this much is done", "完成比例后可开始"), above=0, most=100, default=100, unit="%"
    )  # fmt: skip

    operation_id: UUID
    after_id: UUID
    kind = "operation-order"
    shape = Shape(
        one=Text("Preceding operation", "前道工序"),
        many=Text("Preceding operations", "前道工序"),
        group=Group.ENGINEERING,
        key=("operation", "after"),
        title="overlap",
        columns=("operation", "after", "overlap"),
        part_of="operation",
        rules=(
            Rule(
                "not_itself",
                ~Q(operation=F("after")),
                Text("An operation does not come after itself.", "工序不能排在其自身之后。"),
                "after",
            ),
        ),
    )

    def settle(self) -> None:
        """Refuse operations of different routings."""
        if (self.operation.item_id, self.operation.alternative) != (self.after.item_id, self.after.alternative):
            raise Invalid({"after": _OTHER_ROUTING})

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse a circle."""
        if leads_to(self.after_id, self.operation_id, _predecessors):
            raise Invalid({"after": _CYCLE.format(operation=self.operation.number)})

    def label(self) -> str:
        """Return both operations."""
        return f"{self.after.number} → {self.operation.number}"


class OperationMaterial(Defined):
    """A material that goes into an operation or comes out of it, for one unit of the item made."""

    operation = fields.link(Operation, Text("Operation", "工序"), need=True, gone=models.CASCADE)
    direction = fields.choice(Direction, Text("Direction", "方向"), default=Direction.IN)
    item = fields.link(Item, Text("Material", "物料"), need=True)
    quantity = fields.exact(Text("Quantity", "数量"), above=0, need=True, unit_in="unit")
    unit = unit_of_item()

    kind = "operation-material"
    shape = Shape(
        one=Text("Material of an operation", "工序物料"),
        many=Text("Materials of operations", "工序物料"),
        group=Group.ENGINEERING,
        key=("operation", "direction", "item"),
        title="direction",
        columns=("operation", "direction", "item", "quantity", "unit"),
        part_of="operation",
    )

    def settle(self) -> None:
        """Take the unit by its code; refuse one that is none of the material's."""
        self.unit = Conversion(self.item).known(self.unit)


def routing(tenant: Tenant, item: Item, alternative: str = "1") -> list[Operation]:
    """Return the operations of an item, each after all that come before it; of those free to choose by their number."""
    operations = {each.pk: each for each in Operation.objects.of(tenant).filter(item=item, alternative=alternative)}
    before: dict[UUID, set[UUID]] = {id: set() for id in operations}
    for link in OperationOrder.objects.of(tenant).filter(operation__in=list(operations), after__in=list(operations)):
        before[link.operation_id].add(link.after_id)
    ordered: list[Operation] = []
    while before:
        ready = min((id for id, left in before.items() if not left), key=lambda id: operations[id].number)
        del before[ready]
        ordered.append(operations[ready])
        for left in before.values():
            left.discard(ready)
    return ordered


def equipment_for(operation: Operation) -> QuerySet[Any]:
    """Return the capabilities that can do an operation."""
    return able(operation.tenant, operation.process, operation.material, operation.size, operation.tolerance)


def _predecessors(ids: list[UUID]) -> Iterable[UUID]:
    return OperationOrder.objects.filter(operation__in=ids).values_list("after_id", flat=True)
