"""The demo plant's edge node: the temperature inside a large machine, sent over Sparkplug to the gateway's listener.

It signs in as any device does: with a credential of the registry, whose password lies in the folder of secrets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from mainspring.core.definitions import Condition, Priority
from mainspring.core.text import Text
from mainspring.demo.plant import PlantAlarm, PlantAsset, PlantTag

GROUP: Final = "Demo"
NODE: Final = "Edge 1"
DEVICE: Final = "Machine 7"
METRIC: Final = "Component/Temperature"
USER: Final = "demo-edge-1"
MACHINE: Final = "demo/plant-1/machining/machine-7"

SETTINGS: Final[dict[str, Any]] = {"groups": [GROUP]}
PUBLISH: Final = (f"spBv1.0/{GROUP}/+/{NODE}/#",)
SUBSCRIBE: Final = (f"spBv1.0/{GROUP}/NCMD/{NODE}", f"spBv1.0/{GROUP}/DCMD/{NODE}/+", "spBv1.0/STATE/+")
ASSETS: Final = (PlantAsset(MACHINE, "unit", Text("Machine 7", "7 号设备")),)
TAGS: Final = (
    PlantTag(
        "TI_701", MACHINE, "temperature", Text("Component temperature", "部件温度"), "[degF]", 1, 0, 120,
        {"group": GROUP, "node": NODE, "device": DEVICE, "metric": METRIC},
    ),
)  # fmt: skip
ALARMS: Final = (
    PlantAlarm(
        "TI_701", Condition.LL, 45, 3, Priority.HIGH,
        Text("Machine 7 has failed", "7 号设备故障停机"),
        Text("The machine stands still and has gone cold.", "设备停转并冷却。"),
        Text("Lock the machine out and call maintenance.", "挂牌上锁，通知维修。"),
    ),
    PlantAlarm(
        "TI_701", Condition.L, 65, 4, Priority.MEDIUM,
        Text("Machine 7 cools down", "7 号设备温度下降"),
        Text("It does not carry its load: a failure may be near.", "设备未带正常负荷，可能即将故障。"),
        Text("Look at the machine; compare with the days before.", "检查设备，并与前几天对比。"),
        5000,
    ),
    PlantAlarm(
        "TI_701", Condition.STALE, 0, 0, Priority.DIAGNOSTIC,
        Text("Machine 7 not measured", "7 号设备无测量值"),
        Text("Nobody sees the machine.", "设备状态不可见。"),
        Text("Check the edge node and its device credential.", "检查边缘节点及其设备凭据。"),
        15_000,
    ),
)  # fmt: skip


def password_file(secrets_folder: Path) -> Path:
    """Return where the edge node finds its password."""
    return secrets_folder / f"{USER}.password"
