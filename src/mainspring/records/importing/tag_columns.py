"""From the columns of a sheet to the fields of tags: guessed by their names, read into rows an import takes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

from mainspring.core.drivers import registered
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.records.faults import Invalid
from mainspring.records.importing.imported import Field
from mainspring.records.plant.driver_forms import driver

ADDRESS: Final = "address."
LIMIT: Final = "limits."
PLACES: Final = ("area", "line", "device")
_NEAR: Final = 0.82
YES: Final = frozenset({"true", "yes", "y", "1", "on", "x", "是", "真", "启用"})
NO: Final = frozenset({"false", "no", "n", "0", "off", "否", "假", "停用"})
_TEXTS: Final = frozenset({"name", "asset", "connection", "unit", "description", "description_zh", *PLACES})
_YES_NO: Final = frozenset({"writable", "enabled"})
KIND_WORDS: Final = {
    SampleKind.FLOAT: Text("number", "数字"),
    SampleKind.INTEGER: Text("whole number", "整数"),
    SampleKind.BOOLEAN: Text("yes or no", "布尔"),
    SampleKind.ENUMERATION: Text("enumeration", "枚举"),
    SampleKind.TEXT: Text("text", "文本"),
    SampleKind.BLOB: Text("file", "文件"),
    SampleKind.ARRAY: Text("array", "数组"),
}
"""What kinds are called in sheets; their own names are taken, too."""
_KINDS: Final = {
    "float": "float64", "double": "float64", "real": "float64", "number": "float64", "浮点": "float64",
    "int": "int64", "integer": "int64", "整数": "int64", "bool": "boolean", "bit": "boolean", "布尔": "boolean",
    "enum": "enumeration", "枚举": "enumeration", "string": "text", "文本": "text", "浮点数": "float64",
} | {name: str(kind) for kind, word in KIND_WORDS.items() for name in (str(kind), word.en, word.zh)}  # fmt: skip
_RULE: Final = re.compile(r"\{([^{}]*)\}")

_NO_SUCH: Final = Text("The name rule names {found}, which is no column here.", "命名规则中的 {found} 不是现有的列。")
_RULE_ENDS: Final = Text("The last part of the name rule must hold {{name}}.", "命名规则的最后一段必须包含 {{name}}。")
_EMPTY_PART: Final = Text("The name rule needs a value here.", "命名规则要求此处有值。")
YES_OR_NO: Final = Text("Enter yes or no.", "请填写是或否。")
_NO_KIND: Final = Text(
    f"Must be one of {', '.join(word.en for word in KIND_WORDS.values())}.",
    f"必须是{'、'.join(word.zh for word in KIND_WORDS.values())}之一。",
)


FIELDS: Final = (
    Field(
        "name", Text("Tag name", "位号"), ("tag", "tag name", "point", "point name", "测点", "测点名称", "名称"), True
    ),
    Field("asset", Text("Asset path", "资产路径"), ("asset", "path", "资产", "路径", "equipment")),
    Field("area", Text("Area", "区域"), ("workshop", "车间")),
    Field("line", Text("Line", "产线"), ("production line",)),
    Field("device", Text("Device", "设备"), ("machine", "unit name", "装置", "equipment name", "设备名称")),
    Field("connection", Text("Connection", "连接"), ("plc", "connection name", "连接名称")),
    Field("description", Text("Description", "描述"), ("desc", "comment", "说明", "备注", "description en")),
    Field("description_zh", Text("Description (Chinese)", "中文描述"), ("描述 中文", "chinese")),
    Field("kind", Text("Kind", "类型"), ("sample kind", "value kind", "数据类型")),
    Field("unit", Text("Unit", "单位"), ("uom", "engineering unit", "eu", "units", "工程单位")),
    Field("low", Text("Range low", "量程下限"), ("low", "min", "range min", "eu low", "下限")),
    Field("high", Text("Range high", "量程上限"), ("high", "max", "range max", "eu high", "上限")),
    Field("decimals", Text("Decimals", "小数位"), ("precision", "digits", "小数位数")),
    Field("scan_ms", Text("Scan class", "扫描周期"), ("scan", "scan rate", "interval", "period", "周期")),
    Field("gain", Text("Gain", "增益"), ("scale", "factor", "multiplier", "slope", "系数", "比例")),
    Field("offset", Text("Offset", "偏移"), ("zero", "intercept", "偏置")),
    Field("dead_band", Text("Dead-band", "死区"), ("deadband", "dead band")),
    Field("silence_max_ms", Text("Report at least every", "最长静默"), ("silence",)),
    Field("writable", Text("Writable", "可写"), ("write",)),
    Field("enabled", Text("Enabled", "启用"), ("active",)),
    Field("limits.LL", Text("Limit LL", "限值 LL"), ("ll", "lolo", "low low", "低低", "低低限")),
    Field("limits.L", Text("Limit L", "限值 L"), ("l", "lo", "low alarm", "低报", "低限")),
    Field("limits.H", Text("Limit H", "限值 H"), ("h", "hi", "high alarm", "高报", "高限")),
    Field("limits.HH", Text("Limit HH", "限值 HH"), ("hh", "hihi", "high high", "高高", "高高限")),
)


@cache
def address_fields() -> dict[str, Field]:
    """Return the fields of all drivers' addresses by key."""
    found: dict[str, Field] = {}
    for name in sorted(registered()):
        try:
            properties = driver(name).Address.model_json_schema().get("properties", {})
        except Invalid:
            continue
        for key, schema in properties.items():
            english = schema.get("title", key)
            chinese = schema.get("title_zh", english)
            also = (key, english.split(",")[0], chinese.split("，")[0])
            choices, example = tuple(schema.get("enum", ())), schema.get("default")
            new = Field(
                f"{ADDRESS}{key}", Text(english, chinese), also, choices=choices,
                example="" if example is None else str(example),
            )  # fmt: skip
            known = found.setdefault(new.key, new)
            found[new.key] = replace(known, choices=tuple(dict.fromkeys((*known.choices, *new.choices))))
    return found


