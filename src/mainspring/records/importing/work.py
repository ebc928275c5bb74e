"""What is done with an import: its rows checked without writing, loaded in pieces, taken back while unchanged.

It runs in a process of its own, a piece at a time; a piece is one transaction, and what it takes to undo it is on disk
before it is stored, so that a process killed in between leaves nothing that cannot be told or taken back.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Final

import structlog
from django.db import DatabaseError, connections

from mainspring.core.errors import MainspringError
from mainspring.core.text import Text
from mainspring.records import statistics
from mainspring.records.audit import Author
from mainspring.records.defined.access import Access
from mainspring.records.defined.exchange import Records
from mainspring.records.defined.kinds import find_kind
from mainspring.records.faults import Invalid
from mainspring.records.importing.files import ImportFolder, now_ms
from mainspring.records.importing.imported import Fault, Imported, Layout, Outcome, Planned, Taker
from mainspring.records.importing.mapped import Mapped, mappings
from mainspring.records.importing.sheets import Sheet, read_once
from mainspring.records.importing.tag_sheet import Tags
from mainspring.records.outbox import outbox

log = structlog.get_logger(__name__)

PIECE: Final = 500
"""Rows of one transaction: others wait for it a tenth of a second at most."""
BREATH_S: Final = 0.002
"""Between pieces other writers get their turn."""
TURN_S: Final = 4.0
REST_S: Final = 0.11
"""From time to time: SQLite's writers that wait look again every tenth of a second, and would hardly meet a breath."""
TELL_S: Final = 0.5
"""How often is told how far the work is, and which definitions are to be published."""
CAUSES_MAX: Final = 100
ROWS_SHOWN: Final = 5
TAGS: Final = "tag"
"""What an import is of unless it says otherwise."""
_NUMBERS: Final = re.compile(r"-?\d[\d.e+-]*")

_FAILED: Final = Text(
    "The import stopped ({reason}). What was loaded is kept; load again to go on.",
    "导入已停止（{reason}），已载入的内容保留，可再次载入以继续。",
)
INTERRUPTED: Final = Text(
    "The import was interrupted: its process ended. What was loaded is kept; begin again to go on, or undo it.",
    "导入被中断：其进程已结束。已载入的内容保留，可再次开始以继续，或撤销。",
)


def imported_of(kind: str) -> Imported:
    """Return what a sheet fills: tags, records of a kind, or what another system exports; raises NotFound."""
    if kind == TAGS:
        return Tags()
    declared = mappings().get(kind)
    return Records(find_kind(kind)) if declared is None else Mapped(declared)


def _unheard(_keys: set[str], _everything: bool) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Work:
    """One import being worked on; `publish` is told the keys of definitions that changed, or that all may have."""

    folder: ImportFolder
    state: dict[str, Any]
    author: Author
    publish: Callable[[set[str], bool], None] = _unheard
    stop: threading.Event = field(default_factory=threading.Event)
    lost: threading.Event = field(default_factory=threading.Event)
    """Whoever asked for the work is gone."""
    told: float = 0.0
    rested: float = field(default_factory=time.monotonic)
    granted: Access | None = None
    """What its author may do, for kinds that ask."""

    @property
    def access(self) -> Access:
        """Who does it, and what that one may."""
        return self.granted or Access(self.author, frozenset())

    @property
    def imported(self) -> Imported:
        """What the sheet fills."""
        return imported_of(self.state.get("kind", TAGS))

    def step(self, done: int, *, wrote: bool = True) -> None:
        """Tell how far it is, a few times a second, and let others write."""
        progress = self.state["progress"]
        progress["done"] = done
        elapsed_s = max(0.001, (now_ms() - progress["started_ms"]) / 1000)
        progress["rows_per_s"] = round(done / elapsed_s)
        if time.monotonic() - self.told > TELL_S:
            self.told = time.monotonic()
            self.folder.write(self.state)
            self.tell_changes()
        if not wrote:
            return
        rests = time.monotonic() - self.rested > TURN_S
        time.sleep(REST_S if rests else BREATH_S)
        if rests:
            self.rested = time.monotonic()

    def tell_changes(self) -> None:
        """Hand over what is to be published."""
        keys, everything = outbox.take()
        if keys or everything:
            self.publish(keys, everything)

    def ended(self, stage: str) -> str:
        """Return the stage that follows: `stage` if all was done."""
        if self.lost.is_set():
            self.state["text"] = INTERRUPTED.document()
            return "interrupted"
        return "cancelled" if self.stop.is_set() else stage


