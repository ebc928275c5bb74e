"""Taking a backup of a platform that goes on working.

What passes things on is copied before what takes them: gateways' logs, then alarm state, history, bus, and last
records and keys. So each reading that was acknowledged before is in at least one of them; where it is in two,
its number and its place tell.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from nats.errors import Error as NatsError

from mainspring import __version__
from mainspring.backup import manifest, pending, pieces, records
from mainspring.backup.manifest import File, Manifest
from mainspring.backup.pieces import PIECE_BYTES, Pieces
from mainspring.bus.connect import Bus
from mainspring.configuration import Configuration
from mainspring.core import subjects, toml
from mainspring.core.errors import Conflict, MainspringError, NotConnected, StoreError
from mainspring.core.kinds import Column
from mainspring.core.text import Text
from mainspring.history.cold.index import MANIFEST, ColdFile, ColdIndex, folder_of
from mainspring.history.cold.index import manifest as cold_manifest
from mainspring.history.intents import Journal

log = structlog.get_logger(__name__)

Say = Callable[[Text], None]
FREEZE_S: Final = 300.0
PROGRESS_S: Final = 2.0
OPCUA: Final = Path(".mainspring/opcua")
"""Where connections keep the certificate by which OPC UA servers know them, unless they say otherwise."""
GATEWAYS: Final = ("gateways", "tenants")
ENGINE: Final = "engine"
COLD: Final = "cold"
_APART: Final = frozenset({*GATEWAYS, ENGINE, "history", "bus", "logs", "secrets", pending.FOLDER})
"""Folders that have a turn of their own, and those that start anew: the bus's streams are kept as messages."""
_PASSING: Final = (".part", ".new", ".err", "-wal", "-shm", "-journal", ".stamp")
_NOT_KEPT: Final = frozenset({"lock", "backup.lock", "records.sqlite3", "__pycache__", "partial"})
_UNCHANGING: Final = ("data/history/clickhouse/", "data/blobs/", "data/software/", f"{COLD}/")
"""Below these a file of the same name, size and time is the same."""

_RUNNING: Final = Text(
    "Another backup of {folder} is under way. Wait until it has finished.",
    "{folder} 的另一个备份正在进行，请等待其完成。",
)
_NOT_HERE: Final = Text(
    "The history lies in {folder}, which is not on this machine. Take the backup where the historian runs.",
    "历史库位于 {folder}，不在本机上。请在历史服务所在机器上备份。",
)
_GATEWAYS: Final = Text("Gateways: {files} files", "网关：{files} 个文件")
_FROZEN: Final = Text("History: {files} files, {size:,.1f} MB, {new:,.1f} MB of it new",
                      "历史：{files} 个文件，{size:,.1f} MB，其中新增 {new:,.1f} MB")  # fmt: skip
_ELSEWHERE: Final = Text(
    "The history is on servers of its own and is not part of this backup: back it up there.",
    "历史库位于独立服务器，不在本备份内，请在该处备份。",
)
_COLD: Final = Text(
    "Cold history in {place} is not part of this backup: keep a copy with your store's own means.",
    "位于 {place} 的冷历史不在本备份内，请用对象存储自身的方式保留副本。",
)
_COLD_LACKS: Final = Text(
    "The cold history in {folder} lacks {path}, which its index names; no backup was taken, and none was removed. Look "
    "whether that folder is mounted, or put the file back from an earlier backup.",
    "{folder} 中的冷历史缺少索引所列的 {path}，未创建备份，也未移除任何备份。"
    "请检查该目录是否已挂载，或从较早的备份放回该文件。",
)
_BUS: Final = Text("Bus: {size:,.1f} MB the history did not have yet", "总线：{size:,.1f} MB 历史库尚未存储")
_PART: Final = Text("{done:,.1f} of {size:,.1f} MB", "已完成 {done:,.1f} / {size:,.1f} MB")
_SWEPT_NOT: Final = Text(
    "{reason} Until it is removed, nothing that is no longer needed is swept.", "{reason} 移除前不清理多余的数据块。"
)
_BUS_SILENT: Final = Text(
    "The bus at {url} stopped answering ({reason}). Look at `mainspring status`, and take the backup again.",
    "总线 {url} 停止应答（{reason}）。请查看 `mainspring status` 后重新备份。",
)
_REMOVED: Final = Text("Removed: {id}", "已移除：{id}")


