"""Companies that ask for an account by themselves, where the settings allow it, and who decides."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db.models import F
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from mainspring.core.errors import NotFound
from mainspring.core.text import Text
from mainspring.records.draft import Draft
from mainspring.records.first_start import TenantDraft
from mainspring.records.in_force import for_platform
from mainspring.records.people import registration as records
from mainspring.records.people.registration import Registration, RegistrationDraft, State
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web import letters
from mainspring.web.api.forms import Label, Listing, cut
from mainspring.web.api.invitations import Shown, delivered, page_address
from mainspring.web.configure import current
from mainspring.web.security import Needs, actor_of, address_of, require_csrf

router = Router(tags=["registrations"])
PAGE: Final = "/register"
# The same answer as for a path that does not exist: who may not use it need not know that it does.
_CLOSED: Final = Text("There is nothing at this address.", "此地址没有内容。")


class Taken(Schema):
    """What an applicant is told: whether a mail to confirm the address was sent."""

    confirm: bool


class RegistrationOut(Schema):
    """A company that asks."""

    id: UUID
    company: str
    credit_code: str
    contact: str
    email: str
    phone: str
    language: str
    notes: str
    address: str
    state: State
    created_ms: int
    decided_ms: int | None
    reason: str
    made: str = Field(description="key of the company that was made")


class RegistrationList(Schema):
    """A part of the requests; those that wait come first, the oldest of them at the top."""

    items: list[RegistrationOut]
    total: int


class Decided(RegistrationOut):
    """A request that was decided; where it was accepted, `link` invites the first administrator, shown this once."""

    link: str = ""
    mailed: bool = False
    mail_error: Label | None = None


class Refusal(Draft):
    """Why a request is refused; the applicant is told."""

    reason: str = Field(min_length=1, max_length=1000)


@router.post("/registration", auth=None, response={202: Taken})
def register(request: HttpRequest, draft: RegistrationDraft) -> Status[dict[str, bool]]:
    """Ask for an account for a company; the answer is the same whatever is known of it already."""
    confirm = letters.can_send() and bool(draft.email)
    with for_platform():
        secret = records.apply(_platform(request), draft, address_of(request), confirm=confirm)
    if secret:
        link = page_address(request, PAGE, secret)
        letters.send(draft.email, letters.CONFIRM, draft.language, link=link)
    return Status(202, {"confirm": confirm})


@router.post("/registration/confirm", auth=None, response={204: None})
def confirm(request: HttpRequest, shown: Shown) -> Status[None]:
    """Confirm one's mail address by the link that was sent to it."""
    with for_platform():
        records.confirm(_platform(request), shown.token, address_of(request))
    return Status(204, None)


@router.get("/registrations", auth=Needs(Right.ADMINISTER), response=RegistrationList)
def registrations(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """List the companies that ask."""
    rows = Registration.objects.of(_reviewed(request)).select_related("made")
    if listing.search.strip():
        rows = rows.filter(company__icontains=listing.search.strip())
    rows = rows.order_by(F("decided_ms").desc(nulls_first=True), "created_ms")
    return {"items": [row.document() for row in cut(rows, listing)], "total": rows.count()}


@router.post("/registrations/{uuid:id}/accept", auth=Needs(Right.ADMINISTER), response=Decided)
def accept(request: HttpRequest, id: UUID, draft: TenantDraft) -> dict[str, Any]:
    """Make the company, below the one that runs the platform, and invite its first administrator."""
    _reviewed(request)
    with for_platform():
        secrets_folder = current().data_folder / "secrets"
        found, invited, secret = records.accept(actor_of(request).author, id, draft, secrets_folder)
    link, error = delivered(request, invited, secret)
    shown = {"link": link, "mailed": bool(invited.email) and error is None}
    return found.document() | shown | {"mail_error": error.document() if error else None}


@router.post("/registrations/{uuid:id}/refuse", auth=Needs(Right.ADMINISTER), response=Decided)
def refuse(request: HttpRequest, id: UUID, body: Refusal) -> dict[str, Any]:
    """Refuse a request; the reason is mailed to the applicant where that is possible."""
    _reviewed(request)
    found = records.refuse(actor_of(request).author, id, body.reason)
    error = None
    if found.email:
        error = letters.send(found.email, letters.REFUSED, found.language, company=found.company, reason=found.reason)
    shown = {"mailed": bool(found.email) and error is None, "mail_error": error.document() if error else None}
    return found.document() | shown


def _platform(request: HttpRequest) -> Tenant:
    if not current().registration:
        raise NotFound(_CLOSED)
    require_csrf(request)
    return Tenant.objects.get(key=current().tenant)


def _reviewed(request: HttpRequest) -> Tenant:
    tenant = actor_of(request).tenant
    if tenant.key != current().tenant:
        raise NotFound(_CLOSED)
    return tenant
