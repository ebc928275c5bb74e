"""Watching the definitions that records publish, across lost contacts and restarts of the bus."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from pydantic import ValidationError

from mainspring.core.definitions import BUCKET, Definition, parse
from mainspring.core.errors import NotConnected
from mainspring.core.tasks import ended
from mainspring.core.text import Text

log = structlog.get_logger(__name__)

Changed = Callable[[str, Definition | None], None]
Raw = Callable[[str, bytes], None]
"""Hears of a document as it is, instead of what it says."""
RETRY_S: Final = 1.0
START_TIMEOUT_S: Final = 30.0
HEARTBEAT_S: Final = 5.0
ASK_AGAIN_S: Final = 0.5
PREFIX: Final = f"$KV.{BUCKET}."

LATE: Final = Text(
    "No definitions arrived for {seconds:g} s. The bus is slow or its bucket `definitions` is missing.",
    "配置定义在 {seconds:g} 秒内没有到达：总线过慢，或缺少 `definitions` 存储桶。",
)


class Given:
    """What a watcher has been given: each document once, and again when it changed or went."""

    def __init__(self, changed: Changed, raw: Raw | None = None) -> None:
        self._changed = changed
        self._raw = raw
        self._revisions: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._revisions)

    def give(self, key: str, document: bytes | None, revision: int) -> None:
        """Give one document, or None for one that is gone, unless the watcher has it so already."""
        if document is None:
            if self._revisions.pop(key, None) is None:
                return
            definition = None
        else:
            if self._revisions.get(key) == revision:
                return
            self._revisions[key] = revision
            if self._raw is not None:
                self._raw(key, document)
                return
            try:
                definition = parse(key, document)
            except (ValueError, ValidationError, IndexError) as error:
                log.error("watch.unreadable", key=key, reason=str(error))
                return
        try:
            self._changed(key, definition)
        except Exception:
            log.exception("watch.callback_failed", key=key)

    def keep(self, seen: Collection[str]) -> None:
        """Withdraw all but what was seen."""
        for key in self._revisions.keys() - set(seen):
            self.give(key, None, 0)


class Watcher(ABC):
    """Gives every definition once, then every change; a document that did not change is not given again."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._complete = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def _run(self) -> None:
        """Give what is published, for ever; `_complete` is set once everything has been given."""

    @abstractmethod
    def renew(self) -> None:
        """Ask for what was stored meanwhile; called when contact has returned."""

    async def start(self) -> None:
        """Begin, and return when everything now published has been given."""
        self._task = asyncio.create_task(self._run())
        known = -1
        while not self._complete.is_set():
            if len(self._given) == known:
                await self.stop()
                raise NotConnected(LATE, seconds=START_TIMEOUT_S)
            known = len(self._given)
            with suppress(TimeoutError):
                async with asyncio.timeout(START_TIMEOUT_S):
                    await self._complete.wait()

    async def stop(self) -> None:
        """End watching."""
        if self._task is not None:
            await ended(self._task)


class Watch(Watcher):
    """Watches the bucket itself, with a consumer of its own."""

    def __init__(
        self,
        nc: Client,
        js: JetStreamContext,
        keys: str,
        changed: Changed,
        raw: Raw | None = None,
    ) -> None:
        super().__init__(Given(changed, raw))
        self._nc = nc
        self._js = js
        self._keys = keys
        self._following: asyncio.Task[None] | None = None
        self._consumer = ""
        self._delivered = 0
        self._moved = asyncio.Event()

    def renew(self) -> None:
        """Ask for everything again and give the differences."""
        if self._following is not None:
            self._following.cancel()

    async def caught_up(self) -> None:
        """Return once everything that was published before the call has been given; raises NatsError, TimeoutError."""
        loop = asyncio.get_running_loop()
        consumer, outstanding = "", 0
        while not consumer or self._delivered < outstanding:
            found = await self._js.consumer_info(f"KV_{BUCKET}", self._consumer)
            total = found.delivered.consumer_seq + (found.num_pending or 0)
            # The least counts: what came since the call is not waited for, what was withdrawn never comes.
            outstanding = min(outstanding, total) if consumer == found.name else total
            consumer = found.name
            ends_s = loop.time() + ASK_AGAIN_S
            while self._delivered < outstanding and self._consumer == consumer and loop.time() < ends_s:
                self._moved.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(ends_s):
                        await self._moved.wait()
            if self._consumer != consumer:
                consumer = ""

    async def _run(self) -> None:
        while True:
            inbox = self._nc.new_inbox()
            try:
                subscription = await self._nc.subscribe(inbox)
            except NatsError as error:
                log.warning("watch.waits", keys=self._keys, reason=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            self._following = asyncio.create_task(self._follow(subscription, inbox))
            try:
                # Waited for, not awaited: `renew` cancels it without cancelling this task.
                await asyncio.wait({self._following})
                if not self._following.cancelled():
                    self._following.result()
            except (NatsError, TimeoutError) as error:
                log.warning("watch.waits", keys=self._keys, reason=str(error) or type(error).__name__)
                await asyncio.sleep(RETRY_S)
            finally:
                self._following.cancel()
                with suppress(NatsError):
                    await subscription.unsubscribe()

    async def _follow(self, subscription: Subscription, inbox: str) -> None:
        """Give what a consumer of one's own delivers, until contact was lost or a delivery is missing."""
        # A named consumer with its filter in the request's subject is what rights can be bound to.
        consumer = await self._js.add_consumer(
            f"KV_{BUCKET}",
            ConsumerConfig(
                name=inbox.rsplit(".", 1)[1],
                deliver_subject=inbox,
                deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
                ack_policy=AckPolicy.NONE,
                filter_subject=f"{PREFIX}{self._keys}",
                mem_storage=True,
                num_replicas=1,
                inactive_threshold=60,
                idle_heartbeat=HEARTBEAT_S,
                # Hundreds of megabytes may wait in a large plant; the server must not run ahead of the reader.
                flow_control=True,
            ),
        )
        outstanding = consumer.num_pending or 0
        self._consumer, self._delivered = consumer.name, 0
        seen: set[str] = set()
        self._settle(seen, outstanding)
        while True:
            message = await subscription.next_msg(timeout=3 * HEARTBEAT_S)
            if message.headers and message.headers.get("Status") == "100":
                stalled = message.reply or message.headers.get("Nats-Consumer-Stalled")
                if stalled:
                    await self._nc.publish(stalled)
                continue
            metadata = message.metadata
            if metadata.sequence.consumer != self._delivered + 1:
                return
            key = message.subject.removeprefix(PREFIX)
            removed = bool(message.headers and message.headers.get("KV-Operation") in {"DEL", "PURGE"})
            if not removed and self._delivered < outstanding:
                seen.add(key)
            self._given.give(key, None if removed else message.data, metadata.sequence.stream)
            self._delivered += 1
            self._moved.set()
            self._settle(seen, outstanding - self._delivered)

    def _settle(self, seen: set[str], outstanding: int) -> None:
        """Once everything published has been given, withdraw what is no longer there."""
        if outstanding == 0:
            self._given.keep(seen)
            self._complete.set()
