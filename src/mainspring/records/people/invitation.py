"""Invitations: a link, good once and for a while, by which someone makes an account of their own."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from django.db import models, transaction
from pydantic import Field, SecretStr

from mainspring.core.errors import LimitExceeded, NotFound
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.access.assignment import Assignment
from mainspring.records.access.role import CompanyRole
from mainspring.records.audit import Author
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.draft import Draft, check
from mainspring.records.people import administration as people
from mainspring.records.people import credential
from mainspring.records.people.administration import UserFields
from mainspring.records.people.credential import Credential, CredentialKind
from mainspring.records.people.sign_in import PASSWORD_LENGTH_MAX
from mainspring.records.people.user import User
from mainspring.records.plant import asset as assets
from mainspring.records.plant.asset import Asset
from mainspring.records.record import Record, absent
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant, now_ms

DAY_MS: Final = 86_400_000
DAYS_MAX: Final = 30
OPEN_MAX: Final = 500
_OVER: Final = Text(
    "This invitation does not hold: it was used, withdrawn or has expired. Ask whoever sent it for a new one.",
    "此邀请无效：已被使用、撤回或已过期，请向邀请人索取新的邀请。",
)
_TOO_MANY: Final = Text(
    "At most {limit} invitations are open at a time. Withdraw some first.",
    "最多同时存在 {limit} 个邀请，请先撤回部分邀请。",
)
_BY_INVITATION: Final = "by invitation"

_PART: Final = r"[^@\s,;:<>\"()\[\]\\]+"
Mail = Annotated[str, Field(max_length=254, pattern=rf"^$|^{_PART}@{_PART}\.{_PART}$")]
"""A mail address, or nothing."""


class Invitation(Record):
    """What someone is invited to; the secret of the link is a credential's."""

    credential = models.OneToOneField(Credential, on_delete=models.CASCADE, related_name="invitation")
    email = models.CharField(max_length=254, default="", blank=True)
    name = models.CharField(max_length=120, default="", blank=True)
    language = models.CharField(max_length=5, default="", blank=True)
    role = models.CharField(max_length=16, default=Role.GUEST)
    company_role = models.ForeignKey(CompanyRole, on_delete=models.CASCADE, null=True, related_name="+")
    place = models.ForeignKey(Asset, on_delete=models.CASCADE, null=True, related_name="+")
    invited_by = models.UUIDField(null=True)
    accepted_ms = models.BigIntegerField(null=True)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    kind = "invitation"

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(role__in=[str(role) for role in Role]), name="invitation_role"),
        ]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows."""
        return {
            "id": self.id, "email": self.email, "name": self.name, "language": self.language, "role": self.role,
            "company_role": self.company_role_id, "place": self.place_id, "created_ms": self.created_ms,
            "expires_ms": self.credential.expires_ms, "accepted_ms": self.accepted_ms, "user": self.user_id,
        }  # fmt: skip

    def label(self) -> str:
        """Return nothing: whom it is for is personal."""
        return ""


class InvitationDraft(Draft):
    """Whom to invite, and to what: a role for the whole company, one of its own roles, or a role in a place alone."""

    email: Mail = Field(default="", description="empty: the link is handed over by hand")
    name: str = Field(default="", max_length=120)
    language: Literal["", "zh", "en"] = ""
    role: Role = Role.VIEWER
    company_role: UUID | None = Field(default=None, description="a role of the company's own, beside `role`")
    place: UUID | None = Field(default=None, description="an asset: the roles hold there and below alone")
    days: int = Field(default=7, ge=1, le=DAYS_MAX)


class Acceptance(Draft):
    """What the invited choose for themselves."""

    token: str = Field(max_length=200)
    username: str = Field(max_length=64)
    display_name: str = Field(default="", max_length=120)
    language: Literal["", "zh", "en"] = ""
    password: SecretStr = Field(max_length=PASSWORD_LENGTH_MAX)


def invite(author: Author, draft: InvitationDraft) -> tuple[Invitation, str]:
    """Make an invitation; the secret of its link is shown this once."""
    with transaction.atomic():
        if opened(author.tenant).count() >= OPEN_MAX:
            raise LimitExceeded(_TOO_MANY, limit=OPEN_MAX)
        role = _role(author.tenant, draft.company_role) if draft.company_role is not None else None
        place = assets.find(author.tenant, draft.place) if draft.place is not None else None
        expires_ms = now_ms() + draft.days * DAY_MS
        made, secret = credential.issue(
            author, CredentialKind.INVITATION, "invitation", role=draft.role, expires_ms=expires_ms
        )
        invitation = Invitation(
            tenant=author.tenant, credential=made, email=draft.email, name=draft.name, language=draft.language,
            role=draft.role, company_role=role, place=place, invited_by=author.pseudonym,
        )  # fmt: skip
        changes.create(author, invitation)
    return invitation, secret


def _role(tenant: Tenant, id: UUID) -> CompanyRole:
    found = CompanyRole.objects.of(tenant).filter(pk=id).first()
    if found is None:
        raise absent("role", id)
    return found


def opened(tenant: Tenant) -> models.QuerySet[Invitation]:
    """Return the invitations nobody has used yet and nobody withdrew, the latest first; some may have expired."""
    rows = Invitation.objects.of(tenant).filter(accepted_ms=None, credential__revoked_ms=None)
    return rows.select_related("credential", "company_role", "place").order_by("-created_ms")


def withdraw(author: Author, id: UUID) -> None:
    """End an invitation; raises NotFound."""
    found = opened(author.tenant).filter(pk=id).first()
    if found is None:
        raise absent("invitation", id)
    credential.revoke(author, found.credential)


def find(shown: str) -> Invitation:
    """Return the invitation whose link this is; raises NotFound unless it holds. To be asked for the platform."""
    known = credential.verify(shown, CredentialKind.INVITATION)
    rows = Invitation.objects.select_related("tenant", "credential", "company_role", "place")
    found = rows.filter(credential=known, accepted_ms=None).first() if known is not None else None
    if found is None:
        raise NotFound(_OVER)
    return found


def accept(chosen: Acceptance, address: str) -> User:
    """Make the account of the invited; the link ends with it. To be asked for the platform."""
    with transaction.atomic():
        invitation = find(chosen.token)
        # Held until the end: the same link used twice at once makes one account.
        Credential.objects.select_for_update().get(pk=invitation.credential_id)
        invitation = find(chosen.token)
        placed = invitation.place is not None and invitation.company_role is None
        role = Role.GUEST if placed else Role(invitation.role)
        told = chosen.model_dump(include={"username", "display_name", "language"})
        told |= {"role": role, "display_name": chosen.display_name or invitation.name}
        fields = check(UserFields, told)
        user = User(tenant=invitation.tenant)
        own = Author(invitation.tenant, user.pseudonym, address)
        people.enter(own, fields, chosen.password.get_secret_value(), user)
        _assign(invitation, user)
        before = invitation.document()
        invitation.accepted_ms, invitation.user = now_ms(), user
        changes.change(own, invitation, before)
        credential.revoke(own, invitation.credential)
    return user


def _assign(invitation: Invitation, user: User) -> None:
    given: dict[str, Any] = {}
    if invitation.company_role is not None:
        given["role"] = str(invitation.company_role.pk)
    elif invitation.place is not None and invitation.role != Role.GUEST:
        given["built_in"] = invitation.role
    else:
        return
    if invitation.place is not None:
        given["place"] = str(invitation.place.pk)
    # It is the inviter who assigns.
    inviter = Access(Author(invitation.tenant, invitation.invited_by), Role.ADMINISTRATOR.rights)
    writing.create(inviter, Assignment, {"person": str(user.pk), "reason": _BY_INVITATION, **given})
