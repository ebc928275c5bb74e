"""The gateway as a process: starts without the bus, polls, logs to disk, and publishes when the bus is there."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol

import psutil
import structlog
from nats.errors import Error as NatsError

from mainspring.bus.answers import Handler
from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.definitions import Definition, GatewayDefinition
from mainspring.core.drivers import DriverEntry, Host, registered
from mainspring.core.errors import MainspringError
from mainspring.core.health import (
    DEVICES_SEEN_MAX,
    ConnectionHealth,
    GatewayConnections,
    Health,
    Refusal,
    ReleaseReport,
)
from mainspring.core.tasks import ended
from mainspring.gateway.answers import Answers
from mainspring.gateway.batches import Gate, Gatherer, Writer
from mainspring.gateway.blobs import Blobs
from mainspring.gateway.clock import PlatformClock
from mainspring.gateway.commands import Commands
from mainspring.gateway.connection import Connection, now_ms
from mainspring.gateway.fleet import Fleet
from mainspring.gateway.listener import make_listener
from mainspring.gateway.marks import Marks
from mainspring.gateway.preview import Preview
from mainspring.gateway.publish import Publisher
from mainspring.gateway.segments import SegmentLog
from mainspring.gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)

BUS_RETRY_S: Final = 2.0
DRAIN_S: Final = 1.0
REPORT_S: Final = 1.0
Connect = Callable[[], Awaitable[Bus]]


class Kept(Protocol):
    """Whoever keeps a gateway on another machine running: it is told what the platform wants, and how things are."""

    def want(self, definition: GatewayDefinition) -> None:
        """Take the gateway's own definition."""

    def note(self, *, on_bus: bool, connected: int, connections: int) -> ReleaseReport:
        """Take how the gateway does, once a second; return what it runs."""


class Gateway:
    """All parts of one gateway."""

    def __init__(
        self, settings: GatewaySettings, drivers: Mapping[str, DriverEntry], keeper: Kept | None = None
    ) -> None:
        self.settings = settings
        self.keeper = keeper
        self.log = SegmentLog(
            settings.folder,
            segment_bytes=settings.segment_bytes,
            log_bytes_max=settings.log_bytes_max,
            disk_free_min_bytes=settings.disk_free_min_bytes,
        )
        self.marks = Marks(settings.folder)
        self.gate = Gate()
        self.gatherer = Gatherer(self.gate, settings.rows_waiting_max)
        self.publisher = Publisher(
            self.log,
            self.marks,
            settings.tenant,
            settings.name,
            late_after_ms=settings.late_after_ms,
            late_rows_per_s=settings.late_rows_per_s,
            outstanding_max=settings.outstanding_max,
        )
        self.writer = Writer(
            self.gatherer,
            self.gate,
            self.log,
            self.publisher.written,
            flush_ms=settings.flush_ms,
            compression=settings.compression,
        )
        self.blobs = Blobs(
            settings.folder / "blobs",
            settings.tenant,
            settings.name,
            bytes_max=settings.blob_bytes_max,
            disk_free_min_bytes=settings.disk_free_min_bytes,
        )
        self.host = Host(settings.tenant, settings.name, self.writer.kept, self.blobs.keep)
        self.listener = make_listener(settings, self.host, self.gate)
        self.fleet = Fleet(settings, drivers, self.gatherer, self.gate, self.host, self.listener)
        self.clock = PlatformClock()
        self.commands = Commands(settings, self.fleet, self.clock)
        passing = Host(settings.tenant, settings.name, parts=self.host.parts, passing=True)
        self.answers = Answers(drivers, passing)
        self.preview = Preview(drivers, passing)
        self.started_ms = now_ms()
        self._rows_before = 0

    def health(self, elapsed_s: float) -> Health:
        """Return the role's own report."""
        listening = None if self.listener is None else self.listener.hub.text
        text = self.gate.text or self.publisher.text or self.blobs.text or listening or self.clock.text
        rows, self._rows_before = self.gatherer.rows_total - self._rows_before, self.gatherer.rows_total
        now = now_ms()
        return Health(
            role="gateway",
            instance=self.settings.name,
            tenant=self.settings.tenant,
            pid=os.getpid(),
            time_ms=now,
            started_ms=self.started_ms,
            memory_bytes=psutil.Process().memory_info().rss,
            state="running" if text is None else "degraded",
            text=None if text is None else text.document(),
            figures={
                "samples_per_s": rows / elapsed_s,
                "samples_came": float(self.gatherer.came_total),
                "samples_left_out": float(self.gatherer.left_out_total),
                "samples_logged": float(self.gatherer.rows_total),
                "spool_batches": float(self.publisher.waiting),
                "spool_bytes": float(self.log.size),
                "lag_ms": float(self.publisher.lag_ms(now)),
                "behind_ms": float(self.publisher.behind_ms(now)),
                "blobs_waiting": float(self.blobs.waiting),
                "flush_ms": round(self.writer.flush_ms, 2),
                "clock_ahead_ms": round(self.clock.ahead_ms, 1),
                "disk_free_bytes": float(self.log.disk_free_bytes()),
            },
        )

    def connections(self, elapsed_s: float, *, on_bus: bool) -> GatewayConnections:
        """Return the report of all connections."""
        reports = tuple(_connection_health(connection, elapsed_s) for connection in self.fleet.connections)
        release = None
        if self.keeper is not None:
            connected = sum(report.state == "connected" for report in reports)
            release = self.keeper.note(on_bus=on_bus, connected=connected, connections=len(reports))
        return GatewayConnections(
            gateway=self.settings.name, time_ms=now_ms(), connections=reports, release=release,
            listener=self._listener_address(),
            # What is taken is told once: it must not be lost while nobody hears.
            devices=self.listener.take_seen(DEVICES_SEEN_MAX) if self.listener is not None and on_bus else {},
        )  # fmt: skip

    def _listener_address(self) -> str:
        settings = self.settings
        if self.listener is None or self.listener.hub.text is not None:
            return ""
        scheme = "mqtt" if settings.mqtt_tls_certificate is None else "mqtts"
        return f"{scheme}://{settings.mqtt_host}:{settings.mqtt_port}"

    def changed(self, key: str, definition: Definition | None) -> None:
        """Take a definition of the tenant."""
        if isinstance(definition, GatewayDefinition):
            if self.keeper is not None and definition.name == self.settings.name:
                self.keeper.want(definition)
        else:
            self.fleet.changed(key, definition)

    def close(self) -> None:
        """Close the files."""
        self.marks.close()
        self.log.close()


