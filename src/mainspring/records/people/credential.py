"""The one registry of credentials: issue, rotate, revoke; of each secret only a hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.db import models, transaction

from mainspring.records import changes
from mainspring.records.audit import HIDDEN, Author
from mainspring.records.people.user import User
from mainspring.records.record import Record
from mainspring.records.rights import Right, Role
from mainspring.records.tenant import now_ms

if TYPE_CHECKING:
    from mainspring.records.plant.asset import Asset

SECRET_BYTES: Final = 32
PREFIX: Final = "ms"
_USE_NOTED_MS: Final = 60_000
"""Last use is noted once a minute, so that reading does not become writing."""


class CredentialKind(StrEnum):
    """Who shows the credential."""

    TOKEN = "token"  # noqa: S105
    GATEWAY = "gateway"
    DEVICE = "device"
    SERVICE = "service"
    CARRIER = "carrier"
    INVITATION = "invitation"
    PROVISIONING = "provisioning"


@dataclass(frozen=True, slots=True)
class TokenScope:
    """To what a token is confined within its role; confined to kinds or a place, it reaches business records alone."""

    rights: frozenset[Right] | None = None
    """None: all of its role."""
    kinds: tuple[str, ...] = ()
    """Kinds of records as permissions name them; empty: all."""
    place: Asset | None = None
    """The asset below which it holds; None: everywhere."""


class Credential(Record):
    """One secret that opens something: whose it is, for how long, and whether it was revoked."""

    credential_kind = models.CharField(max_length=16)
    name = models.CharField(max_length=120)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="credentials")
    role = models.CharField(max_length=16, default=Role.VIEWER)
    public = models.CharField(max_length=64, unique=True)
    digest = models.CharField(max_length=64)
    issued_ms = models.BigIntegerField(default=now_ms)
    expires_ms = models.BigIntegerField(null=True)
    revoked_ms = models.BigIntegerField(null=True)
    last_used_ms = models.BigIntegerField(null=True)
    scope_rights: models.JSONField[Any, Any] = models.JSONField(null=True)
    scope_kinds: models.JSONField[Any, Any] = models.JSONField(default=list)
    # With the place goes the token: without it, it would hold everywhere.
    scope_place = models.ForeignKey("records.Asset", on_delete=models.CASCADE, null=True, related_name="+")

    kind = "credential"

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(credential_kind__in=[str(kind) for kind in CredentialKind]), name="credential_kind"
            ),
            models.CheckConstraint(condition=models.Q(role__in=[str(role) for role in Role]), name="credential_role"),
        ]

    @property
    def confined(self) -> bool:
        """Tell whether it reaches some business records alone."""
        return bool(self.scope_kinds) or self.scope_place_id is not None

    @property
    def scope(self) -> frozenset[Right] | None:
        """The rights it is confined to, None for all of its role."""
        return None if self.scope_rights is None else frozenset(map(Right, self.scope_rights)) | {Right.SIGN_IN}

    @property
    def rights(self) -> frozenset[Right]:
        """What it may by role, owner and scope together."""
        found = Role(self.role).rights
        if self.user is not None:
            found &= Role(self.user.role).rights
        return found if self.scope is None else found & self.scope

    def document(self) -> dict[str, Any]:
        """Return the form the API shows; neither secret nor hash is in it."""
        return {
            "id": self.id,
            "kind": self.credential_kind,
            "name": self.name,
            "role": self.role,
            "user": self.user_id,
            "issued_ms": self.issued_ms,
            "expires_ms": self.expires_ms,
            "revoked_ms": self.revoked_ms,
            "last_used_ms": self.last_used_ms,
            "rights": self.scope_rights,
            "kinds": self.scope_kinds,
            "place": self.scope_place_id,
            "version": self.version,
        }

    def label(self) -> str:
        """Return the name."""
        return self.name


EVERYTHING: Final = TokenScope()


def issue(
    author: Author,
    kind: CredentialKind,
    name: str,
    *,
    role: Role = Role.VIEWER,
    user: User | None = None,
    expires_ms: int | None = None,
    scope: TokenScope = EVERYTHING,
) -> tuple[Credential, str]:
    """Make a credential; the secret in the answer is shown this once."""
    credential, shown = prepared(author, kind, name, role=role, user=user, expires_ms=expires_ms, scope=scope)
    changes.create(author, credential)
    return credential, shown


def prepared(
    author: Author,
    kind: CredentialKind,
    name: str,
    *,
    role: Role = Role.VIEWER,
    user: User | None = None,
    expires_ms: int | None = None,
    secret: bool = True,
    scope: TokenScope = EVERYTHING,
) -> tuple[Credential, str]:
    """Make a credential that the caller stores; without a secret it can only be shown by other evidence."""
    made, digest = _new_secret() if secret else ("", "")
    credential = Credential(
        tenant=author.tenant,
        credential_kind=str(kind),
        name=name,
        user=user,
        role=str(role),
        public=secrets.token_hex(8),
        digest=digest,
        expires_ms=expires_ms,
        scope_rights=None if scope.rights is None else sorted(scope.rights, key=list(Right).index),
        scope_kinds=list(scope.kinds),
        scope_place=scope.place,
    )
    return credential, f"{PREFIX}_{credential.public}_{made}" if secret else ""


def register_key(author: Author, kind: CredentialKind, name: str, public_key: str) -> Credential:
    """Enter a key pair whose private half never leaves its holder; a new key under the same name revokes the old."""
    with transaction.atomic():
        known = Credential.objects.of(author.tenant).filter(credential_kind=str(kind), name=name, revoked_ms=None)
        for credential in known:
            if credential.public == public_key:
                return credential
            revoke(author, credential)
        made = Credential(
            tenant=author.tenant,
            credential_kind=str(kind),
            name=name,
            role=str(Role.VIEWER),
            public=public_key,
            digest="",
        )
        changes.create(author, made)
    return made


def rotate(author: Author, credential: Credential, expires_ms: int | None = None) -> str:
    """Replace the secret of a credential, perhaps with a new end; the old one ends at once."""
    secret, digest = _new_secret()
    with transaction.atomic():
        before = credential.document()
        credential.digest, credential.issued_ms = digest, now_ms()
        credential.expires_ms = expires_ms or credential.expires_ms
        changes.change(author, credential, before, extra={"secret": [HIDDEN, HIDDEN]})
    return f"{PREFIX}_{credential.public}_{secret}"


def revoke(author: Author, credential: Credential) -> None:
    """End a credential for good; its entry stays."""
    with transaction.atomic():
        before = credential.document()
        credential.revoked_ms = now_ms()
        changes.change(author, credential, before)


def verify(shown: str, kind: CredentialKind = CredentialKind.TOKEN) -> Credential | None:
    """Return the credential whose secret is shown, if it is neither revoked, expired nor of a disabled person."""
    prefix, _, rest = shown.partition("_")
    public, _, secret = rest.partition("_")
    if prefix != PREFIX or not public.isalnum() or not secret:
        return None
    rows = Credential.objects.select_related("tenant", "user", "user__tenant", "scope_place")
    credential = rows.filter(public=public, credential_kind=str(kind)).first()
    if credential is None or not hmac.compare_digest(credential.digest, _digest(secret)):
        return None
    now = now_ms()
    expired = credential.expires_ms is not None and credential.expires_ms <= now
    if expired or credential.revoked_ms is not None or (credential.user is not None and not credential.user.enabled):
        return None
    if credential.last_used_ms is None or now - credential.last_used_ms > _USE_NOTED_MS:
        Credential.objects.filter(pk=credential.pk).update(last_used_ms=now)
    return credential


def _new_secret() -> tuple[str, str]:
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return secret, _digest(secret)


def _digest(secret: str) -> str:
    # 256 random bits cannot be guessed, so a slow hash would only slow down every request.
    return hashlib.sha256(secret.encode()).hexdigest()
