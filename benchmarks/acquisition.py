"""Acquisition by a whole gateway: 1,000 Modbus devices, OPC UA subscriptions, and writes while 100,000 tags/s are read.

The gateway is a process of its own (drivers, report by exception, segment log; no bus), the devices are others, so that
the processor time counted is the gateway's. Prints JSON lines. Run: `python -m benchmarks.acquisition [SCENARIO ...]`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from benchmarks.figures import say
from mainspring.core.commands import Command, CommandItem
from mainspring.core.definitions import (
    PAGE,
    ConnectionDefinition,
    TagDefinition,
    TagPage,
    connection_key,
    tag_page_key,
)
from mainspring.core.drivers import registered
from mainspring.core.ids import uuid7
from mainspring.core.kinds import SampleKind
from mainspring.gateway.clock import counter_ms
from mainspring.gateway.role import Gateway
from mainspring.gateway.settings import GatewaySettings
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator
from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode

SETTLE_S, SECONDS = 6.0, 20.0
CHANGING = 10_000
"""Values of a device that change every second; behind them lie those that are written."""
WRITES, WRITTEN = 40, 100
TENANT = "acme"


class Plant:
    """Definitions of connections and their tags, as the bus would give them."""

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}
        self.tags: list[TagDefinition] = []

    def connect(self, name: str, driver: str, settings: dict[str, Any], addresses: Sequence[dict[str, Any]]) -> None:
        """Add a connection with a writable float tag for each address."""
        made = ConnectionDefinition(
            id=uuid7(), tenant=TENANT, revision=1, name=name, driver=driver, gateway="g1", settings=settings
        )
        self.documents[connection_key(TENANT, made.id)] = made.model_dump_json()
        self.tags += [
            TagDefinition(
                ordinal=len(self.tags) + place, id=made.id, path=f"p/{name}/T{place}", name=f"T{place}",
                connection=made.id, address=address, writable=True,
            )
            for place, address in enumerate(addresses)
        ]  # fmt: skip

    def write(self, folder: Path) -> None:
        """Put everything where a gateway finds it that starts without the bus."""
        for number in range(-(-len(self.tags) // PAGE)):
            page = TagPage(
                revision=1, tenant=TENANT, page=number, tags=tuple(self.tags[number * PAGE : (number + 1) * PAGE])
            )
            self.documents[tag_page_key(TENANT, number)] = page.model_dump_json()
        body = ",".join(f"{json.dumps(key)}:{document}" for key, document in self.documents.items())
        (folder / "definitions.json").write_text(f"{{{body}}}")


def registers(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"register": 2 * place, "type": "float32"} for place in range(first, first + count)]


async def gateway(folder: Path, written: str) -> None:
    """Be the gateway: say when all are in contact, count for a while, write if told to, and say what it cost."""
    settings = GatewaySettings(name="g1", tenant=TENANT, folder=folder, disk_free_min_bytes=0, segment_bytes=2**26)
    made = Gateway(settings, registered())
    started = time.monotonic()
    made.fleet.load()
    tasks = [asyncio.create_task(part.run()) for part in (made.writer, made.fleet)]
    while not (found := list(made.fleet.connections)) or any(each.state != "connected" for each in found):
        await asyncio.sleep(0.05)
    connected_s = time.monotonic() - started
    await asyncio.sleep(SETTLE_S)
    usage, began, taken, rows = _cpu_s(), time.monotonic(), _samples(made), made.gatherer.rows_total
    lags = asyncio.create_task(_lags())
    times = await _writes(made, UUID(written)) if written else await asyncio.sleep(SECONDS, [])
    elapsed = time.monotonic() - began
    lags.cancel()
    told = {
        "connected_s": connected_s, "elapsed_s": elapsed, "cpu_s": _cpu_s() - usage,
        "values": _samples(made) - taken, "reported": made.gatherer.rows_total - rows, "writes_ms": times,
        "lost": sum(each.state != "connected" for each in made.fleet.connections),
        "errors": sum(each.driver.traffic.errors for each in made.fleet.connections if each.driver),
        "memory_bytes": _memory(), "worst_pause_ms": max(LAGS_MS, default=0.0),
    }  # fmt: skip
    print(json.dumps(told), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await made.fleet.stop()
    made.close()


LAGS_MS: list[float] = []


async def _lags() -> None:
    """Measure how long the gateway's loop is busy at a stretch: whatever else it has to do waits as long."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.01)
        LAGS_MS.append((time.monotonic() - before) * 1000 - 10)


