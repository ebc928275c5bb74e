"""What changed and is not yet published: a bounded set of keys, filled after commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from django.db import transaction

from mainspring.core import definitions

KEYS_MAX: Final = 20_000
"""Beyond this many waiting keys everything is compared instead."""


class Outbox:
    """Keys of definitions to publish; safe to fill from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[str] = set()
        self._everything = False
        self.wake: Callable[[], None] | None = None

    def add(self, keys: Iterable[str]) -> None:
        """Remember keys, once each, and wake the publication."""
        with self._lock:
            self._keys.update(keys)
            if len(self._keys) > KEYS_MAX:
                self._keys.clear()
                self._everything = True
            wake = self.wake
        if wake is not None:
            wake()

    def compare(self) -> None:
        """Have everything compared: what changed is not known key by key."""
        with self._lock:
            self._keys.clear()
            self._everything = True
            wake = self.wake
        if wake is not None:
            wake()

    def take(self) -> tuple[set[str], bool]:
        """Return the keys and whether everything must be compared; the outbox is empty afterwards."""
        with self._lock:
            taken, self._keys = self._keys, set()
            everything, self._everything = self._everything, False
        return taken, everything


outbox = Outbox()
"""The outbox of this process."""


def mark_tenant(tenant: str, number: int) -> None:
    """Publish a tenant's own document after the commit."""
    _mark([definitions.tenant_key(tenant, number)])


def mark_connection(tenant: str, connection: UUID) -> None:
    """Publish or withdraw a connection after the commit."""
    _mark([definitions.connection_key(tenant, connection)])


def mark_devices(tenant: str, devices: Iterable[UUID]) -> None:
    """Publish or withdraw the credentials of some devices after the commit."""
    _mark(definitions.device_key(tenant, device) for device in devices)


def mark_gateway(tenant: str, name: str) -> None:
    """Publish a gateway after the commit."""
    _mark([definitions.gateway_key(tenant, name)])


def mark_tags(tenant: str, ordinals: Iterable[int]) -> None:
    """Publish the pages of some tags after the commit."""
    _mark(definitions.tag_page_key(tenant, page) for page in _pages(ordinals))


def mark_alarms(tenant: str, ordinals: Iterable[int]) -> None:
    """Publish the pages of the alarm definitions of some tags after the commit."""
    _mark(definitions.alarm_page_key(tenant, page) for page in _pages(ordinals))


def _pages(ordinals: Iterable[int]) -> set[int]:
    return {ordinal // definitions.PAGE for ordinal in ordinals}


def _mark(keys: Iterable[str]) -> None:
    marked = frozenset(keys)
    if marked:
        transaction.on_commit(lambda: outbox.add(marked))
