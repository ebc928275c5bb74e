"""From what MTConnect says to columns of samples: times, numbers, enumerations and states of conditions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import numpy as np

from mainspring.core import quality as q
from mainspring.core.arrays import array_sample
from mainspring.core.drivers import DriverTag
from mainspring.core.errors import StoreError
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import SampleBatch, build
from mainspring.core.text import Text
from mainspring.drivers.mtconnect_words import LEVELS, UNAVAILABLE

TEXT_MAX: Final = 4096
"""Longest text of a sample; a longer one is cut."""
CONDITIONS_MAX: Final = 100
"""Most conditions of one data item that are active at once; further ones are not told apart."""
Keep = Callable[[bytes, str], str]
"""Keeps an array that is too long for a sample and returns its reference, as a host does."""
_EMPTY: Final[dict[Column, Any]] = {Column.FLOAT64: math.nan, Column.INT64: 0, Column.TEXT: ""}
_TYPES: Final[dict[Column, Any]] = {Column.FLOAT64: np.float64, Column.INT64: np.int64, Column.TEXT: object}
_RANKS: Final = {level: rank for rank, level in enumerate(LEVELS)}
_TRUE: Final = frozenset(("TRUE", "ON", "YES", "1", "ACTIVE", "AVAILABLE", "OPEN", "WARNING", "FAULT", "TRIGGERED"))
_FALSE: Final = frozenset(("FALSE", "OFF", "NO", "0", "INACTIVE", "CLOSED", "NORMAL", "ARMED"))

_NUMBER: Final = Text(
    "The machine says {found!r}, which is no number. Make the tag a text or an enumeration.",
    "设备给出的 {found!r} 不是数值。请将测点改为文本或枚举。",
)
_NUMBERS: Final = Text(
    "The machine says {found!r}, which are not all numbers. Make the tag a text.",
    "设备给出的 {found!r} 不全是数值。请将测点改为文本。",
)
_LIST: Final = Text(
    "The machine says several numbers at once ({found!r}). Give the index of one of them.",
    "设备一次给出多个数值（{found!r}）。请填写其中一个的下标。",
)
_INDEX: Final = Text(
    "The machine says {count} numbers, none at index {index}. Correct the index.",
    "设备给出 {count} 个数值，没有下标 {index}。请更正下标。",
)
_WORD: Final = Text(
    "The machine says {found!r}, which is not among the tag's values. Add it to the values of the address.",
    "设备给出的 {found!r} 不在测点的取值列表中。请将其加入地址的取值列表。",
)
_KIND: Final = Text(
    "Tags of this kind cannot hold what the machine says. Make it a number, a text or an enumeration.",
    "该类型的测点无法保存设备给出的内容。请改为数值、文本或枚举。",
)


class Observation(NamedTuple):
    """One observation of a data item: text of its value, or level and particulars of a condition."""

    item: str
    time_ms: int | None
    text: str
    level: str = ""
    code: str = ""
    entries: dict[str, str] | None = None


def milliseconds(text: str) -> int | None:
    """Read an ISO 8601 time, UTC where no zone is given; None if it is none. A duration behind `@` is left out."""
    try:
        found = datetime.fromisoformat(text.partition("@")[0])
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return int(found.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


class Active:
    """The conditions that are active, by data item and their code."""

    def __init__(self) -> None:
        self._active: dict[str, dict[str, Observation]] = {}

    def forget(self) -> None:
        """Begin anew: a snapshot names all that is active."""
        self._active.clear()

    def worst(self, observation: Observation) -> Observation:
        """Take one change of a condition and return what counts now: the worst that is active."""
        active = self._active.setdefault(observation.item, {})
        if observation.level in ("WARNING", "FAULT"):
            if len(active) < CONDITIONS_MAX or observation.code in active:
                active[observation.code] = observation
        elif observation.level == "NORMAL" and observation.code:
            active.pop(observation.code, None)
        else:
            active.clear()
        if not active:
            return observation
        worst = max(active.values(), key=lambda each: _RANKS[each.level])
        return worst._replace(time_ms=observation.time_ms)


def spoken(observation: Observation) -> str:
    """Say a condition in words: level, code and the machine's text."""
    named = f"{observation.level} {observation.code}".rstrip()
    return f"{named}: {observation.text}" if observation.text else named


