"""5,000 MQTT devices as sockets of one process, and what defines them: JSON messages of three values with QoS 1.

`python -m benchmarks.mqtt_devices PORT SECONDS RATE` publishes so many messages a second from one device after the
other, or with a rate of 0 as fast as they are acknowledged, and prints one line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import resource
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from mainspring.core.definitions import (
    PAGE,
    AlarmDefinition,
    AlarmPage,
    Condition,
    ConnectionDefinition,
    DeviceDefinition,
    TagDefinition,
    TagPage,
    Words,
    alarm_page_key,
    connection_key,
    device_key,
    tag_page_key,
)
from mainspring.core.ids import uuid7
from mainspring.drivers import mqtt_packets as packets
from mainspring.drivers.mqtt_packets import Message

DEVICES, VALUES = 5_000, 3
SECRET = "benchmark"
NAMES = ("temperature", "pressure", "flow")
HIGH = 996.0
"""Temperatures run from 0.25 to 996.25: this limit is passed once in 997 messages."""
UNDER_WAY = 4
"""Messages of each device that wait for an acknowledgement when it goes as fast as it goes."""


def definitions(tenant: str, gateway: str, first: int = 0, *, alarms: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield keys and documents of all devices, one connection, three tags for each device, and a limit on each tag."""
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    of = uuid7()
    settings = {"topics": ["plant/+"], "time_path": "time"}
    yield (
        connection_key(tenant, of),
        ConnectionDefinition(
            id=of, tenant=tenant, revision=1, name="devices", driver="mqtt", gateway=gateway, settings=settings
        ),
    )
    for index in range(DEVICES):
        device = DeviceDefinition(
            id=uuid7(), tenant=tenant, revision=1, name=f"d{index}", gateway=gateway, digest=digest,
            publish=(f"plant/d{index}",), subscribe=(f"plant/d{index}/set",),
        )  # fmt: skip
        yield device_key(tenant, device.id), device
    for start in range(first, first + DEVICES * VALUES, PAGE):
        numbers = range(start, min(start + PAGE, first + DEVICES * VALUES))
        tags = tuple(_tag(of, number, *divmod(number - first, VALUES)) for number in numbers)
        page = start // PAGE
        yield tag_page_key(tenant, page), TagPage(revision=1, tenant=tenant, page=page, tags=tags)
        if alarms:
            limits = tuple(
                AlarmDefinition(
                    id=uuid7(), tag=number, condition=Condition.HH, dead_band=1.0, name=Words(en=f"T{number} HH"),
                    limit=HIGH if (number - first) % VALUES == 0 else 2 * HIGH,
                )
                for number in numbers
            )  # fmt: skip
            yield alarm_page_key(tenant, page), AlarmPage(revision=1, tenant=tenant, page=page, alarms=limits)


def _tag(of: UUID, ordinal: int, device: int, place: int) -> TagDefinition:
    return TagDefinition(
        ordinal=ordinal, id=uuid7(), path=f"plant/d{device}/{NAMES[place]}", name=f"T{ordinal}", connection=of,
        address={"topic": f"plant/d{device}", "path": NAMES[place]},
    )  # fmt: skip


