"""Where messages of the listener's devices go: to drivers in this process, and to devices that subscribed.

A driver's subscription is an outlet. It stays for a while when its driver is away (a changed connection, a full disk):
messages of QoS 1 and 2 then wait in it, unacknowledged, and so do their senders once the room is used up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from mainspring.core.drivers import REFUSALS_MAX, Host, Traffic
from mainspring.core.errors import NotConnected, Rejected
from mainspring.core.text import Text
from mainspring.drivers.mqtt_packets import Message, matches, valid_filter
from mainspring.drivers.mqtt_session import SEEN_MAX, MqttSettings, Refuse, Session, Step, Take
from mainspring.drivers.mqtt_topics import Retained, Subscriptions

log = structlog.get_logger(__name__)

GATHER_S: Final = 0.01
AWAY_MAX_S: Final = 120.0
"""How long an outlet stays without its driver; longer than the gateway's longest pause between two attempts."""
AWAY_BYTES_MAX: Final = 8 * 1024 * 1024
"""Room of an outlet whose driver is away; beyond it senders must come back later."""
GRACE_S: Final = 60.0
"""How long after the start messages wait for a connection that reads them."""
BYTES_WAITING_MAX: Final = 64 * 1024 * 1024
ROUTES_MAX: Final = 100_000
SEEN_BYTES_MAX: Final = 4_096

STARTING: Final = Text(
    "The built-in MQTT listener is about to start; the connection waits for it.",
    "内置 MQTT 监听正在启动，连接将自动等待。",
)
UNREAD: Final = Text(
    "Messages came to a topic that no connection reads; they were acknowledged and dropped. "
    "Add the topic to a connection, or stop sending it.",
    "收到没有任何连接读取的主题的消息，已应答并丢弃。请将该主题加入某个连接，或停止发送。",
)
_AWAY: Final = Text(
    "A connection that reads the topic was away until its room was used up; devices were disconnected and keep "
    "their messages. Look why the connection is away.",
    "读取该主题的连接离线，等候空间已满；设备已断开并自行保留消息。请检查该连接为何离线。",
)
_NOT_RETAINED: Final = Text(
    "There are too many retained messages; further ones are passed on and not kept. Delete some, or send fewer.",
    "保留消息过多，新的保留消息只转发不保存。请删除一些或减少发送。",
)
_NOBODY: Final = Text(
    "No device is subscribed to {topic}, so nothing was sent. Look whether the device is connected.",
    "没有设备订阅 {topic}，未发送任何内容。请检查设备是否已连接。",
)
_UNANSWERED: Final = Text(
    "The device did not acknowledge the message on {topic} within {seconds:g} s. Look at the device.",
    "设备未在 {seconds:g} 秒内应答 {topic} 上的消息。请检查设备。",
)
_NO_DEVICES: Final = Text(
    "No device may come in yet. Add a device, and enter its name and secret in the device.",
    "尚无可接入的设备。请添加设备，并在设备中填写其名称和密钥。",
)


class Sender(Protocol):
    """Whoever waits for a message to be acknowledged."""

    def acknowledge(self, message: Message) -> None:
        """Note that a message of QoS 1 or 2 is kept."""

    def answer(self) -> None:
        """Send the acknowledgements that were noted."""

    def end(self) -> None:
        """End the connection: what was not acknowledged comes again."""


class Recipient(Protocol):
    """A device that subscribed."""

    def deliver(self, message: Message, qos: int) -> asyncio.Future[None] | None:
        """Send a message; with QoS 1 the answer is what ends when the device has acknowledged."""


class Receipt:
    """A message of QoS 1 or 2 and how many outlets have yet to keep it."""

    __slots__ = ("_left", "_message", "_sender")

    def __init__(self, sender: Sender, message: Message, outlets: int) -> None:
        self._sender = sender
        self._message = message
        self._left = outlets

    def kept(self) -> None:
        """Count one outlet; the last one acknowledges."""
        self._left -= 1
        if self._left == 0:
            self._sender.acknowledge(self._message)


