"""A historian at work rolls up by itself, also what comes late, and stops at once when asked."""

from __future__ import annotations

import asyncio
import time

import numpy as np
from tests.history.conftest import ACME, Plant
from tests.waiting import PATIENCE_S

from mainspring.core import subjects
from mainspring.core.history import TrendQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.history.chdb_store import ChdbStore
from mainspring.history.historian import run
from mainspring.history.settings import HistorianSettings

HOUR = 3_600_000
START = time.time_ns() // 1_000_000 // HOUR * HOUR - 30 * HOUR


async def test_late_readings_are_rolled_up_while_the_historian_works(plant: Plant) -> None:
    store = ChdbStore(plant.folder / "history", rollup_quiet_s=0)
    bus = await plant.server.as_role("historian")
    stop = asyncio.Event()
    settings = HistorianSettings(plant.folder / "positions", gather_ms=50, disk_free_min_bytes=0)
    running = asyncio.create_task(run(bus, store, settings, stop))
    query = TrendQuery(tags=(3,), start_ms=START, end_ms=START + 24 * HOUR, buckets=4)
    try:
        for value in (1.0, 5.0):
            times = START + np.arange(24) * HOUR + int(value) * 1000
            batch = build(Column.FLOAT64, np.full(24, 3), times, np.full(24, value), 192, Origin.MACHINE)
            acknowledged = await plant.gateway.js.publish(subjects.readings("acme", "g1"), batch.encode())
            await plant.stored(subjects.LIVE, acknowledged.seq)
            async with asyncio.timeout(60):
                while (answer := store.trend(ACME, query)).schema.metadata[b"source"] != b"hour":
                    await asyncio.sleep(0.1)
            assert answer["max"].to_pylist() == [value] * 4
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await running
        await bus.close()
        store.close()
