"""Walks over records that lead to one another: does a way lead back to where it began."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from mainspring.core.errors import LimitExceeded
from mainspring.core.text import Text

REACHED_MAX: Final = 100_000
CHUNK: Final = 500
"""Records asked for at once; a database takes only so many values in one statement."""
_TOO_MANY: Final = Text(
    "More than {limit} records follow from this one. Split the structure.",
    "由此展开的记录超过 {limit} 条，请拆分结构。",
)


def leads_to(start: UUID, goal: UUID, step: Callable[[list[UUID]], Iterable[UUID]]) -> bool:
    """Tell whether steps from `start` ever reach `goal`; `step` gives what follows directly from some records."""
    seen, frontier = {start}, {start}
    while frontier:
        if goal in frontier:
            return True
        frontier = {each for chunk in chunks(frontier) for each in step(chunk)} - seen
        seen |= frontier
        require_within(len(seen))
    return False


def require_within(count: int) -> None:
    """Raise LimitExceeded for a walk that has come too far."""
    if count > REACHED_MAX:
        raise LimitExceeded(_TOO_MANY, limit=REACHED_MAX)


def chunks(ids: Iterable[UUID]) -> Iterable[list[UUID]]:
    """Cut ids into lists that fit into one statement."""
    listed = list(ids)
    return (listed[start : start + CHUNK] for start in range(0, len(listed), CHUNK))
