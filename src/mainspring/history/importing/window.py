"""Samples gathered in memory and given in pieces for the store: day by day, in order of tag and time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import SampleBatch
from mainspring.history.importing.intake import PIECE_ROWS_MAX
from mainspring.history.importing.rows import Part
from mainspring.history.importing.values import Cells, numbers, pc

ROWS: Final = 2_000_000
"""So many samples are held, 42 MB, and three times that while they are put in order."""
ROWS_A_DAY: Final = 25_000
"""Of many days more are held: each day's share is stored by itself, and costs the same for few and for many."""
ROWS_MAX: Final = 8_000_000
TEXT_BYTES_MAX: Final = 6 * 1024 * 1024
DAY_MS: Final = 86_400_000
_DAY_BITS, _TAG_BITS = 27, 21


class Window:
    """Samples of several kinds on their way."""

    def __init__(self) -> None:
        self._parts: dict[Column, list[Part]] = {}
        self.rows = 0
        self._first_ms, self._last_ms = 2**62, 0

    @property
    def full(self) -> bool:
        """Tell whether it holds as many as it should."""
        days = max(0, self._last_ms - self._first_ms) // DAY_MS + 1
        return self.rows >= min(ROWS_MAX, max(ROWS, days * ROWS_A_DAY))

    def add(self, part: Part) -> None:
        """Take some more."""
        self._parts.setdefault(part.column, []).append(part)
        self.rows += len(part)
        self._first_ms = min(self._first_ms, int(part.time.min()))
        self._last_ms = max(self._last_ms, int(part.time.max()))

    def pieces(self) -> Iterator[SampleBatch]:
        """Give all that is held, piece by piece, and hold nothing."""
        parts, self._parts, self.rows = self._parts, {}, 0
        self._first_ms, self._last_ms = 2**62, 0
        for column, some in parts.items():
            tag = np.concatenate([part.tag for part in some])
            time = np.concatenate([part.time for part in some])
            quality = np.concatenate([part.quality for part in some])
            order = _order(tag, time)
            tag, time, quality = _put(order, tag), _put(order, time), _put(order, quality)
            if column is Column.TEXT:
                texts = pa.concat_arrays([part.value for part in some]).take(pa.array(order))
                yield from _texts(tag, time, texts, quality)
                continue
            value = _put(order, np.concatenate([part.value for part in some]))
            for start in range(0, len(tag), PIECE_ROWS_MAX):
                yield _batch(column, slice(start, start + PIECE_ROWS_MAX), tag, time, value, quality)


def _order(tag: npt.NDArray[np.uint32], time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the order by day, tag and time: a day's samples go into a part of their own."""
    _, place = np.unique(tag, return_inverse=True)
    day = time // DAY_MS
    day -= day.min()
    # 15 bits of days are 89 years, 21 of tags two millions.
    key = (day << (_DAY_BITS + _TAG_BITS)) | (place.astype(np.int64) << _DAY_BITS) | (time % DAY_MS)
    return np.arange(len(key)) if (key[1:] >= key[:-1]).all() else np.argsort(key, kind="stable")


def _put(order: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values[order]


def _batch(column: Column, rows: slice, tag: Any, time: Any, value: Any, quality: Any) -> SampleBatch:
    origin = np.full(len(tag[rows]), Origin.IMPORTED, dtype=np.uint8)
    return SampleBatch(column, tag[rows], time[rows], value[rows], quality[rows], origin)


def _texts(tag: Any, time: Any, texts: Cells, quality: Any) -> Iterator[SampleBatch]:
    """Cut texts by their bytes: a message holds no more than it may."""
    full = np.cumsum(numbers(pc.binary_length(texts)).astype(np.int64) + 24) // TEXT_BYTES_MAX
    cuts = np.flatnonzero(np.diff(full)) + 1
    for start, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(texts)], strict=True):
        for first in range(start, end, PIECE_ROWS_MAX):
            rows = slice(first, min(end, first + PIECE_ROWS_MAX))
            value = np.empty(rows.stop - rows.start, dtype=object)
            value[:] = texts[rows.start : rows.stop].to_pylist()
            whole = np.empty(0, dtype=object)
            batch = _batch(Column.TEXT, rows, tag, time, whole, quality)
            yield SampleBatch(batch.column, batch.tag, batch.time, value, batch.quality, batch.origin)
