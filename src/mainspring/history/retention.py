"""What is dropped when: whole partitions, by the age their class keeps, then by size the oldest, readings first.

A class that has a size of its own is held to it first; what it has of today beyond that goes by the hour.

The rollups of a class are classes of their own: `<class>/minute` and `<class>/hour`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from mainspring.history.rollup_rows import HOUR_MS
from mainspring.history.schema import DAY_MS, HOUR, MINUTE

STANDARD: Final = "standard"
EVENTS: Final = "events"
SET_ASIDE: Final = "set-aside"
MINUTE_DAYS: Final = 730
"""Rows of a minute are kept so long, and never shorter than their readings, unless their class is named."""
FOR_EVER_DAYS: Final = 10**6


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of one table: the half-open range of days it holds, and its size."""

    table: str
    value: str
    retention: str
    start_ms: int
    end_ms: int
    size: int
    rows: int = 0

    def __str__(self) -> str:
        return f"{self.table} {self.retention} {self.value}"


def droppable(
    partitions: Collection[Partition], now_ms: int, days: Mapping[str, int], bytes_max: int, bytes_of: Mapping[str, int]
) -> list[Partition]:
    """Choose the partitions to drop, oldest first.

    A class without days is kept by age. Beyond its own size in `bytes_of` the oldest days of a class go; of readings
    and of their rollups, which are classes of their own. Beyond `bytes_max` the oldest days of all classes go: of
    readings as long as they fill half of it, then of minutes, then the other readings, and hours last. The current
    day and alarm events are not given up for space.
    """
    oldest_first = sorted(partitions, key=lambda partition: (partition.start_ms, partition.table, partition.value))
    chosen = {part for part in oldest_first if part.end_ms <= now_ms - days_of(part.retention, days) * DAY_MS}
    for retention, most in bytes_of.items():
        own = [part for part in oldest_first if part.retention == retention and part not in chosen]
        beyond = sum(part.size for part in own) - most
        for part in own:
            if beyond <= 0 or part.end_ms > now_ms:
                break
            chosen.add(part)
            beyond -= part.size
    excess = sum(part.size for part in partitions if part not in chosen) - bytes_max
    rolled_up = (MINUTE, HOUR)
    readings = sum(part.size for part in partitions if part not in chosen and part.table not in rolled_up)
    for kept, wanted in ((bytes_max // 2, ""), (0, MINUTE), (0, ""), (0, HOUR)):
        for part in oldest_first:
            if excess <= 0 or (not wanted and readings <= kept):
                break
            fits = part.table == wanted or (not wanted and part.table not in rolled_up)
            if fits and part not in chosen and part.retention != EVENTS and part.end_ms <= now_ms:
                chosen.add(part)
                excess -= part.size
                readings -= 0 if wanted else part.size
    return [part for part in oldest_first if part in chosen]


def days_of(retention: str, days: Mapping[str, int]) -> int:
    """Return for how many days a class is kept."""
    readings, _, level = retention.partition("/")
    if level != "minute":
        return days.get(retention, FOR_EVER_DAYS)
    return days.get(retention, max(MINUTE_DAYS, days.get(readings, FOR_EVER_DAYS)))


def cut_ms(hours: Mapping[int, int], size: int, rows: int, most: int, until_ms: int) -> int | None:
    """Return up to when readings of a day go so that the rest takes at most `most`, None if nothing has to go.

    `hours` has the readings of each hour by its start; `size` and `rows` are those of the day's parts on disk,
    which may still hold rows that went before. Nothing from `until_ms` on goes.
    """
    left = sum(hours.values())
    cut = None
    for hour in sorted(hours):
        if size * left <= most * max(1, rows) or hour + HOUR_MS > until_ms:
            break
        cut = hour + HOUR_MS
        left -= hours[hour]
    return cut
