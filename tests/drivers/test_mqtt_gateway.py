"""Devices on a real gateway: what is acknowledged is in its log, whatever happens to log, gateway and rights."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.bus.conftest import running_bus
from tests.drivers.mosquitto import Authority, fingerprint
from tests.drivers.mqtt_gateway_process import define, settings
from tests.drivers.mqtt_site import SECRET, device
from tests.gateway import site
from tests.gateway.devices import page
from tests.ports import free_port, free_ports
from tests.waiting import ANSWER_MS, PATIENCE_S, until

from mainspring.core import quality as q
from mainspring.core.commands import CommandItem
from mainspring.core.definitions import (
    ConnectionDefinition,
    DeviceDefinition,
    TagDefinition,
    connection_key,
    device_key,
    tag_page_key,
)
from mainspring.core.drivers import Host, registered
from mainspring.core.ids import uuid7
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import decode
from mainspring.core.tasks import ended
from mainspring.drivers.mqtt_packets import connect
from mainspring.gateway.role import Gateway, run
from mainspring.gateway.segments import Reader, SegmentLog
from mainspring.gateway.settings import GatewaySettings
from mainspring.simulators.mqtt_device import MqttDevice, Refused

ROOT = Path(__file__).parents[2]
CONNECTION = ConnectionDefinition(
    id=uuid7(), tenant="acme", revision=1, name="devices", driver="mqtt", gateway="g1",
    settings={"topics": ["+/n"], "timeout_ms": ANSWER_MS},
)  # fmt: skip


SECOND = 100
"""Ordinals of the second connection's tags begin here."""


def tags(count: int) -> list[TagDefinition]:
    return [
        TagDefinition(
            ordinal=ordinal, id=uuid7(), path=f"plant/d{ordinal}/n", name="n", kind=SampleKind.INTEGER,
            connection=CONNECTION.id, address={"topic": f"d{ordinal}/n", "path": "n"},
        )
        for ordinal in range(count)
    ]  # fmt: skip


def define_second(folder: Path, own: list[TagDefinition]) -> None:
    """Define a second connection that reads the same topics and begins long after the first."""

    def another(name: str, *, enabled: bool) -> ConnectionDefinition:
        return CONNECTION.model_copy(update={"id": uuid7(), "name": name, "enabled": enabled})

    between = [another(f"off {place}", enabled=False) for place in range(200)]
    second = another("second", enabled=True)
    theirs = [
        tag.model_copy(update={"id": uuid7(), "ordinal": SECOND + tag.ordinal, "connection": second.id}) for tag in own
    ]
    file = folder / "definitions.json"
    found = json.loads(file.read_text())
    found |= {connection_key("acme", each.id): each.model_dump(mode="json") for each in (*between, second)}
    found[tag_page_key("acme", 0)] = page(*own, *theirs).model_dump(mode="json")
    file.write_text(json.dumps(found))


def logged(folder: Path) -> list[tuple[int, int]]:
    """Return ordinal and value of every good reading in the log, in its order."""
    log = SegmentLog(folder, segment_bytes=64 * 1024, log_bytes_max=2**40, disk_free_min_bytes=0)
    reader, sequence = Reader(log), log.first
    found: list[tuple[int, int]] = []
    while (record := reader.read(sequence)) is not None:
        batch = decode(record.payload)
        good = batch.quality == q.GOOD
        found += zip(batch.tag[good].tolist(), batch.value[good].tolist(), strict=True)
        sequence = record.sequence + 1
    reader.close()
    log.close()
    return found


