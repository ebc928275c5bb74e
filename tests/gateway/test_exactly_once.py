"""Nothing is lost and nothing comes twice: gateway and bus are killed again and again under load."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from tests.bus.conftest import BusUnderTest
from tests.gateway.conftest import stored
from tests.gateway.devices import connection, page, tag
from tests.waiting import PATIENCE_S, until

from mainspring.bus.connect import Bus
from mainspring.core import quality as q
from mainspring.core.definitions import connection_key, tag_page_key
from mainspring.core.health import GatewayConnections, Health
from mainspring.core.kinds import SampleKind
from mainspring.core.subjects import LATE, LIVE
from mainspring.gateway.segments import Reader, SegmentLog

ROOT = Path(__file__).parents[2]


async def start_gateway(bus: BusUnderTest, folder: Path) -> asyncio.subprocess.Process:
    with (folder.parent / "gateway.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.gateway.gateway_process", bus.url,
            str(bus.folder / "secrets" / "gateway-acme-g1.seed"), str(folder),
            cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"}, stdout=log, stderr=log,
        )  # fmt: skip


async def define(bus: BusUnderTest) -> str:
    """Publish a connection that counts, and return its key."""
    admin = await bus.connect("admin")
    of = connection("", driver="counting")
    tags = [tag(ordinal, of.id, kind=SampleKind.INTEGER, scan_ms=10) for ordinal in range(1, 4)]
    await admin.put_definition(connection_key("acme", of.id), of)
    await admin.put_definition(tag_page_key("acme", 0), page(*tags))
    await admin.close()
    return connection_key("acme", of.id)


def logged_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.log"))


def logged(folder: Path) -> list[int]:
    log = SegmentLog(folder, segment_bytes=64 * 1024, log_bytes_max=2**40, disk_free_min_bytes=0)
    reader, found, sequence = Reader(log), [], log.first
    while (record := reader.read(sequence)) is not None:
        found.append(record.sequence)
        sequence = record.sequence + 1
    reader.close()
    log.close()
    return found


async def has_live(admin: Bus) -> bool:
    """Tell whether something fresh has arrived."""
    return bool((await admin.js.stream_info(LIVE)).state.last_seq > 0)


async def drained(admin: Bus, key: str, gateway: asyncio.subprocess.Process) -> None:
    """End the polling, let the gateway send all it has, then end it cleanly."""
    waiting: list[float] = []
    polled: list[int] = []

    async def on_health(message: Msg) -> None:
        waiting.append(Health.model_validate_json(message.data).figures["spool_batches"])

    async def on_connections(message: Msg) -> None:
        polled.append(len(GatewayConnections.model_validate_json(message.data).connections))

    await admin.delete_definition(key)
    await admin.nc.subscribe("ms.acme.connections.g1", cb=on_connections)
    await until(lambda: bool(polled) and polled[-1] == 0)
    await admin.nc.subscribe("ms.health.gateway.>", cb=on_health)
    await until(lambda: len(waiting) > 1 and waiting[-1] == 0)
    gateway.terminate()
    assert await asyncio.wait_for(gateway.wait(), PATIENCE_S) == 0


@pytest.mark.slow
async def test_kills_of_gateway_and_bus_lose_and_repeat_nothing(bus: BusUnderTest, tmp_path: Path) -> None:
    key = await define(bus)
    folder = tmp_path / "gateway"
    chance = random.Random(20)
    gateway = await start_gateway(bus, folder)
    await until(lambda: logged_bytes(folder) > 50_000)
    for step in range(12):
        await asyncio.sleep(chance.uniform(0.4, 2.2))
        if step % 3 == 2:
            await bus.kill()
            before = logged_bytes(folder)
            await until(lambda: logged_bytes(folder) > before + 60_000)  # noqa: B023
            if step % 2:
                gateway.kill()
                await gateway.wait()
                gateway = await start_gateway(bus, folder)
            await bus.start_again()
            # Long enough to learn that the bus is back, too short to have sent everything.
            await asyncio.sleep(chance.uniform(0.5, 2.5))
        else:
            gateway.kill()
            await gateway.wait()
            gateway = await start_gateway(bus, folder)
    admin = await bus.connect("admin")
    await drained(admin, key, gateway)
    live, late = await stored(admin, LIVE), await stored(admin, LATE)
    await admin.close()
    assert late, "the test never sent anything late"
    # Each record of the log is in exactly one stream, once.
    assert Counter(sequence for sequence, _ in live + late) == Counter(logged(folder))
    assert [sequence for sequence, _ in live] == sorted(sequence for sequence, _ in live)
    # And no reading of any process is missing between its first and its last, or there twice.
    values: dict[int, list[int]] = defaultdict(list)
    for _, batch in live + late:
        for value, quality, ordinal in zip(batch.value.tolist(), batch.quality, batch.tag, strict=True):
            if quality == q.GOOD and ordinal == 2:
                values[value // 10**9].append(value)
    assert len(values) >= 4
    for numbers in values.values():
        assert sorted(numbers) == list(range(min(numbers), max(numbers) + 1))


async def test_a_gateway_without_a_bus_polls_and_sends_it_all_later(bus: BusUnderTest, tmp_path: Path) -> None:
    key = await define(bus)
    folder = tmp_path / "gateway"
    gateway = await start_gateway(bus, folder)
    await until(lambda: (folder / "definitions.json").exists() and logged_bytes(folder) > 10_000)
    gateway.terminate()
    await gateway.wait()
    await bus.kill()
    before = logged_bytes(folder)
    # Definitions come from the last run; there is no bus to ask.
    gateway = await start_gateway(bus, folder)
    await until(lambda: logged_bytes(folder) > before + 200_000)
    await bus.start_again()
    admin = await bus.connect("admin")
    await until(lambda: has_live(admin))
    await drained(admin, key, gateway)
    live, late = await stored(admin, LIVE), await stored(admin, LATE)
    await admin.close()
    assert sum(len(batch) for _, batch in late) > 100
    assert Counter(sequence for sequence, _ in live + late) == Counter(logged(folder))
    # What was fresh when the bus came back did not wait for the backlog.
    assert live[-1][0] > late[-1][0]
