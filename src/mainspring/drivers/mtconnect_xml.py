"""Documents of MTConnect, read with expat: no document type, no entities, limited depth and size.

Source: MTConnect Standard, Part 1 (documents, headers, errors), Part 2 (devices), Part 3 (streams).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from xml.parsers import expat

from mainspring.core.errors import DecodeError
from mainspring.core.text import Text
from mainspring.drivers.mtconnect_samples import Observation, milliseconds
from mainspring.drivers.mtconnect_words import UNAVAILABLE, VOCABULARIES

DEPTH_MAX: Final = 64
TEXT_MAX: Final = 1024 * 1024
"""Longest text of one element."""
ENTRIES_MAX: Final = 10_000
"""Most entries of one data set."""
ITEMS_MAX: Final = 100_000
"""Most components and data items of one agent."""
_LEVELS: Final = {"Normal": "NORMAL", "Warning": "WARNING", "Fault": "FAULT", "Unavailable": UNAVAILABLE}

_MALFORMED: Final = Text(
    "The agent sent a document that is not MTConnect ({reason}). It was dropped; check the address of the agent.",
    "代理发送的文档不符合 MTConnect（{reason}），已丢弃；请核对代理地址。",
)


def malformed(reason: str) -> DecodeError:
    """Return the error for a document that is not what the standard says."""
    return DecodeError(_MALFORMED, reason=reason)


def parse(document: bytes, start: Callable[[str, dict[str, str]], None], end: Callable[[str, str], None]) -> None:
    """Call `start` and `end` for each element, names without prefix, texts whole; raises DecodeError."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    texts: list[list[str]] = []
    letters = 0

    def opened(name: str, attributes: dict[str, str]) -> None:
        nonlocal letters
        if len(texts) >= DEPTH_MAX:
            raise malformed(f"deeper than {DEPTH_MAX} elements")
        texts.append([])
        letters = 0
        start(name.rpartition(":")[2], attributes)

    def closed(name: str) -> None:
        end(name.rpartition(":")[2], "".join(texts.pop()))

    def said(text: str) -> None:
        nonlocal letters
        letters += len(text)
        if letters > TEXT_MAX:
            raise malformed(f"a text longer than {TEXT_MAX} characters")
        texts[-1].append(text)

    def refuse(*_: object) -> None:
        raise malformed("it declares a document type")

    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.CharacterDataHandler = said
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise malformed(str(error)) from error


class Header(NamedTuple):
    """What a document says of its agent's buffer."""

    instance: str
    first: int
    next: int
    time_ms: int | None
    version: str


class Answer(NamedTuple):
    """A document of observations, or the errors the agent answered with, each as code and words."""

    header: Header | None
    observations: list[Observation]
    errors: list[tuple[str, str]]


def read_streams(document: bytes, wanted: Collection[str] | None = None) -> Answer:
    """Read observations, only those of `wanted` data items if given; also reads a document of errors."""
    reader = _Streams(wanted)
    parse(document, reader.start, reader.end)
    if reader.root not in ("MTConnectStreams", "MTConnectError"):
        raise malformed(f"it is a {reader.root[:40]!r}")
    if reader.root == "MTConnectStreams" and reader.header is None:
        raise malformed("no header")
    return Answer(reader.header, reader.observations, reader.errors)


class _Streams:
    """Gathers observations while a document is read."""

    def __init__(self, wanted: Collection[str] | None) -> None:
        self.root = ""
        self.header: Header | None = None
        self.observations: list[Observation] = []
        self.errors: list[tuple[str, str]] = []
        self._wanted = wanted
        self._times: dict[str, int | None] = {}
        self._item: tuple[str, dict[str, str]] | None = None
        self._entries: dict[str, str] = {}
        self._entry: dict[str, str] = {}
        self._code = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self.root:
            self.root = name
        if self._item is not None:
            self._entry = attributes
            return
        item = attributes.get("dataItemId")
        if item is not None:
            if self._wanted is None or item in self._wanted:
                self._item = (name, attributes)
                self._entries = {}
        elif name == "Header":
            self.header = _header(attributes)
        elif name == "Error":
            self._code = attributes.get("errorCode", "")

    def end(self, name: str, text: str) -> None:
        if self._item is None:
            if name == "Error" or (name == "ErrorMessage" and text):
                self.errors.append((self._code or "ERROR", text.strip()[:300]))
            return
        opened, attributes = self._item
        if name == opened:
            self._item = None
            self._observe(name, attributes, text)
        elif name == "Entry" and len(self._entries) < ENTRIES_MAX:
            removed = self._entry.get("removed") == "true"
            self._entries[self._entry.get("key", "")] = UNAVAILABLE if removed else text.strip()

    def _observe(self, name: str, attributes: dict[str, str], text: str) -> None:
        stamp = attributes.get("timestamp", "")
        if stamp not in self._times:
            self._times[stamp] = milliseconds(stamp)
        # A condition is named by its state; every other observation by its type.
        level = _LEVELS.get(name, "") if "type" in attributes else ""
        code = attributes.get("conditionId") or attributes.get("nativeCode", "")
        self.observations.append(
            Observation(
                attributes["dataItemId"], self._times[stamp], text.strip(), level, code, self._entries or None
            )
        )  # fmt: skip


