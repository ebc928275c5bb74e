"""GET /site: what the sign-in page must know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.middleware.csrf import get_token
from ninja import Router, Schema
from pydantic import Field

from mainspring.core.text import LANGUAGES
from mainspring.records.plant.asset import Asset, AssetKind
from mainspring.records.record import absent
from mainspring.records.tenant import Tenant, now_ms
from mainspring.web.api.forms import Label
from mainspring.web.configure import current

router = Router(tags=["site"])


class Shifts(Schema):
    """When the shifts of a site begin, on the plant's clock."""

    path: str
    starts: list[str]


class SiteOut(Schema):
    """The plant this server is for."""

    product_version: str
    tenant: str
    name: Label
    zone: str
    zone_offset_min: int
    demo: bool
    several: bool = Field(description="several companies are here, and sign-in needs to know which")
    now_ms: int
    languages: list[str]
    shelf_hours_max: int
    registration: bool = Field(description="companies may ask for an account by themselves")
    signed_in: bool = Field(description="a person is; else this answer sets the CSRF cookie that signing in needs")
    shifts: list[Shifts] = Field(description="of the sites that have a calendar; told to those signed in")


@router.get("/site", auth=None, response=SiteOut)
def site(request: HttpRequest) -> dict[str, Any]:
    """Tell product, plant and time, to those signed in of their own company; open to everyone."""
    actor = request.actor  # type: ignore[attr-defined]
    tenant = Tenant.objects.filter(key=current().tenant).first() if actor is None else actor.tenant
    if tenant is None:
        raise absent("tenant", current().tenant)
    if actor is None:
        get_token(request)
    offset = datetime.now(UTC).astimezone(ZoneInfo(tenant.zone)).utcoffset()
    return {
        "product_version": current().product_version,
        "tenant": tenant.key,
        "name": tenant.name,
        "zone": tenant.zone,
        "zone_offset_min": int(offset.total_seconds() // 60) if offset else 0,
        "demo": current().demo and tenant.key == current().tenant,
        "several": Tenant.objects.count() > 1,
        "now_ms": now_ms(),
        "languages": list(LANGUAGES),
        "shelf_hours_max": current().shelf_hours_max,
        "registration": current().registration,
        "signed_in": actor is not None and actor.user is not None,
        "shifts": [] if actor is None else _shifts(tenant),
    }


def _shifts(tenant: Tenant) -> list[dict[str, Any]]:
    sites = Asset.objects.of(tenant).filter(asset_kind=AssetKind.SITE).exclude(shifts=[]).order_by("path")
    return [{"path": site.path, "starts": site.shifts} for site in sites]
