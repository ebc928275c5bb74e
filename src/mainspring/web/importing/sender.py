"""The way from an import to the historian: pieces over the bus, a few under way at a time, each until it is stored."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.errors import LimitExceeded, MainspringError, NotConnected, StoreError
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text

UNDER_WAY_MAX: Final = 5
"""Pieces that are sent and not answered: one is stored while the others come."""
ANSWER_S: Final = 30.0
RETRY_S: Final = 0.5
PATIENCE_S: Final = 300.0
"""How long the historian or the bus may be away; what is imported so far is kept."""
USER: Final = "importer"
_AWAY: Final = Text(
    "The history took nothing for {minutes} minutes ({reason}). What was imported is kept; load again to go on.",
    "历史库已 {minutes} 分钟未接收数据（{reason}）。已导入的内容保留，可再次载入以继续。",
)

Counts = dict[str, int]


class Sender:
    """Sends pieces of one tenant in order and calls back in order; one thread calls it."""

    def __init__(self, url: str, seed: Path, authority: Path | None, tenant: str, stop: threading.Event) -> None:
        self._url, self._seed, self._authority = url, seed, authority
        self._subject = subjects.history(tenant, "import")
        self._stop = stop
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="import-bus", daemon=True)
        self._bus: Bus | None = None
        self._under_way: deque[tuple[Future[Counts], Callable[[Counts], None]]] = deque()

    def __enter__(self) -> Sender:
        self._thread.start()
        connect = Bus.connect(self._url, self._seed, USER, tls_ca=self._authority)
        try:
            self._bus = asyncio.run_coroutine_threadsafe(connect, self._loop).result()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for future, _done in self._under_way:
            future.cancel()
        if self._bus is not None:
            asyncio.run_coroutine_threadsafe(self._bus.close(), self._loop).result()
        self._end()

    def send(self, piece: SampleBatch, done: Callable[[Counts], None]) -> None:
        """Send a piece; `done` is told, in order, what became of it. Raises what an earlier one failed with."""
        while len(self._under_way) >= UNDER_WAY_MAX:
            self._settle()
        self._under_way.append((asyncio.run_coroutine_threadsafe(self._sent(piece), self._loop), done))

    def mark(self, done: Callable[[Counts], None]) -> None:
        """Call `done` once everything before it is stored."""
        reached: Future[Counts] = Future()
        reached.set_result({})
        self._under_way.append((reached, done))

    def drain(self) -> None:
        """Wait until all is stored."""
        while self._under_way:
            self._settle()

    def _settle(self) -> None:
        future, done = self._under_way[0]
        counts = future.result()
        self._under_way.popleft()
        done(counts)

    async def _sent(self, piece: SampleBatch) -> Counts:
        """Ask until it is answered; what cannot be helped by waiting is raised."""
        assert self._bus is not None
        message = await asyncio.to_thread(piece.encode)
        began = time.monotonic()
        while True:
            try:
                counts: Counts = json.loads(await self._bus.ask(self._subject, message, ANSWER_S))
                return counts
            except (NotConnected, LimitExceeded, StoreError) as error:
                if time.monotonic() - began > PATIENCE_S or self._stop.is_set():
                    raise self._away(error) from error
            await asyncio.sleep(RETRY_S)

    @staticmethod
    def _away(error: MainspringError) -> NotConnected:
        return NotConnected(_AWAY, minutes=round(PATIENCE_S / 60), reason=error.text.en)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
