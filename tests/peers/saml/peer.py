"""Starts the independent SAML 2.0 identity provider."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.peers import node

ISSUER = "urn:works:idp"


@dataclass(frozen=True)
class Key:
    """A key that signs, and its certificate; both PEM."""

    key: str
    cert: str

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.cert.encode())


@dataclass(frozen=True)
class Client:
    """One that people may be sent from: under what id, and where its answers go."""

    id: str
    answers: str


@dataclass(frozen=True)
class Form:
    """What the provider has the browser send on."""

    action: str
    response: bytes

    @property
    def body(self) -> bytes:
        return urlencode({"SAMLResponse": b64encode(self.response).decode(), "RelayState": ""}).encode()


@dataclass(frozen=True)
class Peer:
    """A running provider."""

    port: int
    key: Key

    @property
    def url(self) -> str:
        """Where it is: under another host name than the platform, so that browsers take it for another site."""
        return f"http://localhost:{self.port}"

    def metadata(self) -> str:
        return httpx.get(f"{self.url}/metadata").text

    def sign_in(self, url: str, name: str, groups: str = "", **otherwise: Any) -> Form:
        """Do what a person with a browser does at the provider; `otherwise` are options of the provider."""
        with httpx.Client() as browser:
            assert "<form" in browser.get(url).text
            typed = {"login": name, "groups": groups, "otherwise": json.dumps(otherwise)}
            answer = browser.post(url, data=typed)
        assert answer.status_code == 200, answer.text
        written = dict(re.findall(r'name="(\w+)"\s+value="([^"]*)"', answer.text))
        (action,) = re.findall(r'action="([^"]*)"', answer.text)
        return Form(unescape(action), b64decode(unescape(written["SAMLResponse"])))

    def unasked(self, platform: str, name: str) -> Form:
        """Sign in at the provider first, as from a portal of it."""
        return self.sign_in(f"{self.url}/sso", name, unasked=platform)


def key_of(name: str) -> Key:
    """Make a key with a certificate of its own."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return Key(private.decode(), certificate.public_bytes(Encoding.PEM).decode())


@contextmanager
def running(port: int, clients: Sequence[Client]) -> Iterator[Peer]:
    """Run the provider on a port for these clients."""
    key = key_of("works")
    told = {"port": port, "issuer": ISSUER, "key": key.key, "cert": key.cert}
    settings = json.dumps(told | {"platforms": [each.__dict__ for each in clients]})
    with node.running(Path(__file__).parent, settings) as (_, answer):
        yield Peer(answer["port"], key)
