"""What is particular to the embedded engine: its folder, its disk, its process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mainspring.core.errors import ConfigurationError, Conflict, StoreError
from mainspring.core.history import Entry, RawQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import SampleBatch, build
from mainspring.history.chdb_store import ChdbStore
from mainspring.history.retention import Partition, droppable

DAY = 86_400_000
NOW = time.time_ns() // 1_000_000


def test_a_second_process_on_the_same_folder_is_told_so(tmp_path: Path) -> None:
    store = ChdbStore(tmp_path)
    other = (
        "import sys, pathlib; from mainspring.history.chdb_store import ChdbStore; ChdbStore(pathlib.Path(sys.argv[1]))"
    )
    ran = subprocess.run([sys.executable, "-c", other, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "open in another process" in ran.stderr
    with pytest.raises(Conflict, match="open in another process"):
        ChdbStore(tmp_path)
    store.close()
    ChdbStore(tmp_path).close()


def test_a_folder_name_the_engine_cannot_open_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Set another folder"):
        ChdbStore(tmp_path / "what?")


def test_a_process_that_closed_its_store_ends_cleanly(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, threading\n"
        "from mainspring.core.history import TrendQuery\n"
        "from mainspring.history.chdb_store import ChdbStore\n"
        "store = ChdbStore(pathlib.Path(sys.argv[1]))\n"
        "ask = lambda: store.trend(1, TrendQuery(tags=(1,), start_ms=0, end_ms=1000))\n"
        "threads = [threading.Thread(target=ask) for _ in range(8)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "store.close(); store.close()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


MUCH_IN_LITTLE_MEMORY = """
import pathlib, sys
import numpy as np
from mainspring.core.errors import LimitExceeded
from mainspring.core.history import Entry, TrendQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.history.chdb_store import ChdbStore
store = ChdbStore(pathlib.Path(sys.argv[1]), query_memory_bytes_max=1_000_000)
now, size = 1_700_000_000_000, 300_000
batch = build(Column.FLOAT64, np.full(size, 1), now - np.arange(size), np.arange(size), 192, Origin.MACHINE)
store.append("LIVE", [Entry(1, 1, batch)], 1, 1)
try:
    store.trend(1, TrendQuery(tags=(1,), start_ms=0, end_ms=now + 1, buckets=10_000))
except LimitExceeded as error:
    print(error)
store.close()
"""


def test_a_query_beyond_its_memory_is_refused_in_words(tmp_path: Path) -> None:
    """In a process of its own: threads that have worked before hold memory that no query is charged for."""
    command = [sys.executable, "-c", MUCH_IN_LITTLE_MEMORY, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "fewer tags or a shorter range" in ran.stdout, ran.stderr


def noisy(number: int) -> SampleBatch:
    """Readings over eight days that do not compress."""
    size = 40_000
    values = number * size + np.arange(size) + np.random.default_rng(number).random(size)
    return build(Column.FLOAT64, np.full(size, 1), NOW - np.arange(size) % 8 * DAY, values, 192, Origin.MACHINE)


def test_a_full_disk_is_said_at_once_and_a_repetition_makes_all_whole(small_disk: Path) -> None:
    store = ChdbStore(small_disk / "history")
    (small_disk / "ballast").write_bytes(bytes(16 * 1024**2))
    done = 0
    with pytest.raises(StoreError, match="NOT_ENOUGH_SPACE"):
        while done < 40:
            store.append("LIVE", [Entry(done + 1, 1, noisy(done))], done + 1, done + 1)
            done += 1
            assert store.extent(1).samples == done * 40_000, "what was said to be stored is not there"
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    for _ in range(2):
        store.append("LIVE", [Entry(done + 1, 1, noisy(done))], done + 1, done + 1)
    query = RawQuery(tags=(1,), start_ms=0, end_ms=2**51, limit=5_000_000)
    found = np.sort(np.concatenate([chunk["value"].to_numpy() for chunk in store.raw(1, query)]))
    assert np.array_equal(np.floor(found), np.arange((done + 1) * 40_000))
    store.close()


def part(retention: str, day: int, size: int = 10, table: str = "sample_float64") -> Partition:
    return Partition(table, f"({retention},{day})", retention, day * DAY, (day + 1) * DAY, size)


def test_age_counts_from_the_end_of_a_day() -> None:
    now = 100 * DAY + 5
    parts = [part("standard", day) for day in (88, 89, 90, 99)]
    assert droppable(parts, now, {"standard": 10}, 10**9, {}) == parts[:2]
    assert droppable(parts, now, {}, 10**9, {}) == []


def test_space_is_made_from_the_oldest_but_not_from_events_or_today() -> None:
    now = 100 * DAY + 5
    events = part("events", 10, 1000, "alarm_event")
    parts = [events, part("a", 98), part("b", 97), part("a", 99), part("a", 100)]
    assert droppable(parts, now, {}, 1025, {}) == [parts[2], parts[1]]
    assert droppable(parts, now, {}, 0, {}) == [parts[2], parts[1], parts[3]]
    assert droppable(parts, now, {"a": 1}, 1030, {}) == [parts[1]]


def test_corrections_made_before_it_was_opened_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def values(store: ChdbStore, tag: int) -> list[float]:
        query = RawQuery(tags=(tag,), start_ms=NOW, end_ms=NOW + 1)
        return [float(value) for batch in store.raw(1, query) for value in batch["value"].to_numpy()]

    store = ChdbStore(tmp_path)
    both = build(Column.FLOAT64, [1, 2], NOW, [10.0, 20.0], 192, Origin.MACHINE)
    store.append("LIVE", [Entry(1, 1, both)], 1, 1)
    store.correct(1, build(Column.FLOAT64, [1], NOW, [11.0], 192, Origin.MANUAL), "someone")
    assert (values(store, 1), values(store, 2)) == ([11.0], [20.0])
    store.close()
    store = ChdbStore(tmp_path)
    assert (values(store, 1), values(store, 2)) == ([11.0], [20.0])
    store.close()
    # Too many to be known one by one: each query looks.
    monkeypatch.setattr("mainspring.history.corrected.TAGS_MAX", 0)
    store = ChdbStore(tmp_path)
    assert (values(store, 1), values(store, 2)) == ([11.0], [20.0])
    store.close()