def fields() -> dict[str, Field]:
    """Return every field a column can fill, by key."""
    return {each.key: each for each in FIELDS} | address_fields()


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column probably is; `sure` when it is named as the field is."""

    field: str | None
    sure: bool


def guess(head: list[str], known: Mapping[str, Field] | None = None) -> list[Guess]:
    """Guess the field of each column by its name, among those of tags or `known` ones; no field is taken twice."""
    names: dict[str, str] = {}
    titles: dict[str, str] = {}
    for key, each in (fields() if known is None else known).items():
        for name in (key, each.title.en, each.title.zh):
            titles.setdefault(name.casefold(), key)
        for name in (key, key.removeprefix(ADDRESS), each.title.en, each.title.zh, *each.also):
            names.setdefault(_plain(name), key)
    # Columns of a sheet of ours are named in full: what only resembles another's name must not take its place.
    full = {column: titles[title.strip().casefold()] for column, title in enumerate(head) if title.strip().casefold()
            in titles}  # fmt: skip
    own = {key: column for column, key in reversed(full.items())}
    taken: set[str] = set(own)
    guesses: list[Guess] = []
    for column, title in enumerate(head):
        if own.get(full.get(column, "")) == column:
            guesses.append(Guess(full[column], True))
            continue
        plain = _plain(title)
        found = names.get(plain)
        sure = found is not None
        if found is None and plain:
            near = difflib.get_close_matches(plain, names, 1, _NEAR)
            found = names[near[0]] if near else None
        if found in taken:
            found = None
        if found is not None:
            taken.add(found)
        guesses.append(Guess(found, sure and found is not None))
    return guesses


def _plain(title: str) -> str:
    # A remark in brackets, as the unit of "Scan (ms)", is no part of the name.
    without = re.sub(r"[(（\[][^)）\]]*[)）\]]", " ", title)
    return re.sub(r"[\s_.,:：-]+", " ", without).strip().casefold()


@dataclass(slots=True)
class Layout:
    """How rows of cells become rows of an import."""

    mapping: dict[int, str]
    """Column -> field."""
    rule: str = ""
    """Where tags go and how they are called: `{line}/{device}/{name}` below the base; empty: as the columns say."""
    base: str = ""
    """Path of the asset everything lies below, or that takes rows that name none."""
    connection: str = ""
    create_assets: bool = False
    columns: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.columns = {key: column for column, key in self.mapping.items()}
        parts = self.rule.split("/")
        if self.rule and "{name}" not in parts[-1]:
            raise Invalid({"rule": _RULE_ENDS.format()})
        for found in _RULE.findall(self.rule):
            if found not in self.columns:
                raise Invalid({"rule": _NO_SUCH.format(found=f"{{{found}}}")})

    def row(self, cells: list[str]) -> dict[str, Any]:
        """Return a row as an import takes it; raises Invalid for a cell that cannot be read."""
        found = {key: cells[column] for column, key in self.mapping.items() if column < len(cells) and cells[column]}
        row: dict[str, Any] = {}
        address: dict[str, Any] = {}
        limits: dict[str, Any] = {}
        for key, cell in found.items():
            if key.startswith(ADDRESS):
                address[key.removeprefix(ADDRESS)] = _address_cell(cell)
            elif key.startswith(LIMIT):
                limits[key.removeprefix(LIMIT)] = cell
            elif key not in PLACES and key not in {"description", "description_zh"}:
                row[key] = _value(key, cell)
        self._place(row, found)
        if self.connection:
            row.setdefault("connection", self.connection)
        if address and "connection" in row:
            row["address"] = address
            row.setdefault("kind", _kind_of(address))
        if "description" in found or "description_zh" in found:
            english = found.get("description", "")
            row["description"] = {"en": english, "zh": found.get("description_zh", english)}
        if limits:
            row["limits"] = limits
        if self.create_assets:
            row["create_assets"] = True
        return row

    def _place(self, row: dict[str, Any], found: Mapping[str, str]) -> None:
        if self.rule:
            *folders, name = [self._filled(part, found) for part in self.rule.split("/")]
            row["name"] = name
            row["asset"] = "/".join(part for part in (self.base, *folders) if part)
        elif "asset" not in row and self.base:
            row["asset"] = self.base

    @staticmethod
    def _filled(part: str, found: Mapping[str, str]) -> str:
        for key in _RULE.findall(part):
            if not found.get(key):
                raise Invalid({key: _EMPTY_PART})
        return _RULE.sub(lambda match: found[match[1]], part)


def _kind_of(address: Mapping[str, Any]) -> str:
    """Return the kind of value a place in a device holds, where no column says it."""
    if address.get("type") == "string":
        return str(SampleKind.TEXT)
    bit = address.get("type") == "bit" or address.get("table") in {"coil", "discrete"} or "bit" in address
    return str(SampleKind.BOOLEAN if bit else SampleKind.FLOAT)


def _value(key: str, cell: str) -> Any:
    if key in _TEXTS:
        return cell
    if key in _YES_NO:
        word = cell.casefold()
        if word not in YES | NO:
            raise Invalid({key: YES_OR_NO})
        return word in YES
    if key == "kind":
        kind = _KINDS.get(cell.casefold())
        if kind is None:
            raise Invalid({key: _NO_KIND})
        return kind
    return cell


def _address_cell(cell: str) -> Any:
    """Return yes and no as such; numbers are left to the driver's form, which reads them from text."""
    word = cell.casefold()
    return word == "true" if word in {"true", "false"} else cell


