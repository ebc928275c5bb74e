"""The first start: tables, the tenant, and an administrator with a random password."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management import call_command
from django.db import transaction
from pydantic import AfterValidator, Field

from mainspring.bus.credentials import ensure_user
from mainspring.core import subjects
from mainspring.core.faults import fault
from mainspring.core.text import Text
from mainspring.records import changes, outbox
from mainspring.records.audit import Author
from mainspring.records.counter import TENANTS, take
from mainspring.records.draft import Draft, Name, check
from mainspring.records.faults import Invalid
from mainspring.records.in_force import for_platform
from mainspring.records.new_database import make_tables
from mainspring.records.people.user import User
from mainspring.records.plant import gateway
from mainspring.records.plant.connection import GATEWAY_DEFAULT
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

ADMINISTRATOR: Final = "admin"
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look alike, because the password is read from a screen and typed."""

_SAME_KEY: Final = Text("There is already a company {key}. Choose another key.", "已有企业 {key}，请换一个标识。")
_RESERVED: Final = Text(
    "{key} is a word of the platform itself. Choose another key.", "{key} 为平台保留字，请换一个标识。"
)
_NO_ZONE: Final = Text(
    "There is no such time zone; names look like Asia/Shanghai.", "没有此时区，名称形如 Asia/Shanghai。"
)


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise fault(_NO_ZONE) from error
    return zone


class TenantDraft(Draft):
    """A new company on this platform."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="final: subjects and identifiers carry it")
    name: Name
    zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"


def migrate() -> None:
    """Bring the tables to the present form and drop sessions that have ended; safe to call at every start."""
    with for_platform():
        make_tables()
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        call_command("clearsessions", verbosity=0)


def ensure_first_start(
    tenant_key: str, name: dict[str, str], zone: str = "UTC", *, must_change_password: bool = True
) -> str | None:
    """Migrate, and make tenant and administrator if they are missing.

    Returns the administrator's password when it was just made, to be shown this once; None at every later start.
    """
    migrate()
    with for_platform(), transaction.atomic():
        tenant = ensure_tenant(tenant_key, name, zone)
        if User.objects.filter(tenant=tenant, role=Role.ADMINISTRATOR).exists():
            return None
        return _administrator(tenant, must_change_password=must_change_password)


def add_tenant(key: str, name: dict[str, str], zone: str, secrets_folder: Path) -> tuple[Tenant, str]:
    """Make a tenant with an administrator and a gateway beside the platform; its password is shown this once."""
    draft = check(TenantDraft, {"key": key, "name": name, "zone": zone})
    with for_platform(), transaction.atomic():
        tenant = found_tenant(draft, secrets_folder)
        password = _administrator(tenant, must_change_password=True)
    return tenant, password


def found_tenant(draft: TenantDraft, secrets_folder: Path, parent: Tenant | None = None) -> Tenant:
    """Make a tenant with a gateway beside the platform, and nobody in it; to be asked for the platform."""
    with transaction.atomic():
        if Tenant.objects.filter(key=draft.key).exists():
            raise Invalid({"key": _SAME_KEY.format(key=draft.key)})
        tenant = ensure_tenant(draft.key, draft.name.model_dump(), draft.zone, parent)
        user = ensure_user(secrets_folder, "gateway", GATEWAY_DEFAULT, draft.key)
        gateway.ensure_local(Author(tenant), GATEWAY_DEFAULT, user.name, user.public_key)
    return tenant


def _administrator(tenant: Tenant, *, must_change_password: bool) -> str:
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
    if key in subjects.RESERVED:
        raise Invalid({"key": _RESERVED.format(key=key)})
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
