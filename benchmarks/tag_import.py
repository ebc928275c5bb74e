"""Importing tags on a whole platform: 100,000 rows, 37 of them bad, and 10,000 rows until they are live from Modbus."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from benchmarks.beside import beside
from benchmarks.imports import LIMIT_S, POLL_S, begun, checked, loaded
from benchmarks.platform_under_test import Platform, platform

MANY: Final = 100_000
BAD: Final = 37
LIVE: Final = 10_000
GOOD: Final = 192


def device(ready: Connection) -> None:
    """Be a Modbus device whose registers count up, until the other end closes."""
    import asyncio

    from mainspring.simulators.modbus_tcp import ModbusTcpSimulator

    async def run() -> None:
        simulator = ModbusTcpSimulator(units=(1,))
        await simulator.start()
        ready.send(simulator.port)
        for register in range(LIVE):
            simulator.set("holding", register, "uint16", "ABCD", register % 60_000 + 1)
        await asyncio.to_thread(ready.poll, None)
        await simulator.stop()

    asyncio.run(run())


def sheet(rows: int, bad: int, connection: str, name: str = "TI") -> bytes:
    """Write a workbook of tags, some of them wrong in different ways."""
    from mainspring.records.importing.sheets import xlsx_file

    wrong = {number * (rows // bad) + 5: number for number in range(bad)} if bad else {}
    lines = [["Name", "Asset", "Connection", "Register", "Type", "Unit", "Gain", "Scan (ms)"]]
    for number in range(rows):
        line = [f"{name}-{number:06}", "u", connection, str(number % 60_000), "uint16", "Cel", "0.1", "1000"]
        if number in wrong:
            place = wrong[number] % 3
            line[(5, 3, 6)[place]] = ("parsec/h", "abc", "1,5")[place]
        lines.append(line)
    return xlsx_file(lines)


class Waiting:
    """How long other requests take meanwhile, one kind every 100 ms."""

    def __init__(self, running: Platform) -> None:
        self.took_ms: list[float] = []
        self._running = running
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        while not self._stop.wait(0.1):
            began = time.monotonic()
            self._running.ask("/assets?limit=50")
            self.took_ms.append((time.monotonic() - began) * 1000)

    def end(self) -> list[float]:
        """Stop asking; returns what was measured, rising."""
        self._stop.set()
        self._thread.join()
        return sorted(self.took_ms)


def told_waiting(what: str, took_ms: list[float], wanted: str) -> None:
    """Print how long other requests took."""
    told(f"GET /assets while {what}, median", took_ms[len(took_ms) // 2], "ms")
    told(f"GET /assets while {what}, p99", took_ms[int(len(took_ms) * 0.99)], "ms", wanted)
    told(f"GET /assets while {what}, longest of {len(took_ms)}", took_ms[-1], "ms")


def many(running: Platform, connection: str) -> None:
    """Check and load 100,000 rows, 37 of them bad, while someone looks at assets."""
    content = sheet(MANY, BAD, connection, "PI")
    waiting = Waiting(running)
    began = time.monotonic()
    state = begun(running, "name=many.xlsx", content)
    told("upload and columns of 100,000 rows", time.monotonic() - began, "s")
    began = time.monotonic()
    state = checked(running, state)
    told("100,000 rows checked, 37 refused", time.monotonic() - began, "s", "below 15")
    assert state["counts"] == {"created": MANY - BAD, "updated": 0, "unchanged": 0, "refused": BAD}, state
    told_waiting("100,000 rows are uploaded and checked", waiting.end(), "below 500")
    waiting = Waiting(running)
    web = running.roles()["web"]
    used_s = sum(web.cpu_times()[:2])
    began = time.monotonic()
    state = loaded(running, state)
    took_s = time.monotonic() - began
    assert state["report"]["created"] == MANY - BAD, state
    told("99,963 rows loaded", took_s, "s", "below 30")
    told("processor of the web process meanwhile", sum(web.cpu_times()[:2]) - used_s, "s")
    told_waiting("99,963 rows are loaded", waiting.end(), "below 500")


def live(running: Platform, connection: str) -> None:
    """Load 10,000 rows and wait until every tag has a good value from the device."""
    state = checked(running, begun(running, "name=live.xlsx", sheet(LIVE, 0, connection)))
    began = time.monotonic()
    loaded(running, state)
    told("10,000 rows loaded", time.monotonic() - began, "s")
    ordinals: list[int] = []
    while len(ordinals) < LIVE:
        page = running.ask(f"/tags?connection={connection}&limit=1000&offset={len(ordinals)}")
        ordinals += [tag["tag"] for tag in page["items"]]
    left = ordinals
    deadline = time.monotonic() + LIMIT_S
    while left and time.monotonic() < deadline:
        asked = left[:1000]
        current = running.ask(f"/current?tags={','.join(map(str, asked))}")
        good = {tag for tag, quality in zip(current["tags"], current["qualities"], strict=True) if quality >= GOOD}
        left = [tag for tag in left if tag not in good]
        if not good:
            time.sleep(POLL_S)
    assert not left, f"{len(left)} tags have no value"
    told("10,000 rows from Load to the last live value", time.monotonic() - began, "s", "below 10")


def told(figure: str, value: float, unit: str, wanted: str = "") -> None:
    """Print a figure as one line of JSON."""
    print(json.dumps({"figure": figure, "value": round(value, 2), "unit": unit, "wanted": wanted}), flush=True)


def main() -> None:
    """Run both on one platform."""
    with beside(device) as port, tempfile.TemporaryDirectory() as folder, platform(Path(folder)) as running:
        made = [
            running.ask("/connections", {"name": name, "driver": "modbus-tcp", "enabled": enabled,
                                         "settings": {"host": "127.0.0.1", "port": port}})["id"]
            for name, enabled in (("PLC 1", True), ("PLC 2", False))
        ]  # fmt: skip
        live(running, made[0])
        many(running, made[1])


if __name__ == "__main__":
    main()
