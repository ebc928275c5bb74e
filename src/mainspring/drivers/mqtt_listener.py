"""The gateway's own MQTT listener: 3.1.1 (and 3.1) over TCP or TLS, for the devices of one tenant.

Source: OASIS MQTT 3.1.1, section 3 and 4. Differences that are meant: a session ends with its connection (nothing is
kept for a device that is away, so that no command arrives late), subscriptions get QoS 0 or 1, and PUBACK, or PUBREC of
QoS 2, means that the message is in the gateway's log.
"""

from __future__ import annotations

import asyncio
import itertools
import resource
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from mainspring.core.definitions import DeviceDefinition
from mainspring.core.errors import reason_of
from mainspring.core.text import Text
from mainspring.drivers.mqtt_access import Access
from mainspring.drivers.mqtt_door import Door
from mainspring.drivers.mqtt_hub import Hub
from mainspring.drivers.mqtt_peer import Peer

log = structlog.get_logger(__name__)

LOOK_S: Final = 1.0
RETRY_S: Final = 5.0
LOG_S: Final = 1.0
SEEN_S: Final = 5.0
READERS_S: Final = 10.0
READERS_LOOK_S: Final = 0.02
"""Pause between two reports of when devices were heard."""
OPEN_FILES_SPARE: Final = 512

