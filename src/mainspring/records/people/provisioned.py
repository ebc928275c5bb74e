"""What another directory tells of people and roles beyond what the platform itself uses."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from mainspring.records.access.role import CompanyRole
from mainspring.records.people.user import User
from mainspring.records.record import Record


class Provisioned(Record):
    """The rest of a person or role as the directory sent it; it goes with them."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, null=True, related_name="provisioned")
    role = models.OneToOneField(CompanyRole, on_delete=models.CASCADE, null=True, related_name="provisioned")
    external_id = models.CharField(max_length=250, default="", blank=True)
    attributes: models.JSONField[Any, Any] = models.JSONField(default=dict)

    kind = "provisioned"

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(user=None, role__isnull=False) | Q(user__isnull=False, role=None), name="provisioned_of_one"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "external_id"], name="provisioned_by_external")]

    def document(self) -> dict[str, Any]:
        """Return what the audit shows; the attributes are personal."""
        return {"user": self.user_id, "role": self.role_id}

    def label(self) -> str:
        """Return nothing: whom it is of is personal."""
        return ""
