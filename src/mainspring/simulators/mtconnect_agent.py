"""An MTConnect agent in this process, over a real socket, for tests and the demo plant.

It describes what a Devices.xml says, takes the lines an adapter would send it, numbers what it observes and keeps the
latest in a bounded buffer. Source: MTConnect Standard, Part 1 (requests, buffer, streaming, errors).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from mainspring.simulators.listening import Listening

VERSION: Final = "2.0"
BOUNDARY: Final = "mainspring-part"
COUNT_MAX: Final = 10_000
_CONTAINERS: Final = {"SAMPLE": "Samples", "EVENT": "Events", "CONDITION": "Condition"}
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_FIELDS: Final = {"CONDITION": 5}
_TO_UNITS: Final = {("MILLIMETER/MINUTE", "MILLIMETER/SECOND"): 1 / 60, ("INCH", "MILLIMETER"): 25.4}


class SimulatedItem(NamedTuple):
    """A data item of the description and the part it belongs to."""

    id: str
    name: str
    category: str
    type: str
    sub_type: str
    device: str
    component: str
    component_id: str
    factor: float


class Recorded(NamedTuple):
    """One numbered observation; `fields` are its value, or level, code, severity, side and text of a condition."""

    sequence: int
    item: SimulatedItem
    stamp: str
    fields: tuple[str, ...]


class MtconnectAgentSimulator(Listening):
    """An agent for the devices of one description; behaves well until told otherwise.

    `spoil` changes a document's bytes before they are sent; `silent` answers nothing.
    """

    def __init__(
        self, devices_xml: bytes, *, host: str = "127.0.0.1", port: int = 0, buffer_size: int = 16_384
    ) -> None:
        super().__init__(host, port)
        self.requests: Final[deque[str]] = deque(maxlen=1000)
        self.spoil: Callable[[bytes], bytes] | None = None
        self.silent = False
        self._devices = ET.fromstring(devices_xml).find("{*}Devices")  # noqa: S314 - the caller's own description
        assert self._devices is not None, "a description without devices"
        self.items: Final = _items(self._devices)
        self._keys = {key: item for item in self.items.values() for key in (item.id, item.name) if key}
        self._buffer: deque[Recorded] = deque(maxlen=buffer_size)
        self._grown = asyncio.Event()
        self.instance = 0
        self.restart()

    def restart(self) -> None:
        """Begin anew as a restarted agent does: another instance, numbers from 1, everything unavailable."""
        self.instance = max(self.instance + 1, int(time.time()))
        self._numbers = itertools.count(1)
        self._buffer.clear()
        self._state: dict[str, list[Recorded]] = {}
        self._next = 1
        stamp = stamp_of(time.time_ns() // 1_000_000)
        for item in self.items.values():
            self._record(item, stamp, ("UNAVAILABLE",))

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, self.host, self.port)

    async def stop(self) -> None:
        """Close the port and all connections, streams included; what is observed is still kept."""
        self._grown.set()
        await super().stop()

    @property
    def url(self) -> str:
        """Where the agent is."""
        return f"http://{self.host}:{self.port}"

    def observe(self, name: str, *fields: str, time_ms: int | None = None) -> None:
        """Observe a data item by id or name: its value, or level, code, severity, side and text of a condition."""
        stamp = stamp_of(time.time_ns() // 1_000_000 if time_ms is None else time_ms)
        self._record(self._keys[name], stamp, fields)

    def take(self, fields: Iterable[str], time_ms: int) -> None:
        """Observe what the fields of an adapter's line behind its time say; unknown keys are passed over."""
        stamp, rest = stamp_of(time_ms), list(fields)
        while len(rest) > 1:
            key, *rest = rest
            item = self._keys.get(key)
            count = _FIELDS.get(item.category, 1) if item is not None else 1
            if item is not None:
                self._record(item, stamp, tuple(rest[:count]))
            rest = rest[count:]

    def _record(self, item: SimulatedItem, stamp: str, fields: tuple[str, ...]) -> None:
        if item.factor != 1.0 and fields[0] not in ("", "UNAVAILABLE"):
            fields = (format(float(fields[0]) * item.factor, ".9g"),)
        recorded = Recorded(next(self._numbers), item, stamp, fields)
        self._next = recorded.sequence + 1
        self._buffer.append(recorded)
        active = self._state.setdefault(item.id, [])
        code = fields[1] if len(fields) > 1 else ""
        if item.category == "CONDITION" and fields[0] in ("WARNING", "FAULT"):
            self._state[item.id] = [
                each for each in active if each.fields[0] in ("WARNING", "FAULT") and each.fields[1] != code
            ] + [recorded]
        elif item.category == "CONDITION" and fields[0] == "NORMAL" and code:
            self._state[item.id] = [each for each in active if each.fields[1:2] != (code,)] or [recorded]
        else:
            self._state[item.id] = [recorded]
        self._grown.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer.transport)
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split()[1]
            self.requests.append(request)
            if not self.silent:
                await self._answer(request, writer)
                await writer.drain()
            else:
                await reader.read()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, IndexError):
            pass  # a client that breaks off, or does not speak HTTP, is let go
        finally:
            self.connections.discard(writer.transport)
            writer.close()

    async def _answer(self, request: str, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(request)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        names = [unquote(name) for name in parts.path.split("/") if name]
        kind = names.pop() if names and names[-1] in ("probe", "current", "sample") else "probe"
        device = names[0] if names else ""
        if device and device not in {item.device for item in self.items.values()}:
            self._whole(writer, self._error("NO_DEVICE", f"Could not find the device '{device}'"), 404)
        elif kind == "probe":
            self._whole(writer, self._probe(device))
        elif kind == "current":
            state = [each for recorded in self._state.values() for each in recorded]
            self._whole(writer, self._streams(state, device, self._next))
        else:
            await self._sample(writer, query, device)

    async def _sample(self, writer: asyncio.StreamWriter, query: dict[str, str], device: str) -> None:
        try:
            start = int(query.get("from", self._first))
            count = int(query.get("count", 100))
            interval_s = int(query["interval"]) / 1000 if "interval" in query else None
            heartbeat_s = int(query.get("heartbeat", 10_000)) / 1000
        except ValueError:
            self._whole(writer, self._error("INVALID_REQUEST", "a parameter is no number"), 400)
            return
        if not self._first <= start <= self._next or not 0 < count <= COUNT_MAX:
            words = f"'from' must be between {self._first} and {self._next}"
            self._whole(writer, self._error("OUT_OF_RANGE", words), 404)
            return
        if interval_s is None:
            document, _ = self._chunk(start, count, device)
            self._whole(writer, document)
            return
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary={BOUNDARY}\r\n"
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
        )
        while not writer.is_closing():
            if start < self._first:
                self._part(writer, self._error("OUT_OF_RANGE", "the client fell behind the buffer"))
                writer.write(b"0\r\n\r\n")
                return
            document, start = self._chunk(start, count, device)
            if not self.silent:
                self._part(writer, document)
            await writer.drain()
            await asyncio.sleep(interval_s)
            if start >= self._next:
                self._grown.clear()
                await _grown_or_late(self._grown, heartbeat_s)

    @property
    def _first(self) -> int:
        return self._buffer[0].sequence if self._buffer else self._next

    def _chunk(self, start: int, count: int, device: str) -> tuple[bytes, int]:
        place = start - self._first
        chosen = list(itertools.islice(self._buffer, place, place + count))
        following = start + len(chosen)
        return self._streams(chosen, device, following), following

    def _whole(self, writer: asyncio.StreamWriter, document: bytes, status: int = 200) -> None:
        document = self._spoiled(document)
        writer.write(
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Not Found'}\r\nContent-Type: text/xml\r\n"
            f"Content-Length: {len(document)}\r\nConnection: close\r\n\r\n".encode()
            + document
        )

    def _part(self, writer: asyncio.StreamWriter, document: bytes) -> None:
        document = self._spoiled(document)
        head = f"--{BOUNDARY}\r\nContent-type: text/xml\r\nContent-length: {len(document)}\r\n\r\n".encode()
        part = head + document + b"\r\n"
        writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")

    def _spoiled(self, document: bytes) -> bytes:
        return document if self.spoil is None else self.spoil(document)

    def _header(self, following: int) -> str:
        return (
            f'<Header creationTime="{stamp_of(time.time_ns() // 1_000_000)}" sender="simulator" '
            f'instanceId="{self.instance}" version="{VERSION}" bufferSize="{self._buffer.maxlen}" '
            f'firstSequence="{self._first}" lastSequence="{self._next - 1}" nextSequence="{following}"/>'
        )

    def _error(self, code: str, words: str) -> bytes:
        return (
            f'{_DECLARATION}<MTConnectError xmlns="urn:mtconnect.org:MTConnectError:{VERSION}">'
            f'{self._header(self._next)}<Errors><Error errorCode="{code}">{escape(words)}</Error></Errors>'
            "</MTConnectError>"
        ).encode()

    def _probe(self, device: str) -> bytes:
        assert self._devices is not None
        chosen = [each for each in self._devices if device in ("", each.get("name"), each.get("uuid"))]
        body = "".join(ET.tostring(each, encoding="unicode") for each in chosen)
        return (
            f'{_DECLARATION}<MTConnectDevices xmlns="urn:mtconnect.org:MTConnectDevices:{VERSION}">'
            f"{self._header(self._next)}<Devices>{body}</Devices></MTConnectDevices>"
        ).encode()

    def _streams(self, recorded: Iterable[Recorded], device: str, following: int) -> bytes:
        parts: dict[tuple[str, str, str], dict[str, list[str]]] = {}
        for each in recorded:
            item = each.item
            if device in ("", item.device):
                streams = parts.setdefault((item.device, item.component, item.component_id), {})
                streams.setdefault(_CONTAINERS[item.category], []).append(_element(each))
        lines = []
        for name, below in itertools.groupby(sorted(parts), key=lambda part: part[0]):
            lines.append(f"<DeviceStream name={quoteattr(name)}>")
            for part in below:
                lines.append(f"<ComponentStream component={quoteattr(part[1])} componentId={quoteattr(part[2])}>")
                lines += [f"<{kind}>{''.join(found)}</{kind}>" for kind, found in parts[part].items()]
                lines.append("</ComponentStream>")
            lines.append("</DeviceStream>")
        return (
            f'{_DECLARATION}<MTConnectStreams xmlns="urn:mtconnect.org:MTConnectStreams:{VERSION}">'
            f"{self._header(following)}<Streams>{''.join(lines)}</Streams></MTConnectStreams>"
        ).encode()


