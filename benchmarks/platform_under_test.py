"""A whole platform in a temporary folder, with a plant of any size put into its records, for scenarios to load."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass
class Platform:
    """A running platform: its folder, its ports, its processes and a signed-in session."""

    folder: Path
    web_port: int
    bus_port: int
    process: subprocess.Popen[bytes]
    token: str = ""

    @property
    def secrets(self) -> Path:
        return self.folder / "data" / "secrets"

    @property
    def bus_url(self) -> str:
        return f"nats://127.0.0.1:{self.bus_port}"

    def roles(self) -> dict[str, psutil.Process]:
        """Return the processes of the platform by role."""
        found = {"supervisor": psutil.Process(self.process.pid)}
        for child in found["supervisor"].children(recursive=True):
            line = child.cmdline()
            if "role" in line:
                found[line[line.index("role") + 1]] = child
            elif "nats-server" in " ".join(line):
                found["bus"] = child
        return found

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Ask the API."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.web_port}/api/v1{path}", method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        payload = None
        if body is not None:
            request.add_header("Content-Type", "application/json")
            payload = json.dumps(body).encode()
        with urllib.request.urlopen(request, payload, timeout=120) as answer:
            return json.loads(answer.read())


def cpu_seconds(processes: dict[str, psutil.Process]) -> dict[str, float]:
    """Return the processor time each has used."""
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}


@contextmanager
def platform(folder: Path, tags: int = 0, limit: float = 0.0) -> Iterator[Platform]:
    """Start a platform whose records hold `tags` float tags with one HH limit each, and stop it."""
    web_port, bus_port = free_ports(2)
    file = folder / "mainspring.toml"
    file.write_text(
        f'data_folder = "{folder / "data"}"\n[plant]\ntenant = "plant"\n'
        f"[bus]\nport = {bus_port}\n[web]\nport = {web_port}\n"
    )
    token = subprocess.run(
        [sys.executable, "-m", "benchmarks.platform_under_test", str(file), str(tags), str(limit)],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout.split()[-1]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "mainspring", "--config", str(file), "up"],
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    running = Platform(folder, web_port, bus_port, process, token)
    try:
        _until_ready(running, tags)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _until_ready(running: Platform, tags: int) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if running.process.poll() is not None:
            sys.exit("the platform ended while it started")
        try:
            roles = {role["role"]: role for role in running.ask("/health")["roles"]}
        except OSError:
            time.sleep(0.5)
            continue
        known = roles.get("engine", {}).get("figures", {}).get("tags", 0)
        if known >= tags and {"historian", "gateway"} <= roles.keys():
            return
        time.sleep(0.5)
    sys.exit("the platform did not become ready within 240 s")


def put_plant(file: Path, tags: int, limit: float) -> str:
    """Write assets, tags and limits into the records and return an API token."""
    from mainspring import configuration
    from mainspring.first_start import prepare

    prepare(configuration.load(file))
    from django.db import transaction

    from mainspring.records import credential
    from mainspring.records.asset import Asset
    from mainspring.records.audit import Author
    from mainspring.records.rights import Role
    from mainspring.records.tenant import Tenant
    from mainspring.records.user import User

    tenant = Tenant.objects.get(key="plant")
    with transaction.atomic():
        asset = Asset.objects.create(
            tenant=tenant, owner=tenant, operator=tenant, asset_kind="unit", slug="u", path="u", search="u"
        )
        _put_tags(tenant, asset, tags, limit)
    person = User.objects.filter(tenant=tenant, role=Role.ADMINISTRATOR).get()
    User.objects.filter(pk=person.pk).update(must_change_password=False)
    author = Author(tenant, person.pseudonym)
    kind = credential.CredentialKind.TOKEN
    return credential.issue(author, kind, "bench", role=Role.ADMINISTRATOR, user=person)[1]


def _put_tags(tenant: Any, asset: Any, tags: int, limit: float) -> None:
    from mainspring.records.alarm_definition import AlarmDefinition
    from mainspring.records.counter import ORDINALS, take
    from mainspring.records.tag import Tag

    first = take(ORDINALS, tags) if tags else 1
    for start in range(0, tags, 10_000):
        batch = [
            Tag(
                tenant=tenant, asset=asset, ordinal=first + number, name=f"T{number}", path=f"u/T{number}",
                search=f"u/t{number}", silence_max_ms=600_000,
            )
            for number in range(start, min(start + 10_000, tags))
        ]  # fmt: skip
        Tag.objects.bulk_create(batch)
        AlarmDefinition.objects.bulk_create(
            [
                AlarmDefinition(
                    tenant=tenant, tag=tag, condition="HH", limit=limit, dead_band=1.0, search=tag.search,
                    name={"en": f"{tag.name} HH", "zh": ""},
                )
                for tag in batch
            ]
        )  # fmt: skip


if __name__ == "__main__":
    print(put_plant(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
