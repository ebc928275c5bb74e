"""What records publish downwards: connections, tags and alarm definitions, watched by every role.

Documents lie in the key-value bucket `definitions` under `<tenant>.tenant.<number>`, `<tenant>.connections.<id>`,
`<tenant>.devices.<id>`, `<tenant>.tags.<page>` and `<tenant>.alarms.<page>`. A page holds what belongs to `PAGE`
consecutive tag ordinals, so that half a million tags are five hundred documents. A watcher compares a page with
what it had; what is missing was removed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.kinds import SampleKind

PAGE: Final = 1000
BUCKET: Final = "definitions"


class Document(BaseModel):
    """A published document: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(Document):
    """A text in both languages; the Chinese one may be empty."""

    en: str = Field(max_length=500)
    zh: str = Field(default="", max_length=500)


class TenantDefinition(Document):
    """One company; `number` is its place in the history's keys and never reused."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    number: int = Field(ge=0, lt=2**32)
    revision: int
    name: Words
    zone: str = Field(default="UTC", description="IANA zone of the plant")


class TagDefinition(Document):
    """One named source of samples."""

    ordinal: int = Field(ge=0, lt=2**32, description="place in this history; never reused")
    id: UUID
    path: str = Field(max_length=500, description="site/area/line/machine/name")
    name: str = Field(max_length=200, description="tag name, as on the drawing")
    kind: SampleKind = SampleKind.FLOAT
    unit: str = Field(default="1", description="UCUM code")
    low: float | None = Field(default=None, description="lower end of the range")
    high: float | None = Field(default=None, description="upper end of the range")
    connection: UUID | None = Field(default=None, description="None: nobody sends it yet, or it is entered by hand")
    address: dict[str, Any] = Field(default_factory=dict, description="the driver's own address settings")
    scan_ms: int = Field(default=1000, ge=10, le=86_400_000, description="scan class")
    gain: float = Field(default=1.0, description="value = raw * gain + offset")
    offset: float = 0.0
    dead_band: float = Field(default=0.0, ge=0, description="smallest change reported, in the tag's unit")
    silence_max_ms: int = Field(default=60_000, ge=1000, description="report at least this often, changed or not")
    stale_ms: int = Field(default=0, ge=0, description="stale after this time without a sample; 0: three silences")
    writable: bool = False
    enabled: bool = True
    retention: str = Field(default="standard", max_length=32, description="retention class")


class TagPage(Document):
    """The tags of one page of ordinals."""

    revision: int
    tenant: str
    page: int
    tags: tuple[TagDefinition, ...]


class ConnectionDefinition(Document):
    """One device or server, spoken to by one driver in one gateway."""

    id: UUID
    tenant: str
    revision: int
    name: str
    driver: str
    gateway: str
    settings: dict[str, Any]
    enabled: bool = True
    replayed: bool = Field(default=False, description="a simulator replays a recording: samples carry that origin")


class Priority(StrEnum):
    """Alarm priorities of ISA-18.2, with diagnostic apart."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    DIAGNOSTIC = "diagnostic"


class Condition(StrEnum):
    """What an alarm definition watches."""

    HH = "HH"
    H = "H"
    L = "L"
    LL = "LL"
    STALE = "stale"


class AlarmDefinition(Document):
    """One limit, or staleness, of one tag."""

    id: UUID
    tag: int = Field(ge=0, lt=2**32, description="ordinal")
    condition: Condition
    limit: float = Field(default=0.0, description="in the tag's unit; unused for staleness")
    dead_band: float = Field(default=0.0, ge=0)
    on_delay_ms: int = Field(default=0, ge=0, le=86_400_000)
    off_delay_ms: int = Field(default=0, ge=0, le=86_400_000)
    priority: Priority = Priority.MEDIUM
    name: Words
    consequence: Words | None = None
    response: Words | None = None
    enabled: bool = True


class AlarmPage(Document):
    """The alarm definitions of the tags of one page of ordinals."""

    revision: int
    tenant: str
    page: int
    alarms: tuple[AlarmDefinition, ...]


class DeviceDefinition(Document):
    """A device's credential as gateways need it to let it in; the secret itself is nowhere."""

    id: UUID
    tenant: str
    revision: int
    name: str = Field(max_length=120, description="the user name it shows")
    gateway: str
    digest: str = Field(default="", max_length=64, description="SHA-256 of the secret, hexadecimal; empty: none")
    certificate: str = Field(default="", max_length=64, description="SHA-256 of its certificate, hexadecimal")
    publish: tuple[str, ...] = Field(default=(), max_length=20, description="MQTT topic filters it may publish to")
    subscribe: tuple[str, ...] = Field(default=(), max_length=20, description="MQTT topic filters it may read")
    expires_ms: int | None = None


Definition = TenantDefinition | ConnectionDefinition | TagPage | AlarmPage | DeviceDefinition


def tenant_key(tenant: str, number: int) -> str:
    """Key of a tenant's own document."""
    return f"{tenant}.tenant.{number}"


def connection_key(tenant: str, connection: UUID) -> str:
    """Key of a connection's document."""
    return f"{tenant}.connections.{connection}"


def device_key(tenant: str, device: UUID) -> str:
    """Key of a device's credential; one that is revoked is withdrawn."""
    return f"{tenant}.devices.{device}"


def tag_page_key(tenant: str, page: int) -> str:
    """Key of a page of tags."""
    return f"{tenant}.tags.{page}"


def alarm_page_key(tenant: str, page: int) -> str:
    """Key of a page of alarm definitions."""
    return f"{tenant}.alarms.{page}"


def parse(key: str, document: bytes) -> Definition:
    """Read a published document by its key; raises ValueError for one that is none of ours."""
    kind = key.split(".")[1]
    forms: dict[str, type[Definition]] = {
        "tenant": TenantDefinition,
        "connections": ConnectionDefinition,
        "tags": TagPage,
        "alarms": AlarmPage,
        "devices": DeviceDefinition,
    }
    if kind not in forms:
        message = f"{key} is not a key of definitions"
        raise ValueError(message)
    return forms[kind].model_validate_json(document)
