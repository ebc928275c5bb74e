"""The web role on a real bus beside a real engine, and a real historian where a test wants one, seen by a person."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from tests.answer import Answer
from tests.bus.conftest import BusUnderTest, running_bus
from tests.ports import free_port
from tests.records import ground
from tests.records.plant import access, asset, author, person, tag, tenant
from tests.waiting import PATIENCE_S, until
from tests.web.forked import Forked, forked_engine, forked_historian

from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core import subjects
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import SampleBatch, build
from mainspring.records.access.assignment import Assignment
from mainspring.records.defined import writing
from mainspring.records.people import credential
from mainspring.records.people.credential import Credential, CredentialKind
from mainspring.records.plant import alarm_definition
from mainspring.records.plant.alarm_definition import AlarmDefinition, AlarmDraft
from mainspring.records.plant.tag import Tag
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant
from mainspring.web.api import history
from mainspring.web.live import hub
from mainspring.web.runtime import runtime
from mainspring.web.serve import run as run_web

GOOD = 0xC0


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Records:
    """Two companies, their tags, and a token for each role of the first."""

    plant: Tenant
    other: Tenant
    tags: dict[str, Tag]
    tokens: dict[str, str]
    alarms: dict[str, AlarmDefinition] = field(default_factory=dict)

    def ordinal(self, name: str) -> int:
        return self.tags[name].ordinal

    def limit(self, called: str, condition: str, limit: float, **more: Any) -> None:
        """Define an alarm of a tag."""
        draft = {"tag_id": self.tags[called].id, "condition": condition, "limit": limit, **more}
        draft.setdefault("name", {"en": f"{called} {condition}", "zh": f"{called} 报警"})
        self.alarms[called] = alarm_definition.create(author(self.plant), AlarmDraft.model_validate(draft))

    def assign(self, role: str, area: str = "a") -> None:
        """Assign a role in an area to the token of the guest."""
        areas = {tag.asset.parent.slug: tag.asset.parent for tag in self.tags.values() if tag.asset.parent}
        service = Credential.objects.get(tenant=self.plant, name="guest")
        fields = {"service": str(service.pk), "built_in": role, "place": str(areas[area].pk), "reason": "test"}
        writing.create(access(self.plant), Assignment, fields)

    def token(self, role: Role, of: Tenant | None = None, name: str = "") -> str:
        """Issue a token to a person of a role."""
        where = of or self.plant
        user = person(role, where, name or role.value)
        return credential.issue(author(where), CredentialKind.TOKEN, name or role.value, role=role, user=user)[1]


def records() -> Records:
    """Put a small plant into the records: area `a` with unit `u`, area `b` with unit `v`."""
    of, other = tenant("acme"), tenant("other")
    made = Records(of, other, {}, {})
    site = asset(of, "Site", kind="site")
    units = {}
    for area, unit in (("a", "u"), ("b", "v")):
        units[unit] = asset(of, unit, asset(of, area, site, kind="area"))
    foreign = asset(other, "Elsewhere", kind="site")
    made.tags["T1"] = tag(of, "T1", units["u"], unit="Cel", description={"en": "Temperature", "zh": "温度"})
    made.tags["T2"] = tag(of, "T2", units["v"], unit="bar")
    made.tags["N"] = tag(of, "N", units["u"], kind="int64")
    made.tags["S"] = tag(of, "S", units["u"], kind="text")
    made.tags["X"] = tag(other, "X", foreign)
    made.limit("T1", "HH", 100.0, priority="critical", consequence={"en": "It bursts", "zh": "爆裂"})
    made.limit("T2", "H", 50.0, name={"en": "=T2 high", "zh": "压力高"})
    for role in Role:
        made.tokens[role] = made.token(role)
    made.tokens["colleague"] = made.token(Role.VIEWER, name="colleague")
    made.tokens["stranger"] = made.token(Role.ADMINISTRATOR, other)
    return made


@dataclass
class Event:
    name: str
    document: Any
    at: float


class Stream:
    """An open stream of server-sent events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._text = b""

    async def event(self, timeout_s: float = PATIENCE_S) -> Event:
        """Return the next event; raises EOFError at the end."""
        async with asyncio.timeout(timeout_s):
            while b"\n\n" not in self._text:
                size = int(await self._reader.readline(), 16)
                part = await self._reader.readexactly(size + 2)
                if not size:
                    raise EOFError
                self._text += part[:-2]
        block, self._text = self._text.split(b"\n\n", 1)
        lines = dict(line.split(": ", 1) for line in block.decode().split("\n"))
        if "event" not in lines:
            return await self.event(timeout_s)
        return Event(lines["event"], json.loads(lines["data"]), time.monotonic())

    async def until(
        self, name: str, fits: Callable[[Any], bool] = lambda _document: True, timeout_s: float = PATIENCE_S
    ) -> Event:
        """Return the next event of a name that fits."""
        async with asyncio.timeout(timeout_s):
            while True:
                event = await self.event(timeout_s)
                if event.name == name and fits(event.document):
                    return event

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


