"""A real bus on a free loopback port, with the users of all roles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.waiting import ANSWER_S, PATIENCE_S

from mainspring.bus import server
from mainspring.bus.clock import serve_clock
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import RoleUser, ensure_user, seed_file
from mainspring.bus.tenant_watch import serve_definitions

ROLES = (
    ("admin", "", ""),
    ("historian", "", ""),
    ("engine", "", ""),
    ("web", "", ""),
    ("status", "", ""),
    ("importer", "", ""),
    ("backup", "", ""),
    ("gateway", "g1", "acme"),
    ("gateway", "g1", "other"),
)


class PatientBus(Bus):
    """A connection of those who only look on and send: on a busy machine answers come late."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(url, name)
        self.js = self.nc.jetstream(timeout=ANSWER_S)

    def ask_chunks(self, subject: str, payload: bytes = b"", timeout_s: float = ANSWER_S) -> AsyncIterator[bytes]:
        return super().ask_chunks(subject, payload, timeout_s)

    async def ask(self, subject: str, payload: bytes = b"", timeout_s: float = ANSWER_S) -> bytes:
        return await super().ask(subject, payload, timeout_s)


@dataclass
class BusUnderTest:
    """A nats-server process that can be killed and started again on the same folder and port."""

    folder: Path
    settings: server.ServerSettings
    users: list[RoleUser]
    process: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        scheme = "tls" if self.settings.tls_certificate else "nats"
        return f"{scheme}://{self.settings.host}:{self.settings.port}"

    async def connect(self, name: str) -> Bus:
        return await self._connect(PatientBus, name)

    async def as_role(self, name: str) -> Bus:
        """Connect with the limits of the product, for a role that is itself under test."""
        return await self._connect(Bus, name)

    async def _connect(self, kind: type[Bus], name: str) -> Bus:
        seed = seed_file(self.folder / "secrets", name)
        return await kind.connect(self.url, seed, name, tls_ca=self.settings.tls_certificate, wait_s=PATIENCE_S)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def start_again(self) -> None:
        self.process = await server.start(self.settings, self.users, self.folder / "bus.log")


@asynccontextmanager
async def running_bus(folder: Path, **options: object) -> AsyncIterator[BusUnderTest]:
    settings = replace(server.ServerSettings(folder / "bus", port=free_port()), **options)  # type: ignore[arg-type]
    users = [ensure_user(folder / "secrets", *role) for role in ROLES]
    process = await server.start(settings, users, folder / "bus.log")
    under_test = BusUnderTest(folder, settings, users, process)
    try:
        admin = await under_test.connect("admin")
        await server.ensure_streams(admin, min(1024**3, settings.file_bytes_max))
        await serve_definitions(admin)
        await serve_clock(admin)
        yield under_test
        await admin.close()
    finally:
        if under_test.process.returncode is None:
            await under_test.kill()


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[BusUnderTest]:
    async with running_bus(tmp_path) as under_test:
        yield under_test


Connect = Callable[[str], Awaitable[Bus]]


@pytest.fixture
async def connect(bus: BusUnderTest) -> AsyncIterator[Connect]:
    opened: list[Bus] = []

    async def open_(name: str) -> Bus:
        opened.append(await bus.connect(name))
        return opened[-1]

    yield open_
    for each in opened:
        await each.close()
