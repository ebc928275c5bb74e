"""What a reading costs in the gateway: report by exception, encoding, segment log, publishing to a real bus.

Prints JSON lines {"scenario", "figure", "value", "unit"}. Run: `python benchmarks/gateway.py`.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.figures import say
from mainspring.bus import server
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import ensure_user, seed_file
from mainspring.bus.tenant_watch import serve_definitions
from mainspring.core import quality as q
from mainspring.core.definitions import TagDefinition
from mainspring.core.ids import uuid7
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import SampleBatch, build
from mainspring.gateway.batches import Gate, Gatherer, Writer
from mainspring.gateway.marks import Marks
from mainspring.gateway.publish import Publisher
from mainspring.gateway.report import Reports
from mainspring.gateway.segments import SegmentLog

CONNECTIONS, TAGS = 50, 10_000
SECONDS = 10


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def tags(first: int, count: int, **rules: float) -> list[TagDefinition]:
    of = uuid7()
    return [
        TagDefinition(ordinal=first + index, id=of, path="site/area/line/machine/t", name="t", connection=of, **rules)
        for index in range(count)
    ]


def readings(ordinals: np.ndarray, seed: int) -> list[SampleBatch]:
    """Two readings of the same tags, every value different."""
    chance = np.random.default_rng(seed)
    return [
        build(Column.FLOAT64, ordinals, 0, chance.normal(50, 5, len(ordinals)), q.GOOD, Origin.MACHINE)
        for _ in range(2)
    ]


def report_by_exception() -> None:
    ordinals = np.arange(TAGS, dtype=np.uint32)
    for scenario, rules in (
        ("report, every value changes", {}),
        ("report, scaled, ranged, dead-band, every value changes",
         {"gain": 0.1, "offset": 1.0, "dead_band": 0.001, "low": -1e9, "high": 1e9}),
        ("report, scaled, ranged, dead-band, nothing changes enough",
         {"gain": 0.1, "offset": 1.0, "dead_band": 1e6, "low": -1e9, "high": 1e9}),
    ):  # fmt: skip
        reports = Reports(tags(0, TAGS, **rules), None)
        batches = readings(ordinals, 1)
        reports.apply(batches[0])
        started = time.perf_counter()
        for turn in range(200):
            reports.apply(batches[turn % 2])
        spent = time.perf_counter() - started
        say(scenario, "cost per value", spent / 200 / TAGS * 1e9, "ns")


async def whole_path(folder: Path, bus: Bus, compression: str) -> None:
    log = SegmentLog(folder, segment_bytes=16 * 1024**2, log_bytes_max=10**11, disk_free_min_bytes=0)
    marks, gate = Marks(folder), Gate()
    publisher = Publisher(log, marks, "acme", "g1")
    gatherer = Gatherer(gate, 2_000_000)
    writer = Writer(gatherer, gate, log, publisher.written, flush_ms=50, compression=compression)  # type: ignore[arg-type]
    parts = [asyncio.create_task(writer.run()), asyncio.create_task(publisher.run(bus))]
    devices = [
        (Reports(tags(index * TAGS, TAGS, dead_band=0.0), None),
         readings(np.arange(index * TAGS, (index + 1) * TAGS, dtype=np.uint32), index))
        for index in range(CONNECTIONS)
    ]  # fmt: skip
    await asyncio.sleep(1)
    cpu, began, taken = cpu_s(), time.monotonic(), 0
    behind: list[float] = []
    for turn in range(SECONDS):
        for index, (reports, batches) in enumerate(devices):
            # Fifty devices of 10,000 tags at 1 Hz, spread over the second.
            due = began + turn + index / CONNECTIONS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            behind.append(max(0.0, time.monotonic() - due))
            now_ms = time.time_ns() // 1_000_000
            reported, _ = reports.apply(_at(batches[turn % 2], now_ms))
            gatherer.put(reported)
            taken += TAGS
    await writer.flush()
    await asyncio.wait_for(publisher.drained(), 60)
    elapsed, spent = time.monotonic() - began, cpu_s() - cpu
    scenario = f"500,000 values/s through the gateway to the bus, {compression}"
    say(scenario, "values acknowledged by the bus", taken / elapsed, "values/s")
    say(scenario, "gateway process, part of one core", spent / elapsed * 100, "%")
    say(scenario, "cost per value", spent / taken * 1e9, "ns")
    say(scenario, "worst delay of a read", max(behind) * 1000, "ms")
    say(scenario, "segment log", log.size / taken, "B/value")
    for part in parts:
        part.cancel()
    await asyncio.wait(parts)
    await flat_out(log, marks, publisher, bus, devices, compression)
    marks.close()
    log.close()


async def flat_out(
    log: SegmentLog, marks: Marks, publisher: Publisher, bus: Bus,
    devices: Sequence[tuple[Reports, list[SampleBatch]]], compression: str,
) -> None:  # fmt: skip
    gate = Gate()
    gatherer = Gatherer(gate, 10**9)
    writer = Writer(gatherer, gate, log, publisher.written, flush_ms=50, compression=compression)  # type: ignore[arg-type]
    publishing = asyncio.create_task(publisher.run(bus))
    cpu, began, taken = cpu_s(), time.monotonic(), 0
    for turn in range(6):
        for index, (reports, batches) in enumerate(devices):
            reported, _ = reports.apply(_at(batches[turn % 2], turn))
            gatherer.put(reported)
            taken += TAGS
            if index % 10 == 9:
                await writer.flush()
    await asyncio.wait_for(publisher.drained(), 120)
    elapsed = time.monotonic() - began
    scenario = f"flat out through the gateway to the bus, {compression}"
    say(scenario, "values acknowledged by the bus", taken / elapsed, "values/s")
    say(scenario, "gateway process, cost per value", (cpu_s() - cpu) / taken * 1e9, "ns")
    publishing.cancel()
    await asyncio.wait({publishing})


def _at(batch: SampleBatch, time_ms: int) -> SampleBatch:
    return SampleBatch(batch.column, batch.tag, np.full(len(batch), time_ms), batch.value, batch.quality, batch.origin)


async def main() -> None:
    report_by_exception()
    for compression in ("none", "zstd"):
        with tempfile.TemporaryDirectory(dir=Path.home()) as name:
            folder = Path(name)
            users = [ensure_user(folder / "secrets", "admin"), ensure_user(folder / "secrets", "gateway", "g1", "acme")]
            settings = server.ServerSettings(folder / "bus", port=_free_port(), sync_always=True)
            process = await server.start(settings, users, folder / "bus.log")
            try:
                url = f"nats://127.0.0.1:{settings.port}"
                admin = await Bus.connect(url, seed_file(folder / "secrets", "admin"), "admin")
                await server.ensure_streams(admin, 8 * 1024**3)
                await serve_definitions(admin)
                own = await Bus.connect(url, seed_file(folder / "secrets", "gateway-acme-g1"), "gateway-acme-g1")
                await whole_path(folder / "log", own, compression)
                await own.close()
                await admin.close()
            finally:
                process.kill()
                await process.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    asyncio.run(main())
