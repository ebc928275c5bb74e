"""Connections: one device or server, spoken to by one driver in one gateway."""

from __future__ import annotations

from typing import Any, ClassVar, Final
from uuid import UUID

from django.db import models, transaction
from pydantic import Field

from mainspring.core.definitions import ConnectionDefinition
from mainspring.core.errors import Conflict
from mainspring.core.text import Text
from mainspring.records import changes, outbox
from mainspring.records.audit import HIDDEN, Author
from mainspring.records.draft import Draft, merged
from mainspring.records.faults import Invalid
from mainspring.records.plant.driver_forms import check_settings, secrets
from mainspring.records.record import Record, absent, require_version
from mainspring.records.sealed import seal, unseal
from mainspring.records.search_words import searchable
from mainspring.records.tenant import Tenant

GATEWAY_DEFAULT: Final = "main"
"""The gateway that runs beside the other roles on one machine."""
_SAME_NAME: Final = Text(
    "There is already a connection {name}. Choose another name.", "已有连接 {name}，请换一个名称。"
)
_OTHER_DRIVER: Final = Text(
    "The driver of a connection cannot be changed. Add a new connection and move the tags.",
    "连接的驱动不可更改，请新建连接并迁移测点。",
)
_IN_USE: Final = Text(
    "{tags} tags read from {name}. Move them to another connection or delete them first.",
    "有 {tags} 个测点使用 {name}，请先改用其他连接或删除。",
)


class ConnectionDraft(Draft):
    """What can be written of a connection; `settings` are those the driver declares."""

    name: str = Field(min_length=1, max_length=120)
    driver: str = Field(max_length=64)
    gateway: str = Field(default=GATEWAY_DEFAULT, pattern=r"^[a-z][a-z0-9-]{0,31}$")
    settings: dict[str, Any] = Field(default_factory=dict)
    enabled: bool = True
    replayed: bool = False


class Connection(Record):
    """One device or server; its secrets are sealed in the database and never leave by the API."""

    name = models.CharField(max_length=120)
    driver = models.CharField(max_length=64)
    gateway = models.CharField(max_length=32, default=GATEWAY_DEFAULT)
    settings: models.JSONField[Any, Any] = models.JSONField(default=dict)
    enabled = models.BooleanField(default=True)
    replayed = models.BooleanField(default=False)
    search = models.TextField()

    kind = "connection"

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "name"], name="connection_name")]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows: secrets are empty."""
        hidden = secrets(self.driver)
        return {
            "id": self.id,
            "name": self.name,
            "driver": self.driver,
            "gateway": self.gateway,
            "settings": {name: "" if name in hidden else found for name, found in self.settings.items()},
            "enabled": self.enabled,
            "replayed": self.replayed,
            "version": self.version,
        }

    def label(self) -> str:
        """Return the name."""
        return self.name

    def clear_settings(self) -> dict[str, Any]:
        """Return the settings with their secrets in clear, for the gateway alone."""
        hidden = secrets(self.driver)
        return {name: unseal(found) if name in hidden else found for name, found in self.settings.items()}

    def definition(self, revision: int) -> ConnectionDefinition:
        """Return what is published."""
        return ConnectionDefinition(
            id=self.id,
            tenant=self.tenant.key,
            revision=revision,
            name=self.name,
            driver=self.driver,
            gateway=self.gateway,
            settings=self.clear_settings(),
            enabled=self.enabled,
            replayed=self.replayed,
        )


def find(tenant: Tenant, id: UUID) -> Connection:
    """Return a connection of the tenant; raises NotFound."""
    connection = Connection.objects.of(tenant).filter(pk=id).first()
    if connection is None:
        raise absent("connection", id)
    return connection


def complete_settings(tenant: Tenant, driver: str, settings: dict[str, Any], id: UUID | None = None) -> dict[str, Any]:
    """Check settings and fill empty secrets from the stored connection `id`; for tests before saving."""
    if id is not None:
        stored = find(tenant, id)
        if stored.driver == driver:
            settings = _kept_secrets(stored, settings)
    return check_settings(driver, settings)


def create(author: Author, draft: ConnectionDraft) -> Connection:
    """Store a new connection."""
    with transaction.atomic():
        connection = Connection(tenant=author.tenant)
        _fill(connection, draft, draft.settings)
        changes.create(author, connection)
        outbox.mark_connection(author.tenant.key, connection.id)
    return connection


def modify(author: Author, id: UUID, patch: dict[str, Any], version: int | None) -> Connection:
    """Change a connection; an empty or absent secret leaves the stored one."""
    with transaction.atomic():
        connection = Connection.objects.of(author.tenant).select_for_update().filter(pk=id).first()
        if connection is None:
            raise absent("connection", id)
        require_version(connection, version)
        if patch.get("driver", connection.driver) != connection.driver:
            raise Invalid({"driver": _OTHER_DRIVER})
        before, clear = connection.document(), connection.clear_settings()
        draft = merged(ConnectionDraft, before, patch)
        settings = _kept_secrets(connection, draft.settings)
        _fill(connection, draft, settings)
        replaced = [name for name in secrets(connection.driver) if settings.get(name) != clear.get(name)]
        changes.change(author, connection, before, extra={f"settings.{name}": [HIDDEN, HIDDEN] for name in replaced})
        outbox.mark_connection(author.tenant.key, connection.id)
    return connection


def delete(author: Author, id: UUID, version: int | None) -> None:
    """Remove a connection that no tag reads from."""
    from mainspring.records.plant.tag import Tag

    with transaction.atomic():
        connection = find(author.tenant, id)
        require_version(connection, version)
        tags = Tag.objects.filter(connection=connection).count()
        if tags:
            raise Conflict(_IN_USE, tags=tags, name=connection.name)
        outbox.mark_connection(author.tenant.key, connection.id)
        changes.delete(author, connection)


def _fill(connection: Connection, draft: ConnectionDraft, settings: dict[str, Any]) -> None:
    hidden = secrets(draft.driver)
    if Connection.objects.of(connection.tenant).filter(name=draft.name).exclude(pk=connection.pk).exists():
        raise Invalid({"name": _SAME_NAME.format(name=draft.name)})
    checked = check_settings(draft.driver, settings)
    connection.name, connection.driver, connection.gateway = draft.name, draft.driver, draft.gateway
    connection.settings = {n: seal(str(v)) if n in hidden and v else v for n, v in checked.items()}
    connection.enabled, connection.replayed = draft.enabled, draft.replayed
    connection.search = searchable(draft.name, {"zh": draft.name})


def _kept_secrets(stored: Connection, settings: dict[str, Any]) -> dict[str, Any]:
    clear = stored.clear_settings()
    kept = {name: clear[name] for name in secrets(stored.driver) if clear.get(name) and not settings.get(name)}
    return {**settings, **kept}
