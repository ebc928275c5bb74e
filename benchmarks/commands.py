"""Writing 100 tags by HTTP on a whole platform, from Execute to the answer with what was read back: idle and loaded.

The same devices are written while nothing else happens, and while their gateway reads 100,000 tags/s besides.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from benchmarks.beside import beside
from benchmarks.platform_under_test import Platform, platform
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core.definitions import PAGE, ConnectionDefinition, TagDefinition, TagPage, connection_key, tag_page_key
from mainspring.core.ids import uuid7

WRITTEN: Final = 100
WRITES: Final = 60
READ_EACH: Final = 10_000
"""Values of each Modbus device that change once a second; behind them lie those that are written."""
DEVICES: Final = 10
FIRST_READ: Final = PAGE * 10
LIMIT_S: Final = 120
SETTLE_S: Final = 5.0
READ_S = 10


def devices(ready: Pipe) -> None:
    """Be ten Modbus devices and an OPC UA server, until the other end closes."""
    from mainspring.core.kinds import SampleKind
    from mainspring.simulators.modbus_tcp import ModbusTcpSimulator
    from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode

    async def run() -> None:
        simulators = [ModbusTcpSimulator() for _ in range(DEVICES)]
        server = OpcUaSimulator([SimulatedNode(f"W{n}", SampleKind.FLOAT, writable=True) for n in range(WRITTEN)])
        await server.start()
        for each in simulators:
            await each.start()
        ready.send(([each.port for each in simulators], server.url))
        closed = asyncio.ensure_future(asyncio.to_thread(ready.poll, None))
        turn = 0
        while not closed.done():
            # Everything that is read is also reported.
            turn += 1
            for each in simulators:
                each.units[1].holding[: 2 * READ_EACH].view(">f4")[:] = turn
            await asyncio.wait({closed}, timeout=1)
        await server.stop()
        for each in simulators:
            await each.stop()

    asyncio.run(run())


def register(place: int) -> dict[str, Any]:
    return {"register": 2 * place, "type": "float32"}


def connect(running: Platform, name: str, driver: str, settings: dict[str, Any], addresses: Sequence[Any]) -> UUID:
    """Store a connection with a writable tag for each address."""
    asset = running.ask("/assets")["items"][0]["id"]
    made = running.ask("/connections", {"name": name, "driver": driver, "settings": settings})["id"]
    for place, address in enumerate(addresses):
        draft = {"name": f"{name}{place}", "asset": asset, "connection": made, "address": address, "writable": True}
        running.ask("/tags", draft)
    return UUID(made)


async def read_besides(running: Platform, ports: Sequence[int], first: UUID, gateway: str) -> None:
    """Have the gateway read 100,000 tags/s, the first 10,000 over a connection that is written, too."""
    bus = await Bus.connect(running.bus_url, seed_file(running.secrets, "web"), "web")
    of = [first]
    for number, port in enumerate(ports[1:]):
        made = ConnectionDefinition(
            id=uuid7(), tenant="plant", revision=1, name=f"d{number}", driver="modbus-tcp", gateway=gateway,
            settings={"host": "127.0.0.1", "port": port},
        )  # fmt: skip
        await bus.put_definition(connection_key("plant", made.id), made)
        of.append(made.id)
    tags = [
        TagDefinition(
            ordinal=FIRST_READ + n, id=uuid7(), path=f"u/R{n}", name=f"R{n}", connection=of[n // READ_EACH],
            address=register(n % READ_EACH),
        )
        for n in range(DEVICES * READ_EACH)
    ]  # fmt: skip
    for start in range(0, len(tags), PAGE):
        number = (FIRST_READ + start) // PAGE
        page = TagPage(revision=1, tenant="plant", page=number, tags=tuple(tags[start : start + PAGE]))
        await bus.put_definition(tag_page_key("plant", number), page)
    await bus.close()


def reading(running: Platform) -> float:
    """Return the samples the platform's gateway takes in a second."""
    roles = running.ask("/health")["roles"]
    return sum(float(role["figures"].get("samples_per_s", 0.0)) for role in roles if role["role"] == "gateway")


