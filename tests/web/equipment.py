"""A gateway beside the web role, and a tag on a real device; or a gateway that only says that it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from tests.records.plant import author
from tests.waiting import ANSWER_MS, PATIENCE_S
from tests.web.running import Running, now_ms

from mainspring.core import subjects
from mainspring.core.health import ConnectionHealth, GatewayConnections
from mainspring.gateway.role import run as run_gateway
from mainspring.gateway.settings import GatewaySettings
from mainspring.records.plant import connection, tag
from mainspring.records.plant.connection import ConnectionDraft
from mainspring.simulators.opcua import OpcUaSimulator

PASSWORD = "only for this test"


def settings_of(server: OpcUaSimulator, **more: Any) -> dict[str, Any]:
    plain = {"url": server.url, "security_policy": "none", "publishing_interval_ms": 50}
    return {**plain, "timeout_ms": ANSWER_MS, "contact_timeout_ms": ANSWER_MS, **more}


@asynccontextmanager
async def with_gateway(web: Running) -> AsyncIterator[None]:
    stop = asyncio.Event()
    settings = GatewaySettings(name="g1", tenant="acme", folder=web.folder / "gateway", disk_free_min_bytes=0)
    task = asyncio.create_task(run_gateway(web.gateway, settings, stop))

    async def alive() -> bool:
        return any(each["name"] == "g1" and each["alive"] for each in await web.get("/gateways"))

    try:
        await web.until(alive)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE_S)


async def connected(web: Running, server: OpcUaSimulator) -> UUID:
    """Store a connection and put the tag T1 on it."""

    def stored() -> UUID:
        settings = settings_of(server, user="plant", password=PASSWORD, sign_in="password", password_in_clear=True)
        draft = ConnectionDraft(name="Reactor", driver="opcua", gateway="g1", settings=settings)
        made = connection.create(author(web.records.plant), draft)
        one = web.records.tags["T1"]
        address = {"node": server.node_id("Reactor/Temperature")}
        change = {"connection": made.id, "address": address, "writable": True, "low": 0.0, "high": 200.0}
        tag.modify(author(web.records.plant), one.id, change, None)
        return made.id

    return await asyncio.to_thread(stored)


async def live(web: Running, id: UUID) -> None:
    """Wait until a connection is reported as connected."""

    async def is_live() -> bool:
        return bool((await web.get(f"/connections/{id}"))["health"]["state"] == "connected")

    await web.until(is_live)


@asynccontextmanager
async def said_to_be_live(web: Running, id: UUID) -> AsyncIterator[None]:
    """Report a connection as a gateway does, without one."""

    async def report() -> None:
        while True:
            health = ConnectionHealth(connection=id, state="connected", since_ms=now_ms())
            told = GatewayConnections(gateway="g1", time_ms=now_ms(), connections=(health,))
            await web.gateway.nc.publish(subjects.connections("acme", "g1"), told.model_dump_json().encode())
            await asyncio.sleep(0.5)

    task = asyncio.create_task(report())
    try:
        await live(web, id)
        yield
    finally:
        task.cancel()
