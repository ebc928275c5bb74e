"""The client's socket: a network that swallows everything is noticed within seconds, and what waits in it is counted.

Left to itself TCP repeats what was not acknowledged for a quarter of an hour, at last every two minutes: a client that
waits for that comes back minutes after the network has.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
from typing import Any, Final

from nats.aio.client import Client

DEAD_MS: Final = 8_000
"""What the other side's machine has not acknowledged for so long ends the connection."""
UNSENT_BYTES: Final = 128 * 1024
"""The system takes no more than this beyond what is under way: the rest waits here, where something may overtake it."""
_NOT_SENT_LOW: Final = 25
"""TCP_NOTSENT_LOWAT of linux/tcp.h."""


class LinkClient(Client):
    """The client of the bus, with a socket that ends when nothing gets through."""

    async def _attempt_reconnect(self) -> None:
        # What the lost connection had taken is gone. What it had not taken yet must not be sent by the next one: who
        # sends in order would be told that the last of it is there, and take all before it for there, too.
        self._pending, self._pending_data_size = [], 0
        await super()._attempt_reconnect()

    async def _connect_to_server(self, s: Any) -> None:
        await super()._connect_to_server(s)
        opened = self._socket()
        if opened is not None and sys.platform == "linux":
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_MS)
            opened.setsockopt(socket.IPPROTO_TCP, _NOT_SENT_LOW, UNSENT_BYTES)

    @property
    def unsent(self) -> int:
        """Bytes given to this client that the other side's machine has not acknowledged."""
        opened = self._socket()
        if opened is None:
            return 0
        waiting: int = self._pending_data_size + self._writer().transport.get_write_buffer_size()
        (sent,) = struct.unpack("i", fcntl.ioctl(opened.fileno(), termios.TIOCOUTQ, bytes(4)))
        return waiting + int(sent)

    def _writer(self) -> Any:
        return getattr(self._transport, "_io_writer", None)

    def _socket(self) -> socket.socket | None:
        writer = self._writer()
        opened = None if writer is None else writer.get_extra_info("socket")
        return opened if opened is not None and opened.fileno() >= 0 else None
