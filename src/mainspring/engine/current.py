"""Current values of all tags, in arrays indexed by tag ordinal."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import structlog

from mainspring.core.current import KNOWN, SCHEMA, STALE
from mainspring.core.definitions import TagDefinition, TagPage
from mainspring.core.kinds import Column
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.engine import kernels

log = structlog.get_logger(__name__)

COLUMNS: Final = {Column.FLOAT64: kernels.FLOAT64, Column.INT64: kernels.INT64, Column.TEXT: kernels.TEXT}
SILENCES: Final = 3
"""A tag without a time of its own is stale after this many silences."""
GROWTH: Final = 1.25

_BEYOND: Final = Text(
    "Tag {ordinal} lies beyond the {limit} tags the engine holds; it has no current value and no alarms. "
    "Raise [engine] tags_max and start the engine again.",
    "测点 {ordinal} 超出引擎容量 {limit}，没有当前值和报警。请调大 [engine] tags_max 并重启引擎。",
)


class CurrentValues:
    """The newest sample of each tag; `tags` has the fields of `kernels.TAG`, texts lie apart as few tags have one."""

    def __init__(self, tags_max: int) -> None:
        self.tags_max = tags_max
        self.tags: npt.NDArray[np.void] = np.zeros(0, kernels.TAG)
        self.texts: dict[int, str] = {}
        self.tenants: list[str] = []
        self._numbers: dict[str, int] = {}
        self._pages: dict[tuple[int, int], npt.NDArray[np.int64]] = {}

    def tenant(self, key: str) -> int:
        """Return the index of a tenant that has definitions, -1 for any other."""
        return self._numbers.get(key, -1)

    def define_tenant(self, key: str) -> int:
        """Return the index of a tenant, giving it one on first use."""
        if key not in self._numbers:
            self._numbers[key] = len(self.tenants)
            self.tenants.append(key)
        return self._numbers[key]

    def reserve(self, ordinal: int) -> bool:
        """Make room for an ordinal; False, said in the log, if it lies beyond the limit."""
        if ordinal < len(self.tags):
            return True
        if ordinal >= self.tags_max:
            log.error("engine.tag_beyond_limit", text=str(_BEYOND.format(ordinal=ordinal, limit=self.tags_max)))
            return False
        grown = np.zeros(min(self.tags_max, max(1024, int(ordinal * GROWTH) + 1)), kernels.TAG)
        grown["owner"] = -1
        grown["first"] = -1
        grown[: len(self.tags)] = self.tags
        self.tags = grown
        return True

    def unknown(self, ordinals: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Tell which tags nobody has defined."""
        unknown = np.ones(len(ordinals), np.bool_)
        inside = ordinals < len(self.tags)
        unknown[inside] = self.tags["owner"][ordinals[inside]] < 0
        return unknown

    def define(self, page: TagPage | None, tenant: int, number: int, now_ms: int) -> None:
        """Take a new version of a page of tags; None withdraws it."""
        before = self._pages.pop((tenant, number), np.zeros(0, np.int64))
        wanted = [tag for tag in (page.tags if page is not None else ()) if self.reserve(tag.ordinal)]
        ordinals = np.array([tag.ordinal for tag in wanted], np.int64)
        columns = np.array([COLUMNS[tag.kind.column] for tag in wanted], np.uint8)
        gone = np.setdiff1d(before, ordinals)
        self._forget(gone[self.tags["owner"][gone] == tenant], -1, 0, now_ms)
        fresh = (self.tags["owner"][ordinals] != tenant) | (self.tags["column"][ordinals] != columns)
        self._forget(ordinals[fresh], tenant, columns[fresh], now_ms)
        self.tags["stale_ms"][ordinals] = [_stale_ms(tag) for tag in wanted]
        if len(ordinals):
            self._pages[tenant, number] = ordinals

    def take_late(self, batch: SampleBatch, tenant: int, sequence: int, now_ms: int) -> npt.NDArray[np.int64]:
        """Take what is newer than the current values of its tags, and return these tags.

        A value that came late has been silent since its own time: only what comes afterwards makes its tag fresh.
        """
        inside = np.flatnonzero(batch.tag < len(self.tags))
        tags, times = batch.tag[inside].astype(np.int64), batch.time[inside]
        known = self.tags[tags]
        own = (known["owner"] == tenant) & (known["column"] == COLUMNS[batch.column]) & (tenant >= 0)
        possible = (times >= 0) & (times <= now_ms + kernels.AHEAD_MS)
        newer = np.flatnonzero(own & possible & ((known["known"] == 0) | (times > known["time"])))
        # The newest of each tag, and of equal times what came last.
        newer = newer[np.lexsort((newer, times[newer], tags[newer]))]
        newer = newer[np.append(tags[newer][1:] != tags[newer][:-1], np.ones(min(1, len(newer)), np.bool_))]
        taken: npt.NDArray[np.int64] = tags[newer]
        rows = inside[newer]
        if not len(taken):
            return taken
        fresh = self.tags[taken]
        fresh["number"] = np.nan if batch.column is Column.TEXT else batch.value[rows]
        if batch.column is Column.INT64:
            fresh["integer"] = batch.value[rows]
        elif batch.column is Column.TEXT:
            self.take_texts(batch.tag[rows], batch.value[rows])
        fresh["time"], fresh["quality"], fresh["origin"] = batch.time[rows], batch.quality[rows], batch.origin[rows]
        since_ms = np.minimum(batch.time[rows], now_ms)
        fresh["arrival"] = np.where(fresh["known"] == 1, np.maximum(fresh["arrival"], since_ms), since_ms)
        # Below nought, beside the causes of the other stream.
        fresh["cause"] = -(sequence << kernels.ROW_BITS) - rows - 1
        fresh["known"] = 1
        self.tags[taken] = fresh
        return taken

    def take_texts(self, ordinals: npt.NDArray[np.uint32], values: npt.NDArray[Any]) -> None:
        """Keep the texts of rows that have become current, in their order."""
        self.texts.update(zip(ordinals.tolist(), map(str, values), strict=True))

    def answer(self, ordinals: npt.NDArray[np.uint32], tenant: int, now_ms: int) -> pa.RecordBatch:
        """Return the current values of some tags as SCHEMA; those of others come back as not KNOWN."""
        inside = ordinals < len(self.tags)
        found = np.zeros(len(ordinals), kernels.TAG)
        found[inside] = self.tags[ordinals[inside]]
        mine = inside & (found["owner"] == tenant) & (tenant >= 0) & (found["known"] != 0)
        found[~mine] = np.zeros(1, kernels.TAG)
        stale = mine & (found["stale_ms"] > 0) & (now_ms - found["arrival"] > found["stale_ms"])
        found["number"][~mine | (found["column"] == kernels.TEXT)] = np.nan
        told = mine & (found["column"] == kernels.TEXT)
        texts = [self.texts.get(ordinal, "") if is_text else "" for ordinal, is_text in zip(
            ordinals.tolist(), told.tolist(), strict=True)] if told.any() else []  # fmt: skip
        columns = [
            _array(pa.uint32(), ordinals),
            *(_array(SCHEMA.field(name).type, found[name]) for name in ("time", "number")),
            _array(pa.int64(), found["integer"], mine & (found["column"] == kernels.INT64)),
            _texts(texts, told) if texts else pa.nulls(len(ordinals), pa.string()),
            *(_array(SCHEMA.field(name).type, found[name]) for name in ("quality", "origin")),
            _array(pa.uint8(), (mine * KNOWN + stale * STALE).astype(np.uint8)),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)

    @property
    def owned(self) -> int:
        """How many tags are defined."""
        return sum(len(page) for page in self._pages.values())

    def _forget(
        self, ordinals: npt.NDArray[np.int64], owner: int, columns: npt.NDArray[np.uint8] | int, now_ms: int
    ) -> None:
        """Start tags anew; their chains of alarms stay."""
        anew = np.zeros(len(ordinals), kernels.TAG)
        anew["number"] = np.nan
        anew["first"] = self.tags["first"][ordinals]
        anew["owner"] = owner
        anew["column"] = columns
        # Silence is counted from here until the first sample.
        anew["arrival"] = now_ms
        self.tags[ordinals] = anew
        for ordinal in self.texts.keys() & set(ordinals.tolist()):
            del self.texts[ordinal]


def _array(kind: pa.DataType, values: npt.NDArray[Any], told: npt.NDArray[np.bool_] | None = None) -> pa.Array[Any]:
    """View an array as Arrow, empty where `told` is false. `pa.array` would do the same and import pandas, 45 MB."""
    valid = None if told is None else pa.py_buffer(np.packbits(told, bitorder="little").data)
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(np.ascontiguousarray(values).data)])


def _texts(values: list[str], told: npt.NDArray[np.bool_]) -> pa.Array[Any]:
    """Return texts as Arrow; where `told` is false there is none."""
    encoded = [value.encode() for value in values]
    ends = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum([len(each) for each in encoded], out=ends[1:])
    valid = np.packbits(told, bitorder="little")
    buffers: list[pa.Buffer | None] = [
        pa.py_buffer(valid.data),
        pa.py_buffer(ends.data),
        pa.py_buffer(b"".join(encoded)),
    ]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def _stale_ms(tag: TagDefinition) -> int:
    if not tag.enabled:
        return 0
    if tag.connection is None and not tag.stale_ms:
        # What people enter has no rhythm.
        return 0
    return tag.stale_ms or SILENCES * tag.silence_max_ms