def stamp_of(time_ms: int) -> str:
    """Write a time as MTConnect does."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _items(devices: ET.Element) -> dict[str, SimulatedItem]:
    found: dict[str, SimulatedItem] = {}

    def walk(part: ET.Element, device: str) -> None:
        for item in part.findall("{*}DataItems/{*}DataItem"):
            units = (item.get("nativeUnits", ""), item.get("units", ""))
            made = SimulatedItem(
                item.get("id", ""), item.get("name", ""), item.get("category", ""), item.get("type", ""),
                item.get("subType", ""), device, _local(part), part.get("id", ""), _TO_UNITS.get(units, 1.0),
            )  # fmt: skip
            found[made.id] = made
        for below in part.findall("{*}Components/*"):
            walk(below, device)

    for device in devices:
        walk(device, device.get("name", ""))
    return found


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _element(recorded: Recorded) -> str:
    item, fields = recorded.item, recorded.fields
    attributes = f'dataItemId={quoteattr(item.id)} timestamp="{recorded.stamp}" sequence="{recorded.sequence}"'
    if item.name:
        attributes += f" name={quoteattr(item.name)}"
    if item.category == "CONDITION":
        level, code, severity, side, text = (*fields, "", "", "", "", "")[:5]
        attributes += f" type={quoteattr(item.type)}"
        for name, field in (("nativeCode", code), ("nativeSeverity", severity), ("qualifier", side)):
            attributes += f" {name}={quoteattr(field)}" if field else ""
        return f"<{level.title()} {attributes}>{escape(text)}</{level.title()}>"
    if item.sub_type:
        attributes += f" subType={quoteattr(item.sub_type)}"
    name = "".join(word.title() for word in item.type.rpartition(":")[2].split("_"))
    return f"<{name} {attributes}>{escape(fields[0])}</{name}>"


async def _grown_or_late(grown: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await grown.wait()
    except TimeoutError:
        return