def suggestion(key: str, cell: str) -> str:
    """Return what was probably meant by a cell: a word that is nearest, or a number."""
    if key == "kind":
        near = difflib.get_close_matches(cell.casefold(), _KINDS, 1)
        return _word_of(_KINDS[near[0]], cell) if near else ""
    choices = fields()[key].choices if key in fields() else ()
    if choices:
        return nearest(cell, choices)
    return "" if key in _TEXTS else meant_number(cell)


def nearest(cell: str, choices: Iterable[str]) -> str:
    """Return the word that is nearest to a cell, empty if none is near."""
    words = {word.casefold(): word for word in choices}
    near = difflib.get_close_matches(cell.casefold(), words, 1)
    return words[near[0]] if near else ""


def meant_number(cell: str) -> str:
    """Return the number meant by a cell that is none as it stands, as 1000.5 by `1 000,5`."""
    number = cell.replace(" ", "").replace("\u00a0", "")
    number = number.replace(".", "").replace(",", ".") if re.search(r",\d{1,6}$", number) else number.replace(",", "")
    number = re.sub(r"[^\d.eE+-]+$", "", number)
    if number == cell:
        return ""
    try:
        float(number)
    except ValueError:
        return ""
    return number


def _word_of(kind: str, beside: str) -> str:
    """Return what a kind is called, in the language of what stands there."""
    word = KIND_WORDS[SampleKind(kind)]
    return word.zh if re.search("[\u3400-\u9fff]", beside) else word.en