@dataclass
class Running:
    """Everything that runs, and a person's way to ask."""

    server: BusUnderTest
    admin: Bus
    gateway: Bus
    records: Records
    port: int
    folder: Path
    stop: asyncio.Event
    web: asyncio.Task[None] | None = None
    engine: Forked | None = None
    streams: list[Stream] = field(default_factory=list)

    def ask_now(self, method: str, path: str, body: Any = None, who: str = "administrator", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        sent = {"Authorization": f"Bearer {self.records.tokens[who]}", "Content-Type": "application/json", **headers}
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, quote(f"/api/v1{path}", safe="/?&=%,"), content, sent)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    async def ask(self, method: str, path: str, body: Any = None, who: str = "administrator", **headers: str) -> Answer:
        """Ask the API as someone; a token says who."""
        return await asyncio.to_thread(self.ask_now, method, path, body, who, **headers)

    async def get(self, path: str, who: str = "administrator") -> Any:
        answer = await self.ask("GET", path, who=who)
        assert answer.status == 200, answer.body
        return answer.json

    async def post(self, path: str, body: Any, who: str = "administrator") -> Any:
        answer = await self.ask("POST", path, body, who)
        assert answer.status == 200, answer.body
        return answer.json

    async def stream(self, set_id: str, who: str = "administrator", buffer_bytes: int = 2**16) -> Stream:
        """Open the stream of a set."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=buffer_bytes)
        writer.write(
            f"GET /api/v1/live/{set_id}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self.records.tokens[who]}\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        assert b" 200 " in head.split(b"\r\n", 1)[0], head
        assert b"text/event-stream" in head
        self.streams.append(Stream(reader, writer))
        return self.streams[-1]

    async def watch(self, *names: str, who: str = "administrator", **more: Any) -> tuple[str, Stream]:
        """Post a set of tags by name and open its stream."""
        made = await self.post("/live", {"tags": [self.records.ordinal(name) for name in names], **more}, who)
        return made["id"], await self.stream(made["id"], who)

    async def send(self, batch: SampleBatch, tenant_key: str = "acme") -> int:
        """Publish a batch as the gateway and return its sequence."""
        subject = subjects.readings(tenant_key, "g1")
        bus = self.gateway if tenant_key == "acme" else self.admin
        return int((await bus.js.publish(subject, batch.encode())).seq)

    async def value(self, name: str, value: Any, time_ms: int | None = None, quality: int = GOOD) -> int:
        """Publish one value of a tag."""
        of = self.records.tags[name]
        kinds = {"float64": Column.FLOAT64, "int64": Column.INT64, "text": Column.TEXT}
        batch = build(kinds[of.sample_kind], [of.ordinal], time_ms or now_ms(), [value], quality, Origin.MACHINE)
        return await self.send(batch, of.tenant.key)

    async def stored(self, sequence: int, stream: str = subjects.LIVE, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the historian has stored a sequence."""
        reached = asyncio.Event()

        async def heard(message: Any) -> None:
            if int(message.data) >= sequence:
                reached.set()

        subscription = await self.admin.nc.subscribe(subjects.position(stream), cb=heard)
        await asyncio.wait_for(reached.wait(), timeout_s)
        await subscription.unsubscribe()

    async def until(self, fits: Callable[[], Any], timeout_s: float = PATIENCE_S) -> Any:
        """Wait until something holds; `fits` may be a coroutine function."""
        return await until(fits, timeout_s)

    async def known(self, *names: str) -> None:
        """Wait until the engine knows values of tags."""

        async def all_known() -> bool:
            told = await self.get(f"/current?tags={','.join(str(self.records.ordinal(name)) for name in names)}")
            return all(flags & 1 for flags in told["flags"])

        await self.until(all_known)

    async def defined(self) -> None:
        """Wait until the engine has what the records published."""
        wanted = len(self.records.alarms)

        def known() -> bool:
            figures = [health.figures for (role, _), health in runtime.health.items() if role == "engine"]
            return any(f["tags"] >= len(self.records.tags) and f["alarm_definitions"] >= wanted for f in figures)

        # A first start compiles the engine's loops.
        await self.until(known, PATIENCE_S)

    async def kill_engine(self) -> None:
        """End the engine without a word."""
        assert self.engine is not None
        self.engine.kill()
        await self.engine.wait()


@asynccontextmanager
async def running(
    folder: Path, records: Records, *, engine: bool = True, historian: bool = False
) -> AsyncIterator[Running]:
    """Start the web role, and what it asks."""
    hub.__init__()  # type: ignore[misc]
    runtime.health.clear()
    runtime.gateways.clear()
    history.forget()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_bus(folder))
        buses = {}
        for name in ("admin", "gateway-acme-g1", "web"):
            buses[name] = await server.connect(name)
            stack.push_async_callback(buses[name].close)
        stop = asyncio.Event()
        made = Running(server, buses["admin"], buses["gateway-acme-g1"], records, free_port(), folder, stop)
        web = made.web = asyncio.create_task(
            run_web(buses["web"], ground.SETTINGS, stop, host="127.0.0.1", port=made.port)
        )
        stack.push_async_callback(_ended, web, stop)
        if engine:
            seed = seed_file(server.folder / "secrets", "engine")
            made.engine = forked_engine(server.url, seed, folder / "engine", folder / "engine.log")
            stack.push_async_callback(_stopped, made.engine)
        if historian:
            seed = seed_file(server.folder / "secrets", "historian")
            process = forked_historian(server.url, seed, folder / "historian", folder / "historian.log")
            stack.push_async_callback(_stopped, process)
        await made.until(lambda: web.done() or _listens(made.port))
        if engine:
            await made.defined()
        if historian:
            await made.until(lambda: any(role == "historian" for role, _ in runtime.health), PATIENCE_S)
        try:
            yield made
        finally:
            for stream in made.streams:
                await stream.close()


async def _ended(task: asyncio.Task[None], stop: asyncio.Event) -> None:
    stop.set()
    await asyncio.wait_for(task, PATIENCE_S)


async def _stopped(process: Forked) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def floats(ordinal: int, times: Sequence[int] | Any, values: Any, quality: Any = GOOD) -> SampleBatch:
    """Make a batch of one float tag."""
    return build(Column.FLOAT64, np.full(len(times), ordinal), times, values, quality, Origin.MACHINE)
