"""The index by which business records are found: one row for each, kept by triggers in the transaction of its record.

A word in it begins with the company's and the kind's sign and with how sensitive its field is, so that a search walks
through what it may see alone: FTS5 in SQLite, an inverted index (GIN) over `tsvector` in PostgreSQL.

PostgreSQL's row-level security asks no index with an operator that could tell of rows before they are known to be
one's own, and `@@` is such a one. So the question is a part of the policy itself: it shows rows of the company worked
for that hold the words in `mainspring.sought`, and none while nothing is sought.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from typing import Any, ClassVar, Final
from uuid import UUID

import structlog
from django.db import connection, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q

from mainspring.records.defined.kinds import KIND_MAX, Defined, kinds, told
from mainspring.records.in_force import for_platform
from mainspring.records.search_words import STARTS_MAX, WORD_MAX, Sought, holds, words
from mainspring.records.tenant import Tenant
from mainspring.records.wall import HOLDS, POLICY

log = structlog.get_logger(__name__)
SEARCH_MAX: Final = 2000
"""Characters of the words of one record."""
BATCH: Final = 500
SOUGHT: Final = "mainspring.sought"
_EVERYTHING: Final = "!a"
"""What every row holds: words begin with signs, so none is `a`."""
_FORM: Final = f"1 {WORD_MAX} {STARTS_MAX}"
"""How words are made; another number has them all made anew."""


class Words(models.TextField):  # type: ignore[type-arg]
    """Words with blanks between them, as the database finds them."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """Return the type of the column."""
        return "tsvector" if connection.vendor == "postgresql" else "text"


class SearchRow(models.Model):
    """The words by which one business record is found."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    object_kind = models.CharField(max_length=KIND_MAX)
    object_id: models.UUIDField[UUID, UUID] = models.UUIDField()
    words = Words()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["object_id"], name="search_row_object")]

    def __str__(self) -> str:
        return f"words of {self.object_kind} {self.object_id}"


TABLE: Final = SearchRow._meta.db_table
_TEXT: Final = "records_searchtext"
"""The virtual table of SQLite."""
_LATER: Final = "records_searchlater"
"""In SQLite: behind which row the virtual table is told of new ones later."""


def searched(record: Defined) -> str:
    """Return the words a record is found by, each behind a blank and the sign of its field."""
    found: dict[str, None] = {}
    for name, sign in _signed(type(record)):
        value = getattr(record, name)
        for text in value.values() if isinstance(value, dict) else (str(value or ""),):
            for word in words(text):
                found[f" {sign}{word}"] = None
    whole = "".join(found)
    return whole if len(whole) <= SEARCH_MAX else whole[:SEARCH_MAX].rpartition(" ")[0]


@cache
def _signed(kind: type[Defined]) -> tuple[tuple[str, str], ...]:
    """Return the fields whose words a record is found by, each with its sign: how sensitive it is, and how personal.

    Who sees one field of a sign sees all of them. What a record links to has words of its own, which may change.
    """
    found = []
    for name in kind.shape.found_by or kind.shape.key:
        about = told(kind, name)
        if about.control not in {"link", "any", "rows", "nested"}:
            found.append((name, "abcdefgh"[2 * about.grade + about.personal]))
    return tuple(found)


def signs(kind: type[Defined], hidden: Collection[str]) -> tuple[str, ...]:
    """Return the signs of the fields by which someone may search who does not see some of them."""
    unseen = {sign for name, sign in _signed(kind) if name in hidden}
    return tuple(sorted({sign for _, sign in _signed(kind)} - unseen))


@contextmanager
def together() -> Iterator[None]:
    """Index the records that are written within at its end, in the same transaction.

    SQLite's virtual table writes a segment for each statement of a trigger: a quarter of the time for all at once.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {_LATER} SELECT coalesce(max(id), 0) FROM {TABLE}")
        yield
        cursor.execute(
            f"INSERT INTO {_TEXT} (rowid, words) SELECT id, words FROM {TABLE} "
            f"WHERE id > (SELECT min(last) FROM {_LATER})"
        )
        cursor.execute(f"DELETE FROM {_LATER}")


def holding(asked: Sought, known: Collection[str]) -> Q:
    """Return the condition that a record's own words are those sought; a walk through many that mostly are."""
    condition = Q() if asked and known else Q(pk__in=())
    for ways in asked if known else ():
        way = Q(pk__in=())
        for each in ways:
            together = Q()
            for word in each:
                one = Q(pk__in=())
                for sign in known:
                    one |= holds(f" {sign}{word}")
                together &= one
            way |= together
        condition &= way
    return condition


