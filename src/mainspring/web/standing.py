"""Whether those who watch still may: asked for all open streams together, every two seconds.

A stream lasts for minutes, and nothing of it passes the gate again: a person who is disabled or signed out, a token
that is revoked, a role or an assignment that ends, all end it here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog
from django.db import DatabaseError
from django.db.models import Q
from django.http import HttpRequest

from mainspring.records.access.permits import permits_of_people, permits_of_token, rights_of_token
from mainspring.records.defined.access import Permit
from mainspring.records.people.credential import Credential
from mainspring.records.people.session import Session
from mainspring.records.people.user import User
from mainspring.records.rights import Right, Role
from mainspring.records.tenant import now_ms
from mainspring.web.lasting import in_thread
from mainspring.web.live import Hub, Viewer
from mainspring.web.security import actor_of

log = structlog.get_logger(__name__)
CHECK_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What lets someone watch, as it was when their stream began."""

    rights: frozenset[Right]
    permits: tuple[Permit, ...]
    user: UUID | None = None
    session: str = ""
    """The key of a person's session; empty: a token was shown."""
    proof: str = ""
    """What sessions of this person are bound to: another password or a sign-out everywhere changes it."""
    token: UUID | None = None


def standing_of(request: HttpRequest) -> Standing:
    """Return what the actor of a request that passed the gate stands on."""
    actor = actor_of(request)
    if actor.token is not None:
        return Standing(rights_of_token(actor.token), actor.permits, token=actor.token.pk)
    assert actor.user is not None
    key, proof = request.session.session_key or "", actor.user.get_session_auth_hash()
    return Standing(Role(actor.user.role).rights, actor.permits, actor.user.pk, key, proof)


def lost(asked: Collection[Standing]) -> set[Standing]:
    """Return those that hold no more, or not as they did; to be asked for the platform."""
    people = {each.user for each in asked if each.user is not None}
    users = {user.pk: user for user in User.objects.select_related("tenant").filter(pk__in=people, enabled=True)}
    assigned = permits_of_people(users.values()) if users else {}
    sessions = _sessions({each.session for each in asked if each.session})
    tokens = _tokens({each.token for each in asked if each.token is not None})

    def holds(each: Standing) -> bool:
        if each.token is not None:
            return tokens.get(each.token) == (each.rights, each.permits)
        user = users.get(each.user) if each.user is not None else None
        if user is None or each.session not in sessions or user.get_session_auth_hash() != each.proof:
            return False
        return (Role(user.role).rights, assigned.get(user.pk, ())) == (each.rights, each.permits)

    return {each for each in asked if not holds(each)}


async def run(hub: Hub) -> None:
    """End the streams of those who may not watch any more, for ever."""
    while True:
        await asyncio.sleep(CHECK_S)
        viewers: dict[Standing, list[Viewer]] = {}
        for each in [viewer for of_tenant in hub.viewers.values() for viewer in of_tenant]:
            if each.standing is not None:
                viewers.setdefault(each.standing, []).append(each)
        if not viewers:
            continue
        try:
            ended = await in_thread(lost, tuple(viewers))
        except DatabaseError as error:
            # Streams end by themselves after some minutes, and none begins without the records.
            log.warning("live.standing_unknown", reason=str(error))
            continue
        for standing in ended:
            for viewer in viewers[standing]:
                hub.cut(viewer)


def _sessions(keys: Collection[str]) -> set[str]:
    if not keys:
        return set()
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=datetime.now(UTC))
    return set(rows.values_list("session_key", flat=True))


def _tokens(ids: Collection[UUID]) -> dict[UUID, tuple[frozenset[Right], tuple[Permit, ...]]]:
    if not ids:
        return {}
    held = Q(expires_ms=None) | Q(expires_ms__gt=now_ms()), Q(user=None) | Q(user__enabled=True)
    rows = Credential.objects.select_related("tenant", "user", "scope_place").filter(*held, pk__in=ids, revoked_ms=None)
    return {token.pk: (rights_of_token(token), permits_of_token(token)) for token in rows}
