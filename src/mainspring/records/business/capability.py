"""Capabilities: which process on which material, how large and how fine, an asset or a supplier can do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import F, Q, QuerySet

from mainspring.core.text import Text
from mainspring.records.business.party import Party
from mainspring.records.defined import fields
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import RELEASED, Group, Rule, Shape
from mainspring.records.plant.asset import Asset
from mainspring.records.tenant import Tenant


class Capability(Defined):
    """What someone can do: a process, on a material, within sizes, to a tolerance."""

    number = fields.code(Text("Number", "编号"), series="CAP")
    asset = fields.link(Asset, Text("Asset", "资产"))
    party = fields.link(Party, Text("Party", "往来方"), hint=Text("who works for others", "外协单位"))
    process = fields.code(Text("Process", "工艺"), length=80)
    material = fields.code(Text("Material", "材料"), length=80, need=False, hint=Text("empty: any", "空表示不限"))
    size_least = fields.exact(Text("Smallest size", "最小尺寸"), least=0, unit="mm")
    size_most = fields.exact(Text("Largest size", "最大尺寸"), least=0, unit="mm")
    tolerance = fields.exact(Text("Finest tolerance", "最高精度"), least=0, unit="mm")
    per_hour = fields.exact(Text("Units per hour", "每小时产量"), above=0, unit="/h")
    remarks = fields.notes(Text("Notes", "备注"))

    kind = "capability"
    shape = Shape(
        one=Text("Capability", "能力"),
        many=Text("Capabilities", "能力"),
        group=Group.PRODUCTION,
        key=("number",),
        columns=("number", "process", "material", "asset", "party", "size_most", "tolerance"),
        found_by=("number", "process", "material"),
        place="asset",
        states=RELEASED,
        rules=(
            Rule(
                "someones",
                Q(asset__isnull=False) | Q(party__isnull=False),
                Text("Say which asset or which party can do it.", "请填写具备该能力的资产或往来方。"),
                "asset",
            ),
            Rule(
                "sizes",
                Q(size_least__isnull=True) | Q(size_most__isnull=True) | Q(size_least__lte=F("size_most")),
                Text("The smallest size is larger than the largest.", "最小尺寸大于最大尺寸。"),
                "size_least",
            ),
        ),
    )


def able(
    tenant: Tenant, process: str, material: str = "", size: Decimal | None = None, tolerance: Decimal | None = None
) -> QuerySet[Any]:
    """Return the released capabilities that cover what a piece of work needs; sizes and tolerance in mm."""
    rows = Capability.objects.of(tenant).filter(state="released", process=process)
    if material:
        rows = rows.filter(Q(material="") | Q(material=material))
    if size is not None:
        rows = rows.filter(Q(size_least__isnull=True) | Q(size_least__lte=size))
        rows = rows.filter(Q(size_most__isnull=True) | Q(size_most__gte=size))
    if tolerance is not None:
        rows = rows.filter(tolerance__lte=tolerance)
    return rows.order_by("number")
