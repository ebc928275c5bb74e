"""What the historian is told, and what it asks of its store beyond the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mainspring.core.history import HistoryStore
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text


@dataclass(frozen=True, slots=True)
class HistorianSettings:
    """How the historian gathers, keeps and answers."""

    folder: Path
    instance: str = "1"
    gather_ms: int = 1000
    rows_max: int = 1_000_000
    disk_free_min_bytes: int = 2 * 1024**3
    bytes_max: int = 50 * 1024**3
    blob_bytes_max: int = 20 * 1024**3
    retention_days: dict[str, int] = field(default_factory=lambda: {"standard": 3650, "set-aside": 90})
    retention_bytes: dict[str, int] = field(default_factory=dict)
    retain_every_s: int = 300
    inspect_every_s: int = 7 * 86_400
    replay_keep_s: int = 300
    query_threads: int = 2
    queries_max: int = 32


class Store(HistoryStore, Protocol):
    """A history store that tells its size and what it has set aside."""

    set_aside: int

    def doubt(self, stream: str, last: int) -> None:
        """Take every message of a stream up to `last` for one that may be stored, under whatever sequence."""

    def inspect(self) -> Iterator[list[str]]:
        """Look for what a disk has spoilt, piece by piece; give the names of the damaged parts of each."""

    def bytes_on_disk(self) -> int:
        """Return the size of all that is kept."""

    def place(self, tenant: int, batch: SampleBatch, kept_from_ms: Mapping[str, int]) -> npt.NDArray[np.uint8]:
        """Store samples that no stream brought, durably; returns of each what `importing` says can become of it.

        Left out are those whose tag and time are there, and those older than their retention class keeps.
        """

    def trouble(self) -> Text | None:
        """Return what hinders the store beside storing and answering."""

    def rollups_behind(self, now_ms: int) -> tuple[int, int]:
        """Return for how long no rows of a minute are made, in milliseconds, and how many hours of tags are marked."""
