"""The Sparkplug driver and its simulated edge node in the shared driver suite, with Mosquitto between them."""

from __future__ import annotations

import asyncio
from typing import Final

from tests.contracts.driver_cases import HELD, UnitCase
from tests.drivers.open_broker import OpenBroker
from tests.ports import free_port
from tests.waiting import ANSWER_MS, PATIENCE_S

from mainspring.core.drivers import DriverTag, Settings
from mainspring.core.kinds import SampleKind
from mainspring.drivers.mqtt_sparkplug import Sparkplug, SparkplugAddress, SparkplugConfig
from mainspring.simulators.sparkplug import SimulatedMetric, SparkplugSimulator

_WIRE: Final = {
    SampleKind.FLOAT: "Double", SampleKind.INTEGER: "Int64", SampleKind.BOOLEAN: "Boolean",
    SampleKind.ENUMERATION: "UInt8", SampleKind.TEXT: "String",
}  # fmt: skip


class Case(UnitCase):
    """An edge node with one device, on a broker that others wrote."""

    driver = Sparkplug

    def __init__(self) -> None:
        self.broker = OpenBroker()
        metrics = [SimulatedMetric(f"Unit/{kind.value}", _WIRE[kind], value, "Press") for kind, value in HELD.values()]
        metrics += [
            SimulatedMetric("Unit/Setpoint", "Float", 1.0, "Press"),
            SimulatedMetric("Unit/Recipe", "String", "A", "Press"),
            SimulatedMetric("Unit/Locked", "Double", 1.0, "Press", read_only=True),
        ]
        self.simulator = SparkplugSimulator(metrics, port=self.broker.port)

    async def start(self) -> None:
        await self.broker.start()
        await self.simulator.start()
        await self._born()

    async def stop(self) -> None:
        await self.simulator.stop()
        await self.broker.end()

    def tag(self, ordinal: int, kind: SampleKind, name: str) -> DriverTag:
        address = SparkplugAddress(group="Plant", node="Edge 1", device="Press", metric=f"Unit/{name}")
        return DriverTag(ordinal, kind, address)

    def config(self) -> Settings:
        return SparkplugConfig(
            host="127.0.0.1", port=self.broker.port, timeout_ms=ANSWER_MS, rebirth_interval_ms=100,
            birth_timeout_ms=4000, write_timeout_ms=4000,
        )  # fmt: skip

    async def cut(self) -> None:
        await self.broker.cut()

    async def restore(self) -> None:
        await self.broker.start()
        await self._born()

    def nobody_there(self) -> Settings:
        return SparkplugConfig(host="127.0.0.1", port=free_port(), timeout_ms=ANSWER_MS)

    async def _born(self) -> None:
        await asyncio.wait_for(self.simulator.born.wait(), PATIENCE_S)
