"""The SHDR driver and its simulated adapter in the shared driver suite."""

from __future__ import annotations

from tests.contracts.driver_cases import SimulatorCase
from tests.drivers.mtconnect_machine import adapter_tag
from tests.ports import free_port
from tests.waiting import ANSWER_MS

from mainspring.core.drivers import DriverTag, Settings, Value
from mainspring.core.kinds import SampleKind
from mainspring.drivers.shdr import Shdr, ShdrConfig
from mainspring.simulators.shdr import ShdrSimulator


class Case(SimulatorCase):
    """An adapter on a free port."""

    driver = Shdr

    def __init__(self) -> None:
        self.simulator = ShdrSimulator()
        self.simulator.state["values"] = (
            f"2026-11-21T08:00:00.1234567Z|avail|AVAILABLE|X|20.5|parts|{2**53 + 1}|execution|FEED_HOLD|"
            "program|批次 7|path|1 2.5 -3"
        )
        self.simulator.state["hydraulic"] = "2026-11-21T08:00:00Z|hydraulic|FAULT|312|500||Pressure low"

    def config(self) -> Settings:
        return ShdrConfig(
            host="127.0.0.1", port=self.simulator.port, timeout_ms=ANSWER_MS, contact_timeout_ms=ANSWER_MS
        )

    def good(self) -> dict[int, tuple[DriverTag, Value]]:
        held: list[tuple[DriverTag, Value]] = [
            (adapter_tag(1, SampleKind.FLOAT, "X"), 20.5),
            (adapter_tag(2, SampleKind.INTEGER, "parts"), 2**53 + 1),
            (adapter_tag(3, SampleKind.BOOLEAN, "avail"), 1),
            (adapter_tag(4, SampleKind.ENUMERATION, "execution", values=["READY", "ACTIVE", "FEED_HOLD"]), 2),
            (adapter_tag(5, SampleKind.TEXT, "program"), "批次 7"),
            (adapter_tag(6, SampleKind.FLOAT, "path", index=2), -3.0),
            (adapter_tag(7, SampleKind.ENUMERATION, "hydraulic"), 2),
            (adapter_tag(8, SampleKind.TEXT, "hydraulic"), "FAULT 312: Pressure low"),
        ]
        return {tag.ordinal: (tag, value) for tag, value in held}

    def absent(self) -> DriverTag:
        return adapter_tag(90, SampleKind.FLOAT, "nowhere")

    def nobody_there(self) -> Settings:
        return ShdrConfig(host="127.0.0.1", port=free_port(), timeout_ms=ANSWER_MS)
