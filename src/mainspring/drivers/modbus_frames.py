"""Frames of Modbus TCP: cutting the byte stream, asking, checking answers, exception codes in words. No I/O.

Source: Modbus application protocol V1.1b3 and Modbus messaging on TCP/IP V1.0b, modbus.org.
"""

from __future__ import annotations

import struct
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from mainspring.core import quality as q
from mainspring.core.errors import DecodeError
from mainspring.core.text import Text

HEADER: Final = struct.Struct(">HHHB")
"""Transaction id, protocol id (0), length of what follows it, unit."""
PDU_MAX: Final = 253
REGISTERS_MAX: Final = 125
"""Most registers one read answers; a write carries two fewer."""
REGISTERS_WRITE_MAX: Final = 123
COILS_WRITE_MAX: Final = 1968
BITS_MAX: Final = 2000
ADDRESSES: Final = 65536
REFUSED: Final = 0x80
"""Set in the function of an answer that is an exception."""

_QUERY: Final = struct.Struct(">BHH")
_WRITE_MANY: Final = struct.Struct(">BHHB")
_MASK_WRITE: Final = struct.Struct(">BHHH")


class Table(StrEnum):
    """The four tables of a Modbus device."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"

    @property
    def bits(self) -> bool:
        """Tell whether an entry is one bit and not a register."""
        return self in (Table.COIL, Table.DISCRETE)


class Function(IntEnum):
    """The function codes this driver speaks."""

    READ_COILS = 1
    READ_DISCRETE = 2
    READ_HOLDING = 3
    READ_INPUT = 4
    WRITE_COIL = 5
    WRITE_REGISTER = 6
    WRITE_COILS = 15
    WRITE_REGISTERS = 16
    MASK_WRITE = 22
    IDENTIFY = 43


READS: Final = {
    Table.COIL: Function.READ_COILS,
    Table.DISCRETE: Function.READ_DISCRETE,
    Table.HOLDING: Function.READ_HOLDING,
    Table.INPUT: Function.READ_INPUT,
}
IDENTIFY: Final = bytes([Function.IDENTIFY, 14, 1, 0])
"""Read device identification: basic stream from object 0 (vendor, product, revision)."""

ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
UNREACHABLE: Final = (10, 11)
"""A gateway has no path to the unit, or the unit does not answer the gateway."""


class ExceptionWords(NamedTuple):
    """What an exception code means to a person, and the quality of tags that meet it."""

    quality: int
    text: Text


EXCEPTIONS: Final[dict[int, ExceptionWords]] = {
    1: ExceptionWords(q.BAD_CONFIGURATION, Text(
        "The device does not know this function (exception 1). Choose another table for the tag.",
        "设备不支持该功能码（异常码 1），请为测点选择其他数据区。")),
    2: ExceptionWords(q.BAD_CONFIGURATION, Text(
        "The device has no such register (exception 2). Check table, register and type in the device's register list.",
        "设备没有该寄存器（异常码 2），请按设备寄存器表核对数据区、地址和类型。")),
    3: ExceptionWords(q.BAD_CONFIGURATION, Text(
        "The device refuses the value or the number of registers (exception 3). Check value and type, "
        "or lower the registers per request.",
        "设备拒绝该值或寄存器数量（异常码 3），请核对值和类型，或减小单次请求的寄存器数。")),
    4: ExceptionWords(q.BAD_DEVICE_FAILURE, Text(
        "The device failed while answering (exception 4). Look at its own fault display.",
        "设备处理请求时发生故障（异常码 4），请查看设备自身的故障指示。")),
    5: ExceptionWords(q.BAD_COMMUNICATION, Text(
        "The device needs more time (exception 5). It is asked again at the next cycle.",
        "设备需要更长时间处理（异常码 5），下个周期将再次询问。")),
    6: ExceptionWords(q.BAD_COMMUNICATION, Text(
        "The device is busy (exception 6). If it stays so, lower the requests in flight or scan more slowly.",
        "设备忙（异常码 6），如持续出现，请减少并行请求数或放慢扫描周期。")),
    7: ExceptionWords(q.BAD_COMMUNICATION, Text(
        "The device cannot do this now (exception 7). Look at its operating state.",
        "设备当前无法执行该操作（异常码 7），请查看设备运行状态。")),
    8: ExceptionWords(q.BAD_DEVICE_FAILURE, Text(
        "The device found an error in its memory (exception 8). It may need service.",
        "设备存储器校验出错（异常码 8），设备可能需要检修。")),
    10: ExceptionWords(q.BAD_NOT_CONNECTED, Text(
        "The gateway has no path to this unit (exception 10). Check the unit number and the gateway's ports.",
        "协议网关没有通往该单元的路径（异常码 10），请核对单元号和协议网关的端口配置。")),
    11: ExceptionWords(q.BAD_NOT_CONNECTED, Text(
        "The unit does not answer its gateway (exception 11). Check its power, wiring and unit number.",
        "该单元未应答协议网关（异常码 11），请检查其电源、接线和单元号。")),
}  # fmt: skip
_UNKNOWN: Final = Text(
    "The device answered with exception {code}, which the protocol does not define. Look it up in the device's manual.",
    "设备返回异常码 {code}，协议未定义该码，请查阅设备手册。",
)
_MALFORMED: Final = Text(
    "The device's answer is not Modbus: {reason}. It was dropped and counted; "
    "check that the port belongs to Modbus TCP and not to Modbus RTU over TCP.",
    "设备的应答不符合 Modbus：{reason}。该应答已丢弃并计数，请确认该端口是 Modbus TCP 而非 RTU over TCP。",
)


def exception(code: int) -> ExceptionWords:
    """Say an exception code in words; an undefined one is bad without sub-status."""
    return EXCEPTIONS.get(code) or ExceptionWords(q.BAD, _UNKNOWN.format(code=code))


def malformed(reason: str, reason_zh: str) -> DecodeError:
    """Make the error of an answer that is not what the protocol promises."""
    return DecodeError(_MALFORMED, reason=Text(reason, reason_zh))


class Frame(NamedTuple):
    """One answer cut out of the stream."""

    transaction: int
    unit: int
    pdu: bytes


def take_frames(received: bytearray) -> list[Frame]:
    """Take all whole frames off the front of `received` and leave the rest there.

    Raises DecodeError when the stream cannot be Modbus TCP; there is no way to find the next frame then.
    """
    frames: list[Frame] = []
    start, end = 0, len(received)
    while end - start >= HEADER.size:
        transaction, protocol, length, unit = HEADER.unpack_from(received, start)
        if protocol:
            raise malformed(f"protocol id {protocol} instead of 0", f"协议号为 {protocol}，应为 0")
        if not 2 <= length <= PDU_MAX + 1:
            raise malformed(f"a length of {length} bytes", f"长度为 {length} 字节")
        following = start + 6 + length
        if following > end:
            break
        frames.append(Frame(transaction, unit, bytes(received[start + HEADER.size : following])))
        start = following
    del received[:start]
    return frames


def refusal(pdu: bytes, function: int) -> int:
    """Return the exception code of an answer to `function`, 0 if it is none; raises DecodeError for another's."""
    if pdu[0] == function:
        return 0
    if pdu[0] != function | REFUSED:
        raise malformed(f"function {pdu[0]} answers function {function}", f"以功能码 {pdu[0]} 应答功能码 {function}")
    if len(pdu) != 2:
        raise malformed(f"an exception of {len(pdu)} bytes", f"异常应答为 {len(pdu)} 字节")
    return pdu[1] or 256


