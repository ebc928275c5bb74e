"""Tables of the history in ClickHouse SQL: what is kept, in which order, and how it is packed.

`tenant` is the first part of every key. Partitions are (retention class, day), so that retention drops whole
partitions. Times are milliseconds UTC in Int64; `late` tells the stream (bit LATE_STREAM) and whether
a sample came long after its time (bit LATE_TIME), `sequence` the message it came in. Rollups hold a row for each
tag and minute, or hour; one made again stands beside the former until they are merged, and the greater `made` counts.
"""

from __future__ import annotations

from typing import Final

from mainspring.core.kinds import Column

DAY_MS: Final = 86_400_000

VALUE_TYPE: Final = {Column.FLOAT64: "Float64", Column.INT64: "Int64", Column.TEXT: "String"}
SAMPLE: Final = {column: f"sample_{column}" for column in Column}
CORRECTION: Final = {column: f"correction_{column}" for column in Column}
EVENT: Final = "alarm_event"
ASIDE: Final = "set_aside"
CLASS: Final = "retention_class"
MINUTE: Final = "rollup_minute"
HOUR: Final = "rollup_hour"
MONTH_MS: Final = 30 * DAY_MS
LATE_STREAM: Final = 1
LATE_TIME: Final = 2
CLASSES_MASK: Final = 63
"""The bits of `retention` that are the class; those above tell what came after its day went to cold files."""

# Merging more parts at a time rewrites each row half as often; merging is most of what storing costs.
_SETTINGS: Final = "settings fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 16"
_DAILY: Final = f"engine = MergeTree partition by (retention, intDiv(time, {DAY_MS}))"

_SEQUENCE: Final = "sequence UInt64 codec(Delta, T64, ZSTD(1))"


def _value(column: Column) -> str:
    codec = "ZSTD(1)" if column is Column.TEXT else "Delta, ZSTD(1)"
    return f"value {VALUE_TYPE[column]} codec({codec})"


def _sample(column: Column) -> str:
    return f"""create table if not exists {SAMPLE[column]} (
        tenant UInt32 codec(ZSTD(1)), retention UInt8 codec(ZSTD(1)),
        tag UInt32 codec(Delta, ZSTD(1)), time Int64 codec(Delta, ZSTD(1)), {_value(column)},
        quality UInt8 codec(ZSTD(1)), origin UInt8 codec(ZSTD(1)),
        late UInt8 codec(ZSTD(1)), {_SEQUENCE}
    ) {_DAILY} order by (tenant, tag, time) {_SETTINGS}"""


def _correction(column: Column) -> str:
    return f"""create table if not exists {CORRECTION[column]} (
        tenant UInt32, retention UInt8, tag UInt32, time Int64, {_value(column)},
        quality UInt8, origin UInt8, made_us Int64, made_by LowCardinality(String), reason String
    ) {_DAILY} order by (tenant, tag, time, made_us) {_SETTINGS}"""


def _rollup(table: str, partition_ms: int) -> str:
    return f"""create table if not exists {table} (
        tenant UInt32 codec(ZSTD(1)), retention UInt8 codec(ZSTD(1)),
        tag UInt32 codec(Delta, ZSTD(1)), time Int64 codec(Delta, ZSTD(1)),
        good UInt32 codec(ZSTD(1)), bad UInt32 codec(ZSTD(1)),
        min Float64 codec(Delta, ZSTD(1)), max Float64 codec(Delta, ZSTD(1)), sum Float64 codec(Delta, ZSTD(1)),
        first Float64 codec(Delta, ZSTD(1)), last Float64 codec(Delta, ZSTD(1)),
        first_ms UInt32 codec(ZSTD(1)), held UInt8 codec(ZSTD(1)),
        weighted Float64 codec(Delta, ZSTD(1)), weighted_ms UInt32 codec(ZSTD(1)),
        marks UInt16 codec(ZSTD(1)), made UInt64 codec(Delta, ZSTD(1))
    ) engine = ReplacingMergeTree(made) partition by (retention, intDiv(time, {partition_ms}))
    order by (tenant, tag, time) {_SETTINGS}"""


TABLES: Final = (
    *(_sample(column) for column in Column),
    *(f"alter table {table} modify column {_SEQUENCE}" for table in SAMPLE.values()),
    *(_correction(column) for column in Column),
    *(f"alter table {table} add column if not exists reason String" for table in CORRECTION.values()),
    f"""create table if not exists {ASIDE} (
        tenant UInt32, day Int64, tag UInt32, time Int64, kind LowCardinality(String), value String,
        quality UInt8, origin UInt8, late UInt8, sequence UInt64, reason LowCardinality(String)
    ) engine = MergeTree partition by day order by (tenant, tag, time) {_SETTINGS}""",
    f"""create table if not exists {EVENT} (
        tenant UInt32, id String, alarm String, tag UInt32, condition LowCardinality(String),
        priority LowCardinality(String), transition LowCardinality(String), state LowCardinality(String),
        time Int64 codec(Delta, ZSTD(1)), raised Int64, value Nullable(Float64), `limit` Float64,
        `by` String, comment String
    ) engine = MergeTree partition by intDiv(time, {MONTH_MS}) order by (tenant, time, id) {_SETTINGS}""",
    _rollup(MINUTE, DAY_MS),
    _rollup(HOUR, MONTH_MS),
    f"create table if not exists {CLASS} (code UInt8, name String) engine = MergeTree order by code",
)


def engine_configuration(memory_bytes_max: int) -> str:
    """Return ClickHouse's server settings for a process that is one of many on a small machine.

    Small caches keep the idle process small (the operating system caches the files anyway), and one merge at a time
    leaves the processor to the others.
    """
    settings = {
        "max_server_memory_usage": memory_bytes_max,
        "mark_cache_size": 64 * 1024**2,
        "primary_index_cache_size": 32 * 1024**2,
        "index_mark_cache_size": 1024**2,
        "index_uncompressed_cache_size": 0,
        "uncompressed_cache_size": 0,
        "mmap_cache_size": 16,
        "query_condition_cache_size": 1024**2,
        "compiled_expression_cache_size": 1024**2,
        "background_pool_size": 1,
        "background_merges_mutations_concurrency_ratio": 2,
        "background_schedule_pool_size": 1,
        "background_common_pool_size": 1,
        "background_move_pool_size": 1,
        "background_fetches_pool_size": 1,
        "max_thread_pool_size": 200,
        "memory_worker_period_ms": 1000,
        "asynchronous_metrics_update_period_s": 60,
    }
    lines = "".join(f"  <{name}>{value}</{name}>\n" for name, value in settings.items())
    return f"<clickhouse>\n{lines}</clickhouse>\n"
