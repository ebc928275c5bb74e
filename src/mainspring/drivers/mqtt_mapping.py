"""From JSON messages to columns of samples, by a mapping that is declared once and compiled for each topic.

Two layouts: values at paths of the document (`motor.axes[2].load`), or a list of measurements with name and value.
Pure functions and no I/O; what does not fit is counted in words and never fails the messages beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final, Literal

import numpy as np
import orjson

from mainspring.core import quality as q
from mainspring.core.blobs import reference
from mainspring.core.drivers import DriverTag, Node, Trial
from mainspring.core.errors import StoreError
from mainspring.core.kinds import ROWS_MAX, Column, Origin, SampleKind
from mainspring.core.samples import SampleBatch, build
from mainspring.core.text import Text
from mainspring.drivers.mqtt_packets import Message

TimeFormat = Literal["ms", "s", "us", "ns", "iso8601"]
Path = tuple[str | int, ...]
FOUND_MAX: Final = 1000
DEPTH_MAX: Final = 20
PATH: Final = r"^([^.\[\]]+|\[\d{1,6}\])(\.[^.\[\]]+|\[\d{1,6}\])*$|^$"
FUTURE_MAX_MS: Final = 86_400_000
PAST_MAX_MS: Final = 366 * 86_400_000
_FACTORS: Final = {"ms": 1.0, "s": 1000.0, "us": 1e-3, "ns": 1e-6}
_STEP: Final = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_MISSING: Final = object()
_INT64: Final = 2**63
_NUMBERS: Final = frozenset((int, float))
_EMPTY: Final[dict[Column, Any]] = {Column.FLOAT64: math.nan, Column.INT64: 0, Column.TEXT: ""}

NOT_JSON: Final = Text(
    "A message is not JSON and was dropped. Correct the sender, or leave its topic out.",
    "消息不是 JSON，已丢弃。请更正发送方，或不订阅该主题。",
)
NOTHING: Final = Text(
    "The mapping found none of its values in a message. Try the mapping on a sample and correct the paths.",
    "映射在消息中未找到任何值。请用样例消息试验映射并更正路径。",
)
NO_LIST: Final = Text(
    "A message has no list where the mapping looks for one. "
    "Try the mapping on a sample and correct the path of the list.",
    "消息中映射所指位置没有列表。请用样例消息试验映射并更正列表路径。",
)
NO_TIME: Final = Text(
    "A message has no time where the mapping looks for one, or not in the declared form; the time of arrival was used.",
    "消息在映射所指位置没有时间或格式不符，已改用到达时间。",
)
FAR_TIME: Final = Text(
    "A message carries a time more than a day ahead or more than a year old and was dropped. Set the device's clock, "
    "or correct the form of the time.",
    "消息的时间超前一天以上或早于一年，已丢弃。请校准设备时钟，或更正时间格式。",
)
WRONG_TYPE: Final = Text(
    "A message holds a value of another type than its tag; the tag is bad. Change the kind of the tag, or the path.",
    "消息中的值与标签类型不符，标签为坏值。请更改标签类型或路径。",
)
TOO_LARGE: Final = Text(
    "A whole number does not fit 64 bits; the tag is bad. Make the tag a float.",
    "整数超出 64 位，标签为坏值。请将标签改为浮点型。",
)
NOT_KEPT: Final = Text(
    "An array could not be kept; its tag is bad. Look at the disk of the gateway.",
    "数组无法保存，标签为坏值。请检查网关磁盘。",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where values, times and qualities are in a message; paths are compiled."""

    listed: bool = False
    list_path: Path = ()
    name: Path = ("name",)
    value: Path = ("value",)
    time: Path = ()
    time_format: TimeFormat = "ms"
    quality: Path = ()
    good: frozenset[str] = frozenset()


def compiled(path: str) -> Path:
    """Return the steps of a path: names and list positions; the empty path is the whole document."""
    return tuple(int(index) if index else name for index, name in _STEP.findall(path))


def dig(document: Any, path: Path) -> Any:
    """Return what lies at a path, or `_MISSING`."""
    for step in path:
        if isinstance(step, str):
            if not isinstance(document, dict) or step not in document:
                return _MISSING
        elif not isinstance(document, list) or step >= len(document):
            return _MISSING
        document = document[step]
    return document


