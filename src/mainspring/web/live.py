"""The live feed: one question to the engine for all viewers four times a second, and to each viewer what changed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import structlog

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.errors import LimitExceeded, MainspringError, NotFound
from mainspring.core.ids import uuid7
from mainspring.core.text import Text

log = structlog.get_logger(__name__)

INTERVAL_S: Final = 0.25
TAGS_MAX: Final = 2000
SETS_MAX: Final = 2000
SETS_OF_ONE_MAX: Final = 40
SET_IDLE_S: Final = 60.0
ALARMS_WAITING_MAX: Final = 500
JSON_INTEGER_MAX: Final = 2**53

_NO_SET: Final = Text(
    "This set of tags has expired. Post it again to /api/v1/live.", "该测点集合已过期，请重新提交到 /api/v1/live。"
)
_TOO_MANY: Final = Text(
    "You have {limit} live sets open already. Close a page, or wait a minute.",
    "已打开 {limit} 个实时集合，请关闭部分页面或稍候。",
)


@dataclass(slots=True)
class Snapshot:
    """Current values of some tags of one tenant, in the order of `tags`, which is ascending."""

    tags: npt.NDArray[np.uint32]
    columns: dict[str, npt.NDArray[Any]]

    def pick(self, tags: npt.NDArray[np.uint32]) -> npt.NDArray[np.intp] | None:
        """Return where `tags` stand, None if one of them was not asked for yet."""
        if not len(self.tags):
            return None
        places = np.searchsorted(self.tags, tags)
        places[places == len(self.tags)] = 0
        return places if np.array_equal(self.tags[places], tags) else None


@dataclass(slots=True)
class LiveSet:
    """A posted set of tags; it outlives its stream by a minute."""

    id: UUID
    tenant: str
    holder: str
    tags: npt.NDArray[np.uint32]
    revision: int = 0
    streams: int = 0
    idle_since: float = field(default_factory=time.monotonic)


@dataclass(slots=True, eq=False)
class Viewer:
    """One open stream: what it was last sent, and what waits for it."""

    live_set: LiveSet
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    alarms: deque[bytes] = field(default_factory=lambda: deque(maxlen=ALARMS_WAITING_MAX))
    alarms_lost: bool = False
    roles: bytes | None = None
    _revision: int = -1
    _places: npt.NDArray[np.intp] | None = None
    _of: npt.NDArray[np.uint32] | None = None
    _sent: dict[str, npt.NDArray[Any]] | None = None

    def changes(self, snapshot: Snapshot) -> bytes | None:
        """Return the event to send: everything the first time, then what changed, or None."""
        if self._revision != self.live_set.revision or self._of is not snapshot.tags:
            places = snapshot.pick(self.live_set.tags)
            if places is None:
                return None
            if self._revision != self.live_set.revision:
                self._sent = None
            self._places, self._of, self._revision = places, snapshot.tags, self.live_set.revision
        now = {name: values[self._places] for name, values in snapshot.columns.items()}
        if self._sent is None:
            self._sent = now
            return event("snapshot", values_document(self.live_set.tags, now))
        changed = np.zeros(len(self.live_set.tags), dtype=bool)
        for name, values in now.items():
            sent = self._sent[name]
            differs = values != sent
            if name == "number":
                # NaN is not equal to itself, which would send it again and again.
                differs &= ~(np.isnan(values) & np.isnan(sent))
            changed |= differs
        if not changed.any():
            return None
        self._sent = now
        return event(
            "values", values_document(self.live_set.tags[changed], {name: v[changed] for name, v in now.items()})
        )


def event(name: str, document: dict[str, Any]) -> bytes:
    """Write one server-sent event."""
    return b"event: " + name.encode() + b"\ndata: " + dumps(document) + b"\n\n"


def dumps(document: Any) -> bytes:
    """Write JSON; numpy arrays are arrays, NaN is null."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY, default=str)


