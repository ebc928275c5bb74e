"""A plant of 500,000 tags as fast as it goes, alarms on, then VictoriaMetrics with the same values.

`python -m benchmarks.flat_out [--tags 500000] [--quick]`. Every tag has a limit. The load is a process of its own on
the same cores; it counts in nothing that is told of the platform. What a first start does with so many definitions is
waited for: it is told by the scenario `flood`.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks import peer_victoria
from benchmarks.figures import QUICK, bars, option, say
from benchmarks.load import SETTINGS, loading, outcome
from benchmarks.platform_under_test import FIRST, Platform, cpu_seconds, platform

SCENARIO = "flat_out"
TAGS = int(option("--tags", 500_000))
VALUES = 10_000_000 if QUICK else 60_000_000
CARRYING = ("bus", "engine", "historian")
STILL_S = 5.0
STILL_SHARE = 0.15
"""All roles together take less of a core once they are at rest."""
STILL_WITHIN_S = 180.0
DURABLE = "durable against power loss"
CRASH_SAFE = "crash-safe"


def main() -> None:
    """Run all of it."""
    rates = {
        "Mainspring, durable against power loss": measured(DURABLE, "2,500,000", ""),
        "Mainspring, crash-safe": measured(CRASH_SAFE, "3,300,000", 'sync = "interval"'),
    }
    rates |= peer_victoria.ingest(SCENARIO, TAGS)
    theirs = [rate for name, rate in rates.items() if name.startswith("VictoriaMetrics")]
    if theirs:
        ratio = rates["Mainspring, durable against power loss"] / max(theirs)
        say(SCENARIO, "durable against power loss, beside VictoriaMetrics' fastest", ratio, "times", "1.5")
    bars("flat-out", "Values stored per second, flat out on two cores", "values/s", rates)


def measured(words: str, wanted: str, bus: str) -> float:
    """Start a platform, wait until it is at rest, and send to it; returns values a second."""
    with (
        tempfile.TemporaryDirectory(dir=Path.home()) as folder,
        platform(Path(folder), SETTINGS, None, bus, TAGS) as running,
    ):
        rest(running)
        return flat_out(running, words, wanted)


def rest(running: Platform) -> None:
    """Wait until the roles have done what a first start asks of them."""
    until, roles = time.monotonic() + STILL_WITHIN_S, running.roles()
    before = sum(cpu_seconds(roles).values())
    while time.monotonic() < until:
        time.sleep(STILL_S)
        now = sum(cpu_seconds(roles).values())
        if now - before < STILL_SHARE * STILL_S:
            return
        before = now


def flat_out(running: Platform, words: str, wanted: str) -> float:
    """Send as fast as it is acknowledged until all is stored; returns values a second."""
    roles = running.roles()
    before = cpu_seconds(roles)
    with loading(running, TAGS, "flat-out", VALUES) as load:
        told = outcome(load)
    used = {name: now - before[name] for name, now in cpu_seconds(roles).items()}
    rate = told["values"] / told["stored_s"]
    say(words, "accepted by the bus", told["values"] / told["accepted_s"], "values/s")
    say(words, "stored in the history, alarms on", rate, "values/s", wanted)
    for name in (*CARRYING, "web"):
        say(words, name, used[name] / (told["values"] / 1e6), "core-seconds per million values")
    say(words, "load", told["load_cpu_s"] / (told["values"] / 1e6), "core-seconds per million values")
    newest = running.ask(f"/current?tags={FIRST},{FIRST + TAGS - 1}")["times"]
    say(words, "last value of the first and the last tag in the engine",
        "there" if newest == [told["last_ms"]] * 2 else f"not there: {newest}", "", "there")  # fmt: skip
    return rate


if __name__ == "__main__":
    main()
