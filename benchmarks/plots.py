"""Plots as small SVG files, drawn without a library: lines with a legend, or bars with their values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT = 860, 320
LEFT, TOP, BOTTOM = 70, 44, 46
LETTER = 6.8
"""About the width of a letter: room for names is made by it."""
COLOURS = ("#1668dc", "#d46b08", "#389e0d", "#cf1322", "#722ed1", "#08979c", "#876800", "#595959")
TICKS = 5
BAR, GAP = 22, 10


def svg(figure: Mapping[str, Any]) -> str:
    """Draw what `figures.lines` or `figures.bars` printed."""
    if "bars" in figure:
        return _bars(str(figure["title"]), str(figure["axes"][1]), figure["bars"])
    return _lines(str(figure["title"]), figure["axes"], figure["lines"])


def ticks(highest: float) -> list[float]:
    """Return round numbers from 0 to at least `highest`."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [step * place for place in range(math.ceil(highest / step - 0.001) + 1)]


def number(value: float) -> str:
    """Write a number as short as it stays clear."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"


def _frame(width: int, height: int, title: str, body: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#262626">'
    )
    paper = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    return "\n".join([head, paper, _text(16, 22, title, weight="600", size=14), *body, "</svg>\n"])


def _text(x: float, y: float, words: str, *, anchor: str = "start", weight: str = "400", size: int = 12) -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" font-size="{size}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'


def _lines(title: str, axes: Sequence[str], lines: Mapping[str, Sequence[Sequence[float]]]) -> str:
    every = [place for places in lines.values() for place in places]
    across, up = ticks(max(x for x, _ in every)), ticks(max(y for _, y in every))
    right, bottom = WIDTH - 46 - LETTER * max(map(len, lines)), HEIGHT - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + (right - LEFT) * x / across[-1], bottom - (bottom - TOP) * y / up[-1]

    body = []
    for value in up:
        _, y = place(0, value)
        body.append(f'<line x1="{LEFT}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e5e5"/>')
        body.append(_text(LEFT - 6, y + 4, number(value), anchor="end"))
    for value in across:
        x, _ = place(value, 0)
        body.append(_text(x, bottom + 16, number(value), anchor="middle"))
    body.append(_text((LEFT + right) / 2, HEIGHT - 8, axes[0], anchor="middle"))
    body.append(_text(LEFT - 6, TOP - 6, axes[1], anchor="start" if len(axes[1]) > 8 else "end"))
    for turn, (name, places) in enumerate(lines.items()):
        colour = COLOURS[turn % len(COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*each) for each in places))
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(places) <= 12:
            body += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in (place(*p) for p in places)
            ]
        y = TOP + 12 + 18 * turn
        body.append(f'<line x1="{right + 12:.1f}" x2="{right + 28:.1f}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" '
                    'stroke-width="3"/>')  # fmt: skip
        body.append(_text(right + 34, y, name))
    return _frame(WIDTH, HEIGHT, title, body)


def _bars(title: str, unit: str, bars: Mapping[str, float]) -> str:
    highest = max([*bars.values(), 0.0]) or 1.0
    label = 16 + LETTER * max(map(len, bars))
    room = WIDTH - label - 40 - LETTER * (12 + len(unit))
    body = []
    for turn, (name, value) in enumerate(bars.items()):
        y = TOP + turn * (BAR + GAP)
        length = max(1.0, room * value / highest)
        colour = COLOURS[1] if name.startswith(("VictoriaMetrics", "Mosquitto", "Node-RED", "pymodbus", "asyncua",
                                                "thingsboard")) else COLOURS[0]  # fmt: skip
        body.append(_text(label - 8, y + 15, name, anchor="end"))
        body.append(f'<rect x="{label:.1f}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colour}"/>')
        body.append(_text(label + length + 6, y + 15, f"{number(value)} {unit}"))
    return _frame(WIDTH, TOP + len(bars) * (BAR + GAP) + 12, title, body)
