"""More readings than the bus takes: the surplus waits in the gateway's log, live values stay fresh.

Each of the bus's two streams has room for some thousand readings, until so much is waiting that an operator is told.
Needs root.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.e2e.platform import command, eventually
from tests.faults.harm import give_room
from tests.faults.link import far
from tests.faults.numbered import settled
from tests.faults.watching import Seen, watching

ROOM = 256 * 1024
"""Half of it is given free every other second: six thousand readings of each stream, whatever the machine."""
ROOM_AGAIN = 64 * 1024 * 1024
WINDOW = 2
"""Messages that a device has under way: with all that come at once in one batch, there is room for some of them."""
READINGS = 50
SHOWN_S = 180
DRAINED_S = 200
FRESH_MS = 60_000
BEHIND_MS = 15_000
GROWTH_MB = 400
TOLD = "wait in the segment log"


def told(seen: Seen) -> bool:
    """Tell whether the oldest reading has waited for long, and the operator hears of it."""
    return bool(seen.told) and seen.behind_ms[-1][1] > BEHIND_MS and TOLD in seen.told[-1][1]


def test_the_surplus_of_an_overload_waits_and_arrives_while_live_values_stay_fresh(tmp_path: Path) -> None:
    with far(tmp_path, gateway='compression = "none"') as made:
        load = made.source(devices=4, tags=250, step_ms=10)
        marker = made.source(devices=1, tags=1, step_ms=100)
        load.window = WINDOW
        give_room(made.bus_url, tmp_path, ROOM)
        with watching(made, marker.devices[0].tags[0]) as seen, marker.publishing():
            eventually(lambda: len(seen.memory.get("gateway", ())) > 1, SHOWN_S, "memory is seen")
            before = {role: series[-1][1] for role, series in seen.memory.items()}
            began = time.monotonic()
            while not told(seen):
                assert time.monotonic() < began + SHOWN_S, "readings wait, and it is told"
                asyncio.run(load.run(readings=READINGS))
            shown = command("status", cwd=tmp_path).stdout
            give_room(made.bus_url, tmp_path, ROOM_AGAIN)
            eventually(lambda: not seen.behind_ms[-1][1] and not seen.told[-1][1], DRAINED_S, "nothing waits")
        counted = settled(made.platform, load, DRAINED_S)
        assert settled(made.platform, marker, DRAINED_S).right
    most = {role: round(max(value for _, value in series)) for role, series in seen.memory.items()}
    behind = max(seen.since(seen.behind_ms, 0))
    oldest = max(seen.since(seen.ages_ms, 0))
    print(counted, most, f"waited {behind} ms, live at most {oldest} ms old", shown)
    assert counted.acknowledged == load.acknowledged_total
    assert counted.right, counted
    assert TOLD in shown
    assert oldest < FRESH_MS
    for role, value in most.items():
        assert value - before[role] < GROWTH_MB, role
