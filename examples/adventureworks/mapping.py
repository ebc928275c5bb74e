"""AdventureWorks, the sample database of a bicycle maker, as records of the business model.

| table | becomes | how |
|---|---|---|
| Product | Item | revision A; finished goods are products, what is made otherwise assemblies, else parts |
| BillOfMaterials | BillOfMaterial, BillLine | one bill an assembly; a line is valid until EndDate, that day included |
| Vendor | Party | by AccountNumber; inactive ones are blocked |
| PurchaseOrder... | Order, OrderLine | `PO-<id>`; pending is draft, approved released, rejected cancelled |
| Location | Location | `AW-<id>`; places with a cost rate are work stations, the others stores |
| ProductInventory | yielded by `stock` | opening stock, for those who keep stock by events |

Ids of the source stay known as external ids of the system `adventureworks`. Units: paint is mixed in fluid ounces and
grip tape cut in inches, so these items are kept in millilitres and inches. The source tells in which pack a vendor
sells, but only of dozens and gallons how much that is: lines in those two are kept in them, others count the item's
own unit.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from mainspring.records.business.bill import BillOfMaterial
from mainspring.records.business.external_id import ids_of
from mainspring.records.business.item import Item
from mainspring.records.business.order import Order
from mainspring.records.business.party import Party
from mainspring.records.defined.access import Access
from mainspring.records.defined.kinds import find_kind
from mainspring.records.defined.taking import BATCH, Taking
from mainspring.records.defined.writing import adopt
from mainspring.records.importing.imported import Fault

SYSTEM: Final = "adventureworks"
REVISION: Final = "A"
CURRENCY: Final = "USD"
KILOGRAMS: Final = {"LB": Decimal("0.45359237"), "G": Decimal("0.001")}
UNITS: Final = {"EA": ("{count}", Decimal(1)), "IN": ("[in_i]", Decimal(1)), "OZ": ("mL", Decimal("29.5735295625"))}
"""Units of bills: how they are called here, and how much of it one is."""
PACKS: Final = {"DZ": Decimal(12), "GAL": Decimal("3785.411784")}
"""Packs that say themselves how much of the item's unit they hold."""
STATES: Final = {"2": "released", "3": "cancelled", "4": "done"}
Row = dict[str, str]


