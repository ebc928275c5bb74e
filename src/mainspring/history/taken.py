"""Which batches of each gateway are stored already, so that one that is sent again is not stored again.

A gateway numbers its batches without gaps; a bus that lost some of what it had acknowledged gets them again under other
numbers of its own. The gateway's numbers are kept as ranges, for each stream beside the position in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Final

RANGES_MAX: Final = 1000
"""Of one gateway: a stream has a gap for each run of batches that went to the other. The oldest are forgotten."""

Ranges = list[tuple[int, int]]


class Taken:
    """Ranges of batches by their gateway, in order."""

    def __init__(self, ranges: Mapping[str, Iterable[Iterable[int]]] | None = None) -> None:
        self.ranges: dict[str, Ranges] = {}
        for sender, found in (ranges or {}).items():
            self.ranges[sender] = [(first, last) for first, last in found]

    def __contains__(self, batch: tuple[str, int]) -> bool:
        sender, number = batch
        ranges = self.ranges.get(sender)
        if not ranges:
            return False
        place = bisect_right(ranges, number, key=lambda each: each[0]) - 1
        return place >= 0 and number <= ranges[place][1]

    def add(self, sender: str, number: int) -> None:
        """Note a batch."""
        if (sender, number) in self:
            return
        ranges = self.ranges.setdefault(sender, [])
        place = bisect_right(ranges, number, key=lambda each: each[0])
        first = last = number
        if place < len(ranges) and ranges[place][0] == number + 1:
            last = ranges.pop(place)[1]
        if place and ranges[place - 1][1] == number - 1:
            first = ranges.pop(place - 1)[0]
            place -= 1
        ranges.insert(place, (first, last))
        if len(ranges) > RANGES_MAX:
            # Never a gap: what lies in it may still wait in its gateway's log, to come in the other stream.
            del ranges[0]
