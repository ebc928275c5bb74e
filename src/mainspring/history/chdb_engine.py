"""ClickHouse's embedded engine: one folder, one process, a connection for each call."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import chdb
import pyarrow as pa

from mainspring.core.errors import ConfigurationError, LimitExceeded, StoreError
from mainspring.core.text import Text
from mainspring.history import native
from mainspring.history.engine import (
    CHECKING,
    CLOSED,
    EVERYWHERE,
    LEFT_OUT,
    ONE_BLOCK,
    OPEN,
    READ,
    WRITE,
    failure,
    locked,
)
from mainspring.history.schema import engine_configuration

CLOSE_WAIT_S: Final = 5.0
FEW_ROWS: Final = 1000
"""Up to so many rows, one statement with the rows in it takes about half the time of a block of columns."""

_PATH: Final = Text(
    "The history folder {path} has '?' or '%' in its name, which the engine cannot open. Set another folder.",
    "历史库文件夹 {path} 的名称含有“?”或“%”，引擎无法打开，请设置其他文件夹。",
)
_FAILED: Final = Text(
    "The history in {place} failed to {action} ({reason}). What was stored is kept; look at the disk.",
    "{place} 中的历史库未能{action_zh}（{reason}）。已存数据不受影响，请检查磁盘。",
)
_ONE_BLOCK: Final = ", ".join(f"{name} = {value}" for name, value in ONE_BLOCK.items())


class ChdbEngine:
    """The engine on `path`. Every call opens a connection of its own in its thread (0.3 ms): none is ever shared.

    One further connection stays open so that the engine does; all must be closed before the process ends.
    """

    parts = (
        "(select table, partition, rows, bytes_on_disk from system.parts where active and database = currentDatabase())"
    )

    def __init__(
        self, path: Path, tables: Sequence[str], memory_bytes_max: int, query_settings: dict[str, int]
    ) -> None:
        if set("?%") & set(str(path)):
            raise ConfigurationError(_PATH, path=path)
        self.path = path
        self._links = path / "clickhouse" / "shadow"
        self._settings = "".join(f"&{name}={value}" for name, value in EVERYWHERE.items())
        self._query_settings = "".join(f"&{name}={value}" for name, value in query_settings.items())
        self._idle = threading.Condition()
        self._open: set[Any] = set()
        self._closed = False
        self._lock = locked(path)
        try:
            configuration = path / "engine.xml"
            configuration.write_text(engine_configuration(memory_bytes_max))
            self._address = f"{path / 'clickhouse'}?config-file={configuration}"
            self._keeper = chdb.connect(self._address)
            for table in tables:
                self._keeper.query(table)
        except (RuntimeError, OSError) as error:
            self._lock.close()
            raise self.failed(error, OPEN) from error

    @contextmanager
    def connection(self, action: Text) -> Iterator[Any]:
        """Give a connection to use in this thread; what fails within is a failure to do `action`."""
        with self._idle:
            if self._closed:
                raise StoreError(CLOSED)
            opened = chdb.connect(self._address + self._settings + (self._query_settings if action is READ else ""))
            self._open.add(opened)
        try:
            yield opened
        except RuntimeError as error:
            raise self.failed(error, action) from error
        finally:
            opened.close()
            with self._idle:
                self._open.discard(opened)
                self._idle.notify_all()

    def table(self, text: str) -> pa.Table:
        """Return the whole answer to a query."""
        with self.connection(READ) as connection:
            return arrow(connection.query(text, "Arrow"))

    def chunks(self, text: str) -> Iterator[pa.RecordBatch]:
        """Give the answer to a query in chunks; the engine works no further ahead than it is asked."""
        with self.connection(READ) as connection, connection.send_query(text, "Arrow") as stream:
            for chunk in stream:
                yield from arrow(chunk).to_batches()

    def drop(self, table: str, partition: str) -> None:
        """Drop a partition of a table."""
        self._run(f"alter table {table} drop partition {partition}")

    def delete(self, table: str, partition: str, condition: str) -> None:
        """Drop the rows of a partition under a condition, and give back their space."""
        self._run(f"delete from {table} in partition {partition} where {condition}")
        self._run(f"alter table {table} apply deleted mask in partition {partition}")

    def freeze(self) -> Path:
        """Link every part that is in use now into a folder, below it as they lie in `clickhouse`, and return it."""
        own = "database = currentDatabase() and engine like '%MergeTree'"
        for row in self.table(f"select name from system.tables where {own}").to_pylist():
            self._run(f"alter table {row['name']} freeze with name 'backup'")
        return self._links / "backup"

    def thaw(self) -> None:
        """Remove the links."""
        shutil.rmtree(self._links, ignore_errors=True)

    def rest_merges(self, tables: Sequence[str], *, resting: bool) -> None:
        """Let merges of these tables rest, which gives up those under way, or go on."""
        for table in tables:
            self._run(f"system {'stop' if resting else 'start'} merges {table}")

    def parts_most(self, tables: Sequence[str]) -> int:
        """Return how many parts the partition with the most of them has."""
        named = ", ".join(f"'{table}'" for table in tables)
        counted = f"select count() as parts from {self.parts} where table in ({named}) group by table, partition"
        return int(self.table(f"select max(parts) as parts from ({counted})")["parts"][0].as_py() or 0)

    def damaged(self, table: str, partition: str) -> list[str]:
        """Read the parts of a partition and return the names of those that are not what was written."""
        rows = self.table(f"check table {table} partition {partition} {CHECKING}").to_pylist()
        return [row["part_path"] for row in rows if not row["is_passed"]]

    def left_out(self) -> list[tuple[str, str]]:
        """Return the table and name of parts that were left out at the start because they could not be read."""
        return [(row["table"], row["name"]) for row in self.table(f"{LEFT_OUT} database = 'default'").to_pylist()]

    def _run(self, text: str) -> None:
        with self.connection(WRITE) as connection:
            connection.query(text)

    def insert(self, table: str, columns: native.Columns, leave_out: tuple[str, str] | None = None) -> None:
        """Insert columns in one block, durably; `leave_out` names a key and what it is selected from.

        Rows whose key is among those are left out. The columns go through a table in memory, because a streamed
        insert into a table on disk reports success when the disk is full; the one statement that writes to the disk
        says so.
        """
        names = ", ".join(f"`{name}`" for name in columns)
        rows = len(next(iter(columns.values())))
        if rows <= FEW_ROWS and not leave_out:
            lists = {
                name: list(values) if isinstance(values, list) else values.tolist() for name, values in columns.items()
            }
            self._run(f"insert into {table} ({names}) settings {_ONE_BLOCK} format JSONColumns {json.dumps(lists)}")
            return
        key, held = leave_out or ("", "")
        where = f"where ({key}) not in (select {key} from {held})" if leave_out else ""
        with self.connection(WRITE) as connection:
            connection.query(f"create temporary table pending engine = Memory as select {names} from {table} limit 0")
            with connection.send_insert(f"insert into pending ({names}) settings {_ONE_BLOCK}", "Native") as streamed:
                for part in native.parts(columns):
                    streamed.append(part)
                streamed.finish()
            if int(connection.query("select count() from pending").bytes()) != rows:
                raise failure(_FAILED, self.path, MemoryError("memory"), WRITE)
            connection.query(f"insert into {table} ({names}) select {names} from pending {where} settings {_ONE_BLOCK}")

    def close(self) -> None:
        """Wait for calls under way and close every connection; the process may exit afterwards."""
        with self._idle:
            if self._closed:
                return
            self._closed = True
            self._idle.wait_for(lambda: not self._open, CLOSE_WAIT_S)
            for connection in self._open:
                connection.close()
        self._keeper.close()
        self._lock.close()

    def failed(self, error: Exception, action: Text) -> StoreError | LimitExceeded:
        """Return the tree error for what the engine said."""
        return failure(_FAILED, self.path, error, action)


def arrow(answer: Any) -> pa.Table:
    """Return an answer of the engine as a table."""
    return pa.ipc.open_file(pa.py_buffer(answer.bytes())).read_all()