def convert(
    tag: DriverTag, observation: Observation, values: Sequence[str], keep: Keep
) -> tuple[Any, int, Text | None]:
    """Make one sample: value for the tag's column, quality, and why it does not fit, if so."""
    address = tag.address
    text = observation.text
    if address.entry and observation.entries is not None:
        text = observation.entries.get(address.entry, UNAVAILABLE)
    told = observation.level or text
    if told == UNAVAILABLE and UNAVAILABLE not in values:
        return _EMPTY[tag.kind.column], q.BAD_NOT_CONNECTED, None
    if tag.kind is SampleKind.TEXT:
        words = spoken(observation) if observation.level else _element(text, address.index)
        if words is None:
            return "", q.BAD_CONFIGURATION, _INDEX.format(count=len(text.split()), index=address.index)
        return words[:TEXT_MAX], q.GOOD if len(words) <= TEXT_MAX else q.UNCERTAIN, None
    if tag.kind is SampleKind.ENUMERATION:
        if observation.level and not values:
            return _RANKS[observation.level], q.GOOD, None
        if told in values:
            return values.index(told), q.GOOD, None
        if not values and told.removeprefix("-").isdecimal():
            return _whole(told)
        return 0, q.BAD_CONFIGURATION, _WORD.format(found=told[:80])
    if tag.kind is SampleKind.BOOLEAN:
        word = told.upper()
        if len(values) == 2 and told in values:
            return values.index(told), q.GOOD, None
        if word in _TRUE or word in _FALSE:
            return int(word in _TRUE), q.GOOD, None
        return 0, q.BAD_CONFIGURATION, _WORD.format(found=told[:80])
    if tag.kind is SampleKind.ARRAY:
        return _array(text, keep)
    if observation.level and tag.kind.column is not Column.TEXT:
        return _RANKS[observation.level], q.GOOD, None
    return _number(tag, text)


def _array(text: str, keep: Keep) -> tuple[str, int, Text | None]:
    try:
        return array_sample([float(number) for number in text.split()], keep), q.GOOD, None
    except ValueError:
        return "", q.BAD_CONFIGURATION, _NUMBERS.format(found=text[:80])
    except StoreError as error:
        return "", q.BAD, error.text


def _element(text: str, index: int | None) -> str | None:
    if index is None:
        return text
    elements = text.split()
    return elements[index] if index < len(elements) else None


def _whole(text: str) -> tuple[int, int, Text | None]:
    number = int(text[:24])
    if -(2**63) <= number < 2**63:
        return number, q.GOOD, None
    return 0, q.BAD_CONFIGURATION, _NUMBER.format(found=text[:80])


def _number(tag: DriverTag, text: str) -> tuple[Any, int, Text | None]:
    empty = _EMPTY[tag.kind.column]
    if tag.kind not in (SampleKind.FLOAT, SampleKind.INTEGER):
        return empty, q.BAD_CONFIGURATION, _KIND
    element = _element(text, tag.address.index)
    if element is None:
        return empty, q.BAD_CONFIGURATION, _INDEX.format(count=len(text.split()), index=tag.address.index)
    if not element.strip():
        return empty, q.BAD_WAITING, None
    try:
        if tag.kind is SampleKind.FLOAT:
            number = float(element)
            return number, q.GOOD if math.isfinite(number) else q.BAD_SENSOR_FAILURE, None
        if element.strip().lstrip("+-").isdecimal():
            return _whole(element.strip())
        number = float(element)
        if number.is_integer() and abs(number) < 2**53:
            return int(number), q.GOOD, None
    except ValueError:
        pass
    several = tag.address.index is None and len(text.split()) > 1
    return empty, q.BAD_CONFIGURATION, (_LIST if several else _NUMBER).format(found=text[:80])


class Gathered:
    """Samples of one message, gathered into a batch for each column."""

    def __init__(self, faults: dict[int, Text], keep: Keep) -> None:
        self._faults = faults
        self._keep = keep
        self._columns: dict[Column, list[tuple[int, int, Any, int]]] = {}

    def add(self, tag: DriverTag, observation: Observation, values: Sequence[str], time_ms: int) -> None:
        """Add one observation to one tag."""
        value, quality, reason = convert(tag, observation, values, self._keep)
        if reason is not None:
            self._faults[tag.ordinal] = reason
        elif self._faults:
            self._faults.pop(tag.ordinal, None)
        self._columns.setdefault(tag.kind.column, []).append((tag.ordinal, time_ms, value, quality))

    def lack(self, tag: DriverTag, quality: int, reason: Text, time_ms: int) -> None:
        """Add a bad sample for a tag of which nothing is known."""
        self._faults[tag.ordinal] = reason
        empty = _EMPTY[tag.kind.column]
        self._columns.setdefault(tag.kind.column, []).append((tag.ordinal, time_ms, empty, quality))

    def batches(self) -> list[SampleBatch]:
        """Return what was gathered."""
        made = []
        for column, rows in self._columns.items():
            tags, times, values, qualities = zip(*rows, strict=True)
            made.append(build(column, tags, times, np.array(values, dtype=_TYPES[column]), qualities, Origin.MACHINE))
        return made
