"""Sign-in at a SAML 2.0 provider: a request by redirect, its answer by a form, bound to the browser that began.

The provider has the browser send a form from elsewhere, with which no cookie of ours comes along. So the answer is
checked where it arrives, and what it proves goes on to the page, sealed; the page sends it with the cookies.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID
from xml.etree import ElementTree

import structlog
from allauth.core import context
from allauth.socialaccount.internal.statekit import STATE_TTL, stash_state, unstash_state
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest

from mainspring.core.errors import NotConnected, StoreError
from mainspring.core.text import Text
from mainspring.records.people.provider import SamlSection
from mainspring.records.record import absent
from mainspring.records.sealed import seal, unseal
from mainspring.web.accounts.links import SUBJECT_LENGTH_MAX
from mainspring.web.accounts.oidc import CALLBACK, LINK, SIGN_IN, Proof, Refused
from mainspring.web.accounts.oidc import REFUSED as NOT_CONFIRMED
from mainspring.web.accounts.saml_metadata import Unusable, own_metadata, provider_of
from mainspring.web.accounts.saml_response import Denied, Expected, Told, told
from mainspring.web.accounts.saml_xml import ASSERTION, POST, PROTOCOL, Unproven
from mainspring.web.configure import current

log = structlog.get_logger(__name__)
FORM_BYTES_MAX: Final = 1024 * 1024
FIELDS_MAX: Final = 8
ANSWER_S: Final = 120
"""So long the page may take to send on what was proven."""
_SIGNER: Final = TimestampSigner(salt="mainspring.web.accounts.saml")
"""Tells answers from all else that is sealed with the platform's key: people choose what is in that."""
_TEXT_MAX: Final = 200
_REFUSED: Final = (
    Unproven, binascii.Error, ValueError, KeyError, TypeError, PermissionDenied, BadSignature, StoreError, UpdateError,
)  # fmt: skip
"""The last: the session it was begun in is another one meanwhile."""
_UNUSABLE: Final = Text(
    "The metadata of {name} cannot be used. Sign in with your password; the log tells your administrator why.",
    "{name}的元数据无法使用，请使用密码登录，管理员可在日志中查看原因。",
)


def section_of(name: str) -> SamlSection:
    """Return a provider of the settings file; raises NotFound."""
    section = current().saml.get(name)
    if section is None:
        raise absent("provider", name)
    return section


def answers_at(request: HttpRequest, name: str) -> str:
    """Return the address a provider sends its answers to."""
    return f"{_origin(request)}/api/v1/session/providers/{name}/response"


def platform_id(request: HttpRequest, name: str) -> str:
    """Return the entity id under which a provider knows this platform."""
    return section_of(name).platform_id or f"{_origin(request)}/api/v1/session/providers/{name}/metadata"


def metadata(request: HttpRequest, name: str) -> bytes:
    """Return the platform's own metadata for a provider; raises NotFound."""
    return own_metadata(platform_id(request, name), answers_at(request, name))


def begin(request: HttpRequest, name: str, *, link_to: UUID | None = None) -> str:
    """Return the address at the provider where someone signs in; which request it was is kept in the session."""
    with _asking(request, name) as section:
        url, request_id = provider_of(section).sign_in_url, f"_{secrets.token_hex(20)}"
        process = SIGN_IN if link_to is None else LINK
        state = {"process": process, "link_to": str(link_to or "")}
        stash_state(request, provider_id=_state_of(name), state=state, state_id=request_id)
        asked = _asked(request, name, url, request_id)
        return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode({'SAMLRequest': asked})}"


def receive(request: HttpRequest, name: str, form: bytes) -> str:
    """Check an answer of the provider; returns the page that goes on with it, wherever it leads."""
    page = f"{CALLBACK}{name}"
    try:
        with _asking(request, name) as section:
            expected = Expected(
                section.issuer, provider_of(section).certificates, platform_id(request, name),
                answers_at(request, name), datetime.now(UTC),
            )  # fmt: skip
            proven = told(_response_in(form), expected)
            return f"{page}?{urlencode({'answer': _sealed(section, name, proven)})}"
    except (Refused, NotConnected) as error:
        # Whoever sent the form looks at what it answers: a page says why, in words.
        reason = str(error.__cause__) if isinstance(error.__cause__, Denied) else ""
        return f"{page}?{urlencode({'error': reason} if reason else {'refused': _id_of(request)})}"


