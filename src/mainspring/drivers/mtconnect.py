"""MTConnect: an agent's observations as they come, each change with the time the machine gave it.

The agent numbers its observations and keeps the latest of them. After a cut the driver goes on at the number it had, so
that nothing is lost which the agent still keeps; what it no longer keeps is counted and the present state is asked for.
Source: MTConnect Standard, Part 1, sections on HTTP requests (probe, current, sample) and on streaming.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import quote, urlencode

from mainspring.core import quality as q
from mainspring.core.drivers import Check, Driver, DriverTag, Node, Settings, Traffic, checked, setting
from mainspring.core.errors import DecodeError, NotConnected, Rejected
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.drivers.mtconnect_browse import children
from mainspring.drivers.mtconnect_http import Http, Place, resolve
from mainspring.drivers.mtconnect_samples import Active, Gathered
from mainspring.drivers.mtconnect_xml import Answer, Component, Header, Item, read_devices, read_streams

OUT_OF_RANGE: Final = "OUT_OF_RANGE"
MALFORMED_MAX: Final = 10
"""Malformed documents in a row after which the connection is given up."""
POSITIONS: Final = "mtconnect-positions"

_NOT_OPEN: Final = Text("There is no connection to {peer}. It is tried again.", "与 {peer} 没有连接，将自动重试。")
_NOT_AGENT: Final = Text(
    "{peer} answered the probe with status {status}. Check that the URL is that of an MTConnect agent.",
    "{peer} 对 probe 请求返回状态 {status}。请确认该地址属于 MTConnect 代理。",
)
_ERROR: Final = Text(
    "The agent {peer} refuses the request: {code} ({words}). Correct the connection's settings.",
    "代理 {peer} 拒绝请求：{code}（{words}）。请修改连接设置。",
)
_NO_DEVICE: Final = Text(
    "The agent {peer} has no device {device!r}; it has {known}. Correct the device in the settings.",
    "代理 {peer} 没有设备 {device!r}，现有 {known}。请在设置中更正设备。",
)
_NO_ITEM: Final = Text(
    "The agent has no data item {item!r}. Correct the address, or choose one by browsing.",
    "代理没有数据项 {item!r}。请更正地址，或通过浏览选择。",
)
_WAITING: Final = Text(
    "The agent has sent no value of this data item yet. Check that the machine's adapter is connected to the agent.",
    "代理尚未发送该数据项的值。请检查设备适配器是否已连接到代理。",
)
_RESTARTED: Final = Text(
    "The agent was restarted; what it had not sent before is lost. The present state was asked for.",
    "代理已重启，此前未发送的观测已丢失；已重新读取当前状态。",
)
_OVERRUN: Final = Text(
    "The agent no longer keeps observations from before; they are lost. Give it a larger buffer if cuts last so long.",
    "代理已不再保留之前的观测，这些观测已丢失。若中断常持续这么久，请增大代理缓冲区。",
)
_GARBLED: Final = Text(
    "{peer} sent {count} malformed documents in a row. The connection is set up anew; update the agent.",
    "{peer} 连续发送了 {count} 个格式错误的文档。系统会重新连接；请升级代理。",
)
_ENDED: Final = Text(
    "{peer} ended the stream. The connection is set up anew; if it persists, read the agent's log.",
    "{peer} 结束了数据流。系统会重新连接；若持续出现，请查看代理日志。",
)
_MALFORMED: Final = Text("A malformed document was dropped.", "已丢弃格式错误的文档。")


class MtconnectConfig(Settings):
    """How to reach an agent."""

    url: str = setting(
        ..., "URL of the agent", "代理地址", pattern=r"^https?://[^@/\s?#]+(/[^\s?#]*)?$", max_length=1024
    )
    device: str = setting("", "Device (name or UUID; all if empty)", "设备（名称或 UUID；留空为全部）", max_length=256)
    interval_ms: int = setting(500, "Interval of the stream", "数据流间隔", unit="ms", ge=0, le=60_000)
    timeout_ms: int = setting(4000, "Time limit of a request", "请求时限", unit="ms", ge=100, le=60_000)
    contact_timeout_ms: int = setting(
        10_000, "Silence after which contact is lost", "判定失联的静默时间", unit="ms", ge=500, le=600_000
    )
    count: int = setting(1000, "Observations in one document", "单个文档的观测数", ge=1, le=100_000)
    document_bytes_max: int = setting(
        16 * 1024**2, "Largest document", "文档大小上限", unit="By", ge=64 * 1024, le=256 * 1024**2
    )
    authority: Path | None = setting(None, "Certificate authority (file)", "证书颁发机构（文件）")


class MtconnectAddress(Settings):
    """A data item, or one number or entry of it."""

    item: str = setting(..., "Data item (id or name)", "数据项（标识或名称）", min_length=1, max_length=256)
    index: int | None = setting(None, "Index of the number in a vector", "向量中的下标", ge=0, le=10_000)
    entry: str = setting("", "Entry of a data set", "数据集的键", max_length=256)
    values: tuple[str, ...] = setting(
        (), "Values in the order of their numbers (the standard's if empty)", "取值列表（按编号顺序；留空按标准）",
        max_length=256,
    )  # fmt: skip


@dataclass(slots=True)
class Plan:
    """Which tags each data item feeds; filled in once the agent's description is known."""

    tags: tuple[DriverTag, ...]
    feeds: dict[str, list[tuple[DriverTag, tuple[str, ...]]]]
    unknown: list[DriverTag]
    description: object = None


