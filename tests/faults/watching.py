"""What can be seen from outside while a platform is harmed: ages of values, memory, and what waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
from tests.e2e.platform import BUS
from tests.faults.link import Far

EVERY_S = 0.1
FIGURES_EVERY = 10
ROLES = (BUS, "historian", "engine", "web")


@dataclass
class Seen:
    """One look a tenth of a second at a value, one a second at the rest; times are seconds of the monotonic clock."""

    ages_ms: list[tuple[float, float]] = field(default_factory=list)
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    waiting: list[tuple[float, float]] = field(default_factory=list)
    behind_ms: list[tuple[float, float]] = field(default_factory=list)
    """How old the oldest reading is that waits in the gateway's log."""
    log_bytes: list[tuple[float, float]] = field(default_factory=list)
    """How large the gateway's log is, with what waits in it and what is not let go of yet."""
    stored: list[tuple[float, float]] = field(default_factory=list)
    """How many readings the historian has stored since its start."""
    told: list[tuple[float, str]] = field(default_factory=list)
    """What the gateway says of itself where its operator looks."""

    def since(self, series: list[tuple[float, float]], start_s: float, end_s: float = float("inf")) -> list[float]:
        """Return the values of a time."""
        return [value for at_s, value in series if start_s <= at_s <= end_s]


@contextmanager
def watching(made: Far, tag: int) -> Iterator[Seen]:
    """Look at a platform, at its gateway, and at the age of one tag's current value."""
    seen, ended = Seen(), threading.Event()
    thread = threading.Thread(target=_watch, args=(made, tag, seen, ended), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join(30)


def _watch(made: Far, tag: int, seen: Seen, ended: threading.Event) -> None:
    person = made.platform.administrator()
    number = 0
    while not ended.wait(EVERY_S):
        with suppress(OSError, AssertionError):
            shown = person.current(tag).get(tag)
            if shown is not None and shown["time"]:
                seen.ages_ms.append((time.monotonic(), time.time() * 1000 - shown["time"]))
            if number % FIGURES_EVERY == 0:
                _figures(seen, {each["role"]: each for each in person.get("/health")["roles"]})
        if number % FIGURES_EVERY == 0:
            _memory(made, seen)
        number += 1


def _figures(seen: Seen, roles: dict[str, dict[str, Any]]) -> None:
    now_s = time.monotonic()
    if "gateway" in roles:
        figures = roles["gateway"]["figures"]
        seen.waiting.append((now_s, figures["spool_batches"]))
        seen.behind_ms.append((now_s, figures["behind_ms"]))
        seen.log_bytes.append((now_s, figures["spool_bytes"]))
        seen.told.append((now_s, (roles["gateway"]["text"] or {}).get("en", "")))
    if "historian" in roles:
        seen.stored.append((now_s, roles["historian"]["figures"]["samples"]))


def _memory(made: Far, seen: Seen) -> None:
    for name in (*ROLES, "gateway"):
        with suppress(LookupError, psutil.Error):
            process = made.process() if name == "gateway" else made.platform.role(name)
            seen.memory.setdefault(name, []).append((time.monotonic(), process.memory_info().rss / 2**20))
