"""How much is gathered at once."""

from __future__ import annotations

from mainspring.history.gathering import ROWS_LEAST, STORED_S, Pace

MOST = 1_000_000


def rounds(pace: Pace, rows: int, took_s: float, times: int) -> int:
    for _ in range(times):
        pace.stored(min(rows, pace.rows), took_s)
    return pace.rows


def test_what_is_stored_slowly_is_gathered_in_smaller_pieces_and_in_large_ones_again() -> None:
    pace = Pace(MOST)
    assert rounds(pace, MOST, 0.1, 3) == MOST
    assert rounds(pace, MOST, 10 * STORED_S, 1) == MOST // 10
    assert rounds(pace, MOST, 10 * STORED_S, 3) == ROWS_LEAST
    assert rounds(pace, MOST, 0.1, 10) == MOST


def test_few_readings_that_take_long_say_nothing() -> None:
    assert rounds(Pace(MOST), 10, 10 * STORED_S, 3) == MOST
