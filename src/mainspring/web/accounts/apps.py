"""The application of allauth that the others need, as far as they need it."""

from __future__ import annotations

from allauth.account.apps import AccountConfig


class Accounts(AccountConfig):  # type: ignore[misc]  # allauth has no types
    """Its tables and words; its middleware and checks are for pages of its own, which are not served."""

    def ready(self) -> None:
        """Have the audit told what happens to second factors."""
        from mainspring.web.accounts import deeds

        deeds.listen()
