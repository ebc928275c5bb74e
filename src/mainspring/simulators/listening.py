"""A port of a simulated device: opened, cut, and opened again where it was."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Final


class Listening(ABC):
    """What listens on a port; who inherits says how, and keeps `connections`."""

    def __init__(self, host: str, port: int) -> None:
        self.host: Final = host
        self.port = port
        self.connections: Final[set[asyncio.WriteTransport]] = set()
        self._server: asyncio.Server | None = None

    @abstractmethod
    async def _listen(self) -> asyncio.Server:
        """Open the port."""

    async def start(self) -> None:
        """Listen; a port of 0 is replaced by a free one, which is kept for later."""
        self._server = await self._listen()
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and all connections; safe to call twice."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for transport in tuple(self.connections):
            transport.abort()
        if server is not None:
            await server.wait_closed()
            await asyncio.sleep(0)  # aborted connections close their sockets in the next round

    async def cut(self) -> None:
        """Break contact: connections are reset and new ones refused; the device itself goes on."""
        await self.stop()

    async def restore(self) -> None:
        """Make contact possible again on the same port."""
        if self._server is None:
            await self.start()
