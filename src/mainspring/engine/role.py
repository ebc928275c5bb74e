"""The engine as a process: reads LIVE, keeps current values and alarms, tells of transitions, answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import structlog
from pydantic import BaseModel, ConfigDict, Field

from mainspring.bus.connect import Bus
from mainspring.bus.watch import Watch
from mainspring.core import subjects
from mainspring.core.definitions import Definition, TagPage
from mainspring.core.errors import DecodeError, StoreError
from mainspring.core.health import Health
from mainspring.core.samples import decode
from mainspring.core.tasks import ended
from mainspring.core.text import Text

if TYPE_CHECKING:
    from mainspring.engine.alarms import Records
    from mainspring.engine.reader import Message

log = structlog.get_logger(__name__)

SWEEP_S: Final = 0.25
LATE_REST_S: Final = 0.05
HEALTH_S: Final = 1.0
STOP_S: Final = 3.0
ANSWER_WAIT_S: Final = 2.0
READ_AHEAD: Final = 16
RECORDED_AHEAD: Final = 500
LAG_MAX_MS: Final = 5000

_BEHIND: Final = Text(
    "The engine is {seconds:.0f} s behind the readings. It catches up by itself; if not, look at the processor.",
    "引擎落后读数 {seconds:.0f} 秒，会自行追上；若持续落后，请检查处理器负载。",
)


class EngineSettings(BaseModel):
    """Settings of the engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path = Field(description="where the snapshot of alarms and current values lies")
    instance: str = "engine"
    tags_max: int = Field(default=4_000_000, ge=1000, description="highest tag ordinal held, 64 bytes each")
    snapshot_s: float = Field(default=10.0, ge=0.1, description="time between snapshots")
    transitions_max: int = Field(default=200_000, ge=1, description="transitions in memory before reading waits")


async def run(bus: Bus, settings: EngineSettings, stop: asyncio.Event) -> None:
    """Run until `stop` is set; then write a last snapshot. Raises what makes going on impossible."""
    prepare_compiled(settings.folder)
    engine = Engine(bus, settings)
    await engine.run(stop)


def prepare_compiled(folder: Path) -> None:
    """See that compiled loops are kept, so that only the first start compiles; call before they are imported."""
    if not os.access(Path(__file__).parent, os.W_OK):
        os.environ.setdefault("NUMBA_CACHE_DIR", str(folder / "compiled"))


def now_ms() -> int:
    """Return our own clock in milliseconds UTC."""
    return time.time_ns() // 1_000_000


