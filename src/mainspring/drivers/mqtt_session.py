"""What every driver over MQTT stands on: one session, with another broker or with the gateway's own listener.

A session is used in this order: `open`, then `subscribe` (which runs until contact is lost) with `publish` beside it,
then `close`. A message of QoS 1 is acknowledged when it was handed over and the gateway has kept what came of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from mainspring.core.drivers import Host, Settings, Traffic, setting
from mainspring.core.errors import MainspringError, Rejected
from mainspring.core.text import Text
from mainspring.drivers.mqtt_packets import Message

log = structlog.get_logger(__name__)

PART: Final = "mqtt"
"""Name of the built-in listener among the gateway's shared parts."""
SEEN_MAX: Final = 5_000
"""Topics remembered for browsing."""
Take = Callable[[list[Message]], None]
Refuse = Callable[[Text, int], None]
Step = tuple[Text, Callable[[], Awaitable[Text]]]
"""A step of a connection test: its name, and what does it and returns what it found, or raises."""

_NO_LISTENER: Final = Text(
    "The built-in MQTT listener of this gateway is switched off. "
    "Set mqtt_port in the gateway's settings, or enter the address of a broker.",
    "本网关的内置 MQTT 监听未启用。请在网关设置中填写 mqtt_port，或填写其他代理的地址。",
)


class MqttSettings(Settings):
    """How to reach a broker and who we are to it; without an address, devices come to the gateway's own listener."""

    host: str = setting(
        "", "Broker address (empty: devices come to this gateway)", "代理地址（留空：设备直连本网关）", max_length=255
    )
    port: int = setting(1883, "Port", "端口", ge=1, le=65535)
    tls: bool = setting(False, "TLS", "启用 TLS")
    ca: Path | None = setting(
        None, "Trusted authority (file; the system's if empty)", "受信任的颁发机构（文件；留空用系统自带）"
    )
    client_certificate: Path | None = setting(None, "Own certificate (file)", "本机证书（文件）")
    client_key: Path | None = setting(None, "Own private key (file)", "本机私钥（文件）")
    user: str = setting("", "User", "用户名", max_length=256)
    password: str = setting("", "Password", "密码", secret=True, repr=False, max_length=1024)
    client_id: str = setting("", "Client id (made if empty)", "客户端标识（留空则自动生成）", max_length=128)
    keep_alive_s: int = setting(30, "Keep-alive", "保活间隔", unit="s", ge=2, le=3600)
    timeout_ms: int = setting(5000, "Time limit of an answer", "应答时限", unit="ms", ge=100, le=60_000)
    packet_bytes_max: int = setting(1024 * 1024, "Largest packet", "最大报文", unit="B", ge=1024, le=64 * 1024 * 1024)


_BROKEN: Final = Text(
    "The driver failed inside while it read messages; they were dropped. The gateway's log has the details.",
    "驱动在处理消息时内部出错，这些消息已丢弃。详见网关日志。",
)


class Session(ABC):
    """One session with a broker or the listener; the constructor does no I/O.

    `will` is what the broker publishes when contact is lost; set it before each `open`. `shut_out` is told the topics
    of wills that our own listener held back because their devices were shut out; what those sent came before.
    """

    def __init__(self, settings: MqttSettings, host: Host, traffic: Traffic, refuse: Refuse) -> None:
        self.settings = settings
        self.host = host
        self.traffic = traffic
        self.refuse = refuse
        self.will: Message | None = None
        self.shut_out: Callable[[list[str]], None] = lambda _topics: None

    @abstractmethod
    async def open(self) -> None:
        """Connect and sign in; raises NotConnected or Rejected."""

    @abstractmethod
    async def subscribe(self, filters: Sequence[tuple[str, int]], take: Take) -> None:
        """Hand over messages in lists, in their order, until contact is lost (NotConnected) or it is cancelled.

        `filters` are topic filters with the QoS wanted, 0 or 1; one that is refused raises Rejected. What `take` was
        given is acknowledged once the gateway has kept what `take` delivered; without that it comes again.
        """

    def hand_over(self, messages: list[Message], take: Take) -> None:
        """Give messages to the driver; a fault of its own costs these messages, for they would fail again for ever."""
        self.traffic.requests += len(messages)
        try:
            take(messages)
        except MainspringError:
            raise
        except Exception:
            log.exception("mqtt.take_failed", messages=len(messages))
            self.refuse(_BROKEN, len(messages))

    @abstractmethod
    async def publish(self, topic: str, payload: bytes, qos: int = 0, *, retain: bool = False) -> None:
        """Publish; with QoS 1 it returns when the receiver has acknowledged.

        Raises NotConnected, or Rejected where it is known that nobody took it.
        """

    @abstractmethod
    async def probe(self) -> None:
        """Make sure of contact; raises NotConnected."""

    @abstractmethod
    async def look(self, filters: Sequence[tuple[str, int]]) -> dict[str, bytes]:
        """Return topics that have messages with the last payload of each, for browsing; waits a while for the first.

        Not to be used beside `subscribe`.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close; safe at any time and twice."""

    @abstractmethod
    def steps(self, filters: Sequence[tuple[str, int]]) -> list[Step]:
        """Return the steps of a connection test, from the address to the subscription."""


def session(settings: MqttSettings, host: Host, traffic: Traffic, refuse: Refuse) -> Session:
    """Return a session for these settings, without I/O; raises Rejected if the listener is meant and switched off."""
    if settings.host:
        from mainspring.drivers.mqtt_client import BrokerSession

        return BrokerSession(settings, host, traffic, refuse)
    hub = host.parts.get(PART)
    if hub is None:
        raise Rejected(_NO_LISTENER)
    from mainspring.drivers.mqtt_hub import HubSession

    return HubSession(settings, host, traffic, refuse, hub)
