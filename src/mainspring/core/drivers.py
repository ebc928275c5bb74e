"""The contract of a driver: connect, read, close; and apart, what only some can: subscribe, write, browse.

A driver is registered under the entry point group `mainspring.drivers`; ours use the same door as anyone's.
The gateway owns schedule, back-off, scaling, dead-band, quality on loss and the log; a driver only speaks the protocol.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.blobs import reference
from mainspring.core.errors import MainspringError
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text

ENTRY_POINTS: Final = "mainspring.drivers"
Value = float | int | bool | str
REFUSALS_MAX: Final = 20


class Settings(BaseModel):
    """Base of a driver's declared settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def setting(default: Any, en: str, zh: str, *, secret: bool = False, unit: str | None = None, **limits: Any) -> Any:
    """Declare one setting with its words in both languages; `...` as default makes it required.

    The extra words land in the JSON Schema as `title_zh`, `unit` and `secret`, from which forms and docs are made.
    """
    extra: dict[str, Any] = {"title_zh": zh}
    if unit:
        extra["unit"] = unit
    if secret:
        extra["secret"] = True
    return Field(default, title=en, json_schema_extra=extra, **limits)


@dataclass(frozen=True, slots=True)
class DriverTag:
    """A tag as a driver sees it: its ordinal, its kind and the driver's own, already validated address."""

    ordinal: int
    kind: SampleKind
    address: Any
    writable: bool = False


@dataclass(slots=True)
class Traffic:
    """What a driver counts; the gateway turns it into rates."""

    requests: int = 0
    errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    round_trip_ms: float = 0.0
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """One step of a connection test; the first that fails carries its cure."""

    name: Text
    ok: bool
    detail: Text
    elapsed_ms: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return the form that travels in JSON."""
        return {
            "name": self.name.document(),
            "ok": self.ok,
            "detail": self.detail.document(),
            "elapsed_ms": round(self.elapsed_ms, 1),
        }


async def _at_once() -> None:
    """Nothing is kept here: nobody gathers."""


def _passed_over(batch: SampleBatch) -> None:
    """Nobody keeps what is late here."""


def _nowhere(content: bytes, media_type: str) -> str:
    """Name a blob without keeping it."""
    return reference(content, media_type)


@dataclass(slots=True)
class Host:
    """What the gateway lends to its drivers; the defaults serve a driver that stands alone."""

    tenant: str = ""
    gateway: str = "main"
    kept: Callable[[], Awaitable[None]] = _at_once
    """Returns once everything delivered before the call lies durably in the gateway's log: acknowledge after it."""
    keep_blob: Callable[[bytes, str], str] = _nowhere
    """Keeps content under its hash and returns the reference that is the sample's value; raises StoreError."""
    late: Callable[[SampleBatch], None] = _passed_over
    """Takes samples that a device kept while nobody listened: stored with their own times, never current."""
    parts: dict[str, Any] = field(default_factory=dict)
    """Shared parts of the gateway by name, such as its own MQTT listener."""
    passing: bool = False
    """The driver only looks, for a test or a preview: what a connection is owed must not be taken in its place."""


async def checked(steps: Sequence[tuple[Text, Callable[[], Awaitable[Text]]]]) -> AsyncIterator[Check]:
    """Do the steps of a connection test one after the other, timed, up to the first that fails."""
    for name, step in steps:
        started = time.perf_counter()
        try:
            detail, ok = await step(), True
        except MainspringError as error:
            detail, ok = error.text, False
        yield Check(name, ok, detail, (time.perf_counter() - started) * 1000)
        if not ok:
            return


