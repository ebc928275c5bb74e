"""A history that has outgrown its machine moves to ClickHouse servers: all of it, once, however often it is begun."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.history.clickhouse_peer import Peer
from tests.waiting import PATIENCE_S

from mainspring.core.alarms import EVENT_SCHEMA
from mainspring.core.errors import Conflict
from mainspring.core.history import AggregateQuery, Entry, EventQuery, HistoryStore, RawQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.history.chdb_engine import ChdbEngine
from mainspring.history.chdb_store import ChdbStore
from mainspring.history.clickhouse_engine import Address, ClickhouseEngine
from mainspring.history.clickhouse_store import ClickhouseStore
from mainspring.history.moving import main, move
from mainspring.history.schema import TABLES

DAY, HOUR = 86_400_000, 3_600_000
NOW = time.time_ns() // 1_000_000
START = NOW // DAY * DAY - 4 * DAY
SPAN = {"start_ms": START - DAY, "end_ms": NOW + DAY}


@pytest.fixture
def peer(server: tuple[Peer, Path]) -> Peer:
    return server[0]


def filled(folder: Path) -> None:
    """Keep four days of everything there is, rolled up, corrected, and in two classes."""
    store = ChdbStore(folder, rollup_quiet_s=0)
    store.classify("short", [2])
    times = START + np.arange(0, 4 * DAY, 60_000)
    for tag in (1, 2):
        batch = build(Column.FLOAT64, np.full(len(times), tag), times, np.sin(times), 192, Origin.MACHINE)
        store.append("LIVE", [Entry(tag, 1, batch)], tag, tag)
    whole = build(Column.INT64, [3] * 3, START + np.arange(3), [2**62 + 1, -5, 7], [192, 0, 192], Origin.MACHINE)
    texts = build(Column.TEXT, [4] * 3, START + np.arange(3), ["阀门", "", "b\n'"], 192, Origin.MANUAL)
    impossible = build(Column.FLOAT64, [1, 1], [5, START + 5], [1.0, np.nan], 192, Origin.MACHINE)
    store.append("LATE", [Entry(9, 1, each) for each in (whole, texts, impossible)], 9, 9)
    for _ in store.roll_up(NOW):
        pass
    store.correct(1, build(Column.FLOAT64, [1], [START], [50.0], 192, Origin.MANUAL), "p1", "misread")
    events = [
        {"tenant": 1, "id": f"a{number}", "alarm": "x", "tag": 1, "condition": "HH", "priority": "high",
         "transition": "raised", "state": "active-unacknowledged", "time": START + number, "raised": START,
         "value": None if number % 2 else 1.5, "limit": 1.0, "by": "", "comment": "温度高"}
        for number in range(5)
    ]  # fmt: skip
    store.append_events("ALARM", pa.Table.from_pylist(events, schema=EVENT_SCHEMA), 1, 5)
    for _ in store.roll_up(NOW):
        pass
    store.close()


def told(store: HistoryStore) -> dict[str, Any]:
    """Return all that a history answers."""
    functions = ("count", "mean", "time_weighted")
    statistics = AggregateQuery(
        tags=(1, 2, 3), start_ms=START, end_ms=START + 4 * DAY, step_ms=HOUR, functions=functions
    )  # fmt: skip
    answer: dict[str, Any] = {
        str(column): [
            tuple(row.values())
            for chunk in store.raw(1, RawQuery(tags=(1, 2, 3, 4), column=column, **SPAN))
            for row in chunk.to_pylist()
        ]
        for column in Column
    }
    answer["events"] = store.events(1, EventQuery(**SPAN)).to_pylist()
    answer["corrections"] = store.corrections(1, RawQuery(tags=(1,), **SPAN)).to_pylist()
    found = store.aggregate(1, statistics)
    return {name: repr(rows) for name, rows in answer.items()} | {"statistics": found.to_pandas().round(9).to_csv()}


@pytest.mark.parametrize("cluster", ["", "one"])
def test_a_history_is_moved_whole_and_goes_on_where_it_is(peer: Peer, tmp_path: Path, cluster: str) -> None:
    folder = tmp_path / "history"
    filled(folder)
    here = ChdbStore(folder)
    before = told(here)
    here.close()
    with peer.history(cluster) as url:
        environment = {**os.environ, "MAINSPRING_HISTORY_PASSWORD": peer.password}
        command = [sys.executable, "-m", "mainspring.history.moving", str(tmp_path), url]
        runs = [
            subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
            for _ in range(2)
        ]
        assert [run.returncode for run in runs] == [0, 0], runs[0].stderr + runs[1].stderr
        assert "there already" not in runs[0].stdout
        lines = runs[1].stdout.splitlines()
        assert all("there already" in line for line in lines[:-1])
        assert re.search(r"All [\d,]+ rows are there", lines[-1])
        moved = ClickhouseStore(url, peer.password, folder, rollup_quiet_s=0)
        assert told(moved) == before
        # Its place in each stream and how far rollups are made are those of the folder.
        late = build(Column.FLOAT64, [2], [START + 7], [1000.0], 192, Origin.MACHINE)
        moved.append("LIVE", [Entry(10, 1, late)], 10, 10)
        for _ in moved.roll_up(NOW):
            pass
        query = AggregateQuery(tags=(2,), start_ms=START, end_ms=START + HOUR, step_ms=HOUR, functions=("max", "count"))
        answer = moved.aggregate(1, query)
        assert answer.schema.metadata[b"source"] == b"hour"
        assert (answer["max"].to_pylist(), answer["count"].to_pylist()) == ([1000.0], [61])
        moved.close()


class Torn(Exception):
    """Stands for the end of the process."""


def test_cut_short_anywhere_it_goes_on_with_what_differs(peer: Peer, tmp_path: Path) -> None:
    folder = tmp_path / "history"
    filled(folder)
    here = ChdbEngine(folder, TABLES, 2**30, {})
    with peer.history() as url:
        said: list[str] = []
        for stop in (1, 3, 6, 10, 1000):
            there = ClickhouseEngine(Address.parse(url), peer.password, tmp_path / "moving", TABLES, {})
            insert, done = there.insert, 0

            def torn(table: str, columns: Any, *rest: Any, insert: Any = insert, stop: int = stop) -> None:
                nonlocal done
                done += 1
                if done > stop:
                    half = {name: values[: len(values) // 2] for name, values in columns.items()}
                    insert(table, half)
                    raise Torn
                insert(table, columns, *rest)

            there.insert = torn  # type: ignore[method-assign, assignment]
            said.clear()
            try:
                rows = move(here, there, lambda text: said.append(text.en))
            except Torn:
                assert stop < 1000
            there.close()
        assert any("there already" in line for line in said)
        assert any("there already" not in line for line in said)
        moved = ClickhouseStore(url, peer.password, folder / "own")
        assert moved.extent(1).samples == 2 * 4 * 1440 + 7
        assert rows > moved.extent(1).samples
        moved.close()
    here.close()


def test_a_history_with_classes_of_its_own_is_left_alone(peer: Peer, tmp_path: Path) -> None:
    filled(tmp_path / "history")
    here = ChdbEngine(tmp_path / "history", TABLES, 2**30, {})
    with peer.history() as url:
        other = ClickhouseStore(url, peer.password, tmp_path / "other")
        other.classify("theirs", [1])
        other.close()
        there = ClickhouseEngine(Address.parse(url), peer.password, tmp_path / "moving", TABLES, {})
        with pytest.raises(Conflict, match="theirs"):
            move(here, there, lambda text: None)
        there.close()
    here.close()


def test_a_history_that_is_in_use_is_not_moved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ChdbStore(tmp_path / "history")
    assert main(tmp_path, "clickhouse://h@127.0.0.1:1/default") == 2
    assert "open in another process" in capsys.readouterr().err
    store.close()
