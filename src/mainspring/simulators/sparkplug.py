"""A Sparkplug B edge node with devices over a real MQTT connection, for tests and the demo plant."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from mainspring.core.errors import DecodeError, NotConnected, NotFound, Rejected
from mainspring.core.text import Text
from mainspring.simulators.sparkplug_wire import (
    TYPES,
    Client,
    Order,
    framed,
    numeric,
    orders,
    properties_field,
    value_field,
)

REBIRTH: Final = "Node Control/Rebirth"
RETRY_S: Final = 1.0
_NO_METRIC: Final = Text("The edge node has no metric {name}.", "边缘节点没有指标 {name}。")
_SIGNED: Final = {1: 8, 2: 16, 3: 32, 4: 64}


@dataclass(slots=True)
class SimulatedMetric:
    """One metric; `device` is empty for the edge node's own. Values are those of the wire for composed types."""

    name: str
    kind: str = "Double"
    value: Any = 0.0
    device: str = ""
    unit: str = ""
    read_only: bool = False
    properties: dict[str, Any] = field(default_factory=dict)
    obeys: bool = True
    """Whether it takes what it is commanded."""
    alias: int | None = None

    def told(self) -> dict[str, Any]:
        """Return the properties of its birth."""
        own: dict[str, Any] = {"engUnit": self.unit} if self.unit else {}
        return own | ({"readOnly": True} if self.read_only else {}) | self.properties


