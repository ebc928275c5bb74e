"""Words for samples that need no arrays: kinds, column types, origins and the limits of a batch."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

ROWS_MAX: Final = 50_000
"""Most rows one batch may carry on the bus."""
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
"""Largest encoded batch; the bus refuses larger messages."""


class SampleKind(StrEnum):
    """What a tag's samples are; several kinds share one column type."""

    FLOAT = "float64"
    INTEGER = "int64"
    BOOLEAN = "boolean"
    ENUMERATION = "enumeration"
    TEXT = "text"
    BLOB = "blob"
    ARRAY = "array"

    @property
    def column(self) -> Column:
        """The column type that stores this kind: booleans as 0 / 1, blobs by content hash, arrays as JSON."""
        return _COLUMN_OF[self]


class Column(StrEnum):
    """The three column types of a batch and of the history's tables."""

    FLOAT64 = "float64"
    INT64 = "int64"
    TEXT = "text"


_COLUMN_OF: Final = {
    SampleKind.FLOAT: Column.FLOAT64,
    SampleKind.INTEGER: Column.INT64,
    SampleKind.BOOLEAN: Column.INT64,
    SampleKind.ENUMERATION: Column.INT64,
    SampleKind.TEXT: Column.TEXT,
    SampleKind.BLOB: Column.TEXT,
    SampleKind.ARRAY: Column.TEXT,
}


class Origin(IntEnum):
    """Where a sample came from; evidence counts only what machines sent."""

    MACHINE = 0
    MANUAL = 1
    CALCULATED = 2
    IMPORTED = 3
    SIMULATED = 4
    REPLAYED = 5
