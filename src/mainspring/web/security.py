"""Who asks, what they may do, and the headers every answer carries."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from mainspring.core.errors import NotAllowed
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records import credential
from mainspring.records.audit import Author
from mainspring.records.credential import Credential
from mainspring.records.rights import RIGHT_WORDS, ROLE_WORDS, Right, Role, least_role
from mainspring.records.tenant import Tenant
from mainspring.records.user import User
from mainspring.web.faults import FORGED, SIGN_IN, Forged, NotSignedIn, answer
from mainspring.web.known_tokens import known_tokens

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
API_PREFIX: Final = "/api/"
_MISSING: Final = Text(
    "This needs the right {right}, which the role {role} has. Ask your administrator.",
    "此操作需要“{right}”权限（{role}角色具有），请联系管理员。",
)
_OWN_PASSWORD: Final = Text(
    "Choose your own password first: POST /api/v1/session/password.",
    "请先设置自己的密码：POST /api/v1/session/password。",
)


class PasswordDue(NotAllowed):
    """The person still has the password someone else made."""

    code = "password-due"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who a request comes from: a person's session, or a token that acts for its owner."""

    tenant: Tenant
    role: Role
    pseudonym: UUID
    address: str
    user: User | None = None
    token: Credential | None = None

    @property
    def rights(self) -> frozenset[Right]:
        """What this actor may do: a token never more than its owner."""
        if self.token is not None and self.user is not None:
            return self.role.rights & Role(self.user.role).rights
        return self.role.rights

    @property
    def author(self) -> Author:
        """The actor as the records' audit names it."""
        return Author(self.tenant, self.pseudonym, self.address)

    def require(self, right: Right) -> None:
        """Raise NotAllowed, naming the right, unless the actor has it."""
        if right not in self.rights:
            raise NotAllowed(_MISSING, right=RIGHT_WORDS[right], role=ROLE_WORDS[least_role(right)])


class Needs(AuthBase):
    """The gate of an endpoint: `auth=Needs(Right.VIEW)`; works for sync and async endpoints alike.

    `even_with_due_password` lets people in who must change their password first.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, right: Right, *, even_with_due_password: bool = False) -> None:
        self.right = right
        self.even_with_due_password = even_with_due_password
        super().__init__()

    def __call__(self, request: HttpRequest) -> Actor:
        """Return the actor, who is then also `request.auth`; raises NotSignedIn, Forged or NotAllowed."""
        actor: Actor | None = getattr(request, "actor", None)
        if actor is None:
            raise NotSignedIn(SIGN_IN)
        if actor.token is None:
            require_csrf(request)
        due = actor.user is not None and actor.user.must_change_password
        if due and not self.even_with_due_password:
            raise PasswordDue(_OWN_PASSWORD)
        actor.require(self.right)
        return actor


def actor_of(request: HttpRequest) -> Actor:
    """Return the actor of a request that passed `Needs`."""
    return cast("Actor", request.auth)  # type: ignore[attr-defined]


def require_csrf(request: HttpRequest) -> None:
    """Raise Forged for a change without the token that only our own pages can read."""
    if request.method not in SAFE_METHODS and check_csrf(request) is not None:
        raise Forged(FORGED)


def address_of(request: HttpRequest) -> str:
    """Return the network address a request came from."""
    return str(request.META.get("REMOTE_ADDR") or "")


def release_connections() -> None:
    """Close this thread's database connection; a stream must not hold one for hours (call by sync_to_async)."""
    connections.close_all()


def _actor(request: HttpRequest) -> Actor | None:
    authorization = request.headers.get("Authorization", "")
    if authorization:
        # Whoever shows a token is judged by it alone; a cookie beside it does not count.
        shown = _shown(authorization)
        token = credential.verify(shown) if shown else None
        return _bearer(request, token) if token else None
    user = get_user(request)
    if not isinstance(user, User):
        return None
    request.user = user  # Django ends and renews sessions by it
    return Actor(user.tenant, Role(user.role), user.pseudonym, address_of(request), user)


def _shown(authorization: str) -> str:
    scheme, _, shown = authorization.partition(" ")
    return shown.strip() if scheme.lower() == "bearer" else ""


def _bearer(request: HttpRequest, token: Credential) -> Actor:
    pseudonym = token.user.pseudonym if token.user else token.id
    return Actor(token.tenant, Role(token.role), pseudonym, address_of(request), token.user, token)


async def _identified(request: HttpRequest) -> Actor | None:
    """Find the actor without a thread where a token is known."""
    shown = _shown(request.headers.get("Authorization", ""))
    if shown and (known := known_tokens.find(shown)):
        return _bearer(request, known)
    version = known_tokens.version()
    actor = await sync_to_async(_actor)(request)
    if actor is not None and actor.token is not None:
        known_tokens.keep(shown, actor.token, version)
    return actor


Answer = Callable[[HttpRequest], Any]


@sync_and_async_middleware
def identify(get_response: Answer) -> Answer:
    """Find the actor of every API request before its endpoint runs, so that async endpoints need no database."""
    if iscoroutinefunction(get_response):

        async def identified_async(request: HttpRequest) -> HttpResponse:
            if request.path.startswith(API_PREFIX):
                request.actor = await _identified(request)  # type: ignore[attr-defined]
            return await cast("Callable[[HttpRequest], Awaitable[HttpResponse]]", get_response)(request)

        return identified_async

    def identified(request: HttpRequest) -> HttpResponse:
        if request.path.startswith(API_PREFIX):
            request.actor = _actor(request)  # type: ignore[attr-defined]
        return cast("HttpResponse", get_response(request))

    return identified


@sync_and_async_middleware
def headers(get_response: Answer) -> Answer:
    """Give every request an id and a nonce, and every answer the headers that protect it."""
    if iscoroutinefunction(get_response):

        async def headed_async(request: HttpRequest) -> HttpResponse:
            _begin(request)
            return _protect(request, _checked_host(request) or await get_response(request))

        return headed_async

    def headed(request: HttpRequest) -> HttpResponse:
        _begin(request)
        return _protect(request, _checked_host(request) or get_response(request))

    return headed


def _begin(request: HttpRequest) -> None:
    request.request_id = uuid7().hex  # type: ignore[attr-defined]
    request.csp_nonce = secrets.token_urlsafe(16)  # type: ignore[attr-defined]


_WRONG_HOST: Final = Text(
    "This server does not answer to that host name. Add it to [web] allowed_hosts.",
    "服务器不接受该主机名，请将其加入 [web] allowed_hosts。",
)


def _checked_host(request: HttpRequest) -> HttpResponse | None:
    from django.core.exceptions import DisallowedHost

    try:
        request.get_host()
    except DisallowedHost:
        return answer(request, NotAllowed(_WRONG_HOST), 400)
    return None


def _protect(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    nonce = request.csp_nonce  # type: ignore[attr-defined]
    response.headers.setdefault(
        "Content-Security-Policy",
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
        "connect-src 'self'; img-src 'self'; font-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(self), geolocation=(), microphone=(), payment=(), usb=()"
    response.headers["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
    if settings.SESSION_COOKIE_SECURE:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.path.startswith(API_PREFIX):
        response.headers.setdefault("Cache-Control", "no-store")
    return response
