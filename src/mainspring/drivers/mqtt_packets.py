"""MQTT 3.1.1 packets: bytes in, packets out, and back.

Source: OASIS MQTT 3.1.1 (sections 2 and 3); of version 5 only what it takes to refuse it in words.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from mainspring.core.errors import DecodeError
from mainspring.core.text import Text

(
    CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP,
    SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT,
) = range(1, 15)  # fmt: skip

LENGTH_MAX: Final = 268_435_455
"""Largest remaining length the protocol can write."""
TOPIC_BYTES_MAX: Final = 1024
"""Longest topic or filter taken; the protocol allows 65,535."""
FILTERS_MAX: Final = 200
TOPICS_KNOWN_MAX: Final = 200_000
"""Topics kept as text, so that a topic that comes again is neither decoded nor checked again."""

PING: Final = b"\xc0\x00"
PONG: Final = b"\xd0\x00"
BYE: Final = b"\xe0\x00"
REFUSED: Final = 0x80
"""Return code of a refused subscription."""
ACCEPTED, BAD_VERSION, BAD_CLIENT, UNAVAILABLE, BAD_LOGIN, NO_RIGHT = range(6)
"""Return codes of CONNACK."""

TOO_LARGE: Final = Text(
    "A packet larger than the limit was refused as soon as its length was read. "
    "Let the device send less at a time, or raise packet_bytes_max.",
    "一个超出上限的报文在读到其长度时即被拒绝。请减小设备单次发送的内容，或调大 packet_bytes_max。",
)
_MALFORMED: Final = Text(
    "Bytes that are not MQTT arrived ({reason}) and the connection was closed. Check protocol and port of the sender.",
    "收到不符合 MQTT 的字节（{reason}），连接已关闭。请检查发送方的协议和端口。",
)
_REASONS: Final = {
    "flags": "wrong flags", "kind": "unknown packet type", "length": "wrong length", "text": "not UTF-8",
    "topic": "wrong topic", "id": "packet id 0", "qos": "wrong QoS", "order": "packet out of order",
}  # fmt: skip
_FAULTS: Final = {key: _MALFORMED.format(reason=reason) for key, reason in _REASONS.items()}
# The reserved flags of each type; PUBLISH has its own.
_FLAGS: Final = dict.fromkeys(range(CONNECT, DISCONNECT + 1), 0) | {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}
_ID: Final = struct.Struct(">H")
_ACK: Final = struct.Struct(">BBH")


class Message(NamedTuple):
    """One published message; `duplicate` and `id` are of the wire (0 with QoS 0) and mean nothing beyond it."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    duplicate: bool = False
    id: int = 0


class Connect(NamedTuple):
    """A client introduces itself; of any level but 3 and 4 only the level is read."""

    level: int
    client_id: str = ""
    clean: bool = True
    keep_alive_s: int = 0
    user: str | None = None
    password: bytes | None = None
    will: Message | None = None


class ConnectAck(NamedTuple):
    """The answer to CONNECT."""

    code: int
    session_present: bool


class Ack(NamedTuple):
    """PUBACK, PUBREC, PUBREL, PUBCOMP or UNSUBACK."""

    kind: int
    id: int


class Subscribe(NamedTuple):
    """Filters with the QoS asked for."""

    id: int
    filters: tuple[tuple[str, int], ...]


class SubscribeAck(NamedTuple):
    """What was granted, filter by filter."""

    id: int
    codes: bytes


class Unsubscribe(NamedTuple):
    """Filters that end."""

    id: int
    filters: tuple[str, ...]


class Bare(NamedTuple):
    """PINGREQ, PINGRESP or DISCONNECT."""

    kind: int


Packet = Message | Connect | ConnectAck | Ack | Subscribe | SubscribeAck | Unsubscribe | Bare

_topics: dict[bytes, str] = {}
_made = tuple.__new__
"""Makes a message in a third of the time of its generated constructor."""


def malformed(reason: str) -> DecodeError:
    """Return the error for bytes that are not MQTT; `reason` is one of a few, so that errors can be counted."""
    return DecodeError(_FAULTS[reason])


