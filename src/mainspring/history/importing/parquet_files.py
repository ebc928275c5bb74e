"""Parquet of history: columns as they lie in the file, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.core.errors import Rejected
from mainspring.core.text import Text
from mainspring.history.importing.csv_files import named
from mainspring.history.importing.layout import Layout
from mainspring.history.importing.rows import Rows
from mainspring.history.importing.values import Cells, is_text, times

ROWS_AT_ONCE: Final = 500_000
_KIND: Final = Text(
    "The column {column} holds {kind}, which is no value of a tag. Leave it out.",
    "列 {column} 的类型是 {kind}，不是测点的值，请排除该列。",
)


class ParquetReader:
    """A Parquet file by its layout."""

    def __init__(self, file: Path, layout: Layout, rows_at_once: int = ROWS_AT_ONCE) -> None:
        self._layout = layout
        dictionaries = [column for column in (layout.tag, layout.quality) if layout.form == "long" and column]
        with pq.ParquetFile(file) as opened:
            schema = opened.schema_arrow
        # Places in a list of names, as far as they are names: ordinals and codes come as they are.
        self._file = pq.ParquetFile(
            file, pre_buffer=False, read_dictionary=[name for name in dictionaries if is_text(schema.field(name).type)]
        )
        self.size = self._file.metadata.num_rows
        self._tags = [name for name in schema.names if name not in {layout.time, *layout.left_out}]
        if layout.form == "long":
            self._wanted = [layout.time, layout.tag, layout.value, *([layout.quality] if layout.quality else [])]
            self._tags = [layout.value]
        else:
            self._wanted = [layout.time, *self._tags]
        for name in self._tags:
            kind = schema.field(name).type
            if not (is_text(kind) or pa.types.is_primitive(kind) or pa.types.is_decimal(kind)) or pa.types.is_temporal(
                kind
            ):
                raise Rejected(_KIND, column=name, kind=kind)
        self._rows_at_once = max(1, rows_at_once // max(1, len(self._tags)))

    def rows(self, position: Mapping[str, int] | None = None) -> Iterator[Rows]:
        """Give the rows behind a position, batch by batch."""
        skipped = position["row"] if position else 0
        before, group = 0, 0
        while group < self._file.num_row_groups and before + self._file.metadata.row_group(group).num_rows <= skipped:
            before += self._file.metadata.row_group(group).num_rows
            group += 1
        groups = list(range(group, self._file.num_row_groups))
        for batch in self._file.iter_batches(self._rows_at_once, groups, self._wanted) if groups else ():
            behind = before + batch.num_rows
            if behind > skipped:
                own = batch.slice(max(0, skipped - before))
                yield from self._read(own, behind - own.num_rows)
            before = behind

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _read(self, batch: pa.RecordBatch, before: int) -> Iterator[Rows]:
        layout = self._layout
        time, good = times(batch.column(layout.time), layout.time_unit, layout.zone)
        line = np.arange(before + 1, before + batch.num_rows + 1, dtype=np.int64)
        parts = [self._long(batch, time, good, line)] if layout.form == "long" else self._wide(batch, time, good, line)
        for rows in parts:
            rows.content = partial(_shown, rows.names, rows.name, rows.time, rows.value)
        # All of a batch's rows are read, or none.
        parts[-1].position = {"row": before + batch.num_rows}
        parts[-1].lines = batch.num_rows
        parts[-1].done = before + batch.num_rows
        yield from parts

    def _long(self, batch: pa.RecordBatch, time: Any, good: Any, line: Any) -> Rows:
        layout = self._layout
        names, name = named(batch.column(layout.tag), layout.prefix)
        quality = batch.column(layout.quality) if layout.quality else None
        return Rows(names, name, time, good, batch.column(layout.value), quality, line, str)

    def _wide(self, batch: pa.RecordBatch, time: Any, good: Any, line: Any) -> list[Rows]:
        """Return the cells of all columns of a type one after another."""
        by_kind: dict[pa.DataType, list[str]] = {}
        for tag in self._tags:
            by_kind.setdefault(batch.column(tag).type, []).append(tag)
        parts = []
        for tags in by_kind.values():
            name = np.repeat(np.arange(len(tags), dtype=np.int32), batch.num_rows)
            value = pa.concat_arrays([batch.column(tag) for tag in tags])
            every = len(tags)
            parts.append(
                Rows(
                    [layout_name(self._layout.prefix, tag) for tag in tags], name, np.tile(time, every),
                    np.tile(good, every), value, None, np.tile(line, every), str, sparse=True,
                )
            )  # fmt: skip
        return parts or [Rows([], np.empty(0, np.int32), time[:0], good[:0], pa.nulls(0), None, line[:0], str)]


def layout_name(prefix: str, column: str) -> str:
    """Return the name of the tag that a column of the wide form stands for."""
    return prefix + column.strip()


def _shown(names: list[str], name: Any, time: Any, value: Cells, row: int) -> str:
    at = int(name[row])
    return f"{names[at] if at >= 0 else ''}, {int(time[row])}, {value[row].as_py()}"
