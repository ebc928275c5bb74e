"""What the demo plant keeps about itself: people, equipment, materials, orders, findings - invented, and said to be.

Reactions and molar masses of the process: Downs and Vogel, Computers & Chemical Engineering 17 (1993): A + C + D make
G, A + C + E make H; in 62 kg of G are 2 kg of A, 28 kg of C and 32 kg of D.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from mainspring.demo.edge import MACHINE as MACHINE_7
from mainspring.demo.machine import MACHINE as LATHE
from mainspring.demo.plant import CHILLER, SHIFTS, TEP

Rows = list[dict[str, Any]]
SITE: Final = "demo/plant-1"
REACTOR: Final = f"{TEP}/reactor"
FEED: Final = f"{TEP}/feed"
STRIPPER: Final = f"{TEP}/stripper"
PAPER: Final = (
    "SOP-R-01",
    "reactor-limits.md",
    "# Operating limits of the reactor / 反应器操作限值\n\n"
    "| | limit / 限值 | response / 处置 |\n|---|---|---|\n"
    "| pressure / 压力 | 2745 kPa H, 2800 kPa HH, trip / 联锁 3000 kPa | purge valve / 开大弛放气阀 |\n"
    "| temperature / 温度 | 120.52 °C H | cooling water / 检查冷却水 |\n"
    "| level / 液位 | 71.5 % L | feeds / 查看进料 |\n",
)
"""Number of the document, name of its file, and what stands in it."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Days and times so many days from now, by the plant's clock."""

    day: Callable[[int], date]
    at: Callable[[int, str], int]
    now: datetime


def rows(clock: Clock) -> list[tuple[str, Rows]]:
    """Return the records by kind, in an order in which each comes after what it links to."""
    return [
        ("calendar", _calendars(clock)),
        ("party", _COMPANIES),
        ("party", _DEPARTMENTS),
        ("party", _PEOPLE),
        ("role", [_ROLE]),
        ("location", [_SITE]),
        ("location", _PLACES),
        ("asset-type", _TYPES),
        ("equipment", _equipment()),
        ("asset-link", _TIES),
        ("capability", _CAPABILITIES),
        ("item", _ITEMS),
        ("bill-of-material", [_bill("TE-G/A"), _bill("TE-H/A")]),
        ("bill-line", _bill_lines()),
        ("operation", _OPERATIONS),
        ("operation-order", [_after("20", "10"), _after("30", "20")]),
        ("operation-material", [_goes_in("SH-9312/A", "10"), _goes_in("SD-9872/A", "30")]),
        ("lot", _lots(clock)),
        ("document", [_paper()]),
        ("project", [_project(clock)]),
        ("project-member", _MEMBERS),
        ("project-task", _tasks(clock)),
        ("order", _orders(clock)),
        ("order-line", _order_lines(clock)),
        ("order-link", [{"supply": "WO-1002/10", "demand": "SO-1001/10", "sort": "peg", "quantity": 20_000}]),
        ("finding", _findings(clock)),
        ("commitment", [_commitment(clock)]),
        ("settlement", [_settlement(clock)]),
        ("indicator", _indicators(clock)),
        ("criterion", _CRITERIA),
        ("evidence", _evidence(clock)),
    ]


def _named(en: str, zh: str) -> dict[str, str]:
    return {"en": en, "zh": zh}


def _calendars(clock: Clock) -> Rows:
    names = (_named("Early", "早班"), _named("Late", "中班"), _named("Night", "夜班"))
    ends = (*SHIFTS[1:], SHIFTS[0])
    week = [1, 2, 3, 4, 5, 6, 7]
    shifts = [
        {"name": name, "start": start, "end": end, "weekdays": week}
        for name, start, end in zip(names, SHIFTS, ends, strict=True)
    ]
    day = {"name": _named("Day", "白班"), "start": "08:00", "end": "17:00"}
    holidays = [
        {"first": f"{year}-{first}", "last": f"{year}-{last}", "reason": reason, "shifts": []}
        for year in (clock.now.year, clock.now.year + 1)
        for first, last, reason in (
            ("01-01", "01-01", _named("New Year", "元旦")), ("05-01", "05-02", _named("Labour Day", "劳动节")),
            ("10-01", "10-03", _named("National Day", "国庆节")),
        )
    ]  # fmt: skip
    return [
        {"code": "3S", "name": _named("Three shifts", "三班连续"), "shifts": shifts, "state": "released"},
        {"code": "DAY", "name": _named("Day shift with holidays", "白班（含节假日）"), "exceptions": holidays,
         "shifts": [day | {"weekdays": [1, 2, 3, 4, 5]}], "state": "released"},
    ]  # fmt: skip


