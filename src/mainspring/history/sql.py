"""The queries of the history as ClickHouse SQL, the same text for the embedded engine and for a cluster.

Only integers are put into the text; the one string, an alarm's id, is quoted.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from mainspring.core.history import CORRECTED, LATE, AggregateQuery, EventQuery, Query, RawQuery, StateQuery, TrendQuery
from mainspring.core.kinds import Column
from mainspring.core.quality import GOOD
from mainspring.history.schema import CLASSES_MASK, CORRECTION, DAY_MS, EVENT, SAMPLE

LOOK_BACK_MS: Final = DAY_MS
"""How far before a range its first held value is looked for."""
FEW_MS: Final = DAY_MS
"""Raw samples of so much time of tags are read by one thread: where processors are busy, more wait for each other."""
GOOD_ROW: Final = f"quality >= {GOOD} and isFinite(value)"
NUMERIC: Final = (Column.FLOAT64, Column.INT64)

_STATISTICS: Final = {
    "min": f"minIf(value, {GOOD_ROW})",
    "max": f"maxIf(value, {GOOD_ROW})",
    "mean": f"avgIf(value, {GOOD_ROW})",
    "first": f"argMinIf(value, time, {GOOD_ROW})",
    "last": f"argMaxIf(value, time, {GOOD_ROW})",
}


class Readings(Protocol):
    """What readings are selected from: their table, or that and cold files."""

    def __call__(self, column: Column, condition: str) -> str:
        """Return what to put behind `from` for the readings of a column type under a condition."""


def hot(column: Column, condition: str) -> str:
    """Return the table, with the condition; a further one may follow."""
    return f"{SAMPLE[column]} where {condition}"


def text(value: str) -> str:
    """Quote a string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def where(tenant: int, tags: Collection[int], start_ms: int, end_ms: int) -> str:
    """Return the condition on tenant, tags and range, in the order of the key."""
    return f"{of_tags(tenant, tags)} and {during([(start_ms, end_ms)])}"


def samples(
    readings: Readings,
    column: Column,
    condition: str,
    corrected: Collection[Column],
    *,
    as_float: bool = False,
    keyed: bool = False,
) -> str:
    """Return the samples of one column type, corrections in the place of what they correct.

    `keyed` adds tenant and retention class, for conditions that are not of one tenant alone.
    """
    value = "toFloat64(value) as value" if as_float and column is Column.INT64 else "value"
    kept, latest_kept = ("tenant, retention, ", "tenant, any(retention) as retention, ") if keyed else ("", "")
    key = "tenant, tag, time" if keyed else "tag, time"
    plain = f"select {kept}tag, time, {value}, quality, origin, toUInt8(if(late > 0, {LATE}, 0)) as flags from "
    if column not in corrected:
        return plain + readings(column, condition)
    table = CORRECTION[column]
    others = f"{condition} and ({key}) not in (select {key} from {table} where {condition})"
    latest = "argMax(value, made_us)" if value == "value" else "toFloat64(argMax(value, made_us))"
    return (
        f"{plain}{readings(column, others)} union all "
        f"select {latest_kept}tag, time, {latest} as value, argMax(quality, made_us) as quality, "
        f"argMax(origin, made_us) as origin, toUInt8({CORRECTED}) as flags "
        f"from (select * from {table} where {condition}) group by {key}"
    )


def in_order(readings: Readings, columns: Collection[Column], condition: str, corrected: Collection[Column]) -> str:
    """Return numeric samples as float64 in order of tenant, tag and time, as rollups are made of them."""
    source = " union all ".join(
        samples(readings, column, condition, corrected, as_float=True, keyed=True) for column in columns
    )
    return (
        f"select tenant, toUInt8(bitAnd(retention, {CLASSES_MASK})) as retention, tag, time, value, quality, "
        "toUInt16(bitOr(bitShiftLeft(toUInt16(1), least(origin, 7)), bitShiftLeft(toUInt16(flags), 8))) as marks "
        f"from ({source}) order by tenant, tag, time"
    )


def during(spans: Collection[tuple[int, int]]) -> str:
    """Return the condition that a time lies in one of some half-open ranges."""
    listed = " or ".join(f"(time >= {since} and time < {until})" for since, until in spans)
    least, most = min(since for since, _ in spans), max(until for _, until in spans)
    return f"time >= {least} and time < {most}" + (f" and ({listed})" if len(spans) > 1 else "")


