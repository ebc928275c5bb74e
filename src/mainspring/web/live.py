"""The live feed: one question to the engine for all viewers four times a second, and to each viewer what changed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import structlog
from nats.errors import Error as NatsError

from mainspring.bus.connect import Bus
from mainspring.core import current, subjects
from mainspring.core.errors import LimitExceeded, MainspringError, NotFound
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.web.columns import numbers

if TYPE_CHECKING:
    from mainspring.records.access.scope import Reach
    from mainspring.web.standing import Standing

log = structlog.get_logger(__name__)

INTERVAL_S: Final = 0.25
TAGS_MAX: Final = 2000
SETS_MAX: Final = 2000
SETS_OF_ONE_MAX: Final = 40
STREAMS_OF_ONE_MAX: Final = 40
ASKED_AT_ONCE_MAX: Final = 50_000
ASK_TIMEOUT_S: Final = 2.0
SET_IDLE_S: Final = 60.0
ALARMS_WAITING_MAX: Final = 500
JSON_INTEGER_MAX: Final = 2**53
NUMBER, INTEGER, TEXT = np.uint8(0), np.uint8(1), np.uint8(2)

_NO_SET: Final = Text(
    "This set of tags has expired. Post it again to /api/v1/live.", "该测点集合已过期，请重新提交到 /api/v1/live。"
)
_TOO_MANY: Final = Text(
    "You have {limit} live sets open already. Close a page, or wait a minute.",
    "已打开 {limit} 个实时集合，请关闭部分页面或稍候。",
)
_FULL: Final = Text(
    "This web process holds {limit} live sets already. Try again in a minute.",
    "此 Web 进程已有 {limit} 个实时集合，请稍后重试。",
)
_TOO_MANY_STREAMS: Final = Text(
    "You have {limit} live streams open already. Close a page.", "已打开 {limit} 个实时流，请关闭部分页面。"
)


@dataclass(slots=True)
class Snapshot:
    """Current values of some tags of one tenant, in the order of `tags`, which is ascending."""

    tags: npt.NDArray[np.uint32]
    columns: dict[str, npt.NDArray[Any]]

    def pick(self, tags: npt.NDArray[np.uint32]) -> npt.NDArray[np.intp] | None:
        """Return where `tags` stand, None if one of them was not asked for yet."""
        if not len(self.tags):
            return None if len(tags) else np.empty(0, dtype=np.intp)
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
    interval_s: float = INTERVAL_S
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
    standing: Standing | None = None
    """What lets the viewer watch; `web.standing` ends the stream when it does not hold any more."""
    reach: Reach | None = None
    """The parts of the plant whose alarms it is told of; None: all."""
    ended: bool = False
    _due: float = 0.0
    _revision: int = -1
    _places: npt.NDArray[np.intp] | None = None
    _of: npt.NDArray[np.uint32] | None = None
    _sent: dict[str, npt.NDArray[Any]] | None = None

    def is_due(self, now: float) -> bool:
        """Tell whether the set's interval has passed since this was last true, by the monotonic clock."""
        if now < self._due and self._revision == self.live_set.revision:
            return False
        # Half a round of the hub early, or an interval of one round would often become two.
        self._due = now + self.live_set.interval_s - INTERVAL_S / 2
        return True

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
        sent, self._sent = self._sent, now
        if sent is None:
            return event("snapshot", values_document(self.live_set.tags, now))
        changed = _differences(sent, now)
        if not changed.any():
            return None
        return event(
            "values", values_document(self.live_set.tags[changed], {name: v[changed] for name, v in now.items()})
        )


def _differences(sent: dict[str, npt.NDArray[Any]], now: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.bool_]:
    changed: npt.NDArray[np.bool_] = np.zeros(len(now["kind"]), dtype=np.bool_)
    for name, values in now.items():
        if name == "text":
            texts = np.flatnonzero(now["kind"] == TEXT)
            changed[texts] |= values[texts] != sent[name][texts]
        elif name == "number":
            # NaN is not equal to itself, which would send it again and again.
            changed |= (values != sent[name]) & ~(np.isnan(values) & np.isnan(sent[name]))
        else:
            changed |= values != sent[name]
    return changed


def event(name: str, document: dict[str, Any]) -> bytes:
    """Write one server-sent event."""
    return b"event: " + name.encode() + b"\ndata: " + dumps(document) + b"\n\n"


