"""Vocabularies of MTConnect: what its controlled values mean in both languages, and its units as UCUM.

Source: MTConnect Standard, Part 2 (Device Information) and Part 3 (Observation Information), version 2.
"""

from __future__ import annotations

from typing import Final

from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text

UNAVAILABLE: Final = "UNAVAILABLE"

_ON_OFF: Final = {"OFF": Text("off", "关"), "ON": Text("on", "开")}
_DOORS: Final = {
    "CLOSED": Text("closed", "关闭"),
    "OPEN": Text("open", "打开"),
    "UNLATCHED": Text("unlatched", "未锁紧"),
}
LEVELS: Final = {
    "NORMAL": Text("normal", "正常"),
    "WARNING": Text("warning", "警告"),
    "FAULT": Text("fault", "故障"),
}
"""States of a condition, in the order of their numbers; the worst that is active counts."""

# Type of a data item -> its values in the order of the numbers that an enumeration gives them.
VOCABULARIES: Final[dict[str, dict[str, Text]]] = {
    "AVAILABILITY": {UNAVAILABLE: Text("unavailable", "不可用"), "AVAILABLE": Text("available", "可用")},
    "EXECUTION": {
        "READY": Text("ready", "就绪"),
        "ACTIVE": Text("active", "运行中"),
        "INTERRUPTED": Text("interrupted", "已中断"),
        "FEED_HOLD": Text("feed hold", "进给保持"),
        "STOPPED": Text("stopped", "已停止"),
        "OPTIONAL_STOP": Text("optional stop", "选择停止"),
        "PROGRAM_STOPPED": Text("stopped by the program", "程序停止"),
        "PROGRAM_COMPLETED": Text("program completed", "程序完成"),
        "WAIT": Text("waiting", "等待"),
        "PROGRAM_OPTIONAL_STOP": Text("optional stop by the program", "程序选择停止"),
    },
    "CONTROLLER_MODE": {
        "AUTOMATIC": Text("automatic", "自动"),
        "MANUAL": Text("manual", "手动"),
        "MANUAL_DATA_INPUT": Text("manual input (MDI)", "手动输入（MDI）"),
        "SEMI_AUTOMATIC": Text("semi-automatic", "半自动"),
        "EDIT": Text("edit", "编辑"),
        "FEED_HOLD": Text("feed hold", "进给保持"),
    },
    "FUNCTIONAL_MODE": {
        "PRODUCTION": Text("production", "生产"),
        "SETUP": Text("set-up", "调试准备"),
        "TEARDOWN": Text("tear-down", "拆换"),
        "MAINTENANCE": Text("maintenance", "维护"),
        "PROCESS_DEVELOPMENT": Text("process development", "工艺开发"),
    },
    "EMERGENCY_STOP": {"ARMED": Text("armed", "待命"), "TRIGGERED": Text("triggered", "已触发")},
    "ROTARY_MODE": {
        "SPINDLE": Text("spindle", "主轴"),
        "INDEX": Text("index", "分度"),
        "CONTOUR": Text("contour", "轮廓"),
    },
    "CHUCK_STATE": _DOORS,
    "DOOR_STATE": _DOORS,
    "CONTROLLER_MODE_OVERRIDE": _ON_OFF,
    "POWER_STATE": _ON_OFF,
    "LOCK_STATE": {"LOCKED": Text("locked", "已锁定"), "UNLOCKED": Text("unlocked", "未锁定")},
    "PATH_MODE": {
        "INDEPENDENT": Text("independent", "独立"),
        "MASTER": Text("master", "主"),
        "SYNCHRONOUS": Text("synchronous", "同步"),
        "MIRROR": Text("mirror", "镜像"),
    },
    "AXIS_STATE": {
        "HOME": Text("home", "原点"),
        "TRAVEL": Text("travelling", "移动"),
        "PARKED": Text("parked", "停放"),
        "STOPPED": Text("stopped", "停止"),
    },
    "PROGRAM_EDIT": {
        "ACTIVE": Text("active", "编辑中"),
        "READY": Text("ready", "可编辑"),
        "NOT_READY": Text("not ready", "不可编辑"),
    },
}

COUNTS: Final = frozenset((
    "PART_COUNT", "LINE", "LINE_NUMBER", "BLOCK_COUNT", "CYCLE_COUNT", "TRANSFER_COUNT", "LOAD_COUNT", "UNLOAD_COUNT",
    "ACTIVATION_COUNT", "DEACTIVATION_COUNT",
))  # fmt: skip
"""Events that are whole numbers."""
NUMBERS: Final = frozenset((
    "PATH_FEEDRATE_OVERRIDE", "AXIS_FEEDRATE_OVERRIDE", "ROTARY_VELOCITY_OVERRIDE", "VARIABLE",
))  # fmt: skip
"""Events that are numbers."""

UNITS: Final = {
    "MILLIMETER": "mm", "MILLIMETER_3D": "mm", "MILLIMETER/SECOND": "mm/s", "MILLIMETER/MINUTE": "mm/min",
    "METER": "m", "METER/SECOND^2": "m/s2", "METER/SECOND": "m/s", "MICRON": "um", "INCH": "[in_i]",
    "DEGREE": "deg", "DEGREE_3D": "deg", "RADIAN": "rad", "PERCENT": "%", "COUNT": "{count}",
    "REVOLUTION/MINUTE": "{rpm}", "CELSIUS": "Cel", "KELVIN": "K", "FAHRENHEIT": "[degF]",
    "SECOND": "s", "MINUTE": "min", "HOUR": "h", "NEWTON": "N", "NEWTON_METER": "N.m",
    "PASCAL": "Pa", "BAR": "bar", "MILLIBAR": "mbar", "POUND/INCH^2": "[psi]",
    "GRAM": "g", "KILOGRAM": "kg", "LITER": "L", "MILLILITER": "mL", "LITER/SECOND": "L/s", "LITER/MINUTE": "L/min",
    "CUBIC_METER": "m3", "SQUARE_METER": "m2", "WATT": "W", "KILOWATT": "kW", "KILOWATT_HOUR": "kW.h",
    "WATT_HOUR": "Wh", "WATT_SECOND": "J", "JOULE": "J", "VOLT": "V", "AMPERE": "A", "OHM": "Ohm", "HERTZ": "Hz",
    "VOLT_AMPERE": "VA", "VOLT_AMPERE_REACTIVE": "{var}", "DECIBEL": "dB", "PH": "[pH]",
}  # fmt: skip


def unit_of(units: str) -> str:
    """Return the UCUM code of a unit of MTConnect, or the name itself where there is none."""
    return UNITS.get(units, units)


def kind_of(category: str, kind: str, units: str, values: tuple[str, ...]) -> SampleKind:
    """Tell what samples a data item gives; `values` are those its description admits."""
    if category == "SAMPLE":
        return SampleKind.FLOAT
    if category == "CONDITION":
        return SampleKind.ENUMERATION
    if kind in COUNTS:
        return SampleKind.INTEGER
    if units or kind in NUMBERS:
        return SampleKind.FLOAT
    if kind in VOCABULARIES or len(values) > 1:
        return SampleKind.ENUMERATION
    return SampleKind.TEXT
