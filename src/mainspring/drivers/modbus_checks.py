"""The connection test of Modbus TCP, from the address to a first value; the first step that fails says its cure."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from mainspring.core import quality as q
from mainspring.core.drivers import Check, DriverTag, Traffic
from mainspring.core.errors import DecodeError, NotConnected, Rejected
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.drivers.modbus_address import ModbusAddress
from mainspring.drivers.modbus_frames import (
    IDENTIFY,
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    UNREACHABLE,
    Table,
    exception,
    identity,
    read_query,
    refusal,
)
from mainspring.drivers.modbus_link import Link, Timing, open_link, resolve
from mainspring.drivers.modbus_registers import Limits, Plan

NEIGHBOURS: Final = (1, 255, *range(2, 17), 247, 0)
"""Units asked when the one configured does not answer; 255 is what devices without units often use."""
NEIGHBOUR_MS: Final = 300
"""How long each of them may take: a device that is there answers a test at once."""

_ADDRESS = Text("address resolves", "地址可解析")
_PORT = Text("port open", "端口可连接")
_PROTOCOL = Text("speaks Modbus", "使用 Modbus 通信")
_UNIT = Text("unit {unit} answers", "单元 {unit} 应答")
_NO_UNIT = Text("unit {unit} does not answer", "单元 {unit} 未应答")
_READS = Text("reads {address}", "读取 {address}")
_READS_ANY = Text("reads a register", "读取寄存器")

_FOUND = Text("{address}", "{address}")
_OPEN = Text("{peer} accepts connections", "{peer} 接受连接")
_NAMED = Text("identifies itself as {identity}", "设备标识为 {identity}")
_NAMELESS = Text(
    "answers, but does not identify itself; many devices cannot", "有应答，但不提供设备标识；许多设备不支持"
)
_NOBODY = Text(
    "The port is open, but no unit answers. Check that the port is Modbus TCP, and the unit number on the device.",
    "端口已打开，但没有单元应答。请确认该端口是 Modbus TCP，并核对设备上的单元号。",
)
_ANSWERS = Text("the unit answers requests", "该单元可应答请求")
_OTHERS = Text(
    "Units {units} do. Choose one, or check the address switch on the device.",
    "单元 {units} 有应答。请选择其中之一，或检查设备上的地址开关。",
)
_OTHER = Text(
    "Unit {units} does. Choose it, or check the address switch on the device.",
    "单元 {units} 有应答。请选择该单元，或检查设备上的地址开关。",
)
_VALUE = Text("{address} = {value}", "{address} = {value}")
_NO_REGISTER = Text(
    "Register 0 of no table can be read, which many devices have not. Add a tag from the device's register list.",
    "各数据区的寄存器 0 均不可读，许多设备如此。请按设备寄存器表添加测点。",
)

_ANY_REGISTER: Final = read_query(Table.HOLDING, 0, 1)


class _Met(NamedTuple):
    """What a unit did when asked: answered itself, or let a gateway say why not."""

    answered: bool
    words: Text


async def checks(
    host: str, port: int, unit: int, timeout_ms: int, examples: Sequence[DriverTag]
) -> AsyncIterator[Check]:
    """Run the steps in order; ends at the first failure."""
    clock = _Clock()
    try:
        found = await resolve(host, port, timeout_ms)
    except NotConnected as error:
        yield Check(_ADDRESS, False, error.text, clock.lap())
        return
    yield Check(_ADDRESS, True, _FOUND.format(address=found), clock.lap())
    caller = _Caller(host, port, Timing(timeout_ms, 1))
    try:
        try:
            await caller.link()
        except NotConnected as error:
            yield Check(_PORT, False, error.text, clock.lap())
            return
        yield Check(_PORT, True, _OPEN.format(peer=f"{found}:{port}"), clock.lap())
        for check in await _protocol(caller, unit, clock):
            yield check
            if not check.ok:
                return
        for tag in examples:
            check = await _example(caller, unit, tag, clock)
            yield check
            if not check.ok:
                return
        if not examples:
            yield await _anything(caller, unit, clock)
    finally:
        caller.close()


class _Clock:
    """Time since the step before."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def lap(self) -> float:
        before, self._since = self._since, time.perf_counter()
        return (self._since - before) * 1000


