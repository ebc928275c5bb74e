"""The overview: is the plant all right, and what first."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa
from asgiref.sync import sync_to_async
from django.http import HttpRequest
from nats.errors import Error as NatsError
from ninja import Router

from mainspring.core import subjects
from mainspring.core.alarms import ActiveAlarm
from mainspring.core.definitions import Priority
from mainspring.core.errors import MainspringError
from mainspring.core.history import EventQuery
from mainspring.records.access.scope import Scope
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.connection import Connection
from mainspring.records.rights import Right
from mainspring.web import alarm_rows
from mainspring.web.api.alarms import active_within
from mainspring.web.api.health import summary
from mainspring.web.areas import areas
from mainspring.web.columns import numbers
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["overview"])

HOUR_MS: Final = 3_600_000
_ORDER: Final = [str(priority) for priority in Priority]


@router.get("/overview", auth=Needs(Right.VIEW, somewhere=True))
async def overview(request: HttpRequest) -> dict[str, Any]:
    """Return areas, the worst first, sources, alarm rates and the state of the platform.

    What a part that does not answer would have told is null; `engine` says whether alarms are known. Whoever sees a
    part of the plant alone is told of that part, and nothing of the platform's disk and history.
    """
    scope = actor_of(request).scope(Right.VIEW)
    tenant = scope.tenant
    found = await sync_to_async(areas.read)(scope)
    engine, alarms, paths, bad = "ok", list[ActiveAlarm](), dict[UUID, tuple[str, Any]](), dict[str, int]()
    try:
        alarms = await active_within(scope)
        paths = await sync_to_async(alarm_rows.paths)(tenant.key, {alarm.alarm for alarm in alarms})
        bad = await areas.bad_counts(runtime.require_bus(), scope, found)
    except (MainspringError, NatsError):
        engine = "silent"
    counts = _by_area(
        found.areas, [(f"{paths[each.alarm][0]}/", each.priority) for each in alarms if each.alarm in paths]
    )
    listed = [
        {
            "id": area.id, "name": area.name, "path": area.path, "kind": area.asset_kind,
            "alarms": counts[area.id], "tag_count": len(found.ordinals[area.path]), "bad_count": bad.get(area.path),
        }
        for area in found.areas
    ]  # fmt: skip
    listed.sort(
        key=lambda area: [-area["alarms"].get(priority, 0) for priority in _ORDER] + [-(area["bad_count"] or 0)]
    )
    return {
        "engine": engine,
        "areas": listed,
        "sources": await sync_to_async(_sources)(scope),
        **await _alarm_rates(scope),
        **{key: value for key, value in (await summary(scope)).items() if key != "roles"},
    }


def _by_area(areas: Sequence[Asset], alarms: Sequence[tuple[str, Priority]]) -> dict[UUID, dict[str, int]]:
    """Count alarms of each priority below each area; an alarm stands there with the path of its tag and a slash."""
    return {
        area.id: dict(Counter(str(priority) for path, priority in alarms if path.startswith(f"{area.path}/")))
        for area in areas
    }


def _sources(scope: Scope) -> dict[str, Any]:
    tenant, rows = scope.tenant, Connection.objects.of(scope.tenant).filter(enabled=True)
    # A connection has no place; those from which tags of the part come are told of.
    connections = list(rows if scope.everywhere else rows.filter(pk__in=scope.tags().values("connection")))
    live, lost = 0, []
    replayed = sum(connection.replayed for connection in connections)
    for connection in connections:
        health = runtime.connection_health(tenant.key, connection.gateway, connection.id)
        if health is not None and health.state == "connected":
            live += 1
            continue
        lost.append(
            {
                "id": connection.id,
                "name": connection.name,
                "replayed": connection.replayed,
                "since_ms": health.since_ms if health else None,
                "text": health.text if health else None,
            }
        )
    return {"live": live, "total": len(connections), "replayed": replayed, "lost": lost[:50]}


async def _alarm_rates(scope: Scope) -> dict[str, Any]:
    """Count alarms raised in the last hour and the last ten minutes."""
    now_ms = time.time_ns() // 1_000_000
    query = EventQuery(start_ms=now_ms - HOUR_MS, end_ms=now_ms + 60_000, limit=100_000)
    try:
        answer = await runtime.require_bus().ask(
            subjects.history(scope.tenant.key, "events"), query.model_dump_json().encode(), timeout_s=5
        )
    except (MainspringError, NatsError):
        return {"alarm_rate_per_h": None, "alarms_last_10_min": None}
    table = pa.ipc.open_stream(answer).read_all()
    if not scope.everywhere:
        tags = numbers(table.column("tag"))
        within = await sync_to_async(scope.ordinals)(set(tags.tolist()))
        table = table.filter(pa.array(np.isin(tags, np.fromiter(within, dtype=np.uint32))))
    raised = np.array([transition == "raised" for transition in table.column("transition").to_pylist()], dtype=np.bool_)
    times = numbers(table.column("time"))[raised]
    return {"alarm_rate_per_h": len(times), "alarms_last_10_min": int((times > now_ms - HOUR_MS // 6).sum())}
