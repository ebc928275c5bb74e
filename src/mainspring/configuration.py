"""Everything `mainspring.toml` may say; sample file and reference are generated from these declarations.

Connections, tags, alarm definitions and people are records, not configuration. Secrets come from the environment.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from mainspring.bus.credentials import RoleUser, ensure_user
from mainspring.core import toml
from mainspring.core.cold import S3_URL
from mainspring.gateway.settings import GatewaySection
from mainspring.records.people.provider import ProviderSection, SamlSection, named_plainly

DEFAULT_FILE: Final = Path("mainspring.toml")
GIB: Final = 1024**3


class Section(BaseModel):
    """A section of the settings file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class PlantSection(Section):
    """Whose plant this is."""

    tenant: str = Field(default="plant", pattern=r"^[a-z][a-z0-9-]{0,31}$", description="key of the company; final")
    name: str = Field(default="Plant", max_length=100, description="name shown on pages, in English")
    name_zh: str = Field(default="工厂", max_length=100, description="name shown on pages, in Chinese")
    zone: str = Field(default="UTC", description="IANA time zone of the plant, for example Asia/Shanghai")

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            message = "no such time zone; names look like Asia/Shanghai"
            raise ValueError(message) from error
        return zone


class BusSection(Section):
    """The bus."""

    url: str = Field(
        default="",
        description="nats:// or tls:// URL of a bus run elsewhere, of a cluster's servers with commas between them; "
        "empty: start our own",
    )
    replicas: Literal[1, 3, 5] = Field(
        default=1, description="servers of a cluster that keep each stream; 3 survive the loss of any one server"
    )
    host: str = Field(default="127.0.0.1", description="address our own bus listens on")
    port: int = Field(default=4222, ge=1, le=65535, description="port our own bus listens on")
    public_url: str = Field(
        default="", description="URL by which gateways on other machines reach the bus; empty: its own address"
    )
    disk_bytes_max: int = Field(default=10 * GIB, ge=64 * 1024**2, description="most disk the streams may take")
    sync: Literal["always", "interval"] = Field(
        default="always", description="always: what is acknowledged survives a power cut; interval: a crash only"
    )
    tls_certificate: Path | None = Field(default=None, description="certificate of our own bus, PEM; none: no TLS")
    tls_key: Path | None = Field(default=None, description="key of that certificate, PEM")
    tls_ca: Path | None = Field(default=None, description="authority that roles trust, PEM; none: the system's")

    @model_validator(mode="after")
    def _enough_servers(self) -> BusSection:
        servers = [each for each in self.url.split(",") if each.strip()]
        if self.replicas > 1 and len(servers) < self.replicas:
            message = f"replicas = {self.replicas} needs that many servers in url, with commas between them"
            raise ValueError(message)
        return self


class HistorySection(Section):
    """The history store and the historian."""

    url: str = Field(
        default="chdb:",
        pattern=r"^(chdb:|clickhouses?://.+)$",
        description="chdb: the embedded store in the data folder; clickhouse://user@host:port/database, or "
        "clickhouses:// with TLS: servers, password in MAINSPRING_HISTORY_PASSWORD",
    )
    retention_days: dict[str, int] = Field(
        default={"standard": 3650, "set-aside": 90},
        description="days each retention class keeps, and its rollups as CLASS/minute and CLASS/hour",
    )
    retention_bytes: dict[str, int] = Field(
        default={},
        description="bytes the readings of a retention class may take; beyond it its oldest days go, of today hours",
    )
    disk_bytes_max: int = Field(default=50 * GIB, ge=64 * 1024**2, description="beyond it the oldest days are dropped")
    disk_free_min_bytes: int = Field(default=2 * GIB, ge=0, description="below this free space nothing is written")
    blob_bytes_max: int = Field(default=20 * GIB, ge=64 * 1024**2, description="beyond it the oldest blobs are dropped")
    gather_ms: int = Field(default=2000, ge=50, le=10_000, description="readings are gathered this long for an insert")
    query_threads: int = Field(default=2, ge=1, le=32, description="history queries answered at a time")
    cold: str = Field(
        default="",
        description="folder, or s3://bucket/prefix, that old days move to as Parquet files; its key and secret in "
        "MAINSPRING_COLD_KEY and MAINSPRING_COLD_SECRET; empty: everything stays in the tables",
    )
    cold_after_days: int = Field(default=90, ge=1, le=36_500, description="days older than this move there")
    cold_endpoint: str = Field(
        default="", pattern=r"^(https?://.+)?$", description="URL of the S3 service; empty: Amazon's"
    )
    cold_region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,40}$", description="region of the S3 bucket")

    @field_validator("cold")
    @classmethod
    def _cold_place(cls, cold: str) -> str:
        if cold.startswith("s3:") and not re.fullmatch(S3_URL, cold):
            message = "write s3://bucket/prefix, or the name of a folder"
            raise ValueError(message)
        return cold


