"""Commands to equipment as they were given, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db import models

from mainspring.core.commands import ItemOutcome
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.inserts import insert
from mainspring.records.record import Record
from mainspring.records.tenant import now_ms


class CommandRecord(Record):
    """One command: who, on what authority, which values, until when, with what outcome.

    `items` hold tag, value, the value before and the connection; `connection` is that of all of them, if there is one.
    """

    connection: models.UUIDField[UUID | None, UUID | None] = models.UUIDField(null=True)
    pseudonym: models.UUIDField[UUID, UUID] = models.UUIDField()
    second: models.UUIDField[UUID | None, UUID | None] = models.UUIDField(null=True)
    authority = models.CharField(max_length=500)
    items: models.JSONField[Any, Any] = models.JSONField(default=list)
    issued_ms = models.BigIntegerField()
    expires_ms = models.BigIntegerField()
    outcome: models.JSONField[Any, Any] = models.JSONField(null=True)
    finished_ms = models.BigIntegerField(null=True)

    kind = "command"

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(expires_ms__gt=models.F("issued_ms")), name="command_expires"),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "-issued_ms"], name="command_issued")]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows."""
        return {
            "id": self.id,
            "connection": self.connection,
            "by": self.pseudonym,
            "second": self.second,
            "authority": self.authority,
            "items": self.items,
            "issued_ms": self.issued_ms,
            "expires_ms": self.expires_ms,
            "outcome": self.outcome,
            "finished_ms": self.finished_ms,
            "version": self.version,
        }


class CommandedTag(models.Model):
    """That a command named a tag, by which the commands of a tag or an asset are found."""

    tenant = models.ForeignKey("records.Tenant", on_delete=models.PROTECT, related_name="+")
    command = models.ForeignKey(CommandRecord, on_delete=models.CASCADE, related_name="tags")
    ordinal = models.PositiveBigIntegerField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tenant", "ordinal"], name="commanded_tag")]

    def __str__(self) -> str:
        return f"{self.command_id} {self.ordinal}"


def given(author: Author, record: CommandRecord, name: str) -> None:
    """Record a command before it is sent, with its audit entry; call inside a transaction."""
    record.tenant = author.tenant
    record.save(force_insert=True)
    insert([CommandedTag(tenant=author.tenant, command=record, ordinal=item["tag"]) for item in record.items])
    changes = {"items": [None, record.items], "authority": [None, record.authority]}
    if record.second is not None:
        changes["second"] = [None, str(record.second)]
    append(author, [Deed(Action.COMMAND, "command", str(record.id), name, changes)])


def finished(record: CommandRecord, outcome: Sequence[ItemOutcome]) -> None:
    """Record what became of a command."""
    record.outcome = [item.model_dump(mode="json") for item in outcome]
    record.finished_ms = now_ms()
    record.version += 1
    record.save(update_fields=["outcome", "finished_ms", "version"])
