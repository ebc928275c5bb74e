"""Where someone is signed in: the list of sessions, and how one ends them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from mainspring.core.errors import NotAllowed
from mainspring.core.text import Text
from mainspring.records.people import administration as people
from mainspring.records.people import session
from mainspring.records.people.session import Session
from mainspring.records.people.user import User
from mainspring.records.rights import Right
from mainspring.web.security import Needs, actor_of

router = Router(tags=["sessions"])
SHOWN_MAX: Final = 100
_TOKEN: Final = Text("A token has no sessions. Sign in for this.", "令牌没有会话，请登录后操作。")


class OpenSession(Schema):
    """A browser in which someone is signed in."""

    id: UUID
    begun_ms: int
    seen_ms: int = Field(description="within five minutes")
    address: str
    browser: str
    system: str
    current: bool = Field(description="the one that asks")


class OpenSessions(Schema):
    """Sessions that have not ended, the latest used first."""

    items: list[OpenSession]
    total: int


class Ended(Schema):
    """How many sessions were ended."""

    ended: int


@router.get("/sessions", auth=Needs(Right.SIGN_IN), response=OpenSessions)
def own_sessions(request: HttpRequest) -> dict[str, Any]:
    """List one's own sessions."""
    return _listed(request, _person(request))


@router.delete("/sessions/{uuid:id}", auth=Needs(Right.SIGN_IN), response={204: None})
def end_session(request: HttpRequest, id: UUID) -> Status[None]:
    """End one of one's own sessions."""
    session.end(actor_of(request).author, _person(request), id)
    return Status(204, None)


@router.post("/sessions/end-others", auth=Needs(Right.SIGN_IN), response=Ended)
def end_other_sessions(request: HttpRequest) -> dict[str, int]:
    """End all of one's own sessions but this one."""
    key = request.session.session_key or ""
    return {"ended": session.end_others(actor_of(request).author, _person(request), key)}


@router.get("/users/{uuid:id}/sessions", auth=Needs(Right.ADMINISTER), response=OpenSessions)
def sessions_of(request: HttpRequest, id: UUID) -> dict[str, Any]:
    """List the sessions of a person."""
    return _listed(request, people.find(actor_of(request).tenant, id))


@router.delete("/users/{uuid:id}/sessions/{uuid:session_id}", auth=Needs(Right.ADMINISTER), response={204: None})
def end_session_of(request: HttpRequest, id: UUID, session_id: UUID) -> Status[None]:
    """End one session of a person."""
    actor = actor_of(request)
    session.end(actor.author, people.find(actor.tenant, id), session_id)
    return Status(204, None)


def _person(request: HttpRequest) -> User:
    actor = actor_of(request)
    if actor.user is None or actor.token is not None:
        raise NotAllowed(_TOKEN)
    return actor.user


def _listed(request: HttpRequest, user: User) -> dict[str, Any]:
    rows = session.of(user)
    key = "" if actor_of(request).token is not None else request.session.session_key
    return {"items": list(_shown(rows[:SHOWN_MAX], key)), "total": rows.count()}


def _shown(rows: Iterable[Session], key: str | None) -> Iterable[dict[str, Any]]:
    # Its rules are read when the first browser is to be named, not by every web process at its start.
    from ua_parser import parse

    for row in rows:
        found = parse(row.agent)
        browser, system = found.user_agent, found.os
        yield {
            "id": row.id, "begun_ms": row.begun_ms, "seen_ms": row.seen_ms, "address": row.address,
            "browser": " ".join(filter(None, (browser.family, browser.major))) if browser else "",
            "system": " ".join(filter(None, (system.family, system.major))) if system else "",
            "current": row.session_key == key,
        }  # fmt: skip
