"""Columns of samples gathered from images of a device's tables, without touching single registers. No I/O."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import groupby
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mainspring.core import quality as q
from mainspring.core.drivers import DriverTag
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.drivers.modbus_address import NUMBERS, ModbusAddress, Type

_EMPTY: Final[dict[Column, Any]] = {Column.FLOAT64: np.nan, Column.INT64: 0, Column.TEXT: ""}
_DTYPE: Final[dict[Column, Any]] = {Column.FLOAT64: np.float64, Column.INT64: np.int64, Column.TEXT: object}
_INT64_MAX: Final = np.uint64(np.iinfo(np.int64).max)

_TOO_LARGE = Text(
    "{address} exceeds 9223372036854775807, the largest whole number kept. Set the tag's kind to float64.",
    "{address} 超过可保存的最大整数 9223372036854775807，请将测点类型改为 float64。",
)
_NOT_FINITE = Text(
    "{address} holds no finite number. Check byte order and type; many devices say so when a sensor is missing.",
    "{address} 不是有限数值，请核对字节顺序和类型；许多设备在传感器缺失时如此应答。",
)
_NOT_UTF8 = Text(
    "{address} is not text in UTF-8. Check byte order and length; unreadable characters are shown as \ufffd.",
    "{address} 不是 UTF-8 文本，请核对字节顺序和长度；无法识别的字符显示为 \ufffd。",
)


class Fault(NamedTuple):
    """Why a tag is bad or uncertain: the quality byte and the words."""

    quality: int
    text: Text


class Layout(NamedTuple):
    """What values that are gathered at once have in common."""

    type: Type
    of_bits: bool
    little_endian: bool
    truth: bool


class Field:
    """One tag with its place: entry n of its table lies at n + `shift` of the image."""

    __slots__ = ("address", "end", "first", "layout", "shift", "tag")

    def __init__(self, tag: DriverTag) -> None:
        self.tag = tag
        self.address: ModbusAddress = tag.address
        self.first = self.address.register
        self.end = self.address.end
        self.shift = 0
        truth = tag.kind is SampleKind.BOOLEAN and self.address.type is not Type.BIT
        self.layout = Layout(self.address.type, self.address.table.bits, self.address.order.bytes_swapped, truth)


class Images:
    """What a device answered last: its registers as they came over the wire, its bits as one byte each."""

    def __init__(self, registers: int, bits: int) -> None:
        self.registers = np.zeros(registers, np.uint16)
        self.bits = np.zeros(bits, np.uint8)
        self.wire: memoryview = self.registers.view(np.uint8).data


class ColumnOf:
    """All fields of one column type, gathered layout by layout into rows that never change."""

    def __init__(self, column: Column, fields: Iterable[Field], unread: Container[int], images: Images) -> None:
        self.column = column
        self._images = images
        members = sorted(fields, key=lambda member: (member.tag.ordinal in unread, member.layout))
        self._fields = members
        self._read = [member for member in members if member.tag.ordinal not in unread]
        self._rows = {member.tag.ordinal: row for row, member in enumerate(members)}
        self._tag = np.array([member.tag.ordinal for member in members], np.uint32)
        self._origin = np.full(len(members), Origin.MACHINE, np.uint8)
        self._gathers: list[_Gather] = []
        if column is not Column.TEXT:
            row = 0
            for _, same in groupby(self._read, key=lambda member: member.layout):
                alike = list(same)
                self._gathers.append(_Gather(alike, slice(row, row + len(alike)), images))
                row += len(alike)

    def batch(self, time_ms: int, faults: dict[int, Fault]) -> SampleBatch:
        """Make the column from the images; `faults` are known ones, and those met here are added."""
        rows = len(self._fields)
        value = np.empty(rows, _DTYPE[self.column])
        quality = np.full(rows, q.GOOD, np.uint8)
        if self.column is Column.TEXT:
            self._texts(value, faults)
        # A device may send any bits: a signalling NaN is a number that is none, not a fault of the arithmetic.
        with np.errstate(invalid="ignore"):
            for gather in self._gathers:
                gather.run(value)
                for row, sub_status, text in gather.wrong(value):
                    member = self._fields[row]
                    faults.setdefault(member.tag.ordinal, Fault(sub_status, text.format(address=member.address)))
        for ordinal, fault in faults.items():
            faulty = self._rows.get(ordinal)
            if faulty is not None:
                quality[faulty] = fault.quality
                if fault.quality & q.MASK == q.BAD:
                    value[faulty] = _EMPTY[self.column]
        return SampleBatch(self.column, self._tag, np.full(rows, time_ms, np.int64), value, quality, self._origin)

    def _texts(self, value: npt.NDArray[Any], faults: dict[int, Fault]) -> None:
        for row, member in enumerate(self._read):
            words = self._images.registers[member.first + member.shift : member.end + member.shift]
            raw = (words.byteswap() if member.address.order.bytes_swapped else words).tobytes()
            text = raw.partition(b"\0")[0].decode("utf-8", "replace").rstrip()
            value[row] = text
            if "\ufffd" in text:
                fault = Fault(q.UNCERTAIN, _NOT_UTF8.format(address=member.address))
                faults.setdefault(member.tag.ordinal, fault)


class _Gather:
    """Fields of one layout: taken from an image into a buffer of their own, of which `_seen` is a typed view."""

    def __init__(self, members: list[Field], rows: slice, images: Images) -> None:
        kind, of_bits, little, self._truth = members[0].layout
        self._rows = rows
        self._image = images.bits if of_bits else images.registers
        at = np.array([member.first + member.shift for member in members], np.intp)
        self._shifts: npt.NDArray[np.uint16] | None = None
        dtype: np.dtype[Any]
        if of_bits:
            dtype = np.dtype(np.uint8)
        elif kind is Type.BIT:
            dtype = np.dtype(">u2")
            self._shifts = np.array([member.address.shift for member in members], np.uint16)
        else:
            dtype = NUMBERS[kind].newbyteorder("<" if little else ">")
        width = members[0].address.width
        # A value read little-endian needs its registers in the other order: BADC is DCBA with registers swapped.
        backwards = np.array([member.address.order.words_swapped is not little for member in members])
        steps = np.arange(width)
        self._slots = (at[:, None] + np.where(backwards[:, None], steps[::-1], steps)).ravel()
        self._taken = np.empty(len(self._slots), self._image.dtype)
        self._seen = self._taken.view(dtype)
        self._unbounded = dtype.kind == "u" and dtype.itemsize == 8

    def run(self, value: npt.NDArray[Any]) -> None:
        """Fill the rows of these fields."""
        # Slots lie inside the image by construction; this mode spares numpy a second buffer.
        self._image.take(self._slots, out=self._taken, mode="clip")
        rows = value[self._rows]
        if self._shifts is not None:
            rows[:] = (self._seen >> self._shifts) & 1
        elif self._truth:
            rows[:] = self._seen != 0
        else:
            rows[:] = self._seen

    def wrong(self, value: npt.NDArray[Any]) -> Iterator[tuple[int, int, Text]]:
        """Yield row, quality and words of each value that cannot be delivered."""
        faulty: npt.NDArray[np.bool_]
        if self._seen.dtype.kind == "f":
            faulty, quality, text = ~np.isfinite(value[self._rows]), q.BAD_SENSOR_FAILURE, _NOT_FINITE
        elif self._unbounded and value.dtype.kind == "i" and not self._truth:
            faulty, quality, text = self._seen > _INT64_MAX, q.BAD_CONFIGURATION, _TOO_LARGE
        else:
            return
        for index in np.flatnonzero(faulty):
            yield self._rows.start + int(index), quality, text
