"""What ties assets to one another beside their place in the tree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Q

from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.business.graph import leads_to
from mainspring.records.defined import fields
from mainspring.records.defined.fields import Choices
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import Group, Rule, Shape
from mainspring.records.faults import Invalid
from mainspring.records.plant.asset import Asset

_CYCLE: Final = Text("An asset cannot be a part of itself.", "资产不能是其自身的组成部分。")


class Tie(Choices):
    """What one asset is to another."""

    FEEDS = "feeds", "Feeds", "供给"
    MEASURES = "measures", "Measures", "计量"
    NETWORKED = "networked", "Networked with", "联网"
    PART_OF = "part-of", "Part of", "组成"


class AssetLink(Defined):
    """That one asset feeds, measures, is networked with, or is a part of another."""

    source = fields.link(Asset, Text("Asset", "资产"), need=True)
    sort = fields.choice(Tie, Text("Tie", "关系"))
    target = fields.link(Asset, Text("Other asset", "对方资产"), need=True)
    carries = fields.code(
        Text("Carries", "介质"), length=80, need=False, hint=Text("steam, power, 5G", "蒸汽、电力、5G")
    )
    capacity = fields.exact(Text("Capacity", "容量"), least=0, unit_in="unit")
    unit = fields.unit(Text("Unit", "单位"))

    source_id: UUID
    target_id: UUID
    kind = "asset-link"
    shape = Shape(
        one=Text("Asset link", "资产关系"),
        many=Text("Asset links", "资产关系"),
        group=Group.ENGINEERING,
        key=("source", "sort", "target"),
        title="sort",
        columns=("source", "sort", "target", "carries", "capacity"),
        found_by=("carries",),
        place="source",
        rules=(
            Rule(
                "not_itself",
                ~Q(source=F("target")),
                Text("An asset is not tied to itself.", "资产不能与其自身建立关系。"),
                "target",
            ),
        ),
    )

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse a part that is a part of itself; what is fed may well feed back."""
        if self.sort == Tie.PART_OF and leads_to(self.target_id, self.source_id, _wholes):
            raise Invalid({"target": _CYCLE})

    def label(self) -> str:
        """Return both assets."""
        return f"{self.source.path} {self.sort} {self.target.path}"


def _wholes(ids: list[UUID]) -> Iterable[UUID]:
    return AssetLink.objects.filter(source__in=ids, sort=Tie.PART_OF).values_list("target_id", flat=True)
