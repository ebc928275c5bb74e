"""Labels to print: on sheets of A4 or from a label printer, with a QR code that leads to the record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from mainspring.core.text import Text
from mainspring.records.defined.access import Access
from mainspring.records.defined.cells import Column, columns_of
from mainspring.records.defined.kinds import Defined, title_of
from mainspring.records.defined.listing import titles

LABELS_MAX: Final = 500
LINES_MAX: Final = 4
_CODE_MARGIN: Final = 2


@dataclass(frozen=True, slots=True)
class Size:
    """A label in millimetres, and how many of them a sheet of A4 holds; a single one is a page of its own."""

    words: Text
    width_mm: float
    height_mm: float
    across: int = 1
    down: int = 1

    @property
    def page_mm(self) -> tuple[float, float]:
        """Width and height of the page."""
        return (210, 297) if self.across > 1 else (self.width_mm, self.height_mm)


SIZES: Final = {
    "a4-24": Size(Text("A4, 24 labels of 70 × 37 mm", "A4，24 张，70 × 37 毫米"), 70, 37, 3, 8),
    "a4-12": Size(Text("A4, 12 labels of 105 × 49 mm", "A4，12 张，105 × 49 毫米"), 105, 49, 2, 6),
    "a4-65": Size(Text("A4, 65 labels of 38 × 21 mm", "A4，65 张，38 × 21 毫米"), 38, 21, 5, 13),
    "50x30": Size(Text("Label printer, 50 × 30 mm", "标签打印机，50 × 30 毫米"), 50, 30),
    "70x50": Size(Text("Label printer, 70 × 50 mm", "标签打印机，70 × 50 毫米"), 70, 50),
    "100x60": Size(Text("Label printer, 100 × 60 mm", "标签打印机，100 × 60 毫米"), 100, 60),
}


@dataclass(frozen=True, slots=True)
class Printed:
    """One label: what it is called, what kind of thing it is, some lines, and what its code says."""

    title: str
    kind: str
    lines: tuple[str, ...]
    code: str


def printed(
    access: Access, kind: type[Defined], records: Sequence[Defined], address: str, language: str
) -> list[Printed]:
    """Return the labels of records; `address` is where a page of one lies, with `{id}` in the place of its id."""
    known = {column.name: column for column in columns_of(kind, access.hidden(kind)).values()}
    names = {id: words[language] for id, words in titles(access, kind, list(records)).items()}
    wanted = [known[name] for name in kind.shape.labels or kind.shape.columns if name in known]
    title = title_of(kind)
    return [
        Printed(
            record.label() if title in known else "",
            getattr(kind.shape.one, language),
            tuple(_lines((each for each in wanted if each.name != title), record, names, language)),
            address.format(id=record.pk),
        )
        for record in records
    ]


def page(labels: Sequence[Printed], size: Size, language: str, nonce: str) -> str:
    """Return a page that is printed as it is; its style is allowed by the nonce."""
    width_mm, height_mm = size.page_mm
    code_mm = min(size.height_mm - 2 * _CODE_MARGIN, size.width_mm * 0.45)
    style = (
        f"@page {{ size: {width_mm}mm {height_mm}mm; margin: 0 }} * {{ box-sizing: border-box }}"
        " body { margin: 0; font: 9pt/1.25 system-ui, 'Noto Sans CJK SC', sans-serif; color: #000; background: #fff }"
        f" main {{ display: grid; width: {width_mm}mm; height: {height_mm}mm; place-content: center; break-after: page;"
        f" grid-template: repeat({size.down}, {size.height_mm}mm) / repeat({size.across}, {size.width_mm}mm) }}"
        f" article {{ display: flex; gap: {_CODE_MARGIN}mm; padding: {_CODE_MARGIN}mm; overflow: hidden;"
        " break-inside: avoid; align-items: center }"
        f" svg {{ width: {code_mm:g}mm; height: {code_mm:g}mm; flex: none }}"
        " div { min-width: 0; max-height: 100%; overflow: hidden } p, h1 { margin: 0; overflow-wrap: anywhere }"
        " h1 { font-size: 11pt } small { font-size: 7pt }"
    )
    per_page = size.across * size.down
    sheets = [labels[start : start + per_page] for start in range(0, len(labels), per_page)]
    body = "".join(f"<main>{''.join(_label(each) for each in sheet)}</main>" for sheet in sheets)
    title = {"en": "Labels", "zh": "标签"}[language]
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        f'<style nonce="{escape(nonce)}">{style}</style></head><body>{body}</body></html>'
    )


def _label(each: Printed) -> str:
    lines = "".join(f"<p>{escape(line)}</p>" for line in each.lines[:LINES_MAX])
    return (
        f"<article>{code_of(each.code)}<div><small>{escape(each.kind)}</small><h1>{escape(each.title)}</h1>{lines}"
        "</div></article>"
    )


def code_of(text: str) -> str:
    """Return a QR code as an SVG element that is as large as it is told."""
    import segno

    svg = segno.make(text, error="m", micro=False).svg_inline(omitsize=True, border=2, dark="#000", light="#fff")
    return str(svg)


def _lines(known: Iterable[Column], record: Defined, names: dict[str, str], language: str) -> Iterable[str]:
    zone = ZoneInfo(record.tenant.zone)
    for column in known:
        value = column.of(record)
        if value in (None, "", [], {}):
            continue
        if column.target is not None:
            text = names.get(str(value), "")
        elif isinstance(value, dict):
            text = value.get(language) or value.get("en") or ""
        else:
            text = f"{column.write(value, language, zone, {})} {column.told.unit}".strip()
        if text:
            yield f"{getattr(column.told.words, language)}: {text}" if not isinstance(value, dict) else text