def do(work: Work) -> None:
    """Do what the state of an import says is to be done, and leave the state at what became of it."""
    state = work.state
    state["progress"]["started_ms"] = now_ms()
    try:
        _DEEDS[state["stage"]](work)
    except MainspringError as error:
        state |= {"stage": "failed", "text": error.text.document()}
    except (DatabaseError, OSError, ValueError) as error:
        log.exception("import.failed", id=state["id"])
        state |= {"stage": "failed", "text": _FAILED.format(reason=type(error).__name__).document()}
    except Exception:
        # The page tells that it stopped; the log has the bug.
        log.exception("import.broken", id=state["id"])
        state |= {"stage": "failed", "text": _FAILED.format(reason="bug").document()}
    finally:
        connections.close_all()
        work.tell_changes()
        work.folder.write(state)


def _check(work: Work) -> None:
    with _tallied(work, "checked") as tally:
        for piece in _pieces(work, dry_run=True, before_commit=lambda _: None):
            tally.add(piece)


def _load(work: Work) -> None:
    began = time.monotonic()

    def keep(planned: Outcome) -> None:
        if planned.made or planned.before:
            deeds.write(json.dumps({"made": planned.made, "before": planned.before}, default=str) + "\n")
            deeds.flush()

    with _tallied(work, "loaded") as tally, work.folder.deeds.open("a", encoding="utf-8") as deeds:
        for piece in _pieces(work, dry_run=False, before_commit=keep):
            tally.add(piece)
            # What is loaded so far is said at each step: a process may be killed at any moment.
            seconds = round(time.monotonic() - began, 1)
            work.state["report"] = tally.counts | {"finished_ms": now_ms(), "seconds": seconds, "undone": 0, "kept": 0}
    statistics.gather()


@contextmanager
def _tallied(work: Work, stage: str) -> Iterator[_Tally]:
    """Count what becomes of rows; what an earlier pass found stays until all of them are through."""
    parts = [file.with_suffix(".part") for file in (work.folder.faults, work.folder.refused)]
    with parts[0].open("w", encoding="utf-8") as faults, parts[1].open("w", encoding="utf-8") as refused:
        tally = _Tally(faults, refused)
        yield tally
    work.state["stage"] = work.ended(stage)
    if work.state["stage"] == stage:
        for part in parts:
            part.replace(part.with_suffix(".jsonl"))
        work.state |= {"counts": tally.counts, "causes": tally.listed()}


def _undo(work: Work) -> None:
    undone = kept = 0
    pieces = list(work.folder.lines(work.folder.deeds))
    work.state["progress"]["total"] = sum(len(each["made"]) + len(each["before"]) for each in pieces)
    for each in reversed(pieces):
        if work.stop.is_set():
            break
        back, stays = work.imported.undo(work.access, each["made"], each["before"])
        undone, kept = undone + back, kept + stays
        work.state["report"] = (work.state["report"] or {}) | {"undone": undone, "kept": kept, "finished_ms": now_ms()}
        work.step(undone + kept)
    work.state["stage"] = work.ended("undone")
    if work.state["stage"] == "undone":
        # Said before what it takes is put away: a process may be killed at any moment.
        work.folder.write(work.state)
        work.folder.deeds.unlink(missing_ok=True)


_DEEDS: Final[dict[str, Callable[[Work], None]]] = {"checking": _check, "loading": _load, "undoing": _undo}


@dataclass(slots=True)
class _Piece:
    """What became of some rows; `faults` are as people read them, `cells` those of the rows refused, by number."""

    outcome: Outcome
    faults: list[dict[str, Any]]
    cells: dict[int, list[str]]


@lru_cache(maxsize=1)
def _sheet(upload: Path, name: str) -> Sheet:
    """Return the rows of an uploaded file; those of the last one stay, for a check is mostly followed by its load."""
    return read_once(upload, name)


