"""Alarm definitions: a limit, staleness, rate of change or state of one tag, or an expression over several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from pydantic import Field

from mainspring.core import definitions
from mainspring.core.definitions import DAY_MS, STATES_MAX, WINDOW_MIN_MS, Condition, Direction, Per, Priority, Words
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.records import changes, outbox
from mainspring.records.audit import Author
from mainspring.records.draft import Description, Draft, Name, Number, merged
from mainspring.records.faults import Invalid
from mainspring.records.plant import alarm_expression, suppression
from mainspring.records.record import Record, absent, require_version
from mainspring.records.search_words import searchable
from mainspring.records.tenant import Tenant, no_words

if TYPE_CHECKING:
    from mainspring.records.plant.tag import Tag

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
_MANY: Final = Text(
    "The tag {path} has {limit} alarms already. Delete one first.", "测点 {path} 已有 {limit} 条报警，请先删除一条。"
)
_WHOLE: Final = Text(
    "States belong to booleans, enumerations and whole numbers; {path} is none of them.",
    "状态报警只用于布尔、枚举和整数测点，{path} 不是。",
)
_NO_STATES: Final = Text("Name the states in which the alarm is raised.", "请列出触发报警的状态。")
_NO_RATE: Final = Text("A rate of change needs a limit above 0.", "变化率限值须大于 0。")
_WORDED: Final = Text("A state has no rate of change.", "状态没有变化率。")
ALARMS_OF_TAG_MAX: Final = 32
ONCE: Final = (Condition.HH, Condition.H, Condition.L, Condition.LL, Condition.STALE)
"""Conditions that one tag has once; of the others it may have several alarms."""
_OWN_FIELDS: Final = {
    "per": Condition.RATE, "window_ms": Condition.RATE, "direction": Condition.RATE, "states": Condition.STATE,
    "expression": Condition.EXPRESSION,
}  # fmt: skip
"""Fields that mean something for one condition alone."""
_RISING: Final = [Condition.LL, Condition.L, Condition.H, Condition.HH]


class AlarmDraft(Draft):
    """What can be written of an alarm definition; without a name it is called after tag and condition."""

    tag_id: UUID
    condition: Condition
    limit: Number = 0.0
    dead_band: Number = Field(default=0.0, ge=0)
    per: Per = Per.MINUTE
    window_ms: int = Field(default=60_000, ge=WINDOW_MIN_MS, le=DAY_MS)
    direction: Direction = Direction.BOTH
    states: list[int] = Field(default_factory=list, max_length=STATES_MAX)
    expression: str = Field(default="", max_length=500)
    on_delay_ms: int = Field(default=0, ge=0, le=DAY_MS)
    off_delay_ms: int = Field(default=0, ge=0, le=DAY_MS)
    priority: Priority = Priority.MEDIUM
    name: Name | None = None
    consequence: Description | None = None
    response: Description | None = None
    enabled: bool = True
    suppress_when: str = Field(default="", max_length=500)
    suppress_reason: Description | None = None


class AlarmDefinition(Record):
    """One alarm of one tag; that of an expression is shown at it."""

    tag: models.ForeignKey[Tag, Tag] = models.ForeignKey(
        "records.Tag", on_delete=models.PROTECT, related_name="alarm_definitions"
    )
    condition = models.CharField(max_length=16)
    limit = models.FloatField(default=0.0)
    dead_band = models.FloatField(default=0.0)
    per = models.CharField(max_length=8, default=Per.MINUTE)
    window_ms = models.PositiveIntegerField(default=60_000)
    direction = models.CharField(max_length=8, default=Direction.BOTH)
    states: models.JSONField[Any, Any] = models.JSONField(default=list)
    expression = models.CharField(max_length=500, default="", blank=True)
    on_delay_ms = models.PositiveIntegerField(default=0)
    off_delay_ms = models.PositiveIntegerField(default=0)
    priority = models.CharField(max_length=16, default=Priority.MEDIUM)
    name: models.JSONField[Any, Any] = models.JSONField(default=no_words)
    consequence: models.JSONField[Any, Any] = models.JSONField(null=True)
    response: models.JSONField[Any, Any] = models.JSONField(null=True)
    enabled = models.BooleanField(default=True)
    suppress_when = models.CharField(max_length=500, default="", blank=True)
    suppress_reason: models.JSONField[Any, Any] = models.JSONField(null=True)
    search = models.TextField()

    kind = "alarm-definition"

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tag", "condition"],
                condition=Q(condition__in=[str(c) for c in ONCE]),
                name="alarm_condition_of_tag",
            ),
            models.CheckConstraint(condition=Q(condition__in=[str(c) for c in Condition]), name="alarm_condition"),
            models.CheckConstraint(condition=Q(priority__in=[str(p) for p in Priority]), name="alarm_priority"),
            models.CheckConstraint(condition=Q(dead_band__gte=0), name="alarm_dead_band"),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "search"], name="alarm_search")]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows."""
        shown = {name: getattr(self, name) for name in AlarmDraft.model_fields}
        inputs = [each.document() for each in self.inputs.all()] if self.expression else []
        return shown | {"id": self.id, "tag": self.tag.ordinal, "version": self.version, "inputs": inputs}

    def label(self) -> str:
        """Return tag and condition."""
        return f"{self.tag.path} {self.condition}"

    def definition(self, suppressed_by: Iterable[UUID] = ()) -> definitions.AlarmDefinition:
        """Return what is published, with the conditions that suppress it."""
        inputs = {each.name: each.tag for each in self.inputs.all()} if self.expression else {}
        return _published(vars(self) | {"tag__ordinal": self.tag.ordinal}, inputs, suppressed_by)

    @staticmethod
    def definitions(
        rows: models.QuerySet[AlarmDefinition], groups: Sequence[tuple[str, definitions.Suppression]]
    ) -> Iterator[tuple[definitions.AlarmDefinition, list[definitions.Suppression]]]:
        """Yield what is published of some, with the conditions that suppress each; `groups` are those of assets.

        Only those with an expression or a condition of their own become records: they are few among many.
        """
        for row in rows.values(*_PUBLISHED, "suppress_when", "tag__ordinal", "tag__path").iterator(chunk_size=1000):
            conditions = suppression.covering(row["tag__path"], groups)
            if not row["expression"] and not row["suppress_when"]:
                yield _published(row, {}, [each.id for each in conditions]), conditions
                continue
            alarm = AlarmDefinition.objects.select_related("tag").get(pk=row["id"])
            if alarm.suppress_when:
                conditions.append(suppression.published(alarm))
            yield alarm.definition([each.id for each in conditions]), conditions


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
        inputs, suppressing = _fill(definition, draft)
        changes.create(author, definition)
        alarm_expression.keep(definition, inputs)
        suppression.keep(definition, suppressing)
        outbox.mark_alarms(author.tenant.key, [definition.tag.ordinal])
    return definition


