"""What the web role is told at its start; the Django settings are made from it.

A role calls `configure(WebSettings(...))` once, before anything of Django is imported. Without it the values that
suit type checkers hold: a database in memory and a key for nothing but types.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text
from mainspring.records.people.provider import ProviderSection, SamlSection
from mainspring.records.rights import Requirement

_TWICE: Final = Text(
    "The web role was configured twice in one process with different settings. Start a second process instead.",
    "同一进程内以不同设置配置了两次 Web 角色，请另起一个进程。",
)


class Mail(BaseModel):
    """The mail server that notices leave by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str
    username: str = ""
    password: SecretStr = SecretStr("")
    tls_ca: Path | None = None


class WebSettings(BaseModel):
    """Everything the web role must know before it starts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(default="sqlite://:memory:", description="sqlite:///file or postgresql://user@host/name")
    secret_key: SecretStr = SecretStr("for-type-checkers-alone")
    secret_key_previous: tuple[SecretStr, ...] = Field(default=(), description="keys still accepted, never used anew")
    data_folder: Path = Path(".mainspring")
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    https: bool = Field(
        default=False, description="pages are reached over TLS: cookies are marked secure, HSTS is sent"
    )
    trusted_origins: tuple[str, ...] = Field(
        default=(), description="origins that may send changes although the host differs, as https://plant.example"
    )
    debug: bool = False
    demo: bool = False
    tenant: str = Field(default="plant", pattern=r"^[a-z][a-z0-9-]{0,31}$")
    zone: str = "UTC"
    product_version: str = "0.1.0"
    static_folder: Path = Path(__file__).parent / "static"
    apps: tuple[str, ...] = Field(default=(), description="packages of all apps, by the names they are imported by")
    apps_folder: Path | None = None
    session_hours: int = Field(default=12, ge=1, le=24 * 30)
    token_days_max: int = Field(default=366, ge=1, le=3660)
    registration: bool = Field(default=False, description="companies may ask for an account by themselves")
    shelf_hours_max: int = Field(default=24, ge=1, le=24 * 7)
    software_versions_max: int = Field(default=20, ge=1)
    software_bytes_max: int = Field(default=1024**3, ge=1024**2)
    request_bytes_max: int = Field(default=16 * 1024 * 1024, ge=64 * 1024)
    sign_in_failures_max: int = Field(default=5, ge=3, le=20)
    bus_url: str = Field(default="", description="where gateways on other machines reach the bus")
    bus_ca: Path | None = Field(default=None, description="the authority they trust for it, PEM")
    mail: Mail | None = None
    webhook_hosts: tuple[str, ...] = ()
    page_url: str = Field(default="", description="where people reach the pages, for links in messages")
    lock_out_minutes: int = Field(default=15, ge=1, le=24 * 60)
    second_factor: Requirement = Field(
        default=Requirement.NOBODY, description="of whom every company asks a second factor"
    )
    providers: dict[str, ProviderSection] = {}
    provider_secrets: dict[str, SecretStr] = {}
    saml: dict[str, SamlSection] = {}

    def for_imports(self) -> str:
        """Return all that processes of imports are told: where the records lie and which apps there are, no keys."""
        return self.model_dump_json(include={"database_url", "data_folder", "apps", "apps_folder"})


_current = WebSettings()
_configured = False


def configure(settings: WebSettings) -> None:
    """Take the settings and start Django; the same settings a second time change nothing."""
    global _current, _configured
    if _configured:
        if settings != _current:
            raise ConfigurationError(_TWICE)
        return
    _current, _configured = settings, True
    os.environ["DJANGO_SETTINGS_MODULE"] = "mainspring.web.settings"
    import django

    django.setup()


def current() -> WebSettings:
    """Return the settings in force."""
    return _current
