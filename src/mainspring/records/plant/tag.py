"""Tags: the named sources of samples, and the door to their history."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from pydantic import AfterValidator, Field, model_validator

from mainspring.core.definitions import TagDefinition, Words
from mainspring.core.faults import fault
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.core.units import SIGNS
from mainspring.records import changes, outbox
from mainspring.records.audit import Action, Author, append
from mainspring.records.counter import ORDINALS, take
from mainspring.records.draft import Description, Draft, Number, Unit, merged
from mainspring.records.faults import Invalid
from mainspring.records.plant import suppression
from mainspring.records.plant.alarm_definition import AlarmDefinition
from mainspring.records.plant.alarm_expression import refuse_if_used
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.connection import Connection
from mainspring.records.plant.driver_forms import check_address
from mainspring.records.plant.write_policy import WritePolicy
from mainspring.records.record import Record, absent, require_version
from mainspring.records.search_words import searchable
from mainspring.records.tenant import Tenant, no_words

WORDS_MAX: Final = 256
_BAD_NAME: Final = Text("A tag name has no slash and no control character.", "测点名称不能含斜杠或控制字符。")
_RANGE: Final = Text("The lower end {low} must lie below the upper end {high}.", "量程下限 {low} 必须小于上限 {high}。")
_NO_GAIN: Final = Text("A gain of 0 would make every value the same.", "增益为 0 会使所有值相同。")
_WORDLESS: Final = Text(
    "Only booleans and enumerations have words for their values.", "只有布尔和枚举测点才有取值的文字。"
)
_WHOLE_KEYS: Final = Text("Words belong to whole numbers; {key!r} is none.", "文字须对应整数，{key!r} 不是整数。")
_SAME_NAME: Final = Text(
    "There is already a tag {path}. Choose another name or asset.", "已有测点 {path}，请换名称或资产。"
)
_NO_ASSET: Final = Text("There is no such asset.", "没有该资产。")
_NO_CONNECTION: Final = Text("There is no such connection.", "没有该连接。")


def _plain_name(name: str) -> str:
    if "/" in name or any(unicodedata.category(character) == "Cc" for character in name):
        raise fault(_BAD_NAME)
    return name


class TagFields(Draft):
    """The fields of a tag that can be written."""

    name: str = Field(min_length=1, max_length=200)
    asset: UUID
    description: Description = Words(en="")
    kind: SampleKind = SampleKind.FLOAT
    unit: str = Field(default="1", max_length=32)
    low: Number | None = None
    high: Number | None = None
    decimals: int | None = Field(default=None, ge=0, le=9)
    connection: UUID | None = None
    address: dict[str, Any] = Field(default_factory=dict)
    scan_ms: int = Field(default=1000, ge=10, le=86_400_000)
    gain: Number = 1.0
    offset: Number = 0.0
    dead_band: Number = Field(default=0.0, ge=0)
    silence_max_ms: int = Field(default=60_000, ge=1000, le=86_400_000)
    stale_ms: int = Field(default=0, ge=0, le=7 * 86_400_000)
    writable: bool = False
    write_policy: WritePolicy | None = None
    enabled: bool = True
    retention: str = Field(default="standard", pattern=r"^[a-z0-9-]{1,32}$")
    words: dict[str, Words] | None = Field(default=None, max_length=WORDS_MAX)


class TagDraft(TagFields):
    """A tag as someone writes it, checked as far as it can be without the database."""

    name: Annotated[str, AfterValidator(_plain_name)] = Field(min_length=1, max_length=200)
    unit: Unit = Field(default="1", max_length=32)

    @model_validator(mode="after")
    def _agrees(self) -> TagDraft:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise fault(_RANGE.format(low=self.low, high=self.high))
        if self.gain == 0:
            raise fault(_NO_GAIN)
        if self.words and self.kind not in {SampleKind.BOOLEAN, SampleKind.ENUMERATION}:
            raise fault(_WORDLESS)
        for key in self.words or ():
            if not key.removeprefix("-").isdecimal():
                raise fault(_WHOLE_KEYS.format(key=key))
        return self


class Tag(Record):
    """One named source; `ordinal` is its place in the history, given once and never again."""

    ordinal = models.PositiveBigIntegerField(unique=True, editable=False)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="tags")
    name = models.CharField(max_length=200)
    path = models.CharField(max_length=500)
    search = models.TextField()
    description: models.JSONField[Any, Any] = models.JSONField(default=no_words)
    sample_kind = models.CharField(max_length=16, default=SampleKind.FLOAT)
    unit = models.CharField(max_length=32, default="1")
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    decimals = models.PositiveSmallIntegerField(null=True)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="tags")
    address: models.JSONField[Any, Any] = models.JSONField(default=dict)
    scan_ms = models.PositiveIntegerField(default=1000)
    gain = models.FloatField(default=1.0)
    offset = models.FloatField(default=0.0)
    dead_band = models.FloatField(default=0.0)
    silence_max_ms = models.PositiveIntegerField(default=60_000)
    stale_ms = models.PositiveIntegerField(default=0)
    writable = models.BooleanField(default=False)
    write_policy: models.JSONField[Any, Any] = models.JSONField(null=True)
    enabled = models.BooleanField(default=True)
    retention = models.CharField(max_length=32, default="standard")
    words: models.JSONField[Any, Any] = models.JSONField(null=True)

    kind = "tag"

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "path"], name="tag_path"),
            models.CheckConstraint(condition=Q(ordinal__gte=1, ordinal__lt=2**32), name="tag_ordinal_uint32"),
            models.CheckConstraint(condition=Q(sample_kind__in=[str(k) for k in SampleKind]), name="tag_kind"),
            models.CheckConstraint(
                condition=Q(low__isnull=True) | Q(high__isnull=True) | Q(low__lt=models.F("high")), name="tag_range"
            ),
            models.CheckConstraint(condition=~Q(gain=0), name="tag_gain"),
            models.CheckConstraint(condition=Q(scan_ms__gte=10, dead_band__gte=0), name="tag_scan"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "ordinal"], name="tag_page"),
            models.Index(fields=["tenant", "asset", "name"], name="tag_asset"),
            models.Index(fields=["tenant", "connection"], name="tag_connection"),
            models.Index(fields=["tenant", "search"], name="tag_search"),
        ]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows."""
        shown = {name: getattr(self, name) for name in _SAME}
        return shown | {
            "id": self.id,
            "tag": self.ordinal,
            "path": self.path,
            "asset": self.asset_id,
            "kind": self.sample_kind,
            "unit_sign": SIGNS.get(self.unit, self.unit),
            "connection": self.connection_id,
            "version": self.version,
        }

    def label(self) -> str:
        """Return the path."""
        return self.path

    def take_draft(self, draft: TagDraft, asset: Asset) -> None:
        """Write the fields of a draft into the record."""
        written = draft.model_dump(mode="json")
        for name in _SAME:
            setattr(self, name, written[name])
        self.asset, self.sample_kind, self.connection_id = asset, str(draft.kind), draft.connection
        self.path = f"{asset.path}/{draft.name}"
        self.search = searchable(self.path, self.description)

    def definition(self) -> TagDefinition:
        """Return what is published of this tag."""
        names = TagDefinition.model_fields
        return TagDefinition.model_validate({name: getattr(self, _COLUMNS.get(name, name)) for name in names})

    @staticmethod
    def definitions(rows: models.QuerySet[Tag]) -> Iterator[TagDefinition]:
        """Yield what is published of some tags, without a record for each."""
        columns = {_COLUMNS.get(name, name): name for name in TagDefinition.model_fields}
        for row in rows.values(*columns).iterator(chunk_size=1000):
            yield TagDefinition.model_validate({columns[column]: found for column, found in row.items()})


