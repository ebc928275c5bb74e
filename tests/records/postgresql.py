"""A PostgreSQL server of the tests' own: on a free loopback port, in a temporary folder, gone when they end."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.ports import free_port
from tests.waiting import PATIENCE_S

START_S: Final = PATIENCE_S
MEMORY: Final = Path("/dev/shm")
MEMORY_FREE_BYTES: Final = 2 * 2**30
USER: Final = "mainspring"
"""Whose the databases are: no superuser, for those pass every policy."""
SUPERUSER: Final = "postgres"
SYSTEM_USERS: Final = ("postgres", "nobody")
"""Whose process it is where root runs the tests: the server refuses to be root's."""


def programs() -> Path:
    """Return the folder of the newest installed server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: int(file.parts[-3]))
    assert found, "There is no PostgreSQL server here. On Debian or Ubuntu: apt-get install postgresql"
    return found[-1].parent


def _as() -> list[str]:
    """Return what a command begins with to run as another user than root."""
    if os.geteuid() != 0:
        return []
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    user = next(name for name in SYSTEM_USERS if name in known)
    return ["setpriv", "--reuid", user, "--regid", str(pwd.getpwnam(user).pw_gid), "--clear-groups"]


@contextmanager
def server() -> Iterator[str]:
    """Run a server and yield the URL of it without a database's name."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_FREE_BYTES
    # Each test copies a database of a thousand small files.
    folder = Path(tempfile.mkdtemp(prefix="mainspring-postgresql-", dir=MEMORY if in_memory else None))
    password = secrets.token_urlsafe(16)
    secret = folder / "password"
    secret.write_text(password)
    prefix = _as()
    if prefix:
        for path in (folder, secret):
            shutil.chown(path, prefix[2])
    port = free_port()
    # Nothing of it outlives the tests, so that nothing has to be on the disk; what cleans up by itself is a connection
    # of the superuser, which a database is not dropped beside.
    options = {
        "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "fsync": "off",
        "autovacuum": "off",
        "max_connections": 100, "shared_buffers": "32MB", "full_page_writes": "off", "log_statement": "none",
    }  # fmt: skip
    process: subprocess.Popen[bytes] | None = None
    try:
        with (folder / "log").open("wb") as log:
            subprocess.run(
                [*prefix, programs() / "initdb", "-D", folder / "files", "-U", SUPERUSER, "-A", "scram-sha-256",
                 "--pwfile", secret, "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
                cwd=folder, stdout=log, stderr=log, check=True,
            )  # fmt: skip
            process = subprocess.Popen(
                [*prefix, programs() / "postgres", "-D", folder / "files",
                 *(word for name, value in options.items() for word in ("-c", f"{name}={value}"))],
                cwd=folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        superuser = f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}"
        _await(superuser, process, folder / "log")
        execute(superuser, f"CREATE ROLE {USER} LOGIN CREATEDB PASSWORD '{password}'")
        yield f"postgresql://{USER}:{password}@127.0.0.1:{port}"
    finally:
        if process is not None:
            # SIGINT: end connections and stop; SIGTERM would wait for them.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    ends = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(f"{url}/postgres", connect_timeout=2).close()
            return
        except psycopg.OperationalError as error:
            said = log.read_text(errors="replace")[-2000:]
            assert process.poll() is None and time.monotonic() < ends, f"PostgreSQL does not start: {error}\n{said}"
            time.sleep(0.05)


def execute(url: str, *statements: str) -> None:
    """Execute statements outside a transaction."""
    import psycopg

    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        for statement in statements:
            # Names of databases cannot be parameters.
            words: Any = statement
            connection.execute(words)
