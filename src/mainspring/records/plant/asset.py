"""Assets: everything in the plant that has a place, in one tree."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from pydantic import Field

from mainspring.core.definitions import Words
from mainspring.core.errors import Conflict
from mainspring.core.text import Text
from mainspring.records import changes, outbox
from mainspring.records.audit import Author
from mainspring.records.draft import Description, Draft, Name, merged
from mainspring.records.faults import Invalid
from mainspring.records.plant import suppression
from mainspring.records.record import Record, absent, require_version
from mainspring.records.search_words import below, initials, moved, searchable
from mainspring.records.tenant import Tenant, no_words

if TYPE_CHECKING:
    from mainspring.records.plant.tag import Tag

PATH_LENGTH_MAX: Final = 280
_SAME_PATH: Final = Text(
    "There is already an asset {path}. Choose another short name.", "已有资产 {path}，请换一个短名称。"
)
_OWN_PARENT: Final = Text("An asset cannot lie below itself.", "资产不能位于其自身之下。")
_TOO_DEEP: Final = Text(
    "The path {path} is longer than {limit} characters. Shorten the names above it.",
    "路径 {path} 超过 {limit} 个字符，请缩短上级名称。",
)
_NO_PARENT: Final = Text("There is no such asset to put it under.", "没有可作为上级的该资产。")
_NO_SITE: Final = Text("Shifts belong to a site.", "班次只能填写在厂区。")
_NO_COMPANY: Final = Text(
    "You deal with no company {key!r} here. It must lie above or below yours, or share a grant with it.",
    "此处没有与您有往来的企业“{key}”，须为您的上级或下级企业，或与您有数据授权。",
)
SHIFTS_MAX: Final = 12
_NOT_EMPTY: Final = Text(
    "{name} still has {assets} assets and {tags} tags below it. Move or delete them first.",
    "{name} 之下还有 {assets} 个资产和 {tags} 个测点，请先移走或删除。",
)


class AssetKind(StrEnum):
    """What an asset is (ISA-95, with meters and storage)."""

    ENTERPRISE = "enterprise"
    SITE = "site"
    AREA = "area"
    LINE = "line"
    UNIT = "unit"
    METER = "meter"
    STORAGE = "storage"


class AssetDraft(Draft):
    """What can be written of an asset; `slug` is its short name in paths, made from the name if left out."""

    parent: UUID | None = None
    kind: AssetKind
    name: Name
    slug: str = Field(default="", max_length=60, pattern=r"^[a-z0-9._-]*$")
    description: Description = Words(en="")
    suppress_when: str = Field(default="", max_length=500, description="suppresses all alarms below while it holds")
    suppress_reason: Description | None = None
    shifts: list[Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]] = Field(
        default_factory=list, max_length=SHIFTS_MAX, description="of a site: when shifts start, on the plant's clock"
    )
    owner: str = Field(default="", max_length=32, description="another company that owns it, by its key; empty: yours")
    operator: str = Field(default="", max_length=32, description="another company that operates it; empty: yours")


class Asset(Record):
    """One thing in the tree; owner and operator may be different companies."""

    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    asset_kind = models.CharField(max_length=16)
    name: models.JSONField[Any, Any] = models.JSONField(default=no_words)
    description: models.JSONField[Any, Any] = models.JSONField(default=no_words)
    slug = models.CharField(max_length=60)
    path = models.CharField(max_length=PATH_LENGTH_MAX)
    search = models.TextField()
    suppress_when = models.CharField(max_length=500, default="", blank=True)
    suppress_reason: models.JSONField[Any, Any] = models.JSONField(null=True)
    shifts: models.JSONField[Any, Any] = models.JSONField(default=list)
    owner = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    operator = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")

    kind = "asset"

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "path"], name="asset_path"),
            models.CheckConstraint(condition=Q(asset_kind__in=[str(kind) for kind in AssetKind]), name="asset_kind"),
            models.CheckConstraint(condition=~Q(parent=models.F("id")), name="asset_not_own_parent"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "parent", "path"], name="asset_children"),
            models.Index(fields=["tenant", "search"], name="asset_search"),
        ]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows."""
        return {
            "id": self.id,
            "parent": self.parent_id,
            "kind": self.asset_kind,
            "name": self.name,
            "slug": self.slug,
            "path": self.path,
            "description": self.description,
            "suppress_when": self.suppress_when,
            "suppress_reason": self.suppress_reason,
            "shifts": self.shifts,
            "owner": self._company("owner"),
            "operator": self._company("operator"),
            "version": self.version,
        }

    def _company(self, name: str) -> str:
        """Return the key of another company that is owner or operator."""
        return "" if getattr(self, f"{name}_id") == self.tenant_id else str(getattr(self, name).key)

    def label(self) -> str:
        """Return the path."""
        return self.path

    def place(self) -> None:
        """Work out path and search text from parent and names."""
        self.path = f"{self.parent.path}/{self.slug}" if self.parent else self.slug
        if len(self.path) > PATH_LENGTH_MAX:
            raise Invalid({"slug": _TOO_DEEP.format(path=self.path, limit=PATH_LENGTH_MAX)})
        self.search = searchable(self.path, self.name)


