"""Arithmetic of rollups on columns: samples to rows of a minute, those to rows of an hour, rows to steps and buckets.

A row tells of the samples of its own period alone: their number, least, greatest, sum, first and last good value; when
the first of any quality came (`first_ms` after the start); whether the last one is good, so that it holds to the
end (`held`); and the integral of the good held value from the first sample to the end (`weighted`, value * ms, over
`weighted_ms`). What holds before the first sample follows from the row before. Columns lie in order of tenant, tag and
time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mainspring.core.quality import GOOD

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
FOREVER_MS: Final = 2**62

Columns = dict[str, npt.NDArray[Any]]
Whole = npt.NDArray[np.int64]

TYPES: Final = {
    "tenant": np.uint32, "retention": np.uint8, "tag": np.uint32, "time": np.int64, "good": np.uint32, "bad": np.uint32,
    "min": np.float64, "max": np.float64, "sum": np.float64, "first": np.float64, "last": np.float64,
    "first_ms": np.uint32, "held": np.uint8, "weighted": np.float64, "weighted_ms": np.uint32, "marks": np.uint16,
}  # fmt: skip


def fold(samples: Columns, limit_ms: int = FOREVER_MS) -> Columns:
    """Return the rows of a minute for samples in order; nothing is held beyond `limit_ms`."""
    time, value = samples["time"], samples["value"]
    if not len(time):
        return nothing()
    minute = time // MINUTE_MS
    first, last = _runs(samples["tenant"], samples["tag"], minute)
    ok = (samples["quality"] >= GOOD) & np.isfinite(value)
    until = np.append(time[1:], 0)
    until[last] = (minute[first] + 1) * MINUTE_MS
    held_ms = np.maximum(np.minimum(until, limit_ms) - time, 0)
    if ok.all():
        good = (last - first + 1).astype(np.uint32)
        least, greatest, counted = value, value, value
        first_good, last_good = first, last
    else:
        good = np.add.reduceat(ok, first, dtype=np.uint32)
        least, greatest, counted = np.where(ok, value, np.inf), np.where(ok, value, -np.inf), np.where(ok, value, 0.0)
        held_ms = held_ms * ok
        first_good, last_good = _first_and_last(ok, first)
    some = good > 0
    return {
        "tenant": samples["tenant"][first],
        "retention": samples["retention"][first],
        "tag": samples["tag"][first],
        "time": minute[first] * MINUTE_MS,
        "good": good,
        "bad": (last - first + 1).astype(np.uint32) - good,
        "min": np.where(some, np.minimum.reduceat(least, first), 0.0),
        "max": np.where(some, np.maximum.reduceat(greatest, first), 0.0),
        "sum": np.add.reduceat(counted, first),
        "first": np.where(some, value[first_good], 0.0),
        "last": np.where(some, value[last_good], 0.0),
        "first_ms": (time[first] - minute[first] * MINUTE_MS).astype(np.uint32),
        "held": ok[last].astype(np.uint8),
        "weighted": np.add.reduceat(counted * held_ms, first),
        "weighted_ms": np.add.reduceat(held_ms, first).astype(np.uint32),
        "marks": np.bitwise_or.reduceat(samples["marks"], first),
    }


def coarsen(rows: Columns) -> Columns:
    """Return the rows of an hour for rows of a minute, each minute once."""
    if not len(rows["time"]):
        return nothing()
    hour = rows["time"] // HOUR_MS
    first, last = _runs(rows["tenant"], rows["tag"], hour)
    following = np.append(rows["time"][1:] + rows["first_ms"][1:], 0)
    following[last] = (hour[first] + 1) * HOUR_MS
    statistics = _statistics(rows, first)
    statistics["good"], statistics["bad"] = statistics["good"].astype(np.uint32), statistics["bad"].astype(np.uint32)
    between_ms = np.maximum(following - rows["time"] - MINUTE_MS, 0) * rows["held"]
    start = hour[first] * HOUR_MS
    return {
        "tenant": rows["tenant"][first],
        "retention": rows["retention"][first],
        "tag": rows["tag"][first],
        "time": start,
        **statistics,
        "first_ms": (rows["time"][first] + rows["first_ms"][first] - start).astype(np.uint32),
        "held": rows["held"][last],
        "weighted": np.add.reduceat(rows["weighted"] + rows["last"] * between_ms, first),
        "weighted_ms": np.add.reduceat(rows["weighted_ms"] + between_ms, first).astype(np.uint32),
        "marks": np.bitwise_or.reduceat(rows["marks"], first),
    }


def newest(rows: Columns) -> Columns:
    """Return each period once, as last made; rows lie in order of tenant, tag, time and `made`."""
    time = rows["time"]
    if not len(time):
        return rows
    keep = np.append((time[1:] != time[:-1]) | (rows["tag"][1:] != rows["tag"][:-1]), True)
    if "tenant" in rows:
        keep[:-1] |= rows["tenant"][1:] != rows["tenant"][:-1]
    return rows if keep.all() else {name: values[keep] for name, values in rows.items()}


def joined(parts: Sequence[Columns]) -> Columns:
    """Return rows of one tenant from several places as one, in order of tag and time."""
    some = [part for part in parts if len(part["time"])] or [parts[0]]
    if len(some) == 1:
        return some[0]
    names = set.intersection(*(set(part) for part in some))
    whole = {name: np.concatenate([part[name] for part in some]) for name in names}
    order = np.lexsort((whole["time"], whole["tag"]))
    return {name: values[order] for name, values in whole.items()}


def buckets(rows: Columns, origin_ms: int, bucket_ms: int) -> Columns:
    """Return tag, time, first, min, max, last, mean, good, bad, held and marks of buckets counted from `origin_ms`."""
    step = (rows["time"] - origin_ms) // bucket_ms
    names = ("good", "bad", "min", "max", "sum", "first", "last", "held", "marks")
    if not len(step):
        first: Whole = np.empty(0, dtype=np.int64)
        statistics = {name: rows[name] for name in names}
    else:
        first, last = _runs(rows["tag"], step)
        statistics = {**_statistics(rows, first), "held": rows["held"][last]}
        statistics["marks"] = np.bitwise_or.reduceat(rows["marks"], first)
    statistics = _answered(statistics)
    return {"tag": rows["tag"][first], "time": origin_ms + step[first] * bucket_ms, **statistics}


def steps(
    rows: Columns, tags: Sequence[int], start_ms: int, end_ms: int, step_ms: int, limit_ms: int | None
) -> Columns:
    """Return the same of steps counted from `start_ms`, and `time_weighted` when it is asked for by `limit_ms`.

    Nothing holds beyond the limit. Rows before the start tell what holds at it; each has its end in `until`.
    """
    count = -(-(end_ms - start_ms) // step_ms)
    inside = np.flatnonzero(rows["time"] >= start_ms)
    within = {name: values[inside] for name, values in rows.items()}
    answer = buckets(within, start_ms, step_ms)
    if limit_ms is None:
        return answer
    known = np.array(sorted(set(tags)), dtype=np.uint32)
    weighted, held_ms = _weights(rows, known, start_ms, step_ms, count, min(limit_ms, end_ms))
    places = np.searchsorted(known, answer["tag"]) * count + (answer["time"] - start_ms) // step_ms
    every = np.union1d(places, np.flatnonzero(held_ms))
    filled: Columns = {"tag": known[every // count], "time": start_ms + every % count * step_ms}
    at = np.searchsorted(every, places)
    for name, values in answer.items():
        if name not in filled:
            filled[name] = np.full(len(every), np.nan if values.dtype == np.float64 else 0, dtype=values.dtype)
            filled[name][at] = values
    with np.errstate(invalid="ignore"):
        filled["time_weighted"] = weighted[every] / held_ms[every]
    return filled


def nothing() -> Columns:
    """Return no rows."""
    return {name: np.empty(0, dtype=kind) for name, kind in TYPES.items()}


def _weights(
    rows: Columns, tags: npt.NDArray[np.uint32], start_ms: int, step_ms: int, count: int, limit_ms: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the integral and its milliseconds for each tag and step: within rows, and between a row and the next."""
    size = len(tags) * count
    place = np.searchsorted(tags, rows["tag"]) * count
    inside = (rows["time"] >= start_ms) & (rows["weighted_ms"] > 0)
    at = place[inside] + (rows["time"][inside] - start_ms) // step_ms
    weighted: npt.NDArray[np.float64] = np.bincount(at, rows["weighted"][inside], size).astype(np.float64)
    held_ms: npt.NDArray[np.float64] = np.bincount(at, rows["weighted_ms"][inside], size).astype(np.float64)

    following = np.append(rows["time"][1:] + rows["first_ms"][1:], limit_ms)
    following[:-1][rows["tag"][1:] != rows["tag"][:-1]] = limit_ms
    following = following[: len(place)]
    since = np.maximum(rows["until"], start_ms)
    until = np.minimum(following, limit_ms)
    held = np.flatnonzero((rows["held"] > 0) & (until > since))
    since, until = since[held] - start_ms, until[held] - start_ms
    begins, ends = since // step_ms, (until - 1) // step_ms
    each = ends - begins + 1
    row = np.repeat(np.arange(len(held)), each)
    step = begins[row] + np.arange(len(row)) - np.repeat(np.cumsum(each) - each, each)
    part_ms = np.minimum(until[row], (step + 1) * step_ms) - np.maximum(since[row], step * step_ms)
    at = place[held][row] + step
    weighted += np.bincount(at, rows["last"][held][row] * part_ms, size)
    held_ms += np.bincount(at, part_ms, size)
    return weighted, held_ms


