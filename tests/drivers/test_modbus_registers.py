"""Addresses, grouping, decoding and encoding, against struct as an independent oracle."""

from __future__ import annotations

import math
import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainspring.core import quality as q
from mainspring.core.drivers import DriverTag
from mainspring.core.errors import Rejected
from mainspring.core.kinds import SampleKind
from mainspring.drivers.modbus_address import ModbusAddress, Order, Type, encode
from mainspring.drivers.modbus_frames import Table
from mainspring.drivers.modbus_registers import Limits, Plan
from mainspring.simulators.modbus_tcp import words_of

CODES = {
    "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float32": "f", "float64": "d",
}  # fmt: skip


def address(**given: Any) -> ModbusAddress:
    return ModbusAddress.model_validate(given)


def tag(ordinal: int, kind: SampleKind = SampleKind.INTEGER, *, writable: bool = False, **given: Any) -> DriverTag:
    return DriverTag(ordinal, kind, address(**given), writable)


def wire(kind: str, order: str, value: Any) -> bytes:
    """Lay a value out byte by byte, as the four letters say."""
    raw = struct.pack(">" + CODES[kind], value)
    words = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return b"".join(words)


def fill(plan: Plan, memory: bytes, bits: bytes = b"") -> tuple[dict[int, Any], dict[int, int], dict[int, Any]]:
    """Answer all groups of a plan from memory; return values, qualities and faults."""
    for group in plan.groups:
        if group.table.bits:
            raw = np.packbits(np.frombuffer(bits, np.uint8)[group.first : group.end], bitorder="little").tobytes()
        else:
            raw = memory[2 * group.first : 2 * group.end]
        plan.store(group, bytes([group.query[0], len(raw)]) + raw)
    batches, faults = plan.batches(7, {})
    values = {int(n): v for batch in batches for n, v in zip(batch.tag, batch.value.tolist(), strict=True)}
    qualities = {int(n): int(v) for batch in batches for n, v in zip(batch.tag, batch.quality, strict=True)}
    return values, qualities, faults


@pytest.mark.parametrize(
    ("given", "table", "register"),
    [
        ("40001", "holding", 0), ("400001", "holding", 0), ("465536", "holding", 65535), ("30010", "input", 9),
        ("10001", "discrete", 0), ("00001", "coil", 0), ("000017", "coil", 16),
    ],
)  # fmt: skip
def test_references_become_table_and_register(given: str, table: str, register: int) -> None:
    found = address(reference=given)
    assert (found.table, found.register, found.reference) == (table, register, None)
    assert address(**found.model_dump(mode="json")) == found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"reference": "40000"}, "40001"),
        ({"reference": "50001"}, "40001"),
        ({"reference": "4001"}, "40001"),
        ({"reference": "465537"}, "40001"),
        ({"reference": "40001", "register": 5}, "leave one of them out"),
        ({"reference": "40001", "table": "input"}, "leave one of them out"),
        ({}, "Give the register"),
        ({"register": -1}, "greater than or equal"),
        ({"register": 65536}, "less than"),
        ({"register": 65535, "type": "int32"}, "beyond"),
        ({"register": 0, "type": "bit"}, "belong together"),
        ({"register": 0, "type": "int16", "bit": 3}, "belong together"),
        ({"register": 0, "bit": 16}, "less than or equal"),
        ({"register": 0, "table": "coil", "type": "int16"}, "single bits"),
        ({"register": 0, "table": "coil", "bit": 2}, "single bits"),
        ({"register": 0, "type": "int16", "length": 2}, "length"),
        ({"register": 0, "type": "string", "length": 126}, "less than or equal"),
        ({"register": 0, "order": "ACBD"}, "ABCD"),
    ],
)
def test_addresses_that_cannot_be_are_refused_in_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        address(**given)


