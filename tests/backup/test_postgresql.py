"""Records in PostgreSQL: in a backup, and at a time between two of them by the server's own archive."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from tests.backup.commands import COMPARED, backed_up, listed, moved, refused, said
from tests.e2e.platform import running
from tests.faults.numbered import configured, prepared, settled
from tests.ports import free_port
from tests.records import postgresql
from tests.waiting import PATIENCE_S

from mainspring.backup import records
from mainspring.core import toml
from mainspring.core.errors import StoreError

CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
wal_level = replica
archive_mode = on
archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'
archive_timeout = 60
"""
RECOVERY = """
restore_command = 'cp {archive}/%f %p'
recovery_target_time = '{at}'
recovery_target_action = promote
archive_mode = off
port = {port}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql.server() as url:
        yield url


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    # For the platform: of all companies.
    with psycopg.connect(url, options="-c mainspring.tenant=*") as connection:
        words: Any = query
        return connection.execute(words).fetchall()


def test_records_go_into_an_empty_database(server: str, tmp_path: Path) -> None:
    postgresql.execute(server, "CREATE DATABASE one", "CREATE DATABASE two")
    environment = os.environ | {"MAINSPRING_DATABASE_URL": f"{server}/one"}
    subprocess.run(
        [sys.executable, "-m", "mainspring", "prepare"], cwd=tmp_path, env=environment, check=True, timeout=120
    )
    files = list(records.dump(f"{server}/one", tmp_path / "dump"))
    assert len(files) > 10
    records.load(tmp_path / "dump", f"{server}/two")
    for query in (
        "SELECT * FROM records_user",
        "SELECT * FROM records_auditentry ORDER BY 1",
        "SELECT * FROM records_tenant",
    ):
        assert rows(f"{server}/two", query) == rows(f"{server}/one", query) != []
    with pytest.raises(StoreError, match=r"pg_restore failed: .*already exists"):
        records.load(tmp_path / "dump", f"{server}/two")
    with pytest.raises(StoreError, match=r"pg_dump failed: .*none"):
        list(records.dump(f"{server}/none", tmp_path / "dump"))


def test_a_platform_goes_on_with_its_records_in_another_database(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgresql.execute(server, "CREATE DATABASE former", "CREATE DATABASE latter")
    # As the documentation has it: the password is not in the settings.
    monkeypatch.setenv("PGPASSWORD", urlsplit(server).password or "")
    monkeypatch.delenv("MAINSPRING_DATABASE_URL", raising=False)
    former, latter = (f"{records.without_password(server)}/{name}" for name in ("former", "latter"))
    folder, backups, new = tmp_path / "plant", tmp_path / "backups", tmp_path / "new"
    folder.mkdir()
    platform, port = configured(folder)
    settings = tomllib.loads((folder / "mainspring.toml").read_text())
    settings["web"]["database_url"] = former
    (folder / "mainspring.toml").write_text(toml.written(settings))
    with running(platform):
        plant = prepared(platform, port)
        source = plant.source
        asyncio.run(source.run(seconds=1))
        backed_up(folder, str(backups))
        kept = {path: listed(plant.person, path) for path in COMPARED}
    assert not (folder / "data" / "records.sqlite3").exists()
    assert "--records-url" in refused("restore", backups, "--folder", new)
    assert "already exists" in refused("restore", backups, "--folder", new, "--records-url", former)
    assert not new.exists()
    before = rows(former, "SELECT * FROM records_auditentry ORDER BY 1")
    told = said("restore", backups, "--folder", new, "--records-url", f"{server}/latter")
    assert "~/.pgpass" in told
    assert tomllib.loads((new / "mainspring.toml").read_text())["web"]["database_url"] == latter
    again, port = moved(new)
    again.username, again.password = platform.username, platform.password
    with running(again):
        person = again.administrator()
        assert {path: listed(person, path) for path in COMPARED} == kept
        assert len(kept["/tags"]) == 8
        acknowledged = source.acknowledged_total
        source.port = port
        asyncio.run(source.run(seconds=1))
        counted = settled(again, source)
        assert counted.right and counted.acknowledged > acknowledged > 0, counted
        # What is made now comes behind what there was, in the new database alone.
        name = {"en": "Kiln", "zh": "窑"}
        asset = person.post("/assets", {"parent": None, "kind": "enterprise", "slug": "kiln", "name": name})
        made = person.post("/tags", {"name": "made.now", "asset": asset["id"], "kind": "float64"})
        assert made["tag"] > max(each["tag"] for each in kept["/tags"])
    assert rows(latter, "SELECT count(*) FROM records_asset WHERE slug = 'kiln'") == [(1,)]
    assert rows(former, "SELECT * FROM records_auditentry ORDER BY 1") == before


def test_the_archive_brings_records_back_as_they_were_at_a_time(tmp_path: Path) -> None:
    """What docs/backup.md says to do, with the server's programs."""
    folder = tmp_path / "server"
    archive, primary, restored = folder / "archive", folder / "primary", folder / "restored"
    archive.mkdir(parents=True)
    run = postgresql._as()
    if run:
        for place in (tmp_path, *tmp_path.parents[:3]):
            place.chmod(0o755)
        for place in (folder, archive):
            shutil.chown(place, run[2])
    bin = postgresql.programs()
    port = free_port()
    _do(*run, bin / "initdb", "-D", primary, "-U", "mainspring", "-A", "trust", "--no-sync", cwd=folder)
    with (primary / "postgresql.conf").open("a") as conf:
        conf.write(CONF.format(port=port, folder=folder, archive=archive))
    url = f"postgresql://mainspring@127.0.0.1:{port}/postgres"
    _do(*run, bin / "pg_ctl", "-D", primary, "-w", "-l", folder / "log", "start", cwd=folder)
    try:
        postgresql.execute(
            url.removesuffix("/postgres"), "CREATE TABLE asset (slug text)", "INSERT INTO asset VALUES ('mill')"
        )
        _do(*run, bin / "pg_basebackup", "-d", url, "-D", restored, "-c", "fast", "--no-sync", cwd=folder)
        postgresql.execute(url.removesuffix("/postgres"), "INSERT INTO asset VALUES ('kiln')")
        at = datetime.now(UTC)
        time.sleep(0.1)
        postgresql.execute(url.removesuffix("/postgres"), "DELETE FROM asset", "SELECT pg_switch_wal()")
        assert rows(url, "SELECT * FROM asset") == []
    finally:
        _do(*run, bin / "pg_ctl", "-D", primary, "-m", "fast", "-w", "stop", cwd=folder)
    assert list(archive.iterdir())
    again = free_port()
    with (restored / "postgresql.conf").open("a") as conf:
        conf.write(RECOVERY.format(archive=archive, at=at.isoformat(" "), port=again))
    (restored / "recovery.signal").touch()
    _do(*run, bin / "pg_ctl", "-D", restored, "-w", "-t", "60", "-l", folder / "log2", "start", cwd=folder)
    try:
        found = rows(f"postgresql://mainspring@127.0.0.1:{again}/postgres", "SELECT slug FROM asset ORDER BY slug")
        assert found == [("kiln",), ("mill",)]
    finally:
        _do(*run, bin / "pg_ctl", "-D", restored, "-m", "fast", "-w", "stop", cwd=folder)


def _do(*words: str | Path, cwd: Path) -> None:
    done = subprocess.run(
        words, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0, f"{words}: {done.stderr!r}"
