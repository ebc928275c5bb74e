"""The overview: is the plant all right, and what first."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router

from mainspring.core import quality, subjects
from mainspring.core.definitions import Priority
from mainspring.core.errors import MainspringError
from mainspring.core.history import EventQuery
from mainspring.records.asset import Asset, AssetKind
from mainspring.records.connection import Connection
from mainspring.records.rights import Right
from mainspring.records.search_words import below
from mainspring.records.tag import Tag
from mainspring.records.tenant import Tenant
from mainspring.web import alarm_rows
from mainspring.web.api.alarms import active, worst_by_asset
from mainspring.web.api.health import summary
from mainspring.web.live import ask_current
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["overview"])

AREAS_MAX: Final = 200
HOUR_MS: Final = 3_600_000
_ORDER: Final = [str(priority) for priority in Priority]


@router.get("/overview", auth=Needs(Right.VIEW))
async def overview(request: HttpRequest) -> dict[str, Any]:
    """Return areas, the worst first, sources, alarm rates and the state of the platform."""
    tenant = actor_of(request).tenant
    try:
        rows = await sync_to_async(alarm_rows.of_active)(tenant.key, await active(tenant.key))
    except MainspringError:
        rows = []
    areas, of_area = await sync_to_async(_areas)(tenant)
    bad = await _bad_counts(tenant.key, of_area)
    counts = worst_by_asset(rows, areas)
    listed = [
        {
            "id": area.id, "name": area.name, "path": area.path, "kind": area.asset_kind,
            "alarms": counts[area.id], "tag_count": len(of_area[area.path]), "bad_count": bad[area.path],
        }
        for area in areas
    ]  # fmt: skip
    listed.sort(key=lambda area: [-area["alarms"].get(priority, 0) for priority in _ORDER] + [-area["bad_count"]])
    return {
        "areas": listed,
        "sources": await sync_to_async(_sources)(tenant),
        **await _alarm_rates(tenant.key),
        **{key: value for key, value in (await summary(tenant.key)).items() if key != "roles"},
    }


def _areas(tenant: Tenant) -> tuple[list[Asset], dict[str, list[int]]]:
    of_tenant = Asset.objects.of(tenant)
    areas = list(of_tenant.filter(asset_kind=AssetKind.AREA).order_by("path")[:AREAS_MAX])
    if not areas:
        areas = list(of_tenant.filter(parent=None).order_by("path")[:AREAS_MAX])
    tags = Tag.objects.of(tenant).filter(enabled=True)
    return areas, {area.path: list(tags.filter(below(area.path)).values_list("ordinal", flat=True)) for area in areas}


async def _bad_counts(tenant: str, of_area: dict[str, list[int]]) -> dict[str, int]:
    """Count the tags of each area whose value is not good now."""
    counts = dict.fromkeys(of_area, 0)
    try:
        for path, ordinals in of_area.items():
            if ordinals:
                columns = await ask_current(runtime.require_bus(), tenant, np.asarray(ordinals, dtype=np.uint32))
                counts[path] = int(((columns["quality"] & quality.MASK) != quality.GOOD).sum())
    except MainspringError:
        return counts
    return counts


def _sources(tenant: Tenant) -> dict[str, Any]:
    connections = list(Connection.objects.of(tenant).filter(enabled=True))
    live, lost = 0, []
    for connection in connections:
        health = runtime.connection_health(tenant.key, connection.gateway, connection.id)
        if health is not None and health.state == "connected":
            live += 1
            continue
        lost.append(
            {
                "id": connection.id,
                "name": connection.name,
                "since_ms": health.since_ms if health else None,
                "text": health.text if health else None,
            }
        )
    return {"live": live, "total": len(connections), "lost": lost[:50]}


async def _alarm_rates(tenant: str) -> dict[str, Any]:
    """Count alarms raised in the last hour and the last ten minutes."""
    now_ms = time.time_ns() // 1_000_000
    query = EventQuery(start_ms=now_ms - HOUR_MS, end_ms=now_ms + 60_000, limit=100_000)
    try:
        answer = await runtime.require_bus().ask(
            subjects.history(tenant, "events"), query.model_dump_json().encode(), timeout_s=5
        )
    except MainspringError:
        return {"alarm_rate_per_h": None, "alarms_last_10_min": None}
    table = pa.ipc.open_stream(answer).read_all()
    times = table.filter(pc.equal(table.column("transition"), pa.scalar("raised"))).column("time").to_numpy()
    return {"alarm_rate_per_h": len(times), "alarms_last_10_min": int((times > now_ms - HOUR_MS // 6).sum())}
