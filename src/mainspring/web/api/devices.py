"""Devices that sign in to the listeners of gateways."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import BaseModel, Field

from mainspring.records.draft import check
from mainspring.records.importing.formulas import neutral
from mainspring.records.plant import device as records
from mainspring.records.plant.device import BULK_MAX, NAME_MAX, Device, DeviceDraft, DeviceFields
from mainspring.records.rights import Right
from mainspring.web.api.forms import Listing, cut, patch_of, version_of, written
from mainspring.web.security import Needs, actor_of

router = Router(tags=["devices"])
if TYPE_CHECKING:
    DevicePatch = BaseModel
else:
    DevicePatch = patch_of(DeviceFields)


class DeviceOut(Schema):
    """A device without its secret; `password` tells whether it has one, `last_seen_ms` is right to a minute."""

    id: UUID
    name: str
    gateway: str
    publish: list[str]
    subscribe: list[str]
    certificate: str
    password: bool
    issued_ms: int
    expires_ms: int | None
    last_seen_ms: int | None
    version: int


class IssuedOut(DeviceOut):
    """A device whose password was just made; `secret` is shown this once."""

    secret: str


class DeviceList(Schema):
    """A part of the list of devices."""

    items: list[DeviceOut]
    total: int


class DeviceBulk(DeviceFields):
    """Many devices with the same rights; `{name}` in a topic filter stands for each one's own name."""

    names: list[str] = Field(
        min_length=1, max_length=BULK_MAX,
        json_schema_extra={"items": {"type": "string", "minLength": 1, "maxLength": NAME_MAX}},
    )  # fmt: skip


class IssuedName(Schema):
    """A new device of many; `secret` is shown this once."""

    id: UUID
    name: str
    secret: str


class BulkIssued(Schema):
    """The new devices, in the order of their names as sent."""

    items: list[IssuedName]


@router.get("/devices", auth=Needs(Right.CONFIGURE), response=DeviceList)
def devices(request: HttpRequest, listing: Query[Listing], gateway: str = "") -> dict[str, Any]:
    """List devices, those of one gateway if it is named; revoked ones are no longer here."""
    rows = Device.objects.of(actor_of(request).tenant).select_related("credential")
    if listing.search.strip():
        rows = rows.filter(name__icontains=listing.search.strip())
    if gateway:
        rows = rows.filter(gateway=gateway)
    return {"items": [row.document() for row in cut(rows.order_by("name"), listing)], "total": rows.count()}


@router.get("/devices/{uuid:id}", auth=Needs(Right.CONFIGURE), response=DeviceOut)
def device(request: HttpRequest, id: UUID) -> dict[str, Any]:
    """Show a device."""
    return records.find(actor_of(request).tenant, id).document()


@router.post("/devices", auth=Needs(Right.CONFIGURE), response={201: IssuedOut})
def create_device(request: HttpRequest, draft: DeviceDraft) -> Status[dict[str, Any]]:
    """Add a device; the password it signs in with is shown this once as `secret`."""
    made, secret = records.issue(actor_of(request).author, [draft])[0]
    return Status(201, made.document() | {"secret": secret})


@router.post("/devices/bulk", auth=Needs(Right.CONFIGURE), response={201: BulkIssued})
def create_devices(request: HttpRequest, bulk: DeviceBulk, format: Literal["json", "csv"] = "json") -> Any:
    """Add up to 5,000 devices, all or none; `format=csv` answers as a file. The passwords are shown this once."""
    shared = bulk.model_dump(exclude={"names"})
    drafts = [check(DeviceDraft, shared | {"name": name}, f"names.{row}") for row, name in enumerate(bulk.names)]
    made = records.issue(actor_of(request).author, drafts)
    if format == "csv":
        return _as_csv(made)
    return Status(201, {"items": [{"id": row.id, "name": row.name, "secret": secret} for row, secret in made]})


@router.patch("/devices/{uuid:id}", auth=Needs(Right.CONFIGURE), response=DeviceOut)
def modify_device(request: HttpRequest, id: UUID, patch: DevicePatch) -> dict[str, Any]:
    """Change gateway, topics, certificate or end of a device; name and password stay."""
    version = version_of(request, getattr(patch, "version", None))
    return records.modify(actor_of(request).author, id, written(patch), version).document()


@router.post("/devices/{uuid:id}/rotate", auth=Needs(Right.CONFIGURE), response=IssuedOut)
def rotate_device(request: HttpRequest, id: UUID) -> dict[str, Any]:
    """Give a device a new password, shown this once; the old one ends within seconds."""
    changed, secret = records.rotate(actor_of(request).author, id)
    return changed.document() | {"secret": secret}


@router.delete("/devices/{uuid:id}", auth=Needs(Right.CONFIGURE), response={204: None})
def revoke_device(request: HttpRequest, id: UUID) -> Status[None]:
    """Revoke a device for good: its gateway ends the connection within seconds."""
    records.revoke(actor_of(request).author, id)
    return Status(204, None)


def _as_csv(made: list[tuple[Device, str]]) -> HttpResponse:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["name", "password", "gateway", "publish", "subscribe", "id"])
    for row, secret in made:
        topics = map(neutral, ("; ".join(row.publish), "; ".join(row.subscribe)))
        rows.writerow([neutral(row.name), secret, row.gateway, *topics, row.id])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8", status=201)
    response.headers["Content-Disposition"] = 'attachment; filename="devices.csv"'
    return response
