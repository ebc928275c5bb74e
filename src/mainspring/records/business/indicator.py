"""Indicators: what is to become better, how it is worked out, and what it was before."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import F, Q

from mainspring.core.text import Text
from mainspring.records.defined import fields
from mainspring.records.defined.fields import Choices
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import RELEASED, Group, Rule, Shape
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.tag import Tag


class Better(Choices):
    """Which way an indicator gets better."""

    MORE = "more", "More is better", "越大越好"
    LESS = "less", "Less is better", "越小越好"


class Period(Choices):
    """What time one value of an indicator is for."""

    SHIFT = "shift", "Shift", "班"
    DAY = "day", "Day", "日"
    WEEK = "week", "Week", "周"
    MONTH = "month", "Month", "月"
    YEAR = "year", "Year", "年"


class Indicator(Defined):
    """A figure that is watched: its definition, its baseline period and value, its target."""

    code = fields.code(Text("Code", "代码"))
    name = fields.words(Text("Name", "名称"))
    asset = fields.link(Asset, Text("Asset", "资产"))
    definition = fields.notes(Text("Definition", "定义"), hint=Text("formula and sources", "公式与数据来源"))
    tag = fields.link(Tag, Text("Tag", "测点"), hint=Text("if one carries its values", "若有测点承载其值"))
    unit = fields.unit(Text("Unit", "单位"))
    better = fields.choice(Better, Text("Direction", "方向"), default=Better.MORE)
    period = fields.choice(Period, Text("Period", "周期"), default=Period.MONTH)
    baseline_from = fields.day(Text("Baseline from", "基准期开始"))
    baseline_until = fields.day(Text("Baseline until", "基准期结束"))
    baseline = fields.exact(Text("Baseline", "基准值"), unit_in="unit")
    target = fields.exact(Text("Target", "目标值"), unit_in="unit")

    kind = "indicator"
    shape = Shape(
        one=Text("Indicator", "指标"),
        many=Text("Indicators", "指标"),
        group=Group.PRODUCTION,
        key=("code",),
        columns=("code", "name", "asset", "unit", "baseline", "target"),
        found_by=("code", "name"),
        place="asset",
        states=RELEASED,
        rules=(
            Rule(
                "baseline",
                Q(baseline__isnull=True, baseline_from__isnull=True, baseline_until__isnull=True)
                | Q(baseline_from__isnull=False, baseline_until__gte=F("baseline_from")),
                Text("A baseline has a first and a last day.", "基准值须有基准期的开始与结束日期。"),
                "baseline_until",
            ),
        ),
    )

    def gain(self, value: Decimal) -> Decimal | None:
        """Return by how much a value is better than the baseline, as a part of it; None without a baseline."""
        if not self.baseline:
            return None
        change = (value - self.baseline) / abs(self.baseline)
        return Decimal(change if self.better == Better.MORE else -change)
