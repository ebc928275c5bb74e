"""The embedded history store alone: append rate, size of a value, and the queries people wait for.

`python -m benchmarks.history_store [FOLDER]`; prints one JSON line a figure.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil

from benchmarks.figures import say
from mainspring.core.history import AggregateQuery, Entry, RawQuery, TrendQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import SampleBatch, build
from mainspring.history.chdb_store import ChdbStore

TAGS = 500_000
ROWS = 20_000
SECONDS = 20
DAY = 86_400_000
DAYS = 30
DRAWN = 4
"""Tags with a month of seconds; the trend draws one of them."""


def show(figure: str, value: float, unit: str) -> None:
    """Print one figure of this scenario."""
    say("history_store", figure, value, unit)


def second(at: int, values: np.ndarray, sequence: int) -> Iterator[Entry]:
    """One second of all tags, in messages of `ROWS` readings: slowly wandering values with two decimals."""
    for place in range(0, TAGS, ROWS):
        tags = np.arange(place, place + ROWS, dtype=np.uint32)
        batch = build(Column.FLOAT64, tags, at, values[place : place + ROWS], 192, Origin.MACHINE)
        yield Entry(sequence + place // ROWS, 1, batch)


def append(store: ChdbStore, now: int) -> None:
    """Append seconds of 500,000 tags back to back, merges included."""
    rng = np.random.default_rng(1)
    values = rng.normal(50, 5, TAGS).round(2)
    messages = TAGS // ROWS
    process = psutil.Process()
    took = used = 0.0
    for number in range(SECONDS + 1):
        values = (values + rng.normal(0, 0.05, TAGS)).round(2)
        entries = list(second(now - (SECONDS - number) * 1000, values, number * messages + 1))
        before, began = process.cpu_times(), time.perf_counter()
        store.append("LIVE", entries, number * messages + 1, (number + 1) * messages)
        if number:  # the first looks whether it is a repetition
            took += time.perf_counter() - began
            after = process.cpu_times()
            used += after.user + after.system - before.user - before.system
    show("append", TAGS * SECONDS / took, "values/s")
    show("append: processor for 500,000 values", used / SECONDS * 1000, "ms")
    extent = store.extent(1)
    show("size on disk, before all merges", extent.bytes_on_disk / extent.samples, "B/value")


def month(store: ChdbStore, now: int) -> None:
    """Fill a month of `DRAWN` tags at 1 Hz beside the others."""
    rng = np.random.default_rng(2)
    midnight = now // DAY * DAY
    for day in range(DAYS):
        entries: list[Entry] = []
        for tag in range(DRAWN):
            times = midnight - (day + 1) * DAY + np.arange(86_400) * 1000
            values = (50 + np.cumsum(rng.normal(0, 0.05, 86_400))).round(2)
            quality = np.where(rng.random(86_400) < 0.001, 8, 192)
            batch: SampleBatch = build(Column.FLOAT64, np.full(86_400, tag), times, values, quality, Origin.MACHINE)
            entries.append(Entry(day * DRAWN + tag + 1, 2, batch))
        store.append("LATE", entries, day * DRAWN + 1, day * DRAWN + DRAWN)


def timed(figure: str, ask: Callable[[], object], times: int = 9) -> None:
    """Show the median time of a query, after one that is not counted."""
    ask()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    show(figure, statistics.median(taken), "ms")


def main(folder: Path) -> None:
    """Run all of it in one store."""
    now = time.time_ns() // 1_000_000 // 1000 * 1000
    midnight = now // DAY * DAY
    store = ChdbStore(folder)
    show("memory, opened", psutil.Process().memory_info().rss / 2**20, "MB")
    append(store, now)
    month(store, now)
    whole = TrendQuery(tags=(1,), start_ms=midnight - DAYS * DAY, end_ms=midnight, buckets=1000)
    assert sum(store.trend(2, whole)[name].to_numpy().sum() for name in ("good", "bad")) == DAYS * 86_400
    timed("30-day trend of a 1 Hz tag, 2.6 million rows, 1,000 buckets", lambda: store.trend(2, whole))
    day = TrendQuery(tags=(0, 1, 2, 3), start_ms=midnight - DAY, end_ms=midnight, buckets=1000)
    timed("1-day trend of four 1 Hz tags", lambda: store.trend(2, day))
    hour = {"start_ms": midnight - 3_600_000, "end_ms": midnight}
    timed("raw, one tag, one hour", lambda: list(store.raw(2, RawQuery(tags=(1,), **hour))))
    seconds = {"start_ms": now - 60_000, "end_ms": now + 1}
    some = tuple(range(0, TAGS, TAGS // 20))
    timed("aggregate, 20 of 500,000 tags, last minute",
          lambda: store.aggregate(1, AggregateQuery(tags=some, step_ms=60_000, **seconds)))  # fmt: skip
    weighted = AggregateQuery(
        tags=(1,), start_ms=midnight - DAY, end_ms=midnight, step_ms=60_000, functions=("mean", "time_weighted")
    )
    timed("aggregate with time-weighted mean, one 1 Hz tag, one day by minutes", lambda: store.aggregate(2, weighted))
    show("memory, afterwards", psutil.Process().memory_info().rss / 2**20, "MB")
    show("memory, at most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")
    store.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
