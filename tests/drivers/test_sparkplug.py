"""Sparkplug over real sockets: an edge node, a broker of others or our own listener, and an independent edge node."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.mqtt_site import SECRET, device, running_listener
from tests.drivers.open_broker import OpenBroker
from tests.drivers.sparkplug_edge import told
from tests.waiting import ANSWER_MS, PATIENCE_S, until

from mainspring.core import quality as q
from mainspring.core.drivers import DriverTag, Host, Traffic
from mainspring.core.errors import NotConnected, Rejected
from mainspring.core.kinds import SampleKind
from mainspring.drivers.mqtt_packets import Message
from mainspring.drivers.mqtt_session import PART, MqttSettings, Session, session
from mainspring.drivers.mqtt_sparkplug import Sparkplug, SparkplugAddress, SparkplugConfig
from mainspring.simulators.sparkplug import SimulatedMetric, SparkplugSimulator

METRICS = (("Speed", "Double", 10.0, ""), ("Count", "Int64", 2**60, ""), ("Pressure", "Float", 2.5, "Press"))


@pytest.fixture
async def broker() -> AsyncIterator[OpenBroker]:
    made = OpenBroker()
    await made.start()
    yield made
    await made.end()


def edge_node(port: int, **more: Any) -> SparkplugSimulator:
    metrics = [SimulatedMetric(name, kind, value, of, unit="°C") for name, kind, value, of in METRICS]
    metrics.append(SimulatedMetric("Stubborn", "Double", 0.0, "Press", obeys=False))
    return SparkplugSimulator(metrics, port=port, **more)


def tag(
    ordinal: int, metric: str, device: str = "", kind: SampleKind = SampleKind.FLOAT, node: str = "Edge 1"
) -> DriverTag:
    address = SparkplugAddress(group="Plant", node=node, device=device, metric=metric)
    return DriverTag(ordinal, kind, address, writable=True)


TAGS = (tag(1, "Speed"), tag(2, "Count", kind=SampleKind.INTEGER), tag(3, "Pressure", "Press"))


class Listening:
    """A driver with its subscription; `last` has value and quality by ordinal."""

    def __init__(self, driver: Sparkplug) -> None:
        self.driver = driver
        self.last: dict[int, tuple[Any, int]] = {}
        self.late: list[tuple[Any, ...]] = []
        self.task: asyncio.Task[None] | None = None
        driver.host.late = lambda batch: self.late.extend(told([batch]))

    def take(self, batch: Any) -> None:
        self.last |= {row[0]: (row[1], row[2]) for row in told([batch])}

    def good(self, ordinal: int, value: Any) -> bool:
        return self.last.get(ordinal) == (value, q.GOOD)

    def all_are(self, quality: int) -> bool:
        return bool(self.last) and {found for _, found in self.last.values()} == {quality}

    def refused(self, words: str) -> int:
        return sum(count for text, count in self.driver.refused.items() if words in text.en)


@asynccontextmanager
async def listening(port: int, *tags: DriverTag, host: Host | None = None, **settings: Any) -> AsyncIterator[Listening]:
    address = {"host": "127.0.0.1", "port": port} if port else {}
    known = {"rebirth_interval_ms": 100, "timeout_ms": ANSWER_MS, "birth_timeout_ms": 8000, "write_timeout_ms": 4000}
    driver = Sparkplug(SparkplugConfig.model_validate(address | known | settings))
    driver.host = host or Host()
    made = Listening(driver)
    await driver.connect()
    made.task = asyncio.create_task(driver.subscribe(tags or TAGS, made.take))
    try:
        yield made
    finally:
        made.task.cancel()
        await asyncio.gather(made.task, return_exceptions=True)
        await driver.close()


@asynccontextmanager
async def started(edge: SparkplugSimulator) -> AsyncIterator[SparkplugSimulator]:
    await edge.start()
    try:
        await asyncio.wait_for(edge.born.wait(), PATIENCE_S)
        yield edge
    finally:
        await edge.stop()


@asynccontextmanager
async def other_client(port: int) -> AsyncIterator[tuple[Session, list[Message]]]:
    """Open a session of our own that reads the host's state."""
    made = session(
        MqttSettings(host="127.0.0.1", port=port, timeout_ms=ANSWER_MS),
        Host(gateway="other"),
        Traffic(),
        lambda _text, _count: None,
    )
    seen: list[Message] = []
    await made.open()
    task = asyncio.create_task(made.subscribe([("spBv1.0/STATE/+", 1)], seen.extend))
    try:
        yield made, seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await made.close()


