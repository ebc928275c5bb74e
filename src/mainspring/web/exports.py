"""Readings as files: CSV and Parquet, made window by window so that no export fills the memory."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from mainspring.bus.connect import Bus
from mainspring.core import quality, subjects
from mainspring.core.history import AggregateQuery, RawQuery
from mainspring.core.samples import Column

WINDOW_MS: Final = 86_400_000
ROWS_MAX: Final = 5_000_000
AGGREGATES: Final = ("min", "max", "mean", "first", "last", "count", "time_weighted")

_ORIGINS: Final = {
    "en": {0: "machine", 1: "manual", 2: "calculated", 3: "imported", 4: "simulated", 5: "replayed"},
    "zh": {0: "设备", 1: "人工", 2: "计算", 3: "导入", 4: "模拟", 5: "回放"},
}


@dataclass(frozen=True, slots=True)
class ExportTag:
    """What a file says of a tag."""

    ordinal: int
    path: str
    unit: str
    column: Column


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


def neutral(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


def clock_of(zone: str) -> Callable[[int], str]:
    """Return a function that writes milliseconds UTC as plant time with its offset."""
    plant = ZoneInfo(zone)
    return lambda ms: datetime.fromtimestamp(ms / 1000, UTC).astimezone(plant).isoformat(" ", "milliseconds")


async def tables(bus: Bus, export: Export) -> AsyncIterator[pa.Table]:
    """Yield the export tag by tag and day by day, oldest first."""
    for tag in export.tags:
        start = export.start_ms
        while start < export.end_ms:
            end = min(start - start % WINDOW_MS + WINDOW_MS, export.end_ms)
            table = await _window(bus, export, tag, start, end)
            if table.num_rows:
                yield table
            start = end


async def _window(bus: Bus, export: Export, tag: ExportTag, start_ms: int, end_ms: int) -> pa.Table:
    query: AggregateQuery | RawQuery
    if export.step_ms is None:
        verb = "raw"
        query = RawQuery(tags=(tag.ordinal,), start_ms=start_ms, end_ms=end_ms, limit=ROWS_MAX, column=tag.column)
    else:
        verb = "aggregate"
        query = AggregateQuery(
            tags=(tag.ordinal,), start_ms=start_ms, end_ms=end_ms, step_ms=export.step_ms, functions=AGGREGATES
        )
    subject = subjects.history(export.tenant, verb)
    answer = await bus.ask(subject, query.model_dump_json().encode(), timeout_s=60)
    table = pa.ipc.open_stream(answer).read_all()
    rows = table.num_rows
    moment = table.column("time").cast(pa.timestamp("ms", tz="UTC"))
    columns: dict[str, Any] = {
        "path": _constant(tag.path, rows), "time_utc": moment, "unit": _constant(tag.unit, rows),
    }  # fmt: skip
    if export.step_ms is None:
        columns |= {
            "value": table.column("value"),
            "quality": _words({code: quality.words(code).document()[export.language] for code in range(256)},
                              table.column("quality")),
            "origin": _words(_ORIGINS[export.language], table.column("origin")),
        }  # fmt: skip
    else:
        columns |= {name: table.column(name) for name in (*AGGREGATES, "good", "bad")}
    return pa.table(columns)


def _constant(text: str, rows: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int8()), [text])


def _words(words: dict[int, str], codes: Any) -> Any:
    listed = [words.get(code, str(code)) for code in range(256)]
    whole = codes.combine_chunks().cast(pa.int32())
    return pa.DictionaryArray.from_arrays(whole, listed)


async def as_csv(bus: Bus, export: Export) -> AsyncIterator[bytes]:
    """Write the export as CSV: a few lines that say what it is, then one row a sample, times in the plant's zone."""
    clock = clock_of(export.zone)
    about = (
        f"# {export.plant}, {clock(export.start_ms)} - {clock(export.end_ms)}, {export.zone}, "
        + (f"aggregates over {export.step_ms} ms" if export.step_ms else "raw samples")
        + f", {len(export.tags)} tags\r\n"
    )
    yield ("\ufeff" + about).encode()
    first = True
    async for table in tables(bus, export):
        local: Any = pc.cast(table.column("time_utc"), pa.timestamp("ms", tz=export.zone))
        shown = pc.strftime(local, format="%Y-%m-%d %H:%M:%S%z")
        plain = table.set_column(1, "time", shown)
        path, unit = plain.column("path").cast(pa.string()), plain.column("unit").cast(pa.string())
        plain = plain.set_column(0, "path", path).set_column(2, "unit", unit)
        for name in ("quality", "origin"):
            if name in plain.column_names:
                place = plain.column_names.index(name)
                plain = plain.set_column(place, name, plain.column(name).cast(pa.string()))
        if "value" in plain.column_names and plain.column("value").type == pa.string():
            place = plain.column_names.index("value")
            safe = pa.array([neutral(cell) for cell in plain.column("value").to_pylist()], pa.string())
            plain = plain.set_column(place, "value", safe)
        sink = io.BytesIO()
        pyarrow.csv.write_csv(plain, sink, pyarrow.csv.WriteOptions(include_header=first))
        first = False
        yield sink.getvalue()


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


async def as_parquet(bus: Bus, export: Export) -> AsyncIterator[bytes]:
    """Write the export as one Parquet file; times are UTC timestamps, plant and zone stand in its metadata."""
    drain = _Drain()
    sink: Any = drain
    writer: pyarrow.parquet.ParquetWriter | None = None
    about = {"plant": export.plant, "zone": export.zone, "start_ms": str(export.start_ms), "end_ms": str(export.end_ms)}
    async for table in tables(bus, export):
        plain = pa.table({name: _undictionary(table.column(name)) for name in table.column_names})
        if "value" in plain.column_names and _mixed(export):
            # Tags of several kinds share one column: as text, exactly.
            place = plain.column_names.index("value")
            plain = plain.set_column(place, "value", plain.column("value").cast(pa.string()))
        if writer is None:
            writer = pyarrow.parquet.ParquetWriter(sink, plain.schema.with_metadata(about), compression="zstd")
        writer.write_table(plain)
        yield drain.take()
    if writer is None:
        columns: dict[str, pa.DataType] = {
            "path": pa.string(),
            "time_utc": pa.timestamp("ms", tz="UTC"),
            "value": pa.float64(),
        }
        writer = pyarrow.parquet.ParquetWriter(sink, pa.schema(columns).with_metadata(about), compression="zstd")
    writer.close()
    yield drain.take()


def _undictionary(column: Any) -> Any:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _mixed(export: Export) -> bool:
    return len({tag.column for tag in export.tags}) > 1
