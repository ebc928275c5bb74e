"""Numbers that are given once and never again."""

from __future__ import annotations

from django.db import models, transaction
from django.db.models import F


class Counter(models.Model):
    """The next free number under a name, for the whole installation."""

    name = models.CharField(max_length=64, primary_key=True)
    following = models.PositiveBigIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.name} {self.following}"


ORDINALS = "tag-ordinals"
TENANTS = "tenant-numbers"
REVISIONS = "revisions"


def take(name: str, count: int = 1) -> int:
    """Take `count` consecutive numbers and return the first."""
    with transaction.atomic():
        Counter.objects.get_or_create(name=name)
        # The update locks the row first, so that two writers never read the same number.
        Counter.objects.filter(name=name).update(following=F("following") + count)
        following: int = Counter.objects.values_list("following", flat=True).get(name=name)
    return following - count