def _answered(statistics: Columns) -> Columns:
    """Return statistics as a query answers them: NaN where none is good, a mean instead of a sum."""
    some = statistics["good"] > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = statistics["sum"] / statistics["good"]
    return {
        **{name: np.where(some, statistics[name], np.nan) for name in ("first", "min", "max", "last")},
        "mean": np.where(some, mean, np.nan),
        "good": statistics["good"].astype(np.uint64),
        "bad": statistics["bad"].astype(np.uint64),
        "held": statistics["held"],
        "marks": statistics["marks"],
    }


def _statistics(rows: Columns, first: Whole) -> Columns:
    """Return good, bad, min, max, sum, first and last of runs of rows."""
    ok = rows["good"] > 0
    good = np.add.reduceat(rows["good"], first, dtype=np.uint64)
    some = good > 0
    first_good, last_good = _first_and_last(ok, first)
    return {
        "good": good,
        "bad": np.add.reduceat(rows["bad"], first, dtype=np.uint64),
        "min": np.where(some, np.minimum.reduceat(np.where(ok, rows["min"], np.inf), first), 0.0),
        "max": np.where(some, np.maximum.reduceat(np.where(ok, rows["max"], -np.inf), first), 0.0),
        "sum": np.add.reduceat(rows["sum"], first),
        "first": np.where(some, rows["first"][first_good], 0.0),
        "last": np.where(some, rows["last"][last_good], 0.0),
    }


