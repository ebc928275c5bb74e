"""Records in a backup: SQLite as its online backup gives it, page by page; PostgreSQL as `pg_dump` writes it.

SQLite is cut into small pieces, so that a later state shares with an earlier one what did not change: that is what lets
the records be kept every minute, and be restored as they were at a time between two backups.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mainspring.backup.pieces import Pieces
from mainspring.configuration import Configuration
from mainspring.core.errors import ConfigurationError, StoreError
from mainspring.core.text import Text

PIECE_BYTES: Final = 64 * 1024
DUMP: Final = "records.dump"
BUSY_S: Final = 30.0
COUNTERS: Final = "records_counter"

_NO_PROGRAM: Final = Text(
    "Records in PostgreSQL are backed up with {program}, which is not here. On Debian or Ubuntu: "
    "apt-get install postgresql-client.",
    "备份 PostgreSQL 中的记录需要 {program}，本机未安装。Debian 或 Ubuntu：apt-get install postgresql-client。",
)
_FAILED: Final = Text(
    "{program} failed: {reason}. Look at the server and at the URL of the records, and try again.",
    "{program} 失败：{reason}。请检查服务器和记录库 URL 后重试。",
)
_UNREADABLE: Final = Text(
    "The records in {file} cannot be read ({reason}). Look at the disk.",
    "无法读取 {file} 中的记录（{reason}），请检查磁盘。",
)


def url_of(configuration: Configuration) -> str:
    """Return where the records are: a PostgreSQL URL, or that of a SQLite file."""
    file = configuration.data_folder.resolve() / "records.sqlite3"
    return os.environ.get("MAINSPRING_DATABASE_URL") or configuration.web.database_url or f"sqlite:///{file}"


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL, None for another kind of database."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "sqlite" else None


def kept(source: Path, pieces: Pieces, work: Path) -> tuple[int, tuple[str, ...]]:
    """Keep the present state of a SQLite database; returns its size and its pieces. Writers go on meanwhile."""
    copy = work / "records"
    copy.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(source, timeout=BUSY_S)) as opened, closing(sqlite3.connect(copy)) as target:
            opened.backup(target)
        with copy.open("rb") as content:
            names = tuple(pieces.put(part) for part in iter(lambda: content.read(PIECE_BYTES), b""))
        return copy.stat().st_size, names
    except sqlite3.Error as error:
        raise StoreError(_UNREADABLE, file=source, reason=error) from error
    finally:
        copy.unlink(missing_ok=True)


@dataclass(slots=True)
class Watched:
    """Tells whether a SQLite database was changed by others since it was asked last."""

    connection: sqlite3.Connection
    version: int = -1

    @classmethod
    def of(cls, file: Path) -> Watched:
        """Watch a database."""
        return cls(sqlite3.connect(file, timeout=BUSY_S))

    def changed(self) -> bool:
        """Tell, and remember."""
        before = self.version
        self.version = int(self.connection.execute("PRAGMA data_version").fetchone()[0])
        return self.version != before


def differing(pieces: tuple[str, ...], former: tuple[str, ...]) -> dict[int, str]:
    """Return the pieces that are not the same as in a former state, by their number."""
    return {number: piece for number, piece in enumerate(pieces) if number >= len(former) or former[number] != piece}


def combined(size: int, changed: Mapping[int, str], former: tuple[str, ...]) -> tuple[str, ...]:
    """Return the pieces of a state that is told by what differs from a former one."""
    return tuple(changed.get(number) or former[number] for number in range(-(-size // PIECE_BYTES)))


def raise_counters(file: Path, newest: Path) -> None:
    """Let numbers that are given once go on behind those of a newer state, whose history may be there."""
    with closing(sqlite3.connect(newest)) as opened:
        counters = opened.execute(f"SELECT name, following FROM {COUNTERS}").fetchall()
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.executemany(
            f"INSERT INTO {COUNTERS} (name, following) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET following = max(following, excluded.following)",
            counters,
        )


def without_password(url: str) -> str:
    """Return a URL as everyone may see it."""
    parts = urlsplit(url)
    place = f"{quote(unquote(parts.username or ''))}@{parts.netloc.rpartition('@')[2]}".removeprefix("@")
    return urlunsplit(parts._replace(netloc=place))


def dump(url: str, folder: Path) -> Iterator[Path]:
    """Write a PostgreSQL database into a folder, from one snapshot, and yield the files."""
    shutil.rmtree(folder, ignore_errors=True)
    # A file for each table, not packed: a table that did not change is not copied again.
    _run(
        "pg_dump",
        url,
        ["--format=directory", "--compress=0", "--no-owner", "--no-acl", "--enable-row-security", f"--file={folder}"],
    )
    yield from sorted(each for each in folder.iterdir() if each.is_file())


def load(folder: Path, url: str) -> None:
    """Put a dump into an empty PostgreSQL database, whole or not at all."""
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-acl", str(folder)]
    _run("pg_restore", url, options)


def _run(program: str, url: str, options: Iterable[str]) -> None:
    found = shutil.which(program) or _newest(program)
    if found is None:
        raise ConfigurationError(_NO_PROGRAM, program=program)
    parts = urlsplit(url)
    # For the platform: the rows of all companies (`records.wall`).
    environment = os.environ | {"PGOPTIONS": "-c mainspring.tenant=*"}
    if parts.password:
        # In the environment, which only its owner can see, unlike the words of a command.
        environment["PGPASSWORD"] = unquote(parts.password)
    ran = subprocess.run(
        [found, f"--dbname={without_password(url)}", *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        lines = ran.stderr.strip().splitlines()
        # Behind the error stands the statement, which may be long.
        reason = next((line for line in lines if "error:" in line), f"exit {ran.returncode}")[:300]
        raise StoreError(_FAILED, program=program, reason=reason)


def _newest(program: str) -> str | None:
    """Return the newest of the programs that Debian keeps beside each other."""
    found = Path("/usr/lib/postgresql").glob(f"*/bin/{program}")
    return str(max(found, key=lambda file: int(file.parts[-3]), default=None) or "") or None
