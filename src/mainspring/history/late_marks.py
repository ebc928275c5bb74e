"""Hours of tags whose rollups are out of date because samples or corrections came after they were made.

A mark is on the disk before what it tells of is stored; a mark too many only costs that an hour is made again.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mainspring.core.files import replace_file
from mainspring.history.rollup_rows import HOUR_MS, Span

Keys = npt.NDArray[np.uint64]
"""Tag in the upper 32 bits, hour since 1970 in the lower."""
SPARE_MAX: Final = 65_536
"""So many settled marks may stand in the file before it is written anew."""
_RECORD: Final = np.dtype([("tenant", "<u4"), ("check", "<u4"), ("key", "<u8")])
_LOW: Final = np.uint64(32)


def keys_of(tags: npt.NDArray[np.uint32], times: npt.NDArray[np.int64]) -> Keys:
    """Return the keys of samples, each once, in order of tag and hour."""
    return np.unique((tags.astype(np.uint64) << _LOW) | (times // HOUR_MS).astype(np.uint64))


def tags_and_hours(keys: Keys) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return what `keys_of` joined; hours in milliseconds."""
    return (keys >> _LOW).astype(np.uint32), (keys & np.uint64(2**32 - 1)).astype(np.int64) * HOUR_MS


@dataclass(slots=True)
class _Tenant:
    """The marks of a tenant in order: how many writes of each are under way, when it was first and last touched."""

    keys: Keys
    writing: npt.NDArray[np.uint16]
    first_s: npt.NDArray[np.float64]
    last_s: npt.NDArray[np.float64]

    def keep(self, kept: npt.NDArray[np.bool_]) -> _Tenant:
        return _Tenant(self.keys[kept], self.writing[kept], self.first_s[kept], self.last_s[kept])


