"""The listener's door: who knocks is counted from the first byte on, also while TLS is still being agreed."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import TYPE_CHECKING, Final

import structlog

from mainspring.core.text import Text
from mainspring.drivers.mqtt_peer import Peer

if TYPE_CHECKING:
    from mainspring.drivers.mqtt_listener import Listener

log = structlog.get_logger(__name__)

BACKLOG: Final = 4096
ACCEPTED_AT_ONCE: Final = 256
HANDSHAKE_S: Final = 15.0
PAUSE_S: Final = 1.0
"""How long nobody is let in after the system ran out of open files or memory."""
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_CROWDED: Final = Text(
    "More devices want in than mqtt_connections_max allows; the rest were cut off. Raise it, or add a gateway.",
    "接入设备数超过 mqtt_connections_max，多余的连接已断开。请调大该值或增加网关。",
)
_NO_TLS: Final = Text(
    "A connection ended before TLS was agreed. Compare the device's TLS version, authority and certificate with the "
    "listener's.",
    "有连接未能完成 TLS 握手。请核对设备的 TLS 版本、颁发机构和证书是否与监听一致。",
)


class Door:
    """Accepts connections for a listener, up to its limit; the constructor does no I/O."""

    def __init__(self, listener: Listener, context: ssl.SSLContext | None) -> None:
        self._listener = listener
        self._context = context
        self._sockets: list[socket.socket] = []
        self._entering: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port that is open."""
        return int(self._sockets[0].getsockname()[1])

    async def open(self, host: str, port: int) -> None:
        """Listen on every address of a host; raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, kind, protocol, _, address in dict.fromkeys(found):
                made = socket.socket(family, kind, protocol)
                self._sockets.append(made)
                made.setblocking(False)
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                made.bind(address)
                made.listen(BACKLOG)
        except OSError:
            self.close()
            raise
        for each in self._sockets:
            self._watch(each)

    def close(self) -> None:
        """Let nobody in any more; who is in stays."""
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            loop.remove_reader(each)
            each.close()
        self._sockets.clear()
        for task in self._entering:
            task.cancel()

    def _watch(self, at: socket.socket) -> None:
        if at in self._sockets:
            asyncio.get_running_loop().add_reader(at, self._accept, at)

    def _accept(self, at: socket.socket) -> None:
        loop, listener = asyncio.get_running_loop(), self._listener
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, address = at.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                # The system would tell of the same connection again and again.
                log.error("mqtt.nobody_let_in", reason=error.strerror, for_s=PAUSE_S)
                loop.remove_reader(at)
                loop.call_later(PAUSE_S, self._watch, at)
                return
            if listener.crowded():
                listener.refuse(_CROWDED, "", str(address[0]))
                connection.close()
                continue
            connection.setblocking(False)
            peer = Peer(listener)
            listener.entering.add(peer)
            task = loop.create_task(self._let_in(connection, peer, str(address[0])))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    async def _let_in(self, connection: socket.socket, peer: Peer, address: str) -> None:
        timeout_s = None if self._context is None else HANDSHAKE_S
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: peer, connection, ssl=self._context, ssl_handshake_timeout=timeout_s
            )
        except OSError:
            self._listener.refuse(_NO_TLS, "", address)
        finally:
            self._listener.entering.discard(peer)
