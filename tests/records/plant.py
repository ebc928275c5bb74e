"""A small plant to test with: tenants, people of each role, assets, tags."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.records import ground  # noqa: F401  Django is configured before its models are imported

from mainspring.records.audit import Author
from mainspring.records.defined.access import Access
from mainspring.records.first_start import ensure_tenant
from mainspring.records.people.user import User
from mainspring.records.plant import asset as assets
from mainspring.records.plant import connection as connections
from mainspring.records.plant import tag as tags
from mainspring.records.plant.asset import Asset, AssetDraft
from mainspring.records.plant.connection import Connection, ConnectionDraft
from mainspring.records.plant.tag import Tag, TagDraft
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant


def tenant(key: str = "plant") -> Tenant:
    return ensure_tenant(key, {"en": key.title(), "zh": "工厂"}, "Asia/Shanghai")


def person(role: Role, of: Tenant, name: str = "", password: str | None = None) -> User:
    user = User(tenant=of, username=name or role.value, role=role.value, display_name=f"Person {role.value}")
    if password:
        user.set_password(password)
    else:
        user.set_unusable_password()
    user.save()
    return user


def author(of: Tenant) -> Author:
    return Author(of, None, "127.0.0.1")


def access(of: Tenant, role: Role = Role.ADMINISTRATOR) -> Access:
    return Access(author(of), role.rights)


def asset(of: Tenant, called: str, parent: Asset | None = None, kind: str = "unit", **fields: Any) -> Asset:
    draft = {"name": {"en": called}, "kind": kind, "parent": parent.id if parent else None, **fields}
    return assets.create(author(of), AssetDraft.model_validate(draft))


def tag(of: Tenant, called: str, asset: Asset, **fields: Any) -> Tag:
    return tags.create(author(of), TagDraft.model_validate({"name": called, "asset": asset.id, **fields}))


def modbus(of: Tenant, name: str = "PLC 1", **settings: Any) -> Connection:
    draft = {"name": name, "driver": "modbus-tcp", "settings": {"host": "127.0.0.1", **settings}}
    return connections.create(author(of), ConnectionDraft.model_validate(draft))


def opcua(of: Tenant, name: str = "Server 1", **settings: Any) -> Connection:
    draft = {"name": name, "driver": "opcua", "settings": {"url": "opc.tcp://127.0.0.1:4840", **settings}}
    return connections.create(author(of), ConnectionDraft.model_validate(draft))


def seed_assets(of: Tenant, count: int) -> UUID:
    """Store `count` assets below one area, in few statements; returns the id of the area."""
    from mainspring.records.search_words import searchable

    area = asset(of, "Big Area", kind="area")
    rows = []
    for number in range(count):
        row = Asset(tenant=of, owner=of, operator=of, parent=area, asset_kind="unit", slug=f"unit-{number:05}")
        row.name = {"en": f"Unit {number:05}", "zh": f"反应釜{number:05}" if number % 1000 == 7 else ""}
        row.path = f"{area.path}/{row.slug}"
        row.search = searchable(row.path, row.name)
        rows.append(row)
    Asset.objects.bulk_create(rows, batch_size=500)
    return area.id
