"""Sign-in at OpenID Connect and SAML providers, and what of it people link to their account here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.socialaccount.internal.statekit import STATE_TTL
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from mainspring.core.errors import NotAllowed
from mainspring.core.text import Text
from mainspring.records.in_force import for_platform
from mainspring.records.record import absent
from mainspring.web.accounts import factors, links, oidc
from mainspring.web.accounts.links import AnySection
from mainspring.web.api.forms import Label
from mainspring.web.api.second_factor import OWN
from mainspring.web.api.session import SecondStepOut, SessionOut, next_step, person_of, shown, signed_in
from mainspring.web.configure import current
from mainspring.web.security import actor_of, address_of, require_csrf

router = Router(tags=["providers"])
_OTHER_PERSON = Text("Someone else began this. Begin again.", "此操作由他人开始，请重新开始。")


class ProviderOut(Schema):
    """Where else people of a company sign in."""

    provider: str
    name: Label
    issuer: str


class Chosen(Schema):
    """The provider to sign in at."""

    provider: str = Field(max_length=32)


class GoOut(Schema):
    """Where the browser goes to sign in."""

    url: str


class Returned(Schema):
    """What the provider gave the browser to bring back."""

    provider: str = Field(max_length=32)
    code: str = Field(min_length=1, max_length=4000)
    state: str = Field(min_length=1, max_length=200)
    iss: str = Field(default="", max_length=300)


class LinkOut(Schema):
    """Where else someone signs in; perhaps at a provider that is not configured any more."""

    issuer: str
    linked_ms: int
    used_ms: int


class Company(Schema):
    """Whose providers are asked for."""

    tenant: str = Field(default="", max_length=32, description="key of the company; empty: the platform's")


class Issuer(Schema):
    """Which link goes."""

    issuer: str = Field(max_length=300)


@router.get("/session/providers", auth=None, response=list[ProviderOut])
def providers(request: HttpRequest, company: Query[Company]) -> list[dict[str, Any]]:
    """List where else people of a company sign in; open to everyone, as the sign-in page is."""
    wanted = company.tenant or current().tenant
    return [
        {
            "provider": name,
            "name": {"en": section.name, "zh": section.name_zh or section.name},
            "issuer": section.linked_as,
        }
        for name, section in _sections().items()
        if links.tenant_key(section) == wanted
    ]


@router.post("/session/providers", auth=None, response=GoOut)
def begin(request: HttpRequest, body: Chosen) -> dict[str, Any]:
    """Begin to sign in at a provider; the answer comes back to the page, which sends it on."""
    require_csrf(request)
    if request.actor is None:  # type: ignore[attr-defined]
        request.session.set_expiry(STATE_TTL)
    return {"url": _begin(request, body.provider)}


@router.post("/session/providers/callback", auth=None, response={200: SessionOut, 202: SecondStepOut})
def complete(request: HttpRequest, body: Returned) -> Status[dict[str, Any]]:
    """Sign in, or link, with what the provider gave the browser; the page it came back to sends this."""
    require_csrf(request)
    proof = oidc.complete(request, body.provider, body.code, body.state, body.iss)
    return proven(request, oidc.section_of(body.provider), proof, f"oidc:{body.provider}")


def proven(request: HttpRequest, section: AnySection, proof: oidc.Proof, by: str) -> Status[dict[str, Any]]:
    """Sign in, or link, whoever a provider has proven; by the same rules whatever it speaks."""
    if proof.process == oidc.LINK:
        actor = request.actor  # type: ignore[attr-defined]
        if actor is None or actor.user is None or actor.token is not None or actor.user.pk != proof.link_to:
            raise NotAllowed(_OTHER_PERSON)
        links.link(section, proof.claims, actor.user, actor.author)
        return Status(200, shown(request, actor.user))
    with for_platform():
        user = links.person(section, proof.claims, address_of(request))
        if section.second_factor:
            return signed_in(request, user, by, trusted=True)
        return next_step(request, user, by)


@router.get("/session/links", auth=OWN, response=list[LinkOut])
def own_links(request: HttpRequest) -> list[dict[str, Any]]:
    """Show where else one signs in."""
    return links.links_of(person_of(request))


@router.post("/session/links", auth=OWN, response=GoOut)
def begin_link(request: HttpRequest, body: Chosen) -> dict[str, Any]:
    """Begin to link one's account with who one is at a provider."""
    user = person_of(request)
    _known(body.provider)
    with factors.asked(request, user):
        factors.require_confirmed(request)
    return {"url": _begin(request, body.provider, link_to=user.pk)}


@router.delete("/session/links", auth=OWN, response={204: None})
def unlink(request: HttpRequest, which: Query[Issuer]) -> Status[None]:
    """Remove a link; sessions begun with it stay until they end."""
    user = person_of(request)
    with factors.asked(request, user):
        links.unlink(which.issuer, user, actor_of(request).author)
        factors.require_confirmed(request)
    return Status(204, None)


def _sections() -> dict[str, AnySection]:
    return {**current().providers, **current().saml}


def _known(provider: str) -> None:
    if provider not in _sections():
        raise absent("provider", provider)


def _begin(request: HttpRequest, provider: str, *, link_to: UUID | None = None) -> str:
    if provider not in current().saml:
        return oidc.begin(request, provider, link_to=link_to)
    from mainspring.web.accounts import saml  # XML and its signatures are loaded where SAML is used

    return saml.begin(request, provider, link_to=link_to)
