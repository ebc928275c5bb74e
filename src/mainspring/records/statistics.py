"""What the database knows of how its tables are filled: it chooses among indexes by it."""

from __future__ import annotations

from typing import Any, Final

from django.db import connections

_ROWS_MAX: Final = 10_000
"""Rows of each index that are looked at: half a second for a million. A company then counts as ten thousand rows, and
hundreds of them are looked up by their ids; with fewer SQLite would read all it has for that."""


def gather(using: str = "default", **_: Any) -> None:
    """Have the database look at its tables; PostgreSQL does so by itself, SQLite never."""
    connection = connections[using]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA analysis_limit = {_ROWS_MAX}")
            cursor.execute("ANALYZE")
