"""An authenticator app and a security key in software, made from their standards: what a person holds in the hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import struct
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256

STEP_S = 30


def shown(secret: str, step: int = 0) -> str:
    """Return the code an app shows now (RFC 6238), or so many steps later."""
    key = base64.b32decode(secret)
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // STEP_S + step), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def _written(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class SecurityKey:
    """Holds one passkey, for one site."""

    def __init__(self, origin: str, site: str = "localhost") -> None:
        self.origin, self.site = origin, site
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = os.urandom(16)
        self.uses = 0
        self.owner = ""
        """Who it says it is of, once it has made a passkey."""

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer `navigator.credentials.create`."""
        self.owner = options["publicKey"]["user"]["id"]
        public = cbor.encode(ES256.from_cryptography_key(self.key.public_key()))  # type: ignore[no-untyped-call]
        credential = bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        told = self._told("webauthn.create", options)
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": self._state(0x45) + credential})
        return self._credential({"clientDataJSON": _written(told), "attestationObject": _written(attestation)})

    def answer(self, options: dict[str, Any], *, verified: bool = True, owner: str = "") -> dict[str, Any]:
        """Answer `navigator.credentials.get`, having verified the person, or only felt a touch."""
        told, state = self._told("webauthn.get", options), self._state(0x05 if verified else 0x01)
        signature = self.key.sign(state + hashlib.sha256(told).digest(), ec.ECDSA(SHA256()))
        parts = {"clientDataJSON": told, "authenticatorData": state, "signature": signature}
        return self._credential(
            {name: _written(part) for name, part in parts.items()} | {"userHandle": owner or self.owner}
        )

    def _told(self, kind: str, options: dict[str, Any]) -> bytes:
        challenge = options["publicKey"]["challenge"]
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _state(self, flags: int) -> bytes:
        self.uses += 1
        return hashlib.sha256(self.site.encode()).digest() + struct.pack(">BI", flags, self.uses)

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        id = _written(self.id)
        return {"id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {}}
