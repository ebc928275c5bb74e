"""Ending what goes on beside."""

from __future__ import annotations

import asyncio
from typing import Any, Final

CANCEL_AGAIN_S: Final = 2.5
"""Longer than the client of the bus takes to say goodbye, which must not be cut short."""


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they have ended; an exception of theirs is dropped, ask before for those that matter.

    Once is not enough: before Python 3.12 `asyncio.wait_for`, which the bus's client uses for every request, loses a
    cancellation that comes together with its result.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()
