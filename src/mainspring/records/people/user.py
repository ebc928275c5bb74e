"""People who sign in."""

from __future__ import annotations

import unicodedata
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.crypto import salted_hmac

from mainspring.records.record import Record
from mainspring.records.rights import Role


class Users(BaseUserManager["User"]):
    """Looks people up by their name in one tenant."""

    def named(self, tenant: str, username: str) -> User | None:
        """Return the person with this name in the tenant with this key, None if there is none."""
        return self.select_related("tenant").filter(tenant__key=tenant, username=normal(username)).first()


class User(AbstractBaseUser, Record):
    """A person; `pseudonym` stands for them in append-only logs, so that forgetting the person is possible."""

    username = models.CharField(max_length=64)
    display_name = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=16, choices=[(role, role) for role in Role], default=Role.VIEWER)
    # Empty until they choose: pages then speak the language of the browser.
    language = models.CharField(max_length=5, default="", blank=True, choices=[("zh", "zh"), ("en", "en")])
    theme = models.CharField(max_length=8, default="system", choices=[(t, t) for t in ("system", "light", "dark")])
    enabled = models.BooleanField(default=True)
    # An account for programs: it has no password, its tokens are all there is.
    service = models.BooleanField(default=False)
    must_change_password = models.BooleanField(default=False)
    pseudonym: models.UUIDField[UUID, UUID] = models.UUIDField(default=uuid4, unique=True, editable=False)
    sign_outs = models.PositiveIntegerField(default=0)

    objects = Users()  # type: ignore[misc,assignment]

    USERNAME_FIELD = "username"
    kind = "user"

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "username"], name="user_name_of_tenant"),
            models.CheckConstraint(condition=models.Q(role__in=[str(role) for role in Role]), name="user_role"),
        ]

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """Tell Django's session check whether the person may go on."""
        return self.enabled

    def get_username(self) -> str:
        """Return the full name: the lock-out counts failures of `tenant/name`, and must forget the same."""
        return f"{self.tenant.key}/{self.username}"

    def get_session_auth_hash(self) -> str:
        """Bind sessions to password and sign-outs: either ends all of them."""
        return self._bound(None)

    def get_session_auth_fallback_hash(self) -> Any:
        """Yield the same hash under the keys still accepted."""
        from django.conf import settings

        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._bound(secret)

    def _bound(self, secret: str | None) -> str:
        content = f"{self.password}:{self.sign_outs}"
        return salted_hmac("mainspring.session", content, secret=secret, algorithm="sha256").hexdigest()

    def document(self) -> dict[str, Any]:
        """Return the form the API shows; no secret is in it."""
        return {
            "id": self.id,
            "username": self.username,
            "display_name": self.display_name,
            "role": self.role,
            "enabled": self.enabled,
            "service": self.service,
            "language": self.language,
            "theme": self.theme,
            "must_change_password": self.must_change_password,
            "last_sign_in_ms": int(self.last_login.timestamp() * 1000) if self.last_login else None,
            "version": self.version,
        }

    def label(self) -> str:
        """Return nothing: the audit holds the pseudonym and finds the name when it is read."""
        return ""


def normal(username: str) -> str:
    """Return the one form of a user name: compatible characters, no case, no outer blanks."""
    return unicodedata.normalize("NFKC", username).strip().casefold()