def moment(found: Any, form: TimeFormat) -> int | None:
    """Return a time in milliseconds UTC, None if it is not in the declared form; a naive ISO time is UTC."""
    if form == "ms" and type(found) is int:
        return found if abs(found) < _INT64 else None
    if form == "iso8601":
        if not isinstance(found, str):
            return None
        try:
            parsed = datetime.fromisoformat(found)
            aware = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
            return round(aware.timestamp() * 1000)
        except (ValueError, OverflowError):
            return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    time_ms = found * _FACTORS[form]
    return int(time_ms) if abs(time_ms) < _INT64 else None


def convert(kind: SampleKind, value: Any) -> tuple[Any, int, Text | None]:
    """Return value, quality and fault of one JSON value for a tag's kind; null is a value the device does not know."""
    empty = _EMPTY[kind.column]
    if value is None:
        return empty, q.BAD_SENSOR_FAILURE, None
    wrong = (empty, q.BAD_CONFIGURATION, WRONG_TYPE)
    if kind.column is Column.TEXT:
        if isinstance(value, str):
            return value, q.GOOD, None
        return orjson.dumps(value).decode(), q.GOOD, None
    if not isinstance(value, int | float):
        return wrong
    if kind is SampleKind.FLOAT:
        number = float(value)
        finite = math.isfinite(number)
        return (number, q.GOOD, None) if finite else (empty, q.BAD_SENSOR_FAILURE, None)
    if value != int(value) if math.isfinite(value) else True:
        return wrong
    if kind is SampleKind.BOOLEAN:
        return (int(value), q.GOOD, None) if value in (0, 1) else wrong
    if not -_INT64 <= value < _INT64:
        return empty, q.BAD_CONFIGURATION, TOO_LARGE
    return int(value), q.GOOD, None


@dataclass(slots=True)
class Plan:
    """What the tags of one topic read: their paths, or their names in a list."""

    items: list[tuple[str | Path, DriverTag]] = field(default_factory=list)
    names: dict[str, list[DriverTag]] = field(default_factory=dict)
    pick: Callable[[Any], tuple[Any, ...]] | None = None
    """Takes all values out of an object at once, where all of them are floats at its top."""
    ordinals: tuple[int, ...] = ()

    def close(self) -> None:
        """Prepare for messages once all tags are in."""
        names = [path for path, tag in self.items if isinstance(path, str) and tag.kind is SampleKind.FLOAT]
        if len(names) == len(self.items) > 1:
            self.pick = itemgetter(*names)
            self.ordinals = tuple(tag.ordinal for _, tag in self.items)


class _Rows:
    """The rows of one column type, as lists while they are gathered."""

    __slots__ = ("quality", "tag", "time", "value")

    def __init__(self) -> None:
        self.tag: list[int] = []
        self.time: list[int] = []
        self.value: list[Any] = []
        self.quality: list[int] = []


