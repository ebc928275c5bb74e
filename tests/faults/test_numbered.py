"""The counting itself: what is right counts as right, and each kind of wrong is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from tests.faults.numbered import Numbered, Plant, settled


def test_numbered_readings_are_counted_and_what_is_wrong_is_told(plant: Callable[..., Plant]) -> None:
    made = plant(devices=2, tags=3)
    asyncio.run(made.source.run(seconds=2))
    counted = settled(made.platform, made.source)
    assert counted.right, counted
    assert counted.acknowledged == made.source.acknowledged_total > 300
    # An acknowledgement of something that was never stored is a loss; a value nobody sent is unexpected.
    device: Numbered = made.source.devices[0]
    device.note(device.sent, device.kept)
    device.sent += 1
    device.tried[device.tried.index(1)] = 0
    wrong = settled(made.platform, made.source, 0)
    assert (wrong.lost, wrong.unexpected, wrong.behind) == (6, 3, 3)
    assert not wrong.right and replace(wrong, lost=0, unexpected=0, behind=0).right