class Running:
    """A gateway in this process, without a bus."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.port = free_port()
        self.gateway = Gateway(settings(folder, self.port, **more), registered())
        self.gateway.fleet.load()

    @property
    def host(self) -> Host:
        return self.gateway.host

    def refused(self, words: str) -> int:
        (connection,) = self.gateway.fleet.connections
        return sum(count for text, count in connection.refused.items() if words in text.en)


@asynccontextmanager
async def running_gateway(folder: Path, *devices: DeviceDefinition, **more: Any) -> AsyncIterator[Running]:
    define(folder, CONNECTION, tags(3), list(devices))
    made = Running(folder, **more)
    assert made.gateway.listener is not None
    parts = (made.gateway.writer, made.gateway.fleet, made.gateway.listener)
    tasks = [asyncio.create_task(part.run()) for part in parts]
    await until(lambda: made.host.parts["mqtt"].text is None)
    try:
        yield made
    finally:
        for task in reversed(tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await made.gateway.fleet.stop()
        made.gateway.close()


async def test_an_acknowledged_message_is_in_the_log(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, device("d0")) as running:
        press = MqttDevice(running.port, "d0", SECRET)
        await press.connect()
        for number in range(20):
            await asyncio.wait_for(press.publish("d0/n", {"n": number}), PATIENCE_S)
            # Read from another handle, as after a power cut.
            assert any(path.stat().st_size for path in tmp_path.glob("*.log"))
        await press.close()
    assert logged(tmp_path) == [(0, number) for number in range(20)]


async def test_after_a_start_every_connection_gets_what_devices_send_at_once(tmp_path: Path) -> None:
    own = tags(1)
    define(tmp_path, CONNECTION, own, [device("d0")])
    define_second(tmp_path, own)
    made = Running(tmp_path)
    assert made.gateway.listener is not None
    parts = (made.gateway.writer, made.gateway.fleet, made.gateway.listener)
    sent: list[int] = []
    ending = asyncio.Event()

    async def publishing() -> None:
        press = MqttDevice(made.port, "d0", SECRET)
        while not ending.is_set():
            try:
                await press.connect()
                while not ending.is_set():
                    await press.publish("d0/n", {"n": len(sent)})
                    sent.append(len(sent))
            except OSError:
                await asyncio.sleep(0.01)
        await press.close()

    waiting = asyncio.create_task(publishing())
    tasks = [asyncio.create_task(part.run()) for part in parts]
    await until(lambda: sum(each.state == "connected" for each in made.gateway.fleet.connections) == 2)
    await until(lambda: len(sent) > 20)
    ending.set()
    await asyncio.wait_for(waiting, PATIENCE_S)
    await ended(*reversed(tasks))
    await made.gateway.fleet.stop()
    await made.gateway.writer.flush()
    made.gateway.close()
    found = logged(tmp_path)
    assert [number for ordinal, number in found if ordinal == 0] == sent
    assert [number for ordinal, number in found if ordinal == SECOND] == sent


async def test_while_the_log_takes_nothing_no_message_is_acknowledged(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, device("d0"), disk_free_min_bytes=2**62) as running:
        press = MqttDevice(running.port, "d0", SECRET)
        await press.connect()
        await until(lambda: not running.gateway.gate.open)
        sending = [asyncio.create_task(press.publish("d0/n", {"n": number})) for number in range(1, 6)]
        await asyncio.wait(sending, timeout=1.5)
        assert not any(task.done() for task in sending)
        # The disk has room again; the gateway looks once a second.
        running.gateway.log._disk_free_min_bytes = 0
        await asyncio.wait_for(asyncio.gather(*sending), PATIENCE_S)
        await press.close()
    numbers = [value for _, value in logged(tmp_path)]
    assert list(dict.fromkeys(numbers)) == [1, 2, 3, 4, 5]


async def test_kills_of_the_gateway_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    folder, port, chance = tmp_path / "gateway", free_port(), random.Random(3)
    define(folder, CONNECTION, tags(3), [device(f"d{ordinal}") for ordinal in range(3)])
    acknowledged: list[list[int]] = [[], [], []]
    ending = asyncio.Event()

    async def publishing(ordinal: int) -> None:
        press, number = MqttDevice(port, f"d{ordinal}", SECRET), 1
        while not ending.is_set():
            try:
                await press.connect()
                while not ending.is_set():
                    await press.publish(f"d{ordinal}/n", {"n": number})
                    acknowledged[ordinal].append(number)
                    number += 1
            except (OSError, Refused):
                # As a device does: what was not acknowledged is sent again.
                await asyncio.sleep(0.1)
        await press.close()

    async def start() -> asyncio.subprocess.Process:
        with (tmp_path / "gateway.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.drivers.mqtt_gateway_process", str(folder), str(port), cwd=ROOT,
                env={**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"}, stdout=log, stderr=log,
            )  # fmt: skip

    devices = [asyncio.create_task(publishing(ordinal)) for ordinal in range(3)]
    for _ in range(4):
        gateway = await start()
        before = [len(numbers) for numbers in acknowledged]
        await until(lambda: all(len(n) > b + 20 for n, b in zip(acknowledged, before, strict=True)))  # noqa: B023
        await asyncio.sleep(chance.uniform(0, 0.3))
        gateway.kill()
        await gateway.wait()
    ending.set()
    await asyncio.gather(*devices)
    found = logged(folder)
    for ordinal in range(3):
        kept = [value for tag, value in found if tag == ordinal]
        assert set(acknowledged[ordinal]) <= set(kept)
        # At least once, in order: only the message at the cut may be there twice.
        assert list(dict.fromkeys(kept)) == list(range(1, max(kept) + 1))
        assert len(kept) - len(set(kept)) <= 4


async def test_rights_follow_the_definitions_within_a_moment(tmp_path: Path) -> None:
    known = device("d0")
    async with running_gateway(tmp_path, known) as running:
        press = MqttDevice(running.port, "d0", SECRET)
        await press.connect()
        await asyncio.wait_for(press.publish("d0/n", {"n": 1}), PATIENCE_S)
        running.gateway.fleet.changed(device_key("acme", known.id), None)
        await until(lambda: not press.connected)
        for stranger in (known, device("d0", tenant="other"), device("d0", gateway="g2")):
            if stranger is not known:
                running.gateway.fleet.changed(device_key(stranger.tenant, stranger.id), stranger)
            try:
                await press.connect()
            except Refused:
                continue
            raise AssertionError(stranger)
        running.gateway.fleet.changed(device_key("acme", known.id), known)
        await press.connect()
        await asyncio.wait_for(press.publish("d0/n", {"n": 2}), PATIENCE_S)
        assert running.refused("wrong user name") == 3
        await press.close()
        # A start without the bus lets the same devices in.
        await until(lambda: known.digest in (tmp_path / "definitions.json").read_text())


async def test_what_does_not_fit_the_mapping_is_counted_on_the_connection(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, device("d0"), device("d1")) as running:
        press, oven = (MqttDevice(running.port, f"d{number}", SECRET) for number in range(2))
        await press.connect()
        await oven.connect()
        for broken in (b"{", {"other": 1}, {"n": "text"}):
            await asyncio.wait_for(press.publish("d0/n", broken), PATIENCE_S)
        await asyncio.wait_for(oven.publish("d1/n", {"n": 5}), PATIENCE_S)
        assert [running.refused(words) for words in ("not JSON", "none of its values", "another type")] == [1, 1, 1]
        await press.close()
        await oven.close()
    assert logged(tmp_path) == [(1, 5)]


async def test_certificates_instead_of_secrets(tmp_path: Path) -> None:
    import ssl

    authority = Authority(tmp_path)
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other")
    certificate, key = authority.issue("gateway")
    known = device("d0", digest="", certificate=fingerprint(authority.issue("press")[0]))
    authority.issue("guest")
    secured = {
        "mqtt_tls_certificate": certificate, "mqtt_tls_key": key, "mqtt_tls_client_ca": authority.file,
    }  # fmt: skip

    async def answer(issuer: Authority, name: str, user: str) -> int | None:
        context = ssl.create_default_context(cafile=str(authority.file))
        context.load_cert_chain(issuer.folder / f"{name}.pem", issuer.folder / f"{name}.key")
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
        writer.write(connect("c", clean=True, keep_alive_s=60, user=user))
        try:
            return (await reader.readexactly(4))[3]
        except (OSError, asyncio.IncompleteReadError):
            return None
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    stranger.issue("press")
    async with running_gateway(tmp_path / "gateway", known, device("d1"), **secured) as running:
        assert await answer(authority, "press", "") == 0
        assert await answer(authority, "press", "d0") == 0
        assert await answer(authority, "press", "d1") == 4
        assert await answer(authority, "guest", "d0") == 4
        assert await answer(stranger, "press", "d0") is None


async def test_from_the_registry_over_the_bus_to_the_device_and_back(tmp_path: Path) -> None:
    port, known = free_port(), device("d0")
    (written,) = tags(1)
    address = written.address | {"command_topic": "d0/set"}
    written = written.model_copy(update={"address": address, "writable": True, "low": 0, "high": 100})
    async with running_bus(tmp_path) as bus, site.running_gateway(bus, tmp_path / "g", None, mqtt_port=port) as plant:
        await plant.define(CONNECTION, [written])
        await plant.admin.put_definition(device_key("acme", known.id), known)
        press, held = MqttDevice(port, "d0", SECRET), {"n": 1}
        reporting: list[asyncio.Future[None]] = []

        def obey(_topic: str, content: dict[str, int]) -> None:
            held["n"] = content["value"]
            reporting.append(asyncio.ensure_future(press.publish("d0/n", held)))

        press.on_command = obey
        await plant.until(lambda: plant.connections is not None and plant.connections.connections != ())
        await _let_in(press)
        await press.publish("d0/n", held)
        await plant.until(lambda: plant.latest.get(0) == (1, q.GOOD))
        await plant.until(lambda: plant.connections is not None and known.id in plant.connections.devices)
        refused = await plant.command(CONNECTION, CommandItem(tag=0, value=7), expires_ms=site.now_ms() + 30_000)
        assert refused.items[0].outcome == "refused"
        assert refused.items[0].text is not None
        assert "No device is subscribed" in refused.items[0].text["en"]
        await press.subscribe("d0/set")
        done = await plant.command(CONNECTION, CommandItem(tag=0, value=8), expires_ms=site.now_ms() + 30_000)
        assert (done.items[0].outcome, done.items[0].read_back) == ("done", 8)
        await asyncio.gather(*reporting)
        nodes = (await plant.ask("browse", {"driver": "mqtt", "settings": CONNECTION.settings}))["nodes"]
        assert [node["id"] for node in nodes] == ["d0/n"]
        checks = (await plant.ask("test", {"driver": "mqtt", "settings": CONNECTION.settings}))["checks"]
        assert all(check["ok"] for check in checks)
        await plant.admin.delete_definition(device_key("acme", known.id))
        await until(lambda: not press.connected)
        await press.close()


async def test_a_device_of_another_company_is_refused_and_topics_do_not_cross(tmp_path: Path) -> None:
    ports = free_ports(2)
    own, foreign = device("d0"), device("d0", tenant="other", digest=hashlib.sha256(b"of-the-other").hexdigest())
    foreign_secret = "ms_0123456789abcdef_of-the-other"
    elsewhere = GatewaySettings(
        name="g1", tenant="other", folder=tmp_path / "other", disk_free_min_bytes=0, segment_bytes=64 * 1024,
        mqtt_port=ports[1],
    )  # fmt: skip
    async with (
        running_bus(tmp_path) as bus,
        site.running_gateway(bus, tmp_path / "acme", None, mqtt_port=ports[0]) as plant,
    ):
        stop, own_bus = asyncio.Event(), await bus.as_role("gateway-other-g1")
        other = asyncio.create_task(run(own_bus, elsewhere, stop))
        theirs: dict[int, int] = {}

        async def seen(message: Any) -> None:
            batch = decode(message.data)
            theirs.update(zip(batch.tag.tolist(), batch.value.tolist(), strict=True))

        await plant.admin.nc.subscribe("ms.other.live.>", cb=seen)
        # The other company has the same names of gateway, device, connection and topic.
        await plant.admin.put_definition(device_key("other", foreign.id), foreign)
        there = CONNECTION.model_copy(update={"id": uuid7(), "tenant": "other"})
        await plant.admin.put_definition(connection_key("other", there.id), there)
        their_tag = tags(1)[0].model_copy(update={"ordinal": 5, "connection": there.id})
        await plant.admin.put_definition(
            tag_page_key("other", 0), page(their_tag).model_copy(update={"tenant": "other"})
        )
        await plant.define(CONNECTION, tags(1))
        await plant.admin.put_definition(device_key("acme", own.id), own)
        press, stranger = MqttDevice(ports[0], "d0", SECRET), MqttDevice(ports[0], "d0", foreign_secret)
        at_home = MqttDevice(ports[1], "d0", foreign_secret)
        await plant.until(lambda: plant.connections is not None and plant.connections.connections != ())
        # Both gateways know their devices by then: what one does not let in, it never will.
        await _let_in(press)
        await _let_in(at_home)
        with pytest.raises(Refused):
            await stranger.connect()
        with pytest.raises(Refused):
            await MqttDevice(ports[1], "d0", SECRET).connect()
        await at_home.publish("d0/n", {"n": 666})
        await press.publish("d0/n", {"n": 1})
        await plant.until(lambda: plant.latest.get(0) == (1, q.GOOD) and theirs.get(5) == 666)
        assert (set(plant.latest), set(theirs)) == ({0}, {5})
        for each in (press, stranger, at_home):
            await each.close()
        stop.set()
        await asyncio.wait_for(other, PATIENCE_S)
        await own_bus.close()


async def _let_in(press: MqttDevice) -> None:
    """Connect as soon as the definition has arrived."""
    while True:
        try:
            return await press.connect()
        except (Refused, OSError):
            await asyncio.sleep(0.1)