class Devices:
    """Many devices on one epoll."""

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self.poll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.order: list[socket.socket] = []
        self.count = count
        self.answered = 0
        self.sent_s: dict[int, deque[float]] = {}
        self.told_ms = [0] * count
        """The time in each device's last message: two of them never carry the same, as two readings do not."""
        self.latency_s: list[float] = []

    def connect(self) -> float:
        """Open all connections and sign in; returns how long it took in seconds."""
        started = time.perf_counter()
        welcome = opened = 0
        while welcome < self.count:
            while opened < self.count and opened - welcome < 500:
                made = socket.create_connection(("127.0.0.1", self.port))
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                name = f"d{opened}"
                made.sendall(packets.connect(name, clean=True, keep_alive_s=600, user=name, password=SECRET))
                made.setblocking(False)
                self.poll.register(made.fileno(), select.EPOLLIN)
                self.sockets[made.fileno()] = made
                self.order.append(made)
                self.sent_s[made.fileno()] = deque()
                opened += 1
            for number, _ in self.poll.poll(1):
                answer = self.sockets[number].recv(64)
                assert answer == b"\x20\x02\x00\x00", answer
                welcome += 1
        return time.perf_counter() - started

    def publish(self, rate: float, seconds: float, together: int) -> int:
        """Send `together` messages at a time from one device after the other; returns the number sent."""
        started = time.perf_counter()
        sent, turn = 0, 0
        while (now := time.perf_counter()) < started + seconds:
            due = int((now - started) * rate)
            while sent < due:
                made = self.order[turn % self.count]
                made.send(b"".join(self._message(turn % self.count, sent + step) for step in range(together)))
                self.sent_s[made.fileno()].append(time.perf_counter())
                sent += together
                turn += 1
            self.take(0.001, together)
        deadline = time.perf_counter() + 20
        while self.answered < sent and time.perf_counter() < deadline:
            self.take(0.05, together)
        return sent

    def take(self, wait_s: float, together: int) -> None:
        """Read acknowledgements."""
        for number, _ in self.poll.poll(wait_s, 2000):
            answer = self.sockets[number].recv(65536)
            assert answer, "the listener closed a connection"
            acknowledged = len(answer) // 4
            self.answered += acknowledged
            if together == 1:
                now, times = time.perf_counter(), self.sent_s[number]
                self.latency_s += [now - times.popleft() for _ in range(acknowledged)]

    def flat_out(self, seconds: float) -> int:
        """Keep some messages of every device under way; returns the number sent."""
        places = {made.fileno(): place for place, made in enumerate(self.order)}
        sent = 0
        for place, made in enumerate(self.order):
            made.send(b"".join(self._message(place, sent + step) for step in range(UNDER_WAY)))
            sent += UNDER_WAY
        ends = time.perf_counter() + seconds
        while self.answered < sent:
            for number, _ in self.poll.poll(0.5, 2000):
                answer = self.sockets[number].recv(64)
                assert answer, "the listener closed a connection"
                acknowledged = len(answer) // 4
                self.answered += acknowledged
                if time.perf_counter() < ends:
                    place = places[number]
                    messages = (self._message(place, sent + step) for step in range(acknowledged))
                    self.sockets[number].send(b"".join(messages))
                    sent += acknowledged
            if time.perf_counter() > ends + 20:
                break
        return sent

    def _message(self, device: int, number: int) -> bytes:
        self.told_ms[device] = time_ms = max(time.time_ns() // 1_000_000, self.told_ms[device] + 1)
        content = b'{"time":%d,"temperature":%d.25,"pressure":%d.5,"flow":%d.125}' % (
            time_ms, number % 997, number % 991, number % 983,
        )  # fmt: skip
        return packets.publish(Message(f"plant/d{device}", content, 1, False, False, number % 65535 + 1))

    def close(self) -> None:
        """Close all sockets."""
        for made in self.order:
            made.close()
        self.poll.close()


def more_files() -> None:
    """Allow this process a socket for each device."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * DEVICES)), hard))


def main(port: int, seconds: float, rate: float) -> None:
    """Publish and say what came of it."""
    more_files()
    devices = Devices(port, DEVICES)
    opened_s = devices.connect()
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    sent = devices.publish(rate, seconds, 1) if rate else devices.flat_out(seconds)
    took = time.perf_counter() - began
    devices.close()
    ordered = sorted(devices.latency_s) or [0.0]
    told = {"sent": sent, "answered": devices.answered, "took_s": took, "opened_s": opened_s,
            "p50_ms": ordered[len(ordered) // 2] * 1000, "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
            "cpu_s": time.process_time()}  # fmt: skip
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