_COMPANIES: Final[Rows] = [
    {"number": "DEMO", "name": _named("Demo enterprise", "演示企业")},
    {
        "number": "HARBOUR",
        "name": _named("Harbour Gases (invented)", "海港气体（虚构）"),
        "supplier": True,
        "rating": 1,
    },
    {"number": "RIVERSIDE", "name": _named("Riverside Polymers (invented)", "江畔聚合物（虚构）"), "customer": True},
    {"number": "OKUMA", "name": _named("Okuma", "大隈"), "maker": True},
]
_DEPARTMENTS: Final[Rows] = [
    {"number": "PROD", "name": _named("Production", "生产部"), "sort": "unit", "within": "DEMO"},
    {"number": "MAINT", "name": _named("Maintenance", "设备部"), "sort": "unit", "within": "DEMO"},
    {"number": "QA", "name": _named("Quality", "质量部"), "sort": "unit", "within": "DEMO"},
    {"number": "EHS", "name": _named("Safety and environment", "安全环保部"), "sort": "unit", "within": "DEMO"},
]
_PEOPLE: Final[Rows] = [
    {"number": "E-101", "name": _named("Li Wei", "李伟"), "sort": "person", "within": "PROD"},
    {"number": "E-102", "name": _named("Wang Fang", "王芳"), "sort": "person", "within": "QA"},
    {"number": "E-103", "name": _named("Zhang Qiang", "张强"), "sort": "person", "within": "MAINT"},
]
_ROLE: Final[dict[str, Any]] = {
    "code": "planner", "name": _named("Maintenance planner", "维修计划员"), "rights": [{"right": "acknowledge"}],
    "permissions": [
        {"kinds": ["finding", "order"], "doings": ["view", "comment", "create", "change", "move"], "moves": ["*"]},
        {"kinds": ["group:material"], "doings": ["view"]},
    ],
}  # fmt: skip
_SITE: Final[dict[str, Any]] = {"code": "PLANT-1", "name": _named("Plant 1", "一号厂区"), "asset": SITE}
_PLACES: Final[Rows] = [
    {"code": "HALL-A", "name": _named("Machining hall", "机加工车间"), "sort": "building", "within": "PLANT-1",
     "asset": "demo/plant-1/machining"},
    {"code": "TANK-G", "name": _named("Product tanks", "产品罐区"), "sort": "store", "within": "PLANT-1"},
]  # fmt: skip
_TYPES: Final[Rows] = [
    {"code": "MULTUS", "name": _named("Multitasking machine", "车铣复合加工中心"), "maker": "OKUMA",
     "designation": "MULTUS U3000", "state": "released", "properties": [
        {"submodel": "TechnicalData", "name": "SpindleSpeedMax", "words": _named("Spindle speed", "主轴最高转速"),
         "unit": "{rpm}", "value": "5000"},
        {"submodel": "TechnicalData", "name": "MillingSpeedMax", "words": _named("Milling speed", "铣削主轴最高转速"),
         "unit": "{rpm}", "value": "12000"}]},
    {"code": "CHILLER", "name": _named("Centrifugal chiller", "离心式冷水机组"), "state": "released"},
    {"code": "REACTOR", "name": _named("Stirred reactor with cooling", "带冷却的搅拌反应器"), "state": "released"},
]  # fmt: skip


def _equipment() -> Rows:
    listed = (
        ("EQ-0101", REACTOR, "REACTOR", "PLANT-1"), ("EQ-0106", CHILLER, "CHILLER", "PLANT-1"),
        ("EQ-0201", LATHE, "MULTUS", "HALL-A"), ("EQ-0207", MACHINE_7, None, "HALL-A"),
    )  # fmt: skip
    return [
        {"number": number, "asset": asset, "type": sort, "location": place, "owner": "DEMO", "calendar": "3S",
         "state": "in-service"}
        for number, asset, sort, place in listed
    ]  # fmt: skip