def watched(running: Platform) -> float:
    """Return what is taken in a second, the median of some: a report may fall between two ticks."""
    seen = []
    for _ in range(READ_S):
        time.sleep(1)
        seen.append(reading(running))
    return middle(seen)


def until(fits: Any, what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not fits():
        if time.monotonic() > deadline:
            sys.exit(f"{what} did not happen within {LIMIT_S} s")
        time.sleep(0.2)


def selectable(running: Platform, ordinals: Sequence[int]) -> bool:
    """Tell whether tags can be selected; what this takes is given up by the next selection."""
    try:
        running.ask("/commands/select", {"items": list(ordinals)})
    except OSError:
        return False
    return True


def writes(running: Platform, scenario: str, connection: UUID) -> None:
    """Select and execute again and again, at moments that have nothing to do with the ticks of the reads."""
    listed = running.ask(f"/tags?connection={connection}&limit=1000")["items"]
    ordinals = [tag["tag"] for tag in listed if tag["writable"]]
    assert len(ordinals) == WRITTEN, len(ordinals)
    until(lambda: selectable(running, ordinals), "selecting")
    selected, executed, told = [], [], []
    for turn in range(WRITES):
        time.sleep(random.uniform(0.05, 0.4))
        before = time.perf_counter()
        selection = running.ask("/commands/select", {"items": ordinals})["selection"]
        selected.append((time.perf_counter() - before) * 1000)
        draft = {"selection": selection, "items": [{"tag": tag, "value": float(turn)} for tag in ordinals]}
        before = time.perf_counter()
        answer = running.ask("/commands", draft)
        executed.append((time.perf_counter() - before) * 1000)
        wrong = {(item["outcome"], str(item["text"])) for item in answer["items"]} - {("done", "None")}
        assert not wrong, wrong
        told.append(answer["items"][-1]["read_back_ms"] - answer["items"][0]["sent_ms"])
    say(scenario, f"{WRITTEN} tags selected, median", middle(selected))
    say(scenario, f"{WRITTEN} tags executed and read back, median", middle(executed), "100")
    say(scenario, f"{WRITTEN} tags executed and read back, p99 of {WRITES}", sorted(executed)[int(WRITES * 0.99)])
    say(scenario, "of it between gateway and device, median", middle(told))


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def say(scenario: str, figure: str, value: float, wanted: str = "", unit: str = "ms") -> None:
    line = {"scenario": scenario, "figure": figure, "value": round(value, 2), "unit": unit, "wanted": wanted}
    print(json.dumps(line), flush=True)


def main() -> None:
    """Write to both devices on an idle platform, then on one that reads 100,000 tags/s."""
    with (
        beside(devices) as (ports, url),
        tempfile.TemporaryDirectory(dir=Path.home()) as folder,
        platform(Path(folder)) as running,
    ):
        over = {"Modbus": connect(running, "M", "modbus-tcp", {"host": "127.0.0.1", "port": ports[0]},
                                  [register(READ_EACH + n) for n in range(WRITTEN)]),
                "OPC UA": connect(running, "O", "opcua", {"url": url, "security_policy": "none"},
                                  [{"node": f"ns=2;s=W{n}"} for n in range(WRITTEN)])}  # fmt: skip
        for name, connection in over.items():
            writes(running, f"{name}, platform otherwise idle", connection)
        gateway = running.ask(f"/connections/{over['Modbus']}")["gateway"]
        asyncio.run(read_besides(running, ports, over["Modbus"], gateway))
        until(lambda: reading(running) > 0.95 * DEVICES * READ_EACH, "reading 100,000 tags/s")
        time.sleep(SETTLE_S)
        for name, connection in over.items():
            writes(running, f"{name}, while 100,000 tags/s are read", connection)
        say("reading besides", f"samples taken, median of {READ_S} s", watched(running), "", "values/s")


if __name__ == "__main__":
    main()
