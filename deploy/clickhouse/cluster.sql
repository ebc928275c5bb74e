create database if not exists mainspring on cluster '{cluster}';

create table if not exists mainspring.sample_float64_local on cluster '{cluster}' (
        tenant UInt32 codec(ZSTD(1)), retention UInt8 codec(ZSTD(1)),
        tag UInt32 codec(Delta, ZSTD(1)), time Int64 codec(Delta, ZSTD(1)), value Float64 codec(Delta, ZSTD(1)),
        quality UInt8 codec(ZSTD(1)), origin UInt8 codec(ZSTD(1)),
        late UInt8 codec(ZSTD(1)), sequence UInt64 codec(Delta, T64, ZSTD(1))
    ) engine = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') partition by (retention, intDiv(time, 86400000)) order by (tenant, tag, time) settings fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 16, replicated_deduplication_window = 0;

create table if not exists mainspring.sample_float64 on cluster '{cluster}' as mainspring.sample_float64_local
    engine = Distributed('{cluster}', 'mainspring', 'sample_float64_local', intHash64(tag));

create table if not exists mainspring.sample_int64_local on cluster '{cluster}' (
        tenant UInt32 codec(ZSTD(1)), retention UInt8 codec(ZSTD(1)),
        tag UInt32 codec(Delta, ZSTD(1)), time Int64 codec(Delta, ZSTD(1)), value Int64 codec(Delta, ZSTD(1)),
        quality UInt8 codec(ZSTD(1)), origin UInt8 codec(ZSTD(1)),
        late UInt8 codec(ZSTD(1)), sequence UInt64 codec(Delta, T64, ZSTD(1))
    ) engine = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') partition by (retention, intDiv(time, 86400000)) order by (tenant, tag, time) settings fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 16, replicated_deduplication_window = 0;

create table if not exists mainspring.sample_int64 on cluster '{cluster}' as mainspring.sample_int64_local
    engine = Distributed('{cluster}', 'mainspring', 'sample_int64_local', intHash64(tag));

create table if not exists mainspring.sample_text_local on cluster '{cluster}' (
        tenant UInt32 codec(ZSTD(1)), retention UInt8 codec(ZSTD(1)),
        tag UInt32 codec(Delta, ZSTD(1)), time Int64 codec(Delta, ZSTD(1)), value String codec(ZSTD(1)),
        quality UInt8 codec(ZSTD(1)), origin UInt8 codec(ZSTD(1)),
        late UInt8 codec(ZSTD(1)), sequence UInt64 codec(Delta, T64, ZSTD(1))
    ) engine = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') partition by (retention, intDiv(time, 86400000)) order by (tenant, tag, time) settings fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 16, replicated_deduplication_window = 0;

create table if not exists mainspring.sample_text on cluster '{cluster}' as mainspring.sample_text_local
    engine = Distributed('{cluster}', 'mainspring', 'sample_text_local', intHash64(tag));

create table if not exists mainspring.correction_float64_local on cluster '{cluster}' (
        tenant UInt32, retention UInt8, tag UInt32, time Int64, value Float64 codec(Delta, ZSTD(1)),
        quality UInt8, origin UInt8, made_us Int64, made_by LowCardinality(String), reason String
    ) engine = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') partition by (retention, intDiv(time, 86400000)) order by (tenant, tag, time, made_us) settings fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 16, replicated_deduplication_window = 0;

create table if not exists mainspring.correction_float64 on cluster '{cluster}' as mainspring.correction_float64_local
    engine = Distributed('{cluster}', 'mainspring', 'correction_float64_local', intHash64(tag));

create table if not exists mainspring.correction_int64_local on cluster '{cluster}' (
        tenant UInt32, retention UInt8, tag UInt32, time Int64, value Int64 codec(Delta, ZSTD(1)),
        quality UInt8, origin UInt8, made_us Int64, made_by LowCardinality(String), reason String
    ) engine = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') partition by (retention, intDiv(time, 86400000)) order by (tenant, tag, time, made_us) settings fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 16, replicated_deduplication_window = 0;

create table if not exists mainspring.correction_int64 on cluster '{cluster}' as mainspring.correction_int64_local
    engine = Distributed('{cluster}', 'mainspring', 'correction_int64_local', intHash64(tag));

create table if not exists mainspring.correction_text_local on cluster '{cluster}' (
        tenant UInt32, retention UInt8, tag UInt32, time Int64, value String codec(ZSTD(1)),
        quality UInt8, origin UInt8, made_us Int64, made_by LowCardinality(String), reason String
    ) engine = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') partition by (retention, intDiv(time, 86400000)) order by (tenant, tag, time, made_us) settings fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 16, replicated_deduplication_window = 0;

