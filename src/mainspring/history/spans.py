"""How many rows a tenant has, and from when to when, without reading them: there may be too many for a query."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.history.engine import Engine
from mainspring.history.schema import DAY_MS


@dataclass(frozen=True, slots=True)
class Span:
    """Rows, and the first and last of their times."""

    rows: int
    oldest_ms: int
    newest_ms: int


def span(engine: Engine, table: str, condition: str) -> Span | None:
    """Tell the span of the rows under a condition on the key, None if there are none.

    The count comes from the key. The times of all tenants come from the parts; where there are other tenants' rows, a
    tenant's first and last day are found by halving, and only these two are read.
    """
    [own] = engine.table(f"select count() as rows from {table} where {condition}").to_pylist()
    if not own["rows"]:
        return None
    [every] = engine.table(f"select count() as rows, min(time) as oldest, max(time) as newest from {table}").to_pylist()
    oldest, newest = int(every["oldest"]), int(every["newest"])
    if every["rows"] != own["rows"]:
        oldest, newest = _halved(engine, table, condition, oldest // DAY_MS, newest // DAY_MS)
    return Span(int(own["rows"]), oldest, newest)


def _halved(engine: Engine, table: str, condition: str, first: int, last: int) -> tuple[int, int]:
    """Return the first and last time under a condition, which lie between the beginning and end of two days."""

    def any_in(begin: int, end: int) -> bool:
        during = f"time >= {begin * DAY_MS} and time < {end * DAY_MS}"
        found = engine.table(
            f"select count() as rows from (select 1 from {table} where {condition} and {during} limit 1)"
        )
        return bool(found.to_pylist()[0]["rows"])

    low, high = first, last
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if any_in(first, middle + 1) else (middle + 1, high)
    begin, high = low, last
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if any_in(middle, last + 1) else (low, middle - 1)

    def read(function: str, day: int) -> int:
        during = f"time >= {day * DAY_MS} and time < {(day + 1) * DAY_MS}"
        found = engine.table(f"select {function}(time) as found from {table} where {condition} and {during}")
        return int(found.to_pylist()[0]["found"])

    return read("min", begin), read("max", low)
