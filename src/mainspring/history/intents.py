"""The historian's own position in each stream: what is stored, and what was about to be.

Acknowledgements of the bus are never a position. Before a batch is stored, its range is written here and synced;
after a crash exactly that range is read again and stored as far as it is not there, and reading goes on behind it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from mainspring.core.errors import StoreError
from mainspring.core.files import replace_file
from mainspring.core.text import Text
from mainspring.history.taken import Taken

_UNREADABLE: Final = Text(
    "The historian's position in {file} cannot be read ({reason}). Put the file back from a backup; "
    "without it the bus would be stored again.",
    "无法读取历史服务的位置文件 {file}（{reason}）。请从备份恢复该文件，否则总线上的消息会被重复存储。",
)


@dataclass(frozen=True, slots=True)
class Position:
    """`stored` is the last sequence stored; `intent` the range of a batch begun but perhaps not finished.

    `incarnation` names the stream since its creation: sequences of a stream made anew mean nothing old.
    """

    incarnation: str
    stored: int = 0
    intent: tuple[int, int] | None = None
    mark: str = ""
    """What tells the message at `stored`: a bus that has lost messages gives their numbers to others."""
    taken: dict[str, list[tuple[int, int]]] = field(default_factory=dict)


class Journal:
    """One small file a stream, replaced as a whole and synced."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder

    def read(self, stream: str) -> Position | None:
        """Return the position in a stream, None if it was never read."""
        file = self._folder / f"{stream}.json"
        try:
            written = json.loads(file.read_text())
            intent = written["intent"]
            return Position(
                str(written["incarnation"]),
                int(written["stored"]),
                None if intent is None else (int(intent[0]), int(intent[1])),
                str(written.get("mark", "")),
                Taken(written.get("taken")).ranges,
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise StoreError(_UNREADABLE, file=file, reason=type(error).__name__) from error

    def taken(self, stream: str) -> Taken:
        """Return which batches of a stream are stored."""
        position = self.read(stream)
        return Taken(None if position is None else position.taken)

    def write(self, stream: str, position: Position) -> None:
        """Replace the position in a stream; it is on the disk when this returns. Raises OSError."""
        replace_file(self._folder / f"{stream}.json", json.dumps(asdict(position)).encode())
