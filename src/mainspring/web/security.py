"""Who asks, what they may do, and the headers every answer carries."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, cast
from urllib.parse import unquote
from uuid import UUID

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from mainspring.core.errors import MainspringError, NotAllowed
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records.access import granted, preview
from mainspring.records.access.permits import (
    permits_of,
    permits_of_token,
    rights_of,
    rights_of_token,
    token_of,
    user_of,
)
from mainspring.records.access.scope import Scope, scope_of
from mainspring.records.audit import Author
from mainspring.records.defined.access import Permit
from mainspring.records.in_force import enter, for_platform, unchanged
from mainspring.records.people import credential
from mainspring.records.people import session as sessions
from mainspring.records.people.credential import Credential
from mainspring.records.people.user import User
from mainspring.records.rights import RIGHT_WORDS, ROLE_WORDS, Requirement, Right, Role, least_role
from mainspring.records.tenant import Tenant
from mainspring.web.faults import FORGED, SIGN_IN, Forged, NotSignedIn, answer, no_method, refusal
from mainspring.web.known_tokens import known_tokens

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
API_PREFIX: Final = "/api/"
RECORDS_PREFIX: Final = "/api/v1/records/"
_ASKED_BY_POST: Final = tuple(
    f"/api/v1/{path}"
    for path in (
        "live", "tags/by-path", "history/trend", "history/raw", "history/aggregate", "history/states", "epcis/names",
    )
)  # fmt: skip
"""Questions too long for an address: they change nothing."""
FROM: Final = "from"
"""In the query: the company that granted what is asked for."""
_MISSING: Final = Text(
    "This needs the right {right}, which the role {role} has. Ask your administrator.",
    "此操作需要“{right}”权限（{role}角色具有），请联系管理员。",
)
ELSEWHERE: Final = "second_factor_elsewhere"
"""In a session: whoever signed the person in has asked for a second factor."""
REQUIRED: Final = Requirement(settings.SECOND_FACTOR)
"""Of whom the platform asks one, whatever their company says."""
AS_ROLE: Final = "X-As-Role"
"""An administrator looks as someone with this role would, and changes nothing; what is not ASCII is percent-encoded."""
AS_PLACE: Final = "X-As-Place"
"""Beside it: the id of the asset below which the role would be assigned."""
_LOOKS: Final = Text(
    "You are looking as the role {role}: nothing can be changed. End the preview first.",
    "当前正以“{role}”角色预览，无法修改任何内容，请先退出预览。",
)
_OWN_FACTOR: Final = Text(
    "Set up a second factor first: your company asks for one. See /api/v1/session/second-factor.",
    "所在企业要求第二因素，请先完成设置，参见 /api/v1/session/second-factor。",
)
_OWN_PASSWORD: Final = Text(
    "Choose your own password first: POST /api/v1/session/password.",
    "请先设置自己的密码：POST /api/v1/session/password。",
)


class PasswordDue(NotAllowed):
    """The person still has the password someone else made."""

    code = "password-due"


class SecondFactorDue(NotAllowed):
    """The person's company or the platform asks for a second factor, and there is none yet."""

    code = "second-factor-due"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who a request comes from: a person's session, or a token that acts for its owner."""

    tenant: Tenant
    role: Role
    pseudonym: UUID
    address: str
    user: User | None = None
    token: Credential | None = None
    permits: tuple[Permit, ...] = ()
    """What is assigned to the person of a session, or to the token."""
    looks_as: str = ""
    """The role an administrator previews."""
    refused: MainspringError | None = None
    """Why nothing of this request can be answered."""
    owes_second_factor: bool = False
    """The person of a session must set one up before anything else."""

    @property
    def rights(self) -> frozenset[Right]:
        """What this actor may do in the whole company: a token never more than its owner, unless it is assigned."""
        own = self.role.rights if self.token is None else rights_of_token(self.token)
        return own | rights_of(self.permits)

    @property
    def assignee(self) -> str:
        """Whom assignments name; nobody during a preview."""
        if self.looks_as:
            return ""
        if self.token is not None:
            return token_of(self.token.pk)
        return user_of(self.user.pk) if self.user is not None else ""

    @property
    def author(self) -> Author:
        """The actor as the records' audit names it."""
        return Author(self.tenant, self.pseudonym, self.address)

    def scope(self, right: Right) -> Scope:
        """Return the parts of the plant in which the actor has a right."""
        return scope_of(self.tenant, self.rights, self.permits, right)

    def require(self, right: Right, *, somewhere: bool = False) -> None:
        """Raise NotAllowed, naming the right, unless the actor has it: in the whole company, or `somewhere` in it."""
        if right in self.rights or (somewhere and self.scope(right).parts):
            return
        raise NotAllowed(_MISSING, right=RIGHT_WORDS[right], role=ROLE_WORDS[least_role(right)])


