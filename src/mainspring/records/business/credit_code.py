"""The unified social credit code of companies in China, GB 32100-2015."""

from __future__ import annotations

from typing import Final

LETTERS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""Their places are their values; I, O, S, V and Z are left out."""
LENGTH: Final = 18


def is_credit_code(code: str) -> bool:
    """Tell whether this is a code of 18 characters whose check character is right."""
    if len(code) != LENGTH or not set(code) <= set(LETTERS) or not code[2:8].isdecimal():
        return False
    total = sum(LETTERS.index(letter) * pow(3, place, 31) for place, letter in enumerate(code[:-1]))
    return LETTERS[-total % 31] == code[-1]
