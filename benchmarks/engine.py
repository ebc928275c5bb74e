"""The engine's arrays and compiled loops alone, a flood of transitions through a real bus, and what it costs to hold.

Prints JSON lines {"scenario", "figure", "value", "unit"}. Run: `python -m benchmarks.engine`.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psutil

from benchmarks.figures import say
from mainspring.bus import server
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import ensure_user, seed_file
from mainspring.core import subjects
from mainspring.core.definitions import (
    PAGE,
    AlarmDefinition,
    AlarmPage,
    Condition,
    TagDefinition,
    TagPage,
    Words,
    alarm_page_key,
    tag_page_key,
)  # fmt: skip
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import SampleBatch, build
from mainspring.engine import snapshot
from mainspring.engine.role import EngineSettings, prepare_compiled
from mainspring.engine.state import PlantState

TAGS = 500_000
ROWS = 20_000
LIMITS = ((Condition.LL, -20.0), (Condition.L, -10.0), (Condition.H, 10.0), (Condition.HH, 20.0))
IDLE_S = 10.0


def tags_of(page: int, count: int = PAGE) -> TagPage:
    tags = tuple(
        TagDefinition(ordinal=ordinal, id=UUID(int=ordinal + 1), path="s/a/l/m/t", name="t")
        for ordinal in range(page * PAGE, page * PAGE + count)
    )
    return TagPage(revision=1, tenant="acme", page=page, tags=tags)


def alarms_of(page: int, count: int = PAGE, change: float = 0.0) -> AlarmPage:
    alarms = tuple(
        AlarmDefinition(
            id=UUID(int=(ordinal << 80) + row), tag=ordinal, condition=condition, limit=limit + change,
            dead_band=0.5, name=Words(en="n"),
        )
        for ordinal in range(page * PAGE, page * PAGE + count)
        for row, (condition, limit) in enumerate(LIMITS)
    )  # fmt: skip
    return AlarmPage(revision=1, tenant="acme", page=page, alarms=alarms)


def plant() -> PlantState:
    state = PlantState()
    now = now_ms()
    for page in range(TAGS // PAGE):
        state.define(tag_page_key("acme", page), tags_of(page), now)
        state.define(alarm_page_key("acme", page), alarms_of(page), now)
    return state


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def readings(number: Callable[[int], np.ndarray[Any, Any]], at: int) -> Iterator[SampleBatch]:
    """Yield one value of every tag."""
    for first in range(0, TAGS, ROWS):
        yield build(Column.FLOAT64, np.arange(first, first + ROWS), at, number(ROWS), 0xC0, Origin.MACHINE)


def arrays() -> None:
    scenario = "500,000 tags with four limits each, batches of 20,000"
    rss = psutil.Process().memory_info().rss
    state = plant()
    say(scenario, "memory of arrays and alarms", (psutil.Process().memory_info().rss - rss) / 1e6, "MB")
    chance = np.random.default_rng(1)
    took: list[float] = []
    for turn in range(12):
        at = now_ms() + turn
        batches = list(readings(lambda rows: chance.normal(0, 3, rows), at))
        begin = time.perf_counter()
        for sequence, batch in enumerate(batches):
            state.update(batch, "acme", turn * 1000 + sequence, at)
        took.append(time.perf_counter() - begin)
    say(scenario, "update and alarms per 500,000 values", 1000 * statistics.median(took[2:]), "ms")
    sweep(scenario, state)
    saved(scenario, state)
    begin = time.perf_counter()
    transitions = 0
    for turn, value in enumerate((50.0, 0.0)):
        for batch in readings(lambda rows, value=value: np.full(rows, value), now_ms() + 100 + turn):  # type: ignore[misc]
            transitions += len(state.update(batch, "acme", 99_000 + turn, now_ms() + 100))
    say(
        scenario,
        "update with every tag passing two limits",
        1e6 * (time.perf_counter() - begin) / transitions,
        "us each",
    )
    sweep(scenario, state)
    asked = chance.integers(0, TAGS, 2000).astype(np.uint32)
    begin = time.perf_counter()
    for _ in range(20):
        state.values.answer(asked, 0, now_ms())
    say(scenario, "answer with 2,000 current values", 1000 * (time.perf_counter() - begin) / 20, "ms")
    page = alarms_of(7, change=1.0)
    begin = time.perf_counter()
    state.define(alarm_page_key("acme", 7), page, now_ms())
    say(scenario, "a changed page of 4,000 alarms", 1000 * (time.perf_counter() - begin), "ms")
    saved(scenario + ", a million of them in alarm", state)


def sweep(scenario: str, state: PlantState) -> None:
    took = []
    for _ in range(20):
        begin = time.perf_counter()
        state.sweep(now_ms())
        took.append(time.perf_counter() - begin)
    say(scenario, "a sweep with nothing due", 1000 * statistics.median(took), "ms")


def saved(scenario: str, state: PlantState) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "engine.snapshot"
        begin = time.perf_counter()
        copy = snapshot.take(state, 1, "")
        say(scenario, "copying the state for a snapshot", 1000 * (time.perf_counter() - begin), "ms")
        begin = time.perf_counter()
        snapshot.write(path, copy, 1)
        say(scenario, "writing the snapshot", 1000 * (time.perf_counter() - begin), "ms")
        say(scenario, "snapshot", path.stat().st_size / 1e6, "MB")


@asynccontextmanager
async def running_bus(folder: Path) -> Any:
    settings = server.ServerSettings(folder / "bus", port=free_port())
    roles = (("admin", "", ""), ("engine", "", ""), ("web", "", ""), ("gateway", "g", "acme"))
    users = [ensure_user(folder / "secrets", *role) for role in roles]
    process = await server.start(settings, users, folder / "bus.log")

    async def connect(name: str) -> Bus:
        return await Bus.connect(f"nats://127.0.0.1:{settings.port}", seed_file(folder / "secrets", name), name)

    try:
        admin = await connect("admin")
        await server.ensure_streams(admin, settings.file_bytes_max)
        yield settings.port, connect, admin
        await admin.close()
    finally:
        process.terminate()
        await process.wait()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def as_a_role(tags: int, flood: bool) -> None:
    scenario = f"engine process with {tags:,} tags"
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        async with running_bus(folder) as (port, connect, admin):
            for page in range(-(-tags // PAGE)):
                count = min(PAGE, tags - page * PAGE)
                await admin.put_definition(tag_page_key("acme", page), tags_of(page, count))
                if tags <= 100_000:
                    await admin.put_definition(alarm_page_key("acme", page), alarms_of(page, count))
            begin = time.perf_counter()
            process = subprocess.Popen([sys.executable, "-m", "benchmarks.engine", "role", str(port), str(folder)])
            web, gateway = await connect("web"), await connect("gateway-acme-g")
            while True:
                try:
                    await web.ask(subjects.alarms("acme", "list"), timeout_s=1)
                    break
                except Exception:
                    if process.poll() is not None:
                        sys.exit("the engine ended while it started")
                    await asyncio.sleep(0.05)
            say(scenario, "start until it answers", time.perf_counter() - begin, "s")
            engine = psutil.Process(process.pid)
            try:
                if tags <= 1000:
                    await latency(scenario, web, gateway)
                before, at = sum(engine.cpu_times()[:2]), time.monotonic()
                await asyncio.sleep(IDLE_S)
                used = (sum(engine.cpu_times()[:2]) - before) / (time.monotonic() - at)
                say(scenario, "idle", 100 * used, "% of a core")
                say(scenario, "memory", engine.memory_info().rss / 1e6, "MB")
                if flood:
                    await flooded(scenario, admin, gateway, engine, tags)
            finally:
                process.terminate()
                process.wait(10)
                await web.close()
                await gateway.close()


async def latency(scenario: str, web: Bus, gateway: Bus) -> None:
    """From publishing a value to the event at a subscriber, and the same over the bus alone."""
    told: asyncio.Queue[float] = asyncio.Queue()

    async def on_alarm(_message: Any) -> None:
        told.put_nowait(time.perf_counter())

    await web.nc.subscribe(subjects.ALARM_ALL, cb=on_alarm)
    await web.nc.flush()
    took = []
    for turn in range(200):
        value = 15.0 if turn % 2 == 0 else 0.0
        batch = build(Column.FLOAT64, [5], now_ms(), [value], 0xC0, Origin.MACHINE).encode()
        begin = time.perf_counter()
        await gateway.nc.publish(subjects.readings("acme", "g"), batch)
        took.append(await asyncio.wait_for(told.get(), 5) - begin)
        await asyncio.sleep(0.02)
    took.sort()
    say(scenario, "value to alarm event, median", 1000 * took[100], "ms")
    say(scenario, "value to alarm event, 99th percentile", 1000 * took[197], "ms")


async def flooded(scenario: str, admin: Bus, gateway: Bus, engine: psutil.Process, tags: int) -> None:
    """Every tag passes two limits at once."""
    before = (await admin.js.stream_info(subjects.ALARM)).state.last_seq
    begin = time.perf_counter()
    for first in range(0, tags, 50_000):
        batch = build(Column.FLOAT64, np.arange(first, first + 50_000), now_ms(), [50.0] * 50_000, 0xC0, Origin.MACHINE)
        await gateway.js.publish(subjects.readings("acme", "g"), batch.encode())
    highest = 0
    while (await admin.js.stream_info(subjects.ALARM)).state.last_seq < before + 2 * tags:
        highest = max(highest, engine.memory_info().rss)
        await asyncio.sleep(0.05)
    took = time.perf_counter() - begin
    say(scenario, f"{2 * tags:,} transitions at once until all are recorded", took, "s")
    say(scenario, "highest memory during it", highest / 1e6, "MB")


async def role(port: int, folder: Path) -> None:
    from mainspring.engine.role import run

    bus = await Bus.connect(f"nats://127.0.0.1:{port}", seed_file(folder / "secrets", "engine"), "engine")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(15, stop.set)
    await run(bus, EngineSettings(folder=folder / "engine"), stop)
    await bus.close()


def compiled_start() -> None:
    """Import the compiled loops in new processes: with an empty cache, and with a full one."""
    with tempfile.TemporaryDirectory() as folder:
        for figure in ("first start: compiling the loops", "later starts: loading the loops"):
            begin = time.perf_counter()
            environment = os.environ | {"NUMBA_CACHE_DIR": folder}
            subprocess.run([sys.executable, "-c", "import mainspring.engine.kernels"], env=environment, check=True)
            say("compiled loops", figure, time.perf_counter() - begin, "s")


def main() -> None:
    if sys.argv[1:2] == ["role"]:
        prepare_compiled(Path(sys.argv[3]))
        asyncio.run(role(int(sys.argv[2]), Path(sys.argv[3])))
        return
    compiled_start()
    arrays()
    asyncio.run(as_a_role(100, flood=False))
    asyncio.run(as_a_role(50_000, flood=True))
    asyncio.run(as_a_role(1_000_000, flood=False))


if __name__ == "__main__":
    main()