def test_types_follow_from_table_and_bit() -> None:
    assert address(table="coil", register=1).type is Type.BIT
    assert address(register=1, bit=0).type is Type.BIT
    assert address(register=1).type is Type.UINT16
    assert address(reference="10005").type is Type.BIT


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("kind", sorted(CODES))
@given(raw=st.binary(min_size=8, max_size=8))
def test_numbers_decode_as_struct_does(kind: str, order: str, raw: bytes) -> None:
    (value,) = struct.unpack(">" + CODES[kind], raw[: struct.calcsize(CODES[kind])])
    memory = b"\xab" * 6 + wire(kind, order, value) + b"\xcd" * 6
    is_float = kind.startswith("float")
    tags = [tag(1, SampleKind.FLOAT, register=3, type=kind, order=order)]
    if not is_float:
        tags.append(tag(2, SampleKind.INTEGER, register=3, type=kind, order=order))
    values, qualities, faults = fill(Plan(tags, Limits()), memory)
    if not math.isfinite(value):
        assert math.isnan(values[1])
        assert qualities[1] == q.BAD_SENSOR_FAILURE
        assert "finite" in faults[1].en
        return
    assert values[1] == float(value)
    assert qualities[1] == q.GOOD
    if not is_float and value < 2**63:
        assert values[2] == value
        assert qualities[2] == q.GOOD
    elif not is_float:
        assert (values[2], qualities[2]) == (0, q.BAD_CONFIGURATION)
        assert "float64" in faults[2].en


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("kind", sorted(CODES))
@given(draw=st.data())
def test_what_is_written_is_what_is_read(kind: str, order: str, draw: st.DataObject) -> None:
    if kind.startswith("float"):
        value: Any = draw.draw(st.floats(allow_nan=False, allow_infinity=False, width=32 if kind == "float32" else 64))
    else:
        limits = np.iinfo(kind)
        value = draw.draw(st.integers(int(limits.min), int(limits.max)))
    raw = encode(address(register=0, type=kind, order=order), value)
    assert raw == wire(kind, order, value)
    assert raw == words_of(kind, order, value).tobytes()  # type: ignore[arg-type]


tables = st.sampled_from(list(Table))


@st.composite
def random_tags(draw: st.DrawFn) -> list[DriverTag]:
    count = draw(st.integers(0, 40))
    tags = []
    for ordinal in range(count):
        table = draw(tables)
        register = draw(st.integers(0, 190))
        if table.bits:
            tags.append(tag(ordinal, table=table, register=register))
            continue
        kind = draw(st.sampled_from([*CODES, "bit"]))
        more: dict[str, Any] = {"bit": draw(st.integers(0, 15))} if kind == "bit" else {}
        order = draw(st.sampled_from(list(Order)))
        tags.append(tag(ordinal, SampleKind.FLOAT, table=table, register=register, type=kind, order=order, **more))
    return tags


@given(random_tags(), st.integers(0, 20), st.integers(4, 125), st.integers(1, 300), st.randoms())
def test_grouping_never_changes_what_is_read(
    tags: list[DriverTag], gap: int, registers: int, bits: int, random: Any
) -> None:
    memory, states = random.randbytes(512), bytes(random.choice((0, 1)) for _ in range(256))
    plan = Plan(tags, Limits(gap, registers, bits))
    alone = {}
    for single in tags:
        alone.update(fill(Plan([single], Limits()), memory, states)[0])
    values, _, _ = fill(plan, memory, states)
    assert np.array_equal([values[n] for n in alone], list(alone.values()), equal_nan=True)
    for group in plan.groups:
        wanted, limit = (gap * 16, bits) if group.table.bits else (gap, registers)
        assert 0 < group.end - group.first <= limit
        asked = sorted(place for member in group.fields for place in range(member.first, member.end))
        assert max((b - a - 1 for a, b in pairwise(asked)), default=0) <= wanted


def test_gaps_are_read_across_only_when_allowed() -> None:
    tags = [tag(1, register=0), tag(2, register=1), tag(3, register=5)]
    assert [(g.first, g.end) for g in Plan(tags, Limits(0)).groups] == [(0, 2), (5, 6)]
    assert [(g.first, g.end) for g in Plan(tags, Limits(2)).groups] == [(0, 2), (5, 6)]
    assert [(g.first, g.end) for g in Plan(tags, Limits(3)).groups] == [(0, 6)]


def test_a_long_run_takes_the_fewest_requests() -> None:
    plan = Plan([tag(n, register=2 * n, type="int32") for n in range(1000)], Limits())
    assert len(plan.groups) == math.ceil(1000 / 62)
    assert len(Plan([tag(n, table="coil", register=n) for n in range(4000)], Limits()).groups) == 2


def test_bits_of_a_register_and_truth_values() -> None:
    memory = bytes.fromhex("8001" + "0007")
    tags = [
        tag(1, register=0, bit=0), tag(2, register=0, bit=1), tag(3, register=0, bit=15),
        tag(4, register=0, bit=8, order="BADC"), tag(5, register=0, bit=7, order="BADC"),
        tag(6, SampleKind.BOOLEAN, register=1), tag(7, SampleKind.FLOAT, register=0, bit=15),
    ]  # fmt: skip
    values, _, faults = fill(Plan(tags, Limits()), memory)
    assert values == {1: 1, 2: 0, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1.0}
    assert not faults


