"""Killed at any instant, the historian has every reading exactly once."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest
from tests.faults.rot import flip_bit
from tests.history.conftest import ACME, Plant, end

from mainspring.core import subjects
from mainspring.core.history import AggregateQuery, RawQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.history.chdb_store import ChdbStore

KILLS = 6
ROWS = 240
MESSAGES = 200
"""Between two kills: as many on a slow machine as on a fast one, for each start may have to look all of them up."""
DAY = 86_400_000
PATIENCE_S = 300


async def unless_it_ends(process: asyncio.subprocess.Process, waiting: Coroutine[Any, Any, None]) -> None:
    """Wait, but no longer than the process is there."""
    waits, ends = asyncio.create_task(waiting), asyncio.create_task(process.wait())
    await asyncio.wait({waits, ends}, return_when=asyncio.FIRST_COMPLETED)
    assert not ends.done(), f"it ended by itself with {process.returncode}; its log lies in the test's folder"
    ends.cancel()
    await waits


@pytest.mark.slow
async def test_every_number_is_there_once_after_many_kills(plant: Plant) -> None:
    chance = random.Random(7)
    now = time.time_ns() // 1_000_000
    published = {subjects.LIVE: 0, subjects.LATE: 0}
    sent = 0

    async def publish() -> None:
        nonlocal sent
        for _ in range(MESSAGES):
            numbers = np.arange(sent, sent + ROWS)
            # Twelve days, so that each insert touches twelve partitions and can be cut between any two.
            times = now - numbers % 12 * DAY - numbers // 12 % 1000
            batch = build(Column.FLOAT64, numbers % 20, times, numbers, 192, Origin.MACHINE)
            late = chance.random() < 0.3
            subject = subjects.readings("acme", "g1", late=late)
            acknowledged = await plant.gateway.js.publish(subject, batch.encode(), timeout=PATIENCE_S)
            published[acknowledged.stream] = acknowledged.seq
            sent += ROWS

    for _ in range(KILLS):
        publisher = asyncio.create_task(publish())
        historian = await plant.start("gather_ms=20")
        # The first position said means that it is at work; the instant of the kill is any after that.
        await unless_it_ends(historian, plant.stored(subjects.LIVE, 1, PATIENCE_S))
        await asyncio.sleep(chance.uniform(0.0, 0.4))
        historian.kill()
        await historian.wait()
        await publisher
        # Every other time a file of its position is spoilt, too; the rows tell what is stored.
        for file in sorted((plant.folder / "positions").glob("L*.json"))[:: chance.randrange(1, 4)]:
            if chance.random() < 0.5:
                flip_bit(file, chance)
    historian = await plant.start("gather_ms=500")
    for stream, sequence in published.items():
        await unless_it_ends(historian, plant.stored(stream, sequence, PATIENCE_S))
    await end(historian)

    store = ChdbStore(plant.folder / "history", rollup_quiet_s=0)
    query = RawQuery(tags=tuple(range(20)), start_ms=0, end_ms=now + DAY, limit=5_000_000)
    found = Counter(int(value) for chunk in store.raw(ACME, query) for value in chunk["value"].to_numpy())
    for _ in store.roll_up(now + 600_000):
        pass
    whole = {"start_ms": (now // DAY - 13) * DAY, "end_ms": (now // DAY + 1) * DAY, "step_ms": DAY}
    rolled_up = store.aggregate(ACME, AggregateQuery(tags=tuple(range(20)), functions=("count",), **whole))
    store.close()
    assert rolled_up["count"].to_numpy().sum() == sent, "rows of hours and readings differ"
    assert set(found) == set(range(sent))
    assert max(found.values()) == 1, f"{sum(each > 1 for each in found.values())} of {sent} readings are there twice"
