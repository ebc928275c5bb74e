"""What the demo plant consists of: assets, variables, limits, and where each value is found.

Names and units of the Tennessee Eastman process: Downs and Vogel, Computers & Chemical Engineering 17 (1993).
Limits lie 4.5 to 6 standard deviations off the recorded normal operation, so that a normal hour stays quiet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from mainspring.core.definitions import Condition, Priority
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text


@dataclass(frozen=True, slots=True)
class PlantAsset:
    """One asset of the demo plant; `path` ends in its own short name."""

    path: str
    kind: str
    name: Text
    description: Text | None = None


@dataclass(frozen=True, slots=True)
class PlantTag:
    """One tag of the demo plant and the column of the recording it shows."""

    name: str
    asset: str
    column: str
    words: Text
    unit: str
    decimals: int | None
    low: float | None
    high: float | None
    address: dict[str, Any]
    gain: float = 1.0
    kind: SampleKind = SampleKind.FLOAT
    states: dict[str, Text] | None = None
    """Values of an enumeration in the order of their numbers, with their words."""


@dataclass(frozen=True, slots=True)
class PlantAlarm:
    """One alarm of the demo plant; `more` has what its condition needs beside a limit."""

    tag: str
    condition: Condition
    limit: float
    dead_band: float
    priority: Priority
    name: Text
    consequence: Text
    response: Text
    on_delay_ms: int = 0
    more: dict[str, Any] = field(default_factory=dict)


SHIFTS: Final = ["06:00", "14:00", "22:00"]
TEP: Final = "demo/plant-1/synthesis"
CHILLER: Final = "demo/plant-1/utilities/chiller-6"

ASSETS: Final = (
    PlantAsset("demo", "enterprise", Text("Demo enterprise", "演示企业")),
    PlantAsset("demo/plant-1", "site", Text("Plant 1", "一号厂区")),
    PlantAsset(TEP, "area", Text("Synthesis", "合成区")),
    PlantAsset(f"{TEP}/feed", "unit", Text("Feed", "进料")),
    PlantAsset(f"{TEP}/reactor", "unit", Text("Reactor", "反应器")),
    PlantAsset(f"{TEP}/separator", "unit", Text("Separator", "气液分离器")),
    PlantAsset(f"{TEP}/stripper", "unit", Text("Stripper", "汽提塔")),
    PlantAsset(f"{TEP}/compressor", "unit", Text("Recycle compressor", "循环压缩机")),
    PlantAsset(f"{TEP}/analyzers", "unit", Text("Analyzers", "在线分析仪")),
    PlantAsset("demo/plant-1/utilities", "area", Text("Utilities", "公用工程")),
    PlantAsset(
        CHILLER,
        "unit",
        Text("Chiller 6", "6 号冷水机组"),
        Text(
            "Recorded in June 2020, 15 minutes apart, shown one sample each 5 s. Whoever published the recording "
            "disturbed its values: that is why they jump.",
            "记录于 2020 年 6 月，间隔 15 分钟，每 5 秒回放一个采样值。发布者对数值加了扰动，因此会跳变。",
        ),
    ),
)

# number, unit of the plant, words, unit of measure, decimals, range
_MEASURED: Final = (
    (1, "feed", "A feed", "A 进料", "km3/h", 4, 0, 1),
    (2, "feed", "D feed", "D 进料", "kg/h", 0, 0, 5811),
    (3, "feed", "E feed", "E 进料", "kg/h", 0, 0, 8354),
    (4, "feed", "A and C feed", "A 与 C 进料", "km3/h", 3, 0, 15.25),
    (5, "compressor", "Recycle flow", "循环流量", "km3/h", 2, 0, 50),
    (6, "reactor", "Reactor feed rate", "反应器进料量", "km3/h", 2, 0, 60),
    (7, "reactor", "Reactor pressure", "反应器压力", "kPa{gauge}", 1, 2500, 3000),
    (8, "reactor", "Reactor level", "反应器液位", "%", 2, 0, 100),
    (9, "reactor", "Reactor temperature", "反应器温度", "Cel", 2, 100, 150),
    (10, "separator", "Purge rate", "弛放气量", "km3/h", 4, 0, 1),
    (11, "separator", "Separator temperature", "分离器温度", "Cel", 2, 50, 120),
    (12, "separator", "Separator level", "分离器液位", "%", 2, 0, 100),
    (13, "separator", "Separator pressure", "分离器压力", "kPa{gauge}", 1, 2500, 3000),
    (14, "separator", "Separator underflow", "分离器底流", "m3/h", 2, 0, 50),
    (15, "stripper", "Stripper level", "汽提塔液位", "%", 2, 0, 100),
    (16, "stripper", "Stripper pressure", "汽提塔压力", "kPa{gauge}", 1, 2900, 3500),
    (17, "stripper", "Stripper underflow", "汽提塔底流", "m3/h", 2, 0, 46),
    (18, "stripper", "Stripper temperature", "汽提塔温度", "Cel", 2, 40, 100),
    (19, "stripper", "Stripper steam flow", "汽提塔蒸汽流量", "kg/h", 1, 0, 500),
    (20, "compressor", "Compressor work", "压缩机功率", "kW", 1, 0, 600),
    (21, "reactor", "Reactor cooling water outlet", "反应器冷却水出口温度", "Cel", 2, 60, 120),
    (22, "separator", "Condenser cooling water outlet", "冷凝器冷却水出口温度", "Cel", 2, 50, 110),
)
_ANALYSED: Final = (
    *((number, "Reactor feed", "反应器进料", component) for number, component in enumerate("ABCDEF", 23)),
    *((number, "Purge gas", "弛放气", component) for number, component in enumerate("ABCDEFGH", 29)),
    *((number, "Product", "产品", component) for number, component in enumerate("DEFGH", 37)),
)
_MANIPULATED: Final = (
    (1, "feed", "D feed valve", "D 进料阀"),
    (2, "feed", "E feed valve", "E 进料阀"),
    (3, "feed", "A feed valve", "A 进料阀"),
    (4, "feed", "A and C feed valve", "A 与 C 进料阀"),
    (5, "compressor", "Compressor recycle valve", "压缩机循环阀"),
    (6, "separator", "Purge valve", "弛放气阀"),
    (7, "separator", "Separator liquid valve", "分离器排液阀"),
    (8, "stripper", "Stripper product valve", "汽提塔产品阀"),
    (9, "stripper", "Stripper steam valve", "汽提塔蒸汽阀"),
    (10, "reactor", "Reactor cooling water valve", "反应器冷却水阀"),
    (11, "separator", "Condenser cooling water valve", "冷凝器冷却水阀"),
)


def node_name(column: str) -> str:
    """Return the simulated server's name of a variable of the process."""
    return f"TEP/{column}"


