"""Numbered readings: each carries its own number, so that afterwards every loss, repetition and disorder can be told.

A device publishes over MQTT with QoS 1 on the gateway's own listener and never sends a reading twice: what was
acknowledged has to be in the history exactly once, what was not may be there once. Reading k of a tag has the value k
and the time `base_ms + k * step_ms`.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tests.e2e.platform import Person, Platform, eventually, free_ports, running
from tests.waiting import PATIENCE_S

from mainspring.client import Client, PlatformError
from mainspring.core import quality as q
from mainspring.core.errors import NotConnected
from mainspring.simulators.mqtt_device import MqttDevice, Refused

Flags = npt.NDArray[np.bool_]
PASSWORD: Final = "a longer one of my own"
BULK: Final = 1000
ROWS_MAX: Final = 5_000_000
MINUTE_MS: Final = 60_000
AGAIN_S: Final = 0.1
WAIT_S: Final = 2.0
SETTLED_S: Final = 180.0
FLOWS_S: Final = PATIENCE_S
KNOWN_S: Final = PATIENCE_S


@dataclass
class Numbered:
    """One device of a source: what it sent, and which of it was acknowledged."""

    name: str
    secret: str
    tags: list[int]
    sent: int = 0
    """The next number; numbers pass unused while the listener is away."""
    kept: bytearray = field(default_factory=bytearray)
    tried: bytearray = field(default_factory=bytearray)

    def note(self, number: int, into: bytearray) -> None:
        """Mark a number."""
        into.extend(bytes(max(0, number + 1 - len(into))))
        into[number] = 1

    def flags(self, of: bytearray) -> Flags:
        """Return the marks as an array over all numbers so far."""
        flags = np.zeros(self.sent, np.bool_)
        flags[: len(of)] = np.frombuffer(bytes(of), np.bool_)
        return flags


class NumberedSource:
    """Devices that publish numbered readings in real time, or as fast as they are acknowledged."""

    def __init__(
        self, port: int, devices: Sequence[Numbered], paths: dict[int, str], token: str, *, step_ms: int = 20,
        host: str = "127.0.0.1", window: int = 16,
    ) -> None:  # fmt: skip
        self.port, self.host = port, host
        self.paths = paths
        self.devices = list(devices)
        self.token = token
        self.step_ms = step_ms
        self.window = window
        self.base_ms = time.time_ns() // 1_000_000
        self.inside: Callable[[], AbstractContextManager[None]] = nullcontext
        """Where the devices are: the network that their sockets are opened in."""
        self._began_s = time.monotonic()
        self._ended = False

    @property
    def acknowledged(self) -> dict[int, Flags]:
        """Return, by tag, which numbers were acknowledged."""
        return {tag: flags for each in self.devices for flags in [each.flags(each.kept)] for tag in each.tags}

    @property
    def published(self) -> dict[int, Flags]:
        """Return, by tag, which numbers were put on the wire, acknowledged or not."""
        return {tag: flags for each in self.devices for flags in [each.flags(each.tried)] for tag in each.tags}

    @property
    def acknowledged_total(self) -> int:
        """How many readings were acknowledged."""
        return sum(each.kept.count(1) * len(each.tags) for each in self.devices)

    def flows_on(self, readings: int) -> None:
        """Wait, while it is publishing, until so many further readings are acknowledged."""
        wanted = self.acknowledged_total + readings
        eventually(lambda: self.acknowledged_total >= wanted, FLOWS_S, f"{readings} more readings are acknowledged")

    def begin_earlier(self, readings: int) -> None:
        """Be behind by so many readings: their time has passed already."""
        self.base_ms -= readings * self.step_ms
        self._began_s -= readings * self.step_ms / 1000

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Publish in real time in a thread of its own while the test does something else."""
        thread = threading.Thread(target=lambda: asyncio.run(self.run(seconds=math.inf)), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended = True
            thread.join(60)
            self._ended = False

    async def run(self, seconds: float = 0.0, readings: int = 0) -> None:
        """Publish for so long in real time, or so many messages of each device as fast as they are acknowledged."""
        with self.inside():
            await self._run_all(seconds, readings)

    async def _run_all(self, seconds: float, readings: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for each in self.devices:
                tasks.create_task(self._run(each, time.monotonic() + seconds, each.sent + readings))

    async def _run(self, numbered: Numbered, ends_s: float, last: int) -> None:
        device = MqttDevice(self.port, numbered.name, numbered.secret, host=self.host)
        fields = ",".join(f'"t{place}":K' for place in range(len(numbered.tags)))
        content = '{"time":T,' + fields + "}"
        under_way: set[asyncio.Task[None]] = set()
        paced = time.monotonic() < ends_s
        try:
            while not self._ended and (time.monotonic() < ends_s or numbered.sent < last):
                if not device.connected:
                    with suppress(OSError, Refused, TimeoutError):
                        async with asyncio.timeout(WAIT_S):
                            await device.connect()
                if not device.connected:
                    await asyncio.sleep(AGAIN_S)
                elif len(under_way) >= self.window:
                    await asyncio.wait(under_way, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
                elif (ahead_s := self._ahead_s(numbered.sent) if paced else 0.0) > 0:
                    await asyncio.sleep(ahead_s)
                else:
                    number = max(numbered.sent, self._due() if paced else 0)
                    numbered.sent = number + 1
                    time_ms = self.base_ms + number * self.step_ms
                    payload = content.replace("T", str(time_ms), 1).replace("K", str(number)).encode()
                    task = asyncio.create_task(self._publish(device, numbered, number, payload))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
            if under_way:
                await asyncio.wait(under_way, timeout=WAIT_S if paced else SETTLED_S)
        finally:
            await device.close()
            await asyncio.gather(*under_way, return_exceptions=True)

    def _due(self) -> int:
        return int((time.monotonic() - self._began_s) * 1000) // self.step_ms

    def _ahead_s(self, number: int) -> float:
        return self._began_s + number * self.step_ms / 1000 - time.monotonic()

    async def _publish(self, device: MqttDevice, numbered: Numbered, number: int, payload: bytes) -> None:
        numbered.note(number, numbered.tried)
        try:
            await device.publish(f"numbered/{numbered.name}", payload)
        except OSError:
            return
        numbered.note(number, numbered.kept)


@dataclass(frozen=True)
class Counted:
    """What became of the acknowledged readings; all but the first and the last are wanted to be nought."""

    acknowledged: int
    lost: int
    duplicate: int
    disordered: int
    unexpected: int
    """Values nobody sent, or at another time than they were sent with."""
    behind: int = 0
    """Tags whose current value is older than their last acknowledged reading."""
    miscounted: int = 0
    """Tags whose statistics count other numbers of readings than the history holds."""
    unacknowledged: int = 0
    """Readings that are kept although their acknowledgement never arrived."""

    @property
    def right(self) -> bool:
        """Tell whether nothing is wrong."""
        wrong = (self.lost, self.duplicate, self.disordered, self.unexpected, self.behind, self.miscounted)
        return not any(wrong)


def numbered(
    person: Person, port: int, *, devices: int = 2, tags: int = 4, step_ms: int = 20, gateway: str = "main"
) -> NumberedSource:
    """Make devices, a connection and their tags; returns the source of their readings once the gateway takes them."""
    key = f"n{secrets.token_hex(3)}"
    settings = {"topics": ["numbered/+"], "time_path": "time"}
    connection = person.post(
        "/connections", {"name": key, "driver": "mqtt", "gateway": gateway, "settings": settings}
    )["id"]  # fmt: skip
    asset = person.post("/assets", {"parent": None, "kind": "enterprise", "slug": key, "name": {"en": key, "zh": key}})
    names = [f"{key}-{index}" for index in range(devices)]
    issued = person.post("/devices/bulk", {"names": names, "gateway": gateway, "publish": ["numbered/{name}"]})["items"]
    drafts = [
        {
            "name": f"{name}.{place}", "asset": asset["id"], "connection": connection, "kind": "int64",
            "address": {"topic": f"numbered/{name}", "path": f"t{place}"}, "silence_max_ms": 86_400_000,
        }
        for name in names
        for place in range(tags)
    ]  # fmt: skip
    for start in range(0, len(drafts), BULK):
        answer = person.post("/tags/bulk", {"items": drafts[start : start + BULK], "dry_run": False})
        assert not answer["refused"], answer["refused"][:3]
    ordinals: dict[str, int] = {}
    paths: dict[int, str] = {}
    for start in range(0, len(drafts), BULK):
        listed = person.get("/tags", connection=connection, offset=start, limit=BULK)["items"]
        ordinals |= {each["name"]: each["tag"] for each in listed}
        paths |= {each["tag"]: each["path"] for each in listed}
    token = person.post("/tokens", {"name": key, "role": "engineer"})["token"]
    made = [
        Numbered(each["name"], each["secret"], [ordinals[f"{each['name']}.{place}"] for place in range(tags)])
        for each in issued
    ]
    source = NumberedSource(port, made, paths, token, step_ms=step_ms)
    eventually(lambda: _takes(person, source), KNOWN_S, "the gateway knows the numbered tags")
    # The first start on a machine compiles what the engine computes with.
    eventually(lambda: person.current(*source.devices[0].tags), KNOWN_S, "the engine answers")
    return source


def _takes(person: Person, source: NumberedSource) -> bool:
    """Tell whether the gateway waits for every tag: what comes for one it does not know yet is refused."""
    name = source.devices[0].name.partition("-")[0]
    listed = person.get("/connections", search=name)["items"]
    found = [each["health"] for each in listed if each["name"] == name]
    waiting = sum(len(each.tags) for each in source.devices)
    return bool(found and found[0]) and found[0]["state"] == "connected" and found[0].get("tags_bad") == waiting


def count(platform: Platform, source: NumberedSource) -> Counted:
    """Read everything back through the public client and compare it with what was acknowledged."""
    acknowledged, published = source.acknowledged, source.published
    start = source.base_ms - source.base_ms % MINUTE_MS - 60 * MINUTE_MS
    numbers = max((each.sent for each in source.devices), default=0)
    end = source.base_ms + (numbers + 1) * source.step_ms + 120 * MINUTE_MS
    total = dict.fromkeys(Counted.__dataclass_fields__, 0)
    tags = list(acknowledged)
    together = max(1, min(400, ROWS_MAX // 2 // max(1, numbers)))
    with Client(platform.url, source.token) as client:
        for begin in range(0, len(tags), together):
            some = tags[begin : begin + together]
            table = client.raw(some, start, end, limit=ROWS_MAX).arrow
            assert table.num_rows < ROWS_MAX, "more readings than one query returns"
            good = client.aggregate(some, start, end, step=MINUTE_MS * 10, functions=["count"]).arrow
            current = client.current(some).arrow
            rows, sums, now = _by_tag(table), _by_tag(good), _by_tag(current)
            for tag in some:
                found = _of_tag(source, rows.get(source.paths[tag]), acknowledged[tag], published[tag])
                statistics = sums.get(source.paths[tag])
                counted = int(np.sum(statistics["good"].to_numpy())) if statistics is not None else 0
                found["miscounted"] = int(counted != found.pop("rows"))
                found["behind"] = int(_behind(source, now.get(source.paths[tag]), acknowledged[tag]))
                for name, value in found.items():
                    total[name] += value
    return Counted(**total)


def _by_tag(table: pa.Table) -> dict[str, pa.Table]:
    """Split a table by its tags, each in the order it came."""
    column = table.column("tag").combine_chunks()
    chunk: Any = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    names = chunk.dictionary.to_pylist()
    places = chunk.indices.to_numpy(zero_copy_only=False)
    # Rows of each tag side by side: a take for each tag from a table of many pieces takes longer than all the rest.
    table = table.combine_chunks().take(np.argsort(places, kind="stable"))
    ends = np.cumsum(np.bincount(places, minlength=len(names)))
    return {names[place]: table.slice(start, end - start)
            for place, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)) if end > start}  # fmt: skip


def _of_tag(source: NumberedSource, table: pa.Table | None, kept: Flags, sent: Flags) -> dict[str, int]:
    """Compare one tag's good readings with what was acknowledged and what was sent at all."""
    if table is None:
        return {"acknowledged": int(kept.sum()), "lost": int(kept.sum()), "rows": 0}
    good = table.column("quality").to_numpy() >= q.GOOD
    values = table.column("value").to_numpy()[good].astype(np.int64)
    times = table.column("time").cast(pa.int64()).to_numpy()[good]
    own = (values >= 0) & (values < len(sent))
    own[own] = sent[values[own]]
    there = np.bincount(values[own], minlength=len(sent))
    in_place = times[own] == source.base_ms + values[own] * source.step_ms
    return {
        "acknowledged": int(kept.sum()),
        "lost": int((kept & (there == 0)).sum()),
        "duplicate": int(np.maximum(there - 1, 0).sum()),
        "disordered": int((np.diff(values[own]) < 0).sum()),
        "unexpected": int((~own).sum() + (~in_place).sum()),
        "unacknowledged": int((~kept & (there > 0)).sum()),
        "rows": len(values),
    }


def _behind(source: NumberedSource, current: pa.Table | None, kept: Flags) -> bool:
    """Tell whether the current value is older than the last acknowledged reading.

    What a gateway says of a device that has not been there since its start is newer, and has no value.
    """
    numbers = np.flatnonzero(kept)
    if not len(numbers):
        return False
    if current is None:
        return True
    [value] = current.column("integer").to_pylist()
    [quality] = current.column("quality").to_numpy()
    [time_ms] = current.column("time").cast(pa.int64()).to_numpy()
    if quality < q.UNCERTAIN:
        return bool(time_ms < source.base_ms + numbers[-1] * source.step_ms)
    return value is None or bool(value < numbers[-1])


def settled(
    platform: Platform, source: NumberedSource, within_s: float = SETTLED_S,
    holds: Callable[[Counted], bool] = lambda counted: counted.right,
) -> Counted:  # fmt: skip
    """Count until it holds twice in a row, or for so long; returns the last count, right or not."""
    ends = time.monotonic() + within_s
    held = 0
    last: Counted | None = None
    while True:
        try:
            last = count(platform, source)
        except (NotConnected, PlatformError, httpx.HTTPError, OSError) as error:
            assert time.monotonic() < ends, f"the readings could not be counted within {within_s:g} s: {error}"
            held = 0
        else:
            held = held + 1 if holds(last) else 0
            if held == 2 or time.monotonic() > ends:
                return last
        time.sleep(1)


def afterwards(platform: Platform, source: NumberedSource) -> Counted:
    """Wait until nothing is missing and every current value is the newest, and count."""
    return settled(platform, source)


@dataclass
class Plant:
    """A platform under test with its numbered source."""

    platform: Platform
    person: Person
    source: NumberedSource
    folder: Path


def configured(folder: Path, more: str = "", gateway: str = "", bus: str = "") -> tuple[Platform, int]:
    """Write a settings file with free ports and return the platform, not started, and its MQTT port."""
    web = free_ports(3)
    ports = 'data_folder = "data"\n'
    ports += f"[web]\nport = {web}\n[bus]\nport = {web + 1}\n{bus}\n[gateways.main]\nmqtt_port = {web + 2}\n"
    (folder / "mainspring.toml").write_text(f"{ports}{gateway}\n{more}")
    return Platform(folder, ["up"], web), web + 2


def prepared(platform: Platform, port: int, **source: Any) -> Plant:
    """Set up a started platform for numbered readings."""
    person = platform.administrator()
    if platform.password != PASSWORD:
        person.post("/session/password", {"old": platform.password, "new": PASSWORD})
        platform.password = PASSWORD
    return Plant(platform, person, numbered(person, port, **source), platform.folder)


@contextmanager
def plant(folder: Path, more: str = "", **source: Any) -> Iterator[Plant]:
    """Run a platform with a numbered source."""
    platform, port = configured(folder, more)
    with running(platform):
        yield prepared(platform, port, **source)
