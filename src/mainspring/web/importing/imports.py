"""Imports of history: files that come in parts, are looked through, and loaded by a process of its own.

The same folders as for imports of tags, elsewhere: what lies in an import's folder is all that this process and the
other know of it in common.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from mainspring.core.errors import Conflict, LimitExceeded, MainspringError, StoreError
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.history.importing.layout import Layout, check_layout
from mainspring.history.importing.rows import CAUSES
from mainspring.records.audit import Author
from mainspring.records.faults import Invalid
from mainspring.records.importing.files import UNDER_WAY, WORKING, ImportFolder, ImportStore, now_ms
from mainspring.records.importing.formulas import neutral
from mainspring.records.importing.processes import Errand, Processes
from mainspring.records.importing.work import INTERRUPTED
from mainspring.records.outbox import outbox
from mainspring.web.importing.tally import put_away, unknown_file

FILE_BYTES_MAX: Final = 64 * 1024**3
DISK_FREE_MIN: Final = 2 * 1024**3
UPLOADING_MAX: Final = 8
"""Files of one tenant that have not come whole."""
WAITING_MAX: Final = 8
TASKS_SHOWN: Final = 10
READ_S: Final = 60.0
SETTLE_S: Final = 5.0

_NOT_WHOLE: Final = Text(
    "Of {name} {received} of {size} bytes are here. Send the rest first.",
    "{name} 已收到 {received} / {size} 字节，请先上传其余部分。",
)
_OTHER_OFFSET: Final = Text("The next part begins at byte {received}.", "下一部分应从第 {received} 字节开始。")
_TOO_LONG: Final = Text("The part goes beyond the end of the file.", "该部分超出文件末尾。")
_TOO_LARGE: Final = Text("The file is larger than {limit} GB. Import it in parts.", "文件超过 {limit} GB，请分批导入。")
_NO_SPACE: Final = Text(
    "The disk has {free} MB left, too little for this file. Free some space, or import on the platform's machine.",
    "磁盘仅剩 {free} MB，无法存放该文件。请释放空间，或在平台所在机器上导入。",
)
_MANY: Final = Text(
    "{limit} files are on their way already. Send one to its end, or forget it.",
    "已有 {limit} 个文件在上传，请先完成或移除其中一个。",
)
_BUSY: Final = Text(
    "{limit} imports are waiting already. Try again in a minute.", "已有 {limit} 个导入在等待，请稍后再试。"
)
_NOT_CHECKED: Final = Text("Check this import first.", "请先预检此导入。")
_NOT_TOLD: Final = Text("Say how the file is read first.", "请先指定文件的读取方式。")
_LOADED: Final = Text("This import is done; its file is gone. Send it again.", "此导入已完成，文件已删除，请重新上传。")
_UNREADABLE: Final = Text(
    "{name} could not be read within a minute. Send it as CSV or Parquet.",
    "无法在一分钟内读取 {name}，请以 CSV 或 Parquet 发送。",
)
_NO_ZONE: Final = Text("{zone} is no time zone. Write it as Asia/Shanghai.", "{zone} 不是时区，请写成 Asia/Shanghai。")
HEADS: Final = {"en": ("Line", "Reason", "Content"), "zh": ("行号", "原因", "内容")}


@dataclass(frozen=True, slots=True)
class Bus:
    """Where the importing process finds the bus, and its key."""

    url: str
    seed: Path
    authority: Path | None = None


class HistoryImports:
    """The imports of history of all tenants, of which `workers` do one at a time."""

    def __init__(self, root: Path, workers: Processes, readers: Processes) -> None:
        self.store = ImportStore(root)
        self._workers, self._readers = workers, readers
        self._lock = threading.Lock()
        self._under: dict[UUID, Errand] = {}

    def close(self) -> None:
        """End the processes; what they are at is left as interrupted."""
        self._readers.close()
        self._workers.close()

    # Files

    def add(self, author: Author, name: str, size: int) -> dict[str, Any]:
        """Begin an import of a file of so many bytes, which come afterwards."""
        if size > FILE_BYTES_MAX:
            raise LimitExceeded(_TOO_LARGE, limit=FILE_BYTES_MAX >> 30)
        waiting = [each for each in self.all(author) if each["stage"] == "uploading"]
        if len(waiting) >= UPLOADING_MAX:
            raise LimitExceeded(_MANY, limit=UPLOADING_MAX)
        self._require_space(size)
        id = uuid7()
        with self._lock:
            spared = frozenset(self._under) | {UUID(each["id"]) for each in waiting}
        folder = self.store.make(author.tenant.key, id, b"", spared)
        state = new_state(author, id, name, size)
        folder.write(state)
        return state | {"received": 0}

    def append(self, author: Author, id: UUID, offset: int, part: bytes) -> dict[str, Any]:
        """Take a part of the file; one that does not follow what is there is refused with what is there."""
        folder = self.store.find(author.tenant.key, id)
        with self._lock:
            state = folder.state(waiting=True)
            received = folder.upload.stat().st_size if state["stage"] == "uploading" else state["bytes"]
            if offset != received or state["stage"] != "uploading":
                raise Conflict(_OTHER_OFFSET, received=received)
            if received + len(part) > state["bytes"]:
                raise Invalid({"file": _TOO_LONG})
            self._require_space(len(part))
            with folder.upload.open("ab") as out:
                try:
                    out.write(part)
                    out.flush()
                except OSError:
                    out.truncate(received)
                    raise
                os.fsync(out.fileno())
        if received + len(part) == state["bytes"]:
            return self._looked_into(author, folder, state)
        return state | {"received": received + len(part)}

    def _looked_into(self, author: Author, folder: ImportFolder, state: dict[str, Any]) -> dict[str, Any]:
        """Read the beginning of a file that is whole, in a process of its own, and guess at its layout."""
        wanted = {"file": str(folder.upload), "name": state["name"], "zone": author.tenant.zone}
        errand = Errand({"read": wanted})
        self._readers.send(errand)
        errand.ended.wait(READ_S)
        if errand.answer is None:
            self._readers.cancel(errand)
        found = errand.answer or {"refused": _UNREADABLE.format(name=state["name"]).document()}
        if "refused" in found:
            state |= {"stage": "failed", "text": found["refused"]}
        else:
            state |= {"stage": "columns", **found}
            self._workers.send(Errand({"prepare": {}}))
        folder.write(state)
        return state | {"received": state["bytes"]}

    def _require_space(self, size: int) -> None:
        place = self.store.scratch()
        free = shutil.disk_usage(place).free
        if free < size + DISK_FREE_MIN:
            raise StoreError(_NO_SPACE, free=free >> 20)

    # What is there

    def get(self, author: Author, id: UUID) -> dict[str, Any]:
        """Return the state of an import; raises NotFound."""
        with self._lock:
            under = id in self._under
        folder = self.store.find(author.tenant.key, id)
        state = folder.state(waiting=under)
        if state["stage"] == "loaded" and os.path.lexists(folder.upload):
            put_away(folder)
        return _public(state, folder)

    def all(self, author: Author) -> list[dict[str, Any]]:
        """Return the imports of the tenant, newest first."""
        return [self.get(author, UUID(folder.path.name)) for folder in self.store.of(author.tenant.key)]

    def tasks(self, author: Author) -> list[dict[str, Any]]:
        """Return how far the last imports of a person are, newest first."""
        newest = self.store.of(author.tenant.key)[:TASKS_SHOWN]
        found = (self.get(author, UUID(folder.path.name)) for folder in newest)
        return [_task(each) for each in found if each["by"] == str(author.pseudonym) and each["stage"] != "uploading"]

    def refused(self, author: Author, id: UUID, language: str) -> Iterator[bytes]:
        """Yield the refused rows as CSV: line, reason, content."""
        folder = self.store.find(author.tenant.key, id)
        yield b"\xef\xbb\xbf" + _csv(HEADS.get(language, HEADS["en"]))
        for row in folder.lines(folder.refused):
            text = CAUSES[row["cause"]]
            yield _csv((row["line"], text.zh if language == "zh" else text.en, row["content"]))

    def unknown(self, author: Author, id: UUID) -> Iterator[bytes]:
        """Yield the names that nobody has as CSV, with how many rows each has."""
        folder = self.store.find(author.tenant.key, id)
        yield b"\xef\xbb\xbf" + _csv(("path", "rows"))
        with suppress(FileNotFoundError):
            names = json.loads(unknown_file(folder).read_text(encoding="utf-8"))
            for name, count in names.items():
                yield _csv((name, count))

    # What is to be done

    def check(self, author: Author, id: UUID, layout: Layout, bus: Bus) -> dict[str, Any]:
        """Begin to look through a file as its layout says; nothing is stored."""
        state = self.get(author, id)
        if state["stage"] == "uploading":
            raise Conflict(_NOT_WHOLE, name=state["name"], received=state["received"], size=state["bytes"])
        if state["stage"] == "loaded":
            raise Conflict(_LOADED)
        if "columns" not in state:
            raise Conflict(_NOT_TOLD)
        try:
            check_layout(layout, state["columns"])
            ZoneInfo(layout.zone)
        except MainspringError as error:
            raise Invalid({"layout": error.text}) from error
        except (ValueError, KeyError, OSError) as error:
            raise Invalid({"layout.zone": _NO_ZONE.format(zone=layout.zone)}) from error
        more: dict[str, Any] = {
            "layout": layout.model_dump(),
            "counts": None,
            "causes": [],
            "unknown": [],
            "reached": None,
        }
        return self._begin(author, id, "checking", more, bus)

    def load(self, author: Author, id: UUID, create_below: str | None, bus: Bus) -> dict[str, Any]:
        """Begin to store, or go on where it ended; `create_below`: make tags of names that nobody has."""
        state = self.get(author, id)
        if state["stage"] == "loaded":
            raise Conflict(_LOADED)
        if state["stage"] in WORKING:
            raise Conflict(UNDER_WAY)
        if state["counts"] is None or state["stage"] not in {"checked", "cancelled", "failed", "interrupted"}:
            raise Conflict(_NOT_CHECKED)
        # What was begun goes on as it was.
        more = {} if state["report"] else {"create_below": create_below}
        return self._begin(author, id, "loading", more, bus)

    def cancel(self, author: Author, id: UUID) -> dict[str, Any]:
        """Stop after the piece under way; what is stored stays."""
        state = self.get(author, id)
        with self._lock:
            errand = self._under.get(id)
        if errand is not None:
            self._workers.cancel(errand)
        return state

    def forget(self, author: Author, id: UUID) -> None:
        """Remove an import that is not worked on; what it stored stays."""
        folder = self.store.find(author.tenant.key, id)
        self._require_rest(id)
        with folder.alone(), self._lock:
            self._require_rest(id)
            self.store.forget(author.tenant.key, id)

    def _begin(self, author: Author, id: UUID, stage: str, more: dict[str, Any], bus: Bus) -> dict[str, Any]:
        folder = self.store.find(author.tenant.key, id)
        with self._lock:
            before = self._under.get(id)
        if before is not None and folder.state(waiting=True)["stage"] not in WORKING:
            # Its state says that it is done, its process is about to.
            before.ended.wait(SETTLE_S)
        task = {
            "folder": str(folder.path), "stage": stage, "tenant": author.tenant.key, "address": author.address,
            "pseudonym": str(author.pseudonym) if author.pseudonym else "", "url": bus.url, "seed": str(bus.seed),
            "authority": str(bus.authority or ""),
        }  # fmt: skip
        errand = Errand({"work": task}, heard=_heard, finish=partial(self._settle, id, folder))
        self._require_rest(id)
        with folder.alone(SETTLE_S), self._lock:
            self._require_rest(id)
            if len(self._under) >= WAITING_MAX:
                raise LimitExceeded(_BUSY, limit=WAITING_MAX)
            state = folder.state(waiting=True)
            if state["stage"] == "loaded":
                # The process of a web role that was killed has just finished it.
                raise Conflict(_LOADED)
            state |= {"stage": stage, "text": None, "asked_ms": now_ms(), "by": str(author.pseudonym)} | more
            state["progress"] = new_progress(state)
            folder.write(state)
            self._under[id] = errand
        self._workers.send(errand)
        return _public(state, folder)

    def _require_rest(self, id: UUID) -> None:
        """Raise Conflict while this process has an import under way."""
        if id in self._under:
            raise Conflict(UNDER_WAY)

    def _settle(self, id: UUID, folder: ImportFolder, errand: Errand) -> None:
        """Leave the state of an import at the truth, however its process ended."""
        if errand.answer is None and not errand.cancelled:
            # Tags that it made it may not have told.
            outbox.compare()
        # If another process has it by now, that one tells.
        with suppress(OSError, ValueError, Conflict), folder.alone():
            state = folder.state(waiting=True)
            if state["stage"] in WORKING:
                cancelled = errand.cancelled and errand.answer is None
                text = None if cancelled else INTERRUPTED.document()
                state |= {"stage": "cancelled" if cancelled else "interrupted", "text": text}
                folder.write(state)
        with self._lock:
            del self._under[id]


def new_state(author: Author, id: UUID, name: str, size: int) -> dict[str, Any]:
    """Return the state that an import begins with."""
    return {
        "id": str(id), "name": name, "bytes": size, "created_ms": now_ms(), "stage": "uploading",
        "by": str(author.pseudonym), "layout": {}, "counts": None, "causes": [], "unknown": [], "report": None,
        "reached": None, "create_below": None, "created": 0, "text": None,
        "progress": {"done": 0, "total": 0, "started_ms": 0, "rows_per_s": 0, "from": 0},
    }  # fmt: skip


def new_progress(state: dict[str, Any]) -> dict[str, int]:
    """Return how far an import is that begins, or goes on."""
    total = state["counts"]["values"] if state["counts"] else 0
    done = sum(state["reached"]["placed"].values()) if state["reached"] else 0
    return {"done": done, "total": total, "started_ms": now_ms(), "rows_per_s": 0, "from": done}


def _public(state: dict[str, Any], folder: ImportFolder) -> dict[str, Any]:
    received = state["bytes"]
    if state["stage"] == "uploading":
        received = folder.upload.stat().st_size
    return {name: value for name, value in state.items() if name != "reached"} | {"received": received}


def _task(state: dict[str, Any]) -> dict[str, Any]:
    shown = {name: state[name] for name in ("id", "name", "stage", "created_ms", "progress", "report", "text")}
    asked_ms = state.get("asked_ms", state["heartbeat_ms"])
    until_ms = now_ms() if state["stage"] in WORKING else state["heartbeat_ms"]
    return shown | {"kind": "history", "asked_ms": asked_ms, "elapsed_ms": until_ms - asked_ms}


def _csv(cells: tuple[Any, ...]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerow(map(neutral, cells))
    return written.getvalue().encode()


def _heard(message: dict[str, Any]) -> None:
    if message["everything"]:
        outbox.compare()
    outbox.add(message["keys"])
