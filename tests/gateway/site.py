"""A gateway on a real bus, seen by an engineer and the engine."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.bus.conftest import BusUnderTest
from tests.gateway.devices import page
from tests.waiting import ANSWER_MS, PATIENCE_S, until

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.commands import Command, CommandItem, CommandOutcome
from mainspring.core.definitions import ConnectionDefinition, TagDefinition, connection_key, tag_page_key
from mainspring.core.drivers import DriverEntry
from mainspring.core.errors import NotConnected
from mainspring.core.health import GatewayConnections, Health
from mainspring.core.ids import uuid7
from mainspring.core.samples import decode
from mainspring.gateway.role import run
from mainspring.gateway.settings import GatewaySettings


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Site:
    """A gateway under test, and what an engineer and the engine see of it."""

    def __init__(self, admin: Bus, folder: Path) -> None:
        self.admin = admin
        self.folder = folder
        self.latest: dict[int, tuple[Any, int]] = {}
        self.health: Health | None = None
        self.connections: GatewayConnections | None = None
        self.tags: list[TagDefinition] = []
        self.revision = 0

    async def listen(self) -> None:
        async def on_batch(message: Any) -> None:
            batch = decode(message.data)
            for ordinal, value, quality in zip(batch.tag, batch.value.tolist(), batch.quality, strict=True):
                self.latest[int(ordinal)] = (value, int(quality))

        async def on_health(message: Any) -> None:
            self.health = Health.model_validate_json(message.data)

        async def on_connections(message: Any) -> None:
            self.connections = GatewayConnections.model_validate_json(message.data)

        await self.admin.nc.subscribe("ms.acme.live.g1", cb=on_batch)
        await self.admin.nc.subscribe("ms.health.gateway.>", cb=on_health)
        await self.admin.nc.subscribe("ms.acme.connections.g1", cb=on_connections)

    async def define(self, of: ConnectionDefinition | None = None, tags: list[TagDefinition] | None = None) -> None:
        self.revision += 1
        if of is not None:
            await self.admin.put_definition(connection_key("acme", of.id), of)
        if tags is not None:
            await self.admin.put_definition(tag_page_key("acme", 0), page(*tags, revision=self.revision))

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(condition, told=lambda: (self.latest, self.health, self.connections))

    async def until_quality(self, ordinal: int, quality: int) -> None:
        await self.until(lambda: self.latest.get(ordinal, (0, -1))[1] == quality)

    async def ask(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.admin.ask(subjects.gateway("acme", "g1", verb), json.dumps(body).encode())
        found: dict[str, Any] = json.loads(answer)
        return found

    async def command(self, of: ConnectionDefinition, *items: CommandItem, **more: Any) -> CommandOutcome:
        command = Command(
            id=more.pop("id", None) or uuid7(), tenant=more.pop("tenant", "acme"), connection=of.id, items=items,
            by="anna", authority="engineer: test", issued_ms=now_ms(),
            expires_ms=more.pop("expires_ms", now_ms() + ANSWER_MS),
        )  # fmt: skip
        payload = command.model_dump_json().encode()
        return CommandOutcome.model_validate_json(
            await self.admin.ask(subjects.gateway("acme", "g1", "command"), payload)
        )


@asynccontextmanager
async def running_gateway(
    bus: BusUnderTest, folder: Path, drivers: Mapping[str, DriverEntry] | None, **more: Any
) -> AsyncIterator[Site]:
    """Run a gateway; with None it has the registered drivers. Its stop must take less than five seconds."""
    admin, own = await bus.connect("admin"), await bus.as_role("gateway-acme-g1")
    made = Site(admin, folder)
    await made.listen()
    stop = asyncio.Event()
    settings = GatewaySettings(
        name="g1", tenant="acme", folder=folder, disk_free_min_bytes=0, segment_bytes=64 * 1024, **more
    )
    task = asyncio.create_task(run(own, settings, stop, drivers))
    try:
        while True:
            try:
                await made.ask("test", {"driver": "none", "settings": {}})
                break
            except NotConnected:
                await asyncio.sleep(0.02)
        yield made
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE_S)
        await own.close()
        await admin.close()
