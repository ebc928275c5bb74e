"""From OPC UA values to columns of samples: status codes to quality, numbers to numpy without a Python object each.

Scalars of the number types are nearly all a plant sends; they are read column-wise, the rest one by one.
Source: OPC UA Part 4, section 7.39 (status codes), Part 6, section 5.2 (DataValue, Variant).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mainspring.core import quality
from mainspring.core.arrays import array_sample
from mainspring.core.blobs import reference
from mainspring.core.drivers import DriverTag
from mainspring.core.errors import StoreError
from mainspring.core.kinds import ROWS_MAX, Column, Origin, SampleKind
from mainspring.core.samples import SampleBatch, build
from mainspring.core.text import Text
from mainspring.drivers.opcua_wire import EPOCH_MS, TICKS_PER_MS, Reader, Reading, Structure

_REASONS: Final = {
    "range": Text(
        "The value does not fit a signed 64-bit integer; make the tag a float.",
        "数值超出 64 位有符号整数；请把标签改为浮点型。",
    ),
    "kind": Text(
        "The server sends a value of another type than the tag's; change the tag's type.",
        "服务器发送的值类型与标签不符；请修改标签类型。",
    ),
    "array": Text("The node is an array; give the index of the element.", "该节点是数组；请填写元素下标。"),
    "whole": Text("The node is no array; make the tag a number.", "该节点不是数组；请将测点改为数值。"),
    "kept": Text(
        "The array is too long for a sample and the gateway cannot keep it; look at the gateway's disk.",
        "数组过长且网关无法保存，请检查网关磁盘。",
    ),
    "index": Text("The array has no element with this index; correct the index.", "数组没有该下标的元素；请更正下标。"),
    "structure": Text(
        "The node is a structure; choose a node below it that holds a single value.",
        "该节点是结构体；请选择其下的单值节点。",
    ),
}

_NUMBER: Final = {
    1: "u1", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8", 10: "<f4", 11: "<f8",
}  # fmt: skip


def _layouts(prefix: int) -> dict[int, np.dtype[Any]]:
    """Every fixed-size item, by its encoding byte and the variant's type byte; `prefix` is 4 where a handle leads."""
    table = {}
    for mask in range(64):
        for kind, number in (_NUMBER | {0: ""}).items() if mask & 1 else [(-1, "")]:
            fields = [("handle", "<u4")] if prefix else []
            fields += (
                [("mask", "u1")] + ([("type", "u1")] if mask & 1 else []) + ([("value", number)] if number else [])
            )
            for bit, name, form in (
                (2, "status", "<u4"), (4, "source", "<i8"), (16, "source_fraction", "<u2"),
                (8, "server", "<i8"), (32, "server_fraction", "<u2"),
            ):  # fmt: skip
                fields += [(name, form)] if mask & bit else []
            table[mask | (kind << 8 if kind >= 0 else 0)] = np.dtype(fields)
    return table


_LAYOUTS: Final = {prefix: _layouts(prefix) for prefix in (0, 4)}
_SIZES: Final = {prefix: {key: layout.itemsize for key, layout in table.items()} for prefix, table in _LAYOUTS.items()}


# Upper 16 bits of a status code -> quality; every other code keeps its severity alone. Part 4, table 178 ff.
_QUALITY: Final = {
    0x0096: quality.GOOD_LOCAL_OVERRIDE,
    0x408F: quality.UNCERTAIN_LAST_USABLE, 0x4090: quality.UNCERTAIN_LAST_USABLE, 0x4093: quality.UNCERTAIN_SENSOR,
    0x4094: quality.UNCERTAIN_OUT_OF_RANGE, 0x4095: quality.UNCERTAIN_SUBNORMAL,
    0x8005: quality.BAD_COMMUNICATION, 0x800A: quality.BAD_COMMUNICATION, 0x8031: quality.BAD_COMMUNICATION,
    0x800D: quality.BAD_NOT_CONNECTED, 0x808A: quality.BAD_NOT_CONNECTED, 0x80AE: quality.BAD_NOT_CONNECTED,
    0x8032: quality.BAD_WAITING, 0x808B: quality.BAD_DEVICE_FAILURE, 0x808C: quality.BAD_SENSOR_FAILURE,
    0x808D: quality.BAD_OUT_OF_SERVICE, 0x8089: quality.BAD_CONFIGURATION, 0x801F: quality.BAD_CONFIGURATION,
    0x8033: quality.BAD_CONFIGURATION, 0x8034: quality.BAD_CONFIGURATION, 0x8035: quality.BAD_CONFIGURATION,
    0x8036: quality.BAD_CONFIGURATION, 0x8037: quality.BAD_CONFIGURATION, 0x8038: quality.BAD_CONFIGURATION,
    0x8039: quality.BAD_CONFIGURATION, 0x803A: quality.BAD_CONFIGURATION, 0x8074: quality.BAD_CONFIGURATION,
}  # fmt: skip
_SEVERITY: Final = (quality.GOOD, quality.UNCERTAIN, quality.BAD, quality.BAD)