class Needs(AuthBase):
    """The gate of an endpoint: `auth=Needs(Right.VIEW)`; works for sync and async endpoints alike.

    `even_with_due_password` lets people in who must change their password first, `even_without_second_factor` those who
    must set one up; `somewhere` those who have the right
    in a part of the plant: the endpoint then asks `Actor.scope` which.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(
        self, right: Right, *, even_with_due_password: bool = False, even_without_second_factor: bool = False,
        somewhere: bool = False,
    ) -> None:  # fmt: skip
        self.right = right
        self.even_without_second_factor = even_without_second_factor or even_with_due_password
        self.somewhere = somewhere
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
        if actor.owes_second_factor and not self.even_without_second_factor:
            raise SecondFactorDue(_OWN_FACTOR)
        if actor.refused is not None:
            raise actor.refused
        if actor.looks_as and request.method not in SAFE_METHODS and not request.path.startswith(_ASKED_BY_POST):
            raise NotAllowed(_LOOKS, role=actor.looks_as)
        actor.require(self.right, somewhere=self.somewhere)
        return actor


def actor_of(request: HttpRequest) -> Actor:
    """Return the actor of a request that passed `Needs`."""
    return cast("Actor", request.auth)  # type: ignore[attr-defined]


def require_csrf(request: HttpRequest) -> None:
    """Raise Forged for a change without the token that only our own pages can read."""
    if request.method in SAFE_METHODS:
        return
    # Read as a whole first: the check looks for a form in it, and what was streamed is not read twice.
    _ = request.body
    if check_csrf(request) is not None:
        raise Forged(FORGED)


def address_of(request: HttpRequest) -> str:
    """Return the network address a request came from."""
    return str(request.META.get("REMOTE_ADDR") or "")


@for_platform()
def _actor(request: HttpRequest) -> Actor | None:
    """Look up who asks, which is to be known before for which company."""
    authorization = request.headers.get("Authorization", "")
    if authorization:
        # Whoever shows a token is judged by it alone; a cookie beside it does not count.
        shown = _shown(authorization)
        token = credential.verify(shown) if shown else None
        return _bearer(request, token, permits_of_token(token)) if token else None
    user = get_user(request)
    if not isinstance(user, User):
        return None
    request.user = user  # Django ends and renews sessions by it
    sessions.note_seen(request.session)  # type: ignore[arg-type]
    permits = permits_of(user.tenant, user_of(user.pk)) if getattr(user, "assigned", True) else ()
    actor = Actor(user.tenant, Role(user.role), user.pseudonym, address_of(request), user, permits=permits)
    actor = replace(actor, owes_second_factor=_owes_second_factor(request, actor))
    role = unquote(request.headers.get(AS_ROLE, ""))
    return _looking(actor, role, request.headers.get(AS_PLACE, "")) if role else actor


def _owes_second_factor(request: HttpRequest, actor: Actor) -> bool:
    required = Requirement(actor.tenant.second_factor).asks(actor.rights) or REQUIRED.asks(actor.rights)
    return required and not getattr(actor.user, "has_second_factor", True) and ELSEWHERE not in request.session


def renew(request: HttpRequest) -> None:
    """Find out again who asks: someone has just signed in."""
    request.actor = _actor(request)  # type: ignore[attr-defined]


def _looking(actor: Actor, role: str, place: str) -> Actor:
    """Return the actor an administrator is during a preview."""
    try:
        actor.require(Right.ADMINISTER)
        built_in, permits = preview.of(actor.tenant, role, place)
    except MainspringError as error:
        return replace(actor, refused=error)
    return replace(actor, role=built_in, permits=permits, looks_as=role)


def _shown(authorization: str) -> str:
    scheme, _, shown = authorization.partition(" ")
    return shown.strip() if scheme.lower() == "bearer" else ""


def _bearer(request: HttpRequest, token: Credential, permits: tuple[Permit, ...] = ()) -> Actor:
    pseudonym = token.user.pseudonym if token.user else token.id
    return Actor(token.tenant, Role(token.role), pseudonym, address_of(request), token.user, token, permits)


async def _identified(request: HttpRequest) -> Actor | None:
    """Find the actor without a thread where a token is known."""
    shown = _shown(request.headers.get("Authorization", ""))
    if shown and (known := known_tokens.find(shown)):
        return _bearer(request, known)
    version = known_tokens.version()
    actor = await sync_to_async(_actor)(request)
    if actor is not None and actor.token is not None and not actor.permits:
        # What is assigned may end at any moment, with a shift, without a commit: it is looked up each time.
        known_tokens.keep(shown, actor.token, version)
    return actor


Answer = Callable[[HttpRequest], Any]


@sync_and_async_middleware
def identify(get_response: Answer) -> Answer:
    """Find the actor of every API request before its endpoint runs, so that async endpoints need no database."""
    if iscoroutinefunction(get_response):

        async def identified_async(request: HttpRequest) -> HttpResponse:
            # The task is this request's own, to the end of what it streams: nothing is to be put back.
            if request.path.startswith(API_PREFIX):
                actor = await _identified(request)
                owner = await sync_to_async(_owner)(request, actor) if actor and FROM in request.GET else None
                _begin_for(request, actor, owner)
            return await cast("Callable[[HttpRequest], Awaitable[HttpResponse]]", get_response)(request)

        return identified_async

    def identified(request: HttpRequest) -> HttpResponse:
        with unchanged():
            if request.path.startswith(API_PREFIX):
                actor = _actor(request)
                _begin_for(request, actor, _owner(request, actor) if actor and FROM in request.GET else None)
            return cast("HttpResponse", get_response(request))

    return identified


def _owner(request: HttpRequest, actor: Actor) -> Tenant | None:
    """Return the company whose records are asked for, if it shows any to the actor's."""
    return granted.owner_of(actor.tenant, request.GET[FROM]) if request.path.startswith(RECORDS_PREFIX) else None


