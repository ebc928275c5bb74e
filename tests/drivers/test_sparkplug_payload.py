"""Payloads of Sparkplug B: every data type both ways, and bytes that are none."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.drivers.sparkplug_edge import KEPT, Plant, keep, metric, payload

from mainspring.core import quality as q
from mainspring.core.errors import DecodeError
from mainspring.core.kinds import SampleKind
from mainspring.drivers.mqtt_sparkplug_nodes import convert, kind_name, sample_kind
from mainspring.drivers.mqtt_sparkplug_payload import Content, DataType, Payload, command, fit, metrics_of, parse

D = DataType


def only(**fields: Any) -> Any:
    (found,) = metrics_of(parse(payload(metric("M", **fields))))
    return found.value


@pytest.mark.parametrize(
    ("kind", "fields", "value"),
    [
        (D.INT8, {"int_value": 0xFF}, -1),
        (D.INT8, {"int_value": 0xFFFF_FF80}, -128),
        (D.INT16, {"int_value": 0x8000}, -32768),
        (D.INT32, {"int_value": 0xFFFF_FFFE}, -2),
        (D.INT64, {"long_value": 2**64 - 5}, -5),
        (D.INT64, {"long_value": 2**53 + 1}, 2**53 + 1),
        (D.UINT8, {"int_value": 255}, 255),
        (D.UINT16, {"int_value": 65535}, 65535),
        (D.UINT32, {"int_value": 2**32 - 1}, 2**32 - 1),
        (D.UINT32, {"long_value": 2**32 - 1}, 2**32 - 1),
        (D.UINT64, {"long_value": 2**64 - 1}, 2**64 - 1),
        (D.FLOAT, {"float_value": 0.5}, 0.5),
        (D.DOUBLE, {"double_value": 0.1}, 0.1),
        (D.BOOLEAN, {"boolean_value": True}, True),
        (D.BOOLEAN, {"int_value": 1}, True),
        (D.STRING, {"string_value": "批次"}, "批次"),
        (D.DATE_TIME, {"long_value": 1_700_000_000_123}, "2023-11-14T22:13:20.123+00:00"),
        (D.BYTES, {"bytes_value": b"\0\1"}, Content(b"\0\1", "application/octet-stream")),
        (D.FILE, {"bytes_value": b"x", "metadata": {"content_type": "image/PNG"}}, Content(b"x", "image/png")),
        (D.FILE, {"bytes_value": b"", "metadata": {"content_type": "?"}}, Content(b"", "application/octet-stream")),
        (D.INT8_ARRAY, {"bytes_value": b"\xff\x01"}, [-1, 1]),
        (D.UINT16_ARRAY, {"bytes_value": b"\xff\xff"}, [65535]),
        (D.INT64_ARRAY, {"bytes_value": struct.pack("<2q", -7, 2**60)}, [-7, 2**60]),
        (D.FLOAT_ARRAY, {"bytes_value": struct.pack("<2f", 1.5, -2)}, [1.5, -2.0]),
        (D.DOUBLE_ARRAY, {"bytes_value": b""}, []),
        (D.BOOLEAN_ARRAY, {"bytes_value": struct.pack("<I", 9) + b"\xa0\x80"}, [True, False, True, *[False] * 5, True]),
        (D.STRING_ARRAY, {"bytes_value": "a\0\0中\0".encode()}, ["a", "", "中"]),
        (D.DATE_TIME_ARRAY, {"bytes_value": struct.pack("<q", 0)}, ["1970-01-01T00:00:00.000+00:00"]),
        (D.DOUBLE, {"is_null": True, "double_value": 1.0}, None),
        (D.DOUBLE, {}, None),
        (99, {"bytes_value": b"x"}, Content(b"x", "application/octet-stream")),
    ],
)  # fmt: skip
def test_values_are_read_in_their_type(kind: int, fields: dict[str, Any], value: Any) -> None:
    found = only(kind=kind, **fields)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (D.INT32_ARRAY, {"bytes_value": b"123"}),
        (D.BOOLEAN_ARRAY, {"bytes_value": b"\x09\0\0\0\xff"}),
        (D.BOOLEAN_ARRAY, {"bytes_value": b"\x09"}),
        (D.STRING_ARRAY, {"bytes_value": b"\xff\0"}),
        (D.DATE_TIME, {"long_value": 2**63 - 1}),
        (D.FILE, {"bytes_value": b"x", "metadata": {"is_multi_part": True}}),
        (D.DATA_SET, {"dataset_value": {"columns": ["a"], "types": []}}),
        (D.DATA_SET, {"dataset_value": {"columns": ["a"], "types": [9], "rows": [{"elements": []}]}}),
    ],
)
def test_values_that_break_their_type_are_refused(kind: int, fields: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        only(kind=kind, **fields)


def test_a_data_set_is_a_table_in_json() -> None:
    rows = [{"elements": [{"int_value": 0xFFFF_FFFF}, {"string_value": "a"}]}]
    found = only(kind=D.DATA_SET, dataset_value={"columns": ["n", "s"], "types": [D.INT32, D.STRING], "rows": rows})
    assert json.loads(found) == {"columns": ["n", "s"], "rows": [[-1, "a"]]}


def test_members_of_templates_have_names_of_their_own_and_change() -> None:
    def motor(speed: float, on: bool) -> dict[str, Any]:
        inner = [metric("Speed", D.DOUBLE, double_value=speed), metric("On", D.BOOLEAN, boolean_value=on)]
        return {"template_ref": "Motor", "metrics": inner}

    plant = Plant()
    plant.bind(plant.tag(1, "M1/Speed"), plant.tag(2, "M1/On", kind=SampleKind.BOOLEAN))
    born = plant.born(metric("M1", D.TEMPLATE, alias=4, template_value=motor(10.0, True)))
    assert [row[:3] for row in born] == [(1, 10.0, q.GOOD), (2, 1, q.GOOD)]
    found = plant.send("NDATA", metric(alias=4, template_value=motor(11.0, False)))
    assert [row[:3] for row in found] == [(1, 11.0, q.GOOD), (2, 0, q.GOOD)]


def test_templates_are_followed_to_a_limited_depth() -> None:
    inner: dict[str, Any] = metric("leaf", D.DOUBLE, double_value=1.0)
    for _ in range(30):
        inner = metric("t", D.TEMPLATE, template_value={"metrics": [inner]})
    assert len(metrics_of(parse(payload(inner)))) == 9


@pytest.mark.parametrize(
    ("kind", "index", "value", "sample"),
    [
        (SampleKind.FLOAT, None, 3, 3.0),
        (SampleKind.FLOAT, 1, [1.0, 2.5], 2.5),
        (SampleKind.INTEGER, None, True, 1),
        (SampleKind.TEXT, None, 2.5, "2.5"),
        (SampleKind.TEXT, 0, ["a"], "a"),
        (SampleKind.ARRAY, None, [1, 2.5], "[1,2.5]"),
        (SampleKind.BLOB, None, Content(b"abc", "image/png"), "kept image/png 3"),
        (SampleKind.BLOB, None, "中", "kept text/plain 3"),
    ],
)
def test_metrics_become_samples(kind: SampleKind, index: int | None, value: Any, sample: Any) -> None:
    KEPT.clear()
    assert convert(kind, value, index, keep) == sample
    if kind is SampleKind.BLOB:
        assert len(next(iter(KEPT.values()))) == 3


@pytest.mark.parametrize(
    ("kind", "index", "value"),
    [
        (SampleKind.FLOAT, None, "text"), (SampleKind.FLOAT, None, [1.0]), (SampleKind.FLOAT, 5, [1.0]),
        (SampleKind.FLOAT, 0, 1.0), (SampleKind.INTEGER, None, 1.5), (SampleKind.INTEGER, None, 2**63),
        (SampleKind.BOOLEAN, None, 2), (SampleKind.ARRAY, None, 1.0), (SampleKind.ARRAY, None, ["a"]),
        (SampleKind.TEXT, None, Content(b"", "a/b")), (SampleKind.BLOB, None, 1.0),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_tag_is_refused(kind: SampleKind, index: int | None, value: Any) -> None:
    with pytest.raises((TypeError, ValueError, IndexError)):
        convert(kind, value, index, keep)


def test_a_value_that_does_not_fit_is_bad_with_a_reason_until_one_fits() -> None:
    plant = Plant()
    plant.bind(plant.tag(1, "U", kind=SampleKind.INTEGER))
    (row,) = plant.born(metric("U", D.UINT64, alias=1, long_value=2**64 - 1))
    assert row[1:3] == (0, q.BAD_CONFIGURATION)
    assert "Uint64" in plant.faults[1].en
    (row,) = plant.send("NDATA", metric(alias=1, long_value=2**63 - 1))
    assert row[1:3] == (2**63 - 1, q.GOOD)
    assert not plant.faults


def test_impossible_times_do_no_harm() -> None:
    plant = Plant()
    plant.bind(plant.tag(1, "T"))
    (row,) = plant.born(metric("T", D.DOUBLE, double_value=1.0, timestamp=2**64 - 1))
    assert row[3] < 2**63


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (D.INT8, -128), (D.INT16, -5), (D.INT32, -(2**31)), (D.INT64, -(2**63)), (D.UINT8, 255), (D.UINT16, 0),
        (D.UINT32, 2**32 - 1), (D.UINT64, 2**64 - 1), (D.FLOAT, 1.5), (D.DOUBLE, 0.1), (D.BOOLEAN, True),
        (D.STRING, "中"), (D.TEXT, ""), (D.UUID, "0190a000-0000-7000-8000-000000000000"),
        (D.DATE_TIME, "2023-11-14T22:13:20.123+00:00"),
    ],
)  # fmt: skip
def test_a_command_says_what_a_reading_gives(kind: DataType, value: Any) -> None:
    (found,) = metrics_of(parse(command([("M", 3, kind, fit(kind, value))], 1000)))
    assert (found.name, found.alias, found.kind, found.value) == ("M", 3, kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (D.INT8, 128), (D.UINT8, -1), (D.INT32, 1.5), (D.INT64, 2**63), (D.UINT64, -1), (D.FLOAT, 1e39),
        (D.DOUBLE, "1"), (D.BOOLEAN, 2), (D.STRING, 1), (D.DATE_TIME, "yesterday"), (D.DATE_TIME, 5), (D.BYTES, "x"),
        (D.UNKNOWN, 1),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_type_is_not_sent(kind: DataType, value: Any) -> None:
    assert fit(kind, value) is None


def test_every_type_has_a_name_and_most_a_kind() -> None:
    assert {kind for kind in DataType if sample_kind(kind) is None} == {
        D.UNKNOWN, D.TEMPLATE, D.PROPERTY_SET, D.PROPERTY_SET_LIST, D.STRING_ARRAY, D.DATE_TIME_ARRAY
    }  # fmt: skip
    assert kind_name(D.INT8_ARRAY) == "Int8array"
    assert kind_name(77) == "type 77"


@given(st.binary(max_size=400))
def test_any_bytes_are_metrics_or_refused(body: bytes) -> None:
    try:
        metrics_of(parse(body))
    except DecodeError as error:
        assert error.text.zh


@pytest.mark.parametrize("text", [b"name-x", b"text-x", b"column-x", b"property-x", b"unit-x"])
def test_a_text_that_is_not_utf_8_is_refused(text: bytes) -> None:
    table = {"columns": ["column-x"], "types": [9], "rows": [{"elements": [{"float_value": 1}]}]}
    whole = payload(
        metric("name-x", D.STRING, string_value="text-x", properties={"property-x": "unit-x"}),
        metric("C", D.DATA_SET, dataset_value=table),
    )
    assert metrics_of(parse(whole))
    with pytest.raises(DecodeError, match="UTF-8"):
        metrics_of(parse(whole.replace(text, text[:-1] + b"\x80")))


@given(st.data())
def test_a_damaged_payload_is_metrics_or_refused(data: st.DataObject) -> None:
    table = {"columns": ["a"], "types": [9], "rows": [{"elements": [{"float_value": 1}]}]}
    whole = payload(
        metric("A", D.DOUBLE, alias=1, double_value=1.0, properties={"engUnit": "°C", "Quality": 192}),
        metric("B", D.STRING_ARRAY, bytes_value=b"a\0b\0"),
        metric("C", D.DATA_SET, dataset_value=table),
        metric("D", D.TEMPLATE, template_value={"metrics": [metric("x", D.DATE_TIME, long_value=5)]}),
        seq=4,
    )  # fmt: skip
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    plant = Plant()
    plant.bind(plant.tag(1, "A"), plant.tag(2, "D/x", kind=SampleKind.TEXT), plant.tag(3, "C", kind=SampleKind.BLOB))
    plant.take("NBIRTH", bytes(damaged))
    plant.take("NDATA", bytes(damaged))


@given(
    st.lists(st.tuples(st.sampled_from(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]), st.integers(0, 3)))
)
def test_no_order_of_messages_breaks_the_host(messages: list[tuple[str, int]]) -> None:
    plant = Plant()
    plant.bind(plant.tag(1, "T"), plant.tag(2, "T", "D"))
    for kind, number in messages:
        body = payload(
            metric("T", D.DOUBLE, alias=number, double_value=1.0),
            metric("bdSeq", D.INT64, long_value=number),
            seq=number,
        )
        plant.take(kind, body, "D" if kind[0] == "D" else "")
        plant.asked()


def test_a_message_declares_every_field_of_the_specification() -> None:
    fields = Payload.DESCRIPTOR.fields_by_name["metrics"].message_type.fields_by_name
    assert {name: field.number for name, field in fields.items()}["template_value"] == 18