def quality_of(status: int) -> int:
    """Translate a status code to the OPC byte, with the limit bits where the server sends them."""
    limits = status >> 8 & 3 if status >> 10 & 3 == 1 else 0
    return _QUALITY.get(status >> 16, _SEVERITY[status >> 30]) | limits


def qualities(status: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """Translate status codes to OPC bytes, column-wise."""
    if not status.any():
        return np.full(len(status), quality.GOOD, np.uint8)
    codes, where = np.unique(status, return_inverse=True)
    return np.array([quality_of(int(code)) for code in codes], np.uint8)[where]


_RUN_MIN: Final = 8
_FRESH: Final = -2
_EMPTY: Final[dict[Column, Any]] = {Column.FLOAT64: float("nan"), Column.INT64: 0, Column.TEXT: ""}
_FLOAT, _INTEGER, _BOOLEAN, _CAREFUL = range(4)
_CODES: Final = {
    SampleKind.FLOAT: _FLOAT, SampleKind.INTEGER: _INTEGER, SampleKind.ENUMERATION: _INTEGER,
    SampleKind.BOOLEAN: _BOOLEAN,
}  # fmt: skip


KeepBlob = Callable[[bytes, str], str]


def convert(
    kind: SampleKind, reading: Reading, index: int | None, keep_blob: KeepBlob = reference
) -> tuple[Any, int, str]:
    """Make one sample of a reading: value for the kind's column, quality, and why it does not fit, if so."""
    empty = _EMPTY[kind.column]
    level = quality_of(reading.status)
    if level & quality.MASK == quality.BAD:
        return empty, level, ""
    value = reading.value
    if value is None:
        return empty, quality.BAD_WAITING, ""
    refused = (empty, quality.BAD_CONFIGURATION)
    if kind is SampleKind.ARRAY and index is None:
        return _array(value, level, keep_blob)
    if isinstance(value, list) != (index is not None):
        return *refused, "array" if index is None else "index"
    if index is not None:
        if index >= len(value):
            return *refused, "index"
        value = value[index]
    if value is None or isinstance(value, Structure):
        return *refused, "structure"
    if kind is SampleKind.BLOB:
        return *refused, "kind"
    if kind.column is Column.TEXT:
        return str(value), level, ""
    if isinstance(value, str) or (isinstance(value, float) and kind is not SampleKind.FLOAT):
        return *refused, "kind"
    if kind is SampleKind.FLOAT:
        number = float(value)
        return number, level if np.isfinite(number) else quality.BAD_SENSOR_FAILURE, ""
    if kind is SampleKind.BOOLEAN and value not in (0, 1):
        return *refused, "kind"
    if value > 2**63 - 1:
        return *refused, "range"
    return int(value), level, ""


def _array(value: Any, level: int, keep_blob: KeepBlob) -> tuple[Any, int, str]:
    """Make a sample of a whole array; what does not fit into one is kept as a blob."""
    refused = ("", quality.BAD_CONFIGURATION)
    if not isinstance(value, list):
        return *refused, "whole"
    try:
        return array_sample(value, keep_blob), level, ""
    except ValueError:
        return *refused, "kind"
    except StoreError:
        return "", quality.BAD_DEVICE_FAILURE, "kept"


@dataclass(slots=True)
class Plan:
    """The items of a request and the tags each of them feeds; several tags may take elements of one array."""

    items: list[Any] = field(default_factory=list)
    tags: list[list[DriverTag]] = field(default_factory=list)
    ordinal: npt.NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    code: npt.NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))

    def seal(self) -> None:
        """Fill the arrays by which whole columns of numbers find their tags."""
        self.ordinal = np.array([tags[0].ordinal for tags in self.tags], np.uint32)
        simple = (len(tags) == 1 and tags[0].address.index is None for tags in self.tags)
        codes = (_CODES.get(tags[0].kind, _CAREFUL) for tags in self.tags)
        self.code = np.array([code if one else _CAREFUL for one, code in zip(simple, codes, strict=True)], np.uint8)