class _Caller:
    """A connection that is opened again when a device closes it over a question it does not like."""

    def __init__(self, host: str, port: int, timing: Timing) -> None:
        self._where = host, port, timing
        self._link: Link | None = None

    async def link(self) -> Link:
        if self._link is None or not self._link.is_open:
            self._link = await open_link(*self._where, Traffic())
        return self._link

    async def ask(self, unit: int, query: bytes) -> bytes:
        link = await self.link()
        return (await link.exchange(unit, [query]))[0]

    async def meet(self, unit: int, queries: Sequence[bytes] = (IDENTIFY, _ANY_REGISTER)) -> _Met | None:
        """Ask a unit for its name, then for a register; None when it keeps silent, DecodeError from a foreigner.

        The name alone proves nothing: gateways answer for units that are not there.
        """
        words, silent, foreign = _NAMELESS, _NOBODY, None
        for query in queries:
            try:
                pdu = await self.ask(unit, query)
                code = refusal(pdu, query[0])
                if query is IDENTIFY and not code:
                    named = identity(pdu)
                    words = _NAMED.format(identity=named) if named else _ANSWERS
            except NotConnected as error:
                silent = error.text
            except DecodeError as error:
                foreign = error
            else:
                if code in UNREACHABLE:
                    return _Met(False, exception(code).text)
                if query is not IDENTIFY:
                    return _Met(True, words)
        if foreign is not None:
            raise foreign
        return None if words is _NAMELESS else _Met(False, silent)

    def brief(self) -> _Caller:
        """Close, and return a caller with little patience; some devices take one connection at a time."""
        self.close()
        host, port, timing = self._where
        return _Caller(host, port, timing._replace(timeout_ms=min(timing.timeout_ms, NEIGHBOUR_MS)))

    def close(self) -> None:
        if self._link is not None:
            self._link.close()


async def _protocol(caller: _Caller, unit: int, clock: _Clock) -> list[Check]:
    """Find out whether anyone speaks Modbus there, and whether the unit itself answers."""
    name = _UNIT.format(unit=unit)
    try:
        met = await caller.meet(unit)
        if met is not None and met.answered:
            return [Check(_PROTOCOL, True, met.words, clock.lap()), Check(name, True, _ANSWERS, clock.lap())]
        others: list[int] = []
        spoken = met is not None
        brief = caller.brief()
        try:
            for other in NEIGHBOURS:
                neighbour = await brief.meet(other, (_ANY_REGISTER,)) if other != unit else None
                spoken = spoken or neighbour is not None
                if neighbour is not None and neighbour.answered:
                    others.append(other)
        finally:
            brief.close()
    except DecodeError as error:
        return [Check(_PROTOCOL, False, error.text, clock.lap())]
    if not spoken:
        return [Check(_PROTOCOL, False, _NOBODY, clock.lap())]
    detail = met.words if met is not None else _NAMELESS
    if others:
        listed = [str(other) for other in others]
        text = _OTHER if len(listed) == 1 else _OTHERS
        detail = Text(
            text.en.format(units=" and ".join(filter(None, [", ".join(listed[:-1]), listed[-1]]))),
            text.zh.format(units="、".join(listed)),
        )
    return [
        Check(_PROTOCOL, True, _NAMELESS, clock.lap()),
        Check(_NO_UNIT.format(unit=unit), False, detail, clock.lap()),
    ]


async def _example(caller: _Caller, unit: int, tag: DriverTag, clock: _Clock) -> Check:
    """Read one tag alone."""
    name = _READS.format(address=tag.address)
    try:
        words, good = await _value(caller, unit, tag)
    except (NotConnected, DecodeError, Rejected) as error:
        words, good = error.text, False
    return Check(name, good, words, clock.lap())


async def _value(caller: _Caller, unit: int, tag: DriverTag) -> tuple[Text, bool]:
    plan = Plan([tag], Limits())
    for group in plan.groups:
        pdu = await caller.ask(unit, group.query)
        code = refusal(pdu, group.query[0])
        if code:
            raise Rejected(exception(code).text)
        plan.store(group, pdu)
    (batch,), faults = plan.batches(0, {})
    words = faults.get(tag.ordinal) or _VALUE.format(address=tag.address, value=batch.value[0])
    return words, q.is_good(int(batch.quality[0]))


async def _anything(caller: _Caller, unit: int, clock: _Clock) -> Check:
    """Read register 0 of any table; a device that has none of them is as good."""
    absent = {exception(code).text for code in (ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE)}
    for table in (Table.HOLDING, Table.INPUT, Table.COIL, Table.DISCRETE):
        address = ModbusAddress.model_validate({"table": table, "register": 0})
        check = await _example(caller, unit, DriverTag(0, SampleKind.INTEGER, address), clock)
        if check.detail not in absent:
            return Check(_READS_ANY, check.ok, check.detail, check.elapsed_ms)
    return Check(_READS_ANY, True, _NO_REGISTER, clock.lap())
