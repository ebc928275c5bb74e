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
from mainspring.records.defined.access import EVERY, GROUP
from mainspring.records.defined.kinds import kinds
from mainspring.records.defined.shape import Group
from mainspring.records.draft import Draft
from mainspring.records.faults import Invalid
from mainspring.records.people import administration as people
from mainspring.records.people import credential as records
from mainspring.records.people.credential import Credential, CredentialKind, TokenScope
from mainspring.records.people.user import User
from mainspring.records.plant import asset as assets
from mainspring.records.record import absent
from mainspring.records.rights import Right, Role
from mainspring.records.tenant import now_ms
from mainspring.web.api.forms import Listing, cut
from mainspring.web.configure import current
from mainspring.web.security import Actor, Needs, actor_of

router = Router(tags=["tokens"])
TOKENS_MAX: Final = 50
DAY_MS: Final = 86_400_000
KINDS_MAX: Final = 100
_MORE: Final = Text("A token cannot have more rights than you.", "令牌的权限不能超过您本人。")
_PAST: Final = Text("Choose a time within the next {days} days.", "请选择 {days} 天之内的时间。")
_NO_KIND: Final = Text(
    "There is no kind of record {kind!r}. Write a kind, `group:` and a group, or `*` for all.",
    "没有记录类型“{kind}”，请填写类型、“group:”加分组，或用 * 表示全部。",
)
_NOT_SERVICE: Final = Text(
    "For others than oneself, tokens are made for service accounts alone.", "除本人外，只能为服务账号创建令牌。"
)
_TOO_MANY: Final = Text("At most {limit} tokens a person. Delete one first.", "每人最多 {limit} 个令牌，请先删除一个。")
_BY_TOKEN: Final = Text("A token cannot make tokens. Sign in for this.", "令牌不能创建令牌，请登录后操作。")


class TokenOut(Schema):
    """A token, without its secret."""

    id: UUID
    name: str
    role: Role
    rights: list[Right] | None = Field(description="all of the role if null")
    kinds: list[str] = Field(description="of records it is confined to; none named: not confined")
    place: UUID | None = Field(description="the asset below which it holds")
    place_path: str
    issued_ms: int
    expires_ms: int | None
    last_used_ms: int | None
    user: UUID | None
    owner: str = Field(description="the user name of the person or service account")


class NewTokenOut(TokenOut):
    """A new token; `token` is shown this once."""

    token: str


class TokenList(Schema):
    """A part of the list of tokens."""

    items: list[TokenOut]
    total: int


class TokenDraft(Draft):
    """A token to make; without `expires_ms` it ends after the longest time that the settings allow."""

    name: str = Field(min_length=1, max_length=120)
    role: Role = Role.VIEWER
    rights: list[Right] | None = Field(
        default=None, max_length=len(Right), description="nothing beyond these; null: all of the role"
    )
    kinds: list[str] = Field(default=[], max_length=KINDS_MAX, description="as in permissions; it opens these alone")
    place: UUID | None = Field(default=None, description="an asset; it holds there and below alone")
    expires_ms: int | None = None
    user: UUID | None = Field(default=None, description="a service account; left out: oneself")


class Rotation(Draft):
    """When the new secret ends; left out: when the old one would have, at most the longest time from now."""

    expires_ms: int | None = None


def _shown(token: Credential) -> dict[str, Any]:
    return token.document() | {
        "place_path": token.scope_place.path if token.scope_place is not None else "",
        "owner": token.user.username if token.user is not None else "",
    }


def _visible(actor: Actor) -> QuerySet[Credential]:
    rows = Credential.objects.of(actor.tenant).filter(credential_kind=CredentialKind.TOKEN, revoked_ms=None)
    rows = rows.select_related("user", "scope_place")
    return rows if Right.ADMINISTER in actor.rights else rows.filter(user=actor.user)


