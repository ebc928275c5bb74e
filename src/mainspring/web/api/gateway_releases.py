"""What gateways on other machines run: versions, settings, rollouts in stages."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status

from mainspring.core.errors import LimitExceeded, NotFound
from mainspring.core.text import Text
from mainspring.gateway.settings import GatewaySection
from mainspring.records.audit import Author
from mainspring.records.draft import check
from mainspring.records.plant import gateway_release as records
from mainspring.records.plant import gateway_software
from mainspring.records.plant.gateway import Gateway
from mainspring.records.plant.gateway_release import GatewayRelease, ReleaseState, RolloutDraft
from mainspring.records.plant.gateway_software import WHEEL_BYTES_MAX, Room, Software
from mainspring.records.rights import Right
from mainspring.web.api.forms import Label, Listing, cut
from mainspring.web.configure import current
from mainspring.web.gateway_keys import GatewayKey
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["gateways"])

_TOO_LARGE: Final = Text("A wheel has at most {limit} MB.", "安装包最大 {limit} MB。")
_ABSENT: Final = Text("There is no such version here.", "没有该版本。")


class SoftwareOut(Schema):
    """One version of the program."""

    id: UUID
    program_version: str
    sha256: str
    size: int


class ReleaseOut(Schema):
    """One release on one gateway."""

    id: UUID
    gateway: UUID
    number: int
    rollout: UUID
    settings: dict[str, Any]
    software: UUID | None
    state: ReleaseState
    text: Label | None
    created_ms: int


class ReleaseList(Schema):
    """A part of the list of releases, newest first."""

    items: list[ReleaseOut]
    total: int


@router.get("/gateways/settings-schema", auth=Needs(Right.VIEW))
def gateway_settings_schema(request: HttpRequest) -> dict[str, Any]:
    """Describe the settings that a release may carry."""
    return GatewaySection.model_json_schema()


@router.get("/gateways/software", auth=Needs(Right.CONFIGURE), response=list[SoftwareOut])
def software(request: HttpRequest) -> list[dict[str, Any]]:
    """List the versions that were uploaded, newest first."""
    rows = gateway_software.here(actor_of(request).tenant).order_by("-created_ms")
    return [row.document() for row in rows[:200]]


@router.post("/gateways/software", auth=Needs(Right.ADMINISTER), response={201: SoftwareOut})
def upload_software(request: HttpRequest) -> Status[dict[str, Any]]:
    """Upload a wheel of the program as the body of the request; gateways that run it execute what is in it."""
    wheel = request.body
    if len(wheel) > WHEEL_BYTES_MAX:
        raise LimitExceeded(_TOO_LARGE, limit=WHEEL_BYTES_MAX // 2**20)
    return Status(201, gateway_software.add(actor_of(request).author, wheel, _room()).document())


@router.delete("/gateways/software/{sha256}", auth=Needs(Right.ADMINISTER), response={204: None})
def remove_software(request: HttpRequest, sha256: str) -> Status[None]:
    """Remove a version that no gateway runs, is to run or would go back to; for ten minutes it can be restored."""
    author = actor_of(request).author
    gateway_software.remove(author, sha256, runtime.releases(author.tenant.key))
    return Status(204, None)


@router.post("/gateways/software/{sha256}/restore", auth=Needs(Right.ADMINISTER), response=SoftwareOut)
def restore_software(request: HttpRequest, sha256: str) -> dict[str, Any]:
    """Undo the removal of a version."""
    return gateway_software.restore(actor_of(request).author, sha256, _room()).document()


@router.get("/gateways/software/{sha256}", auth=GatewayKey())
def download_software(request: HttpRequest, sha256: str) -> HttpResponse:
    """Give a gateway the wheel it is to run; the request is signed with the gateway's own key."""
    gateway: Gateway = request.auth  # type: ignore[attr-defined]
    known = Software.objects.of(gateway.tenant).filter(sha256=sha256).first()
    file = None if known is None else gateway_software.wheel_file(current().data_folder, gateway.tenant, known.sha256)
    if file is None or not file.exists():
        raise NotFound(_ABSENT)
    return HttpResponse(file.read_bytes(), content_type="application/zip")


def _room() -> Room:
    return Room(current().data_folder, current().software_versions_max, current().software_bytes_max)


@router.post("/gateways/releases", auth=Needs(Right.ADMINISTER), response={201: list[ReleaseOut]})
def roll_out(request: HttpRequest, draft: RolloutDraft) -> Status[list[dict[str, Any]]]:
    """Release settings or a version to gateways: to `first` of them at once, to the others when those do well."""
    check(GatewaySection, draft.settings, "settings")
    author: Author = actor_of(request).author
    return Status(201, [release.document() for release in records.roll_out(author, draft)])


@router.get("/gateways/releases", auth=Needs(Right.VIEW), response=ReleaseList)
def releases(request: HttpRequest, listing: Query[Listing], gateway: UUID | None = None) -> dict[str, Any]:
    """List releases, newest first."""
    rows = GatewayRelease.objects.of(actor_of(request).tenant).order_by("-created_ms", "gateway__name")
    if gateway is not None:
        rows = rows.filter(gateway=gateway)
    return {"items": [row.document() for row in cut(rows, listing)], "total": rows.count()}
