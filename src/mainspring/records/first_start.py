"""The first start: tables, the tenant, and an administrator with a random password."""

from __future__ import annotations

import secrets
from typing import Final

from django.core.management import call_command
from django.db import transaction

from mainspring.records import changes, outbox
from mainspring.records.audit import Author
from mainspring.records.counter import TENANTS, take
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant
from mainspring.records.user import User

ADMINISTRATOR: Final = "admin"
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look alike, because the password is read from a screen and typed."""


def migrate() -> None:
    """Bring the tables to the present form and drop sessions that have ended; safe to call at every start."""
    call_command("migrate", interactive=False, verbosity=0)
    call_command("clearsessions", verbosity=0)


def ensure_first_start(
    tenant_key: str, name: dict[str, str], zone: str = "UTC", *, must_change_password: bool = True
) -> str | None:
    """Migrate, and make tenant and administrator if they are missing.

    Returns the administrator's password when it was just made, to be shown this once; None at every later start.
    """
    migrate()
    with transaction.atomic():
        tenant = ensure_tenant(tenant_key, name, zone)
        if User.objects.filter(tenant=tenant, role=Role.ADMINISTRATOR).exists():
            return None
        password = random_password()
        user = User(
            tenant=tenant,
            username=ADMINISTRATOR,
            display_name="Administrator",
            role=Role.ADMINISTRATOR,
            must_change_password=must_change_password,
        )
        user.set_password(password)
        changes.create(Author(tenant), user)
    return password


def ensure_tenant(key: str, name: dict[str, str], zone: str = "UTC", parent: Tenant | None = None) -> Tenant:
    """Return the tenant with this key, made if it is missing."""
    with transaction.atomic():
        tenant = Tenant.objects.filter(key=key).first()
        if tenant is None:
            words = {"en": name.get("en") or name.get("zh") or key, "zh": name.get("zh", "")}
            tenant = Tenant.objects.create(key=key, number=take(TENANTS), name=words, zone=zone, parent=parent)
            outbox.mark_tenant(tenant.key, tenant.number)
    return tenant


def random_password() -> str:
    """Make a password of 80 bits in four groups that can be typed."""
    letters = [secrets.choice(_LETTERS) for _ in range(16)]
    return "-".join("".join(letters[start : start + 4]) for start in range(0, 16, 4))
