"""All connections of a gateway, kept as the definitions say, also across a start without the bus.

Definitions arrive by callback and what changed is applied a tenth of a second later, each connection by itself. Those
that concern this gateway lie in `definitions.json` (readable by its owner
alone, it holds passwords), from which polling starts while the bus is away.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from mainspring.core import quality as q
from mainspring.core.definitions import (
    ConnectionDefinition,
    Definition,
    DeviceDefinition,
    TagDefinition,
    TagPage,
    connection_key,
    device_key,
    parse,
)
from mainspring.core.drivers import DriverEntry, Host
from mainspring.core.files import replace_file
from mainspring.gateway.batches import Gate, Gatherer
from mainspring.gateway.connection import Connection
from mainspring.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from mainspring.drivers.mqtt_listener import Listener

log = structlog.get_logger(__name__)

SETTLE_S: Final = 0.1
STOP_S: Final = 2.0
TOGETHER: Final = 25
"""Connections started at once: a thousand at the same moment would wait for each other until their time is over."""
TOGETHER_S: Final = 0.02
SPREAD_MS: Final = 0.25
"""Over so much time for each connection the reads of one tick are spread: what one read costs."""
COLLECT_AFTER: Final = (20_000, 20, 20)
"""Objects between two searches for garbage, by generation: messages on their way are thousands, and none is garbage."""
SET_ASIDE_S: Final = 60.0
"""How often at most definitions are set aside from the search for garbage."""


@dataclass(slots=True)
class _Page:
    """A page of tags: packed, for connections that may become ours, and unpacked where they are ours."""

    packed: bytes
    connections: frozenset[UUID]
    own: dict[UUID, list[TagDefinition]]


@dataclass(slots=True)
class _Running:
    connection: Connection
    task: asyncio.Task[None]
    tags: list[TagDefinition]


class Fleet:
    """Starts, changes and ends connections."""

    def __init__(
        self,
        settings: GatewaySettings,
        drivers: Mapping[str, DriverEntry],
        gatherer: Gatherer,
        gate: Gate,
        host: Host,
        listener: Listener | None = None,
    ) -> None:
        self._host = host
        self._listener = listener
        self._settings = settings
        self._drivers = drivers
        self._gatherer = gatherer
        self._gate = gate
        self._definitions: dict[UUID, ConnectionDefinition] = {}
        self._pages: dict[str, _Page] = {}
        self._devices: dict[str, DeviceDefinition] = {}
        self._running: dict[UUID, _Running] = {}
        self._stirred = asyncio.Event()
        self._file = settings.folder / "definitions.json"
        self._cached: set[str] = set()
        self._set_aside_s = -SET_ASIDE_S

    @property
    def connections(self) -> Iterable[Connection]:
        """All connections of this gateway."""
        return [running.connection for running in self._running.values()]

    def get(self, connection: UUID) -> Connection | None:
        """Return one connection."""
        running = self._running.get(connection)
        return None if running is None else running.connection

    def load(self) -> None:
        """Take the definitions of the last run, until the bus gives the present ones."""
        with suppress(FileNotFoundError):
            try:
                documents = json.loads(self._file.read_text())
                for key, document in documents.items():
                    self.changed(key, parse(key, json.dumps(document).encode()))
                    self._cached.add(key)
            except ValueError as error:
                log.error("fleet.cache_unreadable", file=str(self._file), reason=str(error))

    def changed(self, key: str, definition: Definition | None) -> None:
        """Take one definition, or None for one that was withdrawn."""
        self._cached.discard(key)
        if isinstance(definition, ConnectionDefinition):
            known = self._definitions.get(definition.id)
            if definition.gateway == self._settings.name:
                self._definitions[definition.id] = definition
                if known is None:
                    self._unpack(definition.id)
            else:
                self._forget(definition.id)
        elif isinstance(definition, TagPage):
            self._take_page(key, definition)
        elif isinstance(definition, DeviceDefinition):
            self._take_device(key, definition)
        elif definition is None:
            self._pages.pop(key, None)
            self._shut_out(key)
            for known in list(self._definitions.values()):
                if key == connection_key(known.tenant, known.id):
                    self._forget(known.id)
        self._stirred.set()

    def complete(self) -> None:
        """Forget what the last run knew and the bus, having given everything, no longer has."""
        for key in list(self._cached):
            self.changed(key, None)

    async def run(self) -> None:
        """Apply changes until cancelled."""
        gc.set_threshold(*COLLECT_AFTER)
        if not self._definitions:
            self._begun()
        while True:
            await self._stirred.wait()
            await asyncio.sleep(SETTLE_S)
            self._stirred.clear()
            await self._apply()
            # By then each of them has taken its first step.
            await asyncio.sleep(TOGETHER_S)
            self._begun()
            self._set_aside()
            await asyncio.to_thread(self._save, self._documents())

    def _begun(self) -> None:
        if self._listener is not None and self._listener.begun is not None:
            self._listener.begun.set()

    def _set_aside(self) -> None:
        """Keep the collector from searching definitions again and again: 100,000 tags take it half a second."""
        if time.monotonic() - self._set_aside_s < SET_ASIDE_S:
            return
        self._set_aside_s = time.monotonic()
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    async def stop(self) -> None:
        """End all connections; every tag gets a last sample that says so."""
        await self._end(list(self._running), q.BAD_NOT_CONNECTED)

    def _take_page(self, key: str, page: TagPage) -> None:
        mentioned = frozenset(tag.connection for tag in page.tags if tag.connection is not None)
        packed = zlib.compress(page.model_dump_json().encode(), 1)
        self._pages[key] = _Page(packed, mentioned, _by_connection(page, mentioned & self._definitions.keys()))

    def _take_device(self, key: str, device: DeviceDefinition) -> None:
        """Let a device in or change its rights at once; a connected one must not keep what it no longer has."""
        own = (self._settings.tenant, self._settings.name)
        if (device.tenant, device.gateway) != own or device_key(device.tenant, device.id) != key:
            self._shut_out(key)
            return
        self._devices[key] = device
        if self._listener is not None:
            self._listener.define(device)

    def _shut_out(self, key: str) -> None:
        device = self._devices.pop(key, None)
        if device is not None and self._listener is not None:
            self._listener.withdraw(device.id)

    def _unpack(self, connection: UUID) -> None:
        for page in self._pages.values():
            if connection in page.connections:
                whole = TagPage.model_validate_json(zlib.decompress(page.packed))
                page.own.update(_by_connection(whole, frozenset({connection})))

    def _forget(self, connection: UUID) -> None:
        self._definitions.pop(connection, None)
        for page in self._pages.values():
            page.own.pop(connection, None)

    def _tags(self, connection: UUID) -> list[TagDefinition]:
        return [tag for page in self._pages.values() for tag in page.own.get(connection, ())]

    async def _apply(self) -> None:
        gone = [known for known in self._running if known not in self._definitions]
        await self._end(gone, q.BAD_OUT_OF_SERVICE)
        renewed = [
            known
            for known, running in self._running.items()
            # One may have been withdrawn while others were ending; the next round ends it.
            if known in self._definitions and _differs(running.connection.definition, self._definitions[known])
        ]
        before = {known: self._running[known].connection for known in renewed}
        await self._end(renewed, q.BAD_NOT_CONNECTED)
        for each in self._running.values():
            each.connection.spread_ms = SPREAD_MS * len(self._definitions)
        started = 0
        for known in list(self._definitions):
            definition = self._definitions.get(known)
            if definition is None:
                continue
            tags = self._tags(known)
            running = self._running.get(known)
            if running is None:
                self._start(definition, tags, before.get(known))
                started += 1
                if started % TOGETHER == 0:
                    await asyncio.sleep(TOGETHER_S)
            elif running.tags != tags:
                running.tags = tags
                running.connection.retag(tags)

    def _start(self, definition: ConnectionDefinition, tags: list[TagDefinition], before: Connection | None) -> None:
        connection = Connection(
            definition, tags, self._drivers, self._gatherer, self._gate, self._settings, self._host, before
        )
        connection.spread_ms = SPREAD_MS * len(self._definitions)
        task = asyncio.create_task(connection.run(), name=f"connection {definition.name}")
        self._running[definition.id] = _Running(connection, task, tags)

    async def _end(self, known: list[UUID], quality: int) -> None:
        ending = [self._running.pop(connection) for connection in known]
        try:
            await asyncio.gather(*(running.connection.settle() for running in ending))
        finally:
            for running in ending:
                running.task.cancel()
        if ending:
            _, hanging = await asyncio.wait({running.task for running in ending}, timeout=STOP_S)
            for task in hanging:
                log.warning("fleet.connection_hangs", task=task.get_name())
        for running in ending:
            running.connection.end(quality)

    def _documents(self) -> dict[str, str]:
        found = {
            connection_key(known.tenant, known.id): known.model_dump_json() for known in self._definitions.values()
        }
        found |= {key: device.model_dump_json() for key, device in self._devices.items()}
        found |= {key: zlib.decompress(page.packed).decode() for key, page in self._pages.items() if page.own}
        return found

    def _save(self, documents: dict[str, str]) -> None:
        body = ",".join(f"{json.dumps(key)}:{document}" for key, document in documents.items())
        try:
            replace_file(self._file, f"{{{body}}}".encode())
        except OSError as error:
            log.warning("fleet.cache_not_written", reason=str(error))


def _by_connection(page: TagPage, wanted: frozenset[UUID]) -> dict[UUID, list[TagDefinition]]:
    found: dict[UUID, list[TagDefinition]] = {}
    for tag in page.tags:
        if tag.connection in wanted and tag.connection is not None:
            found.setdefault(tag.connection, []).append(tag)
    return found


def _differs(known: ConnectionDefinition, wanted: ConnectionDefinition) -> bool:
    """Tell whether a connection must be made anew."""
    return any(
        getattr(known, name) != getattr(wanted, name) for name in ("driver", "settings", "enabled", "replayed", "name")
    )
