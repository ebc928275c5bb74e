"""Bus, engine, historian and web as on a plant: a flood at 500,000 values/s, then as fast as it goes.

The load is a gateway's: encoded batches published on its own subject, acknowledged only when synced to disk. Two
watched tags carry the time they were sent, which is how the age of a value and of an alarm on the page is known.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from nats.aio.client import Client

from benchmarks.platform_under_test import LIMIT, Platform, cpu_seconds, platform, publish_plant
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core import quality, subjects
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build

TAGS = 500_000
ROWS = 20_000
FIRST = 10_000
"""First ordinal of the flood's tags; the watched ones lie before."""
FLOOD_S = 60
FLAT_OUT_VALUES = 60_000_000
OUTSTANDING_MAX = 24
SUBJECT = subjects.readings("plant", "main")


def tell(figure: str, value: float, unit: str, wanted: str = "") -> None:
    """Print one figure."""
    print(json.dumps({"scenario": "pipeline", "figure": figure, "value": value, "unit": unit, "wanted": wanted}))
    sys.stdout.flush()


def encoded(tags: np.ndarray[Any, Any], time_ms: int, values: np.ndarray[Any, Any]) -> bytes:
    """Encode one batch of good readings."""
    return build(Column.FLOAT64, tags, time_ms, values, quality.GOOD, Origin.SIMULATED).encode()


@dataclass
class Load:
    """Publishes batches with several acknowledgements outstanding, as a gateway does."""

    nc: Client
    inbox: str = ""
    sequence: int = 0
    acknowledged: int = 0
    last_stream_sequence: int = 0
    _space: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OUTSTANDING_MAX))

    async def start(self) -> None:
        self.inbox = self.nc.new_inbox()
        await self.nc.subscribe(self.inbox, cb=self._on_ack)

    async def _on_ack(self, message: Any) -> None:
        answer = json.loads(message.data)
        if "error" in answer:
            sys.exit(f"the bus refused a batch: {answer['error']}")
        self.acknowledged += 1
        self.last_stream_sequence = max(self.last_stream_sequence, answer["seq"])
        self._space.release()

    async def send(self, payload: bytes) -> None:
        await self._space.acquire()
        self.sequence += 1
        headers = {subjects.SEQUENCE_HEADER: str(self.sequence)}
        await self.nc.publish(SUBJECT, payload, reply=self.inbox, headers=headers)

    async def drained(self) -> None:
        while self.acknowledged < self.sequence:
            await asyncio.sleep(0.01)


async def main() -> None:
    """Run the scenario."""
    with tempfile.TemporaryDirectory() as folder, platform(Path(folder)) as running:
        watched = [row["tag"] for row in running.ask("/tags?limit=2")["items"]]
        began = time.monotonic()
        await publish_plant(running, FIRST, TAGS)
        tell("500,000 tags with a limit each made known to every role", time.monotonic() - began, "s")
        bus = await Bus.connect(running.bus_url, seed_file(running.secrets, "gateway-plant-main"), "gateway-plant-main")
        load = Load(bus.nc)
        await load.start()
        positions: dict[str, int] = {}

        async def on_position(message: Any) -> None:
            positions["LIVE"] = int(message.data)

        await bus.nc.subscribe("ms.position.LIVE", cb=on_position)
        page = await OpenPage.open(running, watched)
        await flood(running, load, page)
        await page.close()
        await flat_out(running, load, positions)
        await bus.close()


async def flood(running: Platform, load: Load, page: OpenPage) -> None:
    """Send every tag once a second for a minute; an alarm now and then on the second watched tag."""
    tags = np.arange(FIRST, FIRST + TAGS, dtype=np.uint32)
    # Walks to two decimals, made beforehand: making them is not what is measured.
    walk = np.round(np.random.default_rng(1).normal(50, 5, (8, len(tags))), 2)
    roles = running.roles()
    before, began = cpu_seconds(roles), time.monotonic()
    late = 0
    marker = asyncio.create_task(page.mark(load))
    for second in range(FLOOD_S):
        tick_ms = int(time.time() * 1000) // 1000 * 1000
        for number, start in enumerate(range(0, len(tags), ROWS)):
            part = slice(start, start + ROWS)
            await load.send(encoded(tags[part], tick_ms, walk[second % 8, part]))
            # Gateways send through the second, not all at its beginning.
            due = began + second + (number + 1) * ROWS / len(tags)
            await asyncio.sleep(max(due - time.monotonic(), 0))
        late += time.monotonic() > began + second + 1.2
    marker.cancel()
    await load.drained()
    took = time.monotonic() - began
    used = {name: seconds - before[name] for name, seconds in cpu_seconds(roles).items()}
    tell("flood: values per second", TAGS * FLOOD_S / took, "values/s", "500,000")
    tell("flood: late seconds", late, "s", "0")
    for name in ("bus", "engine", "historian", "web"):
        tell(f"flood: {name}", 100 * used[name] / took, "% of a core")
    together = sum(used[name] for name in ("bus", "engine", "historian"))
    tell("flood: bus, engine and historian together", 100 * together / took, "% of a core", "at most 50")
    for name, process in roles.items():
        tell(f"flood: memory of {name}", process.memory_info().rss / 2**20, "MB")
    for words, ages, wanted in (("value", page.value_ages, 500), ("alarm", page.alarm_ages, 250)):
        if ages:
            tell(
                f"flood: {words} on the open page, 50th percentile of {len(ages)}", float(np.percentile(ages, 50)), "ms"
            )
            tell(f"flood: {words} on the open page, 99th percentile", float(np.percentile(ages, 99)), "ms", f"{wanted}")


