"""The history on ClickHouse servers, by URL, for those who have outgrown one machine."""

from __future__ import annotations

from pathlib import Path

from mainspring.history.clickhouse_engine import Address, ClickhouseEngine
from mainspring.history.rollups import QUIET_S
from mainspring.history.schema import TABLES
from mainspring.history.sql_store import SqlStore


class ClickhouseStore(SqlStore):
    """Keeps readings at `url`; `folder` holds what is this historian's own, how far rollups are made."""

    def __init__(
        self,
        url: str,
        password: str,
        folder: Path,
        *,
        query_memory_bytes_max: int = 1024**3,
        query_timeout_s: int = 30,
        query_threads: int = 2,
        rollup_quiet_s: float = QUIET_S,
    ) -> None:
        limits = {
            "max_memory_usage": query_memory_bytes_max,
            "max_execution_time": query_timeout_s,
            "max_threads": query_threads,
        }
        engine = ClickhouseEngine(Address.parse(url), password, folder, TABLES, limits)
        super().__init__(engine, folder, rollup_quiet_s=rollup_quiet_s)
