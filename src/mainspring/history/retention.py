"""What is dropped when: whole partitions, by the age their class keeps, then the oldest days beyond the size."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from mainspring.history.schema import DAY_MS

STANDARD: Final = "standard"
EVENTS: Final = "events"
SET_ASIDE: Final = "set-aside"


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of one table: the half-open range of days it holds, and its size."""

    table: str
    value: str
    retention: str
    start_ms: int
    end_ms: int
    size: int

    def __str__(self) -> str:
        return f"{self.table} {self.retention} {self.value}"


def droppable(
    partitions: Collection[Partition], now_ms: int, days: Mapping[str, int], bytes_max: int
) -> list[Partition]:
    """Choose the partitions to drop, oldest first.

    A class without days is kept by age. Beyond `bytes_max` the oldest days of all classes go; the current day and
    alarm events are not given up for space.
    """
    oldest_first = sorted(partitions, key=lambda partition: (partition.start_ms, partition.table, partition.value))
    aged = [part for part in oldest_first if part.end_ms <= now_ms - days.get(part.retention, 10**6) * DAY_MS]
    chosen = set(aged)
    excess = sum(part.size for part in partitions if part not in chosen) - bytes_max
    for part in oldest_first:
        if excess <= 0:
            break
        if part not in chosen and part.retention != EVENTS and part.end_ms <= now_ms:
            chosen.add(part)
            excess -= part.size
    return [part for part in oldest_first if part in chosen]
