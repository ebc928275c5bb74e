"""Waiting for what has to come about, however slow the machine is."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 180.0
ANSWER_S = 20.0
"""How long one answer may take where nobody is meant to be late: several of them fit into `PATIENCE_S`."""
ANSWER_MS = int(ANSWER_S * 1000)


async def until(holds: Callable[[], Any], within_s: float = PATIENCE_S, *, told: Callable[[], Any] = lambda: "") -> Any:
    """Return the first true answer of `holds`, which may be a coroutine function; fails with what `told` returns."""
    deadline = time.monotonic() + within_s
    while True:
        found = holds()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"it did not come about within {within_s:g} s {told()}"
        await asyncio.sleep(0.02)
