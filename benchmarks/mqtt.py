"""MQTT devices on the gateway's listener: JSON messages of three values with QoS 1, acknowledged once they are synced.

The gateway is a process of its own (listener, driver, report by exception, segment log; no bus); the devices are 5,000
sockets of this process. Prints JSON lines. Run: `python -m benchmarks.mqtt`; `--profile` writes where the time goes.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.figures import say
from benchmarks.mqtt_devices import DEVICES, VALUES, Devices, definitions, more_files
from mainspring.core.drivers import registered
from mainspring.gateway.role import Gateway
from mainspring.gateway.settings import GatewaySettings

SECONDS = 12


def define(folder: Path) -> None:
    """Write what the bus would give."""
    found = {key: document.model_dump_json() for key, document in definitions("acme", "g1")}
    body = ",".join(f"{json.dumps(key)}:{document}" for key, document in found.items())
    (folder / "definitions.json").write_text(f"{{{body}}}")


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


def scenario(words: str, rate: float, together: int, *, wanted: str = "", profile: bool = False) -> None:
    """Run one load against a gateway of its own."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        define(Path(folder))
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
    more_files()
    if "--gateway" in arguments:
        asyncio.run(gateway(Path(arguments[-2]), int(arguments[-1])))
        return
    profile = "--profile" in arguments
    scenario("one message at a time", 35_000, 1, wanted="100,000", profile=profile)
    if not profile:
        scenario("ten messages at a time", 60_000, 10)


if __name__ == "__main__":
    main(sys.argv[1:])
