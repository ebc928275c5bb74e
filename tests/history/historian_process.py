"""A historian as a process of its own: `historian_process.py URL SEED FOLDER [setting=number ...]`."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from mainspring.bus.connect import Bus
from mainspring.history.historian import run
from mainspring.history.settings import HistorianSettings


async def main(url: str, seed: Path, folder: Path, **options: int) -> None:
    # Here and not above: the engine starts threads, and processes are forked from one that has imported the rest.
    from mainspring.history.chdb_store import ChdbStore

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    store = ChdbStore(folder / "history")
    bus = await Bus.connect(url, seed, "historian")
    defaults = {"gather_ms": 50, "disk_free_min_bytes": 0}
    try:
        await run(bus, store, HistorianSettings(folder / "positions", **{**defaults, **options}), stop)  # type: ignore[arg-type]
    finally:
        await bus.close()
        store.close()


if __name__ == "__main__":
    given = {name: int(value) for name, value in (option.split("=") for option in sys.argv[4:])}
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), **given))
