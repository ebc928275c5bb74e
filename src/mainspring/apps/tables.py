"""The tables of apps: migrated at each start, compared with what is declared, left behind when an app goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from mainspring.apps.loading import OWN, App, broken
from mainspring.core.text import Text

LEFT: Final = Text(
    "The app {app} is not here any more; its tables stay as they are: {tables}. Put it back, or drop them.",
    "应用 {app} 已不在；其数据表原样保留：{tables}。可重新安装该应用，或删除这些表。",
)
_PENDING: Final = Text(
    "its definitions have changed since its migrations were made ({changes}); run `mainspring app migrations {app}`",
    "其定义在生成迁移之后有改动（{changes}），请运行 `mainspring app migrations {app}`",
)
_NO_MIGRATIONS: Final = Text(
    "it has no migrations; run `mainspring app migrations {app}`",
    "尚无迁移，请运行 `mainspring app migrations {app}`",
)
_FAILED: Final = Text("its migration {migration} failed, {reason}", "其迁移 {migration} 执行失败，{reason}")


def installed() -> list[App]:
    """Return the apps that run."""
    return [config for config in apps.get_app_configs() if isinstance(config, App)]


def refuse_pending() -> None:
    """Raise ConfigurationError for an app whose migrations do not say what its definitions say."""
    mine = {app.label: app for app in installed()}
    if not mine:
        return
    loader = MigrationLoader(None)
    for label, app in mine.items():
        if not loader.graph.leaf_nodes(label):
            raise broken(app.name, _NO_MIGRATIONS.format(app=app.name))
    changes = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps)).changes(graph=loader.graph)
    for label in sorted(changes.keys() & mine.keys()):
        told = "; ".join(operation.describe() for each in changes[label] for operation in each.operations[:3])
        raise broken(mine[label].name, _PENDING.format(changes=told, app=mine[label].name))


@contextmanager
def blamed() -> Iterator[None]:
    """Name the app where one of its migrations fails within; raises ConfigurationError for it."""
    try:
        yield
    except Exception as error:
        executor = MigrationExecutor(connection)
        # Each is noted once it is done: the first that is not noted failed.
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        app = next((app for app in installed() if plan and plan[0][0].app_label == app.label), None)
        if app is None:
            raise
        reason = f"{type(error).__name__}: {error}"
        raise broken(app.name, _FAILED.format(migration=plan[0][0].name, reason=reason)) from error


def left_behind() -> list[Text]:
    """Say which tables are here of apps that are not."""
    applied = {label for label, _name in MigrationRecorder(connection).applied_migrations()}
    gone = applied - OWN - {config.label for config in apps.get_app_configs()}
    names = connection.introspection.table_names()
    told = {label: sorted(name for name in names if name.startswith(f"{label}_")) for label in sorted(gone)}
    return [LEFT.format(app=label, tables=", ".join(tables)) for label, tables in told.items() if tables]


def make_migrations(label: str) -> None:
    """Write the migrations that are missing beside an app's definitions, and say which."""
    call_command("makemigrations", label, verbosity=1)
