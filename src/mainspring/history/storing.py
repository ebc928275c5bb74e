"""Storing what was gathered: intent, rows, position, each on the disk before the next, again until it is done."""

from __future__ import annotations

import asyncio
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import pyarrow as pa
import structlog

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.alarms import EVENT_SCHEMA
from mainspring.core.errors import MainspringError, reason_of
from mainspring.core.history import Entry
from mainspring.core.text import Text
from mainspring.history.gathering import Gathered
from mainspring.history.intents import Journal, Position
from mainspring.history.settings import HistorianSettings, Store
from mainspring.history.taken import Taken

log = structlog.get_logger(__name__)

RETRY_S: Final = 1.0
SENT_AGAIN_MAX: Final = 10_000
"""Among so many messages what the bus has lost comes again."""

_DISK_FULL: Final = Text(
    "The disk of {path} has {free} MB left, less than the {least} MB that are kept free. Nothing is stored until there "
    "is space; the bus and the gateways keep what comes. Free some space, or lower [history] disk_free_min_bytes.",
    "{path} 所在磁盘仅剩 {free} MB，低于保留的 {least} MB，已暂停存储；新数据由总线和网关暂存。"
    "请释放空间，或调低 [history] disk_free_min_bytes。",
)
_NOT_WRITTEN: Final = Text(
    "The historian cannot write to {path} ({reason}). It tries again every second; the bus keeps what comes.",
    "历史服务无法写入 {path}（{reason}），每秒重试一次；新数据由总线暂存。",
)


class Storing:
    """Stores what was gathered of each stream, and knows how far."""

    def __init__(self, bus: Bus, store: Store, settings: HistorianSettings) -> None:
        self._bus = bus
        self._store = store
        self._settings = settings
        # One thread writes: appends of the three streams never overlap.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="history-write")
        self._journal = Journal(settings.folder)
        self.positions: dict[str, Position] = {}
        self._found = {stream: self._journal.read(stream) for stream in subjects.STREAMS}
        known = ((stream, position) for stream, (position, _) in self._found.items())
        self.taken = {stream: Taken(None if position is None else position.taken) for stream, position in known}
        self._doubted: dict[str, int] = {}
        self._lost_amid = False
        self.trouble: dict[str, Text] = {}
        """By stream, why nothing of it is stored at present."""
        self.samples = self.repeated = 0
        self.lag_ms = 0
        self.insert_ms = 0.0

    @property
    def thread(self) -> ThreadPoolExecutor:
        """The thread that writes."""
        return self._writer

    def resume(self, stream: str, incarnation: str, last: int) -> Position:
        """Return the position in the stream as it is now, up to `last`; a stream made anew begins at nothing.

        Where the position may not be the last that was written, what is stored is told by the rows themselves. That
        is written down with every position until all of it is stored: the next process must not trust intents sooner.
        """
        position, sure = self._found.get(stream, (None, True))
        position = self.positions.get(stream, position)
        if position is not None and position.incarnation != incarnation:
            log.warning("history.stream_made_anew", stream=stream, stored=position.stored)
            position = Position(incarnation, taken=position.taken)
        self._found.pop(stream, None)
        position = self.positions[stream] = position or Position(incarnation)
        if not sure and last:
            log.warning("history.position_found_by_rows", stream=stream, last=last)
        self._doubt(stream, position.doubted if sure else max(position.doubted, last))
        if self._lost_amid:
            self._doubt_what_comes(stream)
        return position

    def lost_amid(self) -> None:
        """The bus has lost messages whose storing may have been cut short: in which stream they come again is open."""
        self._lost_amid = True
        for stream in self.positions:
            self._doubt_what_comes(stream)

    def go_back(self, stream: str) -> None:
        """Begin again: the bus has lost messages, and gateways send them again; what is stored is known by number."""
        before = self.positions[stream]
        log.error("history.stream_went_back", stream=stream, stored=before.stored)
        self.positions[stream] = Position(before.incarnation, doubted=self._doubted[stream], taken=before.taken)
        self._journal.write(stream, self.positions[stream])

    async def keep(self, stream: str, gathered: Gathered) -> None:
        """Store what was gathered, again and again until it is done, and tell."""
        loop = asyncio.get_running_loop()
        while True:
            trouble = self.disk_trouble()
            if trouble is None:
                try:
                    await loop.run_in_executor(self._writer, self._write, stream, gathered)
                    break
                except MainspringError as error:
                    trouble = error.text
                except OSError as error:
                    trouble = _NOT_WRITTEN.format(path=self._settings.folder, reason=reason_of(error))
            if stream not in self.trouble:
                log.error("history.not_stored", stream=stream, reason=trouble.en)
            self.trouble[stream] = trouble
            await asyncio.sleep(RETRY_S)
        if self.trouble.pop(stream, None) is not None:
            log.info("history.stores_again", stream=stream)
        self.samples += gathered.rows
        if gathered.sent_ms:
            self.lag_ms = max(0, time.time_ns() // 1_000_000 - gathered.sent_ms)
        await self.tell(stream)

    async def tell(self, stream: str) -> None:
        """Publish the position in a stream, upon which gateways let go of their copies."""
        if self._bus.connected:
            await self._bus.nc.publish(subjects.position(stream), str(self.positions[stream].stored).encode())

    def disk_trouble(self) -> Text | None:
        """Say that the disk is full, None if it is not."""
        free = shutil.disk_usage(self._settings.folder).free
        least = self._settings.disk_free_min_bytes
        if free >= least:
            return None
        return _DISK_FULL.format(path=self._settings.folder, free=free >> 20, least=least >> 20)

    async def close(self) -> None:
        """Finish what is being written."""
        await asyncio.to_thread(self._writer.shutdown, wait=True)

    def _doubt_what_comes(self, stream: str) -> None:
        self._doubt(stream, max(self._doubted[stream], self.positions[stream].stored + SENT_AGAIN_MAX))

    def _doubt(self, stream: str, last: int) -> None:
        self._doubted[stream] = last
        self._store.doubt(self.positions[stream].incarnation, last)

    def _new(self, gathered: Gathered) -> list[Entry]:
        """Leave out what a gateway sent again, which may come in the other stream."""
        new, seen = [], set()
        for entry in gathered.entries:
            batch = gathered.numbers.get(entry.sequence)
            if batch is not None and (batch in seen or any(batch in taken for taken in self.taken.values())):
                self.repeated += 1
                continue
            seen.add(batch)
            new.append(entry)
        return new

    def _write(self, stream: str, gathered: Gathered) -> None:
        """Intent, samples, position: in this order, each on the disk before the next; runs in the writer's thread."""
        first, last = gathered.first, gathered.last
        before = self.positions[stream]
        doubted = self._doubted[stream]
        begun = replace(before, intent=(first, last), intent_mark=gathered.mark, doubted=doubted)
        self._journal.write(stream, begun)
        began = time.perf_counter()
        if entries := self._new(gathered):
            self._store.append(before.incarnation, entries, first, last)
        if gathered.events:
            table = pa.Table.from_pylist(gathered.events, schema=EVENT_SCHEMA)
            self._store.append_events(before.incarnation, table, first, last)
        self.insert_ms = (time.perf_counter() - began) * 1000
        for sender, number in gathered.numbers.values():
            self.taken[stream].add(sender, number)
        position = Position(
            before.incarnation,
            last,
            mark=gathered.mark,
            doubted=doubted if doubted > last else 0,
            taken=self.taken[stream].ranges,
        )
        self._journal.write(stream, position)
        self.positions[stream] = position
