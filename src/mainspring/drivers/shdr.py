"""SHDR: a machine's adapter spoken to directly, without an agent between.

The adapter sends its whole state to whoever connects, then each change as a line. Contact is proven by its heartbeat.
Source: MTConnect SHDR Protocol, version 2.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import ClassVar, Final, Literal

from mainspring.core import quality as q
from mainspring.core.drivers import Check, Driver, DriverTag, Node, Settings, checked, setting
from mainspring.core.errors import DecodeError, MainspringError, NotConnected, Rejected, reason_of
from mainspring.core.kinds import SampleKind
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.drivers.mtconnect_samples import Active, Gathered, Observation, spoken
from mainspring.drivers.mtconnect_shdr import NO_TIME, NO_VALUE, Clock, Form, Lines, parse_line
from mainspring.drivers.mtconnect_words import UNAVAILABLE, kind_of, unit_of
from mainspring.drivers.mtconnect_xml import Item, read_devices

KEYS_MAX: Final = 10_000
"""Most keys one adapter may send; further ones are refused."""
FILE_BYTES_MAX: Final = 16 * 1024**2
READ_BYTES: Final = 64 * 1024
AXES: Final = ("X", "Y", "Z")
_PING: Final = b"* PING\r\n"

_NOT_OPEN: Final = Text("There is no connection to {peer}. It is tried again.", "与 {peer} 没有连接，将自动重试。")
_UNKNOWN_HOST: Final = Text(
    "The name {host} has no address ({reason}). Correct it, or enter the adapter's IP address.",
    "无法解析 {host}（{reason}）。请更正，或改用适配器的 IP 地址。",
)
_REFUSED: Final = Text(
    "{peer} does not accept connections ({reason}). Check that the adapter runs, its port and the firewall.",
    "{peer} 不接受连接（{reason}）。请检查适配器是否运行、端口和防火墙。",
)
_SILENT: Final = Text(
    "{peer} has said nothing for {timeout_ms} ms. Check that the port is that of an SHDR adapter and that it runs.",
    "{peer} 在 {timeout_ms} 毫秒内没有任何数据。请确认端口属于 SHDR 适配器且适配器正在运行。",
)
_LOST: Final = Text(
    "{peer} closed the connection. It is tried again; many adapters serve one client only.",
    "{peer} 关闭了连接。将自动重试；许多适配器只支持一个客户端。",
)
_NO_KEY: Final = Text(
    "The adapter has not sent {key!r}. Check the key in the address; some are sent only when they change.",
    "适配器尚未发送 {key!r}。请核对地址中的键；有些键仅在变化时发送。",
)
_KEYS: Final = Text(
    "Keys beyond the first 10,000 of the adapter were dropped.", "适配器超出前 10,000 个的键已丢弃。"
)  # fmt: skip
_LONG: Final = Text("A line that was too long was dropped.", "已丢弃过长的行。")
_FILE: Final = Text(
    "The device description {file} cannot be used ({reason}). Correct the file, or leave the setting empty.",
    "设备描述文件 {file} 无法使用（{reason}）。请更正文件，或将该设置留空。",
)


class ShdrConfig(Settings):
    """How to reach an adapter."""

    host: str = setting(..., "Address of the adapter", "适配器地址", min_length=1, max_length=253)
    port: int = setting(7878, "Port", "端口", ge=1, le=65535)
    device: str = setting("", "Device before the keys (`device:key`)", "键前的设备名（`device:key`）", max_length=128)
    description: Path | None = setting(None, "Device description (Devices.xml file)", "设备描述文件（Devices.xml）")
    clock: Literal["adapter", "gateway"] = setting("adapter", "Times are those of", "采用哪方的时间")
    time_offset_ms: int = setting(
        0, "Added to the adapter's times", "加到适配器时间上", unit="ms", ge=-86_400_000, le=86_400_000
    )
    timeout_ms: int = setting(4000, "Time limit of connecting", "连接时限", unit="ms", ge=100, le=60_000)
    contact_timeout_ms: int = setting(
        20_000, "Silence after which contact is lost", "判定失联的静默时间", unit="ms", ge=500, le=600_000
    )


class ShdrAddress(Settings):
    """A key of the adapter, or one number or entry of it."""

    key: str = setting(..., "Key", "键", min_length=1, max_length=256, pattern=r"^[^|\r\n]+$")
    index: int | None = setting(None, "Index of the number in a vector", "向量中的下标", ge=0, le=10_000)
    entry: str = setting("", "Entry of a data set", "数据集的键", max_length=256)
    form: Form | None = setting(None, "Form (recognised if empty)", "格式（留空自动识别）")
    values: tuple[str, ...] = setting(
        (), "Values in the order of their numbers", "取值列表（按编号顺序）", max_length=256
    )  # fmt: skip


class Shdr(Driver):
    """Listens to one adapter.

    `faults` says for each tag ordinal why its samples are bad although the adapter speaks.
    """

    name: ClassVar[str] = "shdr"
    title: ClassVar[Text] = Text("MTConnect adapter (SHDR)", "MTConnect 适配器（SHDR）")
    Config: ClassVar[type[Settings]] = ShdrConfig
    Address: ClassVar[type[Settings]] = ShdrAddress

    config: ShdrConfig

    def __init__(self, config: ShdrConfig) -> None:
        super().__init__(config)
        self._peer = f"{config.host}:{config.port}"
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._items: dict[str, Item] = {}
        self._forms: dict[str, Form] = {}
        self._feeds: dict[str, list[DriverTag]] = {}
        self._deliver: Callable[[SampleBatch], None] | None = None
        self._forget()

    def _forget(self) -> None:
        self._state: dict[str, Observation] = {}
        self._active = Active()
        self._clock = Clock(self.config.time_offset_ms, ours=self.config.clock == "gateway")
        self._lost: MainspringError | None = None
        self._pong = asyncio.Event()
        self._asked = time.perf_counter()
        self._has_heartbeat = False
        self._heard = time.monotonic()

    async def connect(self) -> None:
        """Open the connection and take in the adapter's state."""
        await self.close()
        self._forget()
        if self.config.description is not None:
            self._items = await asyncio.to_thread(_described, self.config.description)
            self._forms |= {key: form for key, item in self._items.items() if (form := _form(item))}
        reader, self._writer = await _open(self.config, self._peer)
        self._tasks = [asyncio.create_task(self._listen(reader))]
        if not await self._ping(self.config.timeout_ms) and not self._state:
            await self.close()
            raise NotConnected(_SILENT, peer=self._peer, timeout_ms=self.config.timeout_ms)
        self._tasks.append(asyncio.create_task(self._beat()))

    async def close(self) -> None:
        """Close the connection, if there is one."""
        writer, self._writer = self._writer, None
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if writer is not None:
            writer.transport.abort()

    def prepare(self, tags: Sequence[DriverTag]) -> Sequence[DriverTag]:
        """Keep the tags, and the forms their addresses declare."""
        self._forms |= {tag.address.key: tag.address.form for tag in tags if tag.address.form is not None}
        return tuple(tags)

    async def read(self, prepared: Sequence[DriverTag], time_ms: int) -> list[SampleBatch]:
        """Return the last values of all tags, after the adapter has proven that it is there."""
        self._require()
        if self._has_heartbeat and not await self._ping(self.config.timeout_ms):
            self._require()
            raise NotConnected(_SILENT, peer=self._peer, timeout_ms=self.config.timeout_ms)
        self._require()
        return self._whole(prepared, time_ms)

    async def subscribe(self, tags: Sequence[DriverTag], deliver: Callable[[SampleBatch], None]) -> None:
        """Deliver the present state, then what the adapter sends, until contact is lost."""
        self._require()
        feeds: dict[str, list[DriverTag]] = {}
        for tag in self.prepare(tags):
            feeds.setdefault(tag.address.key, []).append(tag)
        for batch in self._whole(tags, _now_ms()):
            deliver(batch)
        self._feeds, self._deliver = feeds, deliver
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._feeds, self._deliver = {}, None
        self._require()
        raise NotConnected(_LOST, peer=self._peer)

    async def browse(self, parent: str | None, limit: int) -> list[Node]:
        """List the keys the adapter has sent or its description names; numbers of vectors lie below theirs."""
        self._require()
        if parent is not None:
            numbers = _vector(self._state[parent].text) if parent in self._state else ()
            return [self._element(parent, index, number) for index, number in enumerate(numbers)][:limit]
        keys = dict.fromkeys((*self._state, *self._items))
        return [self._node(key) for key in list(keys)[:limit]]

    async def checks(self) -> AsyncIterator[Check]:
        """Test over a connection of its own: address, port, heartbeat, first value."""
        other = Shdr(self.config)
        names = (
            Text("Address resolves", "地址可解析"), Text("Port is open", "端口已打开"),
            Text("Adapter speaks", "适配器有数据"),
        )  # fmt: skip
        steps = (self._resolve, self._reach, other._speaks)
        try:
            async for check in checked(list(zip(names, steps, strict=True))):
                yield check
        finally:
            await other.close()

    def _require(self) -> None:
        if self._lost is not None:
            raise self._lost
        if self._writer is None:
            raise NotConnected(_NOT_OPEN, peer=self._peer)

    async def _ping(self, timeout_ms: int) -> bool:
        """Ask for a sign of life; tells whether it came in time."""
        self._pong.clear()
        if self._writer is None:
            return False
        self._send_ping(self._writer)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self._pong.wait()
        except TimeoutError:
            return False
        return self._lost is None

    def _send_ping(self, writer: asyncio.StreamWriter) -> None:
        writer.write(_PING)
        self.traffic.requests += 1
        self.traffic.bytes_out += len(_PING)
        self._asked = time.perf_counter()

    async def _beat(self) -> None:
        """Ask for signs of life; ends when they fail to come. An adapter that never gives any is left alone."""
        contact_ms = self.config.contact_timeout_ms
        while True:
            await asyncio.sleep(contact_ms / 3000)
            silent_ms = (time.monotonic() - self._heard) * 1000
            if self._has_heartbeat and silent_ms > contact_ms:
                self._lost = NotConnected(_SILENT, peer=self._peer, timeout_ms=contact_ms)
                return
            if self._has_heartbeat and self._writer is not None:
                self._send_ping(self._writer)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Take lines in until the connection ends."""
        lines = Lines()
        try:
            while received := await reader.read(READ_BYTES):
                self.traffic.bytes_in += len(received)
                self._heard = time.monotonic()
                self._take(lines, received)
        except OSError:
            pass
        self._lost = NotConnected(_LOST, peer=self._peer)
        self._pong.set()

    def _take(self, lines: Lines, received: bytes) -> None:
        now_ms = _now_ms()
        gathered = Gathered(self.faults, self.host.keep_blob)
        try:
            for line in lines.take(received):
                self._take_line(line, now_ms, gathered)
        except DecodeError:
            self.traffic.errors += 1
            self.refuse(_LONG)
        if self._deliver is not None:
            for batch in gathered.batches():
                self.traffic.samples += len(batch)
                self._deliver(batch)

    def _take_line(self, line: str, now_ms: int, gathered: Gathered) -> None:
        prefix = f"{self.config.device}:" if self.config.device else ""
        parsed = parse_line(line, self._forms, prefix)
        if parsed.command.upper().startswith("PONG"):
            # Of every ping: the first one's answer comes behind the whole state, and tells little of the days after.
            self.traffic.round_trip_ms = (time.perf_counter() - self._asked) * 1000
            self._has_heartbeat = True
            self._pong.set()
        if parsed.command:
            return
        time_ms = self._clock.time_ms(parsed.time, now_ms)
        if time_ms is None:
            self.refuse(NO_TIME)
            return
        if parsed.incomplete:
            self.refuse(NO_VALUE)
        for observation in parsed.observations:
            key = observation.item
            if key not in self._state and len(self._state) >= KEYS_MAX:
                self.refuse(_KEYS)
                continue
            told = self._active.worst(observation) if observation.level else observation
            known = self._state.get(key)
            if told.entries and known is not None and known.entries:
                told = _with_known(told, known)
            self._state[key] = told
            for tag in self._feeds.get(key, ()):
                if not tag.address.entry or tag.address.entry in (observation.entries or ()):
                    gathered.add(tag, told, self._values(tag), time_ms)

    def _whole(self, tags: Sequence[DriverTag], time_ms: int) -> list[SampleBatch]:
        gathered = Gathered(self.faults, self.host.keep_blob)
        for tag in tags:
            told = self._state.get(tag.address.key)
            if told is None:
                gathered.lack(tag, q.BAD_WAITING, _NO_KEY.format(key=tag.address.key), time_ms)
            else:
                gathered.add(tag, told, self._values(tag), time_ms)
        batches = gathered.batches()
        self.traffic.samples += sum(map(len, batches))
        return batches

    def _values(self, tag: DriverTag) -> tuple[str, ...]:
        """Return the values of an enumeration: its own, or those its description admits."""
        own: tuple[str, ...] = tag.address.values
        item = self._items.get(tag.address.key)
        return own or (item.vocabulary if item is not None and item.category == "EVENT" else ())

    def _node(self, key: str) -> Node:
        item, told = self._items.get(key), self._state.get(key)
        text = told.text if told is not None else ""
        shown = "" if told is None or UNAVAILABLE in (text, told.level) else spoken(told) if told.level else text
        vector = bool(_vector(text))
        unit = unit_of(item.native_units or item.units) if item else ""
        words = " ".join(filter(None, (item.category, item.type, item.sub_type))) if item else ""
        kind = kind_of(item.category, item.type, item.units, tuple(item.values)) if item else _guess(told)
        address: dict[str, object] = {"key": key}
        if item and kind is SampleKind.ENUMERATION and item.category == "EVENT":
            address["values"] = list(item.vocabulary)
        return Node(key, key, vector, SampleKind.ARRAY if vector else kind, address, unit, words, value=shown[:120])

    def _element(self, key: str, index: int, number: str) -> Node:
        item = self._items.get(key)
        unit = unit_of(item.native_units or item.units) if item else ""
        address = {"key": key, "index": index}
        return Node(f"{key}/{index}", f"{key} {AXES[index]}", False, SampleKind.FLOAT, address, unit, value=number)

    async def _resolve(self) -> Text:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                self.config.host, self.config.port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:
            raise NotConnected(_UNKNOWN_HOST, host=self.config.host, reason=reason_of(error)) from error
        return Text("{address}", "{address}").format(address=found[0][4][0])

    async def _reach(self) -> Text:
        _, writer = await _open(self.config, self._peer)
        writer.transport.abort()
        return Text("{peer} accepts connections", "{peer} 接受连接").format(peer=self._peer)

    async def _speaks(self) -> Text:
        await self.connect()
        beat = Text("{keys} keys, with heartbeat", "{keys} 个键，有心跳")
        mute = Text("{keys} keys, no heartbeat: a cut is seen late", "{keys} 个键，无心跳：断线会较晚发现")
        return (beat if self._has_heartbeat else mute).format(keys=len(self._state))


def _with_known(told: Observation, known: Observation) -> Observation:
    """Return an observation of a data set with the entries known before."""
    return told._replace(entries={**(known.entries or {}), **(told.entries or {})})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _open(config: ShdrConfig, peer: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(config.timeout_ms / 1000):
            reader, writer = await asyncio.open_connection(config.host, config.port)
        # Where an adapter has no heartbeat, the system's own probes find a cut in the end.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return reader, writer
    except TimeoutError as error:
        raise NotConnected(_SILENT, peer=peer, timeout_ms=config.timeout_ms) from error
    except (socket.gaierror, UnicodeError) as error:
        raise NotConnected(_UNKNOWN_HOST, host=config.host, reason=reason_of(error)) from error
    except OSError as error:
        raise NotConnected(_REFUSED, peer=peer, reason=reason_of(error)) from error


def _described(file: Path) -> dict[str, Item]:
    """Read a description of devices: its data items by the key adapters use for them."""
    try:
        with file.open("rb") as opened:
            _, devices = read_devices(opened.read(FILE_BYTES_MAX))
    except OSError as error:
        raise Rejected(_FILE, file=file.name, reason=reason_of(error)) from error
    except DecodeError as error:
        raise Rejected(_FILE, file=file.name, reason=error.text.en) from error
    return {item.source or item.name or item.id: item for device in devices for item in device.all_items()}


def _form(item: Item) -> Form | None:
    if item.category == "CONDITION":
        return Form.CONDITION
    return Form.MESSAGE if item.type == "MESSAGE" else None


def _guess(told: Observation | None) -> SampleKind:
    if told is not None and told.level:
        return SampleKind.ENUMERATION
    try:
        float(told.text if told is not None else "")
    except ValueError:
        return SampleKind.TEXT
    return SampleKind.FLOAT


def _vector(text: str) -> tuple[str, ...]:
    """Return the numbers of a place in space, or nothing."""
    numbers = tuple(text.split())
    if len(numbers) != len(AXES):
        return ()
    return numbers if all(number.lstrip("+-").replace(".", "", 1).isdecimal() for number in numbers) else ()
