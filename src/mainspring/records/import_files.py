"""What is kept of an import on disk: the file as it came, its state, its faults and what it takes to undo it.

A folder per import, below one per tenant. The state carries a heartbeat: work whose process is gone is told from work
under way.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from mainspring.records.record import absent

KEPT_MAX: Final = 50
"""Imports kept for each tenant; older ones are forgotten with their files."""
HEARTBEAT_MAX_MS: Final = 15_000
WORKING: Final = frozenset({"checking", "loading", "undoing"})


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

    def state(self, *, waiting: bool = False) -> dict[str, Any]:
        """Return the state; work that nobody does any more is `interrupted`, unless it waits for its turn."""
        state: dict[str, Any] = json.loads((self.path / "state.json").read_text(encoding="utf-8"))
        if not waiting and state["stage"] in WORKING and now_ms() - state["heartbeat_ms"] > HEARTBEAT_MAX_MS:
            state["stage"] = "interrupted"
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
