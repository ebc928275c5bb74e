"""What a value costs while a plant grows from 50,000 to 1,000,000 tags at 1 Hz, on one platform that goes on running.

`python -m benchmarks.growth [--quick]`.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.figures import QUICK, lines, say
from benchmarks.load import SETTINGS, loading, outcome
from benchmarks.platform_under_test import FIRST, Platform, cpu_seconds, platform, publish_plant

TAGS = (20_000, 60_000) if QUICK else (50_000, 100_000, 250_000, 500_000, 1_000_000)
SECONDS = 8 if QUICK else 30
SETTLE_S = 3 if QUICK else 8
ROLES = ("bus", "engine", "historian")

Curve = list[tuple[float, float]]


def main() -> None:
    """Let a plant grow and tell what a value costs at each size."""
    curves: dict[str, Curve] = {name: [] for name in (*ROLES, "together")}
    memory: dict[str, Curve] = {name: [] for name in ROLES}
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder, platform(Path(folder), SETTINGS) as running:
        known = 0
        for tags in TAGS:
            asyncio.run(publish_plant(running, FIRST + known, tags - known, mixed=True))
            known = tags
            time.sleep(SETTLE_S)
            flooded(running, tags, curves, memory)
    lines("tags", "Processor time of a value, by tags at 1 Hz", ("thousand tags", "s/million"), curves)
    lines("tags-memory", "Memory of each role, by tags at 1 Hz", ("thousand tags", "MB"), memory)


def flooded(running: Platform, tags: int, curves: dict[str, Curve], memory: dict[str, Curve]) -> None:
    """Flood so many tags and note what it costs."""
    roles = {name: role for name, role in running.roles().items() if name in ROLES}
    with loading(running, tags, "flood", SECONDS) as load:
        before = cpu_seconds(roles)
        told = outcome(load)
        time.sleep(3)  # What was gathered last is stored.
        used = {name: now - before[name] for name, now in cpu_seconds(roles).items()}
    millions = told["values"] / 1e6
    scenario = f"{tags:,} tags at 1 Hz"
    say(scenario, "late seconds", told["late_s"], f"of {SECONDS}", "0")
    for name in ROLES:
        curves[name].append((tags / 1000, used[name] / millions))
        memory[name].append((tags / 1000, roles[name].memory_info().rss / 2**20))
    together = sum(used.values()) / millions
    curves["together"].append((tags / 1000, together))
    say(scenario, "bus, engine and historian together", together, "core-seconds per million values")
    say(scenario, "their share of a core", 100 * sum(used.values()) / (SECONDS + 3), "%")
    for name in ROLES:
        say(scenario, f"memory of {name}", memory[name][-1][1], "MB")


if __name__ == "__main__":
    main()
