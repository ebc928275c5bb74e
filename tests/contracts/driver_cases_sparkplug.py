"""The Sparkplug driver and its simulated edge node in the shared driver suite, with Mosquitto between them."""

from __future__ import annotations

import asyncio

from tests.contracts.driver_cases import DriverCase
from tests.drivers.open_broker import OpenBroker
from tests.ports import free_port
from tests.waiting import ANSWER_MS, PATIENCE_S

from mainspring.core.drivers import DriverTag, Settings, Value
from mainspring.core.kinds import SampleKind
from mainspring.drivers.mqtt_sparkplug import Sparkplug, SparkplugAddress, SparkplugConfig
from mainspring.simulators.sparkplug import SimulatedMetric, SparkplugSimulator

_HELD: dict[int, tuple[SampleKind, str, Value]] = {
    1: (SampleKind.FLOAT, "Double", 20.5),
    2: (SampleKind.INTEGER, "Int64", 2**53 + 1),
    3: (SampleKind.BOOLEAN, "Boolean", 1),
    4: (SampleKind.ENUMERATION, "UInt8", 2),
    5: (SampleKind.TEXT, "String", "批次 7"),
}


def _tag(ordinal: int, kind: SampleKind, metric: str) -> DriverTag:
    return DriverTag(ordinal, kind, SparkplugAddress(group="Plant", node="Edge 1", device="Press", metric=metric))


class Case(DriverCase):
    """An edge node with one device, on a broker that others wrote."""

    driver = Sparkplug

    def __init__(self) -> None:
        self.broker = OpenBroker()
        metrics = [SimulatedMetric(f"Unit/{kind}", wire, value, "Press") for kind, wire, value in _HELD.values()]
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

    def config(self) -> Settings:
        return SparkplugConfig(
            host="127.0.0.1", port=self.broker.port, timeout_ms=ANSWER_MS, rebirth_interval_ms=100,
            birth_timeout_ms=4000, write_timeout_ms=4000,
        )  # fmt: skip

    def good(self) -> dict[int, tuple[DriverTag, Value]]:
        return {ordinal: (_tag(ordinal, kind, f"Unit/{kind}"), value) for ordinal, (kind, _, value) in _HELD.items()}

    def absent(self) -> DriverTag:
        return _tag(90, SampleKind.FLOAT, "Unit/Nowhere")

    def writable(self) -> list[tuple[DriverTag, Value]]:
        return [
            (_tag(6, SampleKind.FLOAT, "Unit/Setpoint"), 42.5),
            (_tag(7, SampleKind.TEXT, "Unit/Recipe"), "配方 B"),
        ]

    def read_only(self) -> DriverTag:
        return _tag(8, SampleKind.FLOAT, "Unit/Locked")

    async def cut(self) -> None:
        await self.broker.cut()

    async def restore(self) -> None:
        await self.broker.start()
        await self._born()

    def nobody_there(self) -> Settings:
        return SparkplugConfig(host="127.0.0.1", port=free_port(), timeout_ms=ANSWER_MS)

    async def _born(self) -> None:
        await asyncio.wait_for(self.simulator.born.wait(), PATIENCE_S)
