"""Alarm definitions: limits, staleness, rates and states of tags, expressions over several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import BaseModel

from mainspring.records.plant import alarm_definition as records
from mainspring.records.plant.alarm_definition import AlarmDraft
from mainspring.records.rights import Right
from mainspring.records.search_words import found
from mainspring.web.api.forms import Label, Listing, cut, if_match, patch_of, version_of, written
from mainspring.web.security import Needs, actor_of

router = Router(tags=["alarm definitions"])
if TYPE_CHECKING:
    AlarmPatch = BaseModel
else:
    AlarmPatch = patch_of(AlarmDraft)


class ExpressionTag(Schema):
    """A tag an expression names."""

    name: str
    tag_id: UUID
    tag: int
    path: str


class AlarmDefinitionOut(AlarmDraft):
    """An alarm definition; `tag` is the ordinal, `tag_id` the id of its tag."""

    id: UUID
    tag: int
    name: Label  # type: ignore[assignment]
    version: int
    inputs: list[ExpressionTag]


class AlarmDefinitionList(Schema):
    """A part of the list of alarm definitions."""

    items: list[AlarmDefinitionOut]
    total: int


class AlarmListing(Listing):
    """What the list of alarm definitions takes."""

    tag: UUID | None = None
    asset: UUID | None = None


@router.get("/alarm-definitions", auth=Needs(Right.VIEW, somewhere=True), response=AlarmDefinitionList)
def alarm_definitions(request: HttpRequest, listing: Query[AlarmListing]) -> dict[str, Any]:
    """List alarm definitions, all or those of one tag or of an asset's own tags."""
    scope = actor_of(request).scope(Right.VIEW)
    rows = scope.alarms().select_related("tag").prefetch_related("inputs__tag")
    if listing.tag is not None:
        rows = rows.filter(tag=listing.tag)
    if listing.asset is not None:
        rows = rows.filter(tag__asset=listing.asset)
    if listing.search.strip():
        rows = rows.filter(found(listing.search))
    items = [row.document() for row in cut(rows.order_by("search", "condition"), listing)]
    return {"items": items, "total": rows.count()}


@router.get("/alarm-definitions/{uuid:id}", auth=Needs(Right.VIEW, somewhere=True), response=AlarmDefinitionOut)
def alarm_definition(request: HttpRequest, id: UUID) -> dict[str, Any]:
    """Show an alarm definition."""
    actor = actor_of(request)
    actor.scope(Right.VIEW).require_alarms([id])
    return records.find(actor.tenant, id).document()


@router.post("/alarm-definitions", auth=Needs(Right.CONFIGURE), response={201: AlarmDefinitionOut})
def create_alarm_definition(request: HttpRequest, draft: AlarmDraft) -> Status[dict[str, Any]]:
    """Add an alarm definition; the engine watches it within two seconds."""
    return Status(201, records.create(actor_of(request).author, draft).document())


@router.patch("/alarm-definitions/{uuid:id}", auth=Needs(Right.CONFIGURE), response=AlarmDefinitionOut)
def modify_alarm_definition(request: HttpRequest, id: UUID, patch: AlarmPatch) -> dict[str, Any]:
    """Change an alarm definition."""
    version = version_of(request, getattr(patch, "version", None))
    return records.modify(actor_of(request).author, id, written(patch), version).document()


@router.delete("/alarm-definitions/{uuid:id}", auth=Needs(Right.CONFIGURE), response={204: None})
def delete_alarm_definition(request: HttpRequest, id: UUID) -> Status[None]:
    """Delete an alarm definition; an alarm it has raised is removed with it."""
    records.delete(actor_of(request).author, id, if_match(request))
    return Status(204, None)
