from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.records import ground
from tests.records.plant import person, tenant
from tests.web.asking import Asking, Keeper
from tests.web.post import PostOffice, open_office
from tests.web.running import Records, Running, records, running

from mainspring.records.access import use
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

database = pytest.fixture(autouse=True)(ground.database)


@pytest.fixture
def kept(database: None) -> Records:
    return records()


@pytest.fixture
async def web(kept: Records, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, kept) as made:
        yield made


@pytest.fixture
def plant(database: None) -> Tenant:
    return tenant()


@pytest.fixture
def signed_in(plant: Tenant) -> Callable[..., Any]:
    """Return a client signed in with a role, of the plant or of another tenant."""
    from django.test import Client

    def sign_in(role: Role = Role.ADMINISTRATOR, of: Tenant | None = None) -> Client:
        from mainspring.records.people.user import User

        where = of or plant
        user = User.objects.filter(tenant=where, username=role.value).first() or person(role, where)
        client = Client()
        client.force_login(user, backend="mainspring.records.people.sign_in.TenantBackend")
        return client

    return sign_in


@pytest.fixture
def admin(signed_in: Callable[..., Any]) -> Asking:
    """Return an administrator who asks; no uses of others wait to be told."""
    use.forget()
    return Asking(signed_in())


@pytest.fixture
def asking(signed_in: Callable[..., Any]) -> Keeper:
    return Keeper(signed_in())


@pytest.fixture
def post_office() -> Iterator[PostOffice]:
    with open_office() as office:
        yield office
