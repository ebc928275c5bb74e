"""What every record has: a global id, its tenant, a version against lost updates."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models

from mainspring.core.errors import NotFound
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records.faults import Changed
from mainspring.records.tenant import OfTenant, Tenant, now_ms

_ABSENT = Text(
    "There is no {kind} {id} here. It may have been deleted; reload the list.",
    "此处没有 {kind} {id}，可能已被删除，请刷新列表。",
)


class Record(models.Model):
    """A row of one tenant; its queries begin with `.of(tenant)`."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    version = models.PositiveIntegerField(default=1)
    created_ms = models.BigIntegerField(default=now_ms, editable=False)
    changed_ms = models.BigIntegerField(default=now_ms, editable=False)

    objects = OfTenant.as_manager()

    kind = "record"

    class Meta:
        abstract = True

    def document(self) -> dict[str, Any]:
        """Return the form the API and the audit show."""
        raise NotImplementedError

    def label(self) -> str:
        """Return the name by which people find it in the audit."""
        return str(self.id)


def absent(kind: str, id: UUID | str) -> NotFound:
    """Make the error for what is not there, or another tenant's, which is the same answer."""
    return NotFound(_ABSENT, kind=kind, id=id)


def require_version(record: Record, version: int | None) -> None:
    """Refuse a change made against another version than the current one."""
    if version is not None and version != record.version:
        raise Changed(record.document())