def _pieces(work: Work, *, dry_run: bool, before_commit: Planned) -> Iterator[_Piece]:
    """Take the rows of the file piece by piece, until it is cancelled."""
    imported = work.imported
    sheet = _sheet(work.folder.upload, work.state["name"])
    layout = imported.layout(work.state["options"], work.access)
    fixes = _Fixes(work.state["fixes"], layout)
    rows = [fixes.applied(cells, number) for cells, number in zip(sheet.rows, sheet.numbers, strict=True)]
    cells = _Cells(sheet, rows, layout, imported)
    order = imported.order(layout, rows, sheet.numbers)
    taker = imported.taker(work.access, layout, dry_run=dry_run, before_commit=before_commit)
    for start in range(0, len(order), PIECE):
        if work.stop.is_set():
            return
        yield _piece(cells, taker, order[start : start + PIECE])
        work.step(min(start + PIECE, len(order)), wrote=taker.writes)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of a file, put right, and how they are read."""

    sheet: Sheet
    rows: list[list[str]]
    layout: Layout
    imported: Imported


def _piece(of: _Cells, taker: Taker, places: Sequence[int]) -> _Piece:
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    kept: list[list[str]] = []
    faults: list[dict[str, Any]] = []
    cells_of: dict[int, list[str]] = {}
    for place in places:
        right, number = of.rows[place], of.sheet.numbers[place]
        try:
            row = of.layout.row(right)
        except Invalid as error:
            faults += [_told(of, right, number, Fault(0, k, t, t)) for k, t in error.fields.items()]
            cells_of[number] = right
            continue
        rows.append(row)
        numbers.append(number)
        kept.append(right)
    outcome = taker.take(rows, numbers)
    for each in outcome.refused:
        faults.append(_told(of, kept[each.row], numbers[each.row], each))
        cells_of[numbers[each.row]] = kept[each.row]
    return _Piece(outcome, sorted(faults, key=lambda each: int(each["row"])), cells_of)


def _told(of: _Cells, cells: list[str], number: int, fault: Fault) -> dict[str, Any]:
    sheet, columns = of.sheet, of.layout.columns
    place = columns.get(fault.field)
    if place is None:
        # A whole address or limit is wrong: the first of its columns stands for it.
        place = next((at for key, at in columns.items() if key.startswith(f"{fault.field}.")), None)
    found = cells[place] if place is not None and place < len(cells) else ""
    return {
        "row": number, "field": fault.field, "column": sheet.head[place] if place is not None else "", "found": found,
        "text": fault.text.document(), "title": fault.cause.document(),
        "cause": f"{fault.field}: {_NUMBERS.sub('#', fault.cause.en)}",
        "suggestion": fault.suggestion or of.imported.suggestion(fault.field, found),
    }  # fmt: skip


class _Fixes:
    """Cells put right: one of a row, or all that hold the same."""

    def __init__(self, fixes: list[dict[str, Any]], layout: Layout) -> None:
        self._everywhere: dict[tuple[int, str], str] = {}
        self._single: dict[int, dict[int, str]] = {}
        for fix in fixes:
            column = layout.columns.get(fix["field"])
            if column is None:
                continue
            if fix.get("row") is not None:
                self._single.setdefault(fix["row"], {})[column] = fix["value"]
            else:
                self._everywhere[column, fix["found"]] = fix["value"]

    def applied(self, cells: list[str], number: int) -> list[str]:
        """Return the cells of a row as they are meant."""
        if not self._everywhere and not self._single:
            return cells
        right = [self._everywhere.get((place, cell), cell) for place, cell in enumerate(cells)]
        for column, value in self._single.get(number, {}).items():
            right += [""] * (column + 1 - len(right))
            right[column] = value
        return right


class _Tally:
    """Counts what became of rows, and their faults by cause."""

    def __init__(self, faults: IO[str], refused: IO[str]) -> None:
        self._faults, self._refused = faults, refused
        self.counts = {"created": 0, "updated": 0, "unchanged": 0, "refused": 0}
        self._causes: dict[str, dict[str, Any]] = {}

    def add(self, piece: _Piece) -> None:
        """Count a piece; write its faults and the rows refused, a line each."""
        counts, outcome = self.counts, piece.outcome
        counts["created"] += outcome.created
        counts["updated"] += outcome.updated
        counts["unchanged"] += outcome.unchanged
        counts["refused"] += len(piece.cells)
        for number in sorted(piece.cells):
            self._refused.write(json.dumps({"row": number, "cells": piece.cells[number]}, ensure_ascii=False) + "\n")
        for each in piece.faults:
            self._faults.write(json.dumps(each, ensure_ascii=False) + "\n")
            known = self._causes.get(each["cause"])
            if known is None:
                if len(self._causes) >= CAUSES_MAX:
                    continue
                kept = {name: each[name] for name in ("cause", "field", "column", "title", "found", "suggestion")}
                known = self._causes[each["cause"]] = kept | {"count": 0, "rows": []}
            known["count"] += 1
            if len(known["rows"]) < ROWS_SHOWN:
                known["rows"].append(each["row"])

    def listed(self) -> list[dict[str, Any]]:
        """Return the causes, those of most rows first."""
        return sorted(self._causes.values(), key=lambda each: -int(each["count"]))
