"""What writing to a tag requires beyond the right to command: declared at the tag, checked by the server."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final
from uuid import UUID

from mainspring.core.text import Text
from mainspring.records.draft import Draft, Number
from mainspring.records.rights import Role


class Holds(StrEnum):
    """How the value of an interlock's tag is compared."""

    EQUALS = "equals"
    DIFFERS = "differs"
    ABOVE = "above"
    BELOW = "below"

    def of(self, found: float, wanted: float) -> bool:
        """Tell whether a value fulfils the condition; what is no number fulfils none."""
        if math.isnan(found):
            return False
        return {
            Holds.EQUALS: found == wanted,
            Holds.DIFFERS: found != wanted,
            Holds.ABOVE: found > wanted,
            Holds.BELOW: found < wanted,
        }[self]


HOLDS_WORDS: Final = {
    Holds.EQUALS: Text("be", "等于"),
    Holds.DIFFERS: Text("not be", "不等于"),
    Holds.ABOVE: Text("be above", "高于"),
    Holds.BELOW: Text("be below", "低于"),
}


class Interlock(Draft):
    """A tag whose good value must fulfil a condition; a tag that is gone or not good fulfils none."""

    tag: UUID
    holds: Holds = Holds.EQUALS
    value: Number = 1.0


class WritePolicy(Draft):
    """Who may write, and with what care."""

    role: Role = Role.OPERATOR
    reason: bool = False
    password: bool = False
    second_person: bool = False
    hold: bool = False
    """The button is held down, not clicked; a matter of the page alone."""
    interlock: Interlock | None = None
