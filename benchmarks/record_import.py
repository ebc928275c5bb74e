"""Records from a workbook, on a whole platform: 100,000 items, 37 of them bad, checked and loaded; then taken along."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.figures import QUICK, say
from benchmarks.imports import begun, checked, loaded, sent, undone
from benchmarks.platform_under_test import platform

MANY: Final = 2000 if QUICK else 100_000
BAD: Final = 37
HEAD: Final = ("Number", "Revision", "Name in English", "中文名称", "Kind", "Unit", "Weight of one", "Made here")
told = partial(say, "record_import")


def sheet() -> bytes:
    """Write a workbook of items, some of them wrong in different ways."""
    from mainspring.records.importing.sheets import xlsx_file

    wrong = {number * (MANY // BAD) + 5: number % 4 for number in range(BAD)}
    lines: list[list[str]] = [list(HEAD)]
    for number in range(MANY):
        line = [f"P-{number:06}", "A", f"Bearing {number}", f"轴承 {number}", "Part", "kg", "1.25", "yes"]
        if number in wrong:
            place = wrong[number]
            line[(4, 5, 6, 7)[place]] = ("prt", "parsec/h", "1,5", "perhaps")[place]
        lines.append(line)
    return xlsx_file(lines)


def main() -> None:
    """Import the items, export them, and take the import back."""
    content = sheet()
    with tempfile.TemporaryDirectory() as folder, platform(Path(folder)) as running:
        began = time.monotonic()
        state = checked(running, begun(running, "name=items.xlsx&kind=item", content))
        assert state["counts"] == {"created": MANY - BAD, "updated": 0, "unchanged": 0, "refused": BAD}, state
        told(f"{MANY:,} rows uploaded and checked, {BAD} refused", time.monotonic() - began, "s")
        loading = time.monotonic()
        state = loaded(running, state)
        assert state["report"]["created"] == MANY - BAD, state
        told(f"{MANY - BAD:,} rows loaded, each with its entry in the audit", time.monotonic() - loading, "s")
        told(f"{MANY:,} rows from the upload to the last record", time.monotonic() - began, "s", "below 30")
        for form in ("xlsx", "csv", "json"):
            began = time.monotonic()
            size = len(sent(running, f"/records/item/export?format={form}"))
            told(
                f"{MANY - BAD:,} records exported as {form.upper()}, {size / 2**20:.0f} MB",
                time.monotonic() - began,
                "s",
            )
        began = time.monotonic()
        assert undone(running, state)["report"]["undone"] == MANY - BAD
        told(f"{MANY - BAD:,} rows taken back", time.monotonic() - began, "s")


if __name__ == "__main__":
    main()
