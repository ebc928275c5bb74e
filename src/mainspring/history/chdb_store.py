"""The history in ClickHouse's embedded engine: one folder, one process."""

from __future__ import annotations

from pathlib import Path

from mainspring.core.cold import ColdSettings
from mainspring.history.chdb_engine import ChdbEngine
from mainspring.history.rollups import QUIET_S
from mainspring.history.schema import SAMPLE, TABLES
from mainspring.history.sql_store import AHEAD_MAX_MS, EARLIEST_MS, SqlStore


class ChdbStore(SqlStore):
    """Keeps readings under `path`."""

    def __init__(
        self,
        path: Path,
        *,
        memory_bytes_max: int = 2 * 1024**3,
        query_memory_bytes_max: int = 1024**3,
        query_timeout_s: int = 30,
        query_threads: int = 2,
        earliest_ms: int = EARLIEST_MS,
        ahead_max_ms: int = AHEAD_MAX_MS,
        rollup_quiet_s: float = QUIET_S,
        cold: ColdSettings | None = None,
    ) -> None:
        limits = {
            "max_memory_usage": query_memory_bytes_max,
            "max_execution_time": query_timeout_s,
            "max_threads": query_threads,
        }
        engine = ChdbEngine(path, TABLES, memory_bytes_max, limits)
        super().__init__(
            engine,
            path,
            earliest_ms=earliest_ms,
            ahead_max_ms=ahead_max_ms,
            rollup_quiet_s=rollup_quiet_s,
            cold=cold,
        )
        self._embedded = engine

    def freeze(self) -> Path:
        """Link every part that is in use now, for a backup; return where the links are."""
        return self._embedded.freeze()

    def thaw(self) -> None:
        """Remove the links."""
        self._embedded.thaw()

    def rest_merges(self, *, resting: bool) -> None:
        """Let merges of samples rest, or go on."""
        self._embedded.rest_merges(tuple(SAMPLE.values()), resting=resting)

    def parts_most(self) -> int:
        """Return how many parts the partition of samples with the most of them has."""
        return self._embedded.parts_most(tuple(SAMPLE.values()))
