"""What a SAML response must not get through with: real ones of a real provider, changed the way attackers do."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from lxml import etree
from signxml.signer import XMLSigner
from tests.e2e.platform import free_ports
from tests.peers.saml import peer
from tests.peers.saml.peer import Client, Key, Peer, key_of

from mainspring.records.people.provider import SamlSection
from mainspring.web.accounts.saml_metadata import Unusable, provider_of
from mainspring.web.accounts.saml_response import Expected, told
from mainspring.web.accounts.saml_xml import ASSERTION, NAMES, PROTOCOL, SIGNATURE, Unproven

US: Final = "urn:plant:platform"
ANSWERS: Final = "http://127.0.0.1:9/response"
REQUEST: Final = "_request1"
TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
Tree = Any
Change = Callable[[Tree], Tree]


@pytest.fixture(autouse=True)
def database() -> None:
    """Nothing here asks the records of this process."""


@pytest.fixture(scope="module")
def provider() -> Iterator[Peer]:
    with peer.running(free_ports(1), [Client(US, ANSWERS), Client("urn:else", f"{ANSWERS}/else")]) as running:
        yield running


@pytest.fixture(scope="module")
def rogue() -> Key:
    """A key that the provider never had, with a certificate that says otherwise."""
    return key_of("works")


def asked(id: str = REQUEST, of: str = US, answers: str = ANSWERS) -> str:
    """Return the address at the provider for a request."""
    xml = (
        f'<p:AuthnRequest xmlns:p="{PROTOCOL}" ID="{id}" Version="2.0" AssertionConsumerServiceURL="{answers}">'
        f'<a:Issuer xmlns:a="{ASSERTION}">{of}</a:Issuer></p:AuthnRequest>'
    )
    packed = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return urlencode({"SAMLRequest": base64.b64encode(packed.compress(xml.encode()) + packed.flush())})


def response(provider: Peer, **otherwise: Any) -> bytes:
    return provider.sign_in(f"{provider.url}/sso?{asked()}", "mei", "fitters", **otherwise).response


@pytest.fixture(scope="module")
def assertion_signed(provider: Peer) -> bytes:
    return response(provider)


@pytest.fixture(scope="module")
def response_signed(provider: Peer) -> bytes:
    return response(provider, signResponse=True, signAssertion=False)


def expected(provider: Peer, **other: Any) -> Expected:
    fits: dict[str, Any] = {
        "issuer": peer.ISSUER, "certificates": (provider.key.certificate,), "audience": US, "destination": ANSWERS,
        "now": datetime.now(UTC),
    }  # fmt: skip
    return Expected(**fits | other)


def part(tree: Tree, path: str) -> Tree:
    found = tree.find(path, NAMES)
    assert found is not None, path
    return found


def evil(tree: Tree) -> Tree:
    """Return a copy of the assertion that speaks of someone else, without a signature."""
    copied = deepcopy(part(tree, "a:Assertion"))
    copied.remove(part(copied, "ds:Signature"))
    copied.set("ID", "_evil")
    part(copied, "a:Subject/a:NameID").text = "boss"
    return copied


def test_what_the_provider_says_is_taken(provider: Peer, assertion_signed: bytes, response_signed: bytes) -> None:
    both = response(provider, signResponse=True)
    for xml in (assertion_signed, response_signed, both):
        found = told(xml, expected(provider))
        assert (found.request, found.name_id) == (REQUEST, "mei")
        assert (found.attributes["uid"], found.attributes["groups"]) == (["mei"], ["fitters"])
    assert told(response(provider, format=TRANSIENT), expected(provider)).name_id == ""


@pytest.mark.parametrize(
    ("otherwise", "reason"),
    [
        ({"signAssertion": False}, "neither the response nor its assertion is signed"),
        ({"signatureAlgorithm": "rsa-sha1"}, "RSA_SHA1 forbidden"),
        ({"digestAlgorithm": "sha1"}, "SHA1 forbidden"),
        ({"lifetimeInSeconds": -300}, "not for whoever brings it"),
        ({"audience": "urn:else"}, "it is for \\['urn:else'\\]"),
        ({"recipient": f"{ANSWERS}/else"}, "for 'http://127.0.0.1:9/response/else'"),
        ({"destination": f"{ANSWERS}/else"}, "it was sent to"),
        ({"issuer": "urn:other:idp"}, "another issuer"),
        ({"refuse": "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"}, "AuthnFailed"),
    ],
)
def test_what_does_not_fit_is_refused(provider: Peer, otherwise: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unproven, match=reason):
        told(response(provider, **otherwise), expected(provider))


def test_what_was_not_asked_for_is_refused(provider: Peer) -> None:
    with pytest.raises(Unproven, match="answers no request"):
        told(provider.unasked(US, "mei").response, expected(provider))


def test_clocks_may_differ_a_little(provider: Peer, assertion_signed: bytes) -> None:
    now = datetime.fromisoformat(part(etree.fromstring(assertion_signed), "a:Assertion").get("IssueInstant"))
    for minutes in (-1, 6):  # the provider's assertions hold for five
        assert told(assertion_signed, expected(provider, now=now + timedelta(minutes=minutes))).name_id == "mei"
    for minutes, reason in ((-4, "holds from"), (8, "not for whoever brings it")):
        with pytest.raises(Unproven, match=reason):
            told(assertion_signed, expected(provider, now=now + timedelta(minutes=minutes)))


def test_another_key_is_not_the_providers_whatever_certificate_comes_along(
    provider: Peer, rogue: Key, assertion_signed: bytes
) -> None:
    theirs = response(provider, key=rogue.key, cert=rogue.cert)
    with pytest.raises(Unproven, match="not by a key of the provider"):
        told(theirs, expected(provider))
    # While the provider changes keys it has two; either may have signed.
    both = (rogue.certificate, provider.key.certificate)
    for xml in (assertion_signed, theirs):
        assert told(xml, expected(provider, certificates=both)).name_id == "mei"


def _renamed(tree: Tree) -> Tree:
    part(tree, "a:Assertion/a:Subject/a:NameID").text = "boss"
    return tree


def _other_request(tree: Tree) -> Tree:
    """The response around the signed assertion says whatever it likes."""
    tree.set("InResponseTo", "_request2")
    return tree


def _unsigned(tree: Tree) -> Tree:
    assertion = part(tree, "a:Assertion")
    assertion.remove(part(assertion, "ds:Signature"))
    return tree


def _before(tree: Tree) -> Tree:
    part(tree, "a:Assertion").addprevious(evil(tree))
    return tree


def _after(tree: Tree) -> Tree:
    part(tree, "a:Assertion").addnext(evil(tree))
    return tree


def _around(tree: Tree) -> Tree:
    """The signed one becomes a part of the other."""
    signed, other = part(tree, "a:Assertion"), evil(tree)
    signed.addprevious(other)
    other.append(signed)
    return tree


def _in_extensions(tree: Tree) -> Tree:
    """The signed one stands where nobody looks."""
    signed, other = part(tree, "a:Assertion"), evil(tree)
    signed.addprevious(other)
    extensions = etree.Element(f"{{{PROTOCOL}}}Extensions")
    tree.insert(1, extensions)
    extensions.append(signed)
    return tree


def _in_object(tree: Tree) -> Tree:
    """The other one takes over the signature, and the signed one hides in an object of it."""
    signed, other = part(tree, "a:Assertion"), evil(tree)
    signature = part(signed, "ds:Signature")
    signed.addprevious(other)
    other.insert(1, signature)
    etree.SubElement(signature, f"{{{SIGNATURE}}}Object").append(signed)
    return tree


def _borrowed_signature(tree: Tree) -> Tree:
    """The other one shows the signature; the signed one stands inside it without."""
    signed, other = part(tree, "a:Assertion"), evil(tree)
    signature = part(signed, "ds:Signature")
    signed.addprevious(other)
    other.insert(1, signature)
    part(other, "a:Subject").append(signed)
    return tree


def _same_id(tree: Tree) -> Tree:
    other = evil(tree)
    other.set("ID", part(tree, "a:Assertion").get("ID"))
    advice = etree.SubElement(other, f"{{{ASSERTION}}}Advice")
    signed = part(tree, "a:Assertion")
    other.insert(1, part(signed, "ds:Signature"))
    signed.addprevious(other)
    advice.append(signed)
    return tree


def _other_namespace(tree: Tree) -> Tree:
    """A second assertion under the same name of another namespace, which careless queries take for the first."""
    other = evil(tree)
    other.tag = "{urn:evil}Assertion"
    part(tree, "a:Assertion").addprevious(other)
    return tree


def _whole_reference(tree: Tree) -> Tree:
    part(tree, "a:Assertion/ds:Signature/ds:SignedInfo/ds:Reference").set("URI", "")
    return tree


def _transformed(tree: Tree) -> Tree:
    transforms = part(tree, "a:Assertion/ds:Signature/ds:SignedInfo/ds:Reference/ds:Transforms")
    etree.SubElement(transforms, f"{{{SIGNATURE}}}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116")
    return tree


def _two_references(tree: Tree) -> Tree:
    reference = part(tree, "a:Assertion/ds:Signature/ds:SignedInfo/ds:Reference")
    reference.addnext(deepcopy(reference))
    return tree


def _encrypted(tree: Tree) -> Tree:
    part(tree, "a:Assertion").tag = f"{{{ASSERTION}}}EncryptedAssertion"
    return tree


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_renamed, "not by a key of the provider: Digest mismatch"), (_unsigned, "neither the response"),
        (_other_request, "for request '_request1'"),
        (_before, "2 elements"), (_after, "2 elements"), (_around, "2 elements"), (_in_extensions, "2 elements"),
        (_in_object, "2 elements"), (_borrowed_signature, "2 elements"), (_same_id, "2 elements"),
        (_whole_reference, "not over the element"), (_transformed, "changed before"), (_two_references, "2 elements"),
        (_encrypted, "encrypted"),
    ],
)  # fmt: skip
def test_a_signature_covers_what_is_read(provider: Peer, assertion_signed: bytes, change: Change, reason: str) -> None:
    with pytest.raises(Unproven, match=reason):
        told(etree.tostring(change(etree.fromstring(assertion_signed))), expected(provider))


def test_what_only_looks_like_an_assertion_is_not_read(provider: Peer, assertion_signed: bytes) -> None:
    changed = etree.tostring(_other_namespace(etree.fromstring(assertion_signed)))
    assert told(changed, expected(provider)).name_id == "mei"


def test_a_signed_response_is_not_wrapped_in_another(provider: Peer, response_signed: bytes) -> None:
    signed = etree.fromstring(response_signed)
    for place in ("Extensions", "Status"):
        outer = deepcopy(signed)
        signature = part(outer, "ds:Signature")
        outer.set("ID", "_outer")
        part(outer, "a:Assertion/a:Subject/a:NameID").text = "boss"
        holder = etree.SubElement(outer, f"{{{PROTOCOL}}}{place}") if place == "Extensions" else part(outer, "p:Status")
        holder.append(deepcopy(signed))
        with pytest.raises(Unproven, match="elements at"):
            told(etree.tostring(outer), expected(provider))
        # The same with the signature in the outer one alone, over the inner.
        inner = part(holder, "p:Response")
        inner.remove(part(inner, "ds:Signature"))
        inner.remove(part(inner, "a:Assertion"))
        assert signature.getparent() is outer
        with pytest.raises(Unproven, match="not over the element"):
            told(etree.tostring(outer), expected(provider))


def test_a_signature_that_anyone_can_make_is_none(provider: Peer, assertion_signed: bytes) -> None:
    """The provider's certificate, which everyone has, used as the secret of an HMAC."""
    tree = _unsigned(etree.fromstring(assertion_signed))
    assertion = _evil_name(part(tree, "a:Assertion"))
    signer = XMLSigner(signature_algorithm="hmac-sha256", c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#")
    made = signer.sign(assertion, key=provider.key.cert.encode(), reference_uri=assertion.get("ID"), id_attribute="ID")
    tree.replace(assertion, made)
    with pytest.raises(Unproven, match="HMAC_SHA256 forbidden"):
        told(etree.tostring(tree), expected(provider))


def _evil_name(assertion: Tree) -> Tree:
    part(assertion, "a:Subject/a:NameID").text = "boss"
    return assertion


ENTITIES: Final = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 100}">' for n in range(10))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        # Two readers see two names in it: `boss` alone, or all of it.
        (lambda xml: xml.replace(b">mei</saml:NameID>", b">boss<!---->.mei</saml:NameID>"), "comment"),
        (lambda xml: xml.replace(b">mei</saml:NameID>", b">boss<?x y?>.mei</saml:NameID>"), "instruction"),
        (lambda xml: b"<!-- x -->" + xml, "comment"),
        (lambda xml: f"<!DOCTYPE a [{ENTITIES}]>".encode() + xml.replace(b">mei<", b">&e9;<"), "document type"),
        (lambda xml: b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + xml.replace(b">mei<", b">&x;<"),
         "document type"),
        (lambda xml: b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">' + xml, "document type"),
        (lambda xml: xml.replace(b">mei<", b">&boss;<"), "no XML"),
        (lambda xml: b'<?xml version="1.0" encoding="UTF-7"?>' + xml, "no XML|UTF-7"),
        (lambda xml: b'<?xml version="1.0" encoding="ISO-8859-1"?>' + xml, "ISO-8859-1"),
        (lambda xml: xml.decode().encode("utf-16"), "no XML"),
        (lambda xml: xml.replace(b"<saml:Subject>", b"<a>" * 40 + b"</a>" * 40 + b"<saml:Subject>"), "deeper"),
        (lambda xml: xml.replace(b"<saml:Subject>", b"<a/>" * 6000 + b"<saml:Subject>"), "more than 5000"),
        (lambda xml: xml.replace(b"<saml:Subject>", b"<a " + b" ".join(b'a%d=""' % n for n in range(99)) + b"/>"
                                 b"<saml:Subject>"), "attributes"),
        (lambda xml: xml[:-20], "no XML"),
        (lambda xml: xml + xml, "no XML"),
    ],
)  # fmt: skip
def test_xml_that_readers_could_see_in_two_ways_is_refused(
    provider: Peer, assertion_signed: bytes, change: Callable[[bytes], bytes], reason: str
) -> None:
    changed = change(assertion_signed)
    assert changed != assertion_signed
    with pytest.raises(Unproven, match=reason):
        told(changed, expected(provider))


