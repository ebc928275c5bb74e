"""What was done, by whom."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from ninja import Query, Router, Schema

from mainspring.records.audit import Action, AuditEntry
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.records.user import User, normal
from mainspring.web.api.forms import Listing, cut
from mainspring.web.security import Needs, actor_of

router = Router(tags=["audit"])


class AuditOut(Schema):
    """One deed; `user` is empty where nobody is known or the person was forgotten."""

    id: UUID
    time_ms: int
    user: str
    action: Action
    object_kind: str
    object_id: str
    object_name: str
    changes: dict[str, list[Any]]
    address: str


class AuditList(Schema):
    """A part of the audit, newest first."""

    items: list[AuditOut]
    total: int


class AuditListing(Listing):
    """What the audit takes."""

    user: str = ""
    action: Action | None = None
    object: str = ""
    start_ms: int | None = None
    end_ms: int | None = None


def _condition(tenant: Tenant, listing: AuditListing) -> Q:
    condition = Q()
    if listing.user:
        people = User.objects.filter(tenant=tenant, username=normal(listing.user))
        condition &= Q(pseudonym__in=people.values_list("pseudonym", flat=True))
    if listing.action:
        condition &= Q(action=str(listing.action))
    if listing.object:
        condition &= Q(object_id=listing.object) | Q(object_kind=listing.object)
    if listing.search.strip():
        condition &= Q(object_name__icontains=listing.search.strip())
    if listing.start_ms is not None:
        condition &= Q(time_ms__gte=listing.start_ms)
    if listing.end_ms is not None:
        condition &= Q(time_ms__lt=listing.end_ms)
    return condition


@router.get("/audit", auth=Needs(Right.ADMINISTER), response=AuditList)
def audit(request: HttpRequest, listing: Query[AuditListing]) -> dict[str, Any]:
    """List what was done; people are looked up by their pseudonym now."""
    tenant = actor_of(request).tenant
    rows = AuditEntry.objects.of(tenant).filter(_condition(tenant, listing))
    entries = cut(rows.order_by("-sequence"), listing)
    people = User.objects.filter(tenant=tenant).filter(
        Q(pseudonym__in={entry.pseudonym for entry in entries if entry.pseudonym})
        | Q(
            pk__in={
                entry.object_id for entry in entries if entry.object_kind in {"user", "session"} and entry.object_id
            }
        )
    )
    by_pseudonym = {person.pseudonym: person.username for person in people}
    by_id = {str(person.id): person.username for person in people}
    fields = tuple(AuditOut.model_fields)
    items = [
        {name: getattr(entry, name) for name in fields if name != "user"}
        | {
            "user": by_pseudonym.get(entry.pseudonym, ""),
            "object_name": entry.object_name or by_id.get(entry.object_id, ""),
        }
        for entry in entries
    ]
    return {"items": items, "total": rows.count()}
