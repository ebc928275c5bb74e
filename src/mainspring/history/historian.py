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
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import psutil
import pyarrow as pa
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic import ValidationError

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.alarms import EVENT_SCHEMA, AlarmEvent
from mainspring.core.errors import DecodeError, MainspringError
from mainspring.core.health import Foreign, Health
from mainspring.core.history import Entry, HistoryStore
from mainspring.core.samples import SampleBatch, decode
from mainspring.core.text import Text
from mainspring.history.answers import Answers
from mainspring.history.blobs import BlobAnswers, BlobStore, FolderBlobs
from mainspring.history.intents import Journal, Position
from mainspring.history.ownership import Ownership
from mainspring.history.reading import MadeAnewError, Reader, WentBackError, mark_of

log = structlog.get_logger(__name__)

HOLD_S: Final = 3.0
"""How long readings of a tag wait whose definition may still be on its way."""
HOLD_AGAIN_S: Final = 30.0
FOREIGN_MAX: Final = 1000
"""Gateways whose foreign tags are reported, those with most first."""
RETRY_S: Final = 1.0
ROLL_UP_EVERY_S: Final = 5.0
ROLL_UP_RETRY_S: Final = 30.0
BATCH_BYTES_MAX: Final = 64 * 1024 * 1024

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
_DONE: Final = object()
ALARM_GATHER_S: Final = 0.1
ALARM_PAUSE_S: Final = 1.0
"""Transitions closer together than this are gathered for half of it: an insert costs the same for one and for many."""


@dataclass(frozen=True, slots=True)
class HistorianSettings:
    """How the historian gathers, keeps and answers."""

    folder: Path
    instance: str = "1"
    gather_ms: int = 1000
    rows_max: int = 1_000_000
    disk_free_min_bytes: int = 2 * 1024**3
    bytes_max: int = 50 * 1024**3
    blob_bytes_max: int = 20 * 1024**3
    retention_days: dict[str, int] = field(default_factory=lambda: {"standard": 3650, "set-aside": 90})
    retain_every_s: int = 300
    replay_keep_s: int = 300
    query_threads: int = 2
    queries_max: int = 32


class Store(HistoryStore, Protocol):
    """A history store that tells its size and what it has set aside."""

    set_aside: int

    def bytes_on_disk(self) -> int:
        """Return the size of all that is kept."""

    def rollups_behind(self, now_ms: int) -> tuple[int, int]:
        """Return for how long no rows of a minute are made, in milliseconds, and how many hours of tags are marked."""


