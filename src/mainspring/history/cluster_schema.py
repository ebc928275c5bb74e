"""The history's tables on a ClickHouse cluster: replicated on each shard, and over the shards distributed by tag.

All that is known of a tag lies on one shard, so that each shard answers for its own tags. Print them with
`python -m mainspring.history.cluster_schema`; the servers' macros `cluster`, `shard` and `replica` fill them in.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Final

from mainspring.history.schema import CLASS, TABLES

LOCAL: Final = "_local"
"""The end of the name of a shard's own table."""
DATABASE: Final = "mainspring"

_CREATE: Final = re.compile(r"create table if not exists (\w+) ")
_ENGINE: Final = re.compile(r"engine = (\w*MergeTree)(?:\((\w+)\))?")
_ON: Final = "on cluster '{cluster}'"
_PLACE: Final = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"
# What came twice is known by its rows, as it is in the embedded engine; a second rule beside that one could only err.
_WINDOW: Final = "replicated_deduplication_window = 0"


def statements(database: str) -> Iterator[str]:
    """Give the statements that make the tables, in order."""
    yield f"create database if not exists {database} {_ON}"
    for table in TABLES:
        if (found := _CREATE.match(table)) is None:
            continue
        name = found[1]
        text = _CREATE.sub(f"create table if not exists {database}.{name}{LOCAL} {_ON} ", table)
        text = _ENGINE.sub(
            lambda kind: f"engine = Replicated{kind[1]}({', '.join(filter(None, (_PLACE, kind[2])))})", text
        )
        yield f"{text}{', ' if 'settings ' in text else ' settings '}{_WINDOW}"
        shard = "code" if name == CLASS else "intHash64(tag)"
        yield (
            f"create table if not exists {database}.{name} {_ON} as {database}.{name}{LOCAL}\n"
            f"    engine = Distributed('{{cluster}}', '{database}', '{name}{LOCAL}', {shard})"
        )


def script(database: str = DATABASE) -> str:
    """Return the statements as one file."""
    return "\n\n".join(f"{text};" for text in statements(database)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(script(*sys.argv[1:2]))
