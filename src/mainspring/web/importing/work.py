"""What is done with an import of history: looked through without writing, or loaded window by window.

A window that is stored whole is written down with what was counted so far; an import that was killed, cancelled or cut
short goes on behind it. What it sends twice the history has once.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import structlog
from django.db import DatabaseError, connections

from mainspring.core.errors import MainspringError
from mainspring.core.text import Text
from mainspring.history.importing.csv_files import CsvReader
from mainspring.history.importing.influx import InfluxReader
from mainspring.history.importing.layout import Layout
from mainspring.history.importing.parquet_files import ParquetReader
from mainspring.history.importing.rows import Rows, Settled, settle
from mainspring.history.importing.window import Window
from mainspring.records.audit import Action, AuditEntry, Author, Deed, append
from mainspring.records.importing.files import ImportFolder, now_ms
from mainspring.records.importing.work import INTERRUPTED
from mainspring.records.outbox import outbox
from mainspring.web.importing import tags
from mainspring.web.importing.sender import Sender
from mainspring.web.importing.tally import UNKNOWN_MAX, Tally, loading_file, put_away, unknown_file, write_unknown

log = structlog.get_logger(__name__)

TELL_S: Final = 0.5
KIND: Final = "history-import"
"""What the audit calls it."""
_FAILED: Final = Text(
    "The import stopped ({reason}). What was loaded is kept; load again to go on.",
    "导入已停止（{reason}），已载入的内容保留，可再次载入以继续。",
)


class Reader(Protocol):
    """Reads a file of history; `size` is what `Rows.done` counts up to."""

    size: int

    def rows(self, position: Any = None) -> Iterator[Rows]:
        """Give the rows behind a position."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the historian is reached."""

    url: str
    seed: Path
    authority: Path | None = None


def _unheard(_keys: set[str], _everything: bool) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Work:
    """One import being worked on; `publish` is told which definitions changed, or that all may have."""

    folder: ImportFolder
    state: dict[str, Any]
    author: Author
    way: Way
    publish: Callable[[set[str], bool], None] = _unheard
    stop: threading.Event = field(default_factory=threading.Event)
    lost: threading.Event = field(default_factory=threading.Event)
    """Whoever asked for the work is gone."""
    told: float = 0.0

    def step(self, done: int, total: int) -> None:
        """Tell how far it is, a few times a second."""
        progress = self.state["progress"]
        elapsed_s = max(0.001, (now_ms() - progress["started_ms"]) / 1000)
        rate = round(max(0, done - progress["from"]) / elapsed_s)
        progress |= {"done": done, "total": max(done, total), "rows_per_s": rate}
        if time.monotonic() - self.told > TELL_S:
            self.told = time.monotonic()
            self.folder.write(self.state)

    def ended(self, stage: str) -> str:
        """Return the stage that follows: `stage` if all was done."""
        if self.lost.is_set():
            self.state["text"] = INTERRUPTED.document()
            return "interrupted"
        return "cancelled" if self.stop.is_set() else stage


def do(work: Work) -> None:
    """Do what the state of an import says is to be done, and leave the state at what became of it."""
    state = work.state
    state["progress"] |= {"started_ms": now_ms(), "from": 0}
    try:
        {"checking": _check, "loading": _load}[state["stage"]](work)
    except MainspringError as error:
        state |= {"stage": work.ended("failed"), "text": error.text.document()}
    except (DatabaseError, OSError, ValueError, pa.ArrowException) as error:
        log.exception("history_import.failed", id=state["id"])
        state |= {"stage": "failed", "text": _FAILED.format(reason=_reason(error)).document()}
    except Exception:
        # The page tells that it stopped; the log has the bug.
        log.exception("history_import.broken", id=state["id"])
        state |= {"stage": "failed", "text": _FAILED.format(reason="bug").document()}
    finally:
        connections.close_all()
        work.folder.write(state)
    if state["stage"] == "loaded":
        # Only now: a process that is killed before has all it takes to go on.
        put_away(work.folder)


def reader_of(file: Path, layout: Layout) -> Reader:
    """Return the reader of a file."""
    if layout.format == "parquet":
        return ParquetReader(file, layout)
    return InfluxReader(file, layout) if layout.format == "influx" else CsvReader(file, layout)


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def _settled(work: Work, position: Any, found: tags.Tags) -> Iterator[tuple[Rows, Settled, int]]:
    """Give the rows of the file and what they are, and the size of what is read."""
    reader = reader_of(work.folder.upload, Layout.model_validate(work.state["layout"]))
    now = now_ms()
    for rows in reader.rows(position):
        if work.stop.is_set():
            return
        found.look_for(rows.names)
        yield rows, settle(rows, found, now), reader.size


