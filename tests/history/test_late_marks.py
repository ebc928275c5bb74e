"""Marks of hours whose rollups are out of date: durable at once, settled only when nothing came meanwhile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mainspring.history.late_marks import Keys, LateMarks, keys_of
from mainspring.history.rollup_rows import HOUR_MS, Span, covered

DAY_MS = 24 * HOUR_MS
AT = 20_000 * DAY_MS


def keys(*places: tuple[int, int]) -> Keys:
    """Keys of (tag, hour) pairs."""
    tags = np.array([tag for tag, _ in places], dtype=np.uint32)
    return keys_of(tags, AT + np.array([hour for _, hour in places], dtype=np.int64) * HOUR_MS)


def spans(marks: LateMarks, *tags: int, hours: int = 48) -> list[Span]:
    found = marks.spans(1, np.array(tags, dtype=np.uint32), AT, AT + hours * HOUR_MS)
    return [((since - AT) // HOUR_MS, (until - AT) // HOUR_MS) for since, until in found]


def noted(marks: LateMarks, *places: tuple[int, int]) -> None:
    marks.note(1, keys(*places))
    marks.written(1, keys(*places))


def test_marks_are_there_after_opening_again_and_gone_once_settled(tmp_path: Path) -> None:
    file = tmp_path / "marks"
    marks = LateMarks(file)
    noted(marks, (5, 1), (5, 2), (5, 7), (6, 2))
    noted(marks, (5, 2), (4, 30))
    marks.note(2, keys((5, 1)))
    for opened in (marks, LateMarks(file)):
        assert spans(opened, 5) == [(1, 3), (7, 8)]
        assert spans(opened, 4, 6) == [(2, 3), (30, 31)]
        assert spans(opened, 7) == []
        assert spans(opened, 5, hours=2) == [(1, 2)]
        assert len(opened) == 6
    again = LateMarks(file)
    while found := again.ready(0, 0, 3, DAY_MS):
        again.settle(*found)
    assert len(again) == 0
    assert file.stat().st_size == 0
    assert len(LateMarks(file)) == 0


def test_a_torn_end_of_the_file_costs_only_the_mark_that_was_cut(tmp_path: Path) -> None:
    file = tmp_path / "marks"
    noted(LateMarks(file), (5, 1), (5, 3))
    with file.open("r+b") as torn:
        torn.truncate(file.stat().st_size - 3)
    opened = LateMarks(file)
    assert spans(opened, 5) == [(1, 2)]
    noted(opened, (9, 9))
    assert spans(LateMarks(file), 9) == [(9, 10)]


def test_what_is_written_while_it_is_made_again_stays_marked(tmp_path: Path) -> None:
    marks = LateMarks(tmp_path / "marks")
    marks.note(1, keys((5, 1)))
    assert marks.ready(0, 0, 10, DAY_MS) is None, "its samples are not stored yet"
    marks.written(1, keys((5, 1)))
    found = marks.ready(0, 0, 10, DAY_MS)
    assert found is not None
    marks.note(1, keys((5, 1)))
    marks.settle(*found)
    assert spans(marks, 5) == [(1, 2)]
    marks.written(1, keys((5, 1)))
    marks.settle(*found)
    assert spans(marks, 5) == [(1, 2)]


def test_hours_are_ready_when_they_are_quiet_or_have_waited_long_a_day_at_a_time(tmp_path: Path) -> None:
    marks = LateMarks(tmp_path / "marks")
    noted(marks, (5, 1), (5, 25), (6, 2), (7, 3))
    assert marks.ready(1000, 1000, 10, DAY_MS) is None
    for quiet_s, wait_s in ((0, 1000), (1000, 0)):
        found = marks.ready(quiet_s, wait_s, 10, DAY_MS)
        assert found is not None
        assert found[1].tolist() == keys((5, 1), (6, 2), (7, 3)).tolist()
    few = marks.ready(0, 0, 2, DAY_MS)
    assert few is not None
    assert few[1].tolist() == keys((5, 1), (6, 2)).tolist()


@pytest.mark.parametrize(
    ("span", "done", "late", "whole", "rest"),
    [
        ((5, 47), (0, 100), [], [(10, 40)], [(5, 10), (40, 47)]),
        ((5, 47), (20, 30), [], [(20, 30)], [(5, 20), (30, 47)]),
        ((5, 47), (0, 100), [(20, 30)], [(10, 20), (30, 40)], [(5, 10), (20, 30), (40, 47)]),
        ((0, 50), (0, 50), [(0, 10), (40, 50)], [(10, 40)], [(0, 10), (40, 50)]),
        ((0, 50), (0, 50), [(0, 60)], [], [(0, 50)]),
        ((11, 19), (0, 50), [], [], [(11, 19)]),
        ((0, 50), (0, 0), [], [], [(0, 50)]),
    ],
)
def test_a_range_is_divided_into_whole_periods_and_the_rest(
    span: Span, done: Span, late: list[Span], whole: list[Span], rest: list[Span]
) -> None:
    assert covered([span], 10, done, late) == (whole, rest)
