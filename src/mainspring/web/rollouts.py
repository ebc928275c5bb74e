"""Rollouts under way: what gateways report is taken into the records, which release to the next ones."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog
from django.db import DatabaseError

from mainspring.core.health import ReleaseReport
from mainspring.records.plant import gateway_release, gateway_software
from mainspring.records.plant.gateway_release import OPEN, GatewayRelease
from mainspring.records.tenant import Tenant
from mainspring.web.configure import current
from mainspring.web.lasting import in_thread
from mainspring.web.runtime import Runtime

log = structlog.get_logger(__name__)

LOOK_S: Final = 2.0
SWEEP_S: Final = 60.0


async def run(runtime: Runtime) -> None:
    """Look at the reports until cancelled; nothing is asked while no gateway on another machine reports."""
    swept_s = 0.0
    while True:
        await asyncio.sleep(LOOK_S)
        if time.monotonic() - swept_s >= SWEEP_S:
            swept_s = time.monotonic()
            await in_thread(_sweep)
        reports: dict[str, dict[str, ReleaseReport]] = {}
        for (tenant, name), report in runtime.gateways.items():
            if report.release is not None:
                reports.setdefault(tenant, {})[name] = report.release
        if reports:
            try:
                await in_thread(_progress, reports)
            except DatabaseError as error:
                log.warning("rollouts.wait", reason=str(error))


def _sweep() -> None:
    try:
        gateway_software.sweep(current().data_folder)
    except (DatabaseError, OSError) as error:
        log.warning("rollouts.software_not_swept", reason=str(error))


def _progress(reports: dict[str, dict[str, ReleaseReport]]) -> None:
    open_ones = GatewayRelease.objects.filter(state__in=OPEN, tenant__key__in=list(reports))
    for tenant in Tenant.objects.filter(pk__in=open_ones.values_list("tenant").distinct()):
        changed = gateway_release.progress(tenant, reports[tenant.key])
        if changed:
            log.info("rollouts.progress", tenant=tenant.key, changed=changed)
