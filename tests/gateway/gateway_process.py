"""A gateway as a process of its own, to be killed, or with a clock that is so many milliseconds ahead.

`python -m tests.gateway.gateway_process URL SEED FOLDER [AHEAD_MS]`
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

from tests.gateway.devices import DRIVERS

from mainspring.bus.connect import Bus
from mainspring.core.drivers import registered
from mainspring.gateway.role import run
from mainspring.gateway.settings import GatewaySettings


def set_clock(ahead_ms: int) -> None:
    """Have this process see another time than its machine."""
    right_ns = time.time_ns
    time.time_ns = lambda: right_ns() + ahead_ms * 1_000_000
    time.time = lambda: time.time_ns() / 1e9


async def main(url: str, seed: str, folder: str, ahead_ms: str = "0") -> None:
    set_clock(int(ahead_ms))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = GatewaySettings(
        name="g1", tenant="acme", folder=Path(folder), flush_ms=10, segment_bytes=64 * 1024, late_after_ms=300,
        disk_free_min_bytes=0,
    )  # fmt: skip

    async def connect() -> Bus:
        return await Bus.connect(url, Path(seed), "gateway-acme-g1", wait_s=0.5)

    await run(connect, settings, stop, {**registered(), **DRIVERS})


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
