"""Tokens that were verified, believed again as long as nobody has committed anything to the records since.

Looking a token up takes longer than most answers to programs. SQLite tells each connection whether another one, of
whichever process, has committed: a revoked token or a changed right ends at once, as without this. PostgreSQL does not
tell, and is asked every time.
"""

from __future__ import annotations

import hashlib
import pickle
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mainspring.records.people.credential import Credential
from mainspring.records.tenant import now_ms

KNOWN_MAX: Final = 1000
BELIEVED_S: Final = 30.0
"""Then it is looked up again, which also notes that it is in use."""

Version = int | None
"""Which commit the records stand at, None where it is not known."""


class KnownTokens:
    """Used by the event loop alone, with the connection that `held_open` holds there."""

    def __init__(self) -> None:
        self._records: sqlite3.Connection | None = None
        self._version: Version = None
        self._known: dict[bytes, tuple[float, bytes]] = {}

    @contextmanager
    def watching(self, records: sqlite3.Connection | None) -> Iterator[None]:
        """Believe tokens within; without a SQLite connection none is."""
        self._known.clear()
        self._records = records
        try:
            yield
        finally:
            self._records = None
            self._known.clear()

    def version(self) -> Version:
        """Tell which commit the records stand at; to be asked before a token is looked up."""
        if self._records is None:
            return None
        try:
            return int(self._records.execute("pragma data_version").fetchone()[0])
        except sqlite3.Error:
            return None

    def find(self, shown: str) -> Credential | None:
        """Return the credential of a token that was verified and still holds: a copy, for the caller to change."""
        version = self.version()
        if version is None or version != self._version:
            self._known.clear()
            return None
        until_s, kept = self._known.get(_key(shown), (0.0, b""))
        if time.monotonic() >= until_s:
            return None
        credential: Credential = pickle.loads(kept)  # noqa: S301 - pickled here
        expired = credential.expires_ms is not None and credential.expires_ms <= now_ms()
        return None if expired else credential

    def keep(self, shown: str, credential: Credential, version: Version) -> None:
        """Believe a token that was looked up after the records stood at this version."""
        if version is None:
            return
        if version != self._version or len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._version = version
        self._known[_key(shown)] = (time.monotonic() + BELIEVED_S, pickle.dumps(credential))


def _key(shown: str) -> bytes:
    # The secret itself is not kept.
    return hashlib.sha256(shown.encode()).digest()


known_tokens = KnownTokens()
"""The tokens of this process."""
