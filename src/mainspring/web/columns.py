"""Columns of Arrow answers as numpy arrays. `to_numpy` would do the same and import pandas, 45 MB."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def numbers(column: pa.ChunkedArray[Any]) -> npt.NDArray[Any]:
    """Return a column of numbers; cells that are empty hold anything."""
    dtype = np.dtype(column.type.to_pandas_dtype())
    parts = [_view(chunk, dtype) for chunk in column.chunks if len(chunk)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)


def _view(values: pa.Array[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    buffer = values.buffers()[1]
    assert buffer is not None
    start = values.offset * dtype.itemsize
    return np.frombuffer(memoryview(buffer), dtype=dtype, count=len(values), offset=start)
