"""What the engine knows: current values and alarms together, and what each message, change or moment does to them.

Nothing here waits or touches the bus. Every call returns the transitions it brought about, as `kernels.EVENT` records.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mainspring.core.alarms import Acknowledge, Comment, OutOfService, Shelve, Unshelve
from mainspring.core.definitions import AlarmPage, Definition, TagPage
from mainspring.core.kinds import Column
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.engine import kernels
from mainspring.engine.alarms import AlarmTable, Records
from mainspring.engine.current import COLUMNS, CurrentValues

EVENTS_ROOM: Final = 8192
"""Transitions the loops write before they are taken out; a batch may bring about any number."""
TAGS_MAX: Final = 4_000_000
STRANGER: Final = -2
_NO_BYTES: Final = np.zeros(0, np.uint8)
_NO_INTEGERS: Final = np.zeros(0, np.int64)
NO_EVENTS: Final = np.zeros(0, kernels.EVENT)


class PlantState:
    """Current values, alarms and counters of every tenant."""

    def __init__(self, tags_max: int = TAGS_MAX) -> None:
        self.values = CurrentValues(tags_max)
        self.alarms = AlarmTable(self.values)
        self.counts: npt.NDArray[np.int64] = np.zeros(kernels.COUNTS, np.int64)
        self._room = np.zeros(EVENTS_ROOM, kernels.EVENT)
        self._next_stale_ms = 0

    def update(self, batch: SampleBatch, tenant: str, sequence: int, now_ms: int) -> Records:
        """Take a batch of one tenant, which arrived as message `sequence` at `now_ms` on our own clock.

        Samples of foreign or unknown tags, of the wrong column, from an impossible time or older than the current
        value are left out and counted (`counts`, by `kernels.FOREIGN` and so on).
        """
        values, alarms = self.values, self.alarms
        text = batch.column is Column.TEXT
        numbers = np.full(len(batch), np.nan) if text else batch.value.astype(np.float64, copy=False)
        integers = batch.value if batch.column is Column.INT64 else _NO_INTEGERS
        taken = np.zeros(len(batch), np.uint8) if text else _NO_BYTES
        columns = [np.require(each, requirements=("A", "C")) for each in (
            batch.tag, batch.time, numbers, integers, batch.quality, batch.origin)]  # fmt: skip
        room = self._make_room()
        # Nobody is the owner of tags that are not defined; a tenant that has no definitions is another.
        owner = values.tenant(tenant) if values.tenant(tenant) >= 0 else STRANGER
        update: Any = kernels.update
        found: list[Records] = []
        start = 0
        while start < len(batch):
            start, count = update(
                values.tags, alarms.rows, alarms.flags, *columns, COLUMNS[batch.column], owner,
                sequence, now_ms, start, room, self._room, taken, self.counts, alarms.extra,
                alarms.specials.special, alarms.specials.times, alarms.specials.numbers,
            )  # fmt: skip
            found.append(self._room[:count].copy())
        if text:
            rows = np.flatnonzero(taken)
            values.take_texts(batch.tag[rows], batch.value[rows])
        stirred = alarms.specials.stirred(batch.tag)
        if len(stirred):
            found += self._express(stirred)
        return joined(found + alarms.suppressions.stirred(batch.tag, now_ms))

    def update_late(self, batch: SampleBatch, tenant: str, sequence: int, now_ms: int) -> Records:
        """Take from a batch of LATE what is newer than the current values; alarms are judged by these as they are now.

        What lies between the values before and these is history and raises nothing.
        """
        values, alarms = self.values, self.alarms
        tags = values.take_late(batch, values.tenant(tenant), sequence, now_ms)
        if not len(tags):
            return NO_EVENTS
        touched = np.zeros(len(values.tags), np.bool_)
        touched[tags] = True
        rows = np.flatnonzero(touched[alarms.rows["tag"][: alarms.used]])
        found = self._pass_time(rows, now_ms, judge=True)[0]
        ordinals = tags.astype(np.uint32)
        stirred = alarms.specials.stirred(ordinals)
        if len(stirred):
            found += self._express(stirred)
        return joined(found + alarms.suppressions.stirred(ordinals, now_ms))

    def sweep(self, now_ms: int) -> Records:
        """Let time pass: delays that have run out, tags that have turned stale."""
        flags = self.alarms.flags[: self.alarms.used]
        found = self._pass_time(np.flatnonzero(flags & kernels.PENDING), now_ms)[0]
        if now_ms >= self._next_stale_ms:
            watching = np.flatnonzero(flags & kernels.WATCHES_STALENESS)
            stale, self._next_stale_ms = self._pass_time(watching, now_ms)
            found += stale
        found += self.alarms.suppressions.pass_time(now_ms)
        return joined([*found, self.alarms.shelves.expire(now_ms)])

    def define(self, key: str, definition: Definition | None, now_ms: int) -> Records:
        """Take a published definition, or its withdrawal; a new or changed alarm is judged by the current value."""
        tenant_key, kind, number = key.split(".", 2)
        if kind not in {"tags", "alarms"}:
            return NO_EVENTS
        tenant = self.values.define_tenant(tenant_key)
        self._next_stale_ms = 0
        if kind == "tags":
            self.values.define(definition if isinstance(definition, TagPage) else None, tenant, int(number), now_ms)
            return NO_EVENTS
        wanted = definition.alarms if isinstance(definition, AlarmPage) else ()
        suppressions = definition.suppressions if isinstance(definition, AlarmPage) else ()
        changed, removed = self.alarms.define(wanted, tenant, int(number), now_ms, suppressions)
        return joined([removed, *self._pass_time(changed, now_ms, judge=True)[0]])

    def judge_all(self, now_ms: int) -> Records:
        """Judge every alarm at rest by the current value: its definition may have changed while nobody ran."""
        used = self.alarms.used
        rest = np.flatnonzero((self.alarms.flags[:used] & kernels.PENDING) == 0)
        settled = self.alarms.suppressions.settle(now_ms)
        return joined([settled, *self._pass_time(rest, now_ms, judge=True)[0]])

    def handle(self, request: Acknowledge, tenant: str, now_ms: int) -> tuple[Records, dict[str, Text]]:
        """Do what a person asks with alarms; return the transitions, and by id why others were refused."""
        shelves, number = self.alarms.shelves, self.values.tenant(tenant)
        if isinstance(request, Shelve):
            events, refused = shelves.shelve(request, number, now_ms)
        elif isinstance(request, Unshelve):
            events, refused = shelves.unshelve(request, number, now_ms)
        elif isinstance(request, OutOfService):
            events, refused = shelves.out_of_service(request, number, now_ms)
        elif isinstance(request, Comment):
            events, refused = shelves.comment(request, number, now_ms)
        else:
            events, refused = self.alarms.acknowledge(request, number, now_ms)
        return events, {str(identity): text for identity, text in refused.items()}

    def replay(
        self,
        ordinals: npt.NDArray[np.uint32],
        times: npt.NDArray[np.int64],
        numbers: npt.NDArray[np.float64],
        qualities: npt.NDArray[np.uint8],
    ) -> list[Records]:
        """Judge the one expression there is at every moment of a history, sorted by time; every tag is defined."""
        alarms, specials = self.alarms, self.alarms.specials
        (row,) = specials.expressions.tolist()
        own = specials.special[alarms.extra[row] : alarms.extra[row] + 1]
        found: list[Records] = []
        start = 0
        while start < len(ordinals):
            start, count = kernels.replay(
                self.values.tags, alarms.rows, alarms.flags, row, own, specials.program, specials.stack, ordinals,
                times, numbers, qualities, start, self._room,
            )  # fmt: skip
            found.append(self._room[:count].copy())
        return found

    def prime(self) -> None:
        """Note which expressions can be decided by the values a snapshot brought back; no time passes for them."""
        self._pass_time(self.alarms.specials.expressions, 0)
        self.alarms.suppressions.prime()

    def _express(self, rows: npt.NDArray[np.int64]) -> list[Records]:
        alarms, specials = self.alarms, self.alarms.specials
        found: list[Records] = []
        start = 0
        while start < len(rows):
            start, count = kernels.express(
                self.values.tags, alarms.rows, alarms.flags, rows, start, self._room, alarms.extra, specials.special,
                specials.program, specials.stack,
            )  # fmt: skip
            found.append(self._room[:count].copy())
        return found

    def _pass_time(self, rows: npt.NDArray[np.int64], now_ms: int, *, judge: bool = False) -> tuple[list[Records], int]:
        self._make_room()
        alarms, specials = self.alarms, self.alarms.specials
        found: list[Records] = []
        start, earliest = 0, kernels.FOREVER
        while start < len(rows):
            start, count, due = kernels.pass_time(
                self.values.tags, alarms.rows, alarms.flags, rows, now_ms, judge, start, self._room, alarms.extra,
                specials.special, specials.numbers, specials.program, specials.stack,
            )  # fmt: skip
            earliest = min(earliest, due)
            found.append(self._room[:count].copy())
        return found, earliest

    def _make_room(self) -> int:
        """Return how many transitions one sample may bring about, with room for at least that many."""
        room: int = kernels.CHANGES_MAX * self.alarms.longest
        if room > len(self._room):
            self._room = np.zeros(2 * room, kernels.EVENT)
        return room


def joined(found: list[Records]) -> Records:
    """Return transitions of several steps as one array."""
    if len(found) == 1:
        return found[0]
    return np.concatenate(found) if found else NO_EVENTS