class Columns:
    """Gathers the items of one answer into at most three columns, in the order they were sent.

    `now_ms` is the time of samples that carry none; of all of them when `polled`, whatever the server adds.
    """

    def __init__(
        self, plan: Plan, now_ms: int, reasons: dict[int, Text], *, polled: bool = False,
        keep_blob: KeepBlob = reference,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.now_ms = now_ms
        self.polled = polled
        self.keep_blob = keep_blob
        self.reasons = reasons
        self.rows = 0
        self._pieces: dict[Column, list[tuple[npt.NDArray[Any], ...]]] = {column: [] for column in Column}
        self._singles: dict[Column, list[tuple[Any, ...]]] = {column: [] for column in Column}

    def take(self, reader: Reader, count: int, first: int | None) -> None:
        """Read `count` items: read results that belong to the items from `first` on, or, None, led by their handles."""
        prefix = 4 if first is None else 0
        body, position, sizes = reader.body, reader.position, _SIZES[prefix]
        scattered: dict[int, list[tuple[int, int]]] = {}
        item, same, last = 0, 0, _FRESH
        while item < count:
            try:
                mask = body[position + prefix]
                key = mask | body[position + prefix + 1] << 8 if mask & 1 else mask
            except IndexError:
                raise reader.malformed("it ends too early") from None
            size = sizes.get(key)
            if size is None:
                position = self._take_one(reader, position, item, first)
                item, last = item + 1, -1
                continue
            # Looking ahead for a run costs as much as some items: tried at the start and where one shows.
            same = same + 1 if key == last else _RUN_MIN if last == _FRESH else 0
            last = key
            if same >= _RUN_MIN:
                run = _run(body, position, size, prefix, count - item)
                if run >= _RUN_MIN:
                    rows = np.frombuffer(body, _LAYOUTS[prefix][key], run, position)
                    self._take_rows(reader, key, rows, np.arange(item, item + run), first)
                    position, item, last = position + run * size, item + run, _FRESH
                    continue
                same = 0
            scattered.setdefault(key, []).append((position, item))
            position, item = position + size, item + 1
        if position > len(body):
            raise reader.malformed("it ends too early")
        raw = np.frombuffer(body, np.uint8)
        for key, places in scattered.items():
            layout = _LAYOUTS[prefix][key]
            where = np.array(places)
            rows = raw[where[:, :1] + np.arange(layout.itemsize)].view(layout)[:, 0]
            self._take_rows(reader, key, rows, where[:, 1], first)
        reader.position = position
        self.rows += count

    def _take_one(self, reader: Reader, position: int, item: int, first: int | None) -> int:
        reader.position = position
        handle = reader.number("<I") if first is None else first + item
        if handle >= len(self.plan.tags):
            raise reader.malformed("unknown handle")
        self.add(handle, reader.reading(), item)
        return reader.position

    def add(self, handle: int, reading: Reading, item: int = 0) -> None:
        """Add one reading to every tag of its item; `item` is its place in the answer."""
        time_ms = self.now_ms if self.polled or reading.time_ms is None else reading.time_ms
        for tag in self.plan.tags[handle]:
            value, level, reason = convert(tag.kind, reading, tag.address.index, self.keep_blob)
            if reason:
                self.reasons[tag.ordinal] = _REASONS[reason]
            elif self.reasons:
                self.reasons.pop(tag.ordinal, None)
            self._singles[tag.kind.column].append((self.rows + item, tag.ordinal, time_ms, value, level))

    def _take_rows(self, reader: Reader, key: int, rows: npt.NDArray[Any], items: Any, first: int | None) -> None:
        names = rows.dtype.names or ()
        handles = rows["handle"] if first is None else items + first
        if int(handles.max()) >= len(self.plan.tags):
            raise reader.malformed("unknown handle")
        none = np.zeros(len(rows), np.int64)
        ticks = rows["source"] if "source" in names and not self.polled else none
        if "server" in names and not self.polled:
            ticks = np.where(ticks == 0, rows["server"], ticks)
        times = np.where(ticks == 0, self.now_ms, ticks // TICKS_PER_MS - EPOCH_MS)
        status = rows["status"] if "status" in names else np.zeros(len(rows), np.uint32)
        kind = key >> 8
        values = rows["value"] if "value" in names else None
        codes = self.plan.code[handles]
        for code in (_FLOAT, _INTEGER, _BOOLEAN):
            mine = codes == code
            if mine.any():
                where = slice(None) if mine.all() else mine
                taken = None if values is None else values[where]
                self._add_rows(code, kind, taken, status[where], handles[where], items[where], times[where])
        for row in np.flatnonzero(codes == _CAREFUL):
            value = None if values is None else values[row].item()
            reading = Reading(kind, bool(value) if kind == 1 else value, int(status[row]), int(times[row]))
            self.add(int(handles[row]), reading, int(items[row]))

    def _add_rows(
        self, code: int, kind: int, values: Any, status: Any, handles: Any, items: Any, times: npt.NDArray[np.int64]
    ) -> None:
        """Add a column of numbers of one type to the tags of one kind; the same rules as `convert`."""
        levels = qualities(status)
        bad = levels & quality.MASK == quality.BAD
        wrong: npt.NDArray[np.bool_] = np.zeros(len(levels), bool)
        column, dtype = (Column.FLOAT64, np.float64) if code == _FLOAT else (Column.INT64, np.int64)
        if values is None:
            levels[~bad] = quality.BAD_WAITING
            numbers = np.full(len(levels), _EMPTY[column], dtype)
        else:
            usable = np.zeros(len(values), bool) if code != _FLOAT and kind in (10, 11) else values
            numbers = (values != 0 if kind == 1 else usable).astype(dtype)
            if code == _FLOAT:
                levels[~bad & ~np.isfinite(numbers)] = quality.BAD_SENSOR_FAILURE
            elif kind in (10, 11):
                wrong = ~bad
            elif kind != 1:
                wrong = ~bad & ((values > 1) | (values < 0) if code == _BOOLEAN else values > 2**63 - 1)
            numbers[bad | wrong] = _EMPTY[column]
            levels[wrong] = quality.BAD_CONFIGURATION
        ordinals = self.plan.ordinal[handles]
        if wrong.any():
            reason = _REASONS["kind" if kind in (10, 11) or code == _BOOLEAN else "range"]
            self.reasons.update(dict.fromkeys(ordinals[wrong].tolist(), reason))
        elif self.reasons:
            for ordinal in ordinals[~bad].tolist():
                self.reasons.pop(ordinal, None)
        self._pieces[column].append((items + self.rows, ordinals, times, numbers, levels))

    def batches(self) -> list[SampleBatch]:
        """Return what was gathered, in batches of at most `ROWS_MAX` rows."""
        made = []
        for column in Column:
            pieces: list[tuple[Any, ...]] = [*self._pieces[column]]
            if singles := self._singles[column]:
                item, tag, time, value, level = zip(*singles, strict=True)
                values = np.array(value, dtype={Column.FLOAT64: float, Column.INT64: np.int64}.get(column, object))
                pieces.append(
                    (np.array(item), np.array(tag, np.uint32), np.array(time, np.int64), values, np.array(level))
                )
            if not pieces:
                continue
            columns = list(pieces[0][1:])
            if len(pieces) > 1:
                items, *joined = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
                order = np.argsort(items, kind="stable")
                columns = [values[order] for values in joined]
            for start in range(0, len(columns[0]), ROWS_MAX):
                tags, times, values, levels = (part[start : start + ROWS_MAX] for part in columns)
                made.append(build(column, tags, times, values, levels, Origin.MACHINE))
        return made


def _run(body: bytes, position: int, size: int, prefix: int, rows_max: int) -> int:
    """Count the items from here on that have the same layout as the first."""
    rows = min(rows_max, (len(body) - position) // size)
    if not rows:
        return 0
    items = np.frombuffer(body, np.uint8, rows * size, position).reshape(rows, size)
    alike = items[:, prefix] == items[0, prefix]
    if items[0, prefix] & 1:
        alike &= items[:, prefix + 1] == items[0, prefix + 1]
    return rows if alike.all() else int(alike.argmin())


def decode_notifications(reader: Reader, columns: Columns) -> int | None:
    """Read the data of a NotificationMessage into columns; returns the status if the server ended the subscription."""
    for _ in range(reader.count()):
        kind, body = reader.structure()
        if kind == "i=811":  # DataChangeNotification
            part = Reader(body)
            columns.take(part, part.count(), None)
        elif kind == "i=820":  # StatusChangeNotification
            return int(Reader(body).number("<I"))
    return None
