"""From the last snapshot to now: LIVE is evaluated again, and what ALARM recorded meanwhile is redone in its place.

Transitions that samples cause come about again with the same ids. Those that had other causes - a person, a changed
definition, the clock - are taken from ALARM, each after the message of LIVE it had followed. What came about again
but is not in ALARM was lost on the way and is sent now.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from uuid import UUID

import numpy as np
import structlog
from pydantic import ValidationError

from mainspring.core.alarms import AlarmEvent, AlarmState
from mainspring.core.subjects import tenant_of
from mainspring.engine import kernels
from mainspring.engine.alarms import Records, event_ids
from mainspring.engine.outbox import POSITION_HEADER, Outbox
from mainspring.engine.reader import Message
from mainspring.engine.state import PlantState
from mainspring.engine.words import CONDITIONS, PRIORITIES, id_parts

log = structlog.get_logger(__name__)


class Recovery:
    """Merges the two streams; `recorded` yields ALARM from the snapshot's place to its present end."""

    def __init__(
        self,
        state: PlantState,
        outbox: Outbox,
        recorded: AsyncIterator[Message],
        standing: list[tuple[str, AlarmEvent]],
    ) -> None:
        self._state = state
        self._outbox = outbox
        self._recorded = recorded
        self._next: Message | None = None
        # Alarms that stand although their definition is gone.
        self._orphans: dict[UUID, tuple[str, AlarmEvent]] = {event.alarm: (key, event) for key, event in standing}
        self.redone = 0

    async def start(self, position: int) -> None:
        """Redo what was recorded up to the snapshot's own place."""
        await self._advance()
        await self._redo(position, [])

    async def after(self, position: int, events: Records) -> None:
        """Reconcile message `position` of LIVE, which has brought about `events`, with what was recorded."""
        if not len(events) and (self._next is None or _position(self._next) > position):
            return
        ids = event_ids(events)
        recorded = await self._redo(position, ids)
        lost = np.array([identity not in recorded for identity in ids], bool)
        await self._outbox.room()
        self._outbox.put(position, events[lost])

    async def finish(self, position: int, now_ms: int) -> None:
        """Redo the rest, and tell of alarms that stand although their definition is gone."""
        await self._redo(None, [])
        removed = [self._removed(tenant, event, now_ms) for tenant, event in self._orphans.values()]
        self._outbox.put(position, np.concatenate([np.zeros(0, kernels.EVENT), *removed]))

    async def _redo(self, position: int | None, derived: list[str]) -> set[str]:
        """Redo what was recorded up to a place of LIVE, but for what came about again; return all ids of it."""
        again = set(derived)
        recorded: set[str] = set()
        batch: list[tuple[str, AlarmEvent]] = []
        while self._next is not None and (position is None or _position(self._next) <= position):
            try:
                event = AlarmEvent.model_validate_json(self._next.payload)
            except ValidationError:
                log.warning("engine.foreign_transition", sequence=self._next.sequence)
            else:
                recorded.add(event.id)
                if event.id not in again:
                    batch.append((tenant_of(self._next.subject), event))
            await self._advance()
        for (tenant, event), row in zip(batch, self._state.alarms.find([each.alarm for _, each in batch]), strict=True):
            self.redone += 1
            if row >= 0:
                self._state.alarms.redo(row, event)
            elif event.state is AlarmState.NORMAL:
                self._orphans.pop(event.alarm, None)
            else:
                self._orphans[event.alarm] = (tenant, event)
        return recorded

    async def _advance(self) -> None:
        self._next = await anext(self._recorded, None)
        if self._next is not None:
            self._outbox.sequence = max(self._outbox.sequence, self._next.sequence)

    def _removed(self, tenant: str, event: AlarmEvent, now_ms: int) -> Records:
        high, low = id_parts(event.alarm)
        record = np.zeros(1, kernels.EVENT)
        record["id_high"], record["id_low"], record["time"], record["raised"] = high, low, now_ms, event.raised_ms
        record["value"] = math.nan
        record["limit"], record["tag"], record["tenant"] = (
            event.limit,
            event.tag,
            self._state.values.define_tenant(tenant),
        )
        record["condition"] = CONDITIONS.index(event.condition)
        record["priority"] = PRIORITIES.index(event.priority)
        record["transition"] = kernels.REMOVED
        return record


def _position(message: Message) -> int:
    header = message.headers.get(POSITION_HEADER, "0")
    return int(header) if header.isdecimal() else 0
