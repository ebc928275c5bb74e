"""Imports from sheets: columns guessed, checked without writing, loaded in pieces, undone while unchanged.

The work itself is done in processes of its own (`import_processes`, `import_work`), so that requests are answered
meanwhile; what lies in an import's folder is all that this process and those know of it in common.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import structlog

from mainspring.core.errors import Conflict, LimitExceeded
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records.access.passing import passed
from mainspring.records.audit import Author
from mainspring.records.defined.access import Access
from mainspring.records.faults import Invalid
from mainspring.records.importing.files import UNDER_WAY, WORKING, ImportFolder, ImportStore, now_ms
from mainspring.records.importing.imported import Field
from mainspring.records.importing.processes import Errand, Processes
from mainspring.records.importing.tag_columns import guess
from mainspring.records.importing.work import INTERRUPTED, TAGS, imported_of
from mainspring.records.outbox import outbox

log = structlog.get_logger(__name__)

WAITING_MAX: Final = 8
READ_S: Final = 60.0
"""How long a person waits for the columns of a file."""
SAMPLED: Final = 50
"""Rows among which each column's sample is looked for."""
FIXES_MAX: Final = 10_000
TASKS_SHOWN: Final = 10
SETTLE_S: Final = 5.0

_BUSY: Final = Text(
    "{limit} imports are waiting already. Try again in a minute.", "已有 {limit} 个导入在等待，请稍后再试。"
)
_UNREADABLE: Final = Text(
    "{name} could not be read within the time and memory an import may take. Send it in parts, or as CSV.",
    "无法在导入允许的时间和内存内读取 {name}，请分批或以 CSV 发送。",
)
_NOT_CHECKED: Final = Text("Check this import first.", "请先预检此导入。")
_NOT_LOADED: Final = Text("Nothing of this import was loaded.", "此导入尚未载入任何内容。")
_CELLS: Final = Text(
    "At most {limit} cells are put right here. Correct the file.", "最多可在此修正 {limit} 处，请修改文件。"
)


@dataclass(frozen=True, slots=True)
class _Under:
    """An import under way, or waiting for its turn."""

    folder: ImportFolder
    tenant: Any
    errand: Errand


