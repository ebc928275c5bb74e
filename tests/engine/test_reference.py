"""The compiled loops and a slow engine in plain Python agree on every transition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.plants import BAD, GOOD, NOW, UNCERTAIN, alarm, alarm_id, plant, spoken, tag
from tests.engine.reference import Alarm, Reference, Sample

from mainspring.core.kinds import Column, Origin
from mainspring.core.samples import build
from mainspring.engine import kernels

STALE_MS = 4000
delays = st.sampled_from([0, 0, 500, 1000, 3000, 10_000])
definitions = st.lists(
    st.fixed_dictionaries(
        {
            "condition": st.sampled_from(["HH", "H", "L", "LL", "stale"]),
            "limit": st.sampled_from([-2.0, 0.0, 1.0, 3.0]),
            "dead_band": st.sampled_from([0.0, 0.5, 2.0]),
            "on_delay_ms": delays,
            "off_delay_ms": delays,
        }
    ),
    min_size=1,
    max_size=6,
)
numbers = st.sampled_from([-5.0, -2.0, -1.5, 0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 3.5, 9.0, math.nan, math.inf])
steps = st.lists(
    st.tuples(
        st.sampled_from(["batch", "sweep"]),
        st.sampled_from([0, 100, 250, 1000, 2500, 6000]),
        st.lists(
            st.tuples(
                # Time before the arrival: now and then ahead, back by hours, or years off.
                st.sampled_from([0, 0, 0, 50, 1000, 5000, -500, -3_600_000, 3_600_000, -(10**11), NOW + 10**10]),
                numbers,
                st.sampled_from([GOOD, GOOD, GOOD, UNCERTAIN, BAD, 0x18, 0x80]),
            ),
            min_size=1,
            max_size=5,
        ),
    ),
    max_size=30,
)


@settings(max_examples=600, deadline=None)
@given(definitions, steps, st.sampled_from([kernels.CHANGES_MAX * 6, 8192]))
def test_same_transitions(wanted: list[dict[str, Any]], story: list[Any], room: int) -> None:
    state = plant(
        [tag(7, stale_ms=STALE_MS)],
        [alarm(row, 7, **each) for row, each in enumerate(wanted)],
    )
    state._room = np.zeros(room, kernels.EVENT)  # so small that the loops must be taken up again
    slow = Reference(
        STALE_MS,
        NOW,
        [
            Alarm(each["condition"], each["limit"], each["dead_band"], each["on_delay_ms"], each["off_delay_ms"])
            for each in wanted
        ],
    )
    now = NOW
    rows = {alarm_id(row): row for row in range(len(wanted))}
    for sequence, (what, pause, samples) in enumerate(story, start=1):
        now += pause
        before = len(slow.events)
        if what == "sweep":
            events = state.sweep(now)
            slow.sweep(now)
        else:
            events = state.update(
                build(
                    Column.FLOAT64,
                    [7] * len(samples),
                    np.array([now - age for age, _, _ in samples]),
                    [number for _, number, _ in samples],
                    np.array([quality for _, _, quality in samples], np.uint8),
                    Origin.MACHINE,
                ),
                "acme",
                sequence,
                now,
            )
            for row, (age, number, quality) in enumerate(samples):
                slow.take(Sample(now - age, number, quality, now, (sequence, row)))
        got = [
            (
                rows[event.alarm], event.transition.value, event.time_ms, event.raised_ms, event.value,
                divmod(int(cause), 1 << kernels.ROW_BITS), event.state.value,
            )
            for event, cause in zip(spoken(events), events["cause"], strict=True)
        ]  # fmt: skip
        expected = [
            (each.row, each.transition, each.time, each.raised, each.value, each.cause, each.state)
            for each in slow.events[before:]
        ]
        # The sweep looks at delays first and at silence after them: the order between alarms is not promised.
        if what == "sweep":
            got, expected = sorted(got, key=repr), sorted(expected, key=repr)
        assert got == expected
    if slow.last is not None:
        record = state.values.tags[7]
        assert (record["time"], record["arrival"], record["quality"]) == (
            slow.last.time, slow.last.arrival, slow.last.quality,
        )  # fmt: skip
