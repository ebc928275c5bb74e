"""What was done, by whom, from where: append-only, each entry bound to the one before it by a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, NoReturn
from uuid import UUID

from django.db import models, transaction
from django.db.models import OuterRef, Q, Subquery

from mainspring.core.ids import uuid7
from mainspring.records.faults import canonical
from mainspring.records.heads import Head, HeadFile
from mainspring.records.inserts import insert_values
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
    READ = "read"


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
            models.Index(
                fields=["tenant", "object_kind", "sequence"], condition=Q(action="delete"), name="audit_removed"
            ),
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
            entries.append([*content, previous, digest])
            previous = digest
        insert_values(AuditEntry, _COLUMNS, entries)


def lines(tenant: Tenant, start_ms: int | None = None, end_ms: int | None = None) -> Iterator[str]:
    """Yield the entries of a chain as lines of JSON, whole: whoever has them all can verify them again."""
    condition = Q()
    if start_ms is not None:
        condition &= Q(time_ms__gte=start_ms)
    if end_ms is not None:
        condition &= Q(time_ms__lt=end_ms)
    sequence = 0
    while rows := list(
        AuditEntry.objects.of(tenant).filter(condition, sequence__gt=sequence).order_by("sequence")[:BATCH]
    ):
        yield "".join(canonical({name: getattr(row, name) for name in _COLUMNS}).decode() + "\n" for row in rows)
        sequence = rows[-1].sequence


@dataclass(frozen=True, slots=True)
class Checked:
    """How far a chain was looked at: its last whole entry, that one's digest, and the first broken one, if any."""

    whole_to: int
    digest: str
    broken: int | None


def check_part(tenant: Tenant, after: int = 0, most: int | None = None) -> Checked:
    """Verify a chain behind an entry that is known to be whole, so many entries at most."""
    entries = AuditEntry.objects.of(tenant)
    begun = entries.filter(sequence=after).first() if after else None
    if after and begun is None:
        return Checked(after - 1, "", after)
    expected, previous = after + 1, begun.digest if begun else GENESIS
    following = entries.filter(sequence__gt=after).order_by("sequence")
    if most is not None:
        following = following[:most]
    for entry in following.iterator(chunk_size=BATCH):
        if entry.sequence != expected or entry.previous != previous or entry.content_digest() != entry.digest:
            return Checked(expected - 1, previous, expected)
        expected, previous = expected + 1, entry.digest
    return Checked(expected - 1, previous, None)


def first_broken(tenant: Tenant) -> int | None:
    """Return the sequence of the first entry that was altered or is missing, None if the chain holds."""
    return check_part(tenant).broken


def missed(tenant: Tenant, heads: Iterable[Head]) -> list[Head]:
    """Return the heads that a chain does not have any more: its last entries were cut off, others may follow since."""
    written, found = list(heads), []
    for start in range(0, len(written), BATCH):
        part = written[start : start + BATCH]
        rows = AuditEntry.objects.of(tenant).filter(sequence__in={head.sequence for head in part})
        digests = dict(rows.values_list("sequence", "digest"))
        found += [head for head in part if not digests.get(head.sequence, "").startswith(head.digest)]
    return found


def write_heads(data_folder: Path) -> set[str]:
    """Write down the head of each chain that grew; returns the companies whose chain lost the one written down last.

    Of these nothing more is written down until it is noted that the records were put back. To be asked for the
    platform.
    """
    last = AuditEntry.objects.filter(tenant=OuterRef("pk")).order_by("-sequence")
    rows = Tenant.objects.annotate(
        head=Subquery(last.values("sequence")[:1]), digest=Subquery(last.values("digest")[:1])
    )
    cut: set[str] = set()
    for tenant in rows.iterator():
        file = HeadFile(data_folder, tenant.key)
        known = file.last()
        if (known and known.sequence, known and known.digest) == (tenant.head, tenant.digest):
            continue
        if known is not None and missed(tenant, [known]):
            cut.add(tenant.key)
        else:
            file.write(Head(sequence=tenant.head, digest=tenant.digest, time_ms=now_ms()))
    return cut