_TIES: Final[Rows] = [
    {"source": CHILLER, "sort": "feeds", "target": f"{TEP}/separator", "carries": "冷冻水 / chilled water"},
    {"source": FEED, "sort": "feeds", "target": REACTOR, "carries": "A, C, D, E"},
]
_CAPABILITIES: Final[Rows] = [
    {"number": "CAP-01", "asset": LATHE, "process": "turning", "material": "aluminium", "size_most": 650,
     "tolerance": 0.01, "state": "released"},
    {"number": "CAP-02", "asset": LATHE, "process": "milling", "material": "aluminium", "size_most": 300,
     "tolerance": 0.02, "state": "released"},
]  # fmt: skip
_ITEMS: Final[Rows] = [
    {"number": number, "name": _named(en, zh), "sort": sort, "tracked": tracked, "unit": "kg", "made": made,
     "state": "released"}
    for number, en, zh, sort, tracked, made in (
        ("TE-A", "Reactant A", "反应物 A", "raw", "quantity", False),
        ("TE-C", "Reactant C", "反应物 C", "raw", "quantity", False),
        ("TE-D", "Reactant D", "反应物 D", "raw", "lot", False),
        ("TE-E", "Reactant E", "反应物 E", "raw", "lot", False),
        ("TE-F", "By-product F", "副产物 F", "by-product", "quantity", True),
        ("TE-G", "Product G", "产品 G", "product", "lot", True),
        ("TE-H", "Product H", "产品 H", "product", "lot", True),
    )
]  # fmt: skip


def _bill(item: str) -> dict[str, Any]:
    makes = 62 if item == "TE-G/A" else 76
    return {"item": item, "alternative": "1", "quantity": makes, "unit": "kg", "state": "released"}


def _bill_lines() -> Rows:
    return [
        {"bill": f"{item}/1", "position": 10 * place, "item": f"{part}/A", "quantity": quantity, "unit": "kg"}
        for item, third, mass in (("TE-G/A", "TE-D", 32), ("TE-H/A", "TE-E", 46))
        for place, (part, quantity) in enumerate((("TE-A", 2), ("TE-C", 28), (third, mass)), 1)
    ]


_OPERATIONS: Final[Rows] = [
    {"item": "HU-8998/A", "number": number, "name": _named(en, zh), "process": process, "setup_s": setup,
     "each_s": each, "state": "released"}
    for number, en, zh, process, setup, each in (
        ("10", "Turn the shell", "车削花鼓壳", "turning", 1800, 310),
        ("20", "Drill the flanges", "铣钻法兰孔", "milling", 900, 140),
        ("30", "Press in the axle", "压装轴芯", "pressing", 0, 45),
    )
]  # fmt: skip


def _after(number: str, before: str) -> dict[str, Any]:
    return {"operation": f"HU-8998/A/1/{number}", "after": f"HU-8998/A/1/{before}"}


def _goes_in(item: str, number: str) -> dict[str, Any]:
    return {"operation": f"HU-8998/A/1/{number}", "direction": "in", "item": item, "quantity": 1}


def _lots(clock: Clock) -> Rows:
    return [
        {
            "item": "TE-D/A",
            "number": "D-2204",
            "made": clock.day(-12),
            "supplier": "HARBOUR",
            "supplier_lot": "HG-77120",
        },
        {
            "item": "TE-E/A",
            "number": "E-1187",
            "made": clock.day(-15),
            "supplier": "HARBOUR",
            "supplier_lot": "HG-77093",
        },
        {"item": "TE-G/A", "number": "G-0416", "made": clock.day(-4), "state": "used-up"},
        {"item": "TE-G/A", "number": "G-0417", "made": clock.day(-3), "state": "blocked"},
        {"item": "TE-G/A", "number": "G-0418", "made": clock.day(-2), "state": "available"},
        {"item": "TE-G/A", "number": "G-0419", "made": clock.day(-1), "state": "held"},
        {"item": "TE-H/A", "number": "H-0211", "made": clock.day(-6), "state": "available"},
    ]