class Imports:
    """The imports this process has done: `workers` check, load and take back, `readers` look into what is uploaded."""

    def __init__(self, store: ImportStore, workers: Processes, readers: Processes) -> None:
        self.store = store
        self._workers, self._readers = workers, readers
        self._lock = threading.Lock()
        self._under: dict[UUID, _Under] = {}

    def close(self) -> None:
        """End the processes; what they are at is left as interrupted."""
        self._readers.close()
        self._workers.close()

    def add(
        self, author: Author, name: str, content: bytes, kind: str = TAGS, access: Access | None = None
    ) -> dict[str, Any]:
        """Take a file and guess its columns; raises Invalid, in one sentence, for one that is no sheet."""
        known = imported_of(kind).fields(_access(author, access))
        id = uuid7()
        with self._lock:
            spared = frozenset(self._under)
        folder = self.store.make(author.tenant.key, id, content, spared)
        try:
            (head, *rows), total = self._read(folder.upload, name, SAMPLED)
        except BaseException:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
        state = {
            "id": str(id), "name": name, "bytes": len(content), "created_ms": now_ms(), "stage": "columns",
            "by": str(author.pseudonym), "kind": kind, "rows": total, "columns": _columns(head, rows, known),
            "first": [*rows, []][0],
            "options": {}, "fixes": [], "counts": None, "causes": [], "report": None, "text": None,
            "progress": {"done": 0, "total": total, "started_ms": 0, "rows_per_s": 0},
        }  # fmt: skip
        folder.write(state)
        # The process is ready when its columns are settled.
        self._workers.send(Errand({"prepare": {}}))
        return state

    def rows(self, name: str, content: bytes, rows_max: int) -> tuple[list[list[str]], int]:
        """Read a file into rows of text, its head first, and say how many more it has; nothing is kept."""
        with tempfile.TemporaryDirectory(dir=self.store.scratch()) as place:
            upload = Path(place) / "upload"
            upload.write_bytes(content)
            rows, total = self._read(upload, name, rows_max)
        return rows, max(0, total - rows_max)

    def _read(self, upload: Path, name: str, rows_max: int) -> tuple[list[list[str]], int]:
        errand = Errand({"read": {"file": str(upload), "name": name, "rows": rows_max}})
        self._readers.send(errand)
        errand.ended.wait(READ_S)
        if errand.answer is None:
            self._readers.cancel(errand)
        found = errand.answer or {"refused": _UNREADABLE.format(name=name).document()}
        if "refused" in found:
            text = Text.of(found["refused"])
            raise Invalid({"file": text}, text)
        return found["rows"], found["total"]

    def get(self, author: Author, id: UUID) -> dict[str, Any]:
        """Return the state of an import; raises NotFound."""
        with self._lock:
            under = id in self._under
        return self.store.find(author.tenant.key, id).state(waiting=under)

    def all(self, author: Author) -> list[dict[str, Any]]:
        """Return the imports of the tenant, newest first."""
        return [self.get(author, UUID(folder.path.name)) for folder in self.store.of(author.tenant.key)]

    def tasks(self, author: Author) -> list[dict[str, Any]]:
        """Return how far the last imports of a person are, newest first, without what only their pages show."""
        newest = self.store.of(author.tenant.key)[:TASKS_SHOWN]
        found = (self.get(author, UUID(folder.path.name)) for folder in newest)
        return [_task(each) for each in found if each.get("by") == str(author.pseudonym)]

    def check(self, author: Author, id: UUID, options: dict[str, Any], access: Access | None = None) -> dict[str, Any]:
        """Begin the dry run with columns as people settled them; raises Invalid for a layout that cannot work."""
        imported_of(self._kind(author, id)).layout(options, _access(author, access))
        return self._begin(author, id, "checking", {"options": options, "counts": None, "causes": []}, access)

    def fix(
        self, author: Author, id: UUID, fixes: list[dict[str, Any]], access: Access | None = None
    ) -> dict[str, Any]:
        """Put cells right, one or all alike, and check again; the file itself stays as it came."""
        state = self.get(author, id)
        known = [*state["fixes"], *fixes]
        if len(known) > FIXES_MAX:
            raise LimitExceeded(_CELLS, limit=FIXES_MAX)
        if not state["options"]:
            raise Conflict(_NOT_CHECKED)
        return self._begin(author, id, "checking", {"fixes": known, "counts": None, "causes": []}, access)

    def load(self, author: Author, id: UUID, access: Access | None = None) -> dict[str, Any]:
        """Begin to store the rows that are right."""
        state = self.get(author, id)
        if state["stage"] in WORKING:
            raise Conflict(UNDER_WAY)
        if state["counts"] is None or state["stage"] not in {"checked", "cancelled", "failed", "interrupted"}:
            raise Conflict(_NOT_CHECKED)
        return self._begin(author, id, "loading", {}, access)

    def undo(self, author: Author, id: UUID, access: Access | None = None) -> dict[str, Any]:
        """Begin to take back what was loaded and not changed since."""
        folder = self.store.find(author.tenant.key, id)
        # Once it is undone its process puts the deeds away, but says so before.
        if not folder.deeds.exists() or folder.state(waiting=True)["stage"] == "undone":
            raise Conflict(_NOT_LOADED)
        return self._begin(author, id, "undoing", {}, access)

    def cancel(self, author: Author, id: UUID) -> dict[str, Any]:
        """Stop after the piece under way; what is loaded stays."""
        state = self.get(author, id)
        with self._lock:
            under = self._under.get(id)
        if under is not None:
            self._workers.cancel(under.errand)
        return state

    def forget(self, author: Author, id: UUID) -> None:
        """Remove an import that is not worked on."""
        folder = self.store.find(author.tenant.key, id)
        self._require_rest(id)
        with folder.alone(), self._lock:
            self._require_rest(id)
            self.store.forget(author.tenant.key, id)

    def faults(self, author: Author, id: UUID, cause: str, offset: int, limit: int) -> tuple[list[Any], int]:
        """Return some faults of a check, of one cause or all, and how many there are."""
        folder = self.store.find(author.tenant.key, id)
        found = [each for each in folder.lines(folder.faults) if not cause or each["cause"] == cause]
        return found[offset : offset + limit], len(found)

    def refused(self, author: Author, id: UUID, language: str) -> Iterator[list[str]]:
        """Yield the refused rows as they are, each with its number and the reasons, after a head."""
        folder = self.store.find(author.tenant.key, id)
        head = [column["title"] for column in folder.state()["columns"]]
        reasons: dict[int, list[str]] = {}
        for each in folder.lines(folder.faults):
            words = each["text"].get(language) or each["text"]["en"]
            reasons.setdefault(each["row"], []).append(f"{each['column'] or each['field']}: {words}")
        yield [*head, *({"en": ("Row", "Reason"), "zh": ("行号", "原因")}.get(language, ("Row", "Reason")))]
        for row in folder.lines(folder.refused):
            padded = [*row["cells"], *[""] * (len(head) - len(row["cells"]))]
            yield [*padded, str(row["row"]), "; ".join(reasons.get(row["row"], []))]

    def _kind(self, author: Author, id: UUID) -> str:
        found: str = self.get(author, id).get("kind", TAGS)
        return found

    def _begin(
        self, author: Author, id: UUID, stage: str, more: dict[str, Any], access: Access | None
    ) -> dict[str, Any]:
        folder = self.store.find(author.tenant.key, id)
        with self._lock:
            before = self._under.get(id)
        if before is not None and folder.state(waiting=True)["stage"] not in WORKING:
            # Its state says that it is done, its process is about to.
            before.errand.ended.wait(SETTLE_S)
        task = {"folder": str(folder.path), "stage": stage, "access": passed(_access(author, access))}
        errand = Errand({"work": task}, heard=_heard, finish=partial(self._settle, id))
        self._require_rest(id)
        with folder.alone(SETTLE_S), self._lock:
            self._require_rest(id)
            if len(self._under) >= WAITING_MAX:
                raise LimitExceeded(_BUSY, limit=WAITING_MAX)
            state = folder.state(waiting=True)
            if state["stage"] == "undone":
                # Its process may have been killed before it put away what had served.
                folder.deeds.unlink(missing_ok=True)
            progress = {"done": 0, "total": state["rows"], "started_ms": now_ms(), "rows_per_s": 0}
            asked = {"asked_ms": now_ms(), "by": str(author.pseudonym)}
            state |= {"stage": stage, "text": None, "progress": progress} | asked | more
            folder.write(state)
            self._under[id] = _Under(folder, author.tenant, errand)
        self._workers.send(errand)
        return state

    def _require_rest(self, id: UUID) -> None:
        """Raise Conflict while this process has an import under way."""
        if id in self._under:
            raise Conflict(UNDER_WAY)

    def _settle(self, id: UUID, errand: Errand) -> None:
        """Leave the state of an import at the truth, however its process ended."""
        with self._lock:
            folder = self._under[id].folder
        if errand.answer is None and not errand.cancelled:
            # What it stored last it may not have told.
            outbox.compare()
        # If another process has it by now, that one tells.
        with suppress(OSError, ValueError, Conflict), folder.alone():
            state = folder.state(waiting=True)
            if state["stage"] in WORKING:
                cancelled = errand.cancelled and errand.answer is None
                state |= (
                    {"stage": "cancelled"} if cancelled else {"stage": "interrupted", "text": INTERRUPTED.document()}
                )
                folder.write(state)
        with self._lock:
            del self._under[id]


def _access(author: Author, access: Access | None) -> Access:
    return access or Access(author, frozenset())


def _columns(head: list[str], rows: list[list[str]], known: Mapping[str, Field]) -> list[dict[str, Any]]:
    """Say what each column of a sheet is called, holds and probably is."""
    return [
        {
            "title": title,
            "sample": next((row[place] for row in rows if place < len(row) and row[place]), ""),
            "field": found.field,
            "sure": found.sure,
        }
        for place, (title, found) in enumerate(zip(head, guess(head, known), strict=True))
    ]


def _task(state: dict[str, Any]) -> dict[str, Any]:
    shown = {name: state[name] for name in ("id", "name", "stage", "created_ms", "progress", "report", "text")}
    shown["of"] = state.get("kind", TAGS)
    asked_ms = state.get("asked_ms", state["heartbeat_ms"])
    until_ms = now_ms() if state["stage"] in WORKING else state["heartbeat_ms"]
    return shown | {"kind": "import", "asked_ms": asked_ms, "elapsed_ms": until_ms - asked_ms}


def _heard(message: dict[str, Any]) -> None:
    if message["everything"]:
        outbox.compare()
    outbox.add(message["keys"])
