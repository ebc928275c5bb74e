"""The listener against independent clients and against those that mean no good."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import aiomqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from tests.drivers.mosquitto import Authority
from tests.drivers.mqtt_site import SECRET, ListenerSite, Reader, device, running_listener
from tests.ports import free_port
from tests.waiting import PATIENCE_S, until

from mainspring.core.errors import NotConnected, Rejected
from mainspring.core.text import Text
from mainspring.drivers import mqtt_listener
from mainspring.drivers import mqtt_packets as packets
from mainspring.drivers.mqtt_hub import AWAY_MAX_S
from mainspring.drivers.mqtt_listener import ListenerSettings
from mainspring.drivers.mqtt_packets import Message
from mainspring.simulators.mqtt_device import MqttDevice, Refused

PRESS = device("press")


@pytest.fixture
async def site() -> AsyncIterator[ListenerSite]:
    async with running_listener(PRESS, device("oven")) as running:
        yield running


async def simulated(site: ListenerSite, name: str = "press", **more: Any) -> MqttDevice:
    made = MqttDevice(site.port, name, SECRET, **more)
    await made.connect()
    return made


def client(site: ListenerSite, user: str = "press", **more: Any) -> aiomqtt.Client:
    more.setdefault("protocol", aiomqtt.ProtocolVersion.V311)
    return aiomqtt.Client("127.0.0.1", site.port, username=user, password=SECRET, **more)


async def connect_packet(site: ListenerSite, raw: bytes) -> tuple[bytes, bytes]:
    """Send bytes and return the first 4 bytes of the answer and all the rest until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(raw)
    try:
        answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionResetError:
        answer = b""
    writer.close()
    return answer[:4], answer[4:]


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_aiomqtt_publishes_and_reads(site: ListenerSite, qos: int) -> None:
    async with client(site) as mine:
        await mine.subscribe("press/#", qos=qos)
        await mine.publish("press/line", b'{"v": 1}', qos=qos)
        message = await asyncio.wait_for(anext(aiter(mine.messages)), PATIENCE_S)
        assert (str(message.topic), message.payload, message.qos) == ("press/line", b'{"v": 1}', min(qos, 1))
    await until(lambda: [m.payload for m in site.reader.messages] == [b'{"v": 1}'])


async def test_paho_publishes_a_thousand_in_order(site: ListenerSite) -> None:
    def work() -> None:
        mine = paho.Client(CallbackAPIVersion.VERSION2, "p1", protocol=paho.MQTTv311)
        mine.username_pw_set("press", SECRET)
        mine.max_inflight_messages_set(100)
        mine.connect("127.0.0.1", site.port)
        mine.loop_start()
        sent = [mine.publish("press/n", str(number), qos=1 + number % 2) for number in range(1000)]
        for each in sent:
            each.wait_for_publish(30)
            assert each.is_published()
        mine.disconnect()
        mine.loop_stop()

    await asyncio.to_thread(work)
    assert [int(message.payload) for message in site.reader.messages] == list(range(1000))


async def test_version_5_is_refused_with_a_sentence(site: ListenerSite) -> None:
    told: list[tuple[str, str]] = []
    refused = threading.Event()

    def work() -> None:
        mine = paho.Client(CallbackAPIVersion.VERSION2, "p5", protocol=paho.MQTTv5)
        mine.username_pw_set("press", SECRET)

        def answered(_client: Any, _more: Any, _flags: Any, reason: Any, properties: Any) -> None:
            told.append((str(reason), str(properties.ReasonString)))
            refused.set()

        mine.on_connect = answered
        mine.connect("127.0.0.1", site.port)
        mine.loop_start()
        assert refused.wait(30)
        mine.loop_stop()

    await asyncio.to_thread(work)
    assert told[0] == ("Unsupported protocol version", told[0][1])
    assert "3.1.1" in told[0][1]
    await until(lambda: site.reader.told("MQTT 5") >= 1)


async def test_version_3_1_may_come_in(site: ListenerSite) -> None:
    async with client(site, protocol=aiomqtt.ProtocolVersion.V31) as mine:
        await mine.publish("press/old", b"1", qos=1)
    assert [message.topic for message in site.reader.messages] == ["press/old"]