def _samples(made: Gateway) -> int:
    return sum(each.driver.traffic.samples for each in made.fleet.connections if each.driver is not None)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _writes(made: Gateway, of: UUID) -> list[float]:
    """Write 100 tags of one connection again and again, at moments that have nothing to do with its ticks."""
    found = made.fleet.get(of)
    assert found is not None
    made.clock.take(counter_ms(), time.time_ns() // 1_000_000, counter_ms())
    targets = sorted(found.tags)[-WRITTEN:]
    times = []
    for turn in range(WRITES):
        await asyncio.sleep(random.uniform(0.1, 0.5))
        now = time.time_ns() // 1_000_000
        command = Command(
            id=uuid7(), tenant=TENANT, connection=of, by="b", authority="benchmark", issued_ms=now,
            expires_ms=now + 10_000, items=tuple(CommandItem(tag=tag, value=float(turn)) for tag in targets),
        )  # fmt: skip
        before = time.perf_counter()
        outcome = json.loads(await made.commands.handle("", command.model_dump_json().encode()))
        times.append((time.perf_counter() - before) * 1000)
        wrong = {(item["outcome"], str(item["text"])) for item in outcome["items"]} - {("done", "None")}
        assert not wrong, wrong
    return times


async def modbus(devices: int) -> None:
    """Be many devices, each with a port of its own; say the ports, serve until the standard input closes."""
    simulators = [ModbusTcpSimulator() for _ in range(devices)]
    for simulator in simulators:
        simulator.units[1] = simulators[0].units[1]
        await simulator.start()
    registers_ = simulators[0].units[1].holding
    print(json.dumps([simulator.port for simulator in simulators]), flush=True)
    closed = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    turn = 0
    while not closed.done():
        # Everything that is read is also reported.
        turn += 1
        registers_[: 2 * CHANGING].view(">f4")[:] = turn
        await asyncio.wait({closed}, timeout=1)
    for simulator in simulators:
        await simulator.stop()


async def opcua(nodes: int) -> None:
    """Be a server whose nodes change once a second, but for the first hundred, which are written."""
    changing = [SimulatedNode(f"N{place}", SampleKind.FLOAT) for place in range(nodes)]
    kept = [SimulatedNode(f"W{place}", SampleKind.FLOAT, writable=True) for place in range(WRITTEN)]
    simulator = OpcUaSimulator([*changing, *kept])
    await simulator.start()
    print(json.dumps(simulator.url), flush=True)
    closed = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    turn, began = 0, time.monotonic()
    while not closed.done():
        turn += 1
        for place, node in enumerate(changing, 1):
            await simulator.set(node.name, float(turn))
            # Spread over the second: a server that only sets values would not answer.
            if place % 20 == 0:
                due = began + turn + 0.9 * place / len(changing)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.wait({closed}, timeout=max(0.0, began + turn + 1 - time.monotonic()))
    await simulator.stop()


@contextlib.contextmanager
def role(*arguments: str) -> Iterator[IO[bytes]]:
    """Run a part of this benchmark as a process; yields what it says."""
    command = [sys.executable, "-m", "benchmarks.acquisition", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.communicate(timeout=30)


def measure(plant: Plant, written: UUID | None = None) -> dict[str, Any]:
    """Run a gateway for a plant and return what it says."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        plant.write(Path(folder))
        with role("--gateway", folder, "" if written is None else str(written)) as said:
            for line in said:
                if line.startswith(b"{"):
                    return dict(json.loads(line))
    sys.exit("the gateway ended")


def tell(scenario: str, told: dict[str, Any], wanted: str = "") -> None:
    say(scenario, "all connected after", told["connected_s"], "s")
    say(scenario, "values read", told["values"] / told["elapsed_s"], "values/s")
    say(scenario, "values reported", told["reported"] / told["elapsed_s"], "values/s")
    say(scenario, "gateway process", 100 * told["cpu_s"] / told["elapsed_s"], "% of a core")
    say(scenario, "values per core-second of the gateway", told["values"] / told["cpu_s"], "values", wanted)
    say(scenario, "memory of the gateway", told["memory_bytes"] / 2**20, "MiB")
    say(scenario, "longest pause of its loop", told["worst_pause_ms"], "ms")
    say(scenario, "connections lost, requests failed", told["lost"] + told["errors"], "", "0")
    if times := sorted(told["writes_ms"]):
        say(scenario, f"{WRITTEN} tags written and read back, median", times[len(times) // 2], "ms")
        say(scenario, f"{WRITTEN} tags written and read back, longest of {WRITES}", times[-1], "ms", "100")


def many_devices(devices: int, tags: int) -> None:
    """Poll many Modbus devices at 1 Hz."""
    plant = Plant()
    with role("--modbus", str(devices)) as said:
        for number, port in enumerate(json.loads(said.readline())):
            plant.connect(f"d{number}", "modbus-tcp", {"host": "127.0.0.1", "port": port}, registers(tags))
        tell(f"{devices:,} Modbus devices of {tags} tags at 1 Hz", measure(plant))


def subscribed(nodes: int) -> None:
    """Subscribe to nodes that change once a second."""
    plant = Plant()
    with role("--opcua", str(nodes)) as said:
        settings = {"url": json.loads(said.readline()), "security_policy": "none"}
        plant.connect("server", "opcua", settings, [{"node": f"ns=2;s=N{place}"} for place in range(nodes)])
        tell(f"{nodes:,} OPC UA nodes subscribed", measure(plant), "60,000")


def writes(over: str) -> None:
    """Write 100 tags of one device while 100,000 tags/s are read from ten."""
    plant = Plant()
    with role("--modbus", "10") as said, role("--opcua", "2000") as server:
        ports, url = json.loads(said.readline()), json.loads(server.readline())
        nodes = [*(f"ns=2;s=N{place}" for place in range(2000)), *(f"ns=2;s=W{place}" for place in range(WRITTEN))]
        settings = {"url": url, "security_policy": "none"}
        plant.connect("server", "opcua", settings, [{"node": node} for node in nodes])
        for number, port in enumerate(ports):
            addresses = [*registers(CHANGING), *registers(WRITTEN, CHANGING)]
            plant.connect(f"d{number}", "modbus-tcp", {"host": "127.0.0.1", "port": port}, addresses)
        of = plant.tags[0 if over == "OPC UA" else len(nodes)].connection
        tell(f"writes over {over} while 100,000 tags/s are read", measure(plant, of))


SCENARIOS = {
    "devices-few": lambda: many_devices(1000, 10),
    "devices-many": lambda: many_devices(1000, 100),
    "subscribed": lambda: subscribed(5000),
    "writes-modbus": lambda: writes("Modbus"),
    "writes-opcua": lambda: writes("OPC UA"),
}


def main(arguments: Sequence[str]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    match arguments:
        case ["--gateway", folder, written]:
            asyncio.run(gateway(Path(folder), written))
        case ["--modbus", count]:
            asyncio.run(modbus(int(count)))
        case ["--opcua", count]:
            asyncio.run(opcua(int(count)))
        case _:
            for name in arguments or SCENARIOS:
                SCENARIOS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
