"""How well the alarms serve their operators: rates, floods, standing and chattering alarms (EEMUA 191, ISA-18.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mainspring.core.alarms import SET_ASIDE, AlarmEvent, Transition

HOUR_MS: Final = 3_600_000
TEN_MINUTES_MS: Final = 600_000
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
FLOOD: Final = 10
"""Alarms in ten minutes from which on it is a flood."""
FLOOD_ENDS: Final = 5
"""Alarms in ten minutes below which a flood is over."""
CHATTER: Final = 3
"""Raises of one alarm within a minute that make it chatter."""
TOP: Final = 10
GOOD_PER_H: Final = 6
MOST_PER_H: Final = 12


def figures(events: Sequence[AlarmEvent], standing_ms: Mapping[str, int], start_ms: int, end_ms: int) -> dict[str, Any]:
    """Work out the figures of a range from its transitions and from what stands now (id to time of its raise).

    What was raised on a shelf, out of service or suppressed was told to nobody and does not count.
    """
    raised = sorted(
        (event.time_ms, str(event.alarm))
        for event in events
        if event.transition is Transition.RAISED and event.state not in SET_ASIDE
    )
    times = np.array([time for time, _ in raised], np.int64)
    hours = max((end_ms - start_ms) / HOUR_MS, 1e-9)
    slots = np.bincount((times - start_ms) // TEN_MINUTES_MS, minlength=1) if len(times) else np.zeros(1, np.int64)
    per_alarm = Counter(alarm for _, alarm in raised)
    top = per_alarm.most_common(TOP)
    floods = _floods(slots, start_ms)
    slot_count = max(1, -(-(end_ms - start_ms) // TEN_MINUTES_MS))
    return {
        "raised": len(raised),
        "per_h": len(raised) / hours,
        "good_per_h": GOOD_PER_H,
        "most_per_h": MOST_PER_H,
        "most_in_10_min": int(slots.max()),
        "flood_ratio": sum(flood["end_ms"] - flood["start_ms"] for flood in floods) / (slot_count * TEN_MINUTES_MS),
        "floods": floods,
        "flood_from": FLOOD,
        "top": [{"alarm": alarm, "count": count, "share": count / len(raised)} for alarm, count in top],
        "top_share": sum(count for _, count in top) / len(raised) if raised else 0.0,
        "standing": [
            {"alarm": alarm, "since_ms": since}
            for alarm, since in sorted(standing_ms.items(), key=lambda each: each[1])
            if end_ms - since > DAY_MS
        ],
        "chattering": _chattering(raised),
        "hours": _hourly(times, start_ms, end_ms),
    }


def _floods(slots: npt.NDArray[np.int64], start_ms: int) -> list[dict[str, int]]:
    """Return the floods: each begins with ten minutes of ten alarms or more and ends before ten of less than five."""
    found: list[dict[str, int]] = []
    under_way = False
    for place, count in enumerate(slots.tolist()):
        under_way = count >= (FLOOD_ENDS if under_way else FLOOD)
        if not under_way:
            continue
        begin = start_ms + place * TEN_MINUTES_MS
        if not found or found[-1]["end_ms"] != begin:
            found.append({"start_ms": begin, "end_ms": begin, "count": 0})
        found[-1]["end_ms"], found[-1]["count"] = begin + TEN_MINUTES_MS, found[-1]["count"] + count
    return found


def _chattering(raised: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    """Return the alarms that were raised too often within a minute, and how often at most."""
    by_alarm: dict[str, list[int]] = {}
    for time, alarm in raised:
        by_alarm.setdefault(alarm, []).append(time)
    most: dict[str, int] = {}
    for alarm, found in by_alarm.items():
        times = np.array(found, np.int64)
        within = np.searchsorted(times, times + MINUTE_MS) - np.arange(len(times))
        if within.max() >= CHATTER:
            most[alarm] = int(within.max())
    return [{"alarm": alarm, "most_in_1_min": count} for alarm, count in sorted(most.items(), key=lambda e: -e[1])]


def _hourly(times: npt.NDArray[np.int64], start_ms: int, end_ms: int) -> list[dict[str, int]]:
    """Count raises hour by hour, or in as many longer steps as a picture can show."""
    step = HOUR_MS * max(1, -(-(end_ms - start_ms) // (200 * HOUR_MS)))
    begin = start_ms - start_ms % step
    size = -(-(end_ms - begin) // step)
    counts = np.bincount((times - begin) // step, minlength=size) if len(times) else np.zeros(size, np.int64)
    return [{"start_ms": begin + place * step, "count": int(count)} for place, count in enumerate(counts[:size])]
