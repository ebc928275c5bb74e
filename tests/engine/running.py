"""Engines in this process on a real bus; one that is killed writes nothing on its way out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from nats.js.api import DeliverPolicy
from tests.bus.conftest import BusUnderTest
from tests.engine.plants import GOOD, alarm_page, tag_page
from tests.waiting import PATIENCE_S

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.alarms import AlarmEvent
from mainspring.core.definitions import AlarmDefinition, TagDefinition, alarm_page_key, tag_page_key
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.engine.role import Engine, EngineSettings


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Running:
    """An engine and how it is ended."""

    def __init__(self, bus: Bus, settings: EngineSettings) -> None:
        self.bus = bus
        self.engine = Engine(bus, settings)
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self.engine.run(self._stop))

    async def ready(self) -> Running:
        # A first start compiles the engine's loops.
        deadline = time.monotonic() + 2 * PATIENCE_S
        while not self.engine.recovered:
            if self._task.done():
                self._task.result()
            if time.monotonic() > deadline:
                for task in asyncio.all_tasks():
                    task.print_stack()
                raise AssertionError("the engine did not recover in time")
            await asyncio.sleep(0.01)
        return self

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.wait_for(self._task, PATIENCE_S)
        await self.bus.close()

    async def kill(self) -> None:
        """End as after kill -9: nothing more is written or sent."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        for server in self.bus._servers:
            await server.stop()
        await self.bus.close()


async def start(bus: BusUnderTest, folder: Path, **settings: Any) -> Running:
    running = Running(await bus.as_role("engine"), EngineSettings(folder=folder, **{"snapshot_s": 3600, **settings}))
    return await running.ready()


@asynccontextmanager
async def engine(bus: BusUnderTest, folder: Path, **settings: Any) -> AsyncIterator[Running]:
    running = await start(bus, folder, **settings)
    try:
        yield running
    finally:
        await running.stop()


async def define(admin: Bus, tags: list[TagDefinition], alarms: list[AlarmDefinition]) -> None:
    await admin.put_definition(tag_page_key("acme", 0), tag_page(*tags))
    await admin.put_definition(alarm_page_key("acme", 0), alarm_page(*alarms))


async def send(gateway: Bus, tag: int, number: float, time_ms: int | None = None, quality: int = GOOD) -> int:
    """Publish one sample; return its sequence in LIVE."""
    at = now_ms() if time_ms is None else time_ms
    batch = build(Column.FLOAT64, [tag], at, [number], quality, Origin.MACHINE)
    return (await gateway.js.publish(subjects.readings("acme", "g1"), batch.encode())).seq


async def current(web: Bus, *ordinals: int, tenant: str = "acme") -> list[dict[str, Any]]:
    answer = await web.ask(subjects.current(tenant), np.array(ordinals, "<u4").tobytes())
    return list(pa.ipc.open_stream(answer).read_all().to_pylist())


async def listed(web: Bus, tenant: str = "acme") -> list[dict[str, Any]]:
    return list(json.loads(await web.ask(subjects.alarms(tenant, "list")))["alarms"])


async def acknowledge(web: Bus, *alarms: Any, tenant: str = "acme") -> dict[str, Any]:
    body = {"alarms": [str(each) for each in alarms], "by": "p-17", "comment": "seen"}
    answer: dict[str, Any] = json.loads(
        await web.ask(subjects.alarms(tenant, "acknowledge"), json.dumps(body).encode())
    )
    return answer


async def recorded(admin: Bus) -> list[AlarmEvent]:
    """Return everything in the stream of alarms, in order."""
    count = (await admin.js.stream_info(subjects.ALARM)).state.messages
    found: list[AlarmEvent] = []
    if count:
        reading = await admin.js.subscribe(
            subjects.ALARM_ALL, stream=subjects.ALARM, ordered_consumer=True, deliver_policy=DeliverPolicy.ALL
        )
        while len(found) < count:
            found.append(AlarmEvent.model_validate_json((await reading.next_msg(timeout=PATIENCE_S)).data))
        await reading.unsubscribe()
    return found