class EngineSection(Section):
    """Current values and alarms."""

    snapshot_s: int = Field(default=10, ge=1, le=600, description="alarm state is saved this often")
    tags_max: int = Field(default=4_000_000, ge=1000, le=2**28, description="highest tag ordinal held, 64 bytes each")


class WebSection(Section):
    """Pages and API."""

    host: str = Field(default="127.0.0.1", description="address the pages listen on")
    port: int = Field(default=8460, ge=1, le=65535, description="port the pages listen on")
    https: bool = Field(default=False, description="pages are reached over TLS: cookies are marked secure")
    tls_certificate: Path | None = Field(default=None, description="certificate of the pages, PEM; none: plain HTTP")
    tls_key: Path | None = Field(default=None, description="key of that certificate, PEM")
    allowed_hosts: tuple[str, ...] = Field(
        default=("127.0.0.1", "localhost", "[::1]"), description="names the pages are reached by"
    )
    database_url: str = Field(
        default="", description="postgresql:// URL of the records; empty: SQLite in the data folder"
    )
    session_hours: int = Field(default=12, ge=1, le=720, description="a session ends after this time")
    token_days_max: int = Field(default=366, ge=1, le=3660, description="longest life of an API token; each one ends")
    registration: bool = Field(
        default=False,
        description="companies may ask for an account by themselves; the platform's administrators decide",
    )
    shelf_hours_max: int = Field(default=24, ge=1, le=168, description="longest time an alarm may be shelved")
    software_versions_max: int = Field(
        default=20, ge=1, le=200, description="versions of the gateways' program kept for each company"
    )
    software_bytes_max: int = Field(default=GIB, ge=1024**2, description="size of those versions together")


class SignInSection(Section):
    """How people sign in, beyond name and password."""

    second_factor: Literal["nobody", "administrators", "everyone"] = Field(
        default="nobody", description="who must have a second factor in every company; a company may ask more"
    )
    providers: dict[str, ProviderSection] = Field(
        default={}, description="OpenID Connect providers whose people may sign in, by name"
    )
    saml: dict[str, SamlSection] = Field(default={}, description="SAML 2.0 providers whose people may sign in, by name")

    @field_validator("providers")
    @classmethod
    def _plain_names(cls, providers: dict[str, ProviderSection]) -> dict[str, ProviderSection]:
        return named_plainly(providers)

    @field_validator("saml")
    @classmethod
    def _plain_names_too(cls, saml: dict[str, SamlSection], known: ValidationInfo) -> dict[str, SamlSection]:
        both = saml.keys() & known.data.get("providers", {}).keys()
        if both:
            message = f"{min(both)!r} is the name of an OpenID Connect provider already"
            raise ValueError(message)
        return named_plainly(saml)


class BackupSection(Section):
    """Backups taken by the platform itself; `mainspring backup` takes one at any time."""

    to: Path | None = Field(
        default=None, description="folder backups are taken into, best on another disk; none: only by command"
    )
    every_hours: float = Field(default=24.0, ge=0.25, le=24 * 31, description="a backup is begun this often")
    keep: int = Field(default=14, ge=1, le=1000, description="backups kept; the oldest go")
    records_every_s: int = Field(
        default=60, ge=1, le=3600, description="records that changed are kept this often between backups (SQLite)"
    )


class AppsSection(Section):
    """Industrial apps; those of installed packages are found by themselves."""

    modules: tuple[str, ...] = Field(
        default=(), description="packages of further apps, by the names they are imported by, such as tool_crib"
    )
    folder: Path | None = Field(default=None, description="folder these packages lie in; none: where Python looks")

    @field_validator("modules")
    @classmethod
    def _importable(cls, modules: tuple[str, ...]) -> tuple[str, ...]:
        for module in modules:
            if not all(part.isidentifier() for part in module.split(".")):
                message = f"{module!r} is no name of a package: words as in Python, with points between them"
                raise ValueError(message)
        return modules