class Outlet:
    """One driver's subscription: what waits for it, and what it has yet to keep."""

    def __init__(self, filters: tuple[tuple[str, int], ...]) -> None:
        self.filters = filters
        self.refuse: Refuse | None = None
        self.away_since = time.monotonic()
        self.stirred = asyncio.Event()
        self.messages: list[Message] = []
        self.receipts: list[Receipt | None] = []
        self.withheld: set[str] = set()
        self.bytes = 0

    @property
    def present(self) -> bool:
        """Tell whether a driver takes messages."""
        return self.refuse is not None

    def takes(self, topic: str) -> bool:
        """Tell whether one of the filters takes a topic."""
        return any(matches(text, topic) for text, _ in self.filters)

    def put(self, message: Message, receipt: Receipt | None) -> int:
        """Let a message wait and return the room it takes; one of QoS 0 does not wait for a driver that is away."""
        if receipt is None and self.refuse is None:
            return 0
        self.messages.append(message)
        self.receipts.append(receipt)
        self.stirred.set()
        self.bytes += len(message.payload)
        return len(message.payload)


class Visitor:
    """Someone who only looks: what comes is shown to it too, and nothing waits for it."""

    def __init__(self) -> None:
        self.stirred = asyncio.Event()
        self.messages: list[Message] = []

    def deliver(self, message: Message, qos: int) -> None:
        """Take a message, up to a limit."""
        if len(self.messages) < SEEN_MAX:
            self.messages.append(message)
            self.stirred.set()


class Route:
    """Where messages of one topic go."""

    __slots__ = ("outlets", "readers")

    def __init__(self, outlets: tuple[Outlet, ...], readers: tuple[tuple[Recipient, int], ...]) -> None:
        self.outlets = outlets
        self.readers = readers


