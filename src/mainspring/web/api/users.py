"""People who may sign in; for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import BaseModel, Field

from mainspring.records.people import administration as records
from mainspring.records.people.administration import UserDraft, UserFields
from mainspring.records.people.sign_in import locked_until
from mainspring.records.people.user import User
from mainspring.records.rights import Right, Role
from mainspring.web.api.forms import Listing, cut, if_match, patch_of, version_of, written
from mainspring.web.security import Needs, actor_of

router = Router(tags=["users"])
if TYPE_CHECKING:
    UserPatch = BaseModel
else:
    UserPatch = patch_of(UserFields)


class UserOut(Schema):
    """A person who may sign in."""

    id: UUID
    username: str
    display_name: str
    role: Role
    enabled: bool
    service: bool = Field(description="an account for programs: tokens alone, no sign-in")
    language: str
    last_sign_in_ms: int | None
    locked: bool
    must_change_password: bool
    version: int


class NewUserOut(UserOut):
    """A new person; `initial_password` is shown this once, and only if it was made here."""

    initial_password: str | None = None


class UserList(Schema):
    """A part of the list of people."""

    items: list[UserOut]
    total: int


class PasswordOut(Schema):
    """A password that is shown this once."""

    initial_password: str


def _shown(user: User) -> dict[str, Any]:
    return user.document() | {"locked": locked_until(user.get_username()) is not None}


@router.get("/users", auth=Needs(Right.ADMINISTER), response=UserList)
def users(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """List people."""
    rows = User.objects.filter(tenant=actor_of(request).tenant).select_related("tenant")
    if listing.search.strip():
        text = listing.search.strip()
        rows = rows.filter(Q(username__icontains=text) | Q(display_name__icontains=text))
    return {"items": [_shown(user) for user in cut(rows.order_by("username"), listing)], "total": rows.count()}


@router.get("/users/{uuid:id}", auth=Needs(Right.ADMINISTER), response=UserOut)
def user(request: HttpRequest, id: UUID) -> dict[str, Any]:
    """Show a person."""
    return _shown(records.find(actor_of(request).tenant, id))


@router.post("/users", auth=Needs(Right.ADMINISTER), response={201: NewUserOut})
def create_user(request: HttpRequest, draft: UserDraft) -> Status[dict[str, Any]]:
    """Add a person or a service account; a person's password, if it is made here, is shown this once."""
    person, password = records.create(actor_of(request).author, draft)
    return Status(201, _shown(person) | {"initial_password": password})


@router.patch("/users/{uuid:id}", auth=Needs(Right.ADMINISTER), response=UserOut)
def modify_user(request: HttpRequest, id: UUID, patch: UserPatch) -> dict[str, Any]:
    """Change a person; disabling ends their sessions and tokens."""
    version = version_of(request, getattr(patch, "version", None))
    return _shown(records.modify(actor_of(request).author, id, written(patch), version))


@router.delete("/users/{uuid:id}", auth=Needs(Right.ADMINISTER), response={204: None})
def delete_user(request: HttpRequest, id: UUID) -> Status[None]:
    """Forget a person; what they did stays in the audit under a pseudonym that leads nowhere any more."""
    records.delete(actor_of(request).author, id, if_match(request))
    return Status(204, None)


@router.post("/users/{uuid:id}/reset-password", auth=Needs(Right.ADMINISTER), response=PasswordOut)
def reset_password(request: HttpRequest, id: UUID) -> dict[str, Any]:
    """Make a new password, shown this once; sessions end and a lock-out is lifted."""
    return {"initial_password": records.reset_password(actor_of(request).author, id)}


@router.post("/users/{uuid:id}/sign-out", auth=Needs(Right.ADMINISTER), response={204: None})
def sign_out_user(request: HttpRequest, id: UUID) -> Status[None]:
    """End all sessions of a person."""
    records.sign_out(actor_of(request).author, id)
    return Status(204, None)
