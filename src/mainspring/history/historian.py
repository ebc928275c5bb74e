"""The historian: takes the streams in order, stores every message exactly once, answers queries.

The only process that opens the history. Batches are gathered for about a second, their range is written down as an
intent, they are stored, and the position is published, upon which gateways let go of their copies. Killed at any
instant, the historian reads exactly that range again; the store leaves out what it has of it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from functools import partial
from typing import Final

import psutil
import structlog

from mainspring.bus.connect import Bus
from mainspring.bus.watch import Watch
from mainspring.core import subjects
from mainspring.core.health import Health
from mainspring.core.tasks import ended
from mainspring.core.text import Text
from mainspring.history.answers import Answers
from mainspring.history.blobs import BlobAnswers, BlobStore, FolderBlobs
from mainspring.history.freezing import Freezing
from mainspring.history.gathering import Gathered, Gathering
from mainspring.history.housekeeping import Housekeeping
from mainspring.history.importing.intake import Importing
from mainspring.history.merging import Merges, Merging
from mainspring.history.ownership import Ownership
from mainspring.history.reading import MadeAnewError, Reader, WentBackError
from mainspring.history.settings import HistorianSettings, Store
from mainspring.history.storing import Storing

log = structlog.get_logger(__name__)

LOST_TOLD_S: Final = 3600.0
"""So long health tells of messages that the bus has lost."""
_LOST: Final = Text(
    "The bus has lost messages {first} to {last} of {stream} before they were stored. Look at its disk; all others "
    "are stored.",
    "总线丢失了 {stream} 中尚未存储的第 {first} 至 {last} 条消息，请检查其磁盘；其他消息均已存储。",
)
DAMAGED_NAMED: Final = 5
_DAMAGED: Final = Text(
    "{count} parts of the history are damaged: {parts}. What they hold may be missing from answers or make them fail; "
    "everything else answers. Look at the disk, and restore these days from a backup.",
    "历史库有 {count} 个数据块损坏：{parts}。其中的数据可能在结果中缺失或导致查询失败，其余数据不受影响。"
    "请检查磁盘，并从备份恢复这些日期。",
)
ALARM_GATHER_S: Final = 0.1
ALARM_PAUSE_S: Final = 1.0
"""Transitions closer together than this are gathered for half of it: an insert costs the same for one and for many."""


async def run(
    bus: Bus, store: Store, settings: HistorianSettings, stop: asyncio.Event, blobs: BlobStore | None = None
) -> None:
    """Be the historian until `stop` is set; the caller closes the store afterwards.

    Blobs are kept in the history's own folder unless a store is given.
    """
    await Historian(bus, store, settings, blobs or FolderBlobs(settings.folder / "blobs")).run(stop)


class Historian:
    """One historian at work."""

    def __init__(self, bus: Bus, store: Store, settings: HistorianSettings, blobs: BlobStore) -> None:
        self._bus = bus
        self._store = store
        self._settings = settings
        self._owners = Ownership(store.classify)
        self._definitions: Watch
        self._blobs = BlobAnswers(blobs, lambda tenant: self._owners.number(tenant) is not None)
        importing = Importing(store, self._owners, settings)
        self._answers = Answers(store, self._owners, settings.query_threads, self._blobs, importing)
        self._storing = Storing(bus, store, settings)
        self._gathering = Gathering(self._owners, self._caught_up, settings.rows_max)
        self._house = Housekeeping(bus, store, settings, self._blobs, self._storing, self._gathering)
        self._merging = Merging(store, self._storing) if isinstance(store, Merges) else None
        self._readers: dict[str, Reader] = {}
        self._started_ms = _now_ms()
        self._alarm_stored_s = -ALARM_PAUSE_S
        self._lost = 0
        self._lost_s = -LOST_TOLD_S
        self._lost_text: Text | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the streams and answer until `stop` is set; a failure that is not survived is raised."""
        self._definitions = await self._bus.watch_definitions(self._owners.changed)
        self._bus.on_reconnected(self._renew)
        await self._bus.serve(
            "ms.*.history.*", self._answers.answer, queue="history", concurrent_max=self._settings.queries_max
        )
        await self._bus.serve("ms.*.blob.*", self._blobs.put, queue="history", concurrent_max=64)
        freezing = Freezing(self._store, self._settings.folder, (*self._house.threads, self._storing.thread))
        await freezing.thaw()
        await self._bus.serve("ms.backup.*", freezing.answer, queue="history", concurrent_max=1)
        work = [asyncio.create_task(self._follow(stream), name=stream) for stream in subjects.STREAMS]
        work += [asyncio.create_task(self._report()), asyncio.create_task(self._house.keep_house())]
        work += [asyncio.create_task(self._house.roll_up()), asyncio.create_task(self._house.inspect())]
        if self._merging is not None:
            work.append(asyncio.create_task(self._merging.run()))
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*work, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await ended(*work, stopped)
            await self._storing.close()
            await self._house.close()
            if self._merging is not None:
                await self._merging.close()
            await self._answers.close()
            await self._blobs.close()

    async def _caught_up(self) -> None:
        await self._definitions.caught_up()

    async def _follow(self, stream: str) -> None:
        while True:
            reader = self._readers[stream] = Reader(self._bus, stream, partial(self._missing, stream))
            try:
                position = self._storing.resume(stream, await reader.incarnation(), reader.last)
                if position.intent is not None:
                    await self._finish(stream, reader, *position.intent, position.intent_mark)
                position = self._storing.positions[stream]
                await reader.seek(position.stored, position.mark)
                await self._follow_on(reader)
            except MadeAnewError:
                continue
            except WentBackError:
                self._storing.go_back(stream)
            finally:
                await reader.close()

    async def _follow_on(self, reader: Reader) -> None:
        """Gather while what was gathered before is stored."""
        keeping: asyncio.Task[None] | None = None
        try:
            while True:
                gathered = await self._gathering.gather(reader, self._gather_s(reader.stream))
                if keeping is not None:
                    await keeping
                keeping = asyncio.create_task(self._keep(reader.stream, gathered)) if gathered.last else None
        finally:
            if keeping is not None:
                await keeping

    async def _renew(self) -> None:
        for reader in self._readers.values():
            await reader.renew()

    async def _finish(self, stream: str, reader: Reader, first: int, last: int, mark: str) -> None:
        """Store again exactly the range whose storing may have been cut short; `mark` is that of its last message."""
        log.info("history.intent_finished", stream=stream, first=first, last=last)
        gathered = Gathered(first, last)
        await reader.seek(first - 1)
        while True:
            message = await reader.next(1.0)
            if message is None:
                state = (await self._bus.js.stream_info(stream)).state
                if state.messages == 0 or state.last_seq < last or state.first_seq > last:
                    break
                continue
            if message[0] > last:
                break
            await self._gathering.take(gathered, *message)
            if message[0] == last:
                break
        if mark and gathered.mark != mark:
            self._storing.lost_amid()
        gathered.first, gathered.last = first, last
        await self._keep(stream, gathered)

    def _gather_s(self, stream: str) -> float:
        """Return how long to gather: people look for what they acknowledged at once, readings can wait."""
        if stream != subjects.ALARM:
            return self._settings.gather_ms / 1000
        calm = time.monotonic() - self._alarm_stored_s > ALARM_PAUSE_S
        return ALARM_GATHER_S if calm else ALARM_PAUSE_S / 2

    def _damage(self) -> Text | None:
        damaged = self._house.damaged
        named = ", ".join(damaged[:DAMAGED_NAMED])
        return _DAMAGED.format(count=len(damaged), parts=named) if damaged else None

    def _missing(self, stream: str, first: int, last: int) -> None:
        """Tell of messages that the bus has lost before they were read."""
        log.error("history.messages_missing", stream=stream, first=first, last=last)
        self._lost += last - first + 1
        self._lost_s = time.monotonic()
        self._lost_text = _LOST.format(stream=stream, first=first, last=last)

    async def _keep(self, stream: str, gathered: Gathered) -> None:
        began_s = time.monotonic()
        await self._storing.keep(stream, gathered)
        self._gathering.paces[stream].stored(gathered.rows, time.monotonic() - began_s)
        if stream == subjects.ALARM:
            self._alarm_stored_s = time.monotonic()

    async def _report(self) -> None:
        process = psutil.Process()
        storing, gathering = self._storing, self._gathering
        before, before_s = storing.samples, time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            now_s = time.monotonic()
            rate = (storing.samples - before) / (now_s - before_s)
            before, before_s = storing.samples, now_s
            lost = self._lost_text if now_s < self._lost_s + LOST_TOLD_S else None
            trouble = next(iter(storing.trouble.values()), lost or self._damage() or self._store.trouble())
            behind_ms, marked = self._store.rollups_behind(_now_ms())
            figures = {
                "samples_per_s": round(rate, 1),
                "samples": storing.samples,
                "lag_ms": storing.lag_ms,
                "set_aside": self._store.set_aside,
                "refused": gathering.refused,
                "malformed": gathering.malformed,
                "repeated": storing.repeated,
                "messages_missing": self._lost,
                "damaged_parts": len(self._house.damaged),
                "disk_free_bytes": shutil.disk_usage(self._settings.folder).free,
                "bytes_on_disk": self._house.size,
                "insert_ms": round(storing.insert_ms, 1),
                "rollups_behind_s": behind_ms // 1000,
                "rollup_hours_marked": marked,
            }
            health = Health(
                role="historian",
                instance=self._settings.instance,
                pid=os.getpid(),
                time_ms=_now_ms(),
                started_ms=self._started_ms,
                memory_bytes=process.memory_info().rss,
                state="degraded" if trouble else "running",
                text=trouble.document() if trouble else None,
                figures=figures,
                foreign=gathering.foreign(),
            )
            await self._bus.report(health)
            for stream in storing.positions:
                await storing.tell(stream)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
