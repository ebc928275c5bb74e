"""The link between a gateway and the platform is cut, slow and lossy: what was acknowledged is there exactly once.

Needs root, for the gateway has a network namespace of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from tests.e2e.platform import eventually
from tests.faults.link import Far, far
from tests.faults.numbered import NumberedSource, count, settled

from mainspring.drivers.mqtt import KEPT_AFTER_MS

DAY_S = 86_400
STEP_MS = 10_000
CUT_S = 3
HARMED_S = 10
ARRIVES_S = 180


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    with far(tmp_path_factory.mktemp("links")) as started:
        yield started


def arrived(made: Far, source: NumberedSource) -> int:
    counted = count(made.platform, source)
    return counted.acknowledged - counted.lost


def afterwards(made: Far, source: NumberedSource) -> None:
    """See that everything arrives over the whole link, and that current values go on."""
    made.link.whole()
    made.link.fast()
    settled(made.platform, source, ARRIVES_S, holds=lambda counted: not counted.lost)
    asyncio.run(source.run(seconds=2))
    counted = settled(made.platform, source, ARRIVES_S)
    print(counted)
    assert counted.right, counted


def test_a_day_behind_a_cut_link_and_a_second_cut_while_it_catches_up(made: Far) -> None:
    readings = DAY_S * 1000 // STEP_MS
    source = made.source(devices=2, tags=4, step_ms=STEP_MS)
    source.window = 512
    # A device that was alone so long sends what it kept; what is older than an hour never becomes a current value.
    source.begin_earlier(readings + KEPT_AFTER_MS // STEP_MS)
    made.link.cut()
    asyncio.run(source.run(readings=readings))
    assert source.acknowledged_total == readings * 8, "the gateway takes a day without the platform"
    # Slow enough that the second cut comes in the middle of what follows.
    made.link.slow(128)
    made.link.whole()
    eventually(lambda: arrived(made, source) > 0, ARRIVES_S, "what waited begins to arrive")
    made.link.cut()
    time.sleep(CUT_S)
    there = arrived(made, source)
    assert 0 < there < source.acknowledged_total
    made.link.whole()
    eventually(lambda: arrived(made, source) > there, ARRIVES_S, "what waited goes on arriving")
    afterwards(made, source)


@pytest.mark.parametrize("harm", ["slow", "lossy"])
def test_a_bad_link_delays_and_loses_nothing(made: Far, harm: str) -> None:
    source = made.source(devices=2, tags=4)
    if harm == "slow":
        made.link.slow(64)
    else:
        made.link.lossy(0.2)
    with source.publishing():
        time.sleep(HARMED_S)
        eventually(lambda: arrived(made, source) > 0, ARRIVES_S, "some of it arrives over the bad link")
    assert source.acknowledged_total > 0
    afterwards(made, source)
