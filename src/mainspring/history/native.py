"""ClickHouse's Native format: columns as they lie in memory, the same for the embedded engine and for a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

NUMBERS: Final = {
    np.dtype(np.uint8): "UInt8",
    np.dtype(np.uint16): "UInt16",
    np.dtype(np.uint32): "UInt32",
    np.dtype(np.uint64): "UInt64",
    np.dtype(np.int64): "Int64",
    np.dtype(np.float64): "Float64",
}
Columns = Mapping[str, npt.NDArray[Any] | list[str] | list[float | None]]


def parts(columns: Columns) -> Iterator[bytes | memoryview]:
    """Give one block of columns - numpy numbers, lists of str, or lists of float and None - piece by piece.

    Joined to one they would be copied once more, into memory that the system has to clear first.
    """
    yield _length(len(columns)) + _length(len(next(iter(columns.values()))))
    for name, values in columns.items():
        kind, encoded = _column(values)
        yield _text(name) + _text(kind)
        yield from encoded


def structure(columns: Columns) -> str:
    """Return the names and types of the columns as ClickHouse declares them."""
    return ", ".join(f"`{name}` {_kind(values)}" for name, values in columns.items())


def _kind(values: npt.NDArray[Any] | list[Any]) -> str:
    if isinstance(values, np.ndarray) and values.dtype in NUMBERS:
        return NUMBERS[values.dtype]
    return "Nullable(Float64)" if any(value is None or isinstance(value, float) for value in values) else "String"


def _column(values: npt.NDArray[Any] | list[Any]) -> tuple[str, list[bytes | memoryview]]:
    kind = _kind(values)
    if isinstance(values, np.ndarray) and values.dtype in NUMBERS:
        return kind, [np.ascontiguousarray(values).data.cast("B") if len(values) else b""]
    if kind == "Nullable(Float64)":
        absent = np.array([value is None for value in values], dtype=np.uint8)
        numbers = np.array([0.0 if value is None else value for value in values], dtype=np.float64)
        return kind, [absent.tobytes(), numbers.tobytes()]
    return kind, list(_texts(values))


def _texts(values: Iterable[str]) -> Iterable[bytes]:
    return (_text(value) for value in values)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _length(len(encoded)) + encoded


def _length(number: int) -> bytes:
    """Return a number as LEB128, seven bits a byte."""
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
