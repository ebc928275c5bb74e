"""The OPC UA driver and its simulator in the shared driver suite."""

from __future__ import annotations

from tests.contracts.driver_cases import HELD, SimulatorCase, UnitCase
from tests.ports import free_port
from tests.waiting import ANSWER_MS

from mainspring.core.drivers import DriverTag, Settings
from mainspring.core.kinds import SampleKind
from mainspring.drivers.opcua import OpcUa, OpcUaAddress, OpcUaConfig
from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode


class Case(SimulatorCase, UnitCase):
    """A server without security on a free port; security has tests of its own."""

    driver = OpcUa

    def __init__(self) -> None:
        self.simulator = OpcUaSimulator([
            *(
                SimulatedNode(f"Unit/{kind.value}", kind, value=bool(value) if kind is SampleKind.BOOLEAN else value)
                for kind, value in HELD.values()
            ),
            SimulatedNode("Unit/Setpoint", writable=True, value=1.0),
            SimulatedNode("Unit/Recipe", SampleKind.TEXT, writable=True, value="A"),
            SimulatedNode("Unit/Locked", value=1.0),
        ])  # fmt: skip

    def tag(self, ordinal: int, kind: SampleKind, name: str) -> DriverTag:
        return DriverTag(ordinal, kind, OpcUaAddress(node=f"ns=2;s=Unit/{name}"))

    def config(self) -> Settings:
        return OpcUaConfig(
            url=self.simulator.url, security_policy="none", timeout_ms=ANSWER_MS, contact_timeout_ms=ANSWER_MS,
            publishing_interval_ms=50,
        )  # fmt: skip

    def nobody_there(self) -> Settings:
        return OpcUaConfig(url=f"opc.tcp://127.0.0.1:{free_port()}", security_policy="none", timeout_ms=ANSWER_MS)
