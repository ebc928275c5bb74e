"""Readings as columns: the batch that travels from a driver to the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mainspring.core.errors import DecodeError
from mainspring.core.kinds import BATCH_BYTES_MAX, ROWS_MAX, Column, Origin
from mainspring.core.text import Text

_VALUE_TYPE: Final[dict[Column, pa.DataType]] = {
    Column.FLOAT64: pa.float64(),
    Column.INT64: pa.int64(),
    Column.TEXT: pa.string(),
}
_COLUMN_BY_TYPE: Final = {str(kind): column for column, kind in _VALUE_TYPE.items()}

SCHEMAS: Final[dict[Column, pa.Schema]] = {
    column: pa.schema(
        [
            pa.field("tag", pa.uint32(), nullable=False),
            pa.field("time", pa.int64(), nullable=False),
            pa.field("value", value, nullable=False),
            pa.field("quality", pa.uint8(), nullable=False),
            pa.field("origin", pa.uint8(), nullable=False),
        ]
    )
    for column, value in _VALUE_TYPE.items()
}

_MALFORMED: Final = Text(
    "A batch of {size} bytes is not a batch of readings ({reason}). It was dropped and counted.",
    "一个 {size} 字节的批次不是读数批次（{reason}），已丢弃并计数。",
)


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Samples of one column type; all arrays have the same length.

    `tag` uint32 ordinals, `time` int64 milliseconds UTC, `value` float64 or int64 array or list of str,
    `quality` uint8 OPC bytes, `origin` uint8 (`Origin`). A bad sample of an unknown value carries NaN, 0 or "".
    """

    column: Column
    tag: npt.NDArray[np.uint32]
    time: npt.NDArray[np.int64]
    value: npt.NDArray[Any]
    quality: npt.NDArray[np.uint8]
    origin: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.tag)

    def record_batch(self) -> pa.RecordBatch:
        """Return the Arrow form; numeric columns are not copied."""
        text = self.column is Column.TEXT
        columns = [
            _column(pa.uint32(), self.tag, np.uint32),
            _column(pa.int64(), self.time, np.int64),
            _texts(self.value) if text else _column(_VALUE_TYPE[self.column], self.value, _NUMBER[self.column]),
            _column(pa.uint8(), self.quality, np.uint8),
            _column(pa.uint8(), self.origin, np.uint8),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMAS[self.column])

    def encode(self, compression: Literal["zstd"] | None = None) -> bytes:
        """Return one Arrow IPC stream with one record batch; `compression` is None or "zstd"."""
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_stream(sink, SCHEMAS[self.column], options=options) as writer:
            writer.write_batch(self.record_batch())
        return sink.getvalue().to_pybytes()

    def take(self, where: npt.NDArray[Any]) -> SampleBatch:
        """Return the rows selected by a boolean mask or an index array."""
        return SampleBatch(
            self.column,
            self.tag[where],
            self.time[where],
            self.value[where],
            self.quality[where],
            self.origin[where],
        )


_NUMBER: Final[dict[Column, Any]] = {Column.FLOAT64: np.float64, Column.INT64: np.int64}


def _column(kind: pa.DataType, values: npt.NDArray[Any], dtype: Any) -> pa.Array[Any]:
    """View an array as Arrow. `pa.array` would do the same and import pandas, 45 MB in every process."""
    values = np.ascontiguousarray(values, dtype=dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values.data)])


def _array(values: pa.Array[Any]) -> npt.NDArray[Any]:
    """View Arrow numbers as an array, or copy texts; `to_numpy` would import pandas too."""
    if values.type == pa.string():
        texts = np.empty(len(values), dtype=object)
        texts[:] = values.to_pylist()
        return texts
    dtype = values.type.to_pandas_dtype()
    buffer = values.buffers()[1]
    if not len(values) or buffer is None:
        return np.empty(0, dtype=dtype)
    start = values.offset * np.dtype(dtype).itemsize
    viewed: npt.NDArray[Any] = np.frombuffer(memoryview(buffer), dtype=dtype, count=len(values), offset=start)
    return viewed


def _texts(values: npt.NDArray[Any]) -> pa.Array[Any]:
    encoded = [text.encode() for text in values]
    ends = np.zeros(len(encoded) + 1, dtype=np.int32)
    np.cumsum([len(each) for each in encoded], out=ends[1:])
    return pa.Array.from_buffers(
        pa.string(), len(encoded), [None, pa.py_buffer(ends.data), pa.py_buffer(b"".join(encoded))]
    )


def decode(message: bytes, rows_max: int = ROWS_MAX) -> SampleBatch:
    """Read one batch from the bus; numeric columns are views on `message`.

    Raises DecodeError for anything that is not exactly one of the three schemas within the limits.
    """

    def malformed(reason: str) -> DecodeError:
        return DecodeError(_MALFORMED, size=len(message), reason=reason)

    if len(message) > BATCH_BYTES_MAX:
        raise malformed("too large")
    try:
        with pa.ipc.open_stream(pa.py_buffer(message)) as reader:
            column = _COLUMN_BY_TYPE.get(str(reader.schema.field("value").type))
            if column is None or not reader.schema.equals(SCHEMAS[column]):
                raise malformed("unknown columns")
            batch = reader.read_next_batch()
            batch.validate(full=True)
            if any(values.null_count for values in batch.columns):
                raise malformed("empty cells")
    except (pa.ArrowException, OSError, ValueError, KeyError, StopIteration, MemoryError) as error:
        raise malformed(type(error).__name__) from error
    if batch.num_rows > rows_max:
        raise malformed(f"more than {rows_max} rows")
    return batch_of(batch, column)


def batch_of(batch: pa.RecordBatch, column: Column) -> SampleBatch:
    """View an Arrow record batch of one of `SCHEMAS` as a SampleBatch."""
    tag, time, value, quality, origin = (_array(values) for values in batch.columns)
    return SampleBatch(column, tag, time, value, quality, origin)


def build(
    column: Column, tag: Any, time: Any, value: Any, quality: Any, origin: Origin | npt.NDArray[np.uint8]
) -> SampleBatch:
    """Make a batch from sequences or scalars; scalars other than `tag` and `value` are repeated for each row."""
    tags = np.asarray(tag, dtype=np.uint32)
    rows = len(tags)
    types: dict[Column, Any] = {Column.FLOAT64: np.float64, Column.INT64: np.int64, Column.TEXT: object}

    def fill(values: Any, dtype: Any) -> npt.NDArray[Any]:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(values, dtype=dtype), (rows,)))

    return SampleBatch(
        column,
        tags,
        fill(time, np.int64),
        fill(value, types[column]),
        fill(quality, np.uint8),
        fill(origin, np.uint8),
    )
