"""Records as files: exported, imported again, with every bad row told and the good ones stored."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from tests.records.importing import done
from tests.records.plant import access, author, tenant

from mainspring.core.errors import LimitExceeded, NotAllowed
from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.business.external_id import ExternalId
from mainspring.records.business.item import Item
from mainspring.records.defined import exporting, writing
from mainspring.records.defined.access import Access
from mainspring.records.defined.exporting import begin
from mainspring.records.defined.keys import ids_of, names_of
from mainspring.records.defined.listing import Wanted
from mainspring.records.faults import Invalid
from mainspring.records.importing.imports import Imports
from mainspring.records.importing.sheets import Sheet, csv_lines, read_sheet, xlsx_file
from mainspring.records.importing.work import imported_of
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

HEAD = ["Number", "Revision", "Name in English", "中文名称", "Kind", "Unit", "Weight of one", "Made here"]


def row(number: str, **change: str) -> list[str]:
    cells = dict(zip(HEAD, [number, "A", "Bearing", "轴承", "Part", "pcs", "1.25", "yes"], strict=True))
    return list((cells | change).values())


def added(imports: Imports, plant: Tenant, content: bytes, name: str = "items.xlsx") -> dict[str, Any]:
    state = imports.add(author(plant), name, content, "item", access(plant))
    mapping = {str(place): each["field"] for place, each in enumerate(state["columns"]) if each["field"]}
    imports.check(author(plant), UUID(state["id"]), {"mapping": mapping}, access(plant))
    return done(imports, plant, state["id"])


def loaded(imports: Imports, plant: Tenant, content: bytes, name: str = "items.xlsx") -> dict[str, Any]:
    state = added(imports, plant, content, name)
    imports.load(author(plant), UUID(state["id"]), access(plant))
    return done(imports, plant, state["id"])


def exported(of: Access, form: exporting.Form = "xlsx", language: exporting.Language = "en", **wanted: Any) -> bytes:
    return b"".join(begin(of, Item, Wanted(**wanted), form, language).parts())


def item(of: Tenant, number: str, **more: Any) -> Item:
    return writing.create(access(of), Item, {"number": number, "name": {"en": "Bearing", "zh": "轴承"}} | more)


def test_columns_are_guessed_in_either_language(imports: Imports, plant: Tenant) -> None:
    for head in (HEAD, ["物料编码", "版本", "英文名称", "中文名称", "类别", "单位", "单重", "自制"]):
        state = imports.add(author(plant), "items.xlsx", xlsx_file([head, row("P-1")]), "item", access(plant))
        assert [(each["field"], each["sure"]) for each in state["columns"]] == [
            (key, True) for key in ("number", "revision", "name.en", "name.zh", "sort", "unit", "weight", "made")
        ]
    state = imports.add(
        author(plant), "items.xlsx", xlsx_file([["名称", "Number"], ["轴承", "P-1"]]), "item", access(plant)
    )
    assert [each["field"] for each in state["columns"]] == ["name.zh", "number"]


def test_every_bad_row_is_told_and_the_rest_is_loaded(imports: Imports, plant: Tenant) -> None:
    rows = [row(f"P-{number}") for number in range(1200)]
    for place in range(37):
        name, wrong = (("Kind", "prt"), ("Unit", "parsec/h"), ("Weight of one", "1,5"), ("Made here", "perhaps"))[
            place % 4
        ]
        rows[place * 30 + 7] = row(f"P-{place * 30 + 7}", **{name: wrong})
    rows[4] = row("P-3")
    rows[5] = row("")
    entries = AuditEntry.objects.count()
    state = added(imports, plant, xlsx_file([HEAD, *rows]))
    assert state["counts"] == {"created": 1161, "updated": 0, "unchanged": 0, "refused": 39}
    assert (Item.objects.count(), AuditEntry.objects.count()) == (0, entries)
    causes = {each["field"]: each for each in state["causes"]}
    assert {field: each["count"] for field, each in causes.items()} == {
        "sort": 10, "unit": 9, "weight": 9, "made": 9, "revision": 1, "number": 1,
    }  # fmt: skip
    assert (causes["sort"]["rows"][0], causes["sort"]["suggestion"]) == (9, "Part")
    assert causes["weight"]["suggestion"] == "1.5"
    faults, total = imports.faults(author(plant), UUID(state["id"]), "", 0, 100)
    assert (total, len({each["row"] for each in faults})) == (39, 39)
    imports.load(author(plant), UUID(state["id"]), access(plant))
    state = done(imports, plant, state["id"])
    assert (state["stage"], state["report"]["created"], state["report"]["refused"]) == ("loaded", 1161, 39)
    assert Item.objects.of(plant).count() == 1161
    assert AuditEntry.objects.filter(object_kind="item", action="create").count() == 1161
    assert first_broken(plant) is None
    one = Item.objects.get(number="P-0")
    assert (one.name, one.unit, float(one.weight), one.made, one.state, one.version) == (
        {"en": "Bearing", "zh": "轴承"}, "{count}", 1.25, True, "draft", 1,
    )  # fmt: skip
    assert "zc" in one.search


def test_what_is_there_is_changed_by_its_key_and_empty_cells_leave_it(imports: Imports, plant: Tenant) -> None:
    item(plant, "P-1", weight=2, size="6204")
    fixed = item(plant, "P-2")
    writing.move(access(plant), Item, fixed.id, "release", 1)
    item(plant, "P-3", made=True, weight="1.25", unit="{count}")
    content = xlsx_file([HEAD, row("P-1", 中文名称="滚动轴承"), row("P-2"), row("P-3"), row("P-1", Revision="B")])
    state = loaded(imports, plant, content)
    assert (state["report"]["created"], state["report"]["updated"], state["report"]["unchanged"]) == (1, 1, 1)
    assert [(each["field"], each["rows"]) for each in state["causes"]] == [("number", [3])]
    one = Item.objects.get(number="P-1", revision="A")
    assert (one.version, one.size, one.name) == (2, "6204", {"en": "Bearing", "zh": "滚动轴承"})
    entry = AuditEntry.objects.get(object_id=str(one.id), action="change")
    assert entry.changes.keys() == {"weight", "name", "made"}


def test_a_load_is_taken_back_where_nobody_changed_it_since(imports: Imports, plant: Tenant) -> None:
    old = item(plant, "P-1", weight=2)
    state = loaded(imports, plant, xlsx_file([HEAD, *(row(f"P-{number}") for number in range(1, 5))]))
    touched = Item.objects.get(number="P-3")
    writing.modify(access(plant), Item, touched.id, {"size": "x"}, 1)
    meant = Item.objects.get(number="P-4")
    outside = {"system": "erp", "entity": "item", "number": "4", "about": f"item:{meant.id}"}
    writing.create(access(plant), ExternalId, outside)
    imports.undo(author(plant), UUID(state["id"]), access(plant))
    state = done(imports, plant, state["id"])
    assert (state["stage"], state["report"]["undone"], state["report"]["kept"]) == ("undone", 2, 2)
    assert set(Item.objects.values_list("number", flat=True)) == {"P-1", "P-3", "P-4"}
    again = Item.objects.get(pk=old.pk)
    assert (float(again.weight or 0), again.version, again.made) == (2.0, 3, False)
    assert first_broken(plant) is None


@pytest.mark.parametrize("form", ["xlsx", "csv", "json"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_exported_is_imported_again_unchanged(
    imports: Imports, plant: Tenant, form: exporting.Form, language: exporting.Language
) -> None:
    item(plant, "=1+1", weight="999999999999.123456", notes='two\nlines, 引号"', stock_least=0)
    item(plant, "P-2", sort="energy", unit="Cel", made=True)
    content = exported(access(plant), form, language)
    state = loaded(imports, plant, content, f"items.{form}")
    assert (state["report"]["unchanged"], state["report"]["refused"]) == (2, 0), state["causes"]
    Item.objects.filter(number="P-2").delete()
    assert loaded(imports, plant, content, f"items.{form}")["report"]["created"] == 1
    assert Item.objects.get(number="P-2").unit == "Cel"


def test_files_hold_what_was_asked_for_and_nothing_a_spreadsheet_evaluates(plant: Tenant) -> None:
    for number in ("=cmd()", "B", "C"):
        item(plant, number, weight=1 if number == "C" else 2)
    item(tenant("north"), "D")
    sheet = read_sheet(exported(access(plant), where='[["weight","eq",2]]', sort="-number"), "a.xlsx")
    assert [cells[0] for cells in sheet.rows] == ["B", "=cmd()"]
    assert sheet.rows[0][sheet.head.index("Weight of one")] == "2"
    assert sheet.rows[0][sheet.head.index("State")] == "Draft"
    assert b"\n'=cmd()," in exported(access(plant), "csv").replace(b"\r", b"")
    assert "物料编码" in exported(access(plant), "csv", "zh").decode("utf-8-sig").splitlines()[0]
    told = AuditEntry.objects.filter(action="export").first()
    assert told is not None
    assert (told.object_kind, told.changes["rows"]) == ("item", [None, 2])
    with pytest.raises(Invalid):
        exported(access(plant), where="[")


def test_an_export_has_a_limit(plant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        item(plant, f"P-{number}")
    monkeypatch.setattr(exporting, "ROWS_MAX", 2)
    with pytest.raises(LimitExceeded):
        exported(access(plant))


def test_the_empty_sheet_says_what_each_column_takes(plant: Tenant) -> None:
    for language, first, needed in (("en", "Number", "yes"), ("zh", "物料编码", "是")):
        head, (_, notes) = imported_of("item").template(access(plant), language)
        assert head[0] == first
        rows = {line[0]: line[1:] for line in notes[2:]}
        assert rows.keys() == set(head)
        assert rows[first][0] == needed
    head, (title, notes) = imported_of("item").template(access(plant), "en")
    assert read_sheet(xlsx_file([head, row("P-1")], (title, notes)), "a.xlsx").rows[0][0] == "P-1"
    assert "Raw material" in next(line[2] for line in notes if line[0] == "Kind")


def test_who_may_only_look_imports_nothing(imports: Imports, plant: Tenant) -> None:
    for role in (Role.VIEWER, Role.OPERATOR):
        with pytest.raises(NotAllowed):
            imported_of("item").require(access(plant, role))
    with pytest.raises(Invalid):
        imported_of("item").layout({"mapping": {"0": "name.en"}}, access(plant))
    with pytest.raises(Invalid):
        imported_of("item").layout({"mapping": {"0": "number", "1": "search"}}, access(plant))


def test_json_is_a_sheet(plant: Tenant) -> None:
    rows = [{"number": "P-1", "name": {"zh": "轴承"}, "made": True, "weight": 1.5}, {"number": "P-2", "list": [1]}]
    for content in (rows, {"items": rows}):
        sheet = read_sheet(json.dumps(content).encode(), "a.json")
        assert sheet == Sheet(
            ["number", "name.zh", "made", "weight", "list"],
            [["P-1", "轴承", "true", "1.5", ""], ["P-2", "", "", "", "[1]"]], [2, 3],
        )  # fmt: skip
    for wrong in (b"{}", b"[1]", b"[", b"[" * 100_000):
        with pytest.raises(Invalid):
            read_sheet(wrong, "a.json")


def test_records_are_named_by_their_keys(plant: Tenant) -> None:
    made = {
        f"{each.number}/{each.revision}": each.id for each in (item(plant, "P-1"), item(plant, "P/2", revision="B/1"))
    }
    assert names_of(Item, made.values()) == {id: name for name, id in made.items()}
    asked = [*made, str(made["P-1/A"]), "P-1", "P-9/A", "x"]
    assert ids_of(access(plant), Item, asked) == made | {str(made["P-1/A"]): made["P-1/A"]}
    assert ids_of(access(tenant("north")), Item, asked) == {}


def test_numbers_and_text_are_written_as_such() -> None:
    rows = list(read_sheet(xlsx_file([["a", "b"], [1.5, "=x"], [0, "y"]]), "a.xlsx").rows)
    assert rows == [["1.5", "=x"], ["0", "y"]]
    assert b"".join(csv_lines([[1.5, "=x"], [-2, "-2"]])).decode("utf-8-sig").split() == ["1.5,'=x", "-2,-2"]