async def test_nothing_is_acknowledged_before_it_is_kept(site: ListenerSite) -> None:
    site.reader.keeping.clear()
    press = await simulated(site)
    sending = asyncio.create_task(press.publish("press/a", {"v": 1}))
    async with client(site, "oven") as oven:
        exact = asyncio.create_task(oven.publish("oven/a", b"1", qos=2))
        await until(lambda: site.reader.messages)
        await asyncio.wait({sending, exact}, timeout=0.3)
        assert not sending.done()
        assert not exact.done()
        site.reader.keeping.set()
        await asyncio.wait_for(asyncio.gather(sending, exact), PATIENCE_S)
    await press.close()


async def test_what_could_not_be_kept_comes_again_and_only_then_is_acknowledged(site: ListenerSite) -> None:
    site.reader.fails = NotConnected(Text("The log is full.", "日志已满。"))
    press = await simulated(site)
    sending = asyncio.create_task(press.publish("press/a", {"v": 7}))
    assert site.reader.task is not None
    with pytest.raises(NotConnected):
        await asyncio.wait_for(site.reader.task, PATIENCE_S)
    assert not sending.done()
    second = asyncio.create_task(press.publish("press/a", {"v": 8}))
    site.reader.fails = None
    site.reader.messages.clear()
    site.reader.start()
    await asyncio.wait_for(asyncio.gather(sending, second), PATIENCE_S)
    assert [message.payload for message in site.reader.messages] == [b'{"v": 7}', b'{"v": 8}']
    await press.close()


async def test_who_only_looks_holds_nothing_up_and_takes_nothing(site: ListenerSite) -> None:
    press, visitor = await simulated(site), Reader(site.hub)
    visitor.session.host.passing = True
    visitor.keeping.clear()
    await site.reader.stop()
    sending = asyncio.create_task(press.publish("press/a", {"v": 1}))
    await until(lambda: site.hub.bytes_waiting)
    visitor.start()
    await asyncio.sleep(0)
    site.reader.start()
    await asyncio.wait_for(sending, PATIENCE_S)
    await press.publish("press/a", {"v": 2})
    await until(lambda: len(visitor.messages) == 1)
    await visitor.stop()
    await press.publish("press/a", {"v": 3})
    assert [message.payload for message in site.reader.messages] == [b'{"v": 1}', b'{"v": 2}', b'{"v": 3}']
    assert [message.payload for message in visitor.messages] == [b'{"v": 2}']
    await press.close()


async def test_messages_wait_for_a_connection_that_reads_them(site: ListenerSite) -> None:
    await site.reader.stop()
    late = Reader(site.hub)
    press = await simulated(site)
    site.hub._outlets.clear()  # as after a start: devices are quicker than connections
    site.hub._routes.clear()
    sending = asyncio.create_task(press.publish("press/a", {"v": 1}))
    await asyncio.wait({sending}, timeout=0.2)
    assert not sending.done()
    late.start("press/#")
    await asyncio.wait_for(sending, PATIENCE_S)
    assert len(late.messages) == 1
    await late.stop()
    await press.close()


async def test_topics_that_nobody_reads_are_acknowledged_and_counted(site: ListenerSite) -> None:
    await site.reader.stop()
    site.hub._outlets.clear()
    site.hub._routes.clear()
    site.hub._grace_until = 0.0
    other = Reader(site.hub)
    other.start("oven/#")
    await asyncio.sleep(0)
    press = await simulated(site)
    await asyncio.wait_for(press.publish("press/a", {"v": 1}), PATIENCE_S)
    assert other.told("no connection reads") == 1
    assert not other.messages
    await other.stop()
    await press.close()


async def test_a_driver_that_fails_on_a_message_does_not_stop_the_rest(site: ListenerSite) -> None:
    await site.reader.stop()
    taken: list[Message] = []

    def take(messages: list[Message]) -> None:
        if any(message.payload == b"poison" for message in messages):
            raise ZeroDivisionError
        taken.extend(messages)

    reading = asyncio.create_task(site.reader.session.subscribe([("#", 1)], take))
    press = await simulated(site)
    for payload in (b"poison", b"1"):
        await asyncio.wait_for(press.publish("press/a", payload), PATIENCE_S)
    assert [message.payload for message in taken] == [b"1"]
    assert site.reader.told("failed inside") == 1
    reading.cancel()
    await press.close()


async def test_what_waits_for_a_connection_that_never_returns_is_let_go(site: ListenerSite) -> None:
    await site.reader.stop()
    press = await simulated(site)
    sending = asyncio.create_task(press.publish("press/a", 1))
    (outlet,) = site.hub._outlets
    await until(lambda: outlet.messages)
    other = Reader(site.hub)
    other.start("oven/#")
    outlet.away_since -= AWAY_MAX_S
    await asyncio.wait_for(sending, PATIENCE_S)
    assert other.told("no connection reads") == 1
    await other.stop()
    await press.close()


