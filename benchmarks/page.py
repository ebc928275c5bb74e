"""An open page as a browser holds it: a posted set of tags, and its stream of server-sent events over a socket."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.platform_under_test import ask

Take = Callable[[str, Any], None]


class OpenPage:
    """Calls `take` with the name and the content of each event."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, take: Take) -> None:
        self._reader, self._writer, self._take = reader, writer, take
        self.events = self.received_bytes = 0
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, port: int, token: str, tags: list[int], take: Take) -> OpenPage:
        """Post the set of tags and open its stream."""
        made = await asyncio.to_thread(ask, port, token, "/live", {"tags": tags})
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        writer.write(
            f"GET /api/v1/live/{made['id']}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        await writer.drain()
        return cls(reader, writer, take)

    async def _read(self) -> None:
        name = ""
        async for line in self._reader:
            self.received_bytes += len(line)
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                self.events += 1
                self._take(name, json.loads(line[6:]))

    async def close(self) -> None:
        """Close the stream, and say if it had ended by itself."""
        ended = self._task.done()
        self._task.cancel()
        self._writer.close()
        if ended:
            sys.exit("the page's stream ended before its time")
