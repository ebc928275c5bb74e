"""Gateways: announced, enrolled, revoked; which there are and whether they are alive."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from mainspring.bus.credentials import user_name
from mainspring.core.health import GatewayConnections, ReleaseReport
from mainspring.records.in_force import for_platform
from mainspring.records.plant import gateway as records
from mainspring.records.plant.connection import GATEWAY_DEFAULT, Connection
from mainspring.records.plant.gateway import GatewayDraft, GatewayState
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web.api.forms import Label
from mainspring.web.configure import current
from mainspring.web.runtime import REPORT_AGE_MAX_MS, runtime
from mainspring.web.security import Needs, actor_of, address_of

router = Router(tags=["gateways"])


class GatewayOut(Schema):
    """A gateway; `id` is empty for a name that connections or reports carry and nobody announced."""

    id: UUID | None
    name: str
    tenant: str
    local: bool
    state: GatewayState | None
    token_expires_ms: int | None
    alive: bool
    listener: str = Field(description="where devices reach its MQTT listener; empty: it has none now")
    release: ReleaseReport | None = Field(description="what one on another machine runs, as it says")
    degraded: Label | None = Field(description="why it does not do all of its work")
    version: int | None


class AnnouncedOut(Schema):
    """A gateway that may enrol; `token` is shown this once."""

    id: UUID
    name: str
    token: str
    token_expires_ms: int


class Enrolment(Schema):
    """The token, and the public half of the key pair the gateway made itself (an nkey of a user, `U...`)."""

    token: str = Field(max_length=200)
    public_key: str = Field(max_length=64)


class EnrolledOut(Schema):
    """Who the gateway is, and where and how it reaches the bus."""

    tenant: str
    name: str
    user: str = Field(description="the name it connects under, which is also that of its inbox")
    bus_url: str
    bus_ca: str = Field(description="PEM of the authority to trust; empty: the system's")


@router.get("/gateways", auth=Needs(Right.VIEW), response=list[GatewayOut])
async def gateways(request: HttpRequest) -> list[dict[str, Any]]:
    """List the gateways that are announced, that connections name or that report."""
    return await sync_to_async(_listed)(actor_of(request).tenant)


@router.post("/gateways", auth=Needs(Right.ADMINISTER), response={201: AnnouncedOut})
def announce_gateway(request: HttpRequest, draft: GatewayDraft) -> Status[dict[str, Any]]:
    """Announce a gateway on another machine; the token it enrols with is shown this once."""
    return Status(201, _announced(*records.announce(actor_of(request).author, draft)))


@router.post("/gateways/{uuid:id}/token", auth=Needs(Right.ADMINISTER), response=AnnouncedOut)
def announce_gateway_again(request: HttpRequest, id: UUID) -> dict[str, Any]:
    """Give a gateway a new token, shown this once; the key or token it had ends within seconds."""
    return _announced(*records.announce_again(actor_of(request).author, id))


@router.delete("/gateways/{uuid:id}", auth=Needs(Right.ADMINISTER), response={204: None})
def revoke_gateway(request: HttpRequest, id: UUID) -> Status[None]:
    """Revoke a gateway: its connection to the bus ends within seconds; its entry stays."""
    records.revoke(actor_of(request).author, id)
    return Status(204, None)


@router.post("/gateways/enrolment", auth=None, response=EnrolledOut)
def enrol_gateway(request: HttpRequest, body: Enrolment) -> dict[str, Any]:
    """Enrol with the token of a gateway, which thereby ends; the answer says where the bus is."""
    with for_platform():
        gateway = records.enrol(body.token, body.public_key, address_of(request))
    authority = current().bus_ca
    return {
        "tenant": gateway.tenant.key,
        "name": gateway.name,
        "user": user_name("gateway", gateway.name, gateway.tenant.key),
        "bus_url": current().bus_url,
        "bus_ca": Path(authority).read_text(encoding="ascii") if authority else "",
    }


def _announced(gateway: records.Gateway, token: str) -> dict[str, Any]:
    expires = gateway.credential.expires_ms
    return {"id": gateway.id, "name": gateway.name, "token": token, "token_expires_ms": expires}


def _report(tenant: str, name: str) -> GatewayConnections:
    return runtime.gateways[tenant, name]


def _listed(tenant: Tenant) -> list[dict[str, Any]]:
    now_ms = time.time_ns() // 1_000_000
    known = {row.name: row.document() for row in records.published(tenant)}
    named = set(Connection.objects.of(tenant).values_list("gateway", flat=True).distinct())
    alive = {
        name
        for (key, name), report in runtime.gateways.items()
        if key == tenant.key and now_ms - report.time_ms < REPORT_AGE_MAX_MS
    }
    nobody = {"id": None, "local": False, "state": None, "token_expires_ms": None, "version": None}
    return [
        {
            **nobody,
            **known.get(name, {}),
            "name": name,
            "tenant": tenant.key,
            "alive": name in alive,
            "listener": _report(tenant.key, name).listener if name in alive else "",
            "release": _report(tenant.key, name).release if name in alive else None,
            "degraded": report.text if name in alive and (report := runtime.gateway_health(tenant.key, name)) else None,
        }
        for name in sorted(known.keys() | named | alive | {GATEWAY_DEFAULT})
    ]
