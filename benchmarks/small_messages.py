"""5,000 MQTT devices that send three values in JSON each second, alarm rules on; then as fast as they are acknowledged.

`python -m benchmarks.small_messages [--seconds 60] [--quick]`. A whole platform takes, evaluates and keeps them; a
message is acknowledged when it is synced to disk. Every value that is acknowledged is stored, or is left out and
counted because it equals the one before: what is acknowledged and what became of it must come out even. The same
devices then send to Mosquitto alone (a broker: nothing is evaluated or kept), to Node-RED and to thingsboard-gateway
behind Mosquitto. Devices are a process of their own on the same cores.
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
from typing import Any, NamedTuple

import pyarrow as pa

from benchmarks import peers_messages
from benchmarks.figures import QUICK, bars, option, say
from benchmarks.mqtt_devices import DEVICES, VALUES, definitions
from benchmarks.platform_under_test import FIRST, Platform, cpu_seconds, free_ports, platform
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core import subjects

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


class Counts(NamedTuple):
    """Values since the platform's start, as its roles report them."""

    came: int
    """What devices sent to the gateway."""
    left_out: int
    """Of these, what report by exception left out because it said nothing new."""
    logged: int
    """What is left, and what the gateway says itself (first contact, silence)."""
    stored: int
    refused: int
    """What the historian does not take because it does not know the tag, or not yet."""
    waiting: int
    """Batches in the gateway's log that the bus has not acknowledged."""

    @property
    def added(self) -> int:
        """What the gateway said itself."""
        return self.logged - (self.came - self.left_out)


def figures(running: Platform, role: str) -> dict[str, Any]:
    """Return the figures that a role reports."""
    found = next(each for each in running.ask("/health")["roles"] if each["role"] == role)
    return dict(found["figures"])


def counts(running: Platform) -> Counts:
    """Return how many values came how far."""
    gateway, historian = figures(running, "gateway"), figures(running, "historian")
    return Counts(
        int(gateway["samples_came"]), int(gateway["samples_left_out"]), int(gateway["samples_logged"]),
        int(historian["samples"]), int(historian["refused"]), int(gateway["spool_batches"]),
    )  # fmt: skip


def settled(running: Platform, came: int) -> tuple[Counts, float]:
    """Wait until so many values came and all that was logged was taken; returns it and the moment it was reported."""
    deadline = time.monotonic() + STORED_WITHIN_S
    while (now := counts(running)).came < came or now.stored + now.refused != now.logged:
        if time.monotonic() > deadline:
            sys.exit(f"of {came:,} values {now} is reported after {STORED_WITHIN_S} s")
        time.sleep(0.1)
    return now, time.monotonic()


async def in_tables(running: Platform) -> int:
    """Count the company's values in the history's own tables."""
    bus = await Bus.connect(running.bus_url, seed_file(running.secrets, "web"), "web")
    answer = await bus.ask(subjects.history("plant", "extent"), b"{}", timeout_s=60)
    await bus.close()
    return int(pa.ipc.open_stream(answer).read_all().to_pylist()[0]["samples"])


def ours(running: Platform, port: int, words: str, seconds: float, rate: float, wanted: str) -> float:
    """Let the devices send to the platform; returns values stored a second."""
    scenario = f"Mainspring, {words}"
    with sending(port, seconds, rate) as send:
        before, _ = settled(running, 0)
        kept_before = asyncio.run(in_tables(running))
        roles = running.roles()
        used_before, began = cpu_seconds(roles), time.monotonic()
        told = send()
        ended, waiting = time.monotonic(), counts(running).waiting
        values = int(told["answered"]) * VALUES
        after, stored_at = settled(running, before.came + values)
        used = {name: now - used_before[name] for name, now in cpu_seconds(roles).items()}
    kept = asyncio.run(in_tables(running)) - kept_before
    stored, left_out = after.stored - before.stored, after.left_out - before.left_out
    added, refused = after.added - before.added, after.refused - before.refused
    say(scenario, "all devices connected after", told["opened_s"], "s")
    say(scenario, "values acknowledged, synced to disk", values / told["took_s"], "values/s", wanted)
    say(
        scenario,
        "values stored, until the last one is",
        stored / (stored_at - began),
        "values/s",
        "" if rate else wanted,
    )
    say(scenario, "the last one is stored after its acknowledgement", stored_at - ended, "s")
    say(scenario, "batches waiting in the gateway at the last acknowledgement", waiting, "")
    say(scenario, "messages not acknowledged", told["sent"] - told["answered"], "", "0")
    say(scenario, "values acknowledged in all", values, "")
    say(scenario, "values stored in all", stored, "")
    say(scenario, "values left out, equal to the one before", left_out, "")
    say(scenario, "values added by the gateway (silence)", added, "")
    say(scenario, "values refused by the historian", refused, "", "0")
    say(scenario, "acknowledged - left out + added - refused - stored",
        values - left_out + added - refused - stored, "", "0")  # fmt: skip
    say(scenario, "stored - counted in the history's tables", stored - kept, "", "0")
    if rate:
        say(scenario, "acknowledged within, median", told["p50_ms"], "ms")
        say(scenario, "acknowledged within, 99th percentile", told["p99_ms"], "ms")
    for name in ROLES:
        say(scenario, name, 100 * used[name] / told["took_s"], "% of a core")
    say(scenario, "gateway, bus, engine and historian a message",
        sum(used[name] for name in ROLES) / told["answered"] * 1e6, "µs of a core")  # fmt: skip
    say(scenario, "gateway a message", used["gateway"] / told["answered"] * 1e6, "µs of a core")
    say(scenario, "the devices themselves", 100 * told["cpu_s"] / told["took_s"], "% of a core")
    say(scenario, "memory of the gateway", roles["gateway"].memory_info().rss / 2**20, "MB")
    return stored / (stored_at - began)


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
