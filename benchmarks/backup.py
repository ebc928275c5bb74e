"""Backup and restore of a whole platform: all of it, once more, after more readings, verified, restored.

`python -m benchmarks.backup [--values 100000000] [--quick] [/folder]`; the platform runs while it is backed up. The
backups lie on the same disk: each megabyte is read and written there.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.figures import QUICK, option, say
from benchmarks.load import SETTINGS, loading, outcome
from benchmarks.past import DAY, last_midnight
from benchmarks.platform_under_test import FIRST, platform, publish_plant
from mainspring.backup import manifest
from mainspring.backup.manifest import Manifest
from mainspring.core.history import Entry
from mainspring.core.kinds import Column, Origin
from mainspring.core.quality import GOOD
from mainspring.core.samples import build
from mainspring.history.chdb_store import ChdbStore

VALUES: Final = int(option("--values", 2_000_000 if QUICK else 100_000_000))
DAYS: Final = 10
AT_ONCE: Final = 1_000_000
TAGS: Final = 1000
MORE_TAGS: Final = 10_000
"""Tags that send while the platform runs, a twentieth of the values."""


def show(figure: str, value: float, unit: str) -> None:
    """Print one figure of this scenario."""
    say("backup", figure, value, unit)


def filled(folder: Path, tenant: int) -> None:
    """Make a history of noise in a data folder that nobody has opened: eight bytes a value, which nothing packs."""
    store, midnight, chance = ChdbStore(folder / "history"), last_midnight(), np.random.default_rng(9)
    each = min(AT_ONCE, VALUES // DAYS)
    seconds = each // TAGS
    sequence = 0
    for day in range(DAYS):
        for begun in range(0, VALUES // DAYS, each):
            sequence += 1
            times = midnight - (day + 1) * DAY + (begun // TAGS + np.arange(seconds)) * 1000
            tags = np.tile(np.arange(TAGS) + FIRST + MORE_TAGS, seconds)
            values = chance.standard_normal(seconds * TAGS)
            batch = build(Column.FLOAT64, tags, np.repeat(times, TAGS), values, GOOD, Origin.SIMULATED)
            store.append("LATE", [Entry(sequence, tenant, batch)], sequence, sequence)
    store.close()


def timed(file: Path, *words: str | Path) -> float:
    """Run a command of `mainspring` and return the seconds it took."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "mainspring", "--config", str(file), *map(str, words)], check=True,
        stdout=subprocess.DEVNULL, cwd=file.parent,
    )  # fmt: skip
    return time.perf_counter() - began


def taken(file: Path, backups: Path, figure: str) -> Manifest:
    """Take a backup, show how fast and how much of it was new, and return its list."""
    took = timed(file, "backup", backups)
    made = manifest.read(backups, manifest.ids(backups)[-1])
    show(f"{figure}: took", took, "s")
    show(f"{figure}: new", made.written_bytes / 1e6, "MB")
    show(f"{figure}: by all that is in it", made.size / took / 1e6, "MB/s")
    if made.written_bytes > made.size / 100:
        show(f"{figure}: by what was new", made.written_bytes / took / 1e6, "MB/s")
    return made


def main(place: Path) -> None:
    """Measure each."""
    file, backups = place / "mainspring.toml", place / "backups"
    with platform(place, SETTINGS, before=filled) as running:
        asyncio.run(publish_plant(running, FIRST, MORE_TAGS, mixed=True))
        whole = taken(file, backups, "first backup")
        show("files", len(whole.files), "")
        show("size", whole.size / 1e6, "MB")
        taken(file, backups, "once more at once")
        with loading(running, MORE_TAGS, "flat-out", VALUES // 20) as load:
            outcome(load)
        last = taken(file, backups, "after more readings")
    held = sum(piece.stat().st_size for piece in (backups / "pieces").glob("??/*"))
    show("verify every piece", held / timed(file, "backup", "--verify", backups) / 1e6, "MB/s")
    took = timed(file, "restore", backups, "--folder", place / "restored")
    show("restore, verified: took", took, "s")
    show("restore, verified", last.size / took / 1e6, "MB/s")


if __name__ == "__main__":
    given = sys.argv[-1] if sys.argv[1:] and sys.argv[-1].startswith("/") else None
    with tempfile.TemporaryDirectory(dir=given) as made:
        main(Path(made))
