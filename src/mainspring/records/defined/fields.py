"""Fields of business records: columns of a table that also know what people call them and how they are filled in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, Self
from uuid import UUID

from django.db import models
from pydantic import BaseModel, Field, PlainSerializer

from mainspring.core.text import Text
from mainspring.records.draft import Description, Name, Unit
from mainspring.records.tenant import no_words

NOTES_MAX: Final = 10_000
LIST_MAX: Final = 200
DIGITS: Final = 18
DECIMALS: Final = 6
ANYTHING_MAX: Final = 80
_ID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SEEN: Final = r"^[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*$"
"""Signs that people see: without them two keys that look alike could be different."""
MOMENT_MAX_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""
_KEPT: Final = frozenset({str, int, bool, type(None), Decimal, date, UUID})
"""What columns keep as it is: most values, and to ask pydantic of each whether it is a form takes ten times as long."""


def number_of(value: Decimal) -> int | float | str:
    """Return a number as JSON's readers will find it: as text where a float of theirs would lose digits."""
    number = float(value)
    if Decimal(repr(number)) != value:
        return f"{value.normalize():f}"
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


@dataclass(frozen=True, slots=True)
class _AsNumber:
    """Describes a decimal as the number it is: what reads it takes its digits as text, too."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        described: dict[str, Any] = handler(schema)
        return next((each for each in described.get("anyOf", ()) if each.get("type") == "number"), described)


Exact = Annotated[
    Decimal,
    Field(max_digits=DIGITS, decimal_places=DECIMALS, allow_inf_nan=False),
    PlainSerializer(number_of, return_type=int | float | str, when_used="json"),
    _AsNumber(),
]
"""A number as people write it, `DECIMALS` places at most."""


class Grade(IntEnum):
    """How sensitive a field is; lists, exports and grants show fields up to a grade."""

    PUBLIC = 0
    INTERNAL = 1
    CONFIDENTIAL = 2
    SECRET = 3


class Choices(StrEnum):
    """Values of a field, each with its word: `OPEN = "open", "Open", "未结"`."""

    words: Text

    def __new__(cls, value: str, en: str, zh: str) -> Self:
        """Make a value with its word."""
        made = str.__new__(cls, value)
        made._value_ = value
        made.words = Text(en, zh)
        return made


@dataclass(frozen=True, slots=True)
class Told:
    """What forms, lists and exports know of a field beside its column."""

    words: Text
    control: str
    """How it is filled in: code, text, words, notes, exact, whole, yes, choice, day, moment, unit, link, any, rows,
    nested."""
    form: Any
    """The type that reads it, for pydantic."""
    need: bool = True
    given: bool = False
    """The platform works it out: people see it and never write it."""
    series: str = ""
    """Left empty, it is the next number of this series: `F` gives F-000001."""
    hint: Text | None = None
    grade: Grade = Grade.INTERNAL
    personal: bool = False
    """It tells of a person: it is hidden in the audit, exported and erased with the person."""
    unit: str = ""
    unit_in: str = ""
    """The field beside it that says what it is counted in: a unit, a currency."""
    holds: str = ""
    """What its text stands for: a `kind`, or `conditions` on records of the kind that another field names."""
    choices: type[Choices] | None = None
    row: type[BaseModel] | None = None


def code(words: Text, *, length: int = 64, need: bool = True, default: str = "", **more: Any) -> Any:
    """A short sign without blanks at its ends, by which people name the record."""
    need = need and not more.get("series")
    form = Annotated[str, Field(min_length=1 if need else 0, max_length=length, pattern=SEEN)]
    column = models.CharField(max_length=length, default=default, blank=not need)
    return _with(column, Told(words, "code", form, need and not default, **more))


def text(words: Text, *, length: int = 200, need: bool = False, **more: Any) -> Any:
    """One line in whatever language."""
    form = Annotated[str, Field(min_length=1 if need else 0, max_length=length, pattern=r"^[^\x00-\x1f\x7f]*$")]
    return _with(models.CharField(max_length=length, default="", blank=True), Told(words, "text", form, need, **more))


def notes(words: Text, **more: Any) -> Any:
    """Some lines in whatever language."""
    form = Annotated[str, Field(max_length=NOTES_MAX, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]*$")]
    return _with(models.TextField(default="", blank=True), Told(words, "notes", form, need=False, **more))


def words(title: Text, *, need: bool = True, **more: Any) -> Any:
    """A text in Chinese and English."""
    column: Any = models.JSONField(default=no_words)
    return _with(column, Told(title, "words", Name if need else Description, need, **more))


def exact(
    title: Text, *, need: bool = False, least: float | None = None, above: float | None = None,
    most: float | None = None, default: int | None = None, **more: Any,
) -> Any:  # fmt: skip
    """A number kept as it was written, 12 places before the point and 6 behind it."""
    form = Annotated[Exact, Field(ge=least, gt=above, le=most)]
    begins: dict[str, Any] = {} if default is None else {"default": Decimal(default)}
    column = models.DecimalField(max_digits=DIGITS, decimal_places=DECIMALS, null=not (need or begins), **begins)
    return _with(column, Told(title, "exact", form, need and not begins, **more))


def whole(
    title: Text, *, need: bool = False, least: int = 0, most: int = 2**53, default: int | None = None, **more: Any
) -> Any:
    """A whole number."""
    form = Annotated[int, Field(ge=least, le=most)]
    begins: dict[str, Any] = {} if default is None else {"default": default}
    column: Any = models.BigIntegerField(null=not (need or begins), **begins)
    return _with(column, Told(title, "whole", form, need and not begins, **more))


def yes(title: Text, *, default: bool = False, **more: Any) -> Any:
    """Yes or no."""
    return _with(models.BooleanField(default=default), Told(title, "yes", bool, need=False, **more))


def choice(
    choices: type[Choices], title: Text, *, need: bool = True, default: Choices | None = None, **more: Any
) -> Any:
    """One of some values; where it need not be, the empty text stands for none."""
    length = max(16, *(len(each) for each in choices))
    column: Any = models.CharField(max_length=length, default=str(default or ""))
    return _with(column, Told(title, "choice", choices, need and default is None, choices=choices, **more))


def day(title: Text, *, need: bool = False, **more: Any) -> Any:
    """A day of the calendar."""
    return _with(models.DateField(null=not need), Told(title, "day", date, need, **more))


def moment(title: Text, *, need: bool = False, default: Callable[[], int] | None = None, **more: Any) -> Any:
    """An instant, in milliseconds UTC."""
    form = Annotated[int, Field(ge=0, le=MOMENT_MAX_MS)]
    column: Any = models.BigIntegerField(default=default) if default else models.BigIntegerField(null=not need)
    return _with(column, Told(title, "moment", form, need and default is None, **more))


def unit(title: Text, *, default: str = "1", **more: Any) -> Any:
    """A unit of measure: UCUM, or one of those declared beside it."""
    return _with(models.CharField(max_length=32, default=default), Told(title, "unit", Unit, need=False, **more))


def link(target: Any, title: Text, *, need: bool = False, gone: Any = models.PROTECT, **more: Any) -> Any:
    """Another record of the same company; one that is linked to cannot be removed, unless `gone` says otherwise."""
    column: Any = models.ForeignKey(target, on_delete=gone, null=not need, related_name="+")
    return _with(column, Told(title, "link", UUID, need, **more))


def anything(title: Text, *, need: bool = False, **more: Any) -> Any:
    """Another record of the same company, of whatever kind, as `kind:id`; it cannot be removed either."""
    form = Annotated[str, Field(pattern=rf"^{'' if need else '$|^'}[a-z][a-z0-9-]{{0,31}}:{_ID}$")]
    column = models.CharField(max_length=ANYTHING_MAX, default="", blank=not need)
    return _with(column, Told(title, "any", form, need, **more))


def nested(form: type[BaseModel], title: Text, **more: Any) -> Any:
    """Fields in a form of their own within this record."""
    column: Any = models.JSONField(null=True, blank=True)
    return _with(column, Told(title, "nested", form, need=False, row=form, **more))


def rows(row: type[BaseModel], title: Text, *, most: int = LIST_MAX, **more: Any) -> Any:
    """Some rows that belong to this record alone and are never linked to."""
    form = Annotated[list[row], Field(max_length=most)]  # type: ignore[valid-type]
    return _with(models.JSONField(default=list, blank=True), Told(title, "rows", form, need=False, row=row, **more))


def cell(words: Text, *, control: str = "", **more: Any) -> Any:
    """A field of a row or of a nested form, with what people call it; `control` where its type does not tell."""
    extra: dict[str, Any] = {"x-words": words.document()} | ({"x-control": control} if control else {})
    return Field(json_schema_extra=extra, title=words.en, **more)


def shown(value: Any) -> Any:
    """Return a column's value as it travels in JSON."""
    if isinstance(value, Decimal):
        return number_of(value)
    return value.isoformat() if isinstance(value, date) else value


def kept(value: Any) -> Any:
    """Return what a form has read as the column keeps it."""
    if type(value) in _KEPT:
        return value
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [each.model_dump(mode="json") if isinstance(each, BaseModel) else each for each in value]
    return str(value) if isinstance(value, StrEnum) else value


def _with(column: Any, told: Told) -> Any:
    column.told = told
    return column
