"""Where Django keeps sessions: in rows that know whose they are."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from mainspring.records.in_force import for_platform
from mainspring.records.people.session import AGENT_LENGTH_MAX, Session
from mainspring.records.people.user import User


class SessionStore(DatabaseStore):
    """The session of one request; it is looked up before it is known for which company the request works."""

    address = ""
    agent = ""
    row: Session | None = None

    @classmethod
    def get_model_class(cls) -> type[Session]:
        """Return the table."""
        return Session

    def comes_from(self, address: str, agent: str) -> None:
        """Say from where and with which browser the request came."""
        self.address, self.agent = address[:64], agent[:AGENT_LENGTH_MAX]

    def _validate_session_key(self, key: str | None) -> bool:
        # Cookies can say what no database holds.
        return bool(super()._validate_session_key(key)) and str(key).isalnum()  # type: ignore[misc]

    @for_platform()
    def _get_session_from_db(self) -> Any:
        self.row = super()._get_session_from_db()  # type: ignore[misc]
        return self.row

    @for_platform()
    def exists(self, session_key: str) -> bool:
        """Tell whether there is a session with this key."""
        return super().exists(session_key)

    @for_platform()
    def delete(self, session_key: str | None = None) -> None:
        """End a session."""
        super().delete(session_key)

    @for_platform()
    def save(self, must_create: bool = False) -> None:
        """Store the session; what it was begun with stays."""
        if must_create or self.session_key is None:
            super().save(must_create)
            return
        content = self._get_session()  # type: ignore[attr-defined]
        user = User.objects.filter(pk=content[SESSION_KEY]).first() if SESSION_KEY in content else None
        stored = Session.objects.filter(session_key=self.session_key).update(
            session_data=self.encode(content), expire_date=self.get_expiry_date(), user=user,
            tenant_id=user.tenant_id if user is not None else None, bound=content.get(HASH_SESSION_KEY, ""),
        )  # fmt: skip
        if not stored:
            raise UpdateError

    def create_model_instance(self, data: Any) -> Session:
        """Make the row of a session that begins."""
        row: Session = super().create_model_instance(data)  # type: ignore[assignment]
        row.address, row.agent = self.address, self.agent
        return row
