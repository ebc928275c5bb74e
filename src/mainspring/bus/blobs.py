"""Sending blobs to the platform, a part at a time, from where it has them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Final

from mainspring.bus.connect import Bus
from mainspring.core.blobs import Blob, Part

ANSWER_S: Final = 20.0


async def send_blob(bus: Bus, subject: str, blob: Blob, read: Callable[[int], bytes]) -> None:
    """Send a blob whose content `read` gives from an offset on; returns when the platform keeps it.

    Raises what the bus raises; ValueError if the content ends too early, DecodeError if it has another hash.
    """
    received, content = 0, b""
    while True:
        answer = json.loads(await bus.ask(subject, Part(blob, received, content).encode(), timeout_s=ANSWER_S))
        received = int(answer["received"])
        if answer["kept"]:
            return
        content = await asyncio.to_thread(read, received)
        if not content:
            raise ValueError("the content ends too early")