def _header(attributes: dict[str, str]) -> Header:
    try:
        first, following = int(attributes.get("firstSequence", 0)), int(attributes.get("nextSequence", 0))
    except ValueError as error:
        raise malformed("a sequence number that is none") from error
    instance, version = attributes.get("instanceId", "")[:64], attributes.get("version", "")[:32]
    return Header(instance, first, following, milliseconds(attributes.get("creationTime", "")), version)


@dataclass(slots=True)
class Item:
    """A data item as the agent describes it."""

    id: str
    name: str
    category: str
    type: str
    sub_type: str = ""
    units: str = ""
    native_units: str = ""
    representation: str = ""
    source: str = ""
    values: list[str] = field(default_factory=list)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The values it may have, in the order of their numbers: its own, or those of its type."""
        return tuple(self.values) if len(self.values) > 1 else tuple(VOCABULARIES.get(self.type, ()))

    @property
    def is_vector(self) -> bool:
        """Tell whether one observation holds three numbers."""
        return self.units.endswith("_3D") or self.native_units.endswith("_3D")


@dataclass(slots=True)
class Component:
    """A device or a part of one, with its data items."""

    id: str
    name: str
    kind: str
    uuid: str = ""
    description: str = ""
    items: list[Item] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)

    def all_items(self) -> list[Item]:
        """Return the data items of this part and all below."""
        return [*self.items, *(item for part in self.components for item in part.all_items())]


def read_devices(document: bytes) -> tuple[Header | None, list[Component]]:
    """Read the description of devices; raises DecodeError."""
    reader = _Devices()
    parse(document, reader.start, reader.end)
    if reader.root != "MTConnectDevices":
        raise malformed(f"it is a {reader.root[:40]!r}")
    return reader.header, reader.devices


class _Devices:
    """Builds components and data items while a document is read; geometry and configuration are passed over."""

    def __init__(self) -> None:
        self.root = ""
        self.header: Header | None = None
        self.devices: list[Component] = []
        self._path: list[str] = []
        self._open: list[Component] = []
        self._item: Item | None = None
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self.root:
            self.root = name
        above = self._path[-1] if self._path else ""
        self._path.append(name)
        if name == "Header":
            self.header = _header(attributes)
        elif "Configuration" in self._path:
            return
        elif above in ("Devices", "Components"):
            self._add(name, attributes)
        elif name == "DataItem" and self._open:
            self._tally()
            self._item = _item(attributes)
            self._open[-1].items.append(self._item)

    def end(self, name: str, text: str) -> None:
        self._path.pop()
        above = self._path[-1] if self._path else ""
        if "Configuration" in self._path or name == "Configuration":
            return
        if above in ("Devices", "Components"):
            self._open.pop()
        elif name == "DataItem":
            self._item = None
        elif name == "Value" and self._item is not None and len(self._item.values) < ENTRIES_MAX:
            self._item.values.append(text.strip()[:200])
        elif name == "Source" and self._item is not None:
            self._item.source = text.strip()[:200]
        elif name == "Description" and self._open and not self._open[-1].description:
            self._open[-1].description = " ".join(text.split())[:120]

    def _add(self, name: str, attributes: dict[str, str]) -> None:
        self._tally()
        title = attributes.get("name") or attributes.get("nativeName") or attributes.get("id", name)
        part = Component(attributes.get("id", title), title, name, attributes.get("uuid", ""))
        (self._open[-1].components if self._open else self.devices).append(part)
        self._open.append(part)

    def _tally(self) -> None:
        self._count += 1
        if self._count > ITEMS_MAX:
            raise malformed(f"more than {ITEMS_MAX} components and data items")


def _item(attributes: dict[str, Any]) -> Item:
    return Item(
        attributes.get("id", ""), attributes.get("name", ""), attributes.get("category", ""),
        attributes.get("type", "").rpartition(":")[2], attributes.get("subType", ""), attributes.get("units", ""),
        attributes.get("nativeUnits", ""), attributes.get("representation", ""),
    )  # fmt: skip
