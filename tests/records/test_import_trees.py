"""Sheets whose rows link to one another: parts before their wholes, beside refused ones, in circles, taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.records.plant import access, tenant

from mainspring.core.ids import uuid7
from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.business.criterion import Criterion
from mainspring.records.business.location import Location
from mainspring.records.business.party import Party
from mainspring.records.business.project import Project, ProjectTask
from mainspring.records.defined import writing
from mainspring.records.defined.keys import behind
from mainspring.records.defined.kinds import Defined, find_kind
from mainspring.records.importing import work as import_work
from mainspring.records.importing.files import ImportStore
from mainspring.records.importing.sheets import xlsx_file
from mainspring.records.importing.work import Work, do
from mainspring.records.tenant import Tenant

PLACES = ["code", "name.en", "within", "sort", "x"]


class Sheets:
    """Sheets of one company, taken in this process; `take` checks one and loads it, and wants the same of both."""

    def __init__(self, plant: Tenant, folder: Path) -> None:
        self.plant, self._store = plant, ImportStore(folder)

    def begun(self, kind: str, columns: list[str], rows: list[list[str]]) -> Work:
        folder = self._store.make(self.plant.key, uuid7(), xlsx_file([columns, *rows]))
        mapping = {str(place): key for place, key in enumerate(columns)}
        state = {"id": folder.path.name, "name": "a.xlsx", "kind": kind, "options": {"mapping": mapping}, "fixes": []}
        return Work(folder, state, access(self.plant).author, granted=access(self.plant))

    def done(self, work: Work, stage: str) -> dict[str, Any]:
        progress = {"done": 0, "total": 0, "started_ms": 0, "rows_per_s": 0}
        work.state |= {"stage": stage, "progress": progress, "counts": None, "causes": [], "report": None, "text": None}
        do(work)
        assert work.state["stage"] in {"checked", "loaded", "undone"}, work.state
        return work.state

    def take(self, kind: str, columns: list[str], rows: list[list[str]]) -> tuple[Work, dict[int, str]]:
        """Check and load; returns the work, and by the number of each refused row what is wrong with it."""
        work = self.begun(kind, columns, rows)
        found = find_kind(kind).objects.count(), AuditEntry.objects.count()
        checked = self.done(work, "checking")["counts"], self._told(work)
        assert (find_kind(kind).objects.count(), AuditEntry.objects.count()) == found
        assert (self.done(work, "loading")["counts"], self._told(work)) == checked
        return work, checked[1]

    def _told(self, work: Work) -> dict[int, str]:
        return {each["row"]: f"{each['field']}: {each['text']['en']}" for each in work.folder.lines(work.folder.faults)}


@pytest.fixture
def sheets(plant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sheets:
    """Return what takes sheets, two rows at a time."""
    monkeypatch.setattr(import_work, "PIECE", 2)
    return Sheets(plant, tmp_path)


def place(code: str, within: str = "", sort: str = "place", x: str = "") -> list[str]:
    return [code, f"Place {code}", within, sort, x]


def within(kind: type[Defined] = Location, name: str = "code") -> dict[str, str | None]:
    return dict(kind.objects.values_list(name, f"within__{name}"))


def location(of: Tenant, code: str, inside: Location | None = None) -> Location:
    fields = {"code": code, "name": {"en": code, "zh": ""}, "within": inside.id if inside else None}
    return writing.create(access(of), Location, fields)


@pytest.mark.parametrize("piece", [1, 2, 500])
def test_a_tree_in_any_order_is_taken_in_one_go_and_back(
    sheets: Sheets, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(import_work, "PIECE", piece)
    tree = {"S": "", "B1": "S", "B2": "S", "F1": "B1", "F2": "B1", "R1": "F1", "R2": "F2", "R3": "F2"}
    rows = [place(code, above) for code, above in tree.items()]
    for ordered in (rows, rows[::-1], [*rows[3:], *rows[:3]]):
        work, faults = sheets.take("location", PLACES, ordered)
        assert faults == {}
        assert within() == {code: above or None for code, above in tree.items()}
        report = sheets.done(work, "undoing")["report"]
        assert (report["undone"], report["kept"], Location.objects.count()) == (8, 0, 0)
    assert first_broken(sheets.plant) is None


def test_a_row_below_a_refused_one_is_refused_and_says_so(sheets: Sheets) -> None:
    rows = [
        place("A"), place("B", "A", sort="plce"), place("C", "B"), place("D", "C"),
        # The database refuses a rectangle that is not whole: known only once it is stored.
        place("E", "G"), place("F", "E"), place("G", "A", x="1"), place("H", "A"), place("I", "nowhere"),
    ]  # fmt: skip
    _, faults = sheets.take("location", PLACES, rows)
    assert faults[3].startswith("sort: ")
    assert faults[8] == "x: A rectangle has x, y, width and depth."
    stands = "stands in row {}, which is refused itself. Correct that row first."
    assert {row: faults[row] for row in (4, 5, 6, 7, 10)} == {
        4: f"within: Location B {stands.format(3)}", 5: f"within: Location C {stands.format(4)}",
        6: f"within: Location G {stands.format(8)}", 7: f"within: Location E {stands.format(6)}",
        10: "within: There is no Location nowhere here.",
    }  # fmt: skip
    assert within() == {"A": None, "H": "A"}


def test_late_refusals_within_one_piece_are_told_alike(sheets: Sheets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_work, "PIECE", 500)
    _, faults = sheets.take("location", PLACES, [place("A", "B"), place("B", "C"), place("C", x="1"), place("D")])
    assert {row: told.partition(":")[0] for row, told in faults.items()} == {2: "within", 3: "within", 4: "x"}
    assert within() == {"D": None}


def test_rows_in_a_circle_are_refused(sheets: Sheets) -> None:
    there = location(sheets.plant, "T")
    rows = [place("A", "B"), place("B", "C"), place("C", "A"), place("D", "D"), place("E", "A"), place("T", "U"),
            place("U", "T")]  # fmt: skip
    _, faults = sheets.take("location", PLACES, rows)
    back = "within: Row {} leads back to this one, so neither can come first. Change one of them."
    stands = "within: Location {} stands in row {}, which is refused itself. Correct that row first."
    assert faults == {
        4: back.format(2), 3: stands.format("C", 4), 2: stands.format("B", 3), 5: back.format(5),
        6: stands.format("A", 2), 8: back.format(7), 7: stands.format("U", 8),
    }  # fmt: skip
    there.refresh_from_db()
    assert (within(), there.version) == ({"T": None}, 1)


def test_a_circle_through_what_is_there_is_found_across_pieces_in_the_check_too(sheets: Sheets) -> None:
    c = location(sheets.plant, "C")
    d = location(sheets.plant, "D", c)
    location(sheets.plant, "B", d)
    location(sheets.plant, "A")
    rows = [place("A", "B"), place("X"), place("Y"), place("N", "A"), place("Z"), place("C", "N")]
    _, faults = sheets.take("location", PLACES, rows)
    assert faults == {7: "within: A location cannot lie within itself."}
    assert within() == {"A": "B", "B": "D", "C": None, "D": "C", "N": "A", "X": None, "Y": None, "Z": None}


def test_what_moved_below_a_new_record_goes_back_before_that_is_removed(sheets: Sheets) -> None:
    old = location(sheets.plant, "O")
    work, faults = sheets.take("location", PLACES, [place("O", "N"), place("N"), place("P", "O")])
    assert (faults, within()) == ({}, {"O": "N", "N": None, "P": "O"})
    report = sheets.done(work, "undoing")["report"]
    assert (report["undone"], report["kept"], within()) == (3, 0, {"O": None})
    old.refresh_from_db()
    assert old.version == 3


def test_what_people_put_below_stays_with_all_above_it(sheets: Sheets) -> None:
    work, _ = sheets.take("location", PLACES, [place("A"), place("B", "A"), place("C", "B"), place("D", "A")])
    location(sheets.plant, "own", Location.objects.get(code="B"))
    report = sheets.done(work, "undoing")["report"]
    assert (report["undone"], report["kept"]) == (2, 2)
    assert within() == {"A": None, "B": "A", "own": "B"}


def test_rules_that_look_at_the_row_above_see_it(sheets: Sheets) -> None:
    columns = ["scheme", "number", "name.en", "within"]
    rows = [["S", "1.1.1", "c", "S/1/1.1"], ["S", "1.1", "b", "S/1/1"], ["S", "1", "a", ""], ["T", "2", "d", "S/1/1"]]
    _, faults = sheets.take("criterion", columns, rows)
    assert faults == {5: "within: This criterion belongs to another scheme."}
    assert within(Criterion, "number") == {"1": None, "1.1": "1", "1.1.1": "1.1"}


def test_parts_of_a_whole_link_to_one_another_by_their_whole_keys(sheets: Sheets) -> None:
    for number in ("P/1", "P2"):
        writing.create(access(sheets.plant), Project, {"number": number, "name": {"en": number, "zh": ""}})
    columns = ["project", "number", "name.en", "within"]
    rows = [["P/1", "2", "b", "P/1/1"], ["P/1", "1", "a", ""], ["P2", "1", "c", ""], ["P2", "2", "d", "P/1/1"]]
    _, faults = sheets.take("project-task", columns, rows)
    assert list(faults) == [5]
    stored = ProjectTask.objects.values_list("name__en", "within__name__en")
    assert dict(stored) == {"a": None, "b": "a", "c": None}


def test_rows_numbered_by_themselves_are_linked_to_by_nobody(sheets: Sheets) -> None:
    rows = [["", "A", "P-1"], ["P-1", "B", ""], ["", "C", ""], ["P-2", "D", "P-1"]]
    _, faults = sheets.take("party", ["number", "name.en", "within"], rows)
    assert faults == {}
    assert sorted(above or "" for above in within(Party, "number").values()) == ["", "", "P-1", "P-1"]


def test_a_key_twice_counts_once_wherever_links_put_it(sheets: Sheets) -> None:
    rows = [place("C", "A"), place("X"), place("A"), place("Y"), place("A", "X")]
    _, faults = sheets.take("location", PLACES, rows)
    assert faults == {6: "code: Row 4 names the same Location."}
    assert within()["A"] is None


def test_places_stand_behind_those_above_them() -> None:
    assert behind([[], [0], [1]]) == ([0, 1, 2], [])
    assert behind([[2], [], [1]]) == ([1, 2, 0], [])
    assert behind([[1, 2], [2], []]) == ([2, 1, 0], [])
    assert behind([[0]]) == ([0], [(0, 0)])
    assert behind([[1], [0], [1]]) == ([1, 0, 2], [(1, 0)])
    deep = [[place + 1] for place in range(100_000)] + [[]]
    assert behind(deep) == (list(range(100_000, -1, -1)), [])


def test_another_company_is_not_linked_to(sheets: Sheets) -> None:
    location(tenant("north"), "A")
    _, faults = sheets.take("location", PLACES, [place("B", "A")])
    assert faults == {2: "within: There is no Location A here."}
