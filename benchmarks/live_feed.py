"""The live feed alone: 100 open pages of 1,000 tags, all of which change once a second.

A whole platform runs; readings are published as a gateway does it. A sample's time is when it was published, so that
each page knows the age of what it gets. Pages and load share the cores with the platform.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import tempfile
import time
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import say
from benchmarks.platform_under_test import Platform, cpu_seconds, platform, publish_plant
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core import quality, subjects
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build

TAGS = 1000
FIRST = 10_000
PAGES = 100
PAGES_OF_ONE = 34
"""One person may have 40 pages open."""
SETTLE_S = 5
MEASURED_S = 25
PASSWORD = "only for this benchmark"
_TIME = re.compile(rb'"times":\[(\d+)')


def tell(figure: str, value: float, unit: str, wanted: str = "") -> None:
    """Print one figure."""
    say("live_feed", figure, value, unit, wanted)


@dataclass
class Person:
    """Someone signed in, as a browser is."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {
            "Cookie": cookie, "X-CSRFToken": self.cookies.get("csrftoken", ""), "Content-Type": "application/json",
        }  # fmt: skip

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        payload = None if body is None else json.dumps(body).encode()
        connection.request(method, f"/api/v1{path}", payload, self.headers())
        answer = connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie") or ():
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        document = json.loads(answer.read())
        connection.close()
        return document

    def sign_in(self, username: str) -> None:
        self.ask("GET", "/session")
        self.ask("POST", "/session", {"username": username, "password": PASSWORD})
        self.ask("POST", "/session/password", {"old": PASSWORD, "new": f"{PASSWORD} {username}"})


@dataclass
class Page:
    """One open page: how old each round of values was when it came."""

    ages_ms: list[float] = field(default_factory=list)
    received_bytes: int = 0

    async def read(self, person: Person, set_id: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", person.port, limit=2**20)
        lines = "".join(f"{name}: {value}\r\n" for name, value in person.headers().items())
        writer.write(f"GET /api/v1/live/{set_id}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n", 1)[0], head
        try:
            while size := int(await reader.readline(), 16):
                part = await reader.readexactly(size + 2)
                now_ms = time.time_ns() / 1e6
                self.received_bytes += size
                if part.startswith(b"event: values"):
                    found = _TIME.search(part)
                    assert found is not None
                    self.ages_ms.append(now_ms - int(found[1]))
        finally:
            writer.close()


async def publish(running: Platform, seconds: float) -> int:
    """Publish a new value of every tag once a second; returns how often."""
    bus = await Bus.connect(running.bus_url, seed_file(running.secrets, "gateway-plant-main"), "gateway-plant-main")
    tags = np.arange(FIRST, FIRST + TAGS, dtype=np.uint32)
    chance = np.random.default_rng(1)
    loop = asyncio.get_running_loop()
    began, rounds = loop.time(), 0
    while loop.time() - began < seconds:
        time_ms = time.time_ns() // 1_000_000
        batch = build(Column.FLOAT64, tags, time_ms, chance.random(TAGS), quality.GOOD, Origin.SIMULATED)
        await bus.js.publish(subjects.readings("plant", "main"), batch.encode())
        rounds += 1
        # A little off a second, so that rounds fall everywhere between two looks of the feed.
        await asyncio.sleep(began + rounds * 1.013 - loop.time())
    await bus.close()
    return rounds


async def measure(running: Platform) -> None:
    await publish_plant(running, FIRST, TAGS)
    people = []
    for number in range(-(-PAGES // PAGES_OF_ONE)):
        name = f"viewer{number}"
        running.ask("/users", {"username": name, "display_name": name, "role": "viewer", "password": PASSWORD}, "POST")
        people.append(Person(running.web_port))
        people[-1].sign_in(name)
    pages, reading = [Page() for _ in range(PAGES)], []
    for number, page in enumerate(pages):
        person = people[number // PAGES_OF_ONE]
        made = person.ask("POST", "/live", {"tags": list(range(FIRST, FIRST + TAGS))})
        reading.append(asyncio.create_task(page.read(person, made["id"])))
        await asyncio.sleep(0.01)
    await publish(running, SETTLE_S)
    for page in pages:
        page.ages_ms.clear()
        page.received_bytes = 0
    roles = {"web": running.roles()["web"], "engine": running.roles()["engine"]}
    before, began = cpu_seconds(roles), time.monotonic()
    rounds = await publish(running, MEASURED_S)
    await asyncio.sleep(0.6)
    took_s, after = time.monotonic() - began, cpu_seconds(roles)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    ages = np.concatenate([page.ages_ms for page in pages])
    tell("from publish to page, median", float(np.percentile(ages, 50)), "ms")
    tell("from publish to page, 99th percentile", float(np.percentile(ages, 99)), "ms", "at most 500 ms")
    tell("rounds that reached every page", 100 * len(ages) / (rounds * PAGES), "%")
    tell("values sent to pages", len(ages) * TAGS / took_s, "1/s")
    tell("sent to one page", sum(page.received_bytes for page in pages) / PAGES / took_s / 1000, "kB/s")
    for role in roles:
        tell(f"processor share of the {role} process", 100 * (after[role] - before[role]) / took_s, "% of a core")
    tell("memory of the web process", roles["web"].memory_info().rss / 2**20, "MB")


def main() -> None:
    """Start a platform and measure."""
    with tempfile.TemporaryDirectory() as folder, platform(Path(folder)) as running:
        asyncio.run(measure(running))


if __name__ == "__main__":
    main()
