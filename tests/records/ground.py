"""One Django for all tests of records and web, on a real database that every test gets fresh.

It is a SQLite file, or with `--records=postgresql` a database of a server that runs for the tests.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

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
)
configure(SETTINGS)
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def fresh_database() -> None:
    """Put an empty, migrated database in place."""
    from django.db import connections

    from mainspring.records.first_start import migrate

    connections.close_all()
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
        return pool.submit(worked).result()
