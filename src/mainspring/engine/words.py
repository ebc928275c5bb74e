"""The words of the core by the codes that stand for them in the arrays, and ids taken apart."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from mainspring.core.alarms import AlarmState, Transition
from mainspring.core.definitions import Condition, Priority
from mainspring.engine import kernels

CONDITIONS: Final = (
    Condition.HH, Condition.H, Condition.L, Condition.LL, Condition.STALE, Condition.RATE, Condition.STATE,
    Condition.CHANGE, Condition.EXPRESSION,
)  # fmt: skip
PRIORITIES: Final = tuple(Priority)
TRANSITIONS: Final = tuple(Transition)
SHELVED, UNSHELVED, TAKEN_OUT, RETURNED, COMMENTED, SUPPRESSED, UNSUPPRESSED = range(4, 11)
STATES: Final = (
    AlarmState.NORMAL,
    AlarmState.ACTIVE_ACKNOWLEDGED,
    AlarmState.CLEARED_UNACKNOWLEDGED,
    AlarmState.ACTIVE_UNACKNOWLEDGED,
)
STATE_BITS: Final = kernels.ACTIVE | kernels.UNACKNOWLEDGED
_LOW: Final = 0xFFFF_FFFF_FFFF_FFFF


def state_of(flags: int) -> AlarmState:
    """Return the state that flags mean."""
    if flags & kernels.OUT_OF_SERVICE:
        return AlarmState.OUT_OF_SERVICE
    if flags & kernels.SHELVED:
        return AlarmState.SHELVED
    return AlarmState.SUPPRESSED if flags & kernels.SUPPRESSED else STATES[flags & STATE_BITS]


def id_parts(identity: UUID) -> tuple[int, int]:
    """Return the upper and lower 64 bits of an id."""
    return identity.int >> 64, identity.int & _LOW


def identity_of(record: Any) -> UUID:
    """Return the id of an alarm from a row or an event."""
    return UUID(int=int(record["id_high"]) << 64 | int(record["id_low"]))
