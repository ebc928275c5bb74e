"""One TCP connection to a Modbus device: several requests in flight, answers matched by transaction id."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from mainspring.core.drivers import Traffic
from mainspring.core.errors import DecodeError, LimitExceeded, MainspringError, NotConnected, reason_of
from mainspring.core.text import Text
from mainspring.drivers.modbus_frames import HEADER, take_frames

QUEUE_MAX: Final = 100_000
"""Most requests waiting on one connection."""

_UNKNOWN_HOST = Text(
    "The name {host} has no address ({reason}). Check its spelling and the gateway's name server, or use the address.",
    "无法解析主机名 {host}（{reason}），请检查拼写和网关的域名服务器，或直接填写 IP 地址。",
)
_REFUSED = Text(
    "{peer} did not accept the connection ({reason}). Check the port, "
    "that Modbus TCP is switched on in the device, and firewalls between.",
    "{peer} 未接受连接（{reason}），请检查端口、设备是否启用 Modbus TCP 以及中间的防火墙。",
)
_UNREACHED = Text(
    "{peer} did not accept the connection within {timeout_ms} ms. Check power, cable and address of the device.",
    "{peer} 在 {timeout_ms} 毫秒内未接受连接，请检查设备的电源、网线和地址。",
)
_SILENT = Text(
    "{peer} unit {unit} did not answer within {timeout_ms} ms. "
    "Check the unit number and the device, or allow a longer time limit.",
    "{peer} 的单元 {unit} 在 {timeout_ms} 毫秒内未应答，请检查单元号和设备，或延长请求时限。",
)
_LOST = Text(
    "{peer} closed the connection. It is tried again; many devices allow only a few connections at once.",
    "{peer} 关闭了连接，将自动重试；许多设备只允许少量同时连接。",
)
_NOT_OPEN = Text(
    "There is no connection to {peer}. It is tried again.", "与 {peer} 没有连接，将自动重试。"
)  # fmt: skip
_TOO_MANY = Text(
    "More than {limit} requests wait for {peer}. Scan more slowly, or spread the tags over several connections.",
    "等待 {peer} 应答的请求超过 {limit} 个，请放慢扫描周期，或将测点分到多个连接。",
)


class Timing(NamedTuple):
    """How long an answer may take, and how many requests the device takes at once."""

    timeout_ms: int
    requests_in_flight: int


class _Exchange:
    """Requests asked together and their answers, in the same order."""

    __slots__ = ("answered", "answers", "missing", "unit")

    def __init__(self, unit: int, count: int) -> None:
        self.unit = unit
        self.answers: list[bytes] = [b""] * count
        self.missing = count
        self.answered: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()

    def put(self, slot: int, pdu: bytes) -> None:
        self.answers[slot] = pdu
        self.missing -= 1
        if not self.missing and not self.answered.done():
            self.answered.set_result(self.answers)

    def fail(self, error: MainspringError) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)


class _Request(NamedTuple):
    exchange: _Exchange
    slot: int
    query: bytes


class Link(asyncio.Protocol):
    """A connection; `open_link` makes it. Once it is lost it stays lost."""

    def __init__(self, peer: str, timing: Timing, traffic: Traffic) -> None:
        self.peer = peer
        self.late = 0
        """Answers that came after their time, or were never asked for; dropped."""
        self._timing = timing
        self._traffic = traffic
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiting: deque[_Request] = deque()
        self._sent: dict[int, tuple[_Request, float]] = {}
        self._transaction = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether requests can be sent."""
        return self._transport is not None

    async def exchange(self, unit: int, queries: Sequence[bytes], *, urgent: bool = False) -> list[bytes]:
        """Send all queries, as many at once as the device takes, and return their answers in order.

        Urgent ones go before what waits. Raises NotConnected when one answer is late or contact is lost, DecodeError
        when the stream is not Modbus TCP. A late answer leaves the connection open.
        """
        if self._transport is None:
            raise NotConnected(_NOT_OPEN, peer=self.peer)
        if len(self._waiting) + len(queries) > QUEUE_MAX:
            raise LimitExceeded(_TOO_MANY, peer=self.peer, limit=QUEUE_MAX)
        if not queries:
            return []
        exchange = _Exchange(unit, len(queries))
        requests = [_Request(exchange, slot, query) for slot, query in enumerate(queries)]
        if urgent:
            self._waiting.extendleft(reversed(requests))
        else:
            self._waiting.extend(requests)
        self._send()
        try:
            return await exchange.answered
        finally:
            if exchange.missing:
                self._forget(exchange)

    def close(self) -> None:
        """Close at once; what waits for an answer fails."""
        self._lose(NotConnected(_NOT_OPEN, peer=self.peer))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the open connection."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Give answers to who asked, and send what waited for them."""
        self._traffic.bytes_in += len(data)
        self._received += data
        try:
            frames = take_frames(self._received)
        except DecodeError as error:
            self._traffic.errors += 1
            self._lose(error)
            return
        sent_at = None
        for frame in frames:
            request, sent_at = self._sent.pop(frame.transaction, (None, sent_at))
            if request is None:
                self.late += 1
            else:
                request.exchange.put(request.slot, frame.pdu)
        if sent_at is not None:
            self._traffic.round_trip_ms = (self._loop.time() - sent_at) * 1000
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits for an answer."""
        self._lose(NotConnected(_LOST, peer=self.peer))

    def _send(self) -> None:
        room = min(self._timing.requests_in_flight - len(self._sent), len(self._waiting))
        if room <= 0 or self._transport is None:
            return
        now = self._loop.time()
        frames: list[bytes] = []
        for _ in range(room):
            request = self._waiting.popleft()
            self._transaction = (self._transaction + 1) & 0xFFFF
            self._sent[self._transaction] = request, now
            frames.append(HEADER.pack(self._transaction, 0, len(request.query) + 1, request.exchange.unit))
            frames.append(request.query)
        packet = b"".join(frames)
        self._traffic.requests += room
        self._traffic.bytes_out += len(packet)
        self._transport.write(packet)
        if self._timer is None:
            self._timer = self._loop.call_later(self._timing.timeout_ms / 1000, self._expire)

    def _expire(self) -> None:
        """Fail what has waited too long; one timer serves all, set for the oldest request."""
        self._timer = None
        limit_s = self._timing.timeout_ms / 1000
        overdue_at = self._loop.time() - limit_s
        for request, sent_at in list(self._sent.values()):
            if sent_at > overdue_at:
                self._timer = self._loop.call_at(sent_at + limit_s, self._expire)
                return
            exchange = request.exchange
            if not exchange.answered.done():
                self._traffic.errors += 1
            exchange.fail(NotConnected(_SILENT, peer=self.peer, unit=exchange.unit, timeout_ms=self._timing.timeout_ms))
            self._forget(exchange)

    def _forget(self, exchange: _Exchange) -> None:
        for transaction in [number for number, (request, _) in self._sent.items() if request.exchange is exchange]:
            del self._sent[transaction]
        if any(request.exchange is exchange for request in self._waiting):
            self._waiting = deque(request for request in self._waiting if request.exchange is not exchange)
        self._send()

    def _lose(self, error: MainspringError) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        requests = [*(request for request, _ in self._sent.values()), *self._waiting]
        self._sent.clear()
        self._waiting.clear()
        for request in requests:
            request.exchange.fail(error)


async def resolve(host: str, port: int, timeout_ms: int) -> str:
    """Return the first address of a host, or raise NotConnected."""
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotConnected(_UNKNOWN_HOST, host=host, reason=reason_of(error)) from error
    return str(found[0][4][0])


async def open_link(host: str, port: int, timing: Timing, traffic: Traffic) -> Link:
    """Connect within the time limit, or raise NotConnected in words."""
    peer = f"{host}:{port}"
    try:
        async with asyncio.timeout(timing.timeout_ms / 1000):
            _, link = await asyncio.get_running_loop().create_connection(
                lambda: Link(peer, timing, traffic), host, port
            )
    except TimeoutError as error:
        raise NotConnected(_UNREACHED, peer=peer, timeout_ms=timing.timeout_ms) from error
    except (socket.gaierror, UnicodeError) as error:
        raise NotConnected(_UNKNOWN_HOST, host=host, reason=reason_of(error)) from error
    except OSError as error:
        raise NotConnected(_REFUSED, peer=peer, reason=reason_of(error)) from error
    return link
