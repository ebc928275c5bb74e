"""The history in ClickHouse's embedded engine: one folder, one process."""

from __future__ import annotations

import fcntl
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import chdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mainspring.core.errors import ConfigurationError, Conflict, LimitExceeded, StoreError
from mainspring.core.history import AggregateQuery, Entry, EventQuery, Extent, RawQuery, StateQuery, TrendQuery
from mainspring.core.samples import SCHEMAS, Column, SampleBatch
from mainspring.core.subjects import LATE
from mainspring.core.text import Text
from mainspring.history import native, sql
from mainspring.history.retention import EVENTS, SET_ASIDE, STANDARD, Partition, droppable
from mainspring.history.schema import ASIDE, CLASS, CORRECTION, DAY_MS, EVENT, SAMPLE, TABLES, engine_configuration

EARLIEST_MS: Final = 946_684_800_000
"""2000-01-01: earlier times come from clocks that were never set."""
AHEAD_MAX_MS: Final = DAY_MS
ROWS_OUT_MAX: Final = 5_000_000
ORDINALS_MAX: Final = 2**24
CLOSE_WAIT_S: Final = 5.0

_LOCKED: Final = Text(
    "The history in {path} is open in another process. Stop that process first, or set another folder.",
    "{path} 中的历史库已被另一个进程打开。请先停止该进程，或设置其他文件夹。",
)
_PATH: Final = Text(
    "The history folder {path} has '?' or '%' in its name, which the engine cannot open. Set another folder.",
    "历史库文件夹 {path} 的名称含有“?”或“%”，引擎无法打开，请设置其他文件夹。",
)
_CLOSED: Final = Text(
    "The history is closed. The historian is stopping; ask again after it has started.",
    "历史库已关闭：历史服务正在停止，请在其启动后重试。",
)
_FAILED: Final = Text(
    "The history in {path} failed to {action} ({reason}). What was stored is kept; look at the disk.",
    "{path} 中的历史库未能{action_zh}（{reason}）。已存数据不受影响，请检查磁盘。",
)
_TOO_MUCH: Final = Text(
    "The query needs more memory or time than a query may have ({reason}). Ask for fewer tags or a shorter range.",
    "查询超出单个查询的内存或时间限制（{reason}），请减少标签或缩短时间范围。",
)
_STEPS: Final = Text(
    "The query asks for {rows} steps; at most {limit} are answered. Ask for longer steps, fewer tags or less time.",
    "查询共 {rows} 个步长，最多 {limit} 个。请加大步长、减少标签或缩短时间范围。",
)
_OVER_LIMIT: Final = re.compile(r"MEMORY_LIMIT_EXCEEDED|TIMEOUT_EXCEEDED|TOO_MANY_ROWS|TOO_SLOW")
_REASON: Final = re.compile(r"\(([A-Z_]{4,})\)\s*$")
# One block an insert, however large: the deduplication token names blocks.
_INSERT: Final = (
    "insert_deduplicate = 1, max_partitions_per_insert_block = 0, max_insert_block_size = 100000000, "
    "min_insert_block_size_rows = 100000000, min_insert_block_size_bytes = 0"
)


