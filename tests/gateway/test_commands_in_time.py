"""A command whose time has passed is never executed: after a cut of the bus or a restart, with the device away."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.bus.conftest import BusUnderTest, running_bus
from tests.gateway.devices import DEVICES, Device, MemoryDriver, connection, tag
from tests.gateway.site import Site, now_ms, running_gateway
from tests.waiting import ANSWER_MS, PATIENCE_S, until

from mainspring.bus.connect import Bus
from mainspring.core import quality as q
from mainspring.core import subjects
from mainspring.core.commands import Command, CommandItem, CommandOutcome
from mainspring.core.definitions import ConnectionDefinition
from mainspring.core.drivers import DriverEntry, DriverTag, Value
from mainspring.core.errors import MainspringError
from mainspring.core.ids import uuid7
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.gateway.commands import Journal
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator

SUBJECT = subjects.gateway("acme", "g1", "command")


@pytest.fixture
async def plc() -> AsyncIterator[ModbusTcpSimulator]:
    simulator = ModbusTcpSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@asynccontextmanager
async def at(bus: BusUnderTest, folder: Path) -> AsyncIterator[Site]:
    async with running_gateway(bus, folder, None) as site:
        yield site


async def defined(site: Site, plc: ModbusTcpSimulator, timeout_ms: int = ANSWER_MS) -> ConnectionDefinition:
    reach = {"host": "127.0.0.1", "port": plc.port, "timeout_ms": timeout_ms}
    of = connection("", driver="modbus-tcp", settings=reach)
    address = {"table": "holding", "register": 7, "type": "uint16"}
    await site.define(of, [tag(1, of.id, kind=SampleKind.INTEGER, writable=True, address=address)])
    await site.until_quality(1, q.GOOD)
    return of


def command(of: ConnectionDefinition, value: int, lasts_ms: int, **more: Any) -> Command:
    return Command(
        id=more.pop("id", None) or uuid7(), tenant="acme", connection=of.id, items=(CommandItem(tag=1, value=value),),
        by="anna", authority="command: test", issued_ms=now_ms(), expires_ms=now_ms() + lasts_ms,
    )  # fmt: skip


def held(plc: ModbusTcpSimulator) -> int:
    return int(plc.units[1].holding[7])


async def written(site: Site, of: ConnectionDefinition, value: int) -> None:
    """Write anew until it is done: the way is free again."""

    async def done() -> bool:
        try:
            outcome = await site.command(of, CommandItem(tag=1, value=value))
        except MainspringError:
            return False
        return outcome.items[0].outcome == "done"

    deadline = time.monotonic() + PATIENCE_S
    while not await done():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def past(expires_ms: int) -> None:
    while now_ms() <= expires_ms:
        await asyncio.sleep(0.02)


async def test_a_command_that_waits_out_a_cut_of_the_bus_is_not_executed(
    bus: BusUnderTest, tmp_path: Path, plc: ModbusTcpSimulator
) -> None:
    before = held(plc)
    async with at(bus, tmp_path / "gateway") as site:
        of = await defined(site, plc)
        answers: list[CommandOutcome] = []

        async def answered(message: Any) -> None:
            answers.append(CommandOutcome.model_validate_json(message.data))

        inbox = site.admin.nc.new_inbox()
        await site.admin.nc.subscribe(inbox, cb=answered)
        await site.admin.nc.flush()
        await bus.kill()
        await until(lambda: not site.admin.connected)
        late = command(of, 4711, 300)
        # The client keeps it and sends it when contact is back, as any impatient client might.
        await site.admin.nc.publish(SUBJECT, late.model_dump_json().encode(), reply=inbox)
        await past(late.expires_ms)
        await bus.start_again()
        await until(lambda: site.admin.connected)
        await written(site, of, 5)
        # It may have come before the gateway was back; sent again it is expired, too.
        await site.admin.nc.publish(SUBJECT, late.model_dump_json().encode(), reply=inbox)
        await until(lambda: answers)
        assert {item.outcome for answer in answers for item in answer.items} == {"expired"}
        assert held(plc) == 5 != before


async def test_a_command_begun_before_a_restart_is_not_executed_after_it(
    bus: BusUnderTest, tmp_path: Path, plc: ModbusTcpSimulator
) -> None:
    folder = tmp_path / "gateway"
    async with at(bus, folder) as site:
        of = await defined(site, plc)
        await written(site, of, 5)
    begun = command(of, 4711, 60_000)
    Journal(folder).begin(begun)
    late = command(of, 4712, 1)
    await past(late.expires_ms)
    async with at(bus, folder) as site:
        await site.until_quality(1, q.GOOD)
        for each, outcome in ((begun, "not-confirmed"), (late, "expired")):
            answer = await site.admin.ask(SUBJECT, each.model_dump_json().encode())
            assert CommandOutcome.model_validate_json(answer).items[0].outcome == outcome
        assert held(plc) == 5
        await written(site, of, 6)
        assert held(plc) == 6


async def test_a_command_while_the_device_is_away_is_not_executed_when_it_is_back(
    bus: BusUnderTest, tmp_path: Path, plc: ModbusTcpSimulator
) -> None:
    async with at(bus, tmp_path / "gateway") as site:
        of = await defined(site, plc, timeout_ms=500)
        await written(site, of, 5)
        await plc.cut()
        await site.until_quality(1, q.BAD_NOT_CONNECTED)
        away = await site.command(of, CommandItem(tag=1, value=4711), expires_ms=now_ms() + 300)
        assert away.items[0].outcome in {"refused", "expired"}
        await plc.restore()
        await written(site, of, 6)
        # Not answering is worse than away: the polling waits for it, and the command behind it.
        plc.silent = True
        requests = plc.requests
        await until(lambda: plc.requests > requests)
        silent = await site.command(of, CommandItem(tag=1, value=4712), expires_ms=now_ms() + 100)
        assert silent.items[0].outcome in {"refused", "expired", "not-confirmed"}
        plc.silent = False
        await site.until_quality(1, q.GOOD)
        assert held(plc) == 6
        await written(site, of, 7)


async def test_a_long_reading_lets_a_command_pass(bus: BusUnderTest, tmp_path: Path, plc: ModbusTcpSimulator) -> None:
    whole = 400
    """Requests of one reading; the device takes them one after the other."""
    plc.delay_ms = 10
    async with at(bus, tmp_path / "gateway") as site:
        reach = {"host": "127.0.0.1", "port": plc.port, "registers_per_request": 10, "timeout_ms": ANSWER_MS}
        of = connection("", driver="modbus-tcp", settings=reach)
        tags = [
            tag(number, of.id, kind=SampleKind.INTEGER, writable=True,
                address={"table": "holding", "register": number, "type": "uint16"})
            for number in range(whole * 10)
        ]  # fmt: skip
        await site.define(of, tags)
        await site.until_quality(1, q.GOOD)
        for turn in range(1, 4):
            # In the middle of a reading, which takes four seconds and comes once a second.
            before = plc.requests
            items = [CommandItem(tag=number, value=turn) for number in range(100, 200)]
            outcome = await site.command(of, *items, expires_ms=now_ms() + 60_000)
            assert {(item.outcome, item.read_back) for item in outcome.items} == {("done", turn)}
            assert plc.requests - before < whole / 2
        # And the reading it came between was not disturbed.
        plc.units[1].holding[:] = 9
        await site.until(lambda: site.latest.get(whole * 10 - 1) == (9, q.GOOD))
        assert site.connections is not None
        assert not site.connections.connections[0].errors_per_min


BUSY_S = 0.8
"""How long the device is busy at a time: what is sent meanwhile and does not last so long must expire."""
STALL_MS = 400
"""How late this machine may run what it has already decided, beside what it is seen to stall."""
LOOK_S = 0.02


class SlowDriver(MemoryDriver):
    """Reads keep the device busy; each write is noted with its time."""

    name = "slow"

    async def read(self, prepared: Any, time_ms: int) -> list[SampleBatch]:
        await asyncio.sleep(BUSY_S)
        return await super().read(prepared, time_ms)

    async def write(self, items: Sequence[tuple[DriverTag, Value]]) -> list[MainspringError | None]:
        times = DEVICES["slow"].values
        for _, value in items:
            assert f"at {value}" not in times, "written twice"
            times[f"at {value}"] = now_ms()
        return await super().write(items)


class Stalls:
    """How long this process has been kept from running at most; the gateway runs in it, too."""

    def __init__(self) -> None:
        self.longest_ms = 0

    async def watch(self) -> None:
        while True:
            before_ms = now_ms()
            await asyncio.sleep(LOOK_S)
            self.longest_ms = max(self.longest_ms, now_ms() - before_ms)


Plan = list[tuple[int, int, bool]]
"""Commands: how long to wait before, how long it lasts, whether it is sent a second time."""


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.one_of(st.integers(-50, 200), st.integers(3000, 9000)), st.booleans()),
        min_size=5, max_size=25,
    )
)  # fmt: skip
@settings(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_no_command_is_ever_executed_after_its_time_or_twice(plan: Plan) -> None:
    asyncio.run(_carried_out(plan))


async def _carried_out(plan: Plan) -> None:
    device = DEVICES["slow"] = Device()
    device.values["n"] = 0
    entry = DriverEntry("slow", lambda: SlowDriver)
    with tempfile.TemporaryDirectory() as folder:
        async with running_bus(Path(folder)) as bus, running_gateway(bus, Path(folder) / "g", {"slow": entry}) as site:
            of = connection("slow", driver="slow")
            await site.define(of, [tag(1, of.id, "n", kind=SampleKind.INTEGER, writable=True, scan_ms=10)])
            await site.until_quality(1, q.GOOD)
            commands: list[Command] = []
            asked: list[asyncio.Task[CommandOutcome]] = []
            few = asyncio.Semaphore(12)
            stalls = Stalls()
            watching = asyncio.create_task(stalls.watch())
            for number, (wait_ms, lasts_ms, twice) in enumerate(plan, 1):
                await asyncio.sleep(wait_ms / 1000)
                commands.append(command(of, number, lasts_ms))
                asked += [asyncio.create_task(_ask(site.admin, commands[-1], few)) for _ in range(1 + twice)]
            outcomes = {each.id: each for each in await asyncio.gather(*asked)}
            watching.cancel()
            for number, each in enumerate(commands, 1):
                outcome = outcomes[each.id].items[0].outcome
                executed_ms = device.values.get(f"at {number}")
                if executed_ms is not None:
                    assert int(executed_ms) <= each.expires_ms + STALL_MS + stalls.longest_ms
                assert (executed_ms is None) == (outcome in {"expired", "refused"})


async def _ask(bus: Bus, each: Command, few: asyncio.Semaphore) -> CommandOutcome:
    # A gateway takes 16 questions at a time and refuses more.
    async with few:
        return CommandOutcome.model_validate_json(
            await bus.ask(SUBJECT, each.model_dump_json().encode(), timeout_s=PATIENCE_S)
        )
