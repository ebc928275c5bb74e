"""Documents of MTConnect and what samples become of them: limits, entities, vocabularies, anything at all."""

from __future__ import annotations

import importlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.drivers.mtconnect_machine import DEVICES, adapter_tag, agent_tag

from mainspring.core import quality as q
from mainspring.core.blobs import reference
from mainspring.core.errors import DecodeError
from mainspring.core.kinds import SampleKind
from mainspring.core.units import SIGNS
from mainspring.drivers.mtconnect_samples import Gathered, Observation, convert, milliseconds
from mainspring.drivers.mtconnect_words import LEVELS, UNAVAILABLE, UNITS, VOCABULARIES
from mainspring.drivers.mtconnect_xml import DEPTH_MAX, read_devices, read_streams

HEADER = '<Header instanceId="7" firstSequence="1" nextSequence="9" creationTime="2026-11-21T08:00:00Z"/>'


def streams(body: str, before: str = "") -> bytes:
    return f"{before}<MTConnectStreams>{HEADER}<Streams>{body}</Streams></MTConnectStreams>".encode()


def test_observations_are_read_with_their_particulars() -> None:
    answer = read_streams(
        streams(
            '<a:Load xmlns:a="u" dataItemId="x" timestamp="2026-11-21T08:00:00.1234567Z">4 &lt; 5</a:Load>'
            '<Fault dataItemId="c" type="LOAD" nativeCode="12" timestamp="2026-11-21T08:00:01+02:00">hot</Fault>'
            '<VariableDataSet dataItemId="v" timestamp="?"><Entry key="a">1</Entry><Entry key="b" removed="true"/>'
            '</VariableDataSet><Skipped dataItemId="s">1</Skipped>'
        ),
        {"x", "c", "v"},
    )
    assert answer.header is not None
    assert (answer.header.instance, answer.header.first, answer.header.next) == ("7", 1, 9)
    load, fault, variables = answer.observations
    assert load == Observation("x", 1795248000123, "4 < 5")
    assert fault == Observation("c", 1795240801000, "hot", "FAULT", "12")
    assert variables.entries == {"a": "1", "b": UNAVAILABLE}
    assert variables.time_ms is None


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]>'


@pytest.mark.parametrize(
    "document",
    [
        streams("<a>&y;</a>", BOMB),
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        streams("<d>" * DEPTH_MAX + "</d>" * DEPTH_MAX),
        streams('<Load dataItemId="x">' + "9" * (1024 * 1024 + 1) + "</Load>"),
        b"<MTConnectStreams><Streams/></MTConnectStreams>",
        b'<MTConnectStreams><Header nextSequence="many"/></MTConnectStreams>',
        b"<html/>",
        b"",
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="no-such-code"?><a/>',
    ],
)
def test_what_is_dangerous_or_something_else_is_refused(document: bytes) -> None:
    for read in (read_streams, read_devices):
        with pytest.raises(DecodeError) as refused:
            read(document)
        assert refused.value.text.zh.endswith("。")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(document: bytes) -> None:
    for read in (read_streams, read_devices):
        try:
            read(document)
        except DecodeError:
            continue


@given(st.integers(0, len(DEVICES)), st.integers(0, len(DEVICES)), st.binary(max_size=4))
def test_a_spoilt_description_is_read_or_refused(start: int, length: int, instead: bytes) -> None:
    try:
        read_devices(DEVICES[:start] + instead + DEVICES[start + length :])
    except DecodeError:
        return


def test_a_description_is_read_without_what_it_configures() -> None:
    header, (mill, robot) = read_devices(DEVICES)
    assert header is not None
    assert (header.version, mill.uuid, robot.name) == ("2.0", "M-1", "Robot")
    assert [item.id for item in mill.all_items()][:3] == ["avail", "xpos", "xload"]
    assert "g" not in {part.id for part in mill.components}


@given(
    st.sampled_from([kind for kind in SampleKind if kind is not SampleKind.BLOB]),
    st.text(max_size=40) | st.floats().map(str) | st.integers().map(str) | st.just(UNAVAILABLE),
    st.sampled_from(["", *LEVELS, UNAVAILABLE]),
    st.none() | st.integers(0, 4),
)
def test_any_text_becomes_a_sample_or_says_why_not(kind: SampleKind, text: str, level: str, index: int | None) -> None:
    tag = agent_tag(1, kind, "x", index=index)
    observation = Observation("x", 0, text, level)
    value, quality, reason = convert(tag, observation, (), reference)
    if reason is not None:
        assert quality & q.MASK == q.BAD
        assert reason.en.endswith(".") and reason.zh.endswith("。")
    faults: dict[int, Any] = {}
    gathered = Gathered(faults, reference)
    gathered.add(tag, observation, (), 5)
    (batch,) = gathered.batches()
    assert len(batch.encode()) > 0
    if isinstance(value, float) and math.isnan(value):
        assert quality & q.MASK == q.BAD


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (SampleKind.FLOAT, "1.5E2", 150.0),
        (SampleKind.INTEGER, str(-(2**63)), -(2**63)),
        (SampleKind.INTEGER, "3.0", 3),
        (SampleKind.BOOLEAN, "ON", 1),
        (SampleKind.ENUMERATION, "4", 4),
        (SampleKind.TEXT, "", ""),
        (SampleKind.ARRAY, "1 2.5 -3", "[1.0,2.5,-3.0]"),
    ],
)
def test_good_samples(kind: SampleKind, text: str, value: Any) -> None:
    assert convert(adapter_tag(1, kind, "k"), Observation("k", 0, text), (), reference) == (value, q.GOOD, None)


@pytest.mark.parametrize(
    ("kind", "text", "quality"),
    [
        (SampleKind.INTEGER, str(2**63), q.BAD_CONFIGURATION),
        (SampleKind.INTEGER, "1.5", q.BAD_CONFIGURATION),
        (SampleKind.FLOAT, "INF", q.BAD_SENSOR_FAILURE),
        (SampleKind.FLOAT, "1 2 3", q.BAD_CONFIGURATION),
        (SampleKind.FLOAT, "", q.BAD_WAITING),
        (SampleKind.BOOLEAN, "perhaps", q.BAD_CONFIGURATION),
        (SampleKind.ARRAY, "1 two", q.BAD_CONFIGURATION),
        (SampleKind.BLOB, "1", q.BAD_CONFIGURATION),
    ],
)
def test_bad_samples(kind: SampleKind, text: str, quality: int) -> None:
    assert convert(adapter_tag(1, kind, "k"), Observation("k", 0, text), (), reference)[1] == quality


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = milliseconds(text)
    assert found is None or isinstance(found, int)


def test_times_with_zones_durations_and_long_fractions() -> None:
    assert milliseconds("2026-11-21T08:00:00.1234567Z@12.5") == 1795248000123
    assert milliseconds("2026-11-21T08:00:00") == milliseconds("2026-11-21T16:00:00+08:00")
    assert milliseconds("yesterday") is None


@pytest.mark.parametrize("kind", sorted(VOCABULARIES))
def test_vocabularies_are_those_of_the_published_standard(kind: str) -> None:
    """Compare with the enumerations that another project generates from the standard's own SysML."""
    name = "".join(word.title() for word in kind.split("_")) + "Enum"
    standard = getattr(importlib.import_module(f"pymtconnect.Enums.DataTypes.{name}"), name)
    assert set(VOCABULARIES[kind]) == {member.value for member in standard}


def test_units_are_known_to_the_platform() -> None:
    assert {code for code in UNITS.values() if code not in SIGNS} <= {"[in_i]"}