_SAME: Final = tuple(name for name in TagFields.model_fields if name not in {"asset", "kind", "connection"})
"""Fields that a draft, a record and the API name alike and keep alike."""
_COLUMNS: Final = {"kind": "sample_kind", "connection": "connection_id"}
"""Fields of the published definition that the table names otherwise."""


def find(tenant: Tenant, id: UUID) -> Tag:
    """Return a tag of the tenant; raises NotFound."""
    tag = Tag.objects.of(tenant).filter(pk=id).first()
    if tag is None:
        raise absent("tag", id)
    return tag


def create(author: Author, draft: TagDraft) -> Tag:
    """Store a new tag under the next free ordinal."""
    with transaction.atomic():
        tag = Tag(tenant=author.tenant)
        _fill(tag, draft)
        tag.ordinal = take(ORDINALS)
        changes.create(author, tag)
        outbox.mark_tags(author.tenant.key, [tag.ordinal])
    return tag


def modify(author: Author, id: UUID, patch: dict[str, Any], version: int | None) -> Tag:
    """Change a tag."""
    with transaction.atomic():
        tag = Tag.objects.of(author.tenant).select_for_update(of=("self",)).filter(pk=id).first()
        if tag is None:
            raise absent("tag", id)
        require_version(tag, version)
        before = tag.document()
        _fill(tag, merged(TagDraft, before, patch))
        if (tag.unit, tag.sample_kind) != (before["unit"], before["kind"]):
            refuse_if_used(tag)
            suppression.refuse_if_used(tag)
        changes.change(author, tag, before)
        outbox.mark_tags(author.tenant.key, [tag.ordinal])
        suppression.mark_moved(author.tenant, [tag.ordinal])
    return tag


def delete(author: Author, id: UUID, version: int | None) -> None:
    """Remove a tag with its alarm definitions; its history stays under its ordinal."""
    with transaction.atomic():
        tag = find(author.tenant, id)
        require_version(tag, version)
        refuse_if_used(tag, own=False)
        suppression.refuse_if_used(tag, own=False)
        definitions = AlarmDefinition.objects.of(author.tenant).filter(tag=tag)
        append(
            author, [changes.deed(Action.DELETE, definition, definition.document(), {}) for definition in definitions]
        )
        definitions.delete()
        outbox.mark_tags(author.tenant.key, [tag.ordinal])
        outbox.mark_alarms(author.tenant.key, [tag.ordinal])
        changes.delete(author, tag)


def _fill(tag: Tag, draft: TagDraft) -> None:
    asset = Asset.objects.of(tag.tenant).filter(pk=draft.asset).first()
    if asset is None:
        raise Invalid({"asset": _NO_ASSET})
    if draft.connection is not None:
        connection = Connection.objects.of(tag.tenant).filter(pk=draft.connection).first()
        if connection is None:
            raise Invalid({"connection": _NO_CONNECTION})
        draft.address = check_address(connection.driver, draft.address)
    tag.take_draft(draft, asset)
    if Tag.objects.of(tag.tenant).filter(path=tag.path).exclude(pk=tag.pk).exists():
        raise Invalid({"name": _SAME_NAME.format(path=tag.path)})
