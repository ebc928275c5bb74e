"""Calendars: shifts of the week, holidays and special days, and the working time that follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from mainspring.core.errors import LimitExceeded
from mainspring.core.text import Text
from mainspring.records.defined import fields
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import RELEASED, Group, Shape
from mainspring.records.draft import Description, Draft, Name
from mainspring.records.faults import Invalid

SHIFTS_MAX: Final = 50
DAYS_MAX: Final = 1000
WINDOW_DAYS_MAX: Final = 3700
"""Ten years: beyond them no calendar is asked."""
_NO_ZONE: Final = Text(
    "There is no such time zone; names look like Asia/Shanghai.", "没有此时区，名称形如 Asia/Shanghai。"
)
_BACKWARDS: Final = Text("The last day lies before the first.", "结束日期早于开始日期。")
_OVERLAP: Final = Text("There is another exception for {day}.", "{day} 已有其他例外。")
_TOO_LONG: Final = Text(
    "Working time is told for at most {limit} days at once. Ask for less.", "一次最多查询 {limit} 天，请缩小范围。"
)
_Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Hours(Draft):
    """A shift on the plant's clock; one that ends at or before its start ends on the next day."""

    name: Name = fields.cell(Text("Name", "名称"))
    start: _Clock = fields.cell(Text("Start", "开始"))
    end: _Clock = fields.cell(Text("End", "结束"))


class Shift(Hours):
    """A shift of the week."""

    weekdays: list[Annotated[int, Field(ge=1, le=7)]] = fields.cell(
        Text("Weekdays (1 is Monday)", "星期（1 为周一）"), min_length=1, max_length=7,
        description="1 is Monday, 7 Sunday: the days it starts on",
    )  # fmt: skip


class Special(Draft):
    """Days unlike others: a holiday, or a day worked although the week says otherwise."""

    first: date = fields.cell(Text("First day", "首日"))
    last: date | None = fields.cell(
        Text("Last day", "末日"), default=None, description="the last day; left out: one day alone"
    )
    reason: Description = fields.cell(Text("Reason", "原因"))
    shifts: list[Hours] = fields.cell(
        Text("Shifts worked", "照常班次"), default_factory=list, max_length=SHIFTS_MAX,
        description="empty: nobody works",
    )  # fmt: skip


class Calendar(Defined):
    """When a plant, a line or a team works."""

    code = fields.code(Text("Code", "代码"))
    name = fields.words(Text("Name", "名称"))
    zone = fields.code(Text("Time zone", "时区"), need=False, hint=Text("empty: the plant's", "空表示工厂时区"))
    shifts = fields.rows(Shift, Text("Shifts", "班次"), most=SHIFTS_MAX)
    exceptions = fields.rows(Special, Text("Holidays and special days", "节假日与调休"), most=DAYS_MAX)

    kind = "calendar"
    shape = Shape(
        one=Text("Calendar", "工作日历"),
        many=Text("Calendars", "工作日历"),
        group=Group.PRODUCTION,
        key=("code",),
        columns=("code", "name", "zone"),
        found_by=("code", "name"),
        states=RELEASED,
    )

    def settle(self) -> None:
        """Refuse zones that do not exist and days with two exceptions."""
        try:
            _zone(self)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise Invalid({"zone": _NO_ZONE}) from error
        taken: list[tuple[date, date]] = []
        for place, row in enumerate(self.exceptions):
            first, last = _days(row)
            if last < first:
                raise Invalid({f"exceptions.{place}.last": _BACKWARDS})
            if any(first <= end and start <= last for start, end in taken):
                raise Invalid({f"exceptions.{place}.first": _OVERLAP.format(day=first)})
            taken.append((first, last))


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of working time, in milliseconds UTC."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class WorkedShift(Interval):
    """One shift as it falls: on which day it begins, and what it is called."""

    day: date
    name: dict[str, str]


def worked_shifts(calendar: Calendar, from_ms: int, until_ms: int) -> Iterator[WorkedShift]:
    """Yield the shifts that reach into a stretch of time, whole, by their start.

    A shift lasts from one reading of the plant's clock to another: where summer time begins or ends it is an hour
    shorter or longer. Raises LimitExceeded.
    """
    zone = _zone(calendar)
    first = datetime.fromtimestamp(from_ms / 1000, zone).date() - timedelta(days=1)
    last = datetime.fromtimestamp(until_ms / 1000, zone).date()
    if (last - first).days > WINDOW_DAYS_MAX:
        raise LimitExceeded(_TOO_LONG, limit=WINDOW_DAYS_MAX)
    special = [(*_days(row), row["shifts"]) for row in calendar.exceptions]
    day = first
    while day <= last:
        exceptional = next((rows for start, end, rows in special if start <= day <= end), None)
        weekly = [row for row in calendar.shifts if day.isoweekday() in row["weekdays"]]
        found = []
        for row in weekly if exceptional is None else exceptional:
            start, end = time.fromisoformat(row["start"]), time.fromisoformat(row["end"])
            ends_on = day + timedelta(days=1) if end <= start else day
            shift = WorkedShift(_ms(day, start, zone), _ms(ends_on, end, zone), day, row["name"])
            if shift.start_ms < shift.end_ms and shift.end_ms > from_ms and shift.start_ms < until_ms:
                found.append(shift)
        yield from sorted(found, key=lambda shift: shift.start_ms)
        day += timedelta(days=1)


def working(calendar: Calendar, from_ms: int, until_ms: int) -> list[Interval]:
    """Return the working time within a stretch of time; shifts that touch or overlap are one interval."""
    joined: list[Interval] = []
    for shift in worked_shifts(calendar, from_ms, until_ms):
        start, end = max(shift.start_ms, from_ms), min(shift.end_ms, until_ms)
        if joined and start <= joined[-1].end_ms:
            joined[-1] = Interval(joined[-1].start_ms, max(end, joined[-1].end_ms))
        else:
            joined.append(Interval(start, end))
    return joined


def _days(row: dict[str, str | None]) -> tuple[date, date]:
    first = date.fromisoformat(str(row["first"]))
    return first, date.fromisoformat(row["last"]) if row["last"] else first


def _zone(calendar: Calendar) -> ZoneInfo:
    return ZoneInfo(calendar.zone or calendar.tenant.zone)


def _ms(day: date, clock: time, zone: ZoneInfo) -> int:
    # An hour that comes twice is read the first time, one that is left out an hour later: shifts that touch on the
    # clock touch in time, too.
    return int(datetime.combine(day, clock, zone).astimezone(UTC).timestamp() * 1000)
