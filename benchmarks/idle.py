"""All roles and the demo plant, left alone for a while: memory, processor, and how fast it starts."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.figures import say
from benchmarks.platform_under_test import Platform, cpu_seconds, free_ports
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core import subjects
from mainspring.core.health import GatewayConnections

SETTLE_S = 60
WATCH_S = 40


def tell(figure: str, value: float, unit: str, wanted: str = "") -> None:
    say("idle", figure, value, unit, wanted)


def start(folder: Path, port: int) -> tuple[subprocess.Popen[bytes], float]:
    """Start the demo and return its process and the seconds until its sources are live and the page answers."""
    began = time.monotonic()
    command = [sys.executable, "-m", "mainspring", "demo", "--port", str(port), "--folder", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    asyncio.run(asyncio.wait_for(flowing(folder, port + 1), 90))
    while time.monotonic() - began < 90:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/site", timeout=1) as answer:
                if answer.status == 200:
                    return process, time.monotonic() - began
        except OSError:
            time.sleep(0.05)
    sys.exit("the demo did not start within 90 s")


async def flowing(folder: Path, bus_port: int) -> None:
    """Return once a gateway says that process, chiller and machine tool are live and send."""
    seed = seed_file(folder / "data" / "secrets", "status")
    while not seed.exists():
        await asyncio.sleep(0.05)
    bus = await Bus.connect(f"nats://127.0.0.1:{bus_port}", seed, "status", wait_s=60)
    live = asyncio.Event()

    async def on_connections(message: Any) -> None:
        report = GatewayConnections.model_validate_json(message.data)
        if sum(each.state == "connected" and each.samples_per_s > 0 for each in report.connections) >= 3:
            live.set()

    await bus.nc.subscribe(subjects.CONNECTIONS_ALL, cb=on_connections)
    await live.wait()
    await bus.close()


def main() -> None:
    """Run the scenario."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = free_ports(1)[0] // 10 * 10
        process, first = start(folder, port)
        stop(process)
        process, second = start(folder, port)
        tell("first start to live values", first, "s")
        tell("second start to live values", second, "s", "at most 8")
        time.sleep(SETTLE_S)
        roles = Platform(folder, port, port + 1, process).roles()
        before = cpu_seconds(roles)
        time.sleep(WATCH_S)
        used = {name: 100 * (now - before[name]) / WATCH_S for name, now in cpu_seconds(roles).items()}
        # Shared pages counted once (PSS): nine processes of one interpreter share much of what each maps.
        memory = {name: role.memory_full_info().pss / 2**20 for name, role in roles.items()}
        mapped = sum(role.memory_info().rss for role in roles.values()) / 2**20
        for role in roles:
            tell(f"{role}: resident memory, shared pages counted once", memory[role], "MB")
            tell(f"{role}: processor", used[role], "% of a core")
        tell("all together: resident memory, shared pages counted once", sum(memory.values()), "MB", "at most 1,000")
        tell("all together: resident memory, shared pages counted in each process", mapped, "MB")
        tell("all together: processor", sum(used.values()), "% of a core", "at most 5")
        began = time.monotonic()
        stop(process)
        tell("clean stop", time.monotonic() - began, "s", "at most 5")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(30)


if __name__ == "__main__":
    main()
