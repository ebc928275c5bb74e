"""Killed at any instant, the historian has every reading exactly once."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

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
DAY = 86_400_000


@pytest.mark.slow
async def test_every_number_is_there_once_after_many_kills(plant: Plant) -> None:
    chance = random.Random(7)
    now = time.time_ns() // 1_000_000
    published = {subjects.LIVE: 0, subjects.LATE: 0}
    sent = 0
    going = True

    async def publish() -> None:
        nonlocal sent
        while going:
            numbers = np.arange(sent, sent + ROWS)
            # Twelve days, so that each insert touches twelve partitions and can be cut between any two.
            times = now - numbers % 12 * DAY - numbers // 12 % 1000
            batch = build(Column.FLOAT64, numbers % 20, times, numbers, 192, Origin.MACHINE)
            late = chance.random() < 0.3
            acknowledged = await plant.gateway.js.publish(subjects.readings("acme", "g1", late=late), batch.encode())
            published[acknowledged.stream] = acknowledged.seq
            sent += ROWS
            await asyncio.sleep(0.002)

    publisher = asyncio.create_task(publish())
    for _ in range(KILLS):
        historian = await plant.start("gather_ms=20")
        # The first position said means that it is at work; the instant of the kill is any after that.
        await plant.stored(subjects.LIVE, 1, 120)
        await asyncio.sleep(chance.uniform(0.0, 0.4))
        assert historian.returncode is None
        historian.kill()
        await historian.wait()
        # Every other time a file of its position is spoilt, too; the rows tell what is stored.
        for file in sorted((plant.folder / "positions").glob("L*.json"))[:: chance.randrange(1, 4)]:
            if chance.random() < 0.5:
                flip_bit(file, chance)
    going = False
    await publisher
    historian = await plant.start()
    for stream, sequence in published.items():
        await plant.stored(stream, sequence, 180)
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
