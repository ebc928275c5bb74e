"""Scan classes: tags read together, on ticks aligned to the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core.drivers import Driver, DriverTag
from mainspring.core.kinds import Column
from mainspring.gateway.report import Reports, Rows


@dataclass(slots=True)
class ScanClass:
    """Tags with the same scan time; `tick_ms` is when they are read next."""

    scan_ms: int
    tick_ms: int
    prepared: Any
    rows: dict[Column, Rows]
    tags: int
    ticks_missed: int = 0

    def advance(self, now_ms: int) -> None:
        """Move to the next aligned tick after now; ticks that passed meanwhile are counted and not made up for."""
        following = (self.tick_ms // self.scan_ms + 1) * self.scan_ms
        self.tick_ms = max(following, (now_ms // self.scan_ms + 1) * self.scan_ms)
        self.ticks_missed += (self.tick_ms - following) // self.scan_ms
        # A clock that was set back must not stop the reading until it has caught up.
        self.tick_ms = min(self.tick_ms, (now_ms // self.scan_ms + 2) * self.scan_ms)

    def tolerance_ms(self, limit_ms: int) -> int:
        """Return how late a read may end and still carry its tick."""
        return min(limit_ms, self.scan_ms // 2)


def scan_classes(
    driver: Driver, tags: Sequence[tuple[int, DriverTag]], reports: Reports, now_ms: int, read_now: bool
) -> list[ScanClass]:
    """Group (scan time, tag) into prepared scan classes; `read_now` makes the first tick the present moment."""
    groups: dict[int, list[DriverTag]] = {}
    for scan_ms, tag in tags:
        groups.setdefault(scan_ms, []).append(tag)
    classes = []
    for scan_ms, members in sorted(groups.items()):
        rows = {
            column: reporter.rows_of([tag.ordinal for tag in members if tag.kind.column is column])
            for column, reporter in reports.by_column.items()
        }
        tick_ms = now_ms if read_now else (now_ms // scan_ms + 1) * scan_ms
        classes.append(ScanClass(scan_ms, tick_ms, driver.prepare(members), rows, len(members)))
    return classes
