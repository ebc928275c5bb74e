"""One connection's life: connect with back-off, poll or subscribe, and say at once when contact is lost.

A connection is a task of its own; every call into a driver has a time limit, and whatever a driver raises ends at worst
this contact. Losing contact, pausing and stopping give every tag one bad sample with its last value.
"""

from __future__ import annotations

import asyncio
import random
import time as clock
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from typing import Any, Final, Literal, TypeVar, cast

import numpy as np
import structlog
from pydantic import ValidationError

from mainspring.core import quality as q
from mainspring.core.definitions import ConnectionDefinition, TagDefinition
from mainspring.core.drivers import Driver, DriverEntry, DriverTag, Host, Subscribes, WritesAmidReading
from mainspring.core.errors import DecodeError, MainspringError, NotConnected, Rejected
from mainspring.core.faults import words
from mainspring.core.kinds import Origin
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.gateway.batches import Gate, Gatherer
from mainspring.gateway.figures import Figures
from mainspring.gateway.report import Reports
from mainspring.gateway.schedule import ScanClass, scan_classes
from mainspring.gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)

State = Literal["connected", "connecting", "lost", "rejected", "disabled"]
Answer = TypeVar("Answer")
_NO_CONTACT: Final = {"connecting", "lost", "rejected"}
BACK_OFF_FIRST_S: Final = 1.0
BACK_OFF_GROWTH: Final = 1.5
BACK_OFF_MAX_S: Final = 60.0
REJECTED_RETRY_S: Final = 300.0
CLOSE_TIMEOUT_S: Final = 2.0
CANCEL_GRACE_S: Final = 1.0
READ_ENDS_S: Final = 0.5
SUBSCRIBED_LOOK_S: Final = 1.0
SAME_COMPLAINT_S: Final = 60.0
FUTURE_MAX_MS: Final = 60_000
PAST_MAX_MS: Final = 3_600_000

_UNKNOWN_DRIVER: Final = Text(
    "{name}: there is no driver {driver!r}. Installed drivers: {known}.",
    "{name}：没有名为 {driver!r} 的驱动。已安装：{known}。",
)
_SETTINGS: Final = Text(
    "{name}: the setting {where} is wrong ({reason}). Correct it in the connection.",
    "{name}：设置 {where} 有误（{reason}）。请在连接中修改。",
)
_ADDRESS: Final = Text(
    "{name}: {count} tags have a wrong address, first {tag}: {where} ({reason}). Correct it in the tag.",
    "{name}：{count} 个测点地址有误，首个为 {tag}：{where}（{reason}）。请在测点中修改。",
)
_SLOW: Final = Text(
    "{name} did not finish {what} within {seconds:g} s; the connection is made anew.",
    "{name} 未能在 {seconds:g} 秒内完成{what}；将重新连接。",
)
_TOGETHER: Final = Text("settings", "设置")
_CONNECTING: Final = Text("connecting", "连接")
_READING: Final = Text("reading", "读取")
_ENDED: Final = Text("{name} ended the subscription; the connection is made anew.", "{name} 结束了订阅；将重新连接。")
_BROKEN: Final = Text(
    "The driver of {name} failed inside ({reason}); the connection is made anew. The gateway's log has the details.",
    "{name} 的驱动内部出错（{reason}）；将重新连接。详见网关日志。",
)
_CLOCK: Final = Text(
    "The clock of {name} is {seconds:.0f} s ahead; the gateway's time is used. Set the clock of the device.",
    "{name} 的时钟快 {seconds:.0f} 秒；已改用网关时间。请校准设备时钟。",
)


def now_ms() -> int:
    """Return the time in milliseconds UTC."""
    return clock.time_ns() // 1_000_000


class Paused(Exception):
    """The gateway takes no readings in for now; the text says why."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


async def limited(work: Coroutine[Any, Any, Answer], seconds: float) -> Answer:
    """Await driver work for a limited time; work that ignores being cancelled is left behind.

    Raises TimeoutError.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_GRACE_S)
            task.add_done_callback(_swallow)


