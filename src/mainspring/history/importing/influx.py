"""Influx line protocol: `measurement,tag=value field=1.5,other=2i 1700000000000000000`, a line for one time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mainspring.history.importing.csv_files import BLOCK_BYTES, Blocks, ends_of, line_at, not_text, without
from mainspring.history.importing.layout import Layout
from mainspring.history.importing.rows import CONTENT_MAX, Fault, Rows
from mainspring.history.importing.values import Cells, flags, numbers, pc, times

_ESCAPED: Final = re.compile(r"\\([,= \\\"])")
_PARTS: Final = re.compile(r'((?:\\.|[^ \\])+) +((?:"(?:\\.|[^"\\])*"|\\.|[^ "\\])+)(?: +(-?\d+))? *$')
_FIELD: Final = re.compile(r'((?:\\.|[^=,\\])+)=("(?:\\.|[^"\\])*"|[^,"]+)(?:,|$)')
_HELD: Final = re.compile(r"\{([^{}]+)\}")
_NO_CODES: Final = np.empty(0, dtype=np.int64)


def unescaped(text: str) -> str:
    """Return a name without the backslashes that protect its signs."""
    return _ESCAPED.sub(r"\1", text)


def series(key: str) -> dict[str, str]:
    """Return what tells a series: `measurement` and its tags."""
    measurement, *pairs = re.split(r"(?<!\\),", key)
    parts = [re.split(r"(?<!\\)=", pair, maxsplit=1) for pair in pairs]
    tags = {unescaped(part[0]): unescaped(part[1]) for part in parts if len(part) == 2}
    return {**tags, "measurement": unescaped(measurement)}


def named_by(rule: str, labels: Mapping[str, str]) -> str:
    """Return the name that a rule makes of labels: `{site}/{measurement}`; a label that is missing leaves nothing."""
    made = _HELD.sub(lambda found: labels.get(found[1], ""), rule)
    return re.sub(r"/{2,}", "/", made).strip("/")


class InfluxReader:
    """A file of line protocol; its layout's rule makes names of measurement, tags and field."""

    def __init__(self, file: Path, layout: Layout, block_bytes: int = BLOCK_BYTES) -> None:
        self._layout = layout
        self._blocks = Blocks(file, layout.encoding, block_bytes)
        self.size = file.stat().st_size
        self._names: dict[tuple[str, str], str] = {}

    def rows(self, position: Mapping[str, int] | None = None) -> Iterator[Rows]:
        """Give the rows behind a position, block by block."""
        offset, line = (position["offset"], position["line"]) if position else (0, 0)
        for block, before, behind in self._blocks.read(offset, line):
            ends = ends_of(block)
            parts = self._read(block, ends, before)
            parts[-1].position = {"offset": behind, "line": before + len(ends)}
            parts[-1].lines = len(ends)
            parts[-1].done = behind
            yield from parts

    def _read(self, block: bytes, ends: npt.NDArray[np.int64], before: int) -> list[Rows]:
        wrong = not_text(block, ends)
        faults = [(int(row), "encoding") for row in wrong]
        whole_block = without(block, ends, wrong) if len(wrong) else block
        lines = pc.ascii_trim_whitespace(_lines(whole_block, ends_of(whole_block)))
        told = ~flags(pc.starts_with(lines, "#")) & (numbers(pc.binary_length(lines)) > 0)
        plain = told & ~flags(pc.match_substring(lines, '"')) & ~flags(pc.match_substring(lines, "\\"))
        where = np.flatnonzero(plain)
        words = pc.ascii_split_whitespace(lines if plain.all() else lines.take(pa.array(where)))
        whole = numbers(pc.list_value_length(words)) == 3
        faults += [(int(row), "line") for row in where[~whole]]
        where = where[whole]
        flat = words.filter(pa.array(whole)).flatten()
        each = np.arange(len(where)) * 3
        key, fields, time = (flat.take(pa.array(each + place)) for place in range(3))
        parts = [self._quick(key, fields, time, where, faults)] if len(where) else []
        rest = np.flatnonzero(told & ~plain)
        if len(rest):
            parts.append(self._slow([lines[int(row)].as_py() for row in rest], rest, faults))
        if not parts:
            parts.append(self._rows([], _NO_CODES, _NO_CODES, pa.nulls(0, pa.string()), pa.nulls(0, pa.string())))
        for rows in parts:
            place = rows.line
            rows.line = place + before + 1
            rows.content = _content(block, ends, place)
        parts[-1].faults = [
            Fault(before + row + 1, cause, line_at(block, ends, row)[:CONTENT_MAX]) for row, cause in sorted(faults)
        ]
        return parts

    def _quick(self, key: Cells, fields: Cells, time: Cells, where: Any, faults: list[tuple[int, str]]) -> Rows:
        """Take lines without quotes and backslashes, all at once."""
        listed = pc.split_pattern(fields, ",")
        parent = numbers(pc.list_parent_indices(listed)).astype(np.int64)
        pairs = pc.split_pattern(listed.flatten(), "=", max_splits=1)
        whole = numbers(pc.list_value_length(pairs)) == 2
        faults += [(row, "line") for row in np.unique(where[parent[~whole]]).tolist()]
        parent = parent[whole]
        flat = pairs.filter(pa.array(whole)).flatten()
        each = np.arange(len(parent)) * 2
        field = flat.take(pa.array(each)).dictionary_encode()
        keys = key.dictionary_encode()
        codes = numbers(keys.indices).astype(np.int64)[parent] * max(1, len(field.dictionary))
        codes += numbers(field.indices).astype(np.int64)
        pairs_there, place = np.unique(codes, return_inverse=True)
        series_keys, field_names = keys.dictionary.to_pylist(), field.dictionary.to_pylist()
        names = [
            self._name(series_keys[pair // len(field_names)], field_names[pair % len(field_names)])
            for pair in pairs_there.tolist()
        ]
        value = flat.take(pa.array(each + 1))
        if flags(pc.ends_with(value, "i")).any() or flags(pc.ends_with(value, "u")).any():
            value = pc.replace_substring_regex(value, r"^([+-]?\d+)[iu]$", r"\1")
        return self._rows(names, place, where[parent], value, time.take(pa.array(parent)))

    def _slow(self, lines: list[str], where: Any, faults: list[tuple[int, str]]) -> Rows:
        """Take lines with quotes or backslashes one by one."""
        names: dict[str, int] = {}
        place, line, value, time = [], [], [], []
        for text, row in zip(lines, where.tolist(), strict=True):
            found = _PARTS.match(text.strip())
            fields = _FIELD.findall(found[2]) if found else []
            if found is None or found[3] is None or _FIELD.sub("", found[2]) or not fields:
                faults.append((row, "line"))
                continue
            for field, written in fields:
                place.append(names.setdefault(self._name(found[1], field), len(names)))
                line.append(row)
                plain = re.sub(r"^([+-]?\d+)[iu]$", r"\1", written)
                value.append(unescaped(written[1:-1]) if written.startswith('"') else plain)
                time.append(found[3])
        return self._rows(
            list(names), np.array(place, dtype=np.int64), np.array(line, dtype=np.int64),
            pa.array(value, pa.string()), pa.array(time, pa.string()),
        )  # fmt: skip

    def _rows(self, names: list[str], place: Any, line: Any, value: Cells, time: Cells) -> Rows:
        moment, good = times(time, self._layout.time_unit, "UTC")
        return Rows(names, place.astype(np.int32), moment, good, value, None, line, str)

    def _name(self, key: str, field: str) -> str:
        known = self._names.get((key, field))
        if known is None:
            labels = {**series(key), "field": unescaped(field)}
            known = self._names[key, field] = self._layout.prefix + named_by(self._layout.rule, labels)
        return known


def _content(block: bytes, ends: npt.NDArray[np.int64], place: npt.NDArray[np.int64]) -> Callable[[int], str]:
    return lambda row: line_at(block, ends, int(place[row]))


def _lines(block: bytes, ends: npt.NDArray[np.int64]) -> Cells:
    """View a block as its lines, their ends included."""
    starts = np.minimum(np.append(0, ends + 1), len(block)).astype(np.int32)
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(starts), pa.py_buffer(block))
