"""Rates, states, changes, expressions and shelves: the loops agree with a slow engine, also across a restart."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.plants import BAD, GOOD, NOW, UNCERTAIN, alarm, alarm_id, alarm_page, plant, spoken, tag, tag_page
from tests.engine.reference import Sample
from tests.engine.special_reference import Special, SpecialReference

from mainspring.core.alarms import Shelve
from mainspring.core.definitions import ExpressionInput
from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.engine import kernels, snapshot
from mainspring.engine.state import PlantState

INPUTS = tuple(ExpressionInput(name=f"T{number}", tag=number) for number in range(3))
FORMULAS: dict[str, Any] = {
    "T0 > 1": lambda v: v[0] > 1,
    "T0 - T1 >= 1 and T2 != 0": lambda v: v[0] - v[1] >= 1 and v[2] != 0,
    "abs(T0 - T1) > 2 or not (T2 < 1)": lambda v: abs(v[0] - v[1]) > 2 or not v[2] < 1,
    "T0 / T1 > 1": lambda v: None if v[1] == 0 else v[0] / v[1] > 1,
    "min(T0, T1, T2) * 2 + 1 <= max(T1, -T2)": lambda v: min(v) * 2 + 1 <= max(v[1], -v[2]),
}
USES = {formula: tuple(number for number in range(3) if f"T{number}" in formula) for formula in FORMULAS}
delays = st.sampled_from([0, 0, 400, 1500, 5000])
alarms_wanted = st.lists(
    st.fixed_dictionaries(
        {
            "condition": st.sampled_from(["rate", "state", "change", "expression"]),
            "limit": st.sampled_from([0.5, 1.0, 4.0]),
            "dead_band": st.sampled_from([0.0, 0.4]),
            "on_delay_ms": delays,
            "off_delay_ms": delays,
            "window_ms": st.sampled_from([1000, 1500, 7000]),
            "per": st.sampled_from(["second", "minute"]),
            "direction": st.sampled_from(["both", "rising", "falling"]),
            "states": st.sampled_from([(0,), (1, 3), (2, 3, -2)]),
            "expression": st.sampled_from(list(FORMULAS)),
        }
    ),
    min_size=1,
    max_size=5,
)
numbers = st.sampled_from([-2.0, 0.0, 0.0, 1.0, 2.0, 3.0, 3.0, 9.0, math.nan])
stories = st.lists(
    st.tuples(
        st.sampled_from(["batch", "batch", "batch", "sweep", "shelve", "restart"]),
        st.sampled_from([0, 10, 20, 250, 500, 1000, 3000, 8000]),
        st.lists(
            st.tuples(st.integers(0, 2), numbers, st.sampled_from([GOOD, GOOD, GOOD, UNCERTAIN, BAD])),
            min_size=1,
            max_size=6,
        ),
    ),
    max_size=25,
)


def definition(row: int, wanted: dict[str, Any]) -> Any:
    formula = wanted["expression"]
    expression = wanted["condition"] == "expression"
    fields = dict(wanted)
    fields["expression"] = formula if expression else ""
    fields["inputs"] = tuple(INPUTS[number] for number in USES[formula]) if expression else ()
    return alarm(row, 0, **fields)


def slow(wanted: dict[str, Any]) -> Special:
    formula = wanted["expression"]
    expression = wanted["condition"] == "expression"
    uses = USES[formula]

    def worked(values: list[float]) -> bool | None:
        placed = [values[uses.index(number)] if number in uses else 0.0 for number in range(3)]
        found: bool | None = FORMULAS[formula](placed)
        return found

    return Special(
        "", wanted["limit"], wanted["dead_band"], wanted["on_delay_ms"], wanted["off_delay_ms"],
        kind=wanted["condition"], tags=uses if expression else (0,), window=wanted["window_ms"],
        per=1000 if wanted["per"] == "second" else 60_000, direction=wanted["direction"], states=wanted["states"],
        formula=worked,
    )  # fmt: skip


def restarted(state: PlantState, wanted: list[dict[str, Any]]) -> PlantState:
    """Return a new engine with today's definitions and what a snapshot of the old one holds."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "engine.snapshot"
        snapshot.write(path, snapshot.take(state, 1, "made"), 1)
        saved = snapshot.load(path)
    fresh = plant([tag(number) for number in range(3)], [definition(row, each) for row, each in enumerate(wanted)])
    assert saved is not None
    assert snapshot.restore(fresh, saved) == []
    return fresh


