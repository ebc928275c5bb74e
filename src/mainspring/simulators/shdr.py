"""An MTConnect adapter in this process, speaking SHDR over a real socket, for tests and the demo plant."""

from __future__ import annotations

import asyncio
from typing import Final

CLIENTS_MAX: Final = 16
_HEARTBEAT_MS: Final = 10_000


class ShdrSimulator:
    """Sends its whole state to who connects, then every line as it is said; behaves well until told otherwise.

    `state` are lines by a name of the caller's, sent at connecting in their order; `heartbeat` tells whether pings are
    answered; `silent` says nothing at all.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host: Final = host
        self.port = port
        self.state: Final[dict[str, str]] = {}
        self.heartbeat = True
        self.silent = False
        self.pings = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen; a port of 0 is replaced by a free one, which is kept for later."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and all connections; safe to call twice."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        if server is not None:
            await server.wait_closed()
            await asyncio.sleep(0)  # aborted connections close their sockets in the next round

    async def cut(self) -> None:
        """Break contact: connections are reset and new ones refused."""
        await self.stop()

    async def restore(self) -> None:
        """Make contact possible again on the same port."""
        if self._server is None:
            await self.start()

    def say(self, text: str) -> None:
        """Send a line, or several, to everybody."""
        if self.silent:
            return
        for writer in tuple(self._writers):
            writer.write(f"{text}\n".encode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= CLIENTS_MAX:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            if not self.silent:
                writer.write("".join(f"{line}\n" for line in self.state.values()).encode())
            while line := await reader.readline():
                if line.strip() == b"* PING" and self.heartbeat and not self.silent:
                    self.pings += 1
                    writer.write(f"* PONG {_HEARTBEAT_MS}\n".encode())
        except (OSError, ValueError):
            pass  # a client that breaks off, or sends a line without end, is let go
        finally:
            self._writers.discard(writer)
            writer.transport.abort()
