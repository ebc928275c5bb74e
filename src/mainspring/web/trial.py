"""An alarm definition tried against history: the engine's own loops over what was stored, apart from the plant."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.definitions import AlarmDefinition, AlarmPage, Condition, Suppression, TagDefinition, TagPage
from mainspring.core.history import AggregateQuery, RawQuery
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import build
from mainspring.web.columns import numbers
from mainspring.web.configure import current

if TYPE_CHECKING:
    from mainspring.engine.state import PlantState

ROWS_MAX: Final = 700_000
"""Raw samples looked at; a week of one tag at a second. What is longer is tried on buckets."""
BUCKETS_MAX: Final = 40_000
OCCURRENCES_MAX: Final = 500
BATCH: Final = 50_000
TIMEOUT_S: Final = 30.0
TEN_MINUTES_MS: Final = 600_000
_TENANT: Final = "trial"
Span = tuple[int, int | None]
"""From - until; None: it stands at the end."""


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of all tags in the order of time; `ordinals` are places in the list of tags."""

    ordinals: npt.NDArray[np.uint32]
    times: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    qualities: npt.NDArray[np.uint8]
    bucket_ms: int | None = None


async def read(bus: Bus, tenant: str, tags: Sequence[TagDefinition], start_ms: int, end_ms: int) -> Series:
    """Read the history of some tags: raw samples, or their extremes in buckets where there are too many."""
    places = {tag.ordinal: place for place, tag in enumerate(tags)}
    by_column: dict[Column, list[int]] = {}
    for tag in tags:
        by_column.setdefault(tag.kind.column, []).append(tag.ordinal)
    parts: list[Series] = []
    room = ROWS_MAX
    for column, ordinals in by_column.items():
        query = RawQuery(tags=tuple(ordinals), start_ms=start_ms, end_ms=end_ms, limit=room + 1, column=column)
        answer = await bus.ask(subjects.history(tenant, "raw"), query.model_dump_json().encode(), timeout_s=TIMEOUT_S)
        table = pa.ipc.open_stream(answer).read_all()
        room -= table.num_rows
        if room < 0:
            return await _buckets(bus, tenant, places, start_ms, end_ms)
        text = column is Column.TEXT
        values = np.zeros(table.num_rows) if text else numbers(table.column("value")).astype(np.float64)
        parts.append(
            Series(
                _placed(table, places), numbers(table.column("time")), values, numbers(table.column("quality"))
            )
        )  # fmt: skip
    return _sorted(parts, None)


