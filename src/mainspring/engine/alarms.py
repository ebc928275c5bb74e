"""The table of alarms and their life cycle (ISA-18.2); one row for each definition."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from mainspring.core.alarms import SILENT, Acknowledge, ActiveAlarm, AlarmEvent, Transition, View
from mainspring.core.definitions import AlarmDefinition, Condition, Suppression
from mainspring.core.text import Text
from mainspring.engine import kernels
from mainspring.engine.current import GROWTH, CurrentValues
from mainspring.engine.shelves import Shelf, Shelves
from mainspring.engine.special import SPECIAL, Specials, program_of
from mainspring.engine.suppression import Suppressions
from mainspring.engine.words import (
    CONDITIONS,
    PRIORITIES,
    STATE_BITS,
    STATES,
    TRANSITIONS,
    id_parts,
    identity_of,
    state_of,
)

Rows = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]

_STATIC: Final = ("limit", "dead_band", "on_ms", "off_ms", "priority")
_CONDITION_CODES: Final = {condition: code for code, condition in enumerate(CONDITIONS)}
_PRIORITY_CODES: Final = {priority: code for code, priority in enumerate(PRIORITIES)}
_ID: Final = np.dtype([("high", "<i8"), ("low", "<i8"), ("transition", "<i8"), ("cause", "<i8"), ("time", "<i8")])

_UNKNOWN: Final = Text(
    "This alarm is normal or does not exist any more; there is nothing to acknowledge.",
    "该报警已恢复正常或已不存在，无需确认。",
)
_ALREADY: Final = Text(
    "This alarm was acknowledged already by {by}.",
    "该报警已由 {by} 确认。",
)
_SILENT: Final = Text(
    "This alarm is shelved, suppressed or out of service; nobody has to acknowledge it.",
    "该报警已搁置、抑制或停用，无需确认。",
)


def event_ids(events: Records) -> list[str]:
    """Return each event's id: a hash of alarm, transition, cause and time, the same in every replay."""
    parts = np.empty(len(events), _ID)
    parts["high"], parts["low"] = events["id_high"].view(np.int64), events["id_low"].view(np.int64)
    for name in ("transition", "cause", "time"):
        parts[name] = events[name]
    packed = parts.tobytes()
    size = _ID.itemsize
    return [
        hashlib.blake2b(packed[start : start + size], digest_size=16).hexdigest()
        for start in range(0, len(packed), size)
    ]