async def test_the_room_of_a_connection_that_is_away_is_bounded_and_nobody_else_waits(site: ListenerSite) -> None:
    away = Reader(site.hub)
    away.start("press/#")
    await until(lambda: len(site.hub._outlets) == 2)
    await away.stop()
    press, oven = await simulated(site), await simulated(site, "oven")
    sending = [asyncio.create_task(press.publish("press/a", bytes(900_000))) for _ in range(12)]
    # Not acknowledged and not lost: the device keeps what it sent.
    results = await asyncio.wait_for(asyncio.gather(*sending, return_exceptions=True), PATIENCE_S)
    assert all(isinstance(result, ConnectionResetError) for result in results)
    assert site.reader.told("room was used up") >= 1
    assert site.hub.roomy
    await asyncio.wait_for(oven.publish("oven/a", 1), PATIENCE_S)
    await press.close()
    await oven.close()


async def test_while_the_gateway_takes_nothing_everything_waits_however_long(site: ListenerSite) -> None:
    await site.reader.stop()
    site.hub.closed = lambda: True
    press = await simulated(site)
    sending = asyncio.create_task(press.publish("press/a", 1))
    (outlet,) = site.hub._outlets
    await until(lambda: outlet.messages)
    outlet.away_since -= AWAY_MAX_S
    site.hub.look()
    site.hub.closed = lambda: False
    site.hub.look()
    await asyncio.wait({sending}, timeout=0.2)
    assert not sending.done()
    site.reader.start()
    await asyncio.wait_for(sending, PATIENCE_S)
    await press.close()


async def test_topic_rights(site: ListenerSite) -> None:
    press = await simulated(site)
    assert list(await press.subscribe("press/set", "oven/#", "#", "press/+")) == [1, 0x80, 0x80, 1]
    with pytest.raises(ConnectionResetError):
        await press.publish("oven/a", {"v": 1})
    await until(lambda: not press.connected)
    assert site.reader.told("no right to;") == 1
    assert site.reader.told("no right to read") == 2
    assert not site.reader.messages
    await press.close()


async def test_a_device_without_topics_may_do_nothing() -> None:
    async with running_listener(device("bare", publish=(), subscribe=())) as site:
        bare = await simulated(site, "bare")
        assert list(await bare.subscribe("bare/a")) == [0x80]
        with pytest.raises(ConnectionResetError):
            await bare.publish("bare/a", 1)
        await bare.close()


async def test_a_revoked_device_is_shut_out_at_once(site: ListenerSite) -> None:
    press, oven = await simulated(site), await simulated(site, "oven")
    site.listener.withdraw(PRESS.id)
    await until(lambda: not press.connected)
    with pytest.raises(Refused) as refused:
        await press.connect()
    assert refused.value.code == packets.BAD_LOGIN
    await oven.publish("oven/a", 1)
    await press.close()
    await oven.close()


