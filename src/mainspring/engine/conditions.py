"""Compiled parts of the loops: what a rate of change, a set of states and an expression have to say.

The compiled cache of `kernels` holds these inlined and is renewed only when that file changes: touch it after a change
here.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

SPECIAL: Final = np.dtype(
    [
        # What an alarm needs that is neither a limit nor staleness; few are.
        ("window_ms", "i8"),
        ("per_ms", "i8"),
        ("rate", "f8"),  # change per `per_ms` at the newest reading, NaN while it is unknown
        ("head", "i4"),  # oldest reading kept, in the ring of its own
        ("count", "i4"),  # readings kept, or states in the set
        ("start", "i4"),  # first step of its expression
        ("length", "i4"),
        ("direction", "i1"),  # -1 falling, 0 both, 1 rising
        ("held", "u1"),  # its expression could be decided when it was last looked at
    ],
    align=True,
)
STEP: Final = np.dtype([("operand", "f8"), ("tag", "u4"), ("step", "u1")], align=True)

TEXT: Final = 2
SLOTS: Final = 64
"""Readings a rate of change keeps: one for each sixtieth of its window, and the one before it."""
STACK: Final = 256
(
    NUMBER, TAG_VALUE, ADD, SUBTRACT, MULTIPLY, DIVIDE, NEGATIVE, ABSOLUTE, LEAST, GREATEST, BELOW, AT_MOST, ABOVE,
    AT_LEAST, EQUAL, UNEQUAL, AND, OR, NOT,
) = range(19)  # fmt: skip


@njit(cache=True, boundscheck=True, inline="always")
def usable(quality: int, number: float, column: int) -> Any:
    """Tell whether a limit can be judged: good or uncertain, and a number."""
    main = quality & 0xC0
    return (main == 0xC0 or main == 0x40) and (column == TEXT or number == number)  # noqa: PLR0124, PLR1714 - NaN


@njit(cache=True, boundscheck=True)
def among(states: Any, count: int, number: float) -> Any:
    """Tell whether a value is one of a set of states."""
    for place in range(count):  # noqa: SIM110 - compiled
        if states[place] == number:
            return True
    return False


@njit(cache=True, boundscheck=True)
def rate_beyond(alarm: Any, active: bool, own: Any) -> Any:
    """Tell whether a rate of change lies beyond its limit in a direction that counts."""
    edge = alarm.limit - (alarm.dead_band if active else 0.0)
    return (own.direction >= 0 and own.rate > edge) or (own.direction <= 0 and -own.rate > edge)


@njit(cache=True, boundscheck=True)
def take_rate(own: Any, times: Any, numbers: Any, time: int, number: float) -> None:
    """Take a reading into the window: its rate is the change since the value that held when the window began."""
    if own.count > 0 and time < times[(own.head + own.count - 1) % SLOTS]:
        # The clock was put back: nothing before it can be compared.
        own.count = 0
    begin = time - own.window_ms
    while own.count > 1 and times[(own.head + 1) % SLOTS] <= begin:
        own.head = (own.head + 1) % SLOTS
        own.count -= 1
    own.rate = np.nan
    if own.count > 0 and times[own.head] <= begin:
        own.rate = (number - numbers[own.head]) * own.per_ms / own.window_ms
    newest = (own.head + own.count - 1) % SLOTS
    if own.count == 0 or time - times[newest] >= own.window_ms // (SLOTS - 4):
        place = (own.head + own.count) % SLOTS
        times[place] = time
        numbers[place] = number
        own.count += 1


@njit(cache=True, boundscheck=True)
def evaluate(tags: Any, owner: int, program: Any, own: Any, stack: Any) -> tuple[int, int]:
    """Work out an expression: 1 holds, 0 does not, -1 undecided; and the tag with the newest reading, -1 none."""
    newest = -1
    decided = True
    top = 0
    for place in range(own.start, own.start + own.length):
        step = program[place]
        if step.step == TAG_VALUE:
            tag = tags[step.tag]
            if tag.owner != owner or not tag.known:
                decided = False
                continue
            if newest < 0 or (tag.time, tag.cause) > (tags[newest].time, tags[newest].cause):
                newest = step.tag
            decided = decided and usable(tag.quality, tag.number, tag.column) and np.isfinite(tag.number)
    if not decided:
        return -1, newest
    for place in range(own.start, own.start + own.length):
        step = program[place]
        kind = step.step
        if kind <= TAG_VALUE:
            stack[top] = step.operand if kind == NUMBER else tags[step.tag].number
            top += 1
            continue
        if kind == NEGATIVE:
            stack[top - 1] = -stack[top - 1]
        elif kind == ABSOLUTE:
            stack[top - 1] = abs(stack[top - 1])
        elif kind == NOT:
            stack[top - 1] = 1.0 if stack[top - 1] == 0 else 0.0
        else:
            top -= 1
            stack[top - 1] = _joined(kind, stack[top - 1], stack[top])
        if not np.isfinite(stack[top - 1]):
            return -1, newest
    return (1 if stack[0] != 0 else 0), newest


@njit(cache=True, boundscheck=True)
def _joined(kind: int, left: float, right: float) -> float:
    """Join two numbers by a step; a division by nothing is no number."""
    if kind == ADD:
        return left + right
    if kind == SUBTRACT:
        return left - right
    if kind == MULTIPLY:
        return left * right
    if kind == DIVIDE:
        return left / right if right != 0 else np.nan
    if kind == LEAST:
        return min(left, right)
    if kind == GREATEST:
        return max(left, right)
    if kind == BELOW:
        return 1.0 if left < right else 0.0
    if kind == AT_MOST:
        return 1.0 if left <= right else 0.0
    if kind == ABOVE:
        return 1.0 if left > right else 0.0
    if kind == AT_LEAST:
        return 1.0 if left >= right else 0.0
    if kind == EQUAL:
        return 1.0 if left == right else 0.0
    if kind == UNEQUAL:
        return 1.0 if left != right else 0.0
    if kind == AND:
        return 1.0 if left != 0 and right != 0 else 0.0
    return 1.0 if left != 0 or right != 0 else 0.0
