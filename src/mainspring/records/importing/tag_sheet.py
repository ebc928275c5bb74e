"""Sheets of tags: what an import must know of them, the empty one people fill, and beside it an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.core.units import SIGNS, spelling
from mainspring.records.defined.access import Access
from mainspring.records.faults import Invalid
from mainspring.records.importing.imported import Field, Imported, Planned, mapping_of
from mainspring.records.importing.tag_columns import (
    ADDRESS,
    FIELDS,
    KIND_WORDS,
    Layout,
    address_fields,
    fields,
    suggestion,
)
from mainspring.records.importing.tag_import import Importer, undo
from mainspring.records.plant.driver_forms import driver
from mainspring.records.rights import Right

NOTES: Final = Text("Example", "示例")
"""The name of the second sheet, which an import does not read."""
_NO_NAME: Final = Text("Say which column holds the tag name.", "请指定哪一列是位号。")
_ABOUT: Final = Text(
    "An example. An import reads the sheet “tags” alone; nothing here is imported.",
    "示例。导入时只读取工作表“tags”，此表的内容不会被导入。",
)
_TAKES: Final = Text("What each column takes", "各列可填内容")
_NUMBER: Final = Text("a number", "数字")
_YES_NO: Final = Text("yes, no", "是、否")
_PLACE: Final = Text(
    "a level of the name rule {area}/{line}/{device}/{name}", "命名规则 {area}/{line}/{device}/{name} 中的一级"
)
_EXAMPLES: Final[dict[str, Text | str]] = {
    "name": "TI-101",
    "asset": "plant/synthesis/reactor",
    "description": "Reactor temperature",
    "description_zh": "反应器温度",
    "kind": KIND_WORDS[SampleKind.FLOAT],
    "unit": "°C",
    "low": "0",
    "high": "120",
    "decimals": "1",
    "scan_ms": "1000",
    "gain": "1",
    "offset": "0",
    "dead_band": "0.1",
    "silence_max_ms": "60000",
    "writable": Text("no", "否"),
    "enabled": Text("yes", "是"),
    "limits.H": "90",
    "limits.HH": "100",
}
_TAKEN: Final[dict[str, Text]] = {
    "name": Text("needed; it may hold no slash", "必填，不可含斜杠"),
    "asset": Text("the path of an asset; empty: the name rule says where", "资产路径；留空则由命名规则决定"),
    "area": _PLACE,
    "line": _PLACE,
    "device": _PLACE,
    "connection": Text("the name of a connection", "连接名称"),
    "description": Text("any text", "任意文本"),
    "description_zh": Text("any text", "任意文本"),
    "kind": Text.listed(KIND_WORDS.values()),
    "unit": Text(*(2 * [", ".join(dict.fromkeys(spelling(code) for code in SIGNS))])),
    "decimals": Text("0 to 9", "0 至 9"),
    "scan_ms": Text("milliseconds between two reads", "两次读取的间隔，毫秒"),
    "silence_max_ms": Text(
        "milliseconds after which a value is reported though it did not change", "值未变时的最长上报间隔，毫秒"
    ),
    "writable": _YES_NO,
    "enabled": _YES_NO,
}


def columns(driver_name: str) -> list[Field]:
    """Return the columns of a sheet, those of one driver's addresses if it is named."""
    known = address_fields()
    if driver_name:
        wanted = driver(driver_name).Address.model_fields
        known = {key: each for key, each in known.items() if key.removeprefix(ADDRESS) in wanted}
    return [*FIELDS[:1], *known.values(), *FIELDS[1:]]


def head(driver_name: str, language: str) -> list[str]:
    """Return the titles of the columns."""
    return [getattr(each.title, language) for each in columns(driver_name)]


def notes(driver_name: str, language: str) -> list[list[str]]:
    """Return the rows of the sheet beside: an example under the same titles, then each column with what it takes."""
    listed = columns(driver_name)
    taken = [[getattr(each.title, language), getattr(_taken(each), language)] for each in listed]
    example = [_example(each, language) for each in listed]
    return [
        [getattr(_ABOUT, language)], head(driver_name, language), example, [], [getattr(_TAKES, language)], *taken
    ]  # fmt: skip


def _example(each: Field, language: str) -> str:
    given = _EXAMPLES.get(each.key, each.example)
    return getattr(given, language) if isinstance(given, Text) else given


def _taken(each: Field) -> Text:
    if each.key in _TAKEN:
        return _TAKEN[each.key]
    if each.choices:
        words = ", ".join(each.choices)
        return Text(words, words)
    return Text("", "") if each.key.startswith(ADDRESS) else _NUMBER


class Tags(Imported):
    """Tags, as sheets fill them."""

    def require(self, access: Access) -> None:
        """Let everyone import who came as far: endpoints ask for the right to configure."""
        assert Right.CONFIGURE in access.rights

    def fields(self, access: Access) -> Mapping[str, Field]:
        """Return every field a column can fill, by key."""
        return fields()

    def layout(self, options: dict[str, Any], access: Access) -> Layout:
        """Read a layout; the name must come from somewhere."""
        more = {name: found for name, found in options.items() if name != "mapping"}
        layout = Layout(mapping_of(options), **more)
        if "name" not in layout.columns:
            raise Invalid({"mapping": _NO_NAME})
        return layout

    def taker(self, access: Access, layout: Any, *, dry_run: bool, before_commit: Planned) -> Importer:
        """Return what takes the rows of one import."""
        return Importer(access.author, dry_run=dry_run, before_commit=before_commit)

    def undo(
        self, access: Access, made: Sequence[str], before: Sequence[tuple[dict[str, Any], int]]
    ) -> tuple[int, int]:
        """Take a piece back where nobody changed its tags since."""
        return undo(access.author, made, before)

    def suggestion(self, key: str, cell: str) -> str:
        """Return what was probably meant by a cell."""
        return suggestion(key, cell)

    def template(self, access: Access, language: str, only: str = "") -> tuple[list[str], tuple[str, list[list[str]]]]:
        """Return the heads, for addresses of one driver if it is named, and the example beside."""
        return head(only, language), (getattr(NOTES, language), notes(only, language))
