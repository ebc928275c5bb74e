"""The segment log: what was written is there, what was half-written is not, limits hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mainspring.core.errors import Conflict, StoreError
from mainspring.gateway.segments import Entry, Reader, SegmentLog


def open_log(folder: Path, segment_bytes: int = 64 * 1024, limit: int = 1024**3, free: int = 0) -> SegmentLog:
    return SegmentLog(folder, segment_bytes=segment_bytes, log_bytes_max=limit, disk_free_min_bytes=free)


def entries(*payloads: bytes) -> list[Entry]:
    return [Entry(1000 + index, 1, payload) for index, payload in enumerate(payloads)]


def everything(log: SegmentLog) -> list[tuple[int, bytes]]:
    reader, out, sequence = Reader(log), [], log.first
    while (record := reader.read(sequence)) is not None:
        out.append((record.sequence, record.payload))
        sequence = record.sequence + 1
    reader.close()
    return out


def test_records_come_back_in_order_after_a_restart_and_numbers_go_on(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(entries(b"one", b"two"))
    first = log.first
    log.close()
    log = open_log(tmp_path)
    log.append(entries(b"three"))
    assert everything(log) == [(first, b"one"), (first + 1, b"two"), (first + 2, b"three")]
    log.close()


def test_segments_change_at_their_size_and_finished_ones_are_deleted_but_never_the_one_in_use(tmp_path: Path) -> None:
    log = open_log(tmp_path, segment_bytes=64 * 1024)
    for _ in range(5):
        log.append(entries(b"x" * 40_000))
    assert len(log.segments) == 3
    last = log.last
    assert log.release(lambda _segment: True) == 2
    assert [path.name for path in tmp_path.glob("*.log")] == [log.segments[0].path.name]
    log.close()
    log = open_log(tmp_path)
    assert log.last == last
    log.close()


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400), noise=st.binary(max_size=60))
def test_a_torn_tail_is_cut_and_everything_before_it_stays(
    tmp_path_factory: pytest.TempPathFactory, cut: int, noise: bytes
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = open_log(folder)
    log.append(entries(*(bytes([index]) * (20 + index) for index in range(8))))
    whole = everything(log)
    path, size = log.segments[0].path, log.segments[0].size
    log.close()
    with path.open("r+b") as file:
        file.truncate(max(0, size - cut))
        file.seek(0, os.SEEK_END)
        file.write(noise)
    log = open_log(folder)
    found = everything(log)
    assert found == whole[: len(found)]
    assert len(found) >= sum(1 for index in range(8) if _end(index) <= size - cut)
    log.append(entries(b"next"))
    assert everything(log) == [*found, (whole[0][0] + len(found), b"next")]
    log.close()


def _end(index: int) -> int:
    return sum(28 + 20 + each for each in range(index + 1))


def test_a_damaged_record_is_skipped_with_the_rest_of_its_file_and_the_file_is_kept(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for letter in (b"a", b"b", b"c", b"d"):
        log.append(entries(letter * 40_000))
    assert len(log.segments) == 3
    with log.segments[0].path.open("r+b") as file:
        file.seek(50_000)
        file.write(b"!")
    assert [payload[:1] for _, payload in everything(log)] == [b"a", b"c", b"d"]
    log.release(lambda _segment: True)
    assert len(list(tmp_path.glob("*.damaged"))) == 1
    log.close()


def test_a_second_gateway_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    with pytest.raises(Conflict) as refused:
        open_log(tmp_path)
    assert str(tmp_path) in refused.value.text.zh
    log.close()


def test_a_full_log_or_disk_says_so(tmp_path: Path) -> None:
    log = open_log(tmp_path, limit=1000)
    assert log.full() is None
    log.append(entries(b"x" * 2000))
    assert "log_bytes_max" in str(log.full())
    log.close()
    log = open_log(tmp_path, free=2**62)
    assert "disk_free_min_bytes" in str(log.full())
    log.close()


def test_a_failed_write_leaves_nothing_behind_and_the_next_one_succeeds(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(entries(b"kept"))
    good = log._file
    # A pipe whose other end is closed fails as a device does.
    read_end, write_end = os.pipe()
    os.close(read_end)
    log._file = write_end
    with pytest.raises(StoreError):
        log.append(entries(b"lost"))
    os.close(write_end)
    log._file = good
    log.append(entries(b"after"))
    assert [payload for _, payload in everything(log)] == [b"kept", b"after"]
    log.close()


def test_a_new_log_begins_ahead_of_any_earlier_one(tmp_path: Path) -> None:
    earlier = open_log(tmp_path / "a")
    for _ in range(20):
        earlier.append(entries(b"x"))
    later = open_log(tmp_path / "b")
    assert later.first > earlier.first
    later.close()
    earlier.close()
