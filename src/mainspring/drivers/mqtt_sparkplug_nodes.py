"""Edge nodes as a Sparkplug host knows them: what their births declared, and what came since.

Source: Eclipse Sparkplug 3.0.0, chapters 4 (topics and message flow) and 5 (operational behavior).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from mainspring.core import quality as q
from mainspring.core.arrays import array_sample
from mainspring.core.drivers import DriverTag
from mainspring.core.errors import StoreError
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import SampleBatch, build
from mainspring.core.text import Text
from mainspring.drivers.mqtt_sparkplug_payload import Content, DataType, Metric

Key = tuple[str, str]
"""Group and name of an edge node."""
Keep = Callable[[bytes, str], str]
SEQUENCES: Final = 256
TIME_MAX: Final = 2**62
"""Times beyond it do not fit a column; the gateway replaces them as it does all times of the future."""
STALE: Final = 500
"""The value of the property `Quality` by which edge nodes say that a value is old."""
_EMPTY: Final[dict[Column, Any]] = {Column.FLOAT64: float("nan"), Column.INT64: 0, Column.TEXT: ""}
_INT64: Final = 2**63

_KIND: Final = Text(
    "The metric is {kind}, which does not fit the tag. Correct the tag's kind, or its index in an array.",
    "该指标的类型为 {kind}，与测点不符。请更正测点类型，取数组元素时请更正下标。",
)
_NOT_KEPT: Final = Text("Its content could not be kept: {reason}", "其内容无法保存：{reason}")


@dataclass(slots=True)
class Known:
    """One metric of a birth with its last value, and the tags that show it."""

    name: str
    kind: int
    alias: int | None
    value: Any = None
    time_ms: int = 0
    quality: int = q.BAD_WAITING
    properties: dict[str, Any] = field(default_factory=dict)
    tags: list[DriverTag] = field(default_factory=list)

    @property
    def read_only(self) -> bool:
        """Tell whether the edge node says that it takes no value."""
        return bool(self.properties.get("readOnly"))


@dataclass(slots=True)
class Scope:
    """What one birth declared: of a node itself (name "") or of one of its devices."""

    name: str
    alive: bool = False
    confirm_by_s: float | None = None
    """Until when a device must be born again after its node was; None while nothing is awaited."""
    metrics: dict[str, Known] = field(default_factory=dict)
    aliases: dict[int, Known] = field(default_factory=dict)

    def born(self, metrics: Sequence[Metric], wanted: dict[str, list[DriverTag]], now_ms: int) -> list[Known]:
        """Take a birth; returns metrics of the former one that are no longer there."""
        before, self.metrics, self.aliases = self.metrics, {}, {}
        for metric in metrics:
            known = Known(metric.name, metric.kind, metric.alias, properties=metric.properties)
            known.tags = wanted.get(metric.name, [])
            former = before.pop(metric.name, None)
            if metric.historical:
                # The birth must declare it all the same; its value is not the present one.
                if former is not None:
                    known.value, known.time_ms, known.quality = former.value, former.time_ms, former.quality
            else:
                known.value, known.time_ms = metric.value, metric.time_ms or now_ms
                known.quality = quality_of(metric.value, metric.properties)
            self.metrics[metric.name] = known
            if metric.alias is not None:
                self.aliases[metric.alias] = known
        self.alive, self.confirm_by_s = True, None
        return list(before.values())

    def rebind(self, wanted: dict[str, list[DriverTag]]) -> None:
        """Connect the metrics with other tags."""
        for known in self.metrics.values():
            known.tags = wanted.get(known.name, [])


class EdgeNode:
    """One edge node with its devices."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.alive = False
        self.birth_sequence: int | None = None
        """`bdSeq` of the birth, which the matching death repeats."""
        self.sequence = -1
        self.asked_s = float("-inf")
        self.rebirth_due_s: float | None = None
        self.scopes: dict[str, Scope] = {}

    def follows(self, sequence: int) -> bool:
        """Tell whether a message comes right after the last one, and go on from it."""
        expected, self.sequence = (self.sequence + 1) % SEQUENCES, sequence
        return sequence == expected

    def scope(self, device: str) -> Scope:
        """Return the scope of a device, "" for the node itself, made if it is new."""
        return self.scopes.setdefault(device, Scope(device))

    def adopt(self, other: EdgeNode, bind: Callable[[Key, str], dict[str, list[DriverTag]]]) -> None:
        """Take over what another connection of this gateway knows of the same node."""
        self.alive, self.sequence, self.birth_sequence = other.alive, other.sequence, other.birth_sequence
        self.scopes.clear()
        for name, theirs in other.scopes.items():
            mine = self.scopes[name] = Scope(name, theirs.alive)
            wanted = bind(self.key, name)
            for known in theirs.metrics.values():
                copy = Known(known.name, known.kind, known.alias, known.value, known.time_ms, known.quality)
                copy.properties, copy.tags = known.properties, wanted.get(known.name, [])
                mine.metrics[copy.name] = copy
                if copy.alias is not None:
                    mine.aliases[copy.alias] = copy

    def metrics(self) -> int:
        """Count the metrics of node and devices."""
        return sum(len(scope.metrics) for scope in self.scopes.values())


def quality_of(value: Any, properties: dict[str, Any]) -> int:
    """Return the OPC byte of a value: from the property `Quality` where the edge node sends it."""
    if value is None:
        return q.BAD_WAITING
    told = properties.get("Quality")
    if not isinstance(told, int):
        return q.GOOD
    if told == STALE:
        return q.UNCERTAIN_LAST_USABLE
    return told if 0 <= told < 256 else q.BAD


