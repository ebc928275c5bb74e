"""Reading a stream in order from a position of one's own, at one's own pace, with each message at once."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from mainspring.bus.connect import Bus

log = structlog.get_logger(__name__)

EXPIRES_S: Final = 30.0
HEARTBEAT_S: Final = 2.0
INACTIVE_S: Final = 60.0
RETRY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream; `behind` is how many lie after it."""

    sequence: int
    arrival_ms: int
    subject: str
    payload: bytes
    headers: Mapping[str, str]
    behind: int


async def read(bus: Bus, stream: str, pattern: str, first: int, ahead: int) -> AsyncGenerator[Message, None]:
    """Yield the messages of a stream from sequence `first` on, without end; `ahead` are under way at most.

    Nothing is acknowledged: the position is the caller's. A lost contact or consumer is replaced at the place reached.
    """
    position = first - 1
    while True:
        try:
            async with aclosing(_once(bus, stream, pattern, position, ahead)) as messages:
                async for message in messages:
                    position = message.sequence
                    yield message
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("engine.reading_again", stream=stream, position=position, reason=_reason(error))
        await asyncio.sleep(RETRY_S)
        with suppress(NatsError, OSError, TimeoutError):
            last = (await bus.js.stream_info(stream)).state.last_seq
            if last < position:
                # A stream that was lost or made anew counts from a lower number again.
                log.warning("engine.stream_went_back", stream=stream, position=position, last=last)
                position = last


async def _once(bus: Bus, stream: str, pattern: str, position: int, ahead: int) -> AsyncGenerator[Message, None]:
    """Read through one consumer until it is lost."""
    name = f"{bus.name}-{secrets.token_hex(6)}"
    await bus.js.add_consumer(
        stream,
        ConsumerConfig(
            name=name,
            filter_subject=pattern,
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=position + 1,
            inactive_threshold=INACTIVE_S,
            mem_storage=True,
        ),
    )
    inbox = bus.nc.new_inbox()
    subscription = await bus.nc.subscribe(inbox)
    try:
        next_subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"
        async with aclosing(_pull(bus, subscription, next_subject, inbox, ahead)) as messages:
            async for message in messages:
                yield message
    finally:
        with suppress(NatsError, OSError, TimeoutError):
            await subscription.unsubscribe()
            await bus.nc.publish(f"$JS.API.CONSUMER.DELETE.{stream}.{name}")


async def _pull(
    bus: Bus, subscription: Subscription, next_subject: str, inbox: str, ahead: int
) -> AsyncGenerator[Message, None]:
    """Keep requests for messages under way; ends when the consumer is gone or messages were lost on the way."""
    asked = 0
    delivered = 0
    while True:
        if asked <= ahead // 2:
            request = {
                "batch": ahead - asked,
                "expires": int(EXPIRES_S * 1e9),
                "idle_heartbeat": int(HEARTBEAT_S * 1e9),
            }
            await bus.nc.publish(next_subject, json.dumps(request).encode(), reply=inbox)
            asked = ahead
        message = await subscription.next_msg(timeout=2 * HEARTBEAT_S)
        status = (message.headers or {}).get("Status")
        if status is None:
            asked -= 1
            delivered += 1
            if message.metadata.sequence.consumer != delivered:
                return
            yield _message(message)
        elif status == "408":
            asked -= int((message.headers or {}).get("Nats-Pending-Messages", ahead))
        elif status != "100":
            return


def _message(message: Msg) -> Message:
    metadata = message.metadata
    return Message(
        metadata.sequence.stream,
        int(metadata.timestamp.timestamp() * 1000),
        message.subject,
        message.data,
        message.headers or {},
        metadata.num_pending,
    )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
