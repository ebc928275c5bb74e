"""From the value leaving a device's socket to the alarm on the open page, while 500,000 values/s run through.

`python -m benchmarks.alarm_latency [--seconds 60] [--tags 500000] [--quick]`. Four Modbus devices are polled every 200
ms, one MQTT device publishes; the clock starts when the bytes with a value above its limit are handed to the socket and
stops when the alarm has been read and decoded from the page's own feed: the stream of server-sent events that a browser
holds open. Drawing it in a browser comes on top. Devices and page are one process, so that there is one clock.
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import QUICK, lines, option, percentile, say
from benchmarks.load import SETTINGS, loading, outcome
from benchmarks.page import OpenPage
from benchmarks.platform_under_test import FIRST, LIMIT, Platform, ask, free_ports, platform, publish_plant
from mainspring.simulators.modbus_tcp import ModbusTcpSimulator
from mainspring.simulators.mqtt_device import MqttDevice

SCENARIO = "alarm_latency"
TAGS = int(option("--tags", 40_000 if QUICK else 500_000))
SECONDS = int(option("--seconds", 15 if QUICK else 120))
SETTLE_S = 5
DEVICES = 4
SCAN_MS = 200
COMES_WITHIN_S = 10.0
WANTED = {"50th": "50", "99th": "150"}


class Source:
    """One tag whose value passes its limit again and again."""

    def __init__(self, tag: int) -> None:
        self.tag = tag
        self.number = 0
        self.sent_s: dict[float, float] = {}
        self.seen = asyncio.Event()
        self.latency_ms: list[float] = []
        self.missed = 0

    def leaves(self, value: float) -> None:
        """Note when a value is first handed to the socket."""
        self.sent_s.setdefault(value, time.time())

    def arrives(self, value: float) -> None:
        """Take an alarm from the page's feed."""
        sent = self.sent_s.get(value)
        if sent is not None:
            self.latency_ms.append((time.time() - sent) * 1000)
            self.seen.set()

    async def run(self, put: Callable[[float], Awaitable[None]]) -> None:
        """Put values above and below the limit, at moments that have nothing to do with anything else."""
        while True:
            self.number += 1
            high, low = LIMIT + self.number, float(self.number % 100)
            self.seen.clear()
            await put(high)
            try:
                async with asyncio.timeout(COMES_WITHIN_S):
                    await self.seen.wait()
            except TimeoutError:
                self.missed += 1
            await put(low)
            await asyncio.sleep(2 * SCAN_MS / 1000 + random.uniform(0, 0.3))


