"""What the columns of a file of history mean, guessed from its beginning and settled by people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.errors import Rejected
from mainspring.core.text import Text
from mainspring.history.importing.values import looks_like_time

FORMATS: Final = ("csv", "parquet", "influx")
HEAD_BYTES: Final = 1024 * 1024
SAMPLED: Final = 5
COLUMNS_MAX: Final = 5000
NAME_MAX: Final = 500
_DELIMITERS: Final = ",;\t|"
_WORDS: Final = {
    "time": "time timestamp date datetime ts moment 时间 日期 时间戳 采样时间",
    "tag": "tag path name tagname tag_name tagpath 位号 测点 路径 名称 测点名称",
    "value": "value val v reading 值 数值 当前值 采样值",
    "quality": "quality q status 质量 状态",
}
_LINE: Final = re.compile(r'^(\\.|[^,\s\\])+(,(\\.|[^=\s\\])+=(\\.|[^,\s\\])+)* +[^=\s]+=("|[-+.\dtTfF])')
_EMPTY: Final = Text("The file {name} is empty.", "文件 {name} 为空。")
_NOT_READ: Final = Text(
    "{name} cannot be read ({reason}). CSV, Parquet and Influx line protocol are taken.",
    "无法读取 {name}（{reason}）。支持 CSV、Parquet 和 Influx 行协议。",
)
_NO_COLUMN: Final = Text("The file has no column {column}. Choose another.", "文件中没有列 {column}，请重新选择。")
_NEEDED: Final = Text(
    "Say which columns hold the time, the tag and the value; in a file with a column for each tag, the time.",
    "请指定时间、测点和值所在的列；若每列一个测点，请指定时间列。",
)
_TOO_MANY: Final = Text("The file has more than {limit} columns.", "文件超过 {limit} 列。")


class Layout(BaseModel):
    """How a file is read. `long`: a row is a sample; `wide`: a row is a time, with a column for each tag."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["csv", "parquet", "influx"] = "csv"
    form: Literal["long", "wide"] = "long"
    time: str = Field(default="", max_length=NAME_MAX)
    tag: str = Field(default="", max_length=NAME_MAX)
    value: str = Field(default="", max_length=NAME_MAX)
    quality: str = Field(default="", max_length=NAME_MAX)
    left_out: list[str] = Field(default_factory=list, max_length=COLUMNS_MAX, description="columns of the wide form")
    time_unit: Literal["auto", "iso", "s", "ms", "us", "ns"] = "auto"
    zone: str = Field(default="UTC", max_length=64, description="of times without an offset")
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    decimal_comma: bool = False
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    rule: str = Field(default="{measurement}/{field}", max_length=300, description="what names are made of")
    prefix: str = Field(default="", max_length=300, description="put before each name")


@dataclass(frozen=True, slots=True)
class Look:
    """The beginning of a file: a guess at its layout, its columns, and the first rows as text."""

    layout: Layout
    columns: list[str]
    rows: list[list[str]]


def look(file: Path, name: str, zone: str) -> Look:
    """Look into a file; raises Rejected, in one sentence, for what cannot be read."""
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    if not head.strip():
        raise Rejected(_EMPTY, name=name)
    if head[:4] == b"PAR1":
        return _look_parquet(file, name, zone)
    text, encoding = _decoded(head, name)
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    if not lines:
        raise Rejected(_EMPTY, name=name)
    told = [line for line in lines if not line.startswith("#")]
    if told and _LINE.match(told[0]):
        layout = Layout(format="influx", time_unit="ns", zone=zone, encoding=encoding)
        return Look(layout, [], [[line[:200]] for line in told[:SAMPLED]])
    delimiter = max(_DELIMITERS, key=lines[0].count)
    columns = cells(lines[0], delimiter)
    rows = [cells(line, delimiter) for line in lines[1 : SAMPLED + 1]]
    if len(columns) < 2:
        raise Rejected(_NOT_READ, name=name, reason="columns")
    layout = _guessed(columns, rows, Layout(zone=zone, delimiter=delimiter, encoding=encoding), name)
    if delimiter == ";" and not any("." in cell for row in rows for cell in row[1:]):
        layout.decimal_comma = any(re.fullmatch(r"[+-]?\d+,\d+", cell.strip()) for row in rows for cell in row)
    return Look(layout, columns, rows)


def cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of one line."""
    import csv

    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def check_layout(layout: Layout, columns: list[str]) -> None:
    """Raise Rejected for a layout that cannot be read with."""
    if layout.format == "influx":
        return
    needed = [layout.time] + ([layout.tag, layout.value] if layout.form == "long" else [])
    if not all(needed):
        raise Rejected(_NEEDED)
    for column in (*needed, *filter(None, [layout.quality])):
        if column not in columns:
            raise Rejected(_NO_COLUMN, column=column)


def _decoded(head: bytes, name: str) -> tuple[str, Literal["utf-8", "gb18030"]]:
    # The last line may be cut anywhere.
    whole = head if len(head) < HEAD_BYTES else head[: head.rfind(b"\n") + 1]
    if b"\0" in whole:
        raise Rejected(_NOT_READ, name=name, reason="binary")
    try:
        return whole.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        return whole.decode("gb18030"), "gb18030"
    except UnicodeDecodeError:
        # Lines that are not text are set aside one by one.
        return whole.decode("utf-8-sig", errors="replace"), "utf-8"


def _look_parquet(file: Path, name: str, zone: str) -> Look:
    try:
        with pq.ParquetFile(file) as opened:
            columns = opened.schema_arrow.names
            if len(columns) > COLUMNS_MAX:
                raise Rejected(_TOO_MANY, limit=COLUMNS_MAX)
            first = next(opened.iter_batches(batch_size=SAMPLED), None)
            shown = [] if first is None else first.slice(0, SAMPLED).to_pylist()
            kinds = opened.schema_arrow.types
    except (pa.ArrowException, OSError) as error:
        raise Rejected(_NOT_READ, name=name, reason=str(error).splitlines()[0][:120]) from error
    rows = [["" if cell is None else str(cell) for cell in row.values()] for row in shown]
    layout = _guessed(columns, rows, Layout(format="parquet", zone=zone), name)
    if not layout.time:
        moments = [column for column, kind in zip(columns, kinds, strict=True) if pa.types.is_timestamp(kind)]
        layout.time = moments[0] if moments else ""
    return Look(layout, columns, rows)


def _guessed(columns: list[str], rows: list[list[str]], layout: Layout, name: str) -> Layout:
    if len(columns) > COLUMNS_MAX:
        raise Rejected(_TOO_MANY, limit=COLUMNS_MAX)
    if not columns:
        raise Rejected(_EMPTY, name=name)
    found = {
        meaning: next((column for column in columns if column.strip().lower() in words.split()), "")
        for meaning, words in _WORDS.items()
    }
    if not found["time"]:
        # No word that is known: the first column whose cells read as times.
        held = [[row[place] for row in rows if place < len(row) and row[place]] for place in range(len(columns))]
        read = [
            column for column, shown in zip(columns, held, strict=True) if shown and all(map(looks_like_time, shown))
        ]
        found["time"] = read[0] if read else ""
    if found["tag"] and found["value"]:
        return layout.model_copy(update={"form": "long", **found})
    return layout.model_copy(update={"form": "wide", "time": found["time"]})
