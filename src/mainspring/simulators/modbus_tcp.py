"""A Modbus TCP device in this process, over a real socket, for tests and the demo plant."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

import numpy as np
import numpy.typing as npt

from mainspring.simulators.listening import Listening

TableName = Literal["coil", "discrete", "holding", "input"]
OrderName = Literal["ABCD", "CDAB", "BADC", "DCBA"]

SIZE: Final = 65536
FUNCTIONS: Final = frozenset((1, 2, 3, 4, 5, 6, 15, 16, 22, 43))
_HEADER: Final = struct.Struct(">HHHB")
_PAIR: Final = struct.Struct(">HH")
_MASKS: Final = struct.Struct(">HHH")
_TABLES: Final[dict[int, TableName]] = {
    1: "coil", 2: "discrete", 3: "holding", 4: "input", 5: "coil", 6: "holding", 15: "coil", 16: "holding",
    22: "holding",
}  # fmt: skip
_CONNECTIONS_MAX: Final = 64


class _Exception(Exception):
    """The device answers with an exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True, eq=False)
class Unit:
    """The four tables of one unit: bits as uint8 0 or 1, registers as big-endian words; assign to them freely."""

    coil: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(SIZE, np.uint8))
    discrete: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(SIZE, np.uint8))
    holding: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(SIZE, ">u2"))
    input: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(SIZE, ">u2"))

    def table(self, name: TableName) -> npt.NDArray[Any]:
        """Return one table by its name."""
        return cast("npt.NDArray[Any]", getattr(self, name))


