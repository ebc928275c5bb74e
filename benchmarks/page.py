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

    def __init__(self, port: int, token: str, set_id: str, take: Take) -> None:
        self._port, self._token, self._set_id, self._take = port, token, set_id, take
        self.events = self.received_bytes = 0
        self._opened = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    @classmethod
    async def open(cls, port: int, token: str, tags: list[int], take: Take) -> OpenPage:
        """Post the set of tags and open its stream."""
        made = await asyncio.to_thread(ask, port, token, "/live", {"tags": tags})
        page = cls(port, token, made["id"], take)
        async with asyncio.timeout(30):
            await page._opened.wait()
        return page

    async def _run(self) -> None:
        # The platform ends a stream after some minutes, and a browser opens it anew.
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**24)
            writer.write(
                f"GET /api/v1/live/{self._set_id}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Authorization: Bearer {self._token}\r\n\r\n".encode()
            )
            await writer.drain()
            status = await reader.readline()
            if b" 200 " not in status:
                sys.exit(f"the page's stream was answered with {status.decode()!r}")
            self._opened.set()
            await self._read(reader)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        name = ""
        async for line in reader:
            self.received_bytes += len(line)
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                self.events += 1
                self._take(name, json.loads(line[6:]))
            elif line == b"0\r\n":
                return

    async def close(self) -> None:
        """Close the stream, and say if it failed before."""
        if self._task.done():
            self._task.result()
        self._task.cancel()
        await asyncio.wait({self._task})
