"""Files that a crash or a disk has spoilt, while nothing runs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

GARBAGE = 1000


def spoil_end(file: Path, dice: random.Random) -> None:
    """Write what a crash may leave behind the last record: bytes that are none."""
    with file.open("ab") as out:
        out.write(dice.randbytes(dice.randrange(1, GARBAGE)))


def cut_end(file: Path, dice: random.Random) -> None:
    """Cut the last record somewhere."""
    with file.open("r+b") as out:
        out.truncate(max(0, file.stat().st_size - dice.randrange(1, 60)))


def spoil_all(file: Path, dice: random.Random) -> None:
    """Replace the content."""
    file.write_bytes(dice.randbytes(GARBAGE))


def flip_bit(file: Path, dice: random.Random) -> None:
    """Turn one bit round, somewhere in the middle half."""
    size = file.stat().st_size
    at = dice.randrange(size // 4, size * 3 // 4)
    with file.open("r+b") as out:
        out.seek(at)
        byte = out.read(1)[0]
        out.seek(at)
        out.write(bytes([byte ^ 1 << dice.randrange(8)]))


def stream_blocks(folder: Path, stream: str) -> Sequence[Path]:
    """Return the files of a stream of the bus, oldest first."""
    found = folder.glob(f"data/bus/jetstream/*/streams/{stream}/msgs/*.blk")
    return sorted(found, key=lambda file: int(file.stem))


def segments(folder: Path) -> Sequence[Path]:
    """Return the files of the gateway's segment log, oldest first."""
    return sorted(folder.glob("data/gateways/main/*.log"))
