"""An import from its file to its report: columns, check, fixes, load, refused rows, undo."""

from __future__ import annotations

import os
import signal
import time
from typing import Any
from uuid import UUID

import pytest
from tests.e2e.platform import eventually
from tests.records.importing import WAIT_S, done
from tests.records.plant import asset, author, modbus, tag, tenant

from mainspring.core.errors import Conflict, NotFound
from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.faults import Invalid
from mainspring.records.importing import files as import_files
from mainspring.records.importing import work as import_work
from mainspring.records.importing.imports import Imports
from mainspring.records.importing.processes import Processes
from mainspring.records.importing.sheets import read_sheet, xlsx_file
from mainspring.records.importing.tag_columns import FIELDS, address_fields, guess, suggestion
from mainspring.records.importing.tag_import import Importer
from mainspring.records.importing.work import Work, do
from mainspring.records.outbox import outbox
from mainspring.records.plant import tag as tags
from mainspring.records.plant.alarm_definition import AlarmDefinition
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.tag import Tag
from mainspring.records.tenant import Tenant

HEAD = ["Tag", "Asset", "PLC", "Register", "Type", "Unitz", "Scale", "Scan (ms)", "H", "HH", "Remark"]


def row(name: str, **change: str) -> list[str]:
    cells = dict(zip(HEAD, [name, "unit", "PLC 1", "7", "int16", "Cel", "0.1", "500", "80", "90", "x"], strict=True))
    return list((cells | change).values())


@pytest.fixture
def imports(imports: Imports, plant: Tenant) -> Imports:
    asset(plant, "unit")
    modbus(plant)
    return imports


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
    with pytest.raises(Invalid, match="not a sheet"):
        imports.add(author(plant), "photo.png", b"\x89PNG\0")


def test_check_writes_nothing_and_groups_faults_by_cause(imports: Imports, plant: Tenant) -> None:
    rows = [row(f"TI-{n}") for n in range(1200)]
    for n in (3, 4, 1100):
        rows[n] = row(f"TI-{n}", Unitz="Cels")
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
    assert (causes["unit"]["found"], causes["unit"]["suggestion"]) == ("Cels", "°C")
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
    state = checked(imports, plant, [row("A", Unitz="Cels"), row("B", Unitz="Cels"), row("C", Unitz="furlong")])
    id = UUID(state["id"])
    imports.fix(author(plant), id, [{"field": "unit", "found": "Cels", "value": "Cel", "row": None}])
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
    monkeypatch.setattr(import_work, "PIECE", 5)
    monkeypatch.setattr(import_work, "TELL_S", 0)
    state = checked(imports, plant, [row(f"T{n}") for n in range(20)])
    folder = imports.store.find("plant", UUID(state["id"]))
    work = Work(folder, state | {"stage": "loading"}, author(plant), publish=lambda *_: work.stop.set())
    outbox.take()
    do(work)
    state = imports.get(author(plant), UUID(state["id"]))
    assert (state["stage"], state["report"]["created"], Tag.objects.count()) == ("cancelled", 5, 5)
    imports.load(author(plant), UUID(state["id"]))
    state = done(imports, plant, state["id"])
    assert (state["stage"], Tag.objects.count()) == ("loaded", 20)
    assert (state["report"]["created"], state["report"]["unchanged"]) == (15, 5)


def test_a_killed_load_says_so_keeps_what_it_stored_and_is_taken_back_whole(
    imports: Imports, plant: Tenant, processes: Processes
) -> None:
    state = checked(imports, plant, [row(f"T{n}") for n in range(10_000)])
    id = UUID(state["id"])
    outbox.take()
    imports.load(author(plant), id)
    deadline = time.monotonic() + WAIT_S
    while not Tag.objects.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running = processes._lanes[0]._process
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    state = done(imports, plant, state["id"])
    stored = Tag.objects.count()
    assert (state["stage"], 0 < stored < 10_000) == ("interrupted", True)
    assert "interrupted" in state["text"]["en"]
    assert state["counts"]["created"] == 10_000
    # Nobody knows what was stored last: everything is compared.
    assert outbox.take()[1]
    folder = imports.store.find("plant", id)
    noted = {made for piece in folder.lines(folder.deeds) for made in piece["made"]}
    assert {str(found) for found in Tag.objects.values_list("id", flat=True)} <= noted
    imports.undo(author(plant), id)
    state = done(imports, plant, state["id"])
    assert (state["stage"], state["report"]["undone"], state["report"]["kept"]) == ("undone", stored, 0)
    assert Tag.objects.count() == 0
    assert first_broken(plant) is None


