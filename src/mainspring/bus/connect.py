"""The client every role uses: connect, publish, ask, serve, watch definitions, report health."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from mainspring.bus.answers import ASK_TIMEOUT_S, Handler, Server, asked_chunks
from mainspring.bus.link import LinkClient
from mainspring.bus.tenant_watch import TenantWatch
from mainspring.bus.watch import Changed, Raw, Watch, Watcher
from mainspring.core import definitions, subjects
from mainspring.core.definitions import Definition
from mainspring.core.errors import NotConnected
from mainspring.core.health import Health
from mainspring.core.text import Text

log = structlog.get_logger(__name__)
Watching = TypeVar("Watching", bound=Watcher)

_NO_BUS: Final = Text(
    "The bus at {url} does not answer ({reason}). Start it with `mainspring up`, or check [bus] url.",
    "总线 {url} 无应答（{reason}）。请用 `mainspring up` 启动，或检查 [bus] url。",
)
PORT_S: Final = 2.0
"""How long one server of several is given: a machine that is gone does not even refuse."""
PENDING_BYTES_MAX: Final = 64 * 1024 * 1024
"""Most bytes held for sending while the bus is away; beyond it publishing fails at once."""


class Bus:
    """One role's connection. It reconnects for ever; `connected` tells how it stands.

    `url` may name several servers of one cluster, with commas between them: each is as good as another.
    """

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self.nc = LinkClient()
        self.js: JetStreamContext = self.nc.jetstream(timeout=5)
        self._watches: list[Watcher] = []
        self._reconnected: list[Callable[[], Awaitable[None]]] = []
        self._servers: list[Server] = []
        self._closing = False

    @classmethod
    async def connect(
        cls, url: str, seed_file: Path | None, name: str, *, tls_ca: Path | None = None, wait_s: float = 10.0
    ) -> Bus:
        """Connect as `name` with the seed in `seed_file`; raises NotConnected after `wait_s`.

        `name` is also the prefix of the inbox, which the server's rights bind to this role.
        """
        bus = cls(url, name)
        options: dict[str, Any] = {}
        if seed_file is not None:
            options["nkeys_seed_str"] = seed_file.read_text().strip()  # noqa: ASYNC240 - 58 bytes
        if tls_ca is not None:
            import ssl

            options["tls"] = ssl.create_default_context(cafile=str(tls_ca))
        deadline = asyncio.get_running_loop().time() + wait_s
        await _wait_for_port(url, deadline)
        try:
            await asyncio.wait_for(
                bus.nc.connect(
                    servers=servers_of(url),
                    name=name,
                    inbox_prefix=inbox_prefix(name),
                    allow_reconnect=True,
                    connect_timeout=2,
                    reconnect_time_wait=1,
                    max_reconnect_attempts=-1,
                    ping_interval=10,
                    max_outstanding_pings=2,
                    pending_size=PENDING_BYTES_MAX,
                    error_cb=bus._on_error,
                    disconnected_cb=bus._on_disconnected,
                    reconnected_cb=bus._on_reconnected,
                    **options,
                ),
                max(deadline - asyncio.get_running_loop().time(), 1.0),
            )
        except (NatsError, OSError, TimeoutError) as error:
            # The client goes on trying until its time is over; what stood in its way says more than that.
            reason = str(error) or str(bus.nc.last_error or "") or type(error).__name__
            await bus.nc.close()
            raise NotConnected(_NO_BUS, url=url, reason=reason) from error
        return bus

    @property
    def connected(self) -> bool:
        """Tell whether the server is in contact now."""
        return self.nc.is_connected

    @property
    def clustered(self) -> bool:
        """Tell whether the server is one of several, whose leader for a stream may change while contact holds."""
        return bool(self.nc._server_info.get("cluster"))

    def on_reconnected(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call `callback` after each return of contact."""
        self._reconnected.append(callback)

    async def ask(self, subject: str, payload: bytes = b"", timeout_s: float = ASK_TIMEOUT_S) -> bytes:
        """Ask and return the whole answer; raises the tree error the other side raised, or NotConnected."""
        return b"".join([chunk async for chunk in self.ask_chunks(subject, payload, timeout_s)])

    def ask_chunks(self, subject: str, payload: bytes = b"", timeout_s: float = ASK_TIMEOUT_S) -> AsyncIterator[bytes]:
        """Ask and yield the answer's chunks as they come; `timeout_s` is for each chunk."""
        return asked_chunks(self.nc, subject, payload, timeout_s)

    async def serve(self, subject: str, handler: Handler, queue: str = "", concurrent_max: int = 64) -> None:
        """Answer requests on a subject with `handler(subject, payload)`, at most `concurrent_max` at a time."""
        server = Server(self.nc, handler, concurrent_max)
        await self.nc.subscribe(subject, queue=queue, cb=server.on_request)
        # Without this a question asked right after the return could find nobody.
        await self.settled()
        self._servers.append(server)

    async def settled(self) -> None:
        """Return once the server knows every subscription made so far."""
        # The client writes its ping before what waits to be sent, so that only the second one comes after it.
        await self.nc.flush()
        await self.nc.flush()

    async def watch_definitions(self, changed: Changed, keys: str = ">") -> Watch:
        """Call `changed(key, definition or None)` for every definition now and on every change; for platform roles.

        Returns once all that is published has been given. After a lost contact only differences are given.
        """
        return await self._watched(Watch(self.nc, self.js, keys, changed))

    async def watch_tenant(self, changed: Changed, tenant: str) -> Watcher:
        """Do the same for the definitions of one tenant, from its own account; for gateways."""
        return await self._watched(TenantWatch(self.nc, tenant, changed))

    async def _watched(self, watch: Watching) -> Watching:
        await watch.start()
        self._watches.append(watch)
        return watch

    async def put_definition(self, key: str, document: Definition) -> None:
        """Publish one definition."""
        await self.js.publish(f"$KV.{definitions.BUCKET}.{key}", document.model_dump_json().encode())

    async def delete_definition(self, key: str) -> None:
        """Withdraw one definition; watchers see None."""
        await self.js.publish(f"$KV.{definitions.BUCKET}.{key}", b"", headers={"KV-Operation": "DEL"})

    async def definitions(self, tenant: str = "*") -> dict[str, bytes]:
        """Return all published definitions as they are."""
        found: dict[str, bytes] = {}
        await self.each_definition(found.__setitem__, tenant)
        return found

    async def each_definition(self, raw: Raw, tenant: str = "*") -> None:
        """Give each published definition as it is, one by one: all together may be hundreds of megabytes."""
        watch = Watch(self.nc, self.js, f"{tenant}.>" if tenant != "*" else ">", lambda _key, _document: None, raw)
        await watch.start()
        await watch.stop()

    async def last_on(self, stream: str, subject: str) -> tuple[int, dict[str, str]] | None:
        """Return sequence and headers of the last message on a subject of a stream, None if there is none."""
        try:
            message = await self.js.get_last_msg(stream, subject, direct=True)
        except NotFoundError:
            return None
        return int(message.seq or 0), dict(message.headers or {})

    async def report(self, health: Health) -> None:
        """Publish a role's own report, if the bus is there."""
        if self.connected:
            await self.nc.publish(
                subjects.health(health.role, health.instance, health.tenant), health.model_dump_json().encode()
            )

    async def close(self) -> None:
        """Send what is pending and close."""
        self._closing = True
        for watch in self._watches:
            await watch.stop()
        for server in self._servers:
            await server.stop()
        try:
            if self.connected:
                await asyncio.wait_for(self.nc.flush(), 2)
        except (NatsError, TimeoutError):
            log.warning("bus.flush_failed", name=self.name)
        await self.nc.close()

    async def _on_error(self, error: Exception) -> None:
        log.warning("bus.error", name=self.name, error=str(error) or type(error).__name__)

    async def _on_disconnected(self) -> None:
        if not self._closing:
            log.warning("bus.disconnected", name=self.name, url=self.url)

    async def _on_reconnected(self) -> None:
        log.info("bus.reconnected", name=self.name, url=self.url)
        for watch in self._watches:
            watch.renew()
        for callback in self._reconnected:
            await callback()


def inbox_prefix(name: str) -> str:
    """Return the inbox prefix that belongs to one role alone."""
    return f"_INBOX_{name}"


def servers_of(url: str) -> list[str]:
    """Return the URLs of a setting that may name several, with commas between them."""
    return [each for part in url.split(",") if (each := part.strip())]


async def _wait_for_port(url: str, deadline: float) -> None:
    """Return once something listens at `url`; the client's own first attempt would wait for seconds in between."""
    addresses = itertools.cycle(urlsplit(each) for each in servers_of(url))
    while True:
        address = next(addresses)
        try:
            async with asyncio.timeout(PORT_S):
                _reader, writer = await asyncio.open_connection(address.hostname, address.port or 4222)
        except (OSError, TimeoutError) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise NotConnected(_NO_BUS, url=url, reason=str(error) or type(error).__name__) from error
            await asyncio.sleep(0.05)
        else:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            return
