"""Items: what is bought, made, used up or sold, by number and revision."""

from __future__ import annotations

from mainspring.core.text import Text
from mainspring.records.defined import fields
from mainspring.records.defined.fields import Choices, Grade
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import RELEASED, Group, Shape


class ItemKind(Choices):
    """What an item is to the plant that keeps it."""

    RAW = "raw", "Raw material", "原材料"
    PART = "part", "Part", "零部件"
    ASSEMBLY = "assembly", "Assembly", "装配件"
    PRODUCT = "product", "Product", "成品"
    BY_PRODUCT = "by-product", "By-product", "副产品"
    CONSUMABLE = "consumable", "Consumable", "耗材"
    SPARE = "spare", "Spare part", "备件"
    PACKAGING = "packaging", "Packaging", "包装"
    TOOL = "tool", "Tool", "工具"
    ENERGY = "energy", "Energy carrier", "能源介质"
    SERVICE = "service", "Service", "服务"


class Tracked(Choices):
    """How finely the units of an item are told apart."""

    QUANTITY = "quantity", "By quantity alone", "仅按数量"
    LOT = "lot", "By lot", "按批次"
    SERIAL = "serial", "By serial number", "按序列号"


class Item(Defined):
    """A material definition (ISA-95): what a lot is one of."""

    number = fields.code(Text("Number", "物料编码"))
    revision = fields.code(Text("Revision", "版本"), length=16, default="A")
    name = fields.words(Text("Name", "名称"))
    sort = fields.choice(ItemKind, Text("Kind", "类别"), default=ItemKind.PART)
    family = fields.code(Text("Family", "物料组"), length=80, need=False)
    unit = fields.unit(Text("Unit", "单位"), default="{count}")
    tracked = fields.choice(Tracked, Text("Told apart", "追溯方式"), default=Tracked.QUANTITY)
    made = fields.yes(Text("Made here", "自制"))
    gtin = fields.code(Text("GTIN", "商品条码"), length=14, need=False)
    size = fields.code(Text("Size", "规格"), length=120, need=False)
    weight = fields.exact(Text("Weight of one", "单重"), least=0, unit="kg")
    stock_least = fields.exact(Text("Safety stock", "安全库存"), least=0, unit_in="unit")
    reorder_at = fields.exact(Text("Reorder at", "再订货点"), least=0, unit_in="unit")
    order_least = fields.exact(Text("Smallest order", "最小订货量"), least=0, unit_in="unit")
    lead_days = fields.exact(Text("Lead time", "提前期"), least=0, unit="d")
    shelf_days = fields.whole(Text("Shelf life", "保质期"), least=1, unit="d")
    cost = fields.exact(Text("Standard cost", "标准成本"), least=0, unit_in="currency", grade=Grade.CONFIDENTIAL)
    price = fields.exact(Text("List price", "标价"), least=0, unit_in="currency")
    currency = fields.code(Text("Currency", "币种"), length=3, default="CNY")
    notes = fields.notes(Text("Notes", "备注"))

    kind = "item"
    shape = Shape(
        one=Text("Item", "物料"),
        many=Text("Items", "物料"),
        group=Group.MATERIAL,
        key=("number", "revision"),
        title="number",
        columns=("number", "revision", "name", "sort", "unit", "tracked"),
        found_by=("number", "name", "size", "gtin"),
        states=RELEASED,
        labels=("name", "revision"),
    )
