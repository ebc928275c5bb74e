"""One Django for all tests of records and web, on a real SQLite file that every test gets fresh."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from mainspring.web.configure import WebSettings, configure

FOLDER = Path(tempfile.mkdtemp(prefix="mainspring-records-"))
DATABASE = FOLDER / "records.sqlite"
TEMPLATE = FOLDER / "template.sqlite"
STATIC = FOLDER / "static"
SETTINGS = WebSettings(
    database_url=f"sqlite://{DATABASE}",
    secret_key="only-for-tests-" + "k" * 40,
    tenant="plant",
    zone="Asia/Shanghai",
    data_folder=FOLDER,
    static_folder=STATIC,
    allowed_hosts=("127.0.0.1", "localhost", "testserver"),
)
configure(SETTINGS)
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def fresh_database() -> None:
    """Put an empty, migrated database in place."""
    from django.db import connections

    from mainspring.records.first_start import migrate

    connections.close_all()
    for part in ("", "-wal", "-shm"):
        Path(f"{DATABASE}{part}").unlink(missing_ok=True)
    if not TEMPLATE.exists():
        migrate()
        connections.close_all()
        shutil.copy(DATABASE, TEMPLATE)
    else:
        shutil.copy(TEMPLATE, DATABASE)
