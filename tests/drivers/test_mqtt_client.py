"""The driver as a client of Mosquitto, with TLS, cuts and a broker that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.mosquitto import PASSWORD, Authority, Mosquitto, running_mosquitto
from tests.waiting import ANSWER_MS, PATIENCE_S, until

from mainspring.core.drivers import DriverTag, Host
from mainspring.core.errors import NotConnected, Rejected
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.drivers.mqtt import Mqtt, MqttAddress, MqttConfig
from mainspring.simulators.mqtt_device import MqttDevice

TAG = DriverTag(1, SampleKind.INTEGER, MqttAddress(topic="plant/press", path="n", command_topic="plant/press/set"))


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with running_mosquitto(tmp_path) as running:
        yield running


def config(broker: Mosquitto, **more: Any) -> MqttConfig:
    known = {"host": "127.0.0.1", "port": broker.port, "user": "plant", "password": PASSWORD, "topics": ("plant/+",)}
    return MqttConfig.model_validate(known | {"timeout_ms": ANSWER_MS} | more)


class Taken:
    """A driver that subscribes, and the numbers it delivered; `keeping` holds the log back while it is clear."""

    def __init__(self, settings: MqttConfig, parts: dict[str, Any] | None = None) -> None:
        self.driver = Mqtt(settings)
        self.keeping = asyncio.Event()
        self.keeping.set()
        self.driver.host = Host("acme", "g1", self._kept, parts={} if parts is None else parts)
        self.numbers: list[int] = []
        self.task: asyncio.Task[None] | None = None

    async def _kept(self) -> None:
        await self.keeping.wait()

    def deliver(self, batch: SampleBatch) -> None:
        self.numbers += batch.value.tolist()

    def has_more_than(self, count: int) -> bool:
        return len(self.numbers) > count

    async def start(self) -> None:
        await self.driver.connect()
        self.task = asyncio.create_task(self.driver.subscribe([TAG], self.deliver))

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError, NotConnected):
                await self.task
        await self.driver.close()


async def pressing(broker: Mosquitto) -> MqttDevice:
    device = MqttDevice(broker.port, "plant", PASSWORD, client_id="press")
    await device.connect()
    return device


async def test_values_come_and_commands_go(broker: Mosquitto) -> None:
    taken, commands = Taken(config(broker)), []
    device = await pressing(broker)
    device.on_command = lambda topic, content: commands.append((topic, content))
    await device.subscribe("plant/press/set")
    await taken.start()
    await device.publish("plant/press", {"n": 0}, retain=True)
    await until(lambda: 0 in taken.numbers)
    for number in range(1, 500):
        await device.publish("plant/press", {"n": number})
    await until(lambda: len(taken.numbers) == 500)
    assert taken.numbers == list(range(500))
    assert await taken.driver.write([(TAG, 7)]) == [None]
    await until(lambda: commands == [("plant/press/set", {"value": 7})])
    await taken.stop()
    await device.close()


async def test_what_was_not_kept_comes_again(broker: Mosquitto) -> None:
    taken = Taken(config(broker))
    await taken.start()
    device = await pressing(broker)
    await device.publish("plant/press", {"n": 1})
    await until(lambda: taken.numbers == [1])
    taken.keeping.clear()
    for number in (2, 3):
        await device.publish("plant/press", {"n": number})
    await until(lambda: 2 in taken.numbers)
    await taken.stop()
    # While nobody is there the broker gathers for the session.
    await device.publish("plant/press", {"n": 4})
    again = Taken(config(broker))
    await again.start()
    await until(lambda: len(again.numbers) == 3)
    assert again.numbers == [2, 3, 4]
    await again.stop()
    last = Taken(config(broker))
    await last.start()
    await device.publish("plant/press", {"n": 5})
    await until(lambda: last.numbers)
    assert last.numbers == [5]
    await last.stop()
    await device.close()


async def test_after_a_change_of_tags_the_broker_is_still_answered(broker: Mosquitto) -> None:
    taken, device = Taken(config(broker)), await pressing(broker)
    await device.publish("plant/press", {"n": 0}, retain=True)
    await taken.start()
    await until(lambda: taken.numbers == [0])
    # More than a broker sends to someone who does not acknowledge.
    for first in range(100, 400, 100):
        taken.keeping.clear()
        before = len(taken.numbers)
        for number in range(first, first + 20):
            await device.publish("plant/press", {"n": number})
        await until(partial(taken.has_more_than, before))
        assert taken.task is not None
        taken.task.cancel()
        with suppress(asyncio.CancelledError):
            await taken.task
        taken.keeping.set()
        taken.task = asyncio.create_task(taken.driver.subscribe([TAG], taken.deliver))
        await until(partial(taken.numbers.__contains__, first + 19))
    await taken.stop()
    await device.close()


async def test_a_preview_leaves_a_connection_that_is_away_what_it_is_owed(broker: Mosquitto) -> None:
    taken, device = Taken(config(broker)), await pressing(broker)
    await device.publish("plant/press", {"n": 1}, retain=True)
    await taken.start()
    await until(lambda: taken.numbers == [1])
    await taken.stop()
    await device.publish("plant/press", {"n": 2})
    passing = Taken(config(broker))
    passing.driver.host = replace(passing.driver.host, passing=True)
    await passing.start()
    await until(lambda: passing.numbers == [1])
    await device.publish("plant/press", {"n": 3})
    await until(lambda: passing.numbers == [1, 3])
    await passing.stop()
    await taken.start()
    await until(lambda: {2, 3} <= set(taken.numbers))
    await taken.stop()
    await device.close()


async def test_a_broker_that_goes_away_is_lost_contact(broker: Mosquitto) -> None:
    taken = Taken(config(broker))
    await taken.start()
    await taken.driver.read([], 0)
    assert taken.task is not None
    await broker.stop()
    with pytest.raises(NotConnected, match="was lost"):
        await asyncio.wait_for(taken.task, PATIENCE_S)
    with pytest.raises(NotConnected, match="does not answer on port"):
        await taken.driver.connect()
    await broker.start()
    await taken.start()
    device = await pressing(broker)
    await device.publish("plant/press", {"n": 1})
    await until(lambda: taken.numbers == [1])
    await taken.stop()
    await device.close()


async def test_a_broker_that_falls_silent_is_noticed_by_the_keep_alive() -> None:
    connections: list[asyncio.StreamWriter] = []

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await reader.read(1024)
        writer.write(b"\x20\x02\x00\x00")
        request = await reader.read(1024)
        writer.write(b"\x90\x03" + request[2:4] + b"\x01")

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    taken = Taken(MqttConfig(host="127.0.0.1", port=port, keep_alive_s=2, timeout_ms=4000))
    await taken.start()
    assert taken.task is not None
    with pytest.raises(NotConnected, match="did not answer within"):
        await asyncio.wait_for(taken.task, PATIENCE_S)
    await taken.stop()
    for writer in connections:
        writer.close()
    server.close()


async def test_a_wrong_password_is_told(broker: Mosquitto) -> None:
    with pytest.raises(Rejected, match=r"user and password|let this user in"):
        await Taken(config(broker, password="wrong")).driver.connect()
    checks = [check async for check in Taken(config(broker, password="wrong")).driver.checks()]
    assert [check.ok for check in checks] == [True, True, False]


async def test_the_test_names_what_came_and_does_not_push_out_who_is_there(broker: Mosquitto) -> None:
    parts: dict[str, Any] = {}
    taken = Taken(config(broker), parts)
    await taken.start()
    device = await pressing(broker)
    await device.publish("plant/press", {"n": 1}, retain=True)
    await until(lambda: taken.numbers == [1])
    other = Taken(config(broker), parts).driver
    checks = [check async for check in other.checks()]
    assert all(check.ok for check in checks), checks[-1].detail
    assert "n = 1" in checks[-1].detail.en
    await other.connect()
    (topic,) = await other.browse(None, 10)
    (value,) = await other.browse(topic.id, 10)
    assert value.address == {"topic": "plant/press", "path": "n"}
    await other.close()
    await device.publish("plant/press", {"n": 2})
    await until(lambda: taken.numbers == [1, 2])
    await taken.stop()
    await device.close()


async def test_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other")
    certificate, key = authority.issue("broker")
    mine, my_key = authority.issue("platform")
    async with running_mosquitto(tmp_path, (authority.file, certificate, key)) as broker:
        secured = {"tls": True, "client_certificate": mine, "client_key": my_key, "user": "", "password": ""}
        taken = Taken(config(broker, ca=authority.file, **secured))
        await taken.start()
        await asyncio.sleep(0)
        await taken.driver._open.publish("plant/press", b'{"n": 9}', 1, retain=True)
        await until(lambda: taken.numbers == [9])
        await taken.stop()
        with pytest.raises(Rejected, match="not trusted"):
            await Taken(config(broker, ca=stranger.file, **secured)).driver.connect()
        with pytest.raises(Rejected, match="cannot be used"):
            await Taken(config(broker, ca=tmp_path / "nowhere.pem", **secured)).driver.connect()
