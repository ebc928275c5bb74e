"""A Modbus device in a thread of its own, and a counter in it from which any loss can be told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.platform import Person, eventually
from tests.waiting import PATIENCE_S

from mainspring.core import quality as q
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator, words_of

COUNTER = 10
SETPOINT = 40
PRESSURE = 50


class Device:
    """Answers over a real socket while the test does something else.

    The counter goes up by one with every answer, so that the samples of its tag are consecutive numbers.
    """

    def __init__(self) -> None:
        self.simulator = ModbusTcpSimulator(units=(1,))
        self.simulator.spoil = self._count
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._answers = 0

    def _count(self, frame: bytes) -> bytes:
        self._answers += 1
        self.simulator.units[1].holding[COUNTER : COUNTER + 2] = words_of("uint32", "ABCD", self._answers)
        return frame

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the device's thread and wait for it."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def show(self, register: int, value: int) -> None:
        self.simulator.units[1].holding[register] = value

    def holds(self, register: int) -> int:
        return int(self.simulator.units[1].holding[register])

    def __enter__(self) -> Device:
        self._thread.start()
        self.run(self.simulator.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.simulator.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def address(register: int, kind: str = "uint16") -> dict[str, Any]:
    return {"table": "holding", "register": register, "type": kind, "order": "ABCD"}


class Wired:
    """A device's connection on a platform, with the tags made on it."""

    def __init__(self, person: Person, device: Device, name: str, gateway: str = "main") -> None:
        self.person = person
        self.device = device
        settings = {"host": "127.0.0.1", "port": device.simulator.port, "unit": 1}
        self.connection = person.post(
            "/connections", {"name": name, "driver": "modbus-tcp", "gateway": gateway, "settings": settings}
        )
        # A place of its own: another platform may have no assets yet.
        self.asset = person.post(
            "/assets", {"parent": None, "kind": "enterprise", "slug": name, "name": {"en": name, "zh": name}}
        )
        self.tags: list[dict[str, Any]] = []

    def add(self, name: str, register: int, kind: str = "uint16", /, **more: Any) -> dict[str, Any]:
        tag: dict[str, Any] = self.person.post(
            "/tags",
            {
                "name": name, "asset": self.asset["id"], "connection": self.connection["id"],
                "address": address(register, kind), **more,
            },
        )  # fmt: skip
        self.tags.append(tag)
        return tag

    def remove(self) -> None:
        for tag in self.tags:
            self.person.delete(f"/tags/{tag['id']}")
        self.person.delete(f"/connections/{self.connection['id']}")
        self.person.delete(f"/assets/{self.asset['id']}")


@contextmanager
def wired(person: Person, name: str) -> Iterator[Wired]:
    """Connect a device for the time of a test."""
    with Device() as device:
        made = Wired(person, device, name)
        try:
            yield made
        finally:
            made.remove()


class Counter:
    """The counter's tag on one platform: what of it is live, kept, missing."""

    def __init__(self, person: Person, tag: int) -> None:
        self.person = person
        self.tag = tag
        self._began_ms = time.time_ns() // 1_000_000 - 60_000

    def live(self) -> int:
        """Return the current value; -1 while it is not good."""
        cell = self.person.current(self.tag).get(self.tag)
        good = cell is not None and cell["quality"] == q.GOOD and cell["value"] is not None
        return int(cell["value"]) if cell is not None and good else -1

    def kept(self) -> list[int]:
        """Return the good samples in the history, in the order of their times."""
        series = self.person.raw(self.tag, self._began_ms, time.time_ns() // 1_000_000 + 60_000)
        pairs = zip(series["value"], series["quality"], strict=True)
        return [int(value) for value, quality in pairs if quality == q.GOOD]

    def flows_on(self, more: int = 10, within_s: float = PATIENCE_S) -> int:
        """Wait until further counts are live, then until they are kept; returns the last of them."""
        first = eventually(lambda: max(self.live(), 0), within_s, "the counter is live")
        eventually(lambda: self.live() >= first + more, within_s, "the counter goes on")
        eventually(lambda: max(self.kept(), default=0) >= first + more, within_s, "the counter is kept")
        return first + more

    def missing(self) -> list[int]:
        """Return the counts between the first and the last kept one that were answered, but are not kept."""
        counts = self.kept()
        assert counts == sorted(counts), "counts out of order"
        assert len(counts) == len(set(counts)), "samples kept twice"
        return sorted(set(range(counts[0], counts[-1] + 1)) - set(counts)) if counts else []
