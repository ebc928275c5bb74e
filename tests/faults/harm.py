"""What breaks: processes that die or freeze, at moments that a printed seed repeats."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
from tests.e2e.platform import BUS, Platform

TURN_S = 0.05
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


@contextmanager
def slowed(process: psutil.Process, share: float) -> Iterator[None]:
    """Let a process go on for this share of the time only, in short turns, as a machine too small for it would."""
    ended = threading.Event()

    def take_turns() -> None:
        with suppress(psutil.Error):
            while not ended.wait(TURN_S * share):
                process.send_signal(signal.SIGSTOP)
                ended.wait(TURN_S * (1 - share))
                process.send_signal(signal.SIGCONT)

    thread = threading.Thread(target=take_turns, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