def hits(kind: type[Defined], tenant: UUID, asked: Sought, known: Collection[str], most: int) -> list[UUID]:
    """Return up to `most` records of a company's kind that hold what is sought, in no order."""
    if not asked or not known:
        return []
    place = f"{tenant.hex[-8:]}{_code(kind)}"
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                f"SELECT r.object_id FROM {_TEXT} CROSS JOIN {TABLE} AS r ON r.id = {_TEXT}.rowid "
                f"WHERE {_TEXT} MATCH %s AND r.tenant_id = %s AND r.object_kind = %s LIMIT %s",
                [_asked(asked, known, place, '"{}"*', " AND ", " OR "), tenant.hex, kind.kind, most],
            )
            return [UUID(row[0]) for row in cursor.fetchall()]
        query = _asked(asked, known, place, "'{}':*", " & ", " | ")
        cursor.execute("SELECT set_config(%s, %s, false)", [SOUGHT, query])
        # For who passes policies it is said here, too.
        cursor.execute(
            f"SELECT object_id FROM {TABLE} "
            "WHERE tenant_id = %s AND object_kind = %s AND words @@ %s::tsquery LIMIT %s",
            [tenant, kind.kind, query, most],
        )
        return [row[0] for row in cursor.fetchall()]


def _asked(asked: Sought, known: Collection[str], place: str, form: str, both: str, either: str) -> str:
    """Write what is sought in the words of a database."""

    def one(word: str) -> str:
        return f"({either.join(form.format(f'{place}{sign}{word}') for sign in known)})"

    return both.join(f"({either.join(f'({both.join(map(one, each))})' for each in ways)})" for ways in asked)


def _code(kind: type[Defined]) -> str:
    return f"{zlib.crc32(kind.kind.encode()) & 0xFFFFFF:06x}"


def build(using: str = "default", **_: Any) -> None:
    """Make what keeps the index, and fill it for kinds it did not know as they are now; called after migrations."""
    database = connections[using]
    there = set(database.introspection.table_names())
    if TABLE not in there:
        return
    with for_platform():
        with database.cursor() as cursor:
            cursor.execute(_MADE[database.vendor])
            made = {str(row[0]) for row in cursor.fetchall()}
            for statement in () if _LAST[database.vendor] in made else _TABLES[database.vendor]:
                cursor.execute(statement)
        for kind in kinds():
            if kind._meta.db_table in there:
                _keep(database, kind, made)


def _keep(database: BaseDatabaseWrapper, kind: type[Defined], made: set[str]) -> None:
    """Have the words of a kind kept by triggers, whose names tell how the words are made."""
    name = f"search_{kind.kind.replace('-', '_')}"
    definition = sha256(" ".join([_FORM, *map(":".join, _signed(kind))]).encode())
    now = f"{name}_{definition.hexdigest()[:6]}"
    if f"{now}_made" in made:
        return
    table = database.ops.quote_name(kind._meta.db_table)
    with transaction.atomic(database.alias), database.cursor() as cursor:
        for old in made:
            if re.fullmatch(rf"{name}_[0-9a-f]{{6}}_(made|changed|gone)", old):
                cursor.execute(f"DROP TRIGGER {old}" + (f" ON {table}" if database.vendor == "postgresql" else ""))
        for statement in _triggers(database.vendor, now, table, kind):
            cursor.execute(statement)
        _fill(database, kind, table)


def _fill(database: BaseDatabaseWrapper, kind: type[Defined], table: str) -> None:
    """Make the words of a kind's records anew."""
    last, count = UUID(int=0), 0
    while rows := list(kind._default_manager.filter(pk__gt=last).order_by("pk")[:BATCH]):
        ids = [row.pk if database.vendor == "postgresql" else row.pk.hex for row in rows]
        with database.cursor() as cursor:
            # Through the empty text: also words that stay are new to the index.
            cursor.executemany(f"UPDATE {table} SET search = '' WHERE id = %s", [(id,) for id in ids])
            made = [(searched(row), id) for row, id in zip(rows, ids, strict=True)]
            with together():
                cursor.executemany(f"UPDATE {table} SET search = %s WHERE id = %s", made)
        last, count = rows[-1].pk, count + len(rows)
    if count:
        log.info("records.search_filled", kind=kind.kind, rows=count)


