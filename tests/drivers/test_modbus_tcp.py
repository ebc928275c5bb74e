"""The driver against the simulator: what a device refuses, spoils, delays or forgets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ports import free_port
from tests.waiting import ANSWER_MS, PATIENCE_S, until

from mainspring.core import quality as q
from mainspring.core.drivers import Check, DriverTag
from mainspring.core.errors import DecodeError, NotConnected
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.drivers import modbus_checks
from mainspring.drivers.modbus_address import ModbusAddress
from mainspring.drivers.modbus_registers import Plan
from mainspring.drivers.modbus_tcp import ModbusTcp, ModbusTcpConfig
from mainspring.simulators.modbus_tcp import FUNCTIONS, ModbusTcpSimulator

LIMIT_MS = 2000
"""For devices that do not answer in time; others are given long."""


def tag(ordinal: int, kind: SampleKind = SampleKind.INTEGER, **address: Any) -> DriverTag:
    return DriverTag(ordinal, kind, ModbusAddress.model_validate(address))


def values(batches: list[SampleBatch]) -> dict[int, Any]:
    return {int(n): v for batch in batches for n, v in zip(batch.tag, batch.value.tolist(), strict=True)}


def bad(batches: list[SampleBatch]) -> dict[int, int]:
    return {
        int(n): int(v)
        for batch in batches
        for n, v in zip(batch.tag, batch.quality, strict=True)
        if not q.is_good(int(v))
    }


def driver_of(port: int, **more: Any) -> ModbusTcp:
    return ModbusTcp(ModbusTcpConfig(host="127.0.0.1", port=port, **{"timeout_ms": ANSWER_MS, **more}))


@pytest.fixture
async def simulator() -> AsyncIterator[ModbusTcpSimulator]:
    device = ModbusTcpSimulator()
    device.units[1].holding[:] = range(65536)
    await device.start()
    yield device
    await device.stop()


@pytest.fixture
async def driver(simulator: ModbusTcpSimulator) -> AsyncIterator[ModbusTcp]:
    instance = driver_of(simulator.port)
    await instance.connect()
    yield instance
    await instance.close()


def registers(count: int, first: int = 0) -> list[DriverTag]:
    return [tag(n, register=n) for n in range(first, first + count)]


async def test_one_refused_register_is_found_remembered_and_leaves_few_requests(
    simulator: ModbusTcpSimulator, driver: ModbusTcp
) -> None:
    simulator.refused = [("holding", 77, 77)]
    prepared = driver.prepare(registers(125))
    batches = await driver.read(prepared, 1)
    assert bad(batches) == {77: q.BAD_CONFIGURATION}
    assert {n: v for n, v in values(batches).items() if n != 77} == {n: n for n in range(125) if n != 77}
    assert "exception 2" in driver.faults[77].en
    assert [(group.first, group.end) for group in prepared.groups] == [(0, 77), (78, 125)]
    before = simulator.requests
    assert bad(await driver.read(prepared, 2)) == {77: q.BAD_CONFIGURATION}
    assert simulator.requests - before == 2


async def test_a_refused_register_has_a_new_chance_after_a_reconnection(
    simulator: ModbusTcpSimulator, driver: ModbusTcp
) -> None:
    simulator.refused = [("holding", 3, 3)]
    prepared = driver.prepare(registers(10))
    assert bad(await driver.read(prepared, 1)) == {3: q.BAD_CONFIGURATION}
    simulator.refused = []
    assert bad(await driver.read(prepared, 2)) == {3: q.BAD_CONFIGURATION}
    await driver.connect()
    assert bad(await driver.read(prepared, 3)) == {}
    assert not driver.faults


async def test_a_gap_that_cannot_be_read_is_met_once(simulator: ModbusTcpSimulator, driver: ModbusTcp) -> None:
    simulator.refused = [("holding", 12, 14)]
    prepared = driver.prepare([*registers(10), *registers(10, 15)])
    assert len(prepared.groups) == 1
    assert bad(await driver.read(prepared, 1)) == {}
    assert simulator.requests == 3
    await driver.read(prepared, 2)
    assert simulator.requests == 5


async def test_a_device_that_reads_fewer_registers_at_once(simulator: ModbusTcpSimulator, driver: ModbusTcp) -> None:
    simulator.read_max = 20
    prepared = driver.prepare(registers(250))
    assert bad(await driver.read(prepared, 1)) == {}
    before = driver.traffic.errors
    assert values(await driver.read(prepared, 2)) == {n: n for n in range(250)}
    assert driver.traffic.errors == before


async def test_a_wholly_wrong_map_does_not_stall_a_cycle(simulator: ModbusTcpSimulator, driver: ModbusTcp) -> None:
    simulator.refused = [("holding", 0, 4999)]
    prepared = driver.prepare([*registers(1000), tag(6000, register=6000)])
    batches = await driver.read(prepared, 1)
    assert simulator.requests < 300
    assert set(bad(batches).values()) <= {q.BAD_CONFIGURATION, q.BAD_WAITING}
    assert values(batches)[6000] == 6000
    for time_ms in range(2, 20):
        batches = await driver.read(prepared, time_ms)
    assert bad(batches) == dict.fromkeys(range(1000), q.BAD_CONFIGURATION)
    assert len(prepared.groups) == 1


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        (4, q.BAD_DEVICE_FAILURE),
        (5, q.BAD_COMMUNICATION),
        (6, q.BAD_COMMUNICATION),
        (11, q.BAD_NOT_CONNECTED),
        (99, q.BAD),
    ],
)
async def test_a_passing_exception_is_bad_until_it_passes(
    simulator: ModbusTcpSimulator, driver: ModbusTcp, code: int, quality: int
) -> None:
    prepared = driver.prepare(registers(3))
    simulator.busy = code
    batches = await driver.read(prepared, 1)
    assert bad(batches) == dict.fromkeys(range(3), quality)
    assert set(values(batches).values()) == {0}
    assert f"exception {code}" in driver.faults[0].en
    simulator.busy = 0
    assert bad(await driver.read(prepared, 2)) == {}
    assert not driver.faults


async def test_a_table_the_device_does_not_know_is_asked_once(simulator: ModbusTcpSimulator, driver: ModbusTcp) -> None:
    simulator.functions = FUNCTIONS - {4}
    prepared = driver.prepare([*registers(2), tag(9, table="input", register=0), tag(10, table="input", register=1)])
    for _ in range(2):
        assert bad(await driver.read(prepared, 1)) == dict.fromkeys((9, 10), q.BAD_CONFIGURATION)
    assert simulator.requests == 3


async def test_several_requests_travel_at_once(simulator: ModbusTcpSimulator) -> None:
    for in_flight in (1, 16):
        driver = driver_of(simulator.port, requests_in_flight=in_flight, timeout_ms=60_000)
        await driver.connect()
        simulator.silent, asked = True, simulator.requests
        reading = asyncio.create_task(driver.read(driver.prepare(registers(2000)), 1))
        # None is answered: as many as may be under way are asked, and no more.
        await until(lambda: simulator.requests == asked + in_flight)  # noqa: B023
        await simulator.cut()
        with pytest.raises(NotConnected):
            await reading
        assert simulator.requests == asked + in_flight
        simulator.silent = False
        await simulator.restore()
        await driver.connect()
        assert values(await driver.read(driver.prepare(registers(2000)), 1)) == {n: n for n in range(2000)}
        await driver.close()


SPOILS: dict[str, Callable[[bytes], bytes]] = {
    "protocol id": lambda frame: frame[:2] + b"\0\1" + frame[4:],
    "length zero": lambda frame: frame[:4] + b"\0\0" + frame[6:],
    "huge length": lambda frame: frame[:4] + b"\xff\xff" + frame[6:],
    "length too long": lambda frame: frame[:4] + b"\0\xfe" + frame[6:],
    "length too short": lambda frame: frame[:4] + b"\0\3" + frame[6:],
    "transaction": lambda frame: bytes((frame[0] ^ 1,)) + frame[1:],
    "truncated": lambda frame: frame[:-1],
    "header only": lambda frame: frame[:7],
    "garbage": lambda frame: b"\xde\xad\xbe\xef" * 40,
    "nothing": lambda frame: b"",
}


@pytest.mark.parametrize("spoil", sorted(SPOILS))
async def test_a_spoilt_stream_is_an_error_in_time(simulator: ModbusTcpSimulator, spoil: str) -> None:
    driver = driver_of(simulator.port, timeout_ms=200)
    prepared = driver.prepare(registers(300))
    simulator.spoil = SPOILS[spoil]
    with pytest.raises((DecodeError, NotConnected)):
        async with asyncio.timeout(PATIENCE_S):
            await driver.connect()
            await driver.read(prepared, 1)
    simulator.spoil = None
    await driver.close()
    driver.config = driver_of(simulator.port).config
    await driver.connect()
    assert bad(await driver.read(prepared, 2)) == {}
    await driver.close()


ANSWERS: dict[str, Callable[[bytes], bytes]] = {
    "function": lambda pdu: b"\4" + pdu[1:],
    "byte count": lambda pdu: pdu[:1] + b"\2" + pdu[2:],
    "fewer registers": lambda pdu: bytes((pdu[0], pdu[1] - 2)) + pdu[2:-2],
    "more registers": lambda pdu: bytes((pdu[0], pdu[1] + 2)) + pdu[2:] + b"\0\0",
    "empty": lambda pdu: pdu[:1],
    "long exception": lambda pdu: b"\x83\2\0",
    "bare exception": lambda pdu: b"\x83",
}


@pytest.mark.parametrize("answer", sorted(ANSWERS))
async def test_a_malformed_answer_harms_only_its_own_tags(
    simulator: ModbusTcpSimulator, driver: ModbusTcp, answer: str
) -> None:
    def spoil(frame: bytes) -> bytes:
        if frame[8] != 2 * 30:
            return frame
        pdu = ANSWERS[answer](frame[7:])
        return frame[:4] + (len(pdu) + 1).to_bytes(2, "big") + frame[6:7] + pdu

    prepared = driver.prepare([*registers(10), *registers(30, 1000)])
    simulator.spoil = spoil
    batches = await driver.read(prepared, 2)
    assert bad(batches) == dict.fromkeys(range(1000, 1030), q.BAD_COMMUNICATION)
    assert "not Modbus" in driver.faults[1000].en
    simulator.spoil = None
    assert bad(await driver.read(prepared, 3)) == {}


async def test_a_late_answer_is_dropped_and_not_taken_for_another(simulator: ModbusTcpSimulator) -> None:
    driver = driver_of(simulator.port, timeout_ms=LIMIT_MS)
    await driver.connect()
    first, second = driver.prepare([tag(1, register=11)]), driver.prepare([tag(2, register=22)])
    simulator.delay_ms = LIMIT_MS * 1.5
    started = time.monotonic()
    with pytest.raises(NotConnected, match="did not answer within"):
        await driver.read(first, 1)
    assert time.monotonic() - started >= LIMIT_MS / 1000
    simulator.delay_ms = 0
    assert values(await driver.read(second, 2)) == {2: 22}
    link = driver._link
    assert link is not None
    await until(lambda: link.late == 1)
    assert values(await driver.read(first, 3)) == {1: 11}
    assert link.late == 1
    await driver.close()


async def test_contact_lost_while_waiting_is_told_at_once(simulator: ModbusTcpSimulator) -> None:
    driver = driver_of(simulator.port, timeout_ms=60_000)
    await driver.connect()
    simulator.silent = True
    asked = simulator.requests
    reading = asyncio.create_task(driver.read(driver.prepare(registers(3)), 1))
    await until(lambda: simulator.requests > asked)
    await simulator.cut()
    with pytest.raises(NotConnected, match="closed"):
        await reading
    await driver.close()


async def test_a_write_goes_before_waiting_readings(simulator: ModbusTcpSimulator, driver: ModbusTcp) -> None:
    simulator.delay_ms = 5
    reading = asyncio.create_task(driver.read(driver.prepare(registers(5000)), 1))
    await asyncio.sleep(0.01)
    assert await driver.write([(tag(1, register=60_000), 5)]) == [None]
    assert not reading.done()
    assert len(values(await reading)) == 5000


@pytest.mark.parametrize("known", [FUNCTIONS, FUNCTIONS - {22}, FUNCTIONS - {5, 6, 22}])
async def test_bits_and_single_writes_fall_back_on_what_the_device_knows(
    simulator: ModbusTcpSimulator, driver: ModbusTcp, known: frozenset[int]
) -> None:
    simulator.functions = known
    simulator.set("holding", 40, "uint16", "ABCD", 0x00FF)
    items: list[tuple[DriverTag, Any]] = [
        (tag(1, register=40, bit=15), True),
        (tag(2, register=40, bit=0), False),
        (tag(3, register=41), 7),
        (tag(4, table="coil", register=3), True),
    ]
    for _ in range(2):
        assert await driver.write(items) == [None] * 4
    assert simulator.get("holding", 40, "uint16", "ABCD") == 0x80FE
    assert simulator.get("holding", 41, "uint16", "ABCD") == 7
    assert simulator.units[1].coil[2:5].tolist() == [0, 1, 0]


async def test_each_write_has_its_own_outcome(simulator: ModbusTcpSimulator, driver: ModbusTcp) -> None:
    simulator.refused = [("holding", 50, 50)]
    items: list[tuple[DriverTag, Any]] = [
        (tag(1, register=50), 1), (tag(2, register=51), 70_000), (tag(3, register=52), 2), (tag(4, register=51), "x"),
    ]  # fmt: skip
    outcomes = await driver.write(items)
    assert [outcome and outcome.code for outcome in outcomes] == ["rejected", "rejected", None, "rejected"]
    assert simulator.get("holding", 52, "uint16", "ABCD") == 2
    await simulator.cut()
    outcomes = await driver.write(items)
    # Once contact is lost nothing more is sent, and that is certain.
    assert [outcome and outcome.code for outcome in outcomes] == ["not-connected", "rejected", "rejected", "rejected"]
    assert "Not written" in str(outcomes[2])


@pytest.mark.parametrize("known", [FUNCTIONS, FUNCTIONS - {15, 16}])
async def test_neighbours_are_written_with_one_request(
    simulator: ModbusTcpSimulator, driver: ModbusTcp, known: frozenset[int]
) -> None:
    simulator.functions = known
    items: list[tuple[DriverTag, Any]] = [(tag(n, register=100 + n), 1000 + n) for n in range(100)]
    items += [(tag(200 + n, table="coil", register=9 + n), n % 3 == 0) for n in range(20)]
    if known == FUNCTIONS:
        items += [(tag(100 + n, register=300 + 2 * n, type="int32"), -n) for n in range(70)]
    before = simulator.requests
    assert await driver.write(items) == [None] * len(items)
    if known == FUNCTIONS:
        # A list takes 123 registers, and so 61 of the 70 long values; one more the rest, one each the others.
        assert simulator.requests - before == 4
        assert [simulator.get("holding", 300 + 2 * n, "int32", "ABCD") for n in range(70)] == [-n for n in range(70)]
    assert simulator.units[1].holding[100:200].tolist() == list(range(1000, 1100))
    assert simulator.units[1].coil[8:30].tolist() == [0, *(int(n % 3 == 0) for n in range(20)), 0]


async def test_what_is_no_neighbour_is_not_touched_and_order_is_kept(
    simulator: ModbusTcpSimulator, driver: ModbusTcp
) -> None:
    simulator.set("holding", 100, "uint16", "ABCD", [9] * 10)
    seen: list[bytes] = []
    answer = simulator.answer

    def listen(unit: int, pdu: bytes) -> bytes | None:
        seen.append(pdu)
        return answer(unit, pdu)

    simulator.answer = listen  # type: ignore[method-assign,assignment]
    items: list[tuple[DriverTag, Any]] = [
        (tag(1, register=106), 1), (tag(2, register=100), 2), (tag(3, register=101), 3), (tag(4, register=103), 4),
        (tag(5, register=104, bit=2), True), (tag(6, register=101), 5),
    ]  # fmt: skip
    assert await driver.write(items) == [None] * 6
    assert [(pdu[0], int.from_bytes(pdu[1:3], "big")) for pdu in seen] == [
        (6, 106), (16, 100), (6, 103), (22, 104), (6, 101),
    ]  # fmt: skip
    assert simulator.units[1].holding[100:110].tolist() == [2, 5, 9, 4, 13, 9, 1, 9, 9, 9]


async def test_a_refused_list_is_written_one_by_one(simulator: ModbusTcpSimulator, driver: ModbusTcp) -> None:
    simulator.refused = [("holding", 52, 52)]
    items: list[tuple[DriverTag, Any]] = [(tag(n, register=50 + n), n + 1) for n in range(5)]
    outcomes = await driver.write(items)
    assert [outcome and outcome.code for outcome in outcomes] == [None, None, "rejected", None, None]
    assert simulator.units[1].holding[50:55].tolist() == [1, 2, 52, 4, 5]
    # A device that is busy may have taken the list: it is not sent again in pieces.
    simulator.busy = 6
    before = simulator.requests
    outcomes = await driver.write(items)
    assert {outcome and outcome.code for outcome in outcomes} == {"rejected"}
    assert simulator.requests - before == 1


async def run(driver: ModbusTcp) -> list[Check]:
    return [check async for check in driver.checks()]


@pytest.fixture
def few_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the many neighbours that is asked costs its time; a few are given enough of it."""
    monkeypatch.setattr(modbus_checks, "NEIGHBOURS", (1, 255, 2))
    monkeypatch.setattr(modbus_checks, "NEIGHBOUR_MS", LIMIT_MS)


