"""Who both sides of SAML are: the provider's metadata, read from its file, and the platform's own."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.etree import ElementTree

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from mainspring.records.people.provider import LOOPBACK, SamlSection
from mainspring.web.accounts.saml_xml import METADATA, NAMES, POST, PROTOCOL, REDIRECT, Unproven, moment, read

BYTES_MAX: Final = 1024 * 1024
CERTIFICATES_MAX: Final = 10
RSA_BITS_MIN: Final = 2048


class Unusable(Exception):
    """The metadata of a provider cannot be used; the text says why, for the log."""


@dataclass(frozen=True, slots=True)
class SamlProvider:
    """What the metadata tells of a provider."""

    sign_in_url: str
    certificates: tuple[x509.Certificate, ...]
    """With their keys it signs; while it changes keys, old and new."""
    valid_until: datetime | None


def provider_of(section: SamlSection) -> SamlProvider:
    """Return what a provider's metadata tells, read again when the file changes; raises Unusable."""
    assert section.metadata is not None, "the settings were checked"
    try:
        found = _read(section.metadata, section.metadata.stat().st_mtime_ns, section.issuer)
    except (OSError, Unproven, ValueError) as error:
        raise Unusable(f"{section.metadata}: {error}") from error
    if found.valid_until is not None and found.valid_until < datetime.now(UTC):
        raise Unusable(f"{section.metadata} was valid until {found.valid_until}; fetch it again")
    return found


@lru_cache(maxsize=64)
def _read(file: Path, _changed_ns: int, issuer: str) -> SamlProvider:
    with file.open("rb") as opened:
        xml = opened.read(BYTES_MAX + 1)
    if len(xml) > BYTES_MAX:
        raise Unusable(f"{file} has more than {BYTES_MAX} bytes; keep the one provider in it")
    for entity in read(xml, comments=True).iter(f"{{{METADATA}}}EntityDescriptor"):
        if entity.get("entityID") != issuer:
            continue
        ends = entity.get("validUntil")
        for role in entity.findall("md:IDPSSODescriptor", NAMES):
            if PROTOCOL in role.get("protocolSupportEnumeration", "").split():
                return SamlProvider(_sign_in_url(role), _certificates(role), moment(ends) if ends else None)
    raise Unusable(f"{file} tells of no provider with the entity id {issuer!r}")


def _sign_in_url(role: etree._Element) -> str:
    for service in role.findall("md:SingleSignOnService", NAMES):
        url = str(service.get("Location", ""))
        parts = urlsplit(url)
        if service.get("Binding") != REDIRECT:
            continue
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
            return url
        raise Unusable(f"{url} must be reached by https; plain http is for this machine alone")
    raise Unusable("it has no sign-in address for HTTP-Redirect")


def _certificates(role: etree._Element) -> tuple[x509.Certificate, ...]:
    texts = [
        each.text or ""
        for key in role.findall("md:KeyDescriptor", NAMES)
        if key.get("use", "signing") == "signing"
        for each in key.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", NAMES)
    ]
    if not 0 < len(texts) <= CERTIFICATES_MAX:
        raise Unusable(f"it has {len(texts)} certificates that sign; 1 to {CERTIFICATES_MAX} are taken")
    found = tuple(x509.load_der_x509_certificate(base64.b64decode("".join(each.split()))) for each in texts)
    for certificate in found:
        key = certificate.public_key()
        if not (isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS_MIN) and not isinstance(
            key, ec.EllipticCurvePublicKey
        ):
            raise Unusable(f"its key is no RSA key of {RSA_BITS_MIN} bits or more, and none on a curve")
    return found


def own_metadata(entity_id: str, answers: str) -> bytes:
    """Return the platform's own metadata: under what id it is known and where answers are sent."""
    ElementTree.register_namespace("md", METADATA)
    root = ElementTree.Element(f"{{{METADATA}}}EntityDescriptor", {"entityID": entity_id})
    role = ElementTree.SubElement(
        root,
        f"{{{METADATA}}}SPSSODescriptor",
        {"protocolSupportEnumeration": PROTOCOL, "AuthnRequestsSigned": "false", "WantAssertionsSigned": "true"},
    )
    ElementTree.SubElement(
        role,
        f"{{{METADATA}}}AssertionConsumerService",
        {"Binding": POST, "Location": answers, "index": "0", "isDefault": "true"},
    )
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written
