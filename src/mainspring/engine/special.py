"""Alarms that are neither limits nor staleness: windows of rates of change, sets of states, compiled expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import structlog

from mainspring.core.definitions import AlarmDefinition, Condition, Direction, ExpressionInput
from mainspring.core.expression_program import Program, compiled
from mainspring.core.expressions import ExpressionRefused
from mainspring.engine import conditions

log = structlog.get_logger(__name__)

SPECIAL: Final = frozenset({Condition.RATE, Condition.STATE, Condition.CHANGE, Condition.EXPRESSION})
_DIRECTIONS: Final = {Direction.FALLING: -1, Direction.BOTH: 0, Direction.RISING: 1}
_KEPT: Final = ("window_ms", "per_ms", "rate", "head", "count")


@lru_cache(maxsize=4096)
def program_of(expression: str, inputs: tuple[ExpressionInput, ...]) -> Program | None:
    """Return the compiled form of a published expression; None, said in the log, if it does not fit its tags."""
    try:
        return compiled(expression, {each.name: each for each in inputs})
    except ExpressionRefused as error:
        log.error("engine.expression_left_out", expression=expression, text=str(error))
        return None


def steps_of(program: Program) -> list[tuple[float, int, int]]:
    """Return the steps of a program as `conditions.STEP`, each tag by its ordinal."""
    return [
        (operand, program.tags[int(operand)] if step == conditions.TAG_VALUE else 0, int(step))
        for step, operand in program.steps
    ]


class Stirring:
    """Which tags stir what: for each ordinal that is watched, rows or places that have to be worked out anew."""

    def __init__(self, watching: Mapping[int, Sequence[int]]) -> None:
        self._watching = watching
        self._watched = np.zeros(max(watching, default=-1) + 1, np.bool_)
        self._watched[list(watching)] = True

    def of(self, ordinals: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        """Return what these tags stir, each once, in rising order."""
        if not self._watching:
            return np.zeros(0, np.int64)
        inside = ordinals[ordinals < len(self._watched)]
        changed = np.unique(inside[self._watched[inside]])
        stirred = {each for ordinal in changed.tolist() for each in self._watching[ordinal]}
        return np.array(sorted(stirred), np.int64)


class Specials:
    """A place for each such alarm: `special`, `times` and `numbers` in step, and all programs one after another."""

    def __init__(self) -> None:
        self.special: npt.NDArray[np.void] = np.zeros(0, conditions.SPECIAL)
        self.times: npt.NDArray[np.int64] = np.zeros((0, conditions.SLOTS), np.int64)
        self.numbers: npt.NDArray[np.float64] = np.zeros((0, conditions.SLOTS), np.float64)
        self.stack: npt.NDArray[np.float64] = np.zeros(conditions.STACK)
        self.program: npt.NDArray[np.void] = np.zeros(0, conditions.STEP)
        self._free: list[int] = []
        self._wanted: dict[int, tuple[Any, ...]] = {}
        self._programs: dict[int, tuple[int, Program]] = {}
        self._stirring = Stirring({})

    def take(self, place: int, row: int, definition: AlarmDefinition) -> tuple[int, bool]:
        """Keep what a definition says, at its place or at a new one for -1; return the place and whether it differs."""
        wanted = _wanted(definition)
        if place >= 0 and self._wanted[place] == wanted:
            return place, False
        if place < 0:
            place = self._place()
        self._wanted[place] = wanted
        own = self.special[place]
        own["count"], own["head"], own["rate"], own["held"] = 0, 0, np.nan, 0
        own["window_ms"], own["per_ms"] = definition.window_ms, definition.per.ms
        own["direction"] = _DIRECTIONS[definition.direction]
        if definition.condition is Condition.STATE:
            states = sorted(set(definition.states))
            self.numbers[place, : len(states)] = states
            own["count"] = len(states)
        program = program_of(definition.expression, definition.inputs) if definition.expression else None
        if program is not None:
            self._programs[place] = row, program
            self._link()
        return place, True

    def drop(self, places: Iterable[int]) -> None:
        """Give places back."""
        linked = False
        for place in places:
            del self._wanted[place]
            linked = self._programs.pop(place, None) is not None or linked
            self._free.append(place)
        if linked:
            self._link()

    def stirred(self, ordinals: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        """Return the rows of expressions that name one of these tags, each once, in rising order."""
        return self._stirring.of(ordinals)

    def copy(self, places: npt.NDArray[np.int32]) -> tuple[npt.NDArray[Any], ...]:
        """Return what places hold."""
        return self.special[places], self.times[places], self.numbers[places]

    def restore(self, place: int, own: Any, times: npt.NDArray[np.int64], numbers: npt.NDArray[np.float64]) -> None:
        """Bring back the window of a rate of change that is still the same."""
        here = self.special[place]
        if (own["window_ms"], own["per_ms"]) == (here["window_ms"], here["per_ms"]):
            for name in _KEPT:
                here[name] = own[name]
            self.times[place], self.numbers[place] = times, numbers

    @property
    def expressions(self) -> npt.NDArray[np.int64]:
        """The rows of all expressions."""
        return np.array(sorted(row for row, _ in self._programs.values()), np.int64)

    def _place(self) -> int:
        if not self._free:
            before = len(self.special)
            after = max(16, 2 * before)
            for name in ("special", "times", "numbers"):
                array = getattr(self, name)
                grown = np.zeros((after, *array.shape[1:]), array.dtype)
                grown[:before] = array
                setattr(self, name, grown)
            self._free = list(range(after - 1, before - 1, -1))
        return self._free.pop()

    def _link(self) -> None:
        """Lay all programs one after another, and note which tag stirs which row."""
        watching: dict[int, list[int]] = {}
        steps: list[tuple[float, int, int]] = []
        for place, (row, program) in self._programs.items():
            self.special[place]["start"], self.special[place]["length"] = len(steps), len(program.steps)
            steps += steps_of(program)
            for ordinal in program.tags:
                watching.setdefault(ordinal, []).append(row)
        self.program = np.array(steps, conditions.STEP)
        self._stirring = Stirring(watching)


def _wanted(definition: AlarmDefinition) -> tuple[Any, ...]:
    return (
        definition.condition, definition.per, definition.window_ms, definition.direction, definition.states,
        definition.expression, definition.inputs,
    )  # fmt: skip