def _tep(column: str, asset: str, words: Text, unit: str, decimals: int, low: float, high: float) -> PlantTag:
    address = {"node": f"ns=2;s={node_name(column)}"}
    return PlantTag(column, f"{TEP}/{asset}", column, words, unit, decimals, low, high, address)


PROCESS_TAGS: Final = (
    *(
        _tep(f"XMEAS_{number}", asset, Text(en, zh), unit, decimals, low, high)
        for number, asset, en, zh, unit, decimals, low, high in _MEASURED
    ),
    *(
        _tep(f"XMEAS_{number}", "analyzers", Text(f"{en}: {part}", f"{zh}：{part}"), "mol%", 3, 0, 100)
        for number, en, zh, part in _ANALYSED
    ),
    *(_tep(f"XMV_{number}", asset, Text(en, zh), "%", 2, 0, 100) for number, asset, en, zh in _MANIPULATED),
)

# column, words, unit, decimals, range, register, type, gain: three kinds of registers, as real chillers have them
_CHILLER: Final = (
    ("supply_temperature", "Chilled water supply", "冷冻水供水温度", "[degF]", 1, 0, 150, 0, "float32", 1.0),
    ("return_temperature", "Chilled water return", "冷冻水回水温度", "[degF]", 1, 0, 150, 2, "float32", 1.0),
    ("setpoint_temperature", "Supply setpoint", "供水温度设定值", "[degF]", 1, 0, 120, 4, "float32", 1.0),
    (
        "condenser_return_temperature",
        "Condenser water return",
        "冷却水回水温度",
        "[degF]",
        1,
        0,
        200,
        6,
        "float32",
        1.0,
    ),
    ("evaporator_temperature", "Evaporator refrigerant", "蒸发器冷媒温度", "[degF]", 1, 0, 150, 8, "float32", 1.0),
    ("condenser_flow", "Condenser water flow", "冷却水流量", "[gal_us]/min", 0, 0, 12000, 10, "uint16", 1.0),
    ("load", "Load", "负荷率", "%", 1, 0, 200, 11, "uint16", 0.1),
    ("power", "Power", "功率", "kW", 1, 0, 2000, 12, "uint32", 0.1),
    ("tonnage", "Cooling capacity", "制冷量", "[ton_refrigeration]", 0, 0, 6000, 14, "uint32", 0.1),
    ("efficiency", "Efficiency", "能效", "kW/[ton_refrigeration]", 3, 0, 1, 16, "float32", 1.0),
)
CHILLER_UNIT: Final = 6
CHILLER_TAGS: Final = tuple(
    PlantTag(
        column, CHILLER, column, Text(en, zh), unit, decimals, low, high,
        {"table": "input", "register": register, "type": kind, "order": "ABCD"}, gain,
    )
    for column, en, zh, unit, decimals, low, high, register, kind, gain in _CHILLER
)  # fmt: skip

