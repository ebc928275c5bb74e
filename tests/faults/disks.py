"""Disks that fill up and disks whose power fails: small file systems of their own, so that the machine stays whole."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024
SHUTDOWN: Final = 0x8004587D
"""EXT4_IOC_SHUTDOWN of linux/fs/ext4/ext4.h."""
NO_FLUSH: Final = 2
"""EXT4_GOING_FLAGS_NOLOGFLUSH: neither what was not synchronised nor the journal reaches the disk any more."""


def _run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    what = " ".join(map(str, command))
    assert not done.returncode, f"`{what}` failed: {done.stderr.strip()}. These tests need root and loop devices."


class Disk:
    """An ext4 file system in a file, mounted on a folder."""

    def __init__(self, image: Path, mounted: Path, size: int) -> None:
        self.image, self.folder = image, mounted
        mounted.mkdir(parents=True, exist_ok=True)
        with image.open("wb") as file:
            file.truncate(size)
        # No blocks kept for root: full is full, as for any other user.
        _run("mkfs.ext4", "-q", "-F", "-m", "0", image)
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop", self.image, self.folder)

    def unmount(self) -> None:
        """Let go of it, also while a process that ends still holds a file."""
        for _ in range(600):
            if not subprocess.run(["umount", self.folder], capture_output=True, check=False).returncode:
                return
            time.sleep(0.1)
        _run("umount", "-l", self.folder)

    def cut_power(self) -> None:
        """From now on nothing reaches the disk: what was not synchronised is gone with the next mount."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", NO_FLUSH))
        finally:
            os.close(folder)

    def fill(self) -> Path:
        """Leave no space, and return the file whose removal gives it back."""
        filler = self.folder / "filler"
        with filler.open("ab", buffering=0) as file:
            for size in (MIB, 4096, 1):
                while True:
                    try:
                        file.write(bytes(size))
                    except OSError:
                        break
        assert shutil.disk_usage(self.folder).free < MIB
        return filler


@contextmanager
def disk(image: Path, mounted: Path, size: int) -> Iterator[Disk]:
    """Mount a file system of its own for the time of a test."""
    made = Disk(image, mounted, size)
    try:
        yield made
    finally:
        made.unmount()
