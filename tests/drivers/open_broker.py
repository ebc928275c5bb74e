"""Mosquitto without users, for edge nodes that need a broker and nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tests.drivers.mosquitto import Mosquitto
from tests.ports import free_port


class OpenBroker(Mosquitto):
    """A broker on a free loopback port with a folder of its own."""

    def __init__(self) -> None:
        port = free_port()
        super().__init__(Path(tempfile.gettempdir()) / f"mainspring-broker-{os.getpid()}-{port}", port)

    async def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence false", "user root"]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        await Mosquitto.start(self)

    async def cut(self) -> None:
        """End it as a power cut does; `start` brings it back on the same port."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def end(self) -> None:
        """End it for good."""
        await self.cut()
        shutil.rmtree(self.folder, ignore_errors=True)