async def take(bus: Bus, configuration: Configuration, folder: Path, keep: int | None, say: Say) -> Manifest:
    """Take a backup into a folder; afterwards only the newest `keep` stay, if told."""
    with _turn(configuration.data_folder), pieces.held(folder) as held:
        await asyncio.to_thread(sweep, held, say)
        try:
            made = await Taking(bus, configuration, held, say).run()
        except (NatsError, TimeoutError) as error:
            raise NotConnected(_BUS_SILENT, url=bus.url, reason=str(error) or type(error).__name__) from error
        if keep is not None:
            await asyncio.to_thread(_thin_out, held, keep, say)
    return made


@contextmanager
def _turn(data_folder: Path) -> Iterator[None]:
    """Let one backup of a platform be taken at a time: the history holds still for one."""
    with (data_folder / "backup.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(_RUNNING, folder=data_folder) from error
        yield


def sweep(held: Pieces, say: Say) -> None:
    """Remove what no backup needs; nothing while a list cannot be read, for nobody knows what it needs."""
    try:
        held.sweep(manifest.wanted(held.folder, manifest.ids(held.folder)))
    except StoreError as error:
        say(_SWEPT_NOT.format(reason=error.text.en))


def _thin_out(held: Pieces, keep: int, say: Say) -> None:
    for id in manifest.ids(held.folder)[: -max(keep, 1)]:
        manifest.remove(held.folder, id)
        say(_REMOVED.format(id=id))
    sweep(held, say)


class Taking:
    """One backup being taken."""

    def __init__(self, bus: Bus, configuration: Configuration, held: Pieces, say: Say) -> None:
        self._bus = bus
        self._configuration = configuration
        self._data = configuration.data_folder.resolve()
        self._pieces = held
        self._say = say
        self._former = _former(held.folder)
        now_ms = time.time_ns() // 1_000_000
        self._manifest = Manifest(manifest.new_id(held.folder, now_ms), now_ms, __version__, last_migration())
        place = configuration.history.cold
        self._cold_folder = Path(place).resolve() if place and not place.startswith("s3:") else None
        if place.startswith("s3:"):
            self._manifest.cold = place
            say(_COLD.format(place=place))
        self._work = held.folder / "work"
        self._done = 0
        self._told_s = time.monotonic()

    async def run(self) -> Manifest:
        """Copy everything in its order and put the list beside the others."""
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(mode=0o700)
        try:
            await asyncio.to_thread(self._gateways)
            await asyncio.to_thread(self._cold)
            await self._history()
            await asyncio.to_thread(self._rest)
        finally:
            shutil.rmtree(self._work, ignore_errors=True)
        made = self._manifest
        made.ended_ms = time.time_ns() // 1_000_000
        made.written_bytes = self._pieces.written_bytes
        await asyncio.to_thread(pieces.sync)
        await asyncio.to_thread(made.write, self._pieces.folder)
        return made

    def _gateways(self) -> None:
        for name in GATEWAYS:
            for folder in sorted({file.parent for file in self._below(self._data / name)}):
                # What is late and confirmed first, so that nothing counts as sent that the log does not have.
                files = sorted(_files(folder), key=lambda file: (file.suffix == ".log", file.name))
                for file in files:
                    self._keep(file, f"data/{file.relative_to(self._data)}")
        self._say(_GATEWAYS.format(files=len(self._manifest.files)))
        for file in self._below(self._data / ENGINE):
            self._keep(file, f"data/{file.relative_to(self._data)}")

    def _cold(self) -> None:
        """Copy files of cold history that are new; twice, for one may be replaced by another meanwhile."""
        if self._cold_folder is None:
            return
        there = {each.path for each in self._manifest.files}
        found = [(file, f"{COLD}/{file.relative_to(self._cold_folder)}") for file in self._below(self._cold_folder)]
        self._keep_many([(file, path) for file, path in found if path not in there], None)

    def _cold_as_indexed(self, file: Path) -> None:
        """Of what was copied of cold history, keep what an index names, with manifests that say the same.

        Beside it lie files that were replaced or are being made, which would be read twice by who reads them straight.
        """
        if self._cold_folder is None or not file.exists():
            return
        index = ColdIndex(file)
        try:
            named = {f"{COLD}/{path}" for path in index.named()}
            counting, _dropping = index.reading(None, (), list(Column), (0, 2**31))
        finally:
            index.close()
        lacking = named - {each.path for each in self._manifest.files}
        if lacking:
            raise StoreError(_COLD_LACKS, folder=self._cold_folder, path=min(lacking).removeprefix(f"{COLD}/"))
        self._manifest.files = [
            each for each in self._manifest.files if not each.path.startswith(f"{COLD}/") or each.path in named
        ]
        days: dict[tuple[int, int], list[ColdFile]] = {}
        for each in counting:
            days.setdefault((each.tenant, each.day), []).append(each)
        for (tenant, day), files in days.items():
            self._put(f"{COLD}/{folder_of(tenant, day)}/{MANIFEST}", cold_manifest(tenant, day, files))

    async def _history(self) -> None:
        """Let the historian hold still for a moment, and copy what it held, with what the bus has beyond it."""
        frozen = json.loads(await self._bus.ask(subjects.FREEZE, b"", FREEZE_S))
        try:
            state = Path(frozen["state"])
            if not await asyncio.to_thread(state.is_dir):
                raise StoreError(_NOT_HERE, folder=state)
            await self._unread(Journal(state))
            await asyncio.to_thread(self._frozen, state, frozen["parts"] and Path(frozen["parts"]))
        finally:
            with suppress(MainspringError):
                await self._bus.ask(subjects.THAW, b"", FREEZE_S)

    async def _unread(self, journal: Journal) -> None:
        known = _alarm_state(self._data / ENGINE / "engine.snapshot")
        places: dict[str, int] = {}
        for stream in subjects.STREAMS:
            info = await self._bus.js.stream_info(stream)
            position, _sure = journal.read(stream)
            same = position is not None and position.incarnation == pending.incarnation_of(stream, info)
            stored = position.stored if position is not None and same else 0
            # Alarms are evaluated again from where their state was saved, which may be a little earlier.
            after = min(stored, known.get(stream, stored))
            places[stream], files = await pending.keep(self._bus, stream, after, stored, self._pieces)
            self._manifest.files += files
        self._manifest.files += await pending.keep_definitions(self._bus, self._pieces)
        self._put(f"data/{pending.FOLDER}/{pending.PLACES}", json.dumps(places).encode())
        size = sum(each.size for each in self._manifest.files if each.path.startswith(f"data/{pending.FOLDER}/"))
        self._say(_BUS.format(size=size / 1e6))

    def _frozen(self, state: Path, parts: Path | None) -> None:
        folder = self._data / "history"
        for file in _files(state):
            self._keep(file, f"data/history/{file.name}")
        # Once more: days that went cold just before the history held still.
        self._cold()
        self._cold_as_indexed(state / "cold.sqlite")
        if parts is None:
            self._manifest.history = "elsewhere"
            self._say(_ELSEWHERE)
            return
        engine = folder / "clickhouse"
        found = [(file, engine / file.relative_to(parts)) for file in self._below(parts)]
        # What names the tables: their definitions, and links to them.
        for pattern in ("metadata/*", "store/*/*/*.sql", "store/*/*/format_version.txt"):
            found += [(file, file) for file in engine.glob(pattern) if file.is_file() or file.is_symlink()]
        self._keep_many([(file, f"data/{place.relative_to(self._data)}") for file, place in found], _FROZEN)

    def _rest(self) -> None:
        """Copy what is left: blobs, files of the pages, and at last records, keys and settings."""
        rest = [file for file in self._below(self._data) if file.relative_to(self._data).parts[0] not in _APART]
        if self._cold_folder is not None:
            rest = [file for file in rest if self._cold_folder not in file.parents]
        self._keep_many([(file, f"data/{file.relative_to(self._data)}") for file in rest], None)
        if OPCUA.is_dir() and self._data not in OPCUA.resolve().parents:
            for file in _files(OPCUA):
                self._keep(file, str(OPCUA / file.name))
        self._records()
        for file in self._below(self._data / "secrets"):
            self._keep(file, f"data/{file.relative_to(self._data)}")
        self._settings()

    def _records(self) -> None:
        url = records.url_of(self._configuration)
        source = records.sqlite_file(url)
        made = self._manifest
        made.records_ms = time.time_ns() // 1_000_000
        if source is None:
            made.records = "postgresql"
            for file in records.dump(url, self._work / records.DUMP):
                self._keep(file, f"{records.DUMP}/{file.name}")
        else:
            size, names = records.kept(source, self._pieces, self._work)
            made.files.append(File(manifest.RECORDS_FILE, size, 0o600, 0, names))

    def _settings(self) -> None:
        settings = self._configuration
        yours = settings.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        yours["data_folder"] = "data"
        if self._cold_folder is not None:
            yours["history"]["cold"] = COLD
        text = "# The settings of the platform, as `mainspring backup` found them.\n" + toml.written(yours)
        self._put("mainspring.toml", text.encode())
        made = self._manifest
        made.key_elsewhere = "MAINSPRING_SECRET_KEY" in os.environ
        files = (settings.bus.tls_certificate, settings.bus.tls_key, settings.bus.tls_ca, settings.web.tls_certificate,
                 settings.web.tls_key, settings.mail.tls_ca)  # fmt: skip
        made.beside = [str(file) for file in files if file is not None]

    # Within

    def _below(self, folder: Path) -> Iterator[Path]:
        """Yield all files below a folder that are not just passing."""
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(set(folders) - _NOT_KEPT)
            for name in sorted(names):
                if name not in _NOT_KEPT and not name.endswith(_PASSING):
                    yield Path(place, name)

    def _keep_many(self, found: list[tuple[Path, str]], summary: Text | None) -> None:
        """Copy many files, after a look at whether what is new of them has room."""
        sizes: list[int] = []
        fresh = 0
        for file, path in found:
            with suppress(FileNotFoundError):
                status = file.lstat()
                sizes.append(status.st_size)
                fresh += 0 if self._known(path, status) else status.st_size
        pieces.check_room(self._pieces.folder, fresh)
        if summary is not None:
            self._say(summary.format(files=len(found), size=sum(sizes) / 1e6, new=fresh / 1e6))
        self._done = 0
        for file, path in found:
            self._keep(file, path)
            if fresh and time.monotonic() - self._told_s > PROGRESS_S:
                self._told_s = time.monotonic()
                self._say(_PART.format(done=self._done / 1e6, size=sum(sizes) / 1e6))

    def _known(self, path: str, status: os.stat_result) -> File | None:
        """Return a file of the former backup that is this very one."""
        former = self._former.get(path) if path.startswith(_UNCHANGING) else None
        if former is None or (former.size, former.changed_ns) != (status.st_size, status.st_mtime_ns):
            return None
        return former if self._pieces.has(former.pieces) else None

    def _keep(self, file: Path, path: str) -> None:
        """Copy one file; one that is gone by now was not needed any more."""
        try:
            status = file.lstat()
            if (known := self._known(path, status)) is not None:
                names, size = known.pieces, known.size
            elif stat.S_ISLNK(status.st_mode):
                target = os.fsencode(file.readlink())
                names, size = (self._pieces.put(target),), len(target)
            elif not stat.S_ISREG(status.st_mode):
                return
            else:
                with file.open("rb") as opened:
                    parts = iter(lambda: opened.read(PIECE_BYTES), b"")
                    sized = [(self._pieces.put(part), len(part)) for part in parts]
                names, size = tuple(name for name, _ in sized), sum(length for _, length in sized)
        except FileNotFoundError:
            return
        self._done += size
        self._manifest.files.append(File(path, size, status.st_mode, status.st_mtime_ns, names))

    def _put(self, path: str, content: bytes) -> None:
        self._manifest.files.append(File(path, len(content), 0o600, 0, (self._pieces.put(content),)))


def last_migration() -> str:
    """Return the name of the newest migration of the records that this program knows."""
    folder = Path(__file__).parents[1] / "records" / "migrations"
    return max(file.stem for file in folder.glob("[0-9]*.py"))


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.is_file() and not file.name.endswith(_PASSING)]


def _former(folder: Path) -> dict[str, File]:
    """Return the files of the newest backup whose list can be read, by their path."""
    for id in reversed(manifest.ids(folder)):
        with suppress(StoreError):
            return {each.path: each for each in manifest.read(folder, id).files}
    return {}


def _alarm_state(file: Path) -> dict[str, int]:
    """Return which messages of each stream the saved state of alarms has seen; nothing where there is none."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            words: dict[str, Any] = json.loads(stored["words"].tobytes())
    except (OSError, ValueError, KeyError) as error:
        log.info("backup.without_alarm_state", reason=str(error))
        return {}
    return {stream: words[stream.lower()] for stream in subjects.STREAMS if isinstance(words.get(stream.lower()), int)}
