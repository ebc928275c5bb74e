"""A session with another broker: our own client of MQTT 3.1.1 over TCP or TLS.

With QoS 1 the session is persistent: what the broker has sent and the gateway has not kept comes again after a cut.
Source: OASIS MQTT 3.1.1, section 3 and 4.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, cast

from mainspring.core.drivers import Host, Traffic
from mainspring.core.errors import DecodeError, NotConnected, Rejected, reason_of
from mainspring.core.text import Text
from mainspring.drivers import mqtt_packets as packets
from mainspring.drivers.mqtt_packets import Ack, Bare, ConnectAck, Decoder, Message, Packet, SubscribeAck
from mainspring.drivers.mqtt_session import SEEN_MAX, MqttSettings, Refuse, Session, Step, Take

GATHER_S: Final = 0.01
LOOK_S: Final = 2.0
WAITING_MAX: Final = 20_000
"""Messages that may wait to be handed over; the broker is not read from beyond."""
IDS: Final = "mqtt_client_ids"
"""Part of the gateway that holds the client ids in use, so that a test does not push out the connection it tests."""

_NO_NAME: Final = Text(
    "The address {host} is not known ({reason}). Correct it, or look at the name server.",
    "无法解析地址 {host}（{reason}）。请更正地址或检查域名服务器。",
)
_NO_PORT: Final = Text(
    "{host} does not answer on port {port} ({reason}). Look whether the broker runs and a firewall lets it through.",
    "{host} 的端口 {port} 无应答（{reason}）。请检查代理是否运行以及防火墙。",
)
_NO_TRUST: Final = Text(
    "{host} shows a certificate that is not trusted ({reason}). Enter the authority that issued it.",
    "{host} 出示的证书不受信任（{reason}）。请填写其颁发机构。",
)
_FILES: Final = Text(
    "Certificate or key cannot be used ({reason}). Correct the files in the connection.",
    "证书或密钥无法使用（{reason}）。请在连接中更正文件。",
)
_LOST: Final = Text(
    "Contact with {host} was lost ({reason}). It is tried again; look at network and broker.",
    "与 {host} 的连接已断开（{reason}），将自动重试。请检查网络和代理。",
)
_SILENT: Final = Text(
    "{host} did not answer within {seconds:g} s. It is tried again; look whether the port is that of an MQTT broker.",
    "{host} 在 {seconds:g} 秒内无应答，将自动重试。请确认该端口属于 MQTT 代理。",
)
_CODES: Final = {
    packets.BAD_VERSION: Text(
        "{host} does not speak MQTT 3.1.1. Switch this version on in the broker.",
        "{host} 不支持 MQTT 3.1.1，请在代理上启用该版本。",
    ),
    packets.BAD_CLIENT: Text(
        "{host} does not accept the client id {client}. Enter one that the broker knows.",
        "{host} 不接受客户端标识 {client}，请填写代理认可的标识。",
    ),
    packets.BAD_LOGIN: Text(
        "{host} does not accept user and password. Correct them in the connection.",
        "{host} 不接受用户名和密码，请在连接中更正。",
    ),
    packets.NO_RIGHT: Text(
        "{host} does not let this user in. Grant the right on the broker.",
        "{host} 不允许该用户接入，请在代理上授予权限。",
    ),
}
_BUSY: Final = Text(
    "{host} says it is not available (code {code}). It is tried again.",
    "{host} 表示当前不可用（代码 {code}），将自动重试。",
)
_REFUSED: Final = Text(
    "{host} refuses the subscription to {filter}. Correct the topic, or grant the right on the broker.",
    "{host} 拒绝订阅 {filter}。请更正主题，或在代理上授予权限。",
)


class _Wire(asyncio.Protocol):
    """The socket: packets in, and the answers that wait for them."""

    def __init__(self, owner: BrokerSession) -> None:
        self._owner = owner
        self._decoder = Decoder(owner.settings.packet_bytes_max)
        self.transport = cast(asyncio.Transport, None)
        self.lost: asyncio.Future[NotConnected] = asyncio.get_running_loop().create_future()
        self.answers: dict[tuple[int, int], asyncio.Future[Packet]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._owner.traffic.bytes_in += len(data)
        found: list[Packet] = []
        try:
            self._decoder.feed(data, found)
        except DecodeError as error:
            self._owner.refuse(error.text, 1)
            self.fail(error.text.en)
        messages = [packet for packet in found if type(packet) is Message]
        if messages:
            self._owner.came(messages)
        if len(messages) == len(found):
            return
        for packet in found:
            key = _key(packet)
            if key is not None and (answer := self.answers.pop(key, None)) is not None and not answer.done():
                answer.set_result(packet)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail("closed by the broker" if exc is None else str(exc) or type(exc).__name__)

    def fail(self, reason: str) -> None:
        """End contact; everyone who waits is told."""
        if self.lost.done():
            return
        error = NotConnected(_LOST, host=self._owner.settings.host, reason=reason)
        self.lost.set_result(error)
        for answer in self.answers.values():
            if not answer.done():
                answer.set_exception(error)
                answer.exception()
        self.answers.clear()
        self.transport.close()

    async def ask(self, request: bytes, key: tuple[int, int], limit_s: float) -> Packet:
        """Send a packet and await its answer; raises NotConnected."""
        if self.lost.done():
            raise self.lost.result()
        answer: asyncio.Future[Packet] = asyncio.get_running_loop().create_future()
        self.answers[key] = answer
        self.transport.write(request)
        try:
            async with asyncio.timeout(limit_s):
                return await answer
        except TimeoutError as error:
            raise NotConnected(_SILENT, host=self._owner.settings.host, seconds=limit_s) from error
        finally:
            self.answers.pop(key, None)


def _key(packet: Packet) -> tuple[int, int] | None:
    """Return what an answer is found by: its type and packet id."""
    if type(packet) is Ack:
        return packet.kind, packet.id
    if type(packet) is SubscribeAck:
        return packets.SUBACK, packet.id
    if type(packet) is ConnectAck:
        return packets.CONNACK, 0
    if type(packet) is Bare and packet.kind == packets.PINGRESP:
        return packets.PINGRESP, 0
    return None


class BrokerSession(Session):
    """A session with another broker."""

    def __init__(self, settings: MqttSettings, host: Host, traffic: Traffic, refuse: Refuse) -> None:
        super().__init__(settings, host, traffic, refuse)
        self._wire: _Wire | None = None
        self._client_id = ""
        self._own_id = False
        self._number = 0
        self._inbox: list[Message] = []
        self._stirred = asyncio.Event()
        self._paused = False
        self._pinging = asyncio.Lock()

    @property
    def _limit_s(self) -> float:
        return self.settings.timeout_ms / 1000

    @property
    def _open(self) -> _Wire:
        if self._wire is None:
            raise NotConnected(_LOST, host=self.settings.host, reason="closed")
        return self._wire

    async def open(self) -> None:
        """Connect and sign in."""
        await self.close()
        try:
            await self._resolve()
            await self._reach()
            await self._sign_in()
        except BaseException:
            await self.close()
            raise

    async def _resolve(self) -> Text:
        settings = self.settings
        try:
            async with asyncio.timeout(self._limit_s):
                found = await asyncio.get_running_loop().getaddrinfo(
                    settings.host, settings.port, type=socket.SOCK_STREAM
                )
        except (OSError, TimeoutError, UnicodeError) as error:
            raise NotConnected(_NO_NAME, host=settings.host, reason=reason_of(error)) from error
        address = str(found[0][4][0])
        return Text(address, address)

    async def _reach(self) -> Text:
        settings = self.settings
        context = self._context() if settings.tls else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limit_s):
                _, wire = await loop.create_connection(lambda: _Wire(self), settings.host, settings.port, ssl=context)
        except ssl.SSLCertVerificationError as error:
            raise Rejected(_NO_TRUST, host=settings.host, reason=error.verify_message) from error
        except (OSError, TimeoutError) as error:
            reason = {"host": settings.host, "port": settings.port, "reason": reason_of(error)}
            raise NotConnected(_NO_PORT, **reason) from error
        self._wire = wire
        return Text(f"port {settings.port}", f"端口 {settings.port}")

    def _context(self) -> ssl.SSLContext:
        settings = self.settings
        try:
            context = ssl.create_default_context(cafile=None if settings.ca is None else str(settings.ca))
            if settings.client_certificate is not None:
                context.load_cert_chain(settings.client_certificate, settings.client_key)
        except (OSError, ValueError) as error:
            raise Rejected(_FILES, reason=str(error)) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    async def _sign_in(self) -> Text:
        settings, wire = self.settings, self._open
        used: set[str] = self.host.parts.setdefault(IDS, set())
        client_id = settings.client_id or self._made_id()
        self._own_id = client_id not in used and not self.host.passing
        if self._own_id:
            used.add(client_id)
        else:
            client_id = f"{client_id[:100]}-{id(self):x}"
        self._client_id = client_id
        request = packets.connect(
            client_id, clean=not self._own_id, keep_alive_s=settings.keep_alive_s, user=settings.user,
            password=settings.password, will=self.will if self._own_id else None,
        )  # fmt: skip
        answer = await wire.ask(request, (packets.CONNACK, 0), self._limit_s)
        assert type(answer) is ConnectAck
        if answer.code in _CODES:
            raise Rejected(_CODES[answer.code], host=settings.host, client=client_id)
        if answer.code != packets.ACCEPTED:
            raise NotConnected(_BUSY, host=settings.host, code=answer.code)
        return Text(client_id, client_id)

    def _made_id(self) -> str:
        """Return a client id that stays the same over restarts, so that the broker finds our session again."""
        settings = self.settings
        what = f"{self.host.tenant}/{self.host.gateway}/{settings.host}/{settings.port}/{settings.user}/{settings!r}"
        return f"ms-{hashlib.sha256(what.encode()).hexdigest()[:20]}"

    def came(self, messages: list[Message]) -> None:
        """Take what came from the socket."""
        self._inbox += messages
        self._stirred.set()
        if len(self._inbox) > WAITING_MAX and not self._paused:
            self._paused = True
            self._open.transport.pause_reading()

    async def subscribe(self, filters: Sequence[tuple[str, int]], take: Take) -> None:
        """Hand over what comes until contact is lost; acknowledges when the gateway has kept it."""
        await self._ask_for(filters)
        wire = self._open
        pinging = asyncio.ensure_future(self._keep_alive(wire))
        handing = asyncio.ensure_future(self._hand_over(wire, take))
        try:
            ends: set[asyncio.Future[Any]] = {wire.lost, pinging, handing}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in (handing, pinging):
                if task.done():
                    task.result()
            raise wire.lost.result()
        finally:
            for task in (pinging, handing):
                task.cancel()
            await asyncio.wait({pinging, handing})

    async def _ask_for(self, filters: Sequence[tuple[str, int]]) -> None:
        wire, number = self._open, self._next_number()
        answer = await wire.ask(packets.subscribe(number, filters), (packets.SUBACK, number), self._limit_s)
        assert type(answer) is SubscribeAck
        for (text, _), code in zip(filters, answer.codes, strict=False):
            if code == packets.REFUSED:
                raise Rejected(_REFUSED, host=self.settings.host, filter=text)

    async def _hand_over(self, wire: _Wire, take: Take) -> None:
        while True:
            await self._stirred.wait()
            await asyncio.sleep(GATHER_S)
            messages, self._inbox = self._inbox, []
            self._stirred.clear()
            if self._paused:
                self._paused = False
                wire.transport.resume_reading()
            self.hand_over(messages, take)
            owed = [message for message in messages if message.qos]
            if owed:
                try:
                    await self.host.kept()
                except asyncio.CancelledError:
                    # Tags have changed, and contact goes on: the broker waits for these and sends no more beside them.
                    self._inbox[:0] = owed
                    self._stirred.set()
                    raise
                acknowledged = b"".join(packets.ack(packets.PUBACK, message.id) for message in owed)
                self.traffic.bytes_out += len(acknowledged)
                wire.transport.write(acknowledged)

    async def _keep_alive(self, wire: _Wire) -> None:
        """Ask for a sign of life twice in the agreed time; silence ends contact."""
        period_s = self.settings.keep_alive_s / 2
        while True:
            await asyncio.sleep(period_s)
            await self._ping(wire)

    async def _ping(self, wire: _Wire) -> None:
        async with self._pinging:
            await wire.ask(packets.PING, (packets.PINGRESP, 0), self._limit_s)

    async def probe(self) -> None:
        """Ask for a sign of life."""
        await self._ping(self._open)

    async def publish(self, topic: str, payload: bytes, qos: int = 0, *, retain: bool = False) -> None:
        """Publish; QoS 1 waits for the broker's acknowledgement."""
        wire = self._open
        if wire.lost.done():
            raise wire.lost.result()
        self.traffic.requests += 1
        number = self._next_number() if qos else 0
        packet = packets.publish(Message(topic, payload, min(qos, 1), retain, False, number))
        self.traffic.bytes_out += len(packet)
        if not qos:
            wire.transport.write(packet)
            return
        await wire.ask(packet, (packets.PUBACK, number), self._limit_s)

    async def look(self, filters: Sequence[tuple[str, int]]) -> dict[str, bytes]:
        """Listen for a while, without acknowledging anything."""
        wire = self._open
        await self._ask_for([(text, 0) for text, _ in filters])
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limit_s):
                await self._stirred.wait()
            await asyncio.sleep(min(LOOK_S, self._limit_s))
        number = self._next_number()
        request = packets.unsubscribe(number, [text for text, _ in filters])
        await wire.ask(request, (packets.UNSUBACK, number), self._limit_s)
        seen: dict[str, bytes] = {}
        for message in self._inbox:
            if message.topic in seen or len(seen) < SEEN_MAX:
                seen[message.topic] = message.payload
        return seen

    async def close(self) -> None:
        """Say farewell and close the socket."""
        wire, self._wire = self._wire, None
        if self._own_id:
            self.host.parts[IDS].discard(self._client_id)
            self._own_id = False
        self._inbox = []
        self._stirred.clear()
        self._paused = False
        if wire is not None and not wire.lost.done():
            wire.transport.write(packets.BYE)
            wire.fail("closed")

    def steps(self, filters: Sequence[tuple[str, int]]) -> list[Step]:
        """Test address, port, sign-in and subscription."""

        async def subscribed() -> Text:
            await self._ask_for(filters)
            wanted = ", ".join(text for text, _ in filters)
            return Text(wanted, wanted)

        return [
            (Text("Address resolves", "地址可解析"), self._resolve),
            (Text("Port is open", "端口已打开"), self._reach),
            (Text("Sign-in accepted", "登录成功"), self._sign_in),
            (Text("Subscription granted", "订阅成功"), subscribed),
        ]

    def _next_number(self) -> int:
        self._number = self._number % 65535 + 1
        return self._number