@dataclass(slots=True)
class Gathered:
    """Messages of one stream on their way into the store."""

    first: int = 0
    last: int = 0
    rows: int = 0
    size: int = 0
    sent_ms: int = 0
    mark: str = ""
    numbers: list[tuple[str, int]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)


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
        self._blobs = BlobAnswers(blobs, lambda tenant: self._owners.number(tenant) is not None)
        self._answers = Answers(store, self._owners, settings.query_threads, self._blobs)
        # One thread writes: appends of the three streams never overlap.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="history-write")
        # Another rolls up, one statement at a time, beside the appends.
        self._roller = ThreadPoolExecutor(1, thread_name_prefix="history-rollup")
        self._journal = Journal(settings.folder)
        self._readers: dict[str, Reader] = {}
        self._positions: dict[str, Position] = {}
        self._taken = {stream: self._journal.taken(stream) for stream in subjects.STREAMS}
        self._last_on: dict[str, dict[str, int]] = {stream: {} for stream in subjects.STREAMS}
        self._stored_at: dict[str, deque[tuple[float, int]]] = {stream: deque() for stream in subjects.STREAMS}
        self._trouble: dict[str, Text] = {}
        self._no_hold_before_s: dict[str, float] = {}
        self._started_ms = _now_ms()
        self._samples = 0
        self._refused = self._repeated = 0
        self._foreign: Counter[tuple[str, str]] = Counter()
        self._malformed = 0
        self._lag_ms = 0
        self._alarm_stored_s = -ALARM_PAUSE_S
        self._insert_ms = 0.0
        self._size = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the streams and answer until `stop` is set; a failure that is not survived is raised."""
        await self._bus.watch_definitions(self._owners.changed)
        self._bus.on_reconnected(self._renew)
        await self._bus.serve(
            "ms.*.history.*", self._answers.answer, queue="history", concurrent_max=self._settings.queries_max
        )
        await self._bus.serve("ms.*.blob.*", self._blobs.put, queue="history", concurrent_max=64)
        work = [asyncio.create_task(self._follow(stream), name=stream) for stream in subjects.STREAMS]
        work += [asyncio.create_task(self._report()), asyncio.create_task(self._keep_house())]
        work.append(asyncio.create_task(self._roll_up()))
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*work, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*work, stopped):
                task.cancel()
            await asyncio.gather(*work, stopped, return_exceptions=True)
            for thread in (self._writer, self._roller):
                await asyncio.to_thread(thread.shutdown, wait=True)
            await self._answers.close()
            await self._blobs.close()

    # Streams

    async def _follow(self, stream: str) -> None:
        while True:
            reader = self._readers[stream] = Reader(self._bus, stream)
            try:
                position = self._resume(stream, await reader.incarnation())
                if position.intent is not None:
                    await self._finish(stream, reader, *position.intent)
                await reader.seek(self._positions[stream].stored, self._positions[stream].mark)
                while True:
                    gathered = await self._gather(reader, self._gather_s(stream))
                    if gathered.last:
                        await self._keep(stream, gathered)
            except MadeAnewError:
                continue
            except WentBackError:
                self._go_back(stream)
            finally:
                await reader.close()

    async def _renew(self) -> None:
        for reader in self._readers.values():
            await reader.renew()

    def _resume(self, stream: str, incarnation: str) -> Position:
        """Return the position in the stream as it is now; a stream made anew begins at nothing."""
        position = self._journal.read(stream)
        if position is None or position.incarnation != incarnation:
            if position is not None:
                log.warning("history.stream_made_anew", stream=stream, stored=position.stored)
            position = Position(incarnation, taken={} if position is None else position.taken)
        self._positions[stream] = position
        return position

    def _go_back(self, stream: str) -> None:
        """Begin again: the bus has lost messages, and gateways send them again; what is stored is known by number."""
        before = self._positions[stream]
        log.error("history.stream_went_back", stream=stream, stored=before.stored)
        self._journal.write(stream, Position(before.incarnation, taken=before.taken))

    async def _finish(self, stream: str, reader: Reader, first: int, last: int) -> None:
        """Store again exactly the range whose storing may have been cut short."""
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
            await self._take(gathered, *message)
            if message[0] == last:
                break
        gathered.first, gathered.last = first, last
        await self._keep(stream, gathered)

    def _gather_s(self, stream: str) -> float:
        """Return how long to gather: people look for what they acknowledged at once, readings can wait."""
        if stream != subjects.ALARM:
            return self._settings.gather_ms / 1000
        calm = time.monotonic() - self._alarm_stored_s > ALARM_PAUSE_S
        return ALARM_GATHER_S if calm else ALARM_PAUSE_S / 2

    async def _gather(self, reader: Reader, gather_s: float) -> Gathered:
        """Gather messages for about a second, or until there are many."""
        gathered = Gathered()
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + gather_s
        while gathered.rows < self._settings.rows_max and gathered.size < BATCH_BYTES_MAX:
            message = await reader.next(ends_s - loop.time())
            if message is None:
                break
            await self._take(gathered, *message)
        return gathered

    async def _take(self, gathered: Gathered, sequence: int, message: Msg) -> None:
        stream = message.metadata.stream
        self._last_on[stream][message.subject] = sequence
        gathered.first = gathered.first or sequence
        gathered.last = sequence
        gathered.mark = mark_of(message)
        if (number := (message.headers or {}).get(subjects.SEQUENCE_HEADER, "")).isdigit():
            # What a gateway sends again after a loss may come in the other stream.
            batch = (subjects.sender(message.subject), int(number))
            if any(batch in taken for taken in self._taken.values()):
                self._repeated += 1
                return
            gathered.numbers.append(batch)
        gathered.size += len(message.data)
        gathered.sent_ms = int(message.metadata.timestamp.timestamp() * 1000)
        tenant = subjects.tenant_of(message.subject)
        try:
            if stream == subjects.ALARM:
                await self._take_event(gathered, tenant, message.data)
            else:
                await self._take_batch(gathered, sequence, message.subject, decode(message.data))
        except (DecodeError, ValidationError) as error:
            self._malformed += 1
            log.warning("history.malformed", subject=message.subject, sequence=sequence, reason=str(error)[:300])

    async def _take_batch(self, gathered: Gathered, sequence: int, subject: str, batch: SampleBatch) -> None:
        _, tenant, _, gateway = subject.split(".")
        place = self._owners.place(tenant)
        owner = self._owners.of(batch.tag)
        own = owner == place
        if not own.all() and not owner.all():
            await self._hold(tenant, lambda: bool(self._owners.of(batch.tag).all()))
            own = self._owners.of(batch.tag) == place
        number = await self._number(tenant)
        if number is None or not own.all():
            kept = batch.take(own if number is not None else np.zeros(len(batch), dtype=np.bool_))
            self._refused += len(batch) - len(kept)
            self._foreign[tenant, gateway] += len(batch) - len(kept)
            log.warning("history.refused", tenant=tenant, gateway=gateway, samples=len(batch) - len(kept))
            batch = kept
        if number is not None and len(batch):
            gathered.entries.append(Entry(sequence, number, batch, gathered.sent_ms))
            gathered.rows += len(batch)

    async def _take_event(self, gathered: Gathered, tenant: str, message: bytes) -> None:
        event = AlarmEvent.model_validate_json(message)
        number = await self._number(tenant)
        if number is None:
            self._refused += 1
            return
        row = event.model_dump(mode="json")
        row |= {"tenant": number, "time": row.pop("time_ms"), "raised": row.pop("raised_ms")}
        gathered.events.append(row)

    async def _number(self, tenant: str) -> int | None:
        if self._owners.number(tenant) is None:
            await self._hold(tenant, lambda: self._owners.number(tenant) is not None)
        return self._owners.number(tenant)

    async def _hold(self, tenant: str, known: Callable[[], bool]) -> None:
        """Wait a little for definitions on their way; a wait in vain is not repeated for a while for this tenant."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._no_hold_before_s.get(tenant, 0.0):
            return
        ends_s = loop.time() + HOLD_S
        while not known():
            if loop.time() > ends_s:
                self._no_hold_before_s[tenant] = loop.time() + HOLD_AGAIN_S
                return
            await asyncio.sleep(0.05)

    # Storing

    async def _keep(self, stream: str, gathered: Gathered) -> None:
        """Store what was gathered, again and again until it is done, and tell."""
        loop = asyncio.get_running_loop()
        while True:
            trouble = self._disk_trouble()
            if trouble is None:
                try:
                    await loop.run_in_executor(self._writer, self._write, stream, gathered)
                    break
                except MainspringError as error:
                    trouble = error.text
                except OSError as error:
                    reason = error.strerror or type(error).__name__
                    trouble = _NOT_WRITTEN.format(path=self._settings.folder, reason=reason)
            if stream not in self._trouble:
                log.error("history.not_stored", stream=stream, reason=trouble.en)
            self._trouble[stream] = trouble
            await asyncio.sleep(RETRY_S)
        if self._trouble.pop(stream, None) is not None:
            log.info("history.stores_again", stream=stream)
        if stream == subjects.ALARM:
            self._alarm_stored_s = time.monotonic()
        self._samples += gathered.rows
        if gathered.sent_ms:
            self._lag_ms = max(0, _now_ms() - gathered.sent_ms)
        await self._tell(stream)

    def _write(self, stream: str, gathered: Gathered) -> None:
        """Intent, samples, position: in this order, each on the disk before the next; runs in the writer's thread."""
        first, last = gathered.first, gathered.last
        before = self._positions[stream]
        self._journal.write(stream, replace(before, intent=(first, last)))
        began = time.perf_counter()
        if gathered.entries:
            self._store.append(before.incarnation, gathered.entries, first, last)
        if gathered.events:
            table = pa.Table.from_pylist(gathered.events, schema=EVENT_SCHEMA)
            self._store.append_events(before.incarnation, table, first, last)
        self._insert_ms = (time.perf_counter() - began) * 1000
        for sender, number in gathered.numbers:
            self._taken[stream].add(sender, number)
        position = Position(before.incarnation, last, None, gathered.mark, self._taken[stream].ranges)
        self._journal.write(stream, position)
        self._positions[stream] = position

    def _disk_trouble(self) -> Text | None:
        free = shutil.disk_usage(self._settings.folder).free
        least = self._settings.disk_free_min_bytes
        if free >= least:
            return None
        return _DISK_FULL.format(path=self._settings.folder, free=free >> 20, least=least >> 20)

    async def _tell(self, stream: str) -> None:
        if self._bus.connected:
            await self._bus.nc.publish(subjects.position(stream), str(self._positions[stream].stored).encode())

    # House-keeping

    async def _keep_house(self) -> None:
        """Drop old history, and from the streams what has been stored for longer than a replay may need."""
        loop = asyncio.get_running_loop()
        retain_at_s = 0.0
        while True:
            if loop.time() >= retain_at_s:
                retain_at_s = loop.time() + self._settings.retain_every_s
                await loop.run_in_executor(self._writer, self._retain)
            for stream in subjects.STREAMS:
                try:
                    await self._purge(stream)
                except (NatsError, TimeoutError) as error:
                    log.warning("history.not_purged", stream=stream, reason=repr(error))
            await asyncio.sleep(min(10.0, self._settings.replay_keep_s / 2))

    async def _roll_up(self) -> None:
        """Roll up what is due, and rest as long as each piece took: readings and queries come first."""
        loop = asyncio.get_running_loop()
        while True:
            pieces = self._store.roll_up(_now_ms())
            rest_s = ROLL_UP_EVERY_S
            try:
                while self._disk_trouble() is None:
                    began_s = loop.time()
                    if await loop.run_in_executor(self._roller, next, pieces, _DONE) is _DONE:
                        break
                    await asyncio.sleep(loop.time() - began_s)
            except (MainspringError, OSError) as error:
                log.error("history.not_rolled_up", reason=str(error))
                rest_s = ROLL_UP_RETRY_S
            await asyncio.sleep(rest_s)

    def _retain(self) -> None:
        settings = self._settings
        try:
            dropped = self._store.retain(_now_ms(), settings.retention_days, settings.bytes_max)
            self._size = self._store.bytes_on_disk()
        except MainspringError as error:
            log.error("history.not_retained", reason=error.text.en)
        else:
            for partition in dropped:
                log.info("history.dropped", partition=partition)
        days = settings.retention_days.get("blob", settings.retention_days.get("standard", 3650))
        self._blobs.retain(_now_ms(), days, settings.blob_bytes_max)

    async def _purge(self, stream: str) -> None:
        """Remove stored messages, but the last of each subject: its gateway asks for it when it comes back."""
        if stream not in self._positions or not self._bus.connected:
            return
        now_s = asyncio.get_running_loop().time()
        marks = self._stored_at[stream]
        marks.append((now_s, self._positions[stream].stored))
        upto = 0
        while marks and marks[0][0] <= now_s - self._settings.replay_keep_s:
            upto = marks.popleft()[1]
        if not upto:
            return
        for subject, last in self._last_on[stream].items():
            await self._bus.js.purge_stream(stream, seq=min(upto + 1, last), subject=subject)

    async def _report(self) -> None:
        process = psutil.Process()
        before, before_s = self._samples, time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            now_s = time.monotonic()
            rate = (self._samples - before) / (now_s - before_s)
            before, before_s = self._samples, now_s
            trouble = next(iter(self._trouble.values()), None)
            behind_ms, marked = self._store.rollups_behind(_now_ms())
            figures = {
                "samples_per_s": round(rate, 1),
                "samples": self._samples,
                "lag_ms": self._lag_ms,
                "set_aside": self._store.set_aside,
                "refused": self._refused,
                "malformed": self._malformed,
                "repeated": self._repeated,
                "disk_free_bytes": shutil.disk_usage(self._settings.folder).free,
                "bytes_on_disk": self._size,
                "insert_ms": round(self._insert_ms, 1),
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
                foreign=tuple(
                    Foreign(tenant=tenant, gateway=gateway, samples=samples)
                    for (tenant, gateway), samples in self._foreign.most_common(FOREIGN_MAX)
                ),
            )
            await self._bus.report(health)
            for stream in self._positions:
                await self._tell(stream)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
