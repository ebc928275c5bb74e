"""Alarms that nobody is told of for now: shelved until a time, or out of service until someone returns them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np

from mainspring.core.alarms import SHELF_MAX_MS, SHELF_MIN_MS, Acknowledge, OutOfService, Shelve, Transition
from mainspring.core.text import Text
from mainspring.engine import kernels
from mainspring.engine.words import COMMENTED, RETURNED, SHELVED, TAKEN_OUT, UNSHELVED

if TYPE_CHECKING:
    from mainspring.core.alarms import AlarmEvent
    from mainspring.engine.alarms import AlarmTable, Records

_GONE: Final = Text("There is no such alarm any more.", "该报警已不存在。")
_TIME: Final = Text(
    "An alarm is shelved for at least {least} s and at most {most} h.", "搁置时间至少 {least} 秒，最多 {most} 小时。"
)
_IS_OUT: Final = Text("This alarm is out of service; return it first.", "该报警已停用，请先恢复使用。")
_NOT_SHELVED: Final = Text("This alarm is not shelved.", "该报警未被搁置。")
_IS_THERE: Final = Text("This alarm is out of service already.", "该报警已停用。")
_NOT_OUT: Final = Text("This alarm is not out of service.", "该报警未停用。")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Who silenced an alarm, when, why and until when (None: until someone returns it)."""

    by: str
    since_ms: int
    comment: str
    until_ms: int | None


