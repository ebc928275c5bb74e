"""The platform's time as a gateway knows it: the clock of its own machine may be wrong, or be set at any moment.

A question to the platform brackets its time between asking and hearing; what was found is carried on by a counter that
nobody sets. A later answer is taken if it brackets more closely, or contradicts what was known.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final

import structlog
from nats.errors import Error as NatsError

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.errors import MainspringError, NotConnected
from mainspring.core.text import Text

log = structlog.get_logger(__name__)

ASK_S: Final = 10.0
ANSWER_S: Final = 2.0
RETRY_S: Final = 1.0
AWRY_MS: Final = 5_000
"""From here on a gateway says that its clock is wrong."""
_COUNTER: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Where there is one, a counter that goes on while the machine sleeps."""
_UNKNOWN: Final = Text(
    "The gateway does not know the platform's time yet, by which commands end; nothing was written. Send it again.",
    "网关尚未获知平台时间（命令以此判定是否过期），未写入任何值。请重新发送。",
)
_AHEAD: Final = Text(
    "The clock of the gateway's machine is {seconds:.0f} s ahead of the platform's, and so are its readings. "
    "Set it, best by NTP.",
    "网关主机时钟比平台快 {seconds:.0f} 秒，其采样时间同样偏快。请校准，建议使用 NTP。",
)
_BEHIND: Final = Text(
    "The clock of the gateway's machine is {seconds:.0f} s behind the platform's, and so are its readings. "
    "Set it, best by NTP.",
    "网关主机时钟比平台慢 {seconds:.0f} 秒，其采样时间同样偏慢。请校准，建议使用 NTP。",
)


def counter_ms() -> float:
    """Return milliseconds since some moment in the past."""
    return time.clock_gettime_ns(_COUNTER) / 1e6


class PlatformClock:
    """Knows between which bounds the platform's time lies ahead of the counter."""

    def __init__(self) -> None:
        self._earliest = self._latest = 0.0
        self._known = asyncio.Event()
        self._again = asyncio.Event()

    def take(self, asked_ms: float, platform_ms: int, heard_ms: float) -> None:
        """Take an answer, asked for and heard at these counts."""
        earliest, latest = platform_ms - heard_ms, platform_ms + 1 - asked_ms
        contradicts = earliest > self._latest or latest < self._earliest
        if not self._known.is_set() or contradicts or latest - earliest < self._latest - self._earliest:
            self._earliest, self._latest = earliest, latest
        self._known.set()

    def now_ms(self) -> int:
        """Return the latest that the platform's time may be, UTC; this machine's time as long as it is not known."""
        return int(counter_ms() + self._latest) if self._known.is_set() else time.time_ns() // 1_000_000

    async def ends_ms(self, issued_ms: int, expires_ms: int) -> float:
        """Return the count at which what came now ends: by its time, and never later than if it had just been issued.

        Raises NotConnected if the platform's time is not known and does not become so.
        """
        came_ms = counter_ms()
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await self._known.wait()
        if not self._known.is_set():
            raise NotConnected(_UNKNOWN)
        return min(expires_ms - self._latest, came_ms + expires_ms - issued_ms)

    @property
    def ahead_ms(self) -> float:
        """How far this machine's clock is ahead of the platform's, 0 as long as that is not known."""
        if not self._known.is_set():
            return 0.0
        return time.time_ns() / 1e6 - counter_ms() - (self._earliest + self._latest) / 2

    @property
    def text(self) -> Text | None:
        """Say that this machine's clock is wrong, if it is."""
        ahead_ms = self.ahead_ms
        if abs(ahead_ms) < AWRY_MS:
            return None
        return (_AHEAD if ahead_ms > 0 else _BEHIND).format(seconds=abs(ahead_ms) / 1000)

    async def run(self, bus: Bus, tenant: str) -> None:
        """Ask now, after each return of contact and from time to time, until cancelled."""

        async def again() -> None:
            self._again.set()

        bus.on_reconnected(again)
        while True:
            self._again.clear()
            wait_s = ASK_S
            try:
                asked_ms = counter_ms()
                answer = await bus.ask(subjects.clock(tenant), timeout_s=ANSWER_S)
                self.take(asked_ms, int(answer), counter_ms())
            except (MainspringError, NatsError, ValueError) as error:
                log.info("gateway.clock_unanswered", reason=str(error))
                wait_s = RETRY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._again.wait()
