"""Units are UCUM codes, plus declared ones that UCUM lacks; each has the sign people read."""

from __future__ import annotations

from typing import Final

from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text

# Code -> sign shown on pages. Source of codes: UCUM 2.1; those after the blank line are declared by us.
SIGNS: Final[dict[str, str]] = {
    "1": "", "%": "%", "[ppm]": "ppm", "[ppb]": "ppb", "[pH]": "pH",
    "Cel": "°C", "K": "K", "[degF]": "°F",
    "Pa": "Pa", "hPa": "hPa", "kPa": "kPa", "MPa": "MPa", "bar": "bar", "mbar": "mbar", "[psi]": "psi",
    "kPa{gauge}": "kPa(g)",
    "m": "m", "mm": "mm", "um": "µm", "cm": "cm", "km": "km", "m2": "m²", "m3": "m³", "L": "L",
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

_UNKNOWN: Final = Text(
    "{where}: {found!r} is not a known unit. Nearest: {nearest}.",
    "{where}：单位 {found!r} 未知，最接近的是 {nearest}。",
)


def check_unit(code: str, where: str = "unit") -> str:
    """Return the code if it is known, or raise ConfigurationError naming the nearest."""
    import difflib

    if code in SIGNS:
        return code
    near = difflib.get_close_matches(code, SIGNS, n=3, cutoff=0.3) or ["1", "%", "Cel"]
    raise ConfigurationError(_UNKNOWN, where=where, found=code, nearest=", ".join(near))