async def test_births_values_deaths_and_the_way_back(broker: OpenBroker) -> None:
    async with listening(broker.port) as host, started(edge_node(broker.port)) as edge:
        await until(lambda: host.good(1, 10.0) and host.good(2, 2**60) and host.good(3, 2.5))
        edge.set("Speed", 11.5)
        edge.set("Pressure", 3.5, "Press")
        await until(lambda: host.good(1, 11.5) and host.good(3, 3.5))
        await edge.cut()
        await until(lambda: host.all_are(q.BAD_NOT_CONNECTED))
        assert host.last[1][0] == 11.5, "the last value stays"
        await edge.restore()
        await until(lambda: host.all_are(q.GOOD))
        edge.bury("Press")
        await until(lambda: host.last[3][1] == q.BAD_NOT_CONNECTED)
        assert host.good(1, 11.5)
        edge.bear("Press")
        await until(lambda: host.good(3, 3.5))
        assert not host.driver.refused


async def test_a_late_host_learns_by_a_rebirth(broker: OpenBroker) -> None:
    async with started(edge_node(broker.port)) as edge:
        assert edge.births == 1
        async with listening(broker.port) as host:
            await until(lambda: host.good(1, 10.0) and host.good(3, 2.5))
            assert edge.births == 2


async def test_an_unasked_node_is_learned_when_it_speaks(broker: OpenBroker) -> None:
    async with started(edge_node(broker.port)) as edge, listening(broker.port, tag(9, "x", node="Other")) as host:
        edge.set("Speed", 1.0)
        await until(lambda: host.driver.application.find(("Plant", "Edge 1", "Press")) is not None)
        assert host.refused("without a birth") >= 1
        assert "No birth of Plant/Other" in host.driver.faults[9].en


async def test_a_gap_is_counted_and_healed(broker: OpenBroker) -> None:
    async with listening(broker.port) as host, started(edge_node(broker.port)) as edge:
        await until(lambda: host.good(1, 10.0))
        edge.skip()
        edge.set("Speed", 12.0)
        await until(lambda: host.refused("missing in the sequence") == 1 and edge.births == 2)
        edge.set("Speed", 13.0)
        await until(lambda: host.good(1, 13.0))
        assert host.refused("missing in the sequence") == 1


async def test_historical_values_go_their_own_way(broker: OpenBroker) -> None:
    async with listening(broker.port) as host, started(edge_node(broker.port)) as edge:
        await until(lambda: host.good(1, 10.0))
        edge.set("Speed", 5.0, time_ms=1_000_000, historical=True)
        edge.set("Speed", 6.0, quality=q.GOOD)
        await until(lambda: host.good(1, 6.0))
        assert host.late == [(1, 5.0, q.GOOD, 1_000_000)]


async def test_commands_go_by_type_and_come_back(broker: OpenBroker) -> None:
    async with listening(broker.port) as host, started(edge_node(broker.port)) as edge:
        await until(lambda: host.good(1, 10.0) and host.good(3, 2.5))
        written = [(TAGS[0], 33.5), (TAGS[1], -(2**62)), (TAGS[2], 4.5)]
        assert await host.driver.write(written) == [None, None, None]
        read = {row[0]: row[1] for row in told(await host.driver.read(list(TAGS), 1000))}
        assert read == {1: 33.5, 2: -(2**62), 3: 4.5}
        assert [order.name for order in edge.commands[-3:]] == ["Speed", "Count", "Pressure"]
        assert all(order.alias for order in edge.commands[-3:])


async def test_a_command_that_nobody_obeys_shows_what_is_there(broker: OpenBroker) -> None:
    stubborn = tag(5, "Stubborn", "Press")
    async with listening(broker.port, stubborn, write_timeout_ms=200) as host, started(edge_node(broker.port)):
        await until(lambda: host.good(5, 0.0))
        assert await host.driver.write([(stubborn, 7.0)]) == [None]
        assert told(await host.driver.read([stubborn], 1000))[0][1] == 0.0


async def test_what_does_not_fit_is_refused_before_it_is_sent(broker: OpenBroker) -> None:
    async with listening(broker.port, birth_timeout_ms=200) as host, started(edge_node(broker.port)) as edge:
        await until(lambda: host.good(1, 10.0))
        sent = len(edge.commands)
        wrong = [(TAGS[1], 1.5), (tag(6, "Nowhere"), 1.0), (tag(7, "Speed", node="Nobody"), 1.0)]
        outcomes = await host.driver.write(wrong)
        assert all(isinstance(outcome, Rejected) for outcome in outcomes)
        assert [order for order in edge.commands[sent:] if order.name != "Node Control/Rebirth"] == []


async def test_the_host_says_whether_it_is_online_and_corrects_others(broker: OpenBroker) -> None:
    async with other_client(broker.port) as (other, seen):
        async with listening(broker.port):
            await until(lambda: seen)
            assert json.loads(seen[0].payload)["online"] is True
            await other.publish("spBv1.0/STATE/mainspring", b'{"online": false, "timestamp": 1}', 1, retain=True)
            await until(lambda: len(seen) >= 3)
            assert [json.loads(message.payload)["online"] for message in seen[:3]] == [True, False, True]
        await until(lambda: json.loads(seen[-1].payload)["online"] is False)


