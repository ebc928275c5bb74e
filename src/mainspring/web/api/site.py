"""GET /site: what the sign-in page must know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from ninja import Router, Schema

from mainspring.core.text import LANGUAGES
from mainspring.records.record import absent
from mainspring.records.tenant import Tenant, now_ms
from mainspring.web.api.forms import Label
from mainspring.web.configure import current

router = Router(tags=["site"])


class SiteOut(Schema):
    """The plant this server is for."""

    product_version: str
    tenant: str
    name: Label
    zone: str
    zone_offset_min: int
    demo: bool
    now_ms: int
    languages: list[str]


@router.get("/site", auth=None, response=SiteOut)
def site(request: HttpRequest) -> dict[str, Any]:
    """Tell product, plant and time; open to everyone."""
    tenant = Tenant.objects.filter(key=current().tenant).first()
    if tenant is None:
        raise absent("tenant", current().tenant)
    offset = datetime.now(UTC).astimezone(ZoneInfo(tenant.zone)).utcoffset()
    return {
        "product_version": current().product_version,
        "tenant": tenant.key,
        "name": tenant.name,
        "zone": tenant.zone,
        "zone_offset_min": int(offset.total_seconds() // 60) if offset else 0,
        "demo": current().demo,
        "now_ms": now_ms(),
        "languages": list(LANGUAGES),
    }
