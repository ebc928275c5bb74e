"""Alarm definitions: one limit, or staleness, of one tag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from pydantic import Field

from mainspring.core import definitions
from mainspring.core.definitions import Condition, Priority, Words
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.records import changes, outbox
from mainspring.records.audit import Author
from mainspring.records.draft import Description, Draft, Name, Number, merged
from mainspring.records.faults import Invalid
from mainspring.records.record import Record, absent, require_version
from mainspring.records.search_words import searchable
from mainspring.records.tenant import Tenant, no_words

if TYPE_CHECKING:
    from mainspring.records.tag import Tag

_NO_TAG: Final = Text("There is no such tag.", "没有该测点。")
_SAME: Final = Text(
    "The tag {path} already has an alarm on {condition}. Change that one.",
    "测点 {path} 已有 {condition} 报警，请修改原有定义。",
)
_NO_LIMIT: Final = Text(
    "A text has no limits; only staleness can be watched here.", "文字测点没有限值，只能监视数据过期。"
)
_ORDER: Final = Text(
    "The limit {limit} of {condition} does not go with {other} at {other_limit}.",
    "{condition} 的限值 {limit} 与 {other} 的限值 {other_limit} 矛盾。",
)
_RISING: Final = [Condition.LL, Condition.L, Condition.H, Condition.HH]


class AlarmDraft(Draft):
    """What can be written of an alarm definition; without a name it is called after tag and condition."""

    tag_id: UUID
    condition: Condition
    limit: Number = 0.0
    dead_band: Number = Field(default=0.0, ge=0)
    on_delay_ms: int = Field(default=0, ge=0, le=86_400_000)
    off_delay_ms: int = Field(default=0, ge=0, le=86_400_000)
    priority: Priority = Priority.MEDIUM
    name: Name | None = None
    consequence: Description | None = None
    response: Description | None = None
    enabled: bool = True


class AlarmDefinition(Record):
    """One limit, or staleness, of one tag."""

    tag: models.ForeignKey[Tag, Tag] = models.ForeignKey(
        "records.Tag", on_delete=models.PROTECT, related_name="alarm_definitions"
    )
    condition = models.CharField(max_length=8)
    limit = models.FloatField(default=0.0)
    dead_band = models.FloatField(default=0.0)
    on_delay_ms = models.PositiveIntegerField(default=0)
    off_delay_ms = models.PositiveIntegerField(default=0)
    priority = models.CharField(max_length=16, default=Priority.MEDIUM)
    name: models.JSONField[Any, Any] = models.JSONField(default=no_words)
    consequence: models.JSONField[Any, Any] = models.JSONField(null=True)
    response: models.JSONField[Any, Any] = models.JSONField(null=True)
    enabled = models.BooleanField(default=True)
    search = models.TextField()

    kind = "alarm-definition"

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tag", "condition"], name="alarm_condition_of_tag"),
            models.CheckConstraint(condition=Q(condition__in=[str(c) for c in Condition]), name="alarm_condition"),
            models.CheckConstraint(condition=Q(priority__in=[str(p) for p in Priority]), name="alarm_priority"),
            models.CheckConstraint(condition=Q(dead_band__gte=0), name="alarm_dead_band"),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "search"], name="alarm_search")]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows."""
        shown = {name: getattr(self, name) for name in AlarmDraft.model_fields}
        return shown | {"id": self.id, "tag": self.tag.ordinal, "version": self.version}

    def label(self) -> str:
        """Return tag and condition."""
        return f"{self.tag.path} {self.condition}"

    def definition(self) -> definitions.AlarmDefinition:
        """Return what is published."""
        fields = {name: getattr(self, name) for name in definitions.AlarmDefinition.model_fields if name != "tag"}
        return definitions.AlarmDefinition.model_validate(fields | {"tag": self.tag.ordinal})


def find(tenant: Tenant, id: UUID) -> AlarmDefinition:
    """Return an alarm definition of the tenant; raises NotFound."""
    definition = AlarmDefinition.objects.of(tenant).select_related("tag").filter(pk=id).first()
    if definition is None:
        raise absent("alarm-definition", id)
    return definition


def create(author: Author, draft: AlarmDraft) -> AlarmDefinition:
    """Store a new alarm definition."""
    with transaction.atomic():
        definition = AlarmDefinition(tenant=author.tenant)
        _fill(definition, draft)
        changes.create(author, definition)
        outbox.mark_alarms(author.tenant.key, [definition.tag.ordinal])
    return definition


def modify(author: Author, id: UUID, patch: dict[str, Any], version: int | None) -> AlarmDefinition:
    """Change an alarm definition."""
    with transaction.atomic():
        definition = find(author.tenant, id)
        require_version(definition, version)
        before, ordinal = definition.document(), definition.tag.ordinal
        _fill(definition, merged(AlarmDraft, before, patch))
        changes.change(author, definition, before)
        outbox.mark_alarms(author.tenant.key, {ordinal, definition.tag.ordinal})
    return definition


def delete(author: Author, id: UUID, version: int | None) -> None:
    """Remove an alarm definition."""
    with transaction.atomic():
        definition = find(author.tenant, id)
        require_version(definition, version)
        outbox.mark_alarms(author.tenant.key, [definition.tag.ordinal])
        changes.delete(author, definition)


def _fill(definition: AlarmDefinition, draft: AlarmDraft) -> None:
    from mainspring.records.tag import Tag

    tag = Tag.objects.of(definition.tenant).filter(pk=draft.tag_id).first()
    if tag is None:
        raise Invalid({"tag_id": _NO_TAG})
    if draft.condition is not Condition.STALE and tag.sample_kind in {SampleKind.TEXT, SampleKind.BLOB}:
        raise Invalid({"condition": _NO_LIMIT})
    others = {other.condition: other for other in tag.alarm_definitions.exclude(pk=definition.pk)}
    if draft.condition in others:
        raise Invalid({"condition": _SAME.format(path=tag.path, condition=draft.condition)})
    _refuse_disorder(draft, others)
    definition.tag = tag
    for name, found in draft.model_dump(mode="json", exclude={"tag_id"}).items():
        setattr(definition, name, found)
    if draft.name is None:
        definition.name = Words(en=f"{tag.name} {draft.condition}", zh=f"{tag.name} {draft.condition}").model_dump()
    definition.search = searchable(tag.path, definition.name)


def _refuse_disorder(draft: AlarmDraft, others: dict[str, AlarmDefinition]) -> None:
    if draft.condition not in _RISING:
        return
    place = _RISING.index(draft.condition)
    for condition, other in others.items():
        if condition not in _RISING:
            continue
        above = _RISING.index(Condition(condition)) > place
        if (draft.limit > other.limit) if above else (draft.limit < other.limit):
            raise Invalid(
                {
                    "limit": _ORDER.format(
                        limit=draft.limit, condition=draft.condition, other=condition, other_limit=other.limit
                    )
                }
            )