class Shelves:
    """Silences alarms of a table and gives them back; alarms go on being judged meanwhile."""

    def __init__(self, table: AlarmTable) -> None:
        self._table = table
        self.kept: dict[int, Shelf] = {}
        self._due_ms = kernels.FOREVER
        self._stamp_ms = 0

    def shelve(self, request: Shelve, tenant: int, now_ms: int) -> tuple[Records, dict[UUID, Text]]:
        """Shelve alarms until a time; one that is shelved already gets the new time."""
        rows, refused = self._found(request, tenant)
        if not SHELF_MIN_MS <= request.until_ms - now_ms <= SHELF_MAX_MS:
            told = _TIME.format(least=SHELF_MIN_MS // 1000, most=SHELF_MAX_MS // 3_600_000)
            return self._table.events_of([], 0, now_ms), dict.fromkeys(request.alarms, told)
        rows = self._those(rows, refused, lambda flags: _IS_OUT if flags & kernels.OUT_OF_SERVICE else None)
        now_ms = self._stamp(now_ms)
        for row in rows.values():
            self.put(row, kernels.SHELVED, Shelf(request.by, now_ms, request.comment, request.until_ms))
        return self._table.events_of(list(rows.values()), SHELVED, now_ms), refused

    def unshelve(self, request: Acknowledge, tenant: int, now_ms: int) -> tuple[Records, dict[UUID, Text]]:
        """Return shelved alarms before their time."""
        rows, refused = self._found(request, tenant)
        rows = self._those(rows, refused, lambda flags: None if flags & kernels.SHELVED else _NOT_SHELVED)
        return self._returned(list(rows.values()), UNSHELVED, self._stamp(now_ms)), refused

    def out_of_service(self, request: OutOfService, tenant: int, now_ms: int) -> tuple[Records, dict[UUID, Text]]:
        """Take alarms out of service, or return them."""
        rows, refused = self._found(request, tenant)
        wrong = _IS_THERE if request.out else _NOT_OUT
        bit = kernels.OUT_OF_SERVICE
        rows = self._those(rows, refused, lambda flags: wrong if bool(flags & bit) == request.out else None)
        now_ms = self._stamp(now_ms)
        if not request.out:
            return self._returned(list(rows.values()), RETURNED, now_ms), refused
        for row in rows.values():
            self.put(row, bit, Shelf(request.by, now_ms, request.comment, None))
        return self._table.events_of(list(rows.values()), TAKEN_OUT, now_ms), refused

    def comment(self, request: Acknowledge, tenant: int, now_ms: int) -> tuple[Records, dict[UUID, Text]]:
        """Tell of a comment; the state of the alarms stays."""
        rows, refused = self._found(request, tenant)
        return self._table.events_of(list(rows.values()), COMMENTED, self._stamp(now_ms)), refused

    def expire(self, now_ms: int) -> Records:
        """Return the alarms whose time on the shelf is over, each at its own moment."""
        due: list[tuple[int, int]] = []
        if now_ms >= self._due_ms:
            due = sorted(
                (shelf.until_ms, row)
                for row, shelf in self.kept.items()
                if shelf.until_ms is not None and shelf.until_ms <= now_ms
            )
            returned = [self._returned([row], UNSHELVED, until_ms) for until_ms, row in due]
            self._renew()
            if returned:
                return np.concatenate(returned)
        return self._table.events_of([], UNSHELVED, now_ms)

    def put(self, row: int, bit: int, shelf: Shelf) -> None:
        """Silence one alarm."""
        flags = self._table.flags
        flags[row] = (flags[row] & ~np.uint8(kernels.UNACKNOWLEDGED | kernels.SET_ASIDE)) | bit
        self.kept[row] = shelf
        self._due_ms = min(self._due_ms, kernels.FOREVER if shelf.until_ms is None else shelf.until_ms)

    def drop(self, row: int) -> None:
        """Give one alarm back; if it holds, someone has to acknowledge it."""
        flags = self._table.flags
        flags[row] &= ~np.uint8(kernels.SET_ASIDE)
        if flags[row] & kernels.ACTIVE and not flags[row] & kernels.SUPPRESSED:
            flags[row] |= kernels.UNACKNOWLEDGED
        self.kept.pop(row, None)

    def forget(self, row: int) -> None:
        """Drop a row whose definition is gone."""
        self.kept.pop(row, None)

    def redo(self, row: int, event: AlarmEvent) -> bool:
        """Do again what was recorded; False if it is none of these transitions."""
        shelf = Shelf(event.by, event.time_ms, event.comment, event.until_ms)
        if event.transition is Transition.SHELVED:
            self.put(row, kernels.SHELVED, shelf)
        elif event.transition is Transition.TAKEN_OUT:
            self.put(row, kernels.OUT_OF_SERVICE, shelf)
        elif event.transition in {Transition.UNSHELVED, Transition.RETURNED}:
            self.drop(row)
        else:
            return event.transition is Transition.COMMENTED
        return True

    def _returned(self, rows: list[int], transition: int, now_ms: int) -> Records:
        for row in rows:
            self.drop(row)
        self._renew()
        return self._table.events_of(rows, transition, now_ms)

    def _found(self, request: Acknowledge, tenant: int) -> tuple[dict[UUID, int], dict[UUID, Text]]:
        wanted = list(dict.fromkeys(request.alarms))
        places = dict(zip(wanted, self._table.find(wanted), strict=True))
        mine = {
            identity: row
            for identity, row in places.items()
            if row >= 0 and self._table.rows["tenant"][row] == tenant >= 0
        }
        return mine, {identity: _GONE for identity in wanted if identity not in mine}

    def _those(
        self, rows: dict[UUID, int], refused: dict[UUID, Text], why_not: Callable[[int], Text | None]
    ) -> dict[UUID, int]:
        reasons = {identity: why_not(int(self._table.flags[row])) for identity, row in rows.items()}
        refused.update({identity: reason for identity, reason in reasons.items() if reason is not None})
        return {identity: row for identity, row in rows.items() if reasons[identity] is None}

    def _stamp(self, now_ms: int) -> int:
        """Return a time of its own for each request: the id of a transition is made of it."""
        self._stamp_ms = max(now_ms, self._stamp_ms + 1)
        return self._stamp_ms

    def _renew(self) -> None:
        times = [shelf.until_ms for shelf in self.kept.values() if shelf.until_ms is not None]
        self._due_ms = min(times, default=kernels.FOREVER)
