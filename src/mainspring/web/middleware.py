"""Django's way through a request, without threads where nothing in it may wait.

Django hands every synchronous step of an asynchronous request to a thread that it makes for that request: seven times
there and back, which takes longer than most answers, and far longer where the processor is busy.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware

THREADS_MAX: Final = 12
"""Requests that ask the records at the same moment, each with a connection; more of them wait for their turn."""


class _Threads(ThreadPoolExecutor):
    """Threads whose connections are looked at after each step: Django looks at that of whichever ends a request."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a step done."""

        def done() -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                close_old_connections()

        return super().submit(done)


class Handler(ASGIHandler):
    """Has the synchronous steps of all requests done by a few threads, which keep their connections to the records."""

    def __init__(self) -> None:
        for tidy in (close_old_connections, reset_queries):
            request_started.disconnect(tidy)
        request_finished.disconnect(close_old_connections)
        self._threads = _Threads(THREADS_MAX, thread_name_prefix="web")
        super().__init__()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request; its steps may be done by different threads, for no transaction goes beyond one."""
        async with ThreadSensitiveContext(executor=self._threads):
            await self.handle(scope, receive, send)


class Sessions(SessionMiddleware):
    """Django's sessions; only storing one asks the database."""

    def process_request(self, request: HttpRequest) -> None:
        """Open the session, and tell it from where it is used."""
        super().process_request(request)
        address, agent = str(request.META.get("REMOTE_ADDR") or ""), request.headers.get("User-Agent", "")
        request.session.comes_from(address, agent)  # type: ignore[attr-defined]

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
