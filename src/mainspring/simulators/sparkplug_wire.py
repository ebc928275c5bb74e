"""What a small edge node needs of MQTT 3.1.1 and of protobuf, written for the simulator alone.

It shares nothing with the driver, so that a mistake on one side shows on the other.
Sources: OASIS MQTT 3.1.1, section 3; Eclipse Sparkplug 3.0.0, chapter 6.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mainspring.core.errors import DecodeError, NotConnected, Rejected
from mainspring.core.text import Text

PACKET_BYTES_MAX: Final = 1024 * 1024
KEEP_ALIVE_S: Final = 30
TIMEOUT_S: Final = 10.0

_AWAY: Final = Text(
    "{host}:{port} does not take the edge node in ({reason}). It is tried again.",
    "{host}:{port} 未接受边缘节点（{reason}），将自动重试。",
)
_REFUSED: Final = Text(
    "{host}:{port} refuses the edge node with code {code}. Correct its user and password.",
    "{host}:{port} 拒绝边缘节点，代码 {code}。请更正其用户名和密码。",
)
_CUT: Final = Text("A field ends too early.", "字段不完整。")

TYPES: Final = {
    "Int8": 1, "Int16": 2, "Int32": 3, "Int64": 4, "UInt8": 5, "UInt16": 6, "UInt32": 7, "UInt64": 8, "Float": 9,
    "Double": 10, "Boolean": 11, "String": 12, "DateTime": 13, "Text": 14, "UUID": 15, "DataSet": 16, "Bytes": 17,
    "File": 18, "Template": 19, "Int16Array": 23, "Int32Array": 24, "DoubleArray": 31, "BooleanArray": 32,
    "StringArray": 33,
}  # fmt: skip
"""Numbers of the data types a simulated metric can have."""


def varint(number: int) -> bytes:
    """Encode a number in groups of seven bits."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def numeric(field_number: int, number: int) -> bytes:
    """Encode a field that holds a number; negative ones as their 64-bit two's complement."""
    return varint(field_number << 3) + varint(number & (1 << 64) - 1)


def framed(field_number: int, body: bytes | str) -> bytes:
    """Encode a field that holds bytes, a text or a message."""
    raw = body.encode() if isinstance(body, str) else body
    return varint(field_number << 3 | 2) + varint(len(raw)) + raw


def value_field(kind: str, value: Any) -> bytes:
    """Encode a metric's value in the field its data type wants."""
    if kind in {"Int8", "Int16", "Int32"}:
        return numeric(10, value & 0xFFFF_FFFF)
    if kind in {"UInt8", "UInt16"}:
        return numeric(10, value)
    if kind in {"UInt32", "Int64", "UInt64", "DateTime"}:
        return numeric(11, value)
    if kind == "Float":
        return varint(12 << 3 | 5) + struct.pack("<f", value)
    if kind == "Double":
        return varint(13 << 3 | 1) + struct.pack("<d", value)
    if kind == "Boolean":
        return numeric(14, int(value))
    if kind in {"String", "Text", "UUID"}:
        return framed(15, value)
    return framed({"DataSet": 17, "Template": 18}.get(kind, 16), value)


def properties_field(properties: dict[str, Any]) -> bytes:
    """Encode properties: texts, truth values and whole numbers."""
    keys, values = b"", b""
    for key, value in properties.items():
        keys += framed(1, key)
        if isinstance(value, bool):
            values += framed(2, numeric(1, TYPES["Boolean"]) + numeric(7, int(value)))
        elif isinstance(value, int):
            values += framed(2, numeric(1, TYPES["Int32"]) + numeric(3, value & 0xFFFF_FFFF))
        else:
            values += framed(2, numeric(1, TYPES["String"]) + framed(8, value))
    return framed(9, keys + values)


def fields(body: bytes) -> Iterator[tuple[int, Any]]:
    """Go through the fields of a message: numbers as int, the rest as bytes; raises DecodeError."""
    place = 0

    def number() -> int:
        nonlocal place
        found = shift = 0
        while place < len(body) and shift < 70:
            byte = body[place]
            place += 1
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
            shift += 7
        raise DecodeError(_CUT)

    while place < len(body):
        tag = number()
        if tag & 7 == 0:
            yield tag >> 3, number()
            continue
        size = {1: 8, 2: -1, 5: 4}.get(tag & 7, 0)
        size = number() if size < 0 else size
        if not 0 < size <= len(body) - place and tag & 7 != 2:
            raise DecodeError(_CUT)
        yield tag >> 3, body[place : place + size]
        place += size


