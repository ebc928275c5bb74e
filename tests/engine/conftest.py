"""A real bus for the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.bus.conftest import BusUnderTest, running_bus


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[BusUnderTest]:
    async with running_bus(tmp_path) as under_test:
        yield under_test
