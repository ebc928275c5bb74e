"""The history in ClickHouse's SQL: the same tables, queries and exactly-once rule over every engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mainspring.core.cold import ColdSettings
from mainspring.core.errors import LimitExceeded, MainspringError
from mainspring.core.history import (
    LATE_AFTER_MS,
    RAW_SCHEMAS,
    AggregateQuery,
    Entry,
    EventQuery,
    Extent,
    Query,
    RawQuery,
    StateQuery,
    TrendQuery,
    correction_schema,
)
from mainspring.core.kinds import Column
from mainspring.core.samples import SampleBatch
from mainspring.core.subjects import LATE
from mainspring.core.text import Text
from mainspring.history import native, sql
from mainspring.history.cold.layer import Cold
from mainspring.history.cold.moving import ColdMoving
from mainspring.history.corrected import Corrected
from mainspring.history.engine import Engine
from mainspring.history.importing.store import OLD, STORED, THERE, Order, there
from mainspring.history.retention import STANDARD, Partition
from mainspring.history.rollup_answers import RollupAnswers
from mainspring.history.rollup_rows import HOUR_MS
from mainspring.history.rollups import QUIET_S, Rollups
from mainspring.history.schema import (
    ASIDE,
    CLASS,
    CLASSES_MASK,
    CORRECTION,
    DAY_MS,
    EVENT,
    HOUR,
    LATE_STREAM,
    LATE_TIME,
    SAMPLE,
)
from mainspring.history.space import Space
from mainspring.history.spans import span

EARLIEST_MS: Final = 946_684_800_000
"""2000-01-01: earlier times come from clocks that were never set."""
AHEAD_MAX_MS: Final = DAY_MS
ROWS_OUT_MAX: Final = 5_000_000
ORDINALS_MAX: Final = 2**24
TAGS_NAMED_MAX: Final = 1000
"""Up to so many tags are named in a statement that looks for what is there."""

_STEPS: Final = Text(
    "The query asks for {rows} steps; at most {limit} are answered. Ask for longer steps, fewer tags or less time.",
    "查询共 {rows} 个步长，最多 {limit} 个。请加大步长、减少标签或缩短时间范围。",
)


@dataclass(frozen=True, slots=True)
class _Append:
    """One append on its way into several tables."""

    late: bool
    first: int
    last: int
    new: bool
    doubtful: bool


class SqlStore:
    """Keeps readings through an engine, and what is only its own in `folder`; implements `HistoryStore`.

    Samples earlier than `earliest_ms` or more than `ahead_max_ms` in the future are set aside with the reason.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        *,
        earliest_ms: int = EARLIEST_MS,
        ahead_max_ms: int = AHEAD_MAX_MS,
        rollup_quiet_s: float = QUIET_S,
        cold: ColdSettings | None = None,
    ) -> None:
        self._engine = engine
        self.set_aside = 0
        self._earliest_ms = earliest_ms
        self._ahead_max_ms = ahead_max_ms
        self._made = threading.Lock()
        self._made_us = 0
        # The last sequence of each stream up to which this process knows all to be stored whole. See `_store`.
        self._whole: dict[str, int] = {}
        self._doubtful: dict[str, int] = {}
        self._trouble: Text | None = None
        codes = self._engine.table(f"select code, name from {CLASS}").to_pylist()
        self._codes: dict[str, int] = {row["name"]: row["code"] for row in codes}
        self._class_of = np.full(1, self._code(STANDARD), dtype=np.uint8)
        try:
            self._cold = Cold(folder, cold, self._codes)
        except MainspringError:
            engine.close()
            raise
        self._moving = ColdMoving(self._engine, self._cold, folder, self._codes, cold.after_days if cold else 0)
        self._rollups = Rollups(self._engine, folder, self._cold, rollup_quiet_s)
        self._corrected = Corrected(self._engine)
        self._rolled_up = RollupAnswers(self._engine, self._rollups, self._cold, self._corrected)
        self._space = Space(self._engine, self._rollups, self._codes, self._cold)

    # Writing

    def classify(self, retention: str, tags: Sequence[int]) -> None:
        """Keep the coming samples of these tags in a retention class; `standard` until told otherwise."""
        ordinals = np.asarray(tags, dtype=np.uint32)
        ordinals = ordinals[ordinals < ORDINALS_MAX]
        if not len(ordinals):
            return
        size = int(ordinals.max()) + 2
        if size > len(self._class_of):
            grown = np.full(max(size, 2 * len(self._class_of)), self._codes[STANDARD], dtype=np.uint8)
            grown[: len(self._class_of)] = self._class_of
            self._class_of = grown
        self._class_of[ordinals] = self._code(retention)

    def append(self, stream: str, entries: Sequence[Entry], first: int, last: int) -> None:
        """Store the samples of messages `first..last` of a stream, durably and exactly once.

        What stands before `@` in `stream` is the stream's name; the rest tells one incarnation from the next.
        """
        late = stream.partition("@")[0] == LATE
        whole = self._whole.pop(stream, None)
        doubtful = first <= self._doubtful.get(stream, 0)
        doing = _Append(late, first, last, whole is not None and first > whole and not doubtful, doubtful)
        now_ms = time.time_ns() // 1_000_000
        aside: list[tuple[Entry, npt.NDArray[np.bool_]]] = []
        for column in Column:
            parts: list[Entry] = []
            for entry in entries:
                if entry.batch.column is not column or not len(entry.batch):
                    continue
                when = entry.batch.time
                if when.min() >= self._earliest_ms and when.max() <= now_ms + self._ahead_max_ms:
                    parts.append(entry)
                    continue
                possible = (when >= self._earliest_ms) & (when <= now_ms + self._ahead_max_ms)
                parts.append(replace(entry, batch=entry.batch.take(possible)))
                aside.append((entry, ~possible))
            if sum(len(entry.batch) for entry in parts):
                columns = _in_order(self._columns(parts, late))
                with self._rollups.changing(columns), self._cold.storing(columns) as kept:
                    self._store_samples(column, kept, doing)
        if aside:
            self._put_aside(aside, now_ms, doing)
        self._whole[stream] = max(last, whole or 0)

    def place(self, tenant: int, batch: SampleBatch, kept_from_ms: Mapping[str, int]) -> npt.NDArray[np.uint8]:
        """Store samples that no stream brought, durably; what became of each: stored, was there, or is too old."""
        became = np.full(len(batch), THERE, dtype=np.uint8)
        order = Order(batch)
        columns = self._columns([Entry(0, tenant, batch, time.time_ns() // 1_000_000)], late=False)
        kept_from = np.zeros(256, dtype=np.int64)
        for name, since_ms in kept_from_ms.items():
            kept_from[self._codes.get(name, 255)] = since_ms
        old = batch.time < kept_from[columns["retention"]]
        became[old] = OLD
        span = (int(batch.time.min()), int(batch.time.max()) + 1)
        with self._cold.reading(tenant, order.tags.tolist(), *span, (batch.column,), files_max=None) as readings:
            new = order.rows[~there(self._engine, readings, tenant, order, batch) & ~old[order.rows]]
        became[new] = STORED
        if len(new):
            columns = {name: _taken(values, new) for name, values in columns.items()}
            with self._rollups.changing(columns), self._cold.storing(columns) as kept:
                self._engine.insert(SAMPLE[batch.column], kept)
        return became

    def doubt(self, stream: str, last: int) -> None:
        """Take every message of a stream up to `last` for one that may be stored, under whatever sequence.

        A reading whose tag, time and value are there already is then not stored again.
        """
        self._doubtful[stream] = last

    def append_events(self, stream: str, events: pa.Table, first: int, last: int) -> None:
        """Store alarm transitions (columns of `AlarmEvent`, plus `tenant`), durably and exactly once.

        An event that a replay sends again, in whatever message, is known by its id.
        """
        if not events.num_rows:
            return
        times = np.asarray(events["time"].to_numpy())
        held = self._engine.table(
            f"select tenant, id from {EVENT} where time >= {times.min()} and time <= {times.max()}"
        ).to_pylist()
        known = {(row["tenant"], row["id"]) for row in held}
        fresh = []
        for row, key in enumerate(zip(events["tenant"].to_pylist(), events["id"].to_pylist(), strict=True)):
            if key not in known:
                known.add(key)
                fresh.append(row)
        if fresh:
            self._engine.insert(EVENT, _lists(events.take(pa.array(fresh))))

    def correct(self, tenant: int, batch: SampleBatch, by: str, reason: str = "") -> None:
        """Replace values at given times; the former ones stay and can be found."""
        if not len(batch):
            return
        with self._made:
            self._made_us = max(self._made_us + 1, time.time_ns() // 1000)
            made_us = self._made_us
        rows = len(batch)
        columns = self._columns([Entry(0, tenant, batch)], late=False)
        del columns["late"], columns["sequence"]
        columns["made_us"] = np.full(rows, made_us, dtype=np.int64)
        columns["made_by"] = [by] * rows
        columns["reason"] = [reason] * rows
        self._corrected.note(tenant, np.unique(batch.tag).tolist())
        with self._rollups.changing(columns):
            self._engine.insert(CORRECTION[batch.column], columns)

    def retain(
        self, now_ms: int, days: Mapping[str, int], bytes_max: int, bytes_of: Mapping[str, int] | None = None
    ) -> list[str]:
        """Drop what is older than its class keeps, then the oldest beyond sizes; return what was dropped."""
        return self._space.retain(now_ms, days, bytes_max, bytes_of or {})

    def inspect(self) -> Iterator[list[str]]:
        """Look for what a disk has spoilt, piece by piece; give the names of the damaged parts of each."""
        return self._space.inspect()

    def roll_up(self, now_ms: int) -> Iterator[None]:
        """Do what rollups are due, then move what is to go cold, piece by piece."""
        try:
            yield from self._rollups.advance(now_ms)
            yield from self._moving.advance(now_ms)
        except MainspringError as error:
            self._trouble = error.text
            raise
        self._trouble = None

    def trouble(self) -> Text | None:
        """Return why rollups are not made or old days cannot go cold."""
        return self._trouble

    def rollups_behind(self, now_ms: int) -> tuple[int, int]:
        """Return for how long no rows of a minute are made, in milliseconds, and how many hours of tags are marked."""
        reach_ms = self._rollups.reach.minute
        return (0 if reach_ms is None else max(0, now_ms - reach_ms)), len(self._rollups.marks)

    # Reading

    def raw(self, tenant: int, query: RawQuery) -> Iterator[pa.RecordBatch]:
        """Answer a raw query in chunks."""
        schema = RAW_SCHEMAS[query.column]
        corrected = self._among(tenant, query, 0)
        with self._reading(tenant, query, 0, (query.column,)) as readings:
            for batch in self._engine.chunks(sql.raw(readings, tenant, query, corrected)):
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)

    def aggregate(self, tenant: int, query: AggregateQuery) -> pa.Table:
        """Answer an aggregate query."""
        steps = -(-(query.end_ms - query.start_ms) // query.step_ms) * len(query.tags)
        if steps > ROWS_OUT_MAX:
            raise LimitExceeded(_STEPS, rows=steps, limit=ROWS_OUT_MAX)
        now_ms = time.time_ns() // 1_000_000
        if (answer := self._rolled_up.aggregate(tenant, query, self._classes(query.tags), now_ms)) is not None:
            return answer
        corrected = self._among(tenant, query, sql.LOOK_BACK_MS)
        with self._reading(tenant, query, sql.LOOK_BACK_MS) as readings:
            answer = self._engine.table(sql.aggregate(readings, tenant, query, corrected, now_ms))
        return answer.replace_schema_metadata({"source": "raw"})

    def trend(self, tenant: int, query: TrendQuery) -> pa.Table:
        """Answer a trend query."""
        if (answer := self._rolled_up.trend(tenant, query, self._classes(query.tags))) is not None:
            return answer
        corrected = self._among(tenant, query, 0)
        with self._reading(tenant, query, 0) as readings:
            text, bucket_ms = sql.trend(readings, tenant, query, corrected)
            answer = self._engine.table(text)
        metadata = {"bucket_ms": str(bucket_ms), "origin_ms": str(query.start_ms), "source": "raw"}
        return answer.replace_schema_metadata(metadata)

    def states(self, tenant: int, query: StateQuery) -> pa.Table:
        """Answer a time-in-state query."""
        corrected = self._among(tenant, query, sql.LOOK_BACK_MS)
        with self._reading(tenant, query, sql.LOOK_BACK_MS, (Column.INT64,)) as readings:
            now_ms = time.time_ns() // 1_000_000
            return self._engine.table(sql.states(readings, tenant, query, corrected, now_ms))

    def events(self, tenant: int, query: EventQuery) -> pa.Table:
        """Answer an event query."""
        return self._engine.table(sql.events(tenant, query))

    def corrections(self, tenant: int, query: RawQuery) -> pa.Table:
        """Return every correction made in a range beside what it replaced, newest first."""
        with self._reading(tenant, query, 0, (query.column,)) as readings:
            found = self._engine.table(sql.corrections(readings, tenant, query))
        return pa.Table.from_arrays(found.columns, schema=correction_schema(query.column))

    def extent(self, tenant: int) -> Extent:
        """Tell how much a tenant's history holds; the bytes are its share by number of samples."""
        with self._cold.extent(tenant) as (cold, left_out):
            found = [
                span(self._engine, table, f"tenant = {tenant}{left_out(column)}") for column, table in SAMPLE.items()
            ]
        spans = [each for each in found if each is not None]
        samples = sum(each.rows for each in spans)
        if not samples + cold.samples:
            return Extent(0, 0, None, None)
        source = f"{self._engine.parts} where table in ({_READINGS})"
        [parts] = self._engine.table(f"select sum(rows) as rows, sum(bytes_on_disk) as size from {source}").to_pylist()
        ends = [end for each in spans for end in (each.oldest_ms, each.newest_ms)]
        ends += [end for end in (cold.oldest_ms, cold.newest_ms) if end is not None]
        oldest, newest = min(ends), max(ends)
        # Hours reach further back than readings that were given up; those beside readings begin earlier by nature.
        rolled_up = span(self._engine, HOUR, f"tenant = {tenant}")
        if rolled_up is not None and rolled_up.oldest_ms + HOUR_MS <= oldest:
            oldest = rolled_up.oldest_ms
        size = int(parts["size"]) * samples // int(parts["rows"]) if samples else 0
        return Extent(samples + cold.samples, size + cold.bytes_on_disk, oldest, newest)

    def bytes_on_disk(self) -> int:
        """Return the size of all tables."""
        return sum(partition.size for partition in self.partitions())

    def partitions(self) -> list[Partition]:
        """Return every partition of every table."""
        return self._space.partitions()

    def close(self) -> None:
        """Close every connection; the process may exit afterwards."""
        self._engine.close()
        self._rollups.close()
        self._cold.close()

    # Within

    def _store_samples(self, column: Column, columns: native.Columns, append: _Append) -> None:
        """Insert the samples of one column type of an append; what is there may be in cold files."""
        if append.new:
            self._engine.insert(SAMPLE[column], columns)
            return
        tags, times = np.unique(np.asarray(columns["tag"])).tolist(), np.asarray(columns["time"])
        span = (int(times.min()), int(times.max()) + 1)
        since = None if append.doubtful else (append.late, append.first)
        with self._cold.reading(None, tags, *span, (column,), files_max=None, since=since) as readings:
            self._store(SAMPLE[column], columns, append, lambda condition: readings(column, condition))

    def _store(
        self, table: str, columns: native.Columns, append: _Append, there: Callable[[str], str] | None = None
    ) -> None:
        """Insert the part of an append that belongs to one table; `there` is what to look in for what is there.

        Behind what this process has stored whole, everything is new. Anything else - the first append of a stream
        after opening, one after a failure, a repetition - may be there in part, for each partition's share is stored
        by itself: the rows already there are left out. The engine's own deduplication tokens do not do: it writes
        down a token before the rows are safe, and a process killed between the two loses them.
        """
        if append.new:
            self._engine.insert(table, columns)
            return
        there = there or (lambda condition: f"{table} where {condition}")
        times = np.asarray(columns["time"])
        during = f"time >= {times.min()} and time <= {times.max()}"
        if append.doubtful:
            tags = np.unique(np.asarray(columns["tag"])).tolist()
            own = f" and tag in ({', '.join(map(str, tags))})" if len(tags) <= TAGS_NAMED_MAX else ""
            self._engine.insert(table, columns, ("tenant, tag, time, value, quality, origin", there(during + own)))
            return
        held = (
            f"bitAnd(late, {LATE_STREAM}) = {append.late:d} and sequence >= {append.first} "
            f"and sequence <= {append.last} and {during}"
        )
        self._engine.insert(table, columns, ("sequence, tag, time", there(held)))

    def _columns(self, entries: Sequence[Entry], late: bool) -> dict[str, npt.NDArray[Any] | list[Any]]:
        """Lay the batches of one column type one after another, in the table's columns."""
        sizes = [len(entry.batch) for entry in entries]
        tags = np.concatenate([entry.batch.tag for entry in entries])
        value: npt.NDArray[Any] | list[Any] = np.concatenate([entry.batch.value for entry in entries])
        if entries[0].batch.column is Column.TEXT:
            value = [str(text) for text in value]
        # The last place stands for all tags beyond the array and is never classified.
        places = np.minimum(tags, len(self._class_of) - 1)
        return {
            "tenant": np.repeat(np.array([entry.tenant for entry in entries], dtype=np.uint32), sizes),
            "retention": self._class_of[places],
            "tag": tags,
            "time": np.concatenate([entry.batch.time for entry in entries]),
            "value": value,
            "quality": np.concatenate([entry.batch.quality for entry in entries]),
            "origin": np.concatenate([entry.batch.origin for entry in entries]),
            "late": _lateness(entries, late),
            "sequence": np.repeat(np.array([entry.sequence for entry in entries], dtype=np.uint64), sizes),
        }

    def _put_aside(self, aside: Sequence[tuple[Entry, npt.NDArray[np.bool_]]], now_ms: int, append: _Append) -> None:
        entries = [Entry(entry.sequence, entry.tenant, entry.batch.take(where)) for entry, where in aside]
        kinds = [str(entry.batch.column) for entry in entries for _ in range(len(entry.batch))]
        texts = [str(value) for entry in entries for value in entry.batch.value]
        numbers = [Entry(entry.sequence, entry.tenant, _without_value(entry.batch)) for entry in entries]
        columns = self._columns(numbers, append.late)
        del columns["retention"]
        early = np.asarray(columns["time"]) < self._earliest_ms
        columns |= {
            "value": texts,
            "kind": kinds,
            "day": np.full(len(texts), now_ms // DAY_MS, dtype=np.int64),
            "reason": [
                f"before {self._earliest_ms}" if row else f"after {now_ms} + {self._ahead_max_ms}" for row in early
            ],
        }
        self._store(ASIDE, columns, append)
        self.set_aside += len(texts)

    def _reading(
        self, tenant: int, query: Query, before_ms: int, kinds: Collection[Column] = sql.NUMERIC
    ) -> AbstractContextManager[sql.Readings]:
        """Tell, within, what to select the readings of a query from, and those so long before it."""
        start_ms = max(0, query.start_ms - before_ms)
        return self._cold.reading(tenant, query.tags, start_ms, query.end_ms, kinds)

    def _among(self, tenant: int, query: Query, before_ms: int) -> frozenset[Column]:
        """Return the column types of a query's readings, and those so long before it, that have corrections."""
        condition = sql.where(tenant, query.tags, query.start_ms - before_ms, query.end_ms)
        return self._corrected.columns(tenant, query.tags, condition)

    def _classes(self, tags: Sequence[int]) -> list[int]:
        """Return the retention classes of some tags."""
        places = np.minimum(np.asarray(tags, dtype=np.int64), len(self._class_of) - 1)
        return [int(code) for code in np.unique(self._class_of[places])]

    def _code(self, retention: str) -> int:
        """Return the number of a retention class, giving it one on first use."""
        if retention not in self._codes:
            code = len(self._codes)
            if code > CLASSES_MASK:
                return self._codes[STANDARD]
            columns: Mapping[str, Any] = {"code": np.array([code], dtype=np.uint8), "name": [retention]}
            self._engine.insert(CLASS, columns)
            self._codes[retention] = code
        return self._codes[retention]


_READINGS: Final = ", ".join(sql.text(table) for table in SAMPLE.values())


def _lists(events: pa.Table) -> dict[str, npt.NDArray[Any] | list[Any]]:
    text = {name: events[name].to_pylist() for name in events.column_names if events[name].type == pa.string()}
    numbers = {name: events[name].to_numpy() for name in ("tenant", "tag", "time", "raised", "limit")}
    values: list[Any] = [None if value is None else float(value) for value in events["value"].to_pylist()]
    return {**text, **numbers, "value": values}


def _lateness(entries: Sequence[Entry], late: bool) -> npt.NDArray[np.uint8]:
    """Return the bits of each sample: its stream, and whether it came long after its time."""
    stream = np.uint8(LATE_STREAM if late else 0)
    parts = [
        np.where(entry.arrived_ms - entry.batch.time >= LATE_AFTER_MS, stream | np.uint8(LATE_TIME), stream)
        for entry in entries
    ]
    return np.concatenate(parts).astype(np.uint8)


def _in_order(columns: dict[str, npt.NDArray[Any] | list[Any]]) -> dict[str, npt.NDArray[Any] | list[Any]]:
    """Return the rows in the table's order, which numpy finds in a tenth of the engine's time: they come as runs."""
    tenant, tag = np.asarray(columns["tenant"]), np.asarray(columns["tag"])
    order = np.argsort(tag, kind="stable") if (tenant == tenant[0]).all() else np.lexsort((tag, tenant))
    return {name: _taken(values, order) for name, values in columns.items()}


def _taken(values: npt.NDArray[Any] | list[Any], rows: npt.NDArray[np.int64]) -> npt.NDArray[Any] | list[Any]:
    return [values[row] for row in rows] if isinstance(values, list) else values[rows]


def _without_value(batch: SampleBatch) -> SampleBatch:
    nothing = np.zeros(len(batch), dtype=np.float64)
    return SampleBatch(Column.FLOAT64, batch.tag, batch.time, nothing, batch.quality, batch.origin)
