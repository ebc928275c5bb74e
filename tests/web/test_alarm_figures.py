"""Performance figures and trials of silence, worked out by hand."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import numpy as np

from mainspring.core.alarms import AlarmEvent, AlarmState, Transition
from mainspring.core.definitions import AlarmDefinition, Condition, Priority, TagDefinition, Words
from mainspring.web.alarm_figures import DAY_MS, HOUR_MS, MINUTE_MS, figures
from mainspring.web.trial import Series, tried

START = 1_800_000_000_000 - 1_800_000_000_000 % HOUR_MS
GOOD, BAD = 0xC0, 0


def raised(alarm: int, at: int) -> AlarmEvent:
    return AlarmEvent(
        id=f"{alarm}-{at}", alarm=UUID(int=alarm), tag=1, condition=Condition.H, priority=Priority.LOW,
        transition=Transition.RAISED, state=AlarmState.ACTIVE_UNACKNOWLEDGED, time_ms=START + at, raised_ms=START + at,
        value=1.0, limit=1.0,
    )  # fmt: skip


def test_floods_chatter_top_ten_and_standing_alarms() -> None:
    flood = [raised(number, 5 * MINUTE_MS + number) for number in range(12)]
    chatter = [raised(100, 2 * HOUR_MS + turn * 20_000) for turn in range(3)]
    standing = {str(UUID(int=7)): START - 2 * DAY_MS, str(UUID(int=8)): START}
    found = figures([*flood, *chatter], standing, START, START + 3 * HOUR_MS)
    assert (found["raised"], found["per_h"], found["most_in_10_min"]) == (15, 5.0, 12)
    assert found["flood_ratio"] == 1 / 18
    assert found["top"][0] == {"alarm": str(UUID(int=100)), "count": 3, "share": 0.2}
    assert (len(found["top"]), round(found["top_share"], 3)) == (10, 0.8)
    assert found["standing"] == [{"alarm": str(UUID(int=7)), "since_ms": START - 2 * DAY_MS}]
    assert found["chattering"] == [{"alarm": str(UUID(int=100)), "most_in_1_min": 3}]
    assert [hour["count"] for hour in found["hours"]] == [12, 0, 3]


def test_a_recorded_week_is_counted_as_by_hand() -> None:
    """A week with two floods, one of them dying away slowly, a chattering alarm and what nobody was told of."""
    week = 7 * DAY_MS
    random = np.random.default_rng(11)
    quiet = [raised(200 + int(of), int(at) * MINUTE_MS) for of, at in zip(
        random.integers(0, 40, 300), random.choice(np.arange(0, week // MINUTE_MS, 7), 300, replace=False), strict=True
    ) if not 40 * HOUR_MS <= at * MINUTE_MS < 60 * HOUR_MS]  # fmt: skip
    # From the 41st hour: 30, 7 and 5 alarms in ten minutes each are one flood; 4 end it.
    counts = (30, 7, 5, 4)
    long_flood = [
        raised(300 + number, 41 * HOUR_MS + slot * 10 * MINUTE_MS + number * 13_000)
        for slot, count in enumerate(counts)
        for number in range(count)
    ]
    short_flood = [raised(400 + number, 50 * HOUR_MS + number * 20_000) for number in range(10)]
    chatter = [raised(500, 55 * HOUR_MS + turn * 15_000) for turn in range(4)]
    silent = [
        raised(600, 56 * HOUR_MS + turn).model_copy(update={"state": state})
        for turn in range(20)
        for state in (AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)
    ]
    told = [*quiet, *long_flood, *short_flood, *chatter]
    found = figures([*told, *silent], {}, START, START + week)
    assert (found["raised"], found["per_h"]) == (len(told), len(told) / 168)
    ten = Counter((event.time_ms - START) // (10 * MINUTE_MS) for event in told)
    assert found["most_in_10_min"] == max(ten.values()) == 30
    begin = START + 41 * HOUR_MS
    assert found["floods"] == [
        {"start_ms": begin, "end_ms": begin + 30 * MINUTE_MS, "count": 42},
        {"start_ms": START + 50 * HOUR_MS, "end_ms": START + 50 * HOUR_MS + 10 * MINUTE_MS, "count": 10},
    ]
    assert found["flood_ratio"] == 40 / (7 * 24 * 60)
    by_alarm = Counter(str(event.alarm) for event in told)
    assert [row["count"] for row in found["top"]] == sorted(by_alarm.values(), reverse=True)[:10]
    assert all(by_alarm[row["alarm"]] == row["count"] for row in found["top"])
    assert found["top_share"] == sum(sorted(by_alarm.values(), reverse=True)[:10]) / len(told)
    assert found["chattering"] == [{"alarm": str(UUID(int=500)), "most_in_1_min": 4}]
    hourly = Counter((event.time_ms - START) // HOUR_MS for event in told)
    assert [hour["count"] for hour in found["hours"]] == [hourly[place] for place in range(168)]


def test_a_quiet_range_has_figures_too() -> None:
    found = figures([], {}, START, START + HOUR_MS)
    assert (found["raised"], found["most_in_10_min"], found["flood_ratio"], found["top_share"]) == (0, 0, 0, 0)
    assert found["hours"] == [{"start_ms": START, "count": 0}]


def silence(times: list[int], qualities: list[int], end: int, **changes: int) -> list[tuple[int, int | None]]:
    tag = TagDefinition(ordinal=5, id=UUID(int=5), path="a/t", name="t", stale_ms=1000)
    alarm = AlarmDefinition(id=UUID(int=9), tag=5, condition=Condition.STALE, name=Words(en="n"), **changes)
    series = Series(
        np.zeros(len(times), np.uint32), np.array(times, np.int64), np.zeros(len(times)), np.array(qualities, np.uint8)
    )
    found = tried(alarm, [tag], series, 0, end)
    return [(each["start_ms"], each["end_ms"]) for each in found["occurrences"]]


def test_silence_is_tried_by_gaps_and_bad_samples() -> None:
    assert silence([0, 500, 1000], [GOOD] * 3, 1500) == []
    assert silence([0, 5000, 5500], [GOOD] * 3, 6000) == [(1000, 5000)]
    assert silence([0, 500, 700, 900], [GOOD, BAD, BAD, GOOD], 1000) == [(500, 900)]
    assert silence([0, 500], [GOOD, GOOD], 9000) == [(1500, None)]
    assert silence([0, 5000, 5100], [GOOD] * 3, 6000, on_delay_ms=4001) == []
    assert silence([0, 5000, 5100], [GOOD] * 3, 6000, on_delay_ms=3000, off_delay_ms=100) == [(4000, 5100)]
    assert silence([0, 4000, 8000], [GOOD, BAD, GOOD], 8500) == [(1000, 8000)]
    assert silence([], [], 1000) == []
