"""A Sparkplug edge node through a connection of the gateway: live, late, dead and back, over the built-in listener."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.bus.conftest import BusUnderTest
from tests.drivers.mqtt_site import SECRET, device, running_listener
from tests.drivers.open_broker import OpenBroker
from tests.gateway.devices import connection, tag
from tests.gateway.site import now_ms, running_gateway
from tests.gateway.test_connection import Bench
from tests.waiting import PATIENCE_S, until

from mainspring.core import quality as q
from mainspring.core.commands import CommandItem
from mainspring.core.drivers import Host, registered
from mainspring.drivers.mqtt_session import PART
from mainspring.gateway.batches import Gate, Gatherer
from mainspring.gateway.connection import Connection
from mainspring.gateway.settings import GatewaySettings
from mainspring.simulators.sparkplug import SimulatedMetric, SparkplugSimulator

DAY_MS = 86_400_000


async def test_an_edge_node_lives_through_a_connection(tmp_path: Path) -> None:
    of = connection("-", driver="sparkplug", settings={"rebirth_interval_ms": 100})
    address = {"group": "Plant", "node": "Edge 1", "device": "Press", "metric": "Force"}
    one = tag(1, of.id, address=address, gain=2.0, silence_max_ms=3_600_000)
    absent = tag(2, of.id, address=address | {"metric": "Nowhere"})
    rights = {"publish": ("spBv1.0/Plant/#", "spBv1.0/Plant/+/Edge 1/#"), "subscribe": ("spBv1.0/#",)}
    async with running_listener(device("edge", **rights)) as site:
        gate = Gate()
        gatherer = Gatherer(gate, 1_000_000)
        settings = GatewaySettings(name="g1", tenant="acme", folder=tmp_path)
        host = Host("acme", "g1", parts={PART: site.hub})
        made = Connection(of, [one, absent], registered(), gatherer, gate, settings, host)
        bench = Bench(made, gatherer, gate)
        edge = SparkplugSimulator(
            [SimulatedMetric("Force", value=1.0, device="Press")], port=site.port, user="edge", password=SECRET
        )
        await edge.start()
        task = asyncio.create_task(made.run())
        try:
            await until(lambda: (bench.last(1) or (0, 0, 0, 0))[2:] == (2.0, q.GOOD))
            await until(lambda: (bench.last(2) or (0, 0, 0, 0))[3] == q.BAD_CONFIGURATION)
            before_ms = time.time_ns() // 1_000_000 - DAY_MS
            edge.set("Force", 7.0, "Press", time_ms=before_ms, historical=True)
            await until(lambda: (1, before_ms, 14.0, q.GOOD) in bench.collect())
            edge.skip()
            edge.set("Force", 3.0, "Press")
            await until(lambda: (bench.last(1) or (0, 0, 0, 0))[2:] == (6.0, q.GOOD))
            await until(lambda: any("missing in the sequence" in text.en for text in made.refused))
            await edge.cut()
            await until(lambda: (bench.last(1) or (0, 0, 0, 0))[2:] == (6.0, q.BAD_NOT_CONNECTED))
            await edge.restore()
            await until(lambda: (bench.last(1) or (0, 0, 0, 0))[2:] == (6.0, q.GOOD))
            assert made.state == "connected"
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=PATIENCE_S)
            await edge.stop()


async def test_one_command_of_many_tags_reaches_node_and_devices(bus: BusUnderTest, tmp_path: Path) -> None:
    broker = OpenBroker()
    await broker.start()
    places = [(f"M{number}", ("", "Press", "Oven")[number % 3]) for number in range(100)]
    metrics = [SimulatedMetric(name, value=1.0, device=of) for name, of in places]
    metrics[50].obeys = False
    edge = SparkplugSimulator(metrics, port=broker.port)
    await edge.start()
    try:
        async with running_gateway(bus, tmp_path / "gateway", None) as site:
            reach = {"host": "127.0.0.1", "port": broker.port, "rebirth_interval_ms": 100, "write_timeout_ms": 4000}
            of = connection("-", driver="sparkplug", settings=reach)
            addresses = [
                {"group": "Plant", "node": "Edge 1", "device": device, "metric": name} for name, device in places
            ]
            # Half of them are scaled.
            tags = [
                tag(number, of.id, address=address, writable=True, gain=1.0 + number % 2)
                for number, address in enumerate(addresses)
            ]
            await site.define(of, tags)
            for number in range(len(tags)):
                await site.until_quality(number, q.GOOD)
            items = [CommandItem(tag=number, value=number + 0.5) for number in range(len(tags))]
            outcome = await site.command(of, *items, expires_ms=now_ms() + 30_000)
            assert [item.tag for item in outcome.items] == list(range(len(tags)))
            # The one that does not obey is told apart from those that do.
            assert {item.tag: item.read_back for item in outcome.items if item.outcome != "done"} == {50: 1.0}
            for number, (name, device) in enumerate(places):
                wanted = 1.0 if number == 50 else (number + 0.5) / (1.0 + number % 2)
                assert edge.metrics[device, name].value == wanted
            # Sent again it is answered from the record.
            again = await site.command(of, items[0], id=outcome.id, expires_ms=now_ms() + 30_000)
            assert again == outcome
    finally:
        await edge.stop()
        await broker.end()
