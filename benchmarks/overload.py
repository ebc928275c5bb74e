"""Twice as many readings as the bus can hold, for ten minutes: what waits where, how old live values are, what is lost.

The bus is limited by its own setting: each of its streams has room for some seconds. What that makes of capacity is
measured first, flat out; then so much twice. Every reading is numbered and counted afterwards.
`python -m benchmarks.overload [--seconds 600] [--quick]`, as root: the gateway has a network namespace of its own.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
from tests.e2e.platform import eventually
from tests.faults.link import Far, far
from tests.faults.numbered import NumberedSource, settled
from tests.faults.watching import Seen, watching

from benchmarks.figures import QUICK, option
from benchmarks.link import CAUGHT_UP_S, ages, memory, say, tell

CAPACITY_S = 60
WARM_S = 30
TIMES = 2
DISK = "disk_bytes_max = 67_108_864"
UNCOMPRESSED = 'compression = "none"'
DEVICES = 20
STEP_MS = 500
CALM_S = 20


def waits(seen: Seen) -> float:
    """Return how many batches wait in the gateway's log now."""
    return seen.waiting[-1][1] if seen.waiting else 0.0


def capacity(made: Far, marker: int) -> float:
    """Publish as fast as it goes; returns what is stored each second once the bus is full, in values."""
    source = made.source(devices=4, tags=500, step_ms=10)
    with watching(made, marker) as seen:
        began = time.monotonic()
        while time.monotonic() < began + CAPACITY_S:
            asyncio.run(source.run(readings=200))
        stored = float(np.mean(seen.since(seen.stored_per_s, began + WARM_S)))
        eventually(lambda: not waits(seen), CAUGHT_UP_S, "what waited has gone")
    tell("flat out", settled(made.platform, source, CAUGHT_UP_S))
    return stored


def overload(made: Far, marker: NumberedSource, values_per_s: float, seconds: int) -> None:
    """Send so much for so long and look."""
    scenario = f"{TIMES} times the capacity for {seconds} s"
    tags = max(1, round(values_per_s * STEP_MS / 1000 / DEVICES))
    load = made.source(devices=DEVICES, tags=tags, step_ms=STEP_MS)
    with watching(made, marker.devices[0].tags[0]) as seen, marker.publishing():
        began = time.monotonic()
        asyncio.run(load.run(seconds=seconds))
        ended = time.monotonic()
        say(scenario, "sent", load.acknowledged_total / (ended - began), "values/s")
        eventually(lambda: not waits(seen), CAUGHT_UP_S, "what waited has gone")
        drained = time.monotonic()
        time.sleep(CALM_S)
    say(scenario, "most batches waiting in the gateway's log", max(seen.since(seen.waiting, began)), "batches")
    say(
        scenario,
        "oldest reading waiting in the gateway's log, most",
        max(seen.since(seen.behind_ms, began)) / 1000,
        "s",
    )
    say(scenario, "everything has gone after the end of the overload", drained - ended, "s")
    say(scenario, "waiting at the end", waits(seen), "batches", "0")
    ages(scenario, "in overload", seen.since(seen.ages_ms, began, ended))
    ages(scenario, "afterwards", seen.since(seen.ages_ms, drained))
    memory(scenario, seen)
    tell(scenario, settled(made.platform, load, CAUGHT_UP_S))


def main(seconds: int) -> None:
    """Measure the capacity, then exceed it."""
    with (
        redirect_stdout(sys.stderr),
        tempfile.TemporaryDirectory() as folder,
        far(Path(folder), bus=DISK, gateway=UNCOMPRESSED) as made,
    ):
        marker = made.source(devices=1, tags=1, step_ms=100)
        stored = capacity(made, marker.devices[0].tags[0])
        say("flat out", "stored", stored, "values/s")
        overload(made, marker, TIMES * stored, seconds)
        tell("the live value", settled(made.platform, marker, CAUGHT_UP_S))


if __name__ == "__main__":
    main(int(option("--seconds", 30 if QUICK else 600)))