class Hub:
    """Routes messages; the listener puts them in, sessions of drivers take them out."""

    def __init__(self) -> None:
        self.text: Text | None = STARTING
        """Why no device can come in, or None."""
        self.where = Text("-", "-")
        self.closed: Callable[[], bool] = lambda: False
        """Tells whether the gateway takes nothing in for now: then everything waits, however long."""
        self.devices: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """Returns how many devices may come in and how many are connected."""
        self.seen: dict[str, bytes] = {}
        """The last payload of each topic, within limits, for browsing."""
        self.refused: dict[Text, int] = {}
        self.coming: set[HubSession] = set()
        """Sessions of drivers that do not read yet."""
        self.answering: list[Sender] = []
        """Senders with acknowledgements that were noted and not sent: one write for all of a sender's."""
        self.bytes_waiting = 0
        self.roomy = True
        """False while devices must not be read from because too much waits."""
        self.when_roomy: Callable[[], None] = lambda: None
        self._outlets: list[Outlet] = []
        self._unread = Outlet(())
        self._grace_until = time.monotonic() + GRACE_S
        self._subscriptions: Subscriptions[Recipient] = Subscriptions()
        self._retained = Retained()
        self._routes: dict[str, Route] = {}

    # From devices

    def put(self, message: Message, sender: Sender) -> None:
        """Pass a device's message on; of QoS 1 and 2 the sender is told when it is kept."""
        topic = message.topic
        route = self._routes.get(topic) or self._route(topic)
        if len(message.payload) <= SEEN_BYTES_MAX and (topic in self.seen or len(self.seen) < SEEN_MAX):
            self.seen[topic] = message.payload
        if message.retain and not self._retained.put(message):
            self.refuse(_NOT_RETAINED)
        outlets = route.outlets
        if outlets:
            for outlet in outlets:
                if outlet.refuse is None and outlet.bytes > AWAY_BYTES_MAX and message.qos:
                    self.refuse(_AWAY)
                    sender.end()
                    return
            receipt = Receipt(sender, message, len(outlets)) if message.qos else None
            for outlet in outlets:
                self.bytes_waiting += outlet.put(message, receipt)
            if self.bytes_waiting > BYTES_WAITING_MAX:
                self.roomy = False
        elif not route.readers:
            self._put_unread(message, sender)
        elif message.qos:
            sender.acknowledge(message)
        for reader, qos in route.readers:
            reader.deliver(message, min(qos, message.qos))

    def _put_unread(self, message: Message, sender: Sender) -> None:
        if self._unread.bytes > AWAY_BYTES_MAX:
            self.refuse(_AWAY)
            sender.end()
            return
        if message.qos and (time.monotonic() < self._grace_until or self.closed()):
            # Connections may be on their way: what nobody reads yet is not acknowledged yet.
            self.bytes_waiting += self._unread.put(message, Receipt(sender, message, 1))
            return
        self.refuse(UNREAD)
        if message.qos:
            sender.acknowledge(message)

    def withhold(self, will: Message) -> None:
        """Tell drivers that who would have said this was shut out; nobody gets the message itself."""
        for outlet in self._outlets:
            if outlet.takes(will.topic):
                outlet.withheld.add(will.topic)
                outlet.stirred.set()

    def subscribe(self, recipient: Recipient, text: str, qos: int) -> list[Message]:
        """Enter a device's filter; returns the retained messages it gets at once."""
        self._subscriptions.add(text, recipient, qos)
        self._forget_routes(text)
        return self._retained.matching(text)

    def unsubscribe(self, recipient: Recipient, text: str) -> None:
        """Take a device's filter out."""
        self._subscriptions.remove(text, recipient)
        self._forget_routes(text)

    def refuse(self, text: Text, count: int = 1) -> None:
        """Count a refusal, on the pages of all connections that read from the listener."""
        if text in self.refused or len(self.refused) < REFUSALS_MAX:
            self.refused[text] = self.refused.get(text, 0) + count
        for outlet in self._outlets:
            if outlet.refuse is not None:
                outlet.refuse(text, count)

    def look(self) -> None:
        """Let go of outlets whose driver has not come back, and of what nobody reads; called once a second."""
        now = time.monotonic()
        if self.closed():
            self._grace_until = max(self._grace_until, now + AWAY_MAX_S)
            for outlet in self._outlets:
                outlet.away_since = now
            return
        for outlet in list(self._outlets):
            if not outlet.present and now - outlet.away_since > AWAY_MAX_S:
                self._outlets.remove(outlet)
                self._routes.clear()
                self._drop(outlet)
        if now >= self._grace_until and self._unread.messages:
            self._drop(self._unread)

    # From and to drivers

    def publish(self, message: Message) -> list[asyncio.Future[None]]:
        """Send a driver's message to devices; returns what waits for their acknowledgements."""
        if message.retain and not self._retained.put(message):
            self.refuse(_NOT_RETAINED)
        readers = self._subscriptions.readers(message.topic)
        if not readers and not message.retain:
            raise Rejected(_NOBODY, topic=message.topic)
        sent = [reader.deliver(message, min(qos, message.qos)) for reader, qos in readers.items()]
        return [each for each in sent if each is not None]

    def attach(self, filters: tuple[tuple[str, int], ...], refuse: Refuse) -> Outlet:
        """Open an outlet, or take up the one with these filters that its driver left."""
        # Two connections may read the same topics, each for itself.
        outlet = next((known for known in self._outlets if known.filters == filters and not known.present), None)
        if outlet is None:
            outlet = Outlet(filters)
            self._outlets.append(outlet)
            self._routes.clear()
        outlet.refuse = refuse
        for text, _ in filters:
            for message in self._retained.matching(text):
                self.bytes_waiting += outlet.put(message, None)
        unread = self._unread
        waiting = list(zip(unread.messages, unread.receipts, strict=True))
        unread.messages, unread.receipts, unread.bytes = [], [], 0
        for message, receipt in waiting:
            (outlet if outlet.takes(message.topic) else unread).put(message, receipt)
        return outlet

    def detach(self, outlet: Outlet) -> None:
        """Let an outlet wait for its driver."""
        outlet.refuse = None
        outlet.away_since = time.monotonic()

    def answer(self) -> None:
        """Send all acknowledgements that were noted."""
        answering, self.answering = self.answering, []
        for sender in answering:
            sender.answer()

    def release(self, messages: Sequence[Message]) -> None:
        """Give back the room of messages that were kept."""
        self.bytes_waiting -= sum(len(message.payload) for message in messages)
        if not self.roomy and self.bytes_waiting <= BYTES_WAITING_MAX // 2:
            self.roomy = True
            self.when_roomy()

    def _drop(self, outlet: Outlet) -> None:
        messages, receipts = outlet.messages, outlet.receipts
        outlet.messages, outlet.receipts, outlet.bytes = [], [], 0
        for receipt in receipts:
            if receipt is not None:
                self.refuse(UNREAD)
                receipt.kept()
        self.answer()
        self.release(messages)

    def _forget_routes(self, text: str) -> None:
        """Forget where the topics of a filter go; most devices read one topic of their own as they come and go."""
        if "+" in text or "#" in text:
            self._routes.clear()
        else:
            self._routes.pop(text, None)

    def _route(self, topic: str) -> Route:
        outlets = tuple(outlet for outlet in self._outlets if outlet.takes(topic))
        route = Route(outlets, tuple(self._subscriptions.readers(topic).items()))
        if len(self._routes) >= ROUTES_MAX:
            self._routes.clear()
        self._routes[topic] = route
        return route


