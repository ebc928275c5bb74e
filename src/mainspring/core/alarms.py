"""Alarm transitions as they travel and are kept (ISA-18.2 life cycle)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from uuid import UUID

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.definitions import Condition, Priority


class Transition(StrEnum):
    """What happened to an alarm."""

    RAISED = "raised"
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"
    REMOVED = "removed"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    TAKEN_OUT = "out-of-service"
    RETURNED = "in-service"
    COMMENTED = "commented"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"


RETURNING: Final = frozenset({Transition.UNSHELVED, Transition.RETURNED, Transition.UNSUPPRESSED})
"""Transitions by which an alarm comes back to those that people are told of."""


class AlarmState(StrEnum):
    """The states of ISA-18.2 that an alarm in the list can have."""

    ACTIVE_UNACKNOWLEDGED = "active-unacknowledged"
    ACTIVE_ACKNOWLEDGED = "active-acknowledged"
    CLEARED_UNACKNOWLEDGED = "cleared-unacknowledged"
    NORMAL = "normal"
    SHELVED = "shelved"
    OUT_OF_SERVICE = "out-of-service"
    SUPPRESSED = "suppressed"


SET_ASIDE: Final = frozenset({AlarmState.SHELVED, AlarmState.OUT_OF_SERVICE, AlarmState.SUPPRESSED})
"""States of alarms that are judged on without anyone being told."""
SILENT: Final = SET_ASIDE | {AlarmState.NORMAL}
"""States that nobody is told of."""
SHELF_MIN_MS: Final = 1000
SHELF_MAX_MS: Final = 7 * 86_400_000
"""Longest time an alarm can be shelved; a site may allow less."""
COMMENT_MAX: Final = 500


class AlarmEvent(BaseModel):
    """One transition. `id` is made of alarm, transition and the sequence of its cause: a replay repeats it exactly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    alarm: UUID
    tag: int
    condition: Condition
    priority: Priority
    transition: Transition
    state: AlarmState
    time_ms: int
    raised_ms: int
    value: float | None
    limit: float
    by: str = ""
    comment: str = ""
    until_ms: int | None = None


_EVENT_COLUMNS: Final[dict[str, pa.DataType]] = {
    "tenant": pa.uint32(),
    "id": pa.string(),
    "alarm": pa.string(),
    "tag": pa.uint32(),
    "condition": pa.string(),
    "priority": pa.string(),
    "transition": pa.string(),
    "state": pa.string(),
    "time": pa.int64(),
    "raised": pa.int64(),
    "value": pa.float64(),
    "limit": pa.float64(),
    "by": pa.string(),
    "comment": pa.string(),
}
EVENT_SCHEMA: Final = pa.schema(_EVENT_COLUMNS)
"""Transitions as columns; only `value` may be empty."""


class ActiveAlarm(BaseModel):
    """A row of the alarm list: everything in it but normal.

    `acknowledged_by` and `comment` are those of the acknowledgement; of an alarm that is shelved or out of service
    `by`, `since_ms` and `comment` say who put it there, when and why, and `active` whether its condition holds. Of one
    that is suppressed by design `suppressed_by` is the definition or asset whose condition holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    alarm: UUID
    tag: int
    condition: Condition
    priority: Priority
    state: AlarmState
    raised_ms: int
    changed_ms: int
    value: float | None
    limit: float
    acknowledged_by: str = ""
    comment: str = ""
    active: bool = True
    by: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    suppressed_by: UUID | None = None


class View(StrEnum):
    """Which part of the alarms is listed."""

    ACTIVE = "active"
    SHELVED = "shelved"
    OUT_OF_SERVICE = "out-of-service"
    SUPPRESSED = "suppressed"


class ListAlarms(BaseModel):
    """Ask the engine for the alarms of one view."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    view: View = View.ACTIVE


class Acknowledge(BaseModel):
    """Ask the engine to acknowledge alarms, or to comment on them; `by` is the person's pseudonym."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alarms: tuple[UUID, ...]
    by: str
    comment: str = Field(default="", max_length=COMMENT_MAX)


class Comment(Acknowledge):
    """Ask the engine to keep a comment with alarms."""

    comment: str = Field(min_length=1, max_length=COMMENT_MAX)


class Shelve(Comment):
    """Ask the engine to shelve alarms until a time; the comment is the reason."""

    until_ms: int


class Unshelve(Acknowledge):
    """Ask the engine to return alarms from the shelf before their time."""


class OutOfService(Comment):
    """Ask the engine to take alarms out of service, or to put them back; the comment is the reason."""

    out: bool = True
