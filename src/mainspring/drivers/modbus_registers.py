"""Which requests read a set of tags, and where their answers go. No I/O.

All answers land in images whose layout never changes; what changes when a device refuses an address is only which
requests fill them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from mainspring.core import quality as q
from mainspring.core.drivers import DriverTag
from mainspring.core.kinds import Column
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.drivers.modbus_address import ModbusAddress, Type, mismatch
from mainspring.drivers.modbus_columns import ColumnOf, Fault, Field, Images
from mainspring.drivers.modbus_frames import BITS_MAX, REGISTERS_MAX, Table, read_answer, read_query

_TOO_WIDE = Text(
    "{address} takes {width} registers, but one request may read {limit}. Raise the registers per request.",
    "{address} 占用 {width} 个寄存器，而单次请求最多读取 {limit} 个，请增大单次请求的寄存器数。",
)
_CONTRADICTS = Text(
    "{address} overlaps {other}, which is written with another layout: writing one would damage the other. "
    "Correct one of the two addresses, or make one of them read-only.",
    "{address} 与 {other} 重叠，而后者以另一种格式写入，写入其一会破坏另一个。"
    "请更正其中一个地址，或将其中一个设为只读。",
)


class Limits(NamedTuple):
    """How requests may be made."""

    gap_registers: int = 0
    registers: int = REGISTERS_MAX
    bits: int = BITS_MAX

    def of(self, table: Table) -> tuple[int, int]:
        """Return the widest gap read across, and the most entries of one request."""
        return (self.gap_registers * 16, self.bits) if table.bits else (self.gap_registers, self.registers)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One request: neighbouring fields in order of their register; entry n lies at n + `shift` of the image."""

    table: Table
    fields: tuple[Field, ...]
    shift: int
    first: int
    end: int
    query: bytes = field(repr=False)

    @classmethod
    def of(cls, fields: Sequence[Field]) -> Group:
        """Make the request that covers some fields."""
        table = fields[0].address.table
        first, end = fields[0].first, max(member.end for member in fields)
        return cls(table, tuple(fields), fields[0].shift, first, end, read_query(table, first, end - first))

    def parts(self) -> tuple[Group, ...]:
        """Split in two where an unread gap is widest, else in the middle; a single span cannot be split."""
        best, reached = (-1, 0, 0), 0
        for index, (before, after) in enumerate(pairwise(self.fields), 1):
            reached = max(reached, before.end)
            if (before.first, before.end) != (after.first, after.end):
                gap = max(0, after.first - reached)
                best = max(best, (gap, -abs(2 * index - len(self.fields)), index))
        cut = best[2]
        return (Group.of(self.fields[:cut]), Group.of(self.fields[cut:])) if cut else ()