async def flat_out(running: Platform, load: Load, positions: dict[str, int]) -> None:
    """Send batches as fast as they are acknowledged, until the historian has stored the last."""
    tags = np.arange(FIRST, FIRST + TAGS, dtype=np.uint32)
    values = np.round(np.random.default_rng(2).normal(50, 5, len(tags)), 2)
    tick_ms = int(time.time() * 1000) // 1000 * 1000
    sent = 0
    roles = running.roles()
    before, began = cpu_seconds(roles), time.monotonic()
    while sent < FLAT_OUT_VALUES:
        tick_ms += 1000
        for start in range(0, len(tags), ROWS):
            part = slice(start, start + ROWS)
            await load.send(encoded(tags[part], tick_ms, values[part]))
        sent += len(tags)
        if tick_ms > time.time() * 1000 + 3_600_000:
            tick_ms -= 3_600_000
    await load.drained()
    accepted = time.monotonic() - began
    while positions.get("LIVE", 0) < load.last_stream_sequence:
        await asyncio.sleep(0.02)
        if time.monotonic() - began > 240:
            sys.exit("the historian did not finish within 240 s")
    stored = time.monotonic() - began
    used = {name: seconds - before[name] for name, seconds in cpu_seconds(roles).items()}
    tell("flat out: accepted, durable against power loss", sent / accepted, "values/s")
    tell("flat out: stored in the history, alarms on", sent / stored, "values/s", "2,500,000")
    for name in ("bus", "engine", "historian"):
        tell(f"flat out: {name}", used[name] / (sent / 1e6), "core-seconds per million values")


class OpenPage:
    """A page as a browser holds it open: a live set of two tags and its stream of events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tags: list[int]) -> None:
        self._reader, self._writer, self._tags = reader, writer, tags
        self.value_ages: deque[float] = deque(maxlen=100_000)
        self.alarm_ages: deque[float] = deque(maxlen=100_000)
        self._alarm_sent: dict[float, float] = {}
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, running: Platform, tags: list[int]) -> OpenPage:
        made = await asyncio.to_thread(running.ask, "/live", {"tags": tags})
        reader, writer = await asyncio.open_connection("127.0.0.1", running.web_port, limit=2**24)
        writer.write(
            f"GET /api/v1/live/{made['id']}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {running.token}\r\n\r\n".encode()
        )
        await writer.drain()
        return cls(reader, writer, tags)

    async def mark(self, load: Load) -> None:
        """Send the watched tags: the first with the time as its value, the second over and under its limit."""
        high = False
        while True:
            now = time.time()
            high = not high
            value = LIMIT + (now % 1000 if high else -500.0)
            if high:
                self._alarm_sent[round(value, 3)] = now
            tags = np.array(self._tags, dtype=np.uint32)
            await load.send(encoded(tags, int(now * 1000), np.array([now % 10_000 - 20_000, round(value, 3)])))
            await asyncio.sleep(0.173)

    async def _read(self) -> None:
        name = b""
        async for line in self._reader:
            if line.startswith(b"event: "):
                name = line[7:].strip()
            elif line.startswith(b"data: "):
                self._take(name, json.loads(line[6:]))

    def _take(self, name: bytes, document: Any) -> None:
        now = time.time()
        if name == b"values" and self._tags[0] in document["tags"]:
            value = document["values"][document["tags"].index(self._tags[0])]
            self.value_ages.append((now % 10_000 - (value + 20_000)) * 1000)
        elif name == b"alarm" and document["transition"] == "raised":
            sent = self._alarm_sent.pop(round(document["value"], 3), None)
            if sent is not None:
                self.alarm_ages.append((now - sent) * 1000)

    async def close(self) -> None:
        self._task.cancel()
        self._writer.close()


if __name__ == "__main__":
    asyncio.run(main())
