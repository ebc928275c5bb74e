"""Merges rest while readings wait, as long as there are not too many parts, and go on afterwards."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

import pytest
from tests.e2e.platform import eventually
from tests.waiting import PATIENCE_S

from mainspring.core import quality
from mainspring.core.history import Entry
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.history import merging
from mainspring.history.chdb_store import ChdbStore
from mainspring.history.merging import BEHIND_MS, CAUGHT_UP_MS, Merging
from mainspring.history.storing import Storing

NOW = time.time_ns() // 1_000_000


class Waiting:
    """What merging asks of storing: how far it is behind, and whether it goes on."""

    lag_ms = 0
    samples = 0

    def stored(self, lag_ms: int) -> None:
        self.samples += 1
        self.lag_ms = lag_ms


def test_merges_rest_while_behind_and_go_on_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, waiting, message = ChdbStore(tmp_path), Waiting(), 0
    watch = Merging(store, cast("Storing", waiting))

    def append(count: int) -> None:
        nonlocal message
        for _ in range(count):
            message += 1
            batch = build(Column.FLOAT64, [1], NOW + message, [float(message)], quality.GOOD, Origin.MACHINE)
            store.append("LIVE", [Entry(message, 1, batch)], message, message)

    def rests() -> bool:
        watch.look()
        return watch.resting

    waiting.stored(BEHIND_MS)
    assert not rests()
    waiting.stored(BEHIND_MS + 1)
    assert rests()
    append(60)
    assert store.parts_most() == 60
    # What is not far behind any more still comes first: merges do not come and go.
    waiting.stored(CAUGHT_UP_MS + 1)
    assert rests()
    # Too many parts are merged even so.
    monkeypatch.setattr(merging, "PARTS_MAX", 60)
    assert not rests()
    append(1)
    eventually(lambda: store.parts_most() < 30, PATIENCE_S, "the parts are merged")
    waiting.stored(BEHIND_MS + 1)
    assert rests()
    # Nothing has been stored for a while: nothing waits.
    monkeypatch.setattr(merging, "IDLE_S", 0.0)
    assert not rests()
    assert store.extent(1).samples == 61
    store.close()
