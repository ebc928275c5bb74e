"""Readings of tags that are not known yet: they wait for their definitions, and count as if these had come first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import structlog
from nats.errors import Error as NatsError

from mainspring.bus.strangers import Strangers
from mainspring.core.kinds import Column
from mainspring.core.samples import SampleBatch
from mainspring.engine import kernels
from mainspring.engine.alarms import Records
from mainspring.engine.state import PlantState, joined

log = structlog.get_logger(__name__)

BYTES_MAX: Final = 32 * 1024 * 1024
WAIT_S: Final = 60.0
"""How long readings wait while the bus does not say how far the definitions have gone; by then the next ones come."""
ASK_S: Final = 10.0
RETRY_S: Final = 1.0
MESSAGE_BYTES: Final = 1000
"""What a message takes beside its readings: a handful of arrays."""
ROW_BYTES: Final = 30
TEXT_BYTES: Final = 60
"""What a text takes beside its characters."""
NOBODYS: Final = 2**32 - 1
"""An ordinal that no tag has."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The readings of one message that wait; `rows` are their places in it, of which transitions get their ids."""

    number: int
    heard_s: float
    tenant: str
    sequence: int
    arrival_ms: int
    late: bool
    rows: npt.NDArray[np.int64]
    batch: SampleBatch
    size: int

    def take(self, where: npt.NDArray[np.bool_]) -> _Waiting:
        """Return some of them."""
        batch = self.batch.take(where)
        return replace(self, rows=self.rows[where], batch=batch, size=_size(batch))

    def in_place(self) -> SampleBatch:
        """Return them at their places in the message; what lies between is nobody's."""
        batch = self.batch
        return SampleBatch(
            batch.column,
            self._spread(batch.tag, NOBODYS),
            *(self._spread(each) for each in (batch.time, batch.value, batch.quality, batch.origin)),
        )

    def _spread(self, values: npt.NDArray[Any], between: int = 0) -> npt.NDArray[Any]:
        spread = np.full(self.rows[-1] + 1, between, values.dtype)
        spread[self.rows] = values
        return spread


class Newcomers:
    """Keeps what came before its definition, in bounded memory; the oldest gives way and is counted.

    Who sends a reading had its definition before. So what is still nobody's once everything has been taken that was
    defined when the reading was heard of is a stranger's. Nothing else waits meanwhile.
    """

    def __init__(self, state: PlantState, caught_up: Callable[[], Awaitable[None]]) -> None:
        self._state = state
        self._caught_up = caught_up
        self._strangers = Strangers()
        self._waiting: deque[_Waiting] = deque()
        self._heard = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._number = 0
        self._size = 0
        self._defined = False
        self.given_up = 0
        """Readings refused although their tags may have been defined: too many waited, or for too long."""

    def __len__(self) -> int:
        """How many readings wait."""
        return sum(len(each.rows) for each in self._waiting)

    def hear(self, batch: SampleBatch, tenant: str, sequence: int, arrival_ms: int, *, late: bool = False) -> None:
        """Keep those readings of a message that were refused as nobody's, but not those of known strangers."""
        rows = np.flatnonzero(self._state.values.unknown(batch.tag))
        now_s = asyncio.get_running_loop().time()
        if not len(rows) or not self._strangers.worth_asking(tenant, batch.tag[rows], now_s):
            return
        self._number += 1
        kept = batch.take(rows)
        fresh = _Waiting(self._number, now_s, tenant, sequence, arrival_ms, late, rows, kept, _size(kept))
        self._waiting.append(fresh)
        self._size += fresh.size
        self._count(fresh, -len(rows))
        self._heard.set()
        self._settled.clear()
        while self._size > BYTES_MAX:
            self._give_up()

    def defined(self) -> None:
        """Note that tags have been defined: some of what waits may have its turn."""
        self._defined = True

    def come(self) -> Records:
        """Take the readings whose tags are known by now, in their order; to be called before any newer one is taken."""
        if not self._defined or not self._waiting:
            return joined([])
        self._defined = False
        found, left = [], []
        for each in self._waiting:
            unknown = self._state.values.unknown(each.batch.tag)
            if not unknown.all():
                found.append(self._take(each.take(~unknown)))
            if unknown.any():
                left.append(each.take(unknown))
        self._keep(left)
        return joined(found)

    async def run(self, came: Callable[[], None]) -> None:
        """Ask how far the definitions have gone while something waits, and call `came` when they have gone so far."""
        while True:
            await self._heard.wait()
            upto = self._number
            try:
                async with asyncio.timeout(ASK_S):
                    await self._caught_up()
            except (NatsError, TimeoutError) as error:
                log.warning("engine.definitions_wait", readings=len(self), reason=str(error) or type(error).__name__)
                oldest_s = asyncio.get_running_loop().time() - WAIT_S
                while self._waiting and self._waiting[0].heard_s < oldest_s:
                    self._give_up()
                await asyncio.sleep(RETRY_S)
            else:
                came()
                self._refuse(upto)

    async def settled(self) -> None:
        """Return once nothing waits."""
        await self._settled.wait()

    def _take(self, ready: _Waiting) -> Records:
        batch = ready.in_place()
        if ready.late:
            return self._state.update_late(batch, ready.tenant, ready.sequence, ready.arrival_ms)
        self._count(ready, len(ready.rows) - len(batch))
        return self._state.update(batch, ready.tenant, ready.sequence, ready.arrival_ms)

    def _refuse(self, upto: int) -> None:
        """Refuse what has waited since a question that has been answered."""
        refused: dict[str, list[npt.NDArray[np.uint32]]] = {}
        for each in self._waiting:
            if each.number <= upto:
                refused.setdefault(each.tenant, []).append(each.batch.tag)
                self._count(each, len(each.rows))
        for tenant, tags in refused.items():
            self._strangers.found(tenant, np.unique(np.concatenate(tags)))
            log.warning("engine.refused", tenant=tenant, readings=sum(map(len, tags)))
        self._keep([each for each in self._waiting if each.number > upto])

    def _give_up(self) -> None:
        oldest = self._waiting.popleft()
        self.given_up += len(oldest.rows)
        self._count(oldest, len(oldest.rows))
        log.warning("engine.newcomers_given_up", tenant=oldest.tenant, readings=len(oldest.rows))
        self._size -= oldest.size
        self._settle()

    def _keep(self, waiting: Iterable[_Waiting]) -> None:
        self._waiting = deque(waiting)
        self._size = sum(each.size for each in self._waiting)
        self._settle()

    def _settle(self) -> None:
        if not self._waiting:
            self._heard.clear()
            self._settled.set()

    def _count(self, waiting: _Waiting, refused: int) -> None:
        if not waiting.late:
            # What is not taken from LATE is not counted at all.
            self._state.counts[kernels.FOREIGN] += refused


def _size(batch: SampleBatch) -> int:
    """Return how many bytes a message that waits takes, about."""
    texts = sum(TEXT_BYTES + len(text) for text in batch.value) if batch.column is Column.TEXT else 0
    return MESSAGE_BYTES + len(batch) * ROW_BYTES + texts
