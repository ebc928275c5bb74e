"""200 people signed in, each with a connection of their own, clicking around on a whole platform.

Someone opens a page, which asks what pages ask, reads it for some seconds, and clicks again; one click in ten changes a
record. `--people 400` has more of them, `--reading 2` has them read for so many seconds on average.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from benchmarks.figures import QUICK, option, percentile, say
from benchmarks.live_feed import PASSWORD, Person
from benchmarks.platform_under_test import cpu_seconds, platform

PEOPLE: Final = int(option("--people", 20 if QUICK else 200))
READING_S: Final = option("--reading", 5)
"""Between two clicks of one person, on average."""
WARM_S: Final = 2 if QUICK else 10
MEASURED_S: Final = 5 if QUICK else 60
ITEMS: Final = 2_000 if QUICK else 100_000
ASSETS: Final = 500 if QUICK else 50_000
PICKED: Final = 100
told = partial(say, "people_clicking")
Asked = tuple[str, str, Any]
"""Method, path, body; or what makes the body out of the answer before."""


def listed(**asked: Any) -> Asked:
    """Ask for a list of items."""
    return "GET", "/records/item?" + urlencode({"limit": 100, **asked}), None


@dataclass
class Plant:
    """What people click on."""

    items: Sequence[dict[str, Any]]
    assets: Sequence[str]
    tags: Sequence[int]

    def clicks(self) -> dict[str, tuple[int, Callable[[], list[Asked]]]]:
        """Return the pages people go to: how often, and what each asks."""
        return {
            "overview": (2, lambda: [("GET", "/overview", None), ("GET", "/alarms?limit=100", None)]),
            "plant": (3, lambda: [("GET", "/assets?parent=root", None), self._asset(), self._below()]),
            "alarms": (2, lambda: [("GET", "/alarms?limit=100", None)]),
            "trend": (1, lambda: [self._trend()]),
            "items": (4, lambda: [("GET", "/records/item/views", None), listed()]),
            "items filtered": (3, lambda: [listed(where='[["state","eq","draft"]]', sort="-changed_ms")]),
            "items searched": (
                3,
                lambda: [listed(search=random.choice(("bearing", "轴承", "yyb", "P-00001", "explosion")))],
            ),
            "an item": (4, self._detail),
            "anything by name": (
                2,
                lambda: [("GET", "/search?" + urlencode({"q": q}), None) for q in ("p", "pu", "pump")],
            ),
            "orders": (1, lambda: [("GET", "/records/order?limit=100", None)]),
            "an item changed": (3, self._change),
        }

    def _asset(self) -> Asked:
        return "GET", f"/assets/{random.choice(self.assets)}", None

    def _below(self) -> Asked:
        return "GET", f"/tags?asset={random.choice(self.assets)}&below=true", None

    def _trend(self) -> Asked:
        now = time.time_ns() // 1_000_000
        body = {"tags": [random.choice(self.tags)], "start_ms": now - 3_600_000, "end_ms": now, "buckets": 500}
        return "POST", "/history/trend", body

    def _detail(self) -> list[Asked]:
        path = f"/records/item/{random.choice(self.items)['id']}"
        return [("GET", path, None), ("GET", f"{path}/history", None), ("GET", f"{path}/comments", None)]

    def _change(self) -> list[Asked]:
        path = f"/records/item/{random.choice(self.items)['id']}"
        return [("GET", path, None), ("PATCH", path, partial(_noted, f"seen {time.time()}"))]


def _noted(notes: str, shown: bytes) -> dict[str, Any]:
    return {"notes": notes, "version": json.loads(shown)["version"]}


@dataclass
class Clicking:
    """One person, and how long the answers took."""

    person: Person
    plant: Plant
    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    pages: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _reader: asyncio.StreamReader = field(init=False)
    _writer: asyncio.StreamWriter = field(init=False)

    async def run(self, begins: float, ends: float) -> None:
        """Click until the end; what comes before the beginning does not count."""
        loop = asyncio.get_running_loop()
        await self._connect()
        clicks = self.plant.clicks()
        weights = [often for often, _ in clicks.values()]
        await asyncio.sleep(random.uniform(0, 2 * READING_S))
        while loop.time() < ends:
            name = random.choices(list(clicks), weights)[0]
            began = loop.time()
            answer = b""
            for method, path, body in clicks[name][1]():
                sent = loop.time()
                status, answer = await self._ask(method, path, body(answer) if callable(body) else body)
                if sent >= begins:
                    self.took[name].append(1000 * (loop.time() - sent))
                # Someone else may have changed the same record just before.
                if status not in {200, 409}:
                    self.wrong.append(f"{method} {path}: {status} {answer[:200]!r}")
            if began >= begins:
                self.pages.append(1000 * (loop.time() - began))
            await asyncio.sleep(random.expovariate(1 / READING_S))
        self._writer.close()

    async def _connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.person.port, limit=2**24)

    async def _ask(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        content = b"" if body is None else json.dumps(body).encode()
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.person.headers().items())
        head = f"{method} /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n{lines}\r\n"
        try:
            answer = await self._sent(head.encode() + content)
        except (asyncio.IncompleteReadError, ConnectionError):
            # The server ends connections that rest; browsers ask once more, too.
            self._writer.close()
            await self._connect()
            answer = await self._sent(head.encode() + content)
        reader = self._reader
        status = int(answer.split(" ", 2)[1])
        length = next((int(line[15:]) for line in answer.split("\r\n") if line.startswith("content-length:")), None)
        if length is not None:
            return status, await reader.readexactly(length)
        parts = b""
        while size := int(await reader.readline(), 16):
            parts += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        return status, parts

    async def _sent(self, request: bytes) -> str:
        """Send a request and return the head of its answer."""
        self._writer.write(request)
        return (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()


def fill(file: Path) -> None:
    """Put people, items and assets into the records of a platform that does not run yet."""
    from mainspring import configuration
    from mainspring.first_start import prepare

    prepare(configuration.load(file), print)
    from benchmarks import records_lists
    from mainspring.records import statistics
    from mainspring.records.in_force import for_tenant
    from mainspring.records.people.user import User
    from mainspring.records.rights import Role
    from mainspring.records.tenant import Tenant

    tenant = Tenant.objects.get(key="plant")
    with for_tenant(tenant):
        records_lists.fill(tenant, ITEMS)
        records_lists.plant(tenant, ASSETS)
        first = User(tenant=tenant)
        first.set_password(PASSWORD)
        for number in range(PEOPLE):
            name = f"person-{number}"
            User.objects.create(tenant=tenant, username=name, password=first.password, role=Role.ENGINEER)
        statistics.gather()


async def click(port: int, people: Sequence[Person], plant: Plant) -> list[Clicking]:
    """Have everyone click around."""
    begins = asyncio.get_running_loop().time() + WARM_S
    clicking = [Clicking(person, plant) for person in people]
    await asyncio.gather(*(each.run(begins, begins + MEASURED_S) for each in clicking))
    return clicking


def main() -> None:
    """Start the platform, sign everyone in, measure."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)

        def filled(_records: Path, _number: int) -> None:
            file = str(folder / "mainspring.toml")
            subprocess.run(
                [sys.executable, "-m", "benchmarks.people_clicking", "fill", file, *sys.argv[1:]], check=True
            )

        with platform(folder, before=filled) as running:
            people = [Person(running.web_port) for _ in range(PEOPLE)]
            began = time.monotonic()
            for number, person in enumerate(people):
                person.ask("GET", "/session")
                person.ask("POST", "/session", {"username": f"person-{number}", "password": PASSWORD})
            told(f"{PEOPLE} people signed in, one after another", time.monotonic() - began, "s")
            plant = Plant(
                # They have a history, as what people enter has.
                [
                    running.ask("/records/item", {"number": f"C-{number}", "name": {"en": f"Pump {number}"}})
                    for number in range(PICKED)
                ],
                [each["id"] for each in running.ask(f"/assets?limit={PICKED}")["items"]],
                [each["tag"] for each in running.ask("/tags")["items"]],
            )
            roles = running.roles()
            before, began = cpu_seconds(roles), time.monotonic()
            clicking = asyncio.run(click(running.web_port, people, plant))
            seconds = time.monotonic() - began
            used = {name: cpu - before[name] for name, cpu in cpu_seconds(roles).items()}
    report(clicking, used["web"] / seconds)


def report(clicking: Sequence[Clicking], web: float) -> None:
    """Tell how long answers took, over all and by page."""
    wrong = [each for one in clicking for each in one.wrong]
    assert not wrong, (len(wrong), wrong[:5])
    took = [ms for one in clicking for each in one.took.values() for ms in each]
    told(f"answers to {PEOPLE} people who read a page for {READING_S:g} s", len(took) / MEASURED_S, "requests/s")
    told("an answer, median", percentile(took, 0.5), "ms")
    told("an answer, 95th percentile", percentile(took, 0.95), "ms", "below 500")
    told("an answer, 99th percentile", percentile(took, 0.99), "ms")
    pages = [ms for one in clicking for ms in one.pages]
    told("a whole page, its requests one after another, 95th percentile", percentile(pages, 0.95), "ms", "below 500")
    for name in clicking[0].plant.clicks():
        some = [ms for one in clicking for ms in one.took.get(name, ())]
        if some:
            told(f"{name}: an answer, 95th percentile", percentile(some, 0.95), "ms")
    told("the web role's processor", 100 * web, "% of a core")


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        fill(Path(sys.argv[2]))
    else:
        main()
