"""Heads of the audit's chains, written down beside the database: a chain that was cut off at its end has lost one.

A file for each company in the data folder, one JSON object a line, only ever appended to.
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text

FOLDER: Final = "audit"
LINE_BYTES_MAX: Final = 512
DIGEST_MIN: Final = 16
"""So many letters of a digest, 64 bits, are enough to know it by."""
_NO_HEAD: Final = Text(
    "{found} is no head of a chain. Write the number of an entry, a colon, and at least {least} letters of its digest.",
    "{found} 不是链条末条标记，请填写序号、冒号和至少 {least} 位摘要。",
)
_NO_TIME: Final = Text(
    "{found} is not a time. Write it like 2026-11-21T14:05 or 2026-11-21T14:05+08:00.",
    "{found} 不是有效时间，请写成 2026-11-21T14:05 或 2026-11-21T14:05+08:00。",
)


class Head(BaseModel):
    """What the last entry of a chain was at a time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int = Field(ge=1, lt=2**63)
    digest: str = Field(pattern=rf"^[0-9a-f]{{{DIGEST_MIN},64}}$")
    time_ms: int = 0

    def __str__(self) -> str:
        return f"{self.sequence}:{self.digest}"


class PutBack(BaseModel):
    """That the records were put back to what they were at `to_ms`: later entries are known to be gone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    noted_ms: int
    to_ms: int


class Heads(NamedTuple):
    """What was written down of a chain: heads it must have, and each restore with the last head that it gave up."""

    holding: tuple[Head, ...]
    given_up: tuple[tuple[PutBack, Head], ...]


_LINE: Final[TypeAdapter[Head | PutBack]] = TypeAdapter(Head | PutBack)


class HeadFile:
    """What is written down of one company's chain."""

    def __init__(self, data_folder: Path, tenant: str) -> None:
        self.file = data_folder / FOLDER / f"{tenant}.jsonl"

    def read(self) -> Heads:
        """Return all that is written down; nothing where there is no file yet."""
        holding: list[Head] = []
        given_up: list[tuple[PutBack, Head]] = []
        for line in _parsed(self.file.read_bytes().splitlines() if self.file.exists() else []):
            if isinstance(line, Head):
                holding.append(line)
                continue
            late = [head for head in holding if head.time_ms > line.to_ms]
            if late:
                given_up.append((line, max(late, key=lambda head: head.sequence)))
                holding = [head for head in holding if head.time_ms <= line.to_ms]
        return Heads(tuple(holding), tuple(given_up))

    def last(self) -> Head | None:
        """Return the head written down last; none after the records were put back."""
        if not self.file.exists():
            return None
        with self.file.open("rb") as opened:
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - LINE_BYTES_MAX))
            lines = _parsed(opened.read().splitlines())
        return lines[-1] if lines and isinstance(lines[-1], Head) else None

    def write(self, line: Head | PutBack) -> None:
        """Append a line; it is on the disk when this returns."""
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as out:
            written = out.seek(0, os.SEEK_END)
            out.seek(max(0, written - 1))
            # What a power cut left unfinished stays a line of its own.
            torn = out.read(1) not in {b"", b"\n"}
            out.write(b"\n" * torn + line.model_dump_json().encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())


def note_put_back(data_folder: Path, line: PutBack) -> list[str]:
    """Note for every company that the records are those of a time; returns the companies."""
    tenants = sorted(file.stem for file in (data_folder / FOLDER).glob("*.jsonl"))
    for tenant in tenants:
        HeadFile(data_folder, tenant).write(line)
    return tenants


def head_of(written: str) -> Head:
    """Return the head that somebody wrote down as `number:digest`; raises ConfigurationError."""
    found = re.fullmatch(r"\s*(\d{1,19}):([0-9a-fA-F]+)\s*", written)
    try:
        if found:
            return Head(sequence=int(found[1]), digest=found[2].lower())
    except ValidationError:
        pass
    raise ConfigurationError(_NO_HEAD, found=written, least=DIGEST_MIN)


def time_of(written: str) -> int:
    """Return a time that somebody wrote, local unless it says its offset; raises ConfigurationError."""
    try:
        return int(datetime.fromisoformat(written).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(_NO_TIME, found=written) from error


def _parsed(lines: list[bytes]) -> list[Head | PutBack]:
    found: list[Head | PutBack] = []
    for line in lines:
        try:
            found.append(_LINE.validate_json(line))
        except ValidationError:
            continue
    return found
