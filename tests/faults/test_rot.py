"""Files spoilt while nothing runs: what was acknowledged is there exactly once, or its loss is told in words."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from tests.e2e.platform import running
from tests.faults.harm import chance
from tests.faults.numbered import Plant, afterwards, configured, prepared
from tests.faults.rot import cut_end, flip_bit, segments, spoil_all, spoil_end, stream_blocks


def gateway_end(made: Plant, dice: random.Random) -> None:
    spoil_end(segments(made.folder)[-1], dice)


def bus_end(made: Plant, dice: random.Random) -> None:
    spoil_end(stream_blocks(made.folder, "LIVE")[-1], dice)


def bus_cut(made: Plant, dice: random.Random) -> None:
    cut_end(stream_blocks(made.folder, "LIVE")[-1], dice)


def bus_bit(made: Plant, dice: random.Random) -> None:
    flip_bit(stream_blocks(made.folder, "LIVE")[0], dice)


def snapshot(made: Plant, dice: random.Random) -> None:
    spoil_all(made.folder / "data" / "engine" / "engine.snapshot", dice)


def snapshot_end(made: Plant, dice: random.Random) -> None:
    cut_end(made.folder / "data" / "engine" / "engine.snapshot", dice)


def alarm_end(made: Plant, dice: random.Random) -> None:
    spoil_end(stream_blocks(made.folder, "ALARM")[-1], dice)


def position(made: Plant, dice: random.Random) -> None:
    for file in (made.folder / "data" / "history").glob("L*.json"):
        spoil_all(file, dice)


def position_bit(made: Plant, dice: random.Random) -> None:
    flip_bit(made.folder / "data" / "history" / "LIVE.json", dice)


def rollup_state(made: Plant, dice: random.Random) -> None:
    for file in (made.folder / "data" / "history").glob("rollups*.json"):
        spoil_all(file, dice)


def marks_end(made: Plant, dice: random.Random) -> None:
    spoil_end(made.folder / "data" / "history" / "rollups.late", dice)


HARMS = (
    (gateway_end, bus_end, alarm_end, snapshot, marks_end, position_bit),
    (bus_cut, snapshot_end, rollup_state),
    (position,),
    (bus_bit,),
)


def test_spoilt_files_lose_and_repeat_nothing(tmp_path: Path) -> None:
    dice = chance()
    platform, port = configured(tmp_path)
    with running(platform):
        made = prepared(platform, port)
        for harms in HARMS:
            asyncio.run(made.source.run(seconds=3))
            platform.crash()
            for harm in harms:
                harm(made, dice)
            platform.start()
            counted = afterwards(platform, made.source)
            names = [harm.__name__ for harm in harms]
            print(names, counted)
            assert counted.right, (names, counted)
