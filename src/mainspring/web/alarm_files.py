"""Transitions of alarms as files: CSV, XLSX and Parquet; each says what it is, no cell is taken for a formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pyarrow as pa

from mainspring.core.alarms import Transition
from mainspring.core.definitions import Condition, Priority
from mainspring.records.importing.formulas import neutral
from mainspring.records.importing.sheets import xlsx_file
from mainspring.web.exports import clock_of

Language = Literal["en", "zh"]
Row = dict[str, Any]

_HEADINGS: Final = {
    "en": ("time", "alarm", "path", "condition", "priority", "transition", "value", "limit", "unit", "by", "comment"),
    "zh": ("时间", "报警", "路径", "条件", "优先级", "变化", "值", "限值", "单位", "操作人", "备注"),
}
_ABOUT: Final = {"en": ("times in", "filters", "none"), "zh": ("时间为", "筛选", "无")}
_FILTERS: Final = {
    "en": {name: name for name in ("tag", "alarm", "asset", "priority", "transition", "person", "search")},
    "zh": {
        "tag": "测点", "alarm": "报警", "asset": "资产", "priority": "优先级", "transition": "变化",
        "person": "操作人", "search": "搜索",
    },
}  # fmt: skip
_NUMBERS: Final = frozenset({"value", "limit"})
_WORDS: Final[dict[str, str]] = {
    Transition.RAISED: "触发", Transition.CLEARED: "恢复", Transition.ACKNOWLEDGED: "确认", Transition.REMOVED: "移除",
    Transition.SHELVED: "搁置", Transition.UNSHELVED: "取消搁置", Transition.TAKEN_OUT: "停用",
    Transition.RETURNED: "恢复使用", Transition.COMMENTED: "备注",
    Transition.SUPPRESSED: "抑制", Transition.UNSUPPRESSED: "解除抑制", Priority.CRITICAL: "紧急", Priority.HIGH: "高",
    Priority.MEDIUM: "中", Priority.LOW: "低", Priority.DIAGNOSTIC: "诊断", Condition.HH: "高高", Condition.H: "高",
    Condition.L: "低", Condition.LL: "低低", Condition.STALE: "过期", Condition.RATE: "变化率", Condition.STATE: "状态",
    Condition.CHANGE: "状态变化", Condition.EXPRESSION: "表达式",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of itself: plant, zone, both ends of its range, and the filters by their names."""

    plant: str
    zone: str
    start_ms: int
    end_ms: int
    filters: Mapping[str, str]
    language: Language

    def told(self) -> str:
        """Return it as one line."""
        clock = clock_of(self.zone)
        zone, filters, none = _ABOUT[self.language]
        sifted = "; ".join(f"{_FILTERS[self.language][name]} = {value}" for name, value in self.filters.items())
        span = f"{clock(self.start_ms)} - {clock(self.end_ms)}"
        return f"# {self.plant}; {span}; {zone} {self.zone}; {filters}: {sifted or none}"


def _cells(row: Row, language: Language, clock: Callable[[int], str]) -> list[Any]:
    """Return the cells of one transition, in the order of the headings."""
    name = row["name"].get(language) or row["name"]["en"]
    words = [row["condition"], row["priority"], row["transition"]]
    if language == "zh":
        words = [_WORDS.get(word, word) for word in words]
    figures = [_value(row, language), row["limit"], row["unit"]]
    return [clock(row["time_ms"]), name, row["path"], *words, *figures, row["by"], row["comment"]]


def _value(row: Row, language: Language) -> Any:
    """Return a value, or the word that stands for it."""
    value = row["value"]
    if value is None or not float(value).is_integer():
        return value
    said = (row.get("words") or {}).get(str(int(value)))
    return value if said is None else said.get(language) or said["en"]


def _csv(rows: Sequence[Row], about: About) -> bytes:
    text, clock = io.StringIO(), clock_of(about.zone)
    out = csv.writer(text, lineterminator="\r\n")
    out.writerow([about.told()])
    out.writerow(_HEADINGS[about.language])
    for row in rows:
        out.writerow([neutral(cell) for cell in _cells(row, about.language, clock)])
    # The mark lets spreadsheets read the Chinese words.
    return ("\ufeff" + text.getvalue()).encode()


def _xlsx(rows: Sequence[Row], about: About) -> bytes:
    clock = clock_of(about.zone)
    cells = ([_told(neutral(cell)) for cell in _cells(row, about.language, clock)] for row in rows)
    return xlsx_file([[about.told()], _HEADINGS[about.language], *cells])


def _told(cell: Any) -> str:
    return "" if cell is None else repr(cell) if isinstance(cell, float) else str(cell)


def _parquet(rows: Sequence[Row], about: About) -> bytes:
    import pyarrow.parquet

    columns: dict[str, Any] = {
        "time": pa.array([row["time_ms"] for row in rows], pa.timestamp("ms", tz="UTC")),
        "raised": pa.array([row["raised_ms"] for row in rows], pa.timestamp("ms", tz="UTC")),
        "alarm": pa.array([row["name"].get(about.language) or row["name"]["en"] for row in rows], pa.string()),
    }
    for name in _HEADINGS["en"][2:]:
        kind = pa.float64() if name in _NUMBERS else pa.string()
        columns[name] = pa.array([row[name] for row in rows], kind)
    told = {
        "plant": about.plant, "zone": about.zone, "start_ms": str(about.start_ms), "end_ms": str(about.end_ms),
        "filters": json.dumps(dict(about.filters), ensure_ascii=False),
    }  # fmt: skip
    table = pa.table(columns).replace_schema_metadata(told)
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


FILES: Final[dict[str, tuple[str, Callable[[Sequence[Row], About], bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", _csv),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _xlsx),
    "parquet": ("application/vnd.apache.parquet", _parquet),
}
"""Content type and writer of each format."""