def test_what_waits_for_its_turn_is_cancelled_before_it_begins(imports: Imports, plant: Tenant) -> None:
    first = checked(imports, plant, [row(f"T{n}") for n in range(5000)])
    second = checked(imports, plant, [row("U")])
    imports.load(author(plant), UUID(first["id"]))
    imports.load(author(plant), UUID(second["id"]))
    assert imports.get(author(plant), UUID(second["id"]))["stage"] == "loading"
    with pytest.raises(Conflict):
        imports.forget(author(plant), UUID(second["id"]))
    imports.cancel(author(plant), UUID(second["id"]))
    assert done(imports, plant, first["id"])["stage"] == "loaded"
    assert done(imports, plant, second["id"])["stage"] == "cancelled"
    assert not Tag.objects.filter(name="U").exists()
    tasks = imports.tasks(author(plant))
    assert [(each["id"], each["stage"]) for each in tasks] == [
        (second["id"], "cancelled"), (first["id"], "loaded"),
    ]  # fmt: skip
    assert imports.tasks(author(tenant("other"))) == []


def test_old_imports_go_but_none_that_is_worked_on(
    imports: Imports, plant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_files, "KEPT_MAX", 2)
    states = [imports.add(author(plant), "tags.xlsx", xlsx_file([HEAD, row("A")])) for _ in range(2)]
    oldest = imports.store.find("plant", UUID(states[0]["id"]))
    oldest.write(states[0] | {"stage": "loading"})
    with oldest.alone():
        states += [imports.add(author(plant), "tags.xlsx", xlsx_file([HEAD, row("A")])) for _ in range(2)]
    kept = {each["id"] for each in imports.all(author(plant))}
    assert kept == {states[0]["id"], states[2]["id"], states[3]["id"]}


def test_a_check_that_was_stopped_is_no_check(imports: Imports, plant: Tenant) -> None:
    state = imports.add(author(plant), "tags.xlsx", xlsx_file([HEAD, row("A")]))
    folder = imports.store.find("plant", UUID(state["id"]))
    work = Work(folder, state | {"stage": "checking", "options": guessed(state)}, author(plant))
    work.stop.set()
    do(work)
    assert imports.get(author(plant), UUID(state["id"]))["stage"] == "cancelled"
    with pytest.raises(Conflict):
        imports.load(author(plant), UUID(state["id"]))


def test_records_changed_since_the_rows_were_read_are_read_again(plant: Tenant) -> None:
    unit = asset(plant, "unit")
    old = tag(plant, "old", unit)

    class Meanwhile(Importer):
        """Someone else writes between checking and storing."""

        def _still_true(self, planned: Any) -> bool:
            if not Tag.objects.filter(name="new").exists():
                tag(plant, "new", unit, gain=5)
                tags.modify(author(plant), old.id, {"gain": 7}, None)
            return super()._still_true(planned)

    rows = [{"name": name, "asset": "unit", "offset": 1} for name in ("old", "new")]
    outcome = Meanwhile(author(plant)).take(rows, (2, 3))
    assert (outcome.created, outcome.updated, outcome.refused) == (0, 2, [])
    assert dict(Tag.objects.values_list("name", "gain")) == {"old": 7, "new": 5}
    assert set(Tag.objects.values_list("offset", flat=True)) == {1}


def test_work_whose_process_is_gone_is_interrupted_and_goes_on(imports: Imports, plant: Tenant) -> None:
    state = checked(imports, plant, [row("A")])
    folder = imports.store.find("plant", UUID(state["id"]))
    folder.write(state | {"stage": "loading"})
    # Whoever checked it may still be at its last line.
    eventually(
        lambda: imports.get(author(plant), UUID(state["id"]))["stage"] == "interrupted", WAIT_S, "that nobody is at it"
    )
    imports.load(author(plant), UUID(state["id"]))
    assert done(imports, plant, state["id"])["stage"] == "loaded"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_column_of_our_own_sheet_is_known(language: str) -> None:
    known = [*FIELDS[:1], *address_fields().values(), *FIELDS[1:]]
    guesses = guess([getattr(each.title, language) for each in known])
    assert [(found.field, found.sure) for found in guesses] == [(each.key, True) for each in known]


@pytest.mark.parametrize(
    ("key", "cell", "meant"),
    [("address.table", "holdng", "holding"), ("address.order", "abcd1", "ABCD"), ("gain", "1 000,5", "1000.5"),
     ("address.table", "quark", ""), ("name", "1,5", ""), ("kind", "flot", "number"), ("kind", "整", "整数")],
)  # fmt: skip
def test_what_was_probably_meant(key: str, cell: str, meant: str) -> None:
    assert suggestion(key, cell) == meant
