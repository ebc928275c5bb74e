"""Scaling and report by exception over columns: what changed enough goes on, the rest is not sent.

A sample is reported when its quality changed, when its good value moved by at least the tag's dead-band (any change if
that is 0), or when the tag has been silent for its maximum silence. No Python object is made for a numeric reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mainspring.core import quality as q
from mainspring.core.definitions import TagDefinition
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import SampleBatch

UNSET: Final = 0xFF
"""Quality of a tag that has never been reported; no device sends it."""
TEXT_MAX: Final = 65_536
"""Longest text value; a longer one is cut and uncertain."""
NEAR_MS: Final = 5_000
"""A delivered sample that is older than the gateway's own mark by less than this was on its way at that moment."""
_PLAIN: Final = (SampleKind.BOOLEAN, SampleKind.ENUMERATION)
_INT64_LIMIT: Final = 2.0**63
_TYPES: Final[dict[Column, Any]] = {Column.FLOAT64: np.float64, Column.INT64: np.int64, Column.TEXT: object}
_EMPTY: Final[dict[Column, Any]] = {Column.FLOAT64: np.nan, Column.INT64: 0, Column.TEXT: ""}
_TINY: Final = 1e-9

Rows = npt.NDArray[np.intp]
Array = npt.NDArray[Any]


