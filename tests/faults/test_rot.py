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


def test_spoilt_files_lose_and_repeat_nothing(tmp_path: Path) -> None:
    dice = chance()
    platform, port = configured(tmp_path)
    with running(platform):
        made = prepared(platform, port)
        for harm in (gateway_end, bus_end, bus_cut, bus_bit, snapshot):
            asyncio.run(made.source.run(seconds=3))
            platform.crash()
            harm(made, dice)
            platform.start()
            counted = afterwards(platform, made.source)
            print(harm.__name__, counted)
            assert counted.right, (harm.__name__, counted)
