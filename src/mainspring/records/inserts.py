"""Many new rows in one statement, without what Django spends on each value of each row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, Final

import orjson
from django.db import connection, models

ROWS: Final = 50
"""Rows of one statement: where a table has triggers, SQLite keeps each page as it was before each statement; but the
more there are, the longer PostgreSQL's client looks for the places of their values."""


def insert(rows: Sequence[models.Model]) -> None:
    """Insert rows of one table that have their keys already, or whose keys nobody needs afterwards.

    A third of the time `bulk_create` takes.
    """
    if not rows:
        return
    table = rows[0]._meta
    counted = table.auto_field if rows[0].pk is None else None
    columns = [column for column in table.concrete_fields if column is not counted]
    values = attrgetter(*(column.attname for column in columns))
    _store(table, columns, (list(values(row)) for row in rows))
    alias = connection.alias
    for row in rows:
        row._state.adding, row._state.db = False, alias


def insert_values(kind: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of values, in the order of `names`, without making a record of each."""
    columns = {column.attname: column for column in kind._meta.concrete_fields}
    _store(kind._meta, [columns[name] for name in names], map(list, rows))


def _store(table: Any, columns: Sequence[Any], rows: Iterable[list[Any]]) -> None:
    names = ", ".join(connection.ops.quote_name(str(column.column)) for column in columns)
    begin = f"INSERT INTO {connection.ops.quote_name(table.db_table)} ({names}) VALUES "
    marks = f"({', '.join(['%s'] * len(columns))})"
    adapted = [(place, adapt) for place, column in enumerate(columns) if (adapt := _adapter(column)) is not None]
    parameters = []
    for found in rows:
        for place, adapt in adapted:
            found[place] = adapt(found[place])
        parameters.append(found)
    parts = [parameters[start : start + ROWS] for start in range(0, len(parameters), ROWS)]
    with connection.cursor() as cursor:
        for count, alike in groupby(parts, len):
            values = [list(chain.from_iterable(part)) for part in alike]
            cursor.executemany(begin + ", ".join([marks] * count), values)


def _adapter(column: Any) -> Callable[[Any], Any] | None:
    """Return what turns a column's values into what the database takes, None where they are that already."""
    target = column
    while isinstance(target, models.ForeignKey):
        target = target.target_field
    if isinstance(target, models.JSONField):
        return lambda value: None if value is None else orjson.dumps(value, default=str).decode()
    if isinstance(target, models.UUIDField) and connection.vendor == "sqlite":
        return lambda value: getattr(value, "hex", value)
    return None
