"""Twice as many readings as the bus takes, for ten minutes: what waits where, how old live values are, what is lost.

Two processors that also publish cannot make twice what they store. So the bus is given little room: each of its streams
gets half of that free every other second, and that is the capacity on whatever machine. It is measured first, flat
out; then comes so much twice. Afterwards the bus has its room again, and what waits catches up. Every reading is
numbered and counted.

`python -m benchmarks.overload [--seconds 600] [--quick]`, as root: the gateway has a network namespace of its own.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from tests.e2e.platform import eventually
from tests.faults.harm import give_room
from tests.faults.link import Far, far
from tests.faults.numbered import NumberedSource, settled
from tests.faults.watching import Seen, watching

from benchmarks.figures import QUICK, lines, option
from benchmarks.link import ages, say, tell
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core import subjects

CAPACITY_S, WARM_S = 25, 10
TIMES = 2
ROOM = 512 * 1024
ROOM_AGAIN = 1024**3
UNCOMPRESSED = 'compression = "none"'
DEVICES, TAGS = 8, 250
WINDOW = 4
"""Messages that a device has under way: all at once in one batch still fit into a stream several times."""
SHOWN_S = 60
CAUGHT_UP_S = 240
COUNTED_S = 300
CALM_S = 15
FRESH_S = 15
Series = Sequence[tuple[float, float]]


def capacity(made: Far, marker: int) -> float:
    """Publish as fast as it goes for a while; returns what is stored each second once the bus is full, in values."""
    source = made.source(devices=DEVICES, tags=TAGS, step_ms=10)
    source.window = WINDOW
    with watching(made, marker) as seen:
        give_room(made.bus_url, made.platform.folder, ROOM)
        began = time.monotonic()
        while time.monotonic() < began + CAPACITY_S:
            asyncio.run(source.run(readings=50))
        ended = time.monotonic()
        give_room(made.bus_url, made.platform.folder, ROOM_AGAIN)
        caught_up(made, seen)
    found = rate(seen.stored, began + WARM_S, ended)
    say("flat out", "acknowledged by the gateway", source.acknowledged_total / (ended - began), "values/s")
    say("flat out", "capacity: stored", found, "values/s")
    tell("flat out", settled(made.platform, source, COUNTED_S))
    return found


def overload(made: Far, marker: NumberedSource, values_per_s: float, seconds: int) -> None:
    """Send so much for so long and look."""
    scenario = f"{TIMES} times the capacity for {seconds} s"
    step_ms = max(1, round(DEVICES * TAGS * 1000 / values_per_s))
    load = made.source(devices=DEVICES, tags=TAGS, step_ms=step_ms)
    load.window = WINDOW
    with watching(made, marker.devices[0].tags[0]) as seen, marker.publishing():
        eventually(lambda: seen.behind_ms and "gateway" in seen.memory, SHOWN_S, "the platform is seen")
        give_room(made.bus_url, made.platform.folder, ROOM)
        began = time.monotonic()
        asyncio.run(load.run(seconds=seconds))
        ended = time.monotonic()
        give_room(made.bus_url, made.platform.folder, ROOM_AGAIN)
        caught_up(made, seen)
        drained = time.monotonic()
        time.sleep(CALM_S)
    say(scenario, "offered and acknowledged by the gateway", load.acknowledged_total / (ended - began), "values/s")
    say(scenario, "stored meanwhile", rate(seen.stored, began, ended), "values/s")
    ages(scenario, "in overload", seen.since(seen.ages_ms, began, ended), f"at most {FRESH_S * 1000:,}")
    ages(scenario, "while it catches up", seen.since(seen.ages_ms, ended, drained))
    ages(scenario, "afterwards", seen.since(seen.ages_ms, drained))
    say(scenario, "most in the gateway's log", max(seen.since(seen.log_bytes, began)) / 1e6, "MB")
    say(scenario, "in the gateway's log at the end", seen.log_bytes[-1][1] / 1e6, "MB")
    say(scenario, "most batches waiting", max(seen.since(seen.waiting, began)), "batches")
    say(scenario, "batches waiting at the end", seen.waiting[-1][1], "batches", "0 to 1")
    say(scenario, "oldest reading that waits, most", max(seen.since(seen.behind_ms, began)) / 1000, "s")
    say(scenario, "oldest reading that waits, at the end", seen.behind_ms[-1][1] / 1000, "s", "less than 1")
    say(scenario, "everything is stored after the end of the overload", drained - ended, "s")
    telling(scenario, seen, began, ended)
    memory(scenario, seen, began)
    drawn(seen, began)
    counted = settled(made.platform, load, COUNTED_S)
    tell(scenario, counted)


def caught_up(made: Far, seen: Seen) -> None:
    """Wait until nothing waits in the gateway, and all that the bus has is stored: before that a count is too early."""
    since = time.monotonic()
    eventually(lambda: seen.waiting[-1][0] > since and seen.waiting[-1][1] <= 1, CAUGHT_UP_S, "what waited has gone")
    asyncio.run(_stored(made))


async def _stored(made: Far) -> None:
    bus = await Bus.connect(made.bus_url, seed_file(made.platform.folder / "data" / "secrets", "admin"), "admin")
    try:
        async with asyncio.timeout(CAUGHT_UP_S):
            for stream in (subjects.LATE, subjects.LIVE):
                last = (await bus.js.stream_info(stream)).state.last_seq
                subscription = await bus.nc.subscribe(subjects.position(stream))
                while last and int((await subscription.next_msg(timeout=CAUGHT_UP_S)).data) < last:
                    pass
                await subscription.unsubscribe()
    finally:
        await bus.close()


def rate(total: Series, start_s: float, end_s: float) -> float:
    """Return by how much a total rises each second of a time."""
    (first_s, first), *_, (last_s, last) = [(at_s, value) for at_s, value in total if start_s <= at_s <= end_s]
    return (last - first) / (last_s - first_s)


def telling(scenario: str, seen: Seen, began: float, ended: float) -> None:
    """Print what an operator was told: from when on, for how long, in which words, and what is left of it."""
    told = [(at_s, words) for at_s, words in seen.told if at_s >= began and "wait in the segment log" in words]
    if told:
        say(scenario, "an operator is told that readings wait, after the overload began", told[0][0] - began, "s")
        say(scenario, "and for the last time, after its end", told[-1][0] - ended, "s")
        print(f"told at most: {max(told, key=lambda each: float(each[1].split(' s ')[0].split()[-1]))[1]}")
    print(f"told at the end: {seen.told[-1][1] or 'nothing'}")


def memory(scenario: str, seen: Seen, began: float) -> None:
    """Print the memory of each role: as the overload began, the most, and at the end."""
    for role, series in seen.memory.items():
        before = [value for at_s, value in series if at_s <= began] or [series[0][1]]
        most = max(value for at_s, value in series if at_s >= began)
        for words, value in (("before", before[-1]), ("most", most), ("at the end", series[-1][1])):
            say(scenario, f"memory of {role}, {words}", value, "MB")


def drawn(seen: Seen, began: float) -> None:
    """Print the plots: what waits, how old things are, memory."""

    def line(series: Series, scale: float) -> list[tuple[float, float]]:
        return seconds(series, began, lambda value: value * scale)

    with redirect_stdout(sys.__stdout__):
        lines(
            "log", "Overload: the gateway's log", ("s since the overload began", "MB"),
            {"log": line(seen.log_bytes, 1e-6)},
        )  # fmt: skip
        lines(
            "lag", "Overload: how old what waits is, and the live value", ("s since the overload began", "s"),
            {"oldest waiting": line(seen.behind_ms, 1e-3), "live value": line(seen.ages_ms, 1e-3)},
        )  # fmt: skip
        lines(
            "memory", "Overload: memory", ("s since the overload began", "MB"),
            {role: line(series, 1.0) for role, series in seen.memory.items()},
        )  # fmt: skip


def seconds(series: Series, began: float, shown: Callable[[float], float]) -> list[tuple[float, float]]:
    """Return the most of every two seconds since a moment."""
    most: dict[int, float] = {}
    for at_s, value in series:
        if at_s >= began:
            second = int(at_s - began) // 2 * 2
            most[second] = max(most.get(second, value), value)
    return [(float(second), shown(value)) for second, value in most.items()]


def main(seconds_long: int) -> None:
    """Measure the capacity, then exceed it."""
    with (
        redirect_stdout(sys.stderr),
        tempfile.TemporaryDirectory() as folder,
        far(Path(folder), gateway=UNCOMPRESSED) as made,
    ):
        marker = made.source(devices=1, tags=1, step_ms=100)
        stored = capacity(made, marker.devices[0].tags[0])
        overload(made, marker, TIMES * stored, seconds_long)
        tell("the live value", settled(made.platform, marker, COUNTED_S))


if __name__ == "__main__":
    main(int(option("--seconds", 30 if QUICK else 600)))
