from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.records import ground

from mainspring.records.tenant import Tenant


@pytest.fixture(autouse=True)
def database() -> Iterator[None]:
    ground.fresh_database()
    yield
    from django.db import connections

    connections.close_all()


@pytest.fixture
def plant(database: None) -> Tenant:
    from tests.records.plant import tenant

    return tenant()
