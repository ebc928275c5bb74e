"""The engine's answer to a request for current values."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

_COLUMNS: Final[dict[str, pa.DataType]] = {
    "tag": pa.uint32(),
    "time": pa.int64(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "text": pa.string(),
    "quality": pa.uint8(),
    "origin": pa.uint8(),
    "flags": pa.uint8(),
}
SCHEMA: Final = pa.schema(_COLUMNS)
"""Answer to a current-value request; `flags` has the bits KNOWN and STALE; a tag that is not yours is not KNOWN.

`integer` and `text` are empty where the tag is not of that kind; `number` is NaN where there is none.
"""
KNOWN: Final = 1
STALE: Final = 2
