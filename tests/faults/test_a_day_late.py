"""A buffer that arrives a day late and out of order lands in its place, in trends too; a correction keeps what was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.e2e.platform import Person, eventually
from tests.faults.numbered import Numbered, NumberedSource, Plant, settled
from tests.waiting import PATIENCE_S

HOUR_MS = 3_600_000
READINGS = 3600


async def published(source: NumberedSource, each: Numbered, first: int, last: int) -> None:
    each.sent = first
    await source.run(readings=last - first)
    each.sent = max(each.sent, READINGS)


def hours(person: Person, tag: int, start_ms: int) -> tuple[str, list[int]]:
    """Return what the trend of three hours is made of, and how many good readings each has."""
    query = {"tags": [tag], "start_ms": start_ms, "end_ms": start_ms + 3 * 3 * HOUR_MS, "buckets": 3}
    answer = person.post("/history/trend", query)
    good: list[int] = answer["series"][0]["good"] if answer["series"] else []
    return answer["source"], good


def by_the_hour(person: Person, tag: int, start_ms: int) -> bool:
    return hours(person, tag, start_ms)[0] == "hour"


def corrected(person: Person, tag: int, at_ms: int) -> Any:
    draft = {"tag": tag, "time_ms": at_ms, "value": "-7", "reason": "misread"}
    person.post("/history/correct", draft)
    query = {"tag": tag, "start_ms": at_ms, "end_ms": at_ms + 1}
    return eventually(lambda: person.post("/history/corrections", query)["items"], PATIENCE_S, "the correction is told")


def test_a_buffer_of_a_day_ago_lands_in_its_place(plant: Callable[..., Plant]) -> None:
    made = plant(devices=1, tags=2, step_ms=1000)
    source, person = made.source, made.person
    [device] = source.devices
    # Fresh readings first, so that the hours of yesterday were rolled up when theirs arrive.
    asyncio.run(source.run(seconds=2))
    settled(made.platform, source)
    source.base_ms = source.base_ms // HOUR_MS * HOUR_MS - 27 * HOUR_MS
    device.kept.clear()
    device.tried.clear()
    # The second half came first, then what lay before it.
    for first, last in ((READINGS // 2, READINGS), (0, READINGS // 2)):
        asyncio.run(published(source, device, first, last))
    counted = settled(made.platform, source, holds=lambda counted: not counted.lost)
    print(counted)
    assert counted.acknowledged == 2 * READINGS
    # Its newest value stays that of today.
    assert (counted.lost, counted.duplicate, counted.disordered, counted.miscounted) == (0, 0, 0, 0), counted
    start = source.base_ms - source.base_ms % (3 * HOUR_MS)
    for tag in device.tags:
        assert sum(hours(person, tag, start)[1]) == READINGS, "before the hour is made again"
        eventually(partial(by_the_hour, person, tag, start), PATIENCE_S, "the hour is made again")
        assert sum(hours(person, tag, start)[1]) == READINGS
    told = corrected(person, device.tags[0], source.base_ms + 5000)
    assert [(row["value"], row["former"], row["reason"]) for row in told] == [(-7, 5, "misread")]
