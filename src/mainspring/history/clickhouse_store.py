"""The history on ClickHouse servers, by URL, for those who have outgrown one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mainspring.core.cold import ColdSettings
from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text
from mainspring.history.clickhouse_engine import Address, ClickhouseEngine
from mainspring.history.rollups import QUIET_S
from mainspring.history.schema import TABLES
from mainspring.history.sql_store import SqlStore

_FOLDER: Final = Text(
    "ClickHouse servers cannot read the folder {place} of [history] cold. Name a bucket they reach, s3://bucket/prefix.",
    "ClickHouse 服务器无法读取 [history] cold 指定的文件夹 {place}，请填写其可访问的 s3://桶/前缀。",
)


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
        cold: ColdSettings | None = None,
    ) -> None:
        if cold is not None and not cold.place.startswith("s3:"):
            raise ConfigurationError(_FOLDER, place=cold.place)
        limits = {
            "max_memory_usage": query_memory_bytes_max,
            "max_execution_time": query_timeout_s,
            "max_threads": query_threads,
        }
        engine = ClickhouseEngine(Address.parse(url), password, folder, TABLES, limits)
        super().__init__(engine, folder, rollup_quiet_s=rollup_quiet_s, cold=cold)
