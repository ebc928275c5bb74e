"""Connections and the drivers they can use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import structlog
from django.db.models import Count
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import BaseModel

from mainspring.core.drivers import Browses, Subscribes, Writes, registered
from mainspring.records.faults import Invalid
from mainspring.records.plant import connection as records
from mainspring.records.plant.connection import Connection, ConnectionDraft
from mainspring.records.plant.driver_forms import driver
from mainspring.records.plant.tag import Tag
from mainspring.records.rights import Right
from mainspring.records.search_words import found
from mainspring.web.api.forms import Label, Listing, cut, if_match, patch_of, version_of, written
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

log = structlog.get_logger(__name__)
router = Router(tags=["connections"])
if TYPE_CHECKING:
    ConnectionPatch = BaseModel
else:
    ConnectionPatch = patch_of(ConnectionDraft)


class DriverOut(Schema):
    """A driver with the forms of its settings and addresses."""

    name: str
    title: Label
    config_schema: dict[str, Any]
    address_schema: dict[str, Any]
    subscribes: bool
    browses: bool
    writes: bool


class DriverList(Schema):
    """All drivers that load."""

    items: list[DriverOut]
    total: int


class RefusalOut(Schema):
    """What a connection did not take, in words, and how often."""

    text: Label
    count: int


class HealthOut(Schema):
    """How a connection is, as its gateway last said."""

    state: Literal["connected", "connecting", "lost", "rejected", "disabled", "unknown"]
    text: Label | None = None
    since_ms: int | None = None
    tags_bad: int = 0
    samples_per_s: float = 0.0
    requests_per_s: float = 0.0
    errors_per_min: float = 0.0
    round_trip_ms: float = 0.0
    last_sample_ms: int | None = None
    refused: list[RefusalOut] = []


class ConnectionOut(ConnectionDraft):
    """A connection; secret settings come back empty."""

    id: UUID
    version: int
    tag_count: int
    health: HealthOut


class ConnectionList(Schema):
    """A part of the list of connections."""

    items: list[ConnectionOut]
    total: int


def shown(connections: list[Connection]) -> list[dict[str, Any]]:
    """Return the documents of connections with tag counts and health; one query for all."""
    ids = [connection.id for connection in connections]
    counts = dict(Tag.objects.filter(connection__in=ids).values_list("connection").annotate(count=Count("id")))
    return [
        connection.document() | {"tag_count": counts.get(connection.id, 0), "health": _health(connection)}
        for connection in connections
    ]


def _health(connection: Connection) -> dict[str, Any]:
    reported = runtime.connection_health(connection.tenant.key, connection.gateway, connection.id)
    if reported is None:
        return {"state": "unknown" if connection.enabled else "disabled"}
    return reported.model_dump(mode="json")


@router.get("/drivers", auth=Needs(Right.VIEW), response=DriverList)
def drivers(request: HttpRequest) -> dict[str, Any]:
    """List the installed drivers with the forms of their settings and addresses."""
    items = []
    for name in sorted(registered()):
        try:
            kind = driver(name)
        except Invalid as error:
            log.warning("web.driver_does_not_load", driver=name, reason=next(iter(error.fields.values())).en)
            continue
        items.append(
            {
                "name": name,
                "title": kind.title.document(),
                "config_schema": kind.Config.model_json_schema(),
                "address_schema": kind.Address.model_json_schema(),
                "subscribes": issubclass(kind, Subscribes),
                "browses": issubclass(kind, Browses),
                "writes": issubclass(kind, Writes),
            }
        )
    return {"items": items, "total": len(items)}


@router.get("/connections", auth=Needs(Right.VIEW), response=ConnectionList)
def connections(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """List connections with their health."""
    rows = Connection.objects.of(actor_of(request).tenant).select_related("tenant")
    if listing.search.strip():
        rows = rows.filter(found(listing.search))
    return {"items": shown(cut(rows.order_by("name"), listing)), "total": rows.count()}


@router.get("/connections/{uuid:id}", auth=Needs(Right.VIEW), response=ConnectionOut)
def connection(request: HttpRequest, id: UUID) -> dict[str, Any]:
    """Show a connection."""
    return shown([records.find(actor_of(request).tenant, id)])[0]


@router.post("/connections", auth=Needs(Right.CONFIGURE), response={201: ConnectionOut})
def create_connection(request: HttpRequest, draft: ConnectionDraft) -> Status[dict[str, Any]]:
    """Add a connection; its gateway connects within two seconds."""
    return Status(201, shown([records.create(actor_of(request).author, draft)])[0])


@router.patch("/connections/{uuid:id}", auth=Needs(Right.CONFIGURE), response=ConnectionOut)
def modify_connection(request: HttpRequest, id: UUID, patch: ConnectionPatch) -> dict[str, Any]:
    """Change a connection; an empty secret leaves the stored one."""
    version = version_of(request, getattr(patch, "version", None))
    return shown([records.modify(actor_of(request).author, id, written(patch), version)])[0]


@router.delete("/connections/{uuid:id}", auth=Needs(Right.CONFIGURE), response={204: None})
def delete_connection(request: HttpRequest, id: UUID) -> Status[None]:
    """Delete a connection that no tag reads from."""
    records.delete(actor_of(request).author, id, if_match(request))
    return Status(204, None)
