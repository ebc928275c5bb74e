"""What someone with a role would see: an administrator looks before assigning it."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from mainspring.core.errors import NotFound
from mainspring.core.text import Text
from mainspring.records.access.assignment import Assignment
from mainspring.records.access.permits import permits
from mainspring.records.access.role import CompanyRole
from mainspring.records.defined.access import Permit
from mainspring.records.plant import asset as assets
from mainspring.records.record import absent
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

_NO_ROLE: Final = Text("There is no role {role!r} here.", "此处没有角色“{role}”。")


def of(tenant: Tenant, role: str, place: str = "") -> tuple[Role, tuple[Permit, ...]]:
    """Return the built-in role and the permits of one who has this role alone; raises NotFound."""
    if role in list(Role) and not place:
        return Role(role), ()
    row = Assignment(tenant=tenant)
    if role in list(Role):
        row.built_in = role
    else:
        # PostgreSQL takes no NUL in a question.
        row.role = CompanyRole.objects.of(tenant).filter(code=role.replace("\0", "\ufffd")).first()
        if row.role is None:
            raise NotFound(_NO_ROLE, role=role)
    if place:
        try:
            row.place = assets.find(tenant, UUID(place))
        except ValueError as error:
            raise absent("asset", place) from error
    return Role.GUEST, tuple(permits(row))