def complete(request: HttpRequest, name: str, answer: str) -> Proof:
    """Return who the provider says someone is; raises Refused unless this very browser asked for it, for once."""
    with _asking(request, name):
        kept: dict[str, Any] = json.loads(unseal(_SIGNER.unsign(answer, max_age=ANSWER_S)))
        if kept["provider"] != name:
            raise Unproven("what was proven is of another provider")
        state = unstash_state(request, state_id=kept["request"], provider_id=_state_of(name), raises=True)
        assert state is not None, "it raises"
        # A request is forgotten once it is answered; where two bring the answer at once, one of them comes first here.
        if not cache.add(f"saml:{kept['mark']}", 1, STATE_TTL + ANSWER_S):
            raise Unproven("this assertion was used before")
        link_to = state["link_to"]
        return Proof(kept["claims"], state["process"], UUID(link_to) if link_to else None)


def _origin(request: HttpRequest) -> str:
    return f"{'https' if settings.SESSION_COOKIE_SECURE else 'http'}://{request.get_host()}"


def _state_of(name: str) -> str:
    return f"saml:{name}"


def _id_of(request: HttpRequest) -> str:
    return str(getattr(request, "request_id", ""))


def _asked(request: HttpRequest, name: str, url: str, request_id: str) -> str:
    """Return the request as it stands in an address."""
    root = ElementTree.Element(
        f"{{{PROTOCOL}}}AuthnRequest",
        {
            "ID": request_id, "Version": "2.0", "IssueInstant": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "Destination": url, "ProtocolBinding": POST, "AssertionConsumerServiceURL": answers_at(request, name),
        },
    )  # fmt: skip
    ElementTree.SubElement(root, f"{{{ASSERTION}}}Issuer").text = platform_id(request, name)
    ElementTree.SubElement(root, f"{{{PROTOCOL}}}NameIDPolicy", {"AllowCreate": "true"})
    packed = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return base64.b64encode(packed.compress(ElementTree.tostring(root)) + packed.flush()).decode()


def _response_in(form: bytes) -> bytes:
    """Return the response that a form carries."""
    if len(form) > FORM_BYTES_MAX:
        raise Unproven(f"the form has more than {FORM_BYTES_MAX} bytes")
    fields = parse_qs(form.decode("ascii"), max_num_fields=FIELDS_MAX)
    (written,) = fields.get("SAMLResponse", [""])
    return base64.b64decode("".join(written.split()), validate=True)


def _sealed(section: SamlSection, name: str, proven: Told) -> str:
    """Return what was proven as the page carries it: nobody reads or changes it on its way."""

    def values(attribute: str) -> list[str]:
        return proven.attributes.get(attribute, []) if attribute else []

    def first(attribute: str) -> str:
        return next(iter(values(attribute)), "")[:_TEXT_MAX]

    subjects = values(section.subject_attribute) if section.subject_attribute else [proven.name_id]
    if len(subjects) != 1 or not 0 < len(subjects[0]) <= SUBJECT_LENGTH_MAX:
        raise Unproven(f"it does not say who someone is for longer than this sign-in: {len(subjects)} values")
    claims: dict[str, Any] = {"sub": subjects[0]}
    if first(section.name_attribute):
        claims["name"] = first(section.name_attribute)
    if first(section.username_attribute):
        claims["preferred_username"] = first(section.username_attribute)
    claims[section.groups_claim] = sorted(section.groups.keys() & set(values(section.groups_attribute)))
    mark = hashlib.sha256(proven.id.encode()).hexdigest()
    kept = {"provider": name, "request": proven.request, "mark": mark, "claims": claims}
    return _SIGNER.sign(seal(json.dumps(kept)))


@contextmanager
def _asking(request: HttpRequest, name: str) -> Iterator[SamlSection]:
    section = section_of(name)
    words = Text(section.name, section.name_zh or section.name)
    try:
        with context.request_context(request):
            yield section
    except Unusable as error:
        log.error("sign_in.metadata_unusable", provider=name, reason=str(error))
        raise NotConnected(_UNUSABLE, name=words) from error
    except _REFUSED as error:
        log.warning("sign_in.provider_refused", provider=name, reason=repr(error), request=_id_of(request))
        raise Refused(NOT_CONFIRMED, name=words) from error
