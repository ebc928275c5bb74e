"""A whole platform in a temporary folder, with a plant of any size put into its records, for scenarios to load."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.values import ordinals, slices
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core.definitions import (
    PAGE,
    AlarmDefinition,
    AlarmPage,
    Condition,
    TagDefinition,
    TagPage,
    Words,
    alarm_page_key,
    tag_page_key,
)
from mainspring.core.ids import uuid7
from mainspring.core.kinds import SampleKind

LIMIT = 1000.0
"""The HH limit of every tag but counters."""
COUNTED_LIMIT = 1e12
FIRST = 10_000
"""First ordinal of a load's tags; those of the records lie before."""
LOADED_WITHIN_S = 240


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def ask(port: int, token: str, path: str, body: Any = None, method: str | None = None) -> Any:
    """Ask the API of a platform."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1{path}", method=method)
    request.add_header("Authorization", f"Bearer {token}")
    payload = None
    if body is not None:
        request.add_header("Content-Type", "application/json")
        payload = json.dumps(body).encode()
    with urllib.request.urlopen(request, payload, timeout=120) as answer:
        return json.loads(answer.read())


@dataclass
class Platform:
    """A running platform: its folder, its ports, its processes and a signed-in session."""

    folder: Path
    web_port: int
    bus_port: int
    process: subprocess.Popen[bytes]
    token: str = ""
    tenant: int = 0
    """The company's number in the history."""
    known_s: float = 0.0
    """From its start until every tag of its records was known to the engine."""

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
                name, instance = line[line.index("role") + 1], line[-1]
                found[name if name != "gateway" or instance == "main" else f"{name} {instance}"] = child
            elif "nats-server" in " ".join(line):
                found["bus"] = child
        return found

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Ask the API."""
        return ask(self.web_port, self.token, path, body, method)

    def until_tags(self, tags: int) -> None:
        """Wait until the engine knows so many tags and the other roles report."""
        deadline = time.monotonic() + LOADED_WITHIN_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit("the platform ended while it started")
            try:
                roles = {role["role"]: role for role in self.ask("/health")["roles"]}
            except OSError:
                time.sleep(0.5)
                continue
            known = roles.get("engine", {}).get("figures", {}).get("tags", 0)
            if known >= tags and {"historian", "gateway"} <= roles.keys():
                return
            time.sleep(0.2)
        sys.exit(f"the engine did not know {tags} tags within {LOADED_WITHIN_S} s")


async def publish_plant(running: Platform, first: int, tags: int, *, mixed: bool = False) -> None:
    """Publish the definitions of `tags` tags from ordinal `first` on, with one HH limit each.

    As records would, but written directly: half a million rows in a database are not what is measured here. `mixed`
    makes some of them integers, as `values.ordinals` tells.
    """
    whole = set(map(int, ordinals(first, tags)[1])) if mixed else set()
    bus = await Bus.connect(running.bus_url, seed_file(running.secrets, "web"), "web")
    for start in range(first, first + tags, PAGE):
        numbers = range(start, min(start + PAGE, first + tags))
        page = start // PAGE
        defined = TagPage(
            revision=1, tenant="plant", page=page,
            tags=tuple(
                TagDefinition(ordinal=n, id=uuid7(), path=f"u/T{n}", name=f"T{n}", silence_max_ms=600_000,
                              kind=SampleKind.INTEGER if n in whole else SampleKind.FLOAT)
                for n in numbers
            ),
        )  # fmt: skip
        limits = AlarmPage(
            revision=1, tenant="plant", page=page,
            alarms=tuple(
                AlarmDefinition(
                    id=uuid7(), tag=n, condition=Condition.HH, limit=COUNTED_LIMIT if n in whole else LIMIT,
                    dead_band=1.0, name=Words(en=f"T{n} HH"),
                )
                for n in numbers
            ),
        )  # fmt: skip
        await bus.put_definition(tag_page_key("plant", page), defined)
        await bus.put_definition(alarm_page_key("plant", page), limits)
    await bus.close()
    await asyncio.to_thread(running.until_tags, first - FIRST + tags)


def cpu_seconds(processes: dict[str, psutil.Process]) -> dict[str, float]:
    """Return the processor time each has used."""
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}


@contextmanager
def platform(
    folder: Path, settings: str = "", before: Callable[[Path, int], None] | None = None, bus: str = "", tags: int = 0
) -> Iterator[Platform]:
    """Start a platform whose records hold two watched tags, and stop it.

    They hold `tags` others, too, from ordinal `FIRST` on, mixed as `values.ordinals` tells, with one HH limit each.
    `settings` are more sections of its file, `bus` more settings of the bus; `before` is called with the data folder
    and the company's number, before anything has opened it.
    """
    web_port, bus_port = free_ports(2)
    file = folder / "mainspring.toml"
    file.write_text(
        f'data_folder = "{folder / "data"}"\n[plant]\ntenant = "plant"\n'
        f"[bus]\nport = {bus_port}\n{bus}\n[web]\nport = {web_port}\n{settings}\n"
    )
    number, token = subprocess.run(
        [sys.executable, "-m", "benchmarks.platform_under_test", str(file), str(tags)],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout.split()[-2:]  # fmt: skip
    if before is not None:
        before(folder / "data", int(number))
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "mainspring", "--config", str(file), "up"],
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    running = Platform(folder, web_port, bus_port, process, token, int(number))
    try:
        running.until_tags(2 + tags)
        running.known_s = time.monotonic() - began
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def put_plant(file: Path, tags: int) -> tuple[int, str]:
    """Write two watched tags and others with a limit each into the records; return the company's number and a token."""
    from mainspring import configuration
    from mainspring.first_start import prepare

    prepare(configuration.load(file), print)
    from django.db import transaction

    from mainspring.records.audit import Author
    from mainspring.records.people import credential
    from mainspring.records.people.user import User
    from mainspring.records.plant import alarm_definition, tag
    from mainspring.records.plant.alarm_definition import AlarmDraft
    from mainspring.records.plant.asset import Asset
    from mainspring.records.plant.tag import TagDraft
    from mainspring.records.rights import Role
    from mainspring.records.tenant import Tenant

    tenant = Tenant.objects.get(key="plant")
    person = User.objects.filter(tenant=tenant, role=Role.ADMINISTRATOR).get()
    User.objects.filter(pk=person.pk).update(must_change_password=False)
    author = Author(tenant, person.pseudonym)
    with transaction.atomic():
        asset = Asset.objects.create(
            tenant=tenant, owner=tenant, operator=tenant, asset_kind="unit", slug="u", path="u", search="u"
        )
        for number in range(2):
            made = tag.create(author, TagDraft(name=f"W{number}", asset=asset.id))
            draft = AlarmDraft(tag_id=made.id, condition=Condition.HH, limit=LIMIT, dead_band=1.0)
            alarm_definition.create(author, draft)
        put_tags(asset, tags)
    kind = credential.CredentialKind.TOKEN
    return tenant.number, credential.issue(author, kind, "bench", role=Role.ADMINISTRATOR, user=person)[1]


def put_tags(asset: Any, tags: int) -> None:
    """Write many tags with a limit each below an asset."""
    from mainspring.records.inserts import insert
    from mainspring.records.plant.alarm_definition import AlarmDefinition as Limit
    from mainspring.records.plant.tag import Tag

    whole = set(map(int, ordinals(FIRST, tags)[1]))
    for part in slices(PAGE, tags):
        numbers = range(FIRST + part.start, FIRST + part.stop)
        made = [
            Tag(
                tenant=asset.tenant, asset=asset, ordinal=n, name=f"T{n}", path=f"u/T{n}", search=f"u/t{n}",
                silence_max_ms=600_000, sample_kind=SampleKind.INTEGER if n in whole else SampleKind.FLOAT,
            )
            for n in numbers
        ]  # fmt: skip
        insert(made)
        insert([
            Limit(
                tenant=asset.tenant, tag=tag, condition=Condition.HH, dead_band=1.0, search=tag.search,
                limit=COUNTED_LIMIT if tag.ordinal in whole else LIMIT, name={"en": f"{tag.name} HH", "zh": ""},
            )
            for tag in made
        ])  # fmt: skip


if __name__ == "__main__":
    print(*put_plant(Path(sys.argv[1]), int(sys.argv[2])))
