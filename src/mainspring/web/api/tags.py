"""Tags, one by one and ten thousand at a time."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import BaseModel, Field

from mainspring.core.definitions import Condition, Priority
from mainspring.records.importing.tag_import import ROWS_MAX, import_tags
from mainspring.records.plant import tag as records
from mainspring.records.plant.alarm_definition import AlarmDefinition
from mainspring.records.plant.tag import Tag, TagDraft, TagFields
from mainspring.records.rights import Right
from mainspring.records.search_words import below, found
from mainspring.web.api.forms import (
    LIMIT_MAX,
    Label,
    Listing,
    cut,
    if_match,
    ordinals_of,
    patch_of,
    version_of,
    written,
)
from mainspring.web.security import Needs, actor_of

router = Router(tags=["tags"])
if TYPE_CHECKING:
    TagPatch = BaseModel
else:
    TagPatch = patch_of(TagDraft)


class AlarmOfTag(Schema):
    """An alarm definition as its tag shows it."""

    id: UUID
    condition: Condition
    limit: float
    priority: Priority
    name: Label


class TagOut(TagFields):
    """A tag; `tag` is its ordinal, by which histories and live values know it."""

    id: UUID
    tag: int
    path: str
    unit_sign: str
    version: int
    alarms: list[AlarmOfTag]


class TagList(Schema):
    """A part of a list of tags."""

    items: list[TagOut]
    total: int


class TagListing(Listing):
    """What the list of tags takes."""

    asset: UUID | None = None
    below: bool = False
    connection: UUID | None = None


class Bulk(Schema):
    """Rows to import; a row names its asset by id or path, its connection by id or name."""

    items: list[dict[str, Any]] = Field(max_length=ROWS_MAX)
    dry_run: bool = False


class Refused(Schema):
    """One fault of one row, counted from 0."""

    row: int
    text: Label
    field: str


class BulkOut(Schema):
    """What an import did, or would do."""

    created: int
    updated: int
    unchanged: int
    refused: list[Refused]


def with_alarms(tags: list[Tag]) -> list[dict[str, Any]]:
    """Return the documents of tags with their alarm definitions; one query for all."""
    alarms: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    fields = ("id", "tag_id", "condition", "limit", "priority", "name")
    for row in AlarmDefinition.objects.filter(tag__in=[tag.id for tag in tags]).order_by("condition").values(*fields):
        alarms[row["tag_id"]].append(row)
    return [tag.document() | {"alarms": alarms[tag.id]} for tag in tags]


def _selected(request: HttpRequest, listing: TagListing) -> QuerySet[Tag]:
    scope = actor_of(request).scope(Right.VIEW)
    rows = scope.tags()
    if listing.asset is not None:
        own = Q(asset=listing.asset)
        rows = rows.filter(below(scope.asset(listing.asset).path) if listing.below else own)
    if listing.connection is not None:
        rows = rows.filter(connection=listing.connection)
    return rows.filter(found(listing.search)) if listing.search.strip() else rows


@router.get("/tags", auth=Needs(Right.VIEW, somewhere=True), response=TagList)
def tags(request: HttpRequest, listing: Query[TagListing]) -> dict[str, Any]:
    """List the tags of an asset (`below`: and of all assets under it), of a connection, or by search."""
    rows = _selected(request, listing)
    return {"items": with_alarms(cut(rows.order_by("path"), listing)), "total": rows.count()}


@router.get("/tags/by-ordinal", auth=Needs(Right.VIEW, somewhere=True), response=TagList)
def tags_by_ordinal(request: HttpRequest, tags: str) -> dict[str, Any]:
    """Find tags by their ordinals; those that do not exist are left out."""
    wanted = ordinals_of(tags, "tags", LIMIT_MAX)
    rows = actor_of(request).scope(Right.VIEW).tags().filter(ordinal__in=wanted)
    items = with_alarms(list(rows.order_by("ordinal")))
    return {"items": items, "total": len(items)}


class Paths(Schema):
    """Paths of tags, as `site/area/line/machine/name`."""

    paths: list[Annotated[str, Field(max_length=500)]] = Field(max_length=LIMIT_MAX)


@router.post("/tags/by-path", auth=Needs(Right.VIEW, somewhere=True), response=TagList)
def tags_by_path(request: HttpRequest, body: Paths) -> dict[str, Any]:
    """Find tags by their exact paths; those that do not exist are left out."""
    rows = actor_of(request).scope(Right.VIEW).tags().filter(path__in=body.paths)
    items = with_alarms(list(rows.order_by("path")))
    return {"items": items, "total": len(items)}


@router.post("/tags/bulk", auth=Needs(Right.CONFIGURE), response=BulkOut)
def bulk(request: HttpRequest, body: Bulk) -> dict[str, Any]:
    """Import up to 10,000 tags: new ones are made, known ones (by id, or asset and name) changed.

    Good rows are stored even if others are refused; `dry_run` only tells what would happen.
    """
    outcome = import_tags(actor_of(request).author, body.items, dry_run=body.dry_run)
    refused = [{"row": fault.row, "text": fault.text.document(), "field": fault.field} for fault in outcome.refused]
    counts = {"created": outcome.created, "updated": outcome.updated, "unchanged": outcome.unchanged}
    return counts | {"refused": refused}


@router.get("/tags/{uuid:id}", auth=Needs(Right.VIEW, somewhere=True), response=TagOut)
def tag(request: HttpRequest, id: UUID) -> dict[str, Any]:
    """Show a tag."""
    return with_alarms([actor_of(request).scope(Right.VIEW).tag(id)])[0]


@router.post("/tags", auth=Needs(Right.CONFIGURE), response={201: TagOut})
def create_tag(request: HttpRequest, draft: TagDraft) -> Status[dict[str, Any]]:
    """Add a tag; it gets an ordinal that was never used."""
    return Status(201, with_alarms([records.create(actor_of(request).author, draft)])[0])


@router.patch("/tags/{uuid:id}", auth=Needs(Right.CONFIGURE), response=TagOut)
def modify_tag(request: HttpRequest, id: UUID, patch: TagPatch) -> dict[str, Any]:
    """Change a tag."""
    version = version_of(request, getattr(patch, "version", None))
    return with_alarms([records.modify(actor_of(request).author, id, written(patch), version)])[0]


@router.delete("/tags/{uuid:id}", auth=Needs(Right.CONFIGURE), response={204: None})
def delete_tag(request: HttpRequest, id: UUID) -> Status[None]:
    """Delete a tag with its alarm definitions; its history stays."""
    records.delete(actor_of(request).author, id, if_match(request))
    return Status(204, None)