class LateMarks:
    """The marks of all tenants, in memory and in `file`. Its methods may be called by several threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._tenants: dict[int, _Tenant] = {}
        written = file.read_bytes() if file.exists() else b""
        records = np.frombuffer(written[: len(written) // _RECORD.itemsize * _RECORD.itemsize], dtype=_RECORD)
        # Those of earlier versions have no check. What a crash leaves at the end was never counted on.
        sound = (records["check"] == _check(records["tenant"], records["key"])) | (records["check"] == 0)
        records = records[: len(sound) - int(np.argmax(sound[::-1]))] if sound.any() else records[:0]
        sound = sound[: len(records)]
        self.spoilt = not sound.all()
        """Whether some mark in the middle of the file could not be read."""
        records = records[sound]
        self._written = len(records)
        for tenant in np.unique(records["tenant"]).tolist():
            self._add(tenant, np.unique(records["key"][records["tenant"] == tenant]), 0)
        if not self.spoilt and (records.nbytes != len(written) or not file.exists()):
            self._write_anew()

    def __len__(self) -> int:
        return sum(len(marks.keys) for marks in self._tenants.values())

    def note(self, tenant: int, keys: Keys) -> None:
        """Mark keys durably; they are held back until `written` tells that their samples are stored. Raises OSError."""
        with self._lock:
            held = self._tenants.get(tenant)
            fresh = keys if held is None else keys[~_among(keys, held.keys)]
            if len(fresh):
                self._append(_records(tenant, fresh))
                self._written += len(fresh)
                self._add(tenant, fresh, 0)
            marks = self._tenants[tenant]
            marks.writing[np.searchsorted(marks.keys, keys)] += 1

    def written(self, tenant: int, keys: Keys) -> None:
        """Tell that a write is over, well or not."""
        with self._lock:
            marks = self._tenants[tenant]
            at = np.searchsorted(marks.keys, keys)
            marks.writing[at] -= 1
            marks.last_s[at] = time.monotonic()

    def ready(self, quiet_s: float, wait_s: float, count: int, unit_ms: int) -> tuple[int, Keys, float] | None:
        """Return a tenant and up to `count` of its keys within one period, and a stamp for `settle`.

        Keys are ready that were left alone for `quiet_s`, or have waited for `wait_s`.
        """
        now_s = time.monotonic()
        with self._lock:
            for tenant, marks in self._tenants.items():
                calm = (marks.last_s <= now_s - quiet_s) | (marks.first_s <= now_s - wait_s)
                keys = marks.keys[(marks.writing == 0) & calm]
                if len(keys):
                    period = tags_and_hours(keys)[1] // unit_ms
                    return tenant, keys[period == period[0]][:count], now_s
        return None

    def settle(self, tenant: int, keys: Keys, stamp_s: float) -> None:
        """Forget keys that were not touched since `stamp_s`."""
        with self._lock:
            marks = self._tenants[tenant]
            at = np.searchsorted(marks.keys, keys)
            kept = np.ones(len(marks.keys), dtype=np.bool_)
            kept[at[(marks.writing[at] == 0) & (marks.last_s[at] <= stamp_s)]] = False
            self._tenants[tenant] = marks.keep(kept)
            if not kept.any():
                del self._tenants[tenant]
            if self._written > 2 * len(self) + SPARE_MAX or not self._tenants:
                self._write_anew()

    def spans(self, tenant: int, tags: npt.NDArray[np.uint32], start_ms: int, end_ms: int) -> list[Span]:
        """Return the marked hours of any of these tags that touch a range, joined and in order."""
        with self._lock:
            marks = self._tenants.get(tenant)
            if marks is None:
                return []
            upper = tags.astype(np.uint64) << _LOW
            begins = np.searchsorted(marks.keys, upper | np.uint64(start_ms // HOUR_MS))
            ends = np.searchsorted(marks.keys, upper | np.uint64(-(-end_ms // HOUR_MS)))
            found = [marks.keys[begin:end] for begin, end in zip(begins, ends, strict=True) if end > begin]
        if not found:
            return []
        hours = np.unique(tags_and_hours(np.concatenate(found))[1])
        breaks = np.flatnonzero(np.diff(hours) > HOUR_MS)
        since, until = hours[np.append(0, breaks + 1)], hours[np.append(breaks, len(hours) - 1)] + HOUR_MS
        return list(zip(since.tolist(), until.tolist(), strict=True))

    def tidy(self) -> None:
        """Leave in the file only what is marked."""
        with self._lock:
            if self.spoilt or self._written != len(self):
                self._write_anew()
                self.spoilt = False

    def _add(self, tenant: int, keys: Keys, writing: int) -> None:
        """Put keys that are not there in their places."""
        now_s = time.monotonic()
        nothing: npt.NDArray[Any] = np.empty(0)
        held = self._tenants.get(tenant) or _Tenant(
            nothing.astype(np.uint64), nothing.astype(np.uint16), nothing, nothing
        )
        at = np.searchsorted(held.keys, keys)
        self._tenants[tenant] = _Tenant(
            np.insert(held.keys, at, keys), np.insert(held.writing, at, writing),
            np.insert(held.first_s, at, now_s), np.insert(held.last_s, at, now_s),
        )  # fmt: skip

    def _append(self, records: bytes) -> None:
        with self._file.open("r+b") as out:
            end = self._written * _RECORD.itemsize
            try:
                out.seek(end)
                out.write(records)
                out.flush()
                os.fsync(out.fileno())
            except OSError:
                out.truncate(end)
                raise

    def _write_anew(self) -> None:
        parts = []
        for tenant, marks in self._tenants.items():
            parts.append(_records(tenant, marks.keys))
        replace_file(self._file, b"".join(parts))
        self._written = len(self)


def _records(tenant: int, keys: Keys) -> bytes:
    """Return marks as they stand in the file."""
    records = np.empty(len(keys), dtype=_RECORD)
    records["tenant"], records["key"] = tenant, keys
    records["check"] = _check(records["tenant"], keys)
    return records.tobytes()


def _check(tenants: npt.NDArray[np.uint32], keys: Keys) -> npt.NDArray[np.uint32]:
    """Return what tells a mark from one with any bit turned; never 0."""
    mixed = keys * np.uint64(0x9E3779B97F4A7C15) + tenants * np.uint64(0xC2B2AE3D27D4EB4F)
    folded: npt.NDArray[np.uint32] = (mixed ^ (mixed >> _LOW)).astype(np.uint32)
    return folded | np.uint32(1)


def _among(keys: Keys, held: Keys) -> npt.NDArray[np.bool_]:
    at = np.minimum(np.searchsorted(held, keys), max(0, len(held) - 1))
    return held[at] == keys if len(held) else np.zeros(len(keys), dtype=np.bool_)
