"""The readings of a plant, a second at a time: walks to two decimals, constants, counters and discrete states.

Of twenty tags ten walk (a temperature, a pressure), four never change (a set-point), two count (energy, pieces) and
four hold a state that changes once a minute on average. Every tag is read every second, whether it changed or not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

WALKS, CONSTANTS, COUNTERS, STATES = 10, 4, 2, 4
PARTS = WALKS + CONSTANTS + COUNTERS + STATES
STEP = 0.05
"""Standard deviation of a walk's step."""
STATE_S = 60
BLOCK = 10_000
"""Ordinals come in blocks so large, each with decimals first, so that a plant can grow."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Mix:
    """The values of so many tags (a multiple of 20): first those with decimals, then the integers.

    `slow` is the share of seconds in which a walk or a counter changes at all.
    """

    def __init__(self, tags: int, seed: int = 1, slow: float = 1.0) -> None:
        assert tags % PARTS == 0, tags
        self.floats = self.floats_of(tags)
        self.integers = tags - self.floats
        self._walks = tags // PARTS * WALKS
        self._counters = tags // PARTS * COUNTERS
        self._slow = slow
        self._chance = np.random.default_rng(seed)
        self._hundredths = self._chance.normal(5000, 500, self.floats).round()
        self._whole = self._chance.integers(0, 1_000_000, self.integers)
        self._whole[self._counters :] = self._chance.integers(0, 5, self.integers - self._counters)

    @staticmethod
    def floats_of(tags: int) -> int:
        """Return how many of so many tags have decimals."""
        return tags // PARTS * (WALKS + CONSTANTS)

    def second(self) -> tuple[Floats, Integers]:
        """Return the values of the next second; both arrays are new."""
        chance = self._chance
        steps = chance.standard_normal(self._walks, dtype=np.float32) * np.float32(100 * STEP)
        grown = chance.poisson(2.0, self._counters)
        if self._slow < 1:
            steps *= chance.random(self._walks, dtype=np.float32) < self._slow
            grown *= chance.random(self._counters, dtype=np.float32) < self._slow
        self._hundredths[: self._walks] += np.rint(steps)
        self._whole[: self._counters] += grown
        states = self._whole[self._counters :]
        changed = np.flatnonzero(chance.random(len(states), dtype=np.float32) < 1 / STATE_S)
        states[changed] = chance.integers(0, 5, len(changed))
        return self._hundredths / 100, self._whole.copy()

    def ring(self, seconds: int) -> list[tuple[Floats, Integers]]:
        """Return so many seconds to be sent there and back again, made beforehand: walks stay walks."""
        there = [self.second() for _ in range(seconds)]
        return there + there[-2:0:-1]


def ordinals(first: int, tags: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return the ordinals of so many tags from `first` on: those with decimals, and the integers."""
    every = np.arange(first, first + tags, dtype=np.uint32)
    size = min(BLOCK, tags)
    decimals = (every - first) % size < Mix.floats_of(size)
    return every[decimals], every[~decimals]


def slices(rows: int, total: int) -> list[slice]:
    """Cut so many rows into batches."""
    return [slice(start, min(start + rows, total)) for start in range(0, total, rows)]


def jitter(rows: int, most_ms: float, seed: int) -> npt.NDArray[Any]:
    """Return deviations of a clock's tick in whole milliseconds, normally distributed, `most_ms` wide."""
    return np.random.default_rng(seed).normal(0, most_ms, rows).round().astype(np.int64)