async def test_checks_tell_which_units_answer(few_neighbours: None) -> None:
    device = ModbusTcpSimulator([1, 2])
    await device.start()
    driver = driver_of(device.port, unit=4, timeout_ms=LIMIT_MS)
    checks = await run(driver)
    assert [check.ok for check in checks] == [True, True, True, False]
    assert checks[-1].name.en == "unit 4 does not answer"
    assert checks[-1].detail.en == "Units 1 and 2 do. Choose one, or check the address switch on the device."
    assert "1、2" in checks[-1].detail.zh
    device.is_gateway = True
    assert (await run(driver))[-1].detail.en.startswith("Units 1 and 2 do.")
    await device.stop()


async def test_checks_name_the_device_and_read_prepared_tags(simulator: ModbusTcpSimulator, driver: ModbusTcp) -> None:
    simulator.refused = [("holding", 500, 500)]
    assert [check.name.en for check in await run(driver)][-1] == "reads a register"
    driver.prepare([tag(1, register=9), tag(2, register=500, type="int16"), tag(3, table="coil", register=1)])
    checks = await run(driver)
    assert [check.detail.en for check in checks][2] == "identifies itself as Mainspring simulator 1"
    assert [(check.name.en, check.ok) for check in checks][4:] == [
        ("reads holding 9 uint16", True),
        ("reads holding 500 int16", False),
    ]
    assert checks[4].detail.en == "holding 9 uint16 = 9"
    assert "exception 2" in checks[-1].detail.en


