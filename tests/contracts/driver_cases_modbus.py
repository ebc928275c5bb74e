"""The Modbus TCP driver and its simulator in the shared driver suite."""

from __future__ import annotations

from typing import Any

from tests.contracts.driver_cases import SimulatorCase
from tests.ports import free_port
from tests.waiting import ANSWER_MS

from mainspring.core.drivers import DriverTag, Settings, Value
from mainspring.core.kinds import SampleKind
from mainspring.drivers.modbus_address import ModbusAddress
from mainspring.drivers.modbus_tcp import ModbusTcp, ModbusTcpConfig
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator


def _tag(ordinal: int, kind: SampleKind, **address: Any) -> DriverTag:
    return DriverTag(ordinal, kind, ModbusAddress.model_validate(address), writable=True)


class Case(SimulatorCase):
    """A device with one unit on a free port."""

    driver = ModbusTcp

    def __init__(self) -> None:
        self.simulator = ModbusTcpSimulator()
        self.simulator.refused = [("holding", 60, 60), ("holding", 5000, 5999)]
        self.simulator.set("holding", 0, "float32", "CDAB", 20.5)
        self.simulator.set("holding", 2, "int64", "ABCD", 2**53 + 1)
        self.simulator.set("coil", 7, "bit", "ABCD", 1)
        self.simulator.set("holding", 61, "uint16", "ABCD", 0b100)
        self.simulator.set("holding", 30, "string", "BADC", "批次 7", length=6)
        self.simulator.set("input", 12, "int16", "ABCD", -12)

    def config(self) -> Settings:
        return ModbusTcpConfig(host="127.0.0.1", port=self.simulator.port, timeout_ms=ANSWER_MS, gap_registers=60)

    def good(self) -> dict[int, tuple[DriverTag, Value]]:
        held: list[tuple[DriverTag, Value]] = [
            (_tag(1, SampleKind.FLOAT, register=0, type="float32", order="CDAB"), 20.5),
            (_tag(2, SampleKind.INTEGER, register=2, type="int64"), 2**53 + 1),
            (_tag(3, SampleKind.BOOLEAN, table="coil", register=7), 1),
            (_tag(4, SampleKind.ENUMERATION, register=61), 4),
            (_tag(5, SampleKind.TEXT, register=30, type="string", order="BADC", length=6), "批次 7"),
            (_tag(6, SampleKind.FLOAT, reference="30013", type="int16"), -12.0),
        ]
        return {tag.ordinal: (tag, value) for tag, value in held}

    def absent(self) -> DriverTag:
        return _tag(90, SampleKind.FLOAT, register=60)

    def writable(self) -> list[tuple[DriverTag, Value]]:
        return [
            (_tag(11, SampleKind.FLOAT, register=100, type="float64", order="DCBA"), 47.5),
            (_tag(12, SampleKind.INTEGER, register=104, type="int16"), -3),
            (_tag(13, SampleKind.BOOLEAN, table="coil", register=9), True),
            (_tag(14, SampleKind.BOOLEAN, register=105, bit=11), True),
            (_tag(15, SampleKind.TEXT, register=110, type="string", length=4), "B-7"),
        ]

    def read_only(self) -> DriverTag:
        return _tag(20, SampleKind.INTEGER, table="input", register=3)

    def nobody_there(self) -> Settings:
        return ModbusTcpConfig(host="127.0.0.1", port=free_port(), timeout_ms=ANSWER_MS)
