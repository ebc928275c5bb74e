"""An MTConnect adapter in this process, speaking SHDR over a real socket, for tests and the demo plant."""

from __future__ import annotations

import asyncio
from typing import Final

from mainspring.simulators.listening import Listening

CLIENTS_MAX: Final = 16
_HEARTBEAT_MS: Final = 10_000


class ShdrSimulator(Listening):
    """Sends its whole state to who connects, then every line as it is said; behaves well until told otherwise.

    `state` are lines by a name of the caller's, sent at connecting in their order; `heartbeat` tells whether pings are
    answered; `silent` says nothing at all.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.state: Final[dict[str, str]] = {}
        self.heartbeat = True
        self.silent = False
        self.pings = 0

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, self.host, self.port)

    def say(self, text: str) -> None:
        """Send a line, or several, to everybody."""
        if self.silent:
            return
        for transport in tuple(self.connections):
            transport.write(f"{text}\n".encode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self.connections) >= CLIENTS_MAX:
            writer.transport.abort()
            return
        self.connections.add(writer.transport)
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
            self.connections.discard(writer.transport)
            writer.transport.abort()