@router.get("/tokens", auth=Needs(Right.VIEW), response=TokenList)
def tokens(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """List one's own tokens; administrators see everyone's."""
    rows = _visible(actor_of(request))
    if listing.search.strip():
        rows = rows.filter(name__icontains=listing.search.strip())
    return {"items": [_shown(row) for row in cut(rows.order_by("-issued_ms"), listing)], "total": rows.count()}


@router.post("/tokens", auth=Needs(Right.VIEW), response={201: NewTokenOut})
def create_token(request: HttpRequest, draft: TokenDraft) -> Status[dict[str, Any]]:
    """Make a token with at most one's own rights, or one of a service account; it is shown this once."""
    actor = actor_of(request)
    owner = _owner(actor, draft.user)
    if not Role(owner.role).covers(draft.role) or not actor.role.covers(draft.role):
        raise Invalid({"role": _MORE})
    expires_ms = end_of(draft.expires_ms)
    scope = _scope(actor, draft)
    if Credential.objects.of(actor.tenant).filter(user=owner, revoked_ms=None).count() >= TOKENS_MAX:
        raise LimitExceeded(_TOO_MANY, limit=TOKENS_MAX)
    made, secret = records.issue(
        actor.author, CredentialKind.TOKEN, draft.name, role=draft.role, user=owner, expires_ms=expires_ms, scope=scope
    )
    return Status(201, _shown(made) | {"token": secret})


def _owner(actor: Actor, id: UUID | None) -> User:
    if actor.token is not None or actor.user is None:
        raise NotAllowed(_BY_TOKEN)
    if id is None or id == actor.user.pk:
        return actor.user
    actor.require(Right.ADMINISTER)
    found = people.find(actor.tenant, id)
    if not found.service:
        raise Invalid({"user": _NOT_SERVICE})
    return found


def end_of(asked_ms: int | None) -> int:
    """Return when a token ends: as asked, else after the longest time; raises Invalid beyond that."""
    days, now = current().token_days_max, now_ms()
    expires_ms = now + days * DAY_MS if asked_ms is None else asked_ms
    if not now < expires_ms <= now + days * DAY_MS:
        raise Invalid({"expires_ms": _PAST.format(days=days)})
    return expires_ms


def _scope(actor: Actor, draft: TokenDraft) -> TokenScope:
    known = {EVERY, *(each.kind for each in kinds()), *(f"{GROUP}{group}" for group in Group)}
    for name in draft.kinds:
        if name not in known:
            raise Invalid({"kinds": _NO_KIND.format(kind=name)})
    place = assets.find(actor.tenant, draft.place) if draft.place is not None else None
    return TokenScope(None if draft.rights is None else frozenset(draft.rights), tuple(draft.kinds), place)


@router.post("/tokens/{uuid:id}/rotate", auth=Needs(Right.VIEW), response=NewTokenOut)
def rotate_token(request: HttpRequest, id: UUID, body: Rotation) -> dict[str, Any]:
    """Give a token of one's own or of a service account a new secret, shown this once; the old one ends at once."""
    actor = actor_of(request)
    if actor.token is not None:
        raise NotAllowed(_BY_TOKEN)
    token, latest_ms = _find(actor, id), end_of(None)
    if token.user is not None and token.user != actor.user and not token.user.service:
        # With its secret an administrator would act under another person's name.
        raise NotAllowed(_NOT_SERVICE)
    kept_ms = min(token.expires_ms or latest_ms, latest_ms)
    secret = records.rotate(actor.author, token, kept_ms if body.expires_ms is None else end_of(body.expires_ms))
    return _shown(token) | {"token": secret}


@router.delete("/tokens/{uuid:id}", auth=Needs(Right.VIEW), response={204: None})
def revoke_token(request: HttpRequest, id: UUID) -> Status[None]:
    """End a token: one's own, or as administrator anyone's."""
    actor = actor_of(request)
    records.revoke(actor.author, _find(actor, id))
    return Status(204, None)


def _find(actor: Actor, id: UUID) -> Credential:
    token = _visible(actor).filter(pk=id).first()
    if token is None:
        raise absent("token", id)
    return token
