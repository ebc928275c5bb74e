"""The history stores that the contracts are run over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from tests.history.clickhouse_peer import Peer, running

from mainspring.core.history import HistoryStore
from mainspring.history.chdb_store import ChdbStore
from mainspring.history.clickhouse_store import ClickhouseStore

GIVEN: Final = os.environ.get("MAINSPRING_CHECK_URL", "")
"""History URL of a ClickHouse to check instead; see deploy/clickhouse."""
EXAMPLES: Final = int(os.environ.get("MAINSPRING_EXAMPLES", "1"))
"""So many times as many random examples are tried as usual."""
HISTORIES: Final = ("given",) if GIVEN else ("chdb", "clickhouse", "clickhouse-cluster")


class Opening:
    """Opens the history of one kind that belongs to a folder, and the same one again."""

    def __init__(self, kind: str, peer: Peer, made: ExitStack) -> None:
        self._kind = kind
        self._peer = peer
        self._made = made
        self._urls: dict[Path, str] = {}

    def __call__(self, folder: Path, **options: Any) -> HistoryStore:
        """Open the history of a folder."""
        if self._kind == "chdb":
            return ChdbStore(folder, **options)
        if folder not in self._urls:
            cluster = "one" if self._kind == "clickhouse-cluster" else ""
            self._urls[folder] = self._made.enter_context(self._peer.history(cluster))
        return ClickhouseStore(self._urls[folder], self._peer.password, folder, **options)


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """A ClickHouse server: the one given, or one of our own."""
    if GIVEN:
        yield Peer(GIVEN, os.environ.get("MAINSPRING_HISTORY_PASSWORD", ""))
        return
    with running(tmp_path_factory.mktemp("server")) as peer:
        yield peer


@pytest.fixture(scope="module", params=HISTORIES)
def opening(request: pytest.FixtureRequest, clickhouse: Peer) -> Iterator[Opening]:
    """Opens histories, each in a database of its own, which is dropped afterwards."""
    with ExitStack() as made:
        yield Opening(request.param, clickhouse, made)
