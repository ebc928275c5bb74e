"""Full disks, and a power cut that discards what was not synchronised: nothing acknowledged is lost or repeated."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.e2e.platform import running
from tests.faults.disks import MIB, Disk, disk
from tests.faults.harm import chance
from tests.faults.numbered import Plant, afterwards, configured, prepared

FLOW = 400
"""Readings a second."""
CUTS = 3


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plant, dict[str, Disk]]]:
    """A platform whose bus and whose history have a small disk each."""
    folder = tmp_path_factory.mktemp("small")
    with ExitStack() as held:
        disks = {
            part: held.enter_context(disk(folder / f"{part}.img", folder / "data" / part, size * MIB))
            for part, size in (("bus", 96), ("history", 256))
        }
        # The mark of the historian is set aside: the disk itself has to say that it is full.
        platform, port = configured(folder, "[history]\ndisk_free_min_bytes = 0\n")
        held.enter_context(running(platform))
        yield prepared(platform, port), disks


@pytest.mark.parametrize("part", ["bus", "history"])
def test_a_full_disk_loses_nothing(small: tuple[Plant, dict[str, Disk]], part: str) -> None:
    made, disks = small
    full = disks[part]
    with made.source.publishing():
        made.source.flows_on(FLOW)
        filler = full.fill()
        assert any(file.stat().st_size for file in full.folder.rglob("*") if file.is_file() and file != filler)
        # The gateway goes on.
        made.source.flows_on(4 * FLOW)
        filler.unlink()
        made.source.flows_on(FLOW)
    counted = afterwards(made.platform, made.source)
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
