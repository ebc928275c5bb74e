"""An engine as a process of its own, to be killed."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from mainspring.bus.connect import Bus
from mainspring.engine.role import EngineSettings, run


async def main(url: str, seed: Path, folder: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    bus = await Bus.connect(url, seed, "engine")
    try:
        await run(bus, EngineSettings(folder=folder), stop)
    finally:
        await bus.close()
