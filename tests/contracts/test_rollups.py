"""Rollups of every history store: with them it answers as it does without, whatever came late or was corrected."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.conftest import EXAMPLES, Opening

from mainspring.core.history import (
    CORRECTED,
    LATE,
    AggregateQuery,
    Entry,
    HistoryStore,
    RawQuery,
    TrendQuery,
)
from mainspring.core.kinds import Column, Origin
from mainspring.core.quality import BAD, GOOD, GOOD_LOCAL_OVERRIDE, UNCERTAIN
from mainspring.core.samples import SampleBatch, build

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW: Final = time.time_ns() // 1_000_000
START: Final = NOW // HOUR * HOUR - 6 * HOUR
SPAN_MS: Final = 5 * HOUR
LONG_SINCE: Final = START - 400 * DAY
FUNCTIONS: Final = ("min", "max", "mean", "first", "last", "count", "time_weighted")
TENANTS = count(1)
SEQUENCES = count(1)


@pytest.fixture
def store(opening: Opening, tmp_path: Path) -> Iterator[HistoryStore]:
    opened = opening(tmp_path / "history", rollup_quiet_s=0)
    yield opened
    opened.close()


def floats(tag: int, times: Any, values: Any, quality: Any = GOOD) -> SampleBatch:
    return build(Column.FLOAT64, np.full(len(times), tag), times, values, quality, Origin.MACHINE)


def put(store: HistoryStore, *batches: SampleBatch, tenant: int = 1, arrived_ms: int = 0) -> None:
    first = next(SEQUENCES)
    entries = [Entry(first, tenant, batch, arrived_ms) for batch in batches]
    store.append("LIVE", entries, first, first)


def roll(store: HistoryStore, now_ms: int) -> None:
    for _ in store.roll_up(now_ms):
        pass


def aggregate(store: HistoryStore, tag: int = 1, tenant: int = 1, **options: Any) -> pa.Table:
    asked = {"start_ms": START, "end_ms": START + SPAN_MS, "step_ms": MINUTE, "functions": FUNCTIONS, **options}
    return store.aggregate(tenant, AggregateQuery(tags=(tag,), **asked))


def source(table: pa.Table) -> str:
    return str(table.schema.metadata[b"source"].decode())


def same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Compare answers; floats but for the order of their addition."""
    assert [(row["tag"], row["time"]) for row in found] == [(row["tag"], row["time"]) for row in expected]
    for one, other in zip(found, expected, strict=True):
        assert one == {name: pytest.approx(value, rel=1e-9, abs=1e-6, nan_ok=True) for name, value in other.items()}


