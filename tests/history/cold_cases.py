"""A history over several days, and everything that can be asked of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from mainspring.core.cold import ColdSettings
from mainspring.core.history import AggregateQuery, Correction, Entry, RawQuery, StateQuery, TrendQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.quality import BAD_COMMUNICATION, GOOD, GOOD_LOCAL_OVERRIDE
from mainspring.core.samples import SampleBatch, build
from mainspring.history.chdb_store import ChdbStore
from mainspring.history.schema import SAMPLE
from mainspring.history.sql_store import SqlStore

DAY: Final = 86_400_000
MINUTE: Final = 60_000
NOW: Final = time.time_ns() // 1_000_000 // MINUTE * MINUTE
TODAY: Final = NOW // DAY * DAY
DAYS: Final = 4
START: Final = TODAY - DAYS * DAY
FLOATS: Final = (1, 2, 3)
WHOLE: Final = (10, 11)
TEXTS: Final = (20,)
TENANTS: Final = (7, 8)
STEP_MS: Final = 20 * MINUTE


@contextmanager
def opened(folder: Path, cold: Path | ColdSettings | None, after_days: int = 1) -> Iterator[ChdbStore]:
    """Open a history, cold days in a folder or where settings say."""
    settings = ColdSettings(str(cold), after_days) if isinstance(cold, Path) else cold
    store = ChdbStore(folder / "history", rollup_quiet_s=0, cold=settings)
    try:
        yield store
    finally:
        store.close()


def fill(store: SqlStore, first: int = 1, stream: str = "LIVE@1") -> int:
    """Store some days of two companies in one append, with gaps and bad readings; return the next sequence."""
    store.classify("long", [3, 11])
    chance = np.random.default_rng(5)
    entries: list[Entry] = []
    for tenant in TENANTS:
        times = np.arange(START, NOW, STEP_MS)
        batches = []
        for tag in FLOATS:
            kept = times[chance.random(len(times)) > 0.1]
            quality = np.where(chance.random(len(kept)) > 0.1, GOOD, BAD_COMMUNICATION)
            values = np.round(chance.normal(50, 10, len(kept)), 2) + tenant
            values[::17] = np.nan
            batches.append(build(Column.FLOAT64, [tag] * len(kept), kept, values, quality, Origin.MACHINE))
        for tag in WHOLE:
            counted = (2**60 + chance.integers(0, 5, len(times))).astype(np.int64)
            batches.append(build(Column.INT64, [tag] * len(times), times, counted, GOOD, Origin.MACHINE))
        for tag in TEXTS:
            texts = [f"第{at}批 'x' \\ {'y' * int(chance.integers(0, 40))}" for at in range(len(times))]
            texts[3], texts[5] = "", f"sha256:{'ab' * 32};image/png;12"
            batches.append(build(Column.TEXT, [tag] * len(times), times, texts, GOOD, Origin.MANUAL))
        entries += [Entry(first + len(entries), tenant, batch, NOW) for batch in batches]
    store.append(stream, entries, first, first + len(entries) - 1)
    return first + len(entries)


def put(store: SqlStore, tenant: int, batch: SampleBatch, sequence: int, stream: str = "LIVE@1") -> None:
    """Append one message."""
    store.append(stream, [Entry(sequence, tenant, batch, int(batch.time.max()) + 500)], sequence, sequence)


def late(store: SqlStore, sequence: int) -> int:
    """Store readings of the first days that come much later; return the next sequence."""
    for at, tenant in enumerate(TENANTS):
        times = START + DAY + np.arange(5) * 7 * MINUTE + 1
        batch = build(Column.FLOAT64, [2] * 5, times, np.arange(5) + 0.25, GOOD, Origin.REPLAYED)
        put(store, tenant, batch, sequence + 2 * at, "LATE@1")
        other = build(Column.FLOAT64, [0, 5], [START + 3, START + 4], [1.0, 2.0], GOOD, Origin.REPLAYED)
        put(store, tenant, other, sequence + 2 * at + 1, "LATE@1")
    return sequence + 2 * len(TENANTS)


def correct(store: SqlStore) -> None:
    """Correct a reading of the first day and one of today, the first twice."""
    for tag, time_ms, value in ((1, START + STEP_MS, 1.5), (1, START + STEP_MS, 2.5), (2, TODAY, 3.5)):
        asked = Correction(tag=tag, time_ms=time_ms, column=Column.FLOAT64, value=str(value), quality=216, by="p1")
        batch = build(Column.FLOAT64, [asked.tag], [time_ms], [value], GOOD_LOCAL_OVERRIDE, Origin.MANUAL)
        store.correct(TENANTS[0], batch, asked.by, "seen wrong")


def answers(store: SqlStore) -> dict[str, Any]:
    """Return what the history says to every kind of question of one company, and of others what they have."""
    said: dict[str, Any] = {}
    whole = {"tags": (*FLOATS, *WHOLE), "start_ms": START, "end_ms": NOW // MINUTE * MINUTE}
    for tenant in (*TENANTS, 9):
        for column, tags in ((Column.FLOAT64, (0, *FLOATS, 5)), (Column.INT64, WHOLE), (Column.TEXT, TEXTS)):
            query = RawQuery(tags=tags, start_ms=0, end_ms=NOW + DAY, column=column)
            said[f"raw {tenant} {column} all"] = _rows(store, tenant, query)
        said[f"trend {tenant} 40"] = _rounded(store.trend(tenant, TrendQuery(buckets=40, **whole)))
        extent = store.extent(tenant)
        said[f"extent {tenant}"] = (extent.samples, extent.oldest_ms, extent.newest_ms)
    one = TENANTS[0]
    for column, tags in ((Column.FLOAT64, (0, *FLOATS, 5)), (Column.INT64, WHOLE), (Column.TEXT, TEXTS)):
        border = RawQuery(tags=tags, start_ms=TODAY - 2 * DAY - 3, end_ms=TODAY - DAY + 3, column=column)
        said[f"raw {one} {column} border"] = _rows(store, one, border)
        query = RawQuery(tags=tags, start_ms=0, end_ms=NOW + DAY, column=column)
        found = store.corrections(one, query).drop_columns(["made_ms"]).to_pylist()
        said[f"corrections {one} {column}"] = sorted(map(repr, found))
    for functions, step in ((("min", "max", "mean", "first", "last", "count"), 7_000_003), (
        ("mean", "time_weighted"), 6 * 60 * MINUTE,
    )):  # fmt: skip
        table = store.aggregate(one, AggregateQuery(step_ms=step, functions=functions, **whole))
        said[f"aggregate {one} {step}"] = _rounded(table)
    said[f"trend {one} 5000"] = _rounded(store.trend(one, TrendQuery(buckets=5000, **whole)))
    states = StateQuery(tags=WHOLE, start_ms=START + 1, end_ms=NOW)
    said[f"states {one}"] = store.states(one, states).to_pylist()
    return said


def floats(store: SqlStore) -> list[str]:
    """Return the numbers of one company as `answers` does, without all else that takes it longer."""
    return _rows(store, TENANTS[0], RawQuery(tags=(0, *FLOATS, 5), start_ms=0, end_ms=NOW + DAY))


def _rows(store: SqlStore, tenant: int, query: RawQuery) -> list[str]:
    return [repr(tuple(row.values())) for chunk in store.raw(tenant, query) for row in chunk.to_pylist()]


def differences(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return the questions that are answered differently, with both answers."""
    return {name: (first[name], second[name]) for name in first if first[name] != second[name]}


def _rounded(table: Any) -> list[str]:
    """Return rows; sums of floats depend on the order of adding in their last digits."""
    rows = [
        tuple(f"{value:.9g}" if isinstance(value, float) else value for value in row.values())
        for row in table.to_pylist()
    ]
    return sorted(map(repr, rows))


def move(store: SqlStore, now_ms: int = NOW) -> None:
    """Let the history do all that is due, rollups and moving, and see that it is idle then."""
    while sum(1 for _piece in store.roll_up(now_ms)):
        pass


def hot_days(store: SqlStore) -> set[int]:
    """Return the days that the tables of readings hold."""
    return {part.start_ms for part in store.partitions() if part.table in SAMPLE.values()}


def files(place: Path) -> list[str]:
    """Return the paths of all files in a folder."""
    return sorted(str(file.relative_to(place)) for file in place.rglob("*") if file.is_file())
