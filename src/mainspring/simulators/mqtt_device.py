"""A device that publishes JSON over a real socket and takes commands, for tests and the demo plant.

It speaks MQTT 3.1.1 in the few lines below, on its own: a fault in the drivers' packets would not be mirrored here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_PUBLISH, _PUBACK, _SUBSCRIBE, _CONNACK = 0x30, 0x40, 0x82, 0x20


def _field(content: str | bytes) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return len(raw).to_bytes(2, "big") + raw


def _packet(first: int, body: bytes) -> bytes:
    length, header = len(body), bytearray((first,))
    while length > 127:
        header.append(length & 127 | 128)
        length >>= 7
    header.append(length)
    return bytes(header) + body


class Refused(Exception):
    """The broker does not let the device in; the code is that of CONNACK."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"CONNACK code {code}")


class MqttDevice:
    """One device; `publish` with QoS 1 returns when it was acknowledged."""

    def __init__(self, port: int, user: str, password: str, *, client_id: str = "", host: str = "127.0.0.1") -> None:
        self.host, self.port = host, port
        self.user, self.password = user, password
        self.client_id = client_id or user
        self.on_command: Callable[[str, Any], None] = lambda _topic, _content: None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._number = 0

    @property
    def connected(self) -> bool:
        """Tell whether the broker still holds the connection."""
        return self._reading is not None and not self._reading.done()

    async def connect(self) -> None:
        """Sign in; raises Refused or OSError."""
        await self.close()
        self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
        body = _field("MQTT") + bytes((4, 0xC2)) + (60).to_bytes(2, "big")
        self._writer.write(_packet(0x10, body + _field(self.client_id) + _field(self.user) + _field(self.password)))
        try:
            answer = await self._reader.readexactly(4)
        except (asyncio.IncompleteReadError, OSError) as error:
            await self.close()
            raise ConnectionResetError from error
        if answer[0] != _CONNACK or answer[3]:
            await self.close()
            raise Refused(answer[3])
        self._reading = asyncio.create_task(self._read(self._reader))

    async def publish(self, topic: str, content: Any, *, qos: int = 1, retain: bool = False) -> None:
        """Publish JSON, or bytes as they are."""
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        first = _PUBLISH | qos << 1 | retain
        if not qos:
            await self._send(_packet(first, _field(topic) + payload))
            return
        number, answer = self._expect()
        await self._send(_packet(first, _field(topic) + number.to_bytes(2, "big") + payload))
        await answer

    async def subscribe(self, *filters: str) -> bytes:
        """Subscribe to commands with QoS 1; returns what was granted."""
        number, answer = self._expect()
        wanted = b"".join(_field(text) + b"\x01" for text in filters)
        await self._send(_packet(_SUBSCRIBE, number.to_bytes(2, "big") + wanted))
        return (await answer)[2:]

    async def close(self) -> None:
        """End without a farewell, as a device does that loses power."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
        writer, self._writer, self._reading = self._writer, None, None
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _expect(self) -> tuple[int, asyncio.Future[bytes]]:
        self._number = self._number % 65535 + 1
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        return self._number, answer

    async def _send(self, raw: bytes) -> None:
        if self._writer is None or not self.connected:
            raise ConnectionResetError
        self._writer.write(raw)
        await self._writer.drain()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                first = (await reader.readexactly(1))[0]
                length = shift = 0
                while (digit := (await reader.readexactly(1))[0]) > 127:
                    length |= (digit & 127) << shift
                    shift += 7
                self._take(first, await reader.readexactly(length | digit << shift))
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionResetError())
                    answer.exception()
            self._answers.clear()

    def _take(self, first: int, body: bytes) -> None:
        if first & 0xF0 == _PUBLISH:
            end = 2 + int.from_bytes(body[:2], "big")
            topic, payload = body[2:end].decode(), body[end:]
            if first & 6:
                if self._writer is not None:
                    self._writer.write(_packet(_PUBACK, payload[:2]))
                payload = payload[2:]
            self.on_command(topic, json.loads(payload))
        elif (answer := self._answers.pop(int.from_bytes(body[:2], "big"), None)) is not None and not answer.done():
            answer.set_result(body)
