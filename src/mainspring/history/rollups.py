"""Rollups beside the readings: how far they are made, what is out of date, and making them piece by piece.

Rows of a minute are made of samples some time after the minute, rows of an hour of those. What comes later - samples,
corrections - marks its hours, durably and before it is stored; until they are made again, queries take samples there.
A row made twice counts as last made, so that being cut short at any instant costs only a repetition.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import structlog

from mainspring.history import checked, sql
from mainspring.history.cold.layer import Cold
from mainspring.history.engine import WRITE, Engine
from mainspring.history.late_marks import Keys, LateMarks, keys_of, tags_and_hours
from mainspring.history.rollup_rows import (
    HOUR_MS,
    MINUTE_MS,
    TYPES,
    Columns,
    Span,
    coarsen,
    floor_ms,
    fold,
    newest,
)
from mainspring.history.schema import CLASSES_MASK, DAY_MS, HOUR, MINUTE, SAMPLE

log = structlog.get_logger(__name__)

AFTER_MS: Final = 90_000
"""A minute is rolled up so long after its end: by then what is not late has come."""
EVERY_MS: Final = 120_000
QUIET_S: Final = 10.0
WAIT_S: Final = 600.0
"""Marked hours are made again when nothing has come for `QUIET_S`, or after `WAIT_S`."""
AGAIN_S: Final = 30.0
ROWS_MAX: Final = 50_000_000
"""About so many samples are rolled up in one go when there is much to do."""
INSERT_ROWS: Final = 500_000
MARKS_MAX: Final = 2000


@dataclass(slots=True)
class Reach:
    """How far rollups are made, in milliseconds; None before the first. Before `*_from` a class gave its rows up."""

    generation: int = 0
    minute: int | None = None
    hour: int | None = None
    raw_from: dict[str, int] = field(default_factory=dict)
    minute_from: dict[str, int] = field(default_factory=dict)


class Rollups:
    """The rollups of one history, whose writes announce themselves by `changing`."""

    def __init__(self, engine: Engine, folder: Path, cold: Cold, quiet_s: float = QUIET_S) -> None:
        self._engine = engine
        self._cold = cold
        self._quiet_s = quiet_s
        # Kept twice, for without it what was given up is not known for certain.
        self._files = (folder / "rollups.json", folder / "rollups.copy.json")
        self._saving = threading.Lock()
        self.marks = LateMarks(folder / "rollups.late")
        self.reach = _read(self._files) or Reach(raw_from=self._given_up())
        if self.marks.spoilt:
            # Which hours were marked is not known any more: all are made again.
            self.reach.minute = self.reach.hour = None
        self._made = 0
        self._changed = threading.Condition()
        self._writing: set[object] = set()
        # The end of what is made or being made: what comes for earlier times is late.
        self._begun = self.reach.minute or 0
        self._raw_from = np.zeros(256, dtype=np.int64)
        for code, until in self.reach.raw_from.items():
            self._raw_from[int(code)] = until
        self._reserve()
        if self.marks.spoilt:
            self.marks.tidy()

    # For those who write

    @contextmanager
    def changing(self, columns: Mapping[str, npt.NDArray[Any] | list[Any]]) -> Iterator[None]:
        """Mark what late samples put out of date, while they are stored within."""
        token = object()
        with self._changed:
            self._writing.add(token)
            begun = self._begun
        noted: list[tuple[int, Keys]] = []
        try:
            times = np.asarray(columns["time"])
            if len(times) and times.min() < begun and isinstance(columns["value"], np.ndarray):
                self._note(columns, times, begun, noted)
            yield
        finally:
            for tenant, keys in noted:
                self.marks.written(tenant, keys)
            with self._changed:
                self._writing.discard(token)
                self._changed.notify_all()

    def given_up(self, table: str, code: int, until_ms: int) -> None:
        """Remember, before it is done, that a class's readings or rows up to a time are dropped. Raises OSError."""
        known = self.reach.minute_from if table == MINUTE else self.reach.raw_from
        if table in (*_NUMERIC.values(), MINUTE) and until_ms > known.get(str(code), 0):
            known[str(code)] = until_ms
            self._raw_from[code] = self.reach.raw_from.get(str(code), 0)
            self._save()

    def from_ms(self, codes: Collection[int]) -> Span:
        """Return from when on all of some classes have readings, and rows of a minute."""
        raw = max((self.reach.raw_from.get(str(code), 0) for code in codes), default=0)
        return raw, max((self.reach.minute_from.get(str(code), 0) for code in codes), default=0)

    # Making

    def advance(self, now_ms: int) -> Iterator[None]:
        """Do what is due, piece by piece; the one who asks takes the next piece at leisure, and may leave it."""
        target = floor_ms(now_ms - AFTER_MS, MINUTE_MS)
        if self.reach.minute is None or target < self.reach.minute:
            # The first time, or the clock was set back: rows made for times to come are made again.
            self._begin(target)
            if self.reach.minute is None:
                # Only now is every write either there to be seen or told to be late.
                self._begin(min(target, min(self._days(*_NUMERIC.values()), default=target)))
            self.reach.minute = self._begun
            self.reach.hour = floor_ms(min(self.reach.hour or self._begun, self._begun), HOUR_MS)
            self._save()
        caught_up = target - self.reach.minute < EVERY_MS
        while not caught_up:
            yield from self._minutes(target)
            yield from self._hours()
            yield from self._again()
            caught_up = self.reach.minute >= target
        yield from self._again()

    def _minutes(self, target: int) -> Iterator[None]:
        """Make the next minutes of all tags."""
        assert self.reach.minute is not None
        start = self.reach.minute
        days = self._days(*_NUMERIC.values())
        end = _end_of_day(start, days, target)
        day = floor_ms(start, DAY_MS)
        if day in days:
            known = max(1, (min(day + DAY_MS, target) - day) // MINUTE_MS)
            end = min(end, start + max(EVERY_MS, ROWS_MAX * known // max(1, days[day]) * MINUTE_MS))
        self._begin(end)
        # Also of a day that had nothing: what was being written then is there now.
        yield from self._insert(MINUTE, self._folded(None, (), (start, end), self._kept()))
        self.reach.minute = end
        self._save()

    def _hours(self) -> Iterator[None]:
        """Make the hours whose minutes are made."""
        assert self.reach.minute is not None
        assert self.reach.hour is not None
        until = floor_ms(self.reach.minute, HOUR_MS)
        if self.reach.hour >= until:
            return
        days = self._days(MINUTE)
        while self.reach.hour < until:
            start = self.reach.hour
            end = _end_of_day(start, days, until)
            if floor_ms(start, DAY_MS) in days:
                yield from self._insert(HOUR, self._coarsened(sql.during([(start, end)])))
            self.reach.hour = end
        self._save()

    def _again(self) -> Iterator[None]:
        """Make again what is out of date and has gone quiet; the newest minutes have their turn between."""
        ends_s = time.monotonic() + AGAIN_S
        while (
            time.monotonic() < ends_s
            and (found := self.marks.ready(self._quiet_s, WAIT_S, MARKS_MAX, DAY_MS)) is not None
        ):
            tenant, keys, stamp_s = found
            tags, hours = tags_and_hours(keys)
            minute_end, hour_end = self.reach.minute or 0, self.reach.hour or 0
            own = f" and (tag, intDiv(time, {HOUR_MS})) in ("
            own += ", ".join(f"({tag}, {hour})" for tag, hour in zip(tags, hours // HOUR_MS, strict=True))
            own += f"){self._kept()}"
            within = f"{sql.of_tags(tenant, tags.tolist())}{own} and "
            start, end = int(hours.min()), int(hours.max()) + HOUR_MS
            yield from self._insert(MINUTE, self._folded(tenant, tags.tolist(), (start, min(end, minute_end)), own))
            if start < hour_end:
                yield from self._insert(HOUR, self._coarsened(within + sql.during([(start, min(end, hour_end))])))
            self.marks.settle(tenant, keys, stamp_s)
            yield

    def close(self) -> None:
        """Leave the files as short as they can be."""
        self.marks.tidy()

    # Within

    def _begin(self, end: int) -> None:
        """Take what comes for times before `end` for late from now on; wait for writes that were not told."""
        with self._changed:
            self._begun = end
            before = set(self._writing)
            self._changed.wait_for(lambda: not before & self._writing)

    def _note(
        self,
        columns: Mapping[str, npt.NDArray[Any] | list[Any]],
        times: npt.NDArray[np.int64],
        begun: int,
        noted: list[tuple[int, Keys]],
    ) -> None:
        late = np.flatnonzero((times < begun) & (times >= self._raw_from[np.asarray(columns["retention"])]))
        tenants, tags = np.asarray(columns["tenant"])[late], np.asarray(columns["tag"])[late]
        for tenant in np.unique(tenants).tolist():
            own = tenants == tenant
            keys = keys_of(tags[own], times[late][own])
            try:
                self.marks.note(tenant, keys)
            except OSError as error:
                raise self._engine.failed(error, WRITE) from error
            noted.append((tenant, keys))

    def _kept(self) -> str:
        """Return the condition that nothing was given up of what rows are made of."""
        given_up = {code: until for code, until in self.reach.raw_from.items() if until}
        own = f"bitAnd(retention, {CLASSES_MASK})"
        return "".join(f" and not ({own} = {code} and time < {until})" for code, until in given_up.items())

    def _given_up(self) -> dict[str, int]:
        """Tell from the rows alone up to when each class gave up its readings: where it has rows and no readings."""
        listed = ", ".join(map(sql.text, (*_NUMERIC.values(), MINUTE)))
        days = self._engine.table(
            f"select toString(bitAnd(toUInt8(extract(partition, '(\\d+)')), {CLASSES_MASK})) as code, "
            "min(toInt64(extract(partition, ',\\s*(-?\\d+)'))) as day, "
            f"table != {sql.text(MINUTE)} as readings from {self._engine.parts} where table in ({listed}) "
            "group by code, readings"
        ).to_pylist()
        raw = {row["code"]: row["day"] for row in days if row["readings"]}
        for part in self._cold.partitions():
            code, day = str(self._cold.code(part.retention)), part.start_ms // DAY_MS
            raw[code] = min(day, raw.get(code, day))
        rolled_up = {row["code"]: row["day"] for row in days if not row["readings"]}
        return {code: day * DAY_MS for code, day in raw.items() if rolled_up.get(code, day) < day}

    def _days(self, *tables: str) -> dict[int, int]:
        """Return the days that have rows in any of some tables, and how many."""
        rows = self._engine.table(
            "select extract(partition, ',\\\\s*(-?\\\\d+)') as day, sum(rows) as rows "
            f"from {self._engine.parts} where table in ({', '.join(map(sql.text, tables))}) group by day"
        ).to_pylist()
        found = {int(row["day"]) * DAY_MS: int(row["rows"]) for row in rows}
        cold = self._cold.days([column for column, table in _NUMERIC.items() if table in tables])
        return found | {day * DAY_MS: samples + found.get(day * DAY_MS, 0) for day, samples in cold.items()}

    def _folded(self, tenant: int | None, tags: Sequence[int], span: Span, further: str = "") -> Iterator[Columns]:
        """Make rows of a minute of the samples in a range, of some tags of a tenant or of all, wherever they lie."""
        own = "" if tenant is None else f"{sql.of_tags(tenant, tags)} and "
        condition = f"{own}{sql.during([span])}{further}"
        with self._cold.reading(tenant, tags, *span, sql.NUMERIC, files_max=None) as readings:
            yield from self._folded_from(readings, condition)

    def _folded_from(self, readings: sql.Readings, condition: str) -> Iterator[Columns]:
        """Make rows of a minute of the samples under a condition.

        Each kind of sample comes as it lies. Tags that have both, because their kind was changed, and those with
        corrections are then taken once more by themselves, for they have to be put in order; rows made later count.
        """
        found: list[npt.NDArray[np.uint64]] = []
        for column in _NUMERIC:
            keys = [np.empty(0, dtype=np.uint64)]
            for rows in self._parts(sql.in_order(readings, (column,), condition, ()), MINUTE_MS, fold):
                keys.append(np.unique(rows["tenant"].astype(np.uint64) << np.uint64(32) | rows["tag"]))
                yield rows
            found.append(np.unique(np.concatenate(keys)))
        corrected = columns_of(self._engine.table(sql.corrected_tags(condition)))
        keys = [
            np.intersect1d(found[0], found[1]),
            corrected["tenant"].astype(np.uint64) << np.uint64(32) | corrected["tag"],
        ]
        apart = np.unique(np.concatenate(keys))
        for at in range(0, len(apart), MARKS_MAX):
            some = ", ".join(f"({key >> 32}, {key & 0xFFFFFFFF})" for key in apart[at : at + MARKS_MAX].tolist())
            text = sql.in_order(readings, _NUMERIC, f"{condition} and (tenant, tag) in ({some})", _NUMERIC)
            yield from self._parts(text, MINUTE_MS, fold)

    def _coarsened(self, condition: str) -> Iterator[Columns]:
        """Make rows of an hour of the rows of a minute under a condition."""
        text = sql.rows(MINUTE, (*TYPES, "made"), condition)
        return self._parts(text, HOUR_MS, lambda rows: coarsen(newest(rows)))

    def _parts(self, text: str, unit_ms: int, make: Callable[[Columns], Columns]) -> Iterator[Columns]:
        """Take an answer part by part, so that it may be of any size, and give what is made of whole periods."""
        left: Columns | None = None
        for batch in self._engine.chunks(f"{text} {_GENTLY}"):
            part = {name: batch[name].to_numpy() for name in batch.schema.names}
            if left is not None:
                part = {name: np.concatenate([left[name], values]) for name, values in part.items()}
            period = part["time"] // unit_ms
            other = (period != period[-1]) | (part["tag"] != part["tag"][-1]) | (part["tenant"] != part["tenant"][-1])
            whole = int(np.flatnonzero(other)[-1]) + 1 if other.any() else 0
            yield make({name: values[:whole] for name, values in part.items()})
            left = {name: values[whole:] for name, values in part.items()}
        if left is not None:
            yield make(left)

    def _insert(self, table: str, parts: Iterator[Columns]) -> Iterator[None]:
        """Store rows, many at a time; those of a later part count above those made before."""
        held: list[Columns] = []
        for part in parts:
            self._made += 1
            made = np.full(len(part["time"]), (self.reach.generation << 20) + self._made, dtype=np.uint64)
            held.append({**part, "made": made})
            if sum(len(rows["time"]) for rows in held) >= INSERT_ROWS:
                self._store(table, held)
                held = []
            yield
        self._store(table, held)

    def _store(self, table: str, parts: Sequence[Columns]) -> None:
        if any(len(part["time"]) for part in parts):
            rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            self._engine.insert(table, rows)

    def _reserve(self) -> None:
        """Begin a new generation of numbers for `made`: above the last, though the clock or an old file went back."""
        self.reach.generation = max(self.reach.generation + 1, time.time_ns() // 1_000_000)
        self._save()

    def _save(self) -> None:
        with self._saving:
            state = {name: getattr(self.reach, name) for name in Reach.__slots__}
            for file in self._files:
                checked.write(file, state)


_NUMERIC: Final = {column: SAMPLE[column] for column in sql.NUMERIC}
_GENTLY: Final = "settings max_threads = 1, max_block_size = 131072, max_execution_time = 0"


def _end_of_day(start: int, days: Collection[int], limit: int) -> int:
    """Return the end of a day that has rows, or else the start of the next one that has, at most the limit."""
    day = floor_ms(start, DAY_MS)
    return min(limit, day + DAY_MS if day in days else min((later for later in days if later > start), default=limit))


def columns_of(table: pa.Table) -> Columns:
    """Return an answer's columns as arrays."""
    return {name: table[name].to_numpy() for name in table.column_names}


def _read(files: Sequence[Path]) -> Reach | None:
    """Return what the first file says that can be read, None if there is none."""
    for file in files:
        try:
            return Reach(**checked.read(file))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError) as error:
            log.error("history.rollup_state_spoilt", file=str(file), reason=str(error) or type(error).__name__)
    return None
