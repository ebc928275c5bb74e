"""SHDR, the lines in which adapters speak to MTConnect agents: a time, then keys and values between bars.

    2022-08-08T13:51:36.7711738Z|execution|ACTIVE|X1load|44
    2022-08-08T13:51:37Z|hydraulic|FAULT|312|500||Oil pressure low        condition: level, code, severity, side, text
    2022-08-08T13:51:38Z|message|17|Door open                             message: code, text
    2022-08-08T13:51:39Z|@ASSET@|T1|CuttingTool|--multiline--0F           several lines, up to one with the same mark
    * PONG 10000                                                          answer to `* PING`: heartbeat in milliseconds

Source: MTConnect SHDR Protocol, version 2; keys may be led by a device: `mill:execution`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from mainspring.core.errors import DecodeError
from mainspring.core.text import Text
from mainspring.drivers.mtconnect_samples import Observation, milliseconds
from mainspring.drivers.mtconnect_words import LEVELS, UNAVAILABLE

LINE_BYTES_MAX: Final = 1024 * 1024
"""Longest line, and longest text over several lines; longer ones are dropped."""
KEY_MAX: Final = 256
_MARK: Final = "--multiline--"

_TOO_LONG: Final = Text(
    "A line longer than {limit} bytes was dropped. Check that the port is that of an SHDR adapter.",
    "已丢弃超过 {limit} 字节的行。请确认端口属于 SHDR 适配器。",
)
NO_TIME: Final = Text("A line without a valid time was dropped.", "已丢弃时间无效的行。")
NO_VALUE: Final = Text("A key without a value was dropped.", "已丢弃没有值的键。")


class Form(StrEnum):
    """How many fields follow a key."""

    VALUE = "value"
    CONDITION = "condition"
    MESSAGE = "message"


_FIELDS: Final = {Form.VALUE: 1, Form.MESSAGE: 2, Form.CONDITION: 5}


class Line(NamedTuple):
    """A line taken apart: a command behind `*`, or a time and what was observed then."""

    command: str = ""
    time: str = ""
    observations: tuple[Observation, ...] = ()
    incomplete: bool = False


class Lines:
    """Cuts received bytes into lines; texts over several lines come as one."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._mark = ""
        self._text: list[str] = []
        self._size = 0

    def take(self, received: bytes) -> Iterator[str]:
        """Yield the lines that are now complete; raises DecodeError for one that is too long, and goes on behind it."""
        self._rest += received
        *complete, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest)
        too_long = len(self._rest) > LINE_BYTES_MAX
        for raw in complete:
            if len(raw) > LINE_BYTES_MAX:
                too_long = True
                continue
            line = raw.decode("utf-8", errors="replace").rstrip("\r")
            whole = self._joined(line)
            if whole:
                yield whole
        if too_long:
            if len(self._rest) > LINE_BYTES_MAX:
                self._rest.clear()
            raise DecodeError(_TOO_LONG, limit=LINE_BYTES_MAX)

    def _joined(self, line: str) -> str:
        if not self._mark:
            head, found, mark = line.rpartition(_MARK)
            if not found or not head.endswith("|"):
                return line
            self._mark, self._text, self._size = _MARK + mark, [head], 0
            return ""
        if line.strip() == self._mark:
            self._mark = ""
            first, *more = self._text
            return first + "\n".join(more)
        self._size += len(line)
        if self._size <= LINE_BYTES_MAX:
            self._text.append(line)
        return ""


def parse_line(line: str, forms: Mapping[str, Form], prefix: str = "") -> Line:
    """Take one line apart; `forms` tells of keys that are not plain values, `prefix` is left out of keys.

    A condition is also recognised by its fields where nobody told: a level and four more to the end of the line.
    """
    if line.startswith("*"):
        return Line(command=line[1:].strip())
    stamp, *fields = _fields(line)
    observations: list[Observation] = []
    place = 0
    while place < len(fields):
        key = fields[place].strip()[:KEY_MAX].removeprefix(prefix)
        rest = fields[place + 1 :]
        if key.startswith("@"):
            return Line(time=stamp, observations=tuple(observations))
        form = forms.get(key) or (Form.CONDITION if _like_condition(rest) else Form.VALUE)
        count = _FIELDS[form]
        if len(rest) < count and form is not Form.CONDITION:
            return Line(time=stamp, observations=tuple(observations), incomplete=bool(key))
        if key:
            observations.append(_observed(key, form, rest[:count]))
        place += 1 + count
    return Line(time=stamp, observations=tuple(observations), incomplete=not fields)


def _like_condition(rest: list[str]) -> bool:
    if len(rest) != _FIELDS[Form.CONDITION]:
        return False
    level = rest[0].strip().upper()
    return level in LEVELS or (level == UNAVAILABLE and not any(rest[1:4]))


def _observed(key: str, form: Form, fields: list[str]) -> Observation:
    if form is Form.CONDITION:
        level, code, _severity, _side, text = (field.strip() for field in [*fields, "", "", "", "", ""][:5])
        known = level.upper() if level.upper() in LEVELS else UNAVAILABLE
        return Observation(key, None, text, known, code)
    if form is Form.MESSAGE:
        return Observation(key, None, fields[1].strip(), code=fields[0].strip())
    text = fields[0].strip()
    return Observation(key, None, text, entries=entries_of(text) if "=" in text else None)


def _fields(line: str) -> list[str]:
    """Split at bars; a field in quotation marks may hold bars behind a backslash."""
    if "\\|" not in line:
        return line.split("|")
    fields = [field.replace("\0", "|") for field in line.replace("\0", "").replace("\\|", "\0").split("|")]
    return [field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field for field in fields]


def entries_of(text: str) -> dict[str, str]:
    """Read a data set, `a=1 b={two words} c=`: keys and their values; a key without one was removed."""
    entries: dict[str, str] = {}
    place = 0
    while place < len(text):
        key, found, rest = text[place:].partition("=")
        if not found:
            break
        closing = {"{": "}", '"': '"', "'": "'"}.get(rest[:1], "")
        end = rest.find(closing, 1) if closing else rest.find(" ")
        end = len(rest) if end < 0 else end
        value = rest[1:end] if closing else rest[:end]
        entries[key.strip()[-KEY_MAX:]] = value or UNAVAILABLE
        place += len(key) + 1 + end + 1
    return entries


class Clock:
    """Turns the times of lines into milliseconds: absolute ones, offsets from a moment unknown, and none at all."""

    def __init__(self, offset_ms: int, *, ours: bool) -> None:
        self._offset_ms = offset_ms
        self._ours = ours
        self._began_ms: float | None = None

    def time_ms(self, stamp: str, now_ms: int) -> int | None:
        """Return the time of a line; None where it is no time."""
        stamp = stamp.partition("@")[0].strip()
        if self._ours or not stamp:
            return now_ms
        if stamp.replace(".", "", 1).isdecimal():
            # Offsets count from a moment only the adapter knows: the first one is now.
            offset_ms = float(stamp[:18])
            if self._began_ms is None:
                self._began_ms = now_ms - offset_ms
            return int(self._began_ms + offset_ms)
        found = milliseconds(stamp)
        return None if found is None else found + self._offset_ms
