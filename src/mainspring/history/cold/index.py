"""Which cold files count: a small database beside the history, changed in whole transactions."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mainspring.core.errors import StoreError
from mainspring.core.history import Extent
from mainspring.core.kinds import Column
from mainspring.core.text import Text
from mainspring.history.schema import DAY_MS

MANIFEST: Final = "_manifest.json"
FIRST_GENERATION: Final = 64
OTHER_GENERATION: Final = 128
GENERATIONS: Final = FIRST_GENERATION | OTHER_GENERATION
"""Bits of a retention class: readings that came after their day went cold. Those of one are folded in, while what
comes is stored under the other."""

_FAILED: Final = Text(
    "The index of the cold history in {file} cannot be used ({reason}). Put it back from a backup; or stop the "
    "historian and remove it: it is then made anew from the manifests beside the files.",
    "冷数据索引 {file} 无法使用（{reason}）。请从备份恢复；也可停止历史服务并删除该文件，系统将根据文件旁的清单重建。",
)
_TABLES: Final = """
    create table if not exists state (frontier_day integer not null, generation integer not null);
    create table if not exists file (
        tenant integer not null, day integer not null, kind text not null, class text not null, path text not null,
        tag_min integer not null, tag_max integer not null, time_min integer not null, time_max integer not null,
        live_last integer not null, late_last integer not null,
        rows integer not null, bytes integer not null, sha256 text not null,
        code integer,  -- of the partition it is being made of; null: it counts
        primary key (tenant, day, kind, class, path)
    ) without rowid;
    create table if not exists dropping (kind text not null, code integer not null, day integer not null,
        primary key (kind, code, day)) without rowid;
    create table if not exists tidying (tenant integer not null, day integer not null,
        primary key (tenant, day)) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Hot:
    """A partition of a table of samples: retention class with its generation, and day."""

    kind: Column
    code: int
    day: int


@dataclass(frozen=True, slots=True)
class ColdFile:
    """A Parquet file: what is in it, and where; times in milliseconds, the day counted since 1970.

    `live_last` and `late_last` are the last sequences of the two streams in it.
    """

    tenant: int
    day: int
    kind: Column
    retention: str
    path: str
    tag_min: int
    tag_max: int
    time_min: int
    time_max: int
    live_last: int
    late_last: int
    rows: int
    bytes: int
    sha256: str


_COLUMNS: Final = (
    "tenant, day, kind, class, path, tag_min, tag_max, time_min, time_max, live_last, late_last, rows, bytes, sha256"
)


def folder_of(tenant: int, day: int) -> str:
    """Return the folder of a company's day."""
    return f"tenant={tenant}/day={datetime.fromtimestamp(day * DAY_MS // 1000, UTC):%Y-%m-%d}"


