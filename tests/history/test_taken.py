"""Ranges of batches that are stored."""

from __future__ import annotations

import random

from mainspring.history.taken import RANGES_MAX, Taken


def test_batches_are_known_in_whatever_order_they_came() -> None:
    numbers = random.Random(7).sample(range(200), 120)
    taken = Taken()
    for number in [*numbers, *numbers[:20]]:
        taken.add("a", number)
    assert [("a", number) in taken for number in range(210)] == [number in numbers for number in range(210)]
    assert ("b", numbers[0]) not in taken
    assert Taken(taken.ranges).ranges == taken.ranges


def test_neighbours_become_one_range_and_the_oldest_ranges_are_forgotten_but_no_gap() -> None:
    taken = Taken()
    for number in (5, 7, 6):
        taken.add("a", number)
    assert taken.ranges == {"a": [(5, 7)]}
    for number in range(10, 10 + 4 * RANGES_MAX, 2):
        taken.add("a", number)
    assert len(taken.ranges["a"]) == RANGES_MAX
    assert ("a", 8 + 4 * RANGES_MAX) in taken
    # What waits long in its gateway's log is not taken for something stored.
    assert not any(("a", number) in taken for number in range(9, 10 + 4 * RANGES_MAX, 2))
