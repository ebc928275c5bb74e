"""Modbus TCP: registers read and decoded per second of processor time, beside pymodbus against the same device.

Run `python -m benchmarks.modbus`; one JSON line for each figure. The device is the simulator in a process of its own,
so that the processor time counted is the client's alone.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from pymodbus.client import AsyncModbusTcpClient

from benchmarks.figures import say
from mainspring.core.drivers import DriverTag
from mainspring.core.kinds import SampleKind
from mainspring.drivers.modbus_address import ModbusAddress
from mainspring.drivers.modbus_registers import Limits, Plan
from mainspring.drivers.modbus_tcp import ModbusTcp, ModbusTcpConfig
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator

REGISTERS = 62_000
SECONDS = 3.0


def tags_of(kind: str, order: str = "ABCD") -> list[DriverTag]:
    width = np.dtype(kind).itemsize // 2
    sample = SampleKind.FLOAT if kind.startswith("float") else SampleKind.INTEGER
    return [
        DriverTag(n, sample, ModbusAddress.model_validate({"register": n * width, "type": kind, "order": order}))
        for n in range(REGISTERS // width)
    ]


def mixed() -> list[DriverTag]:
    """Every type and order in turn, with a gap of two registers after each."""
    tags: list[DriverTag] = []
    register = 0
    kinds = ("int16", "uint32", "float32", "float64", "int64", "bit")
    while register < REGISTERS - 6:
        n = len(tags)
        kind, order = kinds[n % len(kinds)], ("ABCD", "CDAB", "BADC", "DCBA")[n % 4]
        more = {"bit": n % 16} if kind == "bit" else {}
        address = ModbusAddress.model_validate({"register": register, "type": kind, "order": order, **more})
        tags.append(DriverTag(n, SampleKind.FLOAT, address))
        register += address.width + 2
    return tags


async def repeat(scenario: str, once: Callable[[], Awaitable[Any]], registers: int, values: int) -> None:
    """Read again and again for a while, and report by processor time and by wall clock."""
    await once()
    rounds, cpu, wall = 0, time.process_time(), time.perf_counter()
    while time.perf_counter() - wall < SECONDS:
        await once()
        rounds += 1
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    say(scenario, "registers per core-second", rounds * registers / cpu, "1/s")
    say(scenario, "values per core-second", rounds * values / cpu, "1/s")
    say(scenario, "registers per second", rounds * registers / wall, "1/s")
    say(scenario, "core used", cpu / wall, "1")


async def ours(port: int, scenario: str, tags: list[DriverTag], in_flight: int) -> None:
    driver = ModbusTcp(ModbusTcpConfig(host="127.0.0.1", port=port, requests_in_flight=in_flight))
    await driver.connect()
    started = time.perf_counter()
    plan = driver.prepare(tags)
    say(scenario, "prepare", (time.perf_counter() - started) * 1000, "ms")
    registers = sum(group.end - group.first for group in plan.groups)
    await repeat(scenario, lambda: driver.read(plan, 0), registers, len(tags))
    await driver.close()


async def theirs(port: int) -> None:
    """Read the same registers with pymodbus and convert each answer, as its documentation shows."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()

    async def once() -> None:
        for first in range(0, REGISTERS, 124):
            answer = await client.read_holding_registers(first, count=124, device_id=1)
            client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)

    await repeat("pymodbus, float32, 1 in flight", once, REGISTERS, REGISTERS // 2)
    client.close()


def decoding(scenario: str, tags: list[DriverTag]) -> None:
    """Time storing and decoding alone, without a socket."""
    plan = Plan(tags, Limits(8))
    answers = [(group, group.query[:1] + bytes([2 * (group.end - group.first)])) for group in plan.groups]
    full = [(group, head + bytes(2 * (group.end - group.first))) for group, head in answers]
    registers = sum(group.end - group.first for group in plan.groups)
    rounds, cpu = 0, time.process_time()
    while time.process_time() - cpu < SECONDS / 3:
        for group, pdu in full:
            plan.store(group, pdu)
        plan.batches(0, {})
        rounds += 1
    say(scenario, "registers per core-second", rounds * registers / (time.process_time() - cpu), "1/s")


async def latency(port: int) -> None:
    """Time one small reading, and one write while a long reading is under way."""
    driver = ModbusTcp(ModbusTcpConfig(host="127.0.0.1", port=port))
    await driver.connect()
    few, many = driver.prepare(tags_of("uint16")[:100]), driver.prepare(tags_of("uint16"))
    target = DriverTag(0, SampleKind.INTEGER, ModbusAddress(register=65_000))

    async def timed(work: Callable[[], Awaitable[Any]]) -> float:
        started = time.perf_counter()
        await work()
        return (time.perf_counter() - started) * 1000

    say(
        "100 registers",
        "median round",
        float(np.median([await timed(lambda: driver.read(few, 0)) for _ in range(500)])),
        "ms",
    )

    async def forever() -> None:
        while True:
            await driver.read(many, 0)

    busy = asyncio.create_task(forever())
    await asyncio.sleep(0.1)
    writes = [await timed(lambda: driver.write([(target, 1)])) for _ in range(500)]
    busy.cancel()
    say("write while reading flat out", "median", float(np.median(writes)), "ms")
    say("write while reading flat out", "99th percentile", float(np.percentile(writes, 99)), "ms")
    await driver.close()


async def run(port: int) -> None:
    decoding("decoding alone, float32", tags_of("float32"))
    decoding("decoding alone, all types and orders", mixed())
    await ours(port, "float32, 1 in flight", tags_of("float32"), 1)
    await ours(port, "float32, 16 in flight", tags_of("float32"), 16)
    await ours(port, "uint16, 16 in flight", tags_of("uint16"), 16)
    await ours(port, "all types and orders with gaps, 16 in flight", mixed(), 16)
    await theirs(port)
    await latency(port)


async def device() -> None:
    """Be the device: say the port, serve until the standard input closes."""
    simulator = ModbusTcpSimulator()
    await simulator.start()
    print(simulator.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await simulator.stop()


def main() -> None:
    if "--device" in sys.argv:
        asyncio.run(device())
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.modbus", "--device"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        asyncio.run(run(int(process.stdout.readline())))
    finally:
        process.communicate(timeout=10)


if __name__ == "__main__":
    main()
