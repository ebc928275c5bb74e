"""One device's connection to the listener: its handshake, its messages, its subscriptions, its end."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Final, cast

from mainspring.core.definitions import DeviceDefinition
from mainspring.core.errors import DecodeError, NotConnected
from mainspring.core.text import Text
from mainspring.drivers import mqtt_packets as packets
from mainspring.drivers.mqtt_access import may_publish, may_subscribe
from mainspring.drivers.mqtt_packets import Ack, Bare, Connect, Decoder, Message, Packet, Subscribe, Unsubscribe

if TYPE_CHECKING:
    from mainspring.drivers.mqtt_listener import Listener

CONNECT_BYTES_MAX: Final = 16 * 1024
"""Largest packet of someone who has not signed in."""
CONNECT_S: Final = 10.0
SLOW_ANSWER_S: Final = 1.0
WAITING_MAX: Final = 256
"""Messages of one device that may wait for the log; it is not read from beyond."""
SENT_MAX: Final = 100
"""Messages to one device that it has not acknowledged."""
OUT_BYTES_MAX: Final = 1024 * 1024
SUBSCRIPTIONS_MAX: Final = 100
TOPICS_MAX: Final = 1000
_SLOWED_MAX: Final = 50

_VERSION: Final = Text(
    "A device spoke MQTT 5 or a version that does not exist and was refused. Set it to MQTT 3.1.1.",
    "有设备使用 MQTT 5 或不存在的版本，已被拒绝。请将其设为 MQTT 3.1.1。",
)
_VERSION_REASON: Final = "This listener speaks MQTT 3.1.1; set the client to version 3.1.1 (protocol level 4)."
_LOGIN: Final = Text(
    "Someone showed a wrong user name, secret or certificate and was refused. "
    "Compare the device with its entry; a revoked or expired one needs a new secret.",
    "有连接出示了错误的用户名、密钥或证书，已被拒绝。请核对设备与其登记；已吊销或过期的设备需要新密钥。",
)
_OFTEN: Final = Text(
    "A device connected more often than once a second and was turned away for a moment. "
    "Look whether two devices share one credential, or its network breaks off.",
    "有设备的连接频率超过每秒一次，已暂时拒绝。请检查是否两台设备共用凭据，或网络是否不稳定。",
)
_TOPIC: Final = Text(
    "A device published to a topic it has no right to; its connection was ended. Correct its topic or its rights.",
    "有设备向无权限的主题发布消息，连接已断开。请更正其主题或权限。",
)
_FILTER: Final = Text(
    "A device asked for topics it has no right to read and got a refusal. Correct its filter or its rights.",
    "有设备订阅了无权读取的主题，已被拒绝。请更正其过滤器或权限。",
)
_MANY: Final = Text(
    "A device asked for more than 100 subscriptions; further ones were refused. Use wildcards.",
    "有设备的订阅数超过 100，多余的已被拒绝。请使用通配符。",
)
_SILENT: Final = Text(
    "A device was silent beyond its keep-alive and its connection was ended. Look at its network.",
    "有设备超过保活时间无响应，连接已断开。请检查其网络。",
)
_SLOW: Final = Text(
    "A device takes messages more slowly than they come and its connection was ended. Let it subscribe to less.",
    "有设备接收消息过慢，连接已断开。请减少其订阅。",
)
_LATE: Final = Text(
    "Someone opened a connection and did not sign in within ten seconds; it was ended.",
    "有连接打开后十秒内未登录，已断开。",
)
_ORDER: Final = Text(
    "A device sent packets in an order that MQTT does not allow and its connection was ended. Update its software.",
    "有设备发送的报文顺序不符合 MQTT，连接已断开。请更新其软件。",
)
_GONE: Final = Text(
    "The device went away before it acknowledged the message. Look whether it carried it out.",
    "设备在应答消息之前断开。请检查其是否已执行。",
)


class Peer(asyncio.Protocol):
    """Speaks MQTT with one device."""

    __slots__ = (
        "_allowed", "_answers", "_decoder", "_filters", "_heard", "_keep_alive_s", "_listener", "_number", "_paused",
        "_received", "_sent", "_transport", "_waiting", "_will", "client", "device",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        self.device: DeviceDefinition | None = None
        self.client = ""
        self._listener = listener
        self._transport = cast(asyncio.Transport, None)
        self._decoder = Decoder(CONNECT_BYTES_MAX)
        self._heard = time.monotonic()
        self._keep_alive_s = 0.0
        self._will: Message | None = None
        self._allowed: set[str] = set()
        self._answers = bytearray()
        self._filters: set[str] = set()
        self._received: dict[int, bool] = {}
        self._sent: dict[int, asyncio.Future[None]] = {}
        self._number = 0
        self._waiting = 0
        self._paused = False

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=OUT_BYTES_MAX)
        self._listener.entering.discard(self)
        self._listener.peers.add(self)

    def data_received(self, data: bytes) -> None:
        """Take what came; broken bytes end the connection behind the last good packet."""
        self._heard = time.monotonic()
        if self.device is None and not self._decoder.begun and data[0] != packets.CONNECT << 4:
            # Another protocol, most likely: its next bytes are not waited for.
            self._refuse(_ORDER)
            self.end()
            return
        found: list[Packet] = []
        fault = None
        try:
            self._decoder.feed(data, found)
        except DecodeError as error:
            fault = error
        for packet in found:
            if self._transport.is_closing():
                return
            if type(packet) is Message and self.device is not None:
                self._take(packet)
            elif self.device is None:
                if not self._handshake(packet):
                    return
            else:
                self._answer(packet)
        if self._listener.hub.answering:
            self._listener.hub.answer()
        if fault is not None:
            self._refuse(fault.text)
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the device; without a farewell its will is published, if it is still the one that signed in."""
        listener = self._listener
        listener.peers.discard(self)
        if self.device is not None:
            listener.note_seen(self.device.id, self._heard)
        for text in self._filters:
            listener.hub.unsubscribe(self, text)
        if self.device is not None and listener.by_client.get((self.device.id, self.client)) is self:
            del listener.by_client[self.device.id, self.client]
        for answer in self._sent.values():
            if not answer.done():
                answer.set_exception(NotConnected(_GONE))
                answer.exception()
        self._sent.clear()
        will, self._will = self._will, None
        if will is None or self.device is None:
            return
        known = listener.access.still(self.device)
        if known is not None and may_publish(known, will.topic):
            listener.hub.put(will, self)
        else:
            listener.hub.withhold(will)

    # The handshake

    def _handshake(self, packet: Packet) -> bool:
        """Sign the device in; False ends the reading of what came with it."""
        if type(packet) is not Connect:
            self._refuse(_ORDER)
            self._transport.abort()
            return False
        if packet.level not in (3, 4):
            self._refuse(_VERSION)
            later = packet.level > 4
            self._close(packets.version_refusal(_VERSION_REASON) if later else packets.connect_ack(packets.BAD_VERSION))
            return False
        device = self._listener.access.sign_in(packet.user, packet.password, self._certificate())
        if device is None:
            self._refuse_slowly()
            return False
        if self._listener.access.too_often(device.id):
            self._refuse(_OFTEN)
            self._close(packets.connect_ack(packets.UNAVAILABLE))
            return False
        if packet.will is not None and not may_publish(device, packet.will.topic):
            self._refuse(_TOPIC)
            self._close(packets.connect_ack(packets.NO_RIGHT))
            return False
        if not packet.client_id and not packet.clean:
            self._refuse(_ORDER)
            self._close(packets.connect_ack(packets.BAD_CLIENT))
            return False
        self._welcome(packet, device)
        return True

    def _welcome(self, packet: Connect, device: DeviceDefinition) -> None:
        listener = self._listener
        # Client ids are the device's own: nobody can push another one out by its name.
        self.client = packet.client_id or f"{id(self):x}"
        known = listener.by_client.get((device.id, self.client))
        if known is not None:
            known.end()
        listener.by_client[device.id, self.client] = self
        self.device = device
        self._will = packet.will
        self._keep_alive_s = packet.keep_alive_s * 1.5
        self._decoder.packet_bytes_max = listener.settings.packet_bytes_max
        self._transport.write(packets.connect_ack(packets.ACCEPTED))

    @property
    def _address(self) -> str:
        return str((self._transport.get_extra_info("peername") or ("",))[0])

    def _certificate(self) -> bytes | None:
        secured = self._transport.get_extra_info("ssl_object")
        if secured is None:
            return None
        return cast(ssl.SSLObject, secured).getpeercert(binary_form=True)

    def _refuse_slowly(self) -> None:
        """Answer a wrong password a second later; of an address that shows many, the rest are cut off."""
        self._refuse(_LOGIN)
        slowed = self._listener.slowed
        address = self._address
        if slowed[address] >= _SLOWED_MAX:
            self._transport.abort()
            return
        slowed[address] += 1
        self._transport.pause_reading()

        def answer() -> None:
            slowed[address] -= 1
            if not slowed[address]:
                del slowed[address]
            self._close(packets.connect_ack(packets.BAD_LOGIN))

        asyncio.get_running_loop().call_later(SLOW_ANSWER_S, answer)

    # Messages

    def _take(self, message: Message) -> None:
        device, listener = self.device, self._listener
        assert device is not None
        if message.topic not in self._allowed:
            if not may_publish(device, message.topic):
                # There is no negative answer in 3.1.1, and an acknowledgement would be untrue.
                self._refuse(_TOPIC)
                self.end()
                return
            if len(self._allowed) >= TOPICS_MAX:
                self._allowed.clear()
            self._allowed.add(message.topic)
        if message.qos:
            if message.qos == 2:
                if message.id in self._received:
                    # It came already; if it is kept the device missed our answer.
                    if self._received[message.id]:
                        self._transport.write(packets.ack(packets.PUBREC, message.id))
                    return
                self._received[message.id] = False
            self._waiting += 1
            if self._waiting >= WAITING_MAX:
                self._pause()
        listener.hub.put(message, self)
        if not listener.hub.roomy:
            self._pause()

    def acknowledge(self, message: Message) -> None:
        """Note that a message is kept."""
        self._waiting -= 1
        if not message.id:
            return
        if not self._answers:
            self._listener.hub.answering.append(self)
        if message.qos == 1:
            self._answers += packets.ack(packets.PUBACK, message.id)
        else:
            self._received[message.id] = True
            self._answers += packets.ack(packets.PUBREC, message.id)

    def answer(self) -> None:
        """Send what was acknowledged, in one write."""
        if not self._transport.is_closing():
            self._transport.write(bytes(self._answers))
        self._answers.clear()
        if self._paused:
            self.resume()

    def deliver(self, message: Message, qos: int) -> asyncio.Future[None] | None:
        """Send a message to the device; with QoS 1 the answer ends when it has acknowledged."""
        if self._transport.is_closing():
            return None
        full = len(self._sent) >= SENT_MAX or self._transport.get_write_buffer_size() > OUT_BYTES_MAX
        if full:
            self._refuse(_SLOW)
            self.end()
            return None
        if not qos:
            self._transport.write(packets.publish(Message(message.topic, message.payload, 0, message.retain)))
            return None
        self._number = self._number % 65535 + 1
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sent[self._number] = answer
        sent = Message(message.topic, message.payload, 1, message.retain, False, self._number)
        self._transport.write(packets.publish(sent))
        return answer

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read from the device again if there is room for its messages."""
        if self._paused and self._waiting < WAITING_MAX // 2 and self._listener.hub.roomy:
            self._paused = False
            self._heard = time.monotonic()
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # Everything else

    def _answer(self, packet: Packet) -> None:
        write = self._transport.write
        if type(packet) is Bare and packet.kind == packets.PINGREQ:
            write(packets.PONG)
        elif type(packet) is Bare and packet.kind == packets.DISCONNECT:
            self._will = None
            self._transport.close()
        elif type(packet) is Subscribe:
            self._subscribe(packet)
        elif type(packet) is Unsubscribe:
            for text in packet.filters:
                if text in self._filters:
                    self._filters.remove(text)
                    self._listener.hub.unsubscribe(self, text)
            write(packets.ack(packets.UNSUBACK, packet.id))
        elif type(packet) is Ack and packet.kind == packets.PUBACK:
            answer = self._sent.pop(packet.id, None)
            if answer is not None and not answer.done():
                answer.set_result(None)
        elif type(packet) is Ack and packet.kind == packets.PUBREL:
            self._received.pop(packet.id, None)
            write(packets.ack(packets.PUBCOMP, packet.id))
        else:
            self._refuse(_ORDER)
            self.end()

    def _subscribe(self, packet: Subscribe) -> None:
        device, hub = self.device, self._listener.hub
        assert device is not None
        codes = bytearray()
        retained: list[tuple[Message, int]] = []
        for text, qos in packet.filters:
            granted = min(qos, 1)
            full = len(self._filters) >= SUBSCRIPTIONS_MAX and text not in self._filters
            if full or not may_subscribe(device, text):
                self._refuse(_MANY if full else _FILTER)
                codes.append(packets.REFUSED)
                continue
            self._filters.add(text)
            retained += [(message, min(message.qos, granted)) for message in hub.subscribe(self, text, granted)]
            codes.append(granted)
        self._transport.write(packets.subscribe_ack(packet.id, bytes(codes)))
        for message, qos in retained:
            self.deliver(message, qos)

    def look(self, now: float) -> None:
        """End the connection if it has been silent too long, or if the device may no longer be here."""
        if self.device is not None:
            self._listener.note_seen(self.device.id, self._heard)
        if self.device is None:
            if now - self._heard > CONNECT_S:
                self._refuse(_LATE)
                self._transport.abort()
        elif self._keep_alive_s and now - self._heard > self._keep_alive_s and not self._paused:
            self._refuse(_SILENT)
            self.end()
        elif self._listener.access.get(self.device.id) is None:
            self._refuse(_LOGIN)
            self.end()

    def end(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def _close(self, last: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(last)
            self._transport.close()

    def _refuse(self, text: Text) -> None:
        name = self.device.name if self.device is not None else ""
        self._listener.refuse(text, name, self._address)
