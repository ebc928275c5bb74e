"""Locations: where things stand, on a map or on a floor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from django.db.models import Q
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError, model_validator

from mainspring.core.faults import fault
from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.business.graph import leads_to
from mainspring.records.business.party import IN_USE
from mainspring.records.defined import fields
from mainspring.records.defined.fields import Choices
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import Group, Rule, Shape
from mainspring.records.draft import Draft
from mainspring.records.faults import Invalid
from mainspring.records.plant.asset import Asset

POSITIONS_MAX: Final = 10_000
RINGS_MAX: Final = 100
_OWN_PART: Final = Text("A location cannot lie within itself.", "位置不能位于其自身之内。")
_SHAPE: Final = Text(
    "These are no coordinates of a {type} as GeoJSON has them (RFC 7946).", "坐标不符合 GeoJSON（RFC 7946）的 {type}。"
)
_OPEN: Final = Text("A ring of a polygon ends where it begins.", "多边形的环须首尾相接。")
_EARTH: Final = Text(
    "Longitude comes first, -180 to 180, then latitude, -90 to 90.", "先经度（-180 至 180），后纬度（-90 至 90）。"
)
_FLAT: Final = ("x", "y", "width", "depth")


class Coordinates(Choices):
    """What coordinates of a geometry mean."""

    WGS84 = "wgs84", "WGS 84", "WGS 84"
    CGCS2000 = "cgcs2000", "CGCS2000", "CGCS2000"
    GCJ02 = "gcj02", "GCJ-02", "GCJ-02"
    LOCAL = "local", "Of the plant, in metres", "厂区坐标（米）"


class LocationKind(Choices):
    """What a location is."""

    PLACE = "place", "Place", "场所"
    BUILDING = "building", "Building", "建筑"
    FLOOR = "floor", "Floor", "楼层"
    STORE = "store", "Store", "仓库"
    BIN = "bin", "Storage bin", "库位"
    STATION = "station", "Work station", "工位"
    DOCK = "dock", "Dock", "装卸口"
    OUTSIDE = "outside", "Outside the plant", "厂外"


_Position = Annotated[list[FiniteFloat], Field(min_length=2, max_length=3)]
_Line = Annotated[list[_Position], Field(min_length=2, max_length=POSITIONS_MAX)]
_Ring = Annotated[list[_Position], Field(min_length=4, max_length=POSITIONS_MAX)]
_Rings = Annotated[list[_Ring], Field(min_length=1, max_length=RINGS_MAX)]
_FORMS: Final[dict[str, TypeAdapter[Any]]] = {
    "Point": TypeAdapter(_Position), "LineString": TypeAdapter(_Line), "Polygon": TypeAdapter(_Rings),
}  # fmt: skip


class Geometry(Draft):
    """A place, a line or a surface as GeoJSON (RFC 7946)."""

    type: Literal["Point", "LineString", "Polygon"] = fields.cell(Text("Form", "形状"))
    coordinates: list[Any] = fields.cell(Text("Coordinates", "坐标"), max_length=POSITIONS_MAX)

    @model_validator(mode="after")
    def _fits(self) -> Geometry:
        try:
            self.coordinates = _FORMS[self.type].validate_python(self.coordinates)
        except ValidationError as error:
            raise fault(_SHAPE.format(type=self.type)) from error
        if self.type == "Polygon" and any(ring[0] != ring[-1] for ring in self.coordinates):
            raise fault(_OPEN)
        return self

    def positions(self) -> list[list[float]]:
        """Return all its positions."""
        if self.type == "Point":
            return [self.coordinates]
        return self.coordinates if self.type == "LineString" else [each for ring in self.coordinates for each in ring]


class Location(Defined):
    """Where something stands or lies: a geometry on a map, a rectangle on a floor, or both."""

    code = fields.code(Text("Code", "代码"))
    name = fields.words(Text("Name", "名称"))
    sort = fields.choice(LocationKind, Text("Kind", "类别"), default=LocationKind.PLACE)
    within = fields.link("self", Text("Within", "位于"))
    asset = fields.link(Asset, Text("Asset", "资产"), hint=Text("the part of the plant it is", "所属厂区部位"))
    gln = fields.code(Text("GLN", "全球位置码"), length=13, need=False)
    coordinates = fields.choice(Coordinates, Text("Coordinates", "坐标系"), default=Coordinates.WGS84)
    geometry = fields.nested(Geometry, Text("Geometry", "几何"))
    floor = fields.code(Text("Floor", "楼层"), length=16, need=False)
    x = fields.exact(Text("x", "x"), unit="m", hint=Text("of the corner nearest to the origin", "靠近原点的角"))
    y = fields.exact(Text("y", "y"), unit="m")
    width = fields.exact(Text("Width", "宽"), above=0, unit="m")
    depth = fields.exact(Text("Depth", "深"), above=0, unit="m")
    turned = fields.exact(Text("Turned by", "旋转"), least=-360, most=360, unit="deg")

    within_id: UUID | None
    kind = "location"
    shape = Shape(
        one=Text("Location", "位置"),
        many=Text("Locations", "位置"),
        group=Group.MATERIAL,
        key=("code",),
        columns=("code", "name", "sort", "within", "floor"),
        found_by=("code", "name", "gln"),
        place="asset",
        states=IN_USE,
        labels=("name",),
        rules=(
            Rule(
                "rectangle",
                Q(**{f"{name}__isnull": True for name in _FLAT}) | Q(**{f"{name}__isnull": False for name in _FLAT}),
                Text("A rectangle has x, y, width and depth.", "矩形须同时填写 x、y、宽和深。"),
                "x",
            ),
        ),
    )

    def settle(self) -> None:
        """Refuse coordinates that are nowhere on Earth."""
        if self.geometry is None or self.coordinates == Coordinates.LOCAL:
            return
        if any(abs(each[0]) > 180 or abs(each[1]) > 90 for each in Geometry(**self.geometry).positions()):
            raise Invalid({"geometry": _EARTH})

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Refuse a location that lies within itself; a new one holds nothing yet."""
        if before is not None and self.within_id is not None and leads_to(self.within_id, self.pk, _wholes):
            raise Invalid({"within": _OWN_PART})


def _wholes(ids: list[UUID]) -> Iterable[UUID]:
    return Location.objects.filter(pk__in=ids).exclude(within=None).values_list("within_id", flat=True)
