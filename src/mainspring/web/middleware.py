"""Django's way through a request, without threads where nothing in it may wait.

Django hands every synchronous step of an asynchronous request to a thread that it makes for that request: seven times
there and back, which takes longer than most answers, and far longer where the processor is busy.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware

IDLE_MAX: Final = 16
"""Threads kept for further requests; those of more requests at a time end with them."""


class Handler(ASGIHandler):
    """Lends each request a thread that served others before."""

    def __init__(self) -> None:
        # Connections are closed at the end of every request: at the beginning of the next there is nothing to do.
        for tidy in (close_old_connections, reset_queries):
            request_started.disconnect(tidy)
        self._idle: list[ThreadPoolExecutor] = []
        super().__init__()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="web")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            if len(self._idle) < IDLE_MAX:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)


class Sessions(SessionMiddleware):
    """Django's sessions; only storing one asks the database."""

    async def __acall__(self, request: HttpRequest) -> HttpResponse:
        self.process_request(request)
        response: HttpResponse = await self.get_response(request)  # type: ignore[misc]
        if request.session.modified:
            return await sync_to_async(self.process_response)(request, response)
        return self.process_response(request, response)


class Forgery(CsrfViewMiddleware):
    """Django's protection against forged requests, which reads and writes nothing but the request."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if self.async_mode:
            self.process_view = self._process_view  # type: ignore[method-assign,assignment]

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        self.process_request(request)
        response: HttpResponseBase = await self.get_response(request)  # type: ignore[misc]
        return self.process_response(request, response)

    async def _process_view(self, request: HttpRequest, view: Any, arguments: Any, named: Any) -> HttpResponse | None:
        return CsrfViewMiddleware.process_view(self, request, view, arguments, named)
