"""Transitions on their way to the stream of alarms: in order, none lost, in bounded memory."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.text import Text
from mainspring.engine.alarms import Records, event_ids, event_of

log = structlog.get_logger(__name__)

POSITION_HEADER: Final = "Ms-Position"
"""How far the engine had read LIVE when the transition happened: a restart redoes it at the same place."""
WINDOW: Final = 500
"""Transitions sent at a time, in one atomic batch; the server takes at most 1,000."""
SLICE: Final = 100
"""Transitions put into words at a time; readings are taken in between."""
ANSWER_S: Final = 5.0
RETRY_S: Final = 0.5

_REFUSED: Final = Text(
    "The stream of alarms takes no transitions ({reason}); {waiting} wait in memory and reading stops when they are "
    "too many. Free disk space, or look at `mainspring status`.",
    "报警流不接收状态变化（{reason}），内存中有 {waiting} 条等待，过多时将停止读取。"
    "请释放磁盘空间，或查看 `mainspring status`。",
)


@dataclass(slots=True)
class _Entry:
    """Transitions that happened together."""

    position: int
    events: Records
    by: str
    comment: str
    until_ms: int | None = None
    sent: int = 0


@dataclass(frozen=True, slots=True)
class _Post:
    """One transition, ready to go."""

    subject: str
    payload: bytes
    headers: dict[str, str]


class Outbox:
    """A bounded queue with its own task; who fills it waits for `room` first, so that nothing is ever dropped."""

    def __init__(self, bus: Bus, tenants: Sequence[str], reasons: Sequence[str], transitions_max: int) -> None:
        self._bus = bus
        self._tenants = tenants
        self._reasons = reasons
        self._transitions_max = transitions_max
        self._entries: deque[_Entry] = deque()
        self._filled = asyncio.Event()
        self._moved = asyncio.Condition()
        self._settling: list[tuple[int, asyncio.Future[int]]] = []
        self._answers: dict[str, int] = {}
        self._expected = 0
        self._attempt = 0
        self._answered = asyncio.Event()
        self._inbox = bus.nc.new_inbox()
        self.put_count = 0
        self.sent_count = 0
        self.sequence = 0
        self.trouble: Text | None = None

    @property
    def waiting(self) -> int:
        """How many transitions are not in the stream yet."""
        return self.put_count - self.sent_count

    def put(self, position: int, events: Records, by: str = "", comment: str = "", until_ms: int | None = None) -> int:
        """Queue transitions without waiting; return the ticket to be given to `settled`."""
        if len(events):
            self._entries.append(_Entry(position, events, by, comment, until_ms))
            self.put_count += len(events)
            self._filled.set()
        return self.put_count

    async def room(self) -> None:
        """Wait until there is room for more."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.waiting < self._transitions_max)

    async def settled(self, ticket: int) -> int:
        """Wait until everything up to a ticket is in the stream; return the sequence of the last of it."""
        if self.sent_count >= ticket:
            return self.sequence
        settled: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._settling.append((ticket, settled))
        return await settled

    async def run(self) -> None:
        """Send, in order, for ever."""
        answers = await self._bus.nc.subscribe(f"{self._inbox}.*.*", cb=self._on_answer)
        try:
            while True:
                await self._filled.wait()
                window = await self._window()
                if not window:
                    self._filled.clear()
                    continue
                await self._send(window)
                self.sent_count += len(window)
                for ticket, settled in self._settling:
                    if ticket <= self.sent_count and not settled.done():
                        settled.set_result(self.sequence)
                self._settling = [each for each in self._settling if not each[1].done()]
                async with self._moved:
                    self._moved.notify_all()
        finally:
            await answers.unsubscribe()

    async def _window(self) -> list[_Post]:
        """Take the oldest transitions of one entry: a window never joins what happened at different times."""
        while self._entries and self._entries[0].sent == len(self._entries[0].events):
            self._entries.popleft()
        if not self._entries:
            return []
        entry = self._entries[0]
        events = entry.events[entry.sent : entry.sent + WINDOW]
        entry.sent += len(events)
        posts: list[_Post] = []
        for record, identity in zip(events, event_ids(events), strict=True):
            if len(posts) % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            comment = entry.comment or self._reasons[record["reason"]]
            event = event_of(record, identity, entry.by, comment, entry.until_ms)
            headers = {"Nats-Msg-Id": identity, POSITION_HEADER: str(entry.position)}
            subject = subjects.alarm(self._tenants[record["tenant"]])
            posts.append(_Post(subject, event.model_dump_json().encode(), headers))
        return posts

    async def _send(self, posts: list[_Post]) -> None:
        """Send until all are confirmed; what was stored already is recognised by its id."""
        if len(posts) > 1 and await self._send_at_once(posts):
            self.trouble = None
            return
        while posts:
            posts, reason = await self._send_singly(posts)
            if posts:
                self.trouble = _REFUSED.format(reason=reason or "refused", waiting=self.waiting)
                log.warning("engine.alarms_wait", text=str(self.trouble))
                await asyncio.sleep(RETRY_S)
        self.trouble = None

    async def _send_at_once(self, posts: list[_Post]) -> bool:
        """Send as one atomic batch; False if the server refused it, as it does when one of them is stored already."""
        batch = secrets.token_hex(16)
        headers = [post.headers | {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(index)}
                   for index, post in enumerate(posts, start=1)]  # fmt: skip
        last = posts[-1]
        try:
            for post, marked in zip(posts[:-1], headers[:-1], strict=True):
                await self._bus.nc.publish(post.subject, post.payload, headers=marked)
            commit = headers[-1] | {"Nats-Batch-Commit": "1"}
            answer = await self._bus.nc.request(last.subject, last.payload, timeout=ANSWER_S, headers=commit)
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("engine.batch_failed", reason=str(error) or type(error).__name__)
            return False
        confirmed = json.loads(answer.data)
        if "error" in confirmed:
            log.info("engine.batch_refused", reason=confirmed["error"].get("description"))
            return False
        self.sequence = int(confirmed["seq"])
        return True

    async def _send_singly(self, posts: list[_Post]) -> tuple[list[_Post], str]:
        """Send each by itself; return those that were not confirmed, and why."""
        self._attempt += 1
        self._answers = {}
        self._expected = len(posts)
        self._answered.clear()
        replies = [f"{self._inbox}.{self._attempt}.{index}" for index in range(len(posts))]
        reason = ""
        try:
            for post, reply in zip(posts, replies, strict=True):
                await self._bus.nc.publish(post.subject, post.payload, reply=reply, headers=post.headers)
            await asyncio.wait_for(self._answered.wait(), ANSWER_S)
        except (NatsError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
        stored = [self._answers.get(reply, 0) for reply in replies]
        self.sequence = max(self.sequence, *stored)
        return [post for post, sequence in zip(posts, stored, strict=True) if not sequence], reason

    async def _on_answer(self, answer: Msg) -> None:
        # An answer without a sequence, or none at all ("no responders"), leaves the transition to be sent again.
        confirmed = json.loads(answer.data) if answer.data else {}
        if answer.subject.startswith(f"{self._inbox}.{self._attempt}."):
            self._answers[answer.subject] = int(confirmed.get("seq", 0))
        if len(self._answers) >= self._expected:
            self._answered.set()