def _check(work: Work) -> None:
    found = tags.Tags(work.author.tenant, work.state["create_below"])
    part = work.folder.refused.with_suffix(".part")
    tally = Tally.open(part, None)
    with tally.file:
        for rows, settled, size in _settled(work, None, found):
            tally.add(rows, settled)
            if rows.position is not None:
                seen = tally.values + tally.refused + tally.unknown_rows
                work.step(seen, int(seen * size / max(1, rows.done)))
        kept = tally.kept()
    work.state["stage"] = work.ended("checked")
    if work.state["stage"] == "checked":
        part.replace(work.folder.refused)
        write_unknown(unknown_file(work.folder), kept["unknown"])
        work.state |= {"counts": tally.counts(), "causes": tally.listed_causes(), "unknown": tally.listed_unknown()}
        work.state |= {"reached": None, "report": None}


def _load(work: Work) -> None:
    state = work.state
    began = time.monotonic()
    if state["create_below"] is not None and not state["reached"]:
        _create(work)
    reached = state["reached"] or {"position": None, "tally": None, "placed": {}, "seconds": 0.0}
    placed = {"stored": 0, "there": 0, "old": 0} | reached["placed"]
    tally = Tally.open(loading_file(work.folder.refused), reached["tally"])
    before = sum(placed.values())
    state["progress"]["from"] = before
    total = max(1, state["counts"]["values"])

    def stored(counts: dict[str, int]) -> None:
        for name, count in counts.items():
            placed[name] += count
        work.step(sum(placed.values()), total)

    def report() -> dict[str, Any]:
        seconds = round(reached["seconds"] + time.monotonic() - began, 1)
        return {**tally.counts(), **placed, "seconds": seconds, "finished_ms": now_ms()}

    def whole(position: Any, counted: dict[str, Any], told: dict[str, Any]) -> Callable[[dict[str, int]], None]:
        def mark(_counts: dict[str, int]) -> None:
            seconds = round(reached["seconds"] + time.monotonic() - began, 1)
            state["reached"] = {"position": position, "tally": counted, "placed": dict(placed), "seconds": seconds}
            state["report"] = told | placed | {"seconds": seconds}
            work.folder.write(state)

        return mark

    with tally.file, Sender(work.way.url, work.way.seed, work.way.authority, work.author.tenant.key, work.stop) as way:
        window = Window()
        found = tags.Tags(work.author.tenant, state["create_below"])
        for rows, settled, _size in _settled(work, reached["position"], found):
            tally.add(rows, settled)
            for part in settled.parts:
                window.add(part)
            if window.full and rows.position is not None:
                _send(work, way, window, stored)
                way.mark(whole(dict(rows.position), tally.kept(), report()))
        _send(work, way, window, stored)
        if not work.stop.is_set():
            way.drain()
        state["report"] = report()
        kept = tally.kept()
    state["stage"] = work.ended("loaded")
    if state["stage"] == "loaded":
        state |= {"unknown": tally.listed_unknown(), "causes": tally.listed_causes(), "reached": None}
        write_unknown(loading_file(unknown_file(work.folder)), kept["unknown"])
        _write_down(work)


def _send(work: Work, way: Sender, window: Window, stored: Callable[[dict[str, int]], None]) -> None:
    for piece in window.pieces():
        if work.stop.is_set():
            return
        way.send(piece, stored)


def _create(work: Work) -> None:
    """Make tags of the names that the check found unknown."""
    unknown = json.loads(unknown_file(work.folder).read_text(encoding="utf-8"))
    made, wrong = tags.create(work.author, list(unknown)[:UNKNOWN_MAX], work.state["create_below"])
    keys, everything = outbox.take()
    work.publish(keys, everything)
    work.state |= {"created": made, "text": None if wrong is None else wrong.document()}


def _write_down(work: Work) -> None:
    known = AuditEntry.objects.of(work.author.tenant)
    if known.filter(object_kind=KIND, object_id=work.state["id"]).exists():
        # A process that was killed after it wrote this down was not done.
        return
    report = work.state["report"]
    told = ("stored", "there", "refused", "unknown_rows", "first_ms", "last_ms")
    changes = {name: [None, report[name]] for name in told}
    append(work.author, [Deed(Action.ENTER, KIND, work.state["id"], work.state["name"], changes)])
