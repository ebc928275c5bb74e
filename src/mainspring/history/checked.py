"""Small documents with a checksum, by which one that a disk has spoilt is known."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

from mainspring.core.files import replace_file


def write(file: Path, document: Any) -> None:
    """Replace a document; it is on the disk when this returns. Raises OSError."""
    written = json.dumps(document).encode()
    replace_file(file, written + b"\n%08x\n" % zlib.crc32(written))


def read(file: Path) -> Any:
    """Return a document. Raises OSError, and ValueError if it is not what was written."""
    written, _, check = file.read_bytes().partition(b"\n")
    # Those of earlier versions have none.
    if check and check.strip() != b"%08x" % zlib.crc32(written):
        message = "its checksum is another"
        raise ValueError(message)
    return json.loads(written)
