"""Streams that three servers keep: what the loss of one of them may and may not do to batches under way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nats.errors import Error as NatsError
from tests.bus.cluster import SERVERS, Cluster
from tests.bus.conftest import ROLES, PatientBus
from tests.gateway.conftest import stored
from tests.gateway.test_publish import Rig, publishing
from tests.waiting import PATIENCE_S, until

from mainspring.bus import server
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import ensure_user, seed_file
from mainspring.bus.tenant_watch import serve_definitions
from mainspring.core.subjects import LIVE

FORMED_S = PATIENCE_S


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path, [ensure_user(tmp_path / "secrets", *role) for role in ROLES])
    try:
        for number in range(SERVERS):
            made.start(number)
        yield made
    finally:
        made.stop()


async def connected(cluster: Cluster, folder: Path, name: str) -> Bus:
    kind = PatientBus if name == "admin" else Bus
    return await kind.connect(cluster.url, seed_file(folder / "secrets", name), name, wait_s=PATIENCE_S)


async def leader(admin: Bus) -> str:
    """Return the name of the server that leads LIVE, empty while there is none."""
    try:
        cluster = (await admin.js.stream_info(LIVE)).cluster
    except (NatsError, TimeoutError):
        return ""
    return (cluster.leader or "") if cluster else ""


async def test_batches_lost_with_a_leader_are_sent_again_and_none_twice(cluster: Cluster, tmp_path: Path) -> None:
    admin = await connected(cluster, tmp_path, "admin")
    await server.ensure_streams(admin, 1024**3, replicas=3)
    await serve_definitions(admin)
    assert (await admin.js.stream_info("KV_definitions")).config.num_replicas == 3
    own = await connected(cluster, tmp_path, "gateway-acme-g1")
    assert own.clustered
    rig = Rig(tmp_path / "log")
    publish = own.nc.publish
    swallowed: list[str] = []

    async def forgetful(subject: str, payload: bytes, **more: Any) -> None:
        # What a leader takes with it: the second and third batch, while those behind them reach the next one.
        identity = (more.get("headers") or {}).get("Nats-Msg-Id", "")
        if identity.endswith(tuple(f"-{rig.log.first + place}" for place in (1, 2))) and identity not in swallowed:
            swallowed.append(identity)
            return
        await publish(subject, payload, **more)

    own.nc.publish = forgetful  # type: ignore[method-assign, assignment]
    rig.write(6)
    async with publishing(rig, own):
        await until(lambda: rig.publisher.waiting == 0)
        assert len(swallowed) == 2
        number = int((await until(lambda: leader(admin))).rsplit("-", 1)[1])
        cluster.kill(number)
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            rig.write(2)
            await asyncio.sleep(0.02)
        await until(lambda: rig.publisher.waiting == 0, FORMED_S, told=cluster.said)
        cluster.start(number)
        rig.write(3)
        await until(lambda: rig.publisher.waiting == 0, FORMED_S, told=cluster.said)
    found = [sequence for sequence, _ in await stored(admin, LIVE)]
    late = [sequence for sequence, _ in await stored(admin, "LATE")]
    assert sorted(found + late) == list(range(rig.log.first, rig.log.last + 1))
    rig.close()
    await own.close()
    await admin.close()
