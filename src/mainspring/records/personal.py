"""What tells of persons in append-only logs: sealed with a key of each person's own, whose destruction erases it.

The log stays whole, because its hashes cover what is sealed; nobody can read it any more.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from django.db import models

from mainspring.core.ids import uuid7
from mainspring.records.audit import HIDDEN
from mainspring.records.faults import plain
from mainspring.records.record import Record
from mainspring.records.sealed import seal, unseal
from mainspring.records.tenant import OfTenant, Tenant, now_ms

PREFIX: Final = "person:"


class PersonKey(models.Model):
    """The key of one person's words in logs, itself sealed with the platform's."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    subject = models.CharField(max_length=80)
    """The record that tells of the person, as `kind:id`."""
    key = models.TextField()
    created_ms = models.BigIntegerField(default=now_ms)

    objects = OfTenant.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "subject"], name="person_key")]

    def __str__(self) -> str:
        return self.subject


def sealed(record: Record, changes: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return changes of fields that tell of a person as a log may hold them for good."""
    if not changes:
        return {}
    made, _ = PersonKey.objects.get_or_create(
        tenant_id=record.tenant_id, subject=subject_of(record.kind, record.pk),
        defaults={"key": seal(Fernet.generate_key().decode())},
    )  # fmt: skip
    fernet = Fernet(unseal(made.key))

    def hidden(value: Any) -> str | None:
        if not value:
            return None
        return PREFIX + fernet.encrypt(json.dumps(plain(value), ensure_ascii=False).encode()).decode()

    return {name: [hidden(old), hidden(new)] for name, (old, new) in changes.items()}


def opened(tenant: Tenant, kind: str, id: UUID | str, changes: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return changes from a log with what is sealed in clear, or hidden where the key is destroyed."""
    if not any(_is_sealed(value) for pair in changes.values() for value in pair):
        return changes
    found = PersonKey.objects.of(tenant).filter(subject=subject_of(kind, id)).first()
    fernet = Fernet(unseal(found.key)) if found else None
    return {name: [_opened(fernet, value) for value in pair] for name, pair in changes.items()}


def destroy(tenant: Tenant, kind: str, id: UUID | str) -> bool:
    """Destroy a person's key: what logs hold of them cannot be read any more. Tells whether there was one."""
    return bool(PersonKey.objects.of(tenant).filter(subject=subject_of(kind, id)).delete()[0])


def subject_of(kind: str, id: UUID | str) -> str:
    """Return how a record that tells of a person is named."""
    return f"{kind}:{id}"


def _is_sealed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PREFIX)


def _opened(fernet: Fernet | None, value: Any) -> Any:
    if not _is_sealed(value):
        return value
    if fernet is None:
        return HIDDEN
    try:
        return json.loads(fernet.decrypt(value.removeprefix(PREFIX).encode()))
    except InvalidToken:
        return HIDDEN
