"""Reading a stream in order from a given sequence, with a consumer that is thrown away and made anew at any doubt."""

from __future__ import annotations

import asyncio
import json
import secrets
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from mainspring.bus.connect import Bus
from mainspring.core.subjects import STREAMS

log = structlog.get_logger(__name__)

REQUEST_MESSAGES: Final = 256
REQUEST_BYTES: Final = 32 * 1024 * 1024
REQUEST_S: Final = 20.0
HEARTBEAT_S: Final = 5.0
SILENCE_S: Final = 11.0
INACTIVE_S: Final = 60.0
RETRY_S: Final = 0.5


class MadeAnewError(Exception):
    """The stream is not the one it was: it was deleted and made again, its sequences count from one."""


class WentBackError(Exception):
    """The stream has lost messages that were read, and gives their sequences to others."""


def mark_of(message: Msg) -> str:
    """Return what tells a message from another that has its sequence."""
    return f"{message.subject} {zlib.crc32(message.data):08x}"


class Reader:
    """Messages of one stream in the order of their sequences, none left out; ends only when cancelled.

    `missing` hears of sequences that the bus does not have any more although they were never read.
    """

    def __init__(self, bus: Bus, stream: str, missing: Callable[[int, int], None]) -> None:
        self._bus = bus
        self.stream = stream
        self._missing = missing
        self._subscription: Subscription | None = None
        self._consumer = ""
        self._expected = 0
        self._wanted = 0
        self._after = 0
        self._mark: str | Msg = ""
        self._known = False
        self._heard_s = 0.0
        self._incarnation = ""
        self.last = 0
        """The last sequence of the stream when it was last looked at."""

    async def incarnation(self) -> str:
        """Wait for the stream and return what tells it from an earlier or later one of the same name."""
        while True:
            try:
                self._incarnation = await self._incarnation_now()
            except (NatsError, TimeoutError) as error:
                log.warning("history.stream_waits", stream=self.stream, reason=repr(error))
                await asyncio.sleep(RETRY_S)
            else:
                return self._incarnation

    async def seek(self, after: int, mark: str = "") -> None:
        """Read on behind sequence `after`, whose message has this mark if it is known."""
        await self.close()
        self._after, self._mark = after, mark

    async def next(self, timeout_s: float) -> tuple[int, Msg] | None:
        """Return the next message and its sequence, or None when none came in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while (left := deadline - loop.time()) > 0:
            try:
                if self._subscription is None:
                    await self._open()
                if self._wanted <= 0:
                    await self._request()
                message = await self._message(left)
            except (NatsError, TimeoutError, ConnectionError) as error:
                log.warning("history.reader_renewed", stream=self.stream, after=self._after, reason=repr(error))
                await self.close()
                await asyncio.sleep(min(RETRY_S, left))
                continue
            if message is not None:
                return message
        return None

    async def renew(self) -> None:
        """Make the consumer anew soon: contact was lost and has returned, and it may not have outlived that."""
        self._heard_s = -SILENCE_S

    async def close(self) -> None:
        """Leave the stream; the server forgets the consumer by itself."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with suppress(NatsError, ConnectionError):
                await subscription.unsubscribe()

    async def _incarnation_now(self) -> str:
        found = await self._bus.js.stream_info(self.stream)
        created, self.last = found.created, found.state.last_seq
        return f"{self.stream}@{int(created.timestamp() * 1000) if created else 0}"

    async def _open(self) -> None:
        if await self._incarnation_now() != self._incarnation:
            raise MadeAnewError
        if self.last < self._after:
            raise WentBackError
        # The message read last comes once more, to see that it is the same.
        self._known = bool(self._mark)
        self._consumer = f"historian-{secrets.token_hex(4)}"
        config = ConsumerConfig(
            name=self._consumer,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._after if self._known else self._after + 1,
            ack_policy=AckPolicy.NONE,
            filter_subject=STREAMS[self.stream][0],
            inactive_threshold=INACTIVE_S,
            mem_storage=True,
            num_replicas=1,
        )
        await self._bus.js.add_consumer(self.stream, config)
        self._expected = 1
        self._wanted = 0
        self._heard_s = asyncio.get_running_loop().time()
        self._subscription = await self._bus.nc.subscribe(self._bus.nc.new_inbox())

    async def _request(self) -> None:
        assert self._subscription is not None
        request = {
            "batch": REQUEST_MESSAGES,
            "max_bytes": REQUEST_BYTES,
            "expires": int(REQUEST_S * 1e9),
            "idle_heartbeat": int(HEARTBEAT_S * 1e9),
        }
        self._wanted = REQUEST_MESSAGES
        await self._bus.nc.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self._consumer}",
            json.dumps(request).encode(),
            reply=self._subscription.subject,
        )

    async def _message(self, left_s: float) -> tuple[int, Msg] | None:
        """Take one message; None for a sign of life. Raises TimeoutError if the server has fallen silent."""
        assert self._subscription is not None
        now_s = asyncio.get_running_loop().time
        silent_at_s = self._heard_s + SILENCE_S
        try:
            message = await self._subscription.next_msg(timeout=max(0.001, min(left_s, silent_at_s - now_s())))
        except TimeoutError:
            if now_s() >= silent_at_s:
                raise
            return None
        self._heard_s = now_s()
        status = (message.headers or {}).get("Status") if not message.data else None
        if status == "100":
            return None
        if status in {"404", "408", "409"}:
            described = (message.headers or {}).get("Description", "")
            if "Deleted" in described or "Shutdown" in described or "Leadership" in described:
                raise ConnectionError(described)
            self._wanted = 0
            return None
        if status is not None:
            raise ConnectionError(status)
        sequence = message.metadata.sequence
        if sequence.consumer != self._expected:
            raise ConnectionError(f"message {self._expected} of the consumer is missing")
        self._expected += 1
        self._wanted -= 1
        known, self._known = self._known, False
        if known and sequence.stream == self._after:
            # Made when it is wanted: over every message it takes a twentieth of the historian's time.
            if mark_of(message) != (self._mark if isinstance(self._mark, str) else mark_of(self._mark)):
                raise WentBackError
            return None
        if self._after and sequence.stream > self._after + 1:
            self._missing(self._after + 1, sequence.stream - 1)
        self._after, self._mark = sequence.stream, message
        return sequence.stream, message