class ChdbStore:
    """Keeps readings under `path`; implements `HistoryStore`.

    Each call has a connection of its own, opened in its thread (0.3 ms): a connection is never shared. Samples
    earlier than `earliest_ms` or more than `ahead_max_ms` in the future are set aside with the reason.
    """

    def __init__(
        self,
        path: Path,
        *,
        memory_bytes_max: int = 2 * 1024**3,
        query_memory_bytes_max: int = 1024**3,
        query_timeout_s: int = 30,
        query_threads: int = 2,
        earliest_ms: int = EARLIEST_MS,
        ahead_max_ms: int = AHEAD_MAX_MS,
    ) -> None:
        if set("?%") & set(str(path)):
            raise ConfigurationError(_PATH, path=path)
        self.path = path
        self.set_aside = 0
        self._earliest_ms = earliest_ms
        self._ahead_max_ms = ahead_max_ms
        self._limits = (
            f"max_memory_usage={query_memory_bytes_max}&max_execution_time={query_timeout_s}"
            f"&max_threads={query_threads}"
        )
        self._idle = threading.Condition()
        self._open: set[Any] = set()
        self._closed = False
        self._made_us = 0
        self._lock = _locked(path)
        try:
            configuration = path / "engine.xml"
            configuration.write_text(engine_configuration(memory_bytes_max))
            self._address = f"{path / 'clickhouse'}?config-file={configuration}"
            self._keeper = chdb.connect(self._address)
            for table in TABLES:
                self._keeper.query(table)
            self._codes = self._read_codes()
        except (RuntimeError, OSError) as error:
            self._lock.close()
            raise self._failed(error, "open", "打开") from error
        self._class_of = np.full(1, self._code(STANDARD), dtype=np.uint8)

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
        token = f"{stream}-{first}-{last}"
        late = stream.partition("@")[0] == LATE
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
                parts.append(Entry(entry.sequence, entry.tenant, entry.batch.take(possible)))
                aside.append((entry, ~possible))
            if sum(len(entry.batch) for entry in parts):
                self._insert(SAMPLE[column], self._columns(parts, late), token)
        if aside:
            self._put_aside(aside, late, now_ms, token)

    def append_events(self, stream: str, events: pa.Table, first: int, last: int) -> None:
        """Store alarm transitions (columns of `AlarmEvent`, plus `tenant`), durably and exactly once.

        An event that a replay sends again, in whatever message, is known by its id.
        """
        if not events.num_rows:
            return
        times = np.asarray(events["time"].to_numpy())
        held = self._table(
            f"select tenant, id from {EVENT} where time >= {times.min()} and time <= {times.max()}"
        ).to_pylist()
        known = {(row["tenant"], row["id"]) for row in held}
        fresh = []
        for row, key in enumerate(zip(events["tenant"].to_pylist(), events["id"].to_pylist(), strict=True)):
            if key not in known:
                known.add(key)
                fresh.append(row)
        if fresh:
            self._insert(EVENT, _lists(events.take(pa.array(fresh))), f"{stream}-{first}-{last}")

    def correct(self, tenant: int, batch: SampleBatch, by: str) -> None:
        """Replace values at given times; the former ones stay and can be found."""
        if not len(batch):
            return
        with self._idle:
            self._made_us = max(self._made_us + 1, time.time_ns() // 1000)
            made_us = self._made_us
        rows = len(batch)
        columns = self._columns([Entry(0, tenant, batch)], late=False)
        del columns["late"], columns["sequence"]
        columns["made_us"] = np.full(rows, made_us, dtype=np.int64)
        columns["made_by"] = [by] * rows
        self._insert(CORRECTION[batch.column], columns, f"correction-{made_us}")

    def retain(self, now_ms: int, days: dict[str, int], bytes_max: int) -> list[str]:
        """Drop what is older than its class keeps, then the oldest beyond `bytes_max`; return what was dropped."""
        dropped = droppable(self.partitions(), now_ms, days, bytes_max)
        for partition in dropped:
            self._run(f"alter table {partition.table} drop partition {partition.value}")
        return [str(partition) for partition in dropped]

    # Reading

    def raw(self, tenant: int, query: RawQuery) -> Iterator[pa.RecordBatch]:
        """Answer a raw query in chunks."""
        condition = sql.where(tenant, query.tags, query.start_ms, query.end_ms)
        text = sql.raw(tenant, query, self._corrected(condition))
        schema = SCHEMAS[query.column]
        with self._connection() as connection:
            try:
                with connection.send_query(text, "Arrow") as stream:
                    for chunk in stream:
                        for batch in _arrow(chunk).to_batches():
                            yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
            except RuntimeError as error:
                raise self._failed(error, "read", "读取") from error

    def aggregate(self, tenant: int, query: AggregateQuery) -> pa.Table:
        """Answer an aggregate query."""
        steps = -(-(query.end_ms - query.start_ms) // query.step_ms) * len(query.tags)
        if steps > ROWS_OUT_MAX:
            raise LimitExceeded(_STEPS, rows=steps, limit=ROWS_OUT_MAX)
        corrected = self._corrected(sql.where(tenant, query.tags, query.start_ms - sql.LOOK_BACK_MS, query.end_ms))
        return self._table(sql.aggregate(tenant, query, corrected, time.time_ns() // 1_000_000))

    def trend(self, tenant: int, query: TrendQuery) -> pa.Table:
        """Answer a trend query."""
        corrected = self._corrected(sql.where(tenant, query.tags, query.start_ms, query.end_ms))
        text, bucket_ms = sql.trend(tenant, query, corrected)
        return self._table(text).replace_schema_metadata({"bucket_ms": str(bucket_ms)})

    def states(self, tenant: int, query: StateQuery) -> pa.Table:
        """Answer a time-in-state query."""
        corrected = self._corrected(sql.where(tenant, query.tags, query.start_ms - sql.LOOK_BACK_MS, query.end_ms))
        return self._table(sql.states(tenant, query, corrected, time.time_ns() // 1_000_000))

    def events(self, tenant: int, query: EventQuery) -> pa.Table:
        """Answer an event query."""
        return self._table(sql.events(tenant, query))

    def corrections(self, tenant: int, query: RawQuery) -> pa.Table:
        """Return every correction made in a range beside the value that the equipment sent, oldest first."""
        condition = sql.where(tenant, query.tags, query.start_ms, query.end_ms)
        return self._table(
            "select c.tag as tag, c.time as time, c.value as value, c.quality as quality, c.made_us as made_us, "
            "c.made_by::String as made_by, s.value as former, s.quality as former_quality "
            f"from (select * from {CORRECTION[query.column]} where {condition}) as c "
            f"left join (select * from {SAMPLE[query.column]} where {condition}) as s using (tag, time) "
            f"order by tag, time, made_us limit {query.limit}"
        )

    def extent(self, tenant: int) -> Extent:
        """Tell how much a tenant's history holds; the bytes are its share by number of samples."""
        counted = " union all ".join(
            f"select count() as n, min(time) as oldest, max(time) as newest from {table} where tenant = {tenant}"
            for table in SAMPLE.values()
        )
        own = self._table(
            "select sum(n) as samples, minIf(oldest, n > 0) as oldest_ms, maxIf(newest, n > 0) as newest_ms "
            f"from ({counted})"
        ).to_pylist()[0]
        parts = self._table(f"select sum(rows) as rows, sum(bytes_on_disk) as size {_PARTS}").to_pylist()[0]
        samples = int(own["samples"])
        if not samples:
            return Extent(0, 0, None, None)
        return Extent(samples, int(parts["size"]) * samples // int(parts["rows"]), own["oldest_ms"], own["newest_ms"])

    def bytes_on_disk(self) -> int:
        """Return the size of all tables."""
        return sum(partition.size for partition in self.partitions())

    def partitions(self) -> list[Partition]:
        """Return every partition of every table."""
        names = {code: name for name, code in self._codes.items()}
        rows = self._table(
            "select table::String as table, partition::String as value, sum(bytes_on_disk) as size "
            "from system.parts where active and database = currentDatabase() group by table, partition"
        ).to_pylist()
        return [_partition(row["table"], row["value"], row["size"], names) for row in rows if row["table"] != CLASS]

    def close(self) -> None:
        """Close every connection; the process may exit afterwards."""
        with self._idle:
            if self._closed:
                return
            self._closed = True
            self._idle.wait_for(lambda: not self._open, CLOSE_WAIT_S)
            for connection in self._open:
                connection.close()
        self._keeper.close()
        self._lock.close()

    # Within

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        with self._idle:
            if self._closed:
                raise StoreError(_CLOSED)
            connection = chdb.connect(f"{self._address}&{self._limits}")
            self._open.add(connection)
        try:
            yield connection
        finally:
            connection.close()
            with self._idle:
                self._open.discard(connection)
                self._idle.notify_all()

    def _table(self, text: str) -> pa.Table:
        with self._connection() as connection:
            try:
                return _arrow(connection.query(text, "Arrow"))
            except RuntimeError as error:
                raise self._failed(error, "read", "读取") from error

    def _run(self, text: str) -> None:
        with self._connection() as connection:
            try:
                connection.query(text)
            except RuntimeError as error:
                raise self._failed(error, "write", "写入") from error

    def _insert(self, table: str, columns: native.Columns, token: str) -> None:
        names = ", ".join(f"`{name}`" for name in columns)
        text = f"insert into {table} ({names}) settings {_INSERT}, insert_deduplication_token = {sql.text(token)}"
        with self._connection() as connection:
            try:
                with connection.send_insert(text, "Native") as insert:
                    insert.append(native.block(columns))
                    insert.finish()
            except RuntimeError as error:
                raise self._failed(error, "write", "写入") from error

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
            "late": np.full(len(tags), late, dtype=np.uint8),
            "sequence": np.repeat(np.array([entry.sequence for entry in entries], dtype=np.uint64), sizes),
        }

    def _put_aside(
        self, aside: Sequence[tuple[Entry, npt.NDArray[np.bool_]]], late: bool, now_ms: int, token: str
    ) -> None:
        entries = [Entry(entry.sequence, entry.tenant, entry.batch.take(where)) for entry, where in aside]
        kinds = [str(entry.batch.column) for entry in entries for _ in range(len(entry.batch))]
        texts = [str(value) for entry in entries for value in entry.batch.value]
        numbers = [Entry(entry.sequence, entry.tenant, _without_value(entry.batch)) for entry in entries]
        columns = self._columns(numbers, late)
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
        self._insert(ASIDE, columns, token)
        self.set_aside += len(texts)

    def _corrected(self, condition: str) -> frozenset[Column]:
        rows = self._table(sql.corrected_columns(condition)).to_pylist()
        return frozenset(Column(row["name"]) for row in rows)

    def _read_codes(self) -> dict[str, int]:
        rows = _arrow(self._keeper.query(f"select code, name from {CLASS}", "Arrow")).to_pylist()
        return {row["name"]: row["code"] for row in rows}

    def _code(self, retention: str) -> int:
        """Return the number of a retention class, giving it one on first use."""
        if retention not in self._codes:
            code = len(self._codes)
            if code > 255:
                return self._codes[STANDARD]
            columns: Mapping[str, Any] = {"code": np.array([code], dtype=np.uint8), "name": [retention]}
            self._insert(CLASS, columns, f"class-{code}")
            self._codes[retention] = code
        return self._codes[retention]

    def _failed(self, error: Exception, action: str, action_zh: str) -> StoreError | LimitExceeded:
        said = str(error).strip()
        found = _REASON.search(said)
        reason = found.group(1) if found else said.splitlines()[0][:200] if said else type(error).__name__
        if action == "read" and _OVER_LIMIT.search(said):
            return LimitExceeded(_TOO_MUCH, reason=reason)
        return StoreError(_FAILED, path=self.path, action=action, action_zh=action_zh, reason=reason)


_PARTS: Final = (
    "from system.parts where active and database = currentDatabase() and table in "
    f"({', '.join(sql.text(table) for table in SAMPLE.values())})"
)


def _locked(path: Path) -> IO[bytes]:
    """Hold the folder for this process alone; the kernel lets go when the process ends, however it ends."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (path / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise Conflict(_LOCKED, path=path) from error
    os.set_inheritable(lock.fileno(), False)
    return lock


def _arrow(answer: Any) -> pa.Table:
    return pa.ipc.open_file(pa.py_buffer(answer.bytes())).read_all()


def _lists(events: pa.Table) -> dict[str, npt.NDArray[Any] | list[Any]]:
    text = {name: events[name].to_pylist() for name in events.column_names if events[name].type == pa.string()}
    numbers = {name: events[name].to_numpy() for name in ("tenant", "tag", "time", "raised", "limit")}
    values: list[Any] = [None if value is None else float(value) for value in events["value"].to_pylist()]
    return {**text, **numbers, "value": values}


def _without_value(batch: SampleBatch) -> SampleBatch:
    nothing = np.zeros(len(batch), dtype=np.float64)
    return SampleBatch(Column.FLOAT64, batch.tag, batch.time, nothing, batch.quality, batch.origin)


def _partition(table: str, value: str, size: int, names: Mapping[int, str]) -> Partition:
    numbers = [int(number) for number in re.findall(r"-?\d+", value)]
    if table == EVENT:
        return Partition(table, value, EVENTS, numbers[0] * 30 * DAY_MS, (numbers[0] + 1) * 30 * DAY_MS, size)
    retention = SET_ASIDE if table == ASIDE else names.get(numbers[0], STANDARD)
    day = numbers[-1]
    return Partition(table, value, retention, day * DAY_MS, (day + 1) * DAY_MS, size)