class Engine:
    """One engine: state, outbox, and the tasks that feed them."""

    def __init__(self, bus: Bus, settings: EngineSettings) -> None:
        # Imported here, not above: the compiled loops look for their cache when they are imported.
        from mainspring.engine.answers import Answers
        from mainspring.engine.newcomers import Newcomers
        from mainspring.engine.outbox import Outbox
        from mainspring.engine.state import PlantState

        self.bus = bus
        self.settings = settings
        self.state = PlantState(settings.tags_max)
        reasons = self.state.alarms.suppressions.reasons
        self.outbox = Outbox(bus, self.state.values.tenants, reasons, settings.transitions_max)
        self.answers = Answers(self.state, now_ms, self._record)
        self.newcomers = Newcomers(self.state, self._caught_up)
        self.position = 0
        self.recovered = False
        self._definitions: Watch
        self._file = settings.folder / "engine.snapshot"
        self._live_made = ""
        self._saved = (-1, -1)
        self._saving = asyncio.Lock()
        self._started_ms = now_ms()
        self._lag_ms = 0
        self._behind = 0
        self._malformed = 0
        self._trouble: Text | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Recover, serve and follow until `stop` is set."""
        stopped = asyncio.create_task(stop.wait())
        telling = [asyncio.create_task(each) for each in (self.outbox.run(), self._report())]
        work = asyncio.create_task(self._work())
        try:
            finished, _ = await asyncio.wait({stopped, work, *telling}, return_when=asyncio.FIRST_COMPLETED)
            for task in finished - {stopped}:
                task.result()
            await ended(work)
            await self._stop()
        finally:
            await ended(work, stopped, *telling)

    async def _work(self) -> None:
        self._definitions = await self.bus.watch_definitions(self._on_definition)
        await self._recover()
        await self.bus.serve("ms.*.current", self.answers.current, queue="engine")
        await self.bus.serve("ms.*.alarms.*", self.answers.alarms, queue="engine")
        self.recovered = True
        asking = self.newcomers.run(self._come)
        await asyncio.gather(self._follow(), self._follow_late(), self._sweep(), self._save_regularly(), asking)

    def _on_definition(self, key: str, definition: Definition | None) -> None:
        self.outbox.put(self.position, self.state.define(key, definition, now_ms()))
        if isinstance(definition, TagPage):
            self.newcomers.defined()

    async def _caught_up(self) -> None:
        await self._definitions.caught_up()

    def _come(self) -> None:
        self.outbox.put(self.position, self.newcomers.come())

    async def _recover(self) -> None:
        """Come from the last snapshot to the present end of LIVE."""
        from mainspring.engine import snapshot
        from mainspring.engine.reader import read
        from mainspring.engine.recovery import Recovery

        saved = None
        try:
            saved = await asyncio.to_thread(snapshot.load, self._file)
        except StoreError as error:
            log.error("engine.without_snapshot", text=str(error))
        live = await self.bus.js.stream_info(subjects.LIVE)
        alarm = await self.bus.js.stream_info(subjects.ALARM)
        self._live_made = str(live.created)
        standing = snapshot.restore(self.state, saved) if saved is not None else []
        if saved is not None and saved.live_made == self._live_made and saved.live <= live.state.last_seq:
            self.position = saved.live
        else:
            self.position = max(0, live.state.first_seq - 1)
        self.outbox.sequence = saved.alarm if saved is not None else 0
        if self.outbox.sequence > alarm.state.last_seq:
            # The stream of alarms was made anew.
            self.outbox.sequence = 0
        recorded = _until(
            read(self.bus, subjects.ALARM, subjects.ALARM_ALL, self.outbox.sequence + 1, RECORDED_AHEAD),
            self.outbox.sequence,
            alarm.state.last_seq,
        )
        recovery = Recovery(self.state, self.outbox, recorded, standing)
        await recovery.start(self.position)
        messages = read(self.bus, subjects.LIVE, "ms.*.live.*", self.position + 1, READ_AHEAD)
        first = self.position
        async for message in _until(messages, self.position, live.state.last_seq):
            events = self._take(message)
            self.position = message.sequence
            await recovery.after(message.sequence, events)
        await recovery.finish(self.position, now_ms())
        self.outbox.put(self.position, self.state.judge_all(now_ms()))
        log.info(
            "engine.recovered", snapshot=saved is not None, first=first + 1, last=self.position, redone=recovery.redone
        )

    async def _follow(self) -> None:
        from mainspring.engine.reader import read

        async for message in read(self.bus, subjects.LIVE, "ms.*.live.*", self.position + 1, READ_AHEAD):
            # Transitions are never dropped: while too many wait for the stream of alarms, readings wait in theirs.
            await self.outbox.room()
            events = self._take(message)
            self.position = message.sequence
            self.outbox.put(self.position, events)
            self._lag_ms = max(0, now_ms() - message.arrival_ms)
            self._behind = message.behind
            await asyncio.sleep(0)

    async def _follow_late(self) -> None:
        """Take current values from LATE, for a tag whose last reading came after a cut.

        From what the stream still holds: an older value changes nothing, so no place in it is kept.
        """
        from mainspring.engine.reader import read

        async for message in read(self.bus, subjects.LATE, "ms.*.late.*", 1, READ_AHEAD):
            await self.outbox.room()
            self.outbox.put(self.position, self._take(message, late=True))
            # What is fresh goes first.
            await asyncio.sleep(LATE_REST_S if self._behind else 0)

    def _take(self, message: Message, *, late: bool = False) -> Records:
        from mainspring.engine import kernels
        from mainspring.engine.state import NO_EVENTS

        try:
            batch = decode(message.payload)
        except DecodeError as error:
            self._malformed += 1
            log.warning("engine.malformed_batch", subject=message.subject, sequence=message.sequence, text=str(error))
            return NO_EVENTS
        self._come()
        take = self.state.update_late if late else self.state.update
        origin = (batch, subjects.tenant_of(message.subject), message.sequence, message.arrival_ms)
        refused = self.state.counts[kernels.FOREIGN]
        events = take(*origin)
        if late or self.state.counts[kernels.FOREIGN] > refused:
            self.newcomers.hear(*origin, late=late)
        return events

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await self.outbox.room()
            self._come()
            self.outbox.put(self.position, self.state.sweep(now_ms()))

    async def _record(self, events: Records, by: str, comment: str, until_ms: int | None) -> None:
        """Send a person's transitions; wait until they are recorded, but not for ever behind a flood."""
        ticket = self.outbox.put(self.position, events, by, comment, until_ms)
        try:
            await asyncio.wait_for(self.outbox.settled(ticket), ANSWER_WAIT_S)
        except TimeoutError:
            log.warning("engine.person_waits", waiting=self.outbox.waiting)

    async def _save_regularly(self) -> None:
        while True:
            # What waits for its definition is in no snapshot.
            await self.newcomers.settled()
            started = time.monotonic()
            try:
                await self._save()
                self._trouble = None
            except StoreError as error:
                log.error("engine.snapshot_failed", text=str(error))
                self._trouble = error.text
            # A large plant is written less often: never more than a twentieth of the time.
            took_s = time.monotonic() - started
            await asyncio.sleep(max(self.settings.snapshot_s, 20 * took_s))

    async def _save(self) -> None:
        """Write a snapshot once all transitions before it are recorded; nothing to do if nothing happened."""
        from mainspring.engine import snapshot

        async with self._saving:
            ticket = self.outbox.put_count
            if not self.recovered or len(self.newcomers) or self._saved == (self.position, ticket):
                return
            copy = snapshot.take(self.state, self.position, self._live_made)
            alarm = await self.outbox.settled(ticket)
            writing = asyncio.ensure_future(asyncio.to_thread(snapshot.write, self._file, copy, alarm))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                # The thread goes on by itself; the next one must not write the same file beside it.
                await writing
                raise
            self._saved = (copy.live, ticket)

    async def _stop(self) -> None:
        try:
            await asyncio.wait_for(self._save(), STOP_S)
        except (TimeoutError, StoreError) as error:
            # The last snapshot and the streams bring the next start to the same place.
            log.warning("engine.stopped_without_snapshot", reason=str(error) or type(error).__name__)

    async def _report(self) -> None:
        process = psutil.Process()
        taken, at = 0, time.monotonic()
        while True:
            await asyncio.sleep(HEALTH_S)
            total, now = int(self.state.counts.sum()), time.monotonic()
            rate, taken, at = (total - taken) / (now - at), total, now
            await self.bus.report(self._health(rate, process.memory_info().rss))

    def _health(self, samples_per_s: float, memory_bytes: int) -> Health:
        from mainspring.engine import kernels

        active, unacknowledged = self.state.alarms.counts()
        counts = self.state.counts
        trouble = self.outbox.trouble or self._trouble
        if trouble is None and self._behind and self._lag_ms > LAG_MAX_MS:
            trouble = _BEHIND.format(seconds=self._lag_ms / 1000)
        figures = {
            "samples_per_s": samples_per_s,
            "lag_ms": self._lag_ms,
            "messages_behind": self._behind,
            "tags": self.state.values.owned,
            "alarm_definitions": self.state.alarms.defined,
            "alarms_active": active,
            "alarms_unacknowledged": unacknowledged,
            "transitions": self.outbox.put_count,
            "transitions_waiting": self.outbox.waiting,
            "samples_refused": counts[kernels.FOREIGN],
            "samples_mismatched": counts[kernels.MISMATCHED],
            "samples_impossible": counts[kernels.IMPOSSIBLE],
            "samples_late": counts[kernels.LATE],
            "samples_waiting": len(self.newcomers),
            "samples_given_up": self.newcomers.given_up,
            "batches_malformed": self._malformed,
        }
        degraded = "degraded" if trouble is not None else "running"
        return Health(
            role="engine",
            instance=self.settings.instance,
            pid=os.getpid(),
            time_ms=now_ms(),
            started_ms=self._started_ms,
            memory_bytes=memory_bytes,
            state=degraded if self.recovered else "starting",
            text=trouble.document() if trouble is not None else None,
            figures={name: float(value) for name, value in figures.items()},
        )


async def _until(messages: AsyncGenerator[Message, None], position: int, last: int) -> AsyncIterator[Message]:
    """Yield messages after `position` up to and including sequence `last`."""
    if position >= last:
        return
    async with aclosing(messages):
        async for message in messages:
            if message.sequence <= last:
                yield message
            if message.sequence >= last:
                return
