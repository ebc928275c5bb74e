"""Units are UCUM codes, plus declared ones that UCUM lacks; each has the sign people read."""

from __future__ import annotations

import difflib
import unicodedata
from typing import Final

from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text

# Code -> sign shown on pages. Source of codes: UCUM 2.1; those after the blank line are declared by us.
SIGNS: Final[dict[str, str]] = {
    "1": "", "%": "%", "[ppm]": "ppm", "[ppb]": "ppb", "[pH]": "pH",
    "Cel": "°C", "K": "K", "[degF]": "°F",
    "Pa": "Pa", "hPa": "hPa", "kPa": "kPa", "MPa": "MPa", "bar": "bar", "mbar": "mbar", "[psi]": "psi",
    "kPa{gauge}": "kPa(g)",
    "m": "m", "mm": "mm", "um": "µm", "cm": "cm", "km": "km", "[in_i]": "in", "m2": "m²", "m3": "m³", "L": "L",
    "mL": "mL",
    "g": "g", "kg": "kg", "mg": "mg", "t": "t", "mol": "mol", "mol%": "mol %",
    "s": "s", "ms": "ms",
    "min": "min", "h": "h", "d": "d",
    "m/s": "m/s", "mm/s": "mm/s", "m/min": "m/min",
    "mm/min": "mm/min", "m/s2": "m/s²",
    "m3/h": "m³/h", "m3/s": "m³/s", "L/min": "L/min", "L/s": "L/s", "kg/h": "kg/h", "kg/s": "kg/s",
    "t/h": "t/h",
    "[gal_us]/min": "gal/min", "km3/h": "10³ m³/h",
    "A": "A", "mA": "mA", "V": "V", "mV": "mV", "kV": "kV", "W": "W", "kW": "kW", "MW": "MW",
    "VA": "VA", "kVA": "kVA", "Wh": "Wh", "kW.h": "kWh", "MW.h": "MWh", "J": "J", "kJ": "kJ",
    "MJ": "MJ", "GJ": "GJ",
    "Hz": "Hz", "kHz": "kHz", "{rpm}": "r/min", "/min": "/min", "/h": "/h",
    "N": "N", "kN": "kN", "N.m": "N·m", "Ohm": "Ω", "uS/cm": "µS/cm", "g/L": "g/L", "mg/L": "mg/L",
    "kg/m3": "kg/m³",
    "dB": "dB", "lx": "lx", "deg": "°", "rad": "rad", "W/m2": "W/m²", "[ton_refrigeration]": "RT",
    "kW/[ton_refrigeration]": "kW/RT",

    "{count}": "", "{var}": "var", "k{var}": "kvar", "{CNY}": "元", "{mu}": "亩", "{tce}": "tce",
}  # fmt: skip

SYNONYMS: Final[dict[str, str]] = {
    "degC": "Cel", "deg C": "Cel", "Celsius": "Cel", "摄氏度": "Cel", "degF": "[degF]", "deg F": "[degF]",
    "Fahrenheit": "[degF]", "华氏度": "[degF]", "Kelvin": "K",
    "rpm": "{rpm}", "rev/min": "{rpm}", "U/min": "{rpm}", "转/分": "{rpm}", "转/分钟": "{rpm}", "min-1": "/min",
    "1/min": "/min", "1/h": "/h", "次/分": "/min",
    "psi": "[psi]", "kPag": "kPa{gauge}", "kPa(gauge)": "kPa{gauge}",
    "ppm": "[ppm]", "ppb": "[ppb]", "pH": "[pH]", "percent": "%", "pct": "%",
    "kWh": "kW.h", "MWh": "MW.h", "度": "kW.h", "Nm": "N.m", "ohm": "Ohm", "inch": "[in_i]",
    "l": "L", "l/min": "L/min", "l/s": "L/s", "ml": "mL", "cbm": "m3", "sec": "s", "hr": "h", "km3/h": "km3/h",
    "gpm": "[gal_us]/min", "GPM": "[gal_us]/min", "lux": "lx", "CNY": "{CNY}", "kvar": "k{var}", "var": "{var}",
    "立方米": "m3", "千瓦": "kW", "千瓦时": "kW.h", "兆帕": "MPa", "千帕": "kPa", "毫米": "mm", "吨": "t", "秒": "s",
    "pcs": "{count}", "pc": "{count}", "piece": "{count}", "pieces": "{count}", "件": "{count}", "个": "{count}",
    "只": "{count}", "台": "{count}",
    "-": "1", "none": "1", "无": "1",
}  # fmt: skip
"""Other ways people and devices write a unit; what two people would read differently is none."""

_UNKNOWN: Final = Text(
    "{where}: {found!r} is not a known unit. Nearest: {nearest}.",
    "{where}：单位 {found!r} 未知，最接近的是 {nearest}。",
)


def _plain(written: str) -> str:
    # Compatibility forms: ℃ is °C, m³ is m3, and both signs of micro and of ohm are one.
    folded = unicodedata.normalize("NFKC", written).replace(" ", "").replace("^", "").replace("**", "")
    return folded.replace("·", ".").replace("⋅", ".").replace("*", ".").replace("−", "-")


_WRITTEN: Final = {
    _plain(written): code
    for written, code in (
        *SYNONYMS.items(), *((sign, code) for code, sign in SIGNS.items() if sign), *((code, code) for code in SIGNS)
    )
}  # fmt: skip
_LETTERS: Final = {written.casefold(): code for written, code in _WRITTEN.items()}
_WORDS: Final = frozenset(
    _plain(written).casefold() for written, code in SYNONYMS.items() if len(written) > 2 and SIGNS[code][:1] not in "mM"
)
"""Ways of writing that mean the same in any letters; `mW` is no `MW`."""


def code_of(written: str) -> str | None:
    """Return the code of a unit as people or devices write it: its code, its sign or a synonym; None if unknown."""
    if written in SIGNS:
        return written
    plain = _plain(written)
    return _WRITTEN.get(plain) or (_LETTERS[plain.casefold()] if plain.casefold() in _WORDS else None)


def near_units(written: str, count: int = 3) -> list[str]:
    """Return the codes that were probably meant, the likeliest first."""
    plain = _plain(written).casefold()
    spelt = difflib.get_close_matches(plain, _LETTERS, n=3 * count, cutoff=0.4)
    # One letter alone is like nothing; signs that end in it may be meant, as °C by C.
    ends = [known for known in _LETTERS if 0 < len(plain) < len(known) <= len(plain) + 1 and known.endswith(plain)]
    likely = [plain] if plain in _LETTERS else []
    return list(dict.fromkeys(_LETTERS[each] for each in (*likely, *spelt, *ends)))[:count]


def spelling(code: str) -> str:
    """Return a unit as people write it: its sign, where that means this unit alone, else its code."""
    return SIGNS[code] if SIGNS[code] and code_of(SIGNS[code]) == code else code


def shown(code: str) -> str:
    """Return a code with the sign that people read, where they differ."""
    return f"{code} ({SIGNS[code]})" if SIGNS[code] not in {"", code} else code


def check_unit(written: str, where: str = "unit") -> str:
    """Return the code of a unit, or raise ConfigurationError naming the nearest."""
    code = code_of(written)
    if code is None:
        near = near_units(written) or ["1", "%", "Cel"]
        raise ConfigurationError(_UNKNOWN, where=where, found=written, nearest=", ".join(map(shown, near)))
    return code
