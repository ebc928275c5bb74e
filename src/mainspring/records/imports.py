"""Imports of tags from sheets: columns guessed, checked without writing, loaded in pieces, undone while unchanged.

The work is done in threads of its own, a piece at a time, so that requests are answered meanwhile; a piece is one
transaction, and nothing but what is loaded is written to the records.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import DatabaseError, connections

from mainspring.core.errors import Conflict, LimitExceeded, MainspringError
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records.audit import Author
from mainspring.records.faults import Invalid
from mainspring.records.import_files import WORKING, ImportFolder, ImportStore, now_ms
from mainspring.records.sheets import Sheet, read_sheet
from mainspring.records.tag_columns import Layout, guess, suggestion
from mainspring.records.tag_import import Fault, Importer, Outcome, undo

log = structlog.get_logger(__name__)

PIECE: Final = 500
"""Rows of one transaction: others wait for it a fifth of a second at most."""
BREATH_S: Final = 0.002
"""Between pieces the thread lets requests pass."""
WORKERS: Final = 2
WAITING_MAX: Final = 8
CAUSES_MAX: Final = 100
ROWS_SHOWN: Final = 5
FIXES_MAX: Final = 10_000
_NUMBERS: Final = re.compile(r"-?\d[\d.e+-]*")

_BUSY: Final = Text(
    "{limit} imports are waiting already. Try again in a minute.", "已有 {limit} 个导入在等待，请稍后再试。"
)
_UNDER_WAY: Final = Text("This import is being worked on. Wait for it, or cancel it.", "此导入正在处理，请等待或取消。")
_NOT_CHECKED: Final = Text("Check this import first.", "请先预检此导入。")
_NOT_LOADED: Final = Text("Nothing of this import was loaded.", "此导入尚未载入任何内容。")
_FAILED: Final = Text(
    "The import stopped ({reason}). What was loaded is kept; load again to go on.",
    "导入已停止（{reason}），已载入的内容保留，可再次载入以继续。",
)
_NO_NAME: Final = Text("Say which column holds the tag name.", "请指定哪一列是位号。")
_CELLS: Final = Text(
    "At most {limit} cells are put right here. Correct the file.", "最多可在此修正 {limit} 处，请修改文件。"
)


@dataclass(slots=True)
class _Work:
    """One import being worked on."""

    folder: ImportFolder
    state: dict[str, Any]
    author: Author
    stop: threading.Event = field(default_factory=threading.Event)
    written: float = 0.0

    def step(self, done: int, *, now: bool = False) -> None:
        """Tell how far it is, on disk once a second."""
        progress = self.state["progress"]
        progress["done"] = done
        elapsed_s = max(0.001, (now_ms() - progress["started_ms"]) / 1000)
        progress["rows_per_s"] = round(done / elapsed_s)
        if now or time.monotonic() - self.written > 1:
            self.written = time.monotonic()
            self.folder.write(self.state)


class Imports:
    """All imports of this process."""

    def __init__(self, store: ImportStore) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._working: dict[UUID, _Work] = {}
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="import")

    def add(self, author: Author, name: str, content: bytes) -> dict[str, Any]:
        """Take a file and guess its columns; raises NotASheet, in one sentence, for one that is none."""
        sheet = read_sheet(content, name)
        id = uuid7()
        folder = self.store.make(author.tenant.key, id, content)
        first = sheet.rows[0] if sheet.rows else []
        columns = [
            {
                "title": title,
                "sample": next((row[place] for row in sheet.rows[:50] if place < len(row) and row[place]), ""),
                "field": found.field,
                "sure": found.sure,
            }
            for place, (title, found) in enumerate(zip(sheet.head, guess(sheet.head), strict=True))
        ]
        state = {
            "id": str(id), "name": name, "bytes": len(content), "created_ms": now_ms(), "stage": "columns",
            "rows": len(sheet.rows), "columns": columns, "first": first, "options": {}, "fixes": [],
            "progress": {"done": 0, "total": len(sheet.rows), "started_ms": 0, "rows_per_s": 0},
            "counts": None, "causes": [], "report": None, "text": None,
        }  # fmt: skip
        folder.write(state)
        return state

    def get(self, author: Author, id: UUID) -> dict[str, Any]:
        """Return the state of an import; raises NotFound."""
        with self._lock:
            work = self._working.get(id)
        if work is not None and work.author.tenant.pk == author.tenant.pk:
            return dict(work.state)
        return self.store.find(author.tenant.key, id).state()

    def all(self, author: Author) -> list[dict[str, Any]]:
        """Return the imports of the tenant, newest first."""
        return [self.get(author, UUID(folder.path.name)) for folder in self.store.of(author.tenant.key)]

    def check(self, author: Author, id: UUID, options: dict[str, Any]) -> dict[str, Any]:
        """Begin the dry run with columns as people settled them; raises Invalid for a layout that cannot work."""
        layout = _layout(options)
        if "name" not in layout.columns:
            raise Invalid({"mapping": _NO_NAME})
        return self._begin(author, id, "checking", self._check, {"options": options, "counts": None, "causes": []})

    def fix(self, author: Author, id: UUID, fixes: list[dict[str, Any]]) -> dict[str, Any]:
        """Put cells right, one or all alike, and check again; the file itself stays as it came."""
        state = self.get(author, id)
        known = [*state["fixes"], *fixes]
        if len(known) > FIXES_MAX:
            raise LimitExceeded(_CELLS, limit=FIXES_MAX)
        if not state["options"]:
            raise Conflict(_NOT_CHECKED)
        return self._begin(author, id, "checking", self._check, {"fixes": known, "counts": None, "causes": []})

    def load(self, author: Author, id: UUID) -> dict[str, Any]:
        """Begin to store the rows that are right."""
        if self.get(author, id)["stage"] not in {"checked", "cancelled", "failed", "interrupted"}:
            raise Conflict(_NOT_CHECKED)
        return self._begin(author, id, "loading", self._load, {})

    def undo(self, author: Author, id: UUID) -> dict[str, Any]:
        """Begin to take back what was loaded and not changed since."""
        if not self.store.find(author.tenant.key, id).deeds.exists():
            raise Conflict(_NOT_LOADED)
        return self._begin(author, id, "undoing", self._undo, {})

    def cancel(self, author: Author, id: UUID) -> dict[str, Any]:
        """Stop after the piece under way; what is loaded stays."""
        state = self.get(author, id)
        with self._lock:
            if id in self._working:
                self._working[id].stop.set()
        return state

    def forget(self, author: Author, id: UUID) -> None:
        """Remove an import that is not worked on."""
        if self.get(author, id)["stage"] in WORKING:
            raise Conflict(_UNDER_WAY)
        self.store.forget(author.tenant.key, id)

    def faults(self, author: Author, id: UUID, cause: str, offset: int, limit: int) -> tuple[list[Any], int]:
        """Return some faults of a check, of one cause or all, and how many there are."""
        folder = self.store.find(author.tenant.key, id)
        found = [each for each in folder.lines(folder.faults) if not cause or each["cause"] == cause]
        return found[offset : offset + limit], len(found)

    def refused(self, author: Author, id: UUID, language: str) -> Iterator[list[str]]:
        """Yield the refused rows as they came, each with its number and the reasons, after a head."""
        folder = self.store.find(author.tenant.key, id)
        state, sheet = folder.state(), read_sheet(folder.upload.read_bytes(), "upload")
        reasons: dict[int, list[str]] = {}
        for each in folder.lines(folder.faults):
            words = each["text"].get(language) or each["text"]["en"]
            reasons.setdefault(each["row"], []).append(f"{each['column'] or each['field']}: {words}")
        yield [*sheet.head, *({"en": ("Row", "Reason"), "zh": ("行号", "原因")}.get(language, ("Row", "Reason")))]
        fixes = _Fixes(state["fixes"], _layout(state["options"]))
        for cells, number in zip(sheet.rows, sheet.numbers, strict=True):
            if number in reasons:
                padded = [*fixes.applied(cells, number), *[""] * (len(sheet.head) - len(cells))]
                yield [*padded, str(number), "; ".join(reasons[number])]

    def _begin(
        self, author: Author, id: UUID, stage: str, work: Callable[[_Work], None], more: dict[str, Any]
    ) -> dict[str, Any]:
        folder = self.store.find(author.tenant.key, id)
        with self._lock:
            if id in self._working or (state := folder.state())["stage"] in WORKING:
                raise Conflict(_UNDER_WAY)
            if len(self._working) >= WAITING_MAX:
                raise LimitExceeded(_BUSY, limit=WAITING_MAX)
            progress = {"done": 0, "total": state["rows"], "started_ms": now_ms(), "rows_per_s": 0}
            state |= {"stage": stage, "text": None, "progress": progress} | more
            begun = self._working[id] = _Work(folder, state, author)
        folder.write(state)
        self._threads.submit(self._run, id, begun, work)
        return dict(state)

    def _run(self, id: UUID, begun: _Work, work: Callable[[_Work], None]) -> None:
        state = begun.state
        state["progress"]["started_ms"] = now_ms()
        try:
            work(begun)
        except MainspringError as error:
            state |= {"stage": "failed", "text": error.text.document()}
        except (DatabaseError, OSError, ValueError) as error:
            log.exception("import.failed", id=str(id))
            state |= {"stage": "failed", "text": _FAILED.format(reason=type(error).__name__).document()}
        except Exception:
            # The next start finds it interrupted; the log has the bug.
            log.exception("import.broken", id=str(id))
            state |= {"stage": "failed", "text": _FAILED.format(reason="bug").document()}
        finally:
            connections.close_all()
            try:
                begun.folder.write(state)
            except OSError as error:
                log.error("import.state_not_kept", id=str(id), reason=str(error))
            with self._lock:
                self._working.pop(id, None)

    def _check(self, work: _Work) -> None:
        outcome = _Tally()
        with work.folder.faults.open("w", encoding="utf-8") as out:
            for piece in _pieces(work, dry_run=True):
                outcome.add(piece, out)
        work.state |= {"counts": outcome.counts, "causes": outcome.listed()}
        work.state["stage"] = "cancelled" if work.stop.is_set() else "checked"

    def _load(self, work: _Work) -> None:
        outcome = _Tally()
        began = time.monotonic()
        with work.folder.faults.open("w", encoding="utf-8") as out, work.folder.deeds.open("a") as deeds:
            for piece in _pieces(work, dry_run=False):
                outcome.add(piece, out)
                if piece.outcome.made or piece.outcome.before:
                    done = {"made": piece.outcome.made, "before": piece.outcome.before}
                    deeds.write(json.dumps(done, default=str) + "\n")
                    deeds.flush()
        work.state |= {"counts": outcome.counts, "causes": outcome.listed()}
        work.state["report"] = outcome.counts | {
            "finished_ms": now_ms(), "seconds": round(time.monotonic() - began, 1), "undone": 0, "kept": 0
        }  # fmt: skip
        work.state["stage"] = "cancelled" if work.stop.is_set() else "loaded"

    def _undo(self, work: _Work) -> None:
        undone = kept = 0
        pieces = list(work.folder.lines(work.folder.deeds))
        work.state["progress"]["total"] = sum(len(each["made"]) + len(each["before"]) for each in pieces)
        for each in reversed(pieces):
            back, stays = undo(work.author, each["made"], each["before"])
            undone, kept = undone + back, kept + stays
            work.step(undone + kept)
            time.sleep(BREATH_S)
        work.folder.deeds.unlink()
        work.state["report"] = (work.state["report"] or {}) | {"undone": undone, "kept": kept, "finished_ms": now_ms()}
        work.state["stage"] = "undone"


@dataclass(slots=True)
class _Piece:
    """What became of some rows; `faults` are as people read them."""

    outcome: Outcome
    faults: list[dict[str, Any]]


def _layout(options: dict[str, Any]) -> Layout:
    mapping = {int(column): key for column, key in options.get("mapping", {}).items() if key}
    return Layout(mapping, **{name: found for name, found in options.items() if name != "mapping"})


def _pieces(work: _Work, *, dry_run: bool) -> Iterator[_Piece]:
    """Read the file again and take its rows piece by piece, until it is cancelled."""
    sheet = read_sheet(work.folder.upload.read_bytes(), work.state["name"])
    layout = _layout(work.state["options"])
    fixes = _Fixes(work.state["fixes"], layout)
    importer = Importer(work.author, dry_run=dry_run)
    for start in range(0, len(sheet.rows), PIECE):
        if work.stop.is_set():
            return
        yield _piece(sheet, layout, fixes, importer, start)
        work.step(min(start + PIECE, len(sheet.rows)))
        time.sleep(BREATH_S)


def _piece(sheet: Sheet, layout: Layout, fixes: _Fixes, importer: Importer, start: int) -> _Piece:
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    kept: list[list[str]] = []
    faults: list[dict[str, Any]] = []
    for cells, number in zip(sheet.rows[start : start + PIECE], sheet.numbers[start : start + PIECE], strict=True):
        right = fixes.applied(cells, number)
        try:
            row = layout.row(right)
        except Invalid as error:
            faults += [_told(sheet, layout, right, number, Fault(0, k, t, t)) for k, t in error.fields.items()]
            continue
        rows.append(row)
        numbers.append(number)
        kept.append(right)
    outcome = importer.take(rows, numbers)
    faults += [_told(sheet, layout, kept[each.row], numbers[each.row], each) for each in outcome.refused]
    return _Piece(outcome, sorted(faults, key=lambda each: int(each["row"])))


def _told(sheet: Sheet, layout: Layout, cells: list[str], number: int, fault: Fault) -> dict[str, Any]:
    place = layout.columns.get(fault.field)
    if place is None:
        # A whole address or limit is wrong: the first of its columns stands for it.
        place = next((at for key, at in layout.columns.items() if key.startswith(f"{fault.field}.")), None)
    found = cells[place] if place is not None and place < len(cells) else ""
    return {
        "row": number, "field": fault.field, "column": sheet.head[place] if place is not None else "", "found": found,
        "text": fault.text.document(), "title": fault.cause.document(),
        "cause": f"{fault.field}: {_NUMBERS.sub('#', fault.cause.en)}",
        "suggestion": fault.suggestion or suggestion(fault.field, found),
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

    def __init__(self) -> None:
        self.counts = {"created": 0, "updated": 0, "unchanged": 0, "refused": 0}
        self._causes: dict[str, dict[str, Any]] = {}

    def add(self, piece: _Piece, out: Any) -> None:
        """Count a piece and write its faults, a line each."""
        counts, outcome = self.counts, piece.outcome
        counts["created"] += outcome.created
        counts["updated"] += outcome.updated
        counts["unchanged"] += outcome.unchanged
        counts["refused"] += len({each["row"] for each in piece.faults})
        for each in piece.faults:
            out.write(json.dumps(each, ensure_ascii=False) + "\n")
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
