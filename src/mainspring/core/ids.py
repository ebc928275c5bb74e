"""Global ids: UUID version 7 (RFC 9562), ordered by the time they were made."""

from __future__ import annotations

import os
import time
from uuid import UUID


def uuid7(now_ms: int | None = None) -> UUID:
    """Make a UUIDv7 from the time in milliseconds and 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    random = int.from_bytes(os.urandom(10), "big")
    high = (milliseconds & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | (random >> 68 & 0x0FFF)
    low = 0b10 << 62 | (random & 0x3FFF_FFFF_FFFF_FFFF)
    return UUID(int=high << 64 | low)
