"""Bytes per value on disk: the realistic mix, what jitter of the clocks and slow values do, and what each codec does.

`python -m benchmarks.size [--tags 400] [--hours 6] [--quick]`. The rows are those that the historian writes, in its
tables, merged; then the same rows are kept in tables that differ in one codec. Sizes are those of whole parts:
marks and indexes count.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peer_victoria
from benchmarks.figures import QUICK, bars, option, say
from benchmarks.peers import victoria_metrics
from benchmarks.values import Mix
from mainspring.core import quality
from mainspring.core.kinds import Column, Origin
from mainspring.history.chdb_engine import ChdbEngine
from mainspring.history.engine import WRITE
from mainspring.history.schema import DAY_MS, SAMPLE, TABLES

SCENARIO = "size"
TAGS = int(option("--tags", 400))
SECONDS = int(3600 * option("--hours", 0.25 if QUICK else 6))
CHUNK_S = 600
JITTER_MS = 2.0
SLOW = 1 / 30
TENANT = 1
FLOATS, INTEGERS = SAMPLE[Column.FLOAT64], SAMPLE[Column.INT64]
HUNDREDTHS = "decimals as whole hundredths: Delta, T64('bit'), ZSTD(1)"
# By table: columns with another codec.
CODECS: dict[str, dict[str, dict[str, str]]] = {
    "as it is: Delta, ZSTD(1); sequence: Delta, T64, ZSTD(1)": {},
    **{
        f"values: {codec}": {table: {"value": codec} for table in (FLOATS, INTEGERS)}
        for codec in ("ZSTD(1)", "DoubleDelta, ZSTD(1)", "Delta, ZSTD(3)", "Delta, ZSTD(9)", "Delta, LZ4")
    },
    "decimals: Gorilla, ZSTD(1)": {FLOATS: {"value": "Gorilla, ZSTD(1)"}},
    "decimals: FPC, ZSTD(1)": {FLOATS: {"value": "FPC(12), ZSTD(1)"}},
    "integers: Delta, T64('bit'), ZSTD(1)": {INTEGERS: {"value": "Delta, T64('bit'), ZSTD(1)"}},
    "times: ZSTD(1)": {table: {"time": "ZSTD(1)"} for table in (FLOATS, INTEGERS)},
    "times: DoubleDelta, ZSTD(1)": {table: {"time": "DoubleDelta, ZSTD(1)"} for table in (FLOATS, INTEGERS)},
    **{
        f"sequence: {codec}": {table: {"sequence": codec} for table in (FLOATS, INTEGERS)}
        for codec in ("ZSTD(1)", "Delta, ZSTD(1)")
    },
}


@dataclass(frozen=True)
class Kind:
    """One kind of readings."""

    words: str
    wanted: str
    jitter_ms: float = 0.0
    slow: float = 1.0


KINDS = (
    Kind("realistic mix, times aligned", "1.7"),
    Kind("realistic mix, 2 ms jitter of each tag", "2.5", jitter_ms=JITTER_MS),
    Kind("slow values, times aligned", "1.2", slow=SLOW),
)


def rows(kind: Kind) -> Iterator[tuple[Column, dict[str, np.ndarray[Any, Any]]]]:
    """Yield the columns of some minutes of all tags, in the table's order, as the historian lays them out."""
    mix = Mix(TAGS, slow=kind.slow)
    chance = np.random.default_rng(7)
    start_ms = time.time_ns() // 1_000_000 // DAY_MS * DAY_MS - DAY_MS
    # Messages between two of one gateway: their number in the stream varies a little from second to second.
    sequence = np.cumsum(chance.integers(20, 31, SECONDS)).astype(np.uint64)
    for begin in range(0, SECONDS, CHUNK_S):
        seconds = [mix.second() for _ in range(min(CHUNK_S, SECONDS - begin))]
        ticks = start_ms + 1000 * np.arange(begin, begin + len(seconds), dtype=np.int64)
        for place, column in enumerate((Column.FLOAT64, Column.INT64)):
            values = np.stack([second[place] for second in seconds], axis=1).ravel()
            tags = len(values) // len(seconds)
            times = np.tile(ticks, tags)
            if kind.jitter_ms:
                times = times + np.abs(chance.normal(0, kind.jitter_ms, len(times)).round()).astype(np.int64)
            yield (
                column,
                {
                    "tenant": np.full(len(values), TENANT, np.uint32),
                    "retention": np.ones(len(values), np.uint8),
                    "tag": np.repeat(np.arange(place * TAGS, place * TAGS + tags, dtype=np.uint32), len(seconds)),
                    "time": times,
                    "value": values,
                    "quality": np.full(len(values), quality.GOOD, np.uint8),
                    "origin": np.full(len(values), int(Origin.MACHINE), np.uint8),
                    "late": np.zeros(len(values), np.uint8),
                    "sequence": np.tile(sequence[begin : begin + len(seconds)], tags),
                },
            )


def run(engine: ChdbEngine, text: str) -> None:
    """Run a statement that answers nothing."""
    with engine.connection(WRITE) as connection:
        connection.query(text)


