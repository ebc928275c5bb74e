"""The historian's own position in each stream: what is stored, and what was about to be.

Acknowledgements of the bus are never a position. Before a batch is stored, its range is written here and synced;
after a crash exactly that range is read again and stored as far as it is not there, and reading goes on behind it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

from mainspring.history import checked
from mainspring.history.taken import Taken

log = structlog.get_logger(__name__)

_UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError)


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
    intent_mark: str = ""
    """The same of the last message of the intent."""
    doubted: int = 0
    """Up to this sequence messages may be stored already, whatever intents say: see `Storing.resume`."""
    taken: dict[str, list[tuple[int, int]]] = field(default_factory=dict)


class Journal:
    """Two small files a stream, one for what is begun and one for what is done, each replaced as a whole and synced.

    The one written last counts. Where one is spoilt, the other is a little older, or just as new.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._written: dict[str, int] = {}

    def read(self, stream: str) -> tuple[Position | None, bool]:
        """Return the position in a stream, None if none can be read, and whether it is sure to be the last."""
        found: list[tuple[int, Position]] = []
        for file in self._files(stream):
            try:
                found.append(_parsed(checked.read(file)))
            except FileNotFoundError:
                continue
            except _UNREADABLE as error:
                log.error("history.position_spoilt", file=str(file), reason=str(error) or type(error).__name__)
        if not found:
            return None, False
        number, position = max(found, key=lambda each: each[0])
        self._written[stream] = number
        return position, len(found) == len(self._files(stream))

    def write(self, stream: str, position: Position) -> None:
        """Replace the position in a stream; it is on the disk when this returns. Raises OSError."""
        number = self._written[stream] = self._written.get(stream, 0) + 1
        done, begun = self._files(stream)
        checked.write(done if position.intent is None else begun, {"number": number, **asdict(position)})

    def _files(self, stream: str) -> tuple[Path, Path]:
        return self._folder / f"{stream}.json", self._folder / f"{stream}.intent.json"


def _parsed(written: dict[str, Any]) -> tuple[int, Position]:
    intent = written["intent"]
    position = Position(
        str(written["incarnation"]),
        int(written["stored"]),
        None if intent is None else (int(intent[0]), int(intent[1])),
        str(written.get("mark", "")),
        str(written.get("intent_mark", "")),
        int(written.get("doubted", 0)),
        Taken(written.get("taken")).ranges,
    )
    return int(written.get("number", 0)), position
