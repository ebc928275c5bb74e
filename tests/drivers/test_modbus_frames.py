"""The stream cutter and the answer checks hold against any bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core import quality as q
from mainspring.core.errors import DecodeError
from mainspring.drivers.modbus_frames import (
    EXCEPTIONS,
    HEADER,
    IDENTIFY,
    Frame,
    Table,
    exception,
    identity,
    mask_query,
    read_answer,
    read_query,
    refusal,
    take_frames,
    write_answer,
    write_query,
)

pdus = st.binary(min_size=1, max_size=253)
frames = st.builds(Frame, st.integers(0, 65535), st.integers(0, 255), pdus)


def bytes_of(frame: Frame) -> bytes:
    return HEADER.pack(frame.transaction, 0, len(frame.pdu) + 1, frame.unit) + frame.pdu


@given(st.lists(frames, max_size=8), st.lists(st.integers(1, 300), min_size=1, max_size=30))
def test_frames_are_found_however_the_stream_is_cut(sent: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(map(bytes_of, sent))
    received, found, at = bytearray(), [], 0
    for cut in [*cuts, len(stream)]:
        received += stream[at : at + cut]
        at += cut
        found += take_frames(received)
        if at >= len(stream):
            break
    assert found == sent
    assert not received


@given(st.binary(max_size=2000))
def test_any_bytes_are_frames_or_a_decode_error_and_never_pile_up(garbage: bytes) -> None:
    received = bytearray(garbage)
    with contextlib.suppress(DecodeError):
        for frame in take_frames(received):
            assert 1 <= len(frame.pdu) <= 253
        assert len(received) < HEADER.size + 253


@pytest.mark.parametrize(
    "header",
    [
        b"\0\1\0\1\0\3\1",
        b"\0\1\0\0\0\0\1",
        b"\0\1\0\0\0\1\1",
        b"\0\1\0\0\0\xff\1",
        b"\0\1\0\0\xff\xff\1",
        b"HTTP/1.1",
    ],
)
def test_a_stream_that_is_not_modbus_is_told_at_once(header: bytes) -> None:
    with pytest.raises(DecodeError) as told:
        take_frames(bytearray(header))
    assert "RTU over TCP" in told.value.text.en
    assert "Modbus TCP" in told.value.text.zh


@given(pdus, st.sampled_from([1, 2, 3, 4, 5, 6, 15, 16, 22, 43]), st.integers(1, 250))
def test_any_answer_is_taken_or_a_decode_error(pdu: bytes, function: int, size: int) -> None:
    with contextlib.suppress(DecodeError):
        code = refusal(pdu, function)
        if code:
            assert (pdu[0], len(pdu)) == (function | 0x80, 2)
            assert exception(code).text.zh
        else:
            assert pdu[0] == function
            assert len(read_answer(pdu, size)) == size
    with contextlib.suppress(DecodeError):
        assert identity(pdu).isprintable()
    with contextlib.suppress(DecodeError):
        write_answer(mask_query(1, 2, 3), pdu)


def test_identification_of_a_known_device() -> None:
    objects = b"\0\4ACME" + b"\1\7chiller" + b"\2\0032.1"
    assert identity(bytes([43, 14, 1, 1, 0, 0, 3]) + objects) == "ACME chiller 2.1"
    with pytest.raises(DecodeError):
        identity(bytes([43, 14, 1, 1, 0, 0, 4]) + objects)


def test_requests_are_what_the_specification_shows() -> None:
    # The worked examples of the application protocol, sections 6.1 to 6.16 and 6.21.
    assert read_query(Table.COIL, 0x13, 0x13) == bytes.fromhex("0100130013")
    assert read_query(Table.DISCRETE, 0xC4, 0x16) == bytes.fromhex("0200c40016")
    assert read_query(Table.HOLDING, 0x6B, 3) == bytes.fromhex("03006b0003")
    assert read_query(Table.INPUT, 8, 1) == bytes.fromhex("0400080001")
    assert write_query(Table.COIL, 0xAC, b"\1", many=False) == bytes.fromhex("0500acff00")
    assert write_query(Table.HOLDING, 1, b"\0\3", many=False) == bytes.fromhex("0600010003")
    assert write_query(Table.HOLDING, 1, b"\0\n\1\2", many=False) == bytes.fromhex("100001000204000a0102")
    assert write_query(Table.COIL, 0x13, b"\1", many=True) == bytes.fromhex("0f0013000101" + "01")
    assert mask_query(4, 0xF2, 0x25) == bytes.fromhex("16000400f20025")
    assert IDENTIFY.hex() == "2b0e0100"


def test_every_exception_has_words_and_a_next_step() -> None:
    for code in [*EXCEPTIONS, 0x55, 256]:
        words = exception(code)
        assert words.quality & q.MASK == q.BAD
        assert str(code) in words.text.en
        assert str(code) in words.text.zh
        assert words.text.en.count(".") >= 2