async def test_the_broker_speaks_for_a_host_that_vanishes(broker: OpenBroker) -> None:
    async with other_client(broker.port) as (_, seen), listening(broker.port) as host:
        await until(lambda: seen)
        wire = host.driver._session._wire  # type: ignore[union-attr]
        wire.transport.abort()
        await until(lambda: json.loads(seen[-1].payload)["online"] is False)
        stamps = {json.loads(message.payload)["timestamp"] for message in seen}
        assert len(stamps) == 1, "birth and will carry the same time"


async def test_a_lost_broker_ends_the_subscription(broker: OpenBroker) -> None:
    async with listening(broker.port) as host:
        await broker.cut()
        assert host.task is not None
        with pytest.raises(NotConnected):
            await asyncio.wait_for(asyncio.shield(host.task), PATIENCE_S)


async def test_browsing_follows_the_births(broker: OpenBroker) -> None:
    async with listening(broker.port) as host, started(edge_node(broker.port)):
        await until(lambda: host.good(3, 2.5))
        browse = host.driver.browse
        assert [node.name for node in await browse(None, 10)] == ["Plant"]
        assert [node.id for node in await browse("Plant", 10)] == ["Plant/Edge 1"]
        names = [node.name for node in await browse("Plant/Edge 1", 10)]
        assert names == ["Press", "Count", "Node Control", "Speed", "bdSeq"]
        pressure = (await browse("Plant/Edge 1/Press", 10))[0]
        assert (pressure.kind, pressure.unit, pressure.writable, pressure.value) == (
            SampleKind.FLOAT,
            "Cel",
            True,
            "2.5",
        )
        assert SparkplugAddress.model_validate(pressure.address) == TAGS[2].address
        control = (await browse("Plant/Edge 1//Node Control", 10))[0]
        assert (control.name, control.kind) == ("Rebirth", SampleKind.BOOLEAN)
        assert await browse("Plant/Nobody", 10) == []
        assert len(await browse("Plant/Edge 1", 2)) == 2


async def test_a_second_connection_of_the_gateway_asks_nobody_again(broker: OpenBroker) -> None:
    shared = Host()
    async with listening(broker.port, host=shared) as first, started(edge_node(broker.port)) as edge:
        await until(lambda: first.good(3, 2.5))
        async with other_client(broker.port) as (_, seen):
            async with listening(broker.port, host=shared) as second:
                await until(lambda: second.good(3, 2.5))
                assert [node.name for node in await second.driver.browse(None, 10)] == ["Plant"]
            edge.set("Speed", 99.0)
            await until(lambda: first.good(1, 99.0))
            assert edge.births == 1
            assert all(json.loads(message.payload)["online"] for message in seen), "one of two has left"


async def test_over_our_own_listener_with_a_credential() -> None:
    rights = {
        "publish": ("spBv1.0/Plant/+/Edge 1/#",),
        "subscribe": ("spBv1.0/Plant/NCMD/Edge 1", "spBv1.0/Plant/DCMD/Edge 1/+", "spBv1.0/STATE/+"),
    }
    known = device("edge-1", **rights)
    async with running_listener() as site:
        host = Host(parts={PART: site.hub})
        edge = edge_node(site.port, user="edge-1", password=SECRET)
        await edge.start()
        await until(lambda: site.reader.told("wrong user name"))
        site.listener.define(known)
        async with started(edge), listening(0, host=host) as heard:
            await until(lambda: heard.good(1, 10.0) and heard.good(3, 2.5))
            await until(lambda: edge.host_online)
            assert await heard.driver.write([(TAGS[0], 55.0)]) == [None]
            assert heard.good(1, 55.0)
            site.listener.withdraw(known.id)
            await until(lambda: heard.all_are(q.BAD_NOT_CONNECTED))


async def test_an_edge_node_of_others(broker: OpenBroker) -> None:
    tags = (
        tag(1, "Temperature", node="Peer"), tag(2, "Batch", kind=SampleKind.TEXT, node="Peer"),
        tag(3, "Setpoint", "Press", node="Peer"),
    )  # fmt: skip
    async with listening(broker.port, *tags) as host:
        peer = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).with_name("sparkplug_peer.py")), str(broker.port),
            stdin=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert peer.stdin
        try:
            await until(lambda: host.good(1, 20.5) and host.good(2, "批次 7") and host.good(3, 1.0))
            peer.stdin.write(b"set 21.25\n")
            await until(lambda: host.good(1, 21.25))
            assert await host.driver.write([(tags[2], 8.5)]) == [None]
            assert host.good(3, 8.5)
            peer.stdin.write(b"crash\n")
            await until(lambda: host.all_are(q.BAD_NOT_CONNECTED))
        finally:
            if peer.returncode is None:
                peer.kill()
            await peer.wait()
