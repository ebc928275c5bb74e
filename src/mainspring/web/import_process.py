"""The process that imports are done in: `python -m mainspring.web.import_process`, started by the web role alone.

It knows the records and no keys, and takes no more memory than it may. What only reads a file never opens the records.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import resource
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, Protocol

from mainspring.web.configure import WebSettings, configure

MEMORY_MAX_BYTES: Final = 3 * 2**30
"""Address space; a file at every limit takes half of it."""


class Stoppable(Protocol):
    """Work that ends after the piece under way when `stop` is set."""

    stop: threading.Event


class Process:
    """Reads what is to be done from one end, does it, and answers at the other."""

    def __init__(self, settings: WebSettings, asked: IO[str], answers: IO[str]) -> None:
        self._settings, self._asked, self._answers = settings, asked, answers
        self._tasks: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._work: Stoppable | None = None
        self._lost = threading.Event()

    def run(self) -> None:
        """Work until the other end hangs up."""
        threading.Thread(target=self._listen, daemon=True).start()
        deeds = {"read": self._read, "prepare": self._prepare, "work": self._do}
        while (task := self._tasks.get()) is not None:
            ((kind, wanted),) = task.items()
            self._say({"done": deeds[kind](wanted)})

    def _listen(self) -> None:
        for line in self._asked:
            message = json.loads(line)
            if "cancel" not in message:
                self._tasks.put(message)
            elif self._work is not None:
                self._work.stop.set()
        self._lost.set()
        if self._work is not None:
            self._work.stop.set()
        self._tasks.put(None)

    def _say(self, message: dict[str, Any]) -> None:
        # Whoever asked may be gone: what was done stays done.
        with self._lock, suppress(OSError):
            self._answers.write(json.dumps(message, default=str) + "\n")
            self._answers.flush()

    def _read(self, wanted: dict[str, Any]) -> dict[str, Any]:
        from mainspring.records.importing.sheets import NotASheet, read_once

        try:
            sheet = read_once(Path(wanted["file"]), wanted["name"])
        except NotASheet as error:
            return {"refused": error.text.document()}
        return {"rows": [sheet.head, *sheet.rows[: wanted["rows"]]], "total": len(sheet.rows)}

    def _prepare(self, _wanted: dict[str, Any]) -> dict[str, Any]:
        configure(self._settings)
        # What takes a second is done before it is waited for.
        import mainspring.records.importing.work  # noqa: F401
        from mainspring.records.search_words import words

        words("轴承")
        return {}

    def _do(self, wanted: dict[str, Any]) -> dict[str, Any]:
        configure(self._settings)
        from mainspring.records.access.passing import taken
        from mainspring.records.importing.files import LEAVE_S, WORKING, ImportFolder
        from mainspring.records.importing.work import Work, do
        from mainspring.records.in_force import enter

        access = taken(wanted["access"])
        enter(access.author.tenant)
        folder = ImportFolder(Path(wanted["folder"]))
        with folder.alone(LEAVE_S):
            state = folder.resumed(wanted["stage"])
            if state["stage"] in WORKING:
                work = Work(folder, state, access.author, publish=self._publish, lost=self._lost, granted=access)
                self._under_way(work, lambda: do(work))
        return {}

    def _under_way(self, work: Stoppable, done: Callable[[], None]) -> None:
        """Do work that can be stopped from the other end."""
        self._work = work
        if self._lost.is_set():
            work.stop.set()
        try:
            done()
        finally:
            self._work = None

    def _publish(self, keys: set[str], everything: bool) -> None:
        self._say({"keys": sorted(keys), "everything": everything})


def begin() -> tuple[IO[str], IO[str]]:
    """Set the limits of such a process; returns where it is asked and where it answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    # Whatever else prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Rows of a large file are looked through by the collector again and again, and never are garbage.
    gc.set_threshold(50_000, 50, 100)
    return sys.stdin, answers


if __name__ == "__main__":
    asked, answers = begin()
    Process(WebSettings.model_validate_json(sys.stdin.readline()), asked, answers).run()
