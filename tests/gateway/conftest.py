"""A real bus, and a way to read back what a stream holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.bus.conftest import BusUnderTest, running_bus
from tests.waiting import PATIENCE_S

from mainspring.bus.connect import Bus
from mainspring.core.samples import SampleBatch, decode
from mainspring.core.subjects import SEQUENCE_HEADER


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[BusUnderTest]:
    async with running_bus(tmp_path) as under_test:
        yield under_test


async def stored(admin: Bus, stream: str) -> list[tuple[int, SampleBatch]]:
    """Return the gateway's own sequence and the batch of every message of a stream."""
    state = (await admin.js.stream_info(stream)).state
    if not state.messages:
        return []
    subscription = await admin.js.subscribe(f"ms.*.{stream.lower()}.*", stream=stream, ordered_consumer=True)
    found: list[tuple[int, SampleBatch]] = []
    while len(found) < state.messages:
        message = await subscription.next_msg(timeout=PATIENCE_S)
        assert message.headers is not None
        found.append((int(message.headers[SEQUENCE_HEADER]), decode(message.data)))
    await subscription.unsubscribe()
    return found
