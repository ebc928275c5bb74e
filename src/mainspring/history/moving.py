"""Moving the history of one machine to ClickHouse servers: `python -m mainspring.history.moving DATA_FOLDER URL`.

The historian must not run meanwhile; the bus and the gateways keep what comes. Every partition is copied and then
compared, row for row by a hash; cut short at any instant, it is begun again and goes on with the first that differs.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mainspring.core.errors import Conflict, MainspringError, StoreError
from mainspring.core.text import Text
from mainspring.history import native
from mainspring.history.chdb_engine import ChdbEngine
from mainspring.history.clickhouse_engine import Address, ClickhouseEngine
from mainspring.history.engine import Engine
from mainspring.history.schema import ASIDE, CLASS, DAY_MS, EVENT, HOUR, MINUTE, MONTH_MS, TABLES

ROWS: Final = 1_000_000
"""About so many rows go in at a time."""
MEMORY_BYTES_MAX: Final = 2 * 1024**3

_OTHERS: Final = Text(
    "The history at the URL has retention classes of its own ({names}). Move to an empty one.",
    "目标历史库已有自己的保留类别（{names}），请迁移到空库。",
)
_DIFFERS: Final = Text(
    "{place} has {there} rows after copying, and {here} here. Nothing was removed here; begin again.",
    "{place} 复制后目标有 {there} 行，本地有 {here} 行。本地数据未删除，请重新开始。",
)
_MOVED: Final = Text("{place}: {rows:,} rows", "{place}：{rows:,} 行")
_THERE: Final = Text("{place}: {rows:,} rows, there already", "{place}：{rows:,} 行，已存在")
_DONE: Final = Text(
    "All {rows:,} rows are there. Set [history] url to it and start the platform; {folder} can go when all is well.",
    "全部 {rows:,} 行已迁移。请将 [history] url 设为该地址并启动平台；确认无误后可删除 {folder}。",
)


@dataclass(frozen=True, slots=True)
class Part:
    """One partition of a table, and the condition that its rows fulfil."""

    table: str
    value: str

    @property
    def condition(self) -> str:
        """The condition in SQL."""
        numbers = [int(number) for number in re.findall(r"-?\d+", self.value)]
        if self.table == ASIDE:
            return f"day = {numbers[0]}"
        unit_ms = MONTH_MS if self.table in (EVENT, HOUR) else DAY_MS
        kept = f"retention = {numbers[0]} and " if len(numbers) > 1 else ""
        return f"{kept}time >= {numbers[-1] * unit_ms} and time < {(numbers[-1] + 1) * unit_ms}"

    @property
    def source(self) -> str:
        """What to select from: of rows that were made again, the last made."""
        return f"{self.table} final" if self.table in (MINUTE, HOUR) else self.table

    def __str__(self) -> str:
        return f"{self.table} {self.value}"


def move(here: Engine, there: Engine, say: Callable[[Text], None]) -> int:
    """Copy all that is `here` and is not `there`; return how many rows there are. Raises MainspringError."""
    _move_classes(here, there)
    total = 0
    for part in sorted(_parts(here), key=str):
        found = _counted(here, part)
        total += found[0]
        if _counted(there, part) == found:
            say(_THERE.format(place=part, rows=found[0]))
            continue
        there.drop(part.table, part.value)
        for columns in _columns(here, part):
            there.insert(part.table, columns)
        arrived = _counted(there, part)
        if arrived != found:
            raise StoreError(_DIFFERS, place=part, there=arrived[0], here=found[0])
        say(_MOVED.format(place=part, rows=found[0]))
    return total


def _move_classes(here: Engine, there: Engine) -> None:
    """The classes' numbers stand in every row: they must mean the same in both."""
    text = f"select code, name from {CLASS}"
    own, others = ({row["code"]: row["name"] for row in each.table(text).to_pylist()} for each in (here, there))
    if not others.items() <= own.items():
        raise Conflict(_OTHERS, names=", ".join(sorted(others.values())))
    missing = {code: name for code, name in own.items() if code not in others}
    if missing:
        there.insert(CLASS, {"code": np.array(list(missing), dtype=np.uint8), "name": list(missing.values())})


def _parts(engine: Engine) -> list[Part]:
    rows = engine.table(
        f"select distinct table::String as table, partition::String as value from {engine.parts}"
    ).to_pylist()
    return [Part(row["table"], row["value"]) for row in rows if row["table"] != CLASS]


def _counted(engine: Engine, part: Part) -> tuple[int, int]:
    """Return the rows of a partition and the sum of their hashes."""
    [row] = engine.table(
        f"select count() as rows, sum(cityHash64(*)) as hash from {part.source} where {part.condition}"
    ).to_pylist()
    return int(row["rows"]), int(row["hash"] or 0)


def _columns(engine: Engine, part: Part) -> Iterator[dict[str, Any]]:
    """Give the rows of a partition, many at a time."""
    text = f"select * from {part.source} where {part.condition} settings max_execution_time = 0"
    held: list[pa.RecordBatch] = []
    for batch in engine.chunks(text):
        held.append(batch)
        if sum(each.num_rows for each in held) >= ROWS:
            yield _laid_out(held)
            held = []
    if held:
        yield _laid_out(held)


def _laid_out(batches: list[pa.RecordBatch]) -> dict[str, Any]:
    table = pa.Table.from_batches(batches)
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table[name]
        kind = column.type.value_type if isinstance(column.type, pa.DictionaryType) else column.type
        if native.NUMBERS.get(np.dtype(kind.to_pandas_dtype())) and not column.null_count:
            columns[name] = column.to_numpy()
        else:
            columns[name] = [value.decode() if isinstance(value, bytes) else value for value in column.to_pylist()]
    return columns


def main(data_folder: Path, url: str) -> int:
    """Move, and say what was done; returns the exit code."""
    folder = data_folder / "history"
    limits = {"max_execution_time": 0}

    def say(text: Text) -> None:
        sys.stdout.write(f"{text.en}  {text.zh}\n")
        sys.stdout.flush()

    try:
        here = ChdbEngine(folder, TABLES, MEMORY_BYTES_MAX, limits)
        try:
            password = os.environ.get("MAINSPRING_HISTORY_PASSWORD", "")
            there = ClickhouseEngine(Address.parse(url), password, folder / "moving", TABLES, limits)
            try:
                rows = move(here, there, say)
            finally:
                there.close()
        finally:
            here.close()
    except MainspringError as error:
        sys.stderr.write(f"{error.text.en}\n{error.text.zh}\n")
        return 2
    say(_DONE.format(rows=rows, folder=folder / "clickhouse"))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
