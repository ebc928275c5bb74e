"""What the roles say of themselves, and how much history there is."""

from __future__ import annotations

import shutil
import time
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router

from mainspring.records.rights import Right
from mainspring.web.api.history import extent
from mainspring.web.configure import current
from mainspring.web.listen import FORGOTTEN_MS, troubles
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["health"])

HISTORY_WAIT_S: Final = 2.0


async def summary(tenant: str) -> dict[str, Any]:
    """Gather roles, rates, lag, disk and history of one tenant; what does not answer is None."""
    now_ms = time.time_ns() // 1_000_000
    reports = [health for health in runtime.health.values() if now_ms - health.time_ms < FORGOTTEN_MS]

    def figure(role: str, name: str) -> float | None:
        found = [report.figures[name] for report in reports if report.role == role and name in report.figures]
        return sum(found) if found else None

    try:
        usage = await sync_to_async(shutil.disk_usage)(current().data_folder)
        disk: dict[str, int] | None = {"used_bytes": usage.used, "free_bytes": usage.free}
    except OSError:
        disk = None
    return {
        "roles": [report.model_dump(mode="json") for report in reports],
        "degraded": troubles(reports, now_ms),
        "disk": disk,
        "history": await extent(tenant, HISTORY_WAIT_S),
        "rates": {"samples_per_s": figure("historian", "samples_per_s")},
        "lag_ms": figure("engine", "lag_ms"),
        "now_ms": now_ms,
    }


@router.get("/health", auth=Needs(Right.VIEW))
async def health(request: HttpRequest) -> dict[str, Any]:
    """Return the latest report of every role, and rates, lag, disk and history."""
    return await summary(actor_of(request).tenant.key)
