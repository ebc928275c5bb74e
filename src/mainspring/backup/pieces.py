"""The folder of backups: pieces named by the SHA-256 of their content, each once, and beside them what they make up.

<folder>/mainspring-backups       says that this is one, and in which format
<folder>/pieces/<ab>/<sha256>     contents; `sha256sum` finds what is spoilt
<folder>/backups/<id>/            the list of one backup, see `manifest`
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mainspring.core.errors import ConfigurationError, Conflict, StoreError, reason_of
from mainspring.core.files import replace_file
from mainspring.core.text import Text

FORMAT: Final = "1"
PIECE_BYTES: Final = 4 * 1024**2
SPARE_BYTES: Final = 64 * 1024**2
"""Stays free on the disk of the backups: lists and folders take some space, too."""
_MARK: Final = "mainspring-backups"

_NOT_ONE: Final = Text(
    "{folder} holds other things than backups of Mainspring. Name an empty or new folder.",
    "{folder} 中有 Mainspring 备份以外的内容，请指定空目录或新目录。",
)
_NONE: Final = Text(
    "There are no backups in {folder}. Take one with `mainspring backup {folder}`.",
    "{folder} 中没有备份，请用 `mainspring backup {folder}` 创建。",
)
_NEWER: Final = Text(
    "The backups in {folder} have format {found}; this version reads format {known}. Use the version that made them.",
    "{folder} 中的备份为格式 {found}，本版本只能读取格式 {known}，请使用创建它的版本。",
)
_BUSY: Final = Text(
    "Another backup is being taken into {folder}. Wait until it has finished.",
    "另一个备份正在写入 {folder}，请等待其完成。",
)
_FAILED: Final = Text(
    "The backup could not be written to {folder} ({reason}). Former backups are whole; look at the disk.",
    "无法将备份写入 {folder}（{reason}）。已有备份不受影响，请检查磁盘。",
)
_NO_ROOM: Final = Text(
    "{folder} has {free:,} MB free, and this needs {needed:,} MB. Free some space, or name a folder on another disk.",
    "{folder} 剩余 {free:,} MB，本次需要 {needed:,} MB。请释放空间，或改用其他磁盘上的目录。",
)
_SPOILT: Final = Text(
    "The piece {piece} of {file} is {how}. `mainspring backup --verify {folder}` names all backups that are concerned; "
    "restore another one.",
    "{file} 的数据块 {piece} {how_zh}。`mainspring backup --verify {folder}` 可列出受影响的备份，请改用其他备份恢复。",
)
MISSING: Final = Text("missing", "缺失")
DAMAGED: Final = Text("damaged", "已损坏")


class Pieces:
    """The pieces that lie in a folder of backups."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written_bytes = 0
        self._sizes: dict[str, int] = {}
        for place in (folder / "pieces").glob("??"):
            self._sizes |= {each.name: each.stat().st_size for each in os.scandir(place)}

    def has(self, pieces: Collection[str]) -> bool:
        """Tell whether all of these are here."""
        return all(piece in self._sizes for piece in pieces)

    def put(self, content: bytes) -> str:
        """Keep a content unless it is here, and return its name; it is safe after `sync`."""
        piece = hashlib.sha256(content).hexdigest()
        if self._sizes.get(piece) == len(content):
            return piece
        file = self.file(piece)
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = file.with_suffix(".part")
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                out.write(content)
            part.replace(file)
        except OSError as error:
            raise failed(self.folder, error) from error
        self._sizes[piece] = len(content)
        self.written_bytes += len(content)
        return piece

    def sweep(self, wanted: Collection[str]) -> int:
        """Remove what no backup needs, also what one that was cut short left behind; return how many bytes."""
        freed = 0
        for piece in self._sizes.keys() - set(wanted):
            freed += self._sizes.pop(piece)
            (self.folder / "pieces" / piece[:2] / piece).unlink(missing_ok=True)
        return freed

    def state(self, piece: str) -> Text | None:
        """Read a piece and say what is wrong with it, or None."""
        try:
            with self.file(piece).open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
        except FileNotFoundError:
            return MISSING
        except OSError as error:
            if error.errno != errno.EIO:
                raise failed(self.folder, error) from error
            return DAMAGED
        return None if found == piece else DAMAGED

    def content(self, piece: str, file: str) -> bytes:
        """Return a piece of a file, verified; raises StoreError for one that is spoilt."""
        how = MISSING
        try:
            content = self.file(piece).read_bytes()
        except FileNotFoundError:
            pass
        except OSError:
            how = DAMAGED
        else:
            if hashlib.sha256(content).hexdigest() == piece:
                return content
            how = DAMAGED
        raise StoreError(_SPOILT, piece=piece, file=file, how=how.en, how_zh=how.zh, folder=self.folder)

    def file(self, piece: str) -> Path:
        """Return where a piece lies."""
        return self.folder / "pieces" / piece[:2] / piece


def sync() -> None:
    """Make everything written so far survive a power cut: once for all pieces, where one by one would take minutes."""
    os.sync()


def failed(folder: Path, error: OSError) -> StoreError:
    """Return the tree error for a folder of backups that cannot be written."""
    return StoreError(_FAILED, folder=folder, reason=reason_of(error))


def check_room(folder: Path, needed: int) -> None:
    """Raise StoreError unless the disk of a folder has room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise StoreError(_NO_ROOM, folder=folder, free=free >> 20, needed=(needed + SPARE_BYTES) >> 20)


def opened(folder: Path) -> Pieces:
    """Open a folder of backups for reading; raises ConfigurationError where there is none."""
    try:
        found = (folder / _MARK).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(_NONE, folder=folder) from error
    if found != FORMAT:
        raise ConfigurationError(_NEWER, folder=folder, found=found, known=FORMAT)
    return Pieces(folder)


@contextmanager
def held(folder: Path) -> Iterator[Pieces]:
    """Open a folder for writing backups, made on first use; one process at a time."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / _MARK).exists():
            if any(each.suffix != ".part" for each in folder.iterdir()):
                raise ConfigurationError(_NOT_ONE, folder=folder)
            replace_file(folder / _MARK, f"{FORMAT}\n".encode())
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise failed(folder, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(_BUSY, folder=folder) from error
        yield opened(folder)
