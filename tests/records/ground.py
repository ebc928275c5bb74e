"""One Django for all tests of records and web, on a real database that every test gets fresh.

It is a SQLite file, or with `--records=postgresql` a database of a server that runs for the tests.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings as django_settings
from tests.ports import free_ports
from tests.records import postgresql

from mainspring.web.configure import Mail, WebSettings, configure

Found = TypeVar("Found")


FOLDER = Path(tempfile.mkdtemp(prefix="mainspring-records-"))
DATABASE = FOLDER / "records.sqlite"
TEMPLATE = FOLDER / "template.sqlite"
STATIC = FOLDER / "static"
SERVER = os.environ.get("MAINSPRING_TEST_POSTGRESQL", "")
"""The PostgreSQL server to use, as a URL without a database; empty: SQLite."""
MAIL_PORT, HOOK_PORT = free_ports(2)
SETTINGS = WebSettings(
    database_url=f"{SERVER}/ground" if SERVER else f"sqlite://{DATABASE}",
    secret_key="only-for-tests-" + "k" * 40,
    tenant="plant",
    zone="Asia/Shanghai",
    data_folder=FOLDER,
    static_folder=STATIC,
    allowed_hosts=("127.0.0.1", "localhost", "testserver"),
    mail=Mail(host="127.0.0.1", port=MAIL_PORT, security="none", sender="mainspring@plant.test"),
    webhook_hosts=(f"127.0.0.1:{HOOK_PORT}",),
    page_url="https://plant.test",
    apps=("examples.tool_crib", "examples.shift_log", "examples.supplier_rating"),
)
configure(SETTINGS)
in_force: Any = import_module("mainspring.records.in_force")  # Django is configured before
django_settings.PASSWORD_HASHERS = ["tests.records.quick_passwords.Quick"]
# A thread that kept its connection would go on with the database of the test before.
django_settings.DATABASES["default"]["CONN_MAX_AGE"] = 0
# What tests do themselves is the platform's work; requests say whose they are.
in_force.enter_platform()
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def fresh_database() -> None:
    """Put an empty, migrated database in place."""
    from django.db import connections

    from mainspring.records.first_start import migrate

    connections.close_all()
    # What is written down of the audit is that of another database from now on.
    shutil.rmtree(FOLDER / "audit", ignore_errors=True)
    if SERVER:
        _fresh_in_postgresql()
        return
    for part in ("", "-wal", "-shm"):
        Path(f"{DATABASE}{part}").unlink(missing_ok=True)
    if not TEMPLATE.exists():
        migrate()
        connections.close_all()
        shutil.copy(DATABASE, TEMPLATE)
    else:
        shutil.copy(TEMPLATE, DATABASE)


def database() -> Iterator[None]:
    """Give a test a fresh database, and let go of it; a fixture of the folders whose tests need one."""
    from django.db import connections

    fresh_database()
    yield
    connections.close_all()


def _fresh_in_postgresql() -> None:
    """Copy the migrated database, which the first test makes."""
    from django.db import connections

    from mainspring.records.first_start import migrate

    database: Any = connections["default"]
    database.close_pool()
    if not TEMPLATE.exists():
        postgresql.execute(SERVER, "CREATE DATABASE ground")
        migrate()
        connections.close_all()
        database.close_pool()
        postgresql.execute(SERVER, "CREATE DATABASE template_ground TEMPLATE ground")
        TEMPLATE.touch()
        return
    postgresql.execute(
        SERVER,
        "DROP DATABASE ground WITH (FORCE)",
        "CREATE DATABASE ground TEMPLATE template_ground STRATEGY file_copy",
    )


def in_thread(work: Callable[[], Found]) -> Found:
    """Ask the database from a test that runs in an event loop."""
    from django.db import connections

    def worked() -> Found:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        found: Found = pool.submit(in_force.carried(worked)).result()
    return found
