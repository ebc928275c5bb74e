"""Reading by pymodbus, asyncua and Node-RED from the devices of `modbus` and `opcua_subscribe`.

`python -m benchmarks.peers_acquisition [--quick]`. Each reader is a process of its own whose processor time is counted:
pymodbus and asyncua as their documentation shows, Node-RED with node-red-contrib-modbus; ours is the driver alone, as
theirs are. None of them keeps anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psutil

from benchmarks.figures import QUICK, bars, say
from benchmarks.peers import node_red
from benchmarks.peers_messages import red_running
from mainspring.core.drivers import DriverTag
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch

SCENARIO = "peers_acquisition"
REGISTERS = 62_000
SECONDS = 4.0 if QUICK else 10.0
NODES = 2_000
BLOCK = 124
"""Registers that one request may ask for, in whole float32."""


@contextlib.contextmanager
def device(*arguments: str) -> Iterator[str]:
    """Run a simulated device; yields where it is."""
    command = [sys.executable, "-m", "benchmarks.acquisition", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        yield str(said[0]) if isinstance(said, list) else str(said)
    finally:
        process.communicate(timeout=30)


def reader(name: str, where: str) -> dict[str, float]:
    """Run one reader and return what it says."""
    command = [sys.executable, "-m", "benchmarks.peers_acquisition", "reader", name, where]
    told = subprocess.run([*command, *(["--quick"] if QUICK else [])], stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(told.stdout.splitlines()[-1]))


async def ours_modbus(port: str) -> dict[str, float]:
    """Read all registers again and again with our driver."""
    from benchmarks.modbus import tags_of
    from mainspring.drivers.modbus_tcp import ModbusTcp, ModbusTcpConfig

    driver = ModbusTcp(ModbusTcpConfig(host="127.0.0.1", port=int(port)))
    await driver.connect()
    plan = driver.prepare(tags_of("float32"))
    await driver.read(plan, 0)
    rounds, cpu, began = 0, time.process_time(), time.monotonic()
    while time.monotonic() - began < SECONDS:
        await driver.read(plan, 0)
        rounds += 1
    told = {"values": rounds * REGISTERS, "cpu_s": time.process_time() - cpu, "took_s": time.monotonic() - began}
    await driver.close()
    return told


async def theirs_modbus(port: str) -> dict[str, float]:
    """Read the same registers with pymodbus and convert each answer."""
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient("127.0.0.1", port=int(port))
    await client.connect()
    read, cpu, began = 0, time.process_time(), time.monotonic()
    while time.monotonic() - began < SECONDS:
        for first in range(0, REGISTERS, BLOCK):
            answer = await client.read_holding_registers(first, count=BLOCK, device_id=1)
            client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)
            read += BLOCK
    told = {"values": read, "cpu_s": time.process_time() - cpu, "took_s": time.monotonic() - began}
    client.close()
    return told


class Counter:
    """Counts changes as a subscription of asyncua hands them over, one by one."""

    def __init__(self) -> None:
        self.values = 0

    def datachange_notification(self, _node: Any, _value: Any, _notification: Any) -> None:
        """Take one change."""
        self.values += 1


async def theirs_opcua(url: str) -> dict[str, float]:
    """Subscribe to all nodes with asyncua."""
    from asyncua.client.client import Client

    async with Client(url) as client:
        counter = Counter()
        subscription = await client.create_subscription(500, counter)
        await subscription.subscribe_data_change([client.get_node(f"ns=2;s=N{place}") for place in range(NODES)])
        await asyncio.sleep(2)
        before, cpu, began = counter.values, time.process_time(), time.monotonic()
        await asyncio.sleep(SECONDS)
        return {
            "values": counter.values - before, "cpu_s": time.process_time() - cpu, "took_s": time.monotonic() - began
        }  # fmt: skip


async def ours_opcua(url: str) -> dict[str, float]:
    """Subscribe to all nodes with our driver."""
    from mainspring.drivers.opcua import OpcUa, OpcUaAddress, OpcUaConfig

    driver = OpcUa(OpcUaConfig.model_validate({"url": url, "security_policy": "none"}))
    await driver.connect()
    tags = [DriverTag(place, SampleKind.FLOAT, OpcUaAddress(node=f"ns=2;s=N{place}")) for place in range(NODES)]
    taken = 0

    def deliver(batch: SampleBatch) -> None:
        nonlocal taken
        taken += len(batch)

    task = asyncio.create_task(driver.subscribe(tags, deliver))
    await asyncio.sleep(2)
    before, cpu, began = taken, time.process_time(), time.monotonic()
    await asyncio.sleep(SECONDS)
    told = {"values": taken - before, "cpu_s": time.process_time() - cpu, "took_s": time.monotonic() - began}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await driver.close()
    return told


READERS = {
    "Mainspring, Modbus": ours_modbus,
    "pymodbus": theirs_modbus,
    "Mainspring, OPC UA": ours_opcua,
    "asyncua": theirs_opcua,
}


def node_red_modbus(port: str) -> dict[str, float] | None:
    """Let Node-RED read blocks as fast as its queue goes, each answer counted."""
    peer = node_red()
    if not peer.found(SCENARIO) or peer.path is None:
        return None
    blocks = REGISTERS // BLOCK
    ask = f"""
        let block = flow.get('block') || 0;
        if (msg.payload && msg.payload.length) flow.set('values', (flow.get('values') || 0) + msg.payload.length);
        flow.set('block', (block + 1) % {blocks});
        return {{payload: {{fc: 3, unitid: 1, address: block * {BLOCK}, quantity: {BLOCK}}}}};
    """
    flow: list[dict[str, Any]] = [
        {"id": "m", "type": "modbus-client", "clienttype": "tcp", "tcpHost": "127.0.0.1", "tcpPort": port,
         "tcpType": "DEFAULT", "unit_id": 1, "commandDelay": 1, "clientTimeout": 1000, "reconnectOnTimeout": True,
         "reconnectTimeout": 2000, "bufferCommands": True, "parallelUnitIdsAllowed": True, "queueLogEnabled": False},
        {"id": "i", "type": "inject", "z": "t", "once": True, "onceDelay": 2, "repeat": "", "wires": [["a"]]},
        {"id": "a", "type": "function", "z": "t", "func": ask, "outputs": 1, "wires": [["g"]]},
        {"id": "g", "type": "modbus-flex-getter", "z": "t", "name": "", "server": "m", "useIOFile": False,
         "emptyMsgOnFail": False, "keepMsgProperties": False, "wires": [["a"], []]},
    ]  # fmt: skip
    with red_running(peer.path, flow) as (running, counted):
        time.sleep(5)
        before, cpu, began = counted(), _cpu_s(running), time.monotonic()
        time.sleep(SECONDS)
        return {"values": counted() - before, "cpu_s": _cpu_s(running) - cpu, "took_s": time.monotonic() - began}


def _cpu_s(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


def tell(name: str, told: dict[str, float], what: str) -> float:
    """Print what a reader took; returns values per core-second."""
    rate = told["values"] / told["cpu_s"]
    say(SCENARIO, f"{name}: {what} a second", told["values"] / told["took_s"], "1/s")
    say(SCENARIO, f"{name}: {what} per core-second", rate, "1/s")
    return rate


def main() -> None:
    """Let everyone read in turn."""
    rates: dict[str, float] = {}
    with device("--modbus", "1") as port:
        for name in ("Mainspring, Modbus", "pymodbus"):
            rates[name] = tell(name, reader(name, port), "registers")
        if (told := node_red_modbus(port)) is not None:
            rates["Node-RED, Modbus"] = tell("Node-RED, Modbus", told, "registers")
    bars("modbus", "Registers read per core-second", "1/s", rates)
    rates = {}
    with device("--opcua", str(NODES)) as url:
        for name in ("Mainspring, OPC UA", "asyncua"):
            rates[name] = tell(name, reader(name, url), "subscribed values")
    bars("opcua", f"Subscribed values taken per core-second, {NODES:,} nodes at 1 Hz", "1/s", rates)


if __name__ == "__main__":
    if sys.argv[1:2] == ["reader"]:
        print(json.dumps(asyncio.run(READERS[sys.argv[2]](sys.argv[3]))))
    else:
        main()
