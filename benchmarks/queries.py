"""Queries over a year of history with rollups, and what rolling up costs at 500,000 tags a second.

`python -m benchmarks.queries [FOLDER]`; prints one JSON line a figure. A folder that was filled before is used again.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from benchmarks import asked, past
from benchmarks.figures import say
from benchmarks.history_store import TAGS, second
from benchmarks.past import DAY, DAYS, FIRST_TAG, MINUTE, TAGS_OF_A_DAY
from mainspring.core.history import AggregateQuery, Entry, TrendQuery
from mainspring.history.chdb_store import ChdbStore

SCENARIO = "queries"
MINUTES = 2
TIMES = 100
TENANT = 2


def processor_s() -> float:
    """Return the processor seconds of this process."""
    times = psutil.Process().cpu_times()
    return times.user + times.system


def fill(store: ChdbStore, midnight: int) -> None:
    """Keep a year of one tag, and a day of others; then roll it up."""
    rows = past.fill(store, TENANT, midnight)
    began = processor_s()
    past.roll_up(store, midnight + 2 * MINUTE)
    rate = rows / (processor_s() - began)
    say(SCENARIO, "rolling up a year of one tag: readings per processor second", rate, "values/s")


def flood(store: ChdbStore, start: int) -> None:
    """Keep some minutes of 500,000 tags and roll them up, merges of both included."""
    rng = np.random.default_rng(1)
    values = rng.normal(50, 5, TAGS).round(2)
    sequence = 1_000_000
    for minute in range(MINUTES):
        for at in range(0, MINUTE, 2000):
            entries: list[Entry] = []
            for more in (0, 1000):
                values = (values + rng.normal(0, 0.05, TAGS)).round(2)
                entries += second(start + minute * MINUTE + at + more, values, sequence + len(entries))
            store.append("LIVE", entries, sequence, sequence + len(entries) - 1)
            sequence += len(entries)
    time.sleep(5)
    began = processor_s()
    past.roll_up(store, start + MINUTES * MINUTE + 100_000)
    used = processor_s() - began
    say(SCENARIO, "rolling up 500,000 tags at 1 Hz", used / (MINUTES * 60) * 100, "% of a core")


def timed(figure: str, ask: Callable[[int], object], wanted: str = "") -> None:
    """Show the median time of a query asked for different ranges, after one that is not counted."""
    ask(-1)
    taken = []
    for number in range(TIMES):
        began = time.perf_counter()
        ask(number)
        taken.append((time.perf_counter() - began) * 1000)
    say(SCENARIO, f"{figure}, median of {TIMES}", statistics.median(taken), "ms", wanted)


def answered(store: ChdbStore, question: asked.Question, turn: int) -> object:
    """Answer a question of the API by the store alone."""
    return past.answer(store, TENANT, *question.asked(turn))


def main(folder: Path) -> None:
    """Run all of it in one store."""
    midnight = past.last_midnight()
    store = ChdbStore(folder)
    extent = store.extent(TENANT)
    if extent.newest_ms is None:
        fill(store, midnight)
    else:
        midnight = (extent.newest_ms + 1000) // DAY * DAY
    month = TrendQuery(tags=(FIRST_TAG,), start_ms=midnight - 30 * DAY, end_ms=midnight, buckets=1000)
    answer = store.trend(TENANT, month)
    assert answer["good"].to_numpy().sum() + answer["bad"].to_numpy().sum() == 30 * 86_400
    for question in asked.questions(midnight, 0, 1, DAYS)[1:]:
        timed(question.words, partial(answered, store, question), question.wanted)

    def weighted(turn: int) -> object:
        tags, start = tuple(range(FIRST_TAG, FIRST_TAG + TAGS_OF_A_DAY)), midnight - DAY + turn % 60 * MINUTE
        query = AggregateQuery(tags=tags, functions=("time_weighted",), start_ms=start, end_ms=midnight, step_ms=MINUTE)
        return store.aggregate(TENANT, query)

    timed(f"1-minute time-weighted means of {TAGS_OF_A_DAY} tags over a day", weighted)
    flood(store, midnight + 10 * MINUTE)
    store.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
