"""Cold history: whole past days leave the tables for Parquet files, and are read as if they had not.

Days before the frontier are moved (`moving`). What comes later for those days is stored under another retention
class (`index.GENERATIONS`), so that what is being moved does not change, and is folded into the files when the
frontier moves on. A partition of a table is dropped only after its files were verified, the index counts them, and
every query that began before has ended.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mainspring.core.cold import ColdSettings
from mainspring.core.errors import ConfigurationError, LimitExceeded
from mainspring.core.history import Extent
from mainspring.core.kinds import Column
from mainspring.core.text import Text
from mainspring.history import sql
from mainspring.history.cold.files import structure
from mainspring.history.cold.index import MANIFEST, ColdFile, ColdIndex, Hot, read_manifest
from mainspring.history.cold.place import Place, place_of
from mainspring.history.retention import STANDARD, Partition
from mainspring.history.schema import DAY_MS, SAMPLE

FILES_MAX: Final = 2000
"""Most cold files one query may read."""

_TOO_MANY: Final = Text(
    "The query reaches into more than {limit} files of cold history. Ask for a shorter range or fewer tags.",
    "查询涉及的冷数据文件超过 {limit} 个，请缩短时间范围或减少标签。",
)
_NOT_SET: Final = Text(
    "The history in {folder} has days in cold storage, but [history] cold names none. Set it to where they lie; or "
    "remove {file} to go on without them.",
    "{folder} 中的历史库有部分日期存放于冷存储，但未设置 [history] cold。请填写其位置；若不再需要，可删除 {file}。",
)
_COLUMNS: Final = "tenant, retention, tag, time, value, quality, origin, late, sequence"

Columns = Mapping[str, npt.NDArray[Any] | list[Any]]


class Turns:
    """Lets one wait until all that began before have ended, while others may begin."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: set[object] = set()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be under way."""
        token = object()
        with self._changed:
            self._under_way.add(token)
        try:
            yield
        finally:
            with self._changed:
                self._under_way.discard(token)
                self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all that were under way when this was called have ended; tell whether they have."""
        with self._changed:
            before = set(self._under_way)
            return self._changed.wait_for(lambda: not before & self._under_way, timeout_s)


class Cold:
    """What is cold of one history, for those who read and write it; without settings nothing is."""

    def __init__(self, folder: Path, settings: ColdSettings | None, codes: Mapping[str, int]) -> None:
        self.readers = Turns()
        self.writers = Turns()
        self.place: Place | None = None
        self.index: ColdIndex | None = None
        self._codes = codes
        self.early_ms = 0
        """Days up to this time are moved before theirs: the tables have no room for them."""
        file = folder / "cold.sqlite"
        if settings is not None:
            self.place = place_of(settings)
            self.index = ColdIndex(file)
            if self.index.is_new:
                self.index.begin(_found(self.place))
        elif file.exists():
            index = ColdIndex(file)
            left = index.groups()
            index.close()
            if left:
                raise ConfigurationError(_NOT_SET, folder=folder, file=file)

    @contextmanager
    def storing(self, columns: Columns) -> Iterator[Columns]:
        """Give samples as they are to be stored within: those of days that went cold under a class of their own."""
        with self.writers.turn():
            if self.index is not None:
                late = np.asarray(columns["time"]) < self.index.frontier_day * DAY_MS
                if late.any():
                    marks = np.where(late, np.uint8(self.index.generation), np.uint8(0))
                    columns = {**columns, "retention": np.asarray(columns["retention"]) | marks}
            yield columns

    @contextmanager
    def reading(
        self,
        tenant: int | None,
        tags: Sequence[int],
        start_ms: int,
        end_ms: int,
        kinds: Collection[Column],
        *,
        files_max: int | None = FILES_MAX,
        since: tuple[bool, int] | None = None,
    ) -> Iterator[sql.Readings]:
        """Tell, within, what to select readings from; without tenant or tags those of all.

        `since` leaves out files without messages of a stream, the late one or not, from a sequence on.
        """
        with self.readers.turn():
            if self.index is None or start_ms >= self.index.frontier_day * DAY_MS:
                yield sql.hot
                return
            assert self.place is not None
            days = (start_ms // DAY_MS, (end_ms - 1) // DAY_MS)
            files, dropping = self.index.reading(tenant, tags, kinds, days)
            ordered = sorted(tags)
            files = [file for file in files if not ordered or _holds(file, ordered)]
            if since is not None:
                files = [file for file in files if (file.late_last if since[0] else file.live_last) >= since[1]]
            if files_max is not None and len(files) > files_max:
                raise LimitExceeded(_TOO_MANY, limit=files_max)
            yield _View(self.place, [(file, self.code(file.retention)) for file in files], dropping)

    def days(self, kinds: Collection[Column]) -> Mapping[int, int]:
        """Return the days that have cold readings of some kinds, and how many."""
        return {} if self.index is None else self.index.days(kinds)

    def partitions(self) -> list[Partition]:
        """Return what is cold as if it were partitions of the tables, which take no room there."""
        groups = [] if self.index is None else self.index.groups()
        return [
            Partition(SAMPLE[kind], str(day), retention, day * DAY_MS, (day + 1) * DAY_MS, 0)
            for kind, retention, day in groups
        ]

    def forget(self, partition: Partition) -> None:
        """Give up the files of one of `partitions`."""
        assert self.index is not None
        kind = next(kind for kind, table in SAMPLE.items() if table == partition.table)
        self.index.forget(kind, partition.retention, partition.start_ms // DAY_MS)

    @contextmanager
    def extent(self, tenant: int | None) -> Iterator[tuple[Extent, Callable[[Column], str]]]:
        """Tell how much is cold, and the condition on what counts, within, of a table."""
        with self.readers.turn():
            if self.index is None:
                yield Extent(0, 0, None, None), lambda _kind: ""
                return
            extent, dropping = self.index.extent(tenant)
            yield extent, lambda kind: left_out(kind, dropping)

    def code(self, retention: str) -> int:
        """Return the number of a retention class."""
        return self._codes.get(retention, self._codes[STANDARD])

    def close(self) -> None:
        """Close the index."""
        if self.index is not None:
            self.index.close()


class _View:
    """What readings are selected from during one query."""

    def __init__(self, place: Place, files: Sequence[tuple[ColdFile, int]], dropping: Sequence[Hot]) -> None:
        self._place = place
        self._dropping = dropping
        self._groups: dict[tuple[Column, int, int], list[str]] = {}
        for file, code in files:
            self._groups.setdefault((file.kind, file.tenant, code), []).append(file.path)

    def __call__(self, column: Column, condition: str) -> str:
        parts = [f"select {_COLUMNS} from {sql.hot(column, condition + left_out(column, self._dropping))}"]
        for (kind, tenant, code), paths in self._groups.items():
            if kind is column:
                files = cold_rows(self._place, column, paths)
                parts.append(
                    f"select {_COLUMNS} from (select toUInt32({tenant}) as tenant, toUInt8({code}) as retention, * "
                    f"from {files}) where {condition}"
                )
        return f"({' union all '.join(parts)})"


def cold_rows(place: Place, kind: Column, paths: Sequence[str]) -> str:
    """Return what to select the rows of cold files from, times in milliseconds."""
    return (
        "(select tag, toUnixTimestamp64Milli(time) as time, value, quality, origin, late, sequence "
        f"from {place.table(paths, structure(kind))})"
    )


def partition_of(hot: Hot) -> str:
    """Return the condition that a row lies in a partition."""
    return f"retention = {hot.code} and time >= {hot.day * DAY_MS} and time < {(hot.day + 1) * DAY_MS}"


def left_out(kind: Column, dropping: Sequence[Hot]) -> str:
    """Return the further condition that leaves out partitions that do not count any more."""
    return "".join(f" and not ({partition_of(hot)})" for hot in dropping if hot.kind is kind)


def _holds(file: ColdFile, ordered: Sequence[int]) -> bool:
    """Tell whether a file may hold any of some tags."""
    place = bisect_left(ordered, file.tag_min)
    return place < len(ordered) and ordered[place] <= file.tag_max


def _found(place: Place) -> list[ColdFile]:
    """Return the files that manifests in a place name: it was used before, and its index is lost or elsewhere."""
    manifests = [path for path in place.names("") if path.endswith(f"/{MANIFEST}")]
    return [file for path in manifests for file in read_manifest(b"".join(place.read(path)))]
