"""Sparkplug B as host application: births, values, deaths, rebirths and commands, over a broker or our own listener.

Source: Eclipse Sparkplug 3.0.0. Numbers, names and states are kept in `mqtt_sparkplug_host`; this file does the I/O.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar, Final, cast

from mainspring.core.drivers import Check, Driver, DriverTag, Node, Settings, Value, setting
from mainspring.core.errors import MainspringError, NotConnected, Rejected
from mainspring.core.samples import SampleBatch
from mainspring.core.text import Text
from mainspring.drivers.mqtt_packets import Message
from mainspring.drivers.mqtt_session import MqttSettings, Session, session
from mainspring.drivers.mqtt_sparkplug_host import DEVICE_KINDS, NAMESPACE, NODE_KINDS, Application
from mainspring.drivers.mqtt_sparkplug_nodes import Key, Known, Rows, kind_name
from mainspring.drivers.mqtt_sparkplug_payload import DataType, command, fit

PART: Final = "sparkplug"
"""Part of the gateway that holds its Sparkplug connections by broker and host, so that they know of each other."""
REBIRTH: Final = "Node Control/Rebirth"
NAME: Final = r"^[^/+#\x00]{1,200}$"
LOOK_S: Final = 0.02
"""How long a reading waits for news of a cut that the socket already knows."""
QUIET_S: Final = 3600.0

_ENDED: Final = Text("Contact with the broker has ended. It is set up anew.", "与代理的连接已结束，将自动重连。")
_ABSENT: Final = Text(
    "{metric} of {node} is not alive now. Look whether the edge node is connected.",
    "{node} 的 {metric} 当前不在线。请检查边缘节点是否已连接。",
)
_READ_ONLY: Final = Text(
    "The edge node declares {metric} as read-only, so nothing was sent. Allow writing in the edge node.",
    "边缘节点声明 {metric} 为只读，未发送任何内容。请在边缘节点上允许写入。",
)
_UNFIT: Final = Text(
    "{value} does not fit {metric}, which is {type}. Write a value of that type and within its range.",
    "{value} 与 {metric} 的类型 {type} 不符。请写入该类型范围内的数值。",
)
_ELEMENT: Final = Text(
    "{metric} is an array; elements of it cannot be written.", "{metric} 是数组，不能单独写入其中的元素。"
)
_HEARD: Final = Text(
    "{nodes} edge nodes with {metrics} metrics are known.", "已知 {nodes} 个边缘节点，共 {metrics} 个指标。"
)
_NOT_HEARD: Final = Text(
    "No edge node was heard within {seconds:g} s; they appear by themselves once they send.",
    "{seconds:g} 秒内未听到任何边缘节点；它们发送消息后会自动出现。",
)


class SparkplugConfig(MqttSettings):
    """Which broker, who we are as host, and which groups we listen to."""

    host_id: str = setting("mainspring", "Host id", "主机标识", pattern=NAME)
    groups: tuple[str, ...] = setting((), "Groups (all if empty)", "组（留空为全部）", max_length=16)
    rebirth_interval_ms: int = setting(
        5000, "Least time between two requests for rebirth of a node", "对同一节点两次重新出生请求的最短间隔",
        unit="ms", ge=100, le=600_000,
    )  # fmt: skip
    birth_timeout_ms: int = setting(
        3000, "How long a birth is waited for", "等待出生消息的时间", unit="ms", ge=100, le=8_000
    )
    write_timeout_ms: int = setting(
        1500, "How long a written value is waited for", "等待写入值回读的时间", unit="ms", ge=50, le=4_000
    )


class SparkplugAddress(Settings):
    """One metric of an edge node or of one of its devices."""

    group: str = setting(..., "Group", "组", pattern=NAME)
    node: str = setting(..., "Edge node", "边缘节点", pattern=NAME)
    device: str = setting(
        "", "Device (empty: the edge node itself)", "设备（留空：边缘节点本身）", pattern=r"^[^/+#\x00]{0,200}$"
    )
    metric: str = setting(..., "Metric", "指标", min_length=1, max_length=1024)
    index: int | None = setting(None, "Index in an array", "数组下标", ge=0, le=1_000_000)


class Sparkplug(Driver):
    """Listens to the edge nodes of one broker, or of the gateway's own listener."""

    name: ClassVar[str] = "sparkplug"
    title: ClassVar[Text] = Text("Sparkplug B", "Sparkplug B")
    Config: ClassVar[type[Settings]] = SparkplugConfig
    Address: ClassVar[type[Settings]] = SparkplugAddress

    config: SparkplugConfig

    def __init__(self, config: SparkplugConfig) -> None:
        super().__init__(config)
        interval_s = config.rebirth_interval_ms / 1000
        self.application = Application(config.host_id, interval_s, self.refuse, self.faults, self._peers)
        self.application.wake = self._wake
        self._session: Session | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._deliver: Callable[[SampleBatch], None] | None = None
        self._awake = asyncio.Event()
        self._changed = asyncio.Event()
        self._online_ms = 0

    @property
    def filters(self) -> list[tuple[str, int]]:
        """The topics a host reads; commands of others are none of them."""
        found = [(f"{NAMESPACE}/STATE/{self.config.host_id}", 1)]
        for group in self.config.groups or ("+",):
            found += [(f"{NAMESPACE}/{group}/{kind}/+", 0) for kind in NODE_KINDS]
            found += [(f"{NAMESPACE}/{group}/{kind}/+/+", 0) for kind in DEVICE_KINDS]
        return found

    async def connect(self) -> None:
        """Sign in, listen, and say that this host is online."""
        await self.close()
        made = self._session = session(self.config, self.host, self.traffic, self.refuse)
        self._online_ms = time.time_ns() // 1_000_000
        if not self.host.passing:
            # A test or a preview must not speak for the host that is at work.
            made.will = self._state(online=False)
        made.shut_out = self._shut_out
        try:
            await made.open()
            self._siblings().append(self)
            listening = asyncio.create_task(made.subscribe(self.filters, self._take), name="sparkplug")
            self._tasks = [listening, asyncio.create_task(self._tend(made), name="sparkplug-tend")]
            await asyncio.sleep(0)
            if not self.host.passing:
                await self._say_online(made)
        except BaseException:
            await self.close()
            raise

    def prepare(self, tags: Sequence[DriverTag]) -> list[DriverTag]:
        """Return the tags as they are: everything comes by itself."""
        return list(tags)

    async def read(self, prepared: list[DriverTag], time_ms: int) -> list[SampleBatch]:
        """Return the last values that came; nodes not heard yet are asked for a birth, once for a limited time."""
        await self._contact(LOOK_S)
        await self._births(prepared)
        rows = Rows(self.host.keep_blob, self.faults)
        for tag in prepared:
            known = self._known(tag)
            if known is None:
                rows.add_absent([tag], time_ms)
            else:
                rows.add(replace(known, tags=[tag]), known.value, known.quality, time_ms)
        batches = rows.batches()
        self.traffic.samples += sum(map(len, batches))
        return batches

    async def subscribe(self, tags: Sequence[DriverTag], deliver: Callable[[SampleBatch], None]) -> None:
        """Deliver what is known and then what comes, until contact is lost."""
        await self._contact()
        self._deliver = deliver
        rows = Rows(self.host.keep_blob, self.faults)
        self.application.bind(tags, rows, time.time_ns() // 1_000_000)
        self._hand_over(rows)
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            await self._contact()
        finally:
            self._deliver = None

    async def write(self, items: Sequence[tuple[DriverTag, Value]]) -> list[MainspringError | None]:
        """Send one command to each node and device, and wait a limited time until the values come back."""
        await self._contact()
        await self._births([tag for tag, _ in items])
        made = cast(Session, self._session)
        outcomes: list[MainspringError | None] = [None] * len(items)
        sent: dict[tuple[str, str, str], list[tuple[int, Known, Any]]] = {}
        for number, (tag, value) in enumerate(items):
            try:
                known, fitted = self._fitted(tag, value)
                sent.setdefault(_place(tag), []).append((number, known, fitted))
            except MainspringError as error:
                outcomes[number] = error
        for (group, node, device), values in sent.items():
            topic = f"{NAMESPACE}/{group}/DCMD/{node}/{device}" if device else f"{NAMESPACE}/{group}/NCMD/{node}"
            wanted = [(known.name, known.alias, known.kind, fitted) for _, known, fitted in values]
            try:
                await made.publish(topic, command(wanted, time.time_ns() // 1_000_000))
            except MainspringError as error:
                for number, _, _ in values:
                    outcomes[number] = error
        going = [number for number, outcome in enumerate(outcomes) if outcome is None]
        if going:
            # A device that stays silent is judged by what it shows: the caller reads it back.
            await self._until(lambda: self._shown([items[number] for number in going]), self._write_s)
        return outcomes

    async def browse(self, parent: str | None, limit: int) -> list[Node]:
        """List groups, edge nodes, devices and metrics from their births."""
        from mainspring.drivers.mqtt_sparkplug_browse import children

        await self._contact()
        if not self._nodes_known():
            await self._until(self._nodes_known, self.config.birth_timeout_ms / 1000)
            # Nodes come one after the other.
            await asyncio.sleep(min(1.0, self.config.birth_timeout_ms / 1000))
        return children([self.application, *self._peers()], parent, limit)

    async def checks(self) -> AsyncIterator[Check]:
        """Test the way to the broker in its own steps, then listen for edge nodes."""
        tested: Session | None = None
        other = Sparkplug(self.config)
        other.host = self.host
        try:
            began = time.perf_counter()
            try:
                tested = session(self.config, self.host, other.traffic, other.refuse)
            except MainspringError as error:
                yield Check(Text("Listener is on", "监听已启用"), False, error.text)
                return
            for name, step in [*tested.steps(self.filters), (Text("Edge nodes", "边缘节点"), other._heard)]:
                if step == other._heard:
                    await tested.close()
                began = time.perf_counter()
                try:
                    detail, ok = await step(), True
                except MainspringError as error:
                    detail, ok = error.text, False
                yield Check(name, ok, detail, (time.perf_counter() - began) * 1000)
                if not ok:
                    return
        finally:
            if tested is not None:
                await tested.close()
            await other.close()

    async def close(self) -> None:
        """Say that this host is offline, unless another connection speaks for it, and close the session."""
        made, self._session = self._session, None
        tasks, self._tasks = self._tasks, []
        in_contact = bool(tasks) and not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        siblings = self._siblings()
        if self in siblings:
            siblings.remove(self)
        if made is None:
            return
        if in_contact and not siblings:
            message = self._state(online=False)
            with suppress(MainspringError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await made.publish(message.topic, message.payload, 1, retain=True)
        await made.close()

    @property
    def _write_s(self) -> float:
        return self.config.write_timeout_ms / 1000

    def _siblings(self) -> list[Sparkplug]:
        """The connections of this gateway that speak for the same host on the same broker."""
        place = f"{self.config.host}:{self.config.port}/{self.config.host_id}"
        found: list[Sparkplug] = self.host.parts.setdefault(PART, {}).setdefault(place, [])
        return found

    def _peers(self) -> Iterator[Application]:
        return (other.application for other in self._siblings() if other is not self)

    def _nodes_known(self) -> bool:
        return any(node.alive for known in (self.application, *self._peers()) for node in known.nodes.values())

    async def _heard(self) -> Text:
        """Connect and wait until an edge node is heard."""
        await self.connect()
        await self._until(self._nodes_known, self.config.birth_timeout_ms / 1000)
        known = [node for each in (self.application, *self._peers()) for node in each.nodes.values() if node.alive]
        if not known:
            return _NOT_HEARD.format(seconds=self.config.birth_timeout_ms / 1000)
        nodes = {node.key: node.metrics() for node in known}
        return _HEARD.format(nodes=len(nodes), metrics=sum(nodes.values()))

    async def _contact(self, look_s: float = 0.0) -> None:
        """Raise what ended contact, if it has ended."""
        if self._session is None or not self._tasks:
            raise NotConnected(_ENDED)
        done, _ = await asyncio.wait(self._tasks, timeout=look_s, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
            raise NotConnected(_ENDED)

    async def _births(self, tags: Sequence[DriverTag]) -> None:
        """Ask nodes that are not known yet for a birth, and wait for it a limited time."""
        unborn = {_place(tag) for tag in tags if self.application.find(_place(tag)) is None}
        for place in unborn:
            self.application.ask(place[:2])
        if unborn:
            await self._until(lambda: all(map(self.application.find, unborn)), self.config.birth_timeout_ms / 1000)

    async def _until(self, holds: Callable[[], bool], seconds: float) -> None:
        """Wait until something holds, contact ends or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    self._changed.clear()
                    waiting = asyncio.ensure_future(self._changed.wait())
                    try:
                        await asyncio.wait({*self._tasks, waiting}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        waiting.cancel()
                    await self._contact()

    def _take(self, messages: list[Message]) -> None:
        rows, late = Rows(self.host.keep_blob, self.faults), Rows(self.host.keep_blob, self.faults)
        self.application.take(messages, time.time_ns() // 1_000_000, rows, late)
        self._hand_over(rows)
        for batch in late.batches():
            self.traffic.samples += len(batch)
            self.host.late(batch)
        self._changed.set()

    def _shut_out(self, topics: list[str]) -> None:
        rows = Rows(self.host.keep_blob, self.faults)
        self.application.shut_out(topics, time.time_ns() // 1_000_000, rows)
        self._hand_over(rows)
        self._changed.set()

    def _hand_over(self, rows: Rows) -> None:
        for batch in rows.batches():
            if self._deliver is not None:
                self.traffic.samples += len(batch)
                self._deliver(batch)

    def _wake(self) -> None:
        self._awake.set()

    async def _tend(self, made: Session) -> None:
        """Request rebirths, correct our state, and bury devices that were not born again; sleeps otherwise."""
        while True:
            self._awake.clear()
            keys, following = self.application.due(time.monotonic())
            for key in keys:
                await self._request_rebirth(made, key)
            if self.application.said_offline:
                self.application.said_offline = False
                await self._say_online(made)
            rows = Rows(self.host.keep_blob, self.faults)
            self.application.bury(time.monotonic(), time.time_ns() // 1_000_000, rows)
            self._hand_over(rows)
            wait_s = QUIET_S if following is None else max(0.0, following - time.monotonic()) + 0.001
            # Not wait_for, which may swallow being cancelled.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._awake.wait()

    async def _request_rebirth(self, made: Session, key: Key) -> None:
        payload = command([(REBIRTH, None, DataType.BOOLEAN, True)], time.time_ns() // 1_000_000)
        # A node that nobody can reach now is born when it comes.
        with suppress(Rejected):
            await made.publish(f"{NAMESPACE}/{key[0]}/NCMD/{key[1]}", payload)

    async def _say_online(self, made: Session) -> None:
        message = self._state(online=True)
        try:
            await made.publish(message.topic, message.payload, 1, retain=True)
        except NotConnected:
            # One edge node that does not acknowledge our state must not keep us from all others.
            await self._contact(LOOK_S)

    def _state(self, *, online: bool) -> Message:
        payload = json.dumps({"online": online, "timestamp": self._online_ms}).encode()
        return Message(f"{NAMESPACE}/STATE/{self.config.host_id}", payload, 1, True)

    def _known(self, tag: DriverTag) -> Known | None:
        scope = self.application.find(_place(tag))
        return scope.metrics.get(tag.address.metric) if scope is not None else None

    def _fitted(self, tag: DriverTag, value: Value) -> tuple[Known, Any]:
        """Return the metric of a tag and the value in its type; raises Rejected."""
        address, known = tag.address, self._known(tag)
        if known is None:
            raise Rejected(_ABSENT, metric=address.metric, node="/".join(filter(None, _place(tag))))
        if known.read_only:
            raise Rejected(_READ_ONLY, metric=known.name)
        if address.index is not None:
            raise Rejected(_ELEMENT, metric=known.name)
        fitted = fit(known.kind, value)
        if fitted is None:
            raise Rejected(_UNFIT, value=value, metric=known.name, type=kind_name(known.kind))
        return known, fitted

    def _shown(self, items: Sequence[tuple[DriverTag, Value]]) -> bool:
        for tag, value in items:
            known = self._known(tag)
            if known is None or not _same(known.value, value):
                return False
        return True


def _place(tag: DriverTag) -> tuple[str, str, str]:
    return tag.address.group, tag.address.node, tag.address.device


def _same(shown: Any, written: Value) -> bool:
    """Tell whether a metric shows what was written, with the precision of a 32-bit float."""
    if isinstance(shown, str) or isinstance(written, str) or not isinstance(shown, int | float):
        return bool(shown == written)
    return math.isclose(shown, written, rel_tol=1e-6)
