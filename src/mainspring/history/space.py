"""The space that a history takes: its partitions, and the dropping of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from mainspring.history.cold.layer import Cold
from mainspring.history.engine import Engine
from mainspring.history.retention import EVENTS, SET_ASIDE, STANDARD, Partition, cut_ms, droppable
from mainspring.history.rollup_rows import HOUR_MS
from mainspring.history.rollups import Rollups
from mainspring.history.schema import ASIDE, CLASS, CLASSES_MASK, DAY_MS, EVENT, HOUR, MINUTE, MONTH_MS, SAMPLE

NO_LIMIT: Final = 2**62


class Space:
    """The partitions of one history; `codes` has the numbers of its retention classes."""

    def __init__(self, engine: Engine, rollups: Rollups, codes: Mapping[str, int], cold: Cold) -> None:
        self._engine = engine
        self._cold = cold
        self._rollups = rollups
        self._codes = codes

    def retain(self, now_ms: int, days: Mapping[str, int], bytes_max: int, bytes_of: Mapping[str, int]) -> list[str]:
        """Drop what is older than its class keeps, then the oldest beyond sizes; return what was dropped.

        One partition a statement: appends and queries go on between and beside.
        """
        partitions = self.partitions()
        dropped = droppable(partitions, now_ms, days, bytes_max, bytes_of)
        if self._cold.place is not None:
            # Readings that only the size of the whole would have dropped go cold instead.
            due = droppable(partitions, now_ms, days, NO_LIMIT, bytes_of)
            crowded = [part for part in dropped if part not in due and part.table in SAMPLE.values()]
            self._cold.early_ms = max((part.end_ms for part in crowded), default=0)
            dropped = [part for part in dropped if part not in crowded]
        for partition in dropped:
            if partition.table in (*SAMPLE.values(), MINUTE):
                self._rollups.given_up(
                    partition.table, self._codes[partition.retention.split("/")[0]], partition.end_ms
                )
            self._engine.drop(partition.table, partition.value)
        told = [str(partition) for partition in dropped]
        for partition in droppable(self._cold.partitions(), now_ms, days, NO_LIMIT, {}):
            self._rollups.given_up(partition.table, self._codes[partition.retention], partition.end_ms)
            self._cold.forget(partition)
            told.append(f"{partition}, cold")
        for retention, most in bytes_of.items():
            if retention in self._codes:
                told += self._cut_today(retention, most, now_ms)
        return told

    def _cut_today(self, retention: str, most: int, now_ms: int) -> list[str]:
        """Drop whole hours of today where a class takes more than its size with them alone, once they are rolled up."""
        parts = [part for part in self.partitions() if part.retention == retention and part.end_ms > now_ms]
        size = sum(part.size for part in parts)
        if size <= most:
            return []
        code, today = self._codes[retention], now_ms // DAY_MS * DAY_MS
        until_ms = min(now_ms // HOUR_MS * HOUR_MS, self._rollups.reach.hour or 0)
        told = []
        for part in parts:
            if part.table not in SAMPLE.values():
                continue
            counted = self._engine.table(
                f"select intDiv(time, {HOUR_MS}) * {HOUR_MS} as hour, count() as rows from {part.table} "
                f"where retention = {_numbers(part.value)[0]} and time >= {today} and time < {today + DAY_MS} "
                "group by hour"
            )
            hours = {int(row["hour"]): int(row["rows"]) for row in counted.to_pylist()}
            cut = cut_ms(hours, part.size, part.rows, most * part.size // size, until_ms)
            if cut is not None:
                self._rollups.given_up(part.table, code, cut)
                self._engine.delete(part.table, part.value, f"time < {cut}")
                told.append(f"{part} before {cut}")
        return told

    def inspect(self) -> Iterator[list[str]]:
        """Look for what a disk has spoilt, partition by partition; give the names of the damaged parts of each."""
        names = {(part.table, part.value): str(part) for part in self.partitions()}
        yield [f"{table} ({part})" for table, part in self._engine.left_out()]
        for (table, value), name in names.items():
            yield [f"{name} ({part})" for part in self._engine.damaged(table, value)]

    def partitions(self) -> list[Partition]:
        """Return every partition of every table."""
        names = {code: name for name, code in self._codes.items()}
        rows = self._engine.table(
            "select table::String as table, partition::String as value, sum(bytes_on_disk) as size, sum(rows) as rows "
            f"from {self._engine.parts} group by table, partition"
        ).to_pylist()
        return [
            _partition(row["table"], row["value"], (int(row["size"]), int(row["rows"])), names)
            for row in rows
            if row["table"] != CLASS
        ]


def _partition(table: str, value: str, size_and_rows: tuple[int, int], names: Mapping[int, str]) -> Partition:
    numbers = _numbers(value)
    unit_ms = MONTH_MS if table in (EVENT, HOUR) else DAY_MS
    retention = {EVENT: EVENTS, ASIDE: SET_ASIDE}.get(table) or names.get(numbers[0] & CLASSES_MASK, STANDARD)
    retention += {MINUTE: "/minute", HOUR: "/hour"}.get(table, "")
    return Partition(table, value, retention, numbers[-1] * unit_ms, (numbers[-1] + 1) * unit_ms, *size_and_rows)


def _numbers(partition: str) -> list[int]:
    return [int(number) for number in re.findall(r"-?\d+", partition)]
