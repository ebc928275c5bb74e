"""What the history asks of ClickHouse, embedded or on servers of its own."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Protocol

import pyarrow as pa

from mainspring.core.errors import Conflict, LimitExceeded, StoreError
from mainspring.core.text import Text
from mainspring.history import native

OPEN: Final = Text("open", "打开")
READ: Final = Text("read", "读取")
WRITE: Final = Text("write", "写入")
CLOSED: Final = Text(
    "The history is closed. The historian is stopping; ask again after it has started.",
    "历史库已关闭：历史服务正在停止，请在其启动后重试。",
)
# Statements that read cold files name each of them; where they lie may not answer, which is to be said soon.
EVERYWHERE: Final = {
    "max_query_size": 64 * 1024 * 1024,
    "s3_retry_attempts": 3,
    "s3_connect_timeout_ms": 5000,
    "s3_request_timeout_ms": 20_000,
}
# One block an insert, however large, so that each partition's share is stored whole or not at all.
ONE_BLOCK: Final = {
    "max_partitions_per_insert_block": 0,
    "max_insert_block_size": 100_000_000,
    "min_insert_block_size_rows": 100_000_000,
    "min_insert_block_size_bytes": 0,
}

CHECKING: Final = "settings check_query_single_value_result = 0, max_execution_time = 0, max_threads = 1"
LEFT_OUT: Final = "select table, name from system.detached_parts where reason like 'broken%' and"

_LOCKED: Final = Text(
    "The history in {path} is open in another process. Stop that process first, or set another folder.",
    "{path} 中的历史库已被另一个进程打开。请先停止该进程，或设置其他文件夹。",
)
_TOO_MUCH: Final = Text(
    "The query needs more memory or time than a query may have ({reason}). Ask for fewer tags or a shorter range.",
    "查询超出单个查询的内存或时间限制（{reason}），请减少标签或缩短时间范围。",
)
_NO_ANSWER: Final = Text(
    "Cold history that was asked for did not come ({reason}). What is in the tables answers; look at the S3 service, "
    "its address and the key of [history] cold.",
    "未能取得所查询的冷数据（{reason}）。表中的数据仍可查询，请检查 S3 服务及 [history] cold 的地址和密钥。",
)
_OVER_LIMIT: Final = re.compile(r"MEMORY_LIMIT_EXCEEDED|TIMEOUT_EXCEEDED|TOO_MANY_ROWS|TOO_SLOW")
_FROM_S3: Final = re.compile(r"\(S3_ERROR\)|Code: 499\b")
_REASON: Final = re.compile(r"\(([A-Z_]{4,})\)")


class Engine(Protocol):
    """Runs the history's SQL; every method may be called from any thread."""

    parts: str
    """What to select from for the parts of tables: table, partition, rows, bytes_on_disk."""

    def table(self, text: str) -> pa.Table:
        """Return the whole answer to a query."""

    def chunks(self, text: str) -> Iterator[pa.RecordBatch]:
        """Give the answer to a query in chunks; the engine works no further ahead than it is asked."""

    def insert(self, table: str, columns: native.Columns, leave_out: tuple[str, str] | None = None) -> None:
        """Insert columns durably, each partition's share whole or not at all; `leave_out` is a key and a source.

        Rows whose key is among those that are selected from the source are left out.
        """

    def drop(self, table: str, partition: str) -> None:
        """Drop a partition of a table."""

    def delete(self, table: str, partition: str, condition: str) -> None:
        """Drop the rows of a partition under a condition; others come and go meanwhile."""

    def damaged(self, table: str, partition: str) -> list[str]:
        """Read the parts of a partition and return the names of those that are not what was written."""

    def left_out(self) -> list[tuple[str, str]]:
        """Return the table and name of parts that were left out at the start because they could not be read."""

    def close(self) -> None:
        """Wait for calls under way and close every connection."""

    def failed(self, error: Exception, action: Text) -> StoreError | LimitExceeded:
        """Return the tree error for what failed while doing `action`."""


def failure(text: Text, place: object, error: Exception, action: Text) -> StoreError | LimitExceeded:
    """Return the tree error for what ClickHouse said, in its own word for the reason where it has one."""
    said = str(error).strip()
    found = _REASON.findall(said)
    reason = found[-1] if found else (said or type(error).__name__).splitlines()[0][:200]
    if action is READ and _OVER_LIMIT.search(said):
        return LimitExceeded(_TOO_MUCH, reason=reason)
    if _FROM_S3.search(said):
        return StoreError(_NO_ANSWER, reason=said.partition("DB::Exception: ")[2].partition(": while reading")[0][:200])
    return StoreError(text, place=place, action=action.en, action_zh=action.zh, reason=reason)


def locked(path: Path) -> IO[bytes]:
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