class ColdIndex:
    """The index in `file`; every method may be called from any thread, and each is one transaction."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        with self._using():
            self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
            file.chmod(0o600)
            self._db.execute("pragma synchronous = extra")
            self._db.executescript(_TABLES)
            state = self._db.execute("select frontier_day, generation from state").fetchone()
            self.is_new = state is None
            self.frontier_day: int = state[0] if state else 0
            self.generation: int = state[1] if state else FIRST_GENERATION

    def begin(self, files: Sequence[ColdFile]) -> None:
        """Begin with files that manifests name, or with none."""
        frontier = max((file.day + 1 for file in files), default=0)
        with self._changing():
            self._db.executemany(_INSERT, [_row(file, None) for file in files])
            self._db.execute("insert into state values (?, ?)", (frontier, self.generation))
        self.frontier_day, self.is_new = frontier, False

    def turn(self, frontier_day: int) -> None:
        """From now on what comes for days before the frontier is late, and kept under the other generation."""
        generation = GENERATIONS ^ self.generation
        with self._changing():
            self._db.execute("update state set frontier_day = ?, generation = ?", (frontier_day, generation))
        self.frontier_day, self.generation = frontier_day, generation

    def reading(
        self, tenant: int | None, tags: Sequence[int], kinds: Collection[Column], days: tuple[int, int]
    ) -> tuple[list[ColdFile], list[Hot]]:
        """Return the files that may hold readings, and partitions that do not count any more; no tags: all of them."""
        condition = f"day between ? and ? and kind in ({', '.join(f'{kind.value!r}' for kind in kinds)})"
        values: list[int] = [*days]
        if tenant is not None:
            condition += " and tenant = ?"
            values.append(tenant)
        if tags:
            condition += " and tag_max >= ? and tag_min <= ?"
            values += [min(tags), max(tags)]
        with self._using():
            return self._files(condition, values), self.dropping()

    def files(self, tenant: int, day: int, kind: Column | None = None, retention: str | None = None) -> list[ColdFile]:
        """Return the files that count of a company's day, or of one kind and class of it, by tag."""
        condition, values = "tenant = ? and day = ?", [tenant, day]
        if kind is not None:
            condition += f" and kind = {kind.value!r} and class = ?"
            values += [retention]  # type: ignore[list-item]
        with self._using():
            return self._files(condition, values)

    def made(self, hot: Hot, tenant: int | None = None) -> list[ColdFile]:
        """Return the files made so far of a partition, by tenant and tag."""
        condition = "code = ? and day = ? and kind = ?" + ("" if tenant is None else f" and tenant = {tenant:d}")
        with self._using():
            found = self._db.execute(
                f"select {_COLUMNS} from file where {condition} order by tenant, tag_min",
                (hot.code, hot.day, hot.kind.value),
            ).fetchall()
        return [_file(row) for row in found]

    def add(self, hot: Hot, file: ColdFile) -> None:
        """Note a file that was made, verified, of a partition; it does not count yet."""
        with self._changing():
            self._db.execute(_INSERT, _row(file, hot.code))

    def give_up(self, hot: Hot) -> None:
        """Forget what was made of a partition."""
        with self._changing():
            self._tidy(self.made(hot))
            self._db.execute(
                "delete from file where code = ? and day = ? and kind = ?", (hot.code, hot.day, hot.kind.value)
            )

    def commit(self, hot: Hot, replaced: Sequence[ColdFile]) -> None:
        """From now on the files made of a partition count, and neither it nor those they replace."""
        with self._changing():
            self._tidy([*self.made(hot), *replaced])
            self._remove(replaced)
            self._db.execute(
                "update file set code = null where code = ? and day = ? and kind = ?",
                (hot.code, hot.day, hot.kind.value),
            )
            self._db.execute("insert into dropping values (?, ?, ?)", (hot.kind.value, hot.code, hot.day))

    def groups(self) -> list[tuple[Column, str, int]]:
        """Return kind, class and day of all that is cold."""
        with self._using():
            found = self._db.execute("select distinct kind, class, day from file where code is null").fetchall()
        return [(Column(kind), retention, day) for kind, retention, day in found]

    def forget(self, kind: Column, retention: str, day: int) -> None:
        """Files of a kind, class and day count no longer."""
        with self._changing():
            gone = self._files(f"kind = {kind.value!r} and class = ? and day = ?", [retention, day])
            self._tidy(gone)
            self._remove(gone)

    def dropping(self) -> list[Hot]:
        """Return partitions whose readings count in files, and which are still there."""
        with self._using():
            found = self._db.execute("select kind, code, day from dropping order by day").fetchall()
        return [Hot(Column(kind), code, day) for kind, code, day in found]

    def dropped(self, hot: Hot) -> None:
        """Note that a partition is gone."""
        with self._changing():
            self._db.execute(
                "delete from dropping where kind = ? and code = ? and day = ?", (hot.kind.value, hot.code, hot.day)
            )

    def tidying(self) -> list[tuple[int, int]]:
        """Return companies and days whose manifest and files are not yet as the index says."""
        with self._using():
            return list(self._db.execute("select tenant, day from tidying order by day, tenant"))

    def tidied(self, tenant: int, day: int) -> None:
        """Note that a folder holds what it should."""
        with self._changing():
            self._db.execute("delete from tidying where tenant = ? and day = ?", (tenant, day))

    def expected(self, tenant: int, day: int) -> set[str]:
        """Return the paths of a company's day, those not counting yet included."""
        with self._using():
            found = self._db.execute("select path from file where tenant = ? and day = ?", (tenant, day))
            return {path for (path,) in found}

    def named(self) -> set[str]:
        """Return the paths of all files, those not counting yet included."""
        with self._using():
            return {path for (path,) in self._db.execute("select path from file")}

    def days(self, kinds: Collection[Column]) -> dict[int, int]:
        """Return the days that have readings of some kinds, and how many."""
        listed = ", ".join(f"{kind.value!r}" for kind in kinds)
        with self._using():
            return dict(
                self._db.execute(
                    f"select day, sum(rows) from file where code is null and kind in ({listed}) group by day"
                )
            )

    def extent(self, tenant: int | None) -> tuple[Extent, list[Hot]]:
        """Return how much a company, or all, have in files, and partitions that do not count any more."""
        own = "" if tenant is None else f" and tenant = {tenant:d}"
        with self._using():
            samples, size, oldest_ms, newest_ms = self._db.execute(
                f"select sum(rows), sum(bytes), min(time_min), max(time_max) from file where code is null{own}"
            ).fetchone()
            return Extent(samples or 0, size or 0, oldest_ms, newest_ms), self.dropping()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _using(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(_FAILED, file=self._file, reason=str(error)) from error

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._using():
            self._db.execute("begin immediate")
            try:
                yield
                self._db.execute("commit")
            except BaseException:
                self._db.execute("rollback")
                raise

    def _files(self, condition: str, values: Sequence[object]) -> list[ColdFile]:
        found = self._db.execute(
            f"select {_COLUMNS} from file where code is null and {condition} order by tenant, day, tag_min",
            tuple(values),
        ).fetchall()
        return [_file(row) for row in found]

    def _remove(self, files: Sequence[ColdFile]) -> None:
        self._db.executemany(
            "delete from file where tenant = ? and day = ? and kind = ? and class = ? and path = ?",
            [(file.tenant, file.day, file.kind.value, file.retention, file.path) for file in files],
        )

    def _tidy(self, files: Sequence[ColdFile]) -> None:
        folders = {(file.tenant, file.day) for file in files}
        self._db.executemany("insert or ignore into tidying values (?, ?)", sorted(folders))


_INSERT: Final = f"insert or replace into file ({_COLUMNS}, code) values ({', '.join('?' * 15)})"


def _row(file: ColdFile, code: int | None) -> tuple[object, ...]:
    values = asdict(file)
    return (*(str(each) if isinstance(each, Column) else each for each in values.values()), code)


def _file(row: tuple[object, ...]) -> ColdFile:
    tenant, day, kind, *rest = row
    return ColdFile(tenant, day, Column(kind), *rest)  # type: ignore[arg-type]


def manifest(tenant: int, day: int, files: Sequence[ColdFile]) -> bytes:
    """Return what tells which files of a company's day count; their paths begin at its folder."""
    folder = f"{folder_of(tenant, day)}/"
    listed = [{**asdict(file), "path": file.path.removeprefix(folder)} for file in files]
    return json.dumps({"tenant": tenant, "day": day, "files": listed}, indent=1).encode()


def read_manifest(content: bytes) -> list[ColdFile]:
    """Return the files that a manifest names."""
    found = json.loads(content)
    folder = folder_of(found["tenant"], found["day"])
    return [
        ColdFile(**{**file, "kind": Column(file["kind"]), "path": f"{folder}/{file['path']}"})
        for file in found["files"]
    ]
