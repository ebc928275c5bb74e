"""Where a value lies in a Modbus device, how it is laid out there, and how it is written. No I/O."""

from __future__ import annotations

import math
import re
import warnings
from enum import StrEnum
from typing import Annotated, Any, Final

import numpy as np
from pydantic import WithJsonSchema, model_validator

from mainspring.core.drivers import DriverTag, Settings, Value, setting
from mainspring.core.errors import Rejected
from mainspring.core.faults import fault
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.drivers.modbus_frames import ADDRESSES, REGISTERS_MAX, REGISTERS_WRITE_MAX, Table


class Type(StrEnum):
    """How the registers of a value are understood."""

    BIT = "bit"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    STRING = "string"


class Order(StrEnum):
    """Order of the bytes on the wire; A is the most significant. Longer values continue the pattern."""

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"

    @property
    def words_swapped(self) -> bool:
        """Tell whether the least significant register comes first."""
        return self in (Order.CDAB, Order.DCBA)

    @property
    def bytes_swapped(self) -> bool:
        """Tell whether the least significant byte of each register comes first."""
        return self in (Order.BADC, Order.DCBA)


NUMBERS: Final[dict[Type, np.dtype[Any]]] = {
    kind: np.dtype(kind.value) for kind in Type if kind not in (Type.BIT, Type.STRING)
}
_WIDTHS: Final = {Type.BIT: 1} | {kind: dtype.itemsize // 2 for kind, dtype in NUMBERS.items()}
_REFERENCE: Final = re.compile(r"([0134])(\d{4,5})")
_REFERENCE_TABLES: Final = {"0": Table.COIL, "1": Table.DISCRETE, "3": Table.INPUT, "4": Table.HOLDING}


def _one_of(kinds: type[StrEnum]) -> WithJsonSchema:
    """Say the choices where they are used, so that the title of the setting stays beside them."""
    return WithJsonSchema({"type": "string", "enum": [kind.value for kind in kinds]})


with warnings.catch_warnings():
    # Classes with abstract bases can register others; the field of that name hides this on instances only.
    warnings.filterwarnings("ignore", 'Field name "register"')

    class ModbusAddress(Settings):
        """One value: table, first register and layout.

        Registers count from 0 as on the wire. Manuals that count from 1 write the table as leading digit: 40001 or
        400001 is holding register 0, 30001 input register 0, 10001 discrete input 0, 00001 coil 0; `reference` takes
        that form and is replaced by table and register.
        """

        table: Annotated[Table, _one_of(Table)] = setting(Table.HOLDING, "Table", "数据区")
        register: int = setting(0, "Register, from 0", "寄存器地址，从 0 起", ge=0, lt=ADDRESSES)
        reference: str | None = setting(
            None, "Reference such as 40001, in place of table and register", "编号，如 40001，代替数据区和地址"
        )
        type: Annotated[Type, _one_of(Type)] = setting(Type.UINT16, "Type", "数据类型")
        order: Annotated[Order, _one_of(Order)] = setting(Order.ABCD, "Byte order", "字节顺序")
        bit: int | None = setting(None, "Bit of the register, from 0", "寄存器中的位，从 0 起", ge=0, le=15)
        length: int = setting(1, "Registers of a string", "字符串占用的寄存器数", ge=1, le=REGISTERS_MAX)

        @model_validator(mode="before")
        @classmethod
        def _resolve(cls, given: Any) -> Any:
            """Turn a reference into table and register, and fill in the type that a table or a bit implies."""
            if not isinstance(given, dict):
                return given
            given = {key: value for key, value in given.items() if value is not None}
            if given.get("reference"):
                table, register = _referenced(given["reference"])
                for key, value in (("table", table), ("register", register)):
                    if given.setdefault(key, value) != value:
                        raise fault(_CONTRADICTS.format(
                            reference=given["reference"], key=key, value=value, given=given[key]
                        ))  # fmt: skip
            given.pop("reference", None)
            if "type" not in given and (given.get("table") in ("coil", "discrete") or given.get("bit") is not None):
                given["type"] = Type.BIT
            return given

        @model_validator(mode="after")
        def _consistent(self) -> ModbusAddress:
            message = None
            if "register" not in self.model_fields_set:
                message = _NO_REGISTER
            elif self.table.bits and (self.type is not Type.BIT or self.bit is not None):
                message = _SINGLE_BITS.format(table=self.table)
            elif not self.table.bits and (self.type is Type.BIT) != (self.bit is not None):
                message = _BIT
            elif self.length != 1 and self.type is not Type.STRING:
                message = _LENGTH.format(type=self.type, width=self.width)
            elif self.end > ADDRESSES:
                message = _BEYOND.format(register=self.register, type=self.type, last=ADDRESSES - 1)
            if message:
                raise fault(message)
            return self

        @property
        def width(self) -> int:
            """Entries of the table that the value takes."""
            if self.type is Type.STRING:
                return self.length
            return _WIDTHS[self.type]

        @property
        def end(self) -> int:
            """The entry behind the last one of the value."""
            return self.register + self.width

        @property
        def shift(self) -> int:
            """Where the bit lies in the big-endian register, 0 to 15."""
            return (self.bit or 0) ^ (8 if self.order.bytes_swapped else 0)

        def __str__(self) -> str:
            bit = "" if self.bit is None else f".{self.bit}"
            return f"{self.table} {self.register}{bit} {self.type}"


def _referenced(reference: Any) -> tuple[Table, int]:
    match = _REFERENCE.fullmatch(str(reference))
    register = int(match[2]) - 1 if match else -1
    if match is None or not 0 <= register < ADDRESSES:
        raise fault(_NO_REFERENCE.format(reference=reference))
    return _REFERENCE_TABLES[match[1]], register


_NO_REGISTER = Text("Give the register, or a reference such as 40001.", "请填写寄存器地址，或 40001 这样的参考地址。")
_CONTRADICTS = Text(
    "Reference {reference} is {key} {value}, not {given}; leave one of them out.",
    "参考地址 {reference} 的 {key} 为 {value}，与 {given} 不符，请删去其一。",
)
_SINGLE_BITS = Text(
    "Table {table} holds single bits; leave type and bit out.", "数据区 {table} 为单个位，请勿填写数据类型和位号。"
)
_BIT = Text(
    "Type bit and the number of the bit belong together; give both or neither.",
    "数据类型 bit 与位序号须同时填写或同时留空。",
)
_LENGTH = Text(
    "The length is for strings; type {type} takes {width} registers.",
    "长度仅用于字符串；类型 {type} 占 {width} 个寄存器。",
)
_BEYOND = Text(
    "Register {register} and type {type} reach beyond register {last}.",
    "寄存器 {register} 按类型 {type} 超出最后的寄存器 {last}。",
)
_NO_REFERENCE = Text(
    "{reference} is no reference; one is 0, 1, 3 or 4 and a register from 1, as 40001 or 400001.",
    "{reference} 不是参考地址；应为 0、1、3 或 4 加从 1 起的寄存器号，如 40001 或 400001。",
)
_KIND_TEXT = Text(
    "{address} holds text, but the tag's kind is {kind}. Set the kind to text, or choose a numeric type.",
    "{address} 为字符串，而测点类型是 {kind}，请将测点类型改为 text，或选择数值类型。",
)
_KIND_NUMBER = Text(
    "{address} holds a number, but the tag's kind is {kind}. Set the kind to a numeric one, or the type to string.",
    "{address} 为数值，而测点类型是 {kind}，请将测点类型改为数值，或将数据类型改为 string。",
)
_KIND_FLOAT = Text(
    "{address} holds fractions, but the tag's kind is {kind}. Set the kind to float64.",
    "{address} 含小数，而测点类型是 {kind}，请将测点类型改为 float64。",
)


def mismatch(tag: DriverTag) -> Text | None:
    """Say why a tag's kind cannot take the values at its address, or None."""
    address: ModbusAddress = tag.address
    text: Text | None = None
    if address.type is Type.STRING:
        text = None if tag.kind is SampleKind.TEXT else _KIND_TEXT
    elif tag.kind in (SampleKind.TEXT, SampleKind.BLOB):
        text = _KIND_NUMBER
    elif address.type in (Type.FLOAT32, Type.FLOAT64) and tag.kind is not SampleKind.FLOAT:
        text = _KIND_FLOAT
    return text.format(address=address, kind=tag.kind) if text else None


_READ_ONLY = Text(
    "{address} was not written: this table can only be read. Choose a coil or a holding register.",
    "{address} 未写入：该数据区只读，请选择线圈或保持寄存器。",
)
_NOT_TEXT = Text(
    "{address} was not written: it takes text, not {value}.", "{address} 未写入：应为文本，而不是 {value}。"
)
_NOT_NUMBER = Text(
    "{address} was not written: it takes a number, not {value}.", "{address} 未写入：应为数值，而不是 {value}。"
)
_NOT_BIT = Text(
    "{address} was not written: it takes 0 or 1, not {value}.", "{address} 未写入：应为 0 或 1，而不是 {value}。"
)
_NOT_WHOLE = Text(
    "{address} was not written: it takes whole numbers, not {value}.", "{address} 未写入：应为整数，而不是 {value}。"
)
_OUTSIDE = Text(
    "{address} was not written: {value} is outside {low} to {high}.",
    "{address} 未写入：{value} 超出 {low} 至 {high}。",
)
_TOO_LONG = Text(
    "{address} was not written: the text takes {size} bytes, there is room for {room}.",
    "{address} 未写入：文本为 {size} 字节，最多可写 {room} 字节。",
)


def encode(address: ModbusAddress, value: Value) -> bytes:
    """Lay a value out as it is written: registers as on the wire, a bit as one byte 0 or 1; Rejected says why not."""

    def refuse(text: Text, **values: Any) -> Rejected:
        return Rejected(text, address=address, value=value, **values)

    if address.table not in (Table.COIL, Table.HOLDING):
        raise refuse(_READ_ONLY)
    if address.type is Type.STRING:
        if not isinstance(value, str):
            raise refuse(_NOT_TEXT)
        text, room = value.encode(), 2 * min(address.width, REGISTERS_WRITE_MAX)
        if len(text) > room or address.width > REGISTERS_WRITE_MAX:
            raise refuse(_TOO_LONG, size=len(text), room=room)
        return _reorder(text.ljust(2 * address.width, b"\0"), Order.BADC if address.order.bytes_swapped else Order.ABCD)
    if isinstance(value, str):
        raise refuse(_NOT_NUMBER)
    if address.type is Type.BIT:
        if value not in (0, 1):
            raise refuse(_NOT_BIT)
        return bytes([int(value)])
    kind = NUMBERS[address.type]
    return _reorder(_number(kind, value, refuse).astype(kind.newbyteorder(">")).tobytes(), address.order)


def _number(kind: np.dtype[Any], value: float | int, refuse: Any) -> np.ndarray[Any, np.dtype[Any]]:
    if kind.kind == "f":
        high = float(np.finfo(kind).max)
        if not math.isfinite(value) or abs(value) > high:
            raise refuse(_OUTSIDE, low=-high, high=high)
        return np.array(value, kind)
    # Scaling back from engineering units leaves rounding errors far below one count.
    if not math.isfinite(value) or abs(value - round(value)) > 1e-6:
        raise refuse(_NOT_WHOLE)
    limits = np.iinfo(kind)
    if not limits.min <= round(value) <= limits.max:
        raise refuse(_OUTSIDE, low=limits.min, high=limits.max)
    return np.array(round(value), kind)


def _reorder(big_endian: bytes, order: Order) -> bytes:
    words = np.frombuffer(big_endian, np.uint16)
    if order.words_swapped:
        words = words[::-1]
    return words.byteswap().tobytes() if order.bytes_swapped else words.tobytes()
