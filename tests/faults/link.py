"""A gateway on another machine, and the link between it and the platform: cut, slow, lossy, and whole again.

The other machine is a network namespace with one wire to this one; its devices publish to its own loopback address. A
cut link swallows packets and refuses nothing, as a radio link or a far switch does.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
from tests.e2e.platform import Platform, eventually, free_ports, running
from tests.faults.numbered import PASSWORD, NumberedSource, numbered
from tests.turns import network

from mainspring.edge.enrolment import TOKEN_VARIABLE

OWN: Final = Path("/proc/thread-self/ns/net")
SPACES: Final = Path("/run/netns")
CLONE_NEWNET: Final = 0x40000000
STOP_S: Final = 60
REPORTS_S: Final = 120
QUEUE_S: Final = 1
"""How much a slow link holds back before it drops, as the modems before such links do."""
ROOT: Final = Path(__file__).parents[2]


def _run(*command: object) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    what = " ".join(map(str, command))
    needs = "These tests need root, network namespaces, and ip and tc of the Debian package iproute2."
    assert not done.returncode, f"`{what}` failed: {done.stderr.strip()}. {needs}"


def _dropping(share: float) -> str:
    """Return the program of a packet filter that drops this share by chance: load a random number and compare."""
    limit = min(2**32 - 1, round(share * 2**32))
    # BPF_LD+W+ABS of SKF_AD_RANDOM, BPF_JGE, and the answers TC_ACT_OK and TC_ACT_SHOT.
    return f"4,32 0 0 4294963256,53 0 1 {limit},6 0 0 0,6 0 0 2"


class Link:
    """The wire of a namespace; this side of it has the address `here`."""

    def __init__(self, number: int = 0) -> None:
        # Tests that run beside each other have processes of their own.
        place = f"10.{64 + os.getpid() % 128}.{number % 64}"
        self.name = f"ms{os.getpid()}-{number}"
        self.here, self.there = f"{place}.1", f"{place}.2"
        self._near, self._far = f"{self.name}l", f"{self.name}m"
        self._lossy = False

    def __enter__(self) -> Link:
        _run("ip", "netns", "add", self.name)
        try:
            _run("ip", "link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self.name)
            _run("ip", "address", "add", f"{self.here}/30", "dev", self._near)
            self._there("ip", "address", "add", f"{self.there}/30", "dev", self._far)
            _run("ip", "link", "set", self._near, "up")
            self._there("ip", "link", "set", self._far, "up")
            self._there("ip", "link", "set", "lo", "up")
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # Either end takes the wire with it.
        subprocess.run(["ip", "link", "del", self._near], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def _there(self, *command: object) -> None:
        _run("ip", "netns", "exec", self.name, *command)

    @property
    def command(self) -> list[str]:
        """What a command begins with that runs on the other machine."""
        return ["ip", "netns", "exec", self.name]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread be on the other machine: sockets it opens are there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with OWN.open() as own, (SPACES / self.name).open() as other:
            assert not libc.setns(other.fileno(), CLONE_NEWNET), os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert not libc.setns(own.fileno(), CLONE_NEWNET), os.strerror(ctypes.get_errno())

    def cut(self) -> None:
        """From now on nothing gets through, in either direction, and nobody is told."""
        self.lossy(1.0)

    def lossy(self, share: float) -> None:
        """Lose this share of the packets, each by chance, in either direction."""
        self.whole()
        for run, wire in ((_run, self._near), (self._there, self._far)):
            run("tc", "qdisc", "add", "dev", wire, "clsact")
            run("tc", "filter", "add", "dev", wire, "ingress", "bpf", "da", "bytecode", _dropping(share))
        self._lossy = True

    def slow(self, kbit_per_s: int) -> None:
        """Let so much through in either direction."""
        for run, wire in ((_run, self._near), (self._there, self._far)):
            run("tc", "qdisc", "replace", "dev", wire, "root", "tbf", "rate", f"{kbit_per_s}kbit", "burst", "1600",
                "latency", f"{QUEUE_S}s")  # fmt: skip

    def whole(self) -> None:
        """Lose nothing any more; a slow link stays slow."""
        if self._lossy:
            _run("tc", "qdisc", "del", "dev", self._near, "clsact")
            self._there("tc", "qdisc", "del", "dev", self._far, "clsact")
        self._lossy = False

    def fast(self) -> None:
        """Let everything through."""
        for run, wire in ((_run, self._near), (self._there, self._far)):
            with suppress(AssertionError):
                run("tc", "qdisc", "del", "dev", wire, "root")


class Far:
    """The platform here, and a gateway with its devices behind the link."""

    def __init__(self, folder: Path, link: Link, platform: Platform, mqtt_port: int) -> None:
        self.folder, self.link, self.platform, self.port = folder, link, platform, mqtt_port
        self.person = platform.administrator()
        self.bus_url = f"nats://{link.here}:{platform.port + 1}"
        self._process: subprocess.Popen[str] | None = None

    def enrol(self, more: str = "") -> None:
        """Announce the gateway, write its one file, and start it for the first time."""
        self.folder.mkdir()
        data = json.dumps(str(self.folder / "data"))
        address = f"http://{self.link.here}:{self.platform.port}"
        (self.folder / "edge.toml").write_text(
            f'data_folder = {data}\n[platform]\nurl = "{address}"\nplain_http = true\n'
            f"[gateway]\nmqtt_port = {self.port}\n{more}\n"
        )
        self.start(self.person.post("/gateways", {"name": "far"})["token"])
        eventually(self.reports, REPORTS_S, "the gateway reports")

    def start(self, token: str = "") -> None:
        """Start it on the other machine."""
        environment = {**os.environ, TOKEN_VARIABLE: token}
        with (self.folder / "said").open("a") as said:
            self._process = subprocess.Popen(
                [*self.link.command, sys.executable, "-m", "mainspring", "gateway", str(self.folder / "edge.toml")],
                cwd=self.folder, env=environment, stdout=said, stderr=subprocess.STDOUT, text=True,
                start_new_session=True,
            )  # fmt: skip

    def stop(self) -> None:
        """End it cleanly."""
        if self._process is not None:
            process, self._process = self._process, None
            process.terminate()
            assert process.wait(STOP_S) == 0, (self.folder / "said").read_text()

    def process(self) -> psutil.Process:
        """Return the process that is the gateway; its runner watches over it."""
        assert self._process is not None
        # `ip netns exec` becomes the command it is given.
        return psutil.Process(self._process.pid).children()[0]

    def reports(self) -> bool:
        """Tell whether the platform hears of it."""
        return any(each["name"] == "far" and each["alive"] for each in self.person.get("/gateways"))

    def source(self, **shape: int) -> NumberedSource:
        """Make devices behind the link."""
        source = numbered(self.person, self.port, gateway="far", **shape)
        source.inside = self.link.inside
        return source


@contextmanager
def far(folder: Path, bus: str = "", gateway: str = "", number: int = 0) -> Iterator[Far]:
    """Run a platform and a gateway of its own beyond a link."""
    with network(changes=True), Link(number) as link:
        web = free_ports(3)
        (folder / "mainspring.toml").write_text(
            f'data_folder = "data"\n[web]\nhost = "0.0.0.0"\nport = {web}\n'
            f'allowed_hosts = ["127.0.0.1", "{link.here}"]\n'
            f'[bus]\nhost = "{link.here}"\nport = {web + 1}\npublic_url = "nats://{link.here}:{web + 1}"\n{bus}\n'
            "[gateways]\n"
        )
        platform = Platform(folder, ["up"], web)
        with running(platform):
            person = platform.administrator()
            person.post("/session/password", {"old": platform.password, "new": PASSWORD})
            platform.password = PASSWORD
            made = Far(folder / "far", link, platform, web + 2)
            try:
                made.enrol(gateway)
                yield made
            finally:
                link.whole()
                link.fast()
                made.stop()
