"""The tables of a bicycle maker become records: nothing is lost, sums agree, a bicycle is known to its last screw."""

from __future__ import annotations

import csv
import gzip
import tarfile
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from examples.adventureworks import mapping
from tests.records.plant import author

from mainspring.records.audit import first_broken
from mainspring.records.business.bill import BillLine, BillOfMaterial, explode
from mainspring.records.business.external_id import known_as
from mainspring.records.business.item import Item
from mainspring.records.business.order import Order, OrderLine
from mainspring.records.business.party import Party
from mainspring.records.business.unit import Conversion
from mainspring.records.defined.access import Access
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

TABLES = Path(__file__).with_name("adventureworks.tar.gz")
DAY = "2022-06-15"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("adventureworks")
    with tarfile.open(TABLES) as packed:
        packed.extractall(found, filter="data")
    return found


def table(folder: Path, name: str) -> list[dict[str, str]]:
    packed = folder / f"{name}.csv.gz"
    with gzip.open(packed, "rt") if packed.exists() else (folder / f"{name}.csv").open() as text:
        return [{key: value.strip() for key, value in row.items()} for row in csv.DictReader(text)]


def by_hand(folder: Path, product: str, day: str) -> Counter[str]:
    """Add up what a product needs straight from the table: every way down on its own."""
    parts: dict[str, list[tuple[str, Decimal]]] = {}
    for row in table(folder, "BillOfMaterials"):
        if row["StartDate"][:10] <= day and (not row["EndDate"] or row["EndDate"][:10] >= day):
            quantity = Decimal(row["PerAssemblyQty"])
            quantity *= Decimal("29.5735295625") if row["UnitMeasureCode"] == "OZ" else 1
            parts.setdefault(row["ProductAssemblyID"], []).append((row["ComponentID"], quantity))
    found: Counter[str] = Counter()

    def walk(each: str, quantity: Decimal) -> None:
        found[each] += quantity  # type: ignore[assignment]
        for part, amount in parts.get(each, ()):
            walk(part, quantity * amount)

    walk(product, Decimal(1))
    return found


def test_the_bicycle_maker_comes_in_whole(plant: Tenant, folder: Path) -> None:
    access = Access(author(plant), Role.ADMINISTRATOR.rights)
    loaded = mapping.load(access, folder)
    assert loaded.refused == []
    assert loaded.counts == {
        "party": 104, "item": 504, "location": 14, "external-id": 104 + 504 + 14, "unit-of-measure": 10,
        "bill-of-material": 238, "bill-line": 2679 - 103, "order": 4012, "order-line": 8845,
    }  # fmt: skip
    _parties_and_items_are_as_they_were(plant)
    _a_bicycle_needs_what_the_table_says(plant, folder)
    _orders_cost_what_they_cost(plant, folder)
    stock = list(mapping.stock(access, folder))
    assert (len(stock), sum(row.quantity for row in stock)) == (1069, 335974)
    assert (stock[0].place, stock[0].quantity, stock[0].unit) == ("A/1", Decimal(408), "{count}")
    assert first_broken(plant) is None


def _parties_and_items_are_as_they_were(plant: Tenant) -> None:
    assert Party.objects.of(plant).filter(state="blocked").count() == 4
    bike = Item.objects.get(number="BK-M82S-38")
    assert (bike.name["en"], bike.sort, bike.state) == ("Mountain-100 Silver, 38", "product", "released")
    assert (bike.size, bike.family, bike.weight) == ("38 cm, Silver", "Mountain Bikes", Decimal("9.230605"))
    assert known_as(plant, "adventureworks", "Product", "771") == bike
    paint = Item.objects.get(number="PA-187B")
    assert paint.unit == "mL"
    assert Conversion(paint)(Decimal(2), "GAL", "L") == Decimal("7.570824")


def _a_bicycle_needs_what_the_table_says(plant: Tenant, folder: Path) -> None:
    assert BillOfMaterial.objects.of(plant).filter(state="released").count() == 238
    numbers = {row["ProductID"]: row["ProductNumber"] for row in table(folder, "Product")}
    for product in ("771", "749", "717"):
        item = Item.objects.get(number=numbers[product])
        found = explode(item, Decimal(1), date.fromisoformat(DAY))
        expected = {numbers[part]: round(Decimal(need), 6) for part, need in by_hand(folder, product, DAY).items()}
        names = dict(Item.objects.filter(pk__in=found.needs).values_list("pk", "number"))
        got = {names[id]: need for id, need in found.needs.items()}
        assert got.keys() == expected.keys()
        # The quantities of a line are kept with six places.
        assert all(abs(need - expected[name]) < Decimal("0.00001") for name, need in got.items()), product
    assert len(got) > 1
    tried = explode(Item.objects.get(number="BK-M82S-38"), Decimal(1), date.fromisoformat(DAY))
    assert (len(tried.needs), max(tried.level.values())) == (75, 4)
    assert not BillLine.objects.filter(valid_until__lt="2010-01-01").exists()


def _orders_cost_what_they_cost(plant: Tenant, folder: Path) -> None:
    states = Counter(Order.objects.of(plant).values_list("state", flat=True))
    assert states == {"done": 3689, "draft": 225, "cancelled": 86, "released": 12}
    headers = {row["PurchaseOrderID"]: Decimal(row["SubTotal"]) for row in table(folder, "PurchaseOrderHeader")}
    amounts: dict[str, Decimal] = {}
    for line in OrderLine.objects.of(plant).select_related("order"):
        name = line.order.number.removeprefix("PO-")
        amounts[name] = amounts.get(name, Decimal(0)) + line.amount()
    assert amounts.keys() == headers.keys()
    assert all(abs(amounts[name] - total) < Decimal("0.01") for name, total in headers.items())
    assert sum(amounts.values()) == sum(
        Decimal(row["OrderQty"]) * Decimal(row["UnitPrice"]) for row in table(folder, "PurchaseOrderDetail")
    )
    assert {line.unit for line in OrderLine.objects.filter(item__number="PA-187B")} == {"GAL"}