@dataclass(slots=True)
class Order:
    """One metric of a command: by name or alias, and the value's field as it came."""

    name: str = ""
    alias: int | None = None
    kind: int = 0
    value: Any = None


def orders(payload: bytes) -> list[Order]:
    """Return the metrics of a command; raises DecodeError."""
    found = []
    for field_number, body in fields(payload):
        if field_number != 2:
            continue
        order = Order()
        for inner, value in fields(body):
            if inner == 1:
                order.name = value.decode()
            elif inner == 2:
                order.alias = value
            elif inner == 4:
                order.kind = value
            elif inner in {10, 11, 14, 15}:
                order.value = value.decode() if inner == 15 else value
            elif inner in {12, 13}:
                order.value = struct.unpack("<f" if inner == 12 else "<d", value)[0]
        found.append(order)
    return found


def packet(kind: int, body: bytes) -> bytes:
    """Return an MQTT packet; `kind` is its first byte."""
    return bytes([kind]) + varint(len(body)) + body


def text(value: str | bytes) -> bytes:
    """Return a text or bytes with their length before them."""
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


@dataclass
class Client:
    """A minimal MQTT client: one will, a few subscriptions, messages out with QoS 0."""

    host: str
    port: int
    client_id: str
    user: str = ""
    password: str = field(default="", repr=False)
    take: Callable[[str, bytes], None] = lambda _topic, _payload: None
    _writer: asyncio.StreamWriter | None = None

    async def open(self, will_topic: str, will: bytes, topics: list[str]) -> asyncio.StreamReader:
        """Connect with a will of QoS 1 and subscribe; raises NotConnected or Rejected."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reader, self._writer = await asyncio.open_connection(self.host, self.port)
                flags = 0x02 | 0x04 | 0x08 | (0xC0 if self.user else 0)
                body = text("MQTT") + bytes([4, flags]) + KEEP_ALIVE_S.to_bytes(2, "big")
                body += text(self.client_id) + text(will_topic) + text(will)
                body += text(self.user) + text(self.password) if self.user else b""
                self._writer.write(packet(0x10, body))
                kind, answer = await _packet(reader)
                if kind == 0x20 and answer[1:2] not in {b"", b"\0"}:
                    raise Rejected(_REFUSED, host=self.host, port=self.port, code=answer[1])
                wanted = b"".join(text(topic) + b"\1" for topic in topics)
                self._writer.write(packet(0x82, b"\0\1" + wanted))
                while (await self._one(reader)) != 0x90:
                    pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError, EOFError) as error:
            self.abort()
            raise NotConnected(_AWAY, host=self.host, port=self.port, reason=type(error).__name__) from error
        except BaseException:
            self.abort()
            raise
        return reader

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Take what comes and give signs of life until contact ends."""
        pinging = asyncio.create_task(self._ping())
        try:
            while True:
                await self._one(reader)
        except (OSError, asyncio.IncompleteReadError, EOFError):
            return
        finally:
            pinging.cancel()

    def publish(self, topic: str, payload: bytes) -> None:
        """Send with QoS 0; what is sent without contact is lost, as on a real line."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(packet(0x30, text(topic) + payload))

    async def close(self) -> None:
        """Say farewell: the will is not sent."""
        writer = self._writer
        if writer is not None and not writer.is_closing():
            writer.write(packet(0xE0, b""))
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self._writer = None

    def abort(self) -> None:
        """End contact without a word, as a pulled cable does: the broker sends the will."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._writer = None

    async def _ping(self) -> None:
        while self._writer is not None:
            await asyncio.sleep(KEEP_ALIVE_S / 2)
            if self._writer is not None:
                self._writer.write(packet(0xC0, b""))

    async def _one(self, reader: asyncio.StreamReader) -> int:
        """Read one packet; messages are handed on and acknowledged."""
        kind, body = await _packet(reader)
        if kind & 0xF0 == 0x30:
            length = int.from_bytes(body[:2], "big")
            start = 2 + length + (2 if kind & 6 else 0)
            if kind & 6 and self._writer is not None:
                self._writer.write(packet(0x40, body[2 + length : start]))
            self.take(body[2 : 2 + length].decode(), body[start:])
        return kind


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80 or shift > 21:
            break
    if size > PACKET_BYTES_MAX:
        raise EOFError
    return kind, await reader.readexactly(size)
