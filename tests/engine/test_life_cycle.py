"""Raised, acknowledged, cleared, removed; delays, dead-bands, quality and silence, one story each."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.engine.plants import (
    BAD,
    NOW,
    UNCERTAIN,
    alarm,
    alarm_id,
    alarm_page,
    batch,
    plant,
    said,
    spoken,
    tag,
)  # fmt: skip

from mainspring.core.alarms import Acknowledge, AlarmState
from mainspring.core.kinds import Column, SampleKind
from mainspring.engine import kernels
from mainspring.engine.state import PlantState

RAISED = ("raised", "active-unacknowledged")
CLEARED = ("cleared", "cleared-unacknowledged")


def acknowledge(state: PlantState, *numbers: int, at: int = 0) -> tuple[list[tuple[str, str, int]], list[str]]:
    request = Acknowledge(alarms=tuple(map(alarm_id, numbers)), by="p-17", comment="seen")
    events, refused = state.handle(request, "acme", NOW + at)
    return said(events), [str(text) for text in refused.values()]


def states(state: PlantState) -> dict[int, AlarmState]:
    listing, _ = state.alarms.listed(0, 100)
    return {row.alarm.int & 0xFFFF: row.state for row in listing.alarms(0, 100)}


def test_raised_acknowledged_and_cleared_is_normal_again() -> None:
    state = plant([tag(7)], [alarm(1, 7, "H", 10)])
    assert said(state.update(batch((7, 0, 11.0)), "acme", 1, NOW)) == [(*RAISED, 0)]
    assert acknowledge(state, 1, at=50) == ([("acknowledged", "active-acknowledged", 50)], [])
    row = state.alarms.listed(0, 10)[0].alarms(0, 10)[0]
    assert (row.acknowledged_by, row.comment, row.raised_ms, row.value) == ("p-17", "seen", NOW, 11.0)
    assert said(state.update(batch((7, 100, 9.0)), "acme", 2, NOW + 100)) == [("cleared", "normal", 100)]
    assert states(state) == {}


def test_cleared_without_being_seen_stays_in_the_list_until_acknowledged() -> None:
    state = plant([tag(7)], [alarm(1, 7, "H", 10)])
    events = state.update(batch((7, 0, 11.0), (7, 10, 9.0)), "acme", 1, NOW + 10)
    assert said(events) == [(*RAISED, 0), (*CLEARED, 10)]
    assert states(state) == {1: AlarmState.CLEARED_UNACKNOWLEDGED}
    assert acknowledge(state, 1, at=20) == ([("acknowledged", "normal", 20)], [])
    assert states(state) == {}


def test_a_second_raise_before_anyone_looked_is_a_new_one() -> None:
    state = plant([tag(7)], [alarm(1, 7, "H", 10)])
    events = state.update(batch((7, 0, 11.0), (7, 10, 9.0), (7, 20, 12.0)), "acme", 1, NOW + 20)
    assert said(events) == [(*RAISED, 0), (*CLEARED, 10), (*RAISED, 20)]
    assert [event.raised_ms - NOW for event in spoken(events)] == [0, 0, 20]
    assert len({event.id for event in spoken(events)}) == 3
    assert spoken(events)[2].value == 12.0


def test_an_excursion_of_one_sample_within_a_batch_is_not_missed() -> None:
    state = plant([tag(7)], [alarm(1, 7, "HH", 10)])
    rows = [(7, time, 50.0 if time == 617 else 1.0) for time in range(1000)]
    assert said(state.update(batch(*rows), "acme", 1, NOW + 1000)) == [(*RAISED, 617), (*CLEARED, 618)]


def test_acknowledging_what_is_not_there_is_refused_in_words() -> None:
    state = plant([tag(7)], [alarm(1, 7), alarm(2, 7, "L", -10)])
    state.update(batch((7, 0, 11.0)), "acme", 1, NOW)
    assert acknowledge(state, 1, 1)[0] == [("acknowledged", "active-acknowledged", 0)]
    done, refused = acknowledge(state, 1, 2, 99)
    assert done == []
    assert refused[0] == "This alarm was acknowledged already by p-17."
    assert all("nothing to acknowledge" in text for text in refused[1:])
    stranger = Acknowledge(alarms=(alarm_id(1),), by="x")
    events, words = state.handle(stranger, "other", NOW)
    assert len(events) == 0
    assert len(words) == 1


def test_dead_band_holds_a_high_and_a_low_alarm() -> None:
    state = plant([tag(7)], [alarm(1, 7, "H", 10, dead_band=2), alarm(2, 7, "L", 0, dead_band=1)])
    story = [(0, 10.0), (1, 10.1), (2, 8.1), (3, 8.0), (4, 0.0), (5, -0.1), (6, 0.9), (7, 1.0)]
    events = state.update(batch(*((7, time, number) for time, number in story)), "acme", 1, NOW + 10)
    assert [(event.condition.value, event.transition.value, event.time_ms - NOW) for event in spoken(events)] == [
        ("H", "raised", 1), ("H", "cleared", 3), ("L", "raised", 5), ("L", "cleared", 7),
    ]  # fmt: skip


def test_on_delay_swallows_a_short_excursion_and_dates_a_long_one() -> None:
    state = plant([tag(7)], [alarm(1, 7, "H", 10, on_delay_ms=500)])
    assert said(state.update(batch((7, 0, 11.0), (7, 400, 9.0), (7, 1000, 11.0)), "acme", 1, NOW + 1000)) == []
    assert said(state.sweep(NOW + 1499)) == []
    assert said(state.sweep(NOW + 1750)) == [(*RAISED, 1500)]
    assert said(state.sweep(NOW + 9000)) == []


def test_the_sweep_and_the_next_sample_make_the_same_event() -> None:
    def begin() -> PlantState:
        state = plant([tag(7)], [alarm(1, 7, "H", 10, on_delay_ms=500)])
        state.update(batch((7, 0, 11.0)), "acme", 41, NOW)
        return state

    by_sweep = spoken(begin().sweep(NOW + 600))
    by_sample = spoken(begin().update(batch((7, 700, 12.0)), "acme", 42, NOW + 700))
    assert by_sweep == by_sample
    assert by_sample[0].value == 11.0


def test_off_delay_needs_the_value_to_stay_away() -> None:
    state = plant([tag(7)], [alarm(1, 7, "H", 10, off_delay_ms=500)])
    events = state.update(batch((7, 0, 11.0), (7, 100, 9.0), (7, 300, 11.0), (7, 400, 9.0)), "acme", 1, NOW + 400)
    assert said(events) == [(*RAISED, 0)]
    assert said(state.sweep(NOW + 1000)) == [(*CLEARED, 900)]


@pytest.mark.parametrize("worthless", [(20.0, BAD), (0.0, BAD), (math.nan, 0xC0), (5.0, 0x80)])
def test_a_bad_sample_freezes_a_limit_alarm(worthless: tuple[float, int]) -> None:
    state = plant([tag(7), tag(8)], [alarm(1, 7, "H", 10), alarm(2, 8, "H", 10)])
    assert said(state.update(batch((7, 0, 11.0), (8, 0, 1.0)), "acme", 1, NOW)) == [(*RAISED, 0)]
    assert said(state.update(batch((7, 10, *worthless), (8, 10, *worthless)), "acme", 2, NOW + 10)) == []
    assert states(state) == {1: AlarmState.ACTIVE_UNACKNOWLEDGED}


def test_an_uncertain_sample_counts() -> None:
    state = plant([tag(7)], [alarm(1, 7, "H", 10)])
    assert said(state.update(batch((7, 0, 11.0, UNCERTAIN)), "acme", 1, NOW)) == [(*RAISED, 0)]


def test_a_delay_does_not_end_while_the_value_is_bad() -> None:
    state = plant([tag(7)], [alarm(1, 7, "H", 10, on_delay_ms=500)])
    state.update(batch((7, 0, 11.0), (7, 100, 11.0, BAD)), "acme", 1, NOW + 100)
    assert said(state.sweep(NOW + 2000)) == []
    assert said(state.update(batch((7, 2100, 11.0)), "acme", 2, NOW + 2100)) == [(*RAISED, 2100)]


def test_silence_raises_and_the_next_sample_clears() -> None:
    state = plant([tag(7, stale_ms=3000)], [alarm(1, 7, "stale", on_delay_ms=1000)])
    state.update(batch((7, 0, 1.0)), "acme", 1, NOW)
    assert said(state.sweep(NOW + 3900)) == []
    assert said(state.sweep(NOW + 4100)) == [(*RAISED, 4000)]
    assert said(state.update(batch((7, 9000, 1.0)), "acme", 2, NOW + 9000)) == [(*CLEARED, 9000)]
    assert said(state.sweep(NOW + 9500)) == []
    assert said(state.sweep(NOW + 13_000)) == [(*RAISED, 13_000)]


def test_a_tag_that_never_sent_is_silent_too() -> None:
    state = plant([tag(7, stale_ms=3000)], [alarm(1, 7, "stale")])
    assert said(state.sweep(NOW + 2900)) == []
    events = state.sweep(NOW + 3250)
    assert said(events) == [(*RAISED, 3000)]
    assert spoken(events)[0].value is None


def test_bad_quality_counts_as_no_sample_for_staleness() -> None:
    state = plant([tag(7, stale_ms=60_000)], [alarm(1, 7, "stale", on_delay_ms=1000)])
    assert said(state.update(batch((7, 0, 1.0, BAD), (7, 500, 1.0), (7, 600, 1.0, BAD)), "acme", 1, NOW + 600)) == []
    assert said(state.sweep(NOW + 1700)) == [(*RAISED, 1600)]


def test_a_device_clock_an_hour_off_is_not_stale_and_delays_are_kept() -> None:
    hour = 3_600_000
    for off in (-hour, hour):
        state = plant([tag(7, stale_ms=3000)], [alarm(1, 7, "stale"), alarm(2, 7, "H", 10, on_delay_ms=500)])
        state.update(batch((7, off, 11.0)), "acme", 1, NOW)
        assert said(state.sweep(NOW + 400)) == []
        assert said(state.sweep(NOW + 600)) == [(*RAISED, off + 500)]
        answer = state.values.answer(np.array([7], np.uint32), 0, NOW + 2000).to_pylist()[0]
        assert answer["flags"] == 1


def test_zero_stale_time_means_three_silences_and_a_disabled_tag_is_never_stale() -> None:
    state = plant(
        [tag(1, silence_max_ms=1000), tag(2, silence_max_ms=1000, enabled=False)],
        [alarm(1, 1, "stale"), alarm(2, 2, "stale")],
    )
    assert said(state.sweep(NOW + 3000)) == []
    assert said(state.sweep(NOW + 60_000)) == [(*RAISED, 3000)]


def test_integers_booleans_and_texts_have_alarms_too() -> None:
    state = plant(
        [tag(1, SampleKind.INTEGER), tag(2, SampleKind.BOOLEAN), tag(3, SampleKind.TEXT, stale_ms=1000)],
        [alarm(1, 1, "H", 2**53), alarm(2, 2, "H", 0.5), alarm(3, 3, "stale"), alarm(4, 3, "H", 1)],
    )
    counters = batch((1, 0, 2**60 + 1), (2, 0, 1), column=Column.INT64)
    assert said(state.update(counters, "acme", 1, NOW)) == [(*RAISED, 0), (*RAISED, 0)]
    assert said(state.update(batch((3, 0, "batch 5"), column=Column.TEXT), "acme", 2, NOW)) == []  # type: ignore[arg-type]
    assert said(state.sweep(NOW + 1250)) == [(*RAISED, 1000)]


def test_a_changed_limit_is_judged_by_the_current_value() -> None:
    state = plant([tag(7)], [alarm(1, 7, "H", 10)])
    state.update(batch((7, 0, 9.0)), "acme", 1, NOW)
    assert said(state.define("acme.alarms.0", alarm_page(alarm(1, 7, "H", 8)), NOW + 100)) == [(*RAISED, 100)]
    assert said(state.define("acme.alarms.0", alarm_page(alarm(1, 7, "H", 8.5)), NOW + 200)) == []
    assert said(state.define("acme.alarms.0", alarm_page(alarm(1, 7, "H", 10)), NOW + 300)) == [(*CLEARED, 300)]
    again = state.define("acme.alarms.0", alarm_page(alarm(1, 7, "H", 8)), NOW + 400)
    assert said(again) == [(*RAISED, 400)]


def test_a_new_definition_is_judged_by_the_current_value() -> None:
    state = plant([tag(7)], [])
    state.update(batch((7, 0, 9.0)), "acme", 1, NOW)
    page = alarm_page(alarm(1, 7, "H", 8), alarm(2, 7, "HH", 20), alarm(3, 7, "L", 30, on_delay_ms=50))
    assert said(state.define("acme.alarms.0", page, NOW + 5)) == [(*RAISED, 5)]
    assert said(state.sweep(NOW + 255)) == [(*RAISED, 55)]


@pytest.mark.parametrize("how", ["gone", "disabled", "page withdrawn", "moved to another tag"])
def test_a_removed_definition_says_so_and_is_normal(how: str) -> None:
    state = plant([tag(7), tag(8)], [alarm(1, 7), alarm(2, 7, "HH", 20), alarm(3, 8)])
    state.update(batch((7, 0, 11.0)), "acme", 1, NOW)
    page = {
        "gone": alarm_page(alarm(2, 7, "HH", 20), alarm(3, 8)),
        "disabled": alarm_page(alarm(1, 7, enabled=False), alarm(3, 8)),
        "page withdrawn": None,
        "moved to another tag": alarm_page(alarm(1, 8), alarm(3, 8)),
    }[how]
    assert said(state.define("acme.alarms.0", page, NOW + 9)) == [("removed", "normal", 9)]
    assert states(state) == {}
    raised = state.update(batch((8, 10, 11.0), (7, 10, 11.0)), "acme", 2, NOW + 10)
    assert len(raised) == {"gone": 1, "disabled": 1, "page withdrawn": 0, "moved to another tag": 2}[how]


def test_rows_of_removed_alarms_are_used_again_and_chains_stay_whole() -> None:
    chance = np.random.default_rng(5)
    state = plant([tag(ordinal) for ordinal in range(20)], [])
    number = 0
    for turn in range(60):
        wanted = [alarm(number + index, int(chance.integers(20)), "H", 10) for index in range(int(chance.integers(40)))]
        number += int(chance.integers(40))
        state.define("acme.alarms.0", alarm_page(*wanted), NOW + turn)
        table = state.alarms
        chained = []
        for ordinal in range(20):
            row = state.values.tags["first"][ordinal]
            while row >= 0:
                assert table.rows["tag"][row] == ordinal
                chained.append(int(row))
                row = table.rows["next"][row]
        assert sorted(chained) == np.flatnonzero(table.rows["tenant"][: table.used] >= 0).tolist()
        assert table.defined == len(wanted)
    assert state.alarms.used <= 80


def test_the_list_has_unacknowledged_grave_and_new_ones_first() -> None:
    state = plant(
        [tag(7), tag(8)],
        [
            alarm(1, 7, "H", 10, priority="low"),
            alarm(2, 7, "H", 10, priority="critical"),
            alarm(3, 7, "H", 10, priority="critical"),
            alarm(4, 8, "H", 10, priority="low"),
        ],
    )
    state.update(batch((7, 0, 11.0), (8, 5, 11.0)), "acme", 1, NOW + 5)
    acknowledge(state, 2)
    listing, total = state.alarms.listed(0, 3)
    assert ([row.alarm.int & 0xF for row in listing.alarms(0, 10)], total) == ([3, 4, 1], 4)


def test_alarms_of_a_tag_that_is_another_tenants_are_not_judged() -> None:
    state = plant([tag(7)], [alarm(1, 7)])
    state.define("other.alarms.0", alarm_page(alarm(2, 7, "L", 100), tenant="other"), NOW)
    events = state.update(batch((7, 0, 11.0)), "acme", 1, NOW)
    assert [event.alarm for event in spoken(events)] == [alarm_id(1)]


def test_a_long_chain_and_a_small_room_lose_nothing() -> None:
    state = plant([tag(7)], [alarm(number, 7, "H", 10) for number in range(3000)])
    events = state.update(batch((7, 0, 11.0), (7, 1, 9.0)), "acme", 1, NOW)
    assert len(events) == 6000
    assert len({event.id for event in spoken(events)}) == 6000
    assert kernels.CHANGES_MAX * state.alarms.longest == 9000