class Rows:
    """Gathers samples of many messages into at most three batches."""

    def __init__(self, keep: Keep, faults: dict[int, Text]) -> None:
        self._keep = keep
        self._faults = faults
        self._columns: dict[Column, list[tuple[int, int, Any, int]]] = {column: [] for column in Column}

    def add(self, known: Known, value: Any, quality: int, time_ms: int) -> None:
        """Add one value to every tag of its metric."""
        time_ms = min(time_ms, TIME_MAX)
        for tag in known.tags:
            plain = type(value) is float and tag.kind is SampleKind.FLOAT and tag.address.index is None
            if plain and not self._faults:
                self._columns[Column.FLOAT64].append((tag.ordinal, time_ms, value, quality))
            else:
                self._add_converted(tag, known, value, quality, time_ms)

    def _add_converted(self, tag: DriverTag, known: Known, value: Any, quality: int, time_ms: int) -> None:
        column = tag.kind.column
        try:
            made = None if value is None else convert(tag.kind, value, tag.address.index, self._keep)
        except (TypeError, ValueError, IndexError):
            self._faults[tag.ordinal] = _KIND.format(kind=kind_name(known.kind))
            made, quality = None, q.BAD_CONFIGURATION
        except StoreError as error:
            self._faults[tag.ordinal] = Text(
                _NOT_KEPT.en.format(reason=error.text.en), _NOT_KEPT.zh.format(reason=error.text.zh)
            )
            made, quality = None, q.BAD_OUT_OF_SERVICE
        else:
            self._faults.pop(tag.ordinal, None)
        if made is None and quality & q.MASK != q.BAD:
            quality = q.BAD_WAITING
        self._columns[column].append((tag.ordinal, time_ms, _EMPTY[column] if made is None else made, quality))

    def add_absent(self, tags: Iterable[DriverTag], time_ms: int) -> None:
        """Add a bad sample to tags that nothing answers to."""
        for tag in tags:
            column = tag.kind.column
            self._columns[column].append((tag.ordinal, time_ms, _EMPTY[column], q.BAD_CONFIGURATION))

    def add_bad(self, metrics: Iterable[Known], quality: int, time_ms: int) -> None:
        """Add the last value of each metric with a bad quality."""
        for known in metrics:
            known.quality = quality
            if known.tags:
                self.add(known, known.value, quality, time_ms)

    def batches(self) -> list[SampleBatch]:
        """Return what was gathered, and begin anew."""
        made = []
        for column, rows in self._columns.items():
            if not rows:
                continue
            tags, times, values, qualities = zip(*rows, strict=True)
            kinds: dict[Column, Any] = {Column.FLOAT64: np.float64, Column.INT64: np.int64, Column.TEXT: object}
            filled = np.empty(len(rows), dtype=kinds[column])
            filled[:] = values
            made.append(build(column, tags, times, filled, qualities, Origin.MACHINE))
            rows.clear()
        return made


def convert(kind: SampleKind, value: Any, index: int | None, keep: Keep) -> Any:
    """Return a metric's value as a sample; raises TypeError, ValueError or IndexError if it does not fit the kind."""
    if isinstance(value, list) and (index is not None or kind is not SampleKind.ARRAY):
        if index is None:
            raise TypeError
        value = value[index]
    elif index is not None:
        raise TypeError
    if kind is SampleKind.ARRAY:
        if not isinstance(value, list):
            raise TypeError
        return array_sample(value, keep)
    if kind is SampleKind.BLOB:
        if isinstance(value, str):
            value = Content(value.encode(), "text/plain")
        if not isinstance(value, Content):
            raise TypeError
        return keep(value.body, value.media_type)
    if isinstance(value, Content):
        raise TypeError
    if kind.column is Column.TEXT:
        return value if isinstance(value, str) else str(value)
    if isinstance(value, str) or (isinstance(value, float) and kind is not SampleKind.FLOAT):
        raise TypeError
    if kind is SampleKind.FLOAT:
        return float(value)
    if not -_INT64 <= value < _INT64 or (kind is SampleKind.BOOLEAN and value not in (0, 1)):
        raise ValueError
    return int(value)


def kind_name(kind: int) -> str:
    """Return the name of a data type as the specification writes it."""
    try:
        return DataType(kind).name.replace("_", "").capitalize()
    except ValueError:
        return f"type {kind}"


_KINDS: Final[dict[int, SampleKind]] = {
    DataType.FLOAT: SampleKind.FLOAT, DataType.DOUBLE: SampleKind.FLOAT, DataType.BOOLEAN: SampleKind.BOOLEAN,
    **dict.fromkeys(
        (DataType.STRING, DataType.TEXT, DataType.UUID, DataType.DATE_TIME, DataType.DATA_SET), SampleKind.TEXT
    ),
    **dict.fromkeys(
        (DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64, DataType.UINT8, DataType.UINT16,
         DataType.UINT32, DataType.UINT64), SampleKind.INTEGER
    ),
    **dict.fromkeys((DataType.BYTES, DataType.FILE), SampleKind.BLOB),
    **dict.fromkeys(range(DataType.INT8_ARRAY, DataType.BOOLEAN_ARRAY + 1), SampleKind.ARRAY),
}  # fmt: skip


def sample_kind(kind: int) -> SampleKind | None:
    """Return the kind of samples a metric of this data type gives, None if it gives none."""
    return _KINDS.get(kind)
