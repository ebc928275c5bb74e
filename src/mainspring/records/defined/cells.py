"""The fields of a kind as columns of files: what each is called, how a cell is read and how a value is written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from mainspring.core.text import Text
from mainspring.core.units import code_of, near_units, spelling
from mainspring.records.defined.fields import Choices, Told
from mainspring.records.defined.keys import leaves
from mainspring.records.defined.kinds import Defined, columns, told, words_of
from mainspring.records.faults import Invalid
from mainspring.records.importing.imported import Field
from mainspring.records.importing.tag_columns import NO, YES, YES_OR_NO, meant_number, nearest

Cell = str | int | float | Decimal
LANGUAGES: Final = {"en": Text("{title} in English", "英文{title}"), "zh": Text("{title} in Chinese", "中文{title}")}
SHOWN: Final = {
    "id": Text("Id", "标识"), "state": Text("State", "状态"), "version": Text("Record version", "记录版本"),
    "changed_ms": Text("Changed", "修改时间"),
}  # fmt: skip
"""What exports tell beside the fields; imports leave it alone."""
_DAY: Final = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]0{1,2}:00(?::00)?)?")
_EXAMPLES: Final[dict[str, str]] = {
    "whole": "5", "exact": "1.25", "day": "2026-11-21", "moment": "2026-11-21 13:00", "unit": "kg",
}  # fmt: skip
_TAKES: Final[dict[str, Text]] = {
    "code": Text("a short sign", "短代码"),
    "text": Text("one line of text", "单行文本"),
    "words": Text("text in this language", "该语言的文本"),
    "notes": Text("any text", "任意文本"),
    "exact": Text("a number, 6 decimals at most", "数字，最多 6 位小数"),
    "whole": Text("a whole number", "整数"),
    "yes": Text("yes, no", "是、否"),
    "day": Text("a day, as 2026-11-21", "日期，如 2026-11-21"),
    "moment": Text("a time, as 2026-11-21 13:00, by the plant's clock", "时间，如 2026-11-21 13:00，按工厂时钟"),
    "unit": Text("a unit, as kg or m3", "单位，如 kg、m3"),
    "rows": Text("rows as JSON: [{...}, {...}]", "JSON 行：[{...}, {...}]"),
    "nested": Text("fields as JSON: {...}", "JSON 字段：{...}"),
    "any": Text("another record, as kind:id", "其他记录，如 kind:id"),
}  # fmt: skip
_LINK: Final = Text("{kind}: {key}", "{kind}：{key}")
_NO_CHOICE: Final = Text("Must be one of {words}.", "必须是{words}之一。")
_NO_DAY: Final = Text("Enter a day, as 2026-11-21.", "请填写日期，如 2026-11-21。")
_NO_MOMENT: Final = Text("Enter a time, as 2026-11-21 13:00.", "请填写时间，如 2026-11-21 13:00。")
_NO_UNIT: Final = Text("{found} is not a known unit. Nearest: {nearest}.", "单位 {found} 未知，最接近的是 {nearest}。")
_NO_JSON: Final = Text("This is not JSON.", "这不是 JSON。")
_YES_WORDS: Final = {"en": ("no", "yes"), "zh": ("否", "是")}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file: a field, or one language of it."""

    name: str
    """The field of the kind."""
    told: Told
    field: Field
    language: str = ""
    target: Any = None
    """What a link leads to."""

    def of(self, record: Defined) -> Any:
        """Return what a record holds; of a link the id."""
        return getattr(record, f"{self.name}_id" if self.target is not None else self.name)

    def read(self, cell: str, zone: ZoneInfo) -> Any:
        """Return what a cell says, for the form of the kind; a link stays its key. Raises Invalid."""
        reader = _READERS.get(self.told.control)
        found = reader(self, cell, zone) if reader is not None else cell
        if isinstance(found, Text):
            raise Invalid({self.field.key: found})
        return found

    def write(self, value: Any, language: str, zone: ZoneInfo, names: Mapping[UUID, str]) -> Cell:
        """Return a value of the record as a cell; `names` are those of what it links to."""
        if value is None:
            return ""
        if self.language:
            return str(value.get(self.language, ""))
        match self.told.control:
            case "choice":
                words = {str(choice): choice.words for choice in self.told.choices or ()}
                return str(getattr(words[value], language)) if value in words else str(value)
            case "yes":
                return _YES_WORDS[language][bool(value)]
            case "moment":
                return moment_text(value, zone)
            case "unit":
                return spelling(value) if value else ""
            case "exact":
                return _shortest(value)
            case "whole":
                return int(value)
            case "rows" | "nested":
                return json.dumps(value, ensure_ascii=False) if value else ""
            case "link":
                return names.get(value, str(value))
        return str(value)


