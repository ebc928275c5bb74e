"""Trends and aggregates out of rollups: what they cover from rows, the rest from samples made into rows of that shape.

The answer is the same as from the readings alone, for the rows tell all that it needs. Where readings were given up,
rows answer alone, and a range then begins with a whole period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa

from mainspring.core.history import AggregateQuery, Query, TrendQuery
from mainspring.history import sql
from mainspring.history.cold.layer import Cold
from mainspring.history.corrected import Corrected
from mainspring.history.engine import Engine
from mainspring.history.rollup_rows import (
    HOUR_MS,
    MINUTE_MS,
    Columns,
    Span,
    buckets,
    ceil_ms,
    covered,
    floor_ms,
    fold,
    joined,
    newest,
    steps,
)
from mainspring.history.rollups import Rollups, columns_of
from mainspring.history.schema import DAY_MS, HOUR, MINUTE

Source = Literal["raw", "minute", "hour"]

PERIODS_MIN: Final = 3
"""A bucket of a trend is at least so many periods long: it is rounded up to whole ones."""
RAW_MAX_MS: Final = DAY_MS
"""Where samples of more than this would be made into rows for an answer, ClickHouse answers from samples alone."""
ROWS_MAX: Final = 1_000_000
"""Rows taken from the store at a time; many tags are answered some at a time."""

_STATISTICS: Final = ("tag", "time", "good", "bad", "min", "max", "sum", "first", "last", "held", "marks")
_HELD: Final = (*_STATISTICS, "first_ms", "weighted", "weighted_ms")


@dataclass(frozen=True, slots=True)
class Plan:
    """What an answer is made of."""

    hours: Sequence[Span]
    minutes: Sequence[Span]
    raw: Sequence[Span]

    @property
    def source(self) -> Source:
        """The coarsest of it."""
        return "hour" if self.hours else "minute" if self.minutes else "raw"

    @property
    def raw_ms(self) -> int:
        """The time that samples are taken for."""
        return sum(until - since for since, until in self.raw)

    @property
    def rows(self) -> int:
        """About how many rows a tag of a second has in it."""
        spans = ((self.hours, HOUR_MS), (self.minutes, MINUTE_MS), (self.raw, 1000))
        return sum((until - since) // unit for listed, unit in spans for since, until in listed)


class RollupAnswers:
    """Answers what rollups can answer, None else."""

    def __init__(self, engine: Engine, rollups: Rollups, cold: Cold, corrected: Corrected) -> None:
        self._engine = engine
        self._corrected = corrected
        self._cold = cold
        self._rollups = rollups

    def trend(self, tenant: int, query: TrendQuery, classes: Sequence[int]) -> pa.Table | None:
        """Answer a trend whose buckets are long enough, or whose readings were given up."""
        raw_from, minute_from = self._rollups.from_ms(classes)
        length_ms = -(-(query.end_ms - query.start_ms) // query.buckets)
        unit_ms = next((unit for unit in (HOUR_MS, MINUTE_MS) if length_ms >= PERIODS_MIN * unit), 1)
        if query.start_ms < raw_from:
            unit_ms = max(unit_ms, HOUR_MS if query.start_ms < minute_from else MINUTE_MS)
        if unit_ms == 1:
            return None
        origin_ms = floor_ms(query.start_ms, unit_ms)
        bucket_ms = ceil_ms(-(-(query.end_ms - origin_ms) // query.buckets), unit_ms)
        start_ms = origin_ms if query.start_ms < raw_from else query.start_ms
        plan = self.plan(tenant, query.tags, (start_ms, query.end_ms), unit_ms, (raw_from, minute_from))
        if plan is None:
            return None
        parts = [
            buckets(self._rows(tenant, tags, plan, _STATISTICS, None), origin_ms, bucket_ms)
            for tags in _some(query, plan)
        ]
        metadata = {"bucket_ms": str(bucket_ms), "origin_ms": str(origin_ms), "source": plan.source}
        names = ("tag", "time", "first", "min", "max", "last", "mean", "good", "bad", "held", "marks")
        return _table(parts, {name: name for name in names}, metadata)

    def aggregate(self, tenant: int, query: AggregateQuery, classes: Sequence[int], now_ms: int) -> pa.Table | None:
        """Answer an aggregate whose start and step are whole minutes."""
        unit_ms = next(
            (unit for unit in (HOUR_MS, MINUTE_MS) if query.step_ms % unit == 0 and query.start_ms % unit == 0), None
        )
        if unit_ms is None:
            return None
        weighted = "time_weighted" in query.functions
        start_ms = max(0, query.start_ms - sql.LOOK_BACK_MS) if weighted else query.start_ms
        limit_ms = min(query.end_ms, max(now_ms, query.start_ms)) if weighted else None
        plan = self.plan(tenant, query.tags, (start_ms, query.end_ms), unit_ms, self._rollups.from_ms(classes))
        if plan is None:
            return None
        columns = _HELD if weighted else _STATISTICS
        parts = []
        for tags in _some(query, plan):
            rows = self._rows(tenant, tags, plan, columns, limit_ms)
            parts.append(steps(rows, tags, query.start_ms, query.end_ms, query.step_ms, limit_ms))
        asked: dict[str, str] = {name: "good" if name == "count" else name for name in query.functions}
        asked = {"tag": "tag", "time": "time"} | asked | {"good": "good", "bad": "bad"}
        return _table(parts, asked, {"source": plan.source})

    def plan(self, tenant: int, tags: Sequence[int], span: Span, unit_ms: int, kept_from: Span) -> Plan | None:
        """Divide a range; None where samples alone answer better."""
        raw_from, minute_from = kept_from
        reach = self._rollups.reach
        late = self._rollups.marks.spans(tenant, np.array(sorted(set(tags)), dtype=np.uint32), *span)
        late = [(max(since, raw_from), until) for since, until in late if until > raw_from]
        rest: Sequence[Span] = [span]
        hours: Sequence[Span] = []
        if unit_ms == HOUR_MS:
            hours, rest = covered(rest, HOUR_MS, (0, reach.hour or 0), late)
        minutes, rest = covered(rest, MINUTE_MS, (minute_from, reach.minute or 0), late)
        plan = Plan(hours, minutes, [(max(since, raw_from), until) for since, until in rest if until > raw_from])
        return None if plan.source == "raw" or plan.raw_ms > RAW_MAX_MS else plan

    def _rows(
        self, tenant: int, tags: Sequence[int], plan: Plan, columns: Sequence[str], limit_ms: int | None
    ) -> Columns:
        """Return the rows of a plan in order, each with the end of its time in `until`."""
        own = sql.of_tags(tenant, tags)
        parts = []
        for table, spans, length_ms in ((HOUR, plan.hours, HOUR_MS), (MINUTE, plan.minutes, MINUTE_MS)):
            if spans:
                text = sql.rows(table, columns, f"{own} and {sql.during(spans)}")
                rows = newest(columns_of(self._engine.table(text)))
                parts.append({**rows, "until": rows["time"] + length_ms})
        if plan.raw:
            condition = f"{own} and {sql.during(plan.raw)}"
            corrected = self._corrected.columns(tenant, tags, condition)
            since, until = min(since for since, _ in plan.raw), max(until for _, until in plan.raw)
            with self._cold.reading(tenant, tags, since, until, sql.NUMERIC) as readings:
                found = self._engine.table(sql.in_order(readings, sql.NUMERIC, condition, corrected))
            rows = fold(columns_of(found), *_given(limit_ms))
            ends = rows["time"] + MINUTE_MS
            parts.append({**rows, "until": ends if limit_ms is None else np.minimum(ends, limit_ms)})
        return joined(parts)


def _given(limit_ms: int | None) -> tuple[int, ...]:
    return () if limit_ms is None else (limit_ms,)


def _some(query: Query, plan: Plan) -> list[tuple[int, ...]]:
    """Return the tags, in order, in groups that have not too many rows."""
    tags = tuple(sorted(set(query.tags)))
    size = max(1, ROWS_MAX // max(1, plan.rows))
    return [tags[at : at + size] for at in range(0, len(tags), size)]


def _table(parts: Sequence[Columns], names: dict[str, str], metadata: dict[str, str]) -> pa.Table:
    columns = {name: pa.array(np.concatenate([part[source] for part in parts])) for name, source in names.items()}
    return pa.table(columns).replace_schema_metadata(metadata)
