"""The ASGI application: Django behind a limit on the size of requests."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, cast

from mainspring.core.tracing import span
from mainspring.web.configure import current
from mainspring.web.faults import TOO_LARGE, TooLarge

_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def application() -> Application:
    """Make the application; `configure` must have been called. It runs in the event loop of its server."""
    import django

    from mainspring.web.middleware import Handler

    django.setup(set_prefix=False)
    return limited(traced(cast("Application", Handler())), current().request_bytes_max)


def traced(inner: Application) -> Application:
    """Continue the trace of whoever asks; the span's name is the path without ids."""

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = _ID.sub("{id}", scope["path"])
        with span(f"{scope['method']} {path}", carrier):
            await inner(scope, receive, send)

    return outer


def limited(inner: Application, bytes_max: int) -> Application:
    """Refuse requests larger than `bytes_max`, also those that do not tell their size beforehand."""

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        told = dict(scope.get("headers", ())).get(b"content-length", b"0")
        if not told.isdigit() or int(told) > bytes_max:
            await _refuse(send, bytes_max)
            return
        seen, started = 0, False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            # Django drops a request whose sender is gone, and closes what it had kept of it.
            return message if seen <= bytes_max else {"type": "http.disconnect"}

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        await inner(scope, counted, noted)
        if seen > bytes_max and not started:
            await _refuse(send, bytes_max)

    return outer


async def _refuse(send: Send, bytes_max: int) -> None:
    body = json.dumps(TooLarge(TOO_LARGE, limit=bytes_max // 2**20).document()).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