def test_strings() -> None:
    memory = "温度 A".encode() + b"\0junk\0\0" + b"aPpm\0\0" + b"\xff\xfe"
    tags = [
        tag(1, SampleKind.TEXT, register=0, type="string", length=7),
        tag(2, SampleKind.TEXT, register=8, type="string", length=2, order="BADC"),
        tag(3, SampleKind.TEXT, register=10, type="string", length=1),
    ]
    memory = memory[:16] + b"uPpm" + b"\xff\xfe"
    values, qualities, faults = fill(Plan(tags, Limits()), memory)
    assert values[1] == "温度 A"
    assert values[2] == "Pump"
    assert (values[3], qualities[3]) == ("\ufffd\ufffd", q.UNCERTAIN)
    assert set(faults) == {3}


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (SampleKind.TEXT, {"register": 0}),
        (SampleKind.BLOB, {"register": 0}),
        (SampleKind.FLOAT, {"register": 0, "type": "string"}),
        (SampleKind.INTEGER, {"register": 0, "type": "float32"}),
        (SampleKind.INTEGER, {"register": 0, "type": "int64"}),
    ],
)
def test_a_kind_that_cannot_take_the_value_is_bad_alone(kind: SampleKind, given: dict[str, Any]) -> None:
    plan = Plan([tag(1, kind, **given), tag(2, register=9)], Limits(registers=2))
    values, qualities, faults = fill(plan, bytes(32))
    assert (qualities[1], qualities[2]) == (q.BAD_CONFIGURATION, q.GOOD)
    assert values[1] in (0, "") or math.isnan(values[1])
    assert set(faults) == {1}
    assert faults[1].zh.endswith("。")


@pytest.mark.parametrize(
    ("one", "other", "contradict"),
    [
        ({"register": 0, "type": "int32"}, {"register": 0, "type": "float32"}, True),
        ({"register": 0, "type": "int32"}, {"register": 1, "type": "int32"}, True),
        ({"register": 0, "type": "int32"}, {"register": 0, "type": "int32", "order": "CDAB"}, True),
        ({"register": 0, "type": "int32"}, {"register": 1, "bit": 3}, True),
        ({"register": 0, "type": "float64"}, {"register": 3}, True),
        ({"register": 0, "type": "int32"}, {"register": 0, "type": "int32"}, False),
        ({"register": 0, "type": "int32"}, {"register": 2, "type": "float32"}, False),
        ({"register": 0, "type": "uint16"}, {"register": 0, "bit": 3}, False),
        ({"register": 0, "bit": 2}, {"register": 0, "bit": 3}, False),
        ({"register": 0}, {"table": "input", "register": 0, "type": "int32"}, False),
    ],
)
def test_writable_tags_that_would_damage_each_other(
    one: dict[str, Any], other: dict[str, Any], contradict: bool
) -> None:
    tags = [
        tag(1, SampleKind.FLOAT, writable=True, **one),
        tag(2, SampleKind.FLOAT, writable=True, **other),
        tag(3, register=0),
    ]
    _, qualities, faults = fill(Plan(tags, Limits()), bytes(64))
    assert qualities[3] == q.GOOD
    assert set(faults) == ({2} if contradict else set())
    if contradict:
        assert qualities[2] == q.BAD_CONFIGURATION
        assert "overlaps" in faults[2].en
    readers = [tag(1, SampleKind.FLOAT, **one), tag(2, SampleKind.FLOAT, **other)]
    assert not fill(Plan(readers, Limits()), bytes(64))[2]


@pytest.mark.parametrize(
    ("given", "value", "words"),
    [
        ({"table": "input", "register": 0}, 1, "only be read"),
        ({"table": "discrete", "register": 0}, 1, "only be read"),
        ({"register": 0}, 65536, "outside 0 to 65535"),
        ({"register": 0, "type": "int16"}, -32769, "outside"),
        ({"register": 0, "type": "uint64"}, 2**64, "outside"),
        ({"register": 0}, 1.5, "whole numbers"),
        ({"register": 0}, math.nan, "whole numbers"),
        ({"register": 0}, math.inf, "whole numbers"),
        ({"register": 0}, "one", "takes a number"),
        ({"register": 0, "type": "float32"}, 1e39, "outside"),
        ({"register": 0, "type": "float64"}, math.nan, "outside"),
        ({"register": 0, "bit": 1}, 2, "0 or 1"),
        ({"table": "coil", "register": 1}, 0.5, "0 or 1"),
        ({"register": 0, "type": "string", "length": 2}, "温度", "room for 4"),
        ({"register": 0, "type": "string", "length": 2}, 5, "takes text"),
    ],
)
def test_values_that_do_not_fit_are_rejected_in_words(given: dict[str, Any], value: Any, words: str) -> None:
    with pytest.raises(Rejected, match=words) as rejected:
        encode(address(**given), value)
    assert "未写入" in rejected.value.text.zh


def test_scaling_errors_below_a_count_are_rounded() -> None:
    assert encode(address(register=0), 4.9999999999) == b"\0\5"
