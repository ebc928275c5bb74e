"""Databases for the tests of the history on ClickHouse servers: on a server of the run's own, or on one given."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from tests.history.clickhouse_http import PASSWORD

from mainspring.history.clickhouse_engine import Address
from mainspring.history.cluster_schema import statements

SERVER: Final = Path(__file__).with_name("clickhouse_http.py")
_NUMBERS: Final = count(1)


class Peer:
    """A server, and the making of databases on it."""

    def __init__(self, url: str, password: str) -> None:
        self.address = Address.parse(url)
        self.password = password

    @contextmanager
    def history(self, cluster: str = "") -> Iterator[str]:
        """Make a database, with the tables of a cluster if it is one; give the URL of the history in it."""
        address = self._named(cluster)
        cluster = address.cluster
        try:
            yield self.make(address)
        finally:
            with self._client() as client:
                on = f" on cluster {cluster!r} sync" if cluster else ""
                client.command(f"drop database {address.database}{on}")

    def make(self, address: Address) -> str:
        """Make a database, with the tables of a cluster if it is one; return the URL of the history in it."""
        name = address.database
        with self._client() as client:
            for statement in statements(name) if address.cluster else (f"create database {name}",):
                client.command(statement)
        return url_of(address)

    def lasting(self, cluster: str = "") -> str:
        """Make a database that stays as long as the server's folder; return the URL of the history in it."""
        return self.make(self._named(cluster))

    def _named(self, cluster: str) -> Address:
        name = f"mainspring_check_{os.getpid()}_{next(_NUMBERS)}"
        return replace(self.address, database=name, cluster=cluster or self.address.cluster)

    def _client(self) -> Client:
        address = self.address
        return clickhouse_connect.get_client(
            host=address.host, port=address.port, username=address.user, password=self.password, compress=False,
            interface="https" if address.tls else "http", ca_cert=address.authority or None,
            autogenerate_session_id=False,
        )  # fmt: skip


def url_of(address: Address) -> str:
    """Return the URL that says an address."""
    asked = "&".join(
        f"{name}={value}" for name, value in (("cluster", address.cluster), ("ca", address.authority)) if value
    )
    return str(address).replace("://", f"://{address.user}@") + (f"?{asked}" if asked else "")


@contextmanager
def running(folder: Path, port: int = 0) -> Iterator[Peer]:
    """Run a server of our own; its end is as sudden as kill -9."""
    command = [sys.executable, str(SERVER), str(folder), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Peer(f"clickhouse://historian@127.0.0.1:{int(process.stdout.readline())}/default", PASSWORD)
        finally:
            process.kill()
