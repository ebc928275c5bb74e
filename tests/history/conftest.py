"""A real bus, a tenant with tags, and historians as processes of their own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.bus.conftest import BusUnderTest, running_bus
from tests.history.clickhouse_peer import Peer
from tests.history.clickhouse_peer import running as clickhouse_running
from tests.waiting import PATIENCE_S

from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core import subjects
from mainspring.core.definitions import PAGE, TagDefinition, TagPage, TenantDefinition, Words, tag_page_key, tenant_key
from mainspring.core.health import Health
from mainspring.core.ids import uuid7
from mainspring.core.kinds import SampleKind

PROCESS = Path(__file__).with_name("historian_process.py")
ACME, OTHER = 7, 8


@dataclass
class Plant:
    """A bus with two tenants, `acme` and `other`, and a connection of each kind that is needed."""

    server: BusUnderTest
    admin: Bus
    gateway: Bus
    folder: Path

    async def tags(self, tenant: str, ordinals: Sequence[int], retention: str = "standard") -> None:
        """Publish the definitions of tags, replacing their pages."""
        for page in sorted({ordinal // PAGE for ordinal in ordinals}):
            tags = tuple(
                TagDefinition(
                    ordinal=ordinal, id=uuid7(), path=f"s/a/l/m/{ordinal}", name=str(ordinal), kind=SampleKind.FLOAT,
                    retention=retention,
                )
                for ordinal in ordinals if ordinal // PAGE == page
            )  # fmt: skip
            document = TagPage(revision=1, tenant=tenant, page=page, tags=tags)
            await self.admin.put_definition(tag_page_key(tenant, page), document)

    async def start(self, *options: str) -> asyncio.subprocess.Process:
        """Start a historian process."""
        seed = seed_file(self.server.folder / "secrets", "historian")
        with (self.folder / "historian.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, str(PROCESS), self.server.url, str(seed), str(self.folder), *options,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ,
            )  # fmt: skip

    async def stored(self, stream: str, sequence: int, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the historian says that it has stored a sequence."""
        reached = asyncio.Event()

        async def heard(message: object) -> None:
            if int(getattr(message, "data")) >= sequence:  # noqa: B009
                reached.set()

        subscription = await self.admin.nc.subscribe(subjects.position(stream), cb=heard)
        try:
            async with asyncio.timeout(timeout_s):
                await reached.wait()
        finally:
            await subscription.unsubscribe()

    async def health(self, wanted: object = None, timeout_s: float = PATIENCE_S) -> Health:
        """Return the next health for which `wanted` holds."""
        subscription = await self.admin.nc.subscribe(subjects.health("historian", "*"))
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    message = await subscription.next_msg(timeout=timeout_s)
                    health = Health.model_validate_json(message.data)
                    if wanted is None or (callable(wanted) and wanted(health)):
                        return health
        finally:
            await subscription.unsubscribe()


async def end(process: asyncio.subprocess.Process) -> None:
    """Ask a historian to stop."""
    process.terminate()
    async with asyncio.timeout(PATIENCE_S):
        assert await process.wait() == 0


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with running_bus(tmp_path) as server:
        admin, gateway = await server.connect("admin"), await server.connect("gateway-acme-g1")
        under_test = Plant(server, admin, gateway, tmp_path)
        for key, number in (("acme", ACME), ("other", OTHER)):
            definition = TenantDefinition(key=key, number=number, revision=1, name=Words(en=key))
            await admin.put_definition(tenant_key(key, number), definition)
        await under_test.tags("acme", range(20))
        await under_test.tags("other", range(1000, 1005))
        yield under_test
        await gateway.close()
        await admin.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Peer, Path]]:
    """A ClickHouse server of our own, and its folder."""
    folder = tmp_path_factory.mktemp("server")
    with clickhouse_running(folder) as peer:
        yield peer, folder
