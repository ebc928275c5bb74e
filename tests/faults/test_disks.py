"""Full disks, and a power cut that discards what was not synchronised: nothing acknowledged is lost or repeated."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.e2e.platform import running
from tests.faults.disks import MIB, disk
from tests.faults.harm import chance
from tests.faults.numbered import afterwards, configured, prepared

FLOW = 400
"""Readings a second."""
CUTS = 3


@pytest.mark.parametrize("part", ["bus", "history"])
def test_a_full_disk_loses_nothing(tmp_path: Path, part: str) -> None:
    size = 96 * MIB if part == "bus" else 256 * MIB
    with disk(tmp_path / "disk.img", tmp_path / "data" / part, size) as small:
        # The mark of the historian is set aside: the disk itself has to say that it is full.
        platform, port = configured(tmp_path, "[history]\ndisk_free_min_bytes = 0\n")
        with running(platform):
            made = prepared(platform, port)
            with made.source.publishing():
                made.source.flows_on(FLOW)
                filler = small.fill()
                assert any(file.stat().st_size for file in small.folder.rglob("*") if file.is_file() and file != filler)
                # The gateway goes on.
                made.source.flows_on(4 * FLOW)
                filler.unlink()
                made.source.flows_on(FLOW)
            counted = afterwards(platform, made.source)
            print(part, counted)
            assert counted.right, counted


def test_what_was_acknowledged_survives_a_power_cut(tmp_path: Path) -> None:
    dice = chance()
    with disk(tmp_path / "disk.img", tmp_path / "data", 1024 * MIB) as drive:
        platform, port = configured(
            tmp_path, "[history]\ndisk_free_min_bytes = 0\n", gateway="disk_free_min_bytes = 0\n"
        )
        with running(platform):
            made = prepared(platform, port)
            with made.source.publishing():
                for _ in range(CUTS):
                    made.source.flows_on(FLOW)
                    time.sleep(dice.uniform(0, 2))
                    drive.cut_power()
                    platform.crash()
                    drive.unmount()
                    drive.mount()
                    platform.start()
            counted = afterwards(platform, made.source)
            print(counted)
            assert counted.right, counted


def test_the_power_cut_discards_what_was_not_synchronised(tmp_path: Path) -> None:
    with disk(tmp_path / "disk.img", tmp_path / "mounted", 32 * MIB) as drive:
        kept, lost = (os.open(drive.folder / name, os.O_CREAT | os.O_WRONLY) for name in ("kept", "lost"))
        os.write(kept, b"synchronised")
        os.fsync(kept)
        os.write(kept, b", and this not")
        os.write(lost, b"neither")
        drive.cut_power()
        os.close(kept)
        os.close(lost)
        drive.unmount()
        drive.mount()
        assert (drive.folder / "kept").read_bytes() == b"synchronised"
        found = drive.folder / "lost"
        assert not found.exists() or found.read_bytes() == b""