@dataclass(slots=True)
class Loaded:
    """What came in, by kind, and what was refused."""

    counts: dict[str, int] = field(default_factory=dict)
    refused: list[tuple[str, Fault]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stock:
    """How much of an item lay where when the source was copied."""

    item: UUID
    location: UUID
    place: str
    """Shelf and bin."""
    quantity: Decimal
    unit: str


def load(access: Access, folder: Path) -> Loaded:
    """Take in everything but the stock; what is there already is brought up to date."""
    source = Source(folder)
    loaded = Loaded()
    for part in (_parties, _items, _places, _bills, _orders):
        part(access, source, loaded)
    return loaded


def stock(access: Access, folder: Path) -> Iterator[Stock]:
    """Yield the opening stock of items and locations that are loaded."""
    source, tenant = Source(folder), access.author.tenant
    items, places = ids_of(tenant, SYSTEM, "Product"), ids_of(tenant, SYSTEM, "Location")
    units = dict(Item.objects.of(tenant).values_list("pk", "unit"))
    for row in source.rows("ProductInventory"):
        item = items[row["ProductID"]]
        place = f"{row['Shelf']}/{row['Bin']}"
        yield Stock(item, places[row["LocationID"]], place, Decimal(row["Quantity"]), units[item])


class Source:
    """The folder of tables, as `Product.csv` or `PurchaseOrderHeader.csv.gz`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows of a table, without blanks around values."""
        packed = self._folder / f"{table}.csv.gz"
        plain = self._folder / f"{table}.csv"
        with gzip.open(packed, "rt", encoding="utf-8") if packed.exists() else plain.open(encoding="utf-8") as text:
            for row in csv.DictReader(text):
                yield {name: value.strip() for name, value in row.items()}

    def by(self, table: str, column: str, value: str) -> dict[str, str]:
        """Return one column of a table by another."""
        return {row[column]: row[value] for row in self.rows(table)}


def _parties(access: Access, source: Source, loaded: Loaded) -> None:
    vendors = list(source.rows("Vendor"))
    made = _take(access, loaded, "party", (
        {"number": row["AccountNumber"], "name": {"en": row["Name"]}, "supplier": True,
         "rating": int(row["CreditRating"]), "preferred": row["PreferredVendorStatus"] == "1"}
        for row in vendors
    ), "number")  # fmt: skip
    _remember(
        access, loaded, "Vendor", "party", {row["BusinessEntityID"]: made[row["AccountNumber"]] for row in vendors}
    )
    adopt(access, Party, [made[row["AccountNumber"]] for row in vendors if row["ActiveFlag"] == "0"], "blocked")


def _items(access: Access, source: Source, loaded: Loaded) -> None:
    products = list(source.rows("Product"))
    families = source.by("ProductSubcategory", "ProductSubcategoryID", "Name")
    cut_in = {row["ComponentID"]: UNITS[row["UnitMeasureCode"]][0] for row in source.rows("BillOfMaterials")}
    made = _take(access, loaded, "item", (
        {"number": row["ProductNumber"], "revision": REVISION, "name": {"en": row["Name"]},
         "sort": "product" if row["FinishedGoodsFlag"] == "1" else "assembly" if row["MakeFlag"] == "1" else "part",
         "family": families.get(row["ProductSubcategoryID"], ""), "unit": cut_in.get(row["ProductID"], "{count}"),
         "made": row["MakeFlag"] == "1", "size": _size(row), "weight": _weight(row),
         "stock_least": Decimal(row["SafetyStockLevel"]), "reorder_at": Decimal(row["ReorderPoint"]),
         "lead_days": Decimal(row["DaysToManufacture"]), "cost": Decimal(row["StandardCost"]),
         "price": Decimal(row["ListPrice"]), "currency": CURRENCY}
        for row in products
    ), "number")  # fmt: skip
    ids = {row["ProductID"]: made[row["ProductNumber"]] for row in products}
    _remember(access, loaded, "Product", "item", ids)
    packs = {row["ProductID"]: row["UnitMeasureCode"] for row in source.rows("ProductVendor")}
    _take(access, loaded, "unit-of-measure", (
        {"item": str(ids[product]), "code": pack, "many": 1, "amount": PACKS[pack]}
        for product, pack in packs.items() if pack in PACKS
    ))  # fmt: skip
    adopt(access, Item, list(made.values()), "released")


def _places(access: Access, source: Source, loaded: Loaded) -> None:
    rows = list(source.rows("Location"))
    made = _take(access, loaded, "location", (
        {"code": f"AW-{row['LocationID']}", "name": {"en": row["Name"]},
         "sort": "station" if Decimal(row["CostRate"]) else "store"}
        for row in rows
    ), "code")  # fmt: skip
    _remember(access, loaded, "Location", "location", {
        row["LocationID"]: made[f"AW-{row['LocationID']}"] for row in rows
    })  # fmt: skip


def _bills(access: Access, source: Source, loaded: Loaded) -> None:
    items = ids_of(access.author.tenant, SYSTEM, "Product")
    # What is sold has a line without an assembly of its own: it is the top of its bill, no part of one.
    lines = sorted((row for row in source.rows("BillOfMaterials") if row["ProductAssemblyID"]), key=_place_in_bill)
    wholes = dict.fromkeys(row["ProductAssemblyID"] for row in lines)
    made = _take(
        access, loaded, "bill-of-material", ({"item": str(items[each]), "alternative": "1"} for each in wholes), "item"
    )
    positions: dict[str, int] = {}

    def line(row: Row) -> dict[str, Any]:
        whole = row["ProductAssemblyID"]
        positions[whole] = positions.get(whole, 0) + 1
        unit, factor = UNITS[row["UnitMeasureCode"]]
        return {
            "bill": str(made[items[whole]]), "position": positions[whole], "item": str(items[row["ComponentID"]]),
            "quantity": round(Decimal(row["PerAssemblyQty"]) * factor, 6), "unit": unit,
            "valid_from": row["StartDate"][:10] or None, "valid_until": row["EndDate"][:10] or None,
        }  # fmt: skip

    _take(access, loaded, "bill-line", (line(row) for row in lines))
    adopt(access, BillOfMaterial, list(made.values()), "released")


def _orders(access: Access, source: Source, loaded: Loaded) -> None:
    tenant = access.author.tenant
    vendors, items = ids_of(tenant, SYSTEM, "Vendor"), ids_of(tenant, SYSTEM, "Product")
    packs = {row["ProductID"]: row["UnitMeasureCode"] for row in source.rows("ProductVendor")}
    own = dict(Item.objects.of(tenant).values_list("pk", "unit"))
    zone = ZoneInfo(tenant.zone)
    headers = list(source.rows("PurchaseOrderHeader"))
    made = _take(access, loaded, "order", (
        {"number": _order_number(row), "sort": "purchase", "party": str(vendors[row["VendorID"]]), "currency": CURRENCY,
         "ordered_ms": _ms(row["OrderDate"], zone), "due_ms": _ms(row["ShipDate"], zone),
         "tax": Decimal(row["TaxAmt"]), "freight": Decimal(row["Freight"])}
        for row in headers
    ), "number")  # fmt: skip
    positions: dict[str, int] = {}

    def line(row: Row) -> dict[str, Any]:
        order, item, pack = _order_number(row), items[row["ProductID"]], packs.get(row["ProductID"], "")
        positions[order] = positions.get(order, 0) + 1
        return {
            "order": str(made[order]), "position": positions[order], "item": str(item),
            "quantity": Decimal(row["OrderQty"]), "unit": pack if pack in PACKS else own[item],
            "price": Decimal(row["UnitPrice"]), "due_ms": _ms(row["DueDate"], zone),
        }  # fmt: skip

    _take(access, loaded, "order-line", (line(row) for row in source.rows("PurchaseOrderDetail")))
    for status, state in STATES.items():
        adopt(access, Order, [made[_order_number(row)] for row in headers if row["Status"] == status], state)


def _take(access: Access, loaded: Loaded, name: str, rows: Iterable[dict[str, Any]], by: str = "") -> dict[Any, UUID]:
    """Store rows of a kind; return the ids of all its records by one of their fields, if it is asked for."""
    kind = find_kind(name)
    listed = list(rows)
    taking = Taking(access, kind, dry_run=False, before_commit=lambda _outcome: None)
    for start in range(0, len(listed), BATCH):
        part = listed[start : start + BATCH]
        outcome = taking.take(part, range(start + 1, start + 1 + len(part)))
        loaded.refused += [(name, fault) for fault in outcome.refused]
        loaded.counts[name] = loaded.counts.get(name, 0) + outcome.created + outcome.updated + outcome.unchanged
    return dict(kind.objects.of(access.author.tenant).values_list(by, "pk")) if by else {}


def _remember(access: Access, loaded: Loaded, entity: str, kind: str, ids: dict[str, UUID]) -> None:
    _take(access, loaded, "external-id", (
        {"system": SYSTEM, "entity": entity, "number": number, "about": f"{kind}:{id}"} for number, id in ids.items()
    ))  # fmt: skip


def _place_in_bill(row: Row) -> tuple[int, int]:
    return int(row["ProductAssemblyID"]), int(row["BillOfMaterialsID"])


def _order_number(row: Row) -> str:
    return f"PO-{row['PurchaseOrderID']}"


def _size(row: Row) -> str:
    size = f"{row['Size']} {row['SizeUnitMeasureCode'].lower()}".strip()
    return ", ".join(part for part in (size, row["Color"]) if part)


def _weight(row: Row) -> Decimal | None:
    return round(Decimal(row["Weight"]) * KILOGRAMS[row["WeightUnitMeasureCode"]], 6) if row["Weight"] else None


def _ms(text: str, zone: ZoneInfo) -> int | None:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000) if text else None
