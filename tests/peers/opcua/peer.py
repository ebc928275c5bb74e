"""Starts the independent OPC UA server."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers import node

PASSWORD = "let-me-see"


@dataclass
class Peer:
    """A running peer."""

    process: subprocess.Popen[str]
    port: int
    namespace: int
    folder: Path

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}"

    def node(self, name: str) -> str:
        return f"ns={self.namespace};s={name}"

    def set(self, name: str, value: Any, status: str = "Good") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"name": name, "value": value, "status": status}) + "\n")
        self.process.stdin.flush()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextmanager
def running(state: Path, *, strict: bool = False) -> Iterator[Peer]:
    """Run the peer on a free port; `strict` makes it refuse clients whose certificate it does not know."""
    mode = "strict" if strict else "open"
    with node.running(Path(__file__).parent, str(state), mode, settings={"PEER_PASSWORD": PASSWORD}) as (process, told):
        yield Peer(process, told["port"], told["namespace"], state)
