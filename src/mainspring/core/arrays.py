"""Arrays of numbers as samples: short ones as JSON in the sample itself, long ones and waveforms as Arrow in a blob."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mainspring.core.errors import DecodeError
from mainspring.core.text import Text

INLINE_BYTES_MAX: Final = 4096
"""Longest JSON form that stands in a sample itself."""
WAVEFORM: Final = "application/vnd.apache.arrow.stream"
_COLUMN: Final = "value"

_NOT_NUMBERS: Final = Text(
    "This blob is no waveform ({reason}). Send one Arrow stream with one column of numbers called value.",
    "该数据块不是波形（{reason}）。请发送仅含一列数值 value 的 Arrow 流。",
)


@dataclass(frozen=True, slots=True)
class Waveform:
    """Amplitudes taken at a fixed rate; a rate of 0 says that it is not known. `unit` is UCUM."""

    values: npt.NDArray[np.float64]
    sample_rate_hz: float = 0.0
    unit: str = "1"

    def encode(self) -> bytes:
        """Return one Arrow IPC stream whose schema carries rate and unit."""
        metadata: dict[bytes | str, bytes | str] = {"sample_rate_hz": repr(self.sample_rate_hz), "unit": self.unit}
        schema = pa.schema([pa.field(_COLUMN, pa.float64(), nullable=False)], metadata=metadata)
        values = np.ascontiguousarray(self.values, dtype=np.float64)
        column: pa.Array[Any] = pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(values.data)])
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays([column], schema=schema))
        return sink.getvalue().to_pybytes()


def decode_waveform(content: bytes) -> Waveform:
    """Read a waveform; raises DecodeError for anything else."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
            batches = list(reader)
            metadata = reader.schema.metadata or {}
        values = [_numbers(batch) for batch in batches]
        rate = float(metadata.get(b"sample_rate_hz", b"0"))
        unit = metadata.get(b"unit", b"1").decode()[:32]
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
        raise DecodeError(_NOT_NUMBERS, reason=type(error).__name__) from error
    joined = np.concatenate(values) if values else np.empty(0, dtype=np.float64)
    return Waveform(joined, rate if math.isfinite(rate) and rate >= 0 else 0.0, unit)


def _numbers(batch: pa.RecordBatch) -> npt.NDArray[np.float64]:
    batch.validate(full=True)
    column = batch.column(_COLUMN).cast(pa.float64())
    buffer = column.buffers()[1]
    if column.null_count or buffer is None:
        raise ValueError("empty cells")
    return np.frombuffer(memoryview(buffer), dtype=np.float64, count=len(column), offset=column.offset * 8)


def array_sample(values: Sequence[Any], keep_blob: Callable[[bytes, str], str]) -> str:
    """Return the value of an array's sample: JSON if it is short, else the reference of the blob kept for it.

    Raises ValueError for elements that are no numbers, StoreError if the blob cannot be kept.
    """
    numbers = [_number(value) for value in values]
    text = json.dumps(numbers, separators=(",", ":"))
    if len(text) <= INLINE_BYTES_MAX:
        return text
    plain = np.array([math.nan if number is None else number for number in numbers], dtype=np.float64)
    return keep_blob(Waveform(plain).encode(), WAVEFORM)


def inline_array(text: str) -> list[float | int | None]:
    """Read the JSON form; raises ValueError for anything that is no array of numbers within the limit."""
    if len(text.encode()) > INLINE_BYTES_MAX:
        raise ValueError("it is too long")
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("it is no array")
    return [_number(value) for value in found]


def _number(value: Any) -> float | int | None:
    """Return an element as JSON can hold it: a float that is no number becomes null."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    raise ValueError(f"{type(value).__name__} is no number")
