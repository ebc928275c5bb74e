"""A platform on a bus of three servers: any one of them may die under a flood of readings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.errors import Error as NatsError
from tests.bus.cluster import SERVERS, Cluster
from tests.e2e.platform import eventually, running
from tests.faults.numbered import Plant, configured, prepared, settled
from tests.waiting import PATIENCE_S

from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.configuration import bus_users, load
from mainspring.core.subjects import LIVE

FLOOD_S = 3.0
FORMED_S = PATIENCE_S
FRESH = 100
"""Readings that a live value may lag behind: two seconds of them."""


@pytest.fixture
def clustered(tmp_path: Path) -> Iterator[tuple[Plant, Cluster]]:
    platform, port = configured(tmp_path)
    file = tmp_path / "mainspring.toml"
    configuration = load(file)
    configuration = configuration.model_copy(update={"data_folder": tmp_path / configuration.data_folder})
    cluster = Cluster(tmp_path / "servers", bus_users(configuration))
    file.write_text(file.read_text().replace("[bus]\n", f'[bus]\nurl = "{cluster.url}"\nreplicas = 3\n'))
    try:
        for number in range(SERVERS):
            cluster.start(number)
        with running(platform):
            yield prepared(platform, port, devices=4, tags=20), cluster
    finally:
        cluster.stop()


def leader(cluster: Cluster, admin_seed: Path) -> int | None:
    """Return the number of the server that leads the readings, None while there is none."""

    async def ask() -> str:
        bus = await Bus.connect(cluster.url, admin_seed, "admin")
        try:
            told = (await bus.js.stream_info(LIVE)).cluster
        except (NatsError, TimeoutError):
            return ""
        finally:
            await bus.close()
        return (told.leader or "") if told else ""

    name = asyncio.run(ask())
    return int(name.rsplit("-", 1)[1]) if name else None


def test_any_server_may_die_under_a_flood_and_nothing_is_lost_or_twice(clustered: tuple[Plant, Cluster]) -> None:
    plant, cluster = clustered
    seed = seed_file(plant.folder / load(plant.folder / "mainspring.toml").data_folder / "secrets", "admin")

    def flows_on(more: int) -> None:
        before = plant.source.acknowledged_total
        eventually(lambda: plant.source.acknowledged_total >= before + more, FORMED_S, "readings are acknowledged")

    def led() -> int:
        eventually(lambda: leader(cluster, seed) is not None, FORMED_S, "a leader of the readings")
        found = leader(cluster, seed)
        assert found is not None
        return found

    def fresh() -> bool:
        device = plant.source.devices[0]
        last = len(device.kept) - 1
        shown = plant.person.current(device.tags[0])
        return last - int((shown.get(device.tags[0]) or {"value": 0})["value"] or 0) < FRESH

    with plant.source.publishing():
        flows_on(2000)
        first = led()
        cluster.kill(first)
        time.sleep(FLOOD_S)
        second = led()
        assert second != first
        cluster.start(first)
        flows_on(4000)
        # The server that came back has to have caught up before another may go.
        eventually(lambda: cluster.healthy(first), FORMED_S, "the server caught up")
        cluster.kill(second)
        time.sleep(FLOOD_S)
        cluster.start(second)
        flows_on(4000)
        eventually(fresh, FORMED_S, "live values are those of now")
    counted = settled(plant.platform, plant.source)
    print(counted)
    assert counted.right, f"{counted}\n{cluster.said()}"
    assert counted.acknowledged > 10_000