def modify(author: Author, id: UUID, patch: dict[str, Any], version: int | None) -> AlarmDefinition:
    """Change an alarm definition."""
    with transaction.atomic():
        definition = find(author.tenant, id)
        require_version(definition, version)
        before, ordinal = definition.document(), definition.tag.ordinal
        inputs, suppressing = _fill(definition, merged(AlarmDraft, before, patch))
        alarm_expression.keep(definition, inputs)
        suppression.keep(definition, suppressing)
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


def draft_definition(
    tenant: Tenant, draft: AlarmDraft, id: UUID | None = None
) -> tuple[definitions.AlarmDefinition, list[definitions.Suppression]]:
    """Return what would be published of a draft, checked as if it were saved; nothing is stored.

    Beside it come the conditions that would suppress it: its own and those of the assets above.
    """
    stored = AlarmDefinition.objects.of(tenant).filter(pk=id).first() if id is not None else None
    definition = stored or AlarmDefinition(tenant=tenant)
    inputs, suppressing = _fill(definition, draft)
    conditions = suppression.covering(definition.tag.path, suppression.groups(tenant))
    if definition.suppress_when:
        conditions.append(suppression.published(definition, suppressing))
    definition.enabled = True
    fields = vars(definition) | {"tag__ordinal": definition.tag.ordinal}
    return _published(fields, inputs, [each.id for each in conditions]), conditions