def words_of(kind: str, order: OrderName, value: Any, length: int = 1) -> npt.NDArray[Any]:
    """Lay a value, or a sequence of values, out as registers; `kind` is a numpy type name or `string`."""
    if kind == "string":
        raw = np.frombuffer(str(value).encode().ljust(2 * length, b"\0"), ">u2")
        return raw.byteswap() if order in ("BADC", "DCBA") else raw
    dtype = np.dtype(kind).newbyteorder(">")
    words = np.atleast_1d(np.asarray(value, dtype)).view(">u2").reshape(-1, dtype.itemsize // 2)
    if order in ("CDAB", "DCBA"):
        words = words[:, ::-1]
    if order in ("BADC", "DCBA"):
        words = words.byteswap()
    return words.ravel()


class ModbusTcpSimulator(Listening):
    """A device with one or several units; behaves well until told otherwise.

    `refused` are (table, first, last) ranges it says it has not; `functions` those it knows; `delay_ms` what an answer
    takes; `busy` an exception code it answers everything with; `silent` answers nothing; `spoil` changes an answer's
    bytes before they are sent. A unit it has not is met with silence, or with exception 11 if `is_gateway`.
    """

    def __init__(self, units: Iterable[int] = (1,), *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.units: Final = {number: Unit() for number in units}
        super().__init__(host, port)
        self.identity: tuple[str, str, str] | None = ("Mainspring", "simulator", "1")
        self.refused: list[tuple[TableName, int, int]] = []
        self.functions: Collection[int] = FUNCTIONS
        self.read_max = 125
        self.delay_ms = 0.0
        self.busy = 0
        self.silent = False
        self.is_gateway = False
        self.spoil: Callable[[bytes], bytes] | None = None
        self.requests = 0

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: _Session(self), self.host, self.port)

    def set(
        self,
        table: TableName,
        register: int,
        kind: str,
        order: OrderName,
        value: Any,
        *,
        unit: int | None = None,
        length: int = 1,
    ) -> None:
        """Put a value, or a sequence of values, into a table; coils and discrete inputs take kind `bit`."""
        target = self._unit(unit).table(table)
        if table in ("coil", "discrete"):
            bits = np.atleast_1d(np.asarray(value, np.uint8))
            target[register : register + len(bits)] = bits
        else:
            words = words_of(kind, order, value, length)
            target[register : register + len(words)] = words

    def get(self, table: TableName, register: int, kind: str, order: OrderName, *, unit: int | None = None) -> Any:
        """Return the number or bit that a table holds."""
        target = self._unit(unit).table(table)
        if table in ("coil", "discrete"):
            return int(target[register])
        dtype = np.dtype(kind)
        words = target[register : register + dtype.itemsize // 2]
        if order in ("CDAB", "DCBA"):
            words = words[::-1]
        if order in ("BADC", "DCBA"):
            words = words.byteswap()
        return np.frombuffer(words.tobytes(), dtype.newbyteorder(">"))[0].item()

    def _unit(self, number: int | None) -> Unit:
        return self.units[next(iter(self.units)) if number is None else number]

    def answer(self, number: int, pdu: bytes) -> bytes | None:
        """Answer one request, or None for silence."""
        self.requests += 1
        unit = self.units.get(number)
        if self.silent or (unit is None and not self.is_gateway):
            return None
        function = pdu[0]
        try:
            if unit is None:
                raise _Exception(11)
            if self.busy:
                raise _Exception(self.busy)
            if function not in self.functions:
                raise _Exception(1)
            return self._execute(unit, function, pdu)
        except _Exception as refused:
            return bytes((function | 0x80, refused.code))
        except (struct.error, IndexError):
            return bytes((function | 0x80, 3))

    def _execute(self, unit: Unit, function: int, pdu: bytes) -> bytes:
        if function == 43:
            return self._identify(pdu)
        name = _TABLES[function]
        table = unit.table(name)
        first, count = _PAIR.unpack_from(pdu, 1)
        if function <= 4:
            limit = 2000 if function <= 2 else self.read_max
            self._check(name, first, count, limit)
            wanted = table[first : first + count]
            raw = np.packbits(wanted, bitorder="little").tobytes() if function <= 2 else wanted.tobytes()
            return bytes((function, len(raw))) + raw
        if function == 22:
            _, keep, put = _MASKS.unpack_from(pdu, 1)
            self._check(name, first, 1, 1)
            table[first] = (int(table[first]) & keep) | (put & ~keep & 0xFFFF)
            return pdu
        if function in (5, 6):
            self._check(name, first, 1, 1)
            if function == 5 and count not in (0, 0xFF00):
                raise _Exception(3)
            table[first] = count if function == 6 else int(count == 0xFF00)
            return pdu
        self._check(name, first, count, 1968 if function == 15 else 123)
        raw = pdu[6 : 6 + pdu[5]]
        if len(raw) != ((count + 7) // 8 if function == 15 else 2 * count):
            raise _Exception(3)
        table[first : first + count] = (
            np.unpackbits(np.frombuffer(raw, np.uint8), count=count, bitorder="little")
            if function == 15
            else np.frombuffer(raw, ">u2")
        )
        return pdu[:5]

    def _check(self, table: TableName, first: int, count: int, limit: int) -> None:
        if not 1 <= count <= limit:
            raise _Exception(3)
        last = first + count - 1
        if last >= SIZE or any(name == table and low <= last and first <= high for name, low, high in self.refused):
            raise _Exception(2)

    def _identify(self, pdu: bytes) -> bytes:
        if self.identity is None or pdu[1] != 14:
            raise _Exception(1)
        objects = b"".join(
            bytes((number, len(raw))) + raw for number, raw in enumerate(word.encode() for word in self.identity)
        )
        return bytes((43, 14, 1, 1, 0, 0, len(self.identity))) + objects


class _Session(asyncio.Protocol):
    """One connection; all requests of one packet are answered in one packet."""

    def __init__(self, simulator: ModbusTcpSimulator) -> None:
        self._simulator = simulator
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._simulator.connections) >= _CONNECTIONS_MAX:
            self._transport.abort()
            return
        self._simulator.connections.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._simulator.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        received, transport, simulator = self._received, self._transport, self._simulator
        if transport is None or transport.is_closing():
            return
        received += data
        answers: list[bytes] = []
        start = 0
        while len(received) - start >= _HEADER.size:
            transaction, protocol, length, unit = _HEADER.unpack_from(received, start)
            end = start + 6 + length
            if protocol or not 2 <= length <= 254:
                transport.abort()
                return
            if end > len(received):
                break
            pdu = simulator.answer(unit, bytes(received[start + _HEADER.size : end]))
            if pdu is not None:
                frame = _HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu
                answers.append(simulator.spoil(frame) if simulator.spoil else frame)
            start = end
        del received[:start]
        if not answers:
            return
        if simulator.delay_ms:
            asyncio.get_running_loop().call_later(simulator.delay_ms / 1000, transport.write, b"".join(answers))
        else:
            transport.write(b"".join(answers))
