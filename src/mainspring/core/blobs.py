"""References to blobs: what a sample carries in the place of a waveform, an image or a long array."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

BLOB_BYTES_MAX: Final = 64 * 1024 * 1024
_REFERENCE: Final = re.compile(r"sha256:([0-9a-f]{64});([a-z0-9.+/-]{3,100});(\d{1,10})")


@dataclass(frozen=True, slots=True)
class Blob:
    """A reference taken apart: hash in hexadecimal digits, media type and size in bytes."""

    sha256: str
    media_type: str
    size: int

    def __str__(self) -> str:
        return f"sha256:{self.sha256};{self.media_type};{self.size}"


def reference(content: bytes, media_type: str) -> str:
    """Return the reference of a content."""
    return str(Blob(hashlib.sha256(content).hexdigest(), media_type, len(content)))


def parse(text: str) -> Blob:
    """Take a reference apart; raises ValueError."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        message = f"{text[:80]!r} is not a reference to a blob"
        raise ValueError(message)
    return Blob(found[1], found[2], int(found[3]))
