"""From a backup to a folder in which a platform can be started, on this machine or another."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from mainspring import configuration
from mainspring.backup import manifest, pieces, records
from mainspring.backup.manifest import File, Manifest
from mainspring.backup.pieces import Pieces
from mainspring.backup.taking import PROGRESS_S, Say, last_migration
from mainspring.core import subjects, toml
from mainspring.core.errors import ConfigurationError, NotFound, StoreError, reason_of
from mainspring.core.text import Text
from mainspring.gateway.segments import SegmentLog
from mainspring.history.intents import Journal
from mainspring.records.heads import PutBack, note_put_back, time_of

SEGMENT_BYTES: Final = 64 * 1024**2

_NOT_EMPTY: Final = Text(
    "{folder} is not empty. Restore into a new or empty folder; nothing is ever overwritten.",
    "{folder} 不是空目录。请恢复到新目录或空目录，恢复不会覆盖任何内容。",
)
_NOTHING: Final = Text(
    "There is no whole backup in {folder}. Take one with `mainspring backup {folder}`.",
    "{folder} 中没有完整的备份，请用 `mainspring backup {folder}` 创建。",
)
_TOO_NEW: Final = Text(
    "Backup {id} was made by Mainspring {version}, whose records this version does not know. Install that version.",
    "备份 {id} 由 Mainspring {version} 创建，本版本不识别其记录格式，请安装该版本。",
)
_TOO_EARLY: Final = Text(
    "The records were not kept as early as {time}; the earliest state is of {first}.",
    "没有保存 {time} 之前的记录，最早的状态为 {first}。",
)
_ARCHIVE: Final = Text(
    "The records of backup {id} are in PostgreSQL, whose states between backups its own archive keeps: docs/backup.md.",
    "备份 {id} 的记录存于 PostgreSQL，备份之间的状态由其自身的归档保存，见 docs/backup.md。",
)
_URL: Final = Text(
    "The records of backup {id} are in PostgreSQL. Make an empty database for them and name it with --records-url.",
    "备份 {id} 的记录存于 PostgreSQL。请新建空数据库，并用 --records-url 指定。",
)
_NO_URL: Final = Text(
    "The records of backup {id} are in a file of their own; leave out --records-url.",
    "备份 {id} 的记录存于独立文件，请去掉 --records-url。",
)
_FAILED: Final = Text(
    "The backup could not be restored to {folder} ({reason}). Look at the disk, and restore again.",
    "无法恢复到 {folder}（{reason}）。请检查磁盘后重新恢复。",
)
_OUTSIDE: Final = Text(
    "Backup {id} names {path}, which is not below the folder of the platform. Use another backup.",
    "备份 {id} 包含平台目录以外的路径 {path}，请使用其他备份。",
)
_PART: Final = Text("{done:,.1f} of {size:,.1f} MB", "已恢复 {done:,.1f} / {size:,.1f} MB")
_DONE: Final = Text(
    "Restored and verified: {files} files, {size:,.1f} MB, backup {id}.",
    "已恢复并校验：{files} 个文件，{size:,.1f} MB，备份 {id}。",
)
_RECORDS: Final = Text("Records are those of {time}.", "记录为 {time} 的状态。")
_START: Final = Text(
    "Look at the addresses and ports in {file}, then start it: cd {folder} && mainspring up",
    "请检查 {file} 中的地址和端口，然后启动：cd {folder} && mainspring up",
)
_BESIDE: Final = Text(
    "{file} was not part of the platform's folder: put it there, or change the settings.",
    "{file} 不在平台目录内：请自行放回，或修改设置。",
)
_KEY: Final = Text(
    "The platform took its secret key from MAINSPRING_SECRET_KEY; set the same one, or secrets stay sealed.",
    "原平台通过 MAINSPRING_SECRET_KEY 提供密钥，请设置相同的值，否则机密无法解封。",
)
_HISTORY: Final = Text(
    "The history was on servers of its own and is not part of this backup.", "历史库位于独立服务器，不在本备份内。"
)
_COLD: Final = Text(
    "Cold history lies in {place}, not in this backup. Only one platform may use it: if the other one goes on, name a "
    "copy in [history] cold. Set MAINSPRING_COLD_KEY and MAINSPRING_COLD_SECRET if the platform had them.",
    "冷历史位于 {place}，不在本备份内，且只能由一个平台使用：如原平台继续运行，请在 [history] cold 中指定其副本。"
    "原平台如设置了 MAINSPRING_COLD_KEY 和 MAINSPRING_COLD_SECRET，请设置相同的值。",
)
_POSTGRESQL: Final = Text(
    "Records are in the database of --records-url. {file} names it, without a password: if one is needed, put it into "
    "~/.pgpass, or set MAINSPRING_DATABASE_URL, which must not name the former database any more.",
    "记录已导入 --records-url 指定的数据库，{file} 中已写明其地址（不含密码）。如需密码，请写入 ~/.pgpass，或设置 "
    "MAINSPRING_DATABASE_URL；该变量不得再指向原数据库。",
)


def restore(folder: Path, into: Path, say: Say, *, id: str = "", records_at: str = "", records_url: str = "") -> None:
    """Make a platform of a backup in an empty folder; what was begun and fails is taken away again."""
    held = pieces.opened(folder)
    made = manifest.read(folder, id or _newest(folder))
    if made.migration > last_migration():
        raise ConfigurationError(_TOO_NEW, id=made.id, version=made.version)
    if made.records == "postgresql":
        if records_at:
            raise ConfigurationError(_ARCHIVE, id=made.id)
        if not records_url:
            raise ConfigurationError(_URL, id=made.id)
    elif records_url:
        raise ConfigurationError(_NO_URL, id=made.id)
    state = _records_at(folder, records_at) if records_at else None
    if state is not None:
        kept = [each for each in made.files if each.path != manifest.RECORDS_FILE]
        made.files = [*kept, state[1]]
    new = _empty(into)
    try:
        pieces.check_room(into, made.size)
        _files(held, made, into, say)
        if state is not None:
            _raise_counters(held, folder, into)
            # The audit ends earlier than what was written down beside it; that is no tampering.
            note_put_back(into / "data", PutBack(noted_ms=time.time_ns() // 1_000_000, to_ms=state[0]))
        if records_url:
            records.load(into / records.DUMP, records_url)
            shutil.rmtree(into / records.DUMP)
            _name_records(into / "mainspring.toml", records_url)
        _renumber(into)
        pieces.sync()
    except BaseException as error:
        for each in into.iterdir():
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
        if new:
            into.rmdir()
        if isinstance(error, OSError):
            raise StoreError(_FAILED, folder=into, reason=reason_of(error)) from error
        raise
    say(_DONE.format(files=len(made.files), size=made.size / 1e6, id=made.id))
    _tell(made, state and state[0], into, say)


def _newest(folder: Path) -> str:
    found = manifest.ids(folder)
    if not found:
        raise NotFound(_NOTHING, folder=folder)
    return found[-1]


def _empty(into: Path) -> bool:
    """Make the folder unless it is there and empty; tell whether it was made."""
    try:
        if into.exists():
            if any(into.iterdir()):
                raise ConfigurationError(_NOT_EMPTY, folder=into)
            return False
        into.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise StoreError(_FAILED, folder=into, reason=reason_of(error)) from error
    return True


def _files(held: Pieces, made: Manifest, into: Path, say: Say) -> None:
    done, told_s = 0, time.monotonic()
    for each in made.files:
        _file(held, each, _placed(made, each, into))
        done += each.size
        if time.monotonic() - told_s > PROGRESS_S:
            told_s = time.monotonic()
            say(_PART.format(done=done / 1e6, size=made.size / 1e6))


def _placed(made: Manifest, file: File, into: Path) -> Path:
    target = into / file.path
    if ".." in Path(file.path).parts or not target.parent.resolve().is_relative_to(into.resolve()):
        raise StoreError(_OUTSIDE, id=made.id, path=file.path)
    return target


def _file(held: Pieces, file: File, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    contents = (held.content(piece, file.path) for piece in file.pieces)
    if stat.S_ISLNK(file.mode):
        target.symlink_to(os.fsdecode(b"".join(contents)))
        return
    # Never wider than its owner's, before it is as it was.
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        for content in contents:
            out.write(content)
    target.chmod(stat.S_IMODE(file.mode))
    if file.changed_ns:
        os.utime(target, ns=(file.changed_ns, file.changed_ns))


def _records_states(folder: Path) -> list[tuple[int, Callable[[], File]]]:
    """Return every state of the records there is, oldest first: when, and the file it makes."""
    found: list[tuple[int, Callable[[], File]]] = []
    for id in manifest.ids(folder):
        with suppress(StoreError):
            made = manifest.read(folder, id)
            own = next((each for each in made.files if each.path == manifest.RECORDS_FILE), None)
            if own is None:
                continue
            found.append((made.records_ms, lambda own=own: own))  # type: ignore[misc]
            for state in manifest.states(folder, id):

                def later(own: File = own, state: manifest.RecordsState = state) -> File:
                    return replace(own, size=state.size, pieces=records.combined(state.size, state.changed, own.pieces))

                found.append((state.time_ms, later))
    return sorted(found, key=lambda each: each[0])


def _records_at(folder: Path, written: str) -> tuple[int, File]:
    """Return the last state of the records before a time."""
    wanted_ms = time_of(written)
    states = _records_states(folder)
    before = [each for each in states if each[0] <= wanted_ms]
    if not before:
        first = _told(states[0][0]) if states else "-"
        raise NotFound(_TOO_EARLY, time=written, first=first)
    return before[-1][0], before[-1][1]()


def _raise_counters(held: Pieces, folder: Path, into: Path) -> None:
    """Let ordinals go on behind the newest that were given: a tag made since then has readings in the history."""
    newest = _records_states(folder)[-1][1]()
    with tempfile.TemporaryDirectory(dir=into) as work:
        _file(held, replace(newest, changed_ns=0), Path(work) / "newest")
        records.raise_counters(into / manifest.RECORDS_FILE, Path(work) / "newest")


def _name_records(file: Path, url: str) -> None:
    """Let the settings name the database that the records are in now: the former one is that of another platform."""
    remark, _, text = file.read_text(encoding="utf-8").partition("\n")
    settings = tomllib.loads(text)
    settings.setdefault("web", {})["database_url"] = records.without_password(url)
    file.write_text(f"{remark}\n{toml.written(settings)}", encoding="utf-8")


def _renumber(into: Path) -> None:
    """Let logs of gateways go on behind the numbers that the history has: lower ones would pass for repetitions."""
    data = into / "data"
    if not (data / "history").is_dir():
        return
    tenant = configuration.load(into / "mainspring.toml").plant.tenant
    journal = Journal(data / "history")
    highest: dict[str, int] = {}
    for stream in subjects.STREAMS:
        position, _sure = journal.read(stream)
        for sender, ranges in ({} if position is None else position.taken).items():
            highest[sender] = max(highest.get(sender, 0), *(last for _first, last in ranges))
    logs = {f"{tenant}.{each.name}": each for each in data.glob("gateways/*")}
    logs |= {f"{each.parts[-3]}.{each.name}": each for each in data.glob("tenants/*/gateways/*")}
    for sender, folder in logs.items():
        own = SegmentLog(folder, segment_bytes=SEGMENT_BYTES, log_bytes_max=0, disk_free_min_bytes=0)
        try:
            if own.last < highest.get(sender, 0):
                own.continue_after(highest[sender])
        finally:
            own.close()


def _told(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000).astimezone().isoformat(" ", "seconds")


def _tell(made: Manifest, records_ms: int | None, into: Path, say: Say) -> None:
    if records_ms is not None:
        say(_RECORDS.format(time=_told(records_ms)))
    for file in made.beside:
        say(_BESIDE.format(file=file))
    if made.key_elsewhere:
        say(_KEY)
    if made.history == "elsewhere":
        say(_HISTORY)
    if made.cold:
        say(_COLD.format(place=made.cold))
    if made.records == "postgresql":
        say(_POSTGRESQL.format(file=into / "mainspring.toml"))
    say(_START.format(file=into / "mainspring.toml", folder=into))
