"""The demo plant's machine tool: assets, tags and alarms of an OKUMA MULTUS that makes parts.

The agent serves what the description names; what only the adapter's lines hold comes over a second connection.
"""

from __future__ import annotations

from typing import Any, Final

from mainspring.core.definitions import Condition, Priority
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.demo.plant import PlantAlarm, PlantAsset, PlantTag
from mainspring.drivers.mtconnect_words import LEVELS, VOCABULARIES

MACHINE: Final = "demo/plant-1/machining/multus-1"
ASSETS: Final = (
    PlantAsset("demo/plant-1/machining", "area", Text("Machining", "机加工区")),
    PlantAsset(MACHINE, "unit", Text("OKUMA MULTUS U3000", "大隈 MULTUS U3000 车铣复合")),
    PlantAsset(f"{MACHINE}/axes", "unit", Text("Axes", "进给轴")),
    PlantAsset(f"{MACHINE}/spindles", "unit", Text("Spindles", "主轴")),
    PlantAsset(f"{MACHINE}/control", "unit", Text("Control", "数控系统")),
)

# data item, part, words, unit, decimals, range
_NUMBERS: Final = (
    ("X1actw", "axes", "X position", "X 轴位置", "mm", 3, -200, 1200),
    ("YI1actw", "axes", "Y position", "Y 轴位置", "mm", 3, -200, 200),
    ("Z1actw", "axes", "Z position", "Z 轴位置", "mm", 3, -1000, 1000),
    ("Z4actw", "axes", "W position", "W 轴位置", "mm", 3, -1000, 2000),
    ("B1actw", "axes", "B angle", "B 轴角度", "deg", 3, -120, 120),
    ("C3actw", "axes", "C angle", "C 轴角度", "deg", 3, 0, 360),
    ("X1load", "axes", "X load", "X 轴负载", "%", 0, 0, 200),
    ("YS1load", "axes", "Y load", "Y 轴负载", "%", 0, 0, 200),
    ("Z1load", "axes", "Z load", "Z 轴负载", "%", 0, 0, 200),
    ("Z4load", "axes", "W load", "W 轴负载", "%", 0, 0, 200),
    ("C3load", "axes", "C load", "C 轴负载", "%", 0, 0, 200),
    ("S1speed", "spindles", "Main spindle speed", "主主轴转速", "{rpm}", 0, 0, 5000),
    ("S1cmd", "spindles", "Main spindle speed set", "主主轴转速指令", "{rpm}", 0, 0, 5000),
    ("S1load", "spindles", "Main spindle load", "主主轴负载", "%", 0, 0, 200),
    ("S1ovr", "spindles", "Main spindle override", "主主轴倍率", "%", 0, 0, 200),
    ("S1SurfaceSpeedA", "spindles", "Main spindle surface speed", "主主轴线速度", "mm/s", 0, 0, 20_000),
    ("S2speed", "spindles", "Second spindle speed", "副主轴转速", "{rpm}", 0, 0, 5000),
    ("S2ovr", "spindles", "Second spindle override", "副主轴倍率", "%", 0, 0, 200),
    ("S6speed", "spindles", "Milling spindle speed", "铣削主轴转速", "{rpm}", 0, 0, 12_000),
    ("S6load", "spindles", "Milling spindle load", "铣削主轴负载", "%", 0, 0, 200),
    ("S6ovr", "spindles", "Milling spindle override", "铣削主轴倍率", "%", 0, 0, 200),
    ("pFovr", "control", "Feed override", "进给倍率", "%", 0, 0, 200),
    ("p1Fact", "control", "Path feed rate", "轨迹进给速度", "mm/s", 2, 0, 1000),
    ("pCuttingTime", "control", "Cutting time", "切削时间", "s", 0, 0, 1_000_000),
)
# data item, part, words, vocabulary
_STATES: Final = (
    ("avail", "control", "Machine available", "设备可用性", "AVAILABILITY"),
    ("pexecution", "control", "Execution", "执行状态", "EXECUTION"),
    ("pmode", "control", "Control mode", "控制模式", "CONTROLLER_MODE"),
    ("fmode", "control", "Functional mode", "功能模式", "FUNCTIONAL_MODE"),
    ("estop", "control", "Emergency stop", "急停", "EMERGENCY_STOP"),
    ("p1CMOSinglBlock", "control", "Single block", "单段运行", "CONTROLLER_MODE_OVERRIDE"),
    ("p1CMODryRun", "control", "Dry run", "空运行", "CONTROLLER_MODE_OVERRIDE"),
    ("S1ChuckState", "spindles", "Main chuck", "主卡盘", "CHUCK_STATE"),
    ("S2ChuckState", "spindles", "Second chuck", "副卡盘", "CHUCK_STATE"),
)
_CONDITIONS: Final = (
    ("system", "Control condition", "系统状况"),
    ("CoolantSystem1_cond", "Coolant condition", "冷却液状况"),
    ("ElectricSystem1_cond", "Electrical condition", "电气状况"),
    ("HydraulicSystem1_cond", "Hydraulic condition", "液压状况"),
    ("LubricationSystem1_cond", "Lubrication condition", "润滑状况"),
    ("PneumaticSystem1_cond", "Pneumatic condition", "气动状况"),
    ("ToolingDeliverySystem1_cond", "Tool magazine condition", "刀库状况"),
)
_TEXTS: Final = (
    ("pprogram", "Program", "加工程序"),
    ("p1CurrentTool", "Tool in use", "当前刀具"),
)
# key of the adapter, words
_LINES: Final = (
    ("p1block", "Program block", "程序段"),
    ("p1linelabel", "Line label", "程序行标号"),
    ("p1BlockNumber", "Block number", "程序段号"),
)


