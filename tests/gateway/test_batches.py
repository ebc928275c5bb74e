"""What a driver is told about its readings: kept means on disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.waiting import PATIENCE_S

from mainspring.core import quality as q
from mainspring.core.errors import StoreError
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import SampleBatch, build
from mainspring.core.text import Text
from mainspring.gateway.batches import Gate, Gatherer, Writer
from mainspring.gateway.segments import SegmentLog

ONE = build(Column.FLOAT64, [7], 1, 1.5, q.GOOD, Origin.MACHINE)


class Rig:
    def __init__(self, folder: Path) -> None:
        self.log = SegmentLog(folder, segment_bytes=64 * 1024, log_bytes_max=2**40, disk_free_min_bytes=0)
        self.gatherer = Gatherer(Gate(), 1000)
        self.writer = Writer(self.gatherer, Gate(), self.log, lambda: None, flush_ms=10)

    def put(self, batch: SampleBatch) -> None:
        self.gatherer.put([batch])


async def test_kept_returns_when_what_was_delivered_before_is_in_the_log(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.writer.kept()
    running = asyncio.create_task(rig.writer.run())
    for number in range(1, 4):
        rig.put(ONE)
        await asyncio.wait_for(rig.writer.kept(), PATIENCE_S)
        assert rig.log.last - rig.log.first + 1 == number
    running.cancel()
    await asyncio.wait({running})
    rig.log.close()


async def test_kept_waits_while_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path)
    append = rig.log.append

    def refuse(_entries: object) -> None:
        raise StoreError(Text("no space", "无空间"))

    monkeypatch.setattr(rig.log, "append", refuse)
    rig.put(ONE)
    waiting = asyncio.create_task(rig.writer.kept())
    await asyncio.sleep(0)
    await rig.writer.flush()
    assert not waiting.done()
    monkeypatch.setattr(rig.log, "append", append)
    await rig.writer.flush()
    await asyncio.wait_for(waiting, PATIENCE_S)
    assert rig.log.last == rig.log.first
    rig.log.close()