@pytest.mark.parametrize(
    ("change", "step", "words"),
    [
        ({"silent": True}, "speaks Modbus", "no unit answers"),
        ({"spoil": lambda frame: b"SSH-2.0-OpenSSH_9.6\r\n"}, "speaks Modbus", "not Modbus"),
        ({"units": {}, "is_gateway": True}, "unit 1 does not answer", "exception 11"),
        ({"busy": 4}, "reads a register", "exception 4"),
    ],
)
async def test_checks_end_with_the_cure(
    simulator: ModbusTcpSimulator, few_neighbours: None, change: dict[str, Any], step: str, words: str
) -> None:
    driver = driver_of(simulator.port, timeout_ms=LIMIT_MS)
    for name, value in change.items():
        if name == "units":
            simulator.units.clear()
        else:
            setattr(simulator, name, value)
    checks = await run(driver)
    assert [check.ok for check in checks] == [True] * (len(checks) - 1) + [False]
    assert checks[-1].name.en == step
    assert words in checks[-1].detail.en


async def test_checks_of_a_device_without_identification_or_register_0(
    simulator: ModbusTcpSimulator, driver: ModbusTcp
) -> None:
    simulator.identity = None
    simulator.refused = [(table, 0, 0) for table in ("coil", "discrete", "holding", "input")]
    checks = await run(driver)
    assert all(check.ok for check in checks)
    assert "does not identify itself" in checks[2].detail.en
    assert "Register 0" in checks[-1].detail.en


