"""Times and values of whole columns: read at once where all cells are right, cell by cell only where some are not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

Cells = Any
"""A column as Arrow has it; its stubs know each kind apart, and few of the functions."""
pc: Any = pyarrow.compute
TEXT_MAX: Final = 4000
PER_MS: Final = {"s": 0.001, "ms": 1, "us": 1000, "ns": 1_000_000}
_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_WHOLE: Final = r"^[+-]?\d{1,19}$"
_MOMENT: Final = (
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?)?"
    r"(Z|[+-]\d\d(:?\d\d)?)?$"
)
_OFFSET: Final = r":\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)$"
_QUARTER_MS: Final = 900_000
"""Every offset that clocks have had since 2000 changes at a full quarter of an hour."""


@dataclass(slots=True)
class Found:
    """A column's values; `good` tells which could be read, `absent` where nothing stands."""

    value: Any
    good: npt.NDArray[np.bool_]
    absent: npt.NDArray[np.bool_]


def flags(column: Cells) -> npt.NDArray[np.bool_]:
    """Return an Arrow column of booleans as an array."""
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def numbers(column: Cells, nothing: float = 0) -> npt.NDArray[Any]:
    """Return an Arrow column of numbers as an array."""
    return np.asarray(pc.fill_null(column, nothing).to_numpy(zero_copy_only=False))


def plain(column: Cells) -> Cells:
    """Return a column of texts as such, whatever way it is stored, without blanks around them."""
    return pc.ascii_trim_whitespace(column if pa.types.is_string(column.type) else column.cast(pa.string()))


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column holds texts, perhaps as places in a list of them."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner))


def floats(column: Cells) -> Found:
    """Read numbers; NaN counts as nothing."""
    if is_text(column.type):
        written = plain(column)
        absent = flags(pc.is_null(written)) | flags(pc.equal(written, ""))
        column, good = _cast(written, pa.float64(), _NUMBER)
    else:
        absent = flags(pc.is_null(column))
        good = np.ones(len(column), dtype=np.bool_)
        column = pc.cast(column, pa.float64(), safe=False)
    value = numbers(column, float("nan")).astype(np.float64)
    nan = np.isnan(value) & good
    absent |= nan
    return Found(value, good & np.isfinite(value), absent)


def integers(column: Cells) -> Found:
    """Read whole numbers, booleans as 0 and 1; 3.0 is whole."""
    if is_text(column.type):
        written = plain(column)
        absent = flags(pc.is_null(written)) | flags(pc.equal(written, ""))
        read, good = _cast(written, pa.int64(), _WHOLE)
        value = numbers(read).astype(np.int64)
        rest = np.flatnonzero(~good & ~absent)
        if len(rest):
            other = _whole(floats(written.take(pa.array(rest))))
            value[rest], good[rest] = other.value, other.good
        return Found(value, good & ~absent, absent)
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return _whole(floats(column))
    absent = flags(pc.is_null(column))
    if pa.types.is_uint64(column.type):
        wide = numbers(column).astype(np.uint64)
        return Found(wide.astype(np.int64), ~absent & (wide < 2**63), absent)
    return Found(numbers(pc.cast(column, pa.int64())).astype(np.int64), ~absent, absent)


def _whole(found: Found) -> Found:
    value = np.where(found.good, found.value, 0.0)
    # Beyond this a float64 cannot be told from its neighbours, nor kept in 64 bits.
    good = found.good & (value == np.floor(value)) & (np.abs(value) < 2.0**63)
    return Found(np.where(good, value, 0.0).astype(np.int64), good, found.absent)


def texts(column: Cells) -> Found:
    """Return texts as Arrow strings; an empty one is a value if it is there."""
    written = pc.cast(column, pa.string())
    absent = flags(pc.is_null(written))
    good = ~absent & (numbers(pc.utf8_length(written)) <= TEXT_MAX)
    return Found(pc.fill_null(written, ""), good, absent)


