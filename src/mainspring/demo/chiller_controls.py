"""What a person may write on the demo plant's chiller: set points that no recording overwrites, each with its care."""

from __future__ import annotations

from typing import Any, Final

from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.demo.plant import CHILLER, PlantTag
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator


def _register(number: int, kind: str) -> dict[str, Any]:
    return {"table": "holding", "register": number, "type": kind, "order": "ABCD"}


_MODES: Final = {"local": Text("local", "就地"), "remote": Text("remote", "远程"), "off": Text("off", "停用")}
_SWITCH: Final = {"off": Text("off", "停"), "on": Text("on", "开")}

TAGS: Final = (
    PlantTag(
        "control_mode", CHILLER, "", Text("Control mode", "控制方式"), "1", None, None, None, _register(100, "uint16"),
        kind=SampleKind.ENUMERATION, states=_MODES,
    ),
    PlantTag(
        "remote_setpoint", CHILLER, "", Text("Remote supply setpoint", "远程供水温度设定"), "[degF]", 1, 40, 60,
        _register(101, "float32"),
    ),
    PlantTag(
        "demand_limit", CHILLER, "", Text("Demand limit", "需量限制"), "%", 1, 30, 100, _register(103, "uint16"), 0.1,
    ),
    PlantTag(
        "trip_pressure", CHILLER, "", Text("High pressure trip", "高压保护值"), "[psi]", 0, 120, 180,
        _register(104, "uint16"), kind=SampleKind.INTEGER,
    ),
    PlantTag(
        "pump", CHILLER, "", Text("Chilled water pump", "冷冻水泵"), "1", None, None, None,
        {"table": "coil", "register": 0}, kind=SampleKind.BOOLEAN, states=_SWITCH,
    ),
)  # fmt: skip

POLICIES: Final[dict[str, dict[str, Any]]] = {
    "demand_limit": {"reason": True, "interlock": {"tag": "control_mode", "holds": "equals", "value": 1}},
    "trip_pressure": {"reason": True, "password": True, "second_person": True},
    "pump": {"hold": True},
}
"""What writing requires beyond the right; the interlock names its tag."""

_AT_FIRST: Final = {
    "control_mode": 1, "remote_setpoint": 44.0, "demand_limit": 1000, "trip_pressure": 155, "pump": 1,
}  # fmt: skip


def put(simulator: ModbusTcpSimulator) -> None:
    """Give the set points their values at the start; from then on they are what was written."""
    for tag in TAGS:
        kind = tag.address.get("type", "bit")
        simulator.set(tag.address["table"], tag.address["register"], kind, "ABCD", _AT_FIRST[tag.name])
