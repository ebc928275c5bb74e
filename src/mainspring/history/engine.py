"""ClickHouse's embedded engine: one folder, one process, a connection for each call."""

from __future__ import annotations

import fcntl
import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import chdb
import pyarrow as pa

from mainspring.core.errors import ConfigurationError, Conflict, LimitExceeded, StoreError
from mainspring.core.text import Text
from mainspring.history import native
from mainspring.history.schema import engine_configuration

CLOSE_WAIT_S: Final = 5.0
FEW_ROWS: Final = 1000
"""Up to so many rows, one statement with the rows in it takes about half the time of a block of columns."""
OPEN: Final = Text("open", "打开")
READ: Final = Text("read", "读取")
WRITE: Final = Text("write", "写入")

_LOCKED: Final = Text(
    "The history in {path} is open in another process. Stop that process first, or set another folder.",
    "{path} 中的历史库已被另一个进程打开。请先停止该进程，或设置其他文件夹。",
)
_PATH: Final = Text(
    "The history folder {path} has '?' or '%' in its name, which the engine cannot open. Set another folder.",
    "历史库文件夹 {path} 的名称含有“?”或“%”，引擎无法打开，请设置其他文件夹。",
)
_CLOSED: Final = Text(
    "The history is closed. The historian is stopping; ask again after it has started.",
    "历史库已关闭：历史服务正在停止，请在其启动后重试。",
)
_FAILED: Final = Text(
    "The history in {path} failed to {action} ({reason}). What was stored is kept; look at the disk.",
    "{path} 中的历史库未能{action_zh}（{reason}）。已存数据不受影响，请检查磁盘。",
)
_TOO_MUCH: Final = Text(
    "The query needs more memory or time than a query may have ({reason}). Ask for fewer tags or a shorter range.",
    "查询超出单个查询的内存或时间限制（{reason}），请减少标签或缩短时间范围。",
)
_OVER_LIMIT: Final = re.compile(r"MEMORY_LIMIT_EXCEEDED|TIMEOUT_EXCEEDED|TOO_MANY_ROWS|TOO_SLOW")
_REASON: Final = re.compile(r"\(([A-Z_]{4,})\)\s*$")
# One block an insert, however large, so that each partition's share is stored whole or not at all.
_ONE_BLOCK: Final = (
    "max_partitions_per_insert_block = 0, max_insert_block_size = 100000000, "
    "min_insert_block_size_rows = 100000000, min_insert_block_size_bytes = 0"
)


class Engine:
    """The engine on `path`. Every call opens a connection of its own in its thread (0.3 ms): none is ever shared.

    One further connection stays open so that the engine does; all must be closed before the process ends.
    """

    def __init__(
        self, path: Path, tables: Sequence[str], memory_bytes_max: int, query_settings: dict[str, int]
    ) -> None:
        if set("?%") & set(str(path)):
            raise ConfigurationError(_PATH, path=path)
        self.path = path
        self._query_settings = "".join(f"&{name}={value}" for name, value in query_settings.items())
        self._idle = threading.Condition()
        self._open: set[Any] = set()
        self._closed = False
        self._lock = _locked(path)
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
                raise StoreError(_CLOSED)
            opened = chdb.connect(self._address + (self._query_settings if action is READ else ""))
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

    def run(self, text: str) -> None:
        """Execute a statement."""
        with self.connection(WRITE) as connection:
            connection.query(text)

    def insert(self, table: str, columns: native.Columns, leave_out: tuple[str, str] | None = None) -> None:
        """Insert columns in one block, durably; `leave_out` names a key and a condition.

        Rows whose key is among those of the rows in the table that fulfil the condition are left out. The columns
        go through a table in memory, because a streamed insert into a table on disk reports success when the disk
        is full; the one statement that writes to the disk says so.
        """
        names = ", ".join(f"`{name}`" for name in columns)
        rows = len(next(iter(columns.values())))
        if rows <= FEW_ROWS and not leave_out:
            lists = {
                name: list(values) if isinstance(values, list) else values.tolist() for name, values in columns.items()
            }
            self.run(f"insert into {table} ({names}) settings {_ONE_BLOCK} format JSONColumns {json.dumps(lists)}")
            return
        key, condition = leave_out or ("", "")
        where = f"where ({key}) not in (select {key} from {table} where {condition})" if leave_out else ""
        with self.connection(WRITE) as connection:
            connection.query(f"create temporary table pending engine = Memory as select {names} from {table} limit 0")
            with connection.send_insert(f"insert into pending ({names}) settings {_ONE_BLOCK}", "Native") as streamed:
                for part in native.parts(columns):
                    streamed.append(part)
                streamed.finish()
            if int(connection.query("select count() from pending").bytes()) != rows:
                raise StoreError(_FAILED, path=self.path, action=WRITE.en, action_zh=WRITE.zh, reason="memory")
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
        said = str(error).strip()
        found = _REASON.search(said)
        reason = found.group(1) if found else (said or type(error).__name__).splitlines()[0][:200]
        if action is READ and _OVER_LIMIT.search(said):
            return LimitExceeded(_TOO_MUCH, reason=reason)
        return StoreError(_FAILED, path=self.path, action=action.en, action_zh=action.zh, reason=reason)


def arrow(answer: Any) -> pa.Table:
    """Return an answer of the engine as a table."""
    return pa.ipc.open_file(pa.py_buffer(answer.bytes())).read_all()


def _locked(path: Path) -> IO[bytes]:
    """Hold the folder for this process alone; the kernel lets go when the process ends, however it ends."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (path / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise Conflict(_LOCKED, path=path) from error
    os.set_inheritable(lock.fileno(), False)
    return lock