def times(column: Cells, unit: str, zone: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return milliseconds UTC and which could be read.

    `unit` is iso, s, ms, us, ns, or auto: numbers are told by their size. Times without an offset are those of `zone`.
    """
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        good = ~flags(pc.is_null(column))
        moment = column.cast(pa.timestamp("ns")) if pa.types.is_date(column.type) else column
        read = _floor(numbers(moment.cast(pa.int64())), moment.type.unit)
        return (read if getattr(moment.type, "tz", None) else _to_utc(read, zone)), good
    if is_text(column.type):
        written = plain(column)
        return _numeric_text(written, unit, zone) if unit != "iso" else _moments(written, zone)
    good = ~flags(pc.is_null(column))
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return _scaled(numbers(pc.cast(column, pa.float64())), unit), good
    return _scaled(numbers(pc.cast(column, pa.int64(), safe=False)), unit), good


def _numeric_text(written: Cells, unit: str, zone: str) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    if unit == "auto" and not re.match(_NUMBER, _first(written)):
        found, good = _moments(written, zone)
        rest = np.flatnonzero(~good)
        if not len(rest):
            return found, good
        # Numbers among moments.
        some = written.take(pa.array(rest))
        number = flags(pc.match_substring_regex(some, _NUMBER))
        found[rest[number]] = _scaled(numbers(_cast(some, pa.float64(), _NUMBER)[0]), unit)[number]
        good[rest[number]] = True
        return found, good
    try:
        return _scaled(numbers(pc.cast(written, pa.int64())), unit), ~flags(pc.is_null(written))
    except pa.ArrowInvalid:
        pass
    read, good = _cast(written, pa.float64(), _NUMBER)
    found = _scaled(numbers(read), unit)
    rest = np.flatnonzero(~good)
    if unit == "auto" and len(rest):
        found[rest], good[rest] = _moments(written.take(pa.array(rest)), zone)
    return found, good


def _first(written: Cells) -> str:
    """Return the first text that is there."""
    for place in range(min(len(written), 1000)):
        if text := written[place].as_py():
            return str(text)
    return ""


def _scaled(read: npt.NDArray[Any], unit: str) -> npt.NDArray[np.int64]:
    """Return milliseconds of numbers since 1970, rounded down."""
    if unit in PER_MS:
        return _floor(read, unit)
    size = np.abs(read)
    units = (("s", 1e11), ("ms", 1e14), ("us", 1e17))
    choices = [_floor(read, each) for each, _ in units]
    return np.select([size < below for _, below in units], choices, _floor(read, "ns")).astype(np.int64)


def _floor(read: npt.NDArray[Any], unit: str) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64]
    if unit == "s" and read.dtype.kind == "f":
        # Parts of a second that were written with few digits are not quite what they mean.
        found = np.floor(np.clip(read, -1e15, 1e15) * 1000 + 1e-4).astype(np.int64)
    elif unit == "s":
        found = np.clip(read, -(2**52), 2**52).astype(np.int64) * 1000
    elif read.dtype.kind == "f":
        found = np.floor(np.clip(read, -9e18, 9e18) / PER_MS[unit]).astype(np.int64)
    else:
        found = np.asarray(read).astype(np.int64) // np.int64(PER_MS[unit])
    return found


def _moments(written: Cells, zone: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Read ISO 8601, and what spreadsheets make of it: `2026/1/5 8:00:00`."""
    kind = pa.timestamp("ns", "UTC") if re.search(_OFFSET, _first(written)) else pa.timestamp("ns")
    try:
        # Mostly all are of one kind and right.
        read = _floor(numbers(pc.cast(written, kind).cast(pa.int64())), "ns")
        return (read if kind.tz else _to_utc(read, zone)), ~flags(pc.is_null(written))
    except pa.ArrowInvalid:
        pass
    offset = flags(pc.match_substring_regex(written, _OFFSET))
    found = np.zeros(len(written), dtype=np.int64)
    good = np.zeros(len(written), dtype=np.bool_)
    for own, kind in ((offset, pa.timestamp("ns", "UTC")), (~offset, pa.timestamp("ns"))):
        where = np.flatnonzero(own)
        if not len(where):
            continue
        cells = written if len(where) == len(written) else written.take(pa.array(where))
        read, fine = _cast(cells, kind, _MOMENT, _tidied)
        moment = _floor(numbers(read.cast(pa.int64())), "ns")
        found[where], good[where] = (moment if kind.tz else _to_utc(moment, zone)), fine
    return found, good


def _tidied(written: Cells) -> Cells:
    """Give dates their hyphens and numbers their two digits."""
    tidy = pc.replace_substring(written, "/", "-")
    for found, put in ((r"-(\d)(-| |T|$)", r"-0\1\2"), (r"-(\d)(-| |T|$)", r"-0\1\2"), (r"([ T])(\d):", r"\10\2:")):
        tidy = pc.replace_substring_regex(tidy, found, put)
    return tidy


def _to_utc(local: npt.NDArray[np.int64], zone: str) -> npt.NDArray[np.int64]:
    """Return what clocks of a zone meant; of an hour that came twice, the first time."""
    if zone == "UTC":
        return local
    rules = ZoneInfo(zone)
    quarters, each = np.unique(local // _QUARTER_MS, return_inverse=True)
    ahead = []
    for quarter in quarters.tolist():
        try:
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=quarter * _QUARTER_MS)
            away = moment.replace(tzinfo=rules).utcoffset()
        except OverflowError:
            away = None
        ahead.append(int(away.total_seconds() * 1000) if away is not None else 0)
    return local - np.array(ahead, dtype=np.int64)[each]


def _cast(column: Cells, kind: pa.DataType, form: str, tidied: Any = None) -> tuple[Cells, npt.NDArray[np.bool_]]:
    """Read texts at once, or, where some are wrong, those that have the form; tells which were read."""
    try:
        return pc.cast(column, kind), ~flags(pc.is_null(column))
    except pa.ArrowInvalid:
        pass
    column = column if tidied is None else tidied(column)
    fitting = pc.fill_null(pc.match_substring_regex(column, form), False)
    cells = pc.if_else(fitting, column, pa.scalar(None, pa.string()))
    read = _halved(cells, kind)
    return read, ~flags(pc.is_null(read))


def _halved(cells: Cells, kind: pa.DataType) -> Cells:
    """Read what can be read: what has the form and is wrong, as 30 February, is rare and found by halving."""
    try:
        return pc.cast(cells, kind)
    except pa.ArrowInvalid:
        if len(cells) == 1:
            return pa.array([None], kind)
    middle = len(cells) // 2
    return pa.concat_arrays([_halved(cells[:middle], kind), _halved(cells[middle:], kind)])


def looks_like_time(cell: str) -> bool:
    """Tell whether a cell reads as a moment or as seconds since 1970, or a part of them."""
    return bool(re.match(r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}|^\d{9,19}(\.\d+)?$", cell.strip()))
