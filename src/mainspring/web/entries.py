"""What people type as samples: values of every kind, times of the plant's clock, qualities, read and checked."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from mainspring.core import quality
from mainspring.core.arrays import inline_array
from mainspring.core.blobs import parse
from mainspring.core.errors import LimitExceeded
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import SampleBatch, build
from mainspring.core.text import Text
from mainspring.records.faults import Invalid
from mainspring.records.plant.tag import Tag

EARLIEST_MS: Final = 946_684_800_000
AHEAD_MAX_MS: Final = 60_000
TEXT_MAX: Final = 4000
ROWS_MAX: Final = 10_000
COMMENT_MAX: Final = 400

_NO_NUMBER: Final = Text("Enter a number.", "请输入数字。")
_NO_WHOLE: Final = Text("Enter a whole number between -2^63 and 2^63 - 1.", "请输入 -2^63 至 2^63 - 1 之间的整数。")
_NO_STATE: Final = Text("Choose one of: {choices}.", "请选择：{choices}。")
_NO_TEXT: Final = Text("Enter a text of at most {limit} characters.", "请输入不超过 {limit} 个字符的文字。")
_NO_BLOB: Final = Text(
    "Enter the reference of an uploaded file: sha256:...;type;size.", "请输入已上传文件的引用：sha256:…;类型;大小。"
)
_NO_ARRAY: Final = Text(
    "Enter numbers in square brackets with commas, at most 4,096 bytes.",
    "请输入方括号内以逗号分隔的数字，最多 4096 字节。",
)
_TIME: Final = Text(
    "Enter a time between 2000 and now, as 2026-11-21 13:00.", "请输入 2000 年至现在的时间，如 2026-11-21 13:00。"
)
_QUALITY: Final = Text("Enter good, uncertain or bad.", "请输入 良好、不确定 或 坏值。")
_NOT_CSV: Final = Text(
    "The file is no CSV ({reason}). Save it again as CSV.", "文件不是 CSV（{reason}），请另存为 CSV。"
)
_HEADINGS_MISSING: Final = Text(
    "The first line must name the columns path, time and value; also quality and comment.",
    "首行须含列名 path、time、value，可另有 quality、comment。",
)
_ROWS: Final = Text("The file has more than {limit} rows. Cut it in parts.", "文件超过 {limit} 行，请分批上传。")
_COLUMNS: Final = {
    "path": "path", "路径": "path", "time": "time", "时间": "time", "value": "value", "值": "value",
    "quality": "quality", "质量": "quality", "comment": "comment", "备注": "comment",
}  # fmt: skip
_QUALITIES: Final = {
    "": quality.GOOD, "good": quality.GOOD, "良好": quality.GOOD, "uncertain": quality.UNCERTAIN,
    "不确定": quality.UNCERTAIN, "bad": quality.BAD, "坏值": quality.BAD,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """One entered sample, checked."""

    tag: Tag
    time_ms: int
    value: Any
    quality: int
    comment: str = ""


def sample_value(tag: Tag, entered: Any) -> Any:
    """Return the value for the tag's column; raises Invalid under `value`."""
    try:
        return _value(tag, SampleKind(tag.sample_kind), entered)
    except _WrongError as wrong:
        raise Invalid({"value": wrong.text}) from None


def sample_time(time_ms: int | None) -> int:
    """Return a time people may enter, now if there is none; raises Invalid under `time_ms`."""
    now_ms = time.time_ns() // 1_000_000
    if time_ms is None:
        return now_ms
    if not EARLIEST_MS <= time_ms <= now_ms + AHEAD_MAX_MS:
        raise Invalid({"time_ms": _TIME})
    return time_ms


def batches(samples: Sequence[Sample]) -> list[SampleBatch]:
    """Return entered samples as batches of one column type each, of origin MANUAL."""
    made = []
    for column in Column:
        of = [each for each in samples if SampleKind(each.tag.sample_kind).column is column]
        if of:
            values: Any = np.empty(len(of), dtype=object)
            values[:] = [each.value for each in of]
            tags, times = [each.tag.ordinal for each in of], [each.time_ms for each in of]
            made.append(build(column, tags, times, values, [each.quality for each in of], Origin.MANUAL))
    return made


