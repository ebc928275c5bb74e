"""Ten thousand tags at once, and every fault by its row."""

from __future__ import annotations

import time
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.records.plant import asset, author, modbus, tag

from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.importing.tag_import import import_tags
from mainspring.records.outbox import outbox
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.tag import Tag
from mainspring.records.tenant import Tenant


def rows_of(count: int, where: str, connection_name: str) -> list[dict[str, Any]]:
    return [
        {
            "name": f"TI-{number:05}",
            "asset": where,
            "connection": connection_name,
            "unit": "Cel",
            "address": {"register": number % 60_000},
        }
        for number in range(count)
    ]


def test_ten_thousand_rows_in_few_statements(plant: Tenant) -> None:
    asset(plant, "unit")
    modbus(plant)
    outbox.take()
    began = time.perf_counter()
    with CaptureQueriesContext(connection) as queries:
        outcome = import_tags(author(plant), rows_of(10_000, "unit", "PLC 1"))
    print(f"10,000 tags in {time.perf_counter() - began:.2f} s, {len(queries)} statements")
    assert (outcome.created, outcome.updated, outcome.refused) == (10_000, 0, [])
    assert len(queries) < 1000
    assert Tag.objects.of(plant).count() == 10_000
    assert AuditEntry.objects.of(plant).filter(object_kind="tag").count() == 10_000
    assert first_broken(plant) is None
    with CaptureQueriesContext(connection) as queries:
        again = import_tags(author(plant), [row | {"high": 200} for row in rows_of(10_000, "unit", "PLC 1")])
    assert (again.created, again.updated) == (0, 10_000)
    assert len(queries) < 1000
    assert Tag.objects.of(plant).filter(high=200, version=2).count() == 10_000
    keys, _ = outbox.take()
    assert len([key for key in keys if ".tags." in key]) in {10, 11}


def test_known_tags_are_changed_and_keep_their_ordinal(plant: Tenant) -> None:
    unit = asset(plant, "unit")
    known = tag(plant, "TI-1", unit)
    outcome = import_tags(author(plant), [{"name": "TI-1", "asset": "unit", "high": 200}])
    assert (outcome.created, outcome.updated) == (0, 1)
    import_tags(author(plant), [{"id": str(known.id), "name": "TI-1b"}])
    again = Tag.objects.get(pk=known.pk)
    assert (again.high, again.name, again.path, again.ordinal) == (200, "TI-1b", "unit/TI-1b", known.ordinal)
    assert again.version == 3


def test_units_are_taken_as_people_write_them(plant: Tenant) -> None:
    asset(plant, "unit")
    rows = [{"name": f"T{place}", "asset": "unit", "unit": unit} for place, unit in enumerate(["rpm", "℃", "KW"])]
    outcome = import_tags(author(plant), rows)
    assert [(fault.row, fault.suggestion) for fault in outcome.refused] == [(2, "kW")]
    assert list(Tag.objects.of(plant).order_by("name").values_list("unit", flat=True)) == ["{rpm}", "Cel"]


def test_all_that_a_row_names_wrongly_is_told_at_once(plant: Tenant) -> None:
    asset(plant, "unit")
    modbus(plant)
    row = {"name": "T", "asset": "unti/a", "connection": "PLC 2", "unit": "KW"}
    outcome = import_tags(author(plant), [row], dry_run=True)
    assert [(fault.row, fault.field, fault.suggestion) for fault in outcome.refused] == [
        (0, "asset", ""), (0, "connection", "PLC 1"), (0, "unit", "kW"),
    ]  # fmt: skip


def test_what_tags_hang_on_below_an_area_is_a_unit(plant: Tenant) -> None:
    paths = ["works/hall/press", "works/hall/line 1/robot"]
    import_tags(author(plant), [{"name": "T", "asset": path, "create_assets": True} for path in paths])
    kinds = dict(Asset.objects.of(plant).values_list("path", "asset_kind"))
    assert kinds == {
        "works": "site", "works/hall": "area", "works/hall/press": "unit", "works/hall/line-1": "line",
        "works/hall/line-1/robot": "unit",
    }  # fmt: skip


def test_each_bad_row_is_told_and_the_good_ones_are_stored(plant: Tenant) -> None:
    unit = asset(plant, "unit")
    modbus(plant)
    tag(plant, "Taken", unit)
    rows: list[dict[str, Any]] = [
        {"name": "good", "asset": "unit"},
        {"name": "bad unit", "asset": "unit", "unit": "parsec"},
        {"name": "nowhere", "asset": "attic"},
        {"name": "good", "asset": "unit"},
        {"name": "far", "asset": "unit", "connection": "PLC 9"},
        {"name": "register", "asset": "unit", "connection": "PLC 1", "address": {"register": -1}},
        {"asset": "unit"},
        {"id": "0190a000-0000-7000-8000-000000000000", "name": "ghost"},
        {"name": 7, "asset": "unit", "colour": "blue"},
    ]
    dry = import_tags(author(plant), rows, dry_run=True)
    assert Tag.objects.of(plant).count() == 1
    outcome = import_tags(author(plant), rows)
    assert [(fault.row, fault.field) for fault in outcome.refused] == [
        (1, "unit"),
        (2, "asset"),
        (3, "name"),
        (4, "connection"),
        (5, "address.register"),
        (6, "name"),
        (7, "id"),
        (8, "name"),
        (8, "colour"),
    ]
    assert dry.refused == outcome.refused
    assert outcome.created == 1
    assert Tag.objects.of(plant).filter(name="good").count() == 1
