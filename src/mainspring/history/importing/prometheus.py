"""Prometheus remote write 1.0: a snappy block around a protobuf message with series of samples.

Source: Prometheus Remote-Write 1.0 specification. The message is declared here by number, name and type.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError as ProtobufError

from mainspring.core import quality
from mainspring.core.errors import DecodeError
from mainspring.core.text import Text
from mainspring.history.importing.influx import named_by
from mainspring.history.importing.rows import Rows

SIZE_MAX: Final = 64 * 1024 * 1024
"""Of an unpacked message."""
SAMPLES_MAX: Final = 1_000_000
NAME: Final = "__name__"
TAG: Final = "tag"
"""A series that has this label names its tag by it."""
_PACKAGE: Final = "mainspring.prometheus"
_MALFORMED: Final = Text(
    "This is no remote write of version 1 ({reason}): a WriteRequest in protobuf, packed with snappy.",
    "内容不是 1.0 版远程写入（{reason}）：应为以 snappy 压缩的 protobuf WriteRequest。",
)
_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_FIELDS: Final = {
    "Label": ((1, "name", _FIELD.TYPE_STRING, ""), (2, "value", _FIELD.TYPE_STRING, "")),
    "Sample": ((1, "value", _FIELD.TYPE_DOUBLE, ""), (2, "timestamp", _FIELD.TYPE_INT64, "")),
    "TimeSeries": ((1, "labels", _FIELD.TYPE_MESSAGE, "Label"), (2, "samples", _FIELD.TYPE_MESSAGE, "Sample")),
    "WriteRequest": ((1, "timeseries", _FIELD.TYPE_MESSAGE, "TimeSeries"),),
}
"""Of each message: number, name, type and, where it repeats, of what."""


@cache
def write_request() -> Any:
    """Return the class of the message."""
    file = descriptor_pb2.FileDescriptorProto(name="remote_write.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _FIELDS.items():
        made = file.message_type.add(name=message)
        for number, name, kind, of in fields:
            label = _FIELD.LABEL_REPEATED if of else _FIELD.LABEL_OPTIONAL
            type_name = f".{_PACKAGE}.{of}" if of else None
            made.field.add(name=name, number=number, type=kind, label=label, type_name=type_name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.WriteRequest"))


def unpacked(body: bytes) -> bytes:
    """Undo the snappy block format, whose first bytes tell the size. Raises DecodeError."""
    size = shift = 0
    for byte in body[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if not body or size > SIZE_MAX:
        raise DecodeError(_MALFORMED, reason="size")
    try:
        return bytes(pa.Codec("snappy").decompress(body, size, asbytes=True))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DecodeError(_MALFORMED, reason="snappy") from error


def rows_of(body: bytes, rule: str) -> Rows:
    """Read a request into rows; a series is named by its label `tag`, or by what the rule makes of its labels.

    A sample without a number - Prometheus ends a series by one - is a bad sample.
    """
    request = write_request()()
    try:
        request.ParseFromString(unpacked(body))
    except ProtobufError as error:
        raise DecodeError(_MALFORMED, reason="protobuf") from error
    names: dict[str, int] = {}
    place: list[int] = []
    counts: list[int] = []
    times: list[int] = []
    values: list[float] = []
    for series in request.timeseries:
        labels = {label.name: label.value for label in series.labels}
        name = labels.get(TAG) or named_by(rule, labels)
        place.append(names.setdefault(name, len(names)) if name else -1)
        counts.append(len(series.samples))
        times.extend(sample.timestamp for sample in series.samples)
        values.extend(sample.value for sample in series.samples)
    if len(times) > SAMPLES_MAX:
        raise DecodeError(_MALFORMED, reason=f"more than {SAMPLES_MAX} samples")
    listed = list(names)
    value = np.array(values, dtype=np.float64)
    name_of = np.repeat(np.array(place, dtype=np.int32), counts)
    level = np.where(np.isnan(value), quality.BAD, quality.GOOD).astype(np.uint8)
    return Rows(
        listed, name_of, np.array(times, dtype=np.int64), np.ones(len(times), dtype=np.bool_), pa.array(value),
        pa.array(level), np.arange(1, len(times) + 1, dtype=np.int64),
        lambda row: f"{listed[name_of[row]] if name_of[row] >= 0 else ''}, {times[row]}, {values[row]}",
    )  # fmt: skip
