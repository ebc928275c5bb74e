"""What breaks: processes that die or freeze, at moments that a printed seed repeats."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
from tests.e2e.platform import BUS, Platform

from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.core import subjects

ROLES = ("gateway", BUS, "historian", "engine", "web")


def chance() -> random.Random:
    """Return a generator of random numbers; MAINSPRING_FAULT_SEED repeats a run."""
    seed = int(os.environ.get("MAINSPRING_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    print(f"MAINSPRING_FAULT_SEED={seed}")
    return random.Random(seed)


def kill_some(platform: Platform, dice: random.Random, kills: int, pause_s: tuple[float, float]) -> Counter[str]:
    """Kill random roles, each after a random pause; returns how often each was killed."""
    killed: Counter[str] = Counter()
    while killed.total() < kills:
        time.sleep(dice.uniform(*pause_s))
        # One that is about to be started again cannot be killed: another is.
        for role in dice.sample(ROLES, len(ROLES)):
            with suppress(LookupError, psutil.Error):
                platform.kill(role)
                killed[role] += 1
                break
    return killed


def crash(platform: Platform) -> None:
    """Kill all roles and the supervisor at once, and start the platform again."""
    platform.crash()
    platform.start()


def freeze(platform: Platform, roles: tuple[str, ...], seconds: float) -> None:
    """Stop roles where they are, and let them go on after a while."""
    frozen = [platform.role(role) for role in roles]
    for each in frozen:
        each.send_signal(signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        for each in frozen:
            with suppress(psutil.Error):
                each.send_signal(signal.SIGCONT)


def give_room(bus_url: str, folder: Path, room_bytes: int) -> None:
    """Let each stream of readings hold so much; half of it is given free every other second, on whatever machine."""

    async def give() -> None:
        bus = await Bus.connect(bus_url, seed_file(folder / "data" / "secrets", "admin"), "admin")
        for stream in (subjects.LIVE, subjects.LATE):
            config = (await bus.js.stream_info(stream)).config
            config.max_bytes = room_bytes
            await bus.js.update_stream(config)
        await bus.close()

    asyncio.run(give())
