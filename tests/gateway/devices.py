"""Small drivers for tests of the gateway; devices live in memory and misbehave as told."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, ClassVar
from uuid import UUID

import numpy as np

from mainspring.core import quality as q
from mainspring.core.definitions import ConnectionDefinition, TagDefinition, TagPage
from mainspring.core.drivers import Check, Driver, DriverEntry, DriverTag, Node, Settings, Value
from mainspring.core.errors import MainspringError, NotConnected, Rejected
from mainspring.core.ids import uuid7
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import SampleBatch, build
from mainspring.core.text import Text


class Device:
    """What a device holds, and how it behaves."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.reachable = True
        self.rejects = False
        self.hangs = False
        self.hung = 0
        self.slow_s = 0.0
        self.breaks = False
        self.omits: set[str] = set()
        self.bad: set[str] = set()
        self.connects = 0
        self.reads = 0
        self.prepared = 0
        self.writes: list[tuple[str, Value]] = []
        self.stuck: set[str] = set()
        self.changed = asyncio.Event()


DEVICES: dict[str, Device] = {}


class MemoryDriver(Driver):
    name: ClassVar[str] = "memory"
    title = Text("Memory", "内存")

    class Config(Settings):
        device: str
        note: str = ""

    class Address(Settings):
        key: str

    config: MemoryDriver.Config

    @property
    def device(self) -> Device:
        return DEVICES[self.config.device]

    def _contact(self) -> Device:
        if not self.device.reachable:
            raise NotConnected(Text("The device is away.", "设备不在。"))
        return self.device

    async def connect(self) -> None:
        device = self._contact()
        device.connects += 1
        if device.rejects:
            raise Rejected(Text("The password is wrong.", "密码错误。"))

    def prepare(self, tags: Sequence[DriverTag]) -> Any:
        self.device.prepared += 1
        return list(tags)

    async def read(self, prepared: Any, time_ms: int) -> list[SampleBatch]:
        device = self._contact()
        if device.hangs:
            device.hung += 1
            # Ignores being cancelled, as a bad library does.
            until = time.monotonic() + 4
            while time.monotonic() < until:
                try:
                    await asyncio.sleep(4)
                except asyncio.CancelledError:
                    continue
        if device.breaks:
            raise ZeroDivisionError
        device.reads += 1
        await asyncio.sleep(device.slow_s)
        self.traffic.requests += 1
        return self._batches([tag for tag in prepared if tag.address.key not in device.omits], time_ms)

    def _batches(self, tags: Sequence[DriverTag], time_ms: int) -> list[SampleBatch]:
        out = []
        for column in Column:
            chosen = [tag for tag in tags if tag.kind.column is column]
            if chosen:
                values = [self.device.values[tag.address.key] for tag in chosen]
                quality = [q.BAD_DEVICE_FAILURE if tag.address.key in self.device.bad else q.GOOD for tag in chosen]
                ordinals = [tag.ordinal for tag in chosen]
                out.append(build(column, ordinals, time_ms, values, quality, Origin.MACHINE))
        return out

    async def close(self) -> None:
        return

    async def checks(self) -> AsyncIterator[Check]:
        yield Check(Text("Address", "地址"), True, Text("found", "已找到"))
        ok = self.device.reachable
        yield Check(Text("Contact", "通信"), ok, Text("answers" if ok else "no answer", "应答" if ok else "无应答"))

    async def write(self, items: Sequence[tuple[DriverTag, Value]]) -> list[MainspringError | None]:
        device = self._contact()
        for tag, value in items:
            device.writes.append((tag.address.key, value))
            if tag.address.key not in device.stuck:
                device.values[tag.address.key] = value
        return [None] * len(items)

    async def browse(self, parent: str | None, limit: int) -> list[Node]:
        return [Node(key, key, False, SampleKind.FLOAT, {"key": key}) for key in list(self.device.values)[:limit]]


class SubscribingDriver(MemoryDriver):
    name = "memory-subscribing"

    async def subscribe(self, tags: Sequence[DriverTag], deliver: Callable[[SampleBatch], None]) -> None:
        device = self._contact()
        device.prepared += 1
        while True:
            for batch in self._batches(tags, time.time_ns() // 1_000_000):
                deliver(batch)
            device.changed.clear()
            await device.changed.wait()
            self._contact()


class CountingDriver(MemoryDriver):
    """Every reading is the next number of this process; numbers of different processes differ."""

    name = "counting"

    class Config(Settings):
        pass

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._next = os.getpid() * 10**9

    async def connect(self) -> None:
        return

    def prepare(self, tags: Sequence[DriverTag]) -> Any:
        return np.array([tag.ordinal for tag in tags], dtype=np.uint32)

    async def read(self, prepared: Any, time_ms: int) -> list[SampleBatch]:
        self._next += 1
        return [build(Column.INT64, prepared, time_ms, self._next, q.GOOD, Origin.MACHINE)]


DRIVERS = {
    kind.name: DriverEntry(kind.name, lambda kind=kind: kind)  # type: ignore[misc]
    for kind in (MemoryDriver, SubscribingDriver, CountingDriver)
}


def connection(
    device: str, *, name: str = "press 1", driver: str = "memory", gateway: str = "g1", **more: Any
) -> ConnectionDefinition:
    settings = more.pop("settings", {} if driver == "counting" else {"device": device})
    return ConnectionDefinition(
        id=more.pop("id", None) or uuid7(), tenant="acme", revision=more.pop("revision", 1), name=name,
        driver=driver, gateway=gateway, settings=settings, **more,
    )  # fmt: skip


def tag(ordinal: int, of: UUID | None, key: str = "a", **more: Any) -> TagDefinition:
    more.setdefault("scan_ms", 50)
    more.setdefault("address", {"key": key})
    return TagDefinition(
        ordinal=ordinal, id=uuid7(), path=f"plant/hall/press/{key}", name=f"T{ordinal}", connection=of, **more
    )


def page(*tags: TagDefinition, number: int = 0, revision: int = 1) -> TagPage:
    return TagPage(revision=revision, tenant="acme", page=number, tags=tags)
