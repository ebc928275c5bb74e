"""The historian's house-keeping: dropping what is old, rolling up, and taking what is stored out of the streams."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog
from nats.errors import Error as NatsError
from nats.js.api import StreamState

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.errors import MainspringError
from mainspring.history.blobs import BlobAnswers
from mainspring.history.gathering import Gathering
from mainspring.history.settings import HistorianSettings, Store
from mainspring.history.storing import Storing

log = structlog.get_logger(__name__)

ROLL_UP_EVERY_S: Final = 5.0
ROLL_UP_RETRY_S: Final = 30.0
PURGE_EVERY_S: Final = 10.0
LOOK_EVERY_S: Final = 1.0
REPLAY_SHARE: Final = 0.5
"""How much of a stream what is stored may fill, to be read again by others: a full stream refuses what is fresh."""
INSPECT_REST: Final = 9
"""A piece is inspected, then it is rested for so many times as long as that took."""

_DONE: Final = object()


class Housekeeping:
    """What is done beside storing, in threads of its own: readings and queries come first."""

    def __init__(
        self, bus: Bus, store: Store, settings: HistorianSettings, blobs: BlobAnswers, storing: Storing,
        gathering: Gathering,
    ) -> None:  # fmt: skip
        self._bus = bus
        self._store = store
        self._settings = settings
        self._blobs = blobs
        self._storing = storing
        self._gathering = gathering
        # One thread rolls up, one statement at a time, another drops; both beside the appends.
        self._roller = ThreadPoolExecutor(1, thread_name_prefix="history-rollup")
        self._dropper = ThreadPoolExecutor(1, thread_name_prefix="history-retain")
        self._stored_at: dict[str, deque[tuple[float, int]]] = {stream: deque() for stream in subjects.STREAMS}
        self._purged_s = dict.fromkeys(subjects.STREAMS, 0.0)
        self.size = 0
        """Bytes on disk, as last looked at."""
        self.damaged: list[str] = []
        """Parts that are not what was written."""

    @property
    def threads(self) -> tuple[ThreadPoolExecutor, ...]:
        """The threads that change what is kept."""
        return self._dropper, self._roller

    async def keep_house(self) -> None:
        """Drop old history, and from the streams what has been stored for longer than a replay may need."""
        loop = asyncio.get_running_loop()
        retain_at_s = 0.0
        while True:
            if loop.time() >= retain_at_s:
                retain_at_s = loop.time() + self._settings.retain_every_s
                await loop.run_in_executor(self._dropper, self._retain)
            for stream in subjects.STREAMS:
                try:
                    await self._purge(stream)
                except (NatsError, TimeoutError) as error:
                    log.warning("history.not_purged", stream=stream, reason=repr(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def roll_up(self) -> None:
        """Roll up what is due, and rest as long as each piece took: readings and queries come first."""
        loop = asyncio.get_running_loop()
        while True:
            pieces = self._store.roll_up(_now_ms())
            rest_s = ROLL_UP_EVERY_S
            try:
                while self._storing.disk_trouble() is None:
                    began_s = loop.time()
                    if await loop.run_in_executor(self._roller, next, pieces, _DONE) is _DONE:
                        break
                    await asyncio.sleep(loop.time() - began_s)
            except (MainspringError, OSError) as error:
                log.error("history.not_rolled_up", reason=str(error))
                rest_s = ROLL_UP_RETRY_S
            await asyncio.sleep(rest_s)

    async def inspect(self) -> None:
        """Look for what a disk has spoilt, at the start and once a week, for a tenth of the time."""
        loop = asyncio.get_running_loop()
        while True:
            found: list[str] = []
            pieces = self._store.inspect()
            try:
                while True:
                    began_s = loop.time()
                    piece: list[str] | object = await loop.run_in_executor(self._dropper, next, pieces, _DONE)
                    if not isinstance(piece, list):
                        break
                    for name in piece:
                        log.error("history.damaged", part=name)
                    found += piece
                    if found:
                        self.damaged = found
                    await asyncio.sleep(INSPECT_REST * (loop.time() - began_s))
                self.damaged = found
            except MainspringError as error:
                log.error("history.not_inspected", reason=error.text.en)
            await asyncio.sleep(self._settings.inspect_every_s)

    async def close(self) -> None:
        """Finish the piece under way."""
        for thread in (self._roller, self._dropper):
            await asyncio.to_thread(thread.shutdown, wait=True)

    def _retain(self) -> None:
        settings = self._settings
        try:
            dropped = self._store.retain(
                _now_ms(), settings.retention_days, settings.bytes_max, settings.retention_bytes
            )
            self.size = self._store.bytes_on_disk()
        except MainspringError as error:
            log.error("history.not_retained", reason=error.text.en)
        else:
            for partition in dropped:
                log.info("history.dropped", partition=partition)
        days = settings.retention_days.get("blob", settings.retention_days.get("standard", 3650))
        self._blobs.retain(_now_ms(), days, settings.blob_bytes_max)

    async def _purge(self, stream: str) -> None:
        """Remove stored messages, but the last of each subject: its gateway asks for it when it comes back.

        What was stored some minutes ago goes now and then, and at once what keeps a small disk from taking new ones.
        """
        if stream not in self._storing.positions or not self._bus.connected:
            return
        found = await self._bus.js.stream_info(stream)
        now_s = asyncio.get_running_loop().time()
        stored = self._storing.positions[stream].stored
        marks = self._stored_at[stream]
        marks.append((now_s, stored))
        upto = min(stored, _over(found.state, REPLAY_SHARE * (found.config.max_bytes or 0)))
        keep_s = self._settings.replay_keep_s
        if now_s >= self._purged_s[stream] + min(PURGE_EVERY_S, keep_s / 2):
            self._purged_s[stream] = now_s
            while marks and marks[0][0] <= now_s - keep_s:
                upto = max(upto, marks.popleft()[1])
        if not upto:
            return
        for subject, last in self._gathering.last_on[stream].items():
            await self._bus.js.purge_stream(stream, seq=min(upto + 1, last), subject=subject)


def _over(state: StreamState, bytes_max: float) -> int:
    """Return the message up to which a stream holds more than so many bytes, as far as its messages are of one size."""
    if state.bytes <= bytes_max or bytes_max <= 0:
        return 0
    return state.first_seq + int((state.last_seq - state.first_seq) * (1 - bytes_max / state.bytes))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
