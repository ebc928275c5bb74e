"""A gateway as a process of its own, to be killed: `python -m tests.gateway.gateway_process URL SEED FOLDER`."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from tests.gateway.devices import DRIVERS

from mainspring.bus.connect import Bus
from mainspring.gateway.role import run
from mainspring.gateway.settings import GatewaySettings


async def main(url: str, seed: str, folder: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = GatewaySettings(
        name="g1", tenant="acme", folder=Path(folder), flush_ms=10, segment_bytes=64 * 1024, late_after_ms=300,
        disk_free_min_bytes=0,
    )  # fmt: skip

    async def connect() -> Bus:
        return await Bus.connect(url, Path(seed), "gateway-acme-g1", wait_s=0.5)

    await run(connect, settings, stop, DRIVERS)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