@settings(max_examples=400, deadline=None)
@given(alarms_wanted, stories, st.sampled_from([kernels.CHANGES_MAX * 6, 8192]))
def test_same_transitions(wanted: list[dict[str, Any]], story: list[Any], room: int) -> None:
    state = plant([tag(number) for number in range(3)], [definition(row, each) for row, each in enumerate(wanted)])
    reference = SpecialReference([slow(each) for each in wanted])
    rows = {alarm_id(row): row for row in range(len(wanted))}
    now = NOW
    for sequence, (what, pause, samples) in enumerate(story, start=1):
        now += pause
        state._room = np.zeros(room, kernels.EVENT)  # so small that the loops must be taken up again
        before = len(reference.events)
        if what == "restart":
            state = restarted(state, wanted)
            continue
        if what == "sweep":
            events = state.sweep(now)
            reference.sweep(now)
        elif what == "shelve":
            until = now + 1000 + 500 * len(samples)
            chosen = sorted({number % len(wanted) for number, _, _ in samples})
            told, refused = state.handle(
                Shelve(alarms=tuple(map(alarm_id, chosen)), by="p", comment="c", until_ms=until), "acme", now
            )
            assert (len(told), refused) == (len(chosen), {})
            reference.shelve(chosen, until)
            continue
        else:
            events = state.update(
                build(
                    Column.FLOAT64,
                    [number for number, _, _ in samples],
                    np.full(len(samples), now),
                    [value for _, value, _ in samples],
                    np.array([quality for _, _, quality in samples], np.uint8),
                    Origin.MACHINE,
                ),
                "acme",
                sequence,
                now,
            )
            reference.take(
                [
                    (number, Sample(now, value, quality, now, (sequence, row)))
                    for row, (number, value, quality) in enumerate(samples)
                ]
            )
        got = sorted(
            (rows[event.alarm], event.transition.value, event.time_ms, event.raised_ms, event.state.value)
            for event in spoken(events)
        )
        expected = sorted(
            (each.row, each.transition, each.time, each.raised, each.state) for each in reference.events[before:]
        )
        assert got == expected
        values = {
            (rows[event.alarm], event.time_ms): event.value for event in spoken(events) if event.transition == "raised"
        }
        for each in reference.events[before:]:
            if each.transition == "raised":
                assert values[each.row, each.time] == each.value or math.isclose(
                    values[each.row, each.time] or math.nan, each.value or math.nan
                )


def test_an_expression_that_does_not_fit_is_left_out_and_the_others_work() -> None:
    inputs = (ExpressionInput(name="T1", tag=1, unit="Cel"),)
    state = plant(
        [tag(1)],
        [
            alarm(1, 1, "expression", expression="T1 > 5 kPa", inputs=inputs),
            alarm(2, 1, "expression", expression="T1 > 5 degC", inputs=inputs),
        ],
    )
    assert state.alarms.defined == 1
    batch = build(Column.FLOAT64, [1], np.array([NOW]), [6.0], np.array([GOOD], np.uint8), Origin.MACHINE)
    (event,) = spoken(state.update(batch, "acme", 1, NOW))
    assert (event.alarm, event.condition, event.value) == (alarm_id(2), "expression", None)


def test_an_expression_never_looks_at_another_tenants_tags() -> None:
    state = PlantState(tags_max=1000)
    state.define("other.tags.0", tag_page(tag(2), tenant="other"), NOW)
    state.define("acme.tags.0", tag_page(tag(1)), NOW)
    inputs = (ExpressionInput(name="T1", tag=1), ExpressionInput(name="T2", tag=2))
    state.define("acme.alarms.0", alarm_page(alarm(1, 1, "expression", expression="T1 + T2 > 5", inputs=inputs)), NOW)
    for tenant, number in (("other", 2), ("acme", 1)):
        batch = build(Column.FLOAT64, [number], np.array([NOW]), [6.0], np.array([GOOD], np.uint8), Origin.MACHINE)
        assert not len(state.update(batch, tenant, number, NOW))


def test_a_changed_expression_is_judged_anew_by_the_values_there_are() -> None:
    inputs = (ExpressionInput(name="T1", tag=1),)
    state = plant([tag(1)], [alarm(1, 1, "expression", expression="T1 > 9", inputs=inputs)])
    batch = build(Column.FLOAT64, [1], np.array([NOW]), [6.0], np.array([GOOD], np.uint8), Origin.MACHINE)
    assert not len(state.update(batch, "acme", 1, NOW))
    changed = alarm_page(alarm(1, 1, "expression", expression="T1 > 5", inputs=inputs))
    (event,) = spoken(state.define("acme.alarms.0", changed, NOW + 5))
    assert event.transition == "raised"
    assert not len(state.define("acme.alarms.0", changed, NOW + 6))
    removed = spoken(state.define("acme.alarms.0", alarm_page(), NOW + 7))
    assert [each.transition for each in removed] == ["removed"]
    assert not len(state.update(batch, "acme", 2, NOW + 8))