create table if not exists mainspring.correction_text on cluster '{cluster}' as mainspring.correction_text_local
    engine = Distributed('{cluster}', 'mainspring', 'correction_text_local', intHash64(tag));

create table if not exists mainspring.set_aside_local on cluster '{cluster}' (
        tenant UInt32, day Int64, tag UInt32, time Int64, kind LowCardinality(String), value String,
        quality UInt8, origin UInt8, late UInt8, sequence UInt64, reason LowCardinality(String)
    ) engine = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') partition by day order by (tenant, tag, time) settings fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 16, replicated_deduplication_window = 0;

create table if not exists mainspring.set_aside on cluster '{cluster}' as mainspring.set_aside_local
    engine = Distributed('{cluster}', 'mainspring', 'set_aside_local', intHash64(tag));

create table if not exists mainspring.alarm_event_local on cluster '{cluster}' (
        tenant UInt32, id String, alarm String, tag UInt32, condition LowCardinality(String),
        priority LowCardinality(String), transition LowCardinality(String), state LowCardinality(String),
        time Int64 codec(Delta, ZSTD(1)), raised Int64, value Nullable(Float64), `limit` Float64,
        `by` String, comment String
    ) engine = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') partition by intDiv(time, 2592000000) order by (tenant, time, id) settings fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 16, replicated_deduplication_window = 0;

create table if not exists mainspring.alarm_event on cluster '{cluster}' as mainspring.alarm_event_local
    engine = Distributed('{cluster}', 'mainspring', 'alarm_event_local', intHash64(tag));

create table if not exists mainspring.rollup_minute_local on cluster '{cluster}' (
        tenant UInt32 codec(ZSTD(1)), retention UInt8 codec(ZSTD(1)),
        tag UInt32 codec(Delta, ZSTD(1)), time Int64 codec(Delta, ZSTD(1)),
        good UInt32 codec(ZSTD(1)), bad UInt32 codec(ZSTD(1)),
        min Float64 codec(Delta, ZSTD(1)), max Float64 codec(Delta, ZSTD(1)), sum Float64 codec(Delta, ZSTD(1)),
        first Float64 codec(Delta, ZSTD(1)), last Float64 codec(Delta, ZSTD(1)),
        first_ms UInt32 codec(ZSTD(1)), held UInt8 codec(ZSTD(1)),
        weighted Float64 codec(Delta, ZSTD(1)), weighted_ms UInt32 codec(ZSTD(1)),
        marks UInt16 codec(ZSTD(1)), made UInt64 codec(Delta, ZSTD(1))
    ) engine = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', made) partition by (retention, intDiv(time, 86400000))
    order by (tenant, tag, time) settings fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 16, replicated_deduplication_window = 0;

create table if not exists mainspring.rollup_minute on cluster '{cluster}' as mainspring.rollup_minute_local
    engine = Distributed('{cluster}', 'mainspring', 'rollup_minute_local', intHash64(tag));

create table if not exists mainspring.rollup_hour_local on cluster '{cluster}' (
        tenant UInt32 codec(ZSTD(1)), retention UInt8 codec(ZSTD(1)),
        tag UInt32 codec(Delta, ZSTD(1)), time Int64 codec(Delta, ZSTD(1)),
        good UInt32 codec(ZSTD(1)), bad UInt32 codec(ZSTD(1)),
        min Float64 codec(Delta, ZSTD(1)), max Float64 codec(Delta, ZSTD(1)), sum Float64 codec(Delta, ZSTD(1)),
        first Float64 codec(Delta, ZSTD(1)), last Float64 codec(Delta, ZSTD(1)),
        first_ms UInt32 codec(ZSTD(1)), held UInt8 codec(ZSTD(1)),
        weighted Float64 codec(Delta, ZSTD(1)), weighted_ms UInt32 codec(ZSTD(1)),
        marks UInt16 codec(ZSTD(1)), made UInt64 codec(Delta, ZSTD(1))
    ) engine = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', made) partition by (retention, intDiv(time, 2592000000))
    order by (tenant, tag, time) settings fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 16, replicated_deduplication_window = 0;

create table if not exists mainspring.rollup_hour on cluster '{cluster}' as mainspring.rollup_hour_local
    engine = Distributed('{cluster}', 'mainspring', 'rollup_hour_local', intHash64(tag));

create table if not exists mainspring.retention_class_local on cluster '{cluster}' (code UInt8, name String) engine = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') order by code settings replicated_deduplication_window = 0;

create table if not exists mainspring.retention_class on cluster '{cluster}' as mainspring.retention_class_local
    engine = Distributed('{cluster}', 'mainspring', 'retention_class_local', code);
