"""What records publish downwards: connections, tags and alarm definitions, watched by every role.

Documents lie in the key-value bucket `definitions` under `<tenant>.tenant.<number>`, `<tenant>.connections.<id>`,
`<tenant>.devices.<id>`, `<tenant>.gateways.<name>`, `<tenant>.tags.<page>` and `<tenant>.alarms.<page>`. A page holds
what belongs to `PAGE` consecutive tag ordinals, so that half a million tags are five hundred documents. A watcher
compares a page with what it had; what is missing was removed.
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
    RATE = "rate"
    STATE = "state"
    CHANGE = "change"
    EXPRESSION = "expression"


class Per(StrEnum):
    """The time a rate of change is told for."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"

    @property
    def ms(self) -> int:
        """The time in milliseconds."""
        return {Per.SECOND: 1000, Per.MINUTE: 60_000, Per.HOUR: 3_600_000}[self]


class Direction(StrEnum):
    """Which changes a rate of change is limited for."""

    BOTH = "both"
    RISING = "rising"
    FALLING = "falling"


class ExpressionInput(Document):
    """A tag an expression names, as it was when the expression was published."""

    name: str = Field(max_length=500, description="as it stands in the expression")
    tag: int = Field(ge=0, lt=2**32, description="ordinal")
    unit: str = "1"
    kind: SampleKind = SampleKind.FLOAT


STATES_MAX: Final = 60
WINDOW_MIN_MS: Final = 1000
DAY_MS: Final = 86_400_000


class Suppression(Document):
    """A condition under which alarms are suppressed by design; while a tag of it is bad or stale, they are not."""

    id: UUID = Field(description="of the alarm definition or the asset that names it")
    expression: str = Field(max_length=500)
    inputs: tuple[ExpressionInput, ...] = Field(max_length=16)
    reason: Words


class AlarmDefinition(Document):
    """One limit, staleness, rate of change or state of one tag, or an expression over several."""

    id: UUID
    tag: int = Field(ge=0, lt=2**32, description="ordinal; of an expression the tag it is shown at")
    condition: Condition
    limit: float = Field(default=0.0, description="in the tag's unit, for a rate per `per`; elsewhere unused")
    dead_band: float = Field(default=0.0, ge=0)
    per: Per = Per.MINUTE
    window_ms: int = Field(default=60_000, ge=WINDOW_MIN_MS, le=DAY_MS, description="window of a rate of change")
    direction: Direction = Direction.BOTH
    states: tuple[int, ...] = Field(default=(), max_length=STATES_MAX, description="values in which it is raised")
    expression: str = Field(default="", max_length=500)
    inputs: tuple[ExpressionInput, ...] = Field(default=(), max_length=16, description="the expression's tags")
    on_delay_ms: int = Field(default=0, ge=0, le=DAY_MS)
    off_delay_ms: int = Field(default=0, ge=0, le=DAY_MS)
    priority: Priority = Priority.MEDIUM
    name: Words
    consequence: Words | None = None
    response: Words | None = None
    enabled: bool = True
    suppressed_by: tuple[UUID, ...] = Field(default=(), description="conditions of its page; any suppresses it")


class AlarmPage(Document):
    """The alarm definitions of the tags of one page of ordinals, and the conditions that suppress some of them."""

    revision: int
    tenant: str
    page: int
    alarms: tuple[AlarmDefinition, ...]
    suppressions: tuple[Suppression, ...] = ()


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


class Software(Document):
    """A version of the gateway's own program, as a wheel that the platform hands out."""

    version: str = Field(max_length=64)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=1)


class Release(Document):
    """What a gateway elsewhere is to run: settings that go before those of its own file, and its program's version."""

    number: int = Field(default=0, ge=0, description="0: what its own file and installation say")
    settings: dict[str, Any] = Field(default_factory=dict)
    software: Software | None = Field(default=None, description="none: the installed version")


class GatewayDefinition(Document):
    """A gateway as the bus needs it: the account it belongs to and the key that lets it in."""

    id: UUID
    tenant: str
    revision: int
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    local: bool = Field(default=False, description="it runs beside the platform, kept running by the supervisor")
    public_key: str = Field(default="", max_length=64, description="empty: it has not enrolled yet")
    enabled: bool = Field(default=True, description="false: its key was revoked")
    release: Release | None = Field(default=None, description="what it is to run; none: nothing was released to it")


class Since(Document):
    """What a gateway asks for: the definitions stored after a place in the bucket that was `made` then."""

    made: str = ""
    after: int = Field(default=0, ge=0)


Definition = TenantDefinition | ConnectionDefinition | TagPage | AlarmPage | DeviceDefinition | GatewayDefinition


def tenant_key(tenant: str, number: int) -> str:
    """Key of a tenant's own document."""
    return f"{tenant}.tenant.{number}"


def connection_key(tenant: str, connection: UUID) -> str:
    """Key of a connection's document."""
    return f"{tenant}.connections.{connection}"


def device_key(tenant: str, device: UUID) -> str:
    """Key of a device's credential; one that is revoked is withdrawn."""
    return f"{tenant}.devices.{device}"


def gateway_key(tenant: str, name: str) -> str:
    """Key of a gateway's document; it stays when the gateway is revoked."""
    return f"{tenant}.gateways.{name}"


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
        "gateways": GatewayDefinition,
    }
    if kind not in forms:
        message = f"{key} is not a key of definitions"
        raise ValueError(message)
    return forms[kind].model_validate_json(document)
