"""The publisher against a bus that refuses, forgets and is replaced."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.bus.conftest import BusUnderTest
from tests.gateway.conftest import stored
from tests.waiting import PATIENCE_S, until

from mainspring.bus import server
from mainspring.bus.connect import Bus
from mainspring.core import quality as q
from mainspring.core import subjects
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.core.subjects import LATE, LIVE
from mainspring.gateway.marks import Marks
from mainspring.gateway.publish import Publisher
from mainspring.gateway.segments import Entry, SegmentLog

Clients = tuple[Bus, Bus]


@pytest.fixture
async def clients(bus: BusUnderTest) -> AsyncIterator[Clients]:
    admin, own = await bus.connect("admin"), await bus.as_role("gateway-acme-g1")
    yield admin, own
    await own.close()
    await admin.close()


class Rig:
    def __init__(self, folder: Path, **options: int) -> None:
        self.log = SegmentLog(folder, segment_bytes=64 * 1024, log_bytes_max=2**40, disk_free_min_bytes=0)
        self.marks = Marks(folder)
        self.publisher = Publisher(self.log, self.marks, "acme", "g1", **options)

    def write(self, batches: int, rows: int = 10, age_ms: int = 0) -> None:
        payload = build(Column.FLOAT64, range(rows), 0, 1.5, q.GOOD, Origin.MACHINE).encode()
        at = time.time_ns() // 1_000_000 - age_ms
        for _ in range(batches):
            self.log.append([Entry(at, rows, payload)])
        self.publisher.written()

    def close(self) -> None:
        self.marks.close()
        self.log.close()


async def holds(admin: Bus, stream: str, messages: int) -> bool:
    """Tell whether a stream holds so many messages."""
    return bool((await admin.js.stream_info(stream)).state.messages >= messages)


@asynccontextmanager
async def publishing(rig: Rig, bus: Bus) -> AsyncIterator[None]:
    task = asyncio.create_task(rig.publisher.run(bus))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_fresh_readings_overtake_a_backlog_and_each_goes_once(clients: Clients, tmp_path: Path) -> None:
    admin, own = clients
    # A batch a second: however slow the machine, most still wait when the fresh ones are there.
    rig = Rig(tmp_path / "log", late_rows_per_s=10)
    rig.write(60, age_ms=60_000)
    first = rig.log.first
    async with publishing(rig, own):
        await until(lambda: holds(admin, LIVE, 8))
        # What comes before the backlog is set aside is set aside with it.
        await until(lambda: rig.marks.late)
        rig.write(5)
        await until(lambda: holds(admin, LIVE, 13))
        live = [sequence for sequence, _ in await stored(admin, LIVE)]
        late = [sequence for sequence, _ in await stored(admin, LATE)]
        # At most what may have been under way before goes live although it is old.
        assert live == [*range(first, first + 8), *range(first + 60, first + 65)]
        assert len(late) < 52
        waiting = await until(lambda: 0 < rig.publisher.waiting < 52 and rig.publisher.waiting)
        # The stream may be ahead of what was acknowledged, and goes on between two looks.
        assert 52 - len(await stored(admin, LATE)) <= waiting
        rig.publisher._late_rows_per_s = 10**9
        await asyncio.wait_for(rig.publisher.drained(), PATIENCE_S)
    assert [sequence for sequence, _ in await stored(admin, LATE)] == [*range(first + 8, first + 60)]
    rig.close()


async def test_a_full_stream_refuses_and_later_has_everything_once(clients: Clients, tmp_path: Path) -> None:
    admin, own = clients
    config = (await admin.js.stream_info(LIVE)).config
    config.max_bytes = 40_000
    await admin.js.update_stream(config)
    rig = Rig(tmp_path / "log", late_after_ms=60_000)
    async with publishing(rig, own):
        # Large and small in turn: a small one may fit where the large one before it was refused.
        for rows in (400, 5, 400, 5, 400, 5, 800, 5, 2000, 5, 5, 2000, 2000):
            rig.write(1, rows)
        await until(lambda: "refused" in str(rig.publisher.text) and rig.publisher.waiting)
        config.max_bytes = 10**8
        await admin.js.update_stream(config)
        await asyncio.wait_for(rig.publisher.drained(), PATIENCE_S)
    live = [sequence for sequence, _ in await stored(admin, LIVE)]
    late = [sequence for sequence, _ in await stored(admin, LATE)]
    assert Counter(live + late) == Counter(range(rig.log.first, rig.log.last + 1))
    assert live == sorted(live)
    rig.close()


async def test_a_bus_with_new_streams_gets_again_what_the_historian_has_not(clients: Clients, tmp_path: Path) -> None:
    admin, own = clients
    rig = Rig(tmp_path / "log")
    async with publishing(rig, own):
        rig.write(30)
        await asyncio.wait_for(rig.publisher.drained(), PATIENCE_S)
        await admin.nc.publish(subjects.position(LIVE), b"20")
        await until(lambda: rig.marks.confirmed[LIVE] == rig.log.first + 19)
    rig.close()
    for stream in (LIVE, LATE):
        await admin.js.delete_stream(stream)
    await server.ensure_streams(admin, 1024**3)
    rig = Rig(tmp_path / "log")
    async with publishing(rig, own):
        rig.write(10)
        await until(lambda: holds(admin, LATE, 10))
        await asyncio.wait_for(rig.publisher.drained(), PATIENCE_S)
    live = [sequence for sequence, _ in await stored(admin, LIVE)]
    late = [sequence for sequence, _ in await stored(admin, LATE)]
    assert live == [*range(rig.log.first + 30, rig.log.first + 40)]
    assert late == [*range(rig.log.first + 20, rig.log.first + 30)]
    rig.close()


async def test_a_stream_that_was_purged_after_storing_is_not_sent_again(clients: Clients, tmp_path: Path) -> None:
    admin, own = clients
    rig = Rig(tmp_path / "log")
    async with publishing(rig, own):
        rig.write(30)
        await asyncio.wait_for(rig.publisher.drained(), PATIENCE_S)
    # Nothing is closed: the gateway was killed.
    await admin.js.purge_stream(LIVE)
    rig.log.close()
    again = Rig(tmp_path / "log")
    async with publishing(again, own):
        again.write(3)
        await asyncio.wait_for(again.publisher.drained(), PATIENCE_S)
    assert [sequence for sequence, _ in await stored(admin, LIVE)] == [*range(again.log.first + 30, again.log.last + 1)]
    assert await stored(admin, LATE) == []
    again.close()
