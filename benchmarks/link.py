"""A gateway beyond a link that is cut, slow and lossy: how soon, how fast and how completely it catches up.

`python -m benchmarks.link [--behind 600] [--quick]`, as root: the gateway has a network namespace of its own. Every
reading is numbered and counted afterwards.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tests.e2e.platform import eventually
from tests.faults.link import Far, far
from tests.faults.numbered import Counted, NumberedSource, settled
from tests.faults.watching import Seen, watching

from benchmarks.figures import QUICK, option
from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core import subjects
from mainspring.drivers.mqtt import KEPT_AFTER_MS

DEVICES, TAGS = 50, 40 if QUICK else 1000
CUT_S = 10
CALM_S = 30
DAY_S, DAY_TAGS = 86_400, 20 if QUICK else 200
HARMED_S = 20 if QUICK else 60
CAUGHT_UP_S = 600
LOOK_S = 0.05
PAUSE_S = 5
WRONG = ("lost", "duplicate", "disordered", "unexpected", "behind", "miscounted")


def say(scenario: str, figure: str, value: float, unit: str, wanted: str = "") -> None:
    line = {"scenario": scenario, "figure": figure, "value": round(value, 3), "unit": unit}
    # What the parts print for people goes to the other stream.
    print(json.dumps(line | ({"wanted": wanted} if wanted else {})), file=sys.__stdout__, flush=True)


def tell(scenario: str, counted: Counted) -> None:
    """Print what became of the readings."""
    say(scenario, "readings acknowledged", counted.acknowledged, "readings")
    for figure in WRONG:
        say(scenario, figure, getattr(counted, figure), "tags" if figure in WRONG[4:] else "readings", "0")


@dataclass
class Arrivals:
    """What the bus has of late readings, and how far the historian has stored them."""

    last: list[tuple[float, int]] = field(default_factory=list)
    stored: int = 0

    def first_after(self, since_s: float) -> float:
        """Wait for the next late batch after a moment; returns how long that took in seconds."""
        before = max((number for at_s, number in self.last if at_s <= since_s), default=0)

        def found() -> float:
            return next((at_s for at_s, number in self.last if at_s > since_s and number > before), 0.0)

        return eventually(found, CAUGHT_UP_S, "late readings arrive") - since_s

    @property
    def all_stored(self) -> bool:
        """Tell whether the historian has everything the bus has."""
        return bool(self.last) and self.stored >= self.last[-1][1]


@contextmanager
def arrivals(made: Far) -> Iterator[Arrivals]:
    """Follow the stream of late readings."""
    seen, ended = Arrivals(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_follow(made, seen, ended)), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join(30)


async def _follow(made: Far, seen: Arrivals, ended: threading.Event) -> None:
    bus = await Bus.connect(made.bus_url, seed_file(made.platform.folder / "data" / "secrets", "admin"), "admin")

    async def on_position(message: object) -> None:
        seen.stored = int(message.data)  # type: ignore[attr-defined]

    await bus.nc.subscribe(subjects.position(subjects.LATE), cb=on_position)
    while not ended.is_set():
        state = (await bus.js.stream_info(subjects.LATE)).state
        seen.last.append((time.monotonic(), state.last_seq))
        await asyncio.sleep(LOOK_S)
    await bus.close()


def ages(scenario: str, words: str, found: list[float], wanted: str = "") -> None:
    """Print how old the marked value was when it was looked at."""
    if found:
        say(scenario, f"age of a live value {words}, 50th percentile", float(np.percentile(found, 50)), "ms")
        say(scenario, f"age of a live value {words}, 99th percentile", float(np.percentile(found, 99)), "ms", wanted)
        say(scenario, f"age of a live value {words}, worst", max(found), "ms")


def behind(source: NumberedSource, readings: int) -> None:
    """Publish so many readings per device as a device does that kept them while it was alone, as fast as they go."""
    source.window = 32 if len(source.devices) > 1 else 1024
    source.begin_earlier(readings + KEPT_AFTER_MS // source.step_ms)
    began = time.monotonic()
    asyncio.run(source.run(readings=readings))
    took = time.monotonic() - began
    print(f"{source.acknowledged_total} readings in {took:.1f} s", file=sys.stderr)
    source.window = 16


def catch_up(made: Far, behind_s: int) -> None:
    """Cut, fall behind, come back while live readings go on, be cut once more in the middle."""
    scenario = f"{DEVICES * TAGS:,} tags, {behind_s} s behind"
    load = made.source(devices=DEVICES, tags=TAGS, step_ms=1000)
    marker = made.source(devices=1, tags=1, step_ms=100)
    with watching(made, marker.devices[0].tags[0]) as seen, marker.publishing(), arrivals(made) as late:
        made.link.cut()
        behind(load, behind_s)
        with load.publishing():
            time.sleep(PAUSE_S)
            came_back = whole(made)
            say(scenario, "first late batch after the link's return", late.first_after(came_back), "s", "at most 5")
            eventually(lambda: half_gone(seen, came_back), CAUGHT_UP_S, "half of it has gone")
            made.link.cut()
            cut_again = time.monotonic()
            time.sleep(CUT_S)
            again = whole(made)
            say(scenario, "first late batch after a second cut", late.first_after(again), "s", "at most 5")
            eventually(lambda: seen.waiting[-1][1] <= 1 and late.all_stored, CAUGHT_UP_S, "everything late is stored")
            ended = time.monotonic()
            took = ended - again + cut_again - came_back
            say(scenario, "late readings stored", behind_s * DEVICES * TAGS / took, "values/s")
            say(scenario, "catching up, times real time", behind_s / took, "", "at least 10")
            time.sleep(CALM_S)
        during = seen.since(seen.ages_ms, came_back + PAUSE_S, cut_again) + seen.since(
            seen.ages_ms, again + PAUSE_S, ended
        )
        ages(scenario, "while it catches up", during)
        ages(scenario, "afterwards", seen.since(seen.ages_ms, ended + PAUSE_S))
        memory(scenario, seen)
    tell(scenario, settled(made.platform, load, CAUGHT_UP_S))
    tell(f"{scenario}, the live value", settled(made.platform, marker, CAUGHT_UP_S))


def half_gone(seen: Seen, since_s: float) -> bool:
    """Tell whether half of the batches have gone that were seen to wait since a moment."""
    # What is reported first may still be from before.
    waiting = seen.since(seen.waiting, since_s + PAUSE_S)
    return bool(waiting) and waiting[-1] <= max(waiting) / 2


def memory(scenario: str, seen: Seen) -> None:
    """Print the most memory of each role."""
    for role, series in seen.memory.items():
        say(scenario, f"most memory of {role}", max(value for _, value in series), "MB")


def whole(made: Far) -> float:
    """Let everything through; returns the moment."""
    made.link.whole()
    made.link.fast()
    return time.monotonic()


def day(made: Far) -> None:
    """Be away for a day."""
    scenario = f"{DAY_TAGS} tags at 1 Hz, a day behind"
    source = made.source(devices=1, tags=DAY_TAGS, step_ms=1000)
    made.link.cut()
    behind(source, DAY_S)
    with arrivals(made) as late:
        time.sleep(PAUSE_S)
        came_back = whole(made)
        say(scenario, "first late batch after the link's return", late.first_after(came_back), "s", "at most 5")
        counted = settled(made.platform, source, CAUGHT_UP_S, holds=lambda counted: not counted.lost)
        say(scenario, "everything counted after the link's return", time.monotonic() - came_back, "s")
    tell(scenario, counted)


def bad(made: Far, scenario: str, harm: Callable[[], None]) -> None:
    """Publish over a bad link for a minute, then see that all is there."""
    source = made.source(devices=2, tags=10, step_ms=500)
    marker = source.devices[0].tags[0]
    with watching(made, marker) as seen, source.publishing():
        time.sleep(PAUSE_S)
        harm()
        began = time.monotonic()
        time.sleep(HARMED_S)
        ages(scenario, "meanwhile", seen.since(seen.ages_ms, began + PAUSE_S))
        came_back = whole(made)
        eventually(
            lambda: seen.waiting[-1][0] > came_back + 2 and seen.waiting[-1][1] <= 1, CAUGHT_UP_S, "all has gone"
        )
    tell(scenario, settled(made.platform, source, CAUGHT_UP_S))


def main(behind_s: int) -> None:
    """Run all parts on one platform."""
    with redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as folder, far(Path(folder)) as made:
        catch_up(made, behind_s)
        day(made)
        bad(made, "64 kbit/s, 20 tags at 2 Hz", lambda: made.link.slow(64))
        bad(made, "20 % of packets lost, 20 tags at 2 Hz", lambda: made.link.lossy(0.2))


if __name__ == "__main__":
    main(int(option("--behind", 30 if QUICK else 600)))
