"""Files that are whole after a power cut: replaced by a complete and synchronised one, or left as they were."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(file: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace a file by one of the owner's alone; it is on the disk when this returns, if durable. Raises OSError."""
    part = file.with_name(f"{file.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
        if durable:
            out.flush()
            os.fsync(out.fileno())
    part.replace(file)
    if durable:
        sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
