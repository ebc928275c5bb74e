"""What a scenario prints, one JSON line for each figure and each plot, and the options that all scenarios know."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

QUICK = "--quick" in sys.argv
"""The short form: shows that a scenario works; its figures are not kept."""


def say(scenario: str, figure: str, value: float | str, unit: str, wanted: str = "") -> None:
    """Print one figure."""
    shown = round(value, 4) if isinstance(value, float) else value
    line = {"scenario": scenario, "figure": figure, "value": shown, "unit": unit}
    print(json.dumps(line | ({"wanted": wanted} if wanted else {}), ensure_ascii=False), flush=True)


def lines(plot: str, title: str, axes: tuple[str, str], of: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Print a plot of lines: places (x, y) by name; `axes` names both with their units."""
    rounded = {name: [[round(x, 4), round(y, 4)] for x, y in places] for name, places in of.items() if places}
    if rounded:
        print(json.dumps({"plot": plot, "title": title, "axes": axes, "lines": rounded}), flush=True)


def bars(plot: str, title: str, unit: str, of: Mapping[str, float]) -> None:
    """Print a plot of bars by name."""
    rounded = {name: round(value, 4) for name, value in of.items()}
    print(json.dumps({"plot": plot, "title": title, "axes": ("", unit), "bars": rounded}), flush=True)


def option(name: str, default: float) -> float:
    """Return the number behind an option such as `--minutes 10`."""
    return float(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else default


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least of the values that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
