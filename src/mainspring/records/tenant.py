"""Tenants: companies, sites of a group, platforms below a platform; they form a tree."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from mainspring.core.ids import uuid7


def now_ms() -> int:
    """Return the time in milliseconds UTC."""
    return time.time_ns() // 1_000_000


def no_words() -> dict[str, str]:
    """Return an empty text in both languages."""
    return {"en": "", "zh": ""}


R = TypeVar("R", bound=models.Model)


class Tenant(models.Model):
    """One company; `number` is its place in the history's keys and never reused."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=32, unique=True)
    number = models.PositiveBigIntegerField(unique=True)
    name: models.JSONField[Any, Any] = models.JSONField(default=no_words)
    zone = models.CharField(max_length=64, default="UTC")
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    version = models.PositiveIntegerField(default=1)
    created_ms = models.BigIntegerField(default=now_ms)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(number__gte=1, number__lt=2**32), name="tenant_number_uint32"),
        ]

    def __str__(self) -> str:
        return self.key


class OfTenant(models.QuerySet[R]):
    """A query that begins with whose records it sees."""

    def of(self, tenant: Tenant) -> Self:
        """Keep only the records of one tenant."""
        return self.filter(tenant=tenant)
