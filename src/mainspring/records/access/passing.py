"""What someone may do, as another process is told that works for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from mainspring.records.access.permits import permits_of
from mainspring.records.audit import Author
from mainspring.records.defined.access import Access
from mainspring.records.in_force import for_tenant
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant


def passed(access: Access) -> dict[str, Any]:
    """Return it as JSON takes it; the other process makes it again by `taken`."""
    author = access.author
    return {
        "tenant": author.tenant.key, "pseudonym": str(author.pseudonym or ""), "address": author.address,
        "rights": sorted(access.rights), "assignee": access.assignee,
    }  # fmt: skip


def taken(told: Mapping[str, Any]) -> Access:
    """Make what another process passed; what was assigned is looked up again."""
    tenant = Tenant.objects.get(key=told["tenant"])
    author = Author(tenant, UUID(told["pseudonym"]) if told["pseudonym"] else None, told["address"])
    with for_tenant(tenant):
        permits = permits_of(tenant, told["assignee"])
    return Access(author, frozenset(Right(right) for right in told["rights"]), permits, told["assignee"])