class LogSection(Section):
    """Logs of the roles, in the data folder."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="what is logged")
    file_bytes_max: int = Field(default=10 * 1024**2, ge=64 * 1024, description="size of one log file")
    files_max: int = Field(default=5, ge=1, le=100, description="log files kept for each role")


class MailSection(Section):
    """The mail server that notices leave by; its password comes from MAINSPRING_MAIL_PASSWORD."""

    host: str = Field(default="", description="name of the SMTP server; empty: no mail")
    port: int = Field(default=587, ge=1, le=65535, description="port of the SMTP server")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="how the connection is protected"
    )
    sender: str = Field(default="", max_length=250, description="address that mails come from")
    username: str = Field(default="", description="name to sign in with; empty: without signing in")
    tls_ca: Path | None = Field(default=None, description="authority of the server, PEM; none: the system's")

    @model_validator(mode="after")
    def _complete(self) -> MailSection:
        if self.host and "@" not in self.sender:
            message = "sender must be a mail address when a host is set"
            raise ValueError(message)
        return self


class NotificationsSection(Section):
    """Telling people of alarms when no page is open."""

    webhook_hosts: tuple[str, ...] = Field(
        default=(), description="hosts (or host:port) that webhooks may be sent to; empty: none"
    )
    page_url: str = Field(
        default="", pattern=r"^(https?://.+)?$", description="where people reach the pages, for links in messages"
    )


class TelemetrySection(Section):
    """Traces for OpenTelemetry; nothing is sent anywhere until an address is set."""

    otlp_url: str = Field(
        default="", pattern=r"^(https?://.+)?$", description="collector that takes OTLP over HTTP; empty: no traces"
    )


class DemoSection(Section):
    """The demo plant's simulators; `mainspring demo` writes a settings file of its own that switches them on."""

    enabled: bool = Field(default=False, description="put the demo plant into the records and run its simulators")
    opcua_port: int = Field(default=48460, ge=1, le=65535, description="loopback port of the simulated process")
    modbus_port: int = Field(default=5026, ge=1, le=65535, description="loopback port of the simulated chiller")
    mtconnect_port: int = Field(
        default=48461, ge=1, le=65535, description="loopback port of the simulated machine tool's MTConnect agent"
    )
    shdr_port: int = Field(
        default=48462, ge=1, le=65535, description="loopback port of the simulated machine tool's adapter"
    )
    mqtt_port: int = Field(
        default=48463,
        ge=1,
        le=65535,
        description="loopback port where the simulated edge node finds the gateway's listener",
    )
    speed: float = Field(default=1.0, gt=0, le=20, description="how many times faster recordings are replayed")


class Configuration(Section):
    """The whole settings file."""

    data_folder: Path = Field(default=Path(".mainspring/data"), description="where everything is kept")
    plant: PlantSection = PlantSection()
    bus: BusSection = BusSection()
    history: HistorySection = HistorySection()
    engine: EngineSection = EngineSection()
    gateways: dict[str, GatewaySection] = Field(
        default={"main": GatewaySection()}, description="gateways that run on this machine, by name"
    )
    web: WebSection = WebSection()
    sign_in: SignInSection = SignInSection()
    backup: BackupSection = BackupSection()
    apps: AppsSection = AppsSection()
    log: LogSection = LogSection()
    mail: MailSection = MailSection()
    notifications: NotificationsSection = NotificationsSection()
    telemetry: TelemetrySection = TelemetrySection()
    demo: DemoSection = DemoSection()

    @field_validator("gateways")
    @classmethod
    def _plain_names(cls, gateways: dict[str, GatewaySection]) -> dict[str, GatewaySection]:
        for name in gateways:
            if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name):
                message = f"{name!r} is not a gateway name: small letters, digits and hyphens"
                raise ValueError(message)
        return gateways

    @property
    def bus_url(self) -> str:
        """Where roles reach the bus."""
        if self.bus.url:
            return self.bus.url
        scheme = "tls" if self.bus.tls_certificate else "nats"
        return f"{scheme}://{self.bus.host}:{self.bus.port}"

    @property
    def secrets_folder(self) -> Path:
        """Where seeds and keys lie, readable by their owner alone."""
        return self.data_folder / "secrets"

    @property
    def logs_folder(self) -> Path:
        """Where roles write their logs."""
        return self.data_folder / "logs"


def load(file: Path | None) -> Configuration:
    """Read the settings file; without one, `mainspring.toml` here if it exists, else the defaults."""
    if file is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    return toml.load(Configuration, file) if file is not None else Configuration()


def bus_users(configuration: Configuration) -> list[RoleUser]:
    """Return the bus users of this machine's roles, making their keys on first use."""
    folder = configuration.secrets_folder
    roles = ("admin", "historian", "engine", "web", "status", "backup", "importer")
    users = [ensure_user(folder, role) for role in roles]
    tenant = configuration.plant.tenant
    return users + [ensure_user(folder, "gateway", name, tenant) for name in configuration.gateways]