def _begin_for(request: HttpRequest, actor: Actor | None, owner: Tenant | None) -> None:
    request.actor = actor  # type: ignore[attr-defined]
    if actor is not None:
        enter(actor.tenant, *([owner] if owner else []))


@sync_and_async_middleware
def headers(get_response: Answer) -> Answer:
    """Give every request an id and a nonce, and every answer the headers that protect it."""
    if iscoroutinefunction(get_response):

        async def headed_async(request: HttpRequest) -> HttpResponse:
            _begin(request)
            return _protect(request, _refused(request) or await get_response(request))

        return headed_async

    def headed(request: HttpRequest) -> HttpResponse:
        _begin(request)
        return _protect(request, _refused(request) or get_response(request))

    return headed


def _begin(request: HttpRequest) -> None:
    request.request_id = uuid7().hex  # type: ignore[attr-defined]
    request.csp_nonce = secrets.token_urlsafe(16)  # type: ignore[attr-defined]


_WRONG_HOST: Final = Text(
    "This server does not answer to that host name. Add it to [web] allowed_hosts.",
    "服务器不接受该主机名，请将其加入 [web] allowed_hosts。",
)


def _refused(request: HttpRequest) -> HttpResponse | None:
    from django.core.exceptions import DisallowedHost

    try:
        request.get_host()
    except DisallowedHost:
        return answer(request, NotAllowed(_WRONG_HOST), 400)
    return refusal(request)


def _protect(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    if response.status_code == 405 and request.path.startswith(API_PREFIX):
        response = no_method(request, response.headers.get("Allow", ""))
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