def read_query(table: Table, first: int, count: int) -> bytes:
    """Ask for `count` entries of a table."""
    return _QUERY.pack(READS[table], first, count)


def read_answer(pdu: bytes, size: int) -> memoryview:
    """Return the `size` bytes a read answered with; `refusal` was asked before."""
    if len(pdu) != size + 2 or pdu[1] != size:
        raise malformed(f"{len(pdu) - 2} bytes instead of {size}", f"应答为 {len(pdu) - 2} 字节，应为 {size}")
    return memoryview(pdu)[2:]


def write_query(table: Table, first: int, words: bytes, *, many: bool) -> bytes:
    """Write registers (big-endian words) or coils (bytes 0 or 1); one alone needs no list unless `many`."""
    if table is Table.COIL:
        if many or len(words) > 1:
            size = (len(words) + 7) // 8
            packed = sum(bit << place for place, bit in enumerate(words)).to_bytes(size, "little")
            return _WRITE_MANY.pack(Function.WRITE_COILS, first, len(words), size) + packed
        return _QUERY.pack(Function.WRITE_COIL, first, 0xFF00 if words[0] else 0)
    if many or len(words) > 2:
        return _WRITE_MANY.pack(Function.WRITE_REGISTERS, first, len(words) // 2, len(words)) + words
    return bytes([Function.WRITE_REGISTER]) + first.to_bytes(2, "big") + words


def mask_query(register: int, keep: int, put: int) -> bytes:
    """Let the device itself change bits of a register: (value and `keep`) or (`put` and not `keep`)."""
    return _MASK_WRITE.pack(Function.MASK_WRITE, register, keep, put)


def write_answer(query: bytes, pdu: bytes) -> None:
    """Check that the device confirms what was asked; `refusal` was asked before."""
    expected = query[:5] if query[0] in (Function.WRITE_COILS, Function.WRITE_REGISTERS) else query
    if pdu != expected:
        raise malformed("the confirmation names another write", "确认的不是所请求的写入")


def identity(pdu: bytes) -> str:
    """Return vendor, product and revision from a device identification, joined by spaces."""
    if len(pdu) < 7 or pdu[1] != 14:
        raise malformed("an identification without objects", "设备标识应答没有对象")
    words: list[str] = []
    at = 7
    for _ in range(pdu[6]):
        if at + 2 > len(pdu) or at + 2 + pdu[at + 1] > len(pdu):
            raise malformed("a truncated identification", "设备标识应答不完整")
        length = pdu[at + 1]
        words.append(pdu[at + 2 : at + 2 + length].decode("utf-8", "replace").strip("\0 "))
        at += 2 + length
    return "".join(character for character in " ".join(filter(None, words)) if character.isprintable())
