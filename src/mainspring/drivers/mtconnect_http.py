"""What MTConnect needs of HTTP/1.1: asking for a document, and a document after the other as one endless answer.

Source: RFC 9112 (messages, chunks), RFC 2046 section 5.1 (multipart). A connection serves one request.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from mainspring.core.drivers import Traffic
from mainspring.core.errors import DecodeError, LimitExceeded, MainspringError, NotConnected, Rejected, reason_of
from mainspring.core.text import Text

HEAD_BYTES_MAX: Final = 64 * 1024
READ_BYTES: Final = 64 * 1024

_UNKNOWN_HOST: Final = Text(
    "The name {host} has no address ({reason}). Check the agent's URL, or enter its IP address.",
    "无法解析 {host}（{reason}）。请核对代理地址，或改用 IP 地址。",
)
_REFUSED: Final = Text(
    "{peer} does not accept connections ({reason}). Check that the agent runs, its port and the firewall.",
    "{peer} 不接受连接（{reason}）。请检查代理是否运行、端口和防火墙。",
)
_SILENT: Final = Text(
    "{peer} did not answer within {timeout_ms} ms. It is tried again; check the agent and the network.",
    "{peer} 在 {timeout_ms} 毫秒内没有应答。将自动重试；请检查代理和网络。",
)
_LOST: Final = Text(
    "{peer} closed the connection. It is tried again; if it persists, read the agent's log.",
    "{peer} 关闭了连接。将自动重试；若持续出现，请查看代理日志。",
)
_NOT_HTTP: Final = Text(
    "{peer} does not speak HTTP ({reason}). Check that the port is that of an MTConnect agent.",
    "{peer} 不是 HTTP 服务（{reason}）。请确认端口属于 MTConnect 代理。",
)
_CERTIFICATE: Final = Text(
    "The certificate of {peer} is not trusted ({reason}). Give the file of its authority in the settings.",
    "{peer} 的证书不受信任（{reason}）。请在设置中填写其颁发机构证书文件。",
)
_NO_STREAM: Final = Text(
    "{peer} answered a request for a stream with {kind!r} instead. Check that no proxy lies between; ask the agent "
    "directly.",
    "{peer} 对数据流请求返回了 {kind!r}。请确认中间没有代理服务器，并直接访问 MTConnect 代理。",
)
_TOO_LARGE: Final = Text(
    "{peer} sent a document larger than {limit} bytes. Raise the limit in the settings, or name one device.",
    "{peer} 发送的文档超过 {limit} 字节。请在设置中提高上限，或指定单个设备。",
)


class Place(NamedTuple):
    """Where an agent is, from its URL; `path` has no slash at its end."""

    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Place:
        """Take a checked URL apart."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return cls(secure, parts.hostname or "", parts.port or (443 if secure else 80), parts.path.rstrip("/"))

    @property
    def peer(self) -> str:
        """Host and port, for people."""
        return f"{self.host}:{self.port}"


class Response(NamedTuple):
    """A whole answer."""

    status: int
    kind: str
    body: bytes


async def resolve(place: Place, timeout_ms: int) -> str:
    """Return the first address of the host, or raise NotConnected."""
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotConnected(_UNKNOWN_HOST, host=place.host, reason=reason_of(error)) from error
    return str(found[0][4][0])


class Http:
    """Asks one agent; each request has a connection of its own, which `close` ends."""

    def __init__(
        self, place: Place, timeout_ms: int, document_bytes_max: int, traffic: Traffic, authority: Path | None
    ) -> None:
        self.place = place
        self.document_bytes_max = document_bytes_max
        self._timeout_ms = timeout_ms
        self._traffic = traffic
        self._authority = authority
        self._open: set[asyncio.StreamWriter] = set()

    async def get(self, path: str) -> Response:
        """Ask for one document within the time limit; any status is an answer."""
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                body = await self._ask(path)
                try:
                    await body.to_end()
                finally:
                    self._end(body)
        except TimeoutError as error:
            raise NotConnected(_SILENT, peer=self.place.peer, timeout_ms=self._timeout_ms) from error
        self._traffic.round_trip_ms = (asyncio.get_running_loop().time() - started) * 1000
        return Response(body.status, body.kind, bytes(body.buffer))

    async def stream(self, path: str, silence_ms: int) -> AsyncIterator[bytes]:
        """Ask for an endless answer and yield its documents; raises NotConnected when it ends or falls silent.

        An answer that is one whole document, as errors are, is yielded as such, and nothing follows it.
        """
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                body = await self._ask(path)
        except TimeoutError as error:
            raise NotConnected(_SILENT, peer=self.place.peer, timeout_ms=self._timeout_ms) from error
        try:
            if not body.kind.startswith("multipart/"):
                async with asyncio.timeout(silence_ms / 1000):
                    await body.to_end()
                if "xml" not in body.kind:
                    raise Rejected(_NO_STREAM, peer=self.place.peer, kind=body.kind[:80])
                yield bytes(body.buffer)
                return
            while True:
                async with asyncio.timeout(silence_ms / 1000):
                    part = await body.part()
                yield part
        except TimeoutError as error:
            raise NotConnected(_SILENT, peer=self.place.peer, timeout_ms=silence_ms) from error
        finally:
            self._end(body)

    async def reach(self) -> None:
        """Open a connection and close it again."""
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                _, writer = await self._connect()
        except TimeoutError as error:
            raise NotConnected(_SILENT, peer=self.place.peer, timeout_ms=self._timeout_ms) from error
        writer.close()

    def close(self) -> None:
        """End all requests at once."""
        for writer in tuple(self._open):
            writer.transport.abort()
        self._open.clear()

    def _end(self, body: _Body) -> None:
        body.writer.transport.abort()
        self._open.discard(body.writer)

    async def _ask(self, path: str) -> _Body:
        reader, writer = await self._connect()
        self._open.add(writer)
        body = _Body(reader, writer, self.place.peer, self.document_bytes_max, self._traffic)
        try:
            query = f"{self.place.path}{path}"
            lines = (f"GET {query} HTTP/1.1", f"Host: {self.place.peer}", "Accept: text/xml, multipart/*")
            request = "\r\n".join((*lines, "Connection: close", "", "")).encode()
            self._traffic.requests += 1
            self._traffic.bytes_out += len(request)
            writer.write(request)
            await body.head()
        except BaseException:
            self._end(body)
            raise
        return body

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        place = self.place
        try:
            context = None
            if place.secure:
                context = await asyncio.to_thread(ssl.create_default_context, cafile=self._authority)
            return await asyncio.open_connection(place.host, place.port, ssl=context, limit=HEAD_BYTES_MAX)
        except (socket.gaierror, UnicodeError) as error:
            raise NotConnected(_UNKNOWN_HOST, host=place.host, reason=reason_of(error)) from error
        except ssl.SSLError as error:
            raise Rejected(_CERTIFICATE, peer=place.peer, reason=error.reason or reason_of(error)) from error
        except TimeoutError:
            raise
        except OSError as error:
            raise NotConnected(_REFUSED, peer=place.peer, reason=reason_of(error)) from error


