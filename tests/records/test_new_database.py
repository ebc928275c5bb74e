"""A new database is made at once, apps included, and is what all migrations one after the other make."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from mainspring.web.configure import WebSettings, configure
apps = ("examples.tool_crib", "examples.shift_log", "examples.supplier_rating")
configure(WebSettings(database_url=f"sqlite:///{sys.argv[1]}", apps=apps))
from mainspring.records import first_start, new_database
if sys.argv[2] == "step by step":
    first_start.make_tables = lambda: None
first_start.migrate()
"""


def made(file: Path, how: str) -> sqlite3.Connection:
    """Return a database made anew."""
    subprocess.run([sys.executable, "-c", PROGRAM, str(file), how], check=True, timeout=300)
    return sqlite3.connect(file)


def parts(sql: str) -> set[str]:
    """Return columns and constraints of a table's definition, in whatever order."""
    inner, depth, found, part = sql[sql.index("(") + 1 : sql.rindex(")")], 0, set(), ""
    for sign in inner:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            found.add(part.strip())
            part = ""
        else:
            part += sign
    return found | {part.strip()}


def told(database: sqlite3.Connection) -> dict[tuple[str, str], set[str]]:
    """Return what is there, by sort and name."""
    rows = database.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    plain = ((sort, name, re.sub(r"\s+", " ", sql)) for sort, name, sql in rows)
    return {(sort, name): parts(sql) if sort == "table" else {sql} for sort, name, sql in plain}


def test_both_ways_end_in_the_same_tables(tmp_path: Path) -> None:
    at_once, by_steps = (made(tmp_path / f"{name}.sqlite3", name) for name in ("at once", "step by step"))
    one, other = told(at_once), told(by_steps)
    assert one.keys() == other.keys()
    assert {key: (one[key] - other[key], other[key] - one[key]) for key in one if one[key] != other[key]} == {}
    asked = "SELECT app, name FROM django_migrations ORDER BY app, name"
    assert at_once.execute(asked).fetchall() == by_steps.execute(asked).fetchall()
    at_once.close()
    by_steps.close()
