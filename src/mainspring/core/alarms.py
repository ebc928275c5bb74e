"""Alarm transitions as they travel and are kept (ISA-18.2 life cycle)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from uuid import UUID

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from mainspring.core.definitions import Condition, Priority


class Transition(StrEnum):
    """What happened to an alarm."""

    RAISED = "raised"
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"
    REMOVED = "removed"


class AlarmState(StrEnum):
    """The states of ISA-18.2 that an alarm in the list can have."""

    ACTIVE_UNACKNOWLEDGED = "active-unacknowledged"
    ACTIVE_ACKNOWLEDGED = "active-acknowledged"
    CLEARED_UNACKNOWLEDGED = "cleared-unacknowledged"
    NORMAL = "normal"


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
    """A row of the alarm list: everything in it but normal."""

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


class Acknowledge(BaseModel):
    """Ask the engine to acknowledge alarms; `by` is the person's pseudonym."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alarms: tuple[UUID, ...]
    by: str
    comment: str = ""
