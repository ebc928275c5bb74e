"""Rows of a file of history on their way in, as columns; a Python object is made for a row only if it is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mainspring.core import quality as levels
from mainspring.core.kinds import Column, SampleKind
from mainspring.core.text import Text
from mainspring.history.importing.values import Cells, Found, flags, floats, integers, numbers, pc, texts

EARLIEST_MS: Final = 946_684_800_000
"""2000-01-01, as the history itself has it."""
AHEAD_MAX_MS: Final = 60_000
CONTENT_MAX: Final = 300
"""Characters of a refused row that are shown and kept."""
CAUSES: Final[dict[str, Text]] = {
    "columns": Text("The line has more or fewer cells than the first line", "该行的列数与首行不同"),
    "quote": Text("A quotation mark in this line is not closed", "该行的引号没有闭合"),
    "encoding": Text("The line is not text in the file's encoding", "该行不符合文件的字符编码"),
    "name": Text("The tag has no name", "缺少测点名称"),
    "time": Text("The time cannot be read", "时间无法识别"),
    "range": Text("The time lies before 2000 or after now", "时间早于 2000 年或晚于当前时间"),
    "empty": Text("There is no value", "缺少值"),
    "number": Text("The value is no number", "值不是数字"),
    "whole": Text("The value is no whole number, and no word of this tag", "值不是整数，也不是该测点的状态文字"),
    "text": Text("The text is longer than 4,000 characters", "文字超过 4000 个字符"),
    "quality": Text(
        "The quality is not good, uncertain, bad or a number up to 255", "质量不是良好、不确定、坏值或 0 至 255 的数"
    ),
    "kind": Text("Files and arrays are not imported", "不支持导入文件和数组类测点"),
    "line": Text("The line is no line protocol", "该行不符合行协议格式"),
}  # fmt: skip
"""Why a row is refused."""
_CODES: Final = {name: code for code, name in enumerate(CAUSES, 1)}
_NAMES: Final = list(CAUSES)
_OF_TIME: Final = (_CODES["time"], _CODES["range"])
UNKNOWN, FLOAT, WHOLE, TEXT, REFUSED = range(5)
"""How the values of a tag are taken; the history has no tag of an unknown name."""
COLUMNS: Final = {FLOAT: Column.FLOAT64, WHOLE: Column.INT64, TEXT: Column.TEXT}
TAKEN_AS: Final = {
    SampleKind.FLOAT: FLOAT, SampleKind.INTEGER: WHOLE, SampleKind.BOOLEAN: WHOLE, SampleKind.ENUMERATION: WHOLE,
    SampleKind.TEXT: TEXT, SampleKind.BLOB: REFUSED, SampleKind.ARRAY: REFUSED,
}  # fmt: skip
BOOLEAN_WORDS: Final = {
    word: int(state)
    for state, words in ((True, "true t on yes 是 真 开"), (False, "false f off no 否 假 关"))
    for word in words.split()
}
_QUALITIES: Final = {
    "": levels.GOOD, "good": levels.GOOD, "良好": levels.GOOD, "uncertain": levels.UNCERTAIN,
    "不确定": levels.UNCERTAIN, "bad": levels.BAD, "坏值": levels.BAD,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One row that is refused: its line counted from 1, why (a key of CAUSES), and how it reads."""

    line: int
    cause: str
    content: str


@dataclass(slots=True)
class Rows:
    """Some rows of a file. `name` holds places in `names`, -1 where there is none; all arrays have one length.

    `position` is from where the file is read on behind these rows; `done` of the file's `size` lies before it.
    """

    names: list[str]
    name: npt.NDArray[np.int32]
    time: npt.NDArray[np.int64]
    time_good: npt.NDArray[np.bool_]
    value: Cells
    quality: Cells | None
    line: npt.NDArray[np.int64]
    content: Callable[[int], str]
    sparse: bool = False
    """A cell without a value says nothing: the wide form has one for each tag and time."""
    faults: list[Fault] = field(default_factory=list)
    position: Mapping[str, int] | None = None
    lines: int = 0
    done: int = 0

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Target:
    """The tag that a name stands for: its ordinal, how values are taken, and what its words mean."""

    ordinal: int
    taken_as: int
    words: Mapping[str, int] = field(default_factory=dict)
    connected: bool = False
    """A connection reads it."""


NOBODY: Final = Target(0, UNKNOWN)


