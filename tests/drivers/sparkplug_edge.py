"""Payloads of an edge node as bytes, and a host without a network, for tests."""

from __future__ import annotations

from typing import Any

from mainspring.core.drivers import DriverTag
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.drivers.mqtt_packets import Message
from mainspring.drivers.mqtt_sparkplug import SparkplugAddress
from mainspring.drivers.mqtt_sparkplug_host import Application
from mainspring.drivers.mqtt_sparkplug_nodes import Rows
from mainspring.drivers.mqtt_sparkplug_payload import DataType, Payload

KEPT: dict[str, bytes] = {}


def keep(content: bytes, media_type: str) -> str:
    KEPT[media_type] = content
    return f"kept {media_type} {len(content)}"


def metric(name: str = "", kind: DataType | None = None, **fields: Any) -> dict[str, Any]:
    return {"name": name or None, "datatype": kind, **fields}


def payload(*metrics: dict[str, Any], seq: int | None = None, time_ms: int = 1000) -> bytes:
    made = Payload(timestamp=time_ms, seq=seq)
    for each in metrics:
        properties = each.pop("properties", {})
        one = made.metrics.add(**{name: value for name, value in each.items() if value is not None})
        for key, value in properties.items():
            one.properties.keys.append(key)
            field = {bool: "boolean_value", int: "int_value", str: "string_value"}[type(value)]
            one.properties.values.add(**{field: value})
    return bytes(made.SerializeToString())


class Plant:
    """An application that hears one edge node "G/E", with tags on some of its metrics."""

    def __init__(self, peers: tuple[Application, ...] = ()) -> None:
        self.refused: list[Text] = []
        self.faults: dict[int, Text] = {}
        self.application = Application("host", 5.0, self.refused.append, self.faults, lambda: peers)
        self.now_ms = 50_000
        self.late: list[tuple[Any, ...]] = []
        self.sequence = 0

    def tag(
        self, ordinal: int, metric: str, device: str = "", kind: SampleKind = SampleKind.FLOAT, **more: Any
    ) -> DriverTag:
        return DriverTag(ordinal, kind, SparkplugAddress(group="G", node="E", device=device, metric=metric, **more))

    def bind(self, *tags: DriverTag) -> list[tuple[Any, ...]]:
        rows = Rows(keep, self.faults)
        self.application.bind(tags, rows, self.now_ms)
        return told(rows.batches())

    def take(self, kind: str, body: bytes, device: str = "", node: str = "E") -> list[tuple[Any, ...]]:
        rows, late = Rows(keep, self.faults), Rows(keep, self.faults)
        topic = f"spBv1.0/G/{kind}/{node}" + (f"/{device}" if device else "")
        self.application.take([Message(topic, body)], self.now_ms, rows, late)
        self.late += told(late.batches())
        return told(rows.batches())

    def send(self, kind: str, *metrics: dict[str, Any], device: str = "") -> list[tuple[Any, ...]]:
        """Send with the next sequence number; a birth of the node begins anew."""
        self.sequence = 0 if kind == "NBIRTH" else (self.sequence + 1) % 256
        return self.take(kind, payload(*metrics, seq=self.sequence), device)

    def born(self, *metrics: dict[str, Any], session: int = 0) -> list[tuple[Any, ...]]:
        number = metric("bdSeq", DataType.INT64, long_value=session)
        return self.send("NBIRTH", number, *metrics)

    def die(self, session: int = 0) -> list[tuple[Any, ...]]:
        return self.take("NDEATH", payload(metric("bdSeq", DataType.INT64, long_value=session)))

    def count(self, words: str) -> int:
        return sum(words in text.en for text in self.refused)

    def asked(self) -> list[tuple[str, str]]:
        """Return whom to ask for a rebirth, as if each had never been asked."""
        keys, _ = self.application.due(float("inf"))
        for node in self.application.nodes.values():
            node.asked_s = float("-inf")
        return keys


def told(batches: list[SampleBatch]) -> list[tuple[Any, ...]]:
    """Return ordinal, value, quality and time of each sample."""
    return [
        (int(tag), value, int(quality), int(time))
        for batch in batches
        for tag, value, quality, time in zip(
            batch.tag, batch.value.tolist(), batch.quality, batch.time, strict=True
        )
    ]  # fmt: skip
