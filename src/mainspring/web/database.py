"""From a database URL to Django's words for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text

_UNKNOWN: Final = Text(
    "records.database_url: {found!r} is no database we know. Use sqlite:///path/records.sqlite "
    "or postgresql://user:password@host/name.",
    "records.database_url：不认识数据库 {found!r}，请用 sqlite:///路径/records.sqlite "
    "或 postgresql://用户:密码@主机/库名。",
)
_PRAGMAS: Final = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-16000;"
BUSY_S: Final = 10
"""How long a writer waits for another before it gives up."""


_NO_CLIENT: Final = Text(
    "PostgreSQL needs its client. Run `pip install mainspring[postgresql]` in the same environment.",
    "使用 PostgreSQL 需要其客户端，请在同一环境中运行 `pip install mainspring[postgresql]`。",
)


def database(url: str) -> dict[str, Any]:
    """Return the entry of Django's DATABASES for a URL; raises ConfigurationError for an unknown kind."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        name = ":memory:" if parts.netloc == ":memory:" else unquote(parts.path)
        # IMMEDIATE: a transaction that reads first and writes later would otherwise fail as "locked" beside a writer.
        options = {"timeout": BUSY_S, "transaction_mode": "IMMEDIATE", "init_command": _PRAGMAS}
        # Opening one takes as long as many an answer: each thread keeps its own.
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": options, "CONN_MAX_AGE": None}
    if parts.scheme in {"postgresql", "postgres"}:
        if find_spec("psycopg") is None:
            raise ConfigurationError(_NO_CLIENT)
        return {
            "ENGINE": "mainspring.records.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            # After a restart of the server its connections in the pool are dead; they are tried before they are lent.
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {**dict(parse_qsl(parts.query)), "pool": {"min_size": 1, "max_size": 16, "timeout": BUSY_S}},
        }
    raise ConfigurationError(_UNKNOWN, found=parts.scheme or url)


@contextmanager
def held_open(url: str) -> Iterator[sqlite3.Connection | None]:
    """Hold a SQLite file open, and give the connection; another kind of database needs no holding.

    Who closes it last writes its journal back and removes it, while everyone who opens it waits: with a connection for
    each request that would happen all the time.
    """
    entry = database(url)
    if not entry["ENGINE"].endswith("sqlite3"):
        yield None
        return
    with closing(sqlite3.connect(entry["NAME"])) as connection:
        connection.executescript(_PRAGMAS)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield connection
