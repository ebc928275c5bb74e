"""Sign-in at an OpenID Connect provider: the code flow with PKCE, nonce and signature, on allauth's client."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import jwt
import structlog
from allauth.core import context
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from requests import RequestException

from mainspring.core.errors import NotConnected
from mainspring.core.text import Text
from mainspring.records.people.provider import ProviderSection
from mainspring.records.record import absent
from mainspring.web.configure import current
from mainspring.web.faults import NotSignedIn

log = structlog.get_logger(__name__)
DISCOVERED_S: Final = 300
"""So long its discovery document is believed: everyone may press its button."""
CALLBACK: Final = "/sign-in/"
SIGN_IN, LINK = "login", "connect"
_ALGORITHMS: Final = frozenset(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)) | {"EdDSA"}
"""Signatures by a key that the provider alone has."""
_UNREADABLE: Final = (
    KeyError, TypeError, ValueError, AttributeError, jwt.PyJWTError, OAuth2Error, PermissionDenied, UpdateError,
)  # fmt: skip
"""The last: the session it was begun in is another one meanwhile."""
REFUSED: Final = Text(
    "{name} did not confirm this sign-in. Begin again; if it stays, tell your administrator the request id.",
    "{name} 未确认此次登录，请重新开始；若仍如此，请将请求编号告知管理员。",
)
_UNREACHABLE: Final = Text(
    "{name} cannot be reached from this server. Sign in with your password, or try again later.",
    "服务器无法连接 {name}，请使用密码登录或稍后重试。",
)


class Refused(NotSignedIn):
    """What came back from the provider does not prove who someone is."""

    code = "provider-refused"


@dataclass(frozen=True, slots=True)
class Proof:
    """Who the provider says someone is, and what that was asked for."""

    claims: dict[str, Any]
    process: str
    link_to: UUID | None


class _Adapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # allauth has no types
    """Takes the provider as it is configured, and has the page called back."""

    def __init__(self, request: HttpRequest, provider: _Provider) -> None:
        super().__init__(request, provider.app.provider_id)
        self._provider = provider

    def get_provider(self) -> _Provider:
        """Return the configured provider."""
        return self._provider

    @property
    def openid_config(self) -> dict[str, Any]:
        """Return the discovery document; one that names another issuer is refused."""
        section = self._provider.section
        found: dict[str, Any] | None = cache.get(f"oidc:{section.issuer}")
        if found is None:
            found = super().openid_config
            if found["issuer"] != section.issuer:
                message = f"discovery names another issuer, {found['issuer']!r}"
                raise OAuth2Error(message)
            cache.set(f"oidc:{section.issuer}", found, DISCOVERED_S)
        return found

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """Return the page to come back to: cookies of ours are not sent along from elsewhere, the page sends them."""
        scheme = "https" if settings.SESSION_COOKIE_SECURE else "http"
        return f"{scheme}://{request.get_host()}{CALLBACK}{app.provider_id}"


class _Provider(OpenIDConnectProvider):  # type: ignore[misc]
    """One provider of the settings file."""

    def __init__(self, request: HttpRequest, name: str, section: ProviderSection, secret: str) -> None:
        self.section = section
        app = SocialApp(
            provider=self.id, provider_id=name, name=section.name, client_id=section.client_id, secret=secret,
            settings={"server_url": section.issuer.rstrip("/"), "oauth_pkce_enabled": True},
        )  # fmt: skip
        super().__init__(request, app=app)

    @cached_property
    def adapter(self) -> _Adapter:
        return _Adapter(self.request, self)

    def get_oauth2_adapter(self, request: HttpRequest) -> _Adapter:
        """Return its client."""
        return self.adapter


def section_of(name: str) -> ProviderSection:
    """Return a provider of the settings file; raises NotFound."""
    section = current().providers.get(name)
    if section is None:
        raise absent("provider", name)
    return section


def begin(request: HttpRequest, name: str, *, link_to: UUID | None = None) -> str:
    """Return the address at the provider where someone signs in; state, nonce and PKCE are kept in the session."""
    with _provider(request, name) as provider:
        nonce = secrets.token_urlsafe(24)
        answer = provider.redirect(
            request, SIGN_IN if link_to is None else LINK, auth_params={"nonce": nonce},
            scope=list(provider.section.scopes), data={"nonce": nonce, "link_to": str(link_to or "")},
        )  # fmt: skip
        return str(answer.headers["Location"])


def complete(request: HttpRequest, name: str, code: str, state: str, issuer: str) -> Proof:
    """Return who the provider says someone is; raises Refused unless everything fits what was begun here."""
    with _provider(request, name) as provider:
        kept = provider.unstash_redirect_state(request, state)
        if issuer and issuer != provider.section.issuer:
            raise OAuth2Error("the answer names another issuer")
        client = provider.adapter.get_client(request, provider.app)
        token = client.get_access_token(code, pkce_code_verifier=kept["pkce_code_verifier"])
        claims = _verified(provider, token["id_token"])
        if not hmac.compare_digest(str(claims["nonce"]), kept["data"]["nonce"]):
            raise OAuth2Error("the token carries another nonce")
        more = provider.adapter._fetch_user_info(token["access_token"])
        if more["sub"] != claims["sub"]:
            raise OAuth2Error("the person told is not the one of the token")
        link_to = kept["data"]["link_to"]
        return Proof({**more, **claims}, kept["process"], UUID(link_to) if link_to else None)


def _verified(provider: _Provider, token: str) -> dict[str, Any]:
    if jwt.get_unverified_header(token).get("alg") not in _ALGORITHMS:
        raise OAuth2Error("the token is not signed by a key of the provider alone")
    claims: dict[str, Any] = jwtkit.verify_and_decode(
        credential=token, keys_url=provider.adapter.openid_config["jwks_uri"], issuer=provider.section.issuer,
        audience=provider.section.client_id, lookup_kid=jwtkit.lookup_kid_jwk, verify_signature=True,
    )  # fmt: skip
    return claims


@contextmanager
def _provider(request: HttpRequest, name: str) -> Iterator[_Provider]:
    section = section_of(name)
    words = Text(section.name, section.name_zh or section.name)
    try:
        with context.request_context(request):
            yield _Provider(request, name, section, current().provider_secrets[name].get_secret_value())
    except RequestException as error:
        log.warning("sign_in.provider_unreachable", provider=name, reason=str(error))
        raise NotConnected(_UNREACHABLE, name=words) from error
    except _UNREADABLE as error:
        log.warning("sign_in.provider_refused", provider=name, reason=repr(error))
        raise Refused(REFUSED, name=words) from error