class Mtconnect(Driver):
    """Speaks MTConnect to one agent.

    `faults` says for each tag ordinal why its samples are bad although the agent answers.
    """

    name: ClassVar[str] = "mtconnect"
    title: ClassVar[Text] = Text("MTConnect agent", "MTConnect 代理")
    Config: ClassVar[type[Settings]] = MtconnectConfig
    Address: ClassVar[type[Settings]] = MtconnectAddress

    config: MtconnectConfig

    def __init__(self, config: MtconnectConfig) -> None:
        super().__init__(config)
        self._place = Place.of(config.url)
        self._http: Http | None = None
        self._devices: list[Component] = []
        self._items: dict[str, Item] = {}
        self._active = Active()

    async def connect(self) -> None:
        """Ask the agent what it has."""
        await self.close()
        http = self._new_http(self.traffic)
        _, self._devices = await self._probe(http)
        found = [item for device in self._devices for item in device.all_items()]
        self._items = {item.name: item for item in reversed(found) if item.name} | {item.id: item for item in found}
        self._http = http

    async def close(self) -> None:
        """End every request."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def prepare(self, tags: Sequence[DriverTag]) -> Plan:
        """Keep the tags; their data items are looked up at the first reading."""
        return Plan(tuple(tags), {}, [])

    async def read(self, prepared: Plan, time_ms: int) -> list[SampleBatch]:
        """Read the present state of all tags."""
        http = self._open
        if not prepared.tags:
            return []
        self._look_up(prepared)
        answer = await self._document(http, "/current", prepared)
        self._active.forget()
        batches = self._gather(prepared, answer, time_ms, whole=True)
        self.traffic.samples += sum(map(len, batches))
        return batches

    async def subscribe(self, tags: Sequence[DriverTag], deliver: Callable[[SampleBatch], None]) -> None:
        """Deliver observations as the agent sends them; ends by raising only."""
        http, plan = self._open, self.prepare(tags)
        self._look_up(plan)
        positions = self.host.parts.setdefault(POSITIONS, {})
        key = (self.host.tenant, self.config.url, self.config.device, min(tag.ordinal for tag in tags))
        seamless = key in positions and await self._catch_up(http, plan, positions, key, deliver)
        while True:
            answer = await self._document(http, "/current", plan)
            header = self._headed(answer)
            self._active.forget()
            self._deliver(self._gather(plan, answer, _now(header), whole=True), deliver)
            if not seamless:
                positions[key] = (header.instance, header.next)
            seamless = False
            await self._follow(http, plan, positions, key, deliver)

    async def browse(self, parent: str | None, limit: int) -> list[Node]:
        """List devices, their parts and data items; None is the agent."""
        answer = await self._document(self._open, "/current", None)
        return children(self._devices, parent, answer.observations, limit)

    async def checks(self) -> AsyncIterator[Check]:
        """Test in the order address, port, description of the agent, first value."""
        http = self._new_http(Traffic())
        steps: list[tuple[Text, Callable[[], Awaitable[Text]]]] = [
            (Text("Address resolves", "地址可解析"), self._resolve),
            (Text("Port is open", "端口已打开"), lambda: self._reach(http)),
            (Text("Agent describes its devices", "代理可描述其设备"), lambda: self._describe(http)),
            (Text("First value", "首个值"), lambda: self._first_value(http)),
        ]
        try:
            async for check in checked(steps):
                yield check
        finally:
            http.close()

    @property
    def _open(self) -> Http:
        if self._http is None:
            raise NotConnected(_NOT_OPEN, peer=self._place.peer)
        return self._http

    def _new_http(self, traffic: Traffic) -> Http:
        config = self.config
        return Http(self._place, config.timeout_ms, config.document_bytes_max, traffic, config.authority)

    def _path(self, request: str, **query: int) -> str:
        device = f"/{quote(self.config.device, safe='')}" if self.config.device else ""
        return f"{device}{request}" + (f"?{urlencode(query)}" if query else "")

    async def _probe(self, http: Http) -> tuple[Header | None, list[Component]]:
        response = await http.get(self._path("/probe"))
        try:
            header, devices = read_devices(response.body)
        except DecodeError as error:
            self._refused(_errors(response.body))
            if response.status != 200:
                raise NotConnected(_NOT_AGENT, peer=self._place.peer, status=response.status) from error
            raise
        wanted = self.config.device
        if wanted and not any(wanted in (device.name, device.uuid) for device in devices):
            known = ", ".join(device.name for device in devices)[:200] or "-"
            raise Rejected(_NO_DEVICE, peer=self._place.peer, device=wanted, known=known)
        return header, devices

    async def _document(self, http: Http, request: str, plan: Plan | None) -> Answer:
        response = await http.get(self._path(request))
        answer = read_streams(response.body, None if plan is None else plan.feeds)
        self._refused(answer.errors)
        self._headed(answer)
        return answer

    def _refused(self, errors: list[tuple[str, str]]) -> None:
        for code, words in errors:
            raise Rejected(_ERROR, peer=self._place.peer, code=code, words=words)

    def _headed(self, answer: Answer) -> Header:
        if answer.header is None:
            raise NotConnected(_ENDED, peer=self._place.peer)
        return answer.header

    def _look_up(self, plan: Plan) -> None:
        """Find the data items of the tags; a description that came anew is looked up anew."""
        if plan.description is self._items:
            return
        plan.description, plan.feeds, plan.unknown = self._items, {}, []
        for tag in plan.tags:
            item = self._items.get(tag.address.item)
            if item is None:
                plan.unknown.append(tag)
                continue
            own = tag.address.values or (item.vocabulary if item.category == "EVENT" else ())
            plan.feeds.setdefault(item.id, []).append((tag, own))

    def _gather(self, plan: Plan, answer: Answer, time_ms: int, *, whole: bool) -> list[SampleBatch]:
        """Make samples: of a `whole` state at its time, with all that is missing; else at the machine's own times."""
        gathered = Gathered(self.faults, self.host.keep_blob)
        latest = {}
        for observation in answer.observations:
            told = self._active.worst(observation) if observation.level else observation
            if whole:
                latest[told.item] = told
                continue
            at = time_ms if told.time_ms is None else told.time_ms
            for tag, values in plan.feeds.get(told.item, ()):
                if not tag.address.entry or tag.address.entry in (told.entries or ()):
                    gathered.add(tag, told, values, at)
        if whole:
            for item, feeds in plan.feeds.items():
                for tag, values in feeds:
                    if item in latest:
                        gathered.add(tag, latest[item], values, time_ms)
                    else:
                        gathered.lack(tag, q.BAD_WAITING, _WAITING, time_ms)
            for tag in plan.unknown:
                gathered.lack(tag, q.BAD_CONFIGURATION, _NO_ITEM.format(item=tag.address.item), time_ms)
        return gathered.batches()

    def _deliver(self, batches: list[SampleBatch], deliver: Callable[[SampleBatch], None]) -> None:
        for batch in batches:
            self.traffic.samples += len(batch)
            deliver(batch)

    async def _catch_up(
        self, http: Http, plan: Plan, positions: dict[object, tuple[str, int]], key: object,
        deliver: Callable[[SampleBatch], None],
    ) -> bool:  # fmt: skip
        """Fetch what came since contact was lost; False where the agent no longer has all of it."""
        while True:
            instance, position = positions[key]
            path = self._path("/sample", **{"from": position, "count": self.config.count})
            answer = read_streams((await http.get(path)).body, plan.feeds)
            header = self._taken(answer, instance)
            if header is None:
                return False
            self._deliver(self._gather(plan, answer, _now(header), whole=False), deliver)
            positions[key] = (instance, header.next)
            if header.next <= position:
                return True

    async def _follow(
        self, http: Http, plan: Plan, positions: dict[object, tuple[str, int]], key: object,
        deliver: Callable[[SampleBatch], None],
    ) -> None:  # fmt: skip
        """Deliver the stream from a position on; returns when the present state has to be asked for again."""
        instance, position = positions[key]
        contact_ms = self.config.contact_timeout_ms
        query = {"from": position, "interval": self.config.interval_ms, "count": self.config.count}
        path = self._path("/sample", **query, heartbeat=max(contact_ms // 3, 1))
        malformed = 0
        async for document in http.stream(path, contact_ms):
            try:
                answer = read_streams(document, plan.feeds)
            except DecodeError as error:
                malformed += 1
                self.traffic.errors += 1
                self.refuse(_MALFORMED)
                if malformed >= MALFORMED_MAX:
                    raise NotConnected(_GARBLED, peer=self._place.peer, count=malformed) from error
                continue
            malformed = 0
            header = self._taken(answer, instance)
            if header is None:
                return
            positions[key] = (instance, header.next)
            self._deliver(self._gather(plan, answer, _now(header), whole=False), deliver)
        raise NotConnected(_ENDED, peer=self._place.peer)

    def _taken(self, answer: Answer, instance: str) -> Header | None:
        """Return the header of an answer that follows what was read; None where there is a gap, which is counted."""
        if any(code == OUT_OF_RANGE for code, _ in answer.errors):
            restarted = answer.header is not None and answer.header.instance != instance
            self.refuse(_RESTARTED if restarted else _OVERRUN)
            return None
        self._refused(answer.errors)
        header = self._headed(answer)
        if header.instance != instance:
            self.refuse(_RESTARTED)
            return None
        return header

    async def _resolve(self) -> Text:
        address = await resolve(self._place, self.config.timeout_ms)
        return Text("{address}", "{address}").format(address=address)

    async def _reach(self, http: Http) -> Text:
        await http.reach()
        accepted = Text("{peer} accepts connections", "{peer} 接受连接")
        return accepted.format(peer=self._place.peer)

    async def _describe(self, http: Http) -> Text:
        header, devices = await self._probe(http)
        described = Text(
            "version {version}: {devices}; {items} data items", "版本 {version}：{devices}，{items} 个数据项"
        )
        items = sum(len(device.all_items()) for device in devices)
        names = ", ".join(device.name for device in devices)[:200]
        return described.format(version=header.version if header else "-", devices=names, items=items)

    async def _first_value(self, http: Http) -> Text:
        answer = await self._document(http, "/current", None)
        available = [each for each in answer.observations if "UNAVAILABLE" not in (each.text, each.level)]
        told = Text("{available} of {items} data items have a value", "{items} 个数据项中 {available} 个有值")
        return told.format(available=len(available), items=len(answer.observations))


def _now(header: Header) -> int:
    """Return the agent's time of a document, by which its observations are timed too."""
    return header.time_ms if header.time_ms is not None else time.time_ns() // 1_000_000


def _errors(document: bytes) -> list[tuple[str, str]]:
    """Return the errors of a document that was to be something else."""
    try:
        return read_streams(document, ()).errors
    except DecodeError:
        return []
