"""Tokens for programs."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from mainspring.core.errors import LimitExceeded, NotAllowed
from mainspring.core.text import Text
from mainspring.records import credential as records
from mainspring.records.credential import Credential, CredentialKind
from mainspring.records.draft import Draft
from mainspring.records.faults import Invalid
from mainspring.records.record import absent
from mainspring.records.rights import Right, Role
from mainspring.records.tenant import now_ms
from mainspring.web.api.forms import Listing, cut
from mainspring.web.security import Actor, Needs, actor_of

router = Router(tags=["tokens"])
TOKENS_MAX: Final = 50
YEAR_MS: Final = 366 * 86_400_000
_MORE: Final = Text("A token cannot have more rights than you.", "令牌的权限不能超过您本人。")
_PAST: Final = Text("Choose a time within the next year.", "请选择一年之内的时间。")
_TOO_MANY: Final = Text("At most {limit} tokens a person. Delete one first.", "每人最多 {limit} 个令牌，请先删除一个。")
_BY_TOKEN: Final = Text("A token cannot make tokens. Sign in for this.", "令牌不能创建令牌，请登录后操作。")


class TokenOut(Schema):
    """A token, without its secret."""

    id: UUID
    name: str
    role: Role
    expires_ms: int | None
    last_used_ms: int | None
    user: UUID | None


class NewTokenOut(TokenOut):
    """A new token; `token` is shown this once."""

    token: str


class TokenList(Schema):
    """A part of the list of tokens."""

    items: list[TokenOut]
    total: int


class TokenDraft(Draft):
    """A token to make; without `expires_ms` it ends in a year."""

    name: str = Field(min_length=1, max_length=120)
    role: Role = Role.VIEWER
    expires_ms: int | None = None


def _visible(actor: Actor) -> QuerySet[Credential]:
    rows = Credential.objects.of(actor.tenant).filter(credential_kind=CredentialKind.TOKEN, revoked_ms=None)
    return rows if Right.ADMINISTER in actor.rights else rows.filter(user=actor.user)


@router.get("/tokens", auth=Needs(Right.VIEW), response=TokenList)
def tokens(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """List one's own tokens; administrators see everyone's."""
    rows = _visible(actor_of(request))
    if listing.search.strip():
        rows = rows.filter(name__icontains=listing.search.strip())
    return {"items": [row.document() for row in cut(rows.order_by("-issued_ms"), listing)], "total": rows.count()}


@router.post("/tokens", auth=Needs(Right.VIEW), response={201: NewTokenOut})
def create_token(request: HttpRequest, draft: TokenDraft) -> Status[dict[str, Any]]:
    """Make a token with at most one's own rights; it is shown this once."""
    actor = actor_of(request)
    if actor.token is not None or actor.user is None:
        raise NotAllowed(_BY_TOKEN)
    if not actor.role.covers(draft.role):
        raise Invalid({"role": _MORE})
    expires_ms = draft.expires_ms or now_ms() + YEAR_MS
    if not now_ms() < expires_ms <= now_ms() + YEAR_MS:
        raise Invalid({"expires_ms": _PAST})
    if Credential.objects.of(actor.tenant).filter(user=actor.user, revoked_ms=None).count() >= TOKENS_MAX:
        raise LimitExceeded(_TOO_MANY, limit=TOKENS_MAX)
    made, secret = records.issue(
        actor.author, CredentialKind.TOKEN, draft.name, role=draft.role, user=actor.user, expires_ms=expires_ms
    )
    return Status(201, made.document() | {"token": secret})


@router.delete("/tokens/{uuid:id}", auth=Needs(Right.VIEW), response={204: None})
def revoke_token(request: HttpRequest, id: UUID) -> Status[None]:
    """End a token: one's own, or as administrator anyone's."""
    actor = actor_of(request)
    token = _visible(actor).filter(pk=id).first()
    if token is None:
        raise absent("token", id)
    records.revoke(actor.author, token)
    return Status(204, None)