class Decoder:
    """Cuts a byte stream into packets; holds at most one incomplete packet."""

    def __init__(self, packet_bytes_max: int) -> None:
        self.packet_bytes_max = packet_bytes_max
        self._pieces: list[bytes] = []
        self._missing = 0

    @property
    def begun(self) -> bool:
        """Tell whether a packet has begun and is not complete."""
        return bool(self._pieces)

    def feed(self, chunk: bytes, out: list[Packet]) -> None:
        """Append the packets that are complete to `out`.

        Raises DecodeError behind the last good packet; the stream is of no use afterwards.
        """
        if self._missing > len(chunk):
            self._pieces.append(chunk)
            self._missing -= len(chunk)
            return
        if self._pieces:
            chunk = b"".join((*self._pieces, chunk))
            self._pieces.clear()
        self._missing = 0
        position, end = 0, len(chunk)
        while position < end:
            first, start, length = chunk[position], position + 2, 0
            if start <= end:
                length = chunk[position + 1]
                if length > 127:
                    start, length = _long_length(chunk, position)
            else:
                start = 0
            if not start:
                self._pieces.append(chunk[position:])
                self._missing = 1
                return
            stop = start + length
            if stop - position > self.packet_bytes_max:
                raise DecodeError(TOO_LARGE)
            if stop > end:
                # What cannot become a packet is not waited for.
                if not 0 < first >> 4 < 15:
                    raise malformed("kind")
                self._pieces.append(chunk[position:])
                self._missing = stop - end
                return
            if first >> 4 == PUBLISH:
                out.append(_message(chunk, first, start, stop))
            else:
                out.append(_other(chunk, first, start, stop))
            position = stop


def _long_length(chunk: bytes, position: int) -> tuple[int, int]:
    """Return where the body starts and its length; (0, 0) if the length is not complete yet."""
    length = 0
    for index in range(4):
        place = position + 1 + index
        if place >= len(chunk):
            return 0, 0
        digit = chunk[place]
        length |= (digit & 127) << 7 * index
        if digit < 128:
            return place + 1, length
    raise malformed("length")


def _message(chunk: bytes, first: int, start: int, stop: int) -> Message:
    body = start + 2
    if body > stop:
        raise malformed("length")
    end = body + (chunk[start] << 8 | chunk[start + 1])
    qos = first >> 1 & 3
    payload = end + 2 if qos else end
    if payload > stop:
        raise malformed("length")
    if qos == 3 or (not qos and first & 8):
        raise malformed("qos")
    raw = chunk[body:end]
    topic = _topics.get(raw) or _topic(raw)
    number = 0
    if qos:
        number = chunk[end] << 8 | chunk[end + 1]
        if not number:
            raise malformed("id")
    return _made(Message, (topic, chunk[payload:stop], qos, first & 1 == 1, first & 8 == 8, number))


def _topic(raw: bytes) -> str:
    topic = _text(raw)
    if not valid_topic(topic):
        raise malformed("topic")
    if len(_topics) >= TOPICS_KNOWN_MAX:
        _topics.clear()
    _topics[raw] = topic
    return topic


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise malformed("text") from error
    if "\0" in text:
        raise malformed("text")
    return text


def valid_topic(topic: str) -> bool:
    """Tell whether something can be published under this topic."""
    return len(topic) > 0 and len(topic.encode()) <= TOPIC_BYTES_MAX and not set(topic) & {"+", "#", "\0"}


def valid_filter(text: str) -> bool:
    """Tell whether a topic filter is well formed: `+` for a whole level, `#` as the last one."""
    if not text or "\0" in text or len(text.encode()) > TOPIC_BYTES_MAX:
        return False
    levels = text.split("/")
    return all(
        level == "+" or (level == "#" and place == len(levels) - 1) or not set(level) & {"+", "#"}
        for place, level in enumerate(levels)
    )


def matches(text: str, topic: str) -> bool:
    """Tell whether a filter takes a topic; one that begins with `$` is not taken by a leading wildcard."""
    levels, names = text.split("/"), topic.split("/")
    if names[0][:1] == "$" and levels[0] in ("+", "#"):
        return False
    for place, level in enumerate(levels):
        if level == "#":
            return True
        if place >= len(names) or level not in ("+", names[place]):
            return False
    return len(levels) == len(names)


