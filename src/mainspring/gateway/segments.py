"""The segment log: every batch on disk, in order, until the historian has confirmed it.

A log is a folder of append-only files `<first sequence>.log`. Sequences have no gaps inside a log. A record is a header
(length, CRC-32, sequence, time, rows) and one encoded batch. Records count as written once their file was synchronised;
what a crash left half-written at the end is cut off when the log is opened.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import threading
import time
import zlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from mainspring.core.errors import Conflict, StoreError, reason_of
from mainspring.core.files import sync_folder
from mainspring.core.text import Text

log = structlog.get_logger(__name__)

_HEADER: Final = struct.Struct("<IIQqI")
_CHECKED: Final = struct.Struct("<QqI")
RECORD_BYTES_MAX: Final = 64 * 1024 * 1024

_TAKEN: Final = Text(
    "The folder {folder} belongs to a gateway that is running. Stop that one, or give this one a folder of its own.",
    "目录 {folder} 正被另一个运行中的网关使用。请停止该网关，或为本网关指定另一个目录。",
)
_FULL: Final = Text(
    "The segment log holds {used:.0f} MB, its limit: polling pauses until the historian has confirmed some. "
    "Look at the historian, or raise log_bytes_max.",
    "段日志已达上限 {used:.0f} MB：在历史库确认之前暂停采集。请检查历史库，或调大 log_bytes_max。",
)
_DISK: Final = Text(
    "The disk of {folder} has {free:.0f} MB left: polling pauses. Free some space, or lower disk_free_min_bytes.",
    "{folder} 所在磁盘仅剩 {free:.0f} MB：暂停采集。请释放空间，或调低 disk_free_min_bytes。",
)
_FAILED: Final = Text(
    "Writing to {folder} failed ({reason}): polling pauses, what was written is kept. Check the disk; it tries again.",
    "写入 {folder} 失败（{reason}）：暂停采集，已写入的内容保留。请检查磁盘，系统会自动重试。",
)


class Entry(NamedTuple):
    """A batch on its way into the log."""

    time_ms: int
    rows: int
    payload: bytes


class Record(NamedTuple):
    """A batch in the log."""

    sequence: int
    time_ms: int
    rows: int
    payload: bytes


@dataclass(slots=True)
class Segment:
    """One file; `stored` tells for each stream the highest stream sequence that carries a record of this file."""

    path: Path
    first: int
    last: int
    size: int = 0
    stored: dict[str, int] = field(default_factory=dict)
    damaged: bool = False


class SegmentLog:
    """All segments of one gateway; one writer, any number of readers."""

    def __init__(self, folder: Path, *, segment_bytes: int, log_bytes_max: int, disk_free_min_bytes: int) -> None:
        self.folder = folder
        self._segment_bytes = segment_bytes
        self._log_bytes_max = log_bytes_max
        self._disk_free_min_bytes = disk_free_min_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise Conflict(_TAKEN, folder=folder) from error
        # The writer's thread appends while the event loop may have to renumber.
        self._writing = threading.Lock()
        self.segments: list[Segment] = []
        for path in sorted(folder.glob("*.log")):
            first = int(path.stem)
            if self.segments:
                self.segments[-1].last = first - 1
            self.segments.append(Segment(path, first, first - 1, path.stat().st_size))
        if self.segments:
            _repair(self.segments[-1])
        else:
            # Beginning at the clock keeps a new log ahead of any earlier one of the same gateway.
            self.segments.append(self._new_segment(time.time_ns() // 1_000_000))
        self._file = os.open(self.segments[-1].path, os.O_WRONLY | os.O_APPEND)

    @property
    def last(self) -> int:
        """Sequence of the last record that is safely on disk."""
        return self.segments[-1].last

    @property
    def first(self) -> int:
        """Sequence of the oldest record that is still here, or of the next one if there is none."""
        return self.segments[0].first

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    def append(self, entries: Sequence[Entry]) -> None:
        """Write batches and synchronise; raises StoreError with nothing written, to be called again later."""
        with self._writing:
            self._append(entries)

    def _append(self, entries: Sequence[Entry]) -> None:
        segment = self.segments[-1]
        pieces: list[bytes] = []
        sequence = segment.last
        for entry in entries:
            sequence += 1
            checked = _CHECKED.pack(sequence, entry.time_ms, entry.rows)
            crc = zlib.crc32(entry.payload, zlib.crc32(checked))
            pieces += (_HEADER.pack(len(entry.payload), crc, sequence, entry.time_ms, entry.rows), entry.payload)
        block = b"".join(pieces)
        try:
            _write(self._file, block)
            os.fsync(self._file)
            segment.size += len(block)
            segment.last = sequence
            if segment.size >= self._segment_bytes:
                self._rotate()
        except OSError as error:
            self._undo(segment)
            raise StoreError(_FAILED, folder=self.folder, reason=reason_of(error)) from error

    def continue_after(self, sequence: int) -> None:
        """Number the next record after `sequence`, which is beyond the end of this log."""
        with self._writing:
            segment = self._new_segment(sequence + 1)
            os.close(self._file)
            self.segments.append(segment)
            self._file = os.open(segment.path, os.O_WRONLY | os.O_APPEND)

    def full(self) -> Text | None:
        """Say why nothing more should be taken in, or None."""
        size = self.size
        if size >= self._log_bytes_max:
            return _FULL.format(used=size / 1e6)
        free = shutil.disk_usage(self.folder).free
        if free < self._disk_free_min_bytes:
            return _DISK.format(folder=self.folder, free=free / 1e6)
        return None

    def disk_free_bytes(self) -> int:
        """Free space where the log lies."""
        return shutil.disk_usage(self.folder).free

    def find(self, sequence: int) -> int:
        """Return the index of the segment that holds, or would hold, a sequence."""
        return max(0, bisect_right(self.segments, sequence, key=lambda segment: segment.first) - 1)

    def release(self, done: Callable[[Segment], bool]) -> int:
        """Delete finished segments for which `done` says so; return how many. The one being written always stays."""
        finished = [segment for segment in self.segments[:-1] if done(segment)]
        for segment in finished:
            if segment.damaged:
                segment.path.rename(segment.path.with_suffix(".damaged"))
            else:
                segment.path.unlink(missing_ok=True)
            self.segments.remove(segment)
        return len(finished)

    def close(self) -> None:
        """Close the files and free the folder for another gateway."""
        os.close(self._file)
        self._lock.close()

    def _new_segment(self, first: int) -> Segment:
        path = self.folder / f"{first:020d}.log"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        sync_folder(self.folder)
        return Segment(path, first, first - 1)

    def _rotate(self) -> None:
        try:
            segment = self._new_segment(self.segments[-1].last + 1)
        except OSError as error:
            # The record is safe in the old segment; a new one is tried after the next record.
            log.warning("log.rotation_failed", reason=str(error))
            return
        os.close(self._file)
        self.segments.append(segment)
        self._file = os.open(segment.path, os.O_WRONLY | os.O_APPEND)

    def _undo(self, segment: Segment) -> None:
        try:
            os.ftruncate(self._file, segment.size)
        except OSError as error:
            log.error("log.undo_failed", segment=segment.path.name, reason=str(error))


class Reader:
    """Reads records in any order, best forwards."""

    def __init__(self, segment_log: SegmentLog) -> None:
        self._log = segment_log
        self._segment: Segment | None = None
        self._file = -1
        self._offset = 0

    def read(self, sequence: int) -> Record | None:
        """Return the record with this sequence, or the next one there is; None beyond the end."""
        while sequence <= self._log.last:
            index = self._log.find(sequence)
            segment = self._log.segments[index]
            sequence = max(sequence, segment.first)
            if sequence <= segment.last:
                record = self._read_in(segment, sequence)
                if record is not None:
                    return record
            if index + 1 >= len(self._log.segments):
                return None
            sequence = self._log.segments[index + 1].first
        return None

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._segment = -1, None

    def _read_in(self, segment: Segment, sequence: int) -> Record | None:
        if self._segment is not segment:
            self.close()
            self._file, self._segment, self._offset = os.open(segment.path, os.O_RDONLY), segment, 0
        record = self._scan(segment, sequence)
        if record is None and self._offset:
            self._offset = 0
            record = self._scan(segment, sequence)
        return record

    def _scan(self, segment: Segment, sequence: int) -> Record | None:
        while header := os.pread(self._file, _HEADER.size, self._offset):
            whole = len(header) == _HEADER.size
            length, crc, found, time_ms, rows = _HEADER.unpack(header) if whole else (RECORD_BYTES_MAX + 1, 0, 0, 0, 0)
            if length > RECORD_BYTES_MAX:
                self._damaged(segment, sequence)
                return None
            if found > sequence:
                return None
            start = self._offset + _HEADER.size
            self._offset = start + length
            if found == sequence:
                payload = os.pread(self._file, length, start)
                if zlib.crc32(payload, zlib.crc32(header[8:])) == crc:
                    return Record(found, time_ms, rows, payload)
                self._damaged(segment, sequence)
                return None
        return None

    def _damaged(self, segment: Segment, sequence: int) -> None:
        if not segment.damaged:
            log.error("log.damaged", segment=segment.path.name, sequence=sequence, kept_as=".damaged")
        segment.damaged = True


def _write(file: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(file, view) :]


def _repair(segment: Segment) -> None:
    """Find the end of the last segment and cut off what a crash left half-written."""
    good = 0
    sequence = segment.first - 1
    with segment.path.open("rb") as file:
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            length, crc, found, _, _ = _HEADER.unpack(header)
            if length > RECORD_BYTES_MAX or found != sequence + 1:
                break
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload, zlib.crc32(header[8:])) != crc:
                break
            good += _HEADER.size + length
            sequence = found
    if good < segment.size:
        log.warning("log.tail_cut", segment=segment.path.name, bytes=segment.size - good, last_sequence=sequence)
        os.truncate(segment.path, good)
    segment.size, segment.last = good, sequence
