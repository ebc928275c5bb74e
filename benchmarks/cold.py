"""Cold history: what a day takes as Parquet, how fast it moves, and one tag's day by the API and by DuckDB.

`python -m benchmarks.cold [--tags 200]`; prints one JSON line a figure.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import psutil

from benchmarks.figures import QUICK, option, say
from benchmarks.values import Mix
from mainspring.core.cold import ColdSettings
from mainspring.core.history import AggregateQuery, Entry, RawQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.history.chdb_store import ChdbStore
from mainspring.history.schema import SAMPLE

DAY = 86_400_000
TAGS = int(option("--tags", 20 if QUICK else 200))
SECONDS = 3600 if QUICK else 86_400
AT_ONCE = 900
NAMED = ("times aligned", "times with 2 ms jitter")


def show(figure: str, value: float, unit: str) -> None:
    """Print one figure of this scenario."""
    say("cold", figure, value, unit)


def fill(store: ChdbStore, start: int, tenant: int, jitter_ms: int) -> int:
    """Store a day of the realistic mix at 1 Hz; return the number of values."""
    mix, chance = Mix(TAGS, seed=tenant), np.random.default_rng(tenant)
    for first in range(0, SECONDS, AT_ONCE):
        seconds = [mix.second() for _ in range(AT_ONCE)]
        entries = []
        for column, place, since in ((Column.FLOAT64, 0, 0), (Column.INT64, 1, mix.floats)):
            values = np.array([second[place] for second in seconds])
            tags = np.tile(np.arange(values.shape[1]) + since, AT_ONCE)
            times = np.repeat(start + (first + np.arange(AT_ONCE)) * 1000, values.shape[1])
            if jitter_ms:
                times = times + chance.integers(-jitter_ms, jitter_ms + 1, len(times))
            batch = build(column, tags, times, values.ravel(), 192, Origin.MACHINE)
            entries.append(Entry(first + place + 1, tenant, batch, start + first * 1000))
        store.append(f"LIVE@{tenant}", entries, first + 1, first + AT_ONCE)
    return TAGS * SECONDS


def timed(figure: str, ask: Callable[[], object], times: int = 15) -> None:
    """Show the median time of a query, after one that is not counted."""
    ask()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    show(figure, statistics.median(taken), "ms")


def queries(store: ChdbStore, start: int, where: str) -> None:
    """Time one tag's day, and its statistics by seconds that no rollup has."""
    span = {"tags": (3,), "start_ms": start, "end_ms": start + DAY}
    timed(f"raw day of one tag, {where}", lambda: list(store.raw(1, RawQuery(**span))))
    timed(
        f"a day of one tag by 90 s, {where}",
        lambda: store.aggregate(1, AggregateQuery(step_ms=90_500, functions=("min", "max", "mean"), **span)),
    )


def main(folder: Path) -> None:
    """Fill a day for two companies, move it, and ask for it before and after."""
    now = time.time_ns() // 1_000_000
    start = now // DAY * DAY - 3 * DAY
    place = folder / "cold"
    store = ChdbStore(folder / "history", cold=ColdSettings(str(place), 1000))
    values = {}
    for tenant, (jitter_ms, name) in enumerate(zip((0, 2), NAMED, strict=True), 1):
        before = store.bytes_on_disk()
        values[tenant] = fill(store, start + (tenant - 1) * DAY, tenant, jitter_ms)
        show(f"in the tables, {name}", (store.bytes_on_disk() - before) / values[tenant], "B/value")
    for _ in store.roll_up(now):
        pass
    queries(store, start, "in the tables")
    store.close()

    store = ChdbStore(folder / "history", cold=ColdSettings(str(place), 1))
    process = psutil.Process()
    used, longest, began = process.cpu_times(), 0.0, time.perf_counter()
    while any(part.table in SAMPLE.values() for part in store.partitions()):
        at = time.perf_counter()
        for _ in store.roll_up(now):
            longest = max(longest, time.perf_counter() - at)
            at = time.perf_counter()
    took, after = time.perf_counter() - began, process.cpu_times()
    moved = sum(values.values())
    show("moving, verified", moved / took, "values/s")
    show(
        "processor for a million values moved",
        (after.user + after.system - used.user - used.system) / moved * 1e9,
        "ms",
    )
    show("longest piece of moving", longest * 1000, "ms")
    for tenant, name in enumerate(NAMED, 1):
        size = sum(file.stat().st_size for file in (place / f"tenant={tenant}").rglob("*.parquet"))
        show(f"cold, {name}", size / values[tenant], "B/value")
    queries(store, start, "cold")
    store.close()
    with duckdb.connect() as db:
        files = f"{place}/tenant=1/*/kind=float64/*/*.parquet"
        text = f"select time, value, quality from read_parquet('{files}') where tag = 3"
        timed("raw day of one tag, DuckDB straight from the file", lambda: db.sql(text).arrow())
    show("memory", process.memory_info().rss / 2**20, "MB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 and sys.argv[1][0] == "/" else None) as made:
        main(Path(made))
