"""A listener with devices and a reader in the place of a driver, and raw MQTT over a socket, for tests."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from tests.ports import free_port
from tests.waiting import until

from mainspring.core.definitions import DeviceDefinition
from mainspring.core.drivers import Host, Traffic
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.drivers.mqtt_hub import Hub, HubSession
from mainspring.drivers.mqtt_listener import Listener, ListenerSettings
from mainspring.drivers.mqtt_packets import Message
from mainspring.drivers.mqtt_session import MqttSettings

SECRET = "ms_0123456789abcdef_a-secret_with_lines"


def device(name: str, **more: Any) -> DeviceDefinition:
    """Return a device with SECRET that may do everything under its own name."""
    digest = hashlib.sha256(SECRET.split("_", 2)[2].encode()).hexdigest()
    fields: dict[str, Any] = {
        "id": uuid7(), "tenant": "acme", "revision": 1, "gateway": "g1", "digest": digest,
        "publish": (f"{name}/#",), "subscribe": (f"{name}/#",),
    }  # fmt: skip
    return DeviceDefinition(name=name, **(fields | more))


class Reader:
    """Takes messages as a driver does; `keeping` holds the log back while it is clear."""

    def __init__(self, hub: Hub) -> None:
        self.messages: list[Message] = []
        self.refused: dict[Text, int] = {}
        self.keeping = asyncio.Event()
        self.keeping.set()
        self.fails: Exception | None = None
        host = Host("acme", "g1", self._kept)
        self.session = HubSession(MqttSettings(timeout_ms=20_000), host, Traffic(), self._refuse, hub)
        self.task: asyncio.Task[None] | None = None

    def start(self, *filters: str) -> None:
        wanted = [(text, 1) for text in filters or ("#",)]
        self.task = asyncio.create_task(self.session.subscribe(wanted, self.messages.extend))

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self.task

    async def _kept(self) -> None:
        await self.keeping.wait()
        if self.fails is not None:
            raise self.fails

    def _refuse(self, text: Text, count: int = 1) -> None:
        self.refused[text] = self.refused.get(text, 0) + count

    def told(self, words: str) -> int:
        """Return how often something was refused by a sentence with these words."""
        return sum(count for text, count in self.refused.items() if words in text.en)


class ListenerSite:
    """A running listener."""

    def __init__(self, settings: ListenerSettings) -> None:
        self.hub = Hub()
        self.listener = Listener(settings, self.hub)
        self.port = settings.port
        self.reader = Reader(self.hub)


@asynccontextmanager
async def running_listener(*devices: DeviceDefinition, **settings: Any) -> AsyncIterator[ListenerSite]:
    """Run a listener on a free port with a reader of everything."""
    site = ListenerSite(replace(ListenerSettings(port=free_port()), **settings))
    for each in devices:
        site.listener.define(each)
    task = asyncio.create_task(site.listener.run())
    await until(lambda: site.hub.text is None)
    site.reader.start()
    try:
        yield site
    finally:
        await site.reader.stop()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
