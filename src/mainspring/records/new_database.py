"""Tables of a new database: made at once of what is declared, and every migration up to here noted as done."""

from __future__ import annotations

from typing import Final

from django.apps import apps
from django.db import connection
from django.db.migrations import Migration, RunPython
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import fields, models
from django.db.migrations.recorder import MigrationRecorder

LABELS: Final = frozenset({"account", "auth", "axes", "contenttypes", "mfa", "records", "sessions", "socialaccount"})
"""What belongs to the platform."""
_OF_TABLES: Final = frozenset({fields.__name__, models.__name__})
"""Where the steps are declared that make and change tables, and do nothing else."""


def make_tables() -> None:
    """Make the tables of a database that has none; leave any other alone.

    Migrations make all definitions anew for each of their steps, eight seconds of a processor in all. A test holds that
    both ways end in the same tables.
    """
    recorder = MigrationRecorder(connection)
    recorder.ensure_schema()
    if recorder.applied_migrations() or set(connection.introspection.table_names()) != {
        recorder.Migration._meta.db_table
    }:
        return
    found = MigrationLoader(None).disk_migrations
    labels = LABELS | _of_plain_apps(found)
    with connection.schema_editor() as editor:
        for declared in apps.get_models():
            if declared._meta.app_label in labels and declared._meta.can_migrate(connection):
                editor.create_model(declared)
        for (label, name), migration in sorted(found.items()):
            if label not in labels:
                continue
            # What others do beside their tables concerns rows, and there are none.
            for step in migration.operations if label == "records" else ():
                if isinstance(step, RunPython):
                    step.code(apps, editor)  # type: ignore[arg-type]  # all there is, as it now is
            recorder.record_applied(label, name)


def _of_plain_apps(found: dict[tuple[str, str], Migration]) -> set[str]:
    """Return the apps whose migrations make tables and do nothing else; others are migrated step by step."""
    doing_more = {
        label
        for (label, _name), migration in found.items()
        if any(type(step).__module__ not in _OF_TABLES for step in migration.operations)
    }
    return {label for label, _name in found} - doing_more - LABELS