def _triggers(vendor: str, name: str, table: str, kind: type[Defined]) -> Iterator[str]:
    changed = "OLD.search <> NEW.search"
    if vendor == "postgresql":
        keep = f"FOR EACH ROW {{}} EXECUTE FUNCTION records_search_keep('{kind.kind}', '{_code(kind)}')"
        yield f"CREATE TRIGGER {name}_made AFTER INSERT ON {table} {keep.format('')}"
        yield f"CREATE TRIGGER {name}_changed AFTER UPDATE OF search ON {table} {keep.format(f'WHEN ({changed})')}"
        yield f"CREATE TRIGGER {name}_gone AFTER DELETE ON {table} {keep.format('')}"
        return
    place = f"replace(NEW.search, ' ', ' ' || substr(NEW.tenant_id, -8) || '{_code(kind)}')"
    values = f"NEW.tenant_id, '{kind.kind}', NEW.id, {place}"
    into = f"INSERT INTO {TABLE} (tenant_id, object_kind, object_id, words)"
    add = f"{into} SELECT {values} WHERE NEW.search <> '';"
    forget = f"DELETE FROM {TABLE} WHERE object_id = OLD.id;"
    # VALUES, for a SELECT would fill a temporary table for each row.
    made = f"AFTER INSERT ON {table} WHEN NEW.search <> ''"
    yield f"CREATE TRIGGER {name}_made {made} BEGIN {into} VALUES ({values}); END"
    yield f"CREATE TRIGGER {name}_changed AFTER UPDATE OF search ON {table} WHEN {changed} BEGIN {forget} {add} END"
    yield f"CREATE TRIGGER {name}_gone AFTER DELETE ON {table} BEGIN {forget} END"


_MADE: Final = {
    "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid "
    "WHERE NOT tgisinternal AND c.relnamespace = current_schema()::regnamespace "
    f"UNION ALL SELECT policyname FROM pg_policies WHERE tablename = '{TABLE}' AND schemaname = current_schema()",
}
_LAST: Final = {"sqlite": "search_text_gone", "postgresql": "of_tenant_gone"}
"""What is made last of all that is made once."""
_TABLES: Final = {
    "sqlite": (
        f"CREATE VIRTUAL TABLE IF NOT EXISTS {_TEXT} USING fts5("
        f"words, content='{TABLE}', content_rowid='id', detail='none', columnsize=0, prefix='16 17', "
        "tokenize='unicode61 remove_diacritics 0')",
        f"CREATE TABLE IF NOT EXISTS {_LATER} (last INTEGER NOT NULL)",
        f"CREATE TRIGGER IF NOT EXISTS search_text_made AFTER INSERT ON {TABLE} "
        f"WHEN NOT EXISTS (SELECT 1 FROM {_LATER}) BEGIN "
        f"INSERT INTO {_TEXT} (rowid, words) VALUES (NEW.id, NEW.words); END",
        f"CREATE TRIGGER IF NOT EXISTS search_text_gone AFTER DELETE ON {TABLE} "
        f"WHEN OLD.id <= coalesce((SELECT min(last) FROM {_LATER}), OLD.id) BEGIN "
        f"INSERT INTO {_TEXT} ({_TEXT}, rowid, words) VALUES ('delete', OLD.id, OLD.words); END",
    ),
    "postgresql": (
        f"CREATE INDEX IF NOT EXISTS search_words ON {TABLE} USING gin (words)",
        # To remove a row it must be seen, so whoever removes one seeks everything. Only a superuser may say so beside
        # the function's name.
        f"""
        CREATE OR REPLACE FUNCTION records_search_keep() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
          before text := coalesce(current_setting('{SOUGHT}', true), '');
        BEGIN
          IF TG_OP <> 'INSERT' THEN
            PERFORM set_config('{SOUGHT}', '{_EVERYTHING}', true);
            DELETE FROM {TABLE} WHERE object_id = OLD.id;
            PERFORM set_config('{SOUGHT}', before, true);
          END IF;
          IF TG_OP <> 'DELETE' AND NEW.search <> '' THEN
            INSERT INTO {TABLE} (tenant_id, object_kind, object_id, words) VALUES (NEW.tenant_id, TG_ARGV[0], NEW.id,
              replace(NEW.search, ' ', ' ' || right(NEW.tenant_id::text, 8) || TG_ARGV[1])::tsvector);
          END IF;
          RETURN NULL;
        END $$
        """,
        f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY",
        f"DROP POLICY IF EXISTS {POLICY} ON {TABLE}",
        f"CREATE POLICY {POLICY} ON {TABLE} FOR SELECT USING "
        f"(({HOLDS}) AND words @@ (SELECT nullif(current_setting('{SOUGHT}', true), '')::tsquery))",
        f"DROP POLICY IF EXISTS of_tenant_made ON {TABLE}",
        f"CREATE POLICY of_tenant_made ON {TABLE} FOR INSERT WITH CHECK ({HOLDS})",
        f"DROP POLICY IF EXISTS of_tenant_gone ON {TABLE}",
        f"CREATE POLICY of_tenant_gone ON {TABLE} FOR DELETE USING ({HOLDS})",
    ),
}
