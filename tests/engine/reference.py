"""A slow engine in plain Python, written from the description of the life cycle and not from the compiled loops."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

DAY_MS = 86_400_000
AHEAD_MS = 60_000


@dataclass
class Sample:
    time: int
    number: float
    quality: int
    arrival: int
    cause: tuple[int, int]

    @property
    def usable(self) -> bool:
        return self.quality & 0xC0 in (0xC0, 0x40) and not math.isnan(self.number)


@dataclass
class Alarm:
    condition: str
    limit: float
    dead_band: float
    on_ms: int
    off_ms: int
    active: bool = False
    acknowledged: bool = True
    since: int | None = None
    cause: tuple[int, int] = (0, 0)
    raised: int = 0

    def holds(self, number: float) -> bool:
        band = self.dead_band if self.active else 0
        if self.condition in ("HH", "H"):
            return number > self.limit - band
        return number < self.limit + band

    @property
    def delay(self) -> int:
        return self.off_ms if self.active else self.on_ms


@dataclass
class Event:
    row: int
    transition: str
    time: int
    raised: int
    value: float | None
    cause: tuple[int, int]
    state: str


@dataclass
class Reference:
    """One tag with its alarms."""

    stale_ms: int
    known_since: int
    alarms: list[Alarm]
    last: Sample | None = None
    events: list[Event] = field(default_factory=list)

    def turn(self, row: int, time: int, value: float) -> None:
        alarm = self.alarms[row]
        alarm.active = not alarm.active
        if alarm.active:
            alarm.raised, alarm.acknowledged = time, False
        alarm.since = None
        state = ("active-" if alarm.active else "cleared-") + (
            "acknowledged" if alarm.acknowledged else "unacknowledged"
        )
        state = "normal" if state == "cleared-acknowledged" else state
        shown = value if math.isfinite(value) else None
        self.events.append(
            Event(row, "raised" if alarm.active else "cleared", time, alarm.raised, shown, alarm.cause, state)
        )

    def expire(self, row: int, now: int) -> None:
        alarm = self.alarms[row]
        if alarm.since is not None and alarm.since + alarm.delay <= now:
            self.turn(row, alarm.since + alarm.delay, self.last.number if self.last else math.nan)

    def wait(self, row: int, clock: int, own: int) -> None:
        """Let time pass until `clock` on the device's clock and `own` on ours."""
        alarm = self.alarms[row]
        if alarm.condition != "stale":
            if self.last is not None and self.last.usable:
                self.expire(row, clock)
            return
        gone = (self.last.arrival if self.last else self.known_since) + self.stale_ms
        if alarm.active:
            self.expire(row, min(own, gone))
        if gone < own:
            if alarm.active:
                alarm.since = None
            elif alarm.since is None:
                alarm.since = gone
                alarm.cause = self.last.cause if self.last else (0, 0)
        if not alarm.active:
            self.expire(row, own)

    def judge(self, row: int, holds: bool, time: int, sample: Sample) -> None:
        alarm = self.alarms[row]
        if holds == alarm.active:
            alarm.since = None
            return
        if alarm.since is None or time < alarm.since:
            alarm.since, alarm.cause = time, sample.cause
        if time - alarm.since >= alarm.delay:
            self.turn(row, time, sample.number)

    def take(self, sample: Sample) -> None:
        if sample.time < 0 or sample.time > sample.arrival + DAY_MS:
            return
        if self.last is not None and sample.time < self.last.time:
            ran_ahead = self.last.time > sample.arrival + AHEAD_MS
            silent = sample.arrival - self.last.arrival > self.stale_ms
            if not (ran_ahead or silent):
                return
        for row, alarm in enumerate(self.alarms):
            self.wait(row, sample.time, sample.arrival)
            if alarm.condition == "stale":
                self.judge(row, not sample.usable, sample.arrival, sample)
            elif sample.usable:
                self.judge(row, alarm.holds(sample.number), sample.time, sample)
        self.last = sample

    def sweep(self, now: int) -> None:
        for row in range(len(self.alarms)):
            clock = 0 if self.last is None else self.last.time + max(0, now - self.last.arrival)
            self.wait(row, clock, now)
