"""Letting merges rest while readings wait to be stored: storing comes first; what is merged later is merged together.

Merging takes a third of the historian's processor time. Behind a backlog that is the difference between catching up and
not; the parts that pile up meanwhile are limited, for queries have to open them.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, runtime_checkable

import structlog

from mainspring.core.errors import MainspringError
from mainspring.history.storing import Storing

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 1.0
BEHIND_MS: Final = 5000
CAUGHT_UP_MS: Final = 2500
IDLE_S: Final = 5.0
"""Nothing stored for so long: nothing waits, whatever the lag was then."""
PARTS_MAX: Final = 200
"""Most parts of one partition; merging then goes on until half of them are left."""


@runtime_checkable
class Merges(Protocol):
    """A store that merges its parts in this process."""

    def rest_merges(self, *, resting: bool) -> None:
        """Let merges of samples rest, or go on."""

    def parts_most(self) -> int:
        """Return how many parts the partition of samples with the most of them has."""


class Merging:
    """Watches how far storing is behind."""

    def __init__(self, store: Merges, storing: Storing) -> None:
        self._store = store
        self._storing = storing
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history-merging")
        self._samples = 0
        self._stored_s = 0.0
        self.resting = False

    async def run(self) -> None:
        """Look again and again."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await loop.run_in_executor(self._thread, self.look)
            except MainspringError as error:
                log.warning("history.merging_not_seen", reason=error.text.en)

    async def close(self) -> None:
        """Finish looking."""
        await asyncio.to_thread(self._thread.shutdown, wait=True)

    def look(self) -> None:
        """Look once, and let merges rest or go on."""
        wanted = self._behind() and self._store.parts_most() < (PARTS_MAX if self.resting else PARTS_MAX // 2)
        if wanted != self.resting:
            self._store.rest_merges(resting=wanted)
            self.resting = wanted
            log.info("history.merges_rest" if wanted else "history.merges_go_on", lag_ms=self._storing.lag_ms)

    def _behind(self) -> bool:
        now_s, samples = time.monotonic(), self._storing.samples
        if samples != self._samples:
            self._samples, self._stored_s = samples, now_s
        lag_ms = self._storing.lag_ms
        return now_s < self._stored_s + IDLE_S and lag_ms > (CAUGHT_UP_MS if self.resting else BEHIND_MS)
