"""Cut short at any instant, moving loses nothing and doubles nothing, and is finished the next time."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.history.cold_cases import DAY, NOW, START, files, hot_days, move, opened, put

from mainspring.core.errors import StoreError
from mainspring.core.history import RawQuery
from mainspring.core.kinds import Column, Origin
from mainspring.core.quality import GOOD
from mainspring.core.samples import build
from mainspring.history.cold import files as cold_files
from mainspring.history.sql_store import SqlStore

PROCESS = Path(__file__).with_name("cold_process.py")
KILLS = 4
ROWS = 3000


def numbered(store: SqlStore, sequence: int, first: int, stream: str = "LIVE@1") -> None:
    """Store numbered readings of two days in three tags."""
    numbers = np.arange(first, first + ROWS)
    times = START + numbers % 2 * DAY + numbers * 500
    put(store, 7, build(Column.FLOAT64, numbers % 3, times, numbers, GOOD, Origin.MACHINE), sequence, stream)


def numbers_of(store: SqlStore) -> list[int]:
    query = RawQuery(tags=(0, 1, 2), start_ms=START, end_ms=NOW)
    return sorted(int(value) for chunk in store.raw(7, query) for value in chunk["value"].to_numpy())


def tidy(place: Path) -> bool:
    """Tell whether the files are those that the manifests name, and no others."""
    named = {
        f"{manifest.parent.relative_to(place)}/{file['path']}"
        for manifest in place.rglob("_manifest.json")
        for file in json.loads(manifest.read_text())["files"]
    }
    return named == {path for path in files(place) if not path.endswith("_manifest.json")}


def test_a_move_left_after_any_piece_goes_on_from_there(tmp_path: Path) -> None:
    """First days move, then what came late is folded into them; both are left after a third of their pieces each."""
    whole = tmp_path / "whole"
    with opened(whole, whole / "cold", after_days=1000) as store:
        numbered(store, 1, 0)
        move(store)
    for now_ms, sent in ((NOW, ROWS), (NOW + DAY, 2 * ROWS)):
        pieces, left = sent // ROWS - 3, True
        while left:
            pieces += 3
            broken = tmp_path / f"{sent}-{pieces}"
            shutil.copytree(whole, broken, symlinks=True)
            with opened(broken, broken / "cold") as store:
                left = _advance(store, now_ms, pieces)
            with opened(broken, broken / "cold") as store:
                assert numbers_of(store) == list(range(sent)), pieces
                assert store.extent(7).samples == sent, pieces
                move(store, now_ms)
                assert numbers_of(store) == list(range(sent)), pieces
                assert hot_days(store) == set()
            assert tidy(broken / "cold")
        assert pieces > 10
        with opened(whole, whole / "cold") as store:
            move(store, now_ms)
            numbered(store, 2, ROWS, "LATE@1")


def _advance(store: SqlStore, now_ms: int, pieces: int) -> bool:
    """Do so many pieces of moving; tell whether any was left."""
    return any(done == pieces for done, _ in enumerate(store._moving.advance(now_ms), 1))


@pytest.mark.slow
def test_killed_at_random_moments_every_reading_is_there_once(tmp_path: Path) -> None:
    chance = random.Random(3)
    place = tmp_path / "cold"
    sent = 0
    for turn in range(KILLS):
        with opened(tmp_path, place) as store:
            numbered(store, 2 * turn + 1, sent, "LATE@1" if turn else "LIVE@1")
            sent += ROWS
            assert numbers_of(store) == list(range(sent)), turn
        now_ms = NOW + turn * DAY
        command = [sys.executable, str(PROCESS), str(tmp_path / "history"), str(place), str(now_ms)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 25)):
                process.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.02))
            process.kill()
    with opened(tmp_path, place) as store:
        assert numbers_of(store) == list(range(sent))
        move(store, NOW + KILLS * DAY)
        assert numbers_of(store) == list(range(sent))
        assert hot_days(store) == set()
    assert tidy(place)


def test_a_place_without_space_keeps_the_day_in_the_tables(tmp_path: Path, small_disk: Path) -> None:
    filler = small_disk / "filler"
    with opened(tmp_path, small_disk / "cold") as store:
        numbered(store, 1, 0)
        filler.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 8192))
        with pytest.raises(StoreError, match="No space left") as full:
            move(store)
        assert str(small_disk) in full.value.text.zh
        assert "磁盘空间不足" in full.value.text.zh
        assert numbers_of(store) == list(range(ROWS))
        assert hot_days(store) == {START, START + DAY}
        filler.unlink()
        move(store)
        assert hot_days(store) == set()
        assert numbers_of(store) == list(range(ROWS))
    assert tidy(small_disk / "cold")


def test_a_file_that_is_not_what_was_written_is_found(tmp_path: Path) -> None:
    with opened(tmp_path, None) as store:
        numbered(store, 1, 0)
        chunks = list(store._engine.chunks(
            "select tag, time, value, quality, origin, late, sequence from sample_float64 order by tag, time"
        ))  # fmt: skip
    file = tmp_path / "x.parquet"
    written = _result(cold_files.write(file, Column.FLOAT64, iter(chunks)))
    assert (written.rows, written.tag_min, written.tag_max, written.live_last) == (ROWS, 0, 2, 1)
    list(cold_files.verify(file, "x", written))
    sound = file.read_bytes()
    list(cold_files.compare(iter([sound]), "x", written))
    for place in range(4, len(sound), len(sound) // 40):
        spoilt = bytearray(sound)
        spoilt[place] ^= 16
        with pytest.raises(StoreError, match="does not hold"):
            list(cold_files.compare(iter([bytes(spoilt)]), "x", written))
    other = [chunk.set_column(2, "value", chunk["value"].take(np.arange(len(chunk))[::-1])) for chunk in chunks]
    _result(cold_files.write(file, Column.FLOAT64, iter(other)))
    with pytest.raises(StoreError, match="does not hold"):
        list(cold_files.verify(file, "x", written))


def test_files_end_with_a_tag_and_row_groups_too(tmp_path: Path) -> None:
    """Ten tags of 30,000 readings, at most about 100,000 in a file, then one tag of more than that."""
    with opened(tmp_path, None) as store:
        for first, (tags, rows) in enumerate(((10, 30_000), (1, 400_000)), 1):
            tag = np.repeat(np.arange(tags), rows) + 20 * first
            times = START + np.tile(np.arange(rows), tags) * 100
            put(store, 7, build(Column.FLOAT64, tag, times, np.arange(tags * rows), GOOD, Origin.MACHINE), first)
        chunks = list(store._engine.chunks(
            "select tag, time, value, quality, origin, late, sequence from sample_float64 order by tag, time"
        ))  # fmt: skip
    whole = pa.Table.from_batches(chunks)
    at: int | None = 0
    seen: list[int] = []
    rows = 0
    files_made = 0
    while at is not None:
        file = tmp_path / f"{at}.parquet"
        rest = whole[int(np.searchsorted(whole["tag"].to_numpy(), at)) :]
        written = _result(cold_files.write(file, Column.FLOAT64, rest.to_batches(50_000), 100_000))
        list(cold_files.verify(file, "x", written))
        opened_file = pq.ParquetFile(file)
        groups = [opened_file.read_row_group(group)["tag"].to_numpy() for group in range(opened_file.num_row_groups)]
        for tagged in groups:
            some, counted = np.unique(tagged, return_counts=True)
            assert len(some) == 1 or (counted == 30_000).all(), "whole tags, or a part of one"
        seen += np.unique(np.concatenate(groups)).tolist()
        rows += written.rows
        files_made += 1
        at = written.next_tag
    assert rows == 700_000
    assert seen == [*range(20, 30), 40]
    assert files_made == 3


def _result(pieces: Any) -> cold_files.Written:
    """Run pieces to the end and return what they return."""

    def run() -> Iterator[None]:
        found.append((yield from pieces))

    found: list[cold_files.Written] = []
    for _ in run():
        pass
    return found[0]