ALARMS: Final = (
    PlantAlarm(
        "XMEAS_1", Condition.LL, 0.05, 0.02, Priority.CRITICAL,
        Text("A feed lost", "A 进料中断"),
        Text("Without A the pressure rises to the trip at 3000 kPa.", "反应器缺 A，压力将升至 3000 kPa 联锁值。"),
        Text("Check the A feed valve and its supply; lower the C feed.", "检查 A 进料阀及其来源，降低 C 进料。"),
    ),
    PlantAlarm(
        "XMEAS_7", Condition.HH, 2800, 15, Priority.CRITICAL,
        Text("Reactor pressure very high", "反应器压力高高"),
        Text("The plant trips at 3000 kPa.", "达到 3000 kPa 时装置联锁停车。"),
        Text("Open the purge valve, raise condenser cooling.", "开大弛放气阀，加强冷凝器冷却。"),
    ),
    PlantAlarm(
        "XMEAS_7", Condition.H, 2745, 8, Priority.HIGH,
        Text("Reactor pressure high", "反应器压力高"),
        Text("Less margin to the trip.", "距联锁值的裕量减小。"),
        Text("Look at feeds and purge rate.", "查看进料和弛放气量。"),
        2000,
    ),
    PlantAlarm(
        "XMEAS_7", Condition.RATE, 300, 60, Priority.HIGH,
        Text("Reactor pressure rises fast", "反应器压力快速上升"),
        Text("The trip at 3000 kPa is a minute away.", "约一分钟后达到 3000 kPa 联锁值。"),
        Text("Open the purge valve at once, lower the feeds.", "立即开大弛放气阀，降低进料。"),
        more={"per": "minute", "window_ms": 10_000, "direction": "rising"},
    ),
    PlantAlarm(
        "XMEAS_7", Condition.EXPRESSION, 0, 0, Priority.MEDIUM,
        Text("Reactor pressure high, purge valve not open", "反应器压力高而弛放气阀未开"),
        Text("Nothing lowers the pressure.", "压力无法下降。"),
        Text("Open the purge valve by hand; check its controller.", "手动开大弛放气阀，检查其控制回路。"),
        5000,
        {"expression": "XMEAS_7 > 2745 kPa(g) and XMV_6 < 45 %"},
    ),
    PlantAlarm(
        "XMEAS_9", Condition.H, 120.52, 0.05, Priority.HIGH,
        Text("Reactor temperature high", "反应器温度高"),
        Text("The reaction is exothermic: it may run away above 150 °C.", "反应放热，超过 150 °C 可能飞温。"),
        Text("Check the reactor cooling water.", "检查反应器冷却水。"),
    ),
    PlantAlarm(
        "XMV_10", Condition.H, 44.5, 1, Priority.MEDIUM,
        Text("Reactor cooling valve far open", "反应器冷却水阀开度高"),
        Text("Cooling has little reserve left.", "冷却余量不足。"),
        Text("Check the cooling water inlet temperature.", "检查冷却水入口温度。"),
    ),
    PlantAlarm(
        "XMEAS_4", Condition.L, 8.9, 0.1, Priority.HIGH,
        Text("A and C feed low", "A 与 C 进料低"),
        Text("Production falls; stripper pressure changes.", "产量下降，汽提塔压力变化。"),
        Text("Check the header pressure.", "检查总管压力。"),
    ),
    PlantAlarm(
        "XMEAS_10", Condition.H, 0.42, 0.02, Priority.MEDIUM,
        Text("Purge rate high", "弛放气量高"),
        Text("Raw material is lost.", "原料损失。"),
        Text("Check the composition of the feed for B.", "检查进料中的 B 组分。"),
    ),
    PlantAlarm(
        "XMEAS_18", Condition.H, 68.5, 0.5, Priority.MEDIUM,
        Text("Stripper temperature high", "汽提塔温度高"),
        Text("Product quality moves.", "产品质量波动。"),
        Text("Check the stripper steam flow.", "检查汽提塔蒸汽流量。"),
        3000,
    ),
    PlantAlarm(
        "XMEAS_16", Condition.H, 3145, 8, Priority.MEDIUM,
        Text("Stripper pressure high", "汽提塔压力高"),
        Text("Follows the reactor pressure.", "随反应器压力升高。"),
        Text("Look at the reactor first.", "先查看反应器。"),
        3000,
    ),
    PlantAlarm(
        "XMEAS_8", Condition.L, 71.5, 0.5, Priority.LOW,
        Text("Reactor level low", "反应器液位低"),
        Text("Less conversion.", "转化率下降。"),
        Text("Look at feeds and temperature.", "查看进料和温度。"),
        3000,
    ),
    PlantAlarm(
        "load", Condition.H, 160, 10, Priority.LOW,
        Text("Chiller overloaded", "冷水机组过载"),
        Text("Efficiency falls.", "能效下降。"),
        Text("Start a second chiller.", "启动第二台冷水机组。"),
    ),
    PlantAlarm(
        "XMEAS_7", Condition.STALE, 0, 0, Priority.DIAGNOSTIC,
        Text("Reactor pressure not measured", "反应器压力无测量值"),
        Text("Nobody sees the pressure.", "压力不可见。"),
        Text("Check the connection to the control system.", "检查与控制系统的连接。"),
        15_000,
    ),
    PlantAlarm(
        "power", Condition.STALE, 0, 0, Priority.DIAGNOSTIC,
        Text("Chiller not measured", "冷水机组无测量值"),
        Text("Nobody sees the chiller.", "冷水机组状态不可见。"),
        Text("Check the connection to the chiller.", "检查与冷水机组的连接。"),
        15_000,
    ),
)  # fmt: skip
