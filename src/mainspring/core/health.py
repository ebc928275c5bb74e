"""What each role says of itself once a second, and a gateway of each connection."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

DEVICES_SEEN_MAX: Final = 1000
"""Devices told of in one report; where there are more, they take turns."""


class Foreign(BaseModel):
    """Samples of one gateway that were refused because their tags are not its tenant's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str
    gateway: str
    samples: int


class Health(BaseModel):
    """One role's own report; `figures` carry their unit in the name: `samples_per_s`, `lag_ms`, `disk_free_bytes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    instance: str
    tenant: str = Field(default="", description="whose gateway it is; empty: a role of the platform")
    pid: int
    time_ms: int
    started_ms: int
    memory_bytes: int
    state: Literal["starting", "running", "degraded", "stopping"] = "running"
    text: dict[str, str] | None = Field(default=None, description="why it is degraded, and the next step")
    figures: dict[str, float] = Field(default_factory=dict)
    foreign: tuple[Foreign, ...] = ()


class Refusal(BaseModel):
    """What a connection did not take, in words, and how often since it was made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: dict[str, str]
    count: int


class ConnectionHealth(BaseModel):
    """One connection in words and numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connection: UUID
    name: str = Field(default="", description="what people call it; older gateways do not tell")
    state: Literal["connected", "connecting", "lost", "rejected", "disabled"]
    text: dict[str, str] | None = Field(default=None, description="the last error in words")
    since_ms: int = Field(description="since when it is so; without contact: since contact ended")
    tags: int = 0
    tags_bad: int = 0
    samples_per_s: float = 0.0
    requests_per_s: float = 0.0
    errors_per_min: float = 0.0
    round_trip_ms: float = 0.0
    last_sample_ms: int | None = None
    refused: tuple[Refusal, ...] = ()


class ReleaseReport(BaseModel):
    """What a gateway on another machine runs, tries, and had to undo with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    active: int
    trying: int | None = None
    undone: int = 0
    text: dict[str, str] | None = None


class GatewayConnections(BaseModel):
    """All connections of one gateway."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gateway: str
    time_ms: int
    connections: tuple[ConnectionHealth, ...]
    listener: str = Field(default="", description="where devices reach its MQTT listener, mqtt:// or mqtts://")
    release: ReleaseReport | None = Field(default=None, description="of a gateway on another machine")
    devices: dict[UUID, int] = Field(
        default_factory=dict,
        max_length=DEVICES_SEEN_MAX,
        description="when devices were last heard, ms UTC; some each time",
    )