async def run(
    bus: Bus | Connect,
    settings: GatewaySettings,
    stop: asyncio.Event,
    drivers: Mapping[str, DriverEntry] | None = None,
    keeper: Kept | None = None,
) -> None:
    """Run a gateway until `stop` is set.

    `bus` may be a callable that connects, which is then called until it succeeds while readings already go to disk.
    Raises Conflict if the folder belongs to a running gateway.
    """
    gateway = Gateway(settings, registered() if drivers is None else drivers, keeper)
    gateway.fleet.load()
    parts = [
        asyncio.create_task(gateway.writer.run(), name="writer"),
        asyncio.create_task(gateway.fleet.run(), name="fleet"),
        asyncio.create_task(_with_bus(gateway, bus), name="bus"),
    ]
    if gateway.listener is not None:
        parts.append(asyncio.create_task(gateway.listener.run(), name="listener"))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({*parts, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        failed = [part for part in parts if part.done()]
        await _end(gateway, parts)
    for part in failed:
        # A part that ends by itself is a bug; the supervisor starts the role again.
        part.result()


async def _end(gateway: Gateway, parts: list[asyncio.Task[None]]) -> None:
    writer, fleet, bus, *listening = parts
    for listener in listening:
        await ended(listener)
    await ended(fleet)
    await gateway.fleet.stop()
    await ended(writer)
    await gateway.writer.flush()
    if not bus.done():
        with suppress(TimeoutError):
            await asyncio.wait_for(gateway.publisher.drained(), DRAIN_S)
    await ended(bus)
    gateway.close()


async def _with_bus(gateway: Gateway, bus: Bus | Connect) -> None:
    own = None
    if not isinstance(bus, Bus):
        bus = own = await _connected(bus)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(gateway.publisher.run(bus))
            tasks.create_task(gateway.blobs.run(bus))
            tasks.create_task(gateway.clock.run(bus, gateway.settings.tenant))
            tasks.create_task(_report(gateway, bus))
            tasks.create_task(_watch(gateway, bus))
            await _serve(gateway, bus)
    finally:
        if own is not None:
            await own.close()


async def _connected(connect: Connect) -> Bus:
    while True:
        try:
            return await connect()
        except MainspringError as error:
            log.warning("gateway.bus_away", reason=error.text.en)
        await asyncio.sleep(BUS_RETRY_S)


async def _serve(gateway: Gateway, bus: Bus) -> None:
    handlers: dict[str, Handler] = {
        "test": gateway.answers.test,
        "browse": gateway.answers.browse,
        "preview": gateway.preview,
        "command": gateway.commands.handle,
    }
    for verb, handler in handlers.items():
        subject = subjects.gateway(gateway.settings.tenant, gateway.settings.name, verb)
        await bus.serve(subject, handler, concurrent_max=16)


async def _watch(gateway: Gateway, bus: Bus) -> None:
    while True:
        try:
            await bus.watch_tenant(gateway.changed, gateway.settings.tenant)
        except (MainspringError, NatsError, TimeoutError) as error:
            log.warning("gateway.definitions_wait", reason=str(error) or type(error).__name__)
            await asyncio.sleep(BUS_RETRY_S)
        else:
            gateway.fleet.complete()
            return


async def _report(gateway: Gateway, bus: Bus) -> None:
    subject = subjects.connections(gateway.settings.tenant, gateway.settings.name)
    before = time.monotonic()
    while True:
        await asyncio.sleep(REPORT_S)
        now = time.monotonic()
        health = gateway.health(now - before)
        connections = gateway.connections(now - before, on_bus=bus.connected)
        before = now
        if bus.connected:
            with suppress(NatsError):
                await bus.report(health)
                await bus.nc.publish(subject, connections.model_dump_json().encode())


def _connection_health(connection: Connection, elapsed_s: float) -> ConnectionHealth:
    figures = connection.figures
    figures.second(elapsed_s)
    return ConnectionHealth(
        connection=connection.definition.id,
        name=connection.definition.name,
        state=connection.state,
        text=None if connection.text is None else connection.text.document(),
        since_ms=connection.since_ms,
        tags=len(connection.tags),
        tags_bad=connection.tags_bad(),
        samples_per_s=round(figures.samples_per_s, 1),
        requests_per_s=round(figures.requests_per_s, 1),
        errors_per_min=figures.errors_per_min,
        round_trip_ms=round(figures.round_trip_ms, 1),
        last_sample_ms=figures.last_sample_ms,
        refused=tuple(Refusal(text=text.document(), count=count) for text, count in connection.refused.items()),
    )
