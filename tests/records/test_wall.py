"""The second wall: what PostgreSQL itself keeps from a company, whatever the program asks."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import ProgrammingError, connection, transaction
from tests.records import ground
from tests.records.plant import asset, person, tenant

from mainspring.records import wall
from mainspring.records.in_force import NOBODY, PLATFORM, enter, for_platform, for_tenant, in_force, unchanged
from mainspring.records.plant.asset import Asset
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant


@pytest.fixture
def north(plant: Tenant) -> Tenant:
    """Another company with an asset, beside the plant with one."""
    made = tenant("north")
    asset(made, "theirs")
    asset(plant, "ours")
    return made


def slugs() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT slug FROM records_asset")
        return {row[0] for row in cursor.fetchall()}


def test_every_table_that_carries_a_company_has_the_wall(plant: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AND EXISTS "
            "(SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = %s) "
            "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' "
            "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped",
            [wall.POLICY],
        )
        found = dict(cursor.fetchall())
    assert found.keys() == set(wall.tables())
    assert len(found) > 30
    assert all(found.values()), [name for name, walled in found.items() if not walled]
    assert not wall.passes(connection)


SHARED = {
    # Tables of no company, by what their names begin with; a new one is to be thought about.
    "django_migrations": "which tables there are", "django_content_type": "which kinds there are",
    "django_session": "who signs in, before it is known for which company", "auth_": "not used: rights are ours",
    "axes_": "failed sign-ins by name and address, before anyone is known",
    "socialaccount_socialapp": "not used: providers stand in the settings",
    "records_cache": "how often someone tried, before anyone is known",
    "records_tenant": "the companies themselves, by whose keys people sign in", "records_counter": "numbers given once",
}  # fmt: skip


def test_whoever_asks_the_server_directly_sees_nothing_of_any_company(plant: Tenant, north: Tenant) -> None:
    import psycopg

    of_companies = "EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')"
    walled = "EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid) AND c.relforcerowsecurity"
    with psycopg.connect(f"{ground.SERVER}/ground", autocommit=True) as direct:
        catalogue: list[tuple[str, bool, bool]] = direct.execute(
            f"SELECT c.relname, {of_companies}, {walled} FROM pg_class c "
            "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
        ).fetchall()
        seen = [name for name, _, hidden in catalogue if hidden and _rows(direct, name)]
        assert seen == []
        assert direct.execute("UPDATE records_asset SET slug = 'stolen'").rowcount == 0
        assert direct.execute("DELETE FROM records_asset").rowcount == 0
    assert [name for name, of_company, hidden in catalogue if of_company and not hidden] == []
    assert [name for name, _, hidden in catalogue if not hidden and not name.startswith(tuple(SHARED))] == []
    # There was something to see.
    with connection.cursor() as cursor:
        filled = [name for name, _, hidden in catalogue if hidden and _rows(cursor, name)]
    assert {"records_asset", "records_auditentry"} <= set(filled), filled


def _rows(asked: Any, table: str) -> bool:
    found = asked.execute(f'SELECT 1 FROM "{table}" LIMIT 1')
    return bool((found or asked).fetchone())


def test_what_packages_keep_of_people_is_behind_it_too(plant: Tenant, north: Tenant) -> None:
    from allauth.mfa.models import Authenticator

    assert {"mfa_authenticator", "socialaccount_socialaccount"} <= set(wall.tables_of_people())
    for of in (plant, north):
        Authenticator.objects.create(user=person(Role.VIEWER, of), type="totp", data={"of": of.key})
    for of, seen in ((plant, ["plant"]), (north, ["north"])):
        with for_tenant(of), connection.cursor() as cursor:
            cursor.execute("SELECT data ->> 'of' FROM mfa_authenticator")
            assert [row[0] for row in cursor.fetchall()] == seen
    with for_tenant(plant), connection.cursor() as cursor:
        cursor.execute("DELETE FROM mfa_authenticator WHERE data ->> 'of' = 'north'")
        assert cursor.rowcount == 0


def test_rows_of_others_are_neither_seen_nor_changed_nor_taken(plant: Tenant, north: Tenant) -> None:
    with for_tenant(plant), connection.cursor() as cursor:
        assert slugs() == {"ours"}
        assert Asset.objects.filter(slug="theirs").first() is None
        cursor.execute("UPDATE records_asset SET slug = 'stolen' WHERE slug = 'theirs'")
        assert cursor.rowcount == 0
        cursor.execute("DELETE FROM records_asset WHERE slug = 'theirs'")
        assert cursor.rowcount == 0
        for statement in (
            "INSERT INTO records_personkey (id, tenant_id, subject, key, created_ms) VALUES (%s, %s, 'x', '', 0)",
            "UPDATE records_asset SET id = %s, tenant_id = %s",
        ):
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                cursor.execute(statement, [uuid4(), north.pk])
    assert slugs() == {"ours", "theirs"}


def test_nobody_sees_anything_until_it_is_said_for_whom(plant: Tenant, north: Tenant) -> None:
    from mainspring.records import in_force as words

    token = words._in_force.set(NOBODY)
    try:
        assert slugs() == set()
        with for_platform():
            assert slugs() == {"ours", "theirs"}
        with for_tenant(north):
            assert slugs() == {"theirs"}
        assert slugs() == set()
    finally:
        words._in_force.reset(token)


def test_a_grant_opens_the_wall_to_its_owner_alone(plant: Tenant, north: Tenant) -> None:
    asset(tenant("third"), "third")
    with unchanged():
        enter(plant, north)
        assert slugs() == {"ours", "theirs"}
    assert in_force() == PLATFORM


def test_what_was_told_within_a_transaction_is_told_again_after_it_was_undone(plant: Tenant, north: Tenant) -> None:
    with for_tenant(plant):
        assert slugs() == {"ours"}
    for nested in (False, True):
        with pytest.raises(ZeroDivisionError):
            fail(plant, north, nested=nested)
        with for_tenant(north):
            assert slugs() == {"theirs"}
        with for_tenant(plant):
            assert slugs() == {"ours"}


def fail(plant: Tenant, north: Tenant, *, nested: bool) -> None:
    """Work for one company within a transaction that is undone."""
    with for_tenant(plant), transaction.atomic():
        assert slugs() == {"ours"}
        try:
            with for_tenant(north), transaction.atomic():
                assert slugs() == {"theirs"}
                raise ZeroDivisionError
        except ZeroDivisionError:
            assert slugs() == {"ours"}
            if not nested:
                raise
        with for_tenant(north):
            assert slugs() == {"theirs"}
        raise ZeroDivisionError


def test_a_failed_statement_leaves_the_next_company_to_itself(plant: Tenant, north: Tenant) -> None:
    with transaction.atomic():
        with pytest.raises(ProgrammingError), transaction.atomic(), for_tenant(plant), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM nothing_of_that_name")
        with for_tenant(north):
            assert slugs() == {"theirs"}
