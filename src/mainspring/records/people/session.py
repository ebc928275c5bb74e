"""Sessions of people: since when, from where, with which browser; each can be ended alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final
from uuid import UUID

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models, transaction
from django.db.models import QuerySet
from django.utils import timezone

from mainspring.core.ids import uuid7
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.people.user import User
from mainspring.records.record import absent
from mainspring.records.tenant import Tenant, now_ms

if TYPE_CHECKING:
    from mainspring.records.people.session_store import SessionStore

AGENT_LENGTH_MAX: Final = 400
SEEN_NOTED_MS: Final = 300_000
"""That a session is in use is noted so often, so that reading does not become writing."""


class Session(AbstractBaseSession):
    """What one browser is known by; without a person while someone is about to sign in.

    `id` names it to people: whoever knew its key could go on in it.
    """

    id: models.UUIDField[UUID, UUID] = models.UUIDField(default=uuid7, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    # The person's password and sign-outs when it began: with another one the session has ended.
    bound = models.CharField(max_length=64, default="")
    begun_ms = models.BigIntegerField(default=now_ms)
    seen_ms = models.BigIntegerField(default=now_ms)
    address = models.CharField(max_length=64, default="")
    agent = models.CharField(max_length=AGENT_LENGTH_MAX, default="")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["user", "-seen_ms"], name="session_of_user")]

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        """Return how Django reads and writes it."""
        from mainspring.records.people.session_store import SessionStore

        return SessionStore


def of(user: User) -> QuerySet[Session]:
    """Return the sessions of a person that have not ended, the latest used first."""
    bound = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    rows = Session.objects.filter(tenant=user.tenant, user=user, bound__in=bound, expire_date__gt=timezone.now())
    return rows.order_by("-seen_ms", "id")


def end(author: Author, user: User, id: UUID) -> None:
    """End one session of a person; raises NotFound."""
    with transaction.atomic():
        if not of(user).filter(id=id).delete()[0]:
            raise absent("session", id)
        append(author, [Deed(Action.SIGN_OUT, "session", str(user.pk))])


def end_others(author: Author, user: User, key: str) -> int:
    """End all sessions of a person but the one with this key; returns how many ended."""
    with transaction.atomic():
        ended = of(user).exclude(session_key=key).delete()[0]
        if ended:
            append(author, [Deed(Action.SIGN_OUT, "session", str(user.pk))])
    return ended


def note_seen(session: SessionStore) -> None:
    """Note now and then that a session is in use, and from where."""
    row, now = session.row, now_ms()
    if row is not None and now - row.seen_ms > SEEN_NOTED_MS:
        Session.objects.filter(session_key=row.session_key).update(seen_ms=now, address=session.address)
