"""What the roles say of themselves, and how much history there is."""

from __future__ import annotations

import shutil
import time
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router

from mainspring.core.health import Health
from mainspring.records.access.scope import Scope
from mainspring.records.rights import Right
from mainspring.web.api.history import extent
from mainspring.web.configure import current
from mainspring.web.listen import FORGOTTEN_MS, part_of, troubles
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["health"])

HISTORY_WAIT_S: Final = 2.0


async def summary(scope: Scope) -> dict[str, Any]:
    """Gather roles, rates, lag, disk and history of one tenant; what does not answer is None.

    Whoever sees a part of the plant alone is told how the roles are that this part depends on, and how late its values
    are: nothing of what is of the platform or the whole company.
    """
    now_ms = time.time_ns() // 1_000_000
    tenant = scope.tenant.key
    reach = None if scope.everywhere else await sync_to_async(scope.reach)()
    reports = [
        _cut(health, scope)
        for health in runtime.reports(tenant)
        if now_ms - health.time_ms < FORGOTTEN_MS and (reach is None or reach.feeds(*part_of(health)))
    ]

    def figure(role: str, name: str) -> float | None:
        found = [report.figures[name] for report in reports if report.role == role and name in report.figures]
        return sum(found) if found else None

    told = {
        "roles": [report.model_dump(mode="json") for report in reports],
        "degraded": troubles(reports, now_ms, runtime.releases(tenant)),
        "lag_ms": figure("engine", "lag_ms"),
        "now_ms": now_ms,
    }
    if reach is not None:
        return told | {"disk": None, "history": None, "rates": {"samples_per_s": None}, "refused": []}
    try:
        usage = await sync_to_async(shutil.disk_usage)(current().data_folder)
        disk: dict[str, int] | None = {"used_bytes": usage.used, "free_bytes": usage.free}
    except OSError:
        disk = None
    return told | {
        "disk": disk,
        "history": await extent(tenant, HISTORY_WAIT_S),
        "rates": {"samples_per_s": figure("historian" if _operates(tenant) else "gateway", "samples_per_s")},
        "refused": [
            {"gateway": each.gateway, "samples": each.samples}
            for each in (each for report in reports for each in report.foreign)
        ],
    }


def _operates(tenant: str) -> bool:
    """Tell whether a tenant is the one that runs the platform, and may see the figures of all together."""
    return tenant == current().tenant


def _cut(report: Health, scope: Scope) -> Health:
    """Return what may be seen of a report: of the platform's roles, and from a part of the plant, how they are."""
    tenant = scope.tenant.key
    own = tuple(each for each in report.foreign if each.tenant == tenant and scope.everywhere)
    figures = report.figures if scope.everywhere and (report.tenant or _operates(tenant)) else _shared(report)
    return report.model_copy(update={"foreign": own, "figures": figures})


def _shared(report: Health) -> dict[str, float]:
    return {name: value for name, value in report.figures.items() if name == "lag_ms"}


@router.get("/health", auth=Needs(Right.VIEW, somewhere=True))
async def health(request: HttpRequest) -> dict[str, Any]:
    """Return the latest report of every role, and rates, lag, disk and history.

    Whoever sees a part of the plant alone is told of the roles that it depends on; disk, history and rates are null.
    """
    return await summary(actor_of(request).scope(Right.VIEW))