async def test_when_devices_were_heard_is_told_in_turn(site: ListenerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_listener, "SEEN_S", 0.0)
    began_ms = time.time_ns() // 10**6 - 1000
    press, oven = await simulated(site), await simulated(site, "oven")
    told: list[dict[UUID, int]] = []

    def told_two() -> bool:
        told.append(site.listener.take_seen(1))
        return len({device for each in told for device in each}) == 2

    await until(told_two)
    assert max(len(each) for each in told) == 1
    assert all(began_ms <= heard_ms <= time.time_ns() // 10**6 + 1000 for each in told for heard_ms in each.values())
    await oven.close()
    await until(lambda: len(site.listener.by_client) == 1)
    await until(lambda: PRESS.id in site.listener.take_seen(10))
    await press.close()


async def test_an_expired_device_is_shut_out(site: ListenerSite) -> None:
    press = await simulated(site)
    site.listener.define(device("press", id=PRESS.id, expires_ms=time.time_ns() // 10**6))
    await until(lambda: not press.connected)
    with pytest.raises(Refused):
        await press.connect()
    await press.close()


async def test_changed_rights_hold_at_once(site: ListenerSite) -> None:
    press = await simulated(site)
    await press.publish("press/a", 1)
    site.listener.define(device("press", id=PRESS.id, publish=("press/b",)))
    await until(lambda: not press.connected)
    await press.connect()
    with pytest.raises(ConnectionResetError):
        await press.publish("press/a", 1)
    await press.close()


async def test_the_same_client_id_takes_over_within_a_device_only(site: ListenerSite) -> None:
    first = await simulated(site, client_id="same")
    other = await simulated(site, "oven", client_id="same")
    second = await simulated(site, client_id="same")
    await until(lambda: not first.connected)
    await asyncio.gather(second.publish("press/a", 1), other.publish("oven/a", 1))
    for each in (first, other, second):
        await each.close()


async def test_a_device_that_connects_again_and_again_is_slowed_and_no_other(site: ListenerSite) -> None:
    refused = 0
    for _ in range(30):
        press = MqttDevice(site.port, "press", SECRET)
        try:
            await press.connect()
        except Refused as error:
            assert error.code == packets.UNAVAILABLE
            refused += 1
        await press.close()
    assert refused >= 5
    assert site.reader.told("more often than once a second") == refused
    oven = await simulated(site, "oven")
    await oven.publish("oven/a", 1)
    await oven.close()


async def test_ten_thousand_wrong_passwords_slow_nobody(site: ListenerSite) -> None:
    raw = packets.connect("guess", clean=True, keep_alive_s=9, user="press", password="ms_00_wrong")

    left = iter(range(10_000))
    heads: list[bytes] = []

    async def guess() -> None:
        for _ in left:
            heads.append((await connect_packet(site, raw))[0])

    guessing = [asyncio.create_task(guess()) for _ in range(100)]
    oven = await simulated(site, "oven")
    while not all(task.done() for task in guessing):
        await asyncio.wait_for(oven.publish("oven/a", 1), PATIENCE_S)
    await asyncio.gather(*guessing)
    # A few get an answer in words of the protocol, a second later; the others are cut off.
    assert set(heads) == {bytes((0x20, 2, 0, packets.BAD_LOGIN)), b""}
    assert site.reader.told("wrong user name") == 10_000
    await oven.close()
    await until(lambda: not site.listener.slowed)


async def test_a_payload_of_50_mb_is_refused_when_its_length_is_read(site: ListenerSite) -> None:
    oven, press = await simulated(site, "oven"), await simulated(site)
    with pytest.raises(ConnectionResetError):
        await press.publish("press/image", bytes(50_000_000))
    await oven.publish("oven/a", 1)
    assert site.reader.told("larger than the limit") == 1
    assert [message.topic for message in site.reader.messages] == ["oven/a"]
    await press.close()
    await oven.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        packets.PING,
        packets.publish(Message("press/a", b"1")),
        b"\x10\xff\xff\xff\xff",
        packets.connect("x" * 20_000, clean=True, keep_alive_s=1, user="press", password=SECRET),
        packets.connect("", clean=False, keep_alive_s=1, user="press", password=SECRET),
    ],
)  # fmt: skip
async def test_whatever_else_comes_is_cut_off_and_counted(site: ListenerSite, raw: bytes) -> None:
    await connect_packet(site, raw)
    assert sum(site.reader.refused.values()) == 1
    assert all(text.en and text.zh for text in site.reader.refused)


async def test_silence_beyond_the_keep_alive_ends_the_connection_and_the_will_tells(site: ListenerSite) -> None:
    will = Message("press/state", b"gone", 1, True)
    raw = packets.connect("quiet", clean=True, keep_alive_s=1, user="press", password=SECRET, will=will)
    head, _ = await connect_packet(site, raw)
    assert head == packets.connect_ack(packets.ACCEPTED)
    await until(lambda: [message.payload for message in site.reader.messages] == [b"gone"])
    assert site.reader.told("keep-alive") == 1


async def test_after_a_farewell_there_is_no_will(site: ListenerSite) -> None:
    async with client(site, will=aiomqtt.Will("press/state", b"gone", 1)):
        pass
    oven = await simulated(site, "oven")
    await oven.publish("oven/a", 1)
    assert [message.topic for message in site.reader.messages] == ["oven/a"]
    await oven.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda site: site.listener.withdraw(PRESS.id),
        lambda site: site.listener.define(device("press", id=PRESS.id, expires_ms=1)),
        lambda site: site.listener.define(device("press", id=PRESS.id, digest="0" * 64)),
        lambda site: site.listener.define(device("press", id=PRESS.id, publish=("press/a",))),
    ],
    ids=["revoked", "expired", "new secret", "less rights"],
)
async def test_who_may_no_longer_speak_has_no_last_word(
    site: ListenerSite, change: Callable[[ListenerSite], None]
) -> None:
    will = Message("press/state", b"gone", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(packets.connect("w", clean=True, keep_alive_s=60, user="press", password=SECRET, will=will))
    assert await reader.readexactly(4) == packets.connect_ack(packets.ACCEPTED)
    change(site)
    await until(lambda: not site.listener.peers)
    writer.close()
    oven = await simulated(site, "oven")
    await oven.publish("oven/a", 1)
    assert [message.topic for message in site.reader.messages] == ["oven/a"]
    await oven.close()


async def test_a_will_needs_the_right_to_its_topic(site: ListenerSite) -> None:
    will = Message("oven/state", b"gone")
    raw = packets.connect("w", clean=True, keep_alive_s=9, user="press", password=SECRET, will=will)
    head, _ = await connect_packet(site, raw)
    assert head == packets.connect_ack(packets.NO_RIGHT)


async def test_retained_messages_reach_who_comes_later(site: ListenerSite) -> None:
    async with client(site) as mine:
        await mine.publish("press/a", b"1", qos=1, retain=True)
        await mine.publish("press/b", b"2", qos=1, retain=True)
        await mine.publish("press/b", b"", qos=1, retain=True)
    async with client(site, identifier="later") as mine:
        await mine.subscribe("press/+", qos=1)
        message = await asyncio.wait_for(anext(aiter(mine.messages)), PATIENCE_S)
        assert (str(message.topic), message.retain) == ("press/a", True)


async def test_commands_reach_the_device_and_say_whether_they_did(site: ListenerSite) -> None:
    taken: list[tuple[str, Any]] = []
    press = await simulated(site)
    press.on_command = lambda topic, content: taken.append((topic, content))
    with pytest.raises(Rejected, match="No device is subscribed"):
        await site.reader.session.publish("press/set", b"1", 1)
    await press.subscribe("press/set")
    await asyncio.wait_for(site.reader.session.publish("press/set", b'{"value": 3}', 1), PATIENCE_S)
    assert taken == [("press/set", {"value": 3})]
    assert not site.reader.messages
    await press.close()
    await until(lambda: not site.listener.by_client)
    # No session outlives its connection: a command never arrives late.
    with pytest.raises(Rejected):
        await site.reader.session.publish("press/set", b"1", 1)


async def test_more_devices_than_allowed_are_cut_off_and_counted() -> None:
    async with running_listener(PRESS, device("oven"), connections_max=1) as site:
        press = await simulated(site)
        oven = MqttDevice(site.port, "oven", SECRET)
        with pytest.raises(ConnectionError):
            await oven.connect()
        assert site.reader.told("More devices") == 1
        await press.publish("press/a", 1)
        await press.close()


async def test_handshakes_under_way_count_and_leave_room_when_they_end(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("gateway")
    tls = ssl.create_default_context(cafile=str(authority.file))
    async with running_listener(
        PRESS, connections_max=2, tls_certificate=certificate, tls_key=key, tls_client_ca=authority.file
    ) as site:
        # They say nothing: TLS is never agreed.
        knocking = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(2)]
        await until(lambda: len(site.listener.entering) == 2)
        with pytest.raises((OSError, ssl.SSLError)):
            await asyncio.open_connection("127.0.0.1", site.port, ssl=tls)
        assert site.reader.told("More devices") == 1
        for _, writer in knocking:
            writer.close()
        await until(lambda: not site.listener.entering)
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port, ssl=tls)
        writer.write(packets.connect("w", clean=True, keep_alive_s=60, user="press", password=SECRET))
        assert await reader.readexactly(4) == packets.connect_ack(packets.ACCEPTED)
        assert (len(site.listener.peers), len(site.listener.entering)) == (1, 0)
        writer.close()
        await until(lambda: not site.listener.peers)


async def test_outside_loopback_the_listener_wants_tls() -> None:
    site = ListenerSite(ListenerSettings(host="0.0.0.0", port=free_port()))
    task = asyncio.create_task(site.listener.run())
    await until(lambda: site.hub.text is not None and "in clear" in site.hub.text.en)
    with pytest.raises(NotConnected, match="in clear"):
        await site.reader.session.open()
    task.cancel()


async def test_a_port_that_is_taken_is_told_and_tried_again(site: ListenerSite) -> None:
    second = ListenerSite(ListenerSettings(port=site.port))
    task = asyncio.create_task(second.listener.run())
    await until(lambda: second.hub.text is not None and str(site.port) in second.hub.text.en)
    task.cancel()
