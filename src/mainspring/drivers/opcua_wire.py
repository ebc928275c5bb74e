"""OPC UA answers byte by byte: a reader that never runs past the end and raises DecodeError alone.

Source: OPC UA Part 6, section 5.2 (binary encoding).
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from mainspring.core.errors import DecodeError
from mainspring.core.text import Text

DEPTH_MAX: Final = 8
"""Deepest nesting of a value inside a value."""
TICKS_PER_MS: Final = 10_000
EPOCH_MS: Final = 11_644_473_600_000
"""Milliseconds from 1601, where OPC UA counts from, to 1970."""

_MALFORMED: Final = Text(
    "The server's answer is malformed at byte {position} ({reason}). It was dropped and counted; if this repeats, "
    "update the server's firmware or report its make and version.",
    "服务器应答在第 {position} 字节处格式错误（{reason}），已丢弃并计数；"
    "若反复出现，请升级服务器固件或反馈其型号和版本。",
)


class Structure(NamedTuple):
    """A value of a structured type, left encoded."""

    type: str
    body: bytes


class Reading(NamedTuple):
    """One DataValue; `type` is the built-in type (0: none), arrays are lists, `time_ms` is None where none was sent."""

    type: int
    value: Any
    status: int
    time_ms: int | None


_SCALAR: Final = {
    1: "<?", 2: "<b", 3: "<B", 4: "<h", 5: "<H", 6: "<i", 7: "<I", 8: "<q", 9: "<Q", 10: "<f", 11: "<d", 19: "<I",
}  # fmt: skip


def iso(ticks: int) -> str:
    """Say a DateTime as ISO 8601 text in UTC; what no calendar holds becomes the first or last moment of ours."""
    try:
        moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    except OverflowError:
        moment = datetime.max.replace(tzinfo=UTC) if ticks > 0 else datetime.min.replace(tzinfo=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(source: int, server: int) -> int | None:
    """Milliseconds UTC from the source's or else the server's ticks; 0 stands for none."""
    ticks = source or server
    return ticks // TICKS_PER_MS - EPOCH_MS if ticks else None


class Reader:
    """Reads an answer from front to back and never beyond its end."""

    __slots__ = ("body", "position")

    def __init__(self, body: bytes, position: int = 0) -> None:
        self.body = body
        self.position = position

    def malformed(self, reason: str) -> DecodeError:
        """Make the error that says where reading stopped."""
        return DecodeError(_MALFORMED, position=self.position, reason=reason)

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        end = self.position + size
        if size < 0 or end > len(self.body):
            raise self.malformed("it ends too early")
        piece = self.body[self.position : end]
        self.position = end
        return piece

    def number(self, form: str) -> Any:
        """Return the next number of a struct format."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def count(self) -> int:
        """Return the length of an array; each element takes at least one byte."""
        length = int(self.number("<i"))
        if length > len(self.body) - self.position:
            raise self.malformed("an array is longer than the answer")
        return max(length, 0)

    def octets(self) -> bytes:
        """Return a byte string; null is empty."""
        return self.take(max(self.number("<i"), 0))

    def text(self) -> str:
        """Return a string; null is empty, bytes that are no UTF-8 are replaced."""
        return self.octets().decode(errors="replace")

    def node_id(self) -> str:
        """Return a NodeId or ExpandedNodeId as text."""
        form = self.number("<B")
        space, name = 0, ""
        match form & 0x3F:
            case 0:
                name = f"i={self.number('<B')}"
            case 1:
                space = self.number("<B")
                name = f"i={self.number('<H')}"
            case 2:
                space = self.number("<H")
                name = f"i={self.number('<I')}"
            case 3:
                space = self.number("<H")
                name = f"s={self.text()}"
            case 4:
                space = self.number("<H")
                name = f"g={UUID(bytes_le=self.take(16))}"
            case 5:
                space = self.number("<H")
                name = f"b={self.octets().hex()}"
            case _:
                raise self.malformed("unknown form of node id")
        uri = self.text() if form & 0x80 else ""
        if form & 0x40:
            self.number("<I")
        place = f"nsu={uri};" if uri else f"ns={space};" if space else ""
        return place + name

    def localized(self) -> str:
        """Return the text of a LocalizedText."""
        mask = self.number("<B")
        if mask & 1:
            self.text()
        return self.text() if mask & 2 else ""

    def structure(self) -> Structure:
        """Return an ExtensionObject with its body unread."""
        kind = self.node_id()
        form = self.number("<B")
        return Structure(kind, self.octets() if form else b"")

    def diagnostic(self, depth: int = 0) -> None:
        """Skip a DiagnosticInfo."""
        if depth > DEPTH_MAX:
            raise self.malformed("nested too deep")
        mask = self.number("<B")
        self.take(4 * (mask & 0x0F).bit_count())
        if mask & 0x10:
            self.octets()
        if mask & 0x20:
            self.take(4)
        if mask & 0x40:
            self.diagnostic(depth + 1)

    def header(self) -> int:
        """Skip type and response header of an answer and return its service result."""
        self.node_id()
        self.take(12)
        result = int(self.number("<I"))
        self.diagnostic()
        for _ in range(self.count()):
            self.octets()
        self.structure()
        return result

    def variant(self, depth: int = 0) -> tuple[int, Any]:
        """Return built-in type and value; an array becomes a flat list."""
        if depth > DEPTH_MAX:
            raise self.malformed("nested too deep")
        form = self.number("<B")
        kind = form & 0x3F
        value: Any
        if form & 0x80:
            if kind == 0:
                raise self.malformed("an array of nothing")
            value = [self._scalar(kind, depth) for _ in range(self.count())]
        else:
            value = self._scalar(kind, depth)
        if form & 0x40:
            self.take(4 * self.count())
        return kind, value

    def _scalar(self, kind: int, depth: int) -> Any:
        if form := _SCALAR.get(kind):
            return self.number(form)
        match kind:
            case 0:
                return None
            case 12 | 16:
                return self.text()
            case 13:
                return iso(self.number("<q"))
            case 14:
                return str(UUID(bytes_le=self.take(16)))
            case 15:
                return self.octets().hex()
            case 17 | 18:
                return self.node_id()
            case 20:
                space = self.number("<H")
                return f"{space}:{self.text()}" if space else self.text()
            case 21:
                return self.localized()
            case 22:
                return self.structure()
            case 23:
                return self.reading(depth + 1).value
            case 24:
                return self.variant(depth + 1)[1]
            case 25:
                return self.diagnostic(depth + 1)
        raise self.malformed(f"unknown type {kind}")

    def reading(self, depth: int = 0) -> Reading:
        """Return the next DataValue."""
        mask = self.number("<B")
        kind, value = self.variant(depth) if mask & 1 else (0, None)
        status = self.number("<I") if mask & 2 else 0
        source = self.number("<q") if mask & 4 else 0
        self.take(2 if mask & 16 else 0)
        server = self.number("<q") if mask & 8 else 0
        self.take(2 if mask & 32 else 0)
        return Reading(kind, value, status, milliseconds(source, server))
