"""What is kept of an import on disk: the file as it came, its state, its faults and what it takes to undo it.

A folder per import, below one per tenant. Whoever works on an import holds its lock, which the system takes back when
the process ends, however it ends: work that nobody does any more is told from work under way, also that of a process
whose web role was killed, and no two processes ever work on one import.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final
from uuid import UUID

from mainspring.core.errors import Conflict
from mainspring.core.text import Text
from mainspring.records.record import absent

KEPT_MAX: Final = 50
"""Imports kept for each tenant; older ones are forgotten with their files."""
WORKING: Final = frozenset({"checking", "loading", "undoing"})
WAIT_S: Final = 1.0
"""Whoever only looks holds the lock for a moment."""
LEAVE_S: Final = 60.0
"""A process whose web role was killed leaves within this time, after the piece under way."""
LOOK_S: Final = 0.02
UNDER_WAY: Final = Text("This import is being worked on. Wait for it, or cancel it.", "此导入正在处理，请等待或取消。")


def now_ms() -> int:
    """Return the time in milliseconds UTC."""
    return time.time_ns() // 1_000_000


class ImportFolder:
    """The files of one import."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.upload = path / "upload"
        self.faults = path / "faults.jsonl"
        self.refused = path / "refused.jsonl"
        self.deeds = path / "undo.jsonl"
        self._lock = path / "lock"

    @contextmanager
    def alone(self, wait_s: float = WAIT_S) -> Iterator[None]:
        """Work on the import while no other process does; raises Conflict if one still does after `wait_s`."""
        until_s = time.monotonic() + wait_s
        with self._lock.open("a") as lock:
            while not _locked(lock, fcntl.LOCK_EX):
                if time.monotonic() >= until_s:
                    raise Conflict(UNDER_WAY)
                time.sleep(LOOK_S)
            yield

    def held(self) -> bool:
        """Tell whether someone works on the import."""
        try:
            with self._lock.open() as lock:
                return not _locked(lock, fcntl.LOCK_SH)
        except FileNotFoundError:
            return False

    def state(self, *, waiting: bool = False) -> dict[str, Any]:
        """Return the state; work that nobody does any more is `interrupted`, unless it waits for its turn."""
        # Asked first: whoever ends meanwhile has written how.
        held = waiting or self.held()
        state: dict[str, Any] = json.loads((self.path / "state.json").read_text(encoding="utf-8"))
        if not held and state["stage"] in WORKING:
            state["stage"] = "interrupted"
        return state

    def resumed(self, stage: str) -> dict[str, Any]:
        """Return the state to work from, for whoever is alone and was asked to do what `stage` says."""
        state = self.state(waiting=True)
        if state["stage"] == "interrupted":
            # Between the asking and now a process had it whose web role was killed: it left at once.
            state |= {"stage": stage, "text": None}
        return state

    def worked_on(self) -> bool:
        """Tell whether some process is at it."""
        try:
            return self.state()["stage"] in WORKING
        except (OSError, ValueError):
            return False

    def write(self, state: dict[str, Any]) -> None:
        """Keep a state, as a whole or not at all."""
        state["heartbeat_ms"] = now_ms()
        part = self.path / "state.json.part"
        part.write_text(json.dumps(state, ensure_ascii=False, default=str), encoding="utf-8")
        part.replace(self.path / "state.json")

    def lines(self, file: Path) -> Iterator[Any]:
        """Yield the documents of one of its files, none if it is not there."""
        if file.exists():
            with file.open(encoding="utf-8") as opened:
                for line in opened:
                    yield json.loads(line)


class ImportStore:
    """The imports of all tenants in one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def make(self, tenant: str, id: UUID, content: bytes, spared: Container[UUID] = ()) -> ImportFolder:
        """Keep an uploaded file under a new id; the oldest go, but none that is worked on or in `spared`."""
        folder = ImportFolder(self._root / tenant / str(id))
        folder.path.mkdir(parents=True, mode=0o700)
        folder.upload.write_bytes(content)
        for path in sorted(folder.path.parent.iterdir(), reverse=True)[KEPT_MAX:]:
            if UUID(path.name) not in spared and not ImportFolder(path).worked_on():
                shutil.rmtree(path, ignore_errors=True)
        return folder

    def scratch(self) -> Path:
        """Return the folder for files that are read at once and not kept."""
        place = self._root / ".read"
        place.mkdir(parents=True, mode=0o700, exist_ok=True)
        return place

    def find(self, tenant: str, id: UUID) -> ImportFolder:
        """Return an import of the tenant; raises NotFound."""
        folder = ImportFolder(self._root / tenant / str(id))
        if not (folder.path / "state.json").exists():
            raise absent("import", id)
        return folder

    def of(self, tenant: str) -> list[ImportFolder]:
        """Return a tenant's imports, newest first."""
        place = self._root / tenant
        names = sorted((each.name for each in place.iterdir()), reverse=True) if place.exists() else []
        return [folder for name in names if ((folder := ImportFolder(place / name)).path / "state.json").exists()]

    def forget(self, tenant: str, id: UUID) -> None:
        """Remove an import with its files; what it loaded stays."""
        shutil.rmtree(self.find(tenant, id).path, ignore_errors=True)


def _locked(lock: IO[str], how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
