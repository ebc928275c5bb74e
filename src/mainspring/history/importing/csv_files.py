"""CSV of history, a line a row: read in blocks that end with a line, so that reading can go on anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pv

from mainspring.core.errors import Rejected
from mainspring.core.text import Text
from mainspring.history.importing.layout import Layout, cells
from mainspring.history.importing.rows import CONTENT_MAX, Fault, Rows
from mainspring.history.importing.values import Cells, pc, times

BLOCK_BYTES: Final = 8 * 1024 * 1024
LINE_BYTES_MAX: Final = 1024 * 1024
_LONG_LINE: Final = Text(
    "Line {line} is longer than 1 MB. This is no CSV of readings.", "第 {line} 行超过 1 MB，这不是读数的 CSV 文件。"
)


class Blocks:
    """A text file in blocks of whole lines, from any of their beginnings on."""

    def __init__(self, file: Path, encoding: str, block_bytes: int = BLOCK_BYTES) -> None:
        self._file, self._encoding, self._block_bytes = file, encoding, block_bytes

    def read(self, offset: int, line: int) -> Iterator[tuple[bytes, int, int]]:
        """Give each block in UTF-8, the line before it, and the offset behind it; `line` lines lie before `offset`."""
        with self._file.open("rb") as opened:
            opened.seek(offset)
            while block := opened.read(self._block_bytes):
                if not block.endswith(b"\n"):
                    block += opened.readline(LINE_BYTES_MAX)
                if not block.endswith(b"\n") and opened.peek(1):
                    raise Rejected(_LONG_LINE, line=line + block.count(b"\n") + 1)
                offset += len(block)
                yield self._utf8(block), line, offset
                line += block.count(b"\n")

    def _utf8(self, block: bytes) -> bytes:
        return block if self._encoding == "utf-8" else block.decode(self._encoding, errors="replace").encode()


def ends_of(block: bytes) -> npt.NDArray[np.int64]:
    """Return the place behind each line's content; the last line may be without an end."""
    ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 10)
    return ends if block.endswith(b"\n") else np.append(ends, len(block))


def line_at(block: bytes, ends: npt.NDArray[np.int64], row: int) -> str:
    """Return one line of a block."""
    start = int(ends[row - 1]) + 1 if row else 0
    return block[start : int(ends[row])].decode(errors="replace").rstrip("\r")


