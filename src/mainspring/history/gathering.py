"""Messages of a stream on their way into the store: decoded, and checked whose they are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic import ValidationError

from mainspring.bus.strangers import Strangers
from mainspring.core import subjects
from mainspring.core.alarms import AlarmEvent
from mainspring.core.errors import DecodeError
from mainspring.core.health import Foreign
from mainspring.core.history import Entry
from mainspring.core.samples import SampleBatch, decode
from mainspring.history.ownership import NOBODY, Ownership
from mainspring.history.reading import Reader, mark_of

log = structlog.get_logger(__name__)

CaughtUp = Callable[[], Awaitable[None]]
CAUGHT_UP_S: Final = 60.0
RETRY_S: Final = 1.0
FOREIGN_MAX: Final = 1000
"""Gateways whose foreign tags are reported, those with most first."""
BATCH_BYTES_MAX: Final = 64 * 1024 * 1024
STORED_S: Final = 2.0
"""What is gathered at once should be stored within this: until then its room in the bus is taken."""
ROWS_LEAST: Final = 50_000


@dataclass(slots=True)
class Gathered:
    """Messages of one stream on their way into the store."""

    first: int = 0
    last: int = 0
    rows: int = 0
    size: int = 0
    sent_ms: int = 0
    newest: Msg | None = None
    numbers: dict[int, tuple[str, int]] = field(default_factory=dict)
    """By sequence, the gateway and its own number of the batch."""
    entries: list[Entry] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """What tells the newest message from another that has its sequence."""
        return "" if self.newest is None else mark_of(self.newest)


class Pace:
    """How many rows of a stream are gathered at once: as many as were last seen to be stored in good time."""

    def __init__(self, rows_max: int) -> None:
        self.rows = self._rows_max = rows_max

    def stored(self, rows: int, took_s: float) -> None:
        """Note how long it took until so many rows were stored."""
        if rows >= self.rows // 2 and took_s > STORED_S:
            self.rows = max(ROWS_LEAST, int(rows * STORED_S / took_s))
        elif took_s < STORED_S / 2:
            self.rows = min(2 * self.rows, self._rows_max)


class Gathering:
    """Turns messages into what is stored, and counts what is not."""

    def __init__(self, owners: Ownership, caught_up: CaughtUp, rows_max: int) -> None:
        self._owners = owners
        self._caught_up = caught_up
        self._strangers = Strangers()
        self.paces = {stream: Pace(rows_max) for stream in subjects.STREAMS}
        self._foreign: Counter[tuple[str, str]] = Counter()
        self.last_on: dict[str, dict[str, int]] = {stream: {} for stream in subjects.STREAMS}
        """By stream and subject, the last sequence taken."""
        self.refused = self.malformed = 0

    async def gather(self, reader: Reader, gather_s: float) -> Gathered:
        """Gather messages for a while, or until there are many."""
        gathered = Gathered()
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + gather_s
        rows_max = self.paces[reader.stream].rows
        while gathered.rows < rows_max and gathered.size < BATCH_BYTES_MAX:
            message = await reader.next(ends_s - loop.time())
            if message is None:
                break
            await self.take(gathered, *message)
        return gathered

    async def take(self, gathered: Gathered, sequence: int, message: Msg) -> None:
        """Add one message."""
        stream = message.metadata.stream
        self.last_on[stream][message.subject] = sequence
        gathered.first = gathered.first or sequence
        gathered.last = sequence
        gathered.newest = message
        if (number := (message.headers or {}).get(subjects.SEQUENCE_HEADER, "")).isdigit():
            gathered.numbers[sequence] = (subjects.sender(message.subject), int(number))
        gathered.size += len(message.data)
        gathered.sent_ms = int(message.metadata.timestamp.timestamp() * 1000)
        tenant = subjects.tenant_of(message.subject)
        try:
            if stream == subjects.ALARM:
                await self._take_event(gathered, tenant, message.data)
            else:
                await self._take_batch(gathered, sequence, message.subject, decode(message.data))
        except (DecodeError, ValidationError) as error:
            self.malformed += 1
            log.warning("history.malformed", subject=message.subject, sequence=sequence, reason=str(error)[:300])

    def foreign(self) -> tuple[Foreign, ...]:
        """Return whose gateways sent foreign tags, those with most first."""
        return tuple(
            Foreign(tenant=tenant, gateway=gateway, samples=samples)
            for (tenant, gateway), samples in self._foreign.most_common(FOREIGN_MAX)
        )

    async def _take_batch(self, gathered: Gathered, sequence: int, subject: str, batch: SampleBatch) -> None:
        _, tenant, _, gateway = subject.split(".")
        place = self._owners.place(tenant)
        owner = self._owners.of(batch.tag)
        own = owner == place
        if not owner.all() and await self._renewed(tenant, batch.tag[owner == NOBODY]):
            own = self._owners.of(batch.tag) == place
        number = await self._number(tenant)
        if number is None or not own.all():
            kept = batch.take(own if number is not None else np.zeros(len(batch), dtype=np.bool_))
            self.refused += len(batch) - len(kept)
            self._foreign[tenant, gateway] += len(batch) - len(kept)
            log.warning("history.refused", tenant=tenant, gateway=gateway, samples=len(batch) - len(kept))
            batch = kept
        if number is not None and len(batch):
            gathered.entries.append(Entry(sequence, number, batch, gathered.sent_ms))
            gathered.rows += len(batch)

    async def _take_event(self, gathered: Gathered, tenant: str, message: bytes) -> None:
        event = AlarmEvent.model_validate_json(message)
        number = await self._number(tenant)
        if number is None:
            self.refused += 1
            return
        row = event.model_dump(mode="json")
        row |= {"tenant": number, "time": row.pop("time_ms"), "raised": row.pop("raised_ms")}
        gathered.events.append(row)

    async def _number(self, tenant: str) -> int | None:
        if self._owners.number(tenant) is None:
            await self._renewed(tenant, np.zeros(0, np.uint32))
        return self._owners.number(tenant)

    async def _renewed(self, tenant: str, unknown: npt.NDArray[np.uint32]) -> bool:
        """Wait until all is known that was defined before these tags, or their tenant, were heard of; False if it was.

        Whoever sends a reading had its definition before; under load it may come here long after the reading.
        """
        if not self._strangers.worth_asking(tenant, unknown, asyncio.get_running_loop().time()):
            return False
        while True:
            try:
                async with asyncio.timeout(CAUGHT_UP_S):
                    await self._caught_up()
                break
            except (NatsError, TimeoutError) as error:
                # Nothing is refused on a guess: the bus keeps what waits.
                log.warning("history.definitions_wait", tenant=tenant, reason=str(error) or type(error).__name__)
                await asyncio.sleep(RETRY_S)
        strangers = unknown[self._owners.of(unknown) == NOBODY]
        if len(strangers) or self._owners.number(tenant) is None:
            self._strangers.found(tenant, strangers)
        return True
