"""Scaling and report by exception."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.devices import tag

from mainspring.core import quality as q
from mainspring.core.ids import uuid7
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import SampleBatch, build, decode
from mainspring.gateway.report import TEXT_MAX, Reports

OF = uuid7()


def good(column: Column, tags: list[int], time: int, values: list[object], quality: int = q.GOOD) -> SampleBatch:
    return build(column, tags, time, values, quality, Origin.MACHINE)


def rows(batches: list[SampleBatch]) -> list[tuple[int, int, object, int]]:
    return [
        (int(t), int(at), value, int(quality))
        for batch in batches
        for t, at, value, quality in zip(batch.tag, batch.time, batch.value.tolist(), batch.quality, strict=True)
    ]


def test_a_float_is_reported_when_it_moves_by_its_dead_band_and_at_its_longest_silence() -> None:
    reports = Reports([tag(1, OF, dead_band=0.5, silence_max_ms=10_000)], None)
    seen = []
    for time, value in [(1000, 20.0), (2000, 20.4), (3000, 20.5), (4000, 20.1), (12_999, 20.5), (13_000, 20.5)]:
        reported, _ = reports.apply(good(Column.FLOAT64, [1], time, [value]))
        seen += rows(reported)
    assert seen == [(1, 1000, 20.0, q.GOOD), (1, 3000, 20.5, q.GOOD), (1, 13_000, 20.5, q.GOOD)]


def test_without_a_dead_band_any_change_is_reported_and_none_is_not() -> None:
    reports = Reports([tag(1, OF), tag(2, OF)], None)
    reports.apply(good(Column.FLOAT64, [1, 2], 1000, [1.0, 2.0]))
    reported, _ = reports.apply(good(Column.FLOAT64, [1, 2], 2000, [1.0, 2.0000001]))
    assert rows(reported) == [(2, 2000, 2.0000001, q.GOOD)]


def test_every_change_of_quality_is_reported_and_a_bad_value_never_counts_as_a_change() -> None:
    reports = Reports([tag(1, OF, dead_band=100.0)], None)
    reports.apply(good(Column.FLOAT64, [1], 1000, [5.0]))
    first, _ = reports.apply(good(Column.FLOAT64, [1], 2000, [np.nan], q.BAD_DEVICE_FAILURE))
    again, _ = reports.apply(good(Column.FLOAT64, [1], 3000, [7.0], q.BAD_DEVICE_FAILURE))
    back, _ = reports.apply(good(Column.FLOAT64, [1], 4000, [5.0]))
    assert [row[3] for row in rows(first)] == [q.BAD_DEVICE_FAILURE]
    assert again == []
    assert rows(back) == [(1, 4000, 5.0, q.GOOD)]


def test_a_value_that_the_device_shows_since_long_counts_after_the_gateways_own_mark() -> None:
    reports = Reports([tag(1, OF)], None)
    reports.mark_new(q.BAD_WAITING, 5000)
    first, _ = reports.apply(good(Column.FLOAT64, [1], 1000, [5.0]))
    # Nobody after the gateway takes a sample older than the one before it.
    assert rows(first) == [(1, 5001, 5.0, q.GOOD)]
    reports.mark(q.BAD_NOT_CONNECTED, 9000)
    again, _ = reports.apply(good(Column.FLOAT64, [1], 1000, [5.0]))
    assert rows(again) == [(1, 9001, 5.0, q.GOOD)]
    # What devices say themselves keeps their times.
    past, _ = reports.apply(good(Column.FLOAT64, [1], 2000, [6.0]))
    assert rows(past) == [(1, 2000, 6.0, q.GOOD)]


def test_integers_stay_exact_beyond_two_to_the_53() -> None:
    reports = Reports([tag(1, OF, kind=SampleKind.INTEGER)], None)
    reports.apply(good(Column.INT64, [1], 1000, [2**60]))
    reported, _ = reports.apply(good(Column.INT64, [1], 2000, [2**60 + 1]))
    assert rows(reported) == [(1, 2000, 2**60 + 1, q.GOOD)]


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**40))
def test_the_dead_band_of_integers_never_overflows(first: int, second: int, band: int) -> None:
    reports = Reports([tag(1, OF, kind=SampleKind.INTEGER, dead_band=float(band))], None)
    reports.apply(good(Column.INT64, [1], 1000, [first]))
    reported, _ = reports.apply(good(Column.INT64, [1], 2000, [second]))
    assert bool(reported) == (first != second and abs(second - first) >= band)


def test_scaling_applies_to_numbers_and_not_to_states() -> None:
    tags = [
        tag(1, OF, gain=0.1, offset=-5.0),
        tag(2, OF, kind=SampleKind.INTEGER, gain=2.0, offset=1.0),
        tag(3, OF, kind=SampleKind.INTEGER),
        tag(4, OF, kind=SampleKind.BOOLEAN, gain=7.0),
    ]
    reports = Reports(tags, None)
    floats, _ = reports.apply(good(Column.FLOAT64, [1], 1000, [725.0]))
    integers, _ = reports.apply(good(Column.INT64, [2, 3, 4], 1000, [10, 2**60 + 1, 1]))
    assert rows(floats)[0][2] == pytest.approx(67.5)
    assert [row[2] for row in rows(integers)] == [21, 2**60 + 1, 1]


def test_what_is_not_a_number_or_overflows_is_bad() -> None:
    tags = [tag(1, OF), tag(2, OF, gain=1e300), tag(3, OF, kind=SampleKind.INTEGER, gain=1e30)]
    reports = Reports(tags, None)
    floats, _ = reports.apply(good(Column.FLOAT64, [1, 2], 1000, [np.inf, 1e300]))
    integers, _ = reports.apply(good(Column.INT64, [3], 1000, [2**40]))
    assert [row[3] for row in rows(floats + integers)] == [q.BAD_SENSOR_FAILURE] * 3


def test_far_outside_its_range_a_value_is_uncertain_and_a_little_outside_it_is_good() -> None:
    reports = Reports([tag(1, OF, low=0.0, high=100.0), tag(2, OF, high=100.0)], None)
    for value, quality in [(149.0, q.GOOD), (151.0, q.UNCERTAIN_OUT_OF_RANGE), (-51.0, q.UNCERTAIN_OUT_OF_RANGE)]:
        reported, _ = reports.apply(good(Column.FLOAT64, [1, 2], int(value) + 1000, [value, 1e9 + value]))
        assert [row[3] for row in rows(reported)] == [quality, q.GOOD]


def test_tags_of_others_are_dropped_and_counted() -> None:
    reports = Reports([tag(1, OF), tag(5, OF)], None)
    reported, foreign = reports.apply(good(Column.FLOAT64, [5, 9, 1], 1000, [5.0, 9.0, 1.0]))
    assert {row[0] for row in rows(reported)} == {1, 5}
    assert foreign == 1
    assert reports.apply(good(Column.INT64, [1], 1000, [1])) == ([], 1)


def test_several_changes_of_one_tag_in_one_batch_are_judged_one_after_the_other() -> None:
    reports = Reports([tag(1, OF), tag(2, OF)], None)
    reported, _ = reports.apply(
        build(Column.FLOAT64, [1, 2, 1, 1, 1], [10, 11, 12, 13, 14], [1.0, 5.0, 1.0, 2.0, 1.0], q.GOOD, Origin.MACHINE)
    )
    of_1 = [row[1:3] for row in rows(reported) if row[0] == 1]
    assert of_1 == [(10, 1.0), (13, 2.0), (14, 1.0)]


def test_losing_contact_gives_each_tag_one_bad_sample_with_its_last_value() -> None:
    reports = Reports([tag(1, OF), tag(2, OF)], None)
    reports.apply(good(Column.FLOAT64, [1], 1000, [4.5]))
    lost = rows(reports.mark(q.BAD_NOT_CONNECTED, 2000))
    assert (1, 2000, 4.5, q.BAD_NOT_CONNECTED) in lost
    assert len(lost) == 2
    assert reports.mark(q.BAD_NOT_CONNECTED, 3000) == []
    back, _ = reports.apply(good(Column.FLOAT64, [1], 4000, [4.5]))
    assert rows(back) == [(1, 4000, 4.5, q.GOOD)]


def test_a_bad_sample_never_lies_before_the_good_one_it_ends() -> None:
    reports = Reports([tag(1, OF)], None)
    reports.apply(good(Column.FLOAT64, [1], 5000, [1.0]))
    assert rows(reports.mark(q.BAD_NOT_CONNECTED, 4000))[0][1] == 5001


def test_texts_are_reported_on_change_and_cleaned() -> None:
    reports = Reports([tag(1, OF, kind=SampleKind.TEXT), tag(2, OF, kind=SampleKind.TEXT)], None)
    reported, _ = reports.apply(good(Column.TEXT, [1, 2], 1000, ["a\ud800b", "x" * (TEXT_MAX + 10)]))
    decoded = decode(reported[0].encode())
    assert decoded.value[0] == "a?b"
    assert len(decoded.value[1]) == TEXT_MAX
    assert decoded.quality[1] == q.UNCERTAIN
    again, _ = reports.apply(good(Column.TEXT, [1], 2000, ["on"]))
    same, _ = reports.apply(good(Column.TEXT, [1], 3000, ["on"]))
    assert len(again) == 1
    assert same == []


def test_a_replayed_connection_says_so_in_every_sample() -> None:
    reports = Reports([tag(1, OF)], Origin.REPLAYED)
    marked = reports.mark_new(q.BAD_WAITING, 500)
    reported, _ = reports.apply(good(Column.FLOAT64, [1], 1000, [1.0]))
    assert [int(batch.origin[0]) for batch in marked + reported] == [Origin.REPLAYED] * 2


def test_changed_tags_keep_what_is_known_of_the_others() -> None:
    before = Reports([tag(1, OF), tag(2, OF)], None)
    before.apply(good(Column.FLOAT64, [1, 2], 1000, [1.0, 2.0]))
    after = Reports([tag(2, OF), tag(3, OF)], None, before)
    assert [row[0] for row in rows(after.mark_new(q.BAD_WAITING, 2000))] == [3]
    assert after.apply(good(Column.FLOAT64, [2], 2000, [2.0])) == ([], 0)


def test_a_clock_that_was_set_back_does_not_silence_a_tag() -> None:
    reports = Reports([tag(1, OF, silence_max_ms=10_000)], None)
    reports.apply(good(Column.FLOAT64, [1], 10**12, [1.0]))
    reported, _ = reports.apply(good(Column.FLOAT64, [1], 10**11, [1.0]))
    assert len(reported) == 1


def test_a_late_sample_is_scaled_and_leaves_what_was_last_reported() -> None:
    reports = Reports([tag(1, OF, gain=2.0, offset=1.0, dead_band=5.0)], Origin.REPLAYED)
    reports.apply(good(Column.FLOAT64, [1], 90_000, [10.0]))
    late, foreign = reports.late(good(Column.FLOAT64, [1, 7, 1], 1000, [3.0, 4.0, 3.0]))
    assert rows(late) == [(1, 1000, 7.0, q.GOOD), (1, 1000, 7.0, q.GOOD)]
    assert set(late[0].origin) == {Origin.REPLAYED}
    assert foreign == 1
    reported, _ = reports.apply(good(Column.FLOAT64, [1], 91_000, [10.1]))
    assert reported == []


def test_what_was_on_its_way_when_a_tag_was_marked_keeps_its_time() -> None:
    reports = Reports([tag(1, OF)], None)
    reports.mark_new(q.BAD_WAITING, 10_000)
    first, _ = reports.apply(good(Column.FLOAT64, [1], 9_900, [1.0]), own_times=True)
    assert first[0].time.tolist() == [9_900]
    assert reports.silent(12_000) == []
    # Nothing followed: the mark, which is the newer one, must not stand.
    repeated = reports.silent(16_000)
    assert (repeated[0].time.tolist(), repeated[0].value.tolist()) == ([16_000], [1.0])
    assert repeated[0].quality.tolist() == [q.GOOD]
    assert reports.silent(22_000) == []
    reports.mark(q.BAD_NOT_CONNECTED, 30_000)
    on_its_way, _ = reports.apply(good(Column.FLOAT64, [1, 1], 29_000, [2.0, 3.0]), own_times=True)
    assert [batch.time.tolist() for batch in on_its_way] == [[29_000], [29_000]]
    fresh, _ = reports.apply(good(Column.FLOAT64, [1], 30_500, [4.0]), own_times=True)
    assert fresh[0].time.tolist() == [30_500]
    assert reports.silent(36_000) == []
    # The value of yesterday is shown still, after what the gateway said of it since.
    reports.mark(q.BAD_NOT_CONNECTED, 40_000)
    old, _ = reports.apply(good(Column.FLOAT64, [1], 20_000, [4.0]), own_times=True)
    assert old[0].time.tolist() == [40_001]