def drawn(rows: list[dict[str, Any]], origin_ms: int, bucket_ms: int) -> list[dict[str, Any]]:
    """Compute what a trend must answer, sample by sample."""
    held: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in rows:
        held.setdefault((row["tag"], (row["time"] - origin_ms) // bucket_ms), []).append(row)
    answer = []
    for (tag, place), samples in sorted(held.items()):
        good = [row["value"] for row in samples if row["quality"] >= GOOD and math.isfinite(row["value"])]
        marks = 0
        for row in samples:
            marks |= 1 << row["origin"] | row["flags"] << 8
        nothing = [math.nan]
        answer.append(
            {"tag": tag, "time": origin_ms + place * bucket_ms, "first": (good or nothing)[0],
             "min": min(good, default=math.nan), "max": max(good, default=math.nan), "last": (good or nothing)[-1],
             "mean": sum(good) / len(good) if good else math.nan, "good": len(good), "bad": len(samples) - len(good),
             "held": int(samples[-1]["quality"] >= GOOD and math.isfinite(samples[-1]["value"])), "marks": marks}
        )  # fmt: skip
    return answer


def test_rows_of_minutes_and_hours_answer_once_they_are_made(store: HistoryStore) -> None:
    put(store, floats(1, START + np.arange(0, SPAN_MS, 1000), np.arange(SPAN_MS // 1000)))
    assert source(aggregate(store)) == "raw"
    roll(store, START + 4 * HOUR + 10 * MINUTE)
    assert source(aggregate(store)) == "minute"
    assert source(aggregate(store, step_ms=HOUR)) == "hour"
    assert source(aggregate(store, step_ms=HOUR, start_ms=START + MINUTE)) == "minute"
    assert source(aggregate(store, step_ms=HOUR, start_ms=START + 1)) == "raw"
    assert source(aggregate(store, step_ms=1000)) == "raw"
    assert aggregate(store, step_ms=HOUR)["count"].to_pylist() == [3600] * 5, "the last hour is of samples alone"
    span = {"tags": (1,), "start_ms": START, "end_ms": START + SPAN_MS}
    assert [source(store.trend(1, TrendQuery(buckets=size, **span))) for size in (1, 100, 101)] == [
        "hour", "minute", "raw",
    ]  # fmt: skip


def test_a_reading_of_a_day_ago_and_a_correction_change_what_was_rolled_up(store: HistoryStore) -> None:
    put(store, floats(1, [START + 1000, START + 2000], [1.0, 3.0]), floats(2, [START + 1000], [7.0]))
    roll(store, NOW)
    put(store, floats(1, [START + 3000], [8.0]), arrived_ms=NOW)
    store.correct(1, floats(1, [START + 1000], [10.0], GOOD_LOCAL_OVERRIDE), "p1")
    for step_ms in (MINUTE, HOUR):
        # Marked: answered from samples until the hour is made again, then from its row.
        assert aggregate(store, step_ms=step_ms)["mean"].to_pylist()[0] == 7.0
    roll(store, NOW)
    for step_ms, made_of in ((MINUTE, "minute"), (HOUR, "hour")):
        found = aggregate(store, step_ms=step_ms)
        assert found["mean"].to_pylist()[0] == 7.0
        assert source(found) == made_of
        assert aggregate(store, 2, step_ms=step_ms)["mean"].to_pylist()[0] == 7.0
    trend = store.trend(1, TrendQuery(tags=(1,), start_ms=START, end_ms=START + SPAN_MS, buckets=1))
    assert trend["marks"].to_pylist() == [1 << Origin.MACHINE | (LATE | CORRECTED) << 8]


def test_integers_and_a_tag_that_changed_its_kind_roll_up(store: HistoryStore) -> None:
    put(
        store, build(Column.INT64, [1, 1], [START, START + 30_000], [1, 4], GOOD, Origin.MACHINE),
        floats(1, [START + 15_000], [2.0]),
    )  # fmt: skip
    roll(store, NOW)
    found = aggregate(store, end_ms=START + MINUTE).to_pylist()
    assert [(row["first"], row["last"], row["count"], row["time_weighted"]) for row in found] == [(1.0, 4.0, 3, 2.75)]


def test_tenants_share_no_rows(store: HistoryStore) -> None:
    put(store, floats(1, [START], [1.0]), tenant=1)
    put(store, floats(1, [START], [2.0]), tenant=2)
    roll(store, NOW)
    put(store, floats(1, [START + 1], [8.0]), tenant=2)
    roll(store, NOW)
    assert [aggregate(store, tenant=tenant)["max"].to_pylist()[0] for tenant in (1, 2)] == [1.0, 8.0]
    assert aggregate(store, tenant=3).num_rows == 0


def test_rolling_up_may_be_left_at_any_piece_and_begun_again(store: HistoryStore) -> None:
    times = LONG_SINCE + np.arange(12) * 40 * DAY
    put(store, *(floats(tag, times, np.arange(12) + tag) for tag in range(1, 4)))
    for _ in range(30):
        list(islice(store.roll_up(NOW), 1))
    roll(store, NOW)
    found = aggregate(store, 3, start_ms=LONG_SINCE // HOUR * HOUR, end_ms=START, step_ms=HOUR, functions=("count",))
    assert source(found) == "hour"
    assert found["count"].to_pylist() == [1] * 10


def test_what_is_rolled_up_and_what_is_late_is_known_after_opening_again(opening: Opening, tmp_path: Path) -> None:
    opened = opening(tmp_path, rollup_quiet_s=0)
    put(opened, floats(1, [START], [1.0]))
    roll(opened, NOW)
    put(opened, floats(1, [START + 1], [3.0]))
    opened.close()
    opened = opening(tmp_path, rollup_quiet_s=0)
    assert aggregate(opened)["mean"].to_pylist()[0] == 2.0
    roll(opened, NOW)
    opened.close()
    # Without its state a store makes all rows again, and those count.
    for file in tmp_path.glob("rollups.*"):
        file.unlink()
    opened = opening(tmp_path, rollup_quiet_s=0)
    put(opened, floats(1, [START + 2], [8.0]))
    roll(opened, NOW)
    found = aggregate(opened)
    assert (source(found), found["mean"].to_pylist()[0]) == ("minute", 4.0)
    opened.close()


def test_rollups_answer_alone_where_readings_were_given_up(store: HistoryStore) -> None:
    put(store, floats(1, LONG_SINCE + np.arange(0, DAY, 10_000), np.arange(8640)), floats(1, [START], [5.0]))
    roll(store, NOW)
    whole = {"tags": (1,), "start_ms": LONG_SINCE + 30_000, "end_ms": LONG_SINCE + HOUR}
    before = store.trend(1, TrendQuery(buckets=10, **whole))
    dropped = store.retain(NOW, {"standard": 365}, 10**15)
    assert dropped
    assert list(store.raw(1, RawQuery(**whole))) == []
    assert store.extent(1).oldest_ms == LONG_SINCE, "hours tell of what was given up"
    after = store.trend(1, TrendQuery(buckets=10, **whole))
    assert source(after) == "minute"
    assert after["good"].to_numpy().sum() >= before["good"].to_numpy().sum()
    assert source(store.trend(1, TrendQuery(buckets=10_000, **whole))) == "minute"
    # A reading that comes after its day was given up cannot make the rows of that day poorer.
    put(store, floats(1, [LONG_SINCE], [9e9]))
    roll(store, NOW)
    assert store.trend(1, TrendQuery(buckets=10, **whole)).to_pylist() == after.to_pylist()
    store.retain(NOW, {"standard": 365, "standard/minute": 370}, 10**15)
    hours = store.trend(1, TrendQuery(buckets=10_000, **whole))
    assert (source(hours), hours.schema.metadata[b"bucket_ms"]) == ("hour", str(HOUR).encode())
    assert 360 <= hours["good"].to_numpy().sum() <= 720


def test_space_is_made_of_readings_before_minutes_and_of_hours_last(store: HistoryStore) -> None:
    noise = np.random.default_rng(1).normal(size=8640)
    for day in range(1, 5):
        put(store, floats(1, NOW // DAY * DAY - day * DAY + np.arange(0, DAY, 10_000), noise))
    roll(store, NOW)
    sized = [10**9, 1]
    tables = [{name.split()[0] for name in store.retain(NOW, {}, size)} for size in sized]
    assert tables[0] == set()
    assert tables[1] >= {"sample_float64", "rollup_minute"}
    yesterday, month = NOW // DAY * DAY - DAY, 30 * DAY
    kept = aggregate(store, start_ms=yesterday, end_ms=NOW, step_ms=HOUR, functions=("count",))
    assert (kept.num_rows > 0) == (yesterday // month == NOW // month), "hours of the current month stay"


@pytest.fixture(scope="module")
def shared(opening: Opening, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistoryStore]:
    opened = opening(tmp_path_factory.mktemp("shared"), rollup_quiet_s=0)
    yield opened
    opened.close()


VALUES = st.one_of(st.floats(-1e6, 1e6), st.just(math.nan))
QUALITY = st.sampled_from([GOOD, GOOD, GOOD, GOOD_LOCAL_OVERRIDE, BAD, UNCERTAIN])
PLACES = st.one_of(st.integers(0, SPAN_MS - 1), st.integers(0, 2 * HOUR // 1000).map(lambda second: second * 1000))
SAMPLES = st.lists(st.tuples(PLACES, VALUES, QUALITY), max_size=40, unique_by=lambda sample: sample[0])


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[SampleBatch], int]:
    """Return what came in time, what came late and what was corrected of one tag, each once at a time; and a tenant."""
    samples = draw(SAMPLES)
    late = [draw(st.integers(0, 4)) == 0 for _ in samples]
    corrected = [(at, draw(VALUES), draw(QUALITY)) for at, _, _ in samples if draw(st.integers(0, 7)) == 0]
    dense = draw(st.one_of(st.none(), st.integers(0, SPAN_MS // HOUR - 1)))
    parts = [[sample for sample, is_late in zip(samples, late, strict=True) if is_late is wanted] for wanted in (0, 1)]
    if dense is not None:
        taken = {at for at, _, _ in samples}
        seconds = [dense * HOUR + 7 + 1000 * second for second in range(0, 1200)]
        parts[0] += [(at, float(at % 977), GOOD) for at in seconds if at not in taken]
    batches = [
        build(
            Column.FLOAT64, np.full(len(part), 1), START + np.array([at for at, _, _ in part], dtype=np.int64),
            [value for _, value, _ in part], np.array([quality for _, _, quality in part], dtype=np.uint8),
            Origin.MANUAL if place == 2 else Origin.MACHINE,
        )
        for place, part in enumerate((*parts, corrected))
    ]  # fmt: skip
    return batches, next(TENANTS) + 1000


@settings(max_examples=8 * EXAMPLES, deadline=None)
@given(
    history=histories(),
    rolled=st.integers(0, SPAN_MS // MINUTE + 10),
    settled=st.booleans(),
    step=st.sampled_from([MINUTE, 5 * MINUTE, HOUR, 2 * HOUR]),
    start=st.integers(0, 90),
    end=st.integers(SPAN_MS // 2, SPAN_MS),
    buckets=st.integers(1, 80),
)
def test_rollups_answer_as_the_readings_do(
    shared: HistoryStore, history: tuple[list[SampleBatch], int], rolled: int, settled: bool, step: int,
    start: int, end: int, buckets: int,
) -> None:  # fmt: skip
    (timely, late, corrected), tenant = history
    # Its clock set back to the start, the store rolls up what came in time as it would have then.
    roll(shared, START)
    put(shared, timely, tenant=tenant)
    roll(shared, START + rolled * MINUTE)
    put(shared, late, tenant=tenant, arrived_ms=NOW)
    shared.correct(tenant, corrected, "p1")
    if settled:
        roll(shared, START + rolled * MINUTE)
    spans = [{"start_ms": begin, "end_ms": START + end} for begin in (START + start * MINUTE // step * step, START)]
    trend = TrendQuery(tags=(1,), start_ms=START + start * 45_001, end_ms=START + end, buckets=buckets)
    found = [aggregate(shared, 1, tenant, step_ms=step, **span) for span in spans]
    picture = shared.trend(tenant, trend)
    # Set back to before the start, it has nothing but the readings.
    roll(shared, START - 2 * DAY)
    for span, answer in zip(spans, found, strict=True):
        expected = aggregate(shared, 1, tenant, step_ms=step, **span)
        assert source(expected) == "raw"
        same(answer.to_pylist(), expected.to_pylist())
        assert (answer.column_names, answer.schema.types) == (expected.column_names, expected.schema.types)
    query = RawQuery(tags=(1,), start_ms=trend.start_ms, end_ms=trend.end_ms)
    samples = [row for chunk in shared.raw(tenant, query) for row in chunk.to_pylist()]
    metadata = picture.schema.metadata
    same(picture.to_pylist(), drawn(samples, int(metadata[b"origin_ms"]), int(metadata[b"bucket_ms"])))
    assert picture.num_rows <= buckets
    other = shared.trend(tenant, trend).schema
    assert (picture.column_names, picture.schema.types) == (other.names, other.types)
