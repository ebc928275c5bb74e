"""The MQTT driver in the shared driver suite: a device and the driver meet on a broker, which is the listener."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import suppress
from typing import Any

from tests.contracts.driver_cases import DriverCase
from tests.ports import free_port
from tests.waiting import ANSWER_MS

from mainspring.core.definitions import DeviceDefinition
from mainspring.core.drivers import Driver, DriverTag, Settings, Value
from mainspring.core.ids import uuid7
from mainspring.core.kinds import SampleKind
from mainspring.drivers.mqtt import Mqtt, MqttAddress, MqttConfig
from mainspring.drivers.mqtt_hub import Hub
from mainspring.drivers.mqtt_listener import Listener, ListenerSettings
from mainspring.simulators.mqtt_device import MqttDevice


def _tag(ordinal: int, kind: SampleKind, path: str, command: str = "") -> DriverTag:
    address = {"topic": "plant/press", "path": path, "command_topic": command and f"plant/press/set/{command}"}
    return DriverTag(ordinal, kind, MqttAddress.model_validate(address), writable=bool(command))


class Case(DriverCase):
    """A device that repeats what it holds when it changes, retained, and takes commands."""

    driver = Mqtt

    def __init__(self) -> None:
        self.port = free_port()
        self.held: dict[str, Any] = {
            "temperature": 20.5, "count": 2**53 + 1, "running": True, "mode": 4, "batch": "批次 7",
            "axes": [{"load": 1.5}, {"load": -12.25}], "setpoint": 1.0, "recipe": "A",
        }  # fmt: skip
        self._running: asyncio.Task[None] | None = None
        self._device: MqttDevice | None = None

    async def start(self) -> None:
        await self.restore()

    async def stop(self) -> None:
        await self.cut()

    async def restore(self) -> None:
        hub = Hub()
        listener = Listener(ListenerSettings(port=self.port), hub)
        digest = hashlib.sha256(b"secret").hexdigest()
        for name in ("press", "platform"):
            listener.define(
                DeviceDefinition(
                    id=uuid7(), tenant="acme", revision=1, name=name, gateway="main", digest=digest,
                    publish=("plant/#",), subscribe=("#",),
                )
            )  # fmt: skip
        self._running = asyncio.create_task(listener.run())
        while hub.text is not None:
            await asyncio.sleep(0.01)
        self._device = MqttDevice(self.port, "press", "secret")
        self._device.on_command = self._obey
        await self._device.connect()
        await self._device.subscribe("plant/press/set/#")
        await self._report()

    async def _report(self) -> None:
        assert self._device is not None
        await self._device.publish("plant/press", {**self.held, "at": time.time_ns() // 10**6}, qos=0, retain=True)

    def _obey(self, topic: str, content: Any) -> None:
        self.held[topic.rpartition("/")[2]] = content["value"]
        self._task = asyncio.ensure_future(self._report())

    async def cut(self) -> None:
        if self._device is not None:
            await self._device.close()
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    def config(self) -> Settings:
        return self._config(self.port)

    def _config(self, port: int) -> Settings:
        return MqttConfig(
            host="127.0.0.1", port=port, user="platform", password="secret", topics=("plant/+",), time_path="at",
            timeout_ms=ANSWER_MS,
        )  # fmt: skip

    def good(self) -> dict[int, tuple[DriverTag, Value]]:
        held: list[tuple[DriverTag, Value]] = [
            (_tag(1, SampleKind.FLOAT, "temperature"), 20.5),
            (_tag(2, SampleKind.INTEGER, "count"), 2**53 + 1),
            (_tag(3, SampleKind.BOOLEAN, "running"), 1),
            (_tag(4, SampleKind.ENUMERATION, "mode"), 4),
            (_tag(5, SampleKind.TEXT, "batch"), "批次 7"),
            (_tag(6, SampleKind.FLOAT, "axes[1].load"), -12.25),
        ]
        return {tag.ordinal: (tag, value) for tag, value in held}

    def absent(self) -> DriverTag:
        return _tag(90, SampleKind.FLOAT, "nowhere")

    def give_up(self, driver: Driver) -> None:
        driver.config = self.config().model_copy(update={"timeout_ms": 500})

    def writable(self) -> list[tuple[DriverTag, Value]]:
        return [
            (_tag(11, SampleKind.FLOAT, "setpoint", "setpoint"), 47.5),
            (_tag(12, SampleKind.TEXT, "recipe", "recipe"), "配方 B"),
        ]

    def read_only(self) -> DriverTag:
        return _tag(20, SampleKind.FLOAT, "temperature")

    def nobody_there(self) -> Settings:
        return self._config(free_port())
