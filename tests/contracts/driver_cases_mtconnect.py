"""The MTConnect driver and its simulated agent in the shared driver suite."""

from __future__ import annotations

from tests.contracts.driver_cases import SimulatorCase
from tests.drivers.mtconnect_machine import DEVICES, agent_tag
from tests.ports import free_port
from tests.waiting import ANSWER_MS

from mainspring.core.drivers import DriverTag, Settings, Value
from mainspring.core.kinds import SampleKind
from mainspring.drivers.mtconnect import Mtconnect, MtconnectConfig
from mainspring.simulators.mtconnect_agent import MtconnectAgentSimulator


class Case(SimulatorCase):
    """An agent with one mill on a free port."""

    driver = Mtconnect

    def __init__(self) -> None:
        self.simulator = MtconnectAgentSimulator(DEVICES)
        for name, value in {
            "avail": "AVAILABLE", "Xact": "20.5", "parts": str(2**53 + 1), "exec": "FEED_HOLD", "program": "批次 7",
            "path": "1 2.5 -3",
        }.items():  # fmt: skip
            self.simulator.observe(name, value)
        self.simulator.observe("hydraulic", "FAULT", "312", "500", "", "Pressure < 5 bar")

    def config(self) -> Settings:
        return MtconnectConfig(
            url=self.simulator.url, timeout_ms=ANSWER_MS, contact_timeout_ms=ANSWER_MS, interval_ms=20
        )

    def good(self) -> dict[int, tuple[DriverTag, Value]]:
        held: list[tuple[DriverTag, Value]] = [
            (agent_tag(1, SampleKind.FLOAT, "xpos"), 20.5),
            (agent_tag(2, SampleKind.INTEGER, "parts"), 2**53 + 1),
            (agent_tag(3, SampleKind.BOOLEAN, "avail"), 1),
            (agent_tag(4, SampleKind.ENUMERATION, "execution"), 3),
            (agent_tag(5, SampleKind.TEXT, "program"), "批次 7"),
            (agent_tag(6, SampleKind.FLOAT, "path", index=2), -3.0),
            (agent_tag(9, SampleKind.ARRAY, "path"), "[1.0,2.5,-3.0]"),
            (agent_tag(7, SampleKind.ENUMERATION, "hydraulic"), 2),
            (agent_tag(8, SampleKind.TEXT, "hydraulic"), "FAULT 312: Pressure < 5 bar"),
        ]
        return {tag.ordinal: (tag, value) for tag, value in held}

    def absent(self) -> DriverTag:
        return agent_tag(90, SampleKind.FLOAT, "nowhere")

    def nobody_there(self) -> Settings:
        return MtconnectConfig(url=f"http://127.0.0.1:{free_port()}", timeout_ms=ANSWER_MS)