@dataclass(slots=True)
class Settled:
    """What became of rows: those of each column type, and which names nobody has."""

    parts: list[Part] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unknown: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By name: how many rows, and the first one's line."""
    empty: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Samples of one column type; `value` is an array, or Arrow strings."""

    column: Column
    tag: npt.NDArray[np.uint32]
    time: npt.NDArray[np.int64]
    value: Any
    quality: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.tag)


_Code = npt.NDArray[np.uint8]


def settle(rows: Rows, target_of: Callable[[str], Target], now_ms: int) -> Settled:
    """Turn rows into samples of tags, and say what is wrong with the others."""
    settled = Settled(faults=list(rows.faults))
    targets = [target_of(name) for name in rows.names]
    # The last place stands for rows without a name.
    ordinal = np.array([each.ordinal for each in targets] + [0], dtype=np.uint32)[rows.name]
    taken_as = np.array([each.taken_as for each in targets] + [UNKNOWN], dtype=np.uint8)[rows.name]
    code: _Code = np.zeros(len(rows), dtype=np.uint8)
    code[taken_as == REFUSED] = _CODES["kind"]
    code[(rows.time < EARLIEST_MS) | (rows.time > now_ms + AHEAD_MAX_MS)] = _CODES["range"]
    code[~rows.time_good] = _CODES["time"]
    quality = _qualities(rows.quality, code)
    code[rows.name < 0] = _CODES["name"]
    unknown = (taken_as == UNKNOWN) & (code == 0)
    _count_unknown(settled, rows, unknown)
    for kind, column in COLUMNS.items():
        where = np.flatnonzero((taken_as == kind) & (code == 0))
        if not len(where):
            continue
        found = _values(kind, rows, where, targets)
        _judge(found, kind, where, quality, code, rows, settled)
        kept = code[where] == 0
        # An empty cell of the wide form is neither stored nor refused.
        kept &= ~found.absent if rows.sparse else True
        at = where if kept.all() else where[kept]
        value = found.value if kept.all() else found.value.filter(pa.array(kept)) if kind == TEXT else found.value[kept]
        if len(at):
            settled.parts.append(Part(column, ordinal[at], rows.time[at], value, quality[at]))
    wrong = np.flatnonzero(code)
    if rows.sparse:
        # A time that cannot be taken is wrong once, not for each of its cells.
        wrong = _once(rows.line, code, wrong)
    settled.faults += [
        Fault(int(rows.line[row]), _NAMES[code[row] - 1], rows.content(int(row))[:CONTENT_MAX]) for row in wrong
    ]
    settled.faults.sort(key=lambda fault: fault.line)
    return settled


def _once(line: npt.NDArray[np.int64], code: _Code, wrong: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    of_time = np.isin(code[wrong], _OF_TIME)
    _, first = np.unique(line[wrong[of_time]], return_index=True)
    return np.sort(np.concatenate([wrong[~of_time], wrong[of_time][first]]))


def _values(kind: int, rows: Rows, where: npt.NDArray[np.int64], targets: list[Target]) -> Found:
    column = rows.value if len(where) == len(rows) else rows.value.take(pa.array(where))
    if kind == FLOAT:
        return floats(column)
    if kind == TEXT:
        return texts(column)
    found = integers(column)
    wrong = np.flatnonzero(~found.good & ~found.absent)
    if len(wrong) and (pa.types.is_string(column.type) or pa.types.is_dictionary(column.type)):
        _read_words(found, column.take(pa.array(wrong)), rows.name[where[wrong]], wrong, targets)
    return found


def _read_words(
    found: Found,
    column: Cells,
    name: npt.NDArray[np.int32],
    wrong: npt.NDArray[np.int64],
    targets: list[Target],
) -> None:
    """Put in the numbers of words: each word is looked up once for each tag."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    words = [str(word).strip().lower() for word in encoded.dictionary.to_pylist()]
    pairs, each = np.unique(name.astype(np.int64) * len(words) + numbers(encoded.indices), return_inverse=True)
    meant = [targets[int(pair) // len(words)].words.get(words[int(pair) % len(words)]) for pair in pairs]
    known = np.array([number is not None for number in meant], dtype=np.bool_)[each]
    found.value[wrong[known]] = np.array([number or 0 for number in meant], dtype=np.int64)[each][known]
    found.good[wrong[known]] = True


def _judge(
    found: Found, kind: int, where: npt.NDArray[np.int64], quality: _Code, code: _Code, rows: Rows, settled: Settled
) -> None:
    """Refuse values that cannot be taken; a bad sample may be without one."""
    wrong = {FLOAT: "number", WHOLE: "whole", TEXT: "text"}[kind]
    code[where[~found.good & ~found.absent]] = _CODES[wrong]
    if rows.sparse:
        settled.empty += int(found.absent.sum())
        return
    without = where[found.absent]
    code[without[quality[without] >= levels.UNCERTAIN]] = _CODES["empty"]


def _count_unknown(settled: Settled, rows: Rows, unknown: npt.NDArray[np.bool_]) -> None:
    if not unknown.any():
        return
    places = np.flatnonzero(unknown)
    if rows.sparse:
        # A column that nobody knows counts by its cells that hold something.
        places = places[~flags(pc.is_null(rows.value.take(pa.array(places))))]
    names, first, counts = np.unique(rows.name[places], return_index=True, return_counts=True)
    for name, at, count in zip(names.tolist(), first.tolist(), counts.tolist(), strict=True):
        before, line = settled.unknown.get(rows.names[name], (0, int(rows.line[places[at]])))
        settled.unknown[rows.names[name]] = (before + count, line)


def _qualities(column: Cells | None, code: _Code) -> _Code:
    """Return the OPC bytes; a cell that is empty says good."""
    if column is None:
        return np.full(len(code), levels.GOOD, dtype=np.uint8)
    if pa.types.is_integer(column.type):
        stated = numbers(column.cast(pa.int64()), levels.GOOD)
        outside = (stated < 0) | (stated > 255)
        code[outside] = _CODES["quality"]
        return np.where(outside, levels.BAD, stated).astype(np.uint8)
    encoded = column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()
    read = [_quality(str(word or "")) for word in encoded.dictionary.to_pylist()]
    # The last place stands for cells that are empty.
    known = np.array([level is not None for level in read] + [True], dtype=np.bool_)
    level = np.array([level or 0 for level in read] + [levels.GOOD], dtype=np.uint8)
    at = numbers(encoded.indices.cast(pa.int64()), -1)
    code[~known[at]] = _CODES["quality"]
    found: _Code = level[at]
    return found


def _quality(word: str) -> int | None:
    plain = word.strip().lower()
    if plain.isascii() and plain.isdigit():
        return int(plain) if int(plain) <= 255 else None
    return _QUALITIES.get(plain)
