"""Companies that ask for an account by themselves; administrators of the platform decide."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from django.db import models, transaction
from pydantic import AfterValidator, Field, model_validator

from mainspring.core.errors import Conflict, LimitExceeded, NotFound
from mainspring.core.faults import fault
from mainspring.core.text import Text
from mainspring.records import changes, first_start
from mainspring.records.audit import Author
from mainspring.records.business.credit_code import is_credit_code
from mainspring.records.draft import Draft
from mainspring.records.first_start import TenantDraft
from mainspring.records.people import invitation
from mainspring.records.people.invitation import Invitation, InvitationDraft, Mail
from mainspring.records.people.sign_in import network_of
from mainspring.records.record import Record, absent
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant, now_ms

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
AN_HOUR_MAX: Final = 5
"""So many are taken from one address in an hour, in IPv6 from one network."""
MAILS_MAX: Final = 3
MAILS_OF_ALL_MAX: Final = 10
"""So many mails to confirm it go in a day to one address that nobody confirms: it may be a stranger's."""
WAITING_MAX: Final = 500
CONFIRM_MS: Final = 7 * 24 * HOUR_MS
_LATER: Final = Text(
    "More requests are waiting than can be taken now. Try again in an hour.", "当前待处理的申请过多，请一小时后重试。"
)
_NO_CODE: Final = Text(
    "The check character is wrong; a unified social credit code has 18 characters.",
    "校验位不正确，统一社会信用代码为 18 位。",
)
_NO_WAY: Final = Text("Give a mail address or a telephone number.", "请填写邮箱或电话。")
_OVER: Final = Text("This link does not hold any more.", "此链接已失效。")
_DECIDED: Final = Text("This was decided already.", "该申请已处理。")


class State(models.TextChoices):
    """Where a request stands."""

    UNCONFIRMED = "unconfirmed"
    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Registration(Record):
    """A company that asks; the tenant is the company that runs the platform and decides."""

    company = models.CharField(max_length=200)
    credit_code = models.CharField(max_length=18, default="", blank=True)
    contact = models.CharField(max_length=120)
    email = models.CharField(max_length=254, default="", blank=True)
    phone = models.CharField(max_length=40, default="", blank=True)
    language = models.CharField(max_length=5, default="", blank=True)
    notes = models.TextField(default="", blank=True)
    address = models.CharField(max_length=64, default="")
    digest = models.CharField(max_length=64, default="", db_index=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    decided_ms = models.BigIntegerField(null=True)
    reason = models.TextField(default="", blank=True)
    made = models.ForeignKey(Tenant, on_delete=models.SET_NULL, null=True, related_name="+")

    kind = "registration"

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="registration_state"),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "state", "created_ms"], name="registration_by_state")]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows to those who decide."""
        return {
            "id": self.id, "company": self.company, "credit_code": self.credit_code, "contact": self.contact,
            "email": self.email, "phone": self.phone, "language": self.language, "notes": self.notes,
            "address": self.address, "state": self.state, "created_ms": self.created_ms,
            "decided_ms": self.decided_ms, "reason": self.reason, "made": self.made.key if self.made else "",
        }  # fmt: skip

    def label(self) -> str:
        """Return the company's name."""
        return self.company


def _checked(code: str) -> str:
    code = code.upper()
    if code and not is_credit_code(code):
        raise fault(_NO_CODE)
    return code


class RegistrationDraft(Draft):
    """What a company tells of itself."""

    company: str = Field(min_length=1, max_length=200)
    credit_code: Annotated[str, AfterValidator(_checked)] = Field(
        default="", max_length=18, description="unified social credit code, GB 32100"
    )
    contact: str = Field(min_length=1, max_length=120, description="who asks")
    email: Mail = ""
    phone: str = Field(default="", max_length=40, pattern=r"^[0-9+()\-. ]*$")
    notes: str = Field(default="", max_length=2000)
    language: Literal["", "zh", "en"] = ""

    @model_validator(mode="after")
    def _reached(self) -> RegistrationDraft:
        if not self.email and not self.phone:
            raise fault(_NO_WAY)
        return self


