"""Roles are killed and frozen at random moments: what was acknowledged is in the history exactly once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.faults.harm import ROLES, chance, crash, freeze, kill_some
from tests.faults.numbered import Plant, afterwards

FROZEN_S = 5


@pytest.fixture(scope="module")
def made(plant: Callable[..., Plant]) -> Plant:
    return plant()


def test_kills_at_random_moments_lose_and_repeat_nothing(made: Plant) -> None:
    dice = chance()
    with made.source.publishing():
        killed = kill_some(made.platform, dice, 5, (0.5, 2.0))
        crash(made.platform)
        killed += kill_some(made.platform, dice, 1, (0.5, 2.0))
    counted = afterwards(made.platform, made.source)
    print(killed, counted)
    assert counted.acknowledged > 100
    assert counted.right, counted


def test_frozen_roles_lose_and_repeat_nothing(made: Plant) -> None:
    order = chance().sample(ROLES, len(ROLES))
    before = made.source.acknowledged_total
    with made.source.publishing():
        for pair in (order[:2], order[2:4], order[4:]):
            freeze(made.platform, tuple(pair), FROZEN_S)
    counted = afterwards(made.platform, made.source)
    print(order, counted)
    assert counted.acknowledged > before
    assert counted.right, counted
