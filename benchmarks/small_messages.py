"""5,000 MQTT devices that send three values in JSON each second, alarm rules on; then as fast as they are acknowledged.

`python -m benchmarks.small_messages [--seconds 60] [--quick]`. A whole platform takes, evaluates and keeps them; a
message is acknowledged when it is synced to disk. The same devices then send to Mosquitto alone (a broker: nothing is
evaluated or kept), to Node-RED and to thingsboard-gateway behind Mosquitto. Devices are a process of their own on the
same cores.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import peers_messages
from benchmarks.figures import QUICK, bars, option, say
from benchmarks.mqtt_devices import DEVICES, VALUES, definitions
from benchmarks.platform_under_test import FIRST, Platform, cpu_seconds, free_ports, platform
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file

SCENARIO = "small_messages"
SECONDS = option("--seconds", 6 if QUICK else 60)
FLAT_OUT_S = 6 if QUICK else 20
STORED_WITHIN_S = 150
ROLES = ("gateway", "bus", "engine", "historian")


@contextlib.contextmanager
def sending(port: int, seconds: float, rate: float) -> Iterator[Callable[[], dict[str, float]]]:
    """Connect the devices; yields what lets them send and waits for what they say."""
    command = [sys.executable, "-m", "benchmarks.mqtt_devices", str(port), str(seconds), str(rate)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None

    def send() -> dict[str, float]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            sys.exit("the devices ended before their time")
        return dict(json.loads(line))

    try:
        if "ready" not in process.stdout.readline():
            sys.exit("the devices could not connect")
        yield send
    finally:
        process.terminate()
        process.communicate(timeout=20)


async def define(running: Platform) -> None:
    """Publish the devices, their connection, tags and limits, as records would."""
    bus = await Bus.connect(running.bus_url, seed_file(running.secrets, "web"), "web")
    for key, document in definitions("plant", "main", FIRST, alarms=True):
        await bus.put_definition(key, document)
    await bus.close()
    await asyncio.to_thread(running.until_tags, DEVICES * VALUES)


def figures(running: Platform, role: str) -> dict[str, Any]:
    """Return the figures that a role reports."""
    found = next(each for each in running.ask("/health")["roles"] if each["role"] == role)
    return dict(found["figures"])


def stored(running: Platform, before: float, values: float) -> float:
    """Wait until so many values more are in the history; returns the moment by the monotonic clock."""
    deadline = time.monotonic() + STORED_WITHIN_S
    while figures(running, "historian")["samples"] < before + values:
        if time.monotonic() > deadline:
            kept = figures(running, "historian")["samples"] - before
            sys.exit(f"{kept:,.0f} of {values:,.0f} values were stored within {STORED_WITHIN_S} s")
        time.sleep(0.1)
    return time.monotonic()


def ours(running: Platform, port: int, words: str, seconds: float, rate: float, wanted: str) -> float:
    """Let the devices send to the platform; returns values stored a second."""
    with sending(port, seconds, rate) as send:
        before, kept_before = running.roles(), figures(running, "historian")["samples"]
        used_before, began = cpu_seconds(before), time.monotonic()
        told = send()
        values = told["answered"] * VALUES
        took = stored(running, kept_before, values) - began
        used = {name: now - used_before[name] for name, now in cpu_seconds(before).items()}
    scenario = f"Mainspring, {words}"
    say(scenario, "all devices connected after", told["opened_s"], "s")
    say(scenario, "values acknowledged, synced to disk", values / told["took_s"], "values/s", wanted)
    say(scenario, "values stored", values / took, "values/s")
    say(scenario, "messages not acknowledged", told["sent"] - told["answered"], "", "0")
    if rate:
        say(scenario, "acknowledged within, median", told["p50_ms"], "ms")
        say(scenario, "acknowledged within, 99th percentile", told["p99_ms"], "ms")
    for name in ROLES:
        say(scenario, name, 100 * used[name] / told["took_s"], "% of a core")
    say(scenario, "gateway, bus, engine and historian a message",
        sum(used[name] for name in ROLES) / told["answered"] * 1e6, "µs of a core")  # fmt: skip
    say(scenario, "the devices themselves", 100 * told["cpu_s"] / told["took_s"], "% of a core")
    say(scenario, "memory of the gateway", before["gateway"].memory_info().rss / 2**20, "MB")
    return values / told["took_s"]


def main() -> None:
    """Measure the platform, then its peers."""
    [port] = free_ports(1)
    rates: dict[str, float] = {}
    settings = f"[gateways.main]\nmqtt_port = {port}"
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder, platform(Path(folder), settings) as running:
        began = time.monotonic()
        asyncio.run(define(running))
        say(SCENARIO, f"{DEVICES:,} devices and {DEVICES * VALUES:,} tags known after", time.monotonic() - began, "s")
        ours(running, port, "one message a second each", SECONDS, DEVICES, f"{DEVICES * VALUES:,}")
        before = figures(running, "engine")["transitions"]
        rates["Mainspring: kept, alarms on"] = ours(running, port, "flat out", FLAT_OUT_S, 0, "120,000")
        say(SCENARIO, "alarms raised and cleared meanwhile", figures(running, "engine")["transitions"] - before, "")
    rates |= peers_messages.measure(SCENARIO, sending, FLAT_OUT_S)
    bars("flat-out", "Values a second in messages of three, flat out on two cores", "values/s", rates)


if __name__ == "__main__":
    main()