class Setting:
    """What is asked of the platform to get tags with a limit."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token
        self.asset = self.ask("/assets")["items"][0]["id"]

    def ask(self, path: str, body: Any = None) -> Any:
        return ask(self.port, self.token, path, body)

    def source(self, name: str, driver: str, settings: dict[str, Any], address: dict[str, Any]) -> Source:
        """Make a connection with one tag and its limit."""
        made = self.ask("/connections", {"name": name, "driver": driver, "settings": settings})["id"]
        draft = {"name": name, "asset": self.asset, "connection": made, "address": address, "scan_ms": SCAN_MS}
        tag = self.ask("/tags", draft)
        self.ask("/alarm-definitions", {"tag_id": tag["id"], "condition": "HH", "limit": LIMIT, "dead_band": 1.0})
        return Source(tag["tag"])


async def modbus(
    setting: Setting, number: int
) -> tuple[Source, Callable[[float], Awaitable[None]], ModbusTcpSimulator]:
    """Start a device; its values leave when an answer with them is written."""
    simulator = ModbusTcpSimulator()
    await simulator.start()
    made = {"host": "127.0.0.1", "port": simulator.port}
    address = {"register": 0, "type": "float32"}
    source = await asyncio.to_thread(setting.source, f"D{number}", "modbus-tcp", made, address)

    def leaving(frame: bytes) -> bytes:
        if frame[7] == 3 and len(frame) >= 13:
            source.leaves(struct.unpack(">f", frame[9:13])[0])
        return frame

    simulator.spoil = leaving

    async def put(value: float) -> None:
        simulator.set("holding", 0, "float32", "ABCD", value)

    return source, put, simulator


async def mqtt(setting: Setting, port: int) -> tuple[Source, Callable[[float], Awaitable[None]], MqttDevice]:
    """Connect a device; its values leave when they are published."""
    device = {"name": "M0", "gateway": "main", "publish": ["bench/M0"], "subscribe": []}
    secret = (await asyncio.to_thread(setting.ask, "/devices", device))["secret"]
    made = {"topics": ["bench/+"]}
    address = {"topic": "bench/M0", "path": "v"}
    source = await asyncio.to_thread(setting.source, "M0", "mqtt", made, address)
    client = MqttDevice(port, "M0", secret)
    for _ in range(100):
        try:
            await client.connect()
            break
        except Exception:
            # The gateway hears of a new device within a second or two.
            await asyncio.sleep(0.1)

    async def put(value: float) -> None:
        source.leaves(value)
        await client.publish("bench/M0", {"v": value})

    return source, put, client


async def watch(web_port: int, token: str, mqtt_port: int) -> None:
    """Be the devices and the page until the standard input ends, then say what was measured."""
    setting = await asyncio.to_thread(Setting, web_port, token)
    polled = [await modbus(setting, number) for number in range(DEVICES)]
    pushed = await mqtt(setting, mqtt_port)
    sources = {source.tag: source for source, _, _ in [*polled, pushed]}

    def take(name: str, document: Any) -> None:
        if name == "alarm" and document["transition"] == "raised" and document["tag"] in sources:
            sources[document["tag"]].arrives(float(document["value"]))

    page = await OpenPage.open(web_port, token, sorted(sources), take)
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    running = [asyncio.create_task(source.run(put)) for source, put, _ in [*polled, pushed]]
    await asyncio.to_thread(sys.stdin.read)
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    told = {"modbus": [ms for source, _, _ in polled for ms in source.latency_ms], "mqtt": pushed[0].latency_ms,
            "missed": sum(source.missed for source in sources.values())}  # fmt: skip
    await page.close()
    await pushed[2].close()
    for _, _, simulator in polled:
        await simulator.stop()
    print(json.dumps(told), flush=True)


def measure(running: Platform, mqtt_port: int) -> dict[str, Any]:
    """Run devices and page while the load runs."""
    arguments = ["watch", str(running.web_port), running.token, str(mqtt_port)]
    command = [sys.executable, "-m", "benchmarks.alarm_latency", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if "ready" not in process.stdout.readline():
            sys.exit("devices and page did not start")
        with loading(running, TAGS, "flood", SECONDS + 2 * SETTLE_S) as load:
            time.sleep(SETTLE_S)
            process.stdin.write("\n")
            process.stdin.flush()
            time.sleep(SECONDS)
            process.stdin.close()
            line = process.stdout.readline()
            told = outcome(load)
        say(SCENARIO, "values per second besides", told["values"] / told["took_s"], "values/s", f"{TAGS:,}")
        return dict(json.loads(line))
    finally:
        process.stdin.close()
        process.wait(30)


def main() -> None:
    """Measure and tell."""
    [mqtt_port] = free_ports(1)
    settings = SETTINGS.replace("[gateways.main]", f"[gateways.main]\nmqtt_port = {mqtt_port}")
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder, platform(Path(folder), settings) as running:
        asyncio.run(publish_plant(running, FIRST, TAGS, mixed=True))
        told = measure(running, mqtt_port)
    for words, name in (("polled over Modbus", "modbus"), ("published over MQTT", "mqtt")):
        times = told[name]
        for share, wanted in WANTED.items():
            figure = f"{words}: socket to page, {share} percentile of {len(times)}"
            say(SCENARIO, figure, percentile(times, int(share[:2]) / 100), "ms", wanted)
        say(SCENARIO, f"{words}: socket to page, longest", max(times), "ms")
    say(SCENARIO, "alarms that did not come within 10 s", told["missed"], "", "0")
    shares = [place / 100 for place in range(1, 100)]
    drawn = {
        words: [(percentile(told[words.lower()], share), 100 * share) for share in shares]
        for words in ("Modbus", "MQTT")
    }
    lines("distribution", "Alarm on the page, share that came within a time", ("ms", "%"), drawn)


if __name__ == "__main__":
    if sys.argv[1:2] == ["watch"]:
        asyncio.run(watch(int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
    else:
        main()
