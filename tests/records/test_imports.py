"""An import from its file to its report: columns, check, fixes, load, refused rows, undo."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.records.plant import asset, author, modbus, tag, tenant

from mainspring.core.errors import Conflict, NotFound
from mainspring.records import imports as module
from mainspring.records import tag as tags
from mainspring.records.alarm_definition import AlarmDefinition
from mainspring.records.asset import Asset
from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.faults import Invalid
from mainspring.records.import_files import WORKING, ImportStore
from mainspring.records.imports import Imports
from mainspring.records.sheets import NotASheet, read_sheet, xlsx_file
from mainspring.records.tag import Tag
from mainspring.records.tag_import import Importer
from mainspring.records.tenant import Tenant

HEAD = ["Tag", "Asset", "PLC", "Register", "Type", "Unitz", "Scale", "Scan (ms)", "H", "HH", "Remark"]
WAIT_S = 60


def row(name: str, **change: str) -> list[str]:
    cells = dict(zip(HEAD, [name, "unit", "PLC 1", "7", "int16", "Cel", "0.1", "500", "80", "90", "x"], strict=True))
    return list((cells | change).values())


@pytest.fixture
def imports(plant: Tenant, tmp_path: Path) -> Iterator[Imports]:
    asset(plant, "unit")
    modbus(plant)
    made = Imports(ImportStore(tmp_path / "imports"))
    yield made
    made._threads.shutdown()


def done(imports: Imports, plant: Tenant, id: str) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        state = imports.get(author(plant), UUID(id))
        if state["stage"] not in WORKING and UUID(id) not in imports._working:
            return imports.get(author(plant), UUID(id))
        time.sleep(0.01)
    raise AssertionError(state)


def guessed(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"mapping": {str(n): each["field"] for n, each in enumerate(state["columns"]) if each["field"]}} | more


def checked(imports: Imports, plant: Tenant, rows: list[list[str]], **more: Any) -> dict[str, Any]:
    state = imports.add(author(plant), "tags.xlsx", xlsx_file([HEAD, *rows]))
    imports.check(author(plant), UUID(state["id"]), guessed(state, **more))
    return done(imports, plant, state["id"])


def test_columns_are_guessed_and_unsure_ones_marked(imports: Imports, plant: Tenant) -> None:
    state = imports.add(author(plant), "tags.xlsx", xlsx_file([HEAD, row("TI-1")]))
    guesses = {each["title"]: (each["field"], each["sure"]) for each in state["columns"]}
    assert guesses == {
        "Tag": ("name", True), "Asset": ("asset", True), "PLC": ("connection", True),
        "Register": ("address.register", True), "Type": ("address.type", True), "Unitz": ("unit", False),
        "Scale": ("gain", True), "Scan (ms)": ("scan_ms", True), "H": ("limits.H", True), "HH": ("limits.HH", True),
        "Remark": (None, False),
    }  # fmt: skip
    assert state["columns"][0]["sample"] == "TI-1"
    with pytest.raises(NotASheet):
        imports.add(author(plant), "photo.png", b"\x89PNG\0")


def test_check_writes_nothing_and_groups_faults_by_cause(imports: Imports, plant: Tenant) -> None:
    rows = [row(f"TI-{n}") for n in range(1200)]
    for n in (3, 4, 1100):
        rows[n] = row(f"TI-{n}", Unitz="degC")
    rows[20] = row("TI-20", Register="abc")
    rows[30] = row("TI-30", Asset="unti")
    rows[40] = row("TI-5")
    rows[50] = row("TI-50", Scale="1,5")
    rows[60] = row("TI-60", H="95")
    entries = AuditEntry.objects.count()
    state = checked(imports, plant, rows)
    assert state["stage"] == "checked"
    assert state["counts"] == {"created": 1192, "updated": 0, "unchanged": 0, "refused": 8}
    assert (Tag.objects.count(), AuditEntry.objects.count()) == (0, entries)
    causes = {each["field"]: each for each in state["causes"]}
    assert (causes["unit"]["count"], causes["unit"]["rows"]) == (3, [5, 6, 1102])
    assert (causes["unit"]["found"], causes["unit"]["suggestion"]) == ("degC", "Cel")
    assert causes["gain"]["suggestion"] == "1.5"
    assert {field: each["count"] for field, each in causes.items()} == {
        "unit": 3, "address.register": 1, "asset": 1, "name": 1, "gain": 1, "limits.HH": 1,
    }  # fmt: skip
    listed, total = imports.faults(author(plant), UUID(state["id"]), causes["name"]["cause"], 0, 10)
    assert total == 1
    assert (listed[0]["row"], listed[0]["column"], listed[0]["found"]) == (42, "Tag", "TI-5")
    assert "Row 7" in listed[0]["text"]["en"]


def test_good_rows_are_loaded_the_refused_come_back_as_a_file(imports: Imports, plant: Tenant) -> None:
    state = checked(imports, plant, [row("TI-1"), row("=TI-2", Unitz="parsec"), row("TI-3", Type="bit", Register="")])
    imports.load(author(plant), UUID(state["id"]))
    state = done(imports, plant, state["id"])
    assert (state["stage"], state["report"]["created"], state["report"]["refused"]) == ("loaded", 1, 2)
    one = Tag.objects.get()
    assert (one.name, one.unit, one.gain, one.scan_ms, one.address) == (
        "TI-1", "Cel", 0.1, 500, {"register": 7, "type": "int16"},
    )  # fmt: skip
    limits = {each.condition: (each.limit, each.priority) for each in AlarmDefinition.objects.all()}
    assert limits == {"H": (80.0, "medium"), "HH": (90.0, "high")}
    assert first_broken(plant) is None
    for language, title in (("en", "Reason"), ("zh", "原因")):
        sheet = read_sheet(xlsx_file(imports.refused(author(plant), UUID(state["id"]), language)), "refused.xlsx")
        assert sheet.head[-1] == title
        assert [(each[0], each[-2]) for each in sheet.rows] == [("=TI-2", "3"), ("TI-3", "4")]
        assert "parsec" in sheet.rows[0][-1]


def test_cells_are_put_right_all_alike_or_one(imports: Imports, plant: Tenant) -> None:
    state = checked(imports, plant, [row("A", Unitz="degC"), row("B", Unitz="degC"), row("C", Unitz="furlong")])
    id = UUID(state["id"])
    imports.fix(author(plant), id, [{"field": "unit", "found": "degC", "value": "Cel", "row": None}])
    assert done(imports, plant, state["id"])["counts"]["refused"] == 1
    imports.fix(author(plant), id, [{"field": "unit", "found": "", "value": "m", "row": 4}])
    assert done(imports, plant, state["id"])["counts"] == {"created": 3, "updated": 0, "unchanged": 0, "refused": 0}
    imports.load(author(plant), id)
    done(imports, plant, state["id"])
    assert dict(Tag.objects.values_list("name", "unit")) == {"A": "Cel", "B": "Cel", "C": "m"}


def test_a_second_import_tells_changed_from_unchanged(imports: Imports, plant: Tenant) -> None:
    state = checked(imports, plant, [row("A"), row("B"), row("C")])
    imports.load(author(plant), UUID(state["id"]))
    done(imports, plant, state["id"])
    again = checked(imports, plant, [row("A"), row("B", Scale="2"), row("C", H="70"), row("D")])
    assert again["counts"] == {"created": 1, "updated": 2, "unchanged": 1, "refused": 0}
    imports.load(author(plant), UUID(again["id"]))
    done(imports, plant, again["id"])
    assert dict(Tag.objects.values_list("name", "version")) == {"A": 1, "B": 2, "C": 1, "D": 1}
    assert AlarmDefinition.objects.get(tag__name="C", condition="H").limit == 70


def test_undo_takes_back_what_nobody_changed_since(imports: Imports, plant: Tenant) -> None:
    unit = Asset.objects.get()
    tag(plant, "old", unit, gain=3)
    state = checked(imports, plant, [row("old"), row("new"), row("touched")])
    imports.load(author(plant), UUID(state["id"]))
    done(imports, plant, state["id"])
    touched = Tag.objects.get(name="touched")
    tags.modify(author(plant), touched.id, {"gain": 5}, None)
    imports.undo(author(plant), UUID(state["id"]))
    state = done(imports, plant, state["id"])
    assert (state["stage"], state["report"]["undone"], state["report"]["kept"]) == ("undone", 2, 1)
    assert dict(Tag.objects.values_list("name", "gain")) == {"old": 3.0, "touched": 5.0}
    assert first_broken(plant) is None
    with pytest.raises(Conflict):
        imports.undo(author(plant), UUID(state["id"]))


def test_the_name_rule_makes_assets_that_are_missing(imports: Imports, plant: Tenant) -> None:
    head = ["Name", "Line", "Device"]
    content = xlsx_file([head, ["T", "Line 1", "Pump A"], ["T", "Line 1", "泵 B"], ["T", "", "Pump C"]])
    state = imports.add(author(plant), "t.xlsx", content)
    options = guessed(state, rule="{line}/{device}/{name}", base="unit")
    imports.check(author(plant), UUID(state["id"]), options)
    assert done(imports, plant, state["id"])["counts"]["refused"] == 3
    imports.check(author(plant), UUID(state["id"]), options | {"create_assets": True})
    state = done(imports, plant, state["id"])
    assert state["counts"] == {"created": 2, "updated": 0, "unchanged": 0, "refused": 1}
    assert Asset.objects.count() == 1
    imports.load(author(plant), UUID(state["id"]))
    done(imports, plant, state["id"])
    paths = set(Tag.objects.values_list("path", flat=True))
    assert "unit/line-1/pump-a/T" in paths
    assert Asset.objects.filter(name__zh="泵 B").exists()
    assert Asset.objects.count() == 4
    for rule in ("{hall}/{name}", "{name}/{line}"):
        with pytest.raises(Invalid):
            imports.check(author(plant), UUID(state["id"]), options | {"rule": rule})


def test_another_company_does_not_find_it(imports: Imports, plant: Tenant) -> None:
    state = imports.add(author(plant), "tags.xlsx", xlsx_file([HEAD, row("A")]))
    stranger = author(tenant("other"))
    assert imports.all(stranger) == []
    for ask in (imports.get, imports.load, imports.undo, imports.cancel, imports.forget):
        with pytest.raises(NotFound):
            ask(stranger, UUID(state["id"]))
    imports.forget(author(plant), UUID(state["id"]))
    assert imports.all(author(plant)) == []


def test_a_cancelled_load_stops_between_pieces_and_goes_on(
    imports: Imports, plant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE", 5)
    state = checked(imports, plant, [row(f"T{n}") for n in range(20)])
    taken = Importer.take

    def cancelling(self: Any, rows: Any, numbers: Any) -> Any:
        imports.cancel(author(plant), UUID(state["id"]))
        return taken(self, rows, numbers)

    monkeypatch.setattr(Importer, "take", cancelling)
    imports.load(author(plant), UUID(state["id"]))
    state = done(imports, plant, state["id"])
    assert (state["stage"], Tag.objects.count()) == ("cancelled", 5)
    monkeypatch.setattr(Importer, "take", taken)
    imports.load(author(plant), UUID(state["id"]))
    state = done(imports, plant, state["id"])
    assert (state["stage"], Tag.objects.count()) == ("loaded", 20)
    assert (state["report"]["created"], state["report"]["unchanged"]) == (15, 5)


def test_work_whose_process_is_gone_is_interrupted(imports: Imports, plant: Tenant) -> None:
    state = checked(imports, plant, [row("A")])
    folder = imports.store.find("plant", UUID(state["id"]))
    folder.write(state | {"stage": "loading"})
    assert imports.get(author(plant), UUID(state["id"]))["stage"] == "loading"
    text = (folder.path / "state.json").read_text().replace('"heartbeat_ms": 1', '"heartbeat_ms": 0.1')
    (folder.path / "state.json").write_text(text)
    assert imports.get(author(plant), UUID(state["id"]))["stage"] == "interrupted"
    imports.load(author(plant), UUID(state["id"]))
    assert done(imports, plant, state["id"])["stage"] == "loaded"