def without(block: bytes, ends: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> bytes:
    """Return a block with some of its lines emptied."""
    parts, before = [], 0
    for row in rows.tolist():
        parts.append(block[before : int(ends[row - 1]) + 1 if row else 0])
        before = int(ends[row])
    return b"".join([*parts, block[before:]])


def not_text(block: bytes, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the lines that are not UTF-8."""
    try:
        block.decode()
    except UnicodeDecodeError:
        pass
    else:
        return np.empty(0, dtype=np.int64)
    wrong = []
    for row in range(len(ends)):
        try:
            block[int(ends[row - 1]) + 1 if row else 0 : int(ends[row])].decode()
        except UnicodeDecodeError:
            wrong.append(row)
    return np.array(wrong, dtype=np.int64)


class CsvReader:
    """A CSV file by its layout."""

    def __init__(self, file: Path, layout: Layout, block_bytes: int = BLOCK_BYTES) -> None:
        self._layout = layout
        self._blocks = Blocks(file, layout.encoding, block_bytes)
        self.size = file.stat().st_size
        with file.open("rb") as opened:
            head = opened.readline(LINE_BYTES_MAX)
        self._begin = len(head)
        text = head.removeprefix(b"\xef\xbb\xbf").decode(layout.encoding, errors="replace").strip("\r\n")
        named_columns = cells(text, layout.delimiter)
        # Of columns that are called alike the first one is meant.
        self._columns = [
            f"{name}\0{place}" if name in named_columns[:place] else name for place, name in enumerate(named_columns)
        ]

    def rows(self, position: Mapping[str, int] | None = None) -> Iterator[Rows]:
        """Give the rows behind a position, block by block."""
        offset, line = (position["offset"], position["line"]) if position else (self._begin, 1)
        for block, before, behind in self._blocks.read(offset, line):
            rows = self._read(block, before)
            rows.position = {"offset": behind, "line": before + rows.lines}
            rows.done = behind
            yield rows

    def _read(self, block: bytes, before: int) -> Rows:
        ends = ends_of(block)
        faults: dict[int, str] = dict.fromkeys(not_text(block, ends).tolist(), "encoding")
        faults |= dict.fromkeys(_odd_quotes(block, ends).tolist(), "quote")
        whole = without(block, ends, np.array(sorted(faults), dtype=np.int64)) if faults else block
        own = ends_of(whole) if faults else ends
        skipped: list[int] = []

        def invalid(row: pv.InvalidRow) -> Literal["skip"]:
            place = int(row.number or 1) - 1
            skipped.append(place)
            if line_at(whole, own, place).strip():
                faults[place] = "columns"
            return "skip"

        source: Any = pa.BufferReader(whole)
        table = pv.read_csv(
            source,
            read_options=pv.ReadOptions(use_threads=False, block_size=len(whole) + 1, column_names=self._columns),
            parse_options=pv.ParseOptions(
                delimiter=self._layout.delimiter, invalid_row_handler=invalid, ignore_empty_lines=False
            ),
            convert_options=self._wanted(),
        )
        place = np.delete(np.arange(len(ends)), skipped)
        told = ~_blank(whole, own)[place]
        if not told.all():
            table, place = table.filter(pa.array(told)), place[told]
        line = place + before + 1
        rows = self._wide(table, line) if self._layout.form == "wide" else self._long(table, line)
        rows.content = lambda row: line_at(block, ends, int(rows.line[row]) - before - 1)
        rows.lines = len(ends)
        rows.faults = [
            Fault(before + place + 1, cause, line_at(block, ends, place)[:CONTENT_MAX])
            for place, cause in sorted(faults.items())
        ]
        return rows

    def _wanted(self) -> pv.ConvertOptions:
        layout = self._layout
        if layout.form == "wide":
            listed = [layout.time, *self._tags()]
            kinds: dict[str, pa.DataType] = dict.fromkeys(listed, pa.string())
        else:
            kinds = dict.fromkeys((layout.time, layout.value), pa.string())
            dictionary = pa.dictionary(pa.int32(), pa.string())
            kinds |= {layout.tag: dictionary} | ({layout.quality: dictionary} if layout.quality else {})
        return pv.ConvertOptions(
            column_types=kinds, include_columns=list(kinds), strings_can_be_null=True, null_values=[""],
            quoted_strings_can_be_null=False, check_utf8=False, auto_dict_max_cardinality=2**31 - 1,
        )  # fmt: skip

    def _tags(self) -> list[str]:
        out = {self._layout.time, *self._layout.left_out}
        return [name for name in self._columns if name not in out and name.partition("\0")[0].strip()]

    def _values(self, column: Cells) -> Cells:
        return pc.replace_substring(column, ",", ".") if self._layout.decimal_comma else column

    def _long(self, table: pa.Table, line: npt.NDArray[np.int64]) -> Rows:
        layout = self._layout
        names, name = named(_joined(table[layout.tag]), layout.prefix)
        time, good = times(_joined(table[layout.time]), layout.time_unit, layout.zone)
        quality = _joined(table[layout.quality]) if layout.quality else None
        return Rows(names, name, time, good, self._values(_joined(table[layout.value])), quality, line, str)

    def _wide(self, table: pa.Table, line: npt.NDArray[np.int64]) -> Rows:
        tags = self._tags()
        time, good = times(_joined(table[self._layout.time]), self._layout.time_unit, self._layout.zone)
        value = pa.concat_arrays([_joined(table[tag]) for tag in tags]) if tags else pa.nulls(0, pa.string())
        name = np.repeat(np.arange(len(tags), dtype=np.int32), len(line))
        names = [self._layout.prefix + tag.partition("\0")[0].strip() for tag in tags]
        every = len(tags)
        return Rows(
            names, name, np.tile(time, every), np.tile(good, every), self._values(value), None, np.tile(line, every),
            str, sparse=True,
        )  # fmt: skip


def named(column: Cells, prefix: str) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Return the names of a column, each once, and the place of each row's among them, -1 for none."""
    encoded = column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()
    listed = [str(name or "").strip() for name in encoded.dictionary.to_pylist()]
    place = pc.fill_null(encoded.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False)
    place = np.asarray(place, dtype=np.int32)
    nameless = [at for at, name in enumerate(listed) if not name]
    if nameless:
        place = np.where(np.isin(place, nameless), np.int32(-1), place)
    return [prefix + name for name in listed], place


def _joined(column: Cells) -> Cells:
    joined = column.combine_chunks()
    # Some releases give one array here, and some a column of at most one.
    return (
        joined if isinstance(joined, pa.Array) else joined.chunk(0) if joined.num_chunks else pa.nulls(0, column.type)
    )


def _blank(block: bytes, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tell which lines hold nothing."""
    length = np.diff(ends, prepend=-1) - 1
    # The end of a line may be two signs.
    before = np.frombuffer(block + b" ", dtype=np.uint8)[np.maximum(ends - 1, 0)]
    blank: npt.NDArray[np.bool_] = (length == 0) | ((length == 1) & (before == 13))
    return blank


def _odd_quotes(block: bytes, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the lines in which a quotation mark is not closed; a value has no line break."""
    if b'"' not in block:
        return np.empty(0, dtype=np.int64)
    quotes = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 34)
    counted = np.bincount(np.searchsorted(ends, quotes), minlength=len(ends))
    return np.flatnonzero(counted % 2)
