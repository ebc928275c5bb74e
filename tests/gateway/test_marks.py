"""Which records are late, and in which order each stream carries its own."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mainspring.core.subjects import LATE, LIVE
from mainspring.gateway.marks import Marks, Place


def late_order(marks: Marks) -> list[int]:
    order, sequence = [], 0
    while (following := marks.late_after(sequence)) is not None:
        order.append(following)
        sequence = following
    return order


def live_order(marks: Marks, until: int) -> list[int]:
    order, sequence = [], 0
    while (sequence := marks.live_after(sequence)) <= until:
        order.append(sequence)
    return order


Ranges = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 8)), max_size=8)


@hypothesis_settings(max_examples=60, deadline=None)
@given(ranges=Ranges)
def test_each_record_belongs_to_exactly_one_stream(tmp_path_factory: object, ranges: list[tuple[int, int]]) -> None:
    marks = Marks(tmp_path_factory.mktemp("marks"))  # type: ignore[attr-defined]
    for first, length in ranges:
        marks.add_late(first, first + length)
    late, live = late_order(marks), live_order(marks, 60)
    assert sorted(late + live) == list(range(1, 61))
    assert [s for a, b in marks.runs(LIVE, 0, 60) for s in range(a, b + 1)] == live
    if late:
        middle = late[len(late) // 2]
        after = [s for a, b in marks.runs(LATE, middle, late[-1]) for s in range(a, b + 1)]
        assert after == late[len(late) // 2 + 1 :]
    marks.close()


def test_what_was_refused_goes_to_the_end_of_late(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    marks.add_late(10, 20)
    marks.add_late(12, 12)
    assert late_order(marks) == [10, 11, *range(13, 21), 12]
    marks.close()


def test_marks_survive_a_restart_and_acknowledgements_a_crash(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    marks.add_late(5, 9)
    marks.acknowledge(LIVE, Place(4, 77))
    marks.acknowledge(LATE, Place(6, 3))
    # Nothing is saved or closed: this is what a killed process leaves.
    again = Marks(tmp_path)
    assert again.acknowledged == {LIVE: Place(4, 77), LATE: Place(6, 3)}
    assert list(again.late_pending()) == [(7, 9)]
    again.close()
    marks.close()


def test_ranges_of_deleted_records_are_forgotten_except_where_late_stands(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    for first in (10, 30, 50):
        marks.add_late(first, first + 5)
    marks.acknowledge(LATE, Place(35, 1))
    marks.forget_before(45)
    assert marks.late == [(30, 35), (50, 55)]
    assert marks.late_after(35) == 50
    marks.close()
