"""XML of SAML, read with limits: no document type, no comments, no instructions, UTF-8 alone, little depth."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from xml.parsers import expat

from lxml import etree

DEPTH_MAX: Final = 32
ELEMENTS_MAX: Final = 5000
ATTRIBUTES_MAX: Final = 64
"""Of one element."""
PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
SIGNATURE: Final = "http://www.w3.org/2000/09/xmldsig#"
POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
NAMES: Final = {"p": PROTOCOL, "a": ASSERTION, "md": METADATA, "ds": SIGNATURE}


class Unproven(Exception):
    """A message proves nothing; the text says why, for the log."""


class _Limits:
    """What a message may be made of; two parsers never see two things in one that passed."""

    def __init__(self, *, comments: bool) -> None:
        self.parser = expat.ParserCreate()
        self.depth = self.elements = 0
        self.parser.XmlDeclHandler = self._declared
        self.parser.StartDoctypeDeclHandler = self._refuse_type
        if not comments:
            self.parser.CommentHandler = self._refuse_comment
            self.parser.ProcessingInstructionHandler = self._refuse_instruction
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.upper() != "UTF-8":
            raise Unproven(f"it is written in {encoding!r} instead of UTF-8")

    def _refuse_type(self, *_: object) -> None:
        raise Unproven("it has a document type")

    def _refuse_comment(self, _text: str) -> None:
        raise Unproven("there is a comment in it")

    def _refuse_instruction(self, *_: str) -> None:
        raise Unproven("there is a processing instruction in it")

    def _begin(self, _name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.elements += 1
        if self.depth > DEPTH_MAX:
            raise Unproven(f"it is nested deeper than {DEPTH_MAX}")
        if self.elements > ELEMENTS_MAX or len(attributes) > ATTRIBUTES_MAX:
            raise Unproven(f"it has more than {ELEMENTS_MAX} elements, or {ATTRIBUTES_MAX} attributes in one")

    def _end(self, _name: str) -> None:
        self.depth -= 1


def read(xml: bytes, *, comments: bool = False) -> etree._Element:
    """Return the root of a message; raises Unproven for what is no XML, or none that SAML needs.

    `comments` and instructions are left out where whoever wrote it is believed anyway, and refused elsewhere: a text
    with one in it is two texts to some readers.
    """
    try:
        xml.decode("utf-8")
        _Limits(comments=comments).parser.Parse(xml, True)
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=comments,
            remove_pis=comments,
        )  # fmt: skip
        return etree.fromstring(xml, parser)
    except (expat.ExpatError, etree.XMLSyntaxError, UnicodeDecodeError) as error:
        raise Unproven(f"it is no XML: {error}") from error


def one(parent: etree._Element, path: str) -> etree._Element:
    """Return the only element at a path; raises Unproven where there is none or another one."""
    found = parent.findall(path, NAMES)
    if len(found) != 1:
        raise Unproven(f"there are {len(found)} elements at {path}")
    return found[0]


def text_of(element: etree._Element) -> str:
    """Return the text of an element without blanks around it; raises Unproven where there are elements in it."""
    if len(element):
        raise Unproven(f"there is more than text in {element.tag}")
    return (element.text or "").strip()


def moment(written: str) -> datetime:
    """Return an instant as SAML writes it; raises Unproven for one without its zone."""
    try:
        found = datetime.fromisoformat(written.strip())
    except ValueError as error:
        raise Unproven(f"{written!r} is no time") from error
    if found.tzinfo is None:
        raise Unproven(f"{written!r} is a time without zone")
    return found.astimezone(UTC)
