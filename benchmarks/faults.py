"""Numbered readings while roles are killed and frozen and the power fails, at random moments of a printed seed.

Prints JSON lines; everything but what was acknowledged is wanted to be nought. Run: `python -m benchmarks.faults`, as
root for the power cuts; `python -m benchmarks.faults 20` makes 20 kills. MAINSPRING_FAULT_SEED repeats a run.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from tests.e2e.platform import running
from tests.faults.disks import MIB, disk
from tests.faults.harm import ROLES, chance, crash, freeze, kill_some
from tests.faults.numbered import Counted, Plant, afterwards, configured, plant, prepared

KILLS = 200
SINGLE = 4
"""Kills of one role each between two of all at once; a platform that begins anew has forgotten its waits."""
FROZEN_S = 30
CUTS = 20
DISK_BYTES = 2048 * MIB
WRONG = ("lost", "duplicate", "disordered", "unexpected", "behind", "miscounted")


def say(scenario: str, figure: str, value: float, unit: str, wanted: str = "") -> None:
    line = {"scenario": scenario, "figure": figure, "value": value, "unit": unit}
    print(json.dumps(line | ({"wanted": wanted} if wanted else {})), flush=True)


def tell(scenario: str, harm: int, unit: str, counted: Counted) -> None:
    """Print what was done and what became of the readings."""
    say(scenario, "times", harm, unit)
    say(scenario, "readings acknowledged", counted.acknowledged, "readings")
    for figure in WRONG:
        say(scenario, figure, getattr(counted, figure), "tags" if figure in WRONG[4:] else "readings", "0")


def measured(made: Plant, harm: Callable[[], int]) -> tuple[int, Counted]:
    """Harm the platform while its source publishes; returns how often, and what was counted afterwards."""
    with made.source.publishing():
        times = harm()
    return times, afterwards(made.platform, made.source)


def kill(made: Plant, dice: random.Random, kills: int) -> int:
    """Kill single roles, and all of them at once in between."""
    killed: Counter[str] = Counter()
    while killed.total() < kills:
        killed += kill_some(made.platform, dice, SINGLE, (0.3, 2.0))
        time.sleep(dice.uniform(0.3, 2.0))
        crash(made.platform)
        killed["all"] += 1
    print(dict(killed), file=sys.stderr)
    return killed.total()


def freeze_each(made: Plant) -> int:
    """Freeze one role after the other."""
    for role in ROLES:
        freeze(made.platform, (role,), FROZEN_S)
    return len(ROLES)


def cut_power(dice: random.Random) -> tuple[int, Counted]:
    """Discard what was not synchronised, on a disk that holds everything, and start again from what is left."""
    with tempfile.TemporaryDirectory() as name, disk(Path(name) / "disk.img", Path(name) / "data", DISK_BYTES) as drive:
        folder = Path(name)
        platform, port = configured(
            folder, "[history]\ndisk_free_min_bytes = 0\n", gateway="disk_free_min_bytes = 0\n"
        )  # fmt: skip
        with running(platform):

            def cuts() -> int:
                for _ in range(CUTS):
                    time.sleep(dice.uniform(1, 6))
                    drive.cut_power()
                    platform.crash()
                    drive.unmount()
                    drive.mount()
                    platform.start()
                return CUTS

            return measured(prepared(platform, port), cuts)


def main(kills: int) -> None:
    """Run the three parts one after the other."""
    with redirect_stdout(sys.stderr):
        dice = chance()
        with tempfile.TemporaryDirectory() as folder, plant(Path(folder)) as made:
            killed, after_kills = measured(made, lambda: kill(made, dice, kills))
        with tempfile.TemporaryDirectory() as folder, plant(Path(folder)) as made:
            frozen, after_frost = measured(made, lambda: freeze_each(made))
        cuts, after_cuts = cut_power(dice)
    tell("kill -9", killed, "kills", after_kills)
    tell(f"frozen for {FROZEN_S} s", frozen, "roles", after_frost)
    tell("power cut", cuts, "cuts", after_cuts)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else KILLS)