_PUBLISHED: Final = sorted(definitions.AlarmDefinition.model_fields.keys() - {"tag", "inputs", "suppressed_by"})
"""Fields that the record and what is published of it name alike."""


def _published(
    row: Mapping[str, Any], inputs: Mapping[str, Tag], suppressed_by: Iterable[UUID]
) -> definitions.AlarmDefinition:
    fields: dict[str, Any] = {name: row[name] for name in _PUBLISHED}
    named = [alarm_expression.input_of(name, tag) for name, tag in inputs.items()]
    fields["inputs"] = sorted(named, key=lambda each: each.name)
    return definitions.AlarmDefinition.model_validate(
        fields | {"tag": row["tag__ordinal"], "suppressed_by": tuple(suppressed_by)}
    )


def _fill(definition: AlarmDefinition, draft: AlarmDraft) -> tuple[dict[str, Tag], dict[str, Tag]]:
    """Write a draft into a record; return the tags of its expression and of its suppression, by their names there."""
    from mainspring.records.plant.tag import Tag

    tag = Tag.objects.of(definition.tenant).filter(pk=draft.tag_id).first()
    if tag is None:
        raise Invalid({"tag_id": _NO_TAG})
    _refuse_kind(tag, draft)
    siblings = list(tag.alarm_definitions.exclude(pk=definition.pk))
    if len(siblings) >= ALARMS_OF_TAG_MAX:
        raise Invalid({"tag_id": _MANY.format(path=tag.path, limit=ALARMS_OF_TAG_MAX)})
    others = {other.condition: other for other in siblings if other.condition in ONCE}
    if draft.condition in others:
        raise Invalid({"condition": _SAME.format(path=tag.path, condition=draft.condition)})
    _refuse_disorder(draft, others)
    inputs: dict[str, Tag] = {}
    if draft.condition is Condition.EXPRESSION:
        known = (
            {}
            if definition._state.adding
            else {each.name: each.tag for each in definition.inputs.select_related("tag")}
        )
        inputs = alarm_expression.resolve(definition.tenant, tag.asset_id, draft.expression, known)
    suppressing = suppression.checked(definition, draft.suppress_when, draft.suppress_reason, tag.asset_id)
    definition.tag = tag
    for name, found in draft.model_dump(mode="json", exclude={"tag_id"}).items():
        unused = _OWN_FIELDS.get(name, draft.condition) is not draft.condition
        setattr(
            definition, name, AlarmDraft.model_fields[name].get_default(call_default_factory=True) if unused else found
        )
    if draft.name is None:
        definition.name = Words(en=f"{tag.name} {draft.condition}", zh=f"{tag.name} {draft.condition}").model_dump()
    definition.search = searchable(tag.path, definition.name)
    return inputs, suppressing


def _refuse_kind(tag: Tag, draft: AlarmDraft) -> None:
    """Refuse conditions that a tag of this kind cannot meet."""
    kind, condition = SampleKind(tag.sample_kind), draft.condition
    if condition not in {Condition.STALE, Condition.EXPRESSION} and kind in {SampleKind.TEXT, SampleKind.BLOB}:
        raise Invalid({"condition": _NO_LIMIT})
    if condition in {Condition.STATE, Condition.CHANGE} and kind is SampleKind.FLOAT:
        raise Invalid({"condition": _WHOLE.format(path=tag.path)})
    if condition is Condition.STATE and not draft.states:
        raise Invalid({"states": _NO_STATES})
    if condition is Condition.RATE and kind in {SampleKind.BOOLEAN, SampleKind.ENUMERATION}:
        raise Invalid({"condition": _WORDED})
    if condition is Condition.RATE and draft.limit <= 0:
        raise Invalid({"limit": _NO_RATE})


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