def test_metadata_is_believed_for_its_own_provider_over_https_and_while_it_holds(
    provider: Peer, tmp_path: Path
) -> None:
    file, xml = tmp_path / "idp.xml", provider.metadata()
    section = SamlSection(name="Works", issuer=peer.ISSUER, metadata=file)
    file.write_text(xml)
    found = provider_of(section)
    assert found.certificates == (provider.key.certificate,)
    assert found.sign_in_url == f"{provider.url}/sso"
    with pytest.raises(Unusable, match="no provider with the entity id 'urn:other'"):
        provider_of(section.model_copy(update={"issuer": "urn:other"}))
    # What stands in a file of one's own is believed; Shibboleth writes comments into it.
    file.write_text(xml.replace("<X509Certificate>", "<!-- signs --><X509Certificate><?x y?>"))
    assert provider_of(section) == found
    ended = "2020-01-01T00:00:00Z"
    for number, (wrong, reason) in enumerate((
        (xml.replace("http://localhost", "http://login.example"), "must be reached by https"),
        (xml.replace("<EntityDescriptor ", f'<EntityDescriptor validUntil="{ended}" '), "was valid until"),
        (xml.replace("HTTP-Redirect", "SOAP"), "no sign-in address"),
        (xml.replace('use="signing"', 'use="encryption"'), "0 certificates"),
        (f"<!DOCTYPE a>{xml}", "document type"),
        ("x" * 2_000_000, "bytes"),
    )):  # fmt: skip
        file = tmp_path / f"idp{number}.xml"
        file.write_text(wrong)
        with pytest.raises(Unusable, match=reason):
            provider_of(section.model_copy(update={"metadata": file}))