def values_document(tags: npt.NDArray[np.uint32], columns: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Shape current values for pages: one value for each tag, whatever its kind."""
    kinds = columns["kind"]
    values: Any = columns["number"]
    if kinds.any():
        values = values.tolist()
        for place in np.flatnonzero(kinds):
            if kinds[place] == 1:
                whole = int(columns["integer"][place])
                values[place] = whole if abs(whole) <= JSON_INTEGER_MAX else str(whole)
            else:
                values[place] = columns["text"][place]
    return {
        "now_ms": time.time_ns() // 1_000_000,
        "tags": np.ascontiguousarray(tags),
        "values": np.ascontiguousarray(values) if isinstance(values, np.ndarray) else values,
        "times": columns["time"],
        "qualities": columns["quality"],
        "origins": columns["origin"],
        "flags": columns["flags"],
    }


def columns_of(answer: bytes) -> dict[str, npt.NDArray[Any]]:
    """Read the engine's answer; `kind` is 0 for numbers, 1 for integers, 2 for text."""
    table = pa.ipc.open_stream(answer).read_all()
    integer, text = table.column("integer"), table.column("text")
    kind = np.where(
        text.is_valid().to_numpy(), np.uint8(2), np.where(integer.is_valid().to_numpy(), np.uint8(1), np.uint8(0))
    )
    columns: dict[str, npt.NDArray[Any]] = {
        name: np.ascontiguousarray(table.column(name).to_numpy()) for name in ("time", "quality", "origin", "flags")
    }
    columns["number"] = np.ascontiguousarray(table.column("number").to_numpy().astype(np.float64))
    columns["integer"] = np.ascontiguousarray(integer.fill_null(pa.scalar(0, pa.int64())).to_numpy())
    columns["text"] = text.to_numpy() if (kind == 2).any() else np.zeros(len(kind), dtype=np.uint8)
    columns["kind"] = kind
    return columns


async def ask_current(bus: Bus, tenant: str, tags: npt.NDArray[np.uint32]) -> dict[str, npt.NDArray[Any]]:
    """Ask the engine for current values, in the order of `tags`."""
    answer = await bus.ask(subjects.current(tenant), tags.astype("<u4").tobytes(), timeout_s=2)
    return columns_of(answer)


class Hub:
    """Holds the posted sets and the open streams, and keeps them supplied."""

    def __init__(self) -> None:
        self.sets: dict[UUID, LiveSet] = {}
        self.viewers: dict[str, set[Viewer]] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.engine_silent_since: float | None = None
        self.roles: dict[str, bytes] = {}

    def post(self, tenant: str, holder: str, tags: list[int]) -> LiveSet:
        """Keep a new set of tags; raises LimitExceeded."""
        self._forget_idle()
        own = sum(each.holder == holder for each in self.sets.values())
        if own >= SETS_OF_ONE_MAX or len(self.sets) >= SETS_MAX:
            raise LimitExceeded(_TOO_MANY, limit=SETS_OF_ONE_MAX)
        made = LiveSet(uuid7(), tenant, holder, np.unique(np.asarray(tags, dtype=np.uint32)))
        self.sets[made.id] = made
        return made

    def find(self, tenant: str, holder: str, id: UUID) -> LiveSet:
        """Return one's own set; raises NotFound."""
        found = self.sets.get(id)
        if found is None or found.tenant != tenant or found.holder != holder:
            raise NotFound(_NO_SET)
        return found

    def change(self, live_set: LiveSet, tags: list[int]) -> None:
        """Replace the tags of a set; its streams get a new snapshot."""
        live_set.tags = np.unique(np.asarray(tags, dtype=np.uint32))
        live_set.revision += 1

    def open(self, live_set: LiveSet) -> Viewer:
        """Open a stream of a set."""
        viewer = Viewer(live_set, roles=self.roles.get("all"))
        live_set.streams += 1
        self.viewers.setdefault(live_set.tenant, set()).add(viewer)
        return viewer

    def close(self, viewer: Viewer) -> None:
        """End a stream."""
        viewer.live_set.streams -= 1
        viewer.live_set.idle_since = time.monotonic()
        viewers = self.viewers.get(viewer.live_set.tenant, set())
        viewers.discard(viewer)
        if not viewers:
            self.viewers.pop(viewer.live_set.tenant, None)
            self.snapshots.pop(viewer.live_set.tenant, None)

    def tell_alarm(self, tenant: str, row: dict[str, Any]) -> None:
        """Give an alarm's change to every viewer of the tenant at once."""
        message = event("alarm", row)
        for viewer in self.viewers.get(tenant, ()):
            viewer.alarms_lost |= len(viewer.alarms) == ALARMS_WAITING_MAX
            viewer.alarms.append(message)
            viewer.stirred.set()

    def tell_roles(self, document: dict[str, Any]) -> None:
        """Give the state of the roles to every viewer."""
        message = event("roles", document)
        self.roles["all"] = message
        for viewers in self.viewers.values():
            for viewer in viewers:
                viewer.roles = message
                viewer.stirred.set()

    async def run(self, bus: Bus) -> None:
        """Ask the engine for ever, while someone looks."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            for tenant in tuple(self.viewers):
                await self._refresh(bus, tenant)
            self._forget_idle()
            await asyncio.sleep(max(INTERVAL_S - (loop.time() - began), 0.02))

    async def _refresh(self, bus: Bus, tenant: str) -> None:
        viewers = self.viewers.get(tenant, set())
        wanted = [viewer.live_set.tags for viewer in viewers if len(viewer.live_set.tags)]
        if not wanted:
            return
        tags = np.unique(np.concatenate(wanted))
        known = self.snapshots.get(tenant)
        if known is not None and np.array_equal(known.tags, tags):
            tags = known.tags
        try:
            columns = await ask_current(bus, tenant, tags)
        except MainspringError as error:
            if self.engine_silent_since is None:
                self.engine_silent_since = time.monotonic()
                log.warning("live.engine_silent", reason=str(error))
            return
        self.engine_silent_since = None
        self.snapshots[tenant] = Snapshot(tags, columns)
        for viewer in viewers:
            viewer.stirred.set()

    def _forget_idle(self) -> None:
        now = time.monotonic()
        for id, each in tuple(self.sets.items()):
            if each.streams == 0 and now - each.idle_since > SET_IDLE_S:
                del self.sets[id]


hub = Hub()
"""The hub of this process."""
