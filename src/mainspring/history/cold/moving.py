"""Moving days into cold files, file by file; cut short at any instant, it goes on where the index says.

A partition is written into files of whole tags, each verified where it lies and then noted. When all are, one
transaction of the index lets them count in the place of the partition. Manifests follow, the partition is dropped when
no query reads it any more, and files that were replaced are removed.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from mainspring.core.errors import StoreError
from mainspring.core.kinds import Column
from mainspring.core.text import Text
from mainspring.history import sql
from mainspring.history.cold.files import Written, compare, verify, write
from mainspring.history.cold.index import GENERATIONS, MANIFEST, ColdFile, Hot, folder_of, manifest
from mainspring.history.cold.layer import Cold, cold_rows, partition_of
from mainspring.history.engine import Engine
from mainspring.history.schema import CLASSES_MASK, DAY_MS, SAMPLE

log = structlog.get_logger(__name__)

WORK_S: Final = 20.0
"""Moving takes about so long at a time; the newest rollups have their turn between."""
WAIT_S: Final = 5.0
_TAGS_END: Final = 2**32
_ROWS: Final = "tag, time, value, quality, origin, late, sequence"
_GENTLY: Final = (
    "settings max_threads = 1, max_block_size = 131072, max_execution_time = 0, "
    "max_bytes_before_external_sort = 268435456"
)

_COUNTED: Final = Text(
    "The day {day} of {table} has {expected} readings, its cold files have {found}. They were given up, and the day is "
    "moved again. Look at the memory and disk of this machine if this returns.",
    "{table} 中 {day} 当天有 {expected} 条数据，而冷数据文件有 {found} 条，已放弃这些文件并将重新转移。"
    "如反复出现，请检查本机内存和磁盘。",
)


class ColdMoving:
    """Moves what is due; one caller at a time."""

    def __init__(self, engine: Engine, cold: Cold, folder: Path, names: dict[str, int], after_days: int) -> None:
        self._engine = engine
        self._cold = cold
        self._file = folder / "cold.part"
        self._codes = names
        self._after_days = after_days

    def advance(self, now_ms: int) -> Iterator[None]:
        """Do what is due for about `WORK_S`, piece by piece; what is begun goes on with the next call."""
        index = self._cold.index
        if index is None or not self._cold.writers.wait(WAIT_S):
            return
        ends_s = time.monotonic() + WORK_S
        due = self._due()
        if not due and not index.dropping():
            days = max(now_ms // DAY_MS - self._after_days, self._cold.early_ms // DAY_MS)
            if days > index.frontier_day:
                index.turn(days)
                if not self._cold.writers.wait(WAIT_S):
                    return
                due = self._due()
        for hot in due:
            yield from self._move(hot, ends_s)
            if time.monotonic() >= ends_s:
                break
        yield from self._settle()

    def _due(self) -> list[Hot]:
        """Return the partitions that nothing is added to any more and that are still to be moved, oldest first."""
        index = self._cold.index
        assert index is not None
        tables = {table: kind for kind, table in SAMPLE.items()}
        rows = self._engine.table(
            "select distinct table::String as table, "
            "toUInt8(extract(partition, '(\\\\d+)')) as code, toInt64(extract(partition, ',\\\\s*(-?\\\\d+)')) as day "
            f"from {self._engine.parts} where table in ({', '.join(map(sql.text, tables))})"
        ).to_pylist()
        dropping = set(index.dropping())
        found = [Hot(tables[row["table"]], row["code"], row["day"]) for row in rows]
        return sorted(
            (
                hot
                for hot in found
                if hot not in dropping and hot.day < index.frontier_day and hot.code & GENERATIONS != index.generation
            ),
            key=lambda hot: (hot.day, hot.kind, hot.code),
        )

    def _move(self, hot: Hot, ends_s: float) -> Iterator[None]:
        """Make the files of a partition, and let them count when all are there."""
        index = self._cold.index
        assert index is not None
        code = hot.code & CLASSES_MASK
        retention = next(name for name, number in self._codes.items() if number == code)
        replaced: list[ColdFile] = []
        for tenant in self._tenants(hot):
            made = index.made(hot, tenant)
            for first, end, old in self._ranges(hot, tenant, retention):
                replaced += old
                tag: int | None = max((file.tag_max + 1 for file in made if first <= file.tag_min < end), default=first)
                while tag is not None:
                    tag = yield from self._make(hot, (tenant, retention), (tag, end), old)
                    yield
                    if time.monotonic() >= ends_s:
                        return
        [counted] = self._engine.table(
            f"select count() as rows from {sql.hot(hot.kind, partition_of(hot))}"
        ).to_pylist()
        expected = int(counted["rows"]) + sum(file.rows for file in replaced)
        found = sum(file.rows for file in index.made(hot))
        if found != expected:
            index.give_up(hot)
            raise StoreError(_COUNTED, day=hot.day, table=SAMPLE[hot.kind], expected=expected, found=found)
        index.commit(hot, replaced)
        log.info("history.cold", kind=hot.kind, retention=retention, day=hot.day, samples=found)

    def _tenants(self, hot: Hot) -> Iterator[int]:
        """Give the companies that have readings in a partition, in order."""
        after = -1
        while True:
            found = self._engine.table(
                f"select tenant from {sql.hot(hot.kind, partition_of(hot))} and tenant > {after} "
                f"order by tenant limit 1 {_GENTLY}"
            ).to_pylist()
            if not found:
                return
            after = int(found[0]["tenant"])
            yield after

    def _ranges(self, hot: Hot, tenant: int, retention: str) -> Iterator[tuple[int, int, list[ColdFile]]]:
        """Give the ranges of tags to write, each with the file there is: all, or those around what came late."""
        index = self._cold.index
        assert index is not None
        old = index.files(tenant, hot.day, hot.kind, retention)
        if not old:
            yield 0, _TAGS_END, []
            return
        found = self._engine.table(
            f"select distinct tag from {sql.hot(hot.kind, partition_of(hot))} and tenant = {tenant} {_GENTLY}"
        )
        tags = np.sort(found["tag"].to_numpy())
        starts = [0, *(file.tag_min for file in old[1:]), _TAGS_END]
        places = np.searchsorted(tags, np.array(starts, dtype=np.int64))
        for at, file in enumerate(old):
            if places[at] < places[at + 1]:
                yield starts[at], starts[at + 1], [file]

    def _make(
        self, hot: Hot, owner: tuple[int, str], tags: tuple[int, int], old: Sequence[ColdFile]
    ) -> Generator[None, None, int | None]:
        """Make the next file of a range of tags; return the tag to go on with."""
        place, index = self._cold.place, self._cold.index
        assert place is not None
        assert index is not None
        tenant, retention = owner
        among = f"tag >= {tags[0]} and tag < {tags[1]}"
        rows = f"select {_ROWS} from {sql.hot(hot.kind, f'tenant = {tenant} and {partition_of(hot)} and {among}')}"
        if old:
            files = cold_rows(place, hot.kind, [file.path for file in old])
            rows = f"{rows} union all select {_ROWS} from {files} where {among}"
        text = f"select {_ROWS} from ({rows}) order by tag, time {_GENTLY}"
        if not old:
            text = f"{rows} order by tenant, tag, time {_GENTLY}"
        batches = self._engine.chunks(text)
        written = yield from write(self._file, hot.kind, batches)
        # What is left of the answer is given up now.
        del batches
        if not written.rows:
            return None
        version = 1 + max((_version(file) for file in index.files(tenant, hot.day, hot.kind, retention)), default=0)
        path = (
            f"{folder_of(tenant, hot.day)}/kind={hot.kind}/class={retention}/{written.tag_min:010d}-{version}.parquet"
        )
        yield from verify(self._file, path, written)
        yield from place.put(self._file, path)
        yield from compare(place.read(path), path, written)
        index.add(hot, _noted(hot, owner, path, written))
        self._file.unlink()
        return written.next_tag

    def _settle(self) -> Iterator[None]:
        """Write manifests, drop what counts in files, and remove files that count no longer."""
        place, index = self._cold.place, self._cold.index
        assert place is not None
        assert index is not None
        tidying, dropping = index.tidying(), index.dropping()
        kept: dict[tuple[int, int], set[str]] = {}
        for tenant, day in tidying:
            kept[tenant, day] = index.expected(tenant, day)
            if files := index.files(tenant, day):
                place.write(f"{folder_of(tenant, day)}/{MANIFEST}", manifest(tenant, day, files))
                kept[tenant, day].add(f"{folder_of(tenant, day)}/{MANIFEST}")
            yield
        if not (tidying or dropping) or not self._cold.readers.wait(WAIT_S):
            return
        for hot in dropping:
            self._engine.drop(SAMPLE[hot.kind], f"({hot.code}, {hot.day})")
            index.dropped(hot)
            yield
        for (tenant, day), paths in kept.items():
            place.remove([path for path in place.names(folder_of(tenant, day)) if path not in paths])
            if index.expected(tenant, day) == {path for path in paths if not path.endswith(MANIFEST)}:
                index.tidied(tenant, day)
            yield


def _noted(hot: Hot, owner: tuple[int, str], path: str, written: Written) -> ColdFile:
    tenant, retention = owner
    return ColdFile(
        tenant, hot.day, Column(hot.kind), retention, path, written.tag_min, written.tag_max, written.time_min,
        written.time_max, written.live_last, written.late_last, written.rows, written.bytes, written.sha256,
    )  # fmt: skip


def _version(file: ColdFile) -> int:
    return int(file.path.rpartition("-")[2].partition(".")[0])
