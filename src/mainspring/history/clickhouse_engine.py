"""ClickHouse on servers of its own, reached over HTTP: one server, or a cluster whose tables are distributed by tag."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import IOBase
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from mainspring.core.errors import ConfigurationError, LimitExceeded, StoreError
from mainspring.core.text import Text
from mainspring.history import native, sql
from mainspring.history.cluster_schema import LOCAL
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

CLOSE_WAIT_S: Final = 5.0
CONNECT_S: Final = 10
ANSWER_S: Final = 300
"""How long a server may take for an insert or a piece of an answer."""

_URL: Final = Text(
    "The history URL {url} is not understood ({reason}). Write clickhouse://user@host:port/database, with clickhouses "
    "for TLS, and put the password into the environment variable MAINSPRING_HISTORY_PASSWORD.",
    "无法识别历史库地址 {url}（{reason}）。格式为 clickhouse://用户@主机:端口/数据库，TLS 使用 clickhouses；"
    "密码请放入环境变量 MAINSPRING_HISTORY_PASSWORD。",
)
_FAILED: Final = Text(
    "The history at {place} failed to {action} ({reason}). What was stored is kept; look at the ClickHouse server.",
    "{place} 处的历史库未能{action_zh}（{reason}）。已存数据不受影响，请检查 ClickHouse 服务器。",
)
_PARAMETERS: Final = frozenset({"cluster", "ca"})
_ERRORS: Final = (ClickHouseError, HTTPError, pa.ArrowInvalid, OSError)
# Each insert waits until most replicas of its shard have it, and reads see all that was acknowledged; they go where
# the inserts went. A shard that does not answer is a failure, never an empty answer.
_ON_A_CLUSTER: Final[Mapping[str, str | int]] = {
    "distributed_foreground_insert": 1,
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "select_sequential_consistency": 1,
    "load_balancing": "in_order",
    "skip_unavailable_shards": 0,
    "distributed_product_mode": "local",
}
_INSERTING: Final[Mapping[str, str | int]] = {
    **ONE_BLOCK,
    "async_insert": 0,
    "insert_deduplicate": 0,
    "wait_end_of_query": 1,
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a ClickHouse is, as a history URL tells it."""

    host: str
    port: int
    user: str
    database: str
    tls: bool
    cluster: str = ""
    authority: str = ""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Return what a URL says. Raises ConfigurationError."""
        try:
            parts = urlsplit(url)
            tls = parts.scheme == "clickhouses"
            port = parts.port or (8443 if tls else 8123)
            asked = parse_qs(parts.query, strict_parsing=bool(parts.query))
        except ValueError as error:
            raise ConfigurationError(_URL, url=url, reason=str(error)) from error
        database = unquote(parts.path[1:]) or "default"
        problems = {
            "a password stands in it": parts.password is not None,
            "no host": not parts.hostname,
            "scheme": parts.scheme not in ("clickhouse", "clickhouses"),
            "name of the database": not database.isidentifier(),
            "unknown parameter": not _PARAMETERS.issuperset(asked),
            "name of the cluster": not all(name.replace("-", "_").isidentifier() for name in asked.get("cluster", [])),
        }
        if found := [problem for problem, there in problems.items() if there]:
            shown = url.replace(f":{parts.password}@", ":***@") if parts.password else url
            raise ConfigurationError(_URL, url=shown, reason=found[0])
        only = {name: values[-1] for name, values in asked.items()}
        return cls(
            parts.hostname or "",
            port,
            unquote(parts.username or "default"),
            database,
            tls,
            only.get("cluster", ""),
            only.get("ca", ""),
        )

    def __str__(self) -> str:
        return f"clickhouse{'s' if self.tls else ''}://{self.host}:{self.port}/{self.database}"


class ClickhouseEngine:
    """ClickHouse at an address. `tables` are made there; those of a cluster are made by those who run it.

    Every call is one request that stands by itself, so that servers may be behind one name.
    """

    def __init__(
        self, address: Address, password: str, folder: Path, tables: Sequence[str], query_settings: Mapping[str, int]
    ) -> None:
        self._address = address
        self._query_settings = dict(query_settings)
        self._idle = threading.Condition()
        self._calls = 0
        self._closed = False
        self._lock = locked(folder)
        self.parts = _parts(address)
        try:
            self._client = clickhouse_connect.get_client(
                host=address.host,
                port=address.port,
                username=address.user,
                password=password,
                database=address.database,
                interface="https" if address.tls else "http",
                ca_cert=address.authority or None,
                settings=EVERYWHERE | (dict(_ON_A_CLUSTER) if address.cluster else {}),
                autogenerate_session_id=False,
                compress=False,
                connect_timeout=CONNECT_S,
                send_receive_timeout=ANSWER_S,
            )
            for table in tables if not address.cluster else ():
                self._client.command(table)
        except _ERRORS as error:
            self._lock.close()
            raise self.failed(error, OPEN) from error

    @contextmanager
    def _calling(self, action: Text) -> Iterator[None]:
        with self._idle:
            if self._closed:
                raise StoreError(CLOSED)
            self._calls += 1
        try:
            yield
        except _ERRORS as error:
            raise self.failed(error, action) from error
        finally:
            with self._idle:
                self._calls -= 1
                self._idle.notify_all()

    def table(self, text: str) -> pa.Table:
        """Return the whole answer to a query."""
        with self._calling(READ):
            answer = self._client.raw_query(text, settings=self._query_settings, fmt="Arrow")
            return pa.ipc.open_file(pa.py_buffer(answer)).read_all()

    def chunks(self, text: str) -> Iterator[pa.RecordBatch]:
        """Give the answer to a query in chunks, as they come over the wire."""
        with self._calling(READ):
            answer = self._client.raw_stream(text, settings=self._query_settings, fmt="ArrowStream")
            assert isinstance(answer, IOBase)
            try:
                with pa.ipc.open_stream(answer) as stream:
                    yield from stream
            finally:
                answer.close()

    def insert(self, table: str, columns: native.Columns, leave_out: tuple[str, str] | None = None) -> None:
        """Insert columns in one request and one block, which the client never repeats by itself."""
        with self._calling(WRITE):
            if leave_out is None:
                self._client.raw_insert(
                    table, list(columns), (bytes(part) for part in native.parts(columns)), dict(_INSERTING), "Native"
                )
                return
            key, held = leave_out
            names = ", ".join(f"`{name}`" for name in columns)
            self._client.command(
                f"insert into {table} ({names}) select {names} from input({sql.text(native.structure(columns))}) "
                f"where ({key}) not in (select {key} from {held}) format Native",
                data=b"".join(native.parts(columns)),
                settings=dict(_INSERTING),
            )

    def drop(self, table: str, partition: str) -> None:
        """Drop a partition of a table, on every shard."""
        self._run(f"alter table {self._own(table)} drop partition {partition}")

    def delete(self, table: str, partition: str, condition: str) -> None:
        """Drop the rows of a partition under a condition on every shard, and give back their space."""
        own = self._own(table)
        self._run(f"delete from {own} in partition {partition} where {condition}")
        self._run(f"alter table {own} apply deleted mask in partition {partition}")

    def damaged(self, table: str, partition: str) -> list[str]:
        """Read the parts of a partition and return the names of the damaged ones; replicas mend themselves."""
        if self._address.cluster:
            return []
        rows = self.table(f"check table {self._own(table)} partition {partition} {CHECKING}").to_pylist()
        return [row["part_path"] for row in rows if not row["is_passed"]]

    def left_out(self) -> list[tuple[str, str]]:
        """Return the table and name of parts that were left out at the server's start; replicas mend themselves."""
        if self._address.cluster:
            return []
        found = self.table(f"{LEFT_OUT} database = {sql.text(self._address.database)}")
        return [(row["table"], row["name"]) for row in found.to_pylist()]

    def _own(self, table: str) -> str:
        """Return the table that holds the rows, on every shard."""
        cluster = self._address.cluster
        own = f"{table}{LOCAL} on cluster {sql.text(cluster)}" if cluster else table
        return f"{self._address.database}.{own}"

    def _run(self, text: str) -> None:
        with self._calling(WRITE):
            self._client.command(text)

    def close(self) -> None:
        """Wait for calls under way and let go of the connections."""
        with self._idle:
            if self._closed:
                return
            self._closed = True
            self._idle.wait_for(lambda: not self._calls, CLOSE_WAIT_S)
        self._client.close()
        self._lock.close()

    def failed(self, error: Exception, action: Text) -> StoreError | LimitExceeded:
        """Return the tree error for what the server or the way to it said."""
        return failure(_FAILED, self._address, error, action)


def _parts(address: Address) -> str:
    """Return what to select from for the parts of tables; on a cluster, of one replica of each shard."""
    where = f"where active and database = {sql.text(address.database)}"
    if not address.cluster:
        return f"(select table, partition, rows, bytes_on_disk from system.parts {where})"
    own = (
        f"select table as name, partition, rows, bytes_on_disk from cluster({sql.text(address.cluster)}, system, parts)"
    )
    return (
        f"(select substring(name, 1, length(name) - {len(LOCAL)}) as table, partition, rows, bytes_on_disk "
        f"from ({own} {where}) where endsWith(name, '{LOCAL}'))"
    )
