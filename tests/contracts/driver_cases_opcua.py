"""The OPC UA driver and its simulator in the shared driver suite."""

from __future__ import annotations

from tests.contracts.driver_cases import DriverCase
from tests.ports import free_port
from tests.waiting import ANSWER_MS

from mainspring.core.drivers import DriverTag, Settings, Value
from mainspring.core.kinds import SampleKind
from mainspring.drivers.opcua import OpcUa, OpcUaAddress, OpcUaConfig
from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode

_HELD: dict[int, tuple[SampleKind, Value]] = {
    1: (SampleKind.FLOAT, 20.5),
    2: (SampleKind.INTEGER, 2**53 + 1),
    3: (SampleKind.BOOLEAN, 1),
    4: (SampleKind.ENUMERATION, 2),
    5: (SampleKind.TEXT, "批次 7"),
}


def _tag(ordinal: int, kind: SampleKind, name: str) -> DriverTag:
    return DriverTag(ordinal, kind, OpcUaAddress(node=f"ns=2;s={name}"))


class Case(DriverCase):
    """A server without security on a free port; security has tests of its own."""

    driver = OpcUa

    def __init__(self) -> None:
        self.simulator = OpcUaSimulator([
            *(
                SimulatedNode(f"Unit/{kind.value}", kind, value=bool(value) if kind is SampleKind.BOOLEAN else value)
                for kind, value in _HELD.values()
            ),
            SimulatedNode("Unit/Setpoint", writable=True, value=1.0),
            SimulatedNode("Unit/Recipe", SampleKind.TEXT, writable=True, value="A"),
            SimulatedNode("Unit/Locked", value=1.0),
        ])  # fmt: skip

    async def start(self) -> None:
        await self.simulator.start()

    async def stop(self) -> None:
        await self.simulator.stop()

    def config(self) -> Settings:
        return OpcUaConfig(
            url=self.simulator.url, security_policy="none", timeout_ms=ANSWER_MS, contact_timeout_ms=ANSWER_MS,
            publishing_interval_ms=50,
        )  # fmt: skip

    def good(self) -> dict[int, tuple[DriverTag, Value]]:
        return {ordinal: (_tag(ordinal, kind, f"Unit/{kind.value}"), value) for ordinal, (kind, value) in _HELD.items()}

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
        await self.simulator.cut()

    async def restore(self) -> None:
        await self.simulator.restore()

    def nobody_there(self) -> Settings:
        return OpcUaConfig(url=f"opc.tcp://127.0.0.1:{free_port()}", security_policy="none", timeout_ms=ANSWER_MS)