class Reporter:
    """The last reported sample and the rules of each tag of one connection with one column type."""

    def __init__(self, column: Column, tags: Sequence[TagDefinition], origin: Origin | None) -> None:
        ordered = sorted(tags, key=lambda tag: tag.ordinal)
        plain = [tag.kind in _PLAIN for tag in ordered]
        self.column = column
        self.origin = origin
        self.tag = np.array([tag.ordinal for tag in ordered], dtype=np.uint32)
        self.gain = np.array([1.0 if as_is else tag.gain for tag, as_is in zip(ordered, plain, strict=True)])
        self.offset = np.array([0.0 if as_is else tag.offset for tag, as_is in zip(ordered, plain, strict=True)])
        self.dead_band = np.array([tag.dead_band for tag in ordered])
        self.silence_ms = np.array([tag.silence_max_ms for tag in ordered], dtype=np.int64)
        # A value outside the doubled range is not believed: [low - span/2, high + span/2]. Needs both ends.
        ranged = [tag.low is not None and tag.high is not None and tag.high > tag.low for tag in ordered]
        spans = [(tag.low or 0.0, tag.high or 0.0) for tag in ordered]
        self.low = np.array([a - (b - a) / 2 if r else -np.inf for (a, b), r in zip(spans, ranged, strict=True)])
        self.high = np.array([b + (b - a) / 2 if r else np.inf for (a, b), r in zip(spans, ranged, strict=True)])
        self.scaled = (self.gain != 1.0) | (self.offset != 0.0)
        self._any_scaled = bool(self.scaled.any())
        self._any_range = any(ranged)
        self._any_dead_band = bool((self.dead_band > 0).any())
        self.value = np.full(len(ordered), _EMPTY[column], dtype=_TYPES[column])
        self.time = np.zeros(len(ordered), dtype=np.int64)
        self.quality = np.full(len(ordered), UNSET, dtype=np.uint8)
        self.marked = np.zeros(len(ordered), dtype=np.bool_)
        self.seen = np.zeros(len(ordered), dtype=np.int64)
        self._positions: dict[int, Rows] = {}

    def __len__(self) -> int:
        return len(self.tag)

    def adopt(self, before: Reporter) -> None:
        """Take over the last samples of the tags that were already there."""
        _, mine, theirs = np.intersect1d(self.tag, before.tag, assume_unique=True, return_indices=True)
        for name in ("value", "time", "quality", "marked"):
            getattr(self, name)[mine] = getattr(before, name)[theirs]

    def apply(self, batch: SampleBatch, round_: int, *, own_times: bool = False) -> tuple[list[SampleBatch], int]:
        """Scale raw samples; return those to report and the number of rows that belong to no tag here.

        With `own_times`, samples that were on their way when the tag was marked keep their times; `silent` follows.
        """
        near_ms = NEAR_MS if own_times else 0
        rows = self._positions.get(len(batch))
        if rows is not None and np.array_equal(self.tag[rows], batch.tag):
            return self._apply_once(batch, rows, round_, near_ms), 0
        found, rows = self._find(batch.tag)
        foreign = len(batch) - len(rows)
        if foreign:
            batch = batch.take(found)
        out: list[SampleBatch] = []
        for part in _occurrences(rows):
            whole = len(part) == len(rows)
            if whole and not foreign:
                self._remember(rows)
            out += self._apply_once(batch if whole else batch.take(part), rows[part], round_, near_ms)
        return out, foreign

    def late(self, batch: SampleBatch) -> tuple[list[SampleBatch], int]:
        """Scale samples of the past; what was last reported stays as it is."""
        found, rows = self._find(batch.tag)
        batch = batch.take(found)
        if not len(batch):
            return [], len(found)
        value, quality = self._checked(batch, rows)
        if self.column is Column.TEXT:
            value = _clean(value, quality)
        origin = batch.origin if self.origin is None else np.full(len(rows), self.origin, dtype=np.uint8)
        return [SampleBatch(self.column, batch.tag, batch.time, value, quality, origin)], len(found) - len(rows)

    def mark(self, quality: int, time_ms: int, rows: Rows | None = None) -> list[SampleBatch]:
        """Give tags a new quality with their last value; those that have it already are not repeated."""
        chosen = np.arange(len(self.tag)) if rows is None else rows
        return self._repeat(chosen[self.quality[chosen] != quality], time_ms, quality)

    def silent(self, time_ms: int) -> list[SampleBatch]:
        """Repeat the last sample of tags whose maximum silence has passed; for devices that send changes only.

        Also where a good one lies before the mark of a lost contact and none has followed: the mark must not stand.
        """
        due = (self.quality != UNSET) & (time_ms - self.time >= self.silence_ms)
        hidden = self.marked & ((self.quality & q.MASK) != q.BAD) & (time_ms - self.time >= NEAR_MS)
        self.marked[hidden] = False
        due |= hidden
        return self._repeat(np.flatnonzero(due), time_ms, None)

    def missing(self, rows: Rows, round_: int) -> Rows:
        """Return those of `rows` that did not come in this round."""
        absent: Rows = rows[self.seen[rows] != round_]
        return absent

    def rows_of(self, ordinals: Sequence[int]) -> Rows:
        """Return the rows of known tags."""
        rows: Rows = np.searchsorted(self.tag, np.array(sorted(ordinals), dtype=np.uint32))
        return rows

    def _repeat(self, rows: Rows, time_ms: int, quality: int | None) -> list[SampleBatch]:
        if not len(rows):
            return []
        time = np.maximum(self.time[rows] + 1, time_ms)
        if quality is not None:
            self.quality[rows] = quality
            self.marked[rows] = True
        self.time[rows] = time
        origin = np.full(len(rows), self.origin or Origin.MACHINE, dtype=np.uint8)
        return [SampleBatch(self.column, self.tag[rows], time, self.value[rows], self.quality[rows], origin)]

    def _find(self, tag: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.bool_], Rows]:
        if not len(self.tag):
            return np.zeros(len(tag), dtype=bool), np.empty(0, dtype=np.intp)
        rows = np.minimum(np.searchsorted(self.tag, tag), len(self.tag) - 1)
        found = self.tag[rows] == tag
        return found, rows[found]

    def _remember(self, rows: Rows) -> None:
        if len(self._positions) >= 64:
            self._positions.clear()
        self._positions[len(rows)] = rows

    def _apply_once(self, batch: SampleBatch, rows: Rows, round_: int, near_ms: int) -> list[SampleBatch]:
        """Report what changed; each tag occurs at most once."""
        self.seen[rows] = round_
        value, quality = self._checked(batch, rows)
        before = self.quality[rows]
        last = self.value[rows]
        moved = value != last
        if self.column is Column.FLOAT64:
            # NaN differs from itself: a tag that stays unknown has not moved.
            moved &= ~(np.isnan(value) & np.isnan(last))
        if self._any_dead_band and self.column is not Column.TEXT:
            moved &= self._beyond(value, last, self.dead_band[rows])
        moved &= (quality & q.MASK) != q.BAD
        report = moved | (quality != before) | (np.abs(batch.time - self.time[rows]) >= self.silence_ms[rows])
        chosen = np.flatnonzero(report)
        if not len(chosen):
            return []
        everything = len(chosen) == len(rows)
        if not everything:
            rows, value, quality = rows[chosen], value[chosen], quality[chosen]
        if self.column is Column.TEXT:
            value = _clean(value, quality)
        time, origin = (batch.time, batch.origin) if everything else (batch.time[chosen], batch.origin[chosen])
        heard = time
        # A device that shows the same value since yesterday shows it still, after what the gateway said of it since.
        again = self.marked[rows]
        if again.any():
            # What was on its way at that moment stays in its own place, before it.
            near = again & (time <= self.time[rows]) & (time > self.time[rows] - near_ms)
            time = np.where(again & ~near, np.maximum(time, self.time[rows] + 1), time)
            self.marked[rows] = near
            heard = np.where(near, self.time[rows], time)
        # A bad sample without a value of its own must not wipe out the last known value.
        usable = (quality & q.MASK) != q.BAD
        if usable.all():
            self.value[rows] = value
        else:
            self.value[rows[usable]] = value[usable]
        self.quality[rows] = quality
        self.time[rows] = heard
        if self.origin is not None:
            origin = np.full(len(rows), self.origin, dtype=np.uint8)
        return [SampleBatch(self.column, self.tag[rows], time, value, quality, origin)]

    def _checked(self, batch: SampleBatch, rows: Rows) -> tuple[Array, npt.NDArray[np.uint8]]:
        """Return scaled values and qualities: what is not a number is bad, what is far out of range uncertain."""
        value: Array = batch.value
        quality = batch.quality
        if self.column is Column.TEXT:
            return value, quality
        broken: npt.NDArray[np.bool_] | None = None
        with np.errstate(over="ignore", invalid="ignore"):
            if self._any_scaled:
                value, broken = self._scale(value, rows)
        if self.column is Column.FLOAT64:
            broken = ~np.isfinite(value)
        if broken is not None and broken.any():
            unknown = broken & ((quality & q.MASK) != q.BAD)
            quality = np.where(unknown, np.uint8(q.BAD_SENSOR_FAILURE), quality)
            value = np.where(broken, _EMPTY[self.column], value)
        if self._any_range:
            outside = (value < self.low[rows]) | (value > self.high[rows])
            if outside.any():
                outside &= (quality & q.MASK) == q.GOOD
                quality = np.where(outside, np.uint8(q.UNCERTAIN_OUT_OF_RANGE), quality)
        return value, quality

    def _scale(self, value: Array, rows: Rows) -> tuple[Array, npt.NDArray[np.bool_] | None]:
        scaled = value * self.gain[rows] + self.offset[rows]
        if self.column is Column.FLOAT64:
            return np.where(self.scaled[rows], scaled, value), None
        # Unscaled integers stay exact beyond 2^53; scaled ones are rounded.
        broken = self.scaled[rows] & ~((scaled >= -_INT64_LIMIT) & (scaled < _INT64_LIMIT))
        rounded = np.rint(np.where(broken, 0.0, scaled))
        rounded = np.where(np.abs(rounded) < _INT64_LIMIT, rounded, 0.0)
        return np.where(self.scaled[rows], rounded.astype(np.int64), value), broken

    def _beyond(self, value: Array, last: Array, dead_band: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        if self.column is Column.INT64:
            # Differences of int64 may overflow; as uint64 they wrap to the exact distance.
            left, right = value.view(np.uint64), last.view(np.uint64)
            distance = np.where(value > last, left - right, right - left)
            return np.asarray(distance >= np.ceil(dead_band))
        with np.errstate(invalid="ignore", over="ignore"):
            near: npt.NDArray[np.bool_] = np.abs(value - last) < dead_band * (1 - _TINY)
        # Written as "not near": the first value after an unknown one always counts.
        return ~near


def _occurrences(rows: Rows) -> Iterator[Rows]:
    """Split positions so that each tag occurs at most once in a part, in order."""
    left = np.arange(len(rows))
    while len(left):
        _, first = np.unique(rows[left], return_index=True)
        if len(first) == len(left):
            yield left
            return
        first.sort()
        yield left[first]
        left = np.delete(left, first)


def _clean(value: Array, quality: npt.NDArray[np.uint8]) -> Array:
    """Return texts that can be sent: valid UTF-8 and not too long; `quality` is lowered where one was cut."""
    out = np.empty(len(value), dtype=object)
    for row, text in enumerate(value):
        sound = str(text[: TEXT_MAX + 1] if isinstance(text, str) else text).encode("utf-8", "replace").decode()
        if len(sound) > TEXT_MAX:
            sound = sound[:TEXT_MAX]
            if quality[row] & q.MASK == q.GOOD:
                quality[row] = q.UNCERTAIN
        out[row] = sound
    return out


class Reports:
    """The reporters of one connection, one for each column type in use."""

    def __init__(self, tags: Sequence[TagDefinition], origin: Origin | None, before: Reports | None = None) -> None:
        self.by_column: dict[Column, Reporter] = {}
        self.round: int = 0 if before is None else before.round
        for column in Column:
            chosen = [tag for tag in tags if tag.kind.column is column]
            if chosen:
                reporter = Reporter(column, chosen, origin)
                if before is not None and column in before.by_column:
                    reporter.adopt(before.by_column[column])
                self.by_column[column] = reporter

    def apply(self, batch: SampleBatch, *, own_times: bool = False) -> tuple[list[SampleBatch], int]:
        """Report by exception; rows of tags that are not this connection's are dropped and counted."""
        reporter = self.by_column.get(batch.column)
        return reporter.apply(batch, self.round, own_times=own_times) if reporter is not None else ([], len(batch))

    def late(self, batch: SampleBatch) -> tuple[list[SampleBatch], int]:
        """Scale samples of the past; rows of tags that are not this connection's are dropped and counted."""
        reporter = self.by_column.get(batch.column)
        return reporter.late(batch) if reporter is not None else ([], len(batch))

    def mark(self, quality: int, time_ms: int) -> list[SampleBatch]:
        """Give every tag a new quality with its last value."""
        return [part for reporter in self.by_column.values() for part in reporter.mark(quality, time_ms)]

    def mark_new(self, quality: int, time_ms: int) -> list[SampleBatch]:
        """Give tags that were never reported their first sample."""
        return [
            part
            for reporter in self.by_column.values()
            for part in reporter.mark(quality, time_ms, np.flatnonzero(reporter.quality == UNSET))
        ]

    def mark_tags(self, ordinals: set[int], quality: int, time_ms: int) -> list[SampleBatch]:
        """Give some tags a new quality."""
        wanted = np.array(sorted(ordinals), dtype=np.uint32)
        return [
            part
            for reporter in self.by_column.values()
            for part in reporter.mark(quality, time_ms, np.flatnonzero(np.isin(reporter.tag, wanted)))
        ]

    def silent(self, time_ms: int) -> list[SampleBatch]:
        """Repeat the last samples of tags that have been silent too long."""
        return [part for reporter in self.by_column.values() for part in reporter.silent(time_ms)]

    def tags_bad(self) -> int:
        """Count the tags whose last sample is bad or never came."""
        return sum(
            int(np.count_nonzero(((r.quality & q.MASK) == q.BAD) | (r.quality == UNSET)))
            for r in self.by_column.values()
        )