def event_of(record: Any, identity: str, by: str, comment: str, until_ms: int | None = None) -> AlarmEvent:
    """Return the travelling form of one transition."""
    value = float(record["value"])
    return AlarmEvent(
        id=identity,
        alarm=identity_of(record),
        tag=int(record["tag"]),
        condition=CONDITIONS[record["condition"]],
        priority=PRIORITIES[record["priority"]],
        transition=TRANSITIONS[record["transition"]],
        state=state_of(int(record["state"])),
        time_ms=int(record["time"]),
        raised_ms=int(record["raised"]),
        value=value if math.isfinite(value) else None,
        limit=float(record["limit"]),
        by=by,
        comment=comment,
        until_ms=until_ms,
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """A copy of some rows, out of reach of what happens meanwhile; who acknowledged or silenced each."""

    records: Records
    flags: npt.NDArray[np.uint8]
    acknowledged: list[tuple[str, str]]
    shelves: list[Shelf | None]
    suppressed: list[tuple[int, UUID] | None]

    def alarms(self, start: int, stop: int) -> list[ActiveAlarm]:
        """Return a slice of the list in its travelling form."""
        return [self._alarm(place) for place in range(start, min(stop, len(self.records)))]

    def _alarm(self, place: int) -> ActiveAlarm:
        record, flags, shelf = self.records[place], int(self.flags[place]), self.shelves[place]
        by, comment = self.acknowledged[place]
        suppressed_ms, suppressed_by = self.suppressed[place] or (None, None)
        return ActiveAlarm(
            alarm=identity_of(record),
            tag=int(record["tag"]),
            condition=CONDITIONS[record["condition"]],
            priority=PRIORITIES[record["priority"]],
            state=state_of(flags),
            raised_ms=int(record["raised"]),
            changed_ms=int(record["changed"]),
            value=float(record["value"]) if math.isfinite(record["value"]) else None,
            limit=float(record["limit"]),
            acknowledged_by=by,
            comment=shelf.comment if shelf else comment,
            active=bool(flags & kernels.ACTIVE),
            by=shelf.by if shelf else "",
            since_ms=shelf.since_ms if shelf else suppressed_ms,
            until_ms=shelf.until_ms if shelf else None,
            suppressed_by=suppressed_by,
        )


class AlarmTable:
    """Rows of `kernels.ALARM`; `flags` has the state of each in a byte, so that two million are scanned quickly."""

    def __init__(self, values: CurrentValues) -> None:
        self._values = values
        self.rows: Records = np.zeros(0, kernels.ALARM)
        self.flags: npt.NDArray[np.uint8] = np.zeros(0, np.uint8)
        self.extra: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self.specials = Specials()
        self.shelves = Shelves(self)
        self.suppressions = Suppressions(self)
        self.longest = 1
        self._pages: dict[tuple[int, int], Rows] = {}
        self._used = 0
        self._free: list[int] = []
        self._acknowledged: dict[int, tuple[int, str, str]] = {}
        self._order: tuple[npt.NDArray[np.bytes_], Rows] | None = None

    @property
    def tags(self) -> Records:
        """The current values of all tags."""
        return self._values.tags

    def reserve(self, ordinal: int) -> bool:
        """Make room for the current value of a tag."""
        return self._values.reserve(ordinal)

    @property
    def used(self) -> int:
        """How many rows are or were in use; beyond it there is nothing."""
        return self._used

    @property
    def defined(self) -> int:
        """How many alarms are defined."""
        return self._used - len(self._free)

    def define(
        self,
        definitions: Sequence[AlarmDefinition],
        tenant: int,
        number: int,
        now_ms: int,
        suppressions: Sequence[Suppression] = (),
    ) -> tuple[Rows, Records]:
        """Take a new version of a page; return new or changed rows, and events of those removed or silenced."""
        before = self._pages.pop((tenant, number), np.zeros(0, np.int64))
        known = {_key(self.rows[row]): row for row in before.tolist()}
        wanted = {
            (each.id.int, each.tag, _CONDITION_CODES[each.condition]): each
            for each in definitions
            if each.enabled and self._fits(each)
        }
        kernels.unlink(self._values.tags, self.rows, before)
        gone = np.array([row for key, row in known.items() if key not in wanted], np.int64)
        removed = self._remove(gone, now_ms)
        fresh = np.array(
            [
                (
                    each.limit, each.dead_band, -1, tenant, condition, _PRIORITY_CODES[each.priority], tag,
                    *id_parts(each.id), math.nan, kernels.NONE, 0, 0, 0,
                    each.on_delay_ms, each.off_delay_ms,
                )
                for (_, tag, condition), each in wanted.items()
            ],
            kernels.ALARM,
        )  # fmt: skip
        kept = np.array([known.get(key, -1) for key in wanted], np.int64)
        rows, changed = kept.copy(), np.ones(len(kept), bool)
        old = kept >= 0
        differs = [self.rows[name][kept[old]] != fresh[name][old] for name in _STATIC]
        changed[old] = np.any(differs, axis=0) if old.any() else False
        for name in _STATIC:
            self.rows[name][kept[old]] = fresh[name][old]
        rows[~old] = self._take(int(np.count_nonzero(~old)))
        self.rows[rows[~old]] = fresh[~old]
        stale = fresh["condition"][~old] == kernels.STALE
        self.flags[rows[~old]] = np.where(stale, kernels.WATCHES_STALENESS, 0)
        covered: dict[UUID, list[int]] = {}
        for place, definition in enumerate(wanted.values()):
            for condition in definition.suppressed_by:
                covered.setdefault(condition, []).append(int(rows[place]))
            if definition.condition in SPECIAL:
                row = int(rows[place])
                self.extra[row], differs_too = self.specials.take(int(self.extra[row]), row, definition)
                changed[place] |= differs_too
        if len(rows):
            self._pages[tenant, number] = rows
            self.longest = max(self.longest, kernels.link(self._values.tags, self.rows, rows))
        self._order = None
        if self.suppressions.define(tenant, number, suppressions, covered):
            removed = np.concatenate([removed, self.suppressions.settle(now_ms)])
        return rows[changed], removed

    def acknowledge(self, request: Acknowledge, tenant: int, now_ms: int) -> tuple[Records, dict[UUID, Text]]:
        """Acknowledge alarms; return the events, and why others were refused."""
        waiting = np.flatnonzero(self.flags[: self._used] & STATE_BITS)
        candidates = waiting[self.rows["tenant"][waiting] == tenant]
        found = {identity_of(self.rows[row]): row for row in candidates.tolist()}
        refused: dict[UUID, Text] = {}
        rows = []
        for identity in dict.fromkeys(request.alarms):
            row = found.get(identity)
            if row is None:
                refused[identity] = _UNKNOWN
            elif self.flags[row] & kernels.SILENCED:
                refused[identity] = _SILENT
            elif not self.flags[row] & kernels.UNACKNOWLEDGED:
                refused[identity] = _ALREADY.format(by=self.acknowledgement(row)[0] or "?")
            else:
                rows.append(row)
                self.acknowledge_row(row, request.by, request.comment)
        accepted = np.array(rows, np.int64)
        self.rows["changed"][accepted] = now_ms
        return self.events_of(accepted, kernels.ACKNOWLEDGED, now_ms), refused

    def acknowledge_row(self, row: int, by: str, comment: str) -> None:
        """Mark one alarm as acknowledged."""
        self.flags[row] &= ~np.uint8(kernels.UNACKNOWLEDGED)
        if self.flags[row] & kernels.ACTIVE:
            self.keep_acknowledgement(row, int(self.rows["raised"][row]), by, comment)

    def keep_acknowledgement(self, row: int, raised_ms: int, by: str, comment: str) -> None:
        """Remember who acknowledged the raise of `raised_ms`."""
        self._acknowledged[row] = (raised_ms, by, comment)

    def acknowledgement(self, row: int) -> tuple[str, str]:
        """Return who acknowledged the present raise of an alarm, and the comment."""
        raised, by, comment = self._acknowledged.get(row, (0, "", ""))
        current = raised == self.rows["raised"][row] and not self.flags[row] & kernels.UNACKNOWLEDGED
        return (by, comment) if current else ("", "")

    def acknowledgements(self) -> dict[int, tuple[int, str, str]]:
        """Return raise time, person and comment of all acknowledged alarms that are active, dropping all others."""
        kept = {row: entry for row, entry in self._acknowledged.items() if self.acknowledgement(row) != ("", "")}
        self._acknowledged = {row: entry for row, entry in kept.items() if self.flags[row] & kernels.ACTIVE}
        return self._acknowledged

    def listed(self, tenant: int, limit: int, view: View = View.ACTIVE) -> tuple[Listing, int]:
        """Return the alarms of a view, those to be acknowledged or active, grave and new first, and their number."""
        flags = self.flags[: self._used]
        if view is View.ACTIVE:
            rows = np.flatnonzero(((flags & kernels.SILENCED) == 0) & ((flags & STATE_BITS) != 0))
        elif view is View.SUPPRESSED:
            rows = np.flatnonzero((flags & kernels.SILENCED) == kernels.SUPPRESSED)
        else:
            rows = np.flatnonzero(flags & (kernels.SHELVED if view is View.SHELVED else kernels.OUT_OF_SERVICE))
        rows = rows[self.rows["tenant"][rows] == tenant]
        records = self.rows[rows]
        later = (self.flags[rows] & (kernels.UNACKNOWLEDGED if view is View.ACTIVE else kernels.ACTIVE)) == 0
        order = np.lexsort((rows, -records["raised"], records["priority"], later))[:limit]
        chosen = rows[order].tolist()
        by = [self.acknowledgement(row) for row in chosen]
        shelves = [self.shelves.kept.get(row) for row in chosen]
        suppressed = self.suppressions.named(chosen if view is View.SUPPRESSED else ()) or [None] * len(chosen)
        return Listing(records[order], self.flags[rows[order]], by, shelves, suppressed), len(rows)

    def find(self, identities: Sequence[UUID]) -> list[int]:
        """Return the row of each alarm, -1 where there is none."""
        if self._order is None:
            used = np.flatnonzero(self.rows["tenant"][: self._used] >= 0)
            keys = _sortable(self.rows["id_high"][used], self.rows["id_low"][used])
            order = np.argsort(keys)
            self._order = keys[order], used[order]
        keys, rows = self._order
        if not len(keys) or not identities:
            return [-1] * len(identities)
        parts = np.array([id_parts(identity) for identity in identities], np.uint64).reshape(-1, 2)
        wanted = _sortable(parts[:, 0], parts[:, 1])
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return [int(row) for row in np.where(keys[places] == wanted, rows[places], -1)]

    def redo(self, row: int, event: AlarmEvent) -> None:
        """Bring an alarm to where a recorded transition left it."""
        if event.transition is Transition.ACKNOWLEDGED:
            # Of an earlier raise than the present one: that is not acknowledged by it.
            if self.rows["raised"][row] == event.raised_ms and self.flags[row] & kernels.UNACKNOWLEDGED:
                self.acknowledge_row(row, event.by, event.comment)
                self.rows["changed"][row] = event.time_ms
            return
        if self.shelves.redo(row, event) or self.suppressions.redo(row, event):
            return
        record = self.rows[row]
        kept = self.flags[row] & (kernels.WATCHES_STALENESS | kernels.SILENCED)
        silent = kernels.ACTIVE if event.transition is Transition.RAISED else 0
        self.flags[row] = kept | (silent if event.state in SILENT else STATES.index(event.state))
        record["raised"], record["changed"], record["since"] = event.raised_ms, event.time_ms, kernels.NONE
        if event.transition is Transition.RAISED:
            record["value"] = math.nan if event.value is None else event.value

    def counts(self) -> tuple[int, int]:
        """Return how many alarms are active and how many unacknowledged."""
        flags = self.flags[: self._used]
        told = flags & np.where(flags & kernels.SILENCED, 0, STATE_BITS).astype(np.uint8)
        return int(np.count_nonzero(told & kernels.ACTIVE)), int(np.count_nonzero(told & kernels.UNACKNOWLEDGED))

    def _fits(self, definition: AlarmDefinition) -> bool:
        """Tell whether all tags of a definition have room here, and its expression makes sense."""
        if not all(self._values.reserve(tag) for tag in (definition.tag, *(each.tag for each in definition.inputs))):
            return False
        if definition.condition is not Condition.EXPRESSION:
            return True
        return program_of(definition.expression, definition.inputs) is not None

    def _remove(self, rows: Rows, now_ms: int) -> Records:
        standing = rows[(self.flags[rows] & kernels.SHOWN) != 0]
        self.flags[rows] = 0
        events = self.events_of(standing, kernels.REMOVED, now_ms)
        self.rows["tenant"][rows] = -1
        self.specials.drop(self.extra[rows][self.extra[rows] >= 0].tolist())
        self.extra[rows] = -1
        for row in (self.shelves.kept.keys() | self.suppressions.since.keys()) & set(rows.tolist()):
            self.shelves.forget(row)
            self.suppressions.forget(row)
        self._free.extend(rows.tolist())
        return events

    def _take(self, wanted: int) -> Rows:
        """Return unused rows, in rising order."""
        reused = [self._free.pop() for _ in range(min(wanted, len(self._free)))]
        more = wanted - len(reused)
        if self._used + more > len(self.rows):
            grown = np.zeros(max(64, int((self._used + more) * GROWTH)), kernels.ALARM)
            grown["tenant"] = -1
            grown[: self._used] = self.rows[: self._used]
            flags = np.zeros(len(grown), np.uint8)
            flags[: self._used] = self.flags[: self._used]
            extra = np.full(len(grown), -1, np.int32)
            extra[: self._used] = self.extra[: self._used]
            self.rows, self.flags, self.extra = grown, flags, extra
        self._used += more
        return np.array([*sorted(reused), *range(self._used - more, self._used)], np.int64)

    def events_of(self, rows: Rows | list[int], transition: int, now_ms: int) -> Records:
        """Return the transitions of some rows."""
        rows = np.asarray(rows, np.int64)
        events = np.zeros(len(rows), kernels.EVENT)
        for name in (
            "id_high",
            "id_low",
            "raised",
            "cause",
            "value",
            "limit",
            "tag",
            "tenant",
            "condition",
            "priority",
        ):
            events[name] = self.rows[name][rows]
        events["time"] = now_ms
        events["transition"] = transition
        events["state"] = self.flags[rows] & kernels.SHOWN
        return events


def _key(record: Any) -> tuple[int, int, int]:
    """Return what makes an alarm the same: id, tag and condition."""
    return int(record["id_high"]) << 64 | int(record["id_low"]), int(record["tag"]), int(record["condition"])


def _sortable(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> npt.NDArray[np.bytes_]:
    """Return ids as 16 bytes each, which numpy can sort and search."""
    pairs = np.empty((len(high), 2), ">u8")
    pairs[:, 0], pairs[:, 1] = high, low
    return pairs.view("S16").reshape(-1)
