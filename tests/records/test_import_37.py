"""A large file with 37 bad rows: each is named by row, column and reason, and all others are loaded.

20,000 rows; `MAINSPRING_TEST_ROWS=100000` tries it with as many as the benchmark of imports has.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import pytest
from tests.records.importing import done
from tests.records.plant import access, author

from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.business.item import Item
from mainspring.records.defined.access import Access
from mainspring.records.importing.imports import Imports
from mainspring.records.importing.sheets import csv_lines, xlsx_file
from mainspring.records.tenant import Tenant

ROWS: Final = int(os.environ.get("MAINSPRING_TEST_ROWS", "20000"))
BAD: Final = 37
HEAD: Final = ["Number", "Revision", "Name in English", "中文名称", "Kind", "Unit", "Weight of one", "Shelf life"]
FIRST: Final = 2
"""The number people see beside the first row below the head."""
WRONG: Final = (
    ("Kind", "prt", "Must be one of"),
    ("Unit", "parsec/h", "not a known unit"),
    ("Weight of one", "1,5", "Enter a number"),
    ("Weight of one", "-1", "at least 0"),
    ("Shelf life", "1.5", "whole number"),
    ("Shelf life", "0", "at least 1"),
    ("Number", "", "required"),
    ("Revision", "R" * 17, "16 characters"),
    ("Weight of one", "1" * 40, "digits"),
    ("Number", "a\x01b", "form"),
)
"""Columns, what stands in them, and what is said of it."""


def sheet(count: int, wrong: Sequence[tuple[str, str, str]]) -> tuple[list[list[str]], dict[int, tuple[str, str, str]]]:
    """Return rows, and of the bad ones by the number people see: column, content and reason."""
    rows = [
        [f"P-{number:06}", "A", f"Bearing {number}", f"轴承 {number}", "Part", "kg", "1.25", "30"]
        for number in range(count)
    ]
    bad = {}
    for place in range(BAD):
        # Also the first and the last row, the others all over it.
        at = place * (count - 1) // (BAD - 1)
        column, content, reason = wrong[place % len(wrong)]
        rows[at][HEAD.index(column)] = content
        bad[at + FIRST] = (column, content, reason)
    assert len(bad) == BAD
    return rows, bad


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_exactly_the_bad_rows_are_named_and_all_others_loaded(imports: Imports, plant: Tenant, form: str) -> None:
    if form == "xlsx":
        # A workbook cannot hold the control character at all; what differs is how it is read, not how much.
        rows, bad = sheet(ROWS // 10, WRONG[:-1])
        content = xlsx_file([HEAD, *rows])
    else:
        rows, bad = sheet(ROWS, WRONG)
        content = b"".join(csv_lines([HEAD, *rows]))
    may = access(plant)
    state = imports.add(author(plant), f"items.{form}", content, "item", may)
    id = UUID(state["id"])
    mapping = {str(place): each["field"] for place, each in enumerate(state["columns"])}
    imports.check(author(plant), id, {"mapping": mapping}, may)
    state = done(imports, plant, id)

    good = len(rows) - len(bad)
    assert state["stage"] == "checked", state["text"]
    assert state["counts"] == {"created": good, "updated": 0, "unchanged": 0, "refused": len(bad)}
    assert Item.objects.count() == 0
    faults, total = imports.faults(author(plant), id, "", 0, 1000)
    assert total == len(bad)
    told = {each["row"]: (each["column"], each["found"], each["text"]["en"]) for each in faults}
    assert told.keys() == bad.keys()
    for number, (column, found, reason) in bad.items():
        assert told[number][:2] == (column, found), number
        assert reason in told[number][2], (number, told[number][2])
    assert all(each["text"]["zh"] for each in faults)

    imports.load(author(plant), id, may)
    state = done(imports, plant, id)
    assert (state["stage"], state["report"]["created"], state["report"]["refused"]) == ("loaded", good, len(bad))
    assert Item.objects.of(plant).count() == good
    assert AuditEntry.objects.filter(object_kind="item", action="create").count() == good
    assert first_broken(plant) is None
    _refused_rows_are_loaded_once_they_are_right(imports, plant, may, id, len(rows))


def _refused_rows_are_loaded_once_they_are_right(
    imports: Imports, plant: Tenant, may: Access, id: UUID, count: int
) -> None:
    head, *refused = imports.refused(author(plant), id, "en")
    assert head == [*HEAD, "Row", "Reason"]
    right = [[f"Q-{row[-2]}", "A", "Bearing", "轴承", "Part", "kg", "1.25", "30"] for row in refused]
    again = imports.add(author(plant), "right.csv", b"".join(csv_lines([HEAD, *right])), "item", may)
    mapping = {str(place): each["field"] for place, each in enumerate(again["columns"])}
    imports.check(author(plant), UUID(again["id"]), {"mapping": mapping}, may)
    assert done(imports, plant, UUID(again["id"]))["counts"]["created"] == len(right)
    imports.load(author(plant), UUID(again["id"]), may)
    assert done(imports, plant, UUID(again["id"]))["stage"] == "loaded"
    assert Item.objects.of(plant).count() == count
