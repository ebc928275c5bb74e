"""Where else people may sign in: declarations of the settings file, for OpenID Connect and for SAML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mainspring.records.rights import Role

PROVIDERS_MAX: Final = 20
RoleName = Literal["guest", "viewer", "operator", "engineer", "administrator"]
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Elsewhere(BaseModel):
    """What is said of every provider, whatever it speaks."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    name: str = Field(default="", max_length=60, description="what its button says after `Sign in with`")
    name_zh: str = Field(default="", max_length=60, description="the same in Chinese; empty: as in English")
    issuer: str = Field(default="", max_length=190, description="what it calls itself; empty: not used")
    tenant: str = Field(
        default="", pattern=r"^([a-z][a-z0-9-]{0,31})?$", description="company its people are of; empty: the platform's"
    )
    create: bool = Field(default=False, description="whoever it signs in for the first time becomes a new person here")
    role: RoleName = Field(default="viewer", description="role of those in no group named below")
    groups: dict[str, RoleName] = Field(
        default={}, description="role of a group's people, set at each sign-in; the highest counts; empty: never set"
    )
    second_factor: bool = Field(
        default=False, description="it asks for a second factor itself: here none is asked of its people"
    )

    @property
    def linked_as(self) -> str:
        """Under what name it is kept who someone is there."""
        return self.issuer

    def role_of(self, groups: frozenset[str]) -> Role:
        """Return the role of someone in these groups."""
        found = [Role(role) for group, role in self.groups.items() if group in groups]
        return max(found, key=list(Role).index, default=Role(self.role))


class ProviderSection(Elsewhere):
    """One OpenID Connect provider; its secret comes from MAINSPRING_SIGN_IN_NAME_SECRET, NAME in capitals."""

    issuer: str = Field(
        default="", max_length=190, description="its issuer URL, as its discovery document says it; empty: not used"
    )
    client_id: str = Field(default="", max_length=190, description="the id under which it knows this platform")
    groups_claim: str = Field(default="groups", max_length=100, description="claim that lists a person's groups")
    scopes: tuple[str, ...] = Field(default=("openid", "profile"), description="what it is asked to tell")

    @field_validator("issuer")
    @classmethod
    def _protected(cls, issuer: str) -> str:
        parts = urlsplit(issuer)
        if not issuer:
            return issuer
        if not parts.hostname or parts.query or parts.fragment:
            message = "an issuer is written like https://login.example.com/realm"
            raise ValueError(message)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            message = "an issuer must be reached by https; plain http is for this machine alone"
            raise ValueError(message)
        return issuer

    @field_validator("scopes")
    @classmethod
    def _with_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            message = "scopes must contain openid"
            raise ValueError(message)
        return scopes

    @model_validator(mode="after")
    def _complete(self) -> ProviderSection:
        if self.issuer and not (self.name and self.client_id):
            message = "a provider needs name and client_id beside its issuer"
            raise ValueError(message)
        return self


class SamlSection(Elsewhere):
    """One SAML 2.0 provider, known by its metadata."""

    groups_claim: ClassVar[str] = "groups"
    """What their groups are called once its attributes are read."""

    issuer: str = Field(
        default="", max_length=180, description="its entity id, as its metadata says it; empty: not used"
    )
    metadata: Path | None = Field(default=None, description="file with its metadata, XML; read again when it changes")
    platform_id: str = Field(
        default="", max_length=190,
        description="the entity id under which it knows this platform; empty: the address of the platform's metadata",
    )  # fmt: skip
    subject_attribute: str = Field(
        default="", max_length=200, description="attribute that says who someone is, for good; empty: the NameID does"
    )
    username_attribute: str = Field(
        default="uid", max_length=200, description="attribute with the name a new person gets here"
    )
    name_attribute: str = Field(
        default="displayName", max_length=200, description="attribute with the name a new person is shown by"
    )
    groups_attribute: str = Field(
        default="groups", max_length=200, description="attribute that lists a person's groups"
    )

    @property
    def linked_as(self) -> str:
        """Under what name it is kept who someone is there: a provider may bear the same name in OpenID Connect."""
        return f"saml:{self.issuer}"

    @model_validator(mode="after")
    def _complete(self) -> SamlSection:
        if self.issuer and not (self.name and self.metadata):
            message = "a provider needs name and metadata beside its issuer"
            raise ValueError(message)
        return self


Section = TypeVar("Section", bound=Elsewhere)


def named_plainly(providers: dict[str, Section]) -> dict[str, Section]:
    """Return the providers in use; raises ValueError for too many, or a name that fits no address."""
    if len(providers) > PROVIDERS_MAX:
        message = f"at most {PROVIDERS_MAX} providers"
        raise ValueError(message)
    for name in providers:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name):
            message = f"{name!r} is not the name of a provider: small letters, digits and hyphens"
            raise ValueError(message)
    return {name: provider for name, provider in providers.items() if provider.issuer}


def secret_variable(name: str) -> str:
    """Return the environment variable that holds a provider's secret."""
    return f"MAINSPRING_SIGN_IN_{name.upper().replace('-', '_')}_SECRET"
