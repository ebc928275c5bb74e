"""What an import found: counts, causes of refusal, names that nobody has, and the refused rows themselves."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from mainspring.history.importing.rows import CAUSES, Rows, Settled
from mainspring.records.importing.files import ImportFolder

REFUSED_MAX: Final = 100_000
"""Refused rows that are kept with their content; further ones are counted."""
UNKNOWN_MAX: Final = 10_000
"""Names of nobody that are kept; rows of further ones are counted."""
SHOWN_MAX: Final = 200


@dataclass(slots=True)
class Tally:
    """Counts of rows as they go by; `refused` is written to `file` line by line."""

    file: IO[str]
    rows: int = 0
    values: int = 0
    refused: int = 0
    unknown_rows: int = 0
    empty: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    causes: dict[str, list[int]] = field(default_factory=dict)
    """How many, and the first one's line."""
    unknown: dict[str, list[int]] = field(default_factory=dict)

    def add(self, rows: Rows, settled: Settled) -> None:
        """Count what became of some rows."""
        self.rows += rows.lines
        self.empty += settled.empty
        for part in settled.parts:
            self.values += len(part)
            first, last = int(part.time.min()), int(part.time.max())
            self.first_ms = first if self.first_ms is None else min(first, self.first_ms)
            self.last_ms = last if self.last_ms is None else max(last, self.last_ms)
        for fault in settled.faults:
            if self.refused < REFUSED_MAX:
                written = {"line": fault.line, "cause": fault.cause, "content": fault.content}
                self.file.write(json.dumps(written, ensure_ascii=False) + "\n")
            self.refused += 1
            self.causes.setdefault(fault.cause, [0, fault.line])[0] += 1
        for name, (count, line) in settled.unknown.items():
            self.unknown_rows += count
            if name in self.unknown or len(self.unknown) < UNKNOWN_MAX:
                self.unknown.setdefault(name, [0, line])[0] += count

    def kept(self) -> dict[str, Any]:
        """Return what it takes to go on counting later."""
        self.file.flush()
        names = ("rows", "values", "refused", "unknown_rows", "empty", "first_ms", "last_ms", "causes", "unknown")
        return {name: getattr(self, name) for name in names} | {"size": self.file.tell()}

    @classmethod
    def open(cls, path: Path, kept: dict[str, Any] | None) -> Tally:
        """Begin to count, or go on from what was kept."""
        if kept is None:
            return cls(path.open("w", encoding="utf-8"))
        rest = dict(kept)
        with path.open("a", encoding="utf-8") as there:
            there.truncate(rest.pop("size"))
        return cls(path.open("a", encoding="utf-8"), **rest)

    def counts(self) -> dict[str, Any]:
        """Return the counts as people see them."""
        return {
            "rows": self.rows, "values": self.values, "refused": self.refused, "empty": self.empty,
            "unknown_rows": self.unknown_rows, "unknown_names": len(self.unknown),
            "first_ms": self.first_ms, "last_ms": self.last_ms,
        }  # fmt: skip

    def listed_causes(self) -> list[dict[str, Any]]:
        """Return why rows are refused, the most frequent reason first."""
        return [
            {"cause": cause, "text": CAUSES[cause].document(), "count": count, "line": line}
            for cause, (count, line) in sorted(self.causes.items(), key=lambda each: -each[1][0])
        ]

    def listed_unknown(self) -> list[dict[str, Any]]:
        """Return names that nobody has, those of most rows first."""
        ordered = sorted(self.unknown.items(), key=lambda each: -each[1][0])
        return [{"name": name, "count": count, "line": line} for name, (count, line) in ordered[:SHOWN_MAX]]


def loading_file(file: Path) -> Path:
    """Return where a load writes what takes the place of a file of the check once all is loaded."""
    return file.with_stem(f"{file.stem}-loading")


def unknown_file(folder: ImportFolder) -> Path:
    """Return the file of the names that nobody has."""
    return folder.path / "unknown.json"


def write_unknown(file: Path, unknown: dict[str, list[int]]) -> None:
    """Keep names that nobody has, with how many rows each has."""
    names = {name: count for name, (count, _) in unknown.items()}
    file.write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")


def put_away(folder: ImportFolder) -> None:
    """Let an import that is loaded keep what the load found, and no file: it has served.

    It may be done twice, and by any process: the one that loaded may have been killed before it.
    """
    for file in (folder.refused, unknown_file(folder)):
        with suppress(FileNotFoundError):
            loading_file(file).replace(file)
    with suppress(OSError):
        folder.upload.unlink()
