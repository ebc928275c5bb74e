"""The tags an alarm expression names: found by name or path when it is saved, and protected while it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final
from uuid import UUID

from django.db import models

from mainspring.core.definitions import ExpressionInput
from mainspring.core.errors import Conflict
from mainspring.core.expression_program import compiled
from mainspring.core.expressions import ExpressionRefused, names, parse
from mainspring.core.ids import uuid7
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.records.faults import Invalid
from mainspring.records.tenant import OfTenant, Tenant

if TYPE_CHECKING:
    from mainspring.records.plant.alarm_definition import AlarmDefinition
    from mainspring.records.plant.tag import Tag

CANDIDATES: Final = 3
_NOT_FOUND: Final = Text(
    "There is no tag {name}. Write a tag's name, or its path in double quotes; put spaces around a minus.",
    "没有测点 {name}。请填写位号，或用双引号写出路径；减号两侧须留空格。",
)
_SEVERAL: Final = Text(
    "Several tags are called {name}. Write the path in double quotes, for example {paths}.",
    "有多个测点名为 {name}，请用双引号写出路径，例如 {paths}。",
)
_USED: Final = Text(
    "The alarm {alarm} calculates with the tag {tag}. Change or delete that alarm first.",
    "报警 {alarm} 的表达式使用了测点 {tag}，请先修改或删除该报警。",
)


class AlarmInput(models.Model):
    """One tag of one expression, under the name it has there."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    definition: models.ForeignKey[AlarmDefinition, AlarmDefinition] = models.ForeignKey(
        "records.AlarmDefinition", on_delete=models.CASCADE, related_name="inputs"
    )
    tag: models.ForeignKey[Tag, Tag] = models.ForeignKey(
        "records.Tag", on_delete=models.PROTECT, related_name="alarm_inputs"
    )
    name = models.CharField(max_length=500)

    objects = OfTenant.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["definition", "name"], name="alarm_input_name")]

    def document(self) -> dict[str, object]:
        """Return the form the API shows."""
        return {"name": self.name, "tag_id": self.tag_id, "tag": self.tag.ordinal, "path": self.tag.path}


def input_of(name: str, tag: Tag) -> ExpressionInput:
    """Return what is published of a tag that an expression names."""
    return ExpressionInput(name=name, tag=tag.ordinal, unit=tag.unit, kind=SampleKind(tag.sample_kind))


def resolve(
    tenant: Tenant,
    asset: UUID | None,
    expression: str,
    known: Mapping[str, Tag],
    field: str = "expression",
) -> dict[str, Tag]:
    """Find the tags an expression names and check that it makes sense; raises Invalid for `field`.

    A name that the expression had before (`known`) keeps its tag; otherwise it is a path, a tag of `asset`, or the
    only tag of that name.
    """
    try:
        found = {name: known.get(name) or _find(tenant, asset, name) for name in names(parse(expression))}
        compiled(expression, {name: input_of(name, tag) for name, tag in found.items()})
    except ExpressionRefused as error:
        raise Invalid({field: error.text}) from error
    return found


def keep(definition: AlarmDefinition, found: Mapping[str, Tag]) -> None:
    """Store the tags of an expression in the place of those it had."""
    definition.inputs.all().delete()
    AlarmInput.objects.bulk_create(
        AlarmInput(tenant=definition.tenant, definition=definition, tag=tag, name=name) for name, tag in found.items()
    )


def refuse_if_used(tag: Tag, *, own: bool = True) -> None:
    """Refuse a change of a tag that an expression calculates with; without `own` not for alarms shown at the tag."""
    used = tag.alarm_inputs.select_related("definition__tag")
    found = (used if own else used.exclude(definition__tag=tag)).first()
    if found is not None:
        raise Conflict(_USED.format(alarm=found.definition.label(), tag=tag.path))


def _find(tenant: Tenant, asset: UUID | None, name: str) -> Tag:
    from mainspring.records.plant.tag import Tag

    tags = Tag.objects.of(tenant)
    exact = tags.filter(path=name).first()
    if exact is not None:
        return exact
    beside = tags.filter(asset=asset, name=name).first()
    if beside is not None:
        return beside
    called = list(tags.filter(name=name)[: CANDIDATES + 1])
    if len(called) == 1:
        return called[0]
    if not called:
        raise ExpressionRefused(_NOT_FOUND, name=name)
    raise ExpressionRefused(_SEVERAL, name=name, paths=", ".join(f'"{tag.path}"' for tag in called[:CANDIDATES]))
