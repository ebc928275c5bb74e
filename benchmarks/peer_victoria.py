"""VictoriaMetrics with the same values, by its fastest ways for what a plant sends.

A plant's second has one value of every tag. VictoriaMetrics takes such by Prometheus remote write (what its own agent
speaks: protobuf, compressed by snappy) and by Influx lines of many fields. Its import of native blocks and of whole
series takes what has been stored elsewhere, series by series; a plant cannot send so. Requests are made beforehand, the
series are known to it before the clock starts, and it neither evaluates alarms nor syncs what it takes.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pyarrow as pa

from benchmarks.figures import QUICK, say
from benchmarks.peers import victoria_metrics
from benchmarks.platform_under_test import free_ports
from benchmarks.values import Mix, slices

SERIES = 10_000
"""Series in one request."""
FIELDS = 20
SECONDS = 20 if QUICK else 40
CONNECTIONS = 4
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Request:
    """One request as it goes over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes
    values: int


def varint(number: int) -> bytes:
    """Encode a whole number as protobuf does."""
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def names(first: int, count: int) -> Bytes:
    """Return names such as T0001234, one row each."""
    numbers = np.arange(first, first + count)
    digits = [numbers // 10**place % 10 + ord("0") for place in range(6, -1, -1)]
    return np.stack([np.full(count, ord("T")), *digits], axis=1).astype(np.uint8)


def remote_write(first: int, times_ms: Sequence[int], values: Sequence[npt.NDArray[np.float64]]) -> bytes:
    """Return a remote write of series from number `first` on, with a sample of each for each time, before snappy."""
    count, times = len(values[0]), len(times_ms)
    label = b"\x0a\x14\x0a\x08__name__\x12\x08"
    size = len(label) + 8 + 18 * times
    head = b"\x0a" + varint(size)
    rows = np.empty((count, len(head) + size), dtype=np.uint8)
    place = len(head) + len(label)
    rows[:, :place] = np.frombuffer(head + label, dtype=np.uint8)
    rows[:, place : place + 8] = names(first, count)
    place += 8
    for time_ms, each in zip(times_ms, values, strict=True):
        stamp = b"\x10" + varint(time_ms)
        assert len(stamp) == 7, time_ms
        rows[:, place : place + 3] = np.frombuffer(b"\x12\x10\x09", dtype=np.uint8)
        rows[:, place + 3 : place + 11] = np.ascontiguousarray(each, dtype="<f8").view(np.uint8).reshape(count, 8)
        rows[:, place + 11 : place + 18] = np.frombuffer(stamp, dtype=np.uint8)
        place += 18
    return rows.tobytes()


def influx(first: int, time_ms: int, values: npt.NDArray[np.float64]) -> bytes:
    """Return lines of `FIELDS` values each."""
    lines = []
    for start in range(0, len(values), FIELDS):
        fields = ",".join(f"f{place}={value:g}" for place, value in enumerate(values[start : start + FIELDS].tolist()))
        lines.append(f"d{first + start} {fields} {time_ms}\n")
    return "".join(lines).encode()


def joined(second: tuple[Any, Any]) -> npt.NDArray[np.float64]:
    """Return one array of all values: it knows numbers of one type only."""
    return np.concatenate([second[0], second[1].astype(np.float64)])


def remote_requests(seconds: Sequence[npt.NDArray[np.float64]], start_ms: int, together: int) -> Iterator[Request]:
    """Yield remote writes with so many seconds of each series together."""
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    packed = pa.Codec("snappy")
    for turn in range(0, len(seconds), together):
        some = seconds[turn : turn + together]
        times = [start_ms + (turn + place) * 1000 for place in range(len(some))]
        for part in slices(SERIES, len(some[0])):
            body = remote_write(part.start, times, [each[part] for each in some])
            rows = (part.stop - part.start) * len(some)
            yield Request("/api/v1/write", headers, packed.compress(body, asbytes=True), rows)


def influx_requests(seconds: Sequence[npt.NDArray[np.float64]], start_ms: int) -> Iterator[Request]:
    """Yield Influx lines, second by second."""
    for turn, values in enumerate(seconds):
        for part in slices(SERIES, len(values)):
            body = influx(part.start, start_ms + turn * 1000, values[part])
            yield Request("/write?precision=ms", {}, body, part.stop - part.start)


def send(port: int, requests: Sequence[Request]) -> float:
    """Send requests over several connections; returns how long it took in seconds."""
    waiting: queue.SimpleQueue[Request] = queue.SimpleQueue()
    for request in requests:
        waiting.put(request)
    failed: list[str] = []

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.suppress(queue.Empty):
            while not failed:
                request = waiting.get_nowait()
                connection.request("POST", request.path, request.body, request.headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 204:
                    failed.append(f"{request.path} was answered with {answer.status}")
        connection.close()

    began = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed[0]
    return time.monotonic() - began


@contextlib.contextmanager
def victoria(program: Path, folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """Run it on a free port of this machine; yields port and process."""
    [port] = free_ports(1)
    arguments = [f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y"]
    process = subprocess.Popen([str(program), *arguments, "-loggerLevel=ERROR"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                fetch(port, "/health")
                break
            except OSError:
                assert time.monotonic() < deadline, "VictoriaMetrics did not start within 30 s"
                time.sleep(0.1)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def fetch(port: int, path: str) -> str:
    """Ask it over HTTP."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return str(answer.read().decode())


def counted(port: int, *metrics: str) -> float:
    """Return the sum of some of its own metrics."""
    fetch(port, "/internal/force_flush")
    rows = (line.rpartition(" ") for line in fetch(port, "/metrics").splitlines())
    return sum(float(value) for name, _, value in rows if name.startswith(metrics))


def ingest(scenario: str, tags: int) -> dict[str, float]:
    """Measure each way in turn; returns values a second by words."""
    peer = victoria_metrics()
    if not peer.found(scenario):
        return {}
    assert peer.path is not None
    mix = Mix(tags)
    seconds = [joined(mix.second()) for _ in range(SECONDS)]
    start_ms = (int(time.time()) - 3 * SECONDS - 60) * 1000
    ways: dict[str, Callable[[], Iterator[Request]]] = {
        "remote write": partial(remote_requests, seconds, start_ms, 1),
        "remote write, ten seconds together": partial(remote_requests, seconds, start_ms, 10),
        f"Influx lines of {FIELDS} fields": partial(influx_requests, seconds[: SECONDS // 4], start_ms),
    }
    rates: dict[str, float] = {}
    for words, made in ways.items():
        with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
            requests = list(made())
            with victoria(peer.path, Path(folder)) as (port, process):
                # Every series is made once before the clock starts.
                known = -(-tags // SERIES)
                send(port, requests[:known])
                before = sum(process.cpu_times()[:2])
                took = send(port, requests[known:])
                used = sum(process.cpu_times()[:2]) - before
                sent = sum(request.values for request in requests[known:])
                stored = counted(port, "vm_rows{")
                assert stored >= 0.999 * (sent + sum(request.values for request in requests[:known])), stored
        name = f"VictoriaMetrics, {words}"
        rates[name] = sent / took
        say(scenario, f"{name}, without alarms and without a bus", rates[name], "values/s")
        say(scenario, f"{name}: processor", used / (sent / 1e6), "core-seconds per million values")
    return rates
