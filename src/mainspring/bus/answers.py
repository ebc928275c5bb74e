"""Requests and answers on the bus: errors travel as themselves, long answers in chunks the asker keeps pace with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from mainspring.core.errors import LimitExceeded, MainspringError, NotConnected, error_of
from mainspring.core.tasks import ended
from mainspring.core.text import Text
from mainspring.core.tracing import carried, span

log = structlog.get_logger(__name__)

ASK_TIMEOUT_S: Final = 5.0
CHUNK_BYTES_MAX: Final = 1024 * 1024
ERROR_HEADER: Final = "Ms-Error"
MORE_HEADER: Final = "Ms-More"

Answer = bytes | AsyncIterator[bytes]
Handler = Callable[[str, bytes], Awaitable[Answer]]

_SILENT: Final = Text(
    "{subject} did not answer within {seconds:g} s. Look at `mainspring status` for the role that serves it.",
    "{subject} 在 {seconds:g} 秒内未应答，请用 `mainspring status` 查看相应角色。",
)
_NOBODY: Final = Text(
    "Nobody answers {subject}: the role that serves it is not running. Look at `mainspring status`.",
    "{subject} 无人应答：相应角色未运行，请查看 `mainspring status`。",
)
_BUSY: Final = Text(
    "{subject} has {limit} requests under way already. Ask again in a moment.",
    "{subject} 已有 {limit} 个请求在处理，请稍后再试。",
)
_BROKEN: Final = Text(
    "The answer to {subject} failed inside ({reason}). The log of the role has the details.",
    "{subject} 的应答内部出错（{reason}），详见该角色日志。",
)


async def asked_chunks(nc: Client, subject: str, payload: bytes, timeout_s: float) -> AsyncIterator[bytes]:
    """Ask and yield the chunks of the answer; each chunk is confirmed when taken, which paces the sender."""
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox)
    try:
        await nc.publish(subject, payload, reply=inbox, headers=carried() or None)
        while True:
            try:
                message = await subscription.next_msg(timeout=timeout_s)
            except (NatsError, TimeoutError) as error:
                raise NotConnected(_SILENT, subject=subject, seconds=timeout_s) from error
            headers = message.headers or {}
            if headers.get("Status") == "503":
                raise NotConnected(_NOBODY, subject=subject)
            if ERROR_HEADER in headers:
                raise error_of(json.loads(message.data))
            yield message.data
            if MORE_HEADER not in headers:
                return
            if message.reply:
                await message.respond(b"+")
    finally:
        await subscription.unsubscribe()


class Server:
    """Answers requests of one subject, a bounded number at a time."""

    def __init__(self, nc: Client, handler: Handler, concurrent_max: int) -> None:
        self._nc = nc
        self._handler = handler
        self._concurrent_max = concurrent_max
        self._tasks: set[asyncio.Task[None]] = set()

    async def on_request(self, request: Msg) -> None:
        """Take a request from the subscription; more than the limit are refused in words."""
        if not request.reply:
            return
        if len(self._tasks) >= self._concurrent_max:
            await self._refuse(request, LimitExceeded(_BUSY, subject=request.subject, limit=self._concurrent_max))
            return
        task = asyncio.create_task(self._answer(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cancel what is under way."""
        await ended(*self._tasks)

    async def _answer(self, request: Msg) -> None:
        with span(f"answer {request.subject}", request.headers or {}):
            await self._answer_traced(request)

    async def _answer_traced(self, request: Msg) -> None:
        try:
            answer = await self._handler(request.subject, request.data)
            if isinstance(answer, bytes):
                await self._send(request.reply, answer)
            else:
                await self._stream(request.reply, answer)
        except MainspringError as error:
            await self._refuse(request, error)
        except NatsError as error:
            # The asker has gone away; there is nobody to tell.
            log.info("bus.answer_dropped", subject=request.subject, reason=str(error))
        except Exception as error:
            log.exception("bus.answer_failed", subject=request.subject)
            text = _BROKEN.format(subject=request.subject, reason=type(error).__name__)
            await self._refuse(request, MainspringError(text))

    async def _send(self, inbox: str, answer: bytes) -> None:
        for start in range(0, len(answer) - CHUNK_BYTES_MAX, CHUNK_BYTES_MAX):
            await self._paced(inbox, answer[start : start + CHUNK_BYTES_MAX])
        rest = (len(answer) - 1) // CHUNK_BYTES_MAX * CHUNK_BYTES_MAX if answer else 0
        await self._nc.publish(inbox, answer[rest:])

    async def _stream(self, inbox: str, answer: AsyncIterator[bytes]) -> None:
        async for chunk in answer:
            for start in range(0, len(chunk), CHUNK_BYTES_MAX):
                await self._paced(inbox, chunk[start : start + CHUNK_BYTES_MAX])
        await self._nc.publish(inbox, b"")

    async def _paced(self, inbox: str, chunk: bytes) -> None:
        """Send one chunk that is not the last and wait until it was taken."""
        await self._nc.request(inbox, chunk, timeout=30, headers={MORE_HEADER: "1"})

    async def _refuse(self, request: Msg, error: MainspringError) -> None:
        body = json.dumps(error.document(), ensure_ascii=False).encode()
        await self._nc.publish(request.reply, body, headers={ERROR_HEADER: error.code})
