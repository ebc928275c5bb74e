"""What every history store keeps to, run over each implementation."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts.conftest import EXAMPLES, Opening

from mainspring.core.alarms import EVENT_SCHEMA
from mainspring.core.errors import LimitExceeded, StoreError
from mainspring.core.history import (
    CORRECTED,
    LATE,
    AggregateQuery,
    Entry,
    EventQuery,
    HistoryStore,
    RawQuery,
    StateQuery,
    TrendQuery,
)
from mainspring.core.kinds import Column, Origin
from mainspring.core.quality import BAD, BAD_COMMUNICATION, GOOD, GOOD_LOCAL_OVERRIDE, UNCERTAIN
from mainspring.core.samples import SampleBatch, build

DAY, HOUR = 86_400_000, 3_600_000
NOW = time.time_ns() // 1_000_000 // 1000 * 1000
START = NOW - 3_600_000


@pytest.fixture
def store(opening: Opening, tmp_path: Path) -> Iterator[HistoryStore]:
    opened = opening(tmp_path / "history")
    yield opened
    opened.close()


def floats(tags: Any, times: Any, values: Any, quality: Any = GOOD) -> SampleBatch:
    return build(Column.FLOAT64, tags, times, values, quality, Origin.MACHINE)


def rows(store: HistoryStore, tags: tuple[int, ...], tenant: int = 1, **options: Any) -> list[dict[str, Any]]:
    query = RawQuery(tags=tags, **{"start_ms": 0, "end_ms": NOW + 10 * DAY, **options})
    return [row for chunk in store.raw(tenant, query) for row in chunk.to_pylist()]


def put(store: HistoryStore, *batches: SampleBatch, tenant: int = 1, first: int = 1, stream: str = "LIVE") -> None:
    entries = [Entry(first + place, tenant, batch) for place, batch in enumerate(batches)]
    store.append(stream, entries, first, first + len(entries) - 1)


def test_raw_gives_all_columns_oldest_first(store: HistoryStore) -> None:
    put(store, floats([2, 1], [START + 1000, START], [2.5, 1.5], [BAD, GOOD]))
    put(store, floats([1], [START + 500], [3.5]), first=2)
    assert rows(store, (1, 2)) == [
        {"tag": 1, "time": START, "value": 1.5, "quality": GOOD, "origin": Origin.MACHINE, "flags": 0},
        {"tag": 1, "time": START + 500, "value": 3.5, "quality": GOOD, "origin": Origin.MACHINE, "flags": 0},
        {"tag": 2, "time": START + 1000, "value": 2.5, "quality": BAD, "origin": Origin.MACHINE, "flags": 0},
    ]
    assert [row["time"] for row in rows(store, (1, 2), limit=2)] == [START, START + 500]
    assert [row["time"] for row in rows(store, (1, 2), start_ms=START + 500, end_ms=START + 1000)] == [START + 500]


def test_integers_beyond_2_53_and_texts_come_back_exactly(store: HistoryStore) -> None:
    texts = ["", "阀门 'A'", "line\n\\0", "x" * 5000]
    put(
        store,
        build(Column.INT64, [3, 3], [START, START + 1], [2**62 + 1, -(2**62) - 1], GOOD, Origin.MACHINE),
        build(Column.TEXT, [4] * 4, START + np.arange(4), texts, GOOD, Origin.MANUAL),
    )
    assert [row["value"] for row in rows(store, (3,), column=Column.INT64)] == [2**62 + 1, -(2**62) - 1]
    assert [row["value"] for row in rows(store, (4,), column=Column.TEXT)] == texts
    assert rows(store, (3, 4)) == []


def test_raw_comes_in_chunks_and_may_be_left(store: HistoryStore) -> None:
    size = 200_000
    put(store, floats(np.full(size, 1), START + np.arange(size), np.arange(size)))
    query = RawQuery(tags=(1,), start_ms=0, end_ms=NOW + DAY)
    chunks = store.raw(1, query)
    first = next(chunks)
    assert first.num_rows < size
    assert store.extent(1).samples == size, "another query while a stream is open"
    del chunks
    values = np.concatenate([chunk["value"].to_numpy() for chunk in store.raw(1, query)])
    assert np.array_equal(values, np.arange(size))


def test_an_append_repeated_is_done_once(store: HistoryStore) -> None:
    for _ in range(3):
        put(store, floats([1, 1], [START, START - 5 * DAY], [1, 2]), floats([2], [START], [3]))
    assert store.extent(1).samples == 3
    put(store, floats([1], [START], [4]), stream="LATE")
    put(store, floats([1], [START], [5]), first=3)
    assert store.extent(1).samples == 5


def test_equal_samples_of_different_messages_are_all_kept(store: HistoryStore) -> None:
    put(store, floats([1], [START], [1]))
    put(store, floats([1], [START], [1]), first=2)
    assert store.extent(1).samples == 2


def test_all_is_there_after_opening_again(opening: Opening, tmp_path: Path) -> None:
    opened = opening(tmp_path)
    opened.classify("short", [1])
    put(opened, floats([1, 2], START, [1, 2]))
    opened.correct(1, floats([1], [START], [9], GOOD_LOCAL_OVERRIDE), "p1")
    opened.close()
    opened = opening(tmp_path)
    put(opened, floats([1, 2], START, [1, 2]))
    assert [row["value"] for row in rows(opened, (1, 2))] == [9, 2]
    assert opened.extent(1).samples == 2
    opened.close()
    with pytest.raises(StoreError):
        opened.extent(1)


def test_tenants_cannot_see_each_other(store: HistoryStore) -> None:
    both = Entry(1, 1, floats([1], [START], [1.0])), Entry(2, 2, floats([1], [START], [2.0]))
    store.append("LIVE", both, 1, 2)
    store.correct(2, floats([1], [START], [7.0]), "p2")
    assert [row["value"] for row in rows(store, (1,), tenant=1)] == [1.0]
    assert [row["value"] for row in rows(store, (1,), tenant=2)] == [7.0]
    assert rows(store, (1,), tenant=3) == []
    span = {"tags": (1,), "start_ms": START, "end_ms": START + 1000}
    assert store.trend(1, TrendQuery(**span))["max"].to_pylist() == [1.0]
    assert store.aggregate(2, AggregateQuery(step_ms=1000, **span))["max"].to_pylist() == [7.0]
    assert store.extent(3).samples == 0
    assert store.extent(1).samples == 1


def test_samples_with_impossible_times_are_set_aside_one_by_one(store: HistoryStore) -> None:
    times = [START, 0, -5, NOW + 40 * DAY, 2**62, -(2**62), START + 1]
    put(store, floats([1] * 7, times, np.arange(7)), build(Column.TEXT, [2], [7], ["x"], GOOD, Origin.MACHINE))
    assert [row["value"] for row in rows(store, (1,))] == [0.0, 6.0]
    assert rows(store, (2,), column=Column.TEXT) == []
    assert getattr(store, "set_aside") == 6  # noqa: B009


def test_late_samples_take_their_place(store: HistoryStore) -> None:
    put(store, floats([1], [START], [2.0]))
    put(store, floats([1, 1], [START - 60_000, START - 40 * DAY], [1.0, 0.0]), stream="LATE")
    assert [row["value"] for row in rows(store, (1,))] == [0.0, 1.0, 2.0]


def test_only_good_and_finite_samples_enter_statistics(store: HistoryStore) -> None:
    values = [5.0, math.nan, 1000.0, -1000.0, 7.0, math.inf]
    quality = [GOOD, GOOD, BAD_COMMUNICATION, UNCERTAIN, GOOD_LOCAL_OVERRIDE, GOOD]
    put(store, floats([1] * 6, START + np.arange(6) * 1000, values, np.array(quality)))
    functions = ("min", "max", "mean", "first", "last", "count")
    query = AggregateQuery(tags=(1,), start_ms=START, end_ms=START + 6000, step_ms=6000, functions=functions)
    assert store.aggregate(1, query).to_pylist() == [
        {"tag": 1, "time": START, "min": 5.0, "max": 7.0, "mean": 6.0, "first": 5.0, "last": 7.0, "count": 2,
         "good": 2, "bad": 4}
    ]  # fmt: skip
    only_bad = query.model_copy(update={"start_ms": START + 1000, "end_ms": START + 4000})
    (row,) = store.aggregate(1, only_bad).to_pylist()
    assert math.isnan(row["mean"])
    assert math.isnan(row["min"])
    assert row["bad"] == 3


def test_a_trend_tells_whether_the_last_value_of_a_bucket_holds(store: HistoryStore) -> None:
    """Contact lost in the middle of a bucket is known although the bucket has a good value."""
    times = [START, START + 400, START + 2000, START + 2400, START + 4000]
    quality = [GOOD, BAD_COMMUNICATION, UNCERTAIN, GOOD, GOOD]
    put(store, floats([1] * 5, times, [1.0, 1.0, 2.0, 2.0, math.nan], np.array(quality)))
    query = TrendQuery(tags=(1,), start_ms=START, end_ms=START + 10_000, buckets=10)
    found = store.trend(1, query).select(["time", "good", "held"]).to_pylist()
    assert [(row["time"] - START, row["good"], row["held"]) for row in found] == [
        (0, 1, 0), (2000, 1, 1), (4000, 0, 0),
    ]  # fmt: skip


def test_a_trend_has_at_most_its_buckets(store: HistoryStore) -> None:
    times = START + np.arange(10_000) * 100
    put(store, floats(np.full(10_000, 1), times, np.sin(np.arange(10_000))))
    query = TrendQuery(tags=(1,), start_ms=START, end_ms=START + 1_000_001, buckets=100)
    table = store.trend(1, query)
    assert table.num_rows <= 100
    assert table.schema.metadata == {b"bucket_ms": b"10001", b"origin_ms": str(START).encode(), b"source": b"raw"}
    assert table.column_names == ["tag", "time", "first", "min", "max", "last", "mean", "good", "bad", "held", "marks"]
    assert table["good"].to_numpy().sum() == 10_000
    empty = store.trend(1, query.model_copy(update={"tags": (99,)}))
    assert empty.num_rows == 0
    assert empty.column_names == table.column_names


def test_integers_have_statistics_too(store: HistoryStore) -> None:
    put(store, build(Column.INT64, [1, 1], [START, START + 1], [1, 4], GOOD, Origin.MACHINE))
    span = {"tags": (1,), "start_ms": START, "end_ms": START + 1000}
    assert store.trend(1, TrendQuery(buckets=1, **span))["mean"].to_pylist() == [2.5]
    assert store.aggregate(1, AggregateQuery(step_ms=1000, **span))["max"].to_pylist() == [4.0]


def test_a_held_value_counts_by_its_time(store: HistoryStore) -> None:
    # 10 is held from before the range, 20 for 6 s, then bad for 2 s, then 0 to the end.
    times = [START - 5000, START + 2000, START + 8000, START + 10_000]
    put(store, floats([1] * 4, times, [10, 20, 99, 0], np.array([GOOD, GOOD, BAD, GOOD])))
    query = AggregateQuery(
        tags=(1,), start_ms=START, end_ms=START + 20_000, step_ms=5000, functions=("time_weighted", "count")
    )
    got = {row["time"] - START: row for row in store.aggregate(1, query).to_pylist()}
    assert [got[at]["time_weighted"] for at in (0, 5000, 10_000, 15_000)] == [16.0, 20.0, 0.0, 0.0]
    assert [got[at]["count"] for at in (0, 5000, 10_000, 15_000)] == [1, 0, 1, 0]


def test_nothing_is_held_beyond_now(store: HistoryStore) -> None:
    put(store, build(Column.INT64, [1], [NOW - 10_000], [3], GOOD, Origin.MACHINE))
    (row,) = store.states(1, StateQuery(tags=(1,), start_ms=NOW - 20_000, end_ms=NOW + DAY)).to_pylist()
    assert row["value"] == 3
    assert 10_000 <= row["held_ms"] < DAY // 2


def test_time_in_state(store: HistoryStore) -> None:
    times = [START - 1000, START + 1000, START + 4000, START + 5000, START + 7000]
    put(
        store,
        build(Column.INT64, [1] * 5, times, [1, 2, 1, 0, 2], np.array([GOOD, GOOD, GOOD, BAD, GOOD]), Origin.MACHINE),
    )
    answer = store.states(1, StateQuery(tags=(1,), start_ms=START, end_ms=START + 10_000)).to_pylist()
    assert answer == [{"tag": 1, "value": 1, "held_ms": 2000}, {"tag": 1, "value": 2, "held_ms": 6000}]


def test_a_correction_replaces_and_the_former_value_can_be_found(store: HistoryStore) -> None:
    put(store, floats([1, 1], [START, START + 1000], [1.0, 2.0]))
    put(store, build(Column.INT64, [5, 5], [START, START + 600], [1, 2], GOOD, Origin.MACHINE), first=2)
    for value, by in ((50.0, "p1"), (60.0, "p2")):
        store.correct(1, build(Column.FLOAT64, [1], [START], [value], GOOD_LOCAL_OVERRIDE, Origin.MANUAL), by)
    store.correct(1, build(Column.INT64, [5], [START], [2], GOOD_LOCAL_OVERRIDE, Origin.MANUAL), "p1")
    assert rows(store, (1,))[0] == {
        "tag": 1, "time": START, "value": 60.0, "quality": GOOD_LOCAL_OVERRIDE, "origin": Origin.MANUAL,
        "flags": CORRECTED,
    }  # fmt: skip
    span = {"tags": (1,), "start_ms": START, "end_ms": START + 2000}
    functions = ("mean", "time_weighted", "count")
    query = AggregateQuery(step_ms=2000, functions=functions, **span)
    assert store.aggregate(1, query).drop_columns(["tag", "time"]).to_pylist() == [
        {"mean": 31.0, "time_weighted": 31.0, "count": 2, "good": 2, "bad": 0}
    ]
    assert store.trend(1, TrendQuery(buckets=1, **span))["first"].to_pylist() == [60.0]
    states = store.states(1, StateQuery(tags=(5,), start_ms=START, end_ms=START + 1000)).to_pylist()
    assert states == [{"tag": 5, "value": 2, "held_ms": 1000}]
    former = store.corrections(1, RawQuery(**span)).to_pylist()
    assert [(row["value"], row["made_by"], row["former"]) for row in former] == [(60.0, "p2", 50.0), (50.0, "p1", 1.0)]
    assert [row["former_origin"] for row in former] == [Origin.MANUAL, Origin.MACHINE]
    assert store.corrections(2, RawQuery(**span)).num_rows == 0


def test_a_correction_says_why(store: HistoryStore) -> None:
    put(store, build(Column.TEXT, [1], [START], ["批次 7"], GOOD, Origin.MACHINE))
    store.correct(1, build(Column.TEXT, [1], [START], ["批次 8"], GOOD, Origin.MANUAL), "p1", "标签贴错")
    query = RawQuery(tags=(1,), start_ms=START, end_ms=START + 1, column=Column.TEXT)
    told = store.corrections(1, query).to_pylist()
    assert [(row["value"], row["former"], row["reason"]) for row in told] == [("批次 8", "批次 7", "标签贴错")]
    assert told[0]["made_ms"] > START


def test_samples_that_came_long_after_their_time_are_marked(store: HistoryStore) -> None:
    batch = floats([1, 1, 1], [START, START + 50_000, START + 100_000], [1.0, 2.0, 3.0])
    store.append("LIVE@1", [Entry(1, 1, batch, START + 100_500)], 1, 1)
    store.append("LATE@1", [Entry(1, 1, floats([1], [START + 101_000], [4.0]), START + 102_000)], 1, 1)
    # The same again, as after a crash: nothing is stored twice, the marks stay.
    store.append("LIVE@1", [Entry(1, 1, batch, START + 100_500)], 1, 1)
    assert [row["flags"] for row in rows(store, (1,))] == [LATE, 0, 0, LATE]
    span = {"tags": (1,), "start_ms": START, "end_ms": START + 200_000}
    store.correct(1, floats([1], [START + 50_000], [9.0]), "p1")
    marks = store.trend(1, TrendQuery(buckets=4, **span))["marks"].to_pylist()
    machine = 1 << Origin.MACHINE
    assert marks == [machine | LATE << 8, machine | CORRECTED << 8, machine | LATE << 8]


def test_a_corrected_whole_number_is_exact(store: HistoryStore) -> None:
    put(store, build(Column.INT64, [3, 3], [START, START + 1], [2**53 + 1, 2**63 - 1], GOOD, Origin.MACHINE))
    store.correct(1, build(Column.INT64, [3], [START], [2**53 + 3], GOOD, Origin.MANUAL), "p1")
    assert [row["value"] for row in rows(store, (3,), column=Column.INT64)] == [2**53 + 3, 2**63 - 1]
    query = RawQuery(tags=(3,), start_ms=START, end_ms=START + 10, column=Column.INT64)
    assert store.corrections(1, query)["former"].to_pylist() == [2**53 + 1]


def event(number: int, tenant: int = 1, **changed: Any) -> dict[str, Any]:
    return {
        "tenant": tenant, "id": f"a{number}", "alarm": f"alarm-{number % 2}", "tag": number % 3, "condition": "HH",
        "priority": "high", "transition": "raised", "state": "active-unacknowledged", "time": START + number,
        "raised": START + number, "value": None if number % 2 else 1.5, "limit": 1.0, "by": "", "comment": "温度高",
        **changed,
    }  # fmt: skip


def test_events_are_kept_once_by_their_id(store: HistoryStore) -> None:
    def table(*events: dict[str, Any]) -> pa.Table:
        return pa.Table.from_pylist(list(events), schema=EVENT_SCHEMA)

    store.append_events("ALARM", table(event(1), event(2), event(2)), 1, 3)
    store.append_events("ALARM", table(event(1), event(2), event(2)), 1, 3)
    store.append_events("ALARM", table(event(2), event(3), event(3, tenant=2)), 4, 6)
    span = {"start_ms": 0, "end_ms": NOW + DAY}
    found = store.events(1, EventQuery(**span))
    assert found["id"].to_pylist() == ["a3", "a2", "a1"]
    assert found.to_pylist()[1] == {name: value for name, value in event(2).items() if name != "tenant"}
    assert found["value"].to_pylist() == [None, 1.5, None]
    assert store.events(1, EventQuery(tags=(2,), **span))["id"].to_pylist() == ["a2"]
    assert store.events(1, EventQuery(alarm="alarm-1", limit=1, **span))["id"].to_pylist() == ["a3"]
    assert store.events(1, EventQuery(alarm="' or 1=1 --\\", **span)).num_rows == 0
    assert store.events(2, EventQuery(**span)).num_rows == 1


@pytest.mark.parametrize("number", [3, 300])
def test_events_in_any_number_keep_their_words_and_extreme_values(store: HistoryStore, number: int) -> None:
    values = [math.inf, -math.inf, 1e308]
    events = [event(at, value=values[at % 3], comment=f"\"{at}\"\\\t\n'高'") for at in range(number)]
    store.append_events("ALARM", pa.Table.from_pylist(events, schema=EVENT_SCHEMA), 1, number)
    found = store.events(1, EventQuery(start_ms=0, end_ms=NOW + DAY)).sort_by("time").to_pylist()
    assert found == [{name: value for name, value in each.items() if name != "tenant"} for each in events]


def test_retention_by_age_drops_each_class_by_its_own_days(store: HistoryStore) -> None:
    store.classify("short", [2])
    days = [0, 1, 3, 10]
    put(store, floats([1] * 4, [NOW - day * DAY for day in days], days))
    put(store, floats([2] * 4, [NOW - day * DAY for day in days], days), first=2)
    dropped = store.retain(NOW, {"standard": 5, "short": 2}, 10**15)
    assert len(dropped) == 3
    assert [row["value"] for row in rows(store, (1,))] == [3, 1, 0]
    assert [row["value"] for row in rows(store, (2,))] == [1, 0]
    assert store.retain(NOW, {"standard": 5, "short": 2}, 10**15) == []


def test_retention_by_size_drops_the_oldest_days_but_never_today(store: HistoryStore) -> None:
    noise = np.random.default_rng(1).normal(size=20_000)
    for day in range(4):
        put(store, floats(np.full(20_000, 1), NOW - day * DAY - np.arange(20_000) % 1000, noise), first=day + 1)
    whole = store.extent(1).bytes_on_disk
    kept_from = NOW // DAY * DAY - 2 * DAY
    assert store.retain(NOW, {}, whole * 5 // 8)
    assert all(row["time"] >= kept_from for row in rows(store, (1,)))
    assert store.extent(1).bytes_on_disk <= whole * 5 // 8
    store.retain(NOW, {}, 0)
    newest = store.extent(1).newest_ms
    assert newest is not None
    assert newest >= NOW // DAY * DAY


def test_a_class_is_held_to_its_size_by_days_and_today_by_hours(opening: Opening, tmp_path: Path) -> None:
    """The class alone gives way; what it gives up stays in rollups, and readings come in afterwards as before."""
    store = opening(tmp_path / "history", rollup_quiet_s=0)
    store.classify("waves", [2])
    noise = np.random.default_rng(1).normal(size=20_000)
    today = NOW // DAY * DAY - 30 * DAY
    now = today + 20 * HOUR
    for day in range(3):
        times = today - day * DAY + np.arange(20_000) * 3600
        for tag in (1, 2):
            put(store, floats(np.full(20_000, tag), times, noise), first=2 * day + tag)
    for _ in store.roll_up(now):
        pass
    a_day = store.extent(1).bytes_on_disk // 6
    assert store.retain(now, {}, 10**15, {"waves": 100 * a_day}) == []
    dropped = store.retain(now, {}, 10**15, {"waves": 2 * a_day + a_day // 2})
    assert [name.split()[:2] for name in dropped] == [["sample_float64", "waves"]]
    assert (len(rows(store, (2,))), len(rows(store, (1,)))) == (40_000, 60_000)
    store.retain(now, {}, 10**15, {"waves": a_day // 2})
    kept = rows(store, (2,))
    assert 7_000 <= len(kept) <= 11_000
    assert min(row["time"] for row in kept) % HOUR == 0
    assert max(row["time"] for row in kept) == today + 19_999 * 3600
    # Held so, it gives up no more than what its files are larger by.
    store.retain(now, {}, 10**15, {"waves": a_day // 2})
    assert len(rows(store, (2,))) >= len(kept) - 2000
    assert len(rows(store, (1,))) == 60_000
    span = {"start_ms": today, "end_ms": today + DAY, "step_ms": HOUR, "functions": ("count",)}
    for tag in (1, 2):
        assert store.aggregate(1, AggregateQuery(tags=(tag,), **span))["count"].to_numpy().sum() == 20_000
    put(store, floats([2], [now], [7.0]), first=100)
    assert rows(store, (2,))[-1]["value"] == 7.0
    store.close()


def test_an_extent_tells_what_is_there(store: HistoryStore) -> None:
    put(store, floats([1, 2, 3], [START, START + 5, START - 5], [1, 2, 3]))
    extent = store.extent(1)
    assert (extent.samples, extent.oldest_ms, extent.newest_ms) == (3, START - 5, START + 5)
    assert extent.bytes_on_disk > 0


def test_an_extent_is_that_of_one_tenant_among_others(store: HistoryStore) -> None:
    chance = np.random.default_rng(4)
    times = {tenant: START - chance.integers(0, 9 * DAY, 40) for tenant in (1, 2, 3)}
    times[2] = START - 4 * DAY + chance.integers(0, 2 * DAY, 40)
    times[4] = np.array([START - 3 * DAY])
    for place, (tenant, found) in enumerate(times.items()):
        put(store, floats([1] * len(found), found, [0] * len(found)), tenant=tenant, first=place * 10 + 1)
    for tenant, found in times.items():
        extent = store.extent(tenant)
        assert (extent.samples, extent.oldest_ms, extent.newest_ms) == (len(found), found.min(), found.max())


def test_a_query_for_too_many_steps_is_refused(store: HistoryStore) -> None:
    with pytest.raises(LimitExceeded, match="steps"):
        store.aggregate(1, AggregateQuery(tags=tuple(range(500)), start_ms=0, end_ms=2**51, step_ms=100))


TENANTS = count(1000)


@pytest.fixture(scope="module")
def shared(opening: Opening, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistoryStore]:
    opened = opening(tmp_path_factory.mktemp("shared"))
    yield opened
    opened.close()


SPAN_MS = 10_000
SAMPLES = st.lists(
    st.tuples(
        st.integers(0, SPAN_MS - 1),
        st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)),
        st.sampled_from([GOOD, GOOD, GOOD_LOCAL_OVERRIDE, BAD, UNCERTAIN, 0xFF]),
    ),
    max_size=60,
    unique_by=lambda sample: sample[0],
)


def reference(
    times: npt.NDArray[np.int64], values: npt.NDArray[np.float64], quality: npt.NDArray[np.uint8], step_ms: int
) -> dict[int, dict[str, float]]:
    """Compute what an aggregate must answer, sample by sample."""
    order = np.argsort(times)
    times, values, quality = times[order], values[order], quality[order]
    good = (quality >= GOOD) & np.isfinite(values)
    until = np.append(times[1:], START + SPAN_MS)
    answer: dict[int, dict[str, float]] = {}
    for since in range(START, START + SPAN_MS, step_ms):
        end = min(since + step_ms, START + SPAN_MS)
        inside = (times >= since) & (times < end)
        chosen = values[inside & good]
        weight = np.clip(np.minimum(until, end) - np.maximum(times, since), 0, None) * good
        held = weight.sum() > 0
        if not inside.any() and not held:
            continue
        nothing = math.nan
        answer[since] = {
            "min": chosen.min() if len(chosen) else nothing,
            "max": chosen.max() if len(chosen) else nothing,
            "mean": chosen.mean() if len(chosen) else nothing,
            "first": chosen[0] if len(chosen) else nothing,
            "last": chosen[-1] if len(chosen) else nothing,
            "count": len(chosen),
            "time_weighted": np.nansum(np.where(good, values, 0) * weight) / weight.sum() if held else nothing,
            "good": len(chosen),
            "bad": inside.sum() - len(chosen),
        }
    return answer


@settings(max_examples=20 * EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(samples=SAMPLES, step_ms=st.integers(100, 12_000))
def test_an_aggregate_equals_the_reference(
    shared: HistoryStore, samples: list[tuple[int, float, int]], step_ms: int
) -> None:
    tenant = next(TENANTS)
    times = START + np.array([sample[0] for sample in samples], dtype=np.int64)
    values = np.array([sample[1] for sample in samples], dtype=np.float64)
    quality = np.array([sample[2] for sample in samples], dtype=np.uint8)
    if samples:
        put(shared, floats(np.full(len(samples), 1), times, values, quality), tenant=tenant, first=tenant)
    functions = ("min", "max", "mean", "first", "last", "count", "time_weighted")
    query = AggregateQuery(tags=(1,), start_ms=START, end_ms=START + SPAN_MS, step_ms=step_ms, functions=functions)
    got = {row["time"]: row for row in shared.aggregate(tenant, query).to_pylist()}
    expected = reference(times, values, quality, step_ms)
    assert sorted(got) == sorted(expected)
    for at, row in expected.items():
        for name, value in row.items():
            assert got[at][name] == pytest.approx(value, rel=1e-9, abs=1e-6, nan_ok=True), (at - START, name)
