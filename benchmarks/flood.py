"""A plant of 500,000 tags at 1 Hz for ten minutes, its tags in the records.

`python -m benchmarks.flood [--minutes 10] [--tags 500000] [--quick]`. Every tag has a limit. While the flood runs, a
page with 1,000 tags is open and questions are asked over HTTP about a history that was there before. The load is a
process of its own on the same cores; it counts in nothing that is told of the platform.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from benchmarks import asked, past
from benchmarks.figures import QUICK, lines, option, say
from benchmarks.load import SETTINGS, loading, outcome
from benchmarks.page import OpenPage
from benchmarks.platform_under_test import FIRST, Platform, cpu_seconds, platform

SCENARIO = "flood"
TAGS = int(option("--tags", 500_000))
MINUTES = option("--minutes", 0.5 if QUICK else 10)
PAGE_TAGS = 1000
DAYS = 31 if QUICK else past.DAYS
TIMES = 10 if QUICK else 100
SETTLE_S = 5 if QUICK else 30
WATCH_S = 2.0
CARRYING = ("bus", "engine", "historian")


@dataclass
class Watch:
    """Memory and processor time of every role while something runs."""

    roles: dict[str, psutil.Process]
    before: dict[str, float] = field(default_factory=dict)
    began_s: float = field(default_factory=time.monotonic)
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.before = cpu_seconds(self.roles)
        self.memory = {name: [] for name in self.roles}

    def look(self) -> None:
        """Note the memory of each role."""
        minute = (time.monotonic() - self.began_s) / 60
        for name, process in self.roles.items():
            self.memory[name].append((minute, process.memory_info().rss / 2**20))

    def used(self) -> dict[str, float]:
        """Return the processor seconds of each role since the beginning."""
        return {name: now - self.before[name] for name, now in cpu_seconds(self.roles).items()}


async def flood(running: Platform, midnight: int) -> None:
    """Send every tag once a second while a page is open and questions are asked."""
    page = await OpenPage.open(
        running.web_port, running.token, list(range(FIRST, FIRST + PAGE_TAGS)), lambda _name, _document: None
    )
    held = running.ask("/health")["history"]
    with loading(running, TAGS, "flood", MINUTES * 60) as load:
        told = asyncio.create_task(asyncio.to_thread(outcome, load))
        watch = Watch(running.roles())
        await asyncio.sleep(SETTLE_S)
        questions = asked.asking(running, midnight, FIRST, TAGS, TIMES, DAYS)
        while not told.done():
            watch.look()
            await asyncio.wait({told}, timeout=WATCH_S)
        used, took = watch.used(), time.monotonic() - watch.began_s
        answer = told.result()
    await asyncio.to_thread(asked.tell, SCENARIO, questions, midnight, DAYS)
    now = running.ask("/health")["history"]
    size = (now["bytes_on_disk"] - held["bytes_on_disk"]) / max(1, now["samples"] - held["samples"])
    say(SCENARIO, "on disk while it runs, parts not merged yet", size, "B/value")
    say(SCENARIO, "values per second", answer["values"] / answer["took_s"], "values/s", f"{TAGS:,}")
    say(SCENARIO, "late seconds", answer["late_s"], f"of {MINUTES * 60:.0f}", "0")
    say(SCENARIO, "longest delay of the load behind its second", answer["worst_behind_ms"], "ms")
    for name, seconds in used.items():
        say(SCENARIO, name, 100 * seconds / took, "% of a core")
    together = sum(used[name] for name in CARRYING)
    say(SCENARIO, "bus, engine and historian together", 100 * together / took, "% of a core", "at most 50")
    memory(watch)
    say(SCENARIO, f"sent to the open page of {PAGE_TAGS} tags", page.received_bytes / took / 1000, "kB/s")
    await page.close()
    figures = next(role for role in running.ask("/health")["roles"] if role["role"] == "engine")["figures"]
    unused = sum(figures[name] for name in ("samples_refused", "samples_mismatched", "samples_impossible"))
    say(SCENARIO, "readings the engine refused or could not use", unused, "", "0")


def memory(watch: Watch) -> None:
    """Tell the memory of each role at the end, and what it grew by in the second half."""
    for name, seen in watch.memory.items():
        half = [size for _, size in seen[len(seen) // 2 :]]
        say(SCENARIO, f"memory of {name}", seen[-1][1], "MB")
        say(SCENARIO, f"memory of {name}, grown in the second half", half[-1] - half[0], "MB")
    lines("memory", f"Memory of each role, {TAGS:,} tags at 1 Hz", ("minutes", "MB"), watch.memory)


def main() -> None:
    """Run all of it."""
    midnight = past.last_midnight()
    before = partial(past.filled, midnight=midnight, days=DAYS)
    with (
        tempfile.TemporaryDirectory(dir=Path.home()) as folder,
        platform(Path(folder), SETTINGS, before, tags=TAGS) as running,
    ):
        words = f"from the first start until {TAGS:,} tags of the records, with a limit each, were known"
        say(SCENARIO, words, running.known_s, "s")
        asyncio.run(flood(running, midnight))


if __name__ == "__main__":
    main()
