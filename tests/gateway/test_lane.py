"""How much may be under way on a stream."""

from __future__ import annotations

from mainspring.core.subjects import LATE
from mainspring.gateway.lane import BEGIN_BYTES, LEAST_BYTES, MOST_BYTES, Lane, Window


def exchange(window: Window, took_s: float, batches: int, size: int = 10_000) -> None:
    for number in range(batches):
        window.sent(number, size, 100.0)
        assert window.answered(number, 100.0 + took_s) == size


def test_it_grows_while_answers_come_in_time_and_shrinks_while_they_do_not() -> None:
    window = Lane(LATE, "ms.acme.late.g1").window
    exchange(window, 0.1, 20)
    assert window.size == BEGIN_BYTES + 20 * 10_000
    exchange(window, 0.4, 20)
    assert window.size == BEGIN_BYTES + 20 * 10_000
    exchange(window, 2.0, 1000)
    assert window.size == LEAST_BYTES
    exchange(window, 0.1, 10_000)
    assert window.size == MOST_BYTES


def test_one_batch_may_always_go_and_a_doubt_begins_anew() -> None:
    window = Window(1.0)
    opened = [window.open]
    window.sent(1, 10 * BEGIN_BYTES, 100.0)
    opened.append(window.open)
    window.answered(1, 200.0)
    opened.append(window.open)
    window.sent(2, LEAST_BYTES, 200.0)
    opened.append(window.open)
    window.forget()
    opened.append(window.open)
    assert opened == [True, False, True, False, True]
    assert window.under_way == 0
