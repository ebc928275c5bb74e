"""A gateway whose clock is wrong: commands end by the platform's, neither executed late nor refused in time."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.bus.conftest import BusUnderTest
from tests.gateway.devices import connection, tag
from tests.gateway.site import Site, now_ms
from tests.waiting import PATIENCE_S

from mainspring.bus.credentials import seed_file
from mainspring.core import quality as q
from mainspring.core import subjects
from mainspring.core.commands import Command, CommandItem, CommandOutcome
from mainspring.core.definitions import ConnectionDefinition
from mainspring.core.errors import NotConnected
from mainspring.core.ids import uuid7
from mainspring.core.kinds import SampleKind
from mainspring.gateway import clock
from mainspring.gateway.clock import PlatformClock, counter_ms
from mainspring.gateway.role import Gateway
from mainspring.gateway.settings import GatewaySettings
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator

ROOT = Path(__file__).parents[2]
HOUR_MS = 3_600_000


@pytest.fixture
async def plc() -> AsyncIterator[ModbusTcpSimulator]:
    simulator = ModbusTcpSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@asynccontextmanager
async def wrong_by(ahead_ms: int, bus: BusUnderTest, folder: Path) -> AsyncIterator[Site]:
    """Run a gateway whose clock is ahead, or behind, in a process of its own."""
    admin = await bus.connect("admin")
    site = Site(admin, folder)
    await site.listen()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gateway.gateway_process", bus.url,
        str(seed_file(bus.folder / "secrets", "gateway-acme-g1")), str(folder), str(ahead_ms), cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"},
    )  # fmt: skip
    try:
        yield site
    finally:
        process.terminate()
        await process.wait()
        await admin.close()


def command(of: ConnectionDefinition, value: int, issued_ms: int, expires_ms: int) -> Command:
    return Command(
        id=uuid7(), tenant="acme", connection=of.id, items=(CommandItem(tag=1, value=value),), by="anna",
        authority="command: test", issued_ms=issued_ms, expires_ms=expires_ms,
    )  # fmt: skip


@pytest.mark.parametrize("ahead_ms", [-HOUR_MS, HOUR_MS])
async def test_with_a_clock_that_is_an_hour_wrong(
    ahead_ms: int, bus: BusUnderTest, tmp_path: Path, plc: ModbusTcpSimulator
) -> None:
    async with wrong_by(ahead_ms, bus, tmp_path / "gateway") as site:

        async def sent(each: Command) -> CommandOutcome:
            subject = subjects.gateway("acme", "g1", "command")
            return CommandOutcome.model_validate_json(await site.admin.ask(subject, each.model_dump_json().encode()))

        of = connection("", driver="modbus-tcp", settings={"host": "127.0.0.1", "port": plc.port})
        address = {"table": "holding", "register": 7, "type": "uint16"}
        await site.define(of, [tag(1, of.id, kind=SampleKind.INTEGER, writable=True, address=address)])
        await site.until_quality(1, q.GOOD)
        fresh = command(of, 5, now_ms(), now_ms() + 30_000)
        (item,) = (await sent(fresh)).items
        assert (item.outcome, int(plc.units[1].holding[7])) == ("done", 5)
        # The times it tells are the platform's, too.
        assert item.sent_ms is not None
        assert item.read_back_ms is not None
        assert fresh.issued_ms <= item.sent_ms <= item.read_back_ms < now_ms() + 10_000
        # One that waited somewhere until its time was over, though it was given longer than the gateway has had it.
        waited = command(of, 6, now_ms() - 30_000, now_ms() - 100)
        assert (await sent(waited)).items[0].outcome == "expired"
        assert int(plc.units[1].holding[7]) == 5

        def told() -> bool:
            return site.health is not None and site.health.text is not None and "clock" in site.health.text["en"]

        await site.until(told)
        assert site.health is not None
        assert abs(site.health.figures["clock_ahead_ms"] - ahead_ms) < 10_000


async def test_nothing_is_executed_as_long_as_the_time_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "ANSWER_S", 0.05)
    settings = GatewaySettings(name="g1", tenant="acme", folder=tmp_path, disk_free_min_bytes=0)
    gateway = Gateway(settings, {})
    asked = command(connection("", driver="modbus-tcp"), 1, now_ms(), now_ms() + 30_000)
    outcome = CommandOutcome.model_validate_json(await gateway.commands.handle("", asked.model_dump_json().encode()))
    assert outcome.items[0].outcome == "refused"
    assert outcome.items[0].text is not None
    assert "platform's time" in outcome.items[0].text["en"]
    gateway.close()


async def test_bounds_close_in_and_a_contradiction_begins_anew() -> None:
    known = PlatformClock()
    with pytest.raises(NotConnected):
        async with asyncio.timeout(PATIENCE_S):
            await known.ends_ms(0, 1000)
    # Asked at 100 and heard at 300: the answer is from somewhere between.
    known.take(100, 1_000_000, 300)
    assert await known.ends_ms(0, 1_000_000) == 99
    known.take(1_000, 1_000_820, 1_010)
    assert await known.ends_ms(0, 1_000_000) == 1_000_000 - 999_821
    known.take(2_000, 1_001_900, 2_900)
    assert await known.ends_ms(0, 1_000_000) == 1_000_000 - 999_821
    # The platform's clock was set back.
    known.take(3_000, 500_000, 3_900)
    assert await known.ends_ms(0, 500_000) == 500_000 - (500_001 - 3_000)
    # However wrong all that is, nothing lasts longer than it was given.
    before = counter_ms()
    assert before + 200 <= await known.ends_ms(10**12, 10**12 + 200) <= counter_ms() + 200
