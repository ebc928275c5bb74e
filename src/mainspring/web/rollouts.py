"""Rollouts under way: what gateways report is taken into the records, which release to the next ones."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from django.db import DatabaseError

from mainspring.core.health import ReleaseReport
from mainspring.records import gateway_release
from mainspring.records.gateway_release import OPEN, GatewayRelease
from mainspring.records.tenant import Tenant
from mainspring.web.lasting import in_thread
from mainspring.web.runtime import Runtime

log = structlog.get_logger(__name__)

LOOK_S: Final = 2.0


async def run(runtime: Runtime) -> None:
    """Look at the reports until cancelled; nothing is asked while no gateway on another machine reports."""
    while True:
        await asyncio.sleep(LOOK_S)
        reports: dict[str, dict[str, ReleaseReport]] = {}
        for (tenant, name), report in runtime.gateways.items():
            if report.release is not None:
                reports.setdefault(tenant, {})[name] = report.release
        if reports:
            try:
                await in_thread(_progress, reports)
            except DatabaseError as error:
                log.warning("rollouts.wait", reason=str(error))


def _progress(reports: dict[str, dict[str, ReleaseReport]]) -> None:
    open_ones = GatewayRelease.objects.filter(state__in=OPEN, tenant__key__in=list(reports))
    for tenant in Tenant.objects.filter(pk__in=open_ones.values_list("tenant").distinct()):
        changed = gateway_release.progress(tenant, reports[tenant.key])
        if changed:
            log.info("rollouts.progress", tenant=tenant.key, changed=changed)
