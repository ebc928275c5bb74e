"""What is particular to ClickHouse servers: addresses, lost answers, dropped partitions, the tables of a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.history.clickhouse_http import LOSE_ANSWER
from tests.history.clickhouse_peer import Peer, url_of

from mainspring.core.errors import ConfigurationError, StoreError
from mainspring.core.history import Entry
from mainspring.core.kinds import Column, Origin
from mainspring.core.quality import GOOD
from mainspring.core.samples import build
from mainspring.history.clickhouse_engine import Address
from mainspring.history.clickhouse_store import ClickhouseStore
from mainspring.history.cluster_schema import script

ROOT = Path(__file__).parents[2]
DAY = 86_400_000
NOW = time.time_ns() // 1_000_000


def readings(rows: int, days: int = 1) -> list[Entry]:
    times = NOW - 1000 - np.arange(rows) % days * DAY
    return [Entry(1, 1, build(Column.FLOAT64, np.arange(rows), times, np.arange(rows), GOOD, Origin.MACHINE))]


@pytest.mark.parametrize("cluster", ["", "one"])
def test_an_insert_whose_answer_is_lost_is_not_repeated_blindly(
    server: tuple[Peer, Path], tmp_path: Path, cluster: str
) -> None:
    peer, folder = server
    with peer.history(cluster) as url:
        store = ClickhouseStore(url, peer.password, tmp_path)
        store.append("LIVE", readings(10), 1, 1)
        (folder / LOSE_ANSWER).touch()
        with pytest.raises(StoreError, match="failed to write"):
            store.append("LIVE", [Entry(2, 1, readings(5000, days=3)[0].batch)], 2, 2)
        (folder / LOSE_ANSWER).unlink()
        assert store.extent(1).samples == 5010, "it was stored"
        store.append("LIVE", [Entry(2, 1, readings(5000, days=3)[0].batch)], 2, 2)
        assert store.extent(1).samples == 5010
        store.close()


@pytest.mark.parametrize("cluster", ["", "one"])
def test_old_days_are_dropped(server: tuple[Peer, Path], tmp_path: Path, cluster: str) -> None:
    with server[0].history(cluster) as url:
        store = ClickhouseStore(url, server[0].password, tmp_path)
        store.append("LIVE", readings(30, days=3), 1, 1)
        assert store.bytes_on_disk() > 0
        assert len(store.retain(NOW + DAY, {"standard": 1}, 2**40)) >= 1
        assert store.extent(1).samples == 10
        store.close()


def test_a_wrong_password_and_no_server_are_told(server: tuple[Peer, Path], tmp_path: Path) -> None:
    address = server[0].address
    with pytest.raises(StoreError, match="AUTHENTICATION_FAILED"):
        ClickhouseStore(url_of(address), "wrong", tmp_path)
    with pytest.raises(StoreError, match="look at the ClickHouse server"):
        ClickhouseStore("clickhouse://historian@127.0.0.1:1/default", "", tmp_path)


@pytest.mark.parametrize(
    "url",
    ["clickhouse://u:secret@host/d", "clickhouse:///d", "clickhouse://u@host/d; drop", "clickhouse://u@host/d?quorum=1",
     "clickhouse://u@host:port/d", "clickhouse://u@host/d?cluster=a'b"],
)  # fmt: skip
def test_an_address_that_is_not_understood_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MAINSPRING_HISTORY_PASSWORD") as refused:
        Address.parse(url)
    assert "secret" not in str(refused.value)


def test_an_address_says_all() -> None:
    address = Address.parse("clickhouses://u@host/d?cluster=main&ca=/etc/ca.pem")
    assert address == Address("host", 8443, "u", "d", tls=True, cluster="main", authority="/etc/ca.pem")
    assert Address.parse(url_of(address)) == address


def test_the_tables_of_a_cluster_are_those_of_the_code() -> None:
    file = ROOT / "deploy" / "clickhouse" / "cluster.sql"
    assert file.read_text() == script(), f"run `python -m mainspring.history.cluster_schema > {file.name}`"


def test_the_check_for_those_who_have_a_server_runs(server: tuple[Peer, Path]) -> None:
    peer = server[0]
    environment = {
        **os.environ,
        "MAINSPRING_HISTORY_PASSWORD": peer.password,
        "PYTHON": sys.executable,
        "PYTEST_ADDOPTS": "-k test_late",
    }
    check = ROOT / "deploy" / "clickhouse" / "check"
    ran = subprocess.run([check, url_of(peer.address)], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "1 passed" in ran.stdout