class SparkplugSimulator:
    """An edge node that connects, is born, sends what is set, obeys commands, and comes back by itself."""

    def __init__(
        self,
        metrics: Iterable[SimulatedMetric],
        *,
        group: str = "Plant",
        node: str = "Edge 1",
        host: str = "127.0.0.1",
        port: int = 1883,
        user: str = "",
        password: str = "",
        host_id: str = "mainspring",
        aliases: bool = True,
    ) -> None:
        self.metrics = {(metric.device, metric.name): metric for metric in metrics}
        self.group, self.node = group, node
        self.client = Client(host, port, f"{group}-{node}", user, password, self._take)
        self.host_online: bool | None = None
        """What the host last said of itself."""
        self.born = asyncio.Event()
        self.births = 0
        self.commands: list[Order] = []
        self.sequence = 0
        self._birth_sequence = -1
        self._host_id = host_id
        self._task: asyncio.Task[None] | None = None
        if aliases:
            for number, metric in enumerate(self.metrics.values(), 1):
                metric.alias = number

    async def start(self) -> None:
        """Connect and be born, again and again if need be; returns at once, `born` tells when it is."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="sparkplug-simulator")

    async def stop(self) -> None:
        """Die as one who leaves: with a death of its own."""
        if self.born.is_set():
            self.client.publish(self._topic("NDEATH"), self._death())
        await self._end()
        await self.client.close()

    async def cut(self) -> None:
        """Break contact without a word and stay away; the broker sends the will."""
        await self._end()
        self.client.abort()

    async def restore(self) -> None:
        """Come back."""
        await self.start()

    def set(self, name: str, value: Any, device: str = "", **more: Any) -> None:
        """Give a metric a value and send it; see `send` for what can be said besides."""
        self.send([(name, value)], device, **more)

    def send(
        self,
        values: Iterable[tuple[str, Any]],
        device: str = "",
        *,
        time_ms: int | None = None,
        historical: bool = False,
        quality: int | None = None,
    ) -> None:
        """Send values of one device in one message; None is sent as null. Raises NotFound."""
        moment = time.time_ns() // 1_000_000 if time_ms is None else time_ms
        body = b""
        for name, value in values:
            metric = self.metrics.get((device, name))
            if metric is None:
                raise NotFound(_NO_METRIC, name=name)
            if not historical:
                metric.value = value
            inner = framed(1, name) if metric.alias is None else numeric(2, metric.alias)
            inner += numeric(3, moment) + (numeric(5, 1) if historical else b"")
            inner += b"" if quality is None else properties_field({"Quality": quality})
            body += framed(2, inner + (numeric(7, 1) if value is None else value_field(metric.kind, value)))
        if self.born.is_set():
            self.client.publish(self._topic("DDATA" if device else "NDATA", device), self._stamped(body))

    def skip(self) -> None:
        """Lose a message: its number is used up and nobody gets it."""
        self.sequence = (self.sequence + 1) % 256

    def bury(self, device: str) -> None:
        """Send the death of a device."""
        self.client.publish(self._topic("DDEATH", device), self._stamped(b""))

    def bear(self, device: str = "") -> None:
        """Send a birth: of one device, or of the node and then of all its devices."""
        if device:
            self.client.publish(self._topic("DBIRTH", device), self._stamped(self._birth(device)))
            return
        self.sequence, self.births = 0, self.births + 1
        control = framed(1, REBIRTH) + numeric(4, TYPES["Boolean"]) + numeric(14, 0)
        number = framed(1, "bdSeq") + numeric(4, TYPES["Int64"]) + numeric(11, self._birth_sequence)
        body = framed(2, number) + framed(2, control) + self._birth("")
        self.client.publish(self._topic("NBIRTH"), self._stamped(body))
        for other in sorted({name for name, _ in self.metrics if name}):
            self.bear(other)
        self.born.set()

    async def _run(self) -> None:
        own = [self._topic("NCMD"), f"spBv1.0/{self.group}/DCMD/{self.node}/+", f"spBv1.0/STATE/{self._host_id}"]
        while True:
            self._birth_sequence = (self._birth_sequence + 1) % 256
            # Refused, it tries again like any device: its credential may be on its way.
            with suppress(NotConnected, Rejected):
                reader = await self.client.open(self._topic("NDEATH"), self._death(), own)
                self.bear()
                await self.client.run(reader)
            self.born.clear()
            self.client.abort()
            await asyncio.sleep(RETRY_S)

    async def _end(self) -> None:
        task, self._task = self._task, None
        self.born.clear()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _take(self, topic: str, payload: bytes) -> None:
        parts = topic.split("/")
        if parts[1] == "STATE":
            with suppress(ValueError, KeyError):
                self.host_online = bool(json.loads(payload)["online"])
            return
        with suppress(DecodeError, UnicodeDecodeError):
            for order in orders(payload):
                self.commands.append(order)
                del self.commands[:-1000]
                self._obey(parts[4] if len(parts) == 5 else "", order)

    def _obey(self, device: str, order: Order) -> None:
        if order.name == REBIRTH and not device:
            self.bear()
            return
        named = self.metrics.get((device, order.name))
        by_alias = (m for m in self.metrics.values() if order.alias is not None and m.alias == order.alias)
        metric = named or next(by_alias, None)
        if metric is None or metric.read_only or not metric.obeys:
            return
        value = order.value
        bits = _SIGNED.get(TYPES[metric.kind])
        if bits and value >> (bits - 1) & 1:
            value = (value & (1 << bits) - 1) - (1 << bits)
        self.set(metric.name, bool(value) if metric.kind == "Boolean" else value, device)

    def _birth(self, device: str) -> bytes:
        body = b""
        for (of, name), metric in self.metrics.items():
            if of != device:
                continue
            inner = framed(1, name) + (b"" if metric.alias is None else numeric(2, metric.alias))
            inner += numeric(3, time.time_ns() // 1_000_000) + numeric(4, TYPES[metric.kind])
            inner += numeric(7, 1) if metric.value is None else b""
            told = metric.told()
            inner += properties_field(told) if told else b""
            body += framed(2, inner + (b"" if metric.value is None else value_field(metric.kind, metric.value)))
        return body

    def _death(self) -> bytes:
        number = framed(1, "bdSeq") + numeric(4, TYPES["Int64"]) + numeric(11, self._birth_sequence)
        return numeric(1, time.time_ns() // 1_000_000) + framed(2, number)

    def _stamped(self, body: bytes) -> bytes:
        """Add time and sequence, which goes on by one with every message."""
        number, self.sequence = self.sequence, (self.sequence + 1) % 256
        return numeric(1, time.time_ns() // 1_000_000) + body + numeric(3, number)

    def _topic(self, kind: str, device: str = "") -> str:
        return f"spBv1.0/{self.group}/{kind}/{self.node}" + (f"/{device}" if device else "")