class Plan:
    """The requests of some tags, the images their answers fill, and the columns gathered from these."""

    def __init__(self, tags: Sequence[DriverTag], limits: Limits) -> None:
        self.samples = len(tags)
        self.said: set[int] = set()
        """Ordinals whose fault the driver made known after the last reading."""
        self._limits = limits
        fields = [Field(tag) for tag in tags]
        self._unreadable = dict(_unreadable(fields, limits))
        sizes = {True: 0, False: 0}
        whole: list[Group] = []
        asked = sorted(
            (member for member in fields if member.tag.ordinal not in self._unreadable),
            key=lambda member: (member.address.table, member.first, member.end),
        )
        for table, entries in groupby(asked, key=lambda member: member.address.table):
            for neighbours in _neighbours(entries, *limits.of(table)):
                for member in neighbours:
                    member.shift = sizes[table.bits] - neighbours[0].first
                whole.append(Group.of(neighbours))
                sizes[table.bits] += whole[-1].end - whole[-1].first
        self._whole = tuple(whole)
        self._images = Images(registers=sizes[False], bits=sizes[True])
        self._columns = [
            ColumnOf(column, members, self._unreadable, self._images)
            for column in Column
            if (members := [member for member in fields if member.tag.kind.column is column])
        ]
        self.restart(None)

    def restart(self, contact: object) -> None:
        """Forget what a device refused, and ask for everything again on a new contact."""
        self.contact = contact
        self.groups = list(self._whole)
        self.faults: dict[int, Fault] = dict(self._unreadable)
        self._found = False

    def store(self, group: Group, pdu: bytes) -> None:
        """Put the answer to a group into its image; raises DecodeError."""
        count, at = group.end - group.first, group.first + group.shift
        if group.table.bits:
            packed = np.frombuffer(read_answer(pdu, (count + 7) // 8), np.uint8)
            self._images.bits[at : at + count] = np.unpackbits(packed, count=count, bitorder="little")
        else:
            self._images.wire[2 * at : 2 * (at + count)] = read_answer(pdu, 2 * count)

    def refuse(self, group: Group, fault: Fault, *, split: bool) -> tuple[Group, ...]:
        """Split a refused group and return its parts; what cannot be split is bad from now on and not asked again."""
        self.groups.remove(group)
        parts = group.parts() if split else ()
        self.groups.extend(parts)
        if not parts:
            self._found = True
            self.faults.update((member.tag.ordinal, fault) for member in group.fields)
        return parts

    def settle(self) -> None:
        """Join again what was split only to find a refused address."""
        if not self._found:
            return
        self._found = False
        joined: list[Group] = []
        for group in sorted(self.groups, key=lambda group: (group.table, group.first)):
            if joined and self._touch(joined[-1], group):
                joined[-1] = Group.of(joined[-1].fields + group.fields)
            else:
                joined.append(group)
        self.groups = joined

    def _touch(self, group: Group, following: Group) -> bool:
        return (
            (group.table, group.shift) == (following.table, following.shift)
            and following.first <= group.end
            and max(group.end, following.end) - group.first <= self._limits.of(group.table)[1]
        )

    def batches(self, time_ms: int, failed: Mapping[Group, Fault]) -> tuple[list[SampleBatch], dict[int, Text]]:
        """Make the columns from the images, and say by ordinal why tags are bad or uncertain.

        `failed` are the groups without an answer this time.
        """
        faults = dict(self.faults)
        for group, fault in failed.items():
            faults.update((member.tag.ordinal, fault) for member in group.fields)
        batches = [column.batch(time_ms, faults) for column in self._columns]
        return batches, {ordinal: fault.text for ordinal, fault in faults.items()}


def _neighbours(fields: Iterable[Field], gap: int, limit: int) -> Iterator[list[Field]]:
    """Cut fields in order of their register into runs that one request can read."""
    run: list[Field] = []
    end = 0
    for member in fields:
        first, behind = member.first, member.end
        if run and (first > end + gap or max(end, behind) - run[0].first > limit):
            yield run
            run = []
        end = max(end, behind) if run else behind
        run.append(member)
    if run:
        yield run


def _unreadable(fields: Sequence[Field], limits: Limits) -> Iterator[tuple[int, Fault]]:
    """Yield the tags that cannot be right whatever the device says, each with its reason."""
    reached: list[ModbusAddress] = []
    order = sorted(fields, key=lambda member: (member.first, member.tag.ordinal))
    for member in order:
        address, (_, limit) = member.address, limits.of(member.address.table)
        text = mismatch(member.tag)
        if text is None and member.end - member.first > limit:
            text = _TOO_WIDE.format(address=address, width=address.width, limit=limit)
        if text is None and member.tag.writable and address.table is Table.HOLDING:
            reached = [other for other in reached if other.end > address.register]
            other = next((other for other in reached if _contradict(other, address)), None)
            if other is None:
                reached.append(address)
            else:
                text = _CONTRADICTS.format(address=address, other=other)
        if text is not None:
            yield member.tag.ordinal, Fault(q.BAD_CONFIGURATION, text)


def _contradict(one: ModbusAddress, other: ModbusAddress) -> bool:
    """Tell whether writing one value would damage another that overlaps it; bits of one register are its parts."""
    if (
        Type.BIT in (one.type, other.type)
        and one.width == other.width == 1
        and Type.STRING not in (one.type, other.type)
    ):
        return False
    return (one.register, one.type, one.order, one.length) != (other.register, other.type, other.order, other.length)