def apply(tenant: Tenant, draft: RegistrationDraft, address: str, *, confirm: bool) -> str:
    """Take a request; returns the secret by which its mail address is confirmed, if a mail is to go there."""
    rows, now = Registration.objects.of(tenant), now_ms()
    rows.filter(state=State.UNCONFIRMED, created_ms__lt=now - CONFIRM_MS).delete()
    lately = map(network_of, rows.filter(created_ms__gt=now - HOUR_MS).values_list("address", flat=True))
    many = list(lately).count(network_of(address)) >= AN_HOUR_MAX
    if many or rows.filter(state__in=[State.UNCONFIRMED, State.WAITING]).count() >= WAITING_MAX:
        raise LimitExceeded(_LATER)
    # Nobody fills a stranger's box, and few can keep its owner from being written to.
    mailed = rows.filter(email__iexact=draft.email, state=State.UNCONFIRMED, created_ms__gt=now - DAY_MS)
    senders = [network_of(each) for each in mailed.values_list("address", flat=True)]
    if confirm and (senders.count(network_of(address)) >= MAILS_MAX or len(senders) >= MAILS_OF_ALL_MAX):
        return ""
    secret = secrets.token_urlsafe(32) if confirm else ""
    made = Registration(
        tenant=tenant, address=address, digest=_digest(secret) if secret else "",
        state=State.UNCONFIRMED if secret else State.WAITING, **draft.model_dump(),
    )  # fmt: skip
    changes.create(Author(tenant, None, address), made)
    return secret


def confirm(tenant: Tenant, secret: str, address: str) -> None:
    """Note that a mail address is the applicant's; raises NotFound."""
    with transaction.atomic():
        rows = Registration.objects.of(tenant).select_for_update().filter(digest=_digest(secret))
        found = rows.filter(state=State.UNCONFIRMED, created_ms__gt=now_ms() - CONFIRM_MS).first()
        if found is None:
            raise NotFound(_OVER)
        before = found.document()
        found.state, found.digest = State.WAITING, ""
        changes.change(Author(tenant, None, address), found, before)


def accept(author: Author, id: UUID, draft: TenantDraft, secrets_folder: Path) -> tuple[Registration, Invitation, str]:
    """Make the company, and an invitation for its first administrator; to be asked for the platform."""
    with transaction.atomic():
        found = _waiting(author, id)
        before = found.document()
        found.made = first_start.found_tenant(draft, secrets_folder, author.tenant)
        # In the new company's audit the platform itself invites.
        asked = InvitationDraft(
            email=found.email, name=found.contact, language=_language(found), role=Role.ADMINISTRATOR, days=14
        )
        invited, secret = invitation.invite(Author(found.made, None, author.address), asked)
        found.state, found.decided_ms = State.ACCEPTED, now_ms()
        changes.change(author, found, before)
    return found, invited, secret


def refuse(author: Author, id: UUID, reason: str) -> Registration:
    """Refuse a request, with a reason that the applicant is told."""
    with transaction.atomic():
        found = _waiting(author, id)
        before = found.document()
        found.state, found.decided_ms, found.reason = State.REFUSED, now_ms(), reason
        changes.change(author, found, before)
    return found


def _waiting(author: Author, id: UUID) -> Registration:
    found = Registration.objects.of(author.tenant).select_for_update(of=("self",)).filter(pk=id).first()
    if found is None:
        raise absent("registration", id)
    if found.state in {State.ACCEPTED, State.REFUSED}:
        raise Conflict(_DECIDED)
    return found


def _language(found: Registration) -> Literal["", "zh", "en"]:
    return "zh" if found.language == "zh" else "en" if found.language == "en" else ""


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
