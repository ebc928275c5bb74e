"""Queries over a year of history with rollups, and what rolling up costs at 500,000 tags a second.

`python -m benchmarks.queries [FOLDER]`; prints one JSON line a figure. A folder that was filled before is used again.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from benchmarks.history_store import TAGS, second
from mainspring.core.history import AggregateQuery, Entry, Function, RawQuery, TrendQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.history.chdb_store import ChdbStore

DAY = 86_400_000
HOUR = 3_600_000
MINUTE = 60_000
DAYS = 365
TAGS_OF_A_DAY = 20
MINUTES = 2
TIMES = 100
TENANT = 2


def show(figure: str, value: float, unit: str) -> None:
    """Print one figure as a line of JSON."""
    print(json.dumps({"scenario": "queries", "figure": figure, "value": round(value, 3), "unit": unit}), flush=True)


def processor_s() -> float:
    """Return the processor seconds of this process."""
    times = psutil.Process().cpu_times()
    return times.user + times.system


def day_of(tag: int, start: int, seed: int) -> Entry:
    """One day of a tag at 1 Hz: a slow walk with two decimals, now and then a bad reading."""
    rng = np.random.default_rng(seed)
    values = (50 + np.cumsum(rng.normal(0, 0.05, 86_400))).round(2)
    quality = np.where(rng.random(86_400) < 0.001, 8, 192)
    batch = build(
        Column.FLOAT64, np.full(86_400, tag), start + np.arange(86_400) * 1000, values, quality, Origin.MACHINE
    )
    return Entry(seed, TENANT, batch)


def fill(store: ChdbStore, midnight: int) -> None:
    """Keep a year of one tag, and a day of others; then roll it up."""
    for day in range(DAYS):
        start, first = midnight - (day + 1) * DAY, day * 100 + 1
        tags = range(1, TAGS_OF_A_DAY + 1) if day == 0 else (1,)
        store.append("LATE", [day_of(tag, start, first + place) for place, tag in enumerate(tags)], first, first + 99)
    rows = (DAYS + TAGS_OF_A_DAY - 1) * 86_400
    began = processor_s()
    for _ in store.roll_up(midnight + 2 * MINUTE):
        pass
    show("rolling up a year of one tag: readings per processor second", rows / (processor_s() - began), "values/s")


def flood(store: ChdbStore, start: int) -> None:
    """Keep some minutes of 500,000 tags and roll them up, merges of both included."""
    rng = np.random.default_rng(1)
    values = rng.normal(50, 5, TAGS).round(2)
    used = 0.0
    sequence = 1_000_000
    for minute in range(MINUTES):
        for at in range(0, MINUTE, 2000):
            entries: list[Entry] = []
            for more in (0, 1000):
                values = (values + rng.normal(0, 0.05, TAGS)).round(2)
                entries += second(start + minute * MINUTE + at + more, values, sequence + len(entries))
            store.append("LIVE", entries, sequence, sequence + len(entries) - 1)
            sequence += len(entries)
    time.sleep(5)
    began = processor_s()
    for _ in store.roll_up(start + MINUTES * MINUTE + 100_000):
        pass
    used = processor_s() - began
    show("rolling up 500,000 tags at 1 Hz", used / (MINUTES * 60) * 100, "% of a core")


def timed(figure: str, ask: Callable[[int], object]) -> None:
    """Show the median time of a query asked for different ranges, after one that is not counted."""
    ask(0)
    taken = []
    for number in range(TIMES):
        began = time.perf_counter()
        ask(number)
        taken.append((time.perf_counter() - began) * 1000)
    show(f"{figure}, median of {TIMES}", statistics.median(taken), "ms")


def trend(store: ChdbStore, midnight: int, days: int, number: int) -> pa.Table:
    """Ask for a trend of some days that begins elsewhere each time."""
    start = midnight - days * DAY + number * 7 * MINUTE
    return store.trend(TENANT, TrendQuery(tags=(1,), start_ms=start, end_ms=midnight, buckets=1000))


def minutes(store: ChdbStore, midnight: int, function: Function, number: int) -> pa.Table:
    """Ask for a statistic of each minute of a day."""
    tags, start = tuple(range(1, TAGS_OF_A_DAY + 1)), midnight - DAY + number * MINUTE
    query = AggregateQuery(tags=tags, functions=(function,), start_ms=start, end_ms=midnight, step_ms=MINUTE)
    return store.aggregate(TENANT, query)


def raw(store: ChdbStore, midnight: int, number: int) -> list[pa.RecordBatch]:
    """Ask for the readings of an hour."""
    end = midnight - (number + 1) * HOUR
    return list(store.raw(TENANT, RawQuery(tags=(1,), start_ms=end - HOUR, end_ms=end)))


def main(folder: Path) -> None:
    """Run all of it in one store."""
    midnight = time.time_ns() // 1_000_000 // DAY * DAY
    store = ChdbStore(folder)
    if not store.extent(TENANT).samples:
        fill(store, midnight)
    else:
        newest = store.extent(TENANT).newest_ms
        assert newest is not None
        midnight = (newest + 1000) // DAY * DAY
    answer = trend(store, midnight, 30, 0)
    assert answer["good"].to_numpy().sum() + answer["bad"].to_numpy().sum() == 30 * 86_400
    for figure, days in (("30-day", 30), ("1-year", DAYS)):
        timed(f"{figure} trend of a 1 Hz tag, 1,000 buckets", partial(trend, store, midnight, days))
    day = f"of {TAGS_OF_A_DAY} tags over a day"
    timed(f"1-minute means {day}", partial(minutes, store, midnight, "mean"))
    timed(f"1-minute time-weighted means {day}", partial(minutes, store, midnight, "time_weighted"))
    timed("raw, one tag, one hour", partial(raw, store, midnight))
    flood(store, midnight + 10 * MINUTE)
    store.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