def size(engine: ChdbEngine, *tables: str) -> float:
    """Return the bytes per value of some tables."""
    listed = ", ".join(f"'{table}'" for table in tables)
    [row] = engine.table(
        f"select sum(bytes_on_disk) as size, sum(rows) as n from system.parts where active and table in ({listed})"
    ).to_pylist()
    return float(row["size"]) / float(row["n"])


def by_column(engine: ChdbEngine, table: str) -> dict[str, float]:
    """Return the bytes per value of each column of a table."""
    found = engine.table(
        "select column::String as column, sum(column_bytes_on_disk) / sum(rows) as size from system.parts_columns "
        f"where active and table = '{table}' group by column order by size desc"
    ).to_pylist()
    return {row["column"]: float(row["size"]) for row in found}


def kept(kind: Kind, folder: Path) -> ChdbEngine:
    """Keep and merge readings of one kind; returns the engine that holds them."""
    engine = ChdbEngine(folder, TABLES, 4 * 1024**3, {"max_threads": 2})
    for column, columns in rows(kind):
        engine.insert(SAMPLE[column], columns)
    for table in (FLOATS, INTEGERS):
        run(engine, f"optimize table {table} final")
    return engine


def variant(engine: ChdbEngine, table: str, changed: dict[str, str], kind: str = "", value: str = "value") -> str:
    """Keep the rows of a table in another one whose columns have other codecs; returns its name.

    `kind` is another type of the values and `value` how they are made into it.
    """
    made = f"other_{table}"
    run(engine, f"drop table if exists {made} sync")
    [row] = engine.table(f"select create_table_query as q from system.tables where name = '{table}'").to_pylist()
    run(engine, row["q"].replace(f".{table} ", f".{made} "))
    kinds = {"value": kind or ("Int64" if table == INTEGERS else "Float64"), "time": "Int64", "sequence": "UInt64"}
    for name, codec in changed.items():
        run(engine, f"alter table {made} modify column {name} {kinds[name]} codec({codec})")
    columns = engine.table(f"select name::String as name from system.columns where table = '{table}'").to_pylist()
    selected = ", ".join(value if each["name"] == "value" else each["name"] for each in columns)
    run(engine, f"insert into {made} select {selected} from {table}")
    run(engine, f"optimize table {made} final")
    return made


def codecs(engine: ChdbEngine, words: str) -> None:
    """Tell what the mix takes with other codecs."""
    told: dict[str, float] = {}
    for name, changed in CODECS.items():
        told[name] = size(engine, *(variant(engine, table, changed.get(table, {})) for table in (FLOATS, INTEGERS)))
    bits = {"value": "Delta, T64('bit'), ZSTD(1)"}
    tables = variant(engine, FLOATS, bits, "Int64", "toInt64(round(100 * value))"), variant(engine, INTEGERS, bits)
    told[HUNDREDTHS] = size(engine, *tables)
    for name, found in told.items():
        say(f"codecs, {words}", name, found, "B/value")
    bars("codecs", f"Bytes per value with other codecs, {words}", "B", told)


def beside(folder: Path, kind: Kind) -> float | None:
    """Keep the same values in VictoriaMetrics and return its bytes per value."""
    peer = victoria_metrics()
    if not peer.found(SCENARIO):
        return None
    assert peer.path is not None
    mix = Mix(TAGS, slow=kind.slow)
    start_ms = (int(time.time()) - SECONDS - 600) * 1000
    with peer_victoria.victoria(peer.path, folder) as (port, _):
        for begin in range(0, SECONDS, CHUNK_S):
            seconds = [peer_victoria.joined(mix.second()) for _ in range(min(CHUNK_S, SECONDS - begin))]
            requests = list(peer_victoria.remote_requests(seconds, start_ms + begin * 1000, 20))
            peer_victoria.send(port, requests)
        peer_victoria.fetch(port, "/internal/force_flush")
        peer_victoria.fetch(port, "/internal/force_merge")
        time.sleep(5)
        while peer_victoria.counted(port, "vm_active_merges{"):
            time.sleep(0.5)
    return sum(file.stat().st_size for file in (folder / "data").rglob("*") if file.is_file()) / (TAGS * SECONDS)


def main() -> None:
    """Measure each kind, then the codecs, then the peer."""
    told: dict[str, float] = {}
    for kind in KINDS:
        with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
            engine = kept(kind, Path(folder))
            told[kind.words] = size(engine, FLOATS, INTEGERS)
            say(SCENARIO, f"{kind.words}, merged", told[kind.words], "B/value", kind.wanted)
            for column in (Column.FLOAT64, Column.INT64):
                for name, part in by_column(engine, SAMPLE[column]).items():
                    if part > 0.005:
                        say(SCENARIO, f"{kind.words}: of a {column}, its {name}", part, "B/value")
            if not kind.jitter_ms and kind.slow == 1:
                codecs(engine, "times aligned")
            engine.close()
        if not kind.jitter_ms:
            with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
                if (theirs := beside(Path(folder), kind)) is not None:
                    told[f"VictoriaMetrics, {kind.words.split(', ')[0]}"] = theirs
                    say(SCENARIO, f"VictoriaMetrics, {kind.words}", theirs, "B/value")
    bars("kinds", "Bytes per value on disk", "B", told)


if __name__ == "__main__":
    main()
