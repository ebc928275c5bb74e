"""Tokens by which a company's directory provisions its people over SCIM."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from mainspring.core.errors import LimitExceeded, NotAllowed
from mainspring.core.text import Text
from mainspring.records.draft import Draft
from mainspring.records.people import credential as records
from mainspring.records.people.credential import Credential, CredentialKind
from mainspring.records.record import absent
from mainspring.records.rights import Right, Role
from mainspring.web.api.forms import Listing, cut
from mainspring.web.api.tokens import end_of
from mainspring.web.scim.views import PREFIX
from mainspring.web.security import Actor, Needs, actor_of

router = Router(tags=["provisioning"])
TOKENS_MAX: Final = 5
_TOO_MANY: Final = Text("At most {limit} provisioning tokens. Delete one first.", "最多 {limit} 个，请先删除一个。")
_BY_TOKEN: Final = Text("A token cannot make tokens. Sign in for this.", "令牌不能创建令牌，请登录后操作。")


class ProvisioningOut(Schema):
    """A provisioning token, without its secret."""

    id: UUID
    name: str
    issued_ms: int
    expires_ms: int | None
    last_used_ms: int | None


class NewProvisioning(ProvisioningOut):
    """A new provisioning token; `token` is shown this once, `address` is where the directory sends to."""

    token: str
    address: str


class ProvisioningList(Schema):
    """The provisioning tokens of a company, and where the directory sends to."""

    items: list[ProvisioningOut]
    total: int
    address: str


class ProvisioningDraft(Draft):
    """A provisioning token to make; without `expires_ms` it ends after the longest time the settings allow."""

    name: str = Field(min_length=1, max_length=120)
    expires_ms: int | None = None


def _rows(actor: Actor) -> QuerySet[Credential]:
    return Credential.objects.of(actor.tenant).filter(credential_kind=CredentialKind.PROVISIONING, revoked_ms=None)


@router.get("/provisioning", auth=Needs(Right.ADMINISTER), response=ProvisioningList)
def provisioning(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """List the provisioning tokens."""
    rows = _rows(actor_of(request)).order_by("-issued_ms")
    items = [row.document() for row in cut(rows, listing)]
    return {"items": items, "total": rows.count(), "address": request.build_absolute_uri(PREFIX)}


@router.post("/provisioning", auth=Needs(Right.ADMINISTER), response={201: NewProvisioning})
def create_provisioning(request: HttpRequest, draft: ProvisioningDraft) -> Status[dict[str, Any]]:
    """Make a provisioning token: it opens `/scim/v2` for this company, and nothing else."""
    actor = actor_of(request)
    if actor.token is not None:
        raise NotAllowed(_BY_TOKEN)
    if _rows(actor).count() >= TOKENS_MAX:
        raise LimitExceeded(_TOO_MANY, limit=TOKENS_MAX)
    made, secret = records.issue(
        actor.author, CredentialKind.PROVISIONING, draft.name, role=Role.GUEST, expires_ms=end_of(draft.expires_ms)
    )
    return Status(201, made.document() | {"token": secret, "address": request.build_absolute_uri(PREFIX)})


@router.delete("/provisioning/{uuid:id}", auth=Needs(Right.ADMINISTER), response={204: None})
def revoke_provisioning(request: HttpRequest, id: UUID) -> Status[None]:
    """End a provisioning token; accounts it made stay."""
    actor = actor_of(request)
    found = _rows(actor).filter(pk=id).first()
    if found is None:
        raise absent("provisioning", id)
    records.revoke(actor.author, found)
    return Status(204, None)