_CLEAR_TEXT: Final = Text("not encrypted", "未加密")
_OPEN: Final = Text("{host}, port {port}, {security}", "{host}，端口 {port}，{security}")
_NOT_OPEN: Final = Text(
    "The MQTT listener cannot open {host} port {port} ({reason}); it tries again. Choose another mqtt_port.",
    "MQTT 监听无法打开 {host} 端口 {port}（{reason}），将自动重试。请更换 mqtt_port。",
)
_CLEAR: Final = Text(
    "The MQTT listener stays off: on {host} secrets would cross the network in clear. "
    "Set mqtt_tls_certificate and mqtt_tls_key, or mqtt_host to a loopback address.",
    "MQTT 监听未启用：在 {host} 上密钥会以明文传输。"
    "请设置 mqtt_tls_certificate 和 mqtt_tls_key，或将 mqtt_host 设为本机回环地址。",
)
_TLS: Final = Text(
    "The MQTT listener stays off: its certificate or key cannot be used ({reason}). "
    "Correct mqtt_tls_certificate, mqtt_tls_key and mqtt_tls_client_ca.",
    "MQTT 监听未启用：证书或密钥无法使用（{reason}）。"
    "请更正 mqtt_tls_certificate、mqtt_tls_key 和 mqtt_tls_client_ca。",
)


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Where the listener listens and what it takes."""

    host: str = "127.0.0.1"
    port: int = 1883
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    connections_max: int = 10_000
    packet_bytes_max: int = 1024 * 1024


class Listener:
    """Accepts devices; `define` and `withdraw` follow the registry, `run` is its task.

    `begun` is set once the drivers that are known at the start have been begun: devices come in when they read.
    """

    def __init__(self, settings: ListenerSettings, hub: Hub, begun: asyncio.Event | None = None) -> None:
        self.settings = settings
        self.hub = hub
        self.access = Access()
        self.entering: set[Peer] = set()
        """Who knocked and is not in yet: TLS is being agreed."""
        self.peers: set[Peer] = set()
        self.by_client: dict[tuple[object, str], Peer] = {}
        self.slowed: Counter[str] = Counter()
        self.port = settings.port
        self.begun = begun
        self._logged: dict[Text, float] = {}
        self._seen: dict[UUID, int] = {}
        self._told_seen = time.monotonic()
        hub.devices = lambda: (len(self.access), len(self.by_client))
        hub.when_roomy = self._go_on

    def define(self, device: DeviceDefinition) -> None:
        """Let a device in, or change its rights; one whose credential or rights changed must connect anew."""
        before = self.access.get(device.id)
        self.access.define(device)
        if before is not None and _opens(before) != _opens(device):
            self._end(lambda peer: peer.device is not None and peer.device.id == device.id)

    def withdraw(self, device: UUID) -> None:
        """Shut a device out, also where it is connected."""
        self.access.withdraw(device)
        self._end(lambda peer: peer.device is not None and peer.device.id == device)

    async def run(self) -> None:
        """Listen until cancelled; what keeps it from listening is told in `hub.text`."""
        await self._until_read()
        while True:
            door = await self._open()
            if door is None:
                await asyncio.sleep(RETRY_S)
                continue
            try:
                while True:
                    await asyncio.sleep(LOOK_S)
                    self._look()
            finally:
                door.close()
                self._end(lambda _: True)

    async def _until_read(self) -> None:
        """Wait a while for all who read: what one of them has taken before another came would be lost to that one."""
        if self.begun is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(READERS_S):
                await self.begun.wait()
                while self.hub.coming:  # noqa: ASYNC110 it is looked at once in the life of a gateway
                    await asyncio.sleep(READERS_LOOK_S)

    def refuse(self, text: Text, device: str, address: str) -> None:
        """Count a refusal, and log who it was; the same sentence at most once a second."""
        self.hub.refuse(text)
        now = time.monotonic()
        if now - self._logged.get(text, -LOG_S) >= LOG_S:
            self._logged[text] = now
            log.warning("mqtt.refused", reason=text.en, device=device, address=address)

    def note_seen(self, device: UUID, heard: float) -> None:
        """Note when a device was last heard, by the monotonic clock."""
        self._seen[device] = int((time.time() - time.monotonic() + heard) * 1000)

    def take_seen(self, limit: int) -> dict[UUID, int]:
        """Return when devices were last heard, ms UTC: some of them every few seconds, all of them in turn."""
        now = time.monotonic()
        if now - self._told_seen < SEEN_S:
            return {}
        self._told_seen = now
        return {device: self._seen.pop(device) for device in list(itertools.islice(self._seen, limit))}

    def crowded(self) -> bool:
        """Tell whether no further connection fits."""
        return len(self.peers) + len(self.entering) >= self.settings.connections_max

    async def _open(self) -> Door | None:
        settings, hub = self.settings, self.hub
        where = {"host": settings.host, "port": settings.port}
        context = None
        try:
            if settings.tls_certificate is not None:
                context = _context(settings)
            elif not _loopback(settings.host):
                self._say(_CLEAR.format(**where))
                return None
        except (OSError, ValueError) as error:
            self._say(_TLS.format(reason=str(error)))
            return None
        _allow_files(settings.connections_max)
        door = Door(self, context)
        try:
            await door.open(settings.host, settings.port)
        except OSError as error:
            self._say(_NOT_OPEN.format(**where, reason=reason_of(error)))
            return None
        self.port = door.port
        hub.text = None
        security = _CLEAR_TEXT if context is None else "TLS"
        hub.where = _OPEN.format(host=settings.host, port=self.port, security=security)
        log.info("mqtt.listening", host=settings.host, port=self.port, tls=context is not None)
        return door

    def _say(self, text: Text) -> None:
        if self.hub.text is None or self.hub.text.en != text.en:
            log.error("mqtt.not_listening", reason=text.en)
        self.hub.text = text

    def _look(self) -> None:
        """End what has been silent too long or may no longer be here."""
        now = time.monotonic()
        for peer in list(self.peers):
            peer.look(now)
        self.hub.look()

    def _go_on(self) -> None:
        for peer in self.peers:
            peer.resume()

    def _end(self, chosen: Callable[[Peer], bool]) -> None:
        for peer in [peer for peer in self.peers if chosen(peer)]:
            peer.end()


def _opens(device: DeviceDefinition) -> tuple[object, ...]:
    return device.name, device.digest, device.certificate, device.publish, device.subscribe


def _context(settings: ListenerSettings) -> ssl.SSLContext:
    assert settings.tls_certificate is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    if settings.tls_client_ca is not None:
        context.load_verify_locations(settings.tls_client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(str(entry[4][0]).startswith("127.") or entry[4][0] == "::1" for entry in found)


def _allow_files(connections: int) -> None:
    """Raise this process's own limit of open files as far as it may, up to what the connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OPEN_FILES_SPARE
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
