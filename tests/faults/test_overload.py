"""More readings than the bus can hold: the surplus waits in the gateway's log, live values go on, nothing is lost.

The bus is limited by its own setting: each of its two streams has room for a third of what is sent. Needs root.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.e2e.platform import command, eventually
from tests.faults.link import far
from tests.faults.numbered import settled
from tests.faults.watching import watching

BUS = "disk_bytes_max = 67_108_864"
READINGS = 1000
SHOWN_S = 180
DRAINED_S = 200
GROWTH_MB = 400


def test_the_surplus_of_an_overload_waits_and_arrives(tmp_path: Path) -> None:
    with far(tmp_path, bus=BUS, gateway='compression = "none"') as made:
        load = made.source(devices=4, tags=500, step_ms=10)
        marker = made.source(devices=1, tags=1, step_ms=100)
        with watching(made, marker.devices[0].tags[0]) as seen, marker.publishing():
            eventually(lambda: len(seen.memory.get("gateway", ())) > 1, SHOWN_S, "memory is seen")
            before = {role: series[-1][1] for role, series in seen.memory.items()}
            load.window = 32
            asyncio.run(load.run(readings=READINGS))
            eventually(lambda: max(seen.since(seen.waiting, 0)) > 8, SHOWN_S, "it shows that readings wait")
            said = eventually(lambda: command("status", cwd=tmp_path).stdout, SHOWN_S, "status answers")
            eventually(lambda: not seen.waiting[-1][1], DRAINED_S, "what waited has gone")
        counted = settled(made.platform, load, DRAINED_S)
        most = {role: round(max(value for _, value in series)) for role, series in seen.memory.items()}
        print(counted, most, max(seen.since(seen.waiting, 0)), said)
        assert counted.acknowledged == 4 * 500 * READINGS
        assert counted.right, counted
        assert settled(made.platform, marker, DRAINED_S).right
        for role, value in most.items():
            assert value - before[role] < GROWTH_MB, role