def _tag(
    name: str, part: str, words: Text, kind: SampleKind, address: dict[str, Any], states: dict[str, Text] | None = None
) -> PlantTag:
    return PlantTag(name, f"{MACHINE}/{part}", name, words, "1", None, None, None, address, kind=kind, states=states)


def _agent(name: str, values: dict[str, Text] | None = None) -> dict[str, Any]:
    return {"item": name} | ({"values": list(values)} if values else {})


AGENT_TAGS: Final = (
    *(
        PlantTag(name, f"{MACHINE}/{part}", name, Text(en, zh), unit, decimals, low, high, _agent(name))
        for name, part, en, zh, unit, decimals, low, high in _NUMBERS
    ),
    PlantTag(
        "ppartcount", f"{MACHINE}/control", "ppartcount", Text("Parts made", "加工件数"), "{count}", None, None, None,
        _agent("ppartcount"), kind=SampleKind.INTEGER,
    ),
    *(
        _tag(name, part, Text(en, zh), SampleKind.ENUMERATION, _agent(name, VOCABULARIES[kind]), VOCABULARIES[kind])
        for name, part, en, zh, kind in _STATES
    ),
    *(
        _tag(name, "control", Text(en, zh), SampleKind.ENUMERATION, _agent(name), LEVELS)
        for name, en, zh in _CONDITIONS
    ),
    *(_tag(name, "control", Text(en, zh), SampleKind.TEXT, _agent(name)) for name, en, zh in _TEXTS),
)  # fmt: skip
ADAPTER_TAGS: Final = tuple(
    _tag(name, "control", Text(en, zh), SampleKind.TEXT, {"key": name}) for name, en, zh in _LINES
)

ALARMS: Final = (
    PlantAlarm(
        "S1load", Condition.H, 120, 20, Priority.HIGH,
        Text("Main spindle overloaded", "主主轴过载"),
        Text("Tool and bearings wear faster; the part may be out of tolerance.", "刀具和轴承磨损加快，工件可能超差。"),
        Text("Check tool wear, feed and depth of cut.", "检查刀具磨损、进给和切深。"),
    ),
    PlantAlarm(
        "Z1load", Condition.H, 140, 20, Priority.MEDIUM,
        Text("Z axis load high", "Z 轴负载高"),
        Text("Repeated peaks in rapid moves wear the ball screw.", "快移中反复出现峰值会磨损丝杠。"),
        Text("Check lubrication and chips on the guideways.", "检查润滑及导轨切屑。"),
    ),
    PlantAlarm(
        "X1load", Condition.H, 110, 20, Priority.MEDIUM,
        Text("X axis load high", "X 轴负载高"),
        Text("The cut is heavier than planned, or the tool is worn.", "切削量大于计划，或刀具已磨损。"),
        Text("Check the tool in use.", "检查当前刀具。"),
    ),
    PlantAlarm(
        "YS1load", Condition.H, 120, 20, Priority.LOW,
        Text("Y axis load high", "Y 轴负载高"),
        Text("Repeated peaks wear the axis.", "反复峰值会磨损该轴。"),
        Text("Check lubrication.", "检查润滑。"),
    ),
    PlantAlarm(
        "pFovr", Condition.H, 120, 5, Priority.LOW,
        Text("Feed override above 120 %", "进给倍率超过 120 %"),
        Text("The program runs faster than it was proven.", "程序运行快于验证速度。"),
        Text("Ask why; record the reason in the alarm.", "询问原因，并在报警中记录。"),
    ),
    PlantAlarm(
        "system", Condition.H, 1.5, 0.2, Priority.CRITICAL,
        Text("Fault of the control", "数控系统故障"),
        Text("The machine stops.", "设备停机。"),
        Text("Read the message on the control's screen.", "查看数控系统屏幕上的信息。"),
    ),
    PlantAlarm(
        "pexecution", Condition.STATE, 0, 0, Priority.LOW,
        Text("Machine waits for work", "机床待料"),
        Text("The machine earns nothing.", "设备空闲。"),
        Text("Start the next program, or note why it waits.", "启动下一程序，或备注等待原因。"),
        30_000,
        {"states": [list(VOCABULARIES["EXECUTION"]).index(state) for state in ("READY", "PROGRAM_COMPLETED")]},
    ),
    PlantAlarm(
        "pexecution", Condition.STALE, 0, 0, Priority.DIAGNOSTIC,
        Text("Machine not observed", "机床无数据"),
        Text("Nobody sees whether the machine runs.", "无法得知机床是否运行。"),
        Text("Check the MTConnect agent and the network.", "检查 MTConnect 代理和网络。"),
        15_000,
    ),
)  # fmt: skip