async def _buckets(bus: Bus, tenant: str, places: Mapping[int, int], start_ms: int, end_ms: int) -> Series:
    """Read first, least, greatest and last of each bucket, spread over it: an excursion is never lost, only moved."""
    step = max(1000, (end_ms - start_ms) * len(places) // BUCKETS_MAX)
    functions = ("first", "min", "max", "last")
    query = AggregateQuery(
        tags=tuple(places), start_ms=start_ms, end_ms=end_ms, step_ms=step, functions=functions
    )  # fmt: skip
    answer = await bus.ask(
        subjects.history(tenant, "aggregate"), query.model_dump_json().encode(), timeout_s=TIMEOUT_S
    )  # fmt: skip
    table = pa.ipc.open_stream(answer).read_all()
    ordinals, times = _placed(table, places), numbers(table.column("time"))
    parts = []
    for number, name in enumerate(functions):
        values = numbers(table.column(name)).astype(np.float64)
        good = np.where(np.isfinite(values), 0xC0, 0).astype(np.uint8)
        parts.append(Series(ordinals, times + number * step // len(functions), values, good))
    return _sorted(parts, step)


def _placed(table: pa.Table, places: Mapping[int, int]) -> npt.NDArray[np.uint32]:
    ordinals = numbers(table.column("tag"))
    known = np.array(sorted(places), np.uint32)
    where = np.array([places[ordinal] for ordinal in known.tolist()], np.uint32)
    return where[np.searchsorted(known, ordinals)] if len(ordinals) else np.zeros(0, np.uint32)


def _sorted(parts: Sequence[Series], bucket_ms: int | None) -> Series:
    times = np.concatenate([part.times for part in parts])
    order = np.argsort(times, kind="stable")
    return Series(
        np.ascontiguousarray(np.concatenate([part.ordinals for part in parts])[order]),
        np.ascontiguousarray(times[order]),
        np.ascontiguousarray(np.concatenate([part.values for part in parts])[order]),
        np.ascontiguousarray(np.concatenate([part.qualities for part in parts])[order]),
        bucket_ms,
    )


def tried(
    definition: AlarmDefinition,
    tags: Sequence[TagDefinition],
    series: Series,
    start_ms: int,
    end_ms: int,
    conditions: Sequence[Suppression] = (),
) -> dict[str, Any]:
    """Say how often, when and how long an alarm would have been told, and what of it suppressed; call it in a thread.

    `tags` begins with the tag of the alarm and has those of the conditions too.
    """
    if definition.condition is Condition.STALE:
        changes = _silences(definition, tags[0], _of_place(series, 0), end_ms)
    else:
        changes = _changes(definition, tags, series, end_ms)
    raised = _spans(changes)
    hidden = [span for condition in conditions for span in _suppressed(condition, tags, series, end_ms)]
    spans = _without(raised, hidden, end_ms)
    told = {start for start, _ in _within(raised, spans, end_ms)}
    lasted = [(end or end_ms) - start for start, end in spans]
    begins = np.array([start for start, _ in spans], np.int64)
    within = np.searchsorted(begins, begins + TEN_MINUTES_MS) - np.arange(len(begins))
    days = max((end_ms - start_ms) / 86_400_000, 1e-9)
    return {
        "count": len(spans),
        "longest_ms": max(lasted, default=0),
        "total_ms": sum(lasted),
        "suppressed_count": len(raised) - len(told),
        "suppressed_ms": sum((end or end_ms) - start for start, end in raised) - sum(lasted),
        "per_day": len(spans) / days,
        "most_in_10_min": int(within.max()) if len(within) else 0,
        "standing": bool(spans) and spans[-1][1] is None,
        "occurrences": [{"start_ms": start, "end_ms": end} for start, end in spans[-OCCURRENCES_MAX:]],
        "samples": len(series.times),
        "bucket_ms": series.bucket_ms,
        "oldest_ms": int(series.times[0]) if len(series.times) else None,
    }


def _spans(changes: Sequence[tuple[int, bool]]) -> list[Span]:
    """Join the moments of raising and clearing; what has not ended has no end."""
    spans: list[Span] = []
    for time_ms, begins in changes:
        if begins:
            spans.append((time_ms, None))
        elif spans:
            spans[-1] = (spans[-1][0], time_ms)
    return spans


def _without(spans: Sequence[Span], holes: Sequence[Span], end_ms: int) -> list[Span]:
    """Return what is left of spans outside the holes."""
    left = list(spans)
    for begin, until in holes:
        parts: list[Span] = []
        for start, end in left:
            if begin >= (end or end_ms) or (until is not None and until <= start):
                parts.append((start, end))
                continue
            if start < begin:
                parts.append((start, begin))
            if until is not None and until < (end or end_ms):
                parts.append((until, end))
        left = parts
    return sorted(left, key=lambda each: each[0])


def _within(spans: Sequence[Span], parts: Sequence[Span], end_ms: int) -> list[Span]:
    """Return the spans of which some part is left."""
    begins = [start for start, _ in parts]
    return [
        (start, end)
        for start, end in spans
        if bisect_left(begins, start) < bisect_left(begins, max(end or end_ms, start + 1))
    ]


def _suppressed(condition: Suppression, tags: Sequence[TagDefinition], series: Series, end_ms: int) -> list[Span]:
    """Return when a condition would have suppressed: it holds, and none of its tags is bad or silent."""
    named = {each.tag for each in condition.inputs}
    alarm = AlarmDefinition(
        id=condition.id, tag=condition.inputs[0].tag, condition=Condition.EXPRESSION, expression=condition.expression,
        inputs=condition.inputs, name=condition.reason,
    )  # fmt: skip
    silence = alarm.model_copy(update={"condition": Condition.STALE})
    gaps = [
        span
        for place, tag in enumerate(tags)
        if tag.ordinal in named
        for span in _spans(_silences(silence, tag, _of_place(series, place), end_ms))
    ]
    return _without(_spans(_changes(alarm, tags, series, end_ms)), gaps, end_ms)


def _of_place(series: Series, place: int) -> Series:
    own = series.ordinals == place
    return Series(
        series.ordinals[own], series.times[own], series.values[own], series.qualities[own], series.bucket_ms
    )  # fmt: skip


def _plant(definition: AlarmDefinition, tags: Sequence[TagDefinition]) -> PlantState:
    """Make an engine that knows these tags and this alarm alone; places are their ordinals."""
    from mainspring.engine.role import prepare_compiled

    prepare_compiled(current().data_folder / "engine")
    from mainspring.engine.state import PlantState

    places = {tag.ordinal: place for place, tag in enumerate(tags)}
    state = PlantState(tags_max=1000)
    moved = tuple(
        tag.model_copy(update={"ordinal": place, "kind": SampleKind.FLOAT}) for place, tag in enumerate(tags)
    )  # fmt: skip
    state.define(f"{_TENANT}.tags.0", TagPage(revision=1, tenant=_TENANT, page=0, tags=moved), 0)
    inputs = tuple(each.model_copy(update={"tag": places[each.tag]}) for each in definition.inputs)
    alarm = definition.model_copy(
        update={"tag": places[definition.tag], "inputs": inputs, "id": UUID(int=1), "suppressed_by": ()}
    )
    state.define(f"{_TENANT}.alarms.0", AlarmPage(revision=1, tenant=_TENANT, page=0, alarms=(alarm,)), 0)
    return state


def _changes(
    definition: AlarmDefinition, tags: Sequence[TagDefinition], series: Series, end_ms: int
) -> list[tuple[int, bool]]:
    from mainspring.engine import kernels

    state = _plant(definition, tags)
    found: list[Any] = []
    if definition.condition is Condition.EXPRESSION:
        found += state.replay(series.ordinals, series.times, series.values, series.qualities)
    else:
        for start in range(0, len(series.times), BATCH):
            part = slice(start, start + BATCH)
            batch = build(
                Column.FLOAT64, series.ordinals[part], series.times[part], series.values[part], series.qualities[part],
                Origin.MACHINE,
            )  # fmt: skip
            found.append(state.update(batch, _TENANT, start // BATCH + 1, int(series.times[part][-1])))
    found.append(state.sweep(end_ms))
    events = np.concatenate(found)
    return [
        (int(event["time"]), bool(event["transition"] == kernels.RAISED))
        for event in events[events["time"] <= end_ms]
        if event["transition"] in {kernels.RAISED, kernels.CLEARED}
    ]


def _silences(definition: AlarmDefinition, tag: TagDefinition, series: Series, end_ms: int) -> list[tuple[int, bool]]:
    """Find when no good sample came for longer than the tag may be silent."""
    stale_ms = max(tag.stale_ms or 3 * tag.silence_max_ms, series.bucket_ms or 0)
    good = ((series.qualities & 0xC0) == 0xC0) | ((series.qualities & 0xC0) == 0x40)
    times, following = series.times, np.append(series.times[1:], end_ms)
    begins = np.where(good, times + stale_ms, times)
    changes: list[tuple[int, bool]] = []
    since: int | None = None
    for place in np.flatnonzero((begins < following) | np.roll(begins < following, 1)).tolist():
        if good[place] and since is not None:
            _close(changes, definition, since, int(times[place]))
            since = None
        if begins[place] < following[place] and since is None:
            since = int(begins[place])
    if since is not None and since + definition.on_delay_ms <= end_ms:
        changes.append((since + definition.on_delay_ms, True))
    return changes


def _close(changes: list[tuple[int, bool]], definition: AlarmDefinition, since: int, until: int) -> None:
    if until - since >= definition.on_delay_ms:
        changes += [(since + definition.on_delay_ms, True), (until + definition.off_delay_ms, False)]