def _paper() -> dict[str, Any]:
    title = _named("Operating limits of the reactor", "反应器操作限值")
    return {"number": PAPER[0], "title": title, "sort": "instruction", "asset": REACTOR, "author": "PROD"}


def _project(clock: Clock) -> dict[str, Any]:
    return {
        "number": "PR-01", "name": _named("Chilled water at part load", "冷冻水部分负荷节能"), "asset": CHILLER,
        "lead": "E-103", "begins": clock.day(-40), "ends": clock.day(80), "state": "running",
    }  # fmt: skip


_MEMBERS: Final[Rows] = [
    {"project": "PR-01", "party": "E-103", "part": "负责人 / lead", "share": 30},
    {"project": "PR-01", "party": "E-101", "part": "运行 / operation", "share": 10},
]


def _tasks(clock: Clock) -> Rows:
    listed = (
        ("1", "Measure four weeks", "连续计量四周", "E-101", -40, -12, 100, "done"),
        ("2", "Reset the supply temperature", "供水温度随负荷重设", "E-103", -11, 20, 40, "running"),
        ("3", "Verify the savings", "验证节能量", "E-103", 21, 80, 0, "open"),
    )
    return [
        {"project": "PR-01", "number": number, "name": _named(en, zh), "assignee": who, "begins": clock.day(begins),
         "ends": clock.day(ends), "progress": progress, "state": state}
        for number, en, zh, who, begins, ends, progress, state in listed
    ]  # fmt: skip


def _orders(clock: Clock) -> Rows:
    listed = (
        ("SO-1001", "sales", "产品 G / Product G", "RIVERSIDE", STRIPPER, "E-101", 6, -6, -1, 4, "released"),
        ("WO-1001", "work", "HL 花鼓 / HL hubs", None, LATHE, "E-101", 5, -4, -2, 2, "started"),
        ("WO-1002", "work", "产品 G / Product G", None, STRIPPER, "E-101", 6, -5, -3, 1, "started"),
        ("WO-1003", "work", "产品 H / Product H", None, STRIPPER, "E-101", 5, -1, 2, 6, "draft"),
        (
            "MO-1001",
            "maintenance",
            "7 号设备轴承 / Bearing of machine 7",
            None,
            MACHINE_7,
            "E-103",
            8,
            -2,
            -1,
            1,
            "started",
        ),
        ("MO-1002", "maintenance", "冷凝器清洗 / Condenser tubes", None, CHILLER, "E-103", 4, -9, 3, 10, "released"),
        ("IN-1001", "inspection", "批次 G-0419 / Lot G-0419", None, STRIPPER, "E-102", 5, -1, 0, 1, "released"),
        ("PT-1001", "permit", "进料管线动火 / Hot work at the feed line", None, FEED, "E-103", 7, -1, 1, 1, "draft"),
    )
    return [
        {"number": number, "sort": sort, "subject": subject, "party": party, "asset": asset, "responsible": who,
         "priority": priority, "ordered_ms": clock.at(ordered, "09:10"), "begin_ms": clock.at(begins, "06:00"),
         "due_ms": clock.at(due, "22:00"), "state": state}
        for number, sort, subject, party, asset, who, priority, ordered, begins, due, state in listed
    ]  # fmt: skip


def _order_lines(clock: Clock) -> Rows:
    return [
        {"order": "SO-1001", "position": 10, "item": "TE-G/A", "quantity": 20_000, "unit": "kg", "price": 9.4,
         "due_ms": clock.at(4, "22:00")},
        {"order": "WO-1001", "position": 10, "item": "HU-8998/A", "quantity": 48},
        {"order": "WO-1002", "position": 10, "item": "TE-G/A", "quantity": 24_800, "unit": "kg"},
        {"order": "WO-1003", "position": 10, "item": "TE-H/A", "quantity": 7600, "unit": "kg"},
        {"order": "MO-1001", "position": 10, "subject": "更换轴承 / Change the bearing"},
        {"order": "MO-1002", "position": 10, "subject": "通刷换热管 / Brush the tubes"},
        {"order": "IN-1001", "position": 10, "item": "TE-G/A", "lot": "TE-G/A/G-0419", "quantity": 1, "unit": "kg",
         "subject": "G、H 含量分析 / Analysis of G and H"},
        {"order": "PT-1001", "position": 10, "subject": "焊接管架 / Weld a support"},
    ]  # fmt: skip