def dumps(document: Any) -> bytes:
    """Write JSON; numpy arrays are arrays, NaN is null."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY, default=str)


ALL_WELL: Final[dict[str, Any]] = {"degraded": []}


def values_document(tags: npt.NDArray[np.uint32], columns: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Shape current values for pages: one value for each tag, whatever its kind."""
    kinds = columns["kind"]
    values: Any = columns["number"]
    if kinds.any():
        values = values.tolist()
        for place in np.flatnonzero(kinds).tolist():
            whole = kinds[place] == INTEGER
            values[place] = exact(int(columns["integer"][place])) if whole else columns["text"][place]
    return {
        "now_ms": time.time_ns() // 1_000_000,
        "tags": tags,
        "values": values,
        "times": columns["time"],
        "qualities": columns["quality"],
        "origins": columns["origin"],
        "flags": columns["flags"],
    }


def exact(whole: int) -> int | str:
    """Return an integer as JSON readers keep it: beyond 2^53 as text."""
    return whole if abs(whole) <= JSON_INTEGER_MAX else str(whole)


def columns_of(answer: bytes) -> dict[str, npt.NDArray[Any]]:
    """Read the engine's answer; `kind` is NUMBER, INTEGER or TEXT."""
    table = pa.ipc.open_stream(answer).read_all()
    columns = {name: numbers(table.column(name)) for name in current.SCHEMA.names if name not in _NOT_NUMBERS}
    kind = np.full(table.num_rows, NUMBER)
    kind[_told(table, "integer")] = INTEGER
    kind[_told(table, "text")] = TEXT
    if (kind == TEXT).any():
        columns["text"] = np.empty(len(kind), dtype=object)
        columns["text"][:] = table.column("text").to_pylist()
    else:
        columns["text"] = np.zeros(len(kind), dtype=np.uint8)
    columns["kind"] = kind
    return columns


_NOT_NUMBERS: Final = frozenset({"tag", "text"})


def _told(table: pa.Table, name: str) -> npt.NDArray[np.bool_]:
    """Return where a column is not empty."""
    column = table.column(name)
    if column.null_count == table.num_rows:
        return np.zeros(table.num_rows, dtype=np.bool_)
    return numbers(column.is_valid().cast(pa.uint8())).astype(np.bool_)


