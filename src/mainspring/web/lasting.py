"""Work that goes on when the person who asked for it has gone away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

from django.db import close_old_connections

from mainspring.records.in_force import carried

Result = TypeVar("Result")
_under_way: set[asyncio.Task[Any]] = set()


async def to_the_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Do work to its end: what was told to the plant must be recorded although its asker closed the page."""
    task = asyncio.create_task(work)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return await asyncio.shield(task)


async def in_thread(work: Callable[..., Result], *arguments: Any, threads: Executor | None = None) -> Result:
    """Do work on the records outside of a request; its database connection is closed afterwards."""

    def worked() -> Result:
        try:
            return work(*arguments)
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(threads, carried(worked))
