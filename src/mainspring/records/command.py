"""Commands to equipment as they were given, and what became of them."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db import models

from mainspring.core.commands import Command, CommandOutcome
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.record import Record


class CommandRecord(Record):
    """One command: who, on what authority, which values, until when, with what outcome."""

    connection: models.UUIDField[UUID, UUID] = models.UUIDField()
    pseudonym: models.UUIDField[UUID, UUID] = models.UUIDField()
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
            "authority": self.authority,
            "items": self.items,
            "issued_ms": self.issued_ms,
            "expires_ms": self.expires_ms,
            "outcome": self.outcome,
            "finished_ms": self.finished_ms,
            "version": self.version,
        }


def given(author: Author, command: Command) -> CommandRecord:
    """Record a command before it is sent, with its audit entry; call inside a transaction."""
    record = CommandRecord.objects.create(
        id=command.id,
        tenant=author.tenant,
        connection=command.connection,
        pseudonym=UUID(command.by),
        authority=command.authority[:500],
        items=[item.model_dump(mode="json") for item in command.items],
        issued_ms=command.issued_ms,
        expires_ms=command.expires_ms,
    )
    changes = {"items": [None, record.items], "authority": [None, record.authority]}
    append(author, [Deed(Action.COMMAND, "command", str(command.id), "", changes)])
    return record


def finished(record: CommandRecord, outcome: CommandOutcome) -> None:
    """Record what became of a command."""
    record.outcome = [item.model_dump(mode="json") for item in outcome.items]
    record.finished_ms = outcome.finished_ms
    record.version += 1
    record.save(update_fields=["outcome", "finished_ms", "version"])
