"""Cells that a spreadsheet would evaluate are written so that it does not, and read back as they were meant."""

from __future__ import annotations

import re
from typing import Any, Final

FORMULA: Final = r"^'*[=+\-@\t\r\n＝＋－＠]"
"""How a text begins that a spreadsheet evaluates, also in the wide signs of Chinese keyboards.

Apostrophes before it are counted in, so that `'=1` comes back as it was."""
_FORMULA: Final = re.compile(FORMULA)


def neutral(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def meant(text: str) -> str:
    """Return a text without the apostrophe that `neutral` put before it."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text
