"""What the one file of a gateway on another machine may say."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mainspring.gateway.settings import GatewaySection

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Section(BaseModel):
    """A section of the file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class PlatformSection(Section):
    """Where the platform is. The token comes from MAINSPRING_GATEWAY_TOKEN or a file and is needed once."""

    url: str = Field(
        pattern=r"^https?://.+", description="address of the platform's pages", examples=["https://plant.example"]
    )
    ca: Path | None = Field(default=None, description="authority of its certificate, PEM; none: the system's")
    plain_http: bool = Field(default=False, description="allow http to another machine: the network is trusted")
    token_file: Path | None = Field(default=None, description="file with the token; none: from the environment")

    @model_validator(mode="after")
    def _protected(self) -> PlatformSection:
        parts = urlsplit(self.url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK and not self.plain_http:
            message = "the token would travel in clear; use https, or set plain_http = true on a trusted network"
            raise ValueError(message)
        return self


class EdgeConfiguration(Section):
    """The whole file; what the platform releases to this gateway goes before its section `gateway`."""

    data_folder: Path = Field(default=Path(".mainspring/edge"), description="segment log, key and releases")
    platform: PlatformSection
    gateway: GatewaySection = GatewaySection()
    trial_s: int = Field(default=60, ge=5, le=3600, description="a release that does not work so long after is undone")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="what is logged")

    @property
    def secrets_folder(self) -> Path:
        """Where the key lies, readable by its owner alone."""
        return self.data_folder / "secrets"
