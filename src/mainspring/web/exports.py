"""Readings as files: CSV and Parquet, made piece by piece in a thread, so that no export fills the memory."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mainspring.bus.connect import Bus
from mainspring.core import quality, subjects
from mainspring.core.errors import LimitExceeded
from mainspring.core.history import CORRECTED, LATE, ROWS_MAX, AggregateQuery, Function, RawQuery
from mainspring.core.kinds import Column
from mainspring.core.text import Text
from mainspring.records.importing.formulas import FORMULA
from mainspring.web.columns import numbers

RAW_WINDOW_MS: Final = 43_200_000
"""Half a day: at the fastest scan of 10 ms fewer samples than one query may return."""
STEPS_AT_ONCE: Final = 50_000
ROWS_AT_ONCE: Final = 100_000
EXPORTS_MAX: Final = 4
TIMEOUT_S: Final = 60.0
AGGREGATES: Final[tuple[Function, ...]] = ("min", "max", "mean", "first", "last", "count", "time_weighted")
QUARTER_MS: Final = 900_000
"""Clocks of plants change at quarters of an hour only."""

_BUSY: Final = Text(
    "{limit} exports are under way already. Wait for one to end.", "已有 {limit} 个导出正在进行，请等待其完成。"
)
_ORIGINS: Final = {
    "en": ("machine", "manual", "calculated", "imported", "simulated", "replayed"),
    "zh": ("设备", "人工", "计算", "导入", "模拟", "回放"),
}
_REMARKS: Final = {"en": ("corrected", "late"), "zh": ("已修正", "迟到")}
_HEADINGS: Final = {
    "path": "路径", "time": "时间", "unit": "单位", "value": "值", "word": "状态", "quality": "质量", "origin": "来源",
    "remark": "备注",
    "min": "最小值", "max": "最大值", "mean": "平均值", "first": "首值", "last": "末值", "count": "良好样本数",
    "time_weighted": "时间加权平均", "bad": "坏值样本数",
}  # fmt: skip
_ABOUT: Final = {
    "en": ("raw samples", "aggregates over {step} ms", "{tags} tags", "times in {zone}"),
    "zh": ("原始样本", "每 {step} 毫秒聚合", "{tags} 个测点", "时间为 {zone}"),
}


@dataclass(frozen=True, slots=True)
class ExportTag:
    """What a file says of a tag."""

    ordinal: int
    path: str
    unit: str
    column: Column
    words: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported: tags, a range in milliseconds UTC, raw samples or aggregates over `step_ms`."""

    tenant: str
    plant: str
    zone: str
    tags: Sequence[ExportTag]
    start_ms: int
    end_ms: int
    step_ms: int | None
    language: Literal["en", "zh"]


Write = Callable[[Export, Iterator[pa.Table]], Iterator[bytes]]


def clock_of(zone: str) -> Callable[[int], str]:
    """Return a function that writes milliseconds UTC as plant time with its offset."""
    plant = ZoneInfo(zone)
    return lambda ms: datetime.fromtimestamp(ms / 1000, UTC).astimezone(plant).isoformat(" ", "milliseconds")


