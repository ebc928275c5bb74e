"""Modbus TCP: polling of coils, discrete inputs, holding and input registers; writing of coils and holding registers.

Source: Modbus application protocol V1.1b3 and Modbus messaging on TCP/IP V1.0b, modbus.org.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar, Final

from mainspring.core import quality as q
from mainspring.core.drivers import Check, Driver, DriverTag, Settings, Value, setting
from mainspring.core.errors import DecodeError, MainspringError, NotConnected, Rejected
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.drivers.modbus_address import ModbusAddress, Type, encode
from mainspring.drivers.modbus_checks import checks
from mainspring.drivers.modbus_columns import Fault
from mainspring.drivers.modbus_frames import (
    BITS_MAX,
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    REGISTERS_MAX,
    UNREACHABLE,
    Function,
    Table,
    exception,
    mask_query,
    read_answer,
    read_query,
    refusal,
    write_answer,
    write_query,
)
from mainspring.drivers.modbus_link import Link, Timing, open_link
from mainspring.drivers.modbus_registers import Group, Limits, Plan
from mainspring.drivers.modbus_runs import Laid, Run, runs

SEARCH_MAX: Final = 256
"""Most further requests in one cycle to find which register of a refused request is the bad one."""

_NOT_OPEN = Text(
    "There is no connection to {host}:{port}. It is tried again.", "与 {host}:{port} 没有连接，将自动重试。"
)
_NOT_SENT = Text(
    "Not written: contact was lost at a value before it. Look at the device, then send it again.",
    "未写入：写入前面的值时失去联系。请查看设备后重新发送。",
)
_SEARCHING = Text(
    "The device refused a request over several registers; which one is being found. It continues at the next cycle.",
    "设备拒绝了包含多个寄存器的请求，正在查找是哪个寄存器，下个周期继续。",
)


class ModbusTcpConfig(Settings):
    """How to reach a device and what it can take."""

    host: str = setting(..., "Address of the device", "设备地址", min_length=1, max_length=253)
    port: int = setting(502, "Port", "端口", ge=1, le=65535)
    unit: int = setting(1, "Unit (slave number)", "单元号（从站号）", ge=0, le=255)
    timeout_ms: int = setting(2000, "Time limit of a request", "请求时限", unit="ms", ge=20, le=60_000)
    requests_in_flight: int = setting(1, "Requests the device takes at once", "设备可同时处理的请求数", ge=1, le=64)
    gap_registers: int = setting(
        8,
        "Unused registers read across to save a request",
        "为减少请求而跨读的空闲寄存器数",
        ge=0,
        le=REGISTERS_MAX - 2,
    )
    registers_per_request: int = setting(
        REGISTERS_MAX, "Registers in one request", "单次请求的寄存器数", ge=1, le=REGISTERS_MAX
    )
    bits_per_request: int = setting(BITS_MAX, "Bits in one request", "单次请求的位数", ge=1, le=BITS_MAX)


class ModbusTcp(Driver):
    """Speaks Modbus TCP to one unit of one device.

    `faults` says for each tag ordinal why its samples are bad although the device answers.
    """

    name: ClassVar[str] = "modbus-tcp"
    title: ClassVar[Text] = Text("Modbus TCP", "Modbus TCP")
    Config: ClassVar[type[Settings]] = ModbusTcpConfig
    Address: ClassVar[type[Settings]] = ModbusAddress

    config: ModbusTcpConfig

    def __init__(self, config: ModbusTcpConfig) -> None:
        super().__init__(config)
        self._link: Link | None = None
        self._writing = asyncio.Lock()
        self._unknown: set[int] = set()
        self._examples: dict[tuple[Table, Type], DriverTag] = {}

    async def connect(self) -> None:
        """Open the connection; whether the unit answers is seen at the first reading."""
        await self.close()
        timing = Timing(self.config.timeout_ms, self.config.requests_in_flight)
        self._link = await open_link(self.config.host, self.config.port, timing, self.traffic)
        self._unknown.clear()

    async def close(self) -> None:
        """Close the connection, if there is one."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def prepare(self, tags: Sequence[DriverTag]) -> Plan:
        """Group neighbouring registers into requests; tags that contradict each other become bad, the others do not."""
        for tag in tags:
            self._examples.setdefault((tag.address.table, tag.address.type), tag)
        limits = Limits(self.config.gap_registers, self.config.registers_per_request, self.config.bits_per_request)
        return Plan(tags, limits)

    async def read(self, prepared: Plan, time_ms: int) -> list[SampleBatch]:
        """Read all requests of a plan; a refused one is split until the refused register is found."""
        return await self._read(prepared, time_ms, urgent=False)

    async def read_back(self, prepared: Plan, time_ms: int) -> list[SampleBatch]:
        """Do the same before any reading that waits."""
        return await self._read(prepared, time_ms, urgent=True)

    async def _read(self, prepared: Plan, time_ms: int, *, urgent: bool) -> list[SampleBatch]:
        link = self._open
        if prepared.contact is not link:
            prepared.restart(link)
        failed: dict[Group, Fault] = {}
        asking: Sequence[Group] = tuple(prepared.groups)
        room = SEARCH_MAX
        while asking:
            answers = await link.exchange(self.config.unit, [group.query for group in asking], urgent=urgent)
            parts = [
                part
                for group, pdu in zip(asking, answers, strict=True)
                for part in self._take(prepared, group, pdu, failed)
            ]
            asking, left = parts[:room], parts[room:]
            room -= len(asking)
            failed.update(dict.fromkeys(left, Fault(q.BAD_WAITING, _SEARCHING)))
        if room:
            prepared.settle()
        batches, faults = prepared.batches(time_ms, failed)
        for ordinal in prepared.said - faults.keys():
            self.faults.pop(ordinal, None)
        self.faults.update(faults)
        prepared.said = set(faults)
        self.traffic.samples += prepared.samples
        return batches

    async def write(self, items: Sequence[tuple[DriverTag, Value]]) -> list[MainspringError | None]:
        """Write in the given order, neighbours with one request, before any reading that waits; each has its outcome.

        Once contact is lost nothing more is sent.
        """
        outcomes: list[MainspringError | None] = [None] * len(items)
        laid: list[Laid] = []
        for place, (tag, value) in enumerate(items):
            try:
                laid.append(Laid(place, tag.address, encode(tag.address, value)))
            except MainspringError as error:
                outcomes[place] = error
        lost = False
        async with self._writing:
            for run in runs(laid, self.config.registers_per_request, self.config.bits_per_request):
                for written, outcome in await self._write_run(run, lost):
                    outcomes[written.place] = outcome
                    lost = lost or isinstance(outcome, NotConnected)
        return outcomes

    def checks(self) -> AsyncIterator[Check]:
        """Test over a connection of its own: address, port, protocol, unit, then a register of each prepared layout."""
        return checks(
            self.config.host, self.config.port, self.config.unit, self.config.timeout_ms, [*self._examples.values()]
        )

    @property
    def _open(self) -> Link:
        if self._link is None:
            raise NotConnected(_NOT_OPEN, host=self.config.host, port=self.config.port)
        return self._link

    def _take(self, plan: Plan, group: Group, pdu: bytes, failed: dict[Group, Fault]) -> tuple[Group, ...]:
        """Keep one answer; return the parts to ask for instead when the device refused the whole."""
        try:
            code = refusal(pdu, group.query[0])
            if not code:
                plan.store(group, pdu)
                return ()
        except DecodeError as error:
            self.traffic.errors += 1
            failed[group] = Fault(q.BAD_COMMUNICATION, error.text)
            return ()
        self.traffic.errors += 1
        fault = Fault(*exception(code))
        if code in (ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE):
            return plan.refuse(group, fault, split=code != ILLEGAL_FUNCTION)
        failed[group] = fault
        return ()

    async def _write_run(self, run: Run, lost: bool) -> list[tuple[Laid, MainspringError | None]]:
        """Write neighbours at once; where the device refuses the list, one after the other to know which it refuses."""
        if lost:
            return [(value, Rejected(_NOT_SENT)) for value in run.values]
        if len(run.values) > 1:
            query = write_query(run.table, run.first, run.raw, many=True)
            try:
                if await self._try(query):
                    return [(value, None) for value in run.values]
            except _Refused as error:
                if error.exception not in (ILLEGAL_ADDRESS, ILLEGAL_VALUE):
                    return [(value, error) for value in run.values]
            except MainspringError as error:
                return [(value, error) for value in run.values]
        outcomes: list[tuple[Laid, MainspringError | None]] = []
        for value in run.values:
            try:
                await self._write(value)
                outcomes.append((value, None))
            except MainspringError as error:
                outcomes.append((value, error))
        return outcomes

    async def _write(self, value: Laid) -> None:
        address = value.address
        if address.table is Table.HOLDING and address.type is Type.BIT:
            await self._write_bit(address, bool(value.raw[0]))
        else:
            await self._write_all(address.table, address.register, value.raw)

    async def _write_all(self, table: Table, first: int, raw: bytes) -> None:
        """Write one entry with its own function if the device knows it, else with the one for several."""
        query = write_query(table, first, raw, many=False)
        if query[0] in (Function.WRITE_COIL, Function.WRITE_REGISTER):
            if await self._try(query):
                return
            query = write_query(table, first, raw, many=True)
        await self._ask(query)

    async def _write_bit(self, address: ModbusAddress, value: bool) -> None:
        """Let the device change the bit itself; where it cannot, read the register, change it and write it back."""
        mask = 1 << address.shift
        if await self._try(mask_query(address.register, 0xFFFF ^ mask, mask if value else 0)):
            return
        answer = await self._ask(read_query(Table.HOLDING, address.register, 1))
        word = int.from_bytes(read_answer(answer, 2), "big")
        word = word | mask if value else word & ~mask
        await self._write_all(Table.HOLDING, address.register, word.to_bytes(2, "big"))

    async def _try(self, query: bytes) -> bool:
        """Ask, or return False when the device does not know the function, which is remembered for this contact."""
        if query[0] in self._unknown:
            return False
        try:
            await self._ask(query)
        except _Refused as error:
            if error.exception != ILLEGAL_FUNCTION:
                raise
            self._unknown.add(query[0])
            return False
        return True

    async def _ask(self, query: bytes) -> bytes:
        """Ask once, ahead of readings; raises what the device's exception means."""
        (pdu,) = await self._open.exchange(self.config.unit, [query], urgent=True)
        code = refusal(pdu, query[0])
        if code:
            self.traffic.errors += 1
            if code in UNREACHABLE:
                raise NotConnected(exception(code).text)
            raise _Refused(code)
        if query[0] != Function.READ_HOLDING:
            write_answer(query, pdu)
        return pdu


class _Refused(Rejected):
    """The device answered with an exception."""

    def __init__(self, exception_code: int) -> None:
        self.exception = exception_code
        super().__init__(exception(exception_code).text)
