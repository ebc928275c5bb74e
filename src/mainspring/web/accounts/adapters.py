"""What allauth asks of the project it serves: names, secrets at rest, and nothing sent by itself."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest

from mainspring.records.people.user import User
from mainspring.records.sealed import seal, unseal


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Our people have no mail address, and pages tell for themselves what happened."""

    def send_notification_mail(self, *_: Any, **__: Any) -> None:
        """Send nothing: the audit tells it."""

    def add_message(self, *_: Any, **__: Any) -> None:
        """Say nothing: the API answers."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that attempts are counted for."""
        return str(request.META.get("REMOTE_ADDR") or "nowhere")


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors that are named by company and person, their secrets sealed."""

    def get_totp_label(self, user: User) -> str:
        """Return the name under which an authenticator app lists it."""
        return user.get_username()

    def get_totp_issuer(self) -> str:
        """Return whose sign-in it is."""
        tenant = context.request.user.tenant
        return f"{tenant.name.get('en') or tenant.name.get('zh') or tenant.key} - Mainspring"

    def encrypt(self, text: str) -> str:
        """Seal a secret with the platform's key."""
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Open a sealed secret."""
        return unseal(encrypted_text)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Return for which site a passkey is: the host name the page was reached by."""
        return {"id": context.request.get_host().partition(":")[0], "name": "Mainspring"}

    def send_notification_mail(self, *_: Any, **__: Any) -> None:
        """Send nothing: the audit tells it."""
