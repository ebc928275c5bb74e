"""The role that takes backups by itself: one every so many hours, and between them the records when they changed."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import structlog

from mainspring.backup import manifest, pieces, records
from mainspring.backup.manifest import Manifest, RecordsState
from mainspring.backup.taking import take
from mainspring.bus.connect import Bus
from mainspring.configuration import Configuration
from mainspring.core.errors import Conflict, MainspringError
from mainspring.core.health import Health
from mainspring.core.tasks import ended
from mainspring.core.text import Text

log = structlog.get_logger(__name__)

FIRST_S: Final = 5.0
"""After a start the roles come first."""
AGAIN_S: Final = 300.0
REPORT_S: Final = 1.0

_FAILED: Final = Text(
    "The last backup failed: {reason} It is tried again in a few minutes.", "最近一次备份失败：{reason} 几分钟后重试。"
)


@dataclass(slots=True)
class Newest:
    """The newest backup, and the last state of its records that was kept."""

    manifest: Manifest
    size: int = 0
    pieces: tuple[str, ...] = ()

    @classmethod
    def of(cls, folder: Path) -> Newest | None:
        """Look into a folder; None where there is no whole backup yet."""
        ids = manifest.ids(folder)
        if not ids:
            return None
        made = manifest.read(folder, ids[-1])
        own = next((each for each in made.files if each.path == manifest.RECORDS_FILE), None)
        # Only of this the pieces are wanted; the list itself may be long.
        made.files = [own] if own is not None else []
        newest = cls(made, *((own.size, own.pieces) if own is not None else ()))
        for state in manifest.states(folder, made.id):
            newest.size, newest.pieces = state.size, records.combined(state.size, state.changed, newest.kept)
        return newest

    @property
    def kept(self) -> tuple[str, ...]:
        """The pieces of the records in the backup itself."""
        return self.manifest.files[0].pieces if self.manifest.files else ()


class Backups:
    """Takes backups by its settings until it is stopped."""

    def __init__(self, bus: Bus, configuration: Configuration, folder: Path) -> None:
        self._bus = bus
        self._configuration = configuration
        self._settings = configuration.backup
        self._folder = folder
        self._newest: Newest | None = None
        self._trouble: Text | None = None
        self._failed_s = -AGAIN_S
        self._taking = False
        self._states = 0
        self._records_ms = 0
        self._started_ms = _now_ms()

    async def run(self, stop: asyncio.Event) -> None:
        """Take what is due until `stop` is set; what fails is told in health and tried again."""
        work = [asyncio.create_task(self._report()), asyncio.create_task(self._work())]
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*work, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await ended(*work, stopped)

    async def _work(self) -> None:
        await asyncio.sleep(FIRST_S)
        file = records.sqlite_file(records.url_of(self._configuration))
        watched = records.Watched.of(file) if file is not None and file.exists() else None
        while True:
            try:
                self._newest = self._newest or await asyncio.to_thread(Newest.of, self._folder)
                if self._due():
                    await self._take()
                elif watched is not None and file is not None and self._newest is not None and watched.changed():
                    await asyncio.to_thread(self._keep_records, file, self._newest)
            except MainspringError as error:
                self._fail(error.text)
            except OSError as error:
                self._fail(pieces.failed(self._folder, error).text)
            await asyncio.sleep(self._settings.records_every_s)

    def _due(self) -> bool:
        if time.monotonic() - self._failed_s < AGAIN_S:
            return False
        began_ms = self._newest.manifest.began_ms if self._newest is not None else 0
        # A clock that was set back must not put the next one off for ever.
        return not 0 <= _now_ms() - began_ms < self._settings.every_hours * 3_600_000

    async def _take(self) -> None:
        self._taking = True
        try:
            made = await take(self._bus, self._configuration, self._folder, self._settings.keep, _quietly)
        finally:
            self._taking = False
        self._trouble = None
        self._newest = await asyncio.to_thread(Newest.of, self._folder)
        log.info("backup.taken", id=made.id, files=len(made.files), bytes=made.size, written=made.written_bytes)

    def _keep_records(self, file: Path, newest: Newest) -> None:
        """Keep the records as they are now, unless they are as they were."""
        now_ms = _now_ms()
        try:
            with pieces.held(self._folder) as held:
                work = self._folder / "work"
                work.mkdir(mode=0o700, exist_ok=True)
                try:
                    size, names = records.kept(file, held, work)
                finally:
                    shutil.rmtree(work, ignore_errors=True)
                if (size, names) == (newest.size, newest.pieces):
                    return
                pieces.sync()
                changed = records.differing(names, newest.kept)
                manifest.write_state(self._folder, newest.manifest.id, RecordsState(now_ms, size, changed))
        except Conflict:
            # A backup by hand is under way, and keeps the records, too.
            self._newest = None
            return
        newest.size, newest.pieces = size, names
        self._states += 1
        self._records_ms = now_ms

    def _fail(self, text: Text) -> None:
        log.error("backup.failed", reason=text.en)
        self._failed_s = time.monotonic()
        self._newest = None
        self._trouble = Text(_FAILED.format(reason=text.en).en, _FAILED.format(reason=text.zh).zh)

    async def _report(self) -> None:
        process = psutil.Process()
        while True:
            figures: dict[str, float] = {"taking": float(self._taking), "records_states": self._states}
            if self._newest is not None:
                made = self._newest.manifest
                figures |= {
                    "last_age_s": max(0, _now_ms() - made.ended_ms) // 1000,
                    "last_took_s": (made.ended_ms - made.began_ms) // 1000,
                    "last_written_bytes": made.written_bytes,
                    "records_age_s": max(0, _now_ms() - max(made.records_ms, self._records_ms)) // 1000,
                }
            with suppress(OSError):
                figures["disk_free_bytes"] = shutil.disk_usage(self._folder).free
            health = Health(
                role="backup", instance="main", pid=os.getpid(), time_ms=_now_ms(), started_ms=self._started_ms,
                memory_bytes=process.memory_info().rss, state="degraded" if self._trouble else "running",
                text=self._trouble.document() if self._trouble else None, figures=figures,
            )  # fmt: skip
            await self._bus.report(health)
            await asyncio.sleep(REPORT_S)


def _quietly(text: Text) -> None:
    log.info("backup.goes_on", said=text.en)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