async def test_a_name_without_address_is_told() -> None:
    driver = ModbusTcp(ModbusTcpConfig(host="nowhere.invalid", timeout_ms=2000))
    with pytest.raises(NotConnected, match="The name nowhere"):
        await driver.connect()
    (check,) = await run(driver)
    assert not check.ok


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=4), st.booleans())
def test_any_answer_ends_in_values_or_an_error_in_time(chunks: list[bytes], framed: bool) -> None:
    def spoil(frame: bytes) -> bytes:
        return b"".join(
            (frame[:4] + (len(chunk) + 1).to_bytes(2, "big") + frame[6:7] if framed else b"") + chunk
            for chunk in chunks
        )

    async def play() -> None:
        simulator = ModbusTcpSimulator()
        simulator.spoil = spoil
        await simulator.start()
        driver = driver_of(simulator.port, timeout_ms=30)
        try:
            # On a busy machine making contact may take longer than this device is given, too.
            await driver.connect()
            plan: Plan = driver.prepare([*registers(3), tag(9, table="coil", register=0)])
            async with asyncio.timeout(PATIENCE_S):
                await driver.read(plan, 1)
        except (DecodeError, NotConnected):
            pass
        finally:
            await driver.close()
            await simulator.stop()

    asyncio.run(play())


async def test_a_closed_port_is_told_in_words_without_the_address_as_python_writes_it() -> None:
    driver = ModbusTcp(ModbusTcpConfig(host="127.0.0.1", port=free_port()))
    with pytest.raises(NotConnected) as refused:
        await driver.connect()
    assert "Connection refused" in refused.value.text.en
    assert "('" not in refused.value.text.en
