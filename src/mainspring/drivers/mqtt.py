"""MQTT with JSON payloads: devices on the gateway's own listener, or any other broker.

Samples come as devices send them; a write publishes a command and is read back by what the device reports next.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, ClassVar, Final, Literal

import numpy as np
import orjson
from pydantic import field_validator

from mainspring.core import quality as q
from mainspring.core.drivers import Check, Driver, DriverTag, Node, Settings, Trial, Value, checked, setting
from mainspring.core.errors import MainspringError, NotConnected, Rejected
from mainspring.core.faults import fault
from mainspring.core.kinds import Column, Origin, SampleKind
from mainspring.core.samples import SampleBatch, build
from mainspring.core.text import Text
from mainspring.drivers.mqtt_mapping import PATH, Layout, Mapping, TimeFormat, compiled, trial
from mainspring.drivers.mqtt_packets import Message, valid_filter, valid_topic
from mainspring.drivers.mqtt_session import MqttSettings, Session, session

PLACE: Final = "{value}"
KEPT_AFTER_MS: Final = 3_600_000
"""A sample that is older than this when it comes was kept by the device: it is history, not news."""
LOOK_S: Final = 0.02
_EMPTY: Final[dict[Column, Any]] = {Column.FLOAT64: math.nan, Column.INT64: 0, Column.TEXT: ""}

_NO_FILTER: Final = Text(
    "{text} is not a topic filter: + stands for one level, # for all that follow.",
    "{text} 不是主题过滤器：+ 代表一级，# 代表其后全部。",
)
_NO_TOPIC: Final = Text(
    "{topic} is not a topic: it has neither + nor #, and no level is too long.",
    "{topic} 不是主题：不得含 + 或 #，且不得过长。",
)
_NO_JSON: Final = Text("With a number for {place} it is not JSON.", "将 {place} 换成数字后不是 JSON。")
_NO_PLACE: Final = Text("It has no {place}.", "缺少 {place}。")
_CLOSED: Final = Text("The connection is closed; it is made anew.", "连接已关闭，将重新建立。")
_UNSEEN: Final = Text(
    "The device has not sent this value yet. Compare topic and path with what it sends.",
    "设备尚未发送该值。请核对主题和路径。",
)
_NO_COMMAND: Final = Text(
    "The tag {topic} {path} has no command topic. Enter the topic on which the device takes commands.",
    "标签 {topic} {path} 没有命令主题。请填写设备接收命令的主题。",
)
_NO_MESSAGE: Final = Text(
    "No message came to {filters} within {seconds:g} s. Compare the topic with what the device sends; "
    "a device that sends seldom needs a longer time limit.",
    "{seconds:g} 秒内 {filters} 没有收到消息。请核对设备发送的主题；发送较少的设备需要更长的时限。",
)
_NO_VALUE: Final = Text(
    "The message on {topic} holds nothing for the mapping: {reason}",
    "主题 {topic} 的消息不符合映射：{reason}",
)


class MqttConfig(MqttSettings):
    """A broker, the topics to read, and where values are in their messages."""

    topics: tuple[str, ...] = setting(("#",), "Topic filters", "主题过滤器", min_length=1, max_length=20)
    qos: Literal[0, 1] = setting(1, "Quality of service", "服务质量等级")
    layout: Literal["values", "list"] = setting(
        "values", "Layout (values at paths, or a list of measurements)", "消息结构（按路径取值，或测量列表）"
    )
    list_path: str = setting("", "Path of the list", "列表路径", pattern=PATH, max_length=500)
    name_path: str = setting("name", "Name in a measurement", "测量的名称字段", pattern=PATH, max_length=500)
    value_path: str = setting("value", "Value in a measurement", "测量的数值字段", pattern=PATH, max_length=500)
    time_path: str = setting(
        "", "Path of the time (empty: arrival)", "时间路径（留空：到达时间）", pattern=PATH, max_length=500
    )
    time_format: TimeFormat = setting("ms", "Form of the time", "时间格式")
    quality_path: str = setting(
        "", "Path of the quality (empty: good)", "质量路径（留空：良好）", pattern=PATH, max_length=500
    )
    quality_good: tuple[str, ...] = setting(
        ("good", "ok", "true", "192"), "What means good", "表示良好的值", min_length=1, max_length=20
    )

    @field_validator("topics")
    @classmethod
    def _filters(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        for text in topics:
            if not valid_filter(text):
                raise fault(_NO_FILTER.format(text=text))
        return topics

    @property
    def filters(self) -> tuple[tuple[str, int], ...]:
        """Topic filters with their QoS."""
        return tuple((text, self.qos) for text in self.topics)

    @property
    def compiled(self) -> Layout:
        """The mapping with compiled paths."""
        return Layout(
            self.layout == "list", compiled(self.list_path), compiled(self.name_path), compiled(self.value_path),
            compiled(self.time_path), self.time_format, compiled(self.quality_path),
            frozenset(word.lower() for word in self.quality_good),
        )  # fmt: skip


class MqttAddress(Settings):
    """A value of a topic's messages, and how to command it."""

    topic: str = setting(..., "Topic", "主题", min_length=1, max_length=1024)
    path: str = setting(
        "",
        "Path of the value, or its name in a list (empty: the whole message)",
        "值的路径或列表中的名称（留空：整条消息）",
        max_length=500,
    )
    command_topic: str = setting("", "Command topic", "命令主题", max_length=1024)
    command: str = setting(
        '{"value": {value}}', "Command as JSON with {value}", "命令 JSON，含 {value}", max_length=2000
    )

    @field_validator("topic", "command_topic")
    @classmethod
    def _topic(cls, topic: str) -> str:
        if topic and not valid_topic(topic):
            raise fault(_NO_TOPIC.format(topic=topic))
        return topic

    @field_validator("command")
    @classmethod
    def _template(cls, command: str) -> str:
        try:
            orjson.loads(command.replace(PLACE, "0"))
        except orjson.JSONDecodeError as error:
            raise fault(_NO_JSON.format(place=PLACE)) from error
        if PLACE not in command:
            raise fault(_NO_PLACE.format(place=PLACE))
        return command


