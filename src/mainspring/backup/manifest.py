"""What one backup is made of: `backups/<id>/manifest.json.gz`, and its SHA-256 as `sha256sum` writes it.

A backup is there once its folder has its name: it is made under another and renamed at the end. Beside the list lie the
records' later states, `records/<time>.json`, each as what differs from the records of the backup.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mainspring.core.errors import NotFound, StoreError
from mainspring.core.files import replace_file, sync_folder
from mainspring.core.text import Text

LIST: Final = "manifest.json.gz"
SUM: Final = "manifest.sha256"
RECORDS_FILE: Final = "data/records.sqlite3"
_ID: Final = "%Y%m%dT%H%M%SZ"
_STATE: Final = "%Y%m%dT%H%M%S.%fZ"

_SPOILT: Final = Text(
    "The list of backup {id} in {folder} is damaged. Restore another one: `mainspring backup --list {folder}`.",
    "{folder} 中备份 {id} 的清单已损坏，请恢复其他备份；`mainspring backup --list {folder}` 可查看。",
)
_UNKNOWN: Final = Text(
    "There is no backup {id} in {folder}. `mainspring backup --list {folder}` shows those there are.",
    "{folder} 中没有备份 {id}，`mainspring backup --list {folder}` 可查看现有备份。",
)


@dataclass(frozen=True, slots=True)
class File:
    """One file: where it goes, and the pieces it is made of in their order."""

    path: str
    size: int
    mode: int
    changed_ns: int
    pieces: tuple[str, ...]


@dataclass(slots=True)
class Manifest:
    """One backup."""

    id: str
    began_ms: int
    version: str
    migration: str
    """The last migration of the records: a program that does not know it is too old for them."""
    records: str = "sqlite"
    history: str = "embedded"
    """`elsewhere`: on servers of its own, and not part of this."""
    cold: str = ""
    """The bucket of cold history, which is not part of this either."""
    ended_ms: int = 0
    records_ms: int = 0
    written_bytes: int = 0
    key_elsewhere: bool = False
    """The key that opens sealed secrets came from the environment and is not in here."""
    beside: list[str] = field(default_factory=list)
    """Files outside the data folder that the settings name, and that are not in here."""
    files: list[File] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(each.size for each in self.files)

    def pieces(self) -> Iterator[str]:
        """Yield all pieces, some several times."""
        for each in self.files:
            yield from each.pieces

    def write(self, folder: Path) -> None:
        """Put the backup beside the others, whole or not at all."""
        document = asdict(self)
        document["files"] = [(each.path, each.size, each.mode, each.changed_ns, each.pieces) for each in self.files]
        content = gzip.compress(json.dumps(document, ensure_ascii=False).encode(), 6, mtime=0)
        part = folder / "backups" / f"{self.id}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True, mode=0o700)
        replace_file(part / LIST, content)
        replace_file(part / SUM, f"{hashlib.sha256(content).hexdigest()}  {LIST}\n".encode())
        part.rename(place(folder, self.id))
        sync_folder(folder / "backups")


@dataclass(frozen=True, slots=True)
class RecordsState:
    """The records as they were at a time: what differs from those of their backup, by the number of the piece."""

    time_ms: int
    size: int
    changed: dict[int, str]


def place(folder: Path, id: str) -> Path:
    """Return where a backup's list lies."""
    return folder / "backups" / id


def new_id(folder: Path, now_ms: int) -> str:
    """Return the id of a backup begun now: its time, a second on where there is one of the same."""
    while place(folder, id := datetime.fromtimestamp(now_ms / 1000, UTC).strftime(_ID)).exists():
        now_ms += 1000
    return id


def ids(folder: Path) -> list[str]:
    """Return the ids of all backups, oldest first."""
    return sorted(each.parent.name for each in (folder / "backups").glob(f"*/{SUM}") if not each.parent.suffix)


def read(folder: Path, id: str) -> Manifest:
    """Read a backup's list; raises NotFound, or StoreError for one that is damaged."""
    where = place(folder, id)
    if Path(id).name != id or not where.is_dir():
        raise NotFound(_UNKNOWN, id=id, folder=folder)
    try:
        content = (where / LIST).read_bytes()
        told = (where / SUM).read_text(encoding="utf-8").split()[0]
        if hashlib.sha256(content).hexdigest() != told:
            raise ValueError("another checksum")
        document: dict[str, Any] = json.loads(gzip.decompress(content))
        document["files"] = [
            File(path, size, mode, changed, tuple(pieces)) for path, size, mode, changed, pieces in document["files"]
        ]
        return Manifest(**document)
    except (OSError, ValueError, LookupError, TypeError, EOFError) as error:
        raise StoreError(_SPOILT, id=id, folder=folder) from error


def remove(folder: Path, id: str) -> None:
    """Forget a backup; its pieces are for the next sweep."""
    where = place(folder, id)
    gone = where.with_suffix(".part")
    shutil.rmtree(gone, ignore_errors=True)
    where.rename(gone)
    shutil.rmtree(gone)


def write_state(folder: Path, id: str, state: RecordsState) -> None:
    """Put a later state of the records beside their backup."""
    where = place(folder, id) / "records"
    where.mkdir(exist_ok=True, mode=0o700)
    content = json.dumps(asdict(state), separators=(",", ":")).encode()
    name = datetime.fromtimestamp(state.time_ms / 1000, UTC).strftime(_STATE)
    replace_file(where / f"{name}.json", hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def states(folder: Path, id: str) -> Iterator[RecordsState]:
    """Yield the later states of the records of a backup, oldest first; raises StoreError for one that is damaged."""
    for file in sorted((place(folder, id) / "records").glob("*.json")):
        told, _, content = file.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != told:
            raise StoreError(_SPOILT, id=f"{id} {file.stem}", folder=folder)
        document = json.loads(content)
        changed = {int(number): piece for number, piece in document["changed"].items()}
        yield RecordsState(document["time_ms"], document["size"], changed)


def wanted(folder: Path, several: Iterable[str]) -> set[str]:
    """Return the pieces that these backups and their records' later states are made of."""
    found: set[str] = set()
    for id in several:
        found.update(read(folder, id).pieces())
        for state in states(folder, id):
            found.update(state.changed.values())
    return found