def slug_of(name: dict[str, str]) -> str:
    """Make the short name: from the English name, or from the pinyin initials of the Chinese one."""
    for source in (name.get("en", ""), initials(name.get("zh", ""))):
        slug = re.sub(r"[^a-z0-9._]+", "-", source.lower()).strip("-.")[:60]
        if slug:
            return slug
    return "asset"


def find(tenant: Tenant, id: UUID) -> Asset:
    """Return an asset of the tenant; raises NotFound."""
    asset = Asset.objects.of(tenant).filter(pk=id).first()
    if asset is None:
        raise absent("asset", id)
    return asset


def create(author: Author, draft: AssetDraft) -> Asset:
    """Store a new asset."""
    with transaction.atomic():
        asset = Asset(tenant=author.tenant, owner=author.tenant, operator=author.tenant)
        suppressing = _fill(asset, draft)
        _refuse_same_path(asset)
        changes.create(author, asset)
        suppression.keep(asset, suppressing)
    return asset


def modify(author: Author, id: UUID, patch: dict[str, Any], version: int | None) -> Asset:
    """Change an asset; a new place or short name moves everything below it."""
    with transaction.atomic():
        asset = Asset.objects.of(author.tenant).select_for_update(of=("self",)).filter(pk=id).first()
        if asset is None:
            raise absent("asset", id)
        require_version(asset, version)
        before, old_path = asset.document(), asset.path
        suppressing = _fill(asset, merged(AssetDraft, before, patch))
        if asset.parent and f"{asset.parent.path}/".startswith(f"{old_path}/"):
            raise Invalid({"parent": _OWN_PARENT})
        _refuse_same_path(asset)
        changes.change(author, asset, before)
        suppression.keep(asset, suppressing)
        if asset.path != old_path:
            _move(asset, old_path)
        if any(before[name] != getattr(asset, name) for name in ("suppress_when", "suppress_reason")):
            suppression.mark_below(author.tenant, asset.path)
    return asset


def delete(author: Author, id: UUID, version: int | None) -> None:
    """Remove an asset that has nothing below it."""
    from mainspring.records.plant.tag import Tag

    with transaction.atomic():
        asset = find(author.tenant, id)
        require_version(asset, version)
        assets, tags = Asset.objects.filter(parent=asset).count(), Tag.objects.filter(asset=asset).count()
        if assets or tags:
            raise Conflict(_NOT_EMPTY, name=asset.path, assets=assets, tags=tags)
        changes.delete(author, asset)


def _fill(asset: Asset, draft: AssetDraft) -> dict[str, Tag]:
    """Write a draft into a record; return the tags of its suppression by the names they have there."""
    asset.parent = None
    if draft.parent is not None:
        asset.parent = Asset.objects.of(asset.tenant).filter(pk=draft.parent).first()
        if asset.parent is None:
            raise Invalid({"parent": _NO_PARENT})
    asset.asset_kind = str(draft.kind)
    asset.name, asset.description = draft.name.model_dump(), draft.description.model_dump()
    asset.slug = draft.slug or slug_of(asset.name)
    asset.place()
    if draft.shifts and draft.kind is not AssetKind.SITE:
        raise Invalid({"shifts": _NO_SITE})
    asset.shifts = sorted(set(draft.shifts))
    asset.owner, asset.operator = _company(asset, "owner", draft.owner), _company(asset, "operator", draft.operator)
    found = suppression.checked(asset, draft.suppress_when, draft.suppress_reason, asset.pk)
    asset.suppress_when = draft.suppress_when
    asset.suppress_reason = draft.suppress_reason.model_dump() if draft.suppress_reason else None
    return found


def _company(asset: Asset, field: str, key: str) -> Tenant:
    if not key:
        return asset.tenant
    from mainspring.records.access.companies import dealt_with

    found = dealt_with(asset.tenant, key)
    if found is None:
        raise Invalid({field: _NO_COMPANY.format(key=key)})
    return found


def _refuse_same_path(asset: Asset) -> None:
    if Asset.objects.of(asset.tenant).filter(path=asset.path).exclude(pk=asset.pk).exists():
        raise Invalid({"slug": _SAME_PATH.format(path=asset.path)})


def _move(asset: Asset, old_path: str) -> None:
    """Give everything below an asset its new path; four statements, however much there is."""
    from mainspring.records.plant.tag import Tag

    under = Asset.objects.of(asset.tenant).filter(below(old_path))
    longest = under.annotate(length=models.functions.Length("path")).aggregate(most=models.Max("length"))["most"] or 0
    if longest - len(old_path) + len(asset.path) > PATH_LENGTH_MAX:
        raise Invalid({"slug": _TOO_DEEP.format(path=asset.path, limit=PATH_LENGTH_MAX)})
    tags = Tag.objects.of(asset.tenant).filter(below(old_path))
    outbox.mark_tags(asset.tenant.key, tags.values_list("ordinal", flat=True))
    suppression.mark_moved(asset.tenant, tags.values_list("ordinal", flat=True))
    for records in (under, tags):
        records.update(
            path=moved("path", old_path, asset.path), search=moved("search", old_path.lower(), asset.path.lower())
        )
