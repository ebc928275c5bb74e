"""A tenant's definitions across accounts: a gateway asks the platform for what was stored since it last asked.

A consumer of one's own cannot be given to another account: who may create one may have it deliver onto any subject of
the platform. So the platform reads its bucket and answers pages; a notice without content says when to ask again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic import ValidationError

from mainspring.bus.answers import asked_chunks
from mainspring.bus.watch import LATE, PREFIX, RETRY_S, Changed, Given, Watcher
from mainspring.core import subjects
from mainspring.core.definitions import BUCKET, Since
from mainspring.core.errors import DecodeError, MainspringError, NotConnected
from mainspring.core.text import Text

if TYPE_CHECKING:
    from mainspring.bus.connect import Bus

log = structlog.get_logger(__name__)

T = TypeVar("T")
PAGE_BYTES: Final = 2 * 1024 * 1024
PAGE_ENTRIES: Final = 2_000
ASK_S: Final = 30.0
"""How long a page may take, and how often is asked without a notice: one may be lost with the contact."""
GATHER_S: Final = 0.02
"""Changes this close together are asked for at once."""
CONCURRENT_MAX: Final = 16

_MALFORMED: Final = Text("A request for definitions must say since when: {reason}.", "请求定义时须说明起点：{reason}。")


@dataclass(frozen=True, slots=True)
class Entry:
    """One definition as stored: key, place in the bucket, and document, None where it was withdrawn."""

    key: str
    sequence: int
    document: bytes | None


@dataclass(frozen=True, slots=True)
class Page:
    """Definitions in the order they were stored.

    `made` names the bucket, `after` is the place this page begins behind, `upto` the one it reaches.
    """

    made: str
    after: int
    upto: int
    more: bool
    entries: Sequence[Entry]

    def encode(self) -> bytes:
        """Return the message: one line of JSON, then the documents."""
        listed = [
            (each.key, each.sequence, None if each.document is None else len(each.document)) for each in self.entries
        ]
        head = {"made": self.made, "after": self.after, "upto": self.upto, "more": self.more, "entries": listed}
        return b"".join([json.dumps(head).encode(), b"\n", *(each.document or b"" for each in self.entries)])

    @classmethod
    def decode(cls, message: bytes) -> Page:
        """Read a page."""
        line, _, documents = message.partition(b"\n")
        head = json.loads(line)
        entries, start = [], 0
        for key, sequence, size in head.pop("entries"):
            entries.append(Entry(key, sequence, None if size is None else documents[start : start + size]))
            start += size or 0
        return cls(**head, entries=entries)


async def serve_definitions(bus: Bus) -> None:
    """Answer `ms.<tenant>.definitions` for every tenant, in each process that may read the whole bucket."""

    async def answer(subject: str, payload: bytes) -> bytes:
        try:
            since = Since.model_validate_json(payload)
        except ValidationError as error:
            raise DecodeError(_MALFORMED, reason=error.errors()[0]["msg"]) from error
        return (await _page(bus, subjects.tenant_of(subject), since)).encode()

    await bus.serve(subjects.definitions("*"), answer, queue="definitions", concurrent_max=CONCURRENT_MAX)


async def _page(bus: Bus, tenant: str, since: Since) -> Page:
    bucket = await bus.js.stream_info(f"KV_{BUCKET}")
    made, last = str(bucket.created), bucket.state.last_seq
    after = since.after if since.made == made and since.after <= last else 0
    entries, left = await _stored(bus.nc, after, f"{PREFIX}{tenant}.>")
    upto = entries[-1].sequence if left else max(last, after, *(each.sequence for each in entries))
    return Page(made, after, upto, left, entries)


async def _stored(nc: Client, after: int, subject: str) -> tuple[list[Entry], bool]:
    """Read what lies in the bucket after a place, and whether there is more of it."""
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox)
    request = {"seq": after + 1, "next_by_subj": subject, "batch": PAGE_ENTRIES, "max_bytes": PAGE_BYTES}
    entries: list[Entry] = []
    left = 0
    try:
        await nc.publish(f"$JS.API.DIRECT.GET.KV_{BUCKET}", json.dumps(request).encode(), reply=inbox)
        while True:
            message = await subscription.next_msg(timeout=ASK_S)
            headers = message.headers or {}
            status = headers.get("Status", "")
            if status == "404":
                return entries, False
            if status == "204":
                return entries, left > 0
            if status:
                raise NotConnected(LATE, seconds=ASK_S)
            left = int(headers["Nats-Num-Pending"])
            gone = headers.get("KV-Operation") in {"DEL", "PURGE"}
            key = headers["Nats-Subject"].removeprefix(PREFIX)
            entries.append(Entry(key, int(headers["Nats-Sequence"]), None if gone else message.data))
    finally:
        await subscription.unsubscribe()


class TenantWatch(Watcher):
    """Watches the definitions of one tenant, asking from an account that has no bucket."""

    def __init__(self, nc: Client, tenant: str, changed: Changed) -> None:
        super().__init__(Given(changed))
        self._nc = nc
        self._tenant = tenant
        self._since = Since()
        self._asked = asyncio.Event()

    def renew(self) -> None:
        """Ask now instead of at the next turn."""
        self._asked.set()

    async def _run(self) -> None:
        async def on_notice(_notice: Msg) -> None:
            self._asked.set()

        subscription = await self._retried(lambda: self._nc.subscribe(subjects.defined(self._tenant), cb=on_notice))
        try:
            while True:
                self._asked.clear()
                await self._retried(self._fetch)
                self._complete.set()
                with suppress(TimeoutError):
                    # Not `wait_for`: before Python 3.12 it may swallow being cancelled.
                    async with asyncio.timeout(ASK_S):
                        await self._asked.wait()
                    await asyncio.sleep(GATHER_S)
        finally:
            with suppress(NatsError):
                await subscription.unsubscribe()

    async def _retried(self, attempt: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await attempt()
            except (MainspringError, NatsError, TimeoutError) as error:
                log.warning("watch.waits", tenant=self._tenant, reason=str(error) or type(error).__name__)
                await asyncio.sleep(RETRY_S)

    async def _fetch(self) -> None:
        """Ask until nothing is left; what a bucket made anew does not have is withdrawn at its end."""
        seen: set[str] = set()
        whole = False
        while True:
            request = self._since.model_dump_json().encode()
            subject = subjects.definitions(self._tenant)
            page = Page.decode(b"".join([part async for part in asked_chunks(self._nc, subject, request, ASK_S)]))
            if page.after == 0:
                whole = True
                seen.clear()
            for entry in page.entries:
                (seen.discard if entry.document is None else seen.add)(entry.key)
                self._given.give(entry.key, entry.document, entry.sequence)
            self._since = Since(made=page.made, after=page.upto)
            if not page.more:
                break
        if whole:
            self._given.keep(seen)
