from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.records import ground
from tests.web.running import Records, Running, records, running

database = pytest.fixture(autouse=True)(ground.database)


@pytest.fixture
def kept(database: None) -> Records:
    return records()


@pytest.fixture
async def web(kept: Records, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, kept, engine=False) as made:
        yield made
