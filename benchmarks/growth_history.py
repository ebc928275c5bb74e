"""Queries and appending with 1, 5, 10 and 20 GB of history, made faster than real time.

`python -m benchmarks.growth_history [--gigabytes 20] [--folder FOLDER] [--quick]`. The history is 1,000 tags at 1 Hz,
day by day, beside the year of one tag of which questions are asked. Each size has a folder of its own in FOLDER, and
one that was made before is used again: 1 GB takes some minutes to make, 20 GB an hour. Without `--gigabytes` it ends at
5 GB.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil

from benchmarks import asked, past
from benchmarks.figures import QUICK, lines, option, say
from benchmarks.platform_under_test import FIRST
from benchmarks.values import Mix, ordinals, slices
from mainspring.core import quality
from mainspring.core.history import Entry
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.history.chdb_store import ChdbStore

GIGABYTES = tuple(
    size for size in ((0.1, 0.2) if QUICK else (1.0, 5.0, 10.0, 20.0)) if size <= option("--gigabytes", 5)
)
PAST_TAGS = 1000
TOGETHER = 100
"""Tags of a day that are stored in one go."""
TIMES = 10 if QUICK else 50
APPENDED_S = 4 if QUICK else 20
APPENDED_TAGS = 500_000
DAYS = 31 if QUICK else past.DAYS
DAYS_MAX = 200
"""So long before today the history begins to grow."""
TENANT = 2
Curve = list[tuple[float, float]]


class Past:
    """A history that grows day by day."""

    def __init__(self, folder: Path) -> None:
        self.store = ChdbStore(folder, memory_bytes_max=8 * 1024**3)
        extent = self.store.extent(TENANT)
        if extent.samples:
            assert extent.newest_ms is not None
            self.midnight = (extent.newest_ms + 1000) // past.DAY * past.DAY
        else:
            self.midnight = past.last_midnight() - DAYS_MAX * past.DAY
            past.fill(self.store, TENANT, self.midnight, DAYS)
        # A walk of each tag, shifted from day to day: making it is not what is measured.
        rng = np.random.default_rng(5)
        steps = rng.normal(0, 0.05, (TOGETHER, 86_400)).astype(np.float32)
        self._walks = (50 + np.cumsum(steps, axis=1, dtype=np.float64)).round(2)

    def gigabytes(self) -> float:
        return self.store.bytes_on_disk() / 1e9

    def grow(self, gigabytes: float) -> None:
        """Make days until the history is so large, then roll them up."""
        began, rows = time.monotonic(), 0
        with ThreadPoolExecutor(2) as threads:
            while self.gigabytes() < gigabytes:
                rows += sum(threads.map(self._part_of_day, [part.start for part in slices(TOGETHER, PAST_TAGS)]))
                first = self._sequence(PAST_TAGS)
                asked_of = range(past.FIRST_TAG, past.FIRST_TAG + past.TAGS_OF_A_DAY)
                days = [past.day_of(tag, self.midnight, first + place, TENANT) for place, tag in enumerate(asked_of)]
                self.store.append("LATE", days, first, first + len(days))
                self.midnight += past.DAY
        took = time.monotonic() - began
        began = time.monotonic()
        past.roll_up(self.store, self.midnight + 2 * past.MINUTE)
        if rows:
            say("making history", f"up to {gigabytes:g} GB", rows / took, "values/s")
            say("making history", f"rolling up to {gigabytes:g} GB", rows / (time.monotonic() - began), "values/s")

    def _sequence(self, place: int) -> int:
        return self.midnight // past.DAY * 10_000 + place

    def _part_of_day(self, first: int) -> int:
        tags = np.repeat(np.arange(first, first + TOGETHER, dtype=np.uint32), 86_400)
        times = np.tile(self.midnight + np.arange(86_400, dtype=np.int64) * 1000, TOGETHER)
        values = (self._walks + (self.midnight // past.DAY * 7 + first) % 100).ravel()
        batch = build(Column.FLOAT64, tags, times, values, quality.GOOD, Origin.MACHINE)
        sequence = self._sequence(first)
        self.store.append(f"LATE@{first}", [Entry(sequence, TENANT, batch)], sequence, sequence)
        return len(tags)

    def ask(self) -> dict[str, float]:
        """Return the median time of each question in milliseconds."""
        medians = {}
        for question in asked.questions(self.midnight, 0, 1, DAYS)[1:]:
            took = []
            for turn in range(-1, TIMES):
                path, body = question.asked(turn)
                began = time.perf_counter()
                past.answer(self.store, TENANT, path, body)
                took.append((time.perf_counter() - began) * 1000)
            medians[question.words] = statistics.median(took[1:])
        return medians

    def append(self) -> tuple[float, float]:
        """Append seconds of 500,000 tags back to back; returns values a second and core-seconds a million values."""
        mix = Mix(APPENDED_TAGS)
        floats, integers = ordinals(FIRST, APPENDED_TAGS)
        process, began_ms = psutil.Process(), self.midnight + past.HOUR
        # A folder that is used again knows what was appended to it before.
        start = time.time_ns() // 1_000_000
        took = used = 0.0
        for number in range(APPENDED_S // 2 + 1):
            entries = []
            for second in (0, 1):
                at = began_ms + (2 * number + second) * 1000
                decimals, whole = mix.second()
                for column, tags, values in ((Column.FLOAT64, floats, decimals), (Column.INT64, integers, whole)):
                    batch = build(column, tags, at, values, quality.GOOD, Origin.MACHINE)
                    entries.append(Entry(start + 2 * number + second, TENANT, batch))
            sequence = start + 2 * number
            before, began = sum(process.cpu_times()[:2]), time.perf_counter()
            self.store.append("LIVE", entries, sequence, sequence + 1)
            if number:  # the first looks whether it is a repetition
                took += time.perf_counter() - began
                used += sum(process.cpu_times()[:2]) - before
        millions = APPENDED_TAGS * (APPENDED_S // 2 * 2) / 1e6
        return millions * 1e6 / took, used / millions


def grown_in(folder: Path) -> None:
    """Let a history grow and tell what queries and appending cost at each size."""
    queries: dict[str, Curve] = {}
    appended: Curve = []
    before: Path | None = None
    for gigabytes in GIGABYTES:
        place = folder / f"{gigabytes:g}"
        if before is not None and not place.exists():
            shutil.copytree(before, place, symlinks=True, copy_function=_linked)
        before = place
        grown = Past(place)
        grown.grow(gigabytes)
        size = grown.gigabytes()
        scenario = f"{gigabytes:g} GB of history"
        say(scenario, "readings", grown.store.extent(TENANT).samples, "readings")
        for words, median in grown.ask().items():
            say(scenario, f"{words}, median of {TIMES}", median, "ms")
            queries.setdefault(words, []).append((size, median))
        rate, cost = grown.append()
        say(scenario, "appending 500,000 tags", rate, "values/s")
        say(scenario, "appending 500,000 tags, merges included", cost, "core-seconds per million values")
        appended.append((size, cost))
        grown.store.close()
    lines("history", "Queries by the size of the history", ("GB", "ms"), queries)
    title = "Processor time of a value appended, by the size of the history"
    lines("history-append", title, ("GB", "s/million"), {"append": appended})


def _linked(source: str, target: str) -> None:
    """Take over a large file as it is: parts of tables are never changed."""
    if Path(source).stat().st_size > 2**20:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def main() -> None:
    """Use the folder that is named, or one for this time."""
    if "--folder" in sys.argv:
        grown_in(Path(sys.argv[sys.argv.index("--folder") + 1]))
        return
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        grown_in(Path(folder))


if __name__ == "__main__":
    main()
