"""Suppression by design (ISA-18.2): conditions of the plant under which nobody is told of some alarms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from mainspring.core.alarms import Transition
from mainspring.core.definitions import Suppression
from mainspring.core.expression_program import Program
from mainspring.engine import conditions, kernels
from mainspring.engine.special import Stirring, program_of, steps_of
from mainspring.engine.words import SUPPRESSED, UNSUPPRESSED

if TYPE_CHECKING:
    from mainspring.core.alarms import AlarmEvent
    from mainspring.engine.alarms import AlarmTable, Records, Rows

_NEVER: Final = 0
"""A clock that has not begun: nothing is stale by it."""


@dataclass(slots=True)
class _Condition:
    """One condition, and by page the rows it suppresses while it holds."""

    wanted: Suppression
    program: Program
    reason: int
    place: int = -1
    rows: dict[int, Rows] = field(default_factory=dict)


class Suppressions:
    """Works out the conditions and silences what they cover; an alarm that holds when they end is told at once."""

    def __init__(self, table: AlarmTable) -> None:
        self._table = table
        self._conditions: dict[tuple[int, UUID], _Condition] = {}
        self._laid = True
        self._places: list[tuple[UUID, _Condition]] = []
        self._owners: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._special: Records = np.zeros(0, conditions.SPECIAL)
        self._program: Records = np.zeros(0, conditions.STEP)
        self._stack: npt.NDArray[np.float64] = np.zeros(conditions.STACK)
        self._holds: npt.NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._newest: Rows = np.zeros(0, np.int64)
        self._stirring = Stirring({})
        self.since: dict[int, int] = {}
        self.reasons: list[str] = [""]

    def define(
        self, tenant: int, number: int, wanted: Iterable[Suppression], covered: Mapping[UUID, list[int]]
    ) -> bool:
        """Take a new version of a page: its conditions and the rows each covers; tell whether there are or were any."""
        before = [key for key, condition in self._conditions.items() if key[0] == tenant and number in condition.rows]
        for key in before:
            del self._conditions[key].rows[number]
        named = {each.id: each for each in wanted}
        for identity, rows in covered.items():
            condition = self._taken(tenant, named[identity]) if identity in named else None
            if condition is not None:
                condition.rows[number] = np.array(rows, np.int64)
        for key in before:
            if not self._conditions[key].rows:
                del self._conditions[key]
        touched = bool(before or covered)
        self._laid = self._laid and not touched
        return touched

    def settle(self, now_ms: int) -> Records:
        """Work out every condition, and put every alarm where it belongs."""
        self._decide(now_ms)
        table, found = self._table, []
        covering = self._covering()
        suppressed = (table.flags[: table.used] & kernels.SUPPRESSED) != 0
        for place in np.flatnonzero(self._holds).tolist():
            found.append(self._suppress(np.flatnonzero((covering == place) & ~suppressed), place, now_ms))
        found.append(self._release(np.flatnonzero((covering < 0) & suppressed), now_ms, None))
        return np.concatenate(found)

    def stirred(self, ordinals: npt.NDArray[np.uint32], now_ms: int) -> list[Records]:
        """Work out the conditions that name one of these tags; they count from the newest reading among theirs."""
        places = self._stirring.of(ordinals)
        if not len(places):
            return []
        before = self._holds[places]
        self._decide(now_ms, places)
        tags = self._table.tags
        return [
            self._turned(place, int(tags["time"][self._newest[place]]))
            for place in places[self._holds[places] != before].tolist()
        ]

    def pass_time(self, now_ms: int) -> list[Records]:
        """Let time pass: while a tag of a condition is stale, it suppresses nothing."""
        if not self._conditions:
            return []
        before = self._holds.copy()
        self._decide(now_ms)
        return [self._turned(place, now_ms) for place in np.flatnonzero(self._holds != before).tolist()]

    def prime(self) -> None:
        """Note which conditions hold by the values a snapshot brought back; no time passes for them."""
        self._decide(_NEVER)

    def named(self, rows: Sequence[int]) -> list[tuple[int, UUID] | None]:
        """Return since when rows are suppressed, and by which condition; None for those that are not."""
        covering = self._covering()
        return [
            (self.since[row], self._places[covering[row]][0]) if row in self.since and covering[row] >= 0 else None
            for row in rows
        ]

    def put(self, row: int, since_ms: int) -> None:
        """Silence one alarm."""
        flags = self._table.flags
        flags[row] = (flags[row] & ~np.uint8(kernels.UNACKNOWLEDGED)) | kernels.SUPPRESSED
        self.since[row] = since_ms

    def drop(self, row: int) -> None:
        """Give one alarm back; if it holds and nobody set it aside, someone has to acknowledge it."""
        flags = self._table.flags
        flags[row] &= ~np.uint8(kernels.SUPPRESSED)
        if flags[row] & kernels.ACTIVE and not flags[row] & kernels.SET_ASIDE:
            flags[row] |= kernels.UNACKNOWLEDGED
        self.since.pop(row, None)

    def forget(self, row: int) -> None:
        """Drop a row whose definition is gone."""
        self.since.pop(row, None)

    def redo(self, row: int, event: AlarmEvent) -> bool:
        """Do again what was recorded; False if it is none of these transitions."""
        if event.transition is Transition.SUPPRESSED:
            self.put(row, event.time_ms)
        elif event.transition is Transition.UNSUPPRESSED:
            self.drop(row)
        else:
            return False
        return True

    def _taken(self, tenant: int, wanted: Suppression) -> _Condition | None:
        """Return the condition as it is now defined; None, said in the log, if it does not fit its tags."""
        known = self._conditions.get((tenant, wanted.id))
        if known is not None and known.wanted == wanted:
            return known
        program = program_of(wanted.expression, wanted.inputs)
        if program is None or not all(self._table.reserve(each.tag) for each in wanted.inputs):
            return None
        reason = self._reason(wanted)
        if known is None:
            known = self._conditions[tenant, wanted.id] = _Condition(wanted, program, reason)
        known.wanted, known.program, known.reason = wanted, program, reason
        return known

    def _reason(self, wanted: Suppression) -> int:
        text = " · ".join(dict.fromkeys(each for each in (wanted.reason.en, wanted.reason.zh) if each))
        text = text or wanted.expression
        if text not in self.reasons:
            self.reasons.append(text)
        return self.reasons.index(text)

    def _lay(self) -> None:
        """Give every condition a place, and lay the programs one after another."""
        self._places = [(key[1], condition) for key, condition in self._conditions.items()]
        self._owners = np.array([tenant for tenant, _ in self._conditions], np.int32)
        self._special = np.zeros(len(self._places), conditions.SPECIAL)
        self._holds = np.zeros(len(self._places), np.uint8)
        self._newest = np.full(len(self._places), -1, np.int64)
        steps: list[tuple[float, int, int]] = []
        watching: dict[int, list[int]] = {}
        for place, (_, condition) in enumerate(self._places):
            condition.place = place
            self._special[place]["start"] = len(steps)
            self._special[place]["length"] = len(condition.program.steps)
            steps += steps_of(condition.program)
            for ordinal in condition.program.tags:
                watching.setdefault(ordinal, []).append(place)
        self._program = np.array(steps, conditions.STEP)
        self._stirring = Stirring(watching)
        self._laid = True

    def _decide(self, now_ms: int, places: Rows | None = None) -> None:
        if not self._laid:
            self._lay()
        kernels.decide(
            self._table.tags, self._special, self._program, self._stack,
            np.arange(len(self._places)) if places is None else places, self._owners, now_ms, self._holds,
            self._newest,
        )  # fmt: skip

    def _covering(self) -> npt.NDArray[np.int32]:
        """Return for each row the first condition that holds and covers it, -1 none."""
        covering = np.full(self._table.used, -1, np.int32)
        for place in np.flatnonzero(self._holds).tolist()[::-1]:
            for rows in self._places[place][1].rows.values():
                covering[rows] = place
        return covering

    def _turned(self, place: int, time_ms: int) -> Records:
        """Silence or give back what a condition covers, now that it has turned."""
        pages = self._places[place][1].rows.values()
        rows = np.concatenate(list(pages))
        suppressed = (self._table.flags[rows] & kernels.SUPPRESSED) != 0
        if self._holds[place]:
            return self._suppress(rows[~suppressed], place, time_ms)
        return self._release(rows[suppressed & (self._covering()[rows] < 0)], time_ms, place)

    def _suppress(self, rows: Rows, place: int, time_ms: int) -> Records:
        for row in rows.tolist():
            self.put(row, time_ms)
        return self._told(rows, SUPPRESSED, time_ms, place)

    def _release(self, rows: Rows, time_ms: int, place: int | None) -> Records:
        for row in rows.tolist():
            self.drop(row)
        return self._told(rows, UNSUPPRESSED, time_ms, place)

    def _told(self, rows: Rows, transition: int, time_ms: int, place: int | None) -> Records:
        events = self._table.events_of(rows, transition, time_ms)
        if place is not None:
            events["reason"] = self._places[place][1].reason
            events["cause"] = self._table.tags["cause"][self._newest[place]] if self._newest[place] >= 0 else 0
        return events