class Mapping:
    """Turns messages into batches; `plans` says which tags read which topic."""

    def __init__(
        self,
        layout: Layout,
        refuse: Callable[[Text, int], None],
        faults: dict[int, Text],
    ) -> None:
        self.layout = layout
        self.plans: dict[str, Plan] = {}
        self.keep_blob: Callable[[bytes, str], str] = reference
        self.unread = 0
        """Messages of topics that no tag reads."""
        self._refuse = refuse
        self._faults = faults
        self._refused: dict[Text, int] = {}

    def plan(self, tags: Iterable[DriverTag]) -> None:
        """Compile the tags' addresses."""
        self.plans = {}
        for tag in tags:
            plan = self.plans.setdefault(tag.address.topic, Plan())
            if self.layout.listed:
                plan.names.setdefault(tag.address.path, []).append(tag)
            else:
                path = compiled(tag.address.path)
                # A name at the top is nearly all that devices send: looked up without a loop.
                simple = len(path) == 1 and isinstance(path[0], str)
                plan.items.append((path[0] if simple and isinstance(path[0], str) else path, tag))
        for plan in self.plans.values():
            plan.close()

    def take(self, messages: Sequence[Message], now_ms: int) -> list[SampleBatch]:
        """Return the samples of messages, at most one batch of each column type for ROWS_MAX rows."""
        rows = {column: _Rows() for column in Column}
        read = self._listed if self.layout.listed else self._values
        loads, plans, floats = orjson.loads, self.plans, rows[Column.FLOAT64]
        for message in messages:
            plan = plans.get(message.topic)
            if plan is None:
                self.unread += 1
                continue
            try:
                document = loads(message.payload)
            except orjson.JSONDecodeError:
                self._count(NOT_JSON)
                continue
            if plan.pick is None or not self._at_once(document, plan, floats, now_ms, message.retain):
                read(document, plan, rows, now_ms, message.retain)
        for text, count in self._refused.items():
            self._refuse(text, count)
        self._refused.clear()
        return [batch for column, gathered in rows.items() for batch in _batches(column, gathered)]

    def _count(self, text: Text) -> None:
        self._refused[text] = self._refused.get(text, 0) + 1

    def _at_once(self, document: Any, plan: Plan, floats: _Rows, now_ms: int, retained: bool) -> bool:
        """Take a message that has a number for each tag, as nearly all have; False, with nothing taken, if not."""
        assert plan.pick is not None
        try:
            values = plan.pick(document)
        except (KeyError, TypeError):
            return False
        if not _NUMBERS.issuperset(map(type, values)):
            return False
        if self._faults and not self._faults.keys().isdisjoint(plan.ordinals):
            return False
        time_ms, level = self._circumstances((document,), now_ms, retained)
        if time_ms is not None:
            floats.tag += plan.ordinals
            floats.time += (time_ms,) * len(values)
            floats.value += values
            floats.quality += (level,) * len(values)
        return True

    def _values(self, document: Any, plan: Plan, rows: dict[Column, _Rows], now_ms: int, retained: bool) -> None:
        time_ms, level = self._circumstances((document,), now_ms, retained)
        if time_ms is None:
            return
        floats, named, found = rows[Column.FLOAT64], isinstance(document, dict), False
        for path, tag in plan.items:
            if path.__class__ is not str:
                value = dig(document, path)  # type: ignore[arg-type]
            else:
                value = document.get(path, _MISSING) if named else _MISSING
            if value is _MISSING:
                continue
            found = True
            number = value.__class__ is float or value.__class__ is int
            if number and tag.kind is SampleKind.FLOAT and not self._faults:
                floats.tag.append(tag.ordinal)
                floats.time.append(time_ms)
                floats.value.append(value)
                floats.quality.append(level)
            else:
                self._add(tag, value, time_ms, level, rows)
        if not found:
            self._count(NOTHING)

    def _listed(self, document: Any, plan: Plan, rows: dict[Column, _Rows], now_ms: int, retained: bool) -> None:
        layout = self.layout
        measurements = dig(document, layout.list_path)
        if not isinstance(measurements, list):
            self._count(NO_LIST)
            return
        found = False
        for measurement in measurements:
            name = dig(measurement, layout.name)
            tags = plan.names.get(name) if isinstance(name, str) else None
            value = dig(measurement, layout.value)
            if tags is None or value is _MISSING:
                continue
            found = True
            time_ms, level = self._circumstances((measurement, document), now_ms, retained)
            if time_ms is not None:
                for tag in tags:
                    self._add(tag, value, time_ms, level, rows)
        if not found:
            self._count(NOTHING)

    def _circumstances(self, places: tuple[Any, ...], now_ms: int, retained: bool) -> tuple[int | None, int]:
        """Return time and quality from the first place that has them; no time at all if it is impossible."""
        layout, time_ms, level = self.layout, None, q.GOOD
        if layout.time:
            for place in places:
                found = dig(place, layout.time)
                if found is not _MISSING:
                    time_ms = moment(found, layout.time_format)
                    break
            if time_ms is None:
                self._count(NO_TIME)
            elif not now_ms - PAST_MAX_MS < time_ms < now_ms + FUTURE_MAX_MS:
                self._count(FAR_TIME)
                return None, level
        if layout.quality:
            for place in places:
                found = dig(place, layout.quality)
                if found is not _MISSING:
                    level = q.GOOD if str(found).lower() in layout.good else q.BAD
                    break
        if time_ms is None:
            # A retained message without a time may be of any age.
            return now_ms, q.UNCERTAIN_LAST_USABLE if retained and level == q.GOOD else level
        return time_ms, level

    def _add(self, tag: DriverTag, value: Any, time_ms: int, level: int, rows: dict[Column, _Rows]) -> None:
        sample: Any
        if tag.kind is SampleKind.BLOB and not isinstance(value, str) and value is not None:
            sample, own, fault = self._blob(value)
        else:
            sample, own, fault = convert(tag.kind, value)
        if fault is not None:
            self._count(fault)
            self._faults[tag.ordinal] = fault
        elif self._faults:
            self._faults.pop(tag.ordinal, None)
        into = rows[tag.kind.column]
        into.tag.append(tag.ordinal)
        into.time.append(time_ms)
        into.value.append(sample)
        into.quality.append(level if own == q.GOOD else own)

    def _blob(self, value: Any) -> tuple[str, int, Text | None]:
        try:
            return self.keep_blob(orjson.dumps(value), "application/json"), q.GOOD, None
        except StoreError:
            return "", q.BAD_DEVICE_FAILURE, NOT_KEPT


