"""The compiled loops: every sample of a batch against every alarm of its tag, in order.

All indices are checked (`boundscheck`): an undersized array raises IndexError instead of writing into the heap.
Constants are written out here because the compiled cache is renewed only when this file changes.

A value holds until the next sample of its tag. A delay that ran out while it held has therefore ended at
`since + delay`, whether the sweep or the next sample notices it first; both make the same event with the same id.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit, types
from numba.np.numpy_support import from_dtype

from mainspring.engine.conditions import SPECIAL, STEP, TAG_VALUE, among, evaluate, rate_beyond, take_rate, usable

TAG: Final = np.dtype(
    [
        ("number", "f8"),  # value as float; NaN for text
        ("integer", "i8"),  # exact value of integer columns
        ("time", "i8"),  # the sample's own time
        ("arrival", "i8"),  # when it reached us; before the first sample, when the tag became known
        ("cause", "i8"),  # sequence and row of the sample
        ("stale_ms", "i8"),  # 0: never stale
        ("owner", "i4"),  # index of the tenant, -1 nobody
        ("first", "i4"),  # first row of its chain of alarms, -1 none
        ("quality", "u1"),
        ("origin", "u1"),
        ("column", "u1"),
        ("known", "u1"),  # a sample has come
    ],
    align=True,
)
ALARM: Final = np.dtype(
    [
        # What every sample looks at comes first, on one cache line.
        ("limit", "f8"),
        ("dead_band", "f8"),
        ("next", "i4"),  # next row of the same tag, -1 none
        ("tenant", "i4"),  # index of the tenant, -1 a free row
        ("condition", "u1"),
        ("priority", "u1"),
        ("tag", "u4"),
        ("id_high", "u8"),
        ("id_low", "u8"),
        ("value", "f8"),  # value when it was raised
        ("since", "i8"),  # when the opposite of its state began to hold, NONE if it does not
        ("cause", "i8"),  # sequence and row of the sample that began it
        ("raised", "i8"),
        ("changed", "i8"),
        ("on_ms", "i4"),
        ("off_ms", "i4"),
    ],
    align=True,
)
EVENT: Final = np.dtype(
    [
        ("id_high", "u8"),
        ("id_low", "u8"),
        ("time", "i8"),
        ("raised", "i8"),
        ("cause", "i8"),
        ("value", "f8"),
        ("limit", "f8"),
        ("tag", "u4"),
        ("tenant", "i4"),
        ("reason", "i4"),  # place among the reasons of suppressions, 0 none
        ("condition", "u1"),
        ("priority", "u1"),
        ("transition", "u1"),
        ("state", "u1"),
    ],
    align=True,
)

FLOAT64, INT64, TEXT = 0, 1, 2
HH, H, L, LL, STALE, RATE, STATE, CHANGE, EXPRESSION = 0, 1, 2, 3, 4, 5, 6, 7, 8
RAISED, CLEARED, ACKNOWLEDGED, REMOVED = 0, 1, 2, 3
ACTIVE, UNACKNOWLEDGED, PENDING, WATCHES_STALENESS, SHELVED, OUT_OF_SERVICE, SUPPRESSED = 1, 2, 4, 8, 16, 32, 64
SET_ASIDE: Final = SHELVED | OUT_OF_SERVICE
"""What people do to an alarm; suppression comes from the plant, and may hold beside it."""
SILENCED: Final = SET_ASIDE | SUPPRESSED
SHOWN: Final = ACTIVE | UNACKNOWLEDGED | SILENCED
"""The bits that make the state of an alarm."""
TAKEN, FOREIGN, MISMATCHED, IMPOSSIBLE, LATE, COUNTS = 0, 1, 2, 3, 4, 5
NONE: Final = -(2**62)
FOREVER: Final = 2**62
DAY_MS: Final = 86_400_000
AHEAD_MS: Final = 60_000
ROW_BITS: Final = 16
CHANGES_MAX: Final = 3
"""Most transitions one sample can bring about in one alarm: a delay ends, it turns stale, it is judged anew."""

_tags = from_dtype(TAG)[::1]
_alarms = from_dtype(ALARM)[::1]
_events = from_dtype(EVENT)[::1]
_rows = types.int64[::1]
_extra = types.int32[::1]
_special = from_dtype(SPECIAL)[::1]
_program = from_dtype(STEP)[::1]
_ring_times = types.int64[:, ::1]
_ring_numbers = types.float64[:, ::1]
_two = types.UniTuple(types.int64, 2)  # type: ignore[no-untyped-call]
_three = types.UniTuple(types.int64, 3)  # type: ignore[no-untyped-call]


def _incoming(kind: Any) -> Any:
    """A column of a batch: a read-only view on the message it came in."""
    return types.Array(kind, 1, "C", readonly=True)


@njit(cache=True, boundscheck=True, inline="always")
def _beyond(alarm: Any, active: bool, number: float) -> Any:
    """Tell whether a number lies beyond the limit; an active alarm holds on through its dead-band."""
    band = alarm.dead_band if active else 0.0
    if alarm.condition <= H:
        return number > alarm.limit - band
    return number < alarm.limit + band


@njit(cache=True, boundscheck=True)
def _turn(alarms: Any, flags: Any, row: int, time: int, value: float, events: Any, count: int) -> int:
    """Raise or clear one alarm and write its event; return the new number of events."""
    alarm = alarms[row]
    event = events[count]
    if flags[row] & ACTIVE:
        flags[row] &= ~np.uint8(ACTIVE | PENDING)
        event.transition = CLEARED
    else:
        # Nobody is told of an alarm that is set aside or suppressed, so nobody acknowledges it.
        told = 0 if flags[row] & SILENCED else UNACKNOWLEDGED
        flags[row] = (flags[row] & (WATCHES_STALENESS | SILENCED)) | ACTIVE | told
        alarm.raised = time
        alarm.value = value
        event.transition = RAISED
    alarm.changed = time
    alarm.since = NONE
    event.id_high = alarm.id_high
    event.id_low = alarm.id_low
    event.time = time
    event.raised = alarm.raised
    event.cause = alarm.cause
    event.value = value
    event.limit = alarm.limit
    event.tag = alarm.tag
    event.tenant = alarm.tenant
    event.condition = alarm.condition
    event.priority = alarm.priority
    event.reason = 0
    event.state = flags[row] & SHOWN
    return count + 1


@njit(cache=True, boundscheck=True)
def _end_delay(alarms: Any, flags: Any, row: int, now: int, value: float, events: Any, count: int) -> int:
    """Turn an alarm whose delay has run out by `now`."""
    alarm = alarms[row]
    if alarm.since != NONE:
        due = alarm.since + (alarm.off_ms if flags[row] & ACTIVE else alarm.on_ms)
        if due <= now:
            return _turn(alarms, flags, row, due, value, events, count)
    return count


@njit(cache=True, boundscheck=True)
def _end_silence(tag: Any, alarms: Any, flags: Any, row: int, now: int, events: Any, count: int) -> int:
    """Let time pass for a staleness alarm, on our own clock."""
    alarm = alarms[row]
    gone = tag.arrival + tag.stale_ms if tag.stale_ms > 0 else FOREVER
    if flags[row] & ACTIVE:
        count = _end_delay(alarms, flags, row, min(now, gone), tag.number, events, count)
    if gone < now:
        if flags[row] & ACTIVE:
            alarm.since = NONE
            flags[row] &= ~np.uint8(PENDING)
        elif alarm.since == NONE:
            alarm.since = gone
            alarm.cause = tag.cause
            flags[row] |= PENDING
    if not flags[row] & ACTIVE:
        count = _end_delay(alarms, flags, row, now, tag.number, events, count)
    return count


@njit(cache=True, boundscheck=True)
def _judge(
    alarms: Any, flags: Any, row: int, holds: bool, time: int, value: float, cause: int, events: Any, count: int
) -> int:
    """Take in that the condition holds, or not, from `time` on."""
    alarm = alarms[row]
    active = (flags[row] & ACTIVE) != 0
    if holds == active:
        if alarm.since != NONE:
            alarm.since = NONE
            flags[row] &= ~np.uint8(PENDING)
        return count
    if alarm.since == NONE or time < alarm.since:
        alarm.since = time
        alarm.cause = cause
    if time - alarm.since >= (alarm.off_ms if active else alarm.on_ms):
        return _turn(alarms, flags, row, time, value, events, count)
    flags[row] |= PENDING
    return count


@njit(cache=True, boundscheck=True)
def _judge_rate(
    alarms: Any, flags: Any, row: int, own: Any, times: Any, numbers: Any, time: int, number: float, fit: bool,
    cause: int, events: Any, count: int,
) -> int:  # fmt: skip
    """Take in one reading for a rate of change; a bad one begins the window anew."""
    if flags[row] & PENDING and not np.isnan(own.rate):
        count = _end_delay(alarms, flags, row, time, own.rate, events, count)
    if not fit or np.isinf(number):
        own.count = 0
        own.rate = np.nan
        return count
    take_rate(own, times, numbers, time, number)
    if np.isnan(own.rate):
        return count
    beyond = rate_beyond(alarms[row], (flags[row] & ACTIVE) != 0, own)
    return _judge(alarms, flags, row, beyond, time, own.rate, cause, events, count)


@njit(cache=True, boundscheck=True)
def _express(
    tags: Any, alarms: Any, flags: Any, row: int, own: Any, program: Any, stack: Any, events: Any, count: int
) -> int:
    """Judge one expression by the newest values of its tags."""
    decided, newest = evaluate(tags, alarms[row].tenant, program, own, stack)
    if newest < 0:
        return count
    tag = tags[newest]
    if own.held and flags[row] & PENDING:
        count = _end_delay(alarms, flags, row, tag.time, np.nan, events, count)
    own.held = decided >= 0
    if decided >= 0:
        count = _judge(alarms, flags, row, decided == 1, tag.time, np.nan, tag.cause, events, count)
    return count


@njit(
    _two(
        _tags, _alarms, types.uint8[::1], _rows, types.int64, _events, _extra, _special, _program, types.float64[::1]
    ),
    cache=True,
    boundscheck=True,
)  # fmt: skip
def express(
    tags: Any, alarms: Any, flags: Any, rows: Any, start: int, events: Any, extra: Any, special: Any, program: Any,
    stack: Any,
) -> tuple[int, int]:  # fmt: skip
    """Judge expressions whose tags have changed; return the index to go on from and the number of events."""
    count = 0
    for index in range(start, len(rows)):
        if count + CHANGES_MAX > len(events):
            return index, count
        count = _express(tags, alarms, flags, rows[index], special[extra[rows[index]]], program, stack, events, count)
    return len(rows), count


@njit(
    _two(
        _tags, _alarms, types.uint8[::1], types.int64, _special, _program, types.float64[::1], types.uint32[::1],
        _rows, types.float64[::1], types.uint8[::1], types.int64, _events,
    ),
    cache=True,
    boundscheck=True,
)  # fmt: skip
def replay(
    tags: Any, alarms: Any, flags: Any, row: int, special: Any, program: Any, stack: Any, ordinals: Any, times: Any,
    numbers: Any, qualities: Any, start: int, events: Any,
) -> tuple[int, int]:  # fmt: skip
    """Judge one expression at every moment of a history; return the sample to go on from and the number of events."""
    count = 0
    for place in range(start, len(ordinals)):
        if count + CHANGES_MAX > len(events):
            return place, count
        tag = tags[ordinals[place]]
        tag.number, tag.time, tag.arrival = numbers[place], times[place], times[place]
        tag.quality, tag.cause, tag.known = qualities[place], place, 1
        if place + 1 == len(times) or times[place + 1] != times[place]:
            count = _express(tags, alarms, flags, row, special[0], program, stack, events, count)
    return len(ordinals), count


@njit(
    _two(
        _tags, _alarms, types.uint8[::1], _incoming(types.uint32), _incoming(types.int64), _incoming(types.float64),
        _incoming(types.int64), _incoming(types.uint8), _incoming(types.uint8), types.int64, types.int64, types.int64,
        types.int64, types.int64, types.int64, _events, types.uint8[::1], types.int64[::1],
        _extra, _special, _ring_times, _ring_numbers,
    ),
    cache=True,
    boundscheck=True,
)  # fmt: skip
def update(
    tags: Any, alarms: Any, flags: Any, ordinals: Any, times: Any, numbers: Any, integers: Any, qualities: Any,
    origins: Any, column: int, tenant: int, sequence: int, now: int, start: int, room: int, events: Any, taken: Any,
    counts: Any, extra: Any, special: Any, ring_times: Any, ring_numbers: Any,
) -> tuple[int, int]:  # fmt: skip
    """Take rows `start..` of a batch; return the row to go on from and the number of events written.

    It stops early when fewer than `room` events fit. `integers` and `taken` may be empty; `taken[i]` becomes 1 for
    rows that are now current values; `counts` is added to.
    """
    count = 0
    for row in range(start, len(ordinals)):
        if count + room > len(events):
            return row, count
        if ordinals[row] >= len(tags) or tags[ordinals[row]].owner != tenant:
            counts[FOREIGN] += 1
            continue
        tag = tags[ordinals[row]]
        time = times[row]
        if tag.column != column:
            counts[MISMATCHED] += 1
            continue
        if time < 0 or time > now + DAY_MS:
            counts[IMPOSSIBLE] += 1
            continue
        # A clock that ran ahead and was put right, or back, must not shut the tag out until the old time is reached.
        silent = tag.stale_ms > 0 and now - tag.arrival > tag.stale_ms
        if tag.known and time < tag.time and tag.time <= now + AHEAD_MS and not silent:
            counts[LATE] += 1
            continue
        number = numbers[row]
        cause = (sequence << ROW_BITS) + row
        held = tag.known != 0 and usable(tag.quality, tag.number, column)
        fit = usable(qualities[row], number, column)
        index = tag.first
        while index >= 0:
            alarm = alarms[index]
            if alarm.tenant == tenant:
                if alarm.condition <= LL:
                    # Nearly always nothing happens, and the calls are what costs.
                    if held and flags[index] & PENDING:
                        count = _end_delay(alarms, flags, index, time, tag.number, events, count)
                    if fit:
                        beyond = _beyond(alarm, (flags[index] & ACTIVE) != 0, number)
                        if beyond != (flags[index] & ACTIVE != 0) or flags[index] & PENDING:
                            count = _judge(alarms, flags, index, beyond, time, number, cause, events, count)
                elif alarm.condition == STALE:
                    count = _end_silence(tag, alarms, flags, index, now, events, count)
                    count = _judge(alarms, flags, index, not fit, now, number, cause, events, count)
                elif alarm.condition == RATE:
                    count = _judge_rate(
                        alarms, flags, index, special[extra[index]], ring_times[extra[index]],
                        ring_numbers[extra[index]], time, number, fit, cause, events, count,
                    )  # fmt: skip
                elif alarm.condition != EXPRESSION:
                    if held and flags[index] & PENDING:
                        count = _end_delay(alarms, flags, index, time, tag.number, events, count)
                    if fit and (held or alarm.condition == STATE):
                        if alarm.condition == STATE:
                            holds = among(ring_numbers[extra[index]], special[extra[index]].count, number)
                        else:
                            holds = number != tag.number
                        count = _judge(alarms, flags, index, holds, time, number, cause, events, count)
            index = alarm.next
        tag.number = number
        if len(integers) > 0:
            tag.integer = integers[row]
        tag.time = time
        tag.arrival = now
        tag.cause = cause
        tag.quality = qualities[row]
        tag.origin = origins[row]
        tag.known = 1
        if len(taken) > 0:
            taken[row] = 1
        counts[TAKEN] += 1
    return len(ordinals), count


@njit(
    _three(
        _tags, _alarms, types.uint8[::1], _rows, types.int64, types.boolean, types.int64, _events, _extra, _special,
        _ring_numbers, _program, types.float64[::1],
    ),
    cache=True,
    boundscheck=True,
)  # fmt: skip
def pass_time(
    tags: Any, alarms: Any, flags: Any, rows: Any, now: int, judge: bool, start: int, events: Any, extra: Any,
    special: Any, ring_numbers: Any, program: Any, stack: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Let time pass for some alarms; with `judge`, judge the current value too (their definition is new).

    Returns the index to go on from, the number of events, and the earliest time at which another tag of these
    can turn stale.
    """
    count = 0
    earliest = FOREVER
    for index in range(start, len(rows)):
        if count + CHANGES_MAX > len(events):
            return index, count, now
        row = rows[index]
        alarm = alarms[row]
        if alarm.tenant < 0 or tags[alarm.tag].owner != alarm.tenant:
            continue
        tag = tags[alarm.tag]
        fit = tag.known != 0 and usable(tag.quality, tag.number, tag.column)
        if alarm.condition == STALE:
            count = _end_silence(tag, alarms, flags, row, now, events, count)
            if tag.stale_ms > 0:
                gone = tag.arrival + tag.stale_ms
                earliest = min(earliest, gone if gone > now else now + tag.stale_ms)
            if judge and tag.known and not fit:
                count = _judge(alarms, flags, row, True, now, tag.number, tag.cause, events, count)
        elif alarm.condition == EXPRESSION:
            own = special[extra[row]]
            decided, newest = evaluate(tags, alarm.tenant, program, own, stack)
            own.held = decided >= 0
            if decided >= 0:
                clock = tags[newest].time + max(0, now - tags[newest].arrival)
                count = _end_delay(alarms, flags, row, clock, np.nan, events, count)
                if judge:
                    cause = tags[newest].cause
                    count = _judge(alarms, flags, row, decided == 1, clock, np.nan, cause, events, count)
        elif fit and alarm.condition > STALE:
            clock = tag.time + max(0, now - tag.arrival)
            value = special[extra[row]].rate if alarm.condition == RATE else tag.number
            if np.isnan(value):
                continue
            count = _end_delay(alarms, flags, row, clock, value, events, count)
            if judge and alarm.condition == STATE:
                holds = among(ring_numbers[extra[row]], special[extra[row]].count, tag.number)
                count = _judge(alarms, flags, row, holds, clock, value, tag.cause, events, count)
        elif fit:
            # What the device's own clock shows now: it may be off by hours.
            clock = tag.time + max(0, now - tag.arrival)
            count = _end_delay(alarms, flags, row, clock, tag.number, events, count)
            if judge:
                beyond = _beyond(alarm, (flags[row] & ACTIVE) != 0, tag.number)
                count = _judge(alarms, flags, row, beyond, clock, tag.number, tag.cause, events, count)
    return len(rows), count, earliest


