"""Holding still for a backup: what the historian owns, linked and copied at one instant between two appends.

Parts of tables never change once they are written; linking them takes no space until merges replace them.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from mainspring.core import subjects
from mainspring.core.errors import NotFound, StoreError, reason_of
from mainspring.core.text import Text

FOLDER: Final = "frozen"
_NOT_KEPT: Final = frozenset({"lock", "engine.xml", "cold.part"})
"""Files of the history's folder that only mean something to the process that has it open."""

_FAILED: Final = Text(
    "The history in {folder} could not be held still for a backup ({reason}). Look at the disk, and take it again.",
    "无法为备份冻结 {folder} 中的历史库（{reason}）。请检查磁盘后重新备份。",
)
_VERB: Final = Text("The historian knows no {subject}.", "历史服务不支持 {subject}。")


@runtime_checkable
class Freezes(Protocol):
    """A store whose parts lie in a folder here."""

    def freeze(self) -> Path:
        """Link every part that is in use now, in the place of what was linked before; return where the links are."""

    def thaw(self) -> None:
        """Remove the links."""


class Freezing:
    """Answers `ms.backup.freeze` and `ms.backup.thaw`: one backup at a time, the next one takes the last one's place.

    `threads` are those that change what is kept, in the order in which they may wait for each other.
    """

    def __init__(self, store: object, folder: Path, threads: Sequence[ThreadPoolExecutor]) -> None:
        self._store = store
        self._folder = folder
        self._threads = threads

    async def answer(self, subject: str, _payload: bytes) -> bytes:
        """Do what is asked; a freeze answers `{"parts": folder or null, "state": folder}`."""
        work = {subjects.FREEZE: self._freeze, subjects.THAW: self._thaw}.get(subject)
        if work is None:
            raise NotFound(_VERB, subject=subject)
        try:
            return json.dumps(await asyncio.to_thread(self._still, list(self._threads), work)).encode()
        except OSError as error:
            raise StoreError(_FAILED, folder=self._folder, reason=reason_of(error)) from error

    async def thaw(self) -> None:
        """Let go of what a backup that was cut short has left."""
        await asyncio.to_thread(self._thaw)

    def _still(self, threads: list[ThreadPoolExecutor], work: Callable[[], Any]) -> Any:
        """Do some work in the last of the threads while all others wait for it."""
        if not threads:
            return work()
        return threads[0].submit(self._still, threads[1:], work).result()

    def _freeze(self) -> dict[str, str | None]:
        self._thaw()
        # Parts first: a mark of a late reading too many costs a repetition, one too few would be a wrong rollup.
        parts = self._store.freeze() if isinstance(self._store, Freezes) else None
        state = self._folder / FOLDER
        state.mkdir(mode=0o700)
        for file in self._folder.iterdir():
            if not file.is_file() or file.name in _NOT_KEPT or file.suffix == ".part":
                continue
            if file.suffix == ".sqlite":
                with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(state / file.name)) as target:
                    source.backup(target)
            elif not file.name.endswith(("-wal", "-shm", "-journal")):
                shutil.copy2(file, state / file.name)
        return {"parts": None if parts is None else str(parts), "state": str(state)}

    def _thaw(self) -> dict[str, str]:
        if isinstance(self._store, Freezes):
            self._store.thaw()
        shutil.rmtree(self._folder / FOLDER, ignore_errors=True)
        return {}
