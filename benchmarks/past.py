"""A history made faster than real time: a year of one tag, a day of twenty, rolled up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.core.history import AggregateQuery, Entry, RawQuery, TrendQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.history.chdb_store import ChdbStore

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
DAYS = 365
TAGS_OF_A_DAY = 20
FIRST_TAG = 9_001
"""The tag with a year; those after it have the last day."""


def last_midnight() -> int:
    """Return the last midnight UTC in milliseconds."""
    return time.time_ns() // 1_000_000 // DAY * DAY


def day_of(tag: int, start: int, sequence: int, tenant: int) -> Entry:
    """One day of a tag at 1 Hz: a slow walk with two decimals, now and then a bad reading."""
    rng = np.random.default_rng(sequence)
    values = (50 + np.cumsum(rng.normal(0, 0.05, 86_400))).round(2)
    quality = np.where(rng.random(86_400) < 0.001, 8, 192)
    batch = build(
        Column.FLOAT64, np.full(86_400, tag), start + np.arange(86_400) * 1000, values, quality, Origin.MACHINE
    )
    return Entry(sequence, tenant, batch)


def fill(store: ChdbStore, tenant: int, midnight: int, days: int = DAYS) -> int:
    """Keep so many days of one tag and the last day of others; returns the number of readings."""
    for day in range(days):
        start, first = midnight - (day + 1) * DAY, day * 100 + 1
        tags = range(FIRST_TAG, FIRST_TAG + (TAGS_OF_A_DAY if day == 0 else 1))
        entries = [day_of(tag, start, first + place, tenant) for place, tag in enumerate(tags)]
        store.append("LATE", entries, first, first + 99)
    return (days + TAGS_OF_A_DAY - 1) * 86_400


def roll_up(store: ChdbStore, until_ms: int) -> None:
    """Make all rollups up to a time."""
    for _ in store.roll_up(until_ms):
        pass


def answer(store: ChdbStore, tenant: int, path: str, body: dict[str, Any]) -> object:
    """Answer what the API would be asked, by the store alone."""
    match path:
        case "/history/raw":
            return list(store.raw(tenant, RawQuery(**body)))
        case "/history/aggregate":
            return store.aggregate(tenant, AggregateQuery(**body))
    return store.trend(tenant, TrendQuery(**body))


def filled(folder: Path, tenant: int, midnight: int, days: int = DAYS) -> None:
    """Make that history in a data folder that nobody has opened."""
    store = ChdbStore(folder / "history")
    fill(store, tenant, midnight, days)
    roll_up(store, midnight + 2 * MINUTE)
    store.close()
