"""Counters for evidence: what each part did, by day and tenant."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F

from mainspring.records.tenant import OfTenant, Tenant


class DailyCount(models.Model):
    """How often something happened on one day of the plant's calendar."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    part = models.CharField(max_length=32)
    what = models.CharField(max_length=64)
    count = models.PositiveBigIntegerField(default=0)

    objects = OfTenant.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "day", "part", "what"], name="daily_count_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.part} {self.what}: {self.count}"


def count(tenant: Tenant, part: str, what: str, times: int = 1) -> None:
    """Add to today's counter; today is that of the plant's zone."""
    DailyCount.objects.bulk_create(
        [DailyCount(tenant=tenant, day=today(tenant), part=part, what=what)], ignore_conflicts=True
    )
    row = DailyCount.objects.of(tenant).filter(day=today(tenant), part=part, what=what)
    row.update(count=F("count") + times)


def today(tenant: Tenant) -> date:
    """Return the plant's date now."""
    return datetime.now(UTC).astimezone(ZoneInfo(tenant.zone)).date()