def _runs(*keys: npt.NDArray[Any]) -> tuple[Whole, Whole]:
    """Return where each run of equal keys begins and ends."""
    change = np.ones(len(keys[0]), dtype=np.bool_)
    change[1:] = False
    for key in keys:
        change[1:] |= key[1:] != key[:-1]
    first = np.flatnonzero(change)
    return first, np.append(first[1:], len(change)) - 1


def _first_and_last(ok: npt.NDArray[np.bool_], first: Whole) -> tuple[Whole, Whole]:
    """Return the first and last place of each run that is ok, any place where none is."""
    places = np.arange(len(ok))
    earliest = np.minimum.reduceat(np.where(ok, places, len(ok) - 1), first)
    latest = np.maximum.reduceat(np.where(ok, places, 0), first)
    return earliest, latest


def floor_ms(time_ms: int, unit_ms: int) -> int:
    """Return the start of the period that holds a time."""
    return time_ms // unit_ms * unit_ms


def ceil_ms(time_ms: int, unit_ms: int) -> int:
    """Return the time itself or the start of the next period."""
    return -(-time_ms // unit_ms) * unit_ms


Span = tuple[int, int]


def covered(spans: Sequence[Span], unit_ms: int, done: Span, late: Collection[Span]) -> tuple[list[Span], list[Span]]:
    """Divide spans into what whole periods cover - within `done`, without what came late - and the rest.

    `late` lies in order and consists of whole periods.
    """
    whole: list[Span] = []
    rest: list[Span] = []
    for start_ms, end_ms in spans:
        cursor = start_ms
        begin, end = max(ceil_ms(start_ms, unit_ms), done[0]), min(floor_ms(end_ms, unit_ms), done[1])
        for late_from, late_until in (*late, (FOREVER_MS, FOREVER_MS)):
            until = min(end, late_from)
            if begin < until:
                if cursor < begin:
                    rest.append((cursor, begin))
                whole.append((begin, until))
                cursor = until
            begin = max(begin, late_until)
        if cursor < end_ms:
            rest.append((cursor, end_ms))
    return whole, rest