def _swallow(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()


def first_fault(error: ValidationError) -> tuple[str | Text, Text]:
    """Return path and reason of the first thing pydantic found; a Text as path where it is all of it together."""
    fault = error.errors(include_url=False, include_input=False)[0]
    reason = words(fault)
    where = ".".join(str(part) for part in fault["loc"]) or _TOGETHER
    return where, Text(reason.en.rstrip("."), reason.zh.rstrip("。"))


def make_driver(
    name: str | Text, driver: str, settings: Mapping[str, Any], drivers: Mapping[str, DriverEntry], host: Host
) -> Driver:
    """Make a driver with checked settings, without I/O; raises Rejected."""
    entry = drivers.get(driver)
    if entry is None:
        known = ", ".join(sorted(drivers)) or "-"
        raise Rejected(_UNKNOWN_DRIVER, name=name, driver=driver, known=known)
    kind = entry.load()
    try:
        made = kind(kind.Config.model_validate(settings))
    except ValidationError as error:
        where, reason = first_fault(error)
        raise Rejected(_SETTINGS, name=name, where=where, reason=reason) from error
    made.host = host
    return made


class Connection:
    """Runs one connection; `run` is its task."""

    def __init__(
        self,
        definition: ConnectionDefinition,
        tags: Sequence[TagDefinition],
        drivers: Mapping[str, DriverEntry],
        gatherer: Gatherer,
        gate: Gate,
        settings: GatewaySettings,
        host: Host,
        before: Connection | None = None,
    ) -> None:
        self.definition = definition
        self.tags = {tag.ordinal: tag for tag in tags if tag.enabled}
        self.figures = Figures()
        self.driver: Driver | None = None
        self.refused: dict[Text, int] = {}
        self.state: State = "connecting"
        self.text: Text | None = None
        self.since_ms = now_ms()
        self._reading = asyncio.Lock()
        self._commanding = asyncio.Lock()
        self._drivers = drivers
        self._gatherer = gatherer
        self._gate = gate
        self._settings = settings
        self._host = replace(host, kept=self._all_kept, late=self._late)
        self._gateway_kept = host.kept
        self._dropped: Text | None = None
        self._changed = asyncio.Event()
        self._reports: Reports = self._new_reports(None if before is None else before._reports)
        self.spread_ms = 0.0
        """The time over which this connection and others are read after a tick."""
        self._place = definition.id.int % 1009 / 1009
        self._complained: tuple[str, float] = ("", 0.0)
        self._attempts = 0
        self._bad_addresses: Text | None = None

    async def run(self) -> None:
        """Keep in contact until cancelled."""
        if not self.definition.enabled:
            self._set_state("disabled", None)
            self._mark(q.BAD_OUT_OF_SERVICE)
            await asyncio.Event().wait()
        self._gatherer.put(self._reports.mark_new(q.BAD_WAITING, now_ms()))
        while True:
            try:
                await self._contact()
            except Paused as pause:
                self._lose("lost", pause.text)
                await self._gate.wait_open()
            except Rejected as error:
                self._lose("rejected", error.text)
                await asyncio.sleep(REJECTED_RETRY_S)
            except MainspringError as error:
                self._lose("lost", error.text)
                await self._back_off()
            except Exception as error:
                log.exception("connection.driver_failed", connection=self.definition.name)
                self._lose("lost", _BROKEN.format(name=self.definition.name, reason=type(error).__name__))
                await self._back_off()

    def retag(self, tags: Sequence[TagDefinition]) -> None:
        """Take a changed list of tags; contact is kept."""
        enabled = {tag.ordinal: tag for tag in tags if tag.enabled}
        gone = self.tags.keys() - enabled.keys()
        self._gatherer.put(self._reports.mark_tags(gone, q.BAD_OUT_OF_SERVICE, now_ms()))
        self.tags = enabled
        self._reports = self._new_reports(self._reports)
        quality = {"connected": q.BAD_WAITING, "connecting": q.BAD_WAITING, "disabled": q.BAD_OUT_OF_SERVICE}
        self._gatherer.put(self._reports.mark_new(quality.get(self.state, q.BAD_NOT_CONNECTED), now_ms()))
        self._changed.set()

    async def settle(self) -> None:
        """Before the task is ended: wait a moment for the read under way; none follows it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(READ_ENDS_S):
                await self._reading.acquire()

    def end(self, quality: int) -> None:
        """Give every tag its last, bad sample; called when the task has ended."""
        self._mark(quality)

    def tags_bad(self) -> int:
        """Count tags without a usable value."""
        return self._reports.tags_bad()

    def driver_tag(self, tag: TagDefinition) -> DriverTag:
        """Return a tag as the driver sees it; raises ValidationError for a wrong address."""
        address = self._drivers[self.definition.driver].load().Address
        return DriverTag(tag.ordinal, tag.kind, address.model_validate(tag.address), tag.writable)

    @asynccontextmanager
    async def in_contact(self) -> AsyncIterator[Driver]:
        """Have the driver for one command; raises NotConnected while there is no contact.

        Between two reads, or in the middle of one where the driver lets writing pass.
        """
        async with self._commanding, nullcontext() if isinstance(self.driver, WritesAmidReading) else self._reading:
            if self.driver is None or self.state != "connected":
                raise NotConnected(self.text or _ENDED.format(name=self.definition.name))
            yield self.driver

    async def _contact(self) -> None:
        """Hold contact; ends by raising only."""
        if self._gate.text is not None:
            raise Paused(self._gate.text)
        definition = self.definition
        driver = make_driver(definition.name, definition.driver, definition.settings, self._drivers, self._host)
        self._dropped = None
        if self.state != "rejected":
            self._set_state("connecting", self.text)
        self.figures.follow(driver)
        # Counts go on over a new contact.
        driver.refused = self.refused
        try:
            await self._in_time(driver.connect(), self._settings.connect_timeout_ms, _CONNECTING)
            self.driver = driver
            self._set_state("connected", None)
            if isinstance(driver, Subscribes):
                await self._subscribe(driver)
            else:
                await self._poll(driver)
        finally:
            self.driver = None
            try:
                await limited(driver.close(), CLOSE_TIMEOUT_S)
            except Exception as error:
                log.warning("connection.close_failed", connection=self.definition.name, reason=str(error))

    async def _poll(self, driver: Driver) -> None:
        classes = self._classes(driver, read_now=True)
        while True:
            if self._gate.text is not None:
                raise Paused(self._gate.text)
            if self._changed.is_set():
                self._changed.clear()
                classes = self._classes(driver, read_now=True)
            following = min(classes, key=lambda scan: scan.tick_ms, default=None)
            delay_ms = 60_000 if following is None else self._due_ms(following) - now_ms()
            if delay_ms > 0:
                await _either(self._changed, delay_ms / 1000)
            elif following is not None:
                async with self._reading:
                    await self._read(driver, following)
                following.advance(now_ms())

    def _due_ms(self, scan: ScanClass) -> float:
        """Return when to read: at the tick, or among many connections a little later, each at a place of its own."""
        if scan.tick_ms % scan.scan_ms:
            return scan.tick_ms
        spread_ms = min(self.spread_ms, scan.tolerance_ms(self._settings.tick_tolerance_ms) / 2)
        return scan.tick_ms + spread_ms * self._place

    async def _read(self, driver: Driver, scan: ScanClass) -> None:
        tick_ms = scan.tick_ms
        reports = self._reports
        reports.round += 1
        try:
            batches = await self._in_time(driver.read(scan.prepared, tick_ms), self._settings.read_timeout_ms, _READING)
            for batch in batches:
                _check(batch)
        except DecodeError as error:
            self._complain(error.text)
            batches = []
        ended_ms = now_ms()
        if reports is not self._reports:
            return
        late = ended_ms - tick_ms > scan.tolerance_ms(self._settings.tick_tolerance_ms)
        for batch in batches:
            time = np.where(batch.time == tick_ms, ended_ms, batch.time) if late else batch.time
            self._take(replace(batch, time=time))
        # What was asked and not answered must not stay good.
        for column, rows in scan.rows.items():
            reporter = reports.by_column[column]
            absent = reporter.missing(rows, reports.round)
            if len(absent):
                self._gatherer.put(reporter.mark(q.BAD_COMMUNICATION, ended_ms, absent))
        if batches:
            self._attempts = 0

    async def _subscribe(self, subscriber: Subscribes) -> None:
        while True:
            self._changed.clear()
            tags = [tag for _, tag in self._driver_tags()]
            work = subscriber.subscribe(tags, self._delivered) if tags else asyncio.Event().wait()
            task: asyncio.Future[Any] = asyncio.ensure_future(work)
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                while not changed.done():
                    await asyncio.wait({task, changed}, timeout=SUBSCRIBED_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                    if task.done():
                        task.result()
                        raise NotConnected(_ENDED, name=self.definition.name)
                    if self._gate.text is not None:
                        raise Paused(self._gate.text)
                    self._gatherer.put(self._reports.silent(now_ms()))
            finally:
                changed.cancel()
                task.cancel()
                await asyncio.wait({task}, timeout=CANCEL_GRACE_S)
                task.add_done_callback(_swallow)

    def _delivered(self, batch: SampleBatch) -> None:
        """Take changes with the device's times; impossible ones are replaced by the time of arrival."""
        if not self._gate.open:
            self._dropped = self._gate.text
            return
        _check(batch)
        arrived_ms = now_ms()
        ahead_ms = int(batch.time.max(initial=0)) - arrived_ms
        wrong = (batch.time > arrived_ms + FUTURE_MAX_MS) | (batch.time < arrived_ms - PAST_MAX_MS)
        if wrong.any():
            batch = replace(batch, time=np.where(wrong, arrived_ms, batch.time))
        if ahead_ms > FUTURE_MAX_MS:
            self._complain(_CLOCK.format(name=self.definition.name, seconds=ahead_ms / 1000))
        self._attempts = 0
        self._take(batch, own_times=True)

    def _late(self, batch: SampleBatch) -> None:
        """Take samples that a device kept for us: scaled, with their own times, without report by exception."""
        if not self._gate.open:
            self._dropped = self._gate.text
            return
        _check(batch)
        believable = (batch.time > 0) & (batch.time <= now_ms() + FUTURE_MAX_MS)
        scaled, foreign = self._reports.late(batch.take(believable))
        self.figures.count(len(batch), foreign, now_ms())
        self._gatherer.put_reported(sum(map(len, scaled)), scaled)

    async def _all_kept(self) -> None:
        """Return once all that was delivered is in the log; raises NotConnected if some of it was not taken."""
        if self._dropped is not None:
            raise NotConnected(self._dropped)
        await self._gateway_kept()

    def _take(self, batch: SampleBatch, *, own_times: bool = False) -> None:
        reported, foreign = self._reports.apply(batch, own_times=own_times)
        self.figures.count(len(batch), foreign, now_ms())
        self._gatherer.put_reported(len(batch) - foreign, reported)

    def _classes(self, driver: Driver, *, read_now: bool) -> list[ScanClass]:
        tags = [(self.tags[tag.ordinal].scan_ms, tag) for _, tag in self._driver_tags()]
        return scan_classes(driver, tags, self._reports, now_ms(), read_now)

    def _driver_tags(self) -> list[tuple[TagDefinition, DriverTag]]:
        """Return the tags with valid addresses; the others become bad and are named in the health."""
        good: list[tuple[TagDefinition, DriverTag]] = []
        faults: list[tuple[TagDefinition, ValidationError]] = []
        for tag in self.tags.values():
            try:
                good.append((tag, self.driver_tag(tag)))
            except ValidationError as error:
                faults.append((tag, error))
        if faults:
            wrong = {tag.ordinal for tag, _ in faults}
            self._gatherer.put(self._reports.mark_tags(wrong, q.BAD_CONFIGURATION, now_ms()))
            where, reason = first_fault(faults[0][1])
            self._complain(
                _ADDRESS.format(
                    name=self.definition.name, count=len(faults), tag=faults[0][0].name, where=where, reason=reason
                )
            )
        return good

    def _new_reports(self, before: Reports | None) -> Reports:
        origin = Origin.REPLAYED if self.definition.replayed else None
        return Reports(list(self.tags.values()), origin, before)

    async def _in_time(self, work: Coroutine[Any, Any, Answer], limit_ms: int, what: Text) -> Answer:
        try:
            return await limited(work, limit_ms / 1000)
        except TimeoutError as error:
            name = self.definition.name
            raise NotConnected(_SLOW, name=name, what=what, seconds=limit_ms / 1000) from error

    async def _back_off(self) -> None:
        longest = min(BACK_OFF_MAX_S, BACK_OFF_FIRST_S * BACK_OFF_GROWTH ** min(self._attempts, 12))
        self._attempts += 1
        # Jitter, so that devices behind one switch are not all asked at the same moment.
        await asyncio.sleep(max(BACK_OFF_FIRST_S, longest * random.uniform(0.5, 1.0)))  # noqa: S311

    def _lose(self, state: State, text: Text) -> None:
        self._complain(text)
        self._set_state(state, text)
        self._mark(q.BAD_NOT_CONNECTED)

    def _mark(self, quality: int) -> None:
        self._gatherer.put(self._reports.mark(quality, now_ms()))

    def _set_state(self, state: State, text: Text | None) -> None:
        if state != self.state:
            # Each new attempt passes through `connecting`: what people ask is since when there is no contact.
            if not {state, self.state} <= _NO_CONTACT:
                self.since_ms = now_ms()
            log.info("connection.state", connection=self.definition.name, state=state)
        self.state = state
        self.text = text

    def _complain(self, text: Text) -> None:
        """Count an error and log it, the same one at most once a minute."""
        self.figures.errors += 1
        self.text = text
        now_s = clock.monotonic()
        if self._complained[0] != text.en or now_s - self._complained[1] > SAME_COMPLAINT_S:
            self._complained = (text.en, now_s)
            log.warning("connection.error", connection=self.definition.name, reason=text.en)


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event or a time, whichever is first."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _check(batch: SampleBatch) -> None:
    """Refuse columns of different lengths or types: a bug of a driver must not spoil other devices' batches."""
    rows = len(batch.tag)
    kinds = {"float64": np.float64, "int64": np.int64, "text": np.object_}
    columns = (
        (batch.tag, np.uint32), (batch.time, np.int64), (batch.value, kinds[batch.column]),
        (batch.quality, np.uint8), (batch.origin, np.uint8),
    )  # fmt: skip
    for values, kind in columns:
        if len(values) != rows or cast(Any, values).dtype != kind:
            message = f"a column of a {batch.column} batch is {cast(Any, values).dtype}, {len(values)} of {rows} rows"
            raise TypeError(message)
