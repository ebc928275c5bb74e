"""Exports of ERPNext and Odoo, as those systems write them, become records by the mappings that are documented."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.records.importing import done
from tests.records.plant import access, tenant

from mainspring.core.errors import NotAllowed
from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.business.bill import BillLine, BillOfMaterial
from mainspring.records.business.item import Item
from mainspring.records.business.order import Order, OrderLine
from mainspring.records.business.party import Party
from mainspring.records.defined.cells import written_columns
from mainspring.records.defined.kinds import find_kind
from mainspring.records.faults import Invalid
from mainspring.records.importing.imports import Imports
from mainspring.records.importing.mapped import mappings, units_of
from mainspring.records.importing.work import PIECE, imported_of
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

SAMPLES = Path(__file__).with_name("erp")
DOCS = Path(__file__).parents[2] / "docs" / "import-erp.md"


class Bringing:
    """Someone who imports files."""

    def __init__(self, imports: Imports, of: Tenant) -> None:
        self.imports, self.access = imports, access(of)

    def ended(self, id: UUID) -> dict[str, Any]:
        return done(self.imports, self.access.author.tenant, id)

    def checked(self, name: str, content: bytes = b"") -> dict[str, Any]:
        content = content or (SAMPLES / f"{name}.csv").read_bytes()
        state = self.imports.add(self.access.author, f"{name}.csv", content, name, self.access)
        found = {str(place): each["field"] for place, each in enumerate(state["columns"]) if each["sure"]}
        self.imports.check(self.access.author, UUID(state["id"]), {"mapping": found}, self.access)
        return self.ended(UUID(state["id"]))

    def loaded(self, name: str, content: bytes = b"") -> dict[str, Any]:
        id = UUID(self.checked(name, content)["id"])
        self.imports.load(self.access.author, id, self.access)
        return self.ended(id)

    def undone(self, state: dict[str, Any]) -> dict[str, Any]:
        self.imports.undo(self.access.author, UUID(state["id"]), self.access)
        return self.ended(UUID(state["id"]))["report"]  # type: ignore[no-any-return]

    def faults(self, state: dict[str, Any]) -> list[tuple[int, str, str]]:
        found = self.imports.faults(self.access.author, UUID(state["id"]), "", 0, 100)[0]
        return [(each["row"], each["column"], each["text"]["en"]) for each in found]


@pytest.fixture
def bring(imports: Imports, plant: Tenant) -> Bringing:
    return Bringing(imports, plant)


def counts(state: dict[str, Any]) -> tuple[int, int, int, int]:
    told = state["report"] or state["counts"]
    return told["created"], told["updated"], told["unchanged"], told["refused"]


def test_erpnext_comes_in_and_again_without_a_change(bring: Bringing, plant: Tenant) -> None:
    assert counts(bring.checked("erpnext-items")) == (5, 0, 0, 0)
    assert not Item.objects.exists()
    assert counts(bring.loaded("erpnext-items")) == (5, 0, 0, 0)
    pump = Item.objects.get(number="PUMP")
    assert (pump.name, pump.sort, pump.unit, pump.tracked) == (
        {"en": "Centrifugal pump", "zh": ""},
        "product",
        "{count}",
        "serial",
    )
    oil = Item.objects.get(number="OIL")
    assert (oil.name["zh"], oil.unit, oil.cost, oil.shelf_days) == ("润滑油", "L", Decimal("18.5"), 730)
    assert Item.objects.get(number="SEAL-OLD").state == "withdrawn"
    assert counts(bring.loaded("erpnext-suppliers")) == (2, 0, 0, 0)
    assert Party.objects.get(number="Northern Castings").state == "blocked"
    assert counts(bring.checked("erpnext-boms")) == (7, 0, 0, 0)
    assert not BillOfMaterial.objects.exists()
    assert counts(bring.loaded("erpnext-boms")) == (7, 0, 0, 0)
    lines = BillLine.objects.filter(bill__item=pump, bill__alternative="001").order_by("position")
    assert [(line.position, line.item.number, line.quantity, line.unit) for line in lines] == [
        (10, "IMPELLER", Decimal(1), "{count}"), (20, "SEAL", Decimal(2), "{count}"), (30, "OIL", Decimal("0.25"), "L"),
    ]  # fmt: skip
    assert counts(bring.loaded("erpnext-purchase-orders")) == (6, 0, 0, 0)
    assert dict(Order.objects.values_list("number", "state")) == {
        "PUR-ORD-2026-00001": "released", "PUR-ORD-2026-00002": "done", "PUR-ORD-2026-00003": "cancelled",
    }  # fmt: skip
    assert sum(line.amount() for line in OrderLine.objects.filter(order__number="PUR-ORD-2026-00001")) == 3700
    for name, rows in (("items", 5), ("suppliers", 2), ("boms", 7), ("purchase-orders", 6)):
        assert counts(bring.loaded(f"erpnext-{name}")) == (0, 0, rows, 0)
    assert first_broken(plant) is None


def test_what_changed_there_changes_here_and_what_is_closed_stays(bring: Bringing) -> None:
    for name in ("items", "suppliers", "purchase-orders"):
        bring.loaded(f"erpnext-{name}")
    sheet = (SAMPLES / "erpnext-purchase-orders.csv").read_text(encoding="utf-8")
    came = sheet.replace("To Receive and Bill", "Completed").replace(",100,Nos,12,", ",120,Nos,12,")
    assert counts(bring.loaded("erpnext-purchase-orders", came.encode())) == (0, 2, 4, 0)
    assert Order.objects.get(number="PUR-ORD-2026-00001").state == "done"
    assert OrderLine.objects.filter(order__number="PUR-ORD-2026-00001", quantity=120).exists()
    late = bring.loaded("erpnext-purchase-orders", came.replace(",120,Nos", ",130,Nos").encode())
    assert counts(late) == (0, 0, 5, 1)
    assert "cannot be changed" in bring.faults(late)[0][2]


def test_bad_rows_are_told_by_the_columns_of_that_system(bring: Bringing) -> None:
    bring.loaded("erpnext-items")
    sheet = (SAMPLES / "erpnext-boms.csv").read_text(encoding="utf-8")
    wrong = sheet.replace(",SEAL,2,", ",SAEL,2,").replace(",0.25,Litre", ",lots,Drum")
    state = bring.checked("erpnext-boms", wrong.encode())
    assert bring.faults(state) == [
        (3, "Item Code (Items)", "There is no Item SAEL/A here."),
        (4, "Qty (Items)", "Enter a number."),
    ]  # fmt: skip
    assert counts(state) == (5, 0, 0, 2)
    items = (SAMPLES / "erpnext-items.csv").read_text(encoding="utf-8")
    (fault,) = bring.faults(bring.checked("erpnext-items", items.replace(",Litre,", ",Drum,").encode()))
    assert fault[:2] == (6, "Default Unit of Measure")
    with pytest.raises(Invalid) as caught:
        bring.checked("erpnext-items", b"Item Code,Item Name\nA,B\n")
    assert "The column Default Unit of Measure is missing" in caught.value.fields["mapping"].en
    orphan = sheet.replace("BOM-PUMP-001,PUMP,1,Nos,1,", ",,,,,", 1)
    assert bring.faults(bring.checked("erpnext-boms", orphan.encode()))[0][1:] == (
        "ID", "No row above says what this one belongs to.",
    )  # fmt: skip


def test_a_nested_export_of_many_pieces_keeps_its_wholes(bring: Bringing, plant: Tenant) -> None:
    rows = ["Item Code,Item Name,Item Group,Default Unit of Measure", "WHOLE,Whole,Products,Nos"]
    rows += [f"P-{number:04},Part,Raw Material,Nos" for number in range(PIECE + 200)]
    assert counts(bring.loaded("erpnext-items", "\n".join(rows).encode()))[0] == PIECE + 201
    lines = ["ID,Item,Quantity,Item UOM,Is Active,Item Code (Items),Qty (Items),UOM (Items)"]
    lines += [f"{'BOM-WHOLE-001,WHOLE,1,Nos,1' if not at else ',,,,'},P-{at:04},1,Nos" for at in range(PIECE + 200)]
    sheet = "\n".join(lines).encode()
    assert counts(bring.checked("erpnext-boms", sheet)) == (PIECE + 201, 0, 0, 0)
    assert not BillOfMaterial.objects.exists()
    state = bring.loaded("erpnext-boms", sheet)
    assert counts(state) == (PIECE + 201, 0, 0, 0)
    assert BillLine.objects.get(item__number=f"P-{PIECE + 199:04}").position == 10 * (PIECE + 200)
    report = bring.undone(state)
    assert (report["undone"], report["kept"]) == (PIECE + 201, 0)
    assert not BillOfMaterial.objects.exists()
    assert first_broken(plant) is None


def test_an_import_of_orders_is_taken_back_with_its_lines_and_states(bring: Bringing) -> None:
    bring.loaded("erpnext-items")
    bring.loaded("erpnext-suppliers")
    state = bring.loaded("erpnext-purchase-orders")
    assert (bring.undone(state)["undone"], Order.objects.exists(), OrderLine.objects.exists()) == (6, False, False)


def test_odoo_comes_in(bring: Bringing) -> None:
    assert counts(bring.loaded("odoo-items")) == (4, 0, 0, 0)
    motor = Item.objects.get(number="MOT-1")
    assert (motor.name["en"], motor.tracked, motor.unit, motor.gtin) == ("Motor", "serial", "{count}", "6901234567892")
    assert counts(bring.loaded("odoo-suppliers")) == (2, 0, 0, 0)
    assert counts(bring.loaded("odoo-boms")) == (4, 0, 0, 0)
    lines = BillLine.objects.filter(bill__item__number="FAN-1").order_by("position")
    assert [(line.item.number, line.quantity, line.unit) for line in lines] == [
        ("MOT-1", Decimal(1), "{count}"), ("BLD-4", Decimal(4), "{count}"), ("WIRE", Decimal("1.5"), "m"),
    ]  # fmt: skip
    assert counts(bring.loaded("odoo-purchase-orders")) == (5, 0, 0, 0)
    order = Order.objects.get(number="P00012")
    assert (order.state, order.party.name["zh"] if order.party else "", order.currency) == (
        "released",
        "华东电机",
        "CNY",
    )
    assert OrderLine.objects.filter(order=order).count() == 2
    for name, rows in (("items", 4), ("suppliers", 2), ("boms", 4), ("purchase-orders", 5)):
        assert counts(bring.loaded(f"odoo-{name}")) == (0, 0, rows, 0)
    assert AuditEntry.objects.filter(object_kind="order", action="create").count() == 2


def test_who_may_not_write_a_kind_does_not_import_it(plant: Tenant) -> None:
    with pytest.raises(NotAllowed):
        imported_of("odoo-items").require(access(plant, Role.VIEWER))
    assert not Item.objects.of(tenant("north")).exists()


@pytest.mark.parametrize("name", mappings())
def test_a_mapping_names_fields_states_and_units_that_there_are(name: str) -> None:
    declared = mappings()[name]
    for target in declared.records:
        kind = find_kind(target.kind)
        known = written_columns(kind)
        assert all(field in known or f"{field}.en" in known for field in target.fields), name
        assert {field.partition(".")[0] for field in target.fields} >= set(kind.shape.key)
        if target.state is not None:
            assert {*target.state.values.values()} - {""} <= kind.shape.states.words.keys()
        for source in target.fields.values():
            re.compile(source.pattern)
    head = (SAMPLES / f"{name}.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert units_of(declared.system)
    assert {column for column, needed in declared.columns().items() if needed} <= set(head.replace('"', "").split(","))


@pytest.mark.parametrize("name", mappings())
def test_the_page_says_what_becomes_of_every_column(name: str) -> None:
    page = DOCS.read_text(encoding="utf-8")
    section = page.split(f"### `{name}`", 1)[1].split("\n##", 1)[0]
    for target in mappings()[name].records:
        for field, source in target.fields.items():
            for column in source.columns():
                assert f"| `{column}`" in section, f"{name}: {column} is not in the table"
                assert re.search(rf"`{re.escape(column)}`[^\n]*`{field}`", section), f"{name}: {column} -> {field}"
        for column in target.state.columns() if target.state else ():
            assert re.search(rf"`{re.escape(column)}`[^\n]*state", section)
    assert json.dumps(name)
