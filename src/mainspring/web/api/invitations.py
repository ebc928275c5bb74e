"""Invitations to make an account of one's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from mainspring.core.text import Text
from mainspring.records.in_force import for_platform
from mainspring.records.people import invitation as records
from mainspring.records.people.invitation import Acceptance, Invitation, InvitationDraft
from mainspring.records.rights import Right, Role
from mainspring.web import letters
from mainspring.web.api.forms import Label, Listing, cut
from mainspring.web.configure import current
from mainspring.web.security import Needs, actor_of, address_of, require_csrf

router = Router(tags=["invitations"])
PAGE = "/invitation"


class InvitationOut(Schema):
    """An invitation that is open; the secret of its link is not in it."""

    id: UUID
    email: str
    name: str
    language: str
    role: Role
    company_role: UUID | None
    company_role_code: str
    place: UUID | None
    place_path: str
    created_ms: int
    expires_ms: int


class NewInvitation(InvitationOut):
    """A new invitation; `link` is shown this once."""

    link: str
    mailed: bool
    mail_error: Label | None = Field(description="why no mail left; null where one did, or none was asked for")


class InvitationList(Schema):
    """A part of the open invitations, the latest first."""

    items: list[InvitationOut]
    total: int


class Shown(Schema):
    """The secret of a link: what stands behind the `#` of its address."""

    token: str = Field(max_length=200)


class Invited(Schema):
    """What an invitation is for."""

    company: Label
    tenant: str
    name: str
    language: str
    role: Role
    expires_ms: int


class Accepted(Schema):
    """The account that was made: with this name, and the password that was chosen, one signs in."""

    tenant: str
    username: str


@router.get("/invitations", auth=Needs(Right.ADMINISTER), response=InvitationList)
def invitations(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """List the invitations that nobody has used yet."""
    rows = records.opened(actor_of(request).tenant)
    if listing.search.strip():
        rows = rows.filter(email__icontains=listing.search.strip())
    return {"items": [_document(row) for row in cut(rows, listing)], "total": rows.count()}


@router.post("/invitations", auth=Needs(Right.ADMINISTER), response={201: NewInvitation})
def invite(request: HttpRequest, draft: InvitationDraft) -> Status[dict[str, Any]]:
    """Invite someone: by mail if there is an address and a mail server, else by the link, shown this once."""
    made, secret = records.invite(actor_of(request).author, draft)
    link, error = delivered(request, made, secret)
    mailed = bool(made.email) and error is None
    shown = {"link": link, "mailed": mailed, "mail_error": error.document() if error else None}
    return Status(201, _document(made) | shown)


@router.delete("/invitations/{uuid:id}", auth=Needs(Right.ADMINISTER), response={204: None})
def withdraw(request: HttpRequest, id: UUID) -> Status[None]:
    """Withdraw an invitation."""
    records.withdraw(actor_of(request).author, id)
    return Status(204, None)


@router.post("/invitations/look", auth=None, response=Invited)
def look(request: HttpRequest, shown: Shown) -> dict[str, Any]:
    """Tell what a link invites to."""
    require_csrf(request)
    with for_platform():
        found = records.find(shown.token)
    return {
        "company": found.tenant.name, "tenant": found.tenant.key, "name": found.name, "language": found.language,
        "role": found.role, "expires_ms": found.credential.expires_ms,
    }  # fmt: skip


@router.post("/invitations/accept", auth=None, response={201: Accepted})
def accept(request: HttpRequest, chosen: Acceptance) -> Status[dict[str, str]]:
    """Make one's own account; the link ends with it."""
    require_csrf(request)
    with for_platform():
        user = records.accept(chosen, address_of(request))
    return Status(201, {"tenant": user.tenant.key, "username": user.username})


def delivered(request: HttpRequest, made: Invitation, secret: str) -> tuple[str, Text | None]:
    """Return the link of a new invitation, which is also mailed if there is an address; and why that failed."""
    link = page_address(request, PAGE, secret)
    if not made.email:
        return link, None
    until = datetime.fromtimestamp((made.credential.expires_ms or 0) / 1000, UTC).astimezone(ZoneInfo(made.tenant.zone))
    company = made.tenant.name.get(made.language) or made.tenant.name["en"]
    words = {"company": company, "link": link, "until": f"{until:%Y-%m-%d %H:%M %z}"}
    return link, letters.send(made.email, letters.INVITED, made.language, **words)


def page_address(request: HttpRequest, path: str, secret: str) -> str:
    """Return the address of a page with a secret; behind `#`, which browsers send to no server."""
    origin = current().page_url or request.build_absolute_uri("/")
    return f"{origin.rstrip('/')}{path}#{secret}"


def _document(row: Invitation) -> dict[str, Any]:
    return row.document() | {
        "company_role_code": row.company_role.code if row.company_role else "",
        "place_path": row.place.path if row.place else "",
    }
