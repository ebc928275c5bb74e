"""Sessions that have ended are forgotten while the platform runs, those that nobody signed in to among them."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from django.db import DatabaseError

from mainspring.records.people.session_store import SessionStore
from mainspring.web.lasting import in_thread

log = structlog.get_logger(__name__)
FORGET_S: Final = 600.0


async def run() -> None:
    """Forget them until cancelled."""
    while True:
        await asyncio.sleep(FORGET_S)
        try:
            await in_thread(SessionStore.clear_expired)
        except DatabaseError as error:
            log.warning("sessions.wait", reason=str(error))
