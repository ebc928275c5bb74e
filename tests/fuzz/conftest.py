from __future__ import annotations

import pytest
from tests.records import ground
from tests.web.running import Records, records

database = pytest.fixture(ground.database)


@pytest.fixture
def kept(database: None) -> Records:
    return records()