class Mqtt(Driver):
    """Reads JSON messages of one broker, or of the listener."""

    name: ClassVar[str] = "mqtt"
    title: ClassVar[Text] = Text("MQTT (JSON)", "MQTT（JSON）")
    Config: ClassVar[type[Settings]] = MqttConfig
    Address: ClassVar[type[Settings]] = MqttAddress

    config: MqttConfig

    def __init__(self, config: MqttConfig) -> None:
        super().__init__(config)
        self._session: Session | None = None
        self._mapping = Mapping(config.compiled, self.refuse, self.faults)
        self._tags: dict[int, DriverTag] = {}
        self._last: dict[int, tuple[Any, int]] = {}
        self._deliver: Callable[[SampleBatch], None] | None = None
        self._receiving: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Open the session; messages are asked for when tags are known."""
        await self.close()
        self._mapping.keep_blob = self.host.keep_blob
        opened = session(self.config, self.host, self.traffic, self.refuse)
        await opened.open()
        self._session = opened

    @property
    def _open(self) -> Session:
        if self._session is None:
            raise NotConnected(_CLOSED)
        return self._session

    def prepare(self, tags: Sequence[DriverTag]) -> list[DriverTag]:
        """Nothing is asked of the device: it sends by itself."""
        return list(tags)

    async def subscribe(self, tags: Sequence[DriverTag], deliver: Callable[[SampleBatch], None]) -> None:
        """Deliver what messages hold for the tags until contact is lost."""
        await self._end_receiving()
        self._plan(tags)
        self._deliver = deliver
        try:
            await self._open.subscribe(self.config.filters, self._take)
        finally:
            self._deliver = None

    def _plan(self, tags: Sequence[DriverTag]) -> None:
        self._tags = {tag.ordinal: tag for tag in tags}
        self._mapping.plan(tags)
        for ordinal in self._last.keys() - self._tags.keys():
            del self._last[ordinal]

    def _take(self, messages: list[Message]) -> None:
        now_ms = time.time_ns() // 1_000_000
        for batch in self._mapping.take(messages, now_ms):
            self.traffic.samples += len(batch)
            self._last.update(
                zip(batch.tag.tolist(), zip(batch.value.tolist(), batch.quality.tolist(), strict=True), strict=True)
            )
            if self._deliver is not None:
                self._deliver_in_order(batch, now_ms)

    def _deliver_in_order(self, batch: SampleBatch, now_ms: int) -> None:
        """Deliver what is fresh; what a device kept while it was away goes to its own place in the history."""
        assert self._deliver is not None
        old = batch.time < now_ms - KEPT_AFTER_MS
        if old.any():
            self.host.late(batch.take(old))
            batch = batch.take(~old)
        if len(batch):
            self._deliver(batch)

    async def read(self, prepared: list[DriverTag], time_ms: int) -> list[SampleBatch]:
        """Return what the device last reported, waiting a while for what has not come yet."""
        opened = self._open
        await opened.probe()
        if self._deliver is None:
            if any(self._tags.get(tag.ordinal) != tag for tag in prepared):
                self._plan([*(self._tags | {tag.ordinal: tag for tag in prepared}).values()])
            if self._receiving is None:
                self._receiving = asyncio.ensure_future(opened.subscribe(self.config.filters, self._take))
        deadline = time.monotonic() + self.config.timeout_ms / 1000
        while not all(tag.ordinal in self._last for tag in prepared) and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_S)
            if self._receiving is not None and self._receiving.done():
                break
        if self._receiving is not None and self._receiving.done():
            self._receiving.result()
        return self._known(prepared, time_ms)

    def _known(self, tags: Sequence[DriverTag], time_ms: int) -> list[SampleBatch]:
        batches = []
        for column in Column:
            chosen = [tag for tag in tags if tag.kind.column is column]
            if not chosen:
                continue
            values: Any = np.empty(len(chosen), dtype=object)
            levels = []
            for place, tag in enumerate(chosen):
                values[place], level = self._last.get(tag.ordinal, (_EMPTY[column], q.BAD_WAITING))
                levels.append(level)
                if tag.ordinal not in self._last:
                    self.faults[tag.ordinal] = _UNSEEN
            kinds: dict[Column, Any] = {Column.FLOAT64: np.float64, Column.INT64: np.int64, Column.TEXT: object}
            ordinals = [tag.ordinal for tag in chosen]
            batches.append(build(column, ordinals, time_ms, values.astype(kinds[column]), levels, Origin.MACHINE))
        self.traffic.samples += sum(map(len, batches))
        return batches

    async def write(self, items: Sequence[tuple[DriverTag, Value]]) -> list[MainspringError | None]:
        """Publish a command for each item; what the device reports next is what is read back."""
        opened = self._open

        async def command(tag: DriverTag, value: Value) -> MainspringError | None:
            address: MqttAddress = tag.address
            if not address.command_topic:
                return Rejected(_NO_COMMAND, topic=address.topic, path=address.path)
            self._last.pop(tag.ordinal, None)
            payload = address.command.replace(PLACE, _json(tag.kind, value)).encode()
            try:
                await opened.publish(address.command_topic, payload, self.config.qos)
            except MainspringError as error:
                return error
            return None

        return list(await asyncio.gather(*(command(tag, value) for tag, value in items)))

    async def browse(self, parent: str | None, limit: int) -> list[Node]:
        """List topics that had messages; below a topic, the values of its last one."""
        seen = await self._open.look(self.config.filters)
        if parent is None:
            return [Node(topic, topic, True, description=_shortened(seen[topic])) for topic in sorted(seen)[:limit]]
        if parent not in seen:
            return []
        return list(self.try_mapping(self.config, parent, seen[parent]).nodes[:limit])

    @classmethod
    def try_mapping(cls, config: Any, topic: str, sample: bytes) -> Trial:
        """Apply the mapping to one message."""
        assert isinstance(config, MqttConfig)
        return trial(config.compiled, topic, sample, time.time_ns() // 1_000_000)

    async def checks(self) -> AsyncIterator[Check]:
        """Test from the address to a message that fits the mapping."""
        try:
            opened = session(self.config, self.host, self.traffic, self.refuse)
        except Rejected as error:
            yield Check(Text("Listener is on", "监听已启用"), False, error.text)
            return
        seen: dict[str, bytes] = {}

        async def came() -> Text:
            seen.update(await opened.look(self.config.filters))
            if not seen:
                seconds = self.config.timeout_ms / 1000
                raise NotConnected(_NO_MESSAGE, filters=", ".join(self.config.topics), seconds=seconds)
            topic = next(iter(seen))
            if len(seen) == 1:
                return Text(topic, topic)
            return Text(f"{len(seen)} topics, for example {topic}", f"{len(seen)} 个主题，例如 {topic}")

        async def fits() -> Text:
            topic = next(iter(seen))
            tried = self.try_mapping(self.config, topic, seen[topic])
            if not tried.nodes or tried.faults:
                fault = tried.faults[0]
                raise Rejected(Text(_NO_VALUE.en.format(topic=topic, reason=fault.en),
                                    _NO_VALUE.zh.format(topic=topic, reason=fault.zh)))  # fmt: skip
            first = tried.nodes[0]
            return Text(f"{topic}: {first.name} = {first.value}", f"{topic}：{first.name} = {first.value}")

        steps = [
            *opened.steps(self.config.filters),
            (Text("Messages come", "收到消息"), came),
            (Text("A message fits the mapping", "消息符合映射"), fits),
        ]
        try:
            async for check in checked(steps):
                yield check
        finally:
            await opened.close()

    async def close(self) -> None:
        """End the receiving and close the session."""
        await self._end_receiving()
        self._last.clear()
        opened, self._session = self._session, None
        if opened is not None:
            await opened.close()

    async def _end_receiving(self) -> None:
        task, self._receiving = self._receiving, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()


def _json(kind: SampleKind, value: Value) -> str:
    """Write a value as JSON; booleans as such, whatever form they came in."""
    return orjson.dumps(bool(value) if kind is SampleKind.BOOLEAN else value).decode()


def _shortened(payload: bytes) -> str:
    text = payload[:200].decode(errors="replace")
    return text if len(payload) <= 200 else f"{text}…"
