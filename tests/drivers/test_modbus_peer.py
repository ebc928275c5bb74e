"""Our driver against pymodbus as device, and pymodbus as client against our simulator."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient
from tests.drivers.pymodbus_device import REGISTERS, UNIT
from tests.waiting import ANSWER_MS, ANSWER_S, PATIENCE_S

from mainspring.core import quality as q
from mainspring.core.drivers import DriverTag
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.drivers.modbus_address import ModbusAddress
from mainspring.drivers.modbus_tcp import ModbusTcp, ModbusTcpConfig
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.drivers.pymodbus_device"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


@pytest.fixture
async def driver(port: int) -> AsyncIterator[ModbusTcp]:
    instance = ModbusTcp(
        ModbusTcpConfig(host="127.0.0.1", port=port, unit=UNIT, gap_registers=20, timeout_ms=ANSWER_MS)
    )
    await instance.connect()
    yield instance
    await instance.close()


def tag(ordinal: int, kind: SampleKind = SampleKind.INTEGER, **address: Any) -> DriverTag:
    return DriverTag(ordinal, kind, ModbusAddress.model_validate(address), writable=True)


def values(batches: list[SampleBatch]) -> dict[int, Any]:
    return {int(n): v for batch in batches for n, v in zip(batch.tag, batch.value.tolist(), strict=True)}


def qualities(batches: list[SampleBatch]) -> dict[int, int]:
    return {int(n): int(v) for batch in batches for n, v in zip(batch.tag, batch.quality, strict=True)}


async def test_reads_every_type_and_table(driver: ModbusTcp) -> None:
    tags = [
        tag(1, register=0, type="int32"),
        tag(2, register=2, type="int32"),
        tag(3, SampleKind.FLOAT, register=4, type="float32"),
        tag(4, SampleKind.FLOAT, register=6, type="float64"),
        tag(5, register=10, type="int64"),
        tag(6, SampleKind.FLOAT, register=14, type="uint64"),
        tag(7, SampleKind.TEXT, register=18, type="string", length=4),
        tag(8, register=24),
        tag(9, register=24, bit=5),
        tag(10, register=24, bit=6),
        *(tag(20 + n, SampleKind.BOOLEAN, table="coil", register=n) for n in range(3)),
        *(tag(30 + n, SampleKind.BOOLEAN, table="discrete", register=n) for n in range(30, 34)),
        tag(40, reference="30001", type="int16"),
    ]
    prepared = driver.prepare(tags)
    found = await driver.read(prepared, 1)
    assert values(found) == {
        1: -123456789, 2: 2147483647, 3: struct.unpack("f", struct.pack("f", 3.14159))[0], 4: -2.5e-300, 5: -(2**62),
        6: float(2**64 - 1), 7: "Pump 7.", 8: 0xA5A5, 9: 1, 10: 0,
        20: 1, 21: 0, 22: 1, 50 + 10: 0, 61: 1, 62: 0, 63: 1, 40: -7,
    }  # fmt: skip
    assert set(qualities(found).values()) == {q.GOOD}
    # The hole at 22 was met once, and is not asked for again.
    assert driver.traffic.errors > 0
    before = driver.traffic.errors, driver.traffic.requests
    await driver.read(prepared, 2)
    assert driver.traffic.errors == before[0]
    assert driver.traffic.requests == before[1] + 5


async def test_reads_thousands_in_few_requests(driver: ModbusTcp) -> None:
    tags = [tag(n, register=100 + n) for n in range(REGISTERS)]
    (batch,) = await driver.read(driver.prepare(tags), 1)
    assert batch.value.tolist() == list(range(REGISTERS))
    assert driver.traffic.requests == REGISTERS // 125


async def test_writes_every_type(driver: ModbusTcp) -> None:
    items: list[tuple[DriverTag, Any]] = [
        (tag(1, register=25, type="int32", order="CDAB"), -77),
        (tag(2, SampleKind.FLOAT, register=27, type="float64", order="BADC"), 2.5),
        (tag(3, register=31), 65535),
        (tag(4, register=32, bit=15), 1),
        (tag(5, SampleKind.TEXT, register=33, type="string", length=3), "ABCDE"),
        (tag(6, SampleKind.BOOLEAN, table="coil", register=9), True),
    ]
    assert await driver.write(items) == [None] * len(items)
    found = values(await driver.read(driver.prepare([item for item, _ in items]), 1))
    assert found == {item.ordinal: value for item, value in items}
    (refused,) = await driver.write([(tag(7, register=22), 1)])
    assert refused is not None
    assert refused.code == "rejected"
    assert "exception 2" in refused.text.en


async def test_checks_name_the_device_and_the_right_unit(driver: ModbusTcp, port: int) -> None:
    checks = [check async for check in driver.checks()]
    assert all(check.ok for check in checks)
    assert "identifies itself as ACME chiller 2" in [check.detail.en for check in checks]
    other = ModbusTcp(ModbusTcpConfig(host="127.0.0.1", port=port, unit=9, timeout_ms=100))
    assert not [check async for check in other.checks()][-1].ok


@pytest.fixture
async def simulator() -> AsyncIterator[ModbusTcpSimulator]:
    device = ModbusTcpSimulator([3])
    await device.start()
    yield device
    await device.stop()


async def test_pymodbus_understands_our_simulator(simulator: ModbusTcpSimulator) -> None:
    simulator.set("holding", 0, "float32", "ABCD", [1.5, -2.25])
    simulator.set("input", 8, "uint16", "ABCD", 513)
    simulator.set("discrete", 3, "bit", "ABCD", [1, 0, 1])
    simulator.refused.append(("holding", 500, 510))
    client = AsyncModbusTcpClient("127.0.0.1", port=simulator.port, timeout=ANSWER_S, retries=0, reconnect_delay=0)
    assert await client.connect()
    try:
        floats = await client.read_holding_registers(0, count=4, device_id=3)
        assert client.convert_from_registers(floats.registers, client.DATATYPE.FLOAT32) == [1.5, -2.25]
        assert (await client.read_input_registers(8, device_id=3)).registers == [513]
        assert (await client.read_discrete_inputs(0, count=7, device_id=3)).bits[:7] == [0, 0, 0, 1, 0, 1, 0]
        assert not (await client.write_registers(20, [1, 2, 3], device_id=3)).isError()
        assert not (await client.write_register(23, 4, device_id=3)).isError()
        assert simulator.units[3].holding[20:24].tolist() == [1, 2, 3, 4]
        assert not (await client.write_coils(5, [True, False, True], device_id=3)).isError()
        assert not (await client.write_coil(8, True, device_id=3)).isError()
        assert simulator.units[3].coil[5:9].tolist() == [1, 0, 1, 1]
        assert not (
            await client.mask_write_register(address=23, and_mask=0xFFF0, or_mask=0x0019, device_id=3)
        ).isError()
        assert simulator.units[3].holding[23] == 9
        named: Any = await client.read_device_information(device_id=3)
        assert named.information[0] == b"Mainspring"
        assert (await client.read_holding_registers(505, device_id=3)).exception_code == 2
        assert (await client.read_holding_registers(65530, count=10, device_id=3)).exception_code == 2
    finally:
        client.close()