def rows_of(content: str) -> list[dict[str, str]]:
    """Read a CSV file by its headings in either language; raises Invalid, LimitExceeded."""
    try:
        return _rows(csv.reader(io.StringIO(content.removeprefix("\ufeff"))))
    except csv.Error as error:
        raise Invalid({"file": _NOT_CSV.format(reason=str(error))}) from error


def _rows(reader: Iterator[list[str]]) -> list[dict[str, str]]:
    heads = [_COLUMNS.get(cell.strip().lower(), "") for cell in next(reader, [])]
    if not {"path", "time", "value"} <= set(heads):
        raise Invalid({"file": _HEADINGS_MISSING})
    found = []
    for row in reader:
        if any(cell.strip() for cell in row):
            found.append({head: cell for head, cell in zip(heads, row, strict=False) if head})
        if len(found) > ROWS_MAX:
            raise LimitExceeded(_ROWS, limit=ROWS_MAX)
    return found


def row_sample(tag: Tag, row: dict[str, str], zone: str) -> Sample:
    """Check one row of a file; raises Invalid naming the column."""
    try:
        when = datetime.fromisoformat(row.get("time", "").strip())
        aware = when if when.tzinfo is not None else when.replace(tzinfo=ZoneInfo(zone))
        time_ms = sample_time(int(aware.astimezone(UTC).timestamp() * 1000))
    except (ValueError, OverflowError, Invalid) as error:
        raise Invalid({"time": _TIME}) from error
    level = _QUALITIES.get(row.get("quality", "").strip().lower())
    if level is None:
        raise Invalid({"quality": _QUALITY})
    value = sample_value(tag, row.get("value", "").strip())
    return Sample(tag, time_ms, value, level, row.get("comment", "").strip()[:COMMENT_MAX])


class _WrongError(Exception):
    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


def _value(tag: Tag, kind: SampleKind, entered: Any) -> Any:
    if kind is SampleKind.FLOAT:
        return _float(entered)
    if kind is SampleKind.INTEGER:
        return _whole(entered, _NO_WHOLE)
    if kind in {SampleKind.BOOLEAN, SampleKind.ENUMERATION}:
        return _state(tag, kind, entered)
    if kind is SampleKind.TEXT:
        if not isinstance(entered, str) or not entered or len(entered) > TEXT_MAX:
            raise _WrongError(_NO_TEXT.format(limit=TEXT_MAX))
        return entered
    return _referred(kind, entered)


def _float(entered: Any) -> float:
    try:
        number = (
            float(entered) if isinstance(entered, int | float | str) and not isinstance(entered, bool) else math.nan
        )
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise _WrongError(_NO_NUMBER)
    return number


def _whole(entered: Any, wrong: Text) -> int:
    if isinstance(entered, bool) or not isinstance(entered, int | str):
        raise _WrongError(wrong)
    try:
        number = int(entered)
    except ValueError:
        raise _WrongError(wrong) from None
    if not -(2**63) <= number < 2**63:
        raise _WrongError(wrong)
    return number


def _state(tag: Tag, kind: SampleKind, entered: Any) -> int:
    """Read a number of the tag's words, or one of its words in either language."""
    words: dict[str, dict[str, str]] = tag.words or {}
    choices = words or ({"0": {}, "1": {}} if kind is SampleKind.BOOLEAN else {})
    wrong = _NO_STATE.format(
        choices=", ".join(f"{key} {'/'.join(each.values())}".strip() for key, each in choices.items())
    )
    if isinstance(entered, bool):
        entered = int(entered)
    if isinstance(entered, str):
        said = entered.strip().lower()
        for key, each in words.items():
            if said and said in {word.lower() for word in each.values()}:
                return int(key)
        if kind is SampleKind.BOOLEAN and said in {"true", "false"}:
            return int(said == "true")
    number = _whole(entered, wrong if choices else _NO_WHOLE)
    if choices and str(number) not in choices:
        raise _WrongError(wrong)
    return number


def _referred(kind: SampleKind, entered: Any) -> str:
    """Read the reference of a blob, or, where the kind allows it, an array."""
    text = entered if isinstance(entered, str) else json.dumps(entered)
    try:
        return str(parse(text))
    except ValueError:
        if kind is SampleKind.BLOB:
            raise _WrongError(_NO_BLOB) from None
    try:
        return json.dumps(inline_array(text), separators=(",", ":"))
    except ValueError:
        raise _WrongError(_NO_ARRAY) from None
