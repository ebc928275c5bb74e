"""One stream as the gateway sees it: what is under way, and how much may be.

Both streams share one connection. On a slow link what one has under way the other waits for, and on a busy bus, too:
of each as much is under way as is answered in good time, whatever link and bus can do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from mainspring.core.subjects import LATE, LIVE
from mainspring.core.text import Text
from mainspring.gateway.marks import Place

ANSWERED_S: Final = {LIVE: 1.0, LATE: 0.25}
"""Time of an answer up to which more is sent."""
LEAST_BYTES: Final = 16 * 1024
BEGIN_BYTES: Final = 256 * 1024
MOST_BYTES: Final = 32 * 1024 * 1024


@dataclass(slots=True)
class Window:
    """Grows while answers come within `target_s`, shrinks while they take twice as long; one batch may always go."""

    target_s: float
    size: int = BEGIN_BYTES
    under_way: int = 0
    _sent: dict[int, tuple[int, float]] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Tell whether another batch may be sent now."""
        return not self.under_way or self.under_way < self.size

    def sent(self, sequence: int, size: int, now_s: float) -> None:
        """Note a batch that is under way."""
        self._sent[sequence] = size, now_s
        self.under_way += size

    def answered(self, sequence: int, now_s: float) -> int:
        """Note its answer; returns its size."""
        size, sent_s = self._sent.pop(sequence)
        self.under_way -= size
        took_s = now_s - sent_s
        if took_s <= self.target_s:
            self.size = min(MOST_BYTES, self.size + size)
        elif took_s > 2 * self.target_s:
            self.size = max(LEAST_BYTES, self.size - size // 2)
        return size

    def forget(self) -> None:
        """Begin again after a doubt: what is under way is not known."""
        self._sent.clear()
        self.under_way = 0
        self.size = max(LEAST_BYTES, min(self.size // 2, BEGIN_BYTES))


class Lane:
    """One stream: what was sent, answered and confirmed."""

    def __init__(self, stream: str, subject: str) -> None:
        self.stream = stream
        self.subject = subject
        self.window = Window(ANSWERED_S[stream])
        self.stirred = asyncio.Event()
        self.returned = asyncio.Event()
        self.sent: deque[int] = deque()
        self.answers: dict[int, Place | None] = {}
        self.first_sent_s: dict[int, float] = {}
        self.oldest_s = 0.0
        self.cursor = 0
        self.sent_max = -1
        self.probing = False
        self.refusal: str | None = None
        self.text: Text | None = None
        self.unconfirmed: deque[tuple[Place, int]] = deque()
        self.unstored = 0
        self.taken = 0
        self.position = 0
        self.free_s = 0.0

    @property
    def settled(self) -> bool:
        """Tell whether every batch sent was answered."""
        return len(self.answers) == len(self.sent)
