"""MQTT devices on the gateway's listener: JSON messages of three values with QoS 1, acknowledged once they are synced.

The gateway is a process of its own (listener, driver, report by exception, segment log; no bus); the devices are 5,000
sockets of this process. Prints JSON lines. Run: `python -m benchmarks.mqtt`; `--profile` writes where the time goes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import psutil

from mainspring.core.definitions import (
    ConnectionDefinition,
    DeviceDefinition,
    TagDefinition,
    TagPage,
    connection_key,
    device_key,
    tag_page_key,
)
from mainspring.core.drivers import registered
from mainspring.core.ids import uuid7
from mainspring.drivers import mqtt_packets as packets
from mainspring.drivers.mqtt_packets import Message
from mainspring.gateway.role import Gateway
from mainspring.gateway.settings import GatewaySettings

DEVICES, VALUES = 5_000, 3
SECONDS = 12
SECRET = "benchmark"
NAMES = ("temperature", "pressure", "flow")


def say(scenario: str, figure: str, value: float, unit: str, wanted: str = "") -> None:
    line = {"scenario": scenario, "figure": figure, "value": round(value, 3), "unit": unit}
    print(json.dumps(line | ({"wanted": wanted} if wanted else {})), flush=True)


def define(folder: Path, devices: int) -> None:
    """Write what the bus would give: devices, one connection, three tags for each device."""
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    of = uuid7()
    found: dict[str, str] = {}
    settings = {"topics": ["plant/+"], "time_path": "time"}
    connection = ConnectionDefinition(
        id=of, tenant="acme", revision=1, name="devices", driver="mqtt", gateway="g1", settings=settings
    )
    found[connection_key("acme", of)] = connection.model_dump_json()
    for index in range(devices):
        device = DeviceDefinition(
            id=uuid7(), tenant="acme", revision=1, name=f"d{index}", gateway="g1", digest=digest,
            publish=(f"plant/d{index}",), subscribe=(f"plant/d{index}/set",),
        )  # fmt: skip
        found[device_key("acme", device.id)] = device.model_dump_json()
    tags = [tag(of, index, place) for index in range(devices) for place in range(VALUES)]
    for number in range(-(-len(tags) // 1000)):
        page = TagPage(revision=1, tenant="acme", page=number, tags=tuple(tags[number * 1000 : (number + 1) * 1000]))
        found[tag_page_key("acme", number)] = page.model_dump_json()
    body = ",".join(f"{json.dumps(key)}:{document}" for key, document in found.items())
    (folder / "definitions.json").write_text(f"{{{body}}}")


def tag(of: UUID, index: int, place: int) -> TagDefinition:
    ordinal = index * VALUES + place
    return TagDefinition(
        ordinal=ordinal, id=of, path=f"plant/d{index}/{NAMES[place]}", name=f"T{ordinal}", connection=of,
        address={"topic": f"plant/d{index}", "path": NAMES[place]},
    )  # fmt: skip


async def gateway(folder: Path, port: int) -> None:
    """Be the gateway until the standard input closes, then say what came and what it cost."""
    settings = GatewaySettings(name="g1", tenant="acme", folder=folder, mqtt_port=port, disk_free_min_bytes=0)
    made = Gateway(settings, registered())
    made.fleet.load()
    assert made.listener is not None
    tasks = [asyncio.create_task(part.run()) for part in (made.writer, made.fleet, made.listener)]
    while not any(connection.state == "connected" for connection in made.fleet.connections):
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await made.writer.kept()
    for task in tasks:
        task.cancel()
    refused = {text.en: count for connection in made.fleet.connections for text, count in connection.refused.items()}
    usage = resource.getrusage(resource.RUSAGE_SELF)
    answer = {"rows": made.gatherer.rows_total, "cpu_s": usage.ru_utime + usage.ru_stime, "refused": refused}
    print(json.dumps(answer), flush=True)


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

    def _message(self, device: int, number: int) -> bytes:
        content = b'{"time":%d,"temperature":%d.25,"pressure":%d.5,"flow":%d.125}' % (
            time.time_ns() // 1_000_000, number % 997, number % 991, number % 983,
        )  # fmt: skip
        return packets.publish(Message(f"plant/d{device}", content, 1, False, False, number % 65535 + 1))

    def close(self) -> None:
        """Close all sockets."""
        for made in self.order:
            made.close()
        self.poll.close()


def scenario(words: str, rate: float, together: int, *, wanted: str = "", profile: bool = False) -> None:
    """Run one load against a gateway of its own."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        define(Path(folder), DEVICES)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        profiler = ["-m", "cProfile", "-o", "mqtt.profile"] if profile else []
        command = [sys.executable, *profiler, "-m", "benchmarks.mqtt", "--gateway", folder, str(port)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        while b"ready" not in process.stdout.readline():
            pass
        devices = Devices(port, DEVICES)
        opened_s = devices.connect()
        before = psutil.Process(process.pid).cpu_times()
        started = time.perf_counter()
        sent = devices.publish(rate, SECONDS, together)
        elapsed_s = time.perf_counter() - started
        after = psutil.Process(process.pid).cpu_times()
        memory = psutil.Process(process.pid).memory_info().rss
        devices.close()
        answer, _ = process.communicate(timeout=60)
        told = json.loads(answer.splitlines()[-1])
    cpu_s = after.user + after.system - before.user - before.system
    say(words, "connections opened", opened_s, "s for 5,000", "10 s")
    say(words, "values acknowledged", devices.answered * VALUES / elapsed_s, "values/s", wanted)
    say(words, "messages not acknowledged", sent - devices.answered, "", "0")
    say(words, "processor time of the gateway", cpu_s / elapsed_s, "cores")
    say(words, "processor time of the gateway per message", cpu_s / devices.answered * 1e6, "µs")
    say(words, "memory of the gateway", memory / 2**20, "MiB")
    if devices.latency_s:
        ordered = sorted(devices.latency_s)
        say(words, "acknowledged within, p50", ordered[len(ordered) // 2] * 1000, "ms")
        say(words, "acknowledged within, p99", ordered[int(len(ordered) * 0.99)] * 1000, "ms")
    assert told["rows"] >= devices.answered * VALUES, told
    assert not told["refused"], told["refused"]


def main(arguments: Sequence[str]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * DEVICES)), hard))
    if "--gateway" in arguments:
        asyncio.run(gateway(Path(arguments[-2]), int(arguments[-1])))
        return
    profile = "--profile" in arguments
    scenario("one message at a time", 35_000, 1, wanted="100,000", profile=profile)
    if not profile:
        scenario("ten messages at a time", 60_000, 10)


if __name__ == "__main__":
    main(sys.argv[1:])
