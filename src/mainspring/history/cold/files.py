"""Cold readings as Parquet: one kind, class and day of a company, in order of tag and time.

Row groups end where a tag does, so that one tag's day lies in one of them; its least and greatest tag say in which.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.core.errors import StoreError
from mainspring.core.kinds import Column
from mainspring.core.text import Text
from mainspring.history.schema import LATE_STREAM

GROUP_ROWS: Final = 131_072
GROUP_BYTES: Final = 32 * 1024 * 1024
FILE_ROWS: Final = 4_000_000
FILE_BYTES: Final = 512 * 1024 * 1024
"""Least size of a full row group and file in memory; one ends with the tag in which it is reached."""
_TIME: Final = pa.timestamp("ms", tz="UTC")
_VALUE: Final = {Column.FLOAT64: pa.float64(), Column.INT64: pa.int64(), Column.TEXT: pa.string()}
_CLICKHOUSE: Final = {Column.FLOAT64: "Float64", Column.INT64: "Int64", Column.TEXT: "String"}

_DIFFERS: Final = Text(
    "The file {path} does not hold what was written to it ({reason}). It was not put into the cold history; the "
    "readings stay in the tables and it is tried again. Look at the disk and the memory of this machine.",
    "文件 {path} 的内容与写入的不一致（{reason}），未纳入冷数据；数据仍保留在表中并会重试。请检查本机磁盘和内存。",
)


def schema(kind: Column) -> pa.Schema:
    """Return the columns of a file of this kind."""
    columns = {
        "tag": pa.uint32(), "time": _TIME, "value": _VALUE[kind], "quality": pa.uint8(), "origin": pa.uint8(),
        "late": pa.uint8(), "sequence": pa.uint64(),
    }  # fmt: skip
    return pa.schema([pa.field(name, kept, nullable=False) for name, kept in columns.items()])


def structure(kind: Column) -> str:
    """Return the same columns as ClickHouse reads them."""
    return (
        f"tag UInt32, time DateTime64(3, 'UTC'), value {_CLICKHOUSE[kind]}, quality UInt8, origin UInt8, late UInt8, "
        "sequence UInt64"
    )


@dataclass(slots=True)
class Written:
    """What went into a file; `next_tag` is the first tag that did not, None if there was none left.

    `live_last` and `late_last` are the last sequences of the two streams in it.
    """

    rows: int = 0
    tag_min: int = 0
    tag_max: int = 0
    time_min: int = 2**63 - 1
    time_max: int = 0
    live_last: int = 0
    late_last: int = 0
    bytes: int = 0
    sha256: str = ""
    next_tag: int | None = None
    sums: list[int] = field(default_factory=lambda: [0] * 8)


def write(
    file: Path, kind: Column, batches: Iterable[pa.RecordBatch], rows_max: int = FILE_ROWS
) -> Generator[None, None, Written]:
    """Write readings, which come in order, into a file until it is full, piece by piece.

    Without readings there is no file, and what is returned has no rows.
    """
    done = Written()
    own = schema(kind)
    writer: pq.ParquetWriter | None = None
    held: pa.Table = own.empty_table()
    size = 0
    for batch in batches:
        held = pa.concat_tables([held, pa.table(batch).cast(own)])
        if held.num_rows < GROUP_ROWS and held.nbytes < GROUP_BYTES:
            yield
            continue
        held = held.combine_chunks()
        tags = held["tag"].to_numpy()
        ends = int(np.searchsorted(tags, tags[-1]))
        if not ends and tags[-1] != done.tag_max and done.rows and _full(done.rows, size, rows_max):
            done.next_tag = int(tags[-1])
            break
        part, held = held[: ends or len(tags)], held[ends or len(tags) :]
        writer = writer or _writer(file, kind)
        writer.write_table(part)
        _count(done, part)
        size += part.nbytes
        yield
        if ends and _full(done.rows, size, rows_max):
            done.next_tag = int(tags[-1])
            break
    else:
        if held.num_rows:
            held = held.combine_chunks()
            writer = writer or _writer(file, kind)
            writer.write_table(held)
            _count(done, held)
    if writer is not None:
        writer.close()
        done.bytes = file.stat().st_size
    return done


def verify(file: Path, path: str, written: Written) -> Iterator[None]:
    """Read a file and compare it with what went into it; note its checksum. Raises StoreError."""
    found = Written()
    try:
        with pq.ParquetFile(file) as opened:
            for group in range(opened.num_row_groups):
                _count(found, opened.read_row_group(group))
                yield
    except (pa.ArrowException, OSError) as error:
        raise StoreError(_DIFFERS, path=path, reason=str(error)[:200]) from error
    if (found.rows, found.sums) != (written.rows, written.sums):
        raise StoreError(_DIFFERS, path=path, reason=f"{found.rows} / {written.rows}")
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while piece := source.read(GROUP_BYTES):
            digest.update(piece)
            yield
    written.sha256 = digest.hexdigest()


def compare(pieces: Iterator[bytes], path: str, written: Written) -> Iterator[None]:
    """Compare what lies at a place with the checksum of what was brought there. Raises StoreError."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        yield
    if digest.hexdigest() != written.sha256:
        raise StoreError(_DIFFERS, path=path, reason="sha256")


def _full(rows: int, size: int, rows_max: int) -> bool:
    return rows >= rows_max or size >= FILE_BYTES


def _writer(file: Path, kind: Column) -> pq.ParquetWriter:
    """Open a file; measured on the values of a plant: words for decimals and texts, differences for whole numbers."""
    words, differences = ["tag", "quality", "origin", "late"], ["time", "sequence"]
    (differences if kind is Column.INT64 else words).append("value")
    return pq.ParquetWriter(
        file,
        schema(kind),
        compression="zstd",
        compression_level=9,
        use_dictionary=cast("Any", words),
        column_encoding=dict.fromkeys(differences, "DELTA_BINARY_PACKED"),
        write_page_index=True,
    )


def _count(done: Written, part: pa.Table) -> None:
    """Add a part to the figures of a file; the sums do not depend on how it is cut into parts."""
    tags, times = part["tag"].to_numpy(), part["time"].cast(pa.int64()).to_numpy()
    if not done.rows:
        done.tag_min = int(tags[0])
    done.rows += part.num_rows
    done.tag_max = int(tags[-1])
    done.time_min = min(done.time_min, int(times.min()))
    done.time_max = max(done.time_max, int(times.max()))
    sequences = part["sequence"].to_numpy()
    came_late = (part["late"].to_numpy() & LATE_STREAM) != 0
    done.live_last = max(done.live_last, int(sequences[~came_late].max(initial=0)))
    done.late_last = max(done.late_last, int(sequences[came_late].max(initial=0)))
    for place, column in enumerate(part.columns):
        for chunk in column.chunks:
            if pa.types.is_string(chunk.type):
                lengths, texts = _lengths_and_texts(chunk)
                done.sums[place] = zlib.crc32(texts, done.sums[place])
                done.sums[-1] = zlib.crc32(lengths.tobytes(), done.sums[-1])
                continue
            values = chunk.cast(pa.int64()) if pa.types.is_timestamp(chunk.type) else chunk
            done.sums[place] = zlib.crc32(cast("Any", values.to_numpy()), done.sums[place])


def _lengths_and_texts(column: pa.Array[Any]) -> tuple[npt.NDArray[np.int32], memoryview]:
    _, places, texts = column.buffers()
    assert places is not None
    ends = np.frombuffer(memoryview(places), dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return np.diff(ends), memoryview(texts or b"")[ends[0] : ends[-1]]
