"""What time it is on the platform: commands end by its clock, and that of a gateway's machine may be wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from mainspring.core import subjects

if TYPE_CHECKING:
    from mainspring.bus.connect import Bus

CONCURRENT_MAX: Final = 256


async def serve_clock(bus: Bus) -> None:
    """Answer `ms.<tenant>.clock` with the time in whole milliseconds UTC."""

    async def answer(_subject: str, _payload: bytes) -> bytes:
        return str(time.time_ns() // 1_000_000).encode()

    await bus.serve(subjects.clock("*"), answer, queue="clock", concurrent_max=CONCURRENT_MAX)
