"""Deadlines of findings: what is overdue climbs a step, in every company."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from django.db import DatabaseError

from mainspring.records.business.finding import escalate_all
from mainspring.records.tenant import now_ms
from mainspring.web.lasting import in_thread

log = structlog.get_logger(__name__)

LOOK_S: Final = 60.0


async def run() -> None:
    """Look at the deadlines until cancelled."""
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            climbed = await in_thread(escalate_all, now_ms())
        except DatabaseError as error:
            log.warning("deadlines.wait", reason=str(error))
            continue
        if climbed:
            log.info("deadlines.escalated", findings=climbed)