class Exporter:
    """Runs exports in threads of their own, a few at a time; the files grow as fast as they are taken."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(EXPORTS_MAX, thread_name_prefix="export")
        self.running = 0

    async def parts(self, bus: Bus, export: Export, write: Write) -> AsyncGenerator[bytes, None]:
        """Yield the parts of a file; raises LimitExceeded, and before the first part what the history raises."""
        if self.running >= EXPORTS_MAX:
            raise LimitExceeded(_BUSY, limit=EXPORTS_MAX)
        self.running += 1
        loop = asyncio.get_running_loop()
        source = _Source(bus, loop)
        parts = write(export, tables(source, export))
        try:
            while (part := await loop.run_in_executor(self._threads, next, parts, None)) is not None:
                yield part
        finally:
            self.running -= 1
            await source.close()


exporter = Exporter()
"""The exporter of this process."""


class _Source:
    """Asks the history from a thread, and reads what comes batch by batch."""

    def __init__(self, bus: Bus, loop: asyncio.AbstractEventLoop) -> None:
        self._bus = bus
        self._loop = loop
        self._chunks: Any = None
        self._taking: asyncio.Task[Any] | None = None
        self._closed = False

    def batches(self, subject: str, query: bytes) -> Iterator[pa.RecordBatch]:
        """Ask, and yield the record batches of the answer; called in a thread."""
        self._chunks = self._bus.ask_chunks(subject, query, TIMEOUT_S)
        with pa.ipc.open_stream(pa.PythonFile(_AnswerFile(self._next), mode="r")) as reader:
            yield from reader

    async def close(self) -> None:
        """End the question under way, which the thread may be waiting for; called in the event loop."""
        self._closed = True
        if self._taking is not None and not self._taking.done():
            self._taking.cancel()
            await asyncio.wait({self._taking})
        if self._chunks is not None:
            await self._chunks.aclose()

    def _next(self) -> bytes:
        async def taken() -> bytes:
            self._taking = asyncio.current_task()
            chunk: bytes = b"" if self._closed else await anext(self._chunks, b"")
            return chunk

        return asyncio.run_coroutine_threadsafe(taken(), self._loop).result()


class _AnswerFile(io.RawIOBase):
    """An answer as a file, which waits for the next chunk when it is read."""

    def __init__(self, following: Callable[[], bytes]) -> None:
        self._following = following
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts: list[bytes] = []
        while size:
            if not self._left:
                self._left = memoryview(self._following())
                if not self._left:
                    break
            taken, self._left = self._left[:size], self._left[size:]
            parts.append(bytes(taken))
            size -= len(taken)
        return b"".join(parts)


def tables(source: _Source, export: Export) -> Iterator[pa.Table]:
    """Yield the export tag by tag, oldest first, in pieces: path, time (milliseconds UTC), unit, and what was asked."""
    step_ms = export.step_ms
    window_ms = RAW_WINDOW_MS if step_ms is None else step_ms * STEPS_AT_ONCE
    for tag in export.tags:
        for start_ms in range(export.start_ms, export.end_ms, window_ms):
            asked = {"tags": (tag.ordinal,), "start_ms": start_ms, "end_ms": min(start_ms + window_ms, export.end_ms)}
            query: RawQuery | AggregateQuery
            if step_ms is None:
                query = RawQuery.model_validate({**asked, "limit": ROWS_MAX, "column": tag.column})
            else:
                query = AggregateQuery.model_validate({**asked, "step_ms": step_ms, "functions": AGGREGATES})
            subject = subjects.history(export.tenant, "raw" if step_ms is None else "aggregate")
            for batch in source.batches(subject, query.model_dump_json().encode()):
                if batch.num_rows:
                    yield _piece(export, tag, pa.Table.from_batches([batch]))


def _piece(export: Export, tag: ExportTag, rows: pa.Table) -> pa.Table:
    columns: dict[str, Any] = {
        "path": pa.repeat(tag.path, rows.num_rows), "time": rows.column("time"),
        "unit": pa.repeat(tag.unit, rows.num_rows),
    }  # fmt: skip
    if export.step_ms is None:
        columns["value"] = _told(rows.column("value"))
        columns["word"] = _words(rows.column("value"), tag.words)
        columns["quality"] = _qualities(export.language).take(rows.column("quality"))
        columns["origin"] = _origins(export.language).take(rows.column("origin"))
        columns["remark"] = _remarks(export.language).take(rows.column("flags"))
    else:
        columns |= {name: _told(rows.column(name)) for name in (*AGGREGATES, "bad")}
    return pa.Table.from_arrays(list(columns.values()), names=list(columns))


def _told(values: Any) -> Any:
    """Return values with empty cells where there is no number."""
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _words(values: Any, words: Mapping[int, str]) -> Any:
    """Return the words of whole values, empty for values without one and for tags without words."""
    if not words:
        return pa.repeat("", len(values))
    places = pc.index_in(values, pa.array(words, pa.int64()))
    said: Any = pa.array(list(words.values())).take(places)
    return pc.fill_null(said, "")


@cache
def _remarks(language: str) -> Any:
    corrected, late = _REMARKS[language]
    told = [(corrected if flags & CORRECTED else "", late if flags & LATE else "") for flags in range(256)]
    return pa.array(["; ".join(word for word in words if word) for words in told])


@cache
def _qualities(language: str) -> Any:
    return pa.array([quality.words(code).document()[language] for code in range(256)])


@cache
def _origins(language: str) -> Any:
    words = _ORIGINS[language]
    return pa.array([words[code] if code < len(words) else str(code) for code in range(256)])


def as_csv(export: Export, pieces: Iterator[pa.Table]) -> Iterator[bytes]:
    """Write CSV: a line that says what it is, a line of headings, one row a sample, times as the plant's clocks."""
    import pyarrow.csv

    # The mark lets spreadsheets read the Chinese words. What is said first leaves with the first rows, so that a
    # history that does not answer is an error and no empty file.
    waiting = "\ufeff" + _about(export)
    names = ["path", "time", "unit"] + (
        ["value", "word", "quality", "origin", "remark"] if export.step_ms is None else [*AGGREGATES, "bad"]
    )
    waiting += ",".join(_HEADINGS[name] if export.language == "zh" else name for name in names) + "\r\n"
    options = pyarrow.csv.WriteOptions(include_header=False)
    for piece in pieces:
        plain = piece.set_column(1, "time", plant_times(numbers(piece.column("time")), export.zone))
        for place, name in enumerate(plain.column_names):
            if name in {"path", "unit", "value", "word"} and plain.column(place).type == pa.string():
                plain = plain.set_column(place, name, _neutral(plain.column(place)))
        sink = io.BytesIO()
        pyarrow.csv.write_csv(plain, sink, options)
        yield waiting.encode() + sink.getvalue()
        waiting = ""
    if waiting:
        yield waiting.encode()


