"""Small plants for the tests of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np

from mainspring.core.alarms import AlarmEvent
from mainspring.core.definitions import AlarmDefinition, AlarmPage, Condition, TagDefinition, TagPage, Words
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import SampleBatch, build
from mainspring.engine.alarms import event_ids, event_of
from mainspring.engine.state import PlantState

NOW = 1_800_000_000_000
GOOD, UNCERTAIN, BAD = 0xC0, 0x40, 0x00


def tag(ordinal: int, kind: SampleKind = SampleKind.FLOAT, **changes: Any) -> TagDefinition:
    return TagDefinition(
        **{
            "ordinal": ordinal,
            "id": UUID(int=ordinal + 1),
            "path": f"a/{ordinal}",
            "name": f"T{ordinal}",
            "kind": kind,
            "connection": UUID(int=1),
        }
        | changes
    )


def tag_page(*tags: TagDefinition, tenant: str = "acme", page: int = 0) -> TagPage:
    return TagPage(revision=1, tenant=tenant, page=page, tags=tags)


def alarm_id(number: int) -> UUID:
    return UUID(int=(0x0190_0000_0000_7000 << 64) | (0x8000_0000_0000_0000 + number))


def alarm(number: int, ordinal: int, condition: str = "H", limit: float = 10.0, **changes: Any) -> AlarmDefinition:
    return AlarmDefinition(
        id=alarm_id(number), tag=ordinal, condition=Condition(condition), limit=limit, name=Words(en="n"), **changes
    )


def alarm_page(*alarms: AlarmDefinition, tenant: str = "acme", page: int = 0) -> AlarmPage:
    return AlarmPage(revision=1, tenant=tenant, page=page, alarms=alarms)


def plant(tags: Sequence[TagDefinition], alarms: Sequence[AlarmDefinition], now_ms: int = NOW) -> PlantState:
    state = PlantState(tags_max=100_000)
    state.define("acme.tags.0", tag_page(*tags), now_ms)
    state.define("acme.alarms.0", alarm_page(*alarms), now_ms)
    return state


def batch(*rows: tuple[int, int, float] | tuple[int, int, float, int], column: Column = Column.FLOAT64) -> SampleBatch:
    """Rows of ordinal, time after NOW, value and quality."""
    return build(
        column,
        [row[0] for row in rows],
        np.array([NOW + row[1] for row in rows]),
        [row[2] for row in rows],
        np.array([row[3] if len(row) > 3 else GOOD for row in rows], np.uint8),
        Origin.MACHINE,
    )


def said(events: np.ndarray[Any, Any]) -> list[tuple[str, str, int]]:
    """Transition, state and time after NOW of each event."""
    return [(event.transition.value, event.state.value, event.time_ms - NOW) for event in spoken(events)]


def spoken(events: np.ndarray[Any, Any]) -> list[AlarmEvent]:
    return [event_of(record, identity, "", "") for record, identity in zip(events, event_ids(events), strict=True)]