def of_tags(tenant: int, tags: Collection[int]) -> str:
    """Return the condition on tenant and tags."""
    return f"tenant = {tenant} and tag in ({', '.join(str(tag) for tag in sorted(set(tags)))})"


def rows(table: str, columns: Collection[str], condition: str) -> str:
    """Return rows of a rollup in order; those made again stand behind the former."""
    listed = ", ".join(f"`{name}`" for name in columns)
    return f"select {listed} from {table} where {condition} order by tenant, tag, time, made"


def corrected_tags(condition: str) -> str:
    """Ask which numeric tags have corrections under a condition."""
    listed = " union all ".join(f"select tenant, tag from {CORRECTION[column]} where {condition}" for column in NUMERIC)
    return f"select distinct tenant, tag from ({listed})"


def numbers(readings: Readings, condition: str, corrected: Collection[Column]) -> str:
    """Return the samples of both numeric column types as float64."""
    return " union all ".join(samples(readings, column, condition, corrected, as_float=True) for column in NUMERIC)


def corrected_columns(condition: str) -> str:
    """Ask which column types have corrections under a condition."""
    return " union all ".join(
        f"(select '{column}' as name from {table} where {condition} limit 1)" for column, table in CORRECTION.items()
    )


def raw(readings: Readings, tenant: int, query: RawQuery, corrected: Collection[Column]) -> str:
    """Samples, oldest first."""
    condition = where(tenant, query.tags, query.start_ms, query.end_ms)
    source = samples(readings, query.column, condition, corrected)
    if query.column in corrected:
        source = f"select tag, time, value, quality, origin, flags from ({source})"
    few = len(query.tags) * (query.end_ms - query.start_ms) <= FEW_MS
    return f"{source} order by time, tag limit {query.limit}{' settings max_threads = 1' if few else ''}"


def corrections(readings: Readings, tenant: int, query: RawQuery) -> str:
    """Corrections beside what each replaced: the one before it, or what was sent."""
    condition = where(tenant, query.tags, query.start_ms, query.end_ms)
    table = CORRECTION[query.column]
    replaced = f"{condition} and (tag, time) in (select tag, time from {table} where {condition})"
    former = ", ".join(
        f"lagInFrame({name}) over versions as former{suffix}"
        for name, suffix in (("value", ""), ("quality", "_quality"), ("origin", "_origin"))
    )
    sent = "argMin(value, sequence) as value, argMin(quality, sequence) as quality, argMin(origin, sequence) as origin"
    return (
        "select tag, time, value, quality, intDiv(made_us, 1000) as made_ms, made_by, reason, "
        f"former, former_quality, former_origin from (select *, {former} from ("
        "select tag, time, value, quality, origin, made_us, made_by::String as made_by, reason "
        f"from {table} where {condition} union all "
        f"select tag, time, {sent}, toInt64(0) as made_us, '' as made_by, '' as reason "
        f"from {readings(query.column, replaced)} group by tag, time) "
        "window versions as (partition by tag, time order by made_us rows between 1 preceding and current row)) "
        f"where made_us > 0 order by made_us desc, tag, time limit {query.limit}"
    )


_MARKS: Final = (
    f"toUInt8(argMax({GOOD_ROW}, time)) as held, bitOr(groupBitOr(bitShiftLeft(toUInt16(1), least(origin, 7))), "
    "bitShiftLeft(toUInt16(groupBitOr(flags)), 8)) as marks"
)


def _buckets(source: str, start_ms: int, step_ms: int, columns: Collection[str], *, marks: bool = False) -> str:
    """Return statistics of good samples in steps counted from `start_ms`; NaN where a step has none good."""
    inner = ", ".join(f"{_STATISTICS[name]} as {name}_" for name in columns)
    outer = "".join(f"if(good = 0, nan, {name}_) as {name}, " for name in columns)
    return (
        f"select tag, toInt64({start_ms} + step * {step_ms}) as time, {outer}good, bad"
        f"{', held, marks' if marks else ''} from ("
        f"select tag, intDiv(time - {start_ms}, {step_ms}) as step, {inner}{', ' if inner else ''}"
        f"countIf({GOOD_ROW}) as good, toUInt64(count() - good) as bad{f', {_MARKS}' if marks else ''} "
        f"from ({source}) group by tag, step)"
    )


