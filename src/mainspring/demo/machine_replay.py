"""Replays the machine tool's recording behind an MTConnect agent and, beside it, behind its adapter."""

from __future__ import annotations

import gzip
import time
from importlib import resources
from itertools import pairwise
from typing import Final, NamedTuple

from mainspring.simulators.mtconnect_agent import MtconnectAgentSimulator, stamp_of
from mainspring.simulators.shdr import ShdrSimulator

STEP_S: Final = 1.0
BUFFER: Final = 4096
"""Observations the agent keeps: about five minutes."""
PAUSE_MS: Final = 3000
"""Between two stretches of the recording, and before it begins anew."""
JUMP_MS: Final = 60_000
"""Times that lie farther apart, forwards or back, belong to different stretches."""
_DAY_MS: Final = 86_400_000


class RecordedLine(NamedTuple):
    """A line of the adapter: milliseconds from the beginning of the recording, and what stands behind its time."""

    at_ms: int
    text: str


def lines() -> list[RecordedLine]:
    """Return the packaged recording with its stretches put one behind the other."""
    file = resources.files("mainspring.demo") / "recordings" / "okuma.shdr.gz"
    parted = [line.split("|", 1) for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
    stamps = [_of_day_ms(stamp) for stamp, _ in parted]
    at_ms, recorded = 0, [RecordedLine(0, parted[0][1])]
    for (before, now), (_, text) in zip(pairwise(stamps), parted[1:], strict=True):
        at_ms += PAUSE_MS if abs(now - before) > JUMP_MS else max(now - before, 0)
        recorded.append(RecordedLine(at_ms, text))
    return recorded


def _of_day_ms(stamp: str) -> int:
    """Return the time of day of `2022-08-08T13:51:34.7167146Z`."""
    hours, minutes, seconds = stamp[11:].rstrip("Z").split(":")
    return int((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000) % _DAY_MS


class MachineReplay:
    """The machine tool behind an agent and an adapter; both say the same."""

    def __init__(self, agent_port: int, adapter_port: int, speed: float) -> None:
        description = (resources.files("mainspring.demo") / "recordings" / "okuma_devices.xml").read_bytes()
        self.agent = MtconnectAgentSimulator(description, port=agent_port, buffer_size=BUFFER)
        self.adapter = ShdrSimulator(port=adapter_port)
        self._lines = lines()
        self._whole_ms = self._lines[-1].at_ms + PAUSE_MS
        self._speed = speed
        self._place = 0

    async def start(self) -> None:
        """Listen on both ports."""
        await self.agent.start()
        await self.adapter.start()

    async def stop(self) -> None:
        """Close both ports."""
        await self.agent.stop()
        await self.adapter.stop()

    async def show(self, number: int) -> None:
        """Say what was recorded in one step, each line at its own time before now; counted round and round."""
        step_ms = STEP_S * 1000
        rounds, until_ms = divmod(int(number * step_ms), self._whole_ms)
        due = []
        if until_ms < step_ms and rounds:
            self._place = 0
        now_ms = time.time_ns() // 1_000_000
        while self._place < len(self._lines) and self._lines[self._place].at_ms <= until_ms:
            line = self._lines[self._place]
            time_ms = now_ms - int((until_ms - line.at_ms) / self._speed)
            fields = line.text.split("|")
            self.agent.take(fields, time_ms)
            said = f"{stamp_of(time_ms)}|{line.text}"
            self._remember(fields, time_ms)
            due.append(said)
            self._place += 1
        if due:
            self.adapter.say("\n".join(due))

    def _remember(self, fields: list[str], time_ms: int) -> None:
        """Keep the last line of each key for who connects later."""
        stamp = stamp_of(time_ms)
        if len(fields) == 6 and fields[1] == "NORMAL":
            self.adapter.state[fields[0]] = f"{stamp}|{'|'.join(fields)}"
            return
        for key, value in zip(fields[::2], fields[1::2], strict=False):
            self.adapter.state[key] = f"{stamp}|{key}|{value}"
