"""What is imported reaches the history once, in its place, for its own tenant alone."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.history.conftest import Plant, end
from tests.waiting import ANSWER_S, PATIENCE_S

from mainspring.core import subjects
from mainspring.core.errors import MainspringError, NotConnected, Rejected
from mainspring.core.history import AggregateQuery, RawQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import SampleBatch, build
from mainspring.history.chdb_store import ChdbStore
from mainspring.history.importing.intake import PIECE_ROWS_MAX
from mainspring.history.importing.store import OLD, STORED, THERE

DAY_MS = 86_400_000
BEGIN_MS = 1_767_225_600_000


def batch(tags: Any, times: Any, values: Any, column: Column = Column.FLOAT64) -> SampleBatch:
    return build(column, tags, times, values, 192, Origin.IMPORTED)


def raw(store: ChdbStore, tag: int, tenant: int = 7, column: Column = Column.FLOAT64) -> list[tuple[int, Any]]:
    query = RawQuery(tags=(tag,), start_ms=0, end_ms=2**51, column=column)
    return [(row["time"], row["value"]) for part in store.raw(tenant, query) for row in part.to_pylist()]


def test_samples_of_many_days_are_placed_once_whatever_their_order(tmp_path: Path) -> None:
    store = ChdbStore(tmp_path)
    try:
        times = BEGIN_MS + np.arange(400) * (DAY_MS // 20)
        shuffled = np.random.default_rng(3).permutation(np.tile(times, 2))
        samples = batch([1] * 800, shuffled, shuffled / 1000.0)
        became = store.place(7, samples, {})
        assert np.bincount(became, minlength=3).tolist() == [400, 400, 0]
        assert raw(store, 1) == [(int(when), when / 1000.0) for when in times]
        assert (store.place(7, samples, {}) == THERE).all()
        more = batch([1, 1, 2], [BEGIN_MS, BEGIN_MS + 1, BEGIN_MS], [5.0, 6.0, 7.0])
        assert store.place(7, more, {}).tolist() == [THERE, STORED, STORED]
        assert store.place(8, more, {}).tolist() == [STORED] * 3, "another tenant's samples are other samples"
    finally:
        store.close()


def test_what_a_machine_sent_is_not_doubled_and_counts_and_texts_are_exact(tmp_path: Path) -> None:
    store = ChdbStore(tmp_path)
    try:
        from mainspring.core.history import Entry

        store.append("LIVE@1", [Entry(1, 7, build(Column.INT64, [3], BEGIN_MS, [1], 192, Origin.MACHINE))], 1, 1)
        counts = batch([3, 3], [BEGIN_MS, BEGIN_MS + 1], [9, 2**53 + 1], Column.INT64)
        assert store.place(7, counts, {}).tolist() == [THERE, STORED]
        assert raw(store, 3, column=Column.INT64) == [(BEGIN_MS, 1), (BEGIN_MS + 1, 2**53 + 1)]
        texts = batch([4, 4], [BEGIN_MS + 1, BEGIN_MS], ["停", "run"], Column.TEXT)
        assert store.place(7, texts, {}).tolist() == [STORED, STORED]
        assert raw(store, 4, column=Column.TEXT) == [(BEGIN_MS, "run"), (BEGIN_MS + 1, "停")]
    finally:
        store.close()


def test_what_its_class_would_drop_at_once_does_not_come_in(tmp_path: Path) -> None:
    store = ChdbStore(tmp_path)
    try:
        store.classify("short", [5])
        samples = batch([5, 5, 6], [BEGIN_MS, BEGIN_MS + DAY_MS, BEGIN_MS], [1.0, 2.0, 3.0])
        assert store.place(7, samples, {"short": BEGIN_MS + DAY_MS}).tolist() == [OLD, STORED, STORED]
    finally:
        store.close()


def test_rollups_hold_what_is_imported_behind_them(tmp_path: Path) -> None:
    store = ChdbStore(tmp_path, rollup_quiet_s=0.0)
    try:
        now_ms = time.time_ns() // 1_000_000
        start = (now_ms // DAY_MS - 3) * DAY_MS
        first = batch([1] * 1440, start + np.arange(1440) * 60_000, np.ones(1440))
        store.place(7, first, {})
        for _ in store.roll_up(now_ms):
            pass
        query = AggregateQuery(
            tags=(1,), start_ms=start, end_ms=start + DAY_MS, step_ms=DAY_MS, functions=("mean", "max", "count")
        )
        assert store.aggregate(7, query).to_pylist()[0]["count"] == 1440
        store.place(7, batch([1] * 1440, start + 30_000 + np.arange(1440) * 60_000, np.full(1440, 3.0)), {})
        for _ in range(2):
            for _ in store.roll_up(now_ms):
                pass
        answer = store.aggregate(7, query)
        row = answer.to_pylist()[0]
        assert (row["count"], row["mean"], row["max"]) == (2880, 2.0, 3.0)
        assert answer.schema.metadata[b"source"] != b"raw"
    finally:
        store.close()


async def send(plant: Plant, bus: Any, tenant: str, samples: SampleBatch) -> dict[str, int]:
    answer = await bus.ask(subjects.history(tenant, "import"), samples.encode(), timeout_s=PATIENCE_S)
    told: dict[str, int] = json.loads(answer)
    return told


async def test_the_historian_answers_when_samples_are_stored_and_refuses_foreign_tags(plant: Plant) -> None:
    process = await plant.start()
    await plant.health()
    samples = batch(np.repeat([1, 2], 500), np.tile(BEGIN_MS + np.arange(500), 2), np.arange(1000.0))
    try:
        assert await send(plant, plant.admin, "acme", samples) == {"stored": 1000, "there": 0, "old": 0}
        assert await send(plant, plant.admin, "acme", samples) == {"stored": 0, "there": 1000, "old": 0}
        for tenant, tag in (("acme", 1000), ("acme", 77), ("other", 1)):
            with pytest.raises(Rejected):
                await send(plant, plant.admin, tenant, batch([tag], [BEGIN_MS], [1.0]))
        query = RawQuery(tags=(1,), start_ms=0, end_ms=2**51)
        answer = await plant.admin.ask(subjects.history("acme", "raw"), query.model_dump_json().encode())
        assert pa.ipc.open_stream(answer).read_all()["value"].to_pylist() == list(map(float, range(500)))
    finally:
        await end(process)


async def test_a_historian_killed_again_and_again_stores_each_sample_once(plant: Plant) -> None:
    """Pieces are sent until they are answered, as an import does."""
    rng = np.random.default_rng(11)
    rows = PIECE_ROWS_MAX // 5
    pieces = [
        batch(
            np.repeat(np.arange(10), rows // 10),
            BEGIN_MS + (number * rows + np.arange(rows)) * 40_000,
            rng.random(rows),
        )
        for number in range(12)
    ]
    process = await plant.start()
    await plant.health()

    async def until_stored(samples: SampleBatch) -> int:
        while True:
            try:
                return sum((await asyncio.wait_for(send(plant, plant.admin, "acme", samples), ANSWER_S)).values())
            except (MainspringError, NotConnected, TimeoutError):
                await asyncio.sleep(0.1)

    sent = asyncio.gather(*(until_stored(piece) for piece in pieces))
    for _ in range(4):
        await asyncio.sleep(float(rng.uniform(0.05, 0.6)))
        process.kill()
        await process.wait()
        process = await plant.start()
    try:
        assert await asyncio.wait_for(sent, PATIENCE_S) == [rows] * 12
    finally:
        await end(process)
    store = ChdbStore(plant.folder / "history")
    try:
        kept = np.concatenate([np.array(raw(store, tag)) for tag in range(10)])
    finally:
        store.close()
    wanted = np.concatenate(
        [
            np.column_stack([piece.time[piece.tag == tag], piece.value[piece.tag == tag]])
            for tag in range(10)
            for piece in pieces
        ]
    )
    assert kept.shape == wanted.shape
    assert (kept[np.lexsort(kept.T)] == wanted[np.lexsort(wanted.T)]).all()
