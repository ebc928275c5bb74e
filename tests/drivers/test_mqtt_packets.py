from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.core.errors import DecodeError
from mainspring.drivers import mqtt_packets as packets
from mainspring.drivers.mqtt_packets import Connect, ConnectAck, Decoder, Message, Packet

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
topics = st.text(st.characters(codec="utf-8", exclude_characters="+#\0"), min_size=1, max_size=60)
filters = st.sampled_from(["a", "a/b", "+", "#", "a/+/c", "a/#", "/", "$SYS/#", "产线/+"])
numbers = st.integers(1, 65535)
qos = st.integers(0, 2)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    level = draw(qos)
    number = draw(numbers) if level else 0
    duplicate = draw(st.booleans()) if level else False
    return Message(draw(topics), draw(st.binary(max_size=400)), level, draw(st.booleans()), duplicate, number)


@st.composite
def wills(draw: st.DrawFn) -> Message | None:
    parts = draw(st.none() | st.tuples(topics, st.binary(max_size=40), qos, st.booleans()))
    return None if parts is None else Message(*parts)


def decoded(stream: bytes, cuts: list[int], packet_bytes_max: int = 1_000_000) -> list[Packet]:
    decoder, start = Decoder(packet_bytes_max), 0
    out: list[Packet] = []
    for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]:
        decoder.feed(stream[start:cut], out)
        start = cut
    return out


@calm
@given(st.lists(messages(), max_size=6), st.lists(st.integers(0, 5000), max_size=6))
def test_messages_come_back_however_the_stream_is_cut(sent: list[Message], cuts: list[int]) -> None:
    assert decoded(b"".join(map(packets.publish, sent)), cuts) == sent


@calm
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
    st.booleans(), st.integers(0, 65535), st.sampled_from(["", "press-1"]), st.sampled_from(["", "secret"]), wills(),
)  # fmt: skip
def test_connect_comes_back(
    client: str, clean: bool, keep_alive_s: int, user: str, password: str, will: Message | None
) -> None:
    raw = packets.connect(client, clean=clean, keep_alive_s=keep_alive_s, user=user, password=password, will=will)
    shown = password.encode() if user and password else None
    assert decoded(raw, []) == [Connect(4, client, clean, keep_alive_s, user or None, shown, will)]


@calm
@given(numbers, st.lists(st.tuples(filters, qos), min_size=1, max_size=5))
def test_subscriptions_come_back(number: int, wanted: list[tuple[str, int]]) -> None:
    names = [text for text, _ in wanted]
    stream = packets.subscribe(number, wanted) + packets.unsubscribe(number, names)
    assert decoded(stream, [3]) == [
        packets.Subscribe(number, tuple(wanted)), packets.Unsubscribe(number, tuple(names)),
    ]  # fmt: skip


@calm
@given(numbers, st.binary(min_size=1, max_size=5))
def test_answers_come_back(number: int, codes: bytes) -> None:
    kinds = (packets.PUBACK, packets.PUBREC, packets.PUBREL, packets.PUBCOMP, packets.UNSUBACK)
    stream = b"".join(packets.ack(kind, number) for kind in kinds)
    stream += packets.subscribe_ack(number, codes) + packets.connect_ack(5, session_present=True)
    stream += packets.PING + packets.PONG + packets.BYE
    assert decoded(stream, [1, 5]) == [
        *(packets.Ack(kind, number) for kind in kinds),
        packets.SubscribeAck(number, codes),
        ConnectAck(5, True),
        *(packets.Bare(kind) for kind in (packets.PINGREQ, packets.PINGRESP, packets.DISCONNECT)),
    ]


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6))
def test_garbage_ends_in_a_decode_error_or_in_packets(chunks: list[bytes]) -> None:
    decoder = Decoder(4096)
    out: list[Packet] = []
    try:
        for chunk in chunks:
            decoder.feed(chunk, out)
    except DecodeError as error:
        assert error.text.en and error.text.zh


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_packet_ends_in_a_decode_error_or_in_packets(draw: st.DataObject) -> None:
    raw = bytearray(
        packets.connect("press", clean=True, keep_alive_s=9, user="u", password="p", will=Message("t", b"w", 1))
        + packets.publish(Message("line/1", b"{}", 1, False, False, 7))
        + packets.subscribe(3, [("a/+/#", 1)])
    )
    for place in draw.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
        raw[place] = draw.draw(st.integers(0, 255))
    try:
        decoded(bytes(raw), [])
    except DecodeError as error:
        assert error.text.en


def test_a_large_packet_is_refused_when_its_length_is_read() -> None:
    head = packets.publish(Message("t", bytes(50_000_000)))[:5]
    decoder = Decoder(1024 * 1024)
    out: list[Packet] = []
    with pytest.raises(DecodeError, match="larger than the limit"):
        decoder.feed(packets.PING + head, out)
    assert out == [packets.Bare(packets.PINGREQ)]


def test_what_came_before_broken_bytes_is_handed_over() -> None:
    decoder = Decoder(1024)
    out: list[Packet] = []
    with pytest.raises(DecodeError):
        decoder.feed(packets.publish(Message("t", b"1")) + b"\x00\x00", out)
    assert out == [Message("t", b"1")]


@pytest.mark.parametrize("level", [5, 6])
def test_of_a_later_version_only_the_level_is_read(level: int) -> None:
    raw = b"\x10\x0f\x00\x04MQTT" + bytes((level,)) + b"\x02\x00\x3c\x05\x11\x00\x00\x00\x0a"[:8]
    (packet,) = decoded(raw, [])
    assert isinstance(packet, Connect)
    assert packet.level == level


def test_the_refusal_of_version_5_carries_a_sentence() -> None:
    raw = packets.version_refusal("Set the client to MQTT 3.1.1.")
    assert raw[:4] == bytes((0x20, len(raw) - 2, 0, 0x84))
    assert raw[5] == 0x1F
    assert raw[8:] == b"Set the client to MQTT 3.1.1."


@pytest.mark.parametrize(
    ("text", "topic", "taken"),
    [
        ("a/b", "a/b", True), ("a/b", "a/c", False), ("a/+", "a/b", True), ("a/+", "a/b/c", False),
        ("a/#", "a", True), ("a/#", "a/b/c", True), ("#", "a/b", True), ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False), ("$SYS/#", "$SYS/x", True), ("+", "/", False), ("/+", "/a", True), ("a/", "a", False),
    ],
)  # fmt: skip
def test_filters(text: str, topic: str, taken: bool) -> None:
    assert packets.matches(text, topic) is taken


@pytest.mark.parametrize("text", ["", "a#", "a/#/b", "+a", "a/b+", "a\0"])
def test_wrong_filters_are_refused(text: str) -> None:
    assert not packets.valid_filter(text)
