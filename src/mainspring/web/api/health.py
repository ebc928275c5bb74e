"""What the roles say of themselves, and how much history there is."""

from __future__ import annotations

import shutil
import time
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router

from mainspring.core.health import Health
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
    reports = [_cut(health, tenant) for health in runtime.reports(tenant) if now_ms - health.time_ms < FORGOTTEN_MS]

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
        "degraded": troubles(reports, now_ms, runtime.releases(tenant)),
        "disk": disk,
        "history": await extent(tenant, HISTORY_WAIT_S),
        "rates": {"samples_per_s": figure("historian" if _operates(tenant) else "gateway", "samples_per_s")},
        "refused": [
            {"gateway": each.gateway, "samples": each.samples}
            for each in (each for report in reports for each in report.foreign)
        ],
        "lag_ms": figure("engine", "lag_ms"),
        "now_ms": now_ms,
    }


def _operates(tenant: str) -> bool:
    """Tell whether a tenant is the one that runs the platform, and may see the figures of all together."""
    return tenant == current().tenant


def _cut(report: Health, tenant: str) -> Health:
    """Return what one tenant may see of a report: of the platform's roles, how they are."""
    own = tuple(each for each in report.foreign if each.tenant == tenant)
    figures = report.figures if report.tenant or _operates(tenant) else _shared(report)
    return report.model_copy(update={"foreign": own, "figures": figures})


def _shared(report: Health) -> dict[str, float]:
    return {name: value for name, value in report.figures.items() if name == "lag_ms"}


@router.get("/health", auth=Needs(Right.VIEW))
async def health(request: HttpRequest) -> dict[str, Any]:
    """Return the latest report of every role, and rates, lag, disk and history."""
    return await summary(actor_of(request).tenant.key)
