"""Values of OPC UA on the wire: against asyncua's own encoder, and against noise."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary, variant_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.core import quality
from mainspring.core.arrays import WAVEFORM, decode_waveform, inline_array
from mainspring.core.blobs import parse, reference
from mainspring.core.drivers import DriverTag
from mainspring.core.errors import DecodeError
from mainspring.core.kinds import Column, SampleKind
from mainspring.core.text import Text
from mainspring.drivers.opcua import OpcUaAddress
from mainspring.drivers.opcua_columns import Columns, Plan, convert, decode_notifications, qualities, quality_of
from mainspring.drivers.opcua_wire import Reader, Reading, iso
from mainspring.drivers.opcua_write import fit

NOW_MS = 1_700_000_000_000
KINDS = [kind for kind in SampleKind if kind is not SampleKind.BLOB]
RANGES = {
    "SByte": (-(2**7), 2**7 - 1), "Byte": (0, 2**8 - 1), "Int16": (-(2**15), 2**15 - 1), "UInt16": (0, 2**16 - 1),
    "Int32": (-(2**31), 2**31 - 1), "UInt32": (0, 2**32 - 1), "Int64": (-(2**63), 2**63 - 1), "UInt64": (0, 2**64 - 1),
}  # fmt: skip


def plan_of(tags: list[DriverTag]) -> Plan:
    plan = Plan(items=[None] * len(tags), tags=[[tag] for tag in tags])
    plan.seal()
    return plan


def tag(ordinal: int, kind: SampleKind, index: int | None = None) -> DriverTag:
    return DriverTag(ordinal, kind, OpcUaAddress(node="i=1", index=index))


def scalars() -> st.SearchStrategy[tuple[str, Any]]:
    whole = [st.tuples(st.just(name), st.integers(*bounds)) for name, bounds in RANGES.items()]
    return st.one_of(
        *whole,
        st.tuples(st.just("Double"), st.floats()),
        st.tuples(st.just("Float"), st.floats(width=32)),
        st.tuples(st.just("Boolean"), st.booleans()),
        st.tuples(st.just("String"), st.text()),
        st.tuples(st.just("Null"), st.none()),
        st.tuples(st.just("Guid"), st.uuids()),
        st.tuples(st.just("LocalizedText"), st.builds(ua.LocalizedText, st.text(max_size=9))),
    )


STATUSES = st.sampled_from([0, 0x40930000, 0x808C0000, 0x80320000, 0x00960000, 0x80000000])
TIMES = st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


def encoded(pair: tuple[str, Any], status: int | None, source: Any, server: Any) -> Any:
    return ua.DataValue(
        ua.Variant(pair[1], ua.VariantType[pair[0]]),
        None if status is None else ua.StatusCode(ua.UInt32(status)),
        source,
        server,
    )


@given(
    st.lists(st.tuples(scalars(), STATUSES, TIMES, TIMES, st.sampled_from(KINDS)), max_size=40),
    st.integers(1, 12),
)
@settings(max_examples=200, deadline=None)
def test_columns_say_what_reading_one_by_one_says(rows: list[Any], repeated: int) -> None:
    rows = [row for row in rows for _ in range(repeated)]  # runs take another way than single items
    tags = [tag(ordinal, row[4]) for ordinal, row in enumerate(rows)]
    values = [encoded(*row[:4]) for row in rows]
    items = [ua.MonitoredItemNotification(ua.UInt32(handle), value) for handle, value in enumerate(values)]
    body = struct_to_binary(ua.DataChangeNotification(items, []))
    reader = Reader(body)
    columns = Columns(plan_of(tags), NOW_MS, {})
    columns.take(reader, reader.count(), None)
    got = {}
    for batch in columns.batches():
        for ordinal, time, value, level in zip(batch.tag, batch.time, batch.value, batch.quality, strict=True):
            got[int(ordinal)] = (int(time), value, int(level))
    assert len(got) == len(rows)
    for ordinal, value in enumerate(values):
        reading = Reader(struct_to_binary(value)).reading()
        expected, level, _ = convert(tags[ordinal].kind, reading, None)
        time, found, found_level = got[ordinal]
        assert found_level == level
        assert time == (NOW_MS if reading.time_ms is None else reading.time_ms)
        assert found == expected or (math.isnan(found) and math.isnan(expected))


@given(scalars().filter(lambda pair: pair[0] != "Null"))
@settings(max_examples=200, deadline=None)
def test_a_variant_reads_back(pair: tuple[str, Any]) -> None:
    name, value = pair
    kind, found = Reader(variant_to_binary(ua.Variant(value, ua.VariantType[name]))).variant()
    assert kind == ua.VariantType[name].value
    expected = str(value) if name == "Guid" else (value.Text or "") if name == "LocalizedText" else value
    assert found == expected or (isinstance(value, float) and math.isnan(found))


@given(st.lists(st.floats(allow_nan=False), max_size=9), st.integers(0, 9))
def test_an_element_of_an_array(values: list[float], index: int) -> None:
    body = variant_to_binary(ua.Variant(values, ua.VariantType.Double, is_array=True))
    kind, found = Reader(body).variant()
    sample, level, reason = convert(SampleKind.FLOAT, Reading(kind, found, 0, None), index)
    if index < len(values):
        assert (sample, reason) == (values[index], "")
    else:
        assert (level, reason) == (quality.BAD_CONFIGURATION, "index")


@given(st.lists(st.floats(), max_size=600))
@settings(max_examples=50, deadline=None)
def test_a_whole_array_is_one_sample(values: list[float]) -> None:
    kept: list[bytes] = []

    def keep(content: bytes, media_type: str) -> str:
        kept.append(content)
        return reference(content, media_type)

    body = variant_to_binary(ua.Variant(values, ua.VariantType.Double, is_array=True))
    kind, found = Reader(body).variant()
    sample, level, reason = convert(SampleKind.ARRAY, Reading(kind, found, 0, None), None, keep)
    assert (level, reason) == (quality.GOOD, "")
    if kept:
        assert parse(sample).media_type == WAVEFORM
        assert np.array_equal(decode_waveform(kept[0]).values, np.where(np.isfinite(values), values, np.nan), True)
    else:
        assert inline_array(sample) == [value if math.isfinite(value) else None for value in values]


@given(st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
def test_noise_raises_decode_error_alone(noise: bytes) -> None:
    plan = plan_of([tag(ordinal, kind) for ordinal, kind in enumerate(KINDS)])
    for read in (
        lambda reader: reader.header(),
        lambda reader: reader.variant(),
        lambda reader: reader.reading(),
        lambda reader: decode_notifications(reader, Columns(plan, NOW_MS, {})),
        lambda reader: Columns(plan, NOW_MS, {}).take(reader, 3, 0),
        lambda reader: Columns(plan, NOW_MS, {}).take(reader, reader.count(), None),
    ):
        reader = Reader(noise)
        try:
            read(reader)
        except DecodeError as error:
            assert error.text.zh
        assert reader.position <= len(noise)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_notification_raises_decode_error_alone(pick: st.DataObject) -> None:
    values = [encoded(("Double", 1.5), 0, datetime(2026, 1, 1, tzinfo=UTC), None) for _ in range(12)]
    items = [ua.MonitoredItemNotification(ua.UInt32(handle), value) for handle, value in enumerate(values)]
    body = bytearray(struct_to_binary(ua.DataChangeNotification(items, [])))
    for _ in range(pick.draw(st.integers(1, 4))):
        body[pick.draw(st.integers(0, len(body) - 1))] = pick.draw(st.integers(0, 255))
    del body[pick.draw(st.integers(1, len(body))) :]
    columns = Columns(plan_of([tag(handle, SampleKind.FLOAT) for handle in range(12)]), NOW_MS, {})
    try:
        reader = Reader(bytes(body))
        columns.take(reader, reader.count(), None)
    except DecodeError:
        return
    for batch in columns.batches():
        batch.encode()


def test_deep_nesting_ends() -> None:
    with pytest.raises(DecodeError, match="nested too deep"):
        Reader(b"\x18" * 100).variant()
    with pytest.raises(DecodeError, match="nested too deep"):
        Reader(b"\x40" * 100).diagnostic()


def test_a_length_beyond_the_answer_is_refused_before_anything_is_made() -> None:
    with pytest.raises(DecodeError, match="longer than the answer"):
        Reader(b"\x8b" + struct.pack("<i", 2**31 - 1)).variant()
    with pytest.raises(DecodeError, match="ends too early"):
        Reader(b"\x0c" + struct.pack("<i", 2**31 - 1)).variant()


@given(st.integers(0, 2**32 - 1))
def test_quality_keeps_severity_and_limits(status: int) -> None:
    level = quality_of(status)
    assert level & quality.MASK == (quality.GOOD, quality.UNCERTAIN, quality.BAD, quality.BAD)[status >> 30]
    assert level & 3 == (status >> 8 & 3 if status >> 10 & 3 == 1 else 0)
    assert level & 0xFC in quality.WORDS
    assert qualities(np.array([status, 0], np.uint32)).tolist() == [level, quality.GOOD]


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("Good", quality.GOOD), ("GoodLocalOverride", quality.GOOD_LOCAL_OVERRIDE),
        ("UncertainLastUsableValue", quality.UNCERTAIN_LAST_USABLE),
        ("UncertainNoCommunicationLastUsableValue", quality.UNCERTAIN_LAST_USABLE),
        ("UncertainSensorNotAccurate", quality.UNCERTAIN_SENSOR),
        ("UncertainEngineeringUnitsExceeded", quality.UNCERTAIN_OUT_OF_RANGE),
        ("UncertainSubNormal", quality.UNCERTAIN_SUBNORMAL), ("UncertainInitialValue", quality.UNCERTAIN),
        ("Bad", quality.BAD), ("BadConfigurationError", quality.BAD_CONFIGURATION),
        ("BadNotConnected", quality.BAD_NOT_CONNECTED), ("BadDeviceFailure", quality.BAD_DEVICE_FAILURE),
        ("BadSensorFailure", quality.BAD_SENSOR_FAILURE), ("BadOutOfService", quality.BAD_OUT_OF_SERVICE),
        ("BadNoCommunication", quality.BAD_COMMUNICATION), ("BadCommunicationError", quality.BAD_COMMUNICATION),
        ("BadTimeout", quality.BAD_COMMUNICATION), ("BadWaitingForInitialData", quality.BAD_WAITING),
        ("BadServerNotConnected", quality.BAD_NOT_CONNECTED), ("BadConnectionClosed", quality.BAD_NOT_CONNECTED),
        ("BadNodeIdUnknown", quality.BAD_CONFIGURATION), ("BadNodeIdInvalid", quality.BAD_CONFIGURATION),
        ("BadAttributeIdInvalid", quality.BAD_CONFIGURATION), ("BadIndexRangeInvalid", quality.BAD_CONFIGURATION),
        ("BadIndexRangeNoData", quality.BAD_CONFIGURATION), ("BadNotReadable", quality.BAD_CONFIGURATION),
        ("BadDataEncodingInvalid", quality.BAD_CONFIGURATION), ("BadTypeMismatch", quality.BAD_CONFIGURATION),
        ("BadDataEncodingUnsupported", quality.BAD_CONFIGURATION), ("BadUserAccessDenied", quality.BAD_CONFIGURATION),
        ("BadInternalError", quality.BAD),
    ],
)  # fmt: skip
def test_status_codes_by_name(name: str, level: int) -> None:
    assert quality_of(int(getattr(StatusCodes, name))) == level


def test_a_number_too_large_says_why_and_is_forgiven_once_it_fits() -> None:
    reasons: dict[int, Text] = {}
    for value, level in ((2**64 - 1, quality.BAD_CONFIGURATION), (7, quality.GOOD)):
        body = struct_to_binary(encoded(("UInt64", value), 0, None, None))
        columns = Columns(plan_of([tag(9, SampleKind.INTEGER)]), NOW_MS, reasons)
        columns.take(Reader(body), 1, 0)
        (batch,) = columns.batches()
        assert (batch.column, batch.quality.tolist()) == (Column.INT64, [level])
        assert (9 in reasons) == (level != quality.GOOD)


def test_a_bad_clock_is_passed_on() -> None:
    body = struct_to_binary(encoded(("Double", 1.0), 0, datetime(2199, 1, 1, tzinfo=UTC), None))
    assert Reader(body).reading().time_ms == int(datetime(2199, 1, 1, tzinfo=UTC).timestamp() * 1000)


def test_dates_beyond_the_calendar_have_a_text() -> None:
    assert iso(2**63 - 1).startswith("9999")
    assert iso(-(2**63)).startswith("0001")
    assert iso(0) == "1601-01-01T00:00:00.000Z"


@given(st.integers(0, 30), st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.text(max_size=30)))
def test_what_fits_a_type_can_be_encoded(kind: int, value: Any) -> None:
    fitted = fit(kind, value)
    if fitted is not None and kind != 21:
        variant_to_binary(ua.Variant(fitted, ua.VariantType(kind)))
