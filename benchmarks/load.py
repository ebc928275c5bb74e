"""A gateway's share of the work, in a process of its own: batches published and acknowledged once they are synced.

`python -m benchmarks.load FOLDER BUS_PORT TAGS FIRST flood SECONDS` sends every tag once a second;
`... flat-out VALUES` sends as fast as it is acknowledged and waits until the historian has stored the last. Both
print one line of JSON. The values are those of `values.Mix`; a flood begins when the standard input says so.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from benchmarks.platform_under_test import FIRST, Platform
from benchmarks.values import Mix, ordinals, slices
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core import quality, subjects
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build

GATEWAY = "flood"
"""A gateway that is only a name: the platform starts it, it has no connections, and the load is sent in its stead."""
SETTINGS = f"[gateways.main]\n[gateways.{GATEWAY}]"
ROWS = 20_000
OUTSTANDING_MAX = 24
RING_S = 16
STORED_WITHIN_S = 300
SUBJECT = subjects.readings("plant", GATEWAY)


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
        # Numbers go on from those of a load before: the historian knows a batch by them.
        self.sequence = self.acknowledged = time.time_ns() // 1_000_000
        await self.nc.subscribe(self.inbox, cb=self._on_ack)

    async def _on_ack(self, message: Any) -> None:
        answer = json.loads(message.data)
        if "error" in answer:
            sys.exit(f"the bus refused a batch: {answer['error']}")
        self.acknowledged += 1
        self.last_stream_sequence = max(self.last_stream_sequence, answer["seq"])
        self._space.release()

    async def send(self, column: Column, tags: Any, time_ms: int, values: Any) -> None:
        """Send one batch of good readings."""
        payload = build(column, tags, time_ms, values, quality.GOOD, Origin.SIMULATED).encode()
        await self._space.acquire()
        self.sequence += 1
        headers = {subjects.SEQUENCE_HEADER: str(self.sequence)}
        await self.nc.publish(SUBJECT, payload, reply=self.inbox, headers=headers)

    async def drained(self) -> None:
        while self.acknowledged < self.sequence:
            await asyncio.sleep(0.01)


class Tags:
    """The load's tags, cut into batches."""

    def __init__(self, first: int, mix: Mix) -> None:
        floats, integers = ordinals(first, mix.floats + mix.integers)
        self.parts = [(Column.FLOAT64, 0, floats[part], part) for part in slices(ROWS, mix.floats)]
        self.parts += [(Column.INT64, 1, integers[part], part) for part in slices(ROWS, mix.integers)]


async def flood(load: Load, tags: Tags, mix: Mix, seconds: int) -> dict[str, float]:
    """Send every tag once a second, spread over the second as gateways do."""
    late, worst, began = 0, 0.0, time.monotonic()
    total = mix.floats + mix.integers
    for second in range(seconds):
        tick_ms = int(time.time() * 1000) // 1000 * 1000
        values = mix.second()
        sent = 0
        for column, place, numbers, part in tags.parts:
            await load.send(column, numbers, tick_ms, values[place][part])
            sent += len(numbers)
            due = began + second + sent / total
            await asyncio.sleep(max(due - time.monotonic(), 0))
        behind = time.monotonic() - (began + second + 1)
        worst = max(worst, behind)
        late += behind > 0.2
    await load.drained()
    took = time.monotonic() - began
    return {"values": total * seconds, "took_s": took, "late_s": late, "worst_behind_ms": worst * 1000}


async def flat_out(load: Load, tags: Tags, mix: Mix, values: int, bus: Bus) -> dict[str, float]:
    """Send as fast as it is acknowledged; the times are those of coming seconds."""
    stored: dict[str, int] = {}

    async def on_position(message: Any) -> None:
        stored["LIVE"] = int(message.data)

    await bus.nc.subscribe("ms.position.LIVE", cb=on_position)
    ring = mix.ring(RING_S)
    total = mix.floats + mix.integers
    tick_ms = int(time.time() * 1000) // 1000 * 1000
    sent, began = 0, time.monotonic()
    while sent < values:
        now = ring[sent // total % len(ring)]
        for column, place, numbers, part in tags.parts:
            await load.send(column, numbers, tick_ms, now[place][part])
        tick_ms += 1000
        sent += total
    await load.drained()
    accepted = time.monotonic() - began
    while stored.get("LIVE", 0) < load.last_stream_sequence:
        await asyncio.sleep(0.02)
        if time.monotonic() - began > STORED_WITHIN_S:
            sys.exit(f"the historian did not finish within {STORED_WITHIN_S} s")
    return {"values": sent, "accepted_s": accepted, "stored_s": time.monotonic() - began, "last_ms": tick_ms - 1000}


async def _main(folder: Path, port: int, tags: int, first: int, how: str, much: int) -> None:
    user = f"gateway-plant-{GATEWAY}"
    bus = await Bus.connect(f"nats://127.0.0.1:{port}", seed_file(folder / "data" / "secrets", user), user)
    load, mix = Load(bus.nc), Mix(tags)
    await load.start()
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    cut = Tags(first, mix)
    told = await (flood(load, cut, mix, much) if how == "flood" else flat_out(load, cut, mix, much, bus))
    used = time.process_time()
    print(json.dumps(told | {"load_cpu_s": used}), flush=True)
    await bus.close()


@contextmanager
def loading(running: Platform, tags: int, how: str, much: float, first: int = FIRST) -> Iterator[subprocess.Popen[str]]:
    """Start the load's process; the load begins on return. `outcome` waits for what it says."""
    where = [str(running.folder), str(running.bus_port), str(tags), str(first), how, str(int(much))]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load", *where], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if "ready" not in process.stdout.readline():
            sys.exit("the load did not start")
        process.stdin.write("\n")
        process.stdin.flush()
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def outcome(process: subprocess.Popen[str]) -> dict[str, float]:
    """Wait for the end of a load and return what it says."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        sys.exit("the load ended before its time")
    return dict(json.loads(line))


if __name__ == "__main__":
    _folder, _port, _tags, _first, _how, _much = sys.argv[1:7]
    asyncio.run(_main(Path(_folder), int(_port), int(_tags), int(_first), _how, int(_much)))
