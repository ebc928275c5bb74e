"""Types of assets and what is known of one piece of equipment beyond its place in the tree."""

from __future__ import annotations

from typing import Annotated, Final

from django.db.models import F, Q
from pydantic import Field

from mainspring.core.text import Text
from mainspring.records.business.calendar import Calendar
from mainspring.records.business.location import Location
from mainspring.records.business.party import Party
from mainspring.records.defined import fields
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import RELEASED, Group, Move, Rule, Shape, States
from mainspring.records.draft import Draft, Name, Unit
from mainspring.records.faults import Invalid
from mainspring.records.plant.asset import Asset

PROPERTIES_MAX: Final = 500
_TWICE: Final = Text("There is already a property {name}.", "已有属性 {name}。")
_SemanticId = Annotated[str, Field(max_length=300)]


class Property(Draft):
    """One property of a submodel (AAS): what it is called, what it means, its value for all of the type."""

    submodel: str = fields.cell(
        Text("Submodel", "子模型"), min_length=1, max_length=128, description="idShort of the submodel"
    )
    name: str = fields.cell(
        Text("Property", "属性标识"), pattern=r"^[A-Za-z][A-Za-z0-9_]{0,127}$", description="idShort of the property"
    )
    words: Name = fields.cell(Text("Name", "名称"))
    semantic_id: _SemanticId = fields.cell(Text("Semantic id", "语义标识"), default="")
    unit: Unit = fields.cell(Text("Unit", "单位"), control="unit", default="1")
    value: str = fields.cell(
        Text("Value", "值"), default="", max_length=500,
        description="of all assets of the type; empty: each has its own",
    )  # fmt: skip


class AssetType(Defined):
    """What assets of one design have in common: maker, designation, submodels with their properties (AAS)."""

    code = fields.code(Text("Code", "代码"))
    name = fields.words(Text("Name", "名称"))
    maker = fields.link(Party, Text("Maker", "制造商"))
    designation = fields.code(Text("Type designation", "型号"), length=120, need=False)
    properties = fields.rows(Property, Text("Properties", "属性"), most=PROPERTIES_MAX)
    remarks = fields.notes(Text("Notes", "备注"))

    kind = "asset-type"
    shape = Shape(
        one=Text("Asset type", "资产类型"),
        many=Text("Asset types", "资产类型"),
        group=Group.ENGINEERING,
        key=("code",),
        columns=("code", "name", "maker", "designation"),
        found_by=("code", "name", "designation"),
        states=RELEASED,
    )

    def settle(self) -> None:
        """Refuse two properties of one name in a submodel."""
        seen: set[tuple[str, str]] = set()
        for place, row in enumerate(self.properties):
            name = (row["submodel"], row["name"])
            if name in seen:
                raise Invalid({f"properties.{place}.name": _TWICE.format(name="/".join(name))})
            seen.add(name)


SERVICE: Final = States(
    words={
        "planned": Text("Planned", "计划中"),
        "in-service": Text("In service", "在用"),
        "out-of-service": Text("Out of service", "停用"),
        "scrapped": Text("Scrapped", "已报废"),
    },
    moves=(
        Move("put-in-service", ("planned", "out-of-service"), "in-service", Text("Put in service", "投用")),
        Move("take-out", ("in-service",), "out-of-service", Text("Take out of service", "停用")),
        Move("scrap", ("planned", "in-service", "out-of-service"), "scrapped", Text("Scrap", "报废")),
    ),
    fixed=frozenset({"scrapped"}),
)


class Equipment(Defined):
    """One asset as a piece of equipment: type, serial number, calendar, where it stands, whose it is."""

    asset = fields.link(Asset, Text("Asset", "资产"), need=True)
    number = fields.code(Text("Equipment number", "设备编号"), series="EQ")
    type = fields.link(AssetType, Text("Type", "类型"))
    serial = fields.code(Text("Serial number", "出厂编号"), need=False)
    owner = fields.link(Party, Text("Owner", "所有方"))
    calendar = fields.link(Calendar, Text("Calendar", "工作日历"))
    location = fields.link(Location, Text("Location", "位置"))
    built = fields.day(Text("Built", "制造日期"))
    installed = fields.day(Text("Installed", "安装日期"))

    kind = "equipment"
    shape = Shape(
        one=Text("Equipment", "设备台账"),
        many=Text("Equipment", "设备台账"),
        group=Group.MAINTENANCE,
        key=("asset",),
        title="number",
        order="number",
        columns=("number", "asset", "type", "serial", "installed"),
        found_by=("number", "serial"),
        place="asset",
        states=SERVICE,
        labels=("serial",),
        rules=(
            Rule(
                "installed_after_built",
                Q(built__isnull=True) | Q(installed__isnull=True) | Q(installed__gte=F("built")),
                Text("It cannot be installed before it is built.", "安装日期不能早于制造日期。"),
                "installed",
            ),
        ),
    )