def _batches(column: Column, rows: _Rows) -> Iterator[SampleBatch]:
    for start in range(0, len(rows.tag), ROWS_MAX):
        part = slice(start, start + ROWS_MAX)
        value: Any = rows.value[part]
        if column is Column.TEXT:
            value = np.empty(len(rows.value[part]), dtype=object)
            value[:] = rows.value[part]
        yield build(column, rows.tag[part], rows.time[part], value, rows.quality[part], Origin.MACHINE)


def trial(layout: Layout, topic: str, sample: bytes, now_ms: int) -> Trial:
    """Return what a mapping finds in one message: each value as a node that can become a tag."""
    try:
        document = orjson.loads(sample)
    except orjson.JSONDecodeError:
        return Trial(faults=(NOT_JSON,))
    faults: dict[Text, int] = {}
    mapping = Mapping(layout, faults.__setitem__, {})
    nodes: list[Node] = []
    times: list[int | None] = []
    found = _measurements(layout, document) if layout.listed else _leaves(layout, document)
    if found is None:
        return Trial(faults=(NO_LIST,))
    for path, value, places in found:
        if len(nodes) >= FOUND_MAX:
            break
        time_ms, _ = mapping._circumstances(places, now_ms, False)
        kind = kind_of(value)
        nodes.append(
            Node(f"{topic}|{path}", path or topic, False, kind, {"topic": topic, "path": path}, value=shown(value))
        )
        times.append(time_ms)
    refused = tuple(mapping._refused) + (() if nodes else (NOTHING,))
    return Trial(tuple(nodes), tuple(times), refused)


def _measurements(layout: Layout, document: Any) -> Iterable[tuple[str, Any, tuple[Any, ...]]] | None:
    measurements = dig(document, layout.list_path)
    if not isinstance(measurements, list):
        return None
    return [
        (name, value, (measurement, document))
        for measurement in measurements
        if isinstance(name := dig(measurement, layout.name), str)
        and (value := dig(measurement, layout.value)) is not _MISSING
    ]


def _leaves(layout: Layout, document: Any) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Walk to every single value that is neither the time nor the quality."""
    stack: list[tuple[str, Path, Any]] = [("", (), document)]
    while stack:
        text, path, value = stack.pop()
        if isinstance(value, dict | list) and len(path) < DEPTH_MAX:
            pairs: list[tuple[str | int, Any]] = list(value.items() if isinstance(value, dict) else enumerate(value))
            for step, below in reversed(pairs[:FOUND_MAX]):
                if isinstance(step, str) and (not step or set(step) & set(".[]")):
                    continue
                written = f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
                stack.append((text + written, (*path, step), below))
        elif path not in (layout.time or None, layout.quality or None):
            yield text, value, (document,)


def kind_of(value: Any) -> SampleKind:
    """Guess the kind of a tag from one value; whole numbers may well become fractions, so they are floats."""
    if isinstance(value, bool):
        return SampleKind.BOOLEAN
    if isinstance(value, str):
        return SampleKind.TEXT
    return SampleKind.FLOAT if isinstance(value, int | float) or value is None else SampleKind.BLOB


def shown(value: Any) -> str:
    """Write a value for people, shortened."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= 100 else f"{text[:99]}…"
