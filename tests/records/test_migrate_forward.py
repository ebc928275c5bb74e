"""A database of yesterday goes forward: nothing is lost, the audit still verifies, what the database holds it holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.records import ground, postgresql
from tests.records.plant import author
from tests.records.yesterday import ENTRIES, SINCE, TAGS, Filling, fill_since, migrate_back_then

from mainspring.core.errors import MainspringError

TABLES = (
    "tenant", "user", "credential", "gateway", "device", "connection", "asset", "tag", "alarmdefinition", "alarminput",
    "suppressioninput", "commandrecord", "commandedtag", "reservation", "subscription", "notice", "software",
    "gatewayrelease", "dailycount", "auditentry", "counter",
)  # fmt: skip


@pytest.fixture(autouse=True)
def database() -> Iterator[None]:
    """Put an empty database in place, without any tables."""
    _empty_database()
    yield
    _forget_database()


def _empty_database() -> None:
    _close()
    if ground.SERVER:
        again = ("DROP DATABASE IF EXISTS ground WITH (FORCE)", "CREATE DATABASE ground")
        postgresql.execute(ground.SERVER, *again)
    else:
        _remove_files()


def _forget_database() -> None:
    """Leave things as the tests that follow expect them: without a database, or with one that is replaced."""
    _close()
    if not ground.SERVER:
        _remove_files()
    elif not ground.TEMPLATE.exists():
        postgresql.execute(ground.SERVER, "DROP DATABASE ground WITH (FORCE)")


def _close() -> None:
    from django.db import connections

    connections.close_all()
    if ground.SERVER:
        database: Any = connections["default"]
        database.close_pool()


def _remove_files() -> None:
    for part in ("", "-wal", "-shm"):
        Path(f"{ground.DATABASE}{part}").unlink(missing_ok=True)


def rows(table: str, columns: list[str] | None = None) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return columns and rows of a table, by whatever is its key."""
    from django.db import connection

    with connection.cursor() as cursor:
        listed = ", ".join(f'"{each}"' for each in columns) if columns else "*"
        cursor.execute(f'SELECT {listed} FROM "records_{table}" ORDER BY 1')
        return [column[0] for column in cursor.description], [tuple(map(str, row)) for row in cursor.fetchall()]


def test_records_of_yesterday_go_forward() -> None:
    from django.db import transaction

    from mainspring.records.first_start import migrate

    old = migrate_back_then()
    with transaction.atomic():
        Filling(old).fill()
    told = {each._meta.db_table.removeprefix("records_") for each in old.get_app_config("records").get_models()}
    # What links many to many is empty: groups and permissions of Django's own are not used.
    assert {name for name in told if not name.startswith("user_")} == set(TABLES)
    before = {table: rows(table) for table in TABLES}
    assert all(found for _, found in before.values()), {table for table, (_, found) in before.items() if not found}
    fill_since(migrate_back_then(SINCE))
    migrate()
    for table, (columns, found) in before.items():
        assert rows(table, columns)[1] == found, table
    what_came_since_is_there_and_found()
    the_database_holds_what_it_holds()
    they_are_worked_with()
    the_audit_verifies_and_tells_what_was_altered()


def what_came_since_is_there_and_found() -> None:
    from mainspring.records.business.item import Item
    from mainspring.records.defined.attached import Comment
    from mainspring.records.search_index import hits, signs
    from mainspring.records.search_words import sought

    item = Item.objects.get(number="P-7")
    assert item.name["en"] == "Gasket"
    assert hits(Item, item.tenant_id, sought("gasket"), signs(Item, ()), 5) == [item.pk]
    comment = Comment.objects.get(object_id=item.pk)
    assert (comment.text, comment.company) == ("It leaks", "")


def the_audit_verifies_and_tells_what_was_altered() -> None:
    from mainspring.records.audit import AuditEntry, first_broken
    from mainspring.records.tenant import Tenant

    for tenant in Tenant.objects.all():
        assert AuditEntry.objects.of(tenant).count() >= ENTRIES
        assert first_broken(tenant) is None
    plant = Tenant.objects.get(key="plant")
    AuditEntry.objects.of(plant).filter(sequence=3).update(object_name="altered")
    assert first_broken(plant) == 3


def they_are_worked_with() -> None:
    from mainspring.records.audit import first_broken
    from mainspring.records.business.item import Item
    from mainspring.records.defined import writing
    from mainspring.records.defined.access import Access
    from mainspring.records.plant import asset, tag
    from mainspring.records.plant.tag import Tag, TagDraft
    from mainspring.records.rights import Role
    from mainspring.records.tenant import Tenant

    plant = Tenant.objects.get(key="plant")
    first = Tag.objects.of(plant).order_by("ordinal")[0]
    changed = tag.modify(author(plant), first.id, {"description": {"en": "Jacket", "zh": "夹套"}}, first.version)
    assert (changed.description["zh"], changed.version) == ("夹套", 2)
    made = tag.create(author(plant), TagDraft.model_validate({"name": "new", "asset": first.asset_id}))
    assert made.ordinal > 2 * TAGS
    with pytest.raises(MainspringError):
        asset.delete(author(plant), first.asset_id, None)
    access = Access(author(plant), Role.ADMINISTRATOR.rights)
    item = writing.create(access, Item, {"number": "P-1", "name": {"en": "Bearing", "zh": "轴承"}})
    assert item.state == "draft"
    assert first_broken(plant) is None


def the_database_holds_what_it_holds() -> None:
    from django.db import IntegrityError, connection, transaction

    from mainspring.records.people.user import User
    from mainspring.records.plant.tag import Tag

    connection.check_constraints()
    measured = Tag.objects.filter(sample_kind="float64")
    for rows_, wrong in (
        (measured, {"gain": 0}),
        (measured, {"low": 200.0}),
        (User.objects.all(), {"role": "emperor"}),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows_.update(**wrong)


def test_no_migration_is_missing_and_only_one_is_last() -> None:
    from django.apps import apps
    from django.core.management import call_command
    from django.db.migrations.loader import MigrationLoader

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    leaves = MigrationLoader(None).graph.leaf_nodes()
    labels = [label for label, _ in leaves]
    assert len(labels) == len(set(labels)), leaves
    assert "records" in labels and apps.is_installed("axes")