def _findings(clock: Clock) -> Rows:
    return [
        {"sort": "fault", "subject": "部件温度骤降 / Component gone cold", "asset": MACHINE_7, "finder": "E-101",
         "found_ms": clock.at(-2, "15:20"), "severity": "major", "assignee": "E-103", "order": "MO-1001",
         "cause": "轴承卡死 / Bearing seized", "remedy": "已更换轴承 / Bearing changed", "state": "fixed"},
        {"sort": "nonconformity", "subject": "G 含量低于 53.7 mol% / G below 53.7 mol%", "asset": STRIPPER,
         "about": "lot:TE-G/A/G-0417", "finder": "E-102", "found_ms": clock.at(-3, "10:05"), "severity": "minor",
         "assignee": "E-101", "state": "assigned"},
        {"sort": "energy-loss", "subject": "部分负荷能效差 / Poor efficiency at part load", "asset": CHILLER,
         "finder": "E-103", "found_ms": clock.at(-41, "08:30"), "severity": "note", "assignee": "E-103",
         "state": "assigned"},
        {"sort": "hazard", "subject": "取样处缺护栏 / No guard rail at the sampler", "asset": REACTOR,
         "finder": "E-101", "found_ms": clock.at(-1, "16:45"), "severity": "major", "state": "graded"},
        {"sort": "vulnerability", "subject": "OPC UA 未启用签名 / OPC UA without signatures", "asset": TEP,
         "found_ms": clock.at(-1, "23:10"), "description": "安全策略为 None / The security policy is None"},
        {"sort": "hazard", "subject": "缺泄漏应急包 / Spill kit missing", "asset": FEED, "finder": "E-101",
         "found_ms": clock.at(-20, "09:00"), "severity": "minor", "assignee": "E-103", "verifier": "E-102",
         "remedy": "已配备 / Put in place", "state": "verified"},
    ]  # fmt: skip


def _commitment(clock: Clock) -> dict[str, Any]:
    return {
        "number": "C-1001", "sort": "delivery", "debtor": "DEMO", "creditor": "RIVERSIDE", "order": "SO-1001",
        "item": "TE-G/A", "quantity": 20_000, "unit": "kg", "due_ms": clock.at(4, "22:00"), "over": 5,
        "state": "accepted",
    }  # fmt: skip


def _settlement(clock: Clock) -> dict[str, Any]:
    return {
        "number": "S-1001", "commitment": "C-1001", "day": clock.day(-1), "quantity": 12_400, "unit": "kg",
        "about": "lot:TE-G/A/G-0418", "state": "agreed",
    }  # fmt: skip


def _indicators(clock: Clock) -> Rows:
    return [
        {"code": "CHILLER-EFF", "name": _named("Efficiency of the chiller", "冷水机组能效"), "asset": CHILLER,
         "tag": f"{CHILLER}/efficiency", "unit": "kW/[ton_refrigeration]", "better": "less", "period": "week",
         "baseline_from": clock.day(-40), "baseline_until": clock.day(-12), "baseline": 0.62, "target": 0.58,
         "state": "released"},
    ]  # fmt: skip


_CRITERIA: Final[Rows] = [
    {"scheme": "ENERGY", "edition": "1", "number": number, "name": _named(en, zh), "weight": weight,
     "state": "released"}
    for number, en, zh, weight in (
        ("1", "Large consumers are measured", "主要用能设备已计量", 2),
        ("2", "Savings are verified", "节能量经过验证", 3),
    )
]  # fmt: skip


def _evidence(clock: Clock) -> Rows:
    return [
        {"number": "EV-1001", "criterion": "ENERGY/1/1", "asset": CHILLER, "origin": "machine", "score": 100,
         "about": "indicator:CHILLER-EFF", "statement": "功率每 5 秒采集 / Power is read every 5 s",
         "assessor": "E-102", "assessed_ms": clock.at(-10, "11:00"), "state": "accepted"},
    ]  # fmt: skip