def trend(readings: Readings, tenant: int, query: TrendQuery, corrected: Collection[Column]) -> tuple[str, int]:
    """Buckets for drawing, and the length of one in milliseconds."""
    bucket_ms = -(-(query.end_ms - query.start_ms) // query.buckets)
    source = numbers(readings, where(tenant, query.tags, query.start_ms, query.end_ms), corrected)
    columns = ("first", "min", "max", "last", "mean")
    return f"{_buckets(source, query.start_ms, bucket_ms, columns, marks=True)} order by tag, time", bucket_ms


def aggregate(
    readings: Readings, tenant: int, query: AggregateQuery, corrected: Collection[Column], now_ms: int
) -> str:
    """Statistics of good samples a step; a step without samples appears only if a value is held through it."""
    source = numbers(readings, where(tenant, query.tags, query.start_ms, query.end_ms), corrected)
    plain = [name for name in query.functions if name in _STATISTICS]
    statistics = _buckets(source, query.start_ms, query.step_ms, plain)
    answer = "".join(f"{'good as count' if name == 'count' else name}, " for name in query.functions)
    if "time_weighted" not in query.functions:
        return f"select tag, time, {answer}good, bad from ({statistics}) order by tag, time"
    filled = "".join(f"ifNull(s.{name}, nan) as {name}, " for name in plain)
    joined = (
        f"select tag, time, {filled}ifNull(w.weighted, nan) as time_weighted, "
        f"ifNull(s.good, 0) as good, ifNull(s.bad, 0) as bad "
        f"from ({statistics}) as s full outer join ({_weighted(readings, tenant, query, corrected, now_ms)}) as w "
        "using (tag, time)"
    )
    return f"select tag, time, {answer}good, bad from ({joined}) order by tag, time settings join_use_nulls = 1"


def _held(source: str, query: Query, now_ms: int) -> str:
    """Return for each sample the part of the range during which its value held: until the next one of any quality.

    Nothing holds beyond now.
    """
    end_ms = min(query.end_ms, max(now_ms, query.start_ms))
    following = (
        f"leadInFrame(time, 1, {end_ms}) over "
        "(partition by tag order by time rows between current row and unbounded following)"
    )
    return (
        f"select tag, value, quality, greatest(time, {query.start_ms}) as since, least(next, {end_ms}) as until "
        f"from (select tag, time, value, quality, toInt64({following}) as next from ({source})) where until > since"
    )


def _with_look_back(tenant: int, query: Query) -> str:
    return where(tenant, query.tags, max(0, query.start_ms - LOOK_BACK_MS), query.end_ms)


def _weighted(
    readings: Readings, tenant: int, query: AggregateQuery, corrected: Collection[Column], now_ms: int
) -> str:
    start, step = query.start_ms, query.step_ms
    held = _held(numbers(readings, _with_look_back(tenant, query), corrected), query, now_ms)
    steps = f"range(toUInt64(intDiv(since - {start}, {step})), toUInt64(intDiv(until - 1 - {start}, {step})) + 1)"
    return (
        f"select tag, toInt64({start} + step * {step}) as time, sum(value * weight) / sum(weight) as weighted from ("
        f"select tag, value, arrayJoin({steps}) as step, "
        f"least(until, {start} + (step + 1) * {step}) - greatest(since, {start} + step * {step}) as weight "
        f"from ({held}) where {GOOD_ROW}) group by tag, step"
    )


def states(readings: Readings, tenant: int, query: StateQuery, corrected: Collection[Column], now_ms: int) -> str:
    """Milliseconds each good int64 value was held."""
    source = samples(readings, Column.INT64, _with_look_back(tenant, query), corrected)
    return (
        f"select tag, value, sum(until - since) as held_ms from ({_held(source, query, now_ms)}) "
        f"where quality >= {GOOD} group by tag, value order by tag, value"
    )


def events(tenant: int, query: EventQuery) -> str:
    """Alarm transitions, newest first."""
    tags = f" and tag in ({', '.join(map(str, query.tags))})" if query.tags else ""
    alarm = f" and alarm = {text(query.alarm)}" if query.alarm else ""
    alarm += f" and `by` = {text(query.by)}" if query.by else ""
    for name, words in (("transition", query.transitions), ("priority", query.priorities)):
        alarm += f" and {name} in ({', '.join(map(text, words))})" if words else ""
    return (
        "select id, alarm, tag, condition::String as condition, priority::String as priority, "
        "transition::String as transition, state::String as state, time, raised, value, `limit`, `by`, comment "
        f"from {EVENT} where tenant = {tenant} and time >= {query.start_ms} and time < {query.end_ms}{tags}{alarm} "
        f"order by time desc, id desc limit {query.limit}"
    )