class HubSession(Session):
    """A driver's session with the listener in its own process: no socket, no acknowledgement before the log has it."""

    def __init__(self, settings: MqttSettings, host: Host, traffic: Traffic, refuse: Refuse, hub: Hub) -> None:
        super().__init__(settings, host, traffic, refuse)
        self._hub = hub
        if not host.passing:
            hub.coming.add(self)

    async def open(self) -> None:
        """Look whether devices can come in, or soon will: the listener opens when whoever reads is there."""
        if self._hub.text not in (None, STARTING):
            raise NotConnected(self._hub.text)

    async def subscribe(self, filters: Sequence[tuple[str, int]], take: Take) -> None:
        """Hand over what devices publish; ends by raising only."""
        wanted = tuple(filters)
        assert all(valid_filter(text) for text, _ in wanted)
        if self.host.passing:
            await self._visit(wanted, take)
        hub = self._hub
        outlet = hub.attach(wanted, self.refuse)
        hub.coming.discard(self)
        try:
            while True:
                await outlet.stirred.wait()
                await asyncio.sleep(GATHER_S)
                await self._hand_over(outlet, take)
        finally:
            hub.detach(outlet)

    async def _visit(self, filters: Sequence[tuple[str, int]], take: Take) -> None:
        visitor = Visitor()
        try:
            for text, _ in filters:
                for message in self._hub.subscribe(visitor, text, 0):
                    visitor.deliver(message, 0)
            while True:
                await visitor.stirred.wait()
                await asyncio.sleep(GATHER_S)
                messages, visitor.messages = visitor.messages, []
                visitor.stirred.clear()
                self.hand_over(messages, take)
        finally:
            for text, _ in filters:
                self._hub.unsubscribe(visitor, text)

    async def _hand_over(self, outlet: Outlet, take: Take) -> None:
        messages, receipts = outlet.messages, outlet.receipts
        outlet.messages, outlet.receipts, outlet.bytes = [], [], 0
        withheld, outlet.withheld = outlet.withheld, set()
        outlet.stirred.clear()
        kept = False
        try:
            self.traffic.bytes_in += sum(len(message.payload) for message in messages)
            self.hand_over(messages, take)
            if withheld:
                self.shut_out(sorted(withheld))
            if any(receipts):
                await self.host.kept()
            kept = True
        finally:
            if not kept:
                # They come again, in their old order, to whoever reads on.
                waiting = [pair for pair in zip(messages, receipts, strict=True) if pair[1] is not None]
                self._hub.release([m for m, receipt in zip(messages, receipts, strict=True) if receipt is None])
                outlet.messages[:0] = [message for message, _ in waiting]
                outlet.receipts[:0] = [receipt for _, receipt in waiting]
                outlet.bytes += sum(len(message.payload) for message, _ in waiting)
                outlet.stirred.set()
        for receipt in receipts:
            if receipt is not None:
                receipt.kept()
        self._hub.answer()
        self._hub.release(messages)

    async def publish(self, topic: str, payload: bytes, qos: int = 0, *, retain: bool = False) -> None:
        """Send to the devices that subscribed; with QoS 1 wait until each has acknowledged."""
        self.traffic.requests += 1
        self.traffic.bytes_out += len(payload)
        answers = self._hub.publish(Message(topic, payload, qos, retain))
        if not answers:
            return
        limit_s = self.settings.timeout_ms / 1000
        _, silent = await asyncio.wait(answers, timeout=limit_s)
        if silent:
            raise NotConnected(_UNANSWERED, topic=topic, seconds=limit_s)
        for answer in answers:
            answer.result()

    async def probe(self) -> None:
        """The listener is in this process; look whether it is on."""
        await self.open()

    async def look(self, filters: Sequence[tuple[str, int]]) -> dict[str, bytes]:
        """Return what devices have sent since the listener's start."""
        deadline = time.monotonic() + self.settings.timeout_ms / 1000
        while True:
            seen = {t: sent for t, sent in self._hub.seen.items() if any(matches(text, t) for text, _ in filters)}
            if seen or time.monotonic() > deadline:
                return seen
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """There is nothing to close; nobody waits for it any more."""
        self._hub.coming.discard(self)

    def steps(self, filters: Sequence[tuple[str, int]]) -> list[Step]:
        """Test the listener, and whether devices may come in."""

        async def listening() -> Text:
            if self._hub.text is not None:
                raise NotConnected(self._hub.text)
            return self._hub.where

        async def devices() -> Text:
            known, connected = self._hub.devices()
            if not known:
                raise Rejected(_NO_DEVICES)
            return Text(f"{known} known, {connected} connected", f"已登记 {known} 台，已连接 {connected} 台")

        return [
            (Text("Listener is on", "监听已启用"), listening),
            (Text("Devices may come in", "设备可接入"), devices),
        ]
