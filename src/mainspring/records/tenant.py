"""Tenants: companies, sites of a group, platforms below a platform; they form a tree."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Final, Self, TypeVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from mainspring.core.ids import uuid7
from mainspring.records.rights import Requirement


def now_ms() -> int:
    """Return the time in milliseconds UTC."""
    return time.time_ns() // 1_000_000


def no_words() -> dict[str, str]:
    """Return an empty text in both languages."""
    return {"en": "", "zh": ""}


R = TypeVar("R", bound=models.Model)
BELOW_MAX: Final = 10_000


class Tenant(models.Model):
    """One company; `number` is its place in the history's keys and never reused."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=32, unique=True)
    number = models.PositiveBigIntegerField(unique=True)
    name: models.JSONField[Any, Any] = models.JSONField(default=no_words)
    zone = models.CharField(max_length=64, default="UTC")
    second_factor = models.CharField(
        max_length=16, default=Requirement.NOBODY, choices=[(each, each) for each in Requirement]
    )
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    version = models.PositiveIntegerField(default=1)
    created_ms = models.BigIntegerField(default=now_ms)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(number__gte=1, number__lt=2**32), name="tenant_number_uint32"),
            models.CheckConstraint(
                condition=Q(second_factor__in=[str(each) for each in Requirement]), name="tenant_second_factor"
            ),
        ]

    def __str__(self) -> str:
        return self.key


def below(tenant: Tenant) -> list[Tenant]:
    """Return the companies below one in the tree, level by level; to be asked for the platform."""
    found: list[Tenant] = []
    level = [tenant]
    while level and len(found) < BELOW_MAX:
        level = list(Tenant.objects.filter(parent__in=level).order_by("key")[:BELOW_MAX])
        found += level
    return found


class OfTenant(models.QuerySet[R]):
    """A query that begins with whose records it sees."""

    def of(self, tenant: Tenant) -> Self:
        """Keep only the records of one tenant."""
        return self.filter(tenant=tenant)
