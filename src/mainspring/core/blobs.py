"""Blobs: what a sample refers to in the place of a waveform, an image or a long array, and how it travels."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Final

BLOB_BYTES_MAX: Final = 64 * 1024 * 1024
PART_BYTES_MAX: Final = 512 * 1024
"""Most content in one message on the way to the platform."""
_HEADER_BYTES_MAX: Final = 1024
_MEDIA_TYPE: Final = r"[a-z0-9.+/-]{3,100}"
_REFERENCE: Final = re.compile(rf"sha256:([0-9a-f]{{64}});({_MEDIA_TYPE});(\d{{1,10}})")


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


def is_media_type(text: str) -> bool:
    """Tell whether a text can stand as media type in a reference."""
    return re.fullmatch(_MEDIA_TYPE, text) is not None and text.count("/") == 1


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a blob on its way: whose it is, where it belongs, and the bytes; none of them asks what is there."""

    blob: Blob
    offset: int
    content: bytes

    def encode(self) -> bytes:
        """Return the message: one line of JSON, then the bytes."""
        return json.dumps({"blob": str(self.blob), "offset": self.offset}).encode() + b"\n" + self.content


def decode_part(message: bytes) -> Part:
    """Read a part; raises ValueError for anything that is none within the limits."""
    head, line, content = message[:_HEADER_BYTES_MAX].partition(b"\n")
    if not line:
        raise ValueError("there is no header")
    header = json.loads(head)
    if not isinstance(header, dict) or header.keys() != {"blob", "offset"}:
        raise ValueError("the header is another")
    blob, offset = parse(str(header["blob"])), header["offset"]
    content = message[len(head) + 1 :]
    if not isinstance(offset, int) or offset < 0 or blob.size > BLOB_BYTES_MAX:
        raise ValueError("it is too large")
    if len(content) > PART_BYTES_MAX or offset + len(content) > blob.size:
        raise ValueError("it reaches beyond its end")
    return Part(blob, offset, content)