def _about(export: Export) -> str:
    clock = clock_of(export.zone)
    raw, aggregates, tags, zone = _ABOUT[export.language]
    parts = [
        export.plant, f"{clock(export.start_ms)} - {clock(export.end_ms)}", zone.format(zone=export.zone),
        raw if export.step_ms is None else aggregates.format(step=export.step_ms), tags.format(tags=len(export.tags)),
    ]  # fmt: skip
    return f"# {'; '.join(parts).replace(',', ' ')}\r\n"


def plant_times(times: Any, zone: str) -> Any:
    """Write milliseconds UTC as the plant's clock with its offset: `2026-11-21 13:00:00.000+08:00`.

    Arrow would do it with the time zones of the operating system, which small installations lack.
    """
    plant = ZoneInfo(zone)
    quarters, place = np.unique(times // QUARTER_MS, return_inverse=True)
    offsets = [datetime.fromtimestamp(int(quarter) * 900, plant).strftime("%z") for quarter in quarters]
    minutes = np.array([int(f"{text[0]}1") * (int(text[1:3]) * 60 + int(text[3:5])) for text in offsets], np.int64)
    local = np.ascontiguousarray(times + minutes[place] * 60_000)
    moments = pa.Array.from_buffers(pa.timestamp("ms"), len(local), [None, pa.py_buffer(local.data)])
    codes = pa.Array.from_buffers(pa.int64(), len(place), [None, pa.py_buffer(np.ascontiguousarray(place).data)])
    shown: Any = pa.array([f"{text[:3]}:{text[3:5]}" for text in offsets]).take(codes)
    return pc.binary_join_element_wise(moments.cast(pa.string()), shown, "")


def _neutral(texts: Any) -> Any:
    marked = pc.binary_join_element_wise("'", texts, "")
    return pc.if_else(pc.match_substring_regex(texts, FORMULA), marked, texts)


def as_parquet(export: Export, pieces: Iterator[pa.Table]) -> Iterator[bytes]:
    """Write one Parquet file; times are UTC timestamps, plant and zone stand in its metadata."""
    import pyarrow.parquet

    about = {
        "plant": export.plant, "zone": export.zone, "start_ms": str(export.start_ms), "end_ms": str(export.end_ms),
        "step_ms": str(export.step_ms or ""), "tags": json.dumps([tag.path for tag in export.tags], ensure_ascii=False),
    }  # fmt: skip
    schema = _schema(export).with_metadata(about)
    drain = _Drain()
    sink: Any = drain
    with pyarrow.parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for group in _grouped(pieces, schema):
            writer.write_table(group)
            yield drain.take()
    yield drain.take()


def _schema(export: Export) -> pa.Schema:
    """Return the columns of the file; tags of several kinds share one column, as exact text."""
    columns: dict[str, Any] = {"path": pa.string(), "time": pa.timestamp("ms", tz="UTC"), "unit": pa.string()}
    if export.step_ms is None:
        kinds = {tag.column for tag in export.tags}
        types = {Column.FLOAT64: pa.float64(), Column.INT64: pa.int64(), Column.TEXT: pa.string()}
        columns["value"] = types[kinds.pop()] if len(kinds) == 1 else pa.string()
        columns |= {name: pa.string() for name in ("word", "quality", "origin", "remark")}
    else:
        counts = {"count": pa.uint64(), "bad": pa.uint64()}
        columns |= {name: counts.get(name, pa.float64()) for name in (*AGGREGATES, "bad")}
    return pa.schema(columns)


def _grouped(pieces: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Join small pieces: each group costs space at the end of the file."""
    waiting: list[pa.Table] = []
    for piece in pieces:
        waiting.append(piece.cast(schema))
        if sum(table.num_rows for table in waiting) >= ROWS_AT_ONCE:
            yield pa.concat_tables(waiting)
            waiting.clear()
    if waiting:
        yield pa.concat_tables(waiting)


class _Drain(io.RawIOBase):
    """A file that only goes forward and gives away what was written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        taken = bytes(part)
        self._parts.append(taken)
        self._written += len(taken)
        return len(taken)

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
