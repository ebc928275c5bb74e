"""A slow engine for rates, states, changes and expressions, written from the description and not from the loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.engine.reference import Alarm, Event, Sample


@dataclass
class Special(Alarm):
    """An alarm over some tags; `kind` is rate, state, change or expression."""

    kind: str = "rate"
    tags: tuple[int, ...] = (0,)
    window: int = 1000
    per: int = 1000
    direction: str = "both"
    states: tuple[int, ...] = ()
    formula: Callable[[list[float]], bool | None] | None = None
    kept: list[tuple[int, float]] = field(default_factory=list)
    rate: float | None = None
    decided: bool = False
    silent: bool = False
    until: int | None = None

    def beyond(self, rate: float) -> bool:
        edge = self.limit - (self.dead_band if self.active else 0)
        return (self.direction != "falling" and rate > edge) or (self.direction != "rising" and -rate > edge)

    def take_rate(self, time: int, number: float) -> None:
        if self.kept and time < self.kept[-1][0]:
            self.kept = []
        before = [value for at, value in self.kept if at <= time - self.window]
        self.rate = (number - before[-1]) * self.per / self.window if before else None
        if not self.kept or time - self.kept[-1][0] >= self.window // 60:
            self.kept.append((time, number))


@dataclass
class SpecialReference:
    alarms: list[Special]
    last: dict[int, Sample] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def state(self, alarm: Special) -> str:
        if alarm.silent:
            return "shelved"
        if alarm.active:
            return "active-acknowledged" if alarm.acknowledged else "active-unacknowledged"
        return "normal" if alarm.acknowledged else "cleared-unacknowledged"

    def turn(self, row: int, time: int, value: float | None) -> None:
        alarm = self.alarms[row]
        alarm.active = not alarm.active
        if alarm.active:
            alarm.raised, alarm.acknowledged = time, alarm.silent
        alarm.since = None
        shown = value if value is not None and math.isfinite(value) else None
        word = "raised" if alarm.active else "cleared"
        self.events.append(Event(row, word, time, alarm.raised, shown, alarm.cause, self.state(alarm)))

    def expire(self, row: int, now: int, value: float | None) -> None:
        alarm = self.alarms[row]
        if alarm.since is not None and alarm.since + alarm.delay <= now:
            self.turn(row, alarm.since + alarm.delay, value)

    def judge(self, row: int, holds: bool, time: int, cause: tuple[int, int], value: float | None) -> None:
        alarm = self.alarms[row]
        if holds == alarm.active:
            alarm.since = None
            return
        if alarm.since is None or time < alarm.since:
            alarm.since, alarm.cause = time, cause
        if time - alarm.since >= alarm.delay:
            self.turn(row, time, value)

    def take(self, samples: list[tuple[int, Sample]]) -> None:
        """Take a batch of tags and samples; all of them come in the order of time."""
        for tag, sample in samples:
            before = self.last.get(tag)
            if before is not None and sample.time < before.time:
                continue
            for row, alarm in enumerate(self.alarms):
                if alarm.tags[0] == tag and alarm.kind != "expression":
                    self.one(row, alarm, sample, before)
            self.last[tag] = sample
        stirred = {tag for tag, _ in samples}
        for row, alarm in enumerate(self.alarms):
            if alarm.kind == "expression" and stirred & set(alarm.tags):
                self.look(row, alarm)

    def one(self, row: int, alarm: Special, sample: Sample, before: Sample | None) -> None:
        held = before is not None and before.usable
        if alarm.kind == "rate":
            if alarm.rate is not None:
                self.expire(row, sample.time, alarm.rate)
            if not sample.usable:
                alarm.kept, alarm.rate = [], None
                return
            alarm.take_rate(sample.time, sample.number)
            if alarm.rate is not None:
                self.judge(row, alarm.beyond(alarm.rate), sample.time, sample.cause, alarm.rate)
            return
        if held and before is not None:
            self.expire(row, sample.time, before.number)
        if not sample.usable:
            return
        if alarm.kind == "state":
            self.judge(row, sample.number in alarm.states, sample.time, sample.cause, sample.number)
        elif held and before is not None:
            self.judge(row, sample.number != before.number, sample.time, sample.cause, sample.number)

    def outcome(self, alarm: Special) -> bool | None:
        samples = [self.last.get(tag) for tag in alarm.tags]
        if any(each is None or not each.usable for each in samples) or alarm.formula is None:
            return None
        return alarm.formula([each.number for each in samples if each is not None])

    def newest(self, alarm: Special) -> Sample | None:
        known = [self.last[tag] for tag in alarm.tags if tag in self.last]
        return max(known, key=lambda each: (each.time, each.cause), default=None)

    def look(self, row: int, alarm: Special) -> None:
        newest = self.newest(alarm)
        if newest is None:
            return
        if alarm.decided:
            self.expire(row, newest.time, None)
        outcome = self.outcome(alarm)
        alarm.decided = outcome is not None
        if outcome is not None:
            self.judge(row, outcome, newest.time, newest.cause, None)

    def shelve(self, rows: list[int], until: int) -> None:
        for row in rows:
            alarm = self.alarms[row]
            alarm.silent, alarm.acknowledged, alarm.until = True, True, until

    def sweep(self, now: int) -> None:
        for row, alarm in enumerate(self.alarms):
            newest = self.newest(alarm)
            if newest is not None and self.decidable(alarm, newest):
                clock = newest.time + max(0, now - newest.arrival)
                value = {"rate": alarm.rate, "expression": None}.get(alarm.kind, newest.number)
                self.expire(row, clock, value)
        for row, alarm in enumerate(self.alarms):
            if alarm.until is not None and alarm.until <= now:
                alarm.silent, alarm.acknowledged = False, not alarm.active
                word, at = "unshelved", alarm.until
                alarm.until = None
                self.events.append(Event(row, word, at, alarm.raised, None, (0, 0), self.state(alarm)))

    def decidable(self, alarm: Special, newest: Sample) -> bool:
        if alarm.kind == "expression":
            return self.outcome(alarm) is not None
        return newest.usable and (alarm.kind != "rate" or alarm.rate is not None)