def columns_of(kind: type[Defined], hidden: Collection[str] = ()) -> dict[str, Column]:
    """Return the columns of a kind's files by key, without fields that are not shown."""
    found: dict[str, Column] = {}
    for name, column in columns(kind).items():
        about = told(kind, name)
        if name in hidden:
            continue
        if about.control == "words":
            for language, form in LANGUAGES.items():
                key, plain = f"{name}.{language}", getattr(about.words, language)
                found[key] = Column(name, about, Field(key, form.format(title=about.words), (plain,)), language)
            continue
        # What is empty and numbers itself is not asked for.
        need = about.need and not about.given and not about.series
        field = Field(name, about.words, (), need, _choices(about), _EXAMPLES.get(about.control, ""))
        found[name] = Column(name, about, field, target=column.related_model if column.is_relation else None)
    return found


def written_columns(kind: type[Defined], hidden: Collection[str] = ()) -> dict[str, Column]:
    """Return the columns that an import can fill."""
    return {key: column for key, column in columns_of(kind, hidden).items() if not column.told.given}


def taken(column: Column) -> Text:
    """Say what a column takes."""
    about = column.told
    if about.choices is not None:
        says = Text.listed(choice.words for choice in about.choices)
    elif column.target is not None:
        key = "/".join(leaf.rsplit("__", 1)[-1] for leaf in leaves(column.target))
        says = _LINK.format(kind=words_of(column.target), key=key)
    else:
        says = _TAKES[about.control]
    return says if about.hint is None else Text(f"{says.en}. {about.hint.en}", f"{says.zh}。{about.hint.zh}")


def suggested(column: Column, cell: str) -> str:
    """Return what was probably meant by a cell, empty if nothing is near."""
    if column.field.choices:
        return nearest(cell, column.field.choices)
    if column.told.control == "unit":
        return next((spelling(code) for code in near_units(cell)), "")
    return meant_number(cell) if column.told.control in {"exact", "whole"} else ""


def _choices(about: Told) -> tuple[str, ...]:
    return tuple(word for choice in about.choices or () for word in _spelled(choice))


def _spelled(choice: Choices) -> tuple[str, str, str]:
    return str(choice), choice.words.en, choice.words.zh


@cache
def _meant(choices: type[Choices]) -> dict[str, str]:
    """Return the choice that each word means, in lower case; of two with one word the first."""
    return {word.casefold(): str(choice) for choice in reversed(choices) for word in _spelled(choice)}


# What reads a cell returns what it says, or what is wrong with it.
def _choice(column: Column, cell: str, _zone: ZoneInfo) -> str | Text:
    choices = column.told.choices
    assert choices is not None
    return _meant(choices).get(cell.casefold()) or _NO_CHOICE.format(words=Text.listed(each.words for each in choices))


def _yes(_column: Column, cell: str, _zone: ZoneInfo) -> bool | Text:
    word = cell.casefold()
    return word in YES if word in YES | NO else YES_OR_NO


def _day(_column: Column, cell: str, _zone: ZoneInfo) -> date | Text:
    found = _DAY.fullmatch(cell)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found is not None else _NO_DAY
    except ValueError:
        return _NO_DAY


def _moment(_column: Column, cell: str, zone: ZoneInfo) -> int | Text:
    if cell.isdecimal() and len(cell) > 8:
        return int(cell)
    try:
        found = datetime.fromisoformat(cell.replace("/", "-"))
    except ValueError:
        return _NO_MOMENT
    # To the millisecond: what divides by 1000 as a float loses it.
    moment = found if found.tzinfo else found.replace(tzinfo=zone)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _unit(_column: Column, cell: str, _zone: ZoneInfo) -> str | Text:
    code = code_of(cell)
    if code is None:
        nearest_units = ", ".join(spelling(each) for each in near_units(cell)) or "kg, m, {count}"
        return _NO_UNIT.format(found=cell, nearest=nearest_units)
    return code


def _json(_column: Column, cell: str, _zone: ZoneInfo) -> Any:
    try:
        return json.loads(cell)
    except ValueError:
        return _NO_JSON


_READERS: Final[dict[str, Callable[[Column, str, ZoneInfo], Any]]] = {
    "choice": _choice, "yes": _yes, "day": _day, "moment": _moment, "unit": _unit, "rows": _json, "nested": _json,
}  # fmt: skip


def moment_text(value: int, zone: ZoneInfo) -> str:
    """Return an instant as the plant's clock shows it, with its offset: no reader takes it for another."""
    seconds, ms = divmod(value, 1000)
    at = datetime.fromtimestamp(seconds, zone).replace(microsecond=ms * 1000)
    return at.isoformat(" ", "milliseconds")


def _shortest(value: Decimal) -> Decimal:
    """Return the number as people write it: 1.5 and 20, neither 1.500000 nor 2E+1."""
    number = Decimal(value).normalize()
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number
