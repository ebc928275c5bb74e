"""What was done, by whom, from where: append-only, each entry bound to the one before it by a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, NoReturn
from uuid import UUID

from django.db import models, transaction

from mainspring.core.ids import uuid7
from mainspring.records.faults import canonical
from mainspring.records.inserts import insert
from mainspring.records.tenant import OfTenant, Tenant, now_ms

BATCH: Final = 500
GENESIS: Final = "0" * 64
HIDDEN: Final = "***"


class Action(StrEnum):
    """What an entry can say."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    SIGN_IN = "sign-in"
    SIGN_IN_FAILED = "sign-in-failed"
    SIGN_OUT = "sign-out"
    ACKNOWLEDGE = "acknowledge"
    SELECT = "select"
    COMMAND = "command"
    EXPORT = "export"
    ENTER = "enter"
    CORRECT = "correct"


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes: the tenant, the person's pseudonym (None: nobody known, or the platform), the network address."""

    tenant: Tenant
    pseudonym: UUID | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing done to one object; `changes` maps a field to its value before and after."""

    action: Action
    object_kind: str
    object_id: str
    object_name: str = ""
    changes: dict[str, list[Any]] = field(default_factory=dict)


class AuditEntry(models.Model):
    """One deed in the chain of a tenant; persons stand in it as pseudonyms alone."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    sequence = models.PositiveBigIntegerField()
    time_ms = models.BigIntegerField()
    pseudonym: models.UUIDField[UUID | None, UUID | None] = models.UUIDField(null=True)
    action = models.CharField(max_length=16)
    object_kind = models.CharField(max_length=32)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=300)
    changes: models.JSONField[Any, Any] = models.JSONField(default=dict)
    address = models.CharField(max_length=64)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    objects = OfTenant.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "sequence"], name="audit_sequence")]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "object_id"], name="audit_object"),
            models.Index(fields=["tenant", "time_ms"], name="audit_time"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action} {self.object_kind} {self.object_id}"

    def save(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: entries are appended by `append` alone."""
        raise TypeError("audit entries are appended, never saved")

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: entries stay."""
        raise TypeError("audit entries are never deleted")

    def content_digest(self) -> str:
        """Return the hash over the entry's content and the hash of the entry before it."""
        return _digest(self.previous, [getattr(self, column) for column in _CONTENT])


_CONTENT: Final = (
    "id", "tenant_id", "sequence", "time_ms", "pseudonym", "action", "object_kind", "object_id", "object_name",
    "changes", "address",
)  # fmt: skip
"""What the hash of an entry covers beside the hash before it."""
_COLUMNS: Final = (*_CONTENT, "previous", "digest")


def _digest(previous: str, content: list[Any]) -> str:
    return hashlib.sha256(canonical([previous, *content])).hexdigest()


def append(author: Author, deeds: Iterable[Deed]) -> None:
    """Add deeds to the tenant's chain, inside the transaction of what they tell."""
    with transaction.atomic():
        # The tenant's row is the lock of its chain; two writers never continue the same entry.
        Tenant.objects.select_for_update().get(pk=author.tenant.pk)
        last = AuditEntry.objects.of(author.tenant).order_by("-sequence").first()
        sequence, previous = (last.sequence, last.digest) if last else (0, GENESIS)
        entries = []
        for deed in deeds:
            sequence += 1
            content = [
                uuid7(), author.tenant.pk, sequence, now_ms(), author.pseudonym, str(deed.action), deed.object_kind,
                deed.object_id, deed.object_name[:300], deed.changes, author.address[:64],
            ]  # fmt: skip
            digest = _digest(previous, content)
            # By place, not by name: an import appends a hundred thousand.
            entries.append(AuditEntry.from_db(None, _COLUMNS, [*content, previous, digest]))
            previous = digest
        insert(entries)


def first_broken(tenant: Tenant) -> int | None:
    """Return the sequence of the first entry that was altered or is missing, None if the chain holds."""
    expected, previous = 1, GENESIS
    for entry in AuditEntry.objects.of(tenant).order_by("sequence").iterator(chunk_size=BATCH):
        if entry.sequence != expected or entry.previous != previous or entry.content_digest() != entry.digest:
            return expected
        expected, previous = expected + 1, entry.digest
    return None