class _Body:
    """The body of a packet, read field by field."""

    def __init__(self, chunk: bytes, start: int, stop: int) -> None:
        self._chunk, self._place, self._stop = chunk, start, stop

    @property
    def left(self) -> int:
        return self._stop - self._place

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise malformed("length")
        self._place += size
        return self._chunk[self._place - size : self._place]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def id(self) -> int:
        number = self.number()
        if not number:
            raise malformed("id")
        return number

    def binary(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        return _text(self.binary())

    def filter(self) -> str:
        text = self.text()
        if not valid_filter(text):
            raise malformed("topic")
        return text

    def ended(self) -> None:
        if self.left:
            raise malformed("length")


def _other(chunk: bytes, first: int, start: int, stop: int) -> Packet:
    kind = first >> 4
    if kind not in _FLAGS:
        raise malformed("kind")
    if first & 15 != _FLAGS[kind]:
        raise malformed("flags")
    body = _Body(chunk, start, stop)
    packet: Packet
    if kind in (PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK):
        packet = Ack(kind, body.id())
    elif kind in (PINGREQ, PINGRESP, DISCONNECT):
        packet = Bare(kind)
    elif kind == CONNECT:
        packet = _connect(body)
        if packet.level not in (3, 4):
            return packet
    elif kind == CONNACK:
        flags = body.byte()
        if flags > 1:
            raise malformed("flags")
        packet = ConnectAck(body.byte(), bool(flags))
    elif kind == SUBACK:
        packet = SubscribeAck(body.id(), body.take(body.left))
    else:
        packet = _filters(kind, body)
    body.ended()
    return packet


def _filters(kind: int, body: _Body) -> Packet:
    number = body.id()
    filters: list[tuple[str, int]] = []
    while body.left:
        if len(filters) >= FILTERS_MAX:
            raise malformed("length")
        text, qos = body.filter(), 0
        if kind == SUBSCRIBE:
            qos = body.byte()
            if qos > 2:
                raise malformed("qos")
        filters.append((text, qos))
    if not filters:
        raise malformed("length")
    if kind == SUBSCRIBE:
        return Subscribe(number, tuple(filters))
    return Unsubscribe(number, tuple(text for text, _ in filters))


def _connect(body: _Body) -> Connect:
    name, level = body.text(), body.byte()
    if name not in ("MQTT", "MQIsdp"):
        raise malformed("text")
    if (name, level) not in (("MQTT", 4), ("MQIsdp", 3)):
        return Connect(5 if level in (3, 4) else level)
    flags, keep_alive_s, client_id = body.byte(), body.number(), body.text()
    if flags & 1:
        raise malformed("flags")
    will, will_qos, will_retain = bool(flags & 4), flags >> 3 & 3, bool(flags & 32)
    if will_qos == 3 or (not will and (will_qos or will_retain)):
        raise malformed("qos")
    message = None
    if will:
        topic = body.text()
        if not valid_topic(topic):
            raise malformed("topic")
        message = Message(topic, body.binary(), will_qos, will_retain)
    user = body.text() if flags & 128 else None
    if flags & 64 and user is None:
        raise malformed("flags")
    password = body.binary() if flags & 64 else None
    return Connect(level, client_id, bool(flags & 2), keep_alive_s, user, password, message)


# Writing


def _packet(first: int, *parts: bytes) -> bytes:
    length = sum(map(len, parts))
    assert length <= LENGTH_MAX
    header = bytearray((first,))
    while length > 127:
        header.append(length & 127 | 128)
        length >>= 7
    header.append(length)
    return b"".join((header, *parts))


def _field(content: str | bytes) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return _ID.pack(len(raw)) + raw


def connect(
    client_id: str,
    *,
    clean: bool,
    keep_alive_s: int,
    user: str = "",
    password: str = "",
    will: Message | None = None,
) -> bytes:
    """Write CONNECT of 3.1.1; an empty user is none."""
    flags = 2 * clean
    fields = [_field(client_id)]
    if will is not None:
        flags |= 4 | will.qos << 3 | will.retain << 5
        fields += [_field(will.topic), _field(will.payload)]
    if user:
        flags |= 128
        fields.append(_field(user))
        if password:
            flags |= 64
            fields.append(_field(password))
    return _packet(CONNECT << 4, _field("MQTT"), bytes((4, flags)), _ID.pack(keep_alive_s), *fields)


def connect_ack(code: int, *, session_present: bool = False) -> bytes:
    """Write CONNACK."""
    return bytes((CONNACK << 4, 2, session_present, code))


def version_refusal(reason: str) -> bytes:
    """Write CONNACK of version 5: unsupported protocol version, with a sentence for whoever reads the client's log."""
    properties = b"\x1f" + _field(reason)
    assert len(properties) < 128
    return _packet(CONNACK << 4, b"\x00\x84", bytes((len(properties),)), properties)


def publish(message: Message) -> bytes:
    """Write PUBLISH."""
    first = PUBLISH << 4 | message.duplicate << 3 | message.qos << 1 | message.retain
    number = _ID.pack(message.id) if message.qos else b""
    return _packet(first, _field(message.topic), number, message.payload)


def ack(kind: int, number: int) -> bytes:
    """Write PUBACK, PUBREC, PUBREL, PUBCOMP or UNSUBACK."""
    return _ACK.pack(kind << 4 | _FLAGS[kind], 2, number)


def subscribe(number: int, filters: Sequence[tuple[str, int]]) -> bytes:
    """Write SUBSCRIBE."""
    parts = [_field(text) + bytes((qos,)) for text, qos in filters]
    return _packet(SUBSCRIBE << 4 | 2, _ID.pack(number), *parts)


def subscribe_ack(number: int, codes: bytes) -> bytes:
    """Write SUBACK."""
    return _packet(SUBACK << 4, _ID.pack(number), codes)


def unsubscribe(number: int, filters: Sequence[str]) -> bytes:
    """Write UNSUBSCRIBE."""
    return _packet(UNSUBSCRIBE << 4 | 2, _ID.pack(number), *map(_field, filters))
