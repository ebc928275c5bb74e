"""Times as programs write them: aware datetimes, milliseconds, ISO text, or a length such as `8h` before now."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

from mainspring.core.errors import Rejected
from mainspring.core.text import Text

Moment = datetime | int | float | str
MS_DIGITS_MIN: Final = 10
"""A text of digits is milliseconds from this length on; shorter ones are dates of ISO 8601, as 20261121."""
_LENGTH: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)")
_MS: Final = {"ms": 1, "s": 1000, "min": 60_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_NAIVE: Final = Text(
    "The time {time} names no zone. Give an aware datetime, or text such as 2026-11-21T08:00+08:00.",
    "时间 {time} 未注明时区。请使用带时区的时间，例如 2026-11-21T08:00+08:00。",
)
_UNKNOWN: Final = Text(
    "{shown!r} is not a time. Write ISO 8601 with a zone, milliseconds UTC, or a length such as 8h for 8 hours ago.",
    "{shown!r} 不是时间。请使用带时区的 ISO 8601、UTC 毫秒数，或 8h（8 小时前）之类的时长。",
)
_NO_LENGTH: Final = Text(
    "{shown!r} is not a length of time. Write for example 250ms, 10s, 5min, 8h, 7d.",
    "{shown!r} 不是时长，请写成 250ms、10s、5min、8h、7d 等。",
)


def now_ms() -> int:
    """Return the time in milliseconds UTC."""
    return time.time_ns() // 1_000_000


def length_ms(length: int | str) -> int:
    """Return a length of time in milliseconds; raises Rejected."""
    if isinstance(length, int):
        return length
    found = _LENGTH.fullmatch(length.strip())
    if found is None:
        raise Rejected(_NO_LENGTH, shown=length)
    return round(float(found[1]) * _MS[found[2]])


def is_length(moment: Moment | None) -> bool:
    """Tell whether a moment is written as a length before now."""
    return isinstance(moment, str) and _LENGTH.fullmatch(moment.strip()) is not None


def moment_ms(moment: Moment | None) -> int:
    """Return a moment in milliseconds UTC, None being now; raises Rejected."""
    if moment is None or moment == "now":
        return now_ms()
    if isinstance(moment, int | float):
        return round(moment)
    if isinstance(moment, str):
        if moment.strip().isdecimal() and len(moment) >= MS_DIGITS_MIN:
            return int(moment)
        if is_length(moment):
            return now_ms() - length_ms(moment)
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError as error:
            raise Rejected(_UNKNOWN, shown=moment) from error
    if moment.tzinfo is None:
        raise Rejected(_NAIVE, time=moment)
    return round(moment.astimezone(UTC).timestamp() * 1000)
