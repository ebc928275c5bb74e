"""The second wall: PostgreSQL itself shows and takes rows of the company worked for alone."""

from __future__ import annotations

from typing import Any, Final

import structlog
from django.apps import apps
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from mainspring.records.in_force import PLATFORM
from mainspring.records.people.user import User
from mainspring.records.tenant import Tenant

log = structlog.get_logger(__name__)
POLICY: Final = "of_tenant"
_TOLD: Final = "SELECT current_setting('mainspring.tenant', true)"
# As sub-queries both are worked out once for a statement, not once for each row.
_IDS: Final = f"(SELECT string_to_array(nullif(nullif(({_TOLD}), ''), '{PLATFORM}'), ',')::uuid[])"
HOLDS: Final = f"({_TOLD}) = '{PLATFORM}' OR tenant_id = ANY(({_IDS})::uuid[])"
# The table of people has the policy itself: only those of the company are found in it.
_OF_PEOPLE: Final = f"({_TOLD}) = '{PLATFORM}' OR user_id IN (SELECT id FROM records_user)"


def tables() -> list[str]:
    """Return the tables whose rows belong to a company."""
    return sorted({each._meta.db_table for each in apps.get_models() if _of_tenant(each)})


def tables_of_people() -> list[str]:
    """Return the tables of packages whose rows belong to a person, and thereby to a company."""
    return sorted({each._meta.db_table for each in apps.get_models() if not _of_tenant(each) and _of_person(each)})


def _led_to_by() -> dict[str, str]:
    """Return the conditions of tables whose rows belong to those of a table of people: tokens, confirmations."""
    of_people, conditions = set(tables_of_people()), {}
    for each in apps.get_models():
        if _of_tenant(each) or _of_person(each):
            continue
        for field in each._meta.concrete_fields:
            target = field.related_model._meta if field.is_relation and field.related_model is not None else None
            if target is not None and target.db_table in of_people:
                within = f"{field.column} IN (SELECT {target.pk.column} FROM {target.db_table})"
                conditions[each._meta.db_table] = f"({_TOLD}) = '{PLATFORM}' OR {within}"
    return conditions


def build(using: str = "default", **_: Any) -> None:
    """Put the policy on every table that has none yet; called after migrations, whichever app they are of."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_policies WHERE schemaname = current_schema() AND policyname = %s", [POLICY]
        )
        done = {row[0] for row in cursor.fetchall()}
        there = set(connection.introspection.table_names(cursor))
        holds = dict.fromkeys(tables_of_people(), _OF_PEOPLE) | dict.fromkeys(tables(), HOLDS) | _led_to_by()
        for table, condition in holds.items():
            if table in there - done:
                name = connection.ops.quote_name(table)
                cursor.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
                cursor.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
                cursor.execute(f"CREATE POLICY {POLICY} ON {name} USING ({condition})")
    if passes(connection):
        log.warning("records.no_second_wall", user=connection.settings_dict["USER"], reason="this user passes policies")


def passes(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether the user of a connection passes every policy: superusers do, and those with BYPASSRLS."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def _of_tenant(kind: type[models.Model]) -> bool:
    field = next((each for each in kind._meta.concrete_fields if each.name == "tenant"), None)
    return field is not None and field.related_model is Tenant


def _of_person(kind: type[models.Model]) -> bool:
    field = next((each for each in kind._meta.concrete_fields if each.name == "user"), None)
    return field is not None and field.related_model is User
