"""Three servers of one cluster on loopback, configured by the sample that people start from."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from tests.ports import free_ports

from mainspring.bus import server
from mainspring.bus.credentials import RoleUser

SAMPLE: Final = Path(__file__).parents[2] / "deploy" / "nats-cluster" / "server.conf"
SERVERS: Final = 3
DISK_BYTES: Final = 10 * 1024**3


class Cluster:
    """The servers by number; each is killed and started again on its folder and its ports."""

    def __init__(self, folder: Path, users: Sequence[RoleUser]) -> None:
        self._folder = folder
        ports = free_ports(3 * SERVERS)
        self.ports, self._routes, self._monitors = (ports[start::3] for start in range(3))
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        for number in range(SERVERS):
            own = folder / str(number)
            server.write_accounts(own, users)
            shutil.copy(SAMPLE, own)

    @property
    def url(self) -> str:
        """What `[bus] url` names: all of them."""
        return ",".join(f"nats://127.0.0.1:{port}" for port in self.ports)

    def start(self, number: int) -> None:
        """Start one server."""
        own = self._folder / str(number)
        routes = ", ".join(f"nats://cluster:between-servers@127.0.0.1:{port}" for port in self._routes)
        told = {
            "SERVER_NAME": f"server-{number}", "LISTEN": f'"127.0.0.1:{self.ports[number]}"',
            "ROUTE_LISTEN": f'"127.0.0.1:{self._routes[number]}"', "ROUTES": f"[{routes}]",
            "ROUTE_PASSWORD": "between-servers", "STORE": f'"{own}"', "DISK_BYTES": str(DISK_BYTES),
        }  # fmt: skip
        with (own / "server.log").open("ab") as log:
            self._running[number] = subprocess.Popen(
                [server.program(), "-c", own / SAMPLE.name, "-m", str(self._monitors[number])],
                env=os.environ | told, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def healthy(self, number: int) -> bool:
        """Tell whether a server has everything that the others have."""
        try:
            with urlopen(f"http://127.0.0.1:{self._monitors[number]}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self, number: int) -> None:
        """End one server as a power cut would."""
        process = self._running.pop(number)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End what runs."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def said(self) -> str:
        """Return the ends of the servers' logs."""
        logs = [self._folder / str(number) / "server.log" for number in range(SERVERS)]
        return "\n".join(log.read_text()[-1500:] for log in logs if log.exists())
