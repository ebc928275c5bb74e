"""Who may come in through the listener: devices by secret or certificate, their topics, and how often.

Definitions come from the one registry of credentials; nothing here knows a secret, only its SHA-256. Secrets are 256
random bits, so a wrong password tells nothing and costs one hash whether the user exists or not.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Final
from uuid import UUID

from mainspring.core.definitions import DeviceDefinition
from mainspring.drivers.mqtt_packets import matches

CONNECTS_BURST: Final = 5
CONNECTS_PER_S: Final = 1.0
DEVICES_MAX: Final = 100_000
_PREFIX: Final = b"ms"
_NOBODY: Final = hashlib.sha256(b"").hexdigest()


class Access:
    """The devices that one gateway lets in."""

    def __init__(self) -> None:
        self._devices: dict[UUID, DeviceDefinition] = {}
        self._names: dict[str, UUID] = {}
        self._certificates: dict[str, UUID] = {}
        self._connects: dict[UUID, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._devices)

    def define(self, device: DeviceDefinition) -> None:
        """Take a device in, or change it."""
        self.withdraw(device.id)
        if len(self._devices) >= DEVICES_MAX:
            return
        self._devices[device.id] = device
        self._names[device.name] = device.id
        if device.certificate:
            self._certificates[device.certificate.lower()] = device.id

    def withdraw(self, device: UUID) -> None:
        """Forget a device."""
        known = self._devices.pop(device, None)
        if known is None:
            return
        self._connects.pop(device, None)
        if self._names.get(known.name) == device:
            del self._names[known.name]
        if self._certificates.get(known.certificate.lower()) == device:
            del self._certificates[known.certificate.lower()]

    def get(self, device: UUID) -> DeviceDefinition | None:
        """Return a device as it is now, None if it was withdrawn or its time has passed."""
        known = self._devices.get(device)
        return None if known is None or _expired(known) else known

    def still(self, device: DeviceDefinition) -> DeviceDefinition | None:
        """Return a device as it is now, None if what it signed in with opens no more."""
        known = self.get(device.id)
        opened = device.name, device.digest, device.certificate
        return known if known is not None and (known.name, known.digest, known.certificate) == opened else None

    def sign_in(self, user: str | None, password: bytes | None, certificate: bytes | None) -> DeviceDefinition | None:
        """Return the device that shows this, None if there is none; a certificate is DER and already verified."""
        if certificate is not None:
            fingerprint = hashlib.sha256(certificate).hexdigest()
            shown = self._certificates.get(fingerprint)
            known = None if shown is None else self.get(shown)
            # A name that is shown beside the certificate must be its own.
            return known if known is not None and user in (None, "", known.name) else None
        named = self._names.get(user or "")
        known = None if named is None else self.get(named)
        digest = known.digest.lower() if known is not None and known.digest else _NOBODY
        fits = hmac.compare_digest(digest, hashlib.sha256(_secret(password or b"")).hexdigest())
        return known if fits and known is not None and known.digest else None

    def too_often(self, device: UUID) -> bool:
        """Tell whether a device connects more often than it may; each call counts."""
        now = time.monotonic()
        left, before = self._connects.get(device, (float(CONNECTS_BURST), now))
        left = min(float(CONNECTS_BURST), left + (now - before) * CONNECTS_PER_S)
        self._connects[device] = (max(0.0, left - 1), now)
        return left < 1


def _secret(shown: bytes) -> bytes:
    """Return the secret of `ms_<public>_<secret>`, or what is shown if it is a bare secret."""
    prefix, _, rest = shown.partition(b"_")
    public, _, secret = rest.partition(b"_")
    return secret if prefix == _PREFIX and public and secret else shown


def _expired(device: DeviceDefinition) -> bool:
    return device.expires_ms is not None and device.expires_ms <= time.time_ns() // 1_000_000


def may_publish(device: DeviceDefinition, topic: str) -> bool:
    """Tell whether a device may publish to a topic; without filters it may not."""
    return any(matches(text, topic) for text in device.publish)


def may_subscribe(device: DeviceDefinition, text: str) -> bool:
    """Tell whether everything a filter takes lies within the device's rights."""
    return any(_covers(right, text) for right in device.subscribe)


def _covers(right: str, wanted: str) -> bool:
    rights, levels = right.split("/"), wanted.split("/")
    if levels[0][:1] == "$" and rights[0] in ("+", "#"):
        return False
    for place, level in enumerate(rights):
        if level == "#":
            return True
        if place >= len(levels) or levels[place] == "#" or (level != "+" and level != levels[place]):
            return False
    return len(rights) == len(levels)