@njit(
    types.void(
        _tags, _special, _program, types.float64[::1], _rows, types.int32[::1], types.int64, types.uint8[::1], _rows
    ),
    cache=True,
    boundscheck=True,
)  # fmt: skip
def decide(
    tags: Any, special: Any, program: Any, stack: Any, places: Any, owners: Any, now: int, holds: Any, newest: Any
) -> None:
    """Tell which conditions hold, and the tag of the newest reading of each, -1 none; not while a tag is stale."""
    for place in places:
        decided, newest[place] = evaluate(tags, owners[place], program, special[place], stack)
        for step in range(special[place].start, special[place].start + special[place].length):
            if program[step].step == TAG_VALUE:
                tag = tags[program[step].tag]
                if tag.stale_ms > 0 and now - tag.arrival > tag.stale_ms:
                    decided = -1
        holds[place] = decided == 1


@njit(types.int64(_tags, _alarms, _rows), cache=True, boundscheck=True)
def link(tags: Any, alarms: Any, rows: Any) -> int:
    """Put rows at the head of their tags' chains, in their order; return the length of the longest chain touched."""
    longest = 0
    for row in rows[::-1]:
        tag = tags[alarms[row].tag]
        alarms[row].next = tag.first
        tag.first = row
        length = 0
        while row >= 0:
            length += 1
            row = alarms[row].next  # noqa: PLW2901 - walks the chain from here
        longest = max(longest, length)
    return longest


@njit(types.void(_tags, _alarms, _rows), cache=True, boundscheck=True)
def unlink(tags: Any, alarms: Any, rows: Any) -> None:
    """Take rows out of their tags' chains."""
    for row in rows:
        tag = tags[alarms[row].tag]
        if tag.first == row:
            tag.first = alarms[row].next
            continue
        before = tag.first
        while before >= 0:
            if alarms[before].next == row:
                alarms[before].next = alarms[row].next
                break
            before = alarms[before].next
