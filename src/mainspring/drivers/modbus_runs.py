"""Which values of a command are written with one request: neighbours in the order they are given. No I/O.

Order is kept: a device may need its set point before its start, and what lies between two values is never written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mainspring.drivers.modbus_address import ModbusAddress, Type
from mainspring.drivers.modbus_frames import COILS_WRITE_MAX, REGISTERS_WRITE_MAX, Table


class Laid(NamedTuple):
    """One value as it is written, and its place in the command."""

    place: int
    address: ModbusAddress
    raw: bytes


class Run(NamedTuple):
    """Values whose registers or coils follow each other without a gap."""

    values: tuple[Laid, ...]

    @property
    def table(self) -> Table:
        """The table all of them lie in."""
        return self.values[0].address.table

    @property
    def first(self) -> int:
        """The first register or coil."""
        return self.values[0].address.register

    @property
    def raw(self) -> bytes:
        """All values as one list of registers or coils."""
        return b"".join(value.raw for value in self.values)


def runs(values: Iterable[Laid], registers_max: int, coils_max: int) -> list[Run]:
    """Put values that follow each other into runs; a single bit of a register always stands alone."""
    found: list[list[Laid]] = []
    for value in values:
        before = found[-1] if found else []
        if before and _joins(before, value, registers_max, coils_max):
            before.append(value)
        else:
            found.append([value])
    return [Run(tuple(each)) for each in found]


def _joins(before: list[Laid], value: Laid, registers_max: int, coils_max: int) -> bool:
    last, address = before[-1].address, value.address
    if last.table is not address.table or last.end != address.register:
        return False
    width = address.end - before[0].address.register
    if address.table is Table.COIL:
        return width <= min(coils_max, COILS_WRITE_MAX)
    whole = last.type is not Type.BIT and address.type is not Type.BIT
    return whole and width <= min(registers_max, REGISTERS_WRITE_MAX)
