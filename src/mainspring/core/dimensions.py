"""What units measure and how they convert: the dimension of every UCUM code that `core.units` knows.

A code is taken apart by UCUM's own grammar (prefix, atom, exponent, `.` and `/`); annotations in braces that change the
meaning (gauge pressure, reactive power, yuan) are dimensions of their own, so that they are never mixed by mistake.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from mainspring.core.units import SIGNS, SYNONYMS, check_unit

Dimension = tuple[tuple[str, int], ...]
"""Base and exponent of each base that occurs, sorted; empty for plain numbers."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A unit as its dimension: value in base units = value * factor + offset."""

    dimension: Dimension
    factor: float
    offset: float = 0.0


_PREFIXES: Final = {"u": 1e-6, "m": 1e-3, "c": 1e-2, "h": 1e2, "k": 1e3, "M": 1e6, "G": 1e9}
_FORCE: Final = {"m": 1, "kg": 1, "s": -2}
_ENERGY: Final = {"m": 2, "kg": 1, "s": -2}
_POWER: Final = {"m": 2, "kg": 1, "s": -3}
_PRESSURE: Final = {"m": -1, "kg": 1, "s": -2}
_VOLT: Final = {"m": 2, "kg": 1, "s": -3, "A": -1}
_OHM: Final = {"m": 2, "kg": 1, "s": -3, "A": -2}
_ATOMS: Final[dict[str, tuple[float, dict[str, int]]]] = {
    "m": (1, {"m": 1}), "g": (1e-3, {"kg": 1}), "s": (1, {"s": 1}), "A": (1, {"A": 1}), "K": (1, {"K": 1}),
    "mol": (1, {"mol": 1}), "lx": (1, {"lx": 1}), "rad": (1, {}), "deg": (math.pi / 180, {}),
    "min": (60, {"s": 1}), "h": (3600, {"s": 1}), "d": (86_400, {"s": 1}), "Hz": (1, {"s": -1}),
    "L": (1e-3, {"m": 3}), "t": (1000, {"kg": 1}), "[gal_us]": (3.785411784e-3, {"m": 3}),
    "[in_i]": (0.0254, {"m": 1}),
    "Pa": (1, _PRESSURE), "bar": (1e5, _PRESSURE), "[psi]": (6894.757293168, _PRESSURE),
    "N": (1, _FORCE), "J": (1, _ENERGY), "Wh": (3600, _ENERGY), "W": (1, _POWER), "V": (1, _VOLT),
    "Ohm": (1, _OHM), "S": (1, {base: -power for base, power in _OHM.items()}),
    "[ton_refrigeration]": (3516.8528, _POWER), "VA": (1, {"VA": 1}), "{var}": (1, {"var": 1}), "dB": (1, {"dB": 1}),
    "[pH]": (1, {"pH": 1}), "mol%": (0.01, {"mol%": 1}), "{rpm}": (1 / 60, {"s": -1}), "{count}": (1, {}), "1": (1, {}),
    "{CNY}": (1, {"CNY": 1}), "{mu}": (1, {"mu": 1}), "{tce}": (1, {"tce": 1}), "{gauge}": (1, {"gauge": 1}),
}  # fmt: skip
_SPECIAL: Final = {
    "Cel": Measure((("K", 1),), 1.0, 273.15),
    "[degF]": Measure((("K", 1),), 5 / 9, 459.67 * 5 / 9),
    "%": Measure((), 0.01),
    "[ppm]": Measure((), 1e-6),
    "[ppb]": Measure((), 1e-9),
    # The sign says thousand cubic metres; UCUM's prefix would be cubed with the metre.
    "km3/h": Measure((("m", 3), ("s", -1)), 1000 / 3600),
}
_COMPONENT: Final = re.compile(r"(\[[^\]]*\]|mol%|[A-Za-z]+|1)?(\d+)?((?:\{[^}]*\})?)")
SPELLINGS: Final[dict[str, str]] = {
    **{sign: code for code, sign in SIGNS.items() if sign and " " not in sign and "(" not in sign},
    **{written: code for written, code in SYNONYMS.items() if written[0].isalpha() and " " not in written},
    "℃": "Cel", "℉": "[degF]",
    **{code: code for code in SIGNS},
}  # fmt: skip
"""Every way of writing a unit in an expression, to its code."""


@cache
def measure(code: str) -> Measure:
    """Return the dimension of a known unit; raises ConfigurationError for an unknown one."""
    code = check_unit(code)
    if code in _SPECIAL:
        return _SPECIAL[code]
    factor, powers = 1.0, dict[str, int]()
    sign = 1
    for part in re.split(r"([./])", code):
        if part in {"/", "."}:
            sign = -1 if part == "/" else 1
        elif part:
            for scale, bases, power in _component(part):
                factor *= scale ** (sign * power)
                for base, exponent in bases.items():
                    powers[base] = powers.get(base, 0) + sign * power * exponent
    return Measure(tuple(sorted((base, power) for base, power in powers.items() if power)), factor)


def _component(part: str) -> list[tuple[float, dict[str, int], int]]:
    """Take `kPa{gauge}` or `m3` apart into factor, bases and exponent."""
    found = _COMPONENT.fullmatch(part)
    if found is None:
        message = f"{part} is no component of a unit"
        raise ValueError(message)
    symbol, exponent, annotation = found.groups()
    parts: list[tuple[float, dict[str, int], int]] = []
    scale = 1.0
    if symbol in _ATOMS:
        parts.append((*_ATOMS[symbol], int(exponent or 1)))
    elif symbol and symbol[0] in _PREFIXES and symbol[1:] in _ATOMS:
        factor, bases = _ATOMS[symbol[1:]]
        parts.append((_PREFIXES[symbol[0]] * factor, bases, int(exponent or 1)))
    elif symbol:
        scale = _PREFIXES[symbol]
    if annotation:
        factor, bases = _ATOMS[annotation]
        parts.append((scale * factor, bases, 1))
    return parts
