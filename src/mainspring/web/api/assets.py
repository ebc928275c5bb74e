"""The plant tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import BaseModel

from mainspring.core.text import Text
from mainspring.records.access.scope import Scope
from mainspring.records.faults import Invalid
from mainspring.records.plant import asset as records
from mainspring.records.plant.asset import Asset, AssetDraft, AssetKind
from mainspring.records.plant.tag import Tag
from mainspring.records.rights import Right
from mainspring.records.search_words import found
from mainspring.records.tenant import Tenant
from mainspring.web.api.forms import Label, Listing, cut, if_match, patch_of, version_of, written
from mainspring.web.security import Needs, actor_of

router = Router(tags=["assets"])
CHILDREN_MAX: Final = 200
_PARENT: Final = Text('This must be an id or "root".', '须为标识或 "root"。')
if TYPE_CHECKING:
    AssetPatch = BaseModel
else:
    AssetPatch = patch_of(AssetDraft)


class Ancestor(Schema):
    """A step of the way from the root."""

    id: UUID
    name: Label
    kind: AssetKind


class AssetOut(Schema):
    """An asset in a list."""

    id: UUID
    parent: UUID | None
    kind: AssetKind
    name: Label
    slug: str
    path: str
    child_count: int
    tag_count: int
    version: int


class FoundAsset(AssetOut):
    """An asset in a list; searches also tell the way to it."""

    ancestors: list[Ancestor] | None = None


class AssetDetail(AssetOut):
    """An asset with its surroundings."""

    description: Label
    suppress_when: str
    suppress_reason: Label | None
    shifts: list[str]
    owner: str
    operator: str
    ancestors: list[Ancestor]
    children: list[AssetOut]


class AssetList(Schema):
    """A part of a list of assets."""

    items: list[FoundAsset]
    total: int


class AssetListing(Listing):
    """What the list of assets takes."""

    parent: str = ""


def counted(assets: list[Asset]) -> list[dict[str, Any]]:
    """Return the documents of assets with the counts of their direct children and tags: two queries for all."""
    ids = [asset.id for asset in assets]
    children = dict(Asset.objects.filter(parent__in=ids).values_list("parent").annotate(count=Count("id")))
    tags = dict(Tag.objects.filter(asset__in=ids).values_list("asset").annotate(count=Count("id")))
    return [
        asset.document() | {"child_count": children.get(asset.id, 0), "tag_count": tags.get(asset.id, 0)}
        for asset in assets
    ]


def ancestors_by_path(tenant: Tenant, assets: list[Asset]) -> dict[str, list[dict[str, Any]]]:
    """Return the way from the root to each asset, by its path; one query for all."""
    prefixes = {asset.path: _prefixes(asset.path) for asset in assets}
    wanted = {prefix for way in prefixes.values() for prefix in way}
    rows = Asset.objects.of(tenant).filter(path__in=wanted).only("id", "name", "asset_kind", "path")
    known = {row.path: {"id": row.id, "name": row.name, "kind": row.asset_kind} for row in rows}
    return {path: [known[prefix] for prefix in way if prefix in known] for path, way in prefixes.items()}


def _prefixes(path: str) -> list[str]:
    steps = path.split("/")
    return ["/".join(steps[:length]) for length in range(1, len(steps))]


def _selected(scope: Scope, listing: AssetListing) -> QuerySet[Asset]:
    rows = scope.assets()
    if listing.search.strip():
        return rows.filter(found(listing.search)).order_by("search")
    if listing.parent == "root":
        return scope.roots().order_by("path")
    if not listing.parent:
        return rows.order_by("path")
    try:
        return rows.filter(parent=UUID(listing.parent)).order_by("path")
    except ValueError as error:
        raise Invalid({"parent": _PARENT}) from error


@router.get("/assets", auth=Needs(Right.VIEW, somewhere=True), response=AssetList)
def assets(request: HttpRequest, listing: Query[AssetListing]) -> dict[str, Any]:
    """List the children of an asset, or search the whole tree (a search ignores `parent`).

    Whoever sees parts of the plant alone has these for roots.
    """
    actor = actor_of(request)
    tenant, scope = actor.tenant, actor.scope(Right.VIEW)
    rows = _selected(scope, listing)
    shown = cut(rows, listing)
    items = counted(shown)
    if listing.search.strip():
        ways = ancestors_by_path(tenant, shown)
        items = [item | {"ancestors": ways[item["path"]]} for item in items]
    return {"items": items, "total": rows.order_by().count()}


@router.get("/assets/{uuid:id}", auth=Needs(Right.VIEW, somewhere=True), response=AssetDetail)
def asset(request: HttpRequest, id: UUID) -> dict[str, Any]:
    """Show an asset with its ancestors and its first 200 children."""
    scope = actor_of(request).scope(Right.VIEW)
    return _detail(scope.asset(id), scope)


@router.post("/assets", auth=Needs(Right.CONFIGURE), response={201: AssetDetail})
def create_asset(request: HttpRequest, draft: AssetDraft) -> Status[dict[str, Any]]:
    """Add an asset."""
    actor = actor_of(request)
    return Status(201, _detail(records.create(actor.author, draft), Scope(actor.tenant)))


@router.patch("/assets/{uuid:id}", auth=Needs(Right.CONFIGURE), response=AssetDetail)
def modify_asset(request: HttpRequest, id: UUID, patch: AssetPatch) -> dict[str, Any]:
    """Change an asset; a new parent or short name moves everything below it."""
    version = version_of(request, getattr(patch, "version", None))
    actor = actor_of(request)
    return _detail(records.modify(actor.author, id, written(patch), version), Scope(actor.tenant))


@router.delete("/assets/{uuid:id}", auth=Needs(Right.CONFIGURE), response={204: None})
def delete_asset(request: HttpRequest, id: UUID) -> Status[None]:
    """Delete an asset that has nothing below it."""
    records.delete(actor_of(request).author, id, if_match(request))
    return Status(204, None)


def _detail(asset: Asset, scope: Scope) -> dict[str, Any]:
    children = list(scope.assets().filter(parent=asset).order_by("path")[:CHILDREN_MAX])
    own, *below = counted([asset, *children])
    return own | {"ancestors": ancestors_by_path(asset.tenant, [asset])[asset.path], "children": below}