class Driver(ABC):
    """Speaks one protocol to one device. The constructor does no I/O.

    Errors: NotConnected (tried again with back-off), Rejected (stop and tell), DecodeError (this answer is dropped).
    After NotConnected the gateway closes the driver and connects anew.
    """

    name: ClassVar[str]
    title: ClassVar[Text]
    Config: ClassVar[type[Settings]]
    Address: ClassVar[type[Settings]]

    def __init__(self, config: Any) -> None:
        self.config = config
        self.traffic = Traffic()
        self.faults: dict[int, Text] = {}
        """Why a tag is bad although the device answers, in words by ordinal; empty while all is well."""
        self.refused: dict[Text, int] = {}
        """What was refused and how often, by a sentence without particulars; at most REFUSALS_MAX sentences."""
        self.host = Host()

    def refuse(self, reason: Text, count: int = 1) -> None:
        """Count something that came and was not taken."""
        if reason in self.refused or len(self.refused) < REFUSALS_MAX:
            self.refused[reason] = self.refused.get(reason, 0) + count

    @abstractmethod
    async def connect(self) -> None:
        """Open the connection, or raise NotConnected or Rejected."""

    @abstractmethod
    def prepare(self, tags: Sequence[DriverTag]) -> Any:
        """Group the tags of one scan class into requests, without I/O; the result is given to `read`."""

    @abstractmethod
    async def read(self, prepared: Any, time_ms: int) -> list[SampleBatch]:
        """Read all prepared tags once, raw and unscaled; polled samples carry `time_ms`.

        A tag that the device refuses comes back with a bad quality, it does not fail the others.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close everything; safe to call at any time and twice."""

    @abstractmethod
    def checks(self) -> AsyncIterator[Check]:
        """Test the connection in ordered steps from address to first value; ends at the first failure."""


@runtime_checkable
class Subscribes(Protocol):
    """The device sends changes by itself."""

    async def subscribe(self, tags: Sequence[DriverTag], deliver: Callable[[SampleBatch], None]) -> None:
        """Deliver changes with source times until contact is lost (NotConnected) or the task is cancelled."""


@runtime_checkable
class Writes(Protocol):
    """The device takes values."""

    async def write(self, items: Sequence[tuple[DriverTag, Value]]) -> list[MainspringError | None]:
        """Write raw values, one outcome for each; the gateway reads them back."""


@runtime_checkable
class WritesAmidReading(Writes, Protocol):
    """A reading under way lets writing pass and goes on behind it, however long it takes."""

    async def read_back(self, prepared: Any, time_ms: int) -> list[SampleBatch]:
        """Read what was written, as `read` does, ahead of a reading under way."""


@dataclass(frozen=True, slots=True)
class Node:
    """One entry of a device's address space; `address` is set where it can become a tag."""

    id: str
    name: str
    has_children: bool
    kind: SampleKind | None = None
    address: dict[str, Any] | None = None
    unit: str = ""
    description: str = ""
    writable: bool = False
    value: str = ""

    def document(self) -> dict[str, Any]:
        """Return the form that travels in JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@runtime_checkable
class Browses(Protocol):
    """The device tells what it has."""

    async def browse(self, parent: str | None, limit: int) -> list[Node]:
        """List the children of a node, at most `limit`; None is the root."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a declared mapping finds in a sample message: nodes that can become tags, the time of each, and faults."""

    nodes: tuple[Node, ...] = ()
    times_ms: tuple[int | None, ...] = ()
    faults: tuple[Text, ...] = ()


@runtime_checkable
class Maps(Protocol):
    """Messages become samples by a mapping that the settings declare."""

    @classmethod
    def try_mapping(cls, config: Any, topic: str, sample: bytes) -> Trial:
        """Apply the mapping of checked settings to one message, without I/O."""


@dataclass(frozen=True, slots=True)
class DriverEntry:
    """A registered driver, loaded when first used."""

    name: str
    load: Callable[[], type[Driver]] = field(repr=False)


def registered() -> dict[str, DriverEntry]:
    """Return all drivers registered by entry point, by name, without importing them."""
    from importlib.metadata import entry_points

    return {point.name: DriverEntry(point.name, point.load) for point in entry_points(group=ENTRY_POINTS)}
