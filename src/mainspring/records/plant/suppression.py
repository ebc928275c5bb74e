"""Conditions under which alarms are suppressed by design, named by an alarm definition or by an asset for its group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import UUID

from django.db import models
from django.db.models import Q

from mainspring.core import definitions
from mainspring.core.definitions import Words
from mainspring.core.errors import Conflict
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records import outbox
from mainspring.records.faults import Invalid
from mainspring.records.plant.alarm_expression import input_of, resolve
from mainspring.records.search_words import below
from mainspring.records.tenant import OfTenant, Tenant

if TYPE_CHECKING:
    from mainspring.records.plant.alarm_definition import AlarmDefinition
    from mainspring.records.plant.asset import Asset
    from mainspring.records.plant.tag import Tag

FIELD: Final = "suppress_when"
REASON_MAX: Final = 200
_NO_REASON: Final = Text(
    "Say in words why alarms are suppressed then, for those who miss them.",
    "请写明此时抑制报警的原因，供值班人员查看。",
)
_LONG_REASON: Final = Text("The reason has more than {limit} characters.", "原因超过 {limit} 个字符。")
_USED: Final = Text(
    "Alarms of {place} are suppressed by the tag {tag}. Change that condition first.",
    "{place} 的报警抑制条件使用了测点 {tag}，请先修改该条件。",
)


class SuppressionInput(models.Model):
    """One tag of one condition, under the name it has there; of an alarm definition or of an asset."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    definition: models.ForeignKey[AlarmDefinition | None, AlarmDefinition | None] = models.ForeignKey(
        "records.AlarmDefinition", on_delete=models.CASCADE, null=True, related_name="suppression_inputs"
    )
    asset: models.ForeignKey[Asset | None, Asset | None] = models.ForeignKey(
        "records.Asset", on_delete=models.CASCADE, null=True, related_name="suppression_inputs"
    )
    tag: models.ForeignKey[Tag, Tag] = models.ForeignKey(
        "records.Tag", on_delete=models.PROTECT, related_name="suppression_inputs"
    )
    name = models.CharField(max_length=500)

    objects = OfTenant.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(definition__isnull=False, asset__isnull=True)
                | Q(definition__isnull=True, asset__isnull=False),
                name="suppression_input_of_one",
            ),
            models.UniqueConstraint(fields=["definition", "name"], name="suppression_input_of_alarm"),
            models.UniqueConstraint(fields=["asset", "name"], name="suppression_input_of_asset"),
        ]


def checked(
    named: AlarmDefinition | Asset, expression: str, reason: Words | None, asset: UUID | None
) -> dict[str, Tag]:
    """Find the tags of a condition and check that it makes sense and has a reason; raises Invalid.

    Names are looked for as in an alarm expression, those of `asset` first.
    """
    if not expression:
        return {}
    if reason is None or not reason.en:
        raise Invalid({"suppress_reason": _NO_REASON})
    if max(len(reason.en), len(reason.zh)) > REASON_MAX:
        raise Invalid({"suppress_reason": _LONG_REASON.format(limit=REASON_MAX)})
    return resolve(named.tenant, asset, expression, _inputs(named), FIELD)


def keep(named: AlarmDefinition | Asset, found: Mapping[str, Tag]) -> None:
    """Store the tags of a condition in the place of those it had."""
    before = _inputs(named)
    if before == found:
        return
    named.suppression_inputs.all().delete()
    link: dict[str, Any] = {"asset" if named.kind == "asset" else "definition": named}
    SuppressionInput.objects.bulk_create(
        SuppressionInput(tenant=named.tenant, tag=tag, name=name, **link) for name, tag in found.items()
    )


def published(named: AlarmDefinition | Asset, found: Mapping[str, Tag] | None = None) -> definitions.Suppression:
    """Return what is published of a condition; `found` stands for the tags of one that is not stored yet."""
    inputs = [input_of(name, tag) for name, tag in (_inputs(named) if found is None else found).items()]
    return definitions.Suppression(
        id=named.id,
        expression=named.suppress_when,
        inputs=tuple(sorted(inputs, key=lambda each: each.name)),
        reason=Words.model_validate(named.suppress_reason),
    )


def groups(tenant: Tenant) -> list[tuple[str, definitions.Suppression]]:
    """Return the conditions of assets, each with the path below which it counts."""
    from mainspring.records.plant.asset import Asset

    named = Asset.objects.of(tenant).exclude(suppress_when="").prefetch_related("suppression_inputs__tag")
    return [(each.path, published(each)) for each in named.order_by("path")]


def covering(path: str, known: Iterable[tuple[str, definitions.Suppression]]) -> list[definitions.Suppression]:
    """Return the conditions of assets above a tag, by its path."""
    return [each for above, each in known if path.startswith(f"{above}/")]


def mark_below(tenant: Tenant, path: str) -> None:
    """Publish the alarms below an asset after the commit: its condition or its place has changed."""
    from mainspring.records.plant.alarm_definition import AlarmDefinition

    alarms = AlarmDefinition.objects.of(tenant).filter(below(path, "tag__path"))
    outbox.mark_alarms(tenant.key, alarms.values_list("tag__ordinal", flat=True).distinct())


def mark_moved(tenant: Tenant, ordinals: Iterable[int]) -> None:
    """Publish the alarms of tags that may lie below other assets now, if assets have conditions at all."""
    from mainspring.records.plant.asset import Asset

    if Asset.objects.of(tenant).exclude(suppress_when="").exists():
        outbox.mark_alarms(tenant.key, ordinals)


def refuse_if_used(tag: Tag, *, own: bool = True) -> None:
    """Refuse a change of a tag that a condition names; without `own` not for alarms shown at the tag."""
    used = tag.suppression_inputs.select_related("definition__tag", "asset")
    found = (used if own else used.exclude(definition__tag=tag)).first()
    if found is not None:
        named = found.definition or found.asset
        raise Conflict(_USED.format(place=named.label() if named else "-", tag=tag.path))


def _inputs(named: AlarmDefinition | Asset) -> dict[str, Tag]:
    if named._state.adding:
        return {}
    return {each.name: each.tag for each in named.suppression_inputs.all()}
