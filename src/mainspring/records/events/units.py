"""Quantities of events: codes of UN/ECE Recommendation 20 become our units, amounts become whole millionths."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from mainspring.core.faults import fault
from mainspring.core.text import Text

MILLION: Final = 1_000_000
AMOUNT_MAX: Final = 10**10
_UNITS: Final[dict[str, tuple[str, Decimal]]] = {
    "": ("{count}", Decimal(1)), "C62": ("{count}", Decimal(1)), "H87": ("{count}", Decimal(1)),
    "EA": ("{count}", Decimal(1)), "PCE": ("{count}", Decimal(1)), "NAR": ("{count}", Decimal(1)),
    "KGM": ("kg", Decimal(1)), "GRM": ("kg", Decimal("0.001")), "TNE": ("kg", Decimal(1000)),
    "MTR": ("m", Decimal(1)), "MMT": ("m", Decimal("0.001")), "CMT": ("m", Decimal("0.01")),
    "KMT": ("m", Decimal(1000)), "MTK": ("m2", Decimal(1)),
    "LTR": ("L", Decimal(1)), "MLT": ("L", Decimal("0.001")), "MTQ": ("L", Decimal(1000)),
    "KWH": ("kW.h", Decimal(1)), "WHR": ("kW.h", Decimal("0.001")), "MWH": ("kW.h", Decimal(1000)),
    "3B": ("MJ", Decimal(1)), "GV": ("MJ", Decimal(1000)), "JOU": ("MJ", Decimal("0.000001")),
    "HUR": ("h", Decimal(1)),
}  # fmt: skip
SIGNS: Final = {
    **{code: unit for code, (unit, _) in _UNITS.items() if code},
    "GRM": "g", "TNE": "t", "MMT": "mm", "CMT": "cm", "KMT": "km", "MLT": "mL", "MTQ": "m3", "WHR": "W.h",
    "MWH": "MW.h", "GV": "GJ", "JOU": "J", "CEL": "Cel", "BAR": "bar", "P1": "%",
}  # fmt: skip
"""Codes as units that people read, without change of the amount."""
_FINE: Final = Text(
    "{amount} {unit} is finer than a millionth or more than {most:,}.",
    "{amount} {unit} 的精度超过百万分之一，或大于 {most:,}。",
)


def amount_of(quantity: float | None, code: str) -> tuple[int, str]:
    """Return an amount in millionths of our unit, and that unit; an unknown code is kept as it is."""
    unit, factor = _UNITS.get(code, (code, Decimal(1)))
    if quantity is None:
        return 0, unit
    exact = Decimal(str(quantity)) * factor * MILLION
    if exact != exact.to_integral_value() or abs(exact) > AMOUNT_MAX * MILLION:
        raise fault(_FINE.format(amount=quantity, unit=code, most=AMOUNT_MAX))
    return int(exact), unit


def told(amount: int) -> float:
    """Return an amount as people read it."""
    return float(Decimal(amount) / MILLION)