class _Body:
    """One answer as it comes in."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str, limit: int, traffic: Traffic
    ) -> None:
        self.writer = writer
        self.status = 0
        self.kind = ""
        self.buffer = bytearray()
        self._reader = reader
        self._peer = peer
        self._limit = limit
        self._traffic = traffic
        self._chunked = False
        self._left: int | None = None
        self._boundary = b""

    async def head(self) -> None:
        """Read status and headers."""
        try:
            raw = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as error:
            raise self._not_http("headers too long") from error
        except asyncio.IncompleteReadError as error:
            if error.partial and not error.partial.startswith(b"HTTP/"):
                raise self._not_http("it says something else") from error
            raise NotConnected(_LOST, peer=self._peer) from error
        except OSError as error:
            raise NotConnected(_LOST, peer=self._peer) from error
        self._traffic.bytes_in += len(raw)
        first, *lines = raw.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise self._not_http("no status line")
        self.status = int(rest[:3])
        fields = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        self.kind = fields.get("content-type", "").lower()
        self._chunked = "chunked" in fields.get("transfer-encoding", "").lower()
        if not self._chunked and "content-length" in fields:
            if not fields["content-length"].isdecimal():
                raise self._not_http("no length")
            self._left = int(fields["content-length"][:18])
        boundary = fields.get("content-type", "").partition("boundary=")[2].partition(";")[0].strip().strip('"')
        self._boundary = b"--" + boundary.encode("latin-1").removeprefix(b"--")

    async def to_end(self) -> None:
        """Read all that comes."""
        while await self._more():
            if len(self.buffer) > self._limit:
                raise self._too_large()

    async def part(self) -> bytes:
        """Return the next document of a multipart answer."""
        while True:
            head, found, _ = bytes(self.buffer).partition(b"\r\n\r\n")
            if found:
                break
            if len(self.buffer) > HEAD_BYTES_MAX:
                raise self._not_http("no parts")
            await self._need_more()
        if self._boundary not in head:
            raise self._not_http("no boundary")
        start = len(head) + 4
        end = start + self._length(head) if b"content-length" in head.lower() else -1
        while (end := self.buffer.find(self._boundary, start) if end < 0 else end) < 0 or len(self.buffer) < end:
            if max(end - start, len(self.buffer) - start) > self._limit:
                raise self._too_large()
            await self._need_more()
        document = bytes(self.buffer[start:end])
        del self.buffer[:end]
        return document

    def _length(self, head: bytes) -> int:
        for line in head.split(b"\r\n"):
            name, _, text = line.partition(b":")
            if name.strip().lower() == b"content-length" and text.strip().isdigit():
                length = int(text.strip()[:18])
                if length > self._limit:
                    raise self._too_large()
                return length
        raise self._not_http("no length")

    async def _need_more(self) -> None:
        if not await self._more():
            raise NotConnected(_LOST, peer=self._peer)

    async def _more(self) -> bool:
        """Take in the next bytes; False at the end of the answer."""
        try:
            if not self._chunked:
                wanted = READ_BYTES if self._left is None else min(self._left, READ_BYTES)
                received = await self._reader.read(wanted) if wanted else b""
                if not received and self._left:
                    raise NotConnected(_LOST, peer=self._peer)
                if self._left is not None:
                    self._left -= len(received)
                return self._keep(received)
            size = await self._reader.readuntil(b"\r\n")
            length = int(size.partition(b";")[0].strip()[:12], 16)
            if not 0 <= length <= self._limit:
                raise self._too_large()
            received = (await self._reader.readexactly(length + 2))[:-2]
            return self._keep(received)
        except (ValueError, asyncio.LimitOverrunError) as error:
            raise self._not_http("broken chunks") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise NotConnected(_LOST, peer=self._peer) from error

    def _keep(self, received: bytes) -> bool:
        self._traffic.bytes_in += len(received)
        self.buffer += received
        return bool(received)

    def _not_http(self, reason: str) -> MainspringError:
        return DecodeError(_NOT_HTTP, peer=self._peer, reason=reason)

    def _too_large(self) -> MainspringError:
        return LimitExceeded(_TOO_LARGE, peer=self._peer, limit=self._limit)
