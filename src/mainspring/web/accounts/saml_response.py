"""What a SAML response proves: a signature by the provider over the very words that are read, meant for us and for now.

Source: OASIS SAML 2.0 core (2.3 - 2.7, 3.2, 5.4) and profiles (4.1.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from mainspring.web.accounts.saml_xml import ASSERTION, NAMES, PROTOCOL, SIGNATURE, Unproven, moment, one, read, text_of

SKEW: Final = timedelta(seconds=120)
"""So far the provider's clock may be off."""
STATUS_LENGTH_MAX: Final = 60
VALUES_MAX: Final = 1000
"""Values of one attribute that are read."""
_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_ENVELOPED: Final = f"{SIGNATURE}enveloped-signature"
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_TRANSFORMS: Final = {_ENVELOPED, _EXCLUSIVE, f"{_EXCLUSIVE}WithComments"}
_ID_NAMES: Final = ("ID", "Id", "id", "{http://www.w3.org/XML/1998/namespace}id")
_CONDITIONS: Final = {f"{{{ASSERTION}}}{name}" for name in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")}
"""Conditions that are understood; the last two bind those who keep or pass on what they got."""
_DIGESTS: Final = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_METHODS: Final = frozenset({
    SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512,
    SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512,
    SignatureMethod.SHA256_RSA_MGF1, SignatureMethod.SHA384_RSA_MGF1, SignatureMethod.SHA512_RSA_MGF1,
})  # fmt: skip
"""Signatures by a key that the provider alone has, over hashes that nobody can collide."""


class Denied(Unproven):
    """The provider itself says that it signed nobody in."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a response must fit."""

    issuer: str
    certificates: tuple[x509.Certificate, ...]
    audience: str
    """The entity id under which the provider knows us."""
    destination: str
    """Where answers to us are sent."""
    now: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What a response proves."""

    id: str
    """Of the assertion; none is taken twice."""
    request: str
    """Which of our requests it answers."""
    name_id: str
    """Empty where there is none, or one that holds for this sign-in alone."""
    attributes: dict[str, list[str]]
    """By their names, and by their friendly names where those are not names of others."""


def told(xml: bytes, expected: Expected) -> Told:
    """Return what a response proves; raises Unproven with the reason unless everything in it fits."""
    root = read(xml)
    if root.tag != f"{{{PROTOCOL}}}Response":
        raise Unproven(f"it is a {root.tag}, no response")
    request = _answered(root, expected)
    assertion = _signed_assertion(root, expected.certificates)
    if assertion.get("Version") != "2.0" or text_of(one(assertion, "a:Issuer")) != expected.issuer:
        raise Unproven("the assertion is of another version or issuer")
    name_id = _subject(assertion, expected, request)
    _check_conditions(assertion, expected)
    for statement in assertion.findall("a:AuthnStatement", NAMES) or _nothing("AuthnStatement"):
        ends = statement.get("SessionNotOnOrAfter")
        if ends is not None and moment(ends) <= expected.now - SKEW:
            raise Unproven("the session at the provider is over")
    return Told(assertion.get("ID", ""), request, name_id, _attributes(assertion))


def _nothing(name: str) -> list[etree._Element]:
    raise Unproven(f"there is no {name}")


def _answered(root: etree._Element, expected: Expected) -> str:
    """Return which request a response answers."""
    if root.get("Version") != "2.0":
        raise Unproven("it is not of SAML 2.0")
    status = one(root, "p:Status/p:StatusCode")
    if status.get("Value") != _SUCCESS:
        detail = status.find("p:StatusCode", NAMES)
        code = (status if detail is None else detail).get("Value", "")
        name = code.rpartition(":")[2]
        raise Denied(name if name.isascii() and name.isalpha() and len(name) <= STATUS_LENGTH_MAX else "Responder")
    if root.get("Destination") != expected.destination:
        raise Unproven(f"it was sent to {root.get('Destination')!r}, and we are {expected.destination!r}")
    issuer = root.find("a:Issuer", NAMES)
    if issuer is not None and text_of(issuer) != expected.issuer:
        raise Unproven("the response is of another issuer")
    request = root.get("InResponseTo", "")
    if not request:
        raise Unproven("it answers no request: sign-ins begin here, not at the provider")
    return str(request)


def _signed_assertion(root: etree._Element, certificates: tuple[x509.Certificate, ...]) -> etree._Element:
    """Return the assertion as the provider signed it: itself, or with the response around it.

    What is returned was parsed from the bytes that the signature is over, so nothing else can stand in its place. All
    else is refused besides: a second assertion, a signature elsewhere, an id that two elements have.
    """
    if root.find(".//a:EncryptedAssertion", NAMES) is not None:
        raise Unproven("its assertion is encrypted; have the provider send it signed and in clear, over https")
    assertion = one(root, "a:Assertion")
    one(root, ".//a:Assertion")
    ids = [value for each in root.iter() for name in _ID_NAMES if (value := each.get(name)) is not None]
    if len(ids) != len(set(ids)):
        raise Unproven("two elements have the same id")
    holders = [each for each in (root, assertion) if each.find("ds:Signature", NAMES) is not None]
    if len(root.findall(".//ds:Signature", NAMES)) != len(holders):
        raise Unproven("there is a signature in a place where none belongs")
    signed = {holder.tag: _verified(holder, certificates) for holder in holders}
    if assertion.tag in signed:
        return signed[assertion.tag]
    if root.tag in signed:
        return one(signed[root.tag], "a:Assertion")
    raise Unproven("neither the response nor its assertion is signed")


def _verified(holder: etree._Element, certificates: tuple[x509.Certificate, ...]) -> etree._Element:
    """Return an element as it was signed; its signature is its own child and over it alone."""
    signature = one(holder, "ds:Signature")
    reference = one(signature, "ds:SignedInfo/ds:Reference")
    if not holder.get("ID") or reference.get("URI") != f"#{holder.get('ID')}":
        raise Unproven("the signature is not over the element it stands in")
    transforms = [each.get("Algorithm") for each in reference.findall("ds:Transforms/ds:Transform", NAMES)]
    if _ENVELOPED not in transforms or not set(transforms) <= _TRANSFORMS:
        raise Unproven(f"it was changed before it was signed: {transforms}")
    if signature.find("ds:Object", NAMES) is not None:
        raise Unproven("there is an object in the signature")
    rules = SignatureConfiguration(
        location="./", expect_references=1, signature_methods=_METHODS, digest_algorithms=_DIGESTS
    )
    reason: Exception | None = None
    for certificate in certificates:
        try:
            result = XMLVerifier().verify(
                etree.tostring(holder, with_tail=False), x509_cert=certificate, expect_config=rules, id_attribute="ID"
            )
        except (SignXMLException, etree.Error, ValueError) as error:
            reason = error
            continue
        assert isinstance(result, VerifyResult), "one reference was asked for"
        signed = result.signed_xml
        if signed is None or signed.tag != holder.tag or signed.get("ID") != holder.get("ID"):
            raise Unproven("what is signed is not what is there")
        return signed
    raise Unproven(f"its signature is not by a key of the provider: {reason}")


def _subject(assertion: etree._Element, expected: Expected, request: str) -> str:
    """Return who it is about; somebody who shows it to us, now, for what we asked."""
    subject = one(assertion, "a:Subject")
    faults = [_bearer_fault(each, expected, request) for each in subject.findall("a:SubjectConfirmation", NAMES)]
    if all(faults):  # one that holds is enough
        raise Unproven(f"it is not for whoever brings it here: {faults}")
    if subject.find("a:NameID", NAMES) is None:
        return ""
    name_id = one(subject, "a:NameID")
    return "" if name_id.get("Format") == _TRANSIENT else text_of(name_id)


def _bearer_fault(confirmation: etree._Element, expected: Expected, request: str) -> str:
    """Return why a confirmation does not hold; nothing where it does."""
    given = confirmation.find("a:SubjectConfirmationData", NAMES)
    if confirmation.get("Method") != _BEARER or given is None:
        return "no bearer"
    if given.get("Recipient") != expected.destination:
        return f"for {given.get('Recipient')!r}"
    if given.get("InResponseTo") != request:
        return f"for request {given.get('InResponseTo')!r}"
    if given.get("NotBefore") is not None:
        return "from a time on"
    ends = given.get("NotOnOrAfter")
    return "" if ends is not None and moment(ends) > expected.now - SKEW else f"until {ends}"


def _check_conditions(assertion: etree._Element, expected: Expected) -> None:
    conditions = one(assertion, "a:Conditions")
    begins, ends = conditions.get("NotBefore"), conditions.get("NotOnOrAfter")
    if begins is not None and moment(begins) > expected.now + SKEW:
        raise Unproven(f"it holds from {begins} on")
    if ends is not None and moment(ends) <= expected.now - SKEW:
        raise Unproven(f"it held until {ends}")
    strange = {each.tag for each in conditions} - _CONDITIONS
    if strange:
        raise Unproven(f"it holds on conditions that are not known here: {sorted(strange)}")
    for restriction in conditions.findall("a:AudienceRestriction", NAMES) or _nothing("AudienceRestriction"):
        audiences = [text_of(each) for each in restriction.findall("a:Audience", NAMES)]
        if expected.audience not in audiences:
            raise Unproven(f"it is for {audiences}, and we are {expected.audience!r}")


def _attributes(assertion: etree._Element) -> dict[str, list[str]]:
    named, friendly = dict[str, list[str]](), dict[str, list[str]]()
    for each in assertion.findall("a:AttributeStatement/a:Attribute", NAMES):
        values = each.findall("a:AttributeValue", NAMES)[:VALUES_MAX]
        # A value that is more than text is none that is asked for here.
        texts = [(value.text or "").strip() for value in values if not len(value)]
        named.setdefault(each.get("Name", ""), []).extend(texts)
        if each.get("FriendlyName"):
            friendly.setdefault(each.get("FriendlyName"), []).extend(texts)
    return friendly | named
