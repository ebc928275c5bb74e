"""The gateway with the registered drivers, from a device's socket to the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.bus.conftest import BusUnderTest
from tests.gateway.devices import connection, tag
from tests.gateway.site import Site, running_gateway
from tests.waiting import ANSWER_MS

from mainspring.core import quality as q
from mainspring.core.commands import CommandItem
from mainspring.core.kinds import SampleKind
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator
from mainspring.simulators.opcua import OpcUaSimulator, SimulatedNode


@pytest.fixture
async def site(bus: BusUnderTest, tmp_path: Path) -> AsyncIterator[Site]:
    async with running_gateway(bus, tmp_path / "gateway", None) as made:
        yield made


async def test_a_modbus_device_is_polled_written_cut_and_comes_back(site: Site) -> None:
    device = ModbusTcpSimulator()
    await device.start()
    device.set("holding", 10, "int16", "ABCD", 725)
    device.set("input", 4, "uint32", "CDAB", 4_000_000_000)
    of = connection(
        "", driver="modbus-tcp", settings={"host": device.host, "port": device.port, "timeout_ms": ANSWER_MS}
    )
    settings = {"table": "holding", "register": 10, "type": "int16"}
    counter = {"table": "input", "register": 4, "type": "uint32", "order": "CDAB"}
    nowhere = {"table": "holding", "register": 60_000}
    device.refused.append(("holding", 60_000, 60_001))
    tags = [
        tag(1, of.id, address=settings, gain=0.1, writable=True, scan_ms=100),
        tag(2, of.id, address=counter, kind=SampleKind.INTEGER, scan_ms=100),
        tag(3, of.id, address=nowhere, scan_ms=100),
    ]
    await site.define(of, tags)
    await site.until_quality(1, q.GOOD)
    await site.until_quality(2, q.GOOD)
    await site.until(lambda: site.latest.get(3, (0, q.BAD_WAITING))[1] != q.BAD_WAITING)
    assert site.latest[1][0] == pytest.approx(72.5)
    assert site.latest[2][0] == 4_000_000_000
    assert site.latest[3][1] & q.MASK == q.BAD
    outcome = await site.command(of, CommandItem(tag=1, value=80.5))
    assert outcome.items[0].outcome == "done"
    assert device.get("holding", 10, "int16", "ABCD") == 805
    await device.cut()
    await site.until_quality(1, q.BAD_NOT_CONNECTED)
    await site.until(lambda: site.connections is not None and site.connections.connections[0].text is not None)
    await device.restore()
    await site.until_quality(1, q.GOOD)
    assert site.latest[1][0] == pytest.approx(80.5)
    await device.stop()


async def test_an_opcua_server_is_browsed_subscribed_written_cut_and_comes_back(site: Site, tmp_path: Path) -> None:
    server = OpcUaSimulator(
        [
            SimulatedNode("Reactor/Temperature", unit="Cel", writable=True, value=120.4),
            SimulatedNode("Reactor/Mode", SampleKind.TEXT, value="run"),
        ]
    )
    await server.start()
    settings = {
        "url": server.url, "security_policy": "none", "publishing_interval_ms": 50, "timeout_ms": ANSWER_MS,
        "contact_timeout_ms": ANSWER_MS, "state_folder": str(tmp_path / "opcua"),
    }  # fmt: skip
    checks = await site.ask("test", {"driver": "opcua", "settings": settings})
    assert all(check["ok"] for check in checks["checks"])
    root = await site.ask("browse", {"driver": "opcua", "settings": settings, "parent": None, "limit": 50})
    assert root["nodes"]
    of = connection("", driver="opcua", settings=settings, replayed=True)
    tags = [
        tag(1, of.id, address={"node": server.node_id("Reactor/Temperature")}, writable=True),
        tag(2, of.id, address={"node": server.node_id("Reactor/Mode")}, kind=SampleKind.TEXT),
        tag(3, of.id, address={"node": "ns=2;s=absent"}),
    ]
    await site.define(of, tags)
    await site.until_quality(1, q.GOOD)
    await site.until_quality(2, q.GOOD)
    await site.until(lambda: site.latest.get(3, (0, q.BAD_WAITING))[1] != q.BAD_WAITING)
    assert site.latest[1][0] == 120.4
    assert site.latest[2][0] == "run"
    assert site.latest[3][1] & q.MASK == q.BAD
    await server.set("Reactor/Temperature", 121.5)
    await site.until(lambda: site.latest[1][0] == 121.5)
    outcome = await site.command(of, CommandItem(tag=1, value=99.0))
    assert outcome.items[0].outcome == "done"
    assert await server.get("Reactor/Temperature") == 99.0
    await server.cut()
    await site.until_quality(1, q.BAD_NOT_CONNECTED)
    await server.restore()
    await site.until_quality(1, q.GOOD)
    await server.stop()
