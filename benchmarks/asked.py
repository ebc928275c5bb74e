"""What people ask of the history and of current values, over HTTP as the page and programs do it, timed.

`python -m benchmarks.asked PORT TOKEN MIDNIGHT FIRST TAGS TIMES` asks each question so many times for other ranges each
time, all questions in turn, and prints one line of JSON: milliseconds by question. One connection is kept open.
"""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.figures import percentile, say
from benchmarks.past import DAY, FIRST_TAG, HOUR, MINUTE, TAGS_OF_A_DAY
from benchmarks.platform_under_test import Platform

ARROW = "application/vnd.apache.arrow.stream"
LATEST = 500


@dataclass(frozen=True)
class Question:
    """One question; `asked` makes the path and the body of its turn."""

    words: str
    wanted: str
    asked: Callable[[int], tuple[str, Any]]


def questions(midnight: int, first: int, tags: int, days: int) -> list[Question]:
    """Return the questions about a history that `past` made and about tags that a load sends."""
    chance = np.random.default_rng(3)

    def latest(_turn: int) -> tuple[str, Any]:
        some = chance.integers(first, first + tags, LATEST)
        return "/current?tags=" + ",".join(map(str, some)), None

    def raw(turn: int) -> tuple[str, Any]:
        end = midnight - (turn % 20 + 1) * HOUR
        return "/history/raw", {"tags": [FIRST_TAG + turn % TAGS_OF_A_DAY], "start_ms": end - HOUR, "end_ms": end}

    def means(turn: int) -> tuple[str, Any]:
        start = midnight - DAY + turn % 60 * MINUTE
        return "/history/aggregate", {
            "tags": list(range(FIRST_TAG, FIRST_TAG + TAGS_OF_A_DAY)), "start_ms": start, "end_ms": midnight,
            "step_ms": MINUTE, "functions": ["mean"],
        }  # fmt: skip

    def trend(over: int) -> Callable[[int], tuple[str, Any]]:
        def of(turn: int) -> tuple[str, Any]:
            start = midnight - over * DAY + turn % 100 * 7 * MINUTE
            return "/history/trend", {"tags": [FIRST_TAG], "start_ms": start, "end_ms": midnight, "buckets": 1000}

        return of

    found = [
        Question(f"latest value of {LATEST} tags", "5", latest),
        Question("raw hour of one tag", "20", raw),
        Question(f"1-minute means of {TAGS_OF_A_DAY} tags over a day", "50", means),
        Question("30-day trend of a 1 Hz tag", "120", trend(30)),
    ]
    return [*found, *([Question("1-year trend of a 1 Hz tag", "300", trend(365))] if days >= 365 else [])]


class Asker:
    """One connection to the API that stays open."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, path: str, body: Any) -> bytes:
        """Ask and return the whole answer."""
        accept = {"Accept": ARROW} if path.startswith(("/history/raw", "/history/aggregate")) else {}
        payload = None if body is None else json.dumps(body).encode()
        self._connection.request("GET" if body is None else "POST", f"/api/v1{path}", payload, self._headers | accept)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            sys.exit(f"{path} was answered with {answer.status}: {content[:300]!r}")
        return content


def ask_all(asker: Asker, every: list[Question], times: int) -> dict[str, list[float]]:
    """Ask every question in turn; the first round is not counted."""
    took: dict[str, list[float]] = {question.words: [] for question in every}
    for turn in range(-1, times):
        for question in every:
            path, body = question.asked(turn)
            began = time.perf_counter()
            asker.ask(path, body)
            if turn >= 0:
                took[question.words].append((time.perf_counter() - began) * 1000)
            time.sleep(0.03)
    return took


def asking(running: Platform, midnight: int, first: int, tags: int, times: int, days: int) -> subprocess.Popen[str]:
    """Start asking in a process of its own."""
    arguments = [running.web_port, running.token, midnight, first, tags, times, days]
    command = [sys.executable, "-m", "benchmarks.asked", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def tell(scenario: str, process: subprocess.Popen[str], midnight: int, days: int) -> None:
    """Wait for a process that asks, and print what it measured."""
    answer, _ = process.communicate(timeout=600)
    if process.returncode:
        sys.exit("the questions were not answered")
    took = json.loads(answer)
    for question in questions(midnight, 0, 1, days):
        times = took[question.words]
        say(scenario, f"{question.words}, median of {len(times)}", statistics.median(times), "ms", question.wanted)
        say(scenario, f"{question.words}, 99th percentile", percentile(times, 0.99), "ms")


if __name__ == "__main__":
    _port, _midnight, _first, _tags, _times, _days = (int(sys.argv[place]) for place in (1, 3, 4, 5, 6, 7))
    _every = questions(_midnight, _first, _tags, _days)
    print(json.dumps(ask_all(Asker(_port, sys.argv[2]), _every, _times)))