async def ask_current(bus: Bus, tenant: str, tags: npt.NDArray[np.uint32]) -> dict[str, npt.NDArray[Any]]:
    """Ask the engine for current values, in the order of `tags`; a part at a time."""
    subject = subjects.current(tenant)
    parts = []
    for start in range(0, max(len(tags), 1), ASKED_AT_ONCE_MAX):
        asked = tags[start : start + ASKED_AT_ONCE_MAX].astype("<u4").tobytes()
        parts.append(columns_of(await bus.ask(subject, asked, timeout_s=ASK_TIMEOUT_S)))
    return parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class Hub:
    """Holds the posted sets and the open streams, and keeps them supplied."""

    def __init__(self) -> None:
        self.sets: dict[UUID, LiveSet] = {}
        self.viewers: dict[str, set[Viewer]] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.engine_silent_since: float | None = None
        self.roles: dict[str, dict[str, Any]] = {}
        self.ended = False

    def post(self, tenant: str, holder: str, tags: list[int], interval_s: float = INTERVAL_S) -> LiveSet:
        """Keep a new set of tags; raises LimitExceeded."""
        self.forget_idle()
        if len(self.sets) >= SETS_MAX:
            raise LimitExceeded(_FULL, limit=SETS_MAX)
        if sum(_person(each.holder) == _person(holder) for each in self.sets.values()) >= SETS_OF_ONE_MAX:
            raise LimitExceeded(_TOO_MANY, limit=SETS_OF_ONE_MAX)
        made = LiveSet(uuid7(), tenant, holder, np.unique(np.asarray(tags, dtype=np.uint32)), interval_s)
        self.sets[made.id] = made
        return made

    def find(self, tenant: str, holder: str, id: UUID) -> LiveSet:
        """Return one's own set; raises NotFound."""
        found = self.sets.get(id)
        if found is None or found.tenant != tenant or found.holder != holder:
            raise NotFound(_NO_SET)
        return found

    def change(self, live_set: LiveSet, tags: list[int], interval_s: float = INTERVAL_S) -> None:
        """Replace the tags of a set; its streams get a new snapshot."""
        live_set.tags = np.unique(np.asarray(tags, dtype=np.uint32))
        live_set.interval_s = interval_s
        live_set.revision += 1

    def check_streams(self, holder: str) -> None:
        """Raise LimitExceeded if a person has too many streams open."""
        streams = (each.streams for each in self.sets.values() if _person(each.holder) == _person(holder))
        if sum(streams) >= STREAMS_OF_ONE_MAX:
            raise LimitExceeded(_TOO_MANY_STREAMS, limit=STREAMS_OF_ONE_MAX)

    def narrow(self, live_set: LiveSet, within: Collection[int]) -> None:
        """Take the tags out of a set that whoever opens it may not see."""
        kept = live_set.tags[np.isin(live_set.tags, np.fromiter(within, dtype=np.uint32))]
        if len(kept) < len(live_set.tags):
            live_set.tags = kept
            live_set.revision += 1

    def open(self, live_set: LiveSet, standing: Standing | None = None, reach: Reach | None = None) -> Viewer:
        """Open a stream of a set."""
        roles = _roles(self.roles.get(live_set.tenant, ALL_WELL), reach)
        viewer = Viewer(live_set, roles=roles, standing=standing, reach=reach)
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
            self.roles.pop(viewer.live_set.tenant, None)

    def cut(self, viewer: Viewer) -> None:
        """End a stream whose viewer may not watch any more as it did; its set goes, too: it is posted again or not."""
        viewer.ended = True
        self.sets.pop(viewer.live_set.id, None)
        viewer.stirred.set()

    def end(self) -> None:
        """Let every stream end; pages open them again at whoever serves next."""
        self.ended = True
        for viewers in self.viewers.values():
            for viewer in viewers:
                viewer.stirred.set()

    def tell_alarm(self, tenant: str, row: dict[str, Any]) -> None:
        """Give an alarm's change to every viewer of the tenant at once who sees this part of the plant."""
        message = event("alarm", row)
        for viewer in self.viewers.get(tenant, ()):
            if viewer.reach is not None and not viewer.reach.holds(row["path"], row["asset"]):
                continue
            viewer.alarms_lost |= len(viewer.alarms) == ALARMS_WAITING_MAX
            viewer.alarms.append(message)
            viewer.stirred.set()

    def tell_missed(self, tenant: str) -> None:
        """Tell every viewer of the tenant that alarms changed which it was not told of."""
        for viewer in self.viewers.get(tenant, ()):
            viewer.alarms_lost = True
            viewer.stirred.set()

    def tell_roles(self, tenant: str, document: dict[str, Any]) -> None:
        """Give the state of the roles to every viewer of the tenant, unless they know it."""
        if self.roles.get(tenant, ALL_WELL) == document:
            return
        self.roles[tenant] = document
        for viewer in self.viewers.get(tenant, ()):
            viewer.roles = _roles(document, viewer.reach)
            viewer.stirred.set()

    async def run(self, bus: Bus) -> None:
        """Ask the engine for ever, while someone looks."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            for tenant in tuple(self.viewers):
                if tenant in self.viewers:
                    await self._refresh(bus, tenant)
            self.forget_idle()
            await asyncio.sleep(max(INTERVAL_S - (loop.time() - began), 0.02))

    async def _refresh(self, bus: Bus, tenant: str) -> None:
        # A viewer of no tags is asked for too: it still wants to know whether the engine answers.
        tags = np.unique(np.concatenate([viewer.live_set.tags for viewer in self.viewers[tenant]]))
        known = self.snapshots.get(tenant)
        if known is not None and np.array_equal(known.tags, tags):
            tags = known.tags
        try:
            columns = await ask_current(bus, tenant, tags)
        except (MainspringError, NatsError) as error:
            if self.engine_silent_since is None:
                self.engine_silent_since = time.monotonic()
                log.warning("live.engine_silent", reason=str(error) or type(error).__name__)
            return
        self.engine_silent_since = None
        if tenant in self.viewers:
            self.snapshots[tenant] = Snapshot(tags, columns)
            for viewer in self.viewers[tenant]:
                viewer.stirred.set()

    def forget_idle(self) -> None:
        """Forget the sets whose last stream ended, or that never had one, a minute ago."""
        now = time.monotonic()
        for id, each in tuple(self.sets.items()):
            if each.streams == 0 and now - each.idle_since > SET_IDLE_S:
                del self.sets[id]


def _roles(document: dict[str, Any], reach: Reach | None) -> bytes:
    """Return what a viewer is told of the roles: who sees a part of the plant, of those it depends on."""
    if reach is not None:
        told = [each for each in document["degraded"] if reach.feeds(*each["role"].partition("-")[::2])]
        document = {"degraded": told}
    return event("roles", document)


def _person(holder: str) -> str:
    return holder.partition("/")[0]


hub = Hub()
"""The hub of this process."""
