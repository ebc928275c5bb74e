"""What the segment log cannot say itself: which ranges are late, and how far each stream has come.

Ranges and confirmed positions lie in `marks.json`, replaced and synchronised at each change of a range. How far the bus
has acknowledged changes with every batch and lies in `acknowledged`, written without synchronising: it survives a crash
of the gateway, and after a power cut the last message on the bus tells the same.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from mainspring.core.files import replace_file
from mainspring.core.subjects import LATE, LIVE

log = structlog.get_logger(__name__)

LANES: Final = (LIVE, LATE)
_SLOT: Final = struct.Struct("<QQI")


class Place(NamedTuple):
    """A record and the stream sequence that carries it."""

    sequence: int
    stored: int


NOWHERE: Final = Place(0, 0)


class Marks:
    """Late ranges in the order they are sent, and for each stream the acknowledged and the confirmed place."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "marks.json"
        self.late: list[tuple[int, int]] = []
        self.acknowledged: dict[str, Place] = dict.fromkeys(LANES, NOWHERE)
        self.confirmed: dict[str, int] = dict.fromkeys(LANES, 0)
        self._load()
        self._slots = os.open(folder / "acknowledged", os.O_RDWR | os.O_CREAT, 0o600)
        for index, lane in enumerate(LANES):
            slot = os.pread(self._slots, _SLOT.size, index * _SLOT.size)
            if len(slot) == _SLOT.size:
                sequence, stored, crc = _SLOT.unpack(slot)
                if crc == zlib.crc32(slot[:16]):
                    self.acknowledged[lane] = Place(sequence, stored)

    def acknowledge(self, lane: str, place: Place) -> None:
        """Note that the bus has a record."""
        self.acknowledged[lane] = place
        head = struct.pack("<QQ", place.sequence, place.stored)
        os.pwrite(self._slots, head + struct.pack("<I", zlib.crc32(head)), LANES.index(lane) * _SLOT.size)

    def add_late(self, first: int, last: int) -> None:
        """Send a range to LATE, after all other late ranges; it leaves the place it had among them."""
        kept: list[tuple[int, int]] = []
        for a, b in self.late:
            kept += [(x, y) for x, y in ((a, min(b, first - 1)), (max(a, last + 1), b)) if x <= y]
        if kept and kept[-1][1] + 1 == first:
            first = kept.pop()[0]
        self.late = [*kept, (first, last)]
        self.save()

    def live_after(self, sequence: int) -> int:
        """Return the next sequence that belongs to LIVE."""
        following = sequence + 1
        for a, b in sorted(self.late):
            if a <= following <= b:
                following = b + 1
        return following

    def late_after(self, sequence: int) -> int | None:
        """Return the record that LATE sends after this one; the first of all if this one is in no range."""
        for index, (a, b) in enumerate(self.late):
            if a <= sequence <= b:
                if sequence < b:
                    return sequence + 1
                return self.late[index + 1][0] if index + 1 < len(self.late) else None
        return self.late[0][0] if self.late else None

    def late_pending(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges the bus has not acknowledged yet."""
        done = self.acknowledged[LATE].sequence
        start = next((index for index, (a, b) in enumerate(self.late) if a <= done <= b), None)
        if start is None:
            yield from self.late
            return
        if done < self.late[start][1]:
            yield done + 1, self.late[start][1]
        yield from self.late[start + 1 :]

    def runs(self, lane: str, after: int, until: int) -> list[tuple[int, int]]:
        """Return the ranges a stream carries behind `after` up to `until`, in its order."""
        if lane == LIVE:
            runs = []
            first = self.live_after(after)
            while first <= until:
                last = min([until, *(a - 1 for a, _ in self.late if a > first)])
                runs.append((first, last))
                first = self.live_after(last)
            return runs
        low, high = self.order(lane, after), self.order(lane, until)
        return [
            (max(a, low[1] + 1) if index == low[0] else a, min(b, high[1]) if index == high[0] else b)
            for index, (a, b) in enumerate(self.late)
            if low[0] <= index <= high[0] and not (index == low[0] and low[1] == b)
        ]

    def order(self, lane: str, sequence: int) -> tuple[int, int]:
        """Return a key that sorts records as their stream carries them."""
        if lane == LIVE:
            return 0, sequence
        index = next((index for index, (a, b) in enumerate(self.late) if a <= sequence <= b), -1)
        return index, sequence if index >= 0 else 0

    def forget_before(self, sequence: int) -> None:
        """Drop acknowledged ranges of records that are no longer in the log."""
        pending = list(self.late_pending())
        done = self.acknowledged[LATE].sequence
        self.late = [(a, b) for a, b in self.late if b >= sequence or a <= done <= b or (a, b) in pending]

    def save(self) -> None:
        """Replace the file and synchronise."""
        document = {
            "late": self.late,
            "acknowledged": {lane: list(place) for lane, place in self.acknowledged.items()},
            "confirmed": self.confirmed,
        }
        replace_file(self._file, json.dumps(document).encode())

    def close(self) -> None:
        """Save and close."""
        self.save()
        os.close(self._slots)

    def _load(self) -> None:
        if not self._file.exists():
            return
        try:
            document = json.loads(self._file.read_text())
            self.late = [(int(a), int(b)) for a, b in document["late"]]
            for lane in LANES:
                self.acknowledged[lane] = Place(*map(int, document["acknowledged"][lane]))
                self.confirmed[lane] = int(document["confirmed"][lane])
        except (ValueError, KeyError, TypeError) as error:
            # Replaced as a whole, so this is a hand or a disk; the bus's last message still tells the place.
            log.error("marks.unreadable", file=str(self._file), reason=str(error))
