"""From records to the bus: documents are published after commit, and compared with what lies there at start.

The bus holds nothing that records do not: whatever is lost there comes back by comparison, and nothing is read from it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connections
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from mainspring.core import definitions
from mainspring.core.definitions import PAGE, AlarmPage, Definition, Suppression, TagPage, TenantDefinition
from mainspring.core.errors import LimitExceeded, MainspringError
from mainspring.core.text import Text
from mainspring.records.counter import REVISIONS, take
from mainspring.records.in_force import carried
from mainspring.records.outbox import Outbox, outbox
from mainspring.records.plant import device, gateway, gateway_release, suppression
from mainspring.records.plant.alarm_definition import AlarmDefinition
from mainspring.records.plant.connection import Connection
from mainspring.records.plant.tag import Tag
from mainspring.records.tenant import Tenant

log = structlog.get_logger(__name__)

GATHER_S: Final = 0.05
"""Changes this close together are published as one."""
CONCURRENT_MAX: Final = 16
TOGETHER: Final = 4
"""Documents that are compared, and sent, at a time."""
_REVISION: Final = re.compile(rb'"revision":\d+')
COMPARE_EVERY_S: Final = 600.0
"""Everything is compared this often, for what other processes changed and for what the bus lost."""
BACK_OFF_MIN_S: Final = 0.5
BACK_OFF_MAX_S: Final = 15.0
_FULL_CODES: Final = frozenset({10077, 10047, 10023})
"""What the server answers when the bucket has reached its size, or the disk has no room for it."""
_FULL: Final = Text(
    "The bus has no more room for definitions: {count} documents (pages of tags or alarms, connections, devices) have "
    "not reached gateways, historian and engine. Raise [bus] disk_bytes_max, see that the disk has it, and start the "
    "platform again.",
    "总线存放配置定义的空间已满：{count} 份定义（测点页、报警页、连接、设备）未送达网关、历史库和引擎。"
    "请调大 [bus] disk_bytes_max，确认磁盘空间足够，然后重启平台。",
)
_LOST: Final = (MainspringError, NatsError, DatabaseError, OSError, TimeoutError)


class Publishes(Protocol):
    """The part of the bus that publication needs."""

    async def put_definition(self, key: str, document: Definition) -> None:
        """Publish one definition."""

    async def delete_definition(self, key: str) -> None:
        """Withdraw one definition."""

    async def each_definition(self, raw: Callable[[str, bytes], None], tenant: str = "*") -> None:
        """Give each definition that is published, as it is."""


class Publication:
    """The one task that publishes; run it in the event loop of the web role."""

    def __init__(self, bus: Publishes, waiting: Outbox = outbox) -> None:
        self.bus = bus
        self.published = 0
        self.compared = 0
        self.trouble: Text | None = None
        """Why changes do not arrive, where trying again alone does not help."""
        self._outbox = waiting
        self._awake = asyncio.Event()

    async def run(self) -> None:
        """Compare everything, then publish what changes, until cancelled; a lost bus is tried again with back-off."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._awake.set)

        self._outbox.wake = wake
        everything, back_off_s = True, BACK_OFF_MIN_S
        try:
            while True:
                keys, overflowed = self._outbox.take()
                everything = everything or overflowed
                try:
                    await (self.compare() if everything else self._publish(keys))
                except _LOST as error:
                    self.trouble = error.text if isinstance(error, LimitExceeded) else self.trouble
                    log.warning("publication.delayed", keys=len(keys), reason=str(error) or type(error).__name__)
                    self._outbox.add(keys)
                    await asyncio.sleep(back_off_s)
                    back_off_s = min(2 * back_off_s, BACK_OFF_MAX_S)
                    continue
                self.trouble = None
                everything, back_off_s = await self._quiet(), BACK_OFF_MIN_S
        finally:
            self._outbox.wake = None

    async def publish_waiting(self) -> None:
        """Publish what this process changed; for commands that change records beside a running web role."""
        keys, overflowed = self._outbox.take()
        await (self.compare() if overflowed else self._publish(keys))

    async def compare(self) -> None:
        """Publish what differs from the records and withdraw what they no longer have.

        Some documents at a time: those of half a million tags would fill the memory of whoever held them together.
        """
        lying: dict[str, bytes] = {}
        await self.bus.each_definition(lambda key, raw: lying.__setitem__(key, _digest(raw)))
        loop = asyncio.get_running_loop()
        # One thread from the beginning to the end: it is the rows of its connection that are gone through.
        with ThreadPoolExecutor(1, thread_name_prefix="publication") as thread:
            parts = _differing(lying)
            following = carried(lambda: next(parts, None))
            try:
                began_s = loop.time()
                while (changed := await loop.run_in_executor(thread, following)) is not None:
                    await self._send(changed)
                    if not changed:
                        # Nobody waits for it, and requests are answered by the same process.
                        await asyncio.sleep(loop.time() - began_s)
                    began_s = loop.time()
            finally:
                await loop.run_in_executor(thread, connections.close_all)
        await self._send(dict.fromkeys(lying))
        self.compared += 1

    async def _quiet(self) -> bool:
        """Wait for the next changes; tells whether it is time to compare everything again."""
        try:
            await asyncio.wait_for(self._awake.wait(), COMPARE_EVERY_S)
        except TimeoutError:
            return True
        self._awake.clear()
        await asyncio.sleep(GATHER_S)
        return False

    async def _publish(self, keys: set[str]) -> None:
        if keys:
            await self._send(await sync_to_async(_closing(documents), thread_sensitive=False)(keys))

    async def _send(self, changed: Mapping[str, Definition | None]) -> None:
        gate = asyncio.Semaphore(CONCURRENT_MAX)

        async def send(key: str, document: Definition | None) -> None:
            async with gate:
                if document is None:
                    await self.bus.delete_definition(key)
                else:
                    await self.bus.put_definition(key, document)
                self.published += 1

        # A tenant's document goes first: nothing of a tenant means anything to a role that does not know it.
        first = {key: document for key, document in changed.items() if isinstance(document, TenantDefinition)}
        for part in (first, {key: document for key, document in changed.items() if key not in first}):
            sent = await asyncio.gather(*(send(key, found) for key, found in part.items()), return_exceptions=True)
            lost = [outcome for outcome in sent if isinstance(outcome, BaseException)]
            if full := [error for error in lost if isinstance(error, APIError) and error.err_code in _FULL_CODES]:
                raise LimitExceeded(_FULL, count=len(lost)) from full[0]
            if lost:
                raise lost[0]


def documents(keys: Iterable[str]) -> dict[str, Definition | None]:
    """Build the documents of some keys from the records; None for what is no longer there."""
    listed = sorted(keys)
    if not listed:
        return {}
    revision = take(REVISIONS)
    tenants = {tenant.key: tenant for tenant in Tenant.objects.filter(key__in={key.split(".")[0] for key in listed})}
    # Devices come by the thousand and are asked for together; all others are few.
    found = _devices_of(tenants, [key for key in listed if _kind(key) == "devices"], revision)
    for key in listed:
        if key not in found:
            found[key] = _document(tenants.get(key.split(".")[0]), key, revision)
    return found


def _kind(key: str) -> str:
    return key.split(".", 2)[1]


def _devices_of(tenants: Mapping[str, Tenant], keys: list[str], revision: int) -> dict[str, Definition | None]:
    found: dict[str, Definition | None] = dict.fromkeys(keys)
    for name, tenant in tenants.items():
        ids = [UUID(key.split(".", 2)[2]) for key in keys if key.startswith(f"{name}.")]
        for start in range(0, len(ids), PAGE):
            found |= _devices(tenant, revision, ids[start : start + PAGE])
    return found


def _document(tenant: Tenant | None, key: str, revision: int) -> Definition | None:
    _, kind, place = key.split(".", 2)
    if tenant is None:
        return None
    if kind == "tenant":
        return _tenant(tenant, revision)
    if kind == "gateways":
        return _gateways(tenant, revision, [place]).get(key)
    if kind == "connections":
        return _connections(tenant, revision, UUID(place)).get(key)
    page = int(place)
    if kind == "tags":
        return next(_tag_pages(tenant, revision, page), None)
    return next(_alarm_pages(tenant, revision, page), None)


def _differing(lying: dict[str, bytes]) -> Iterator[dict[str, Definition]]:
    """Yield the documents that differ from what lies on the bus, some at a time; `lying` keeps those of no record."""
    documents = _all_documents()
    while part := list(islice(documents, TOGETHER)):
        yield {
            key: document for key, document in part
            if lying.pop(key, b"") != _digest(document.model_dump_json().encode())
        }  # fmt: skip


def _digest(raw: bytes) -> bytes:
    """Return what tells a document from another that says something else; its revision does not count."""
    return hashlib.blake2b(_REVISION.sub(b"", raw, count=1), digest_size=16).digest()


def _all_documents() -> Iterator[tuple[str, Definition]]:
    revision = take(REVISIONS)
    for tenant in Tenant.objects.all():
        key = tenant.key
        yield definitions.tenant_key(key, tenant.number), _tenant(tenant, revision)
        yield from _connections(tenant, revision).items()
        yield from _devices(tenant, revision).items()
        yield from _gateways(tenant, revision).items()
        for page in _tag_pages(tenant, revision):
            yield definitions.tag_page_key(key, page.page), page
        for alarms in _alarm_pages(tenant, revision):
            yield definitions.alarm_page_key(key, alarms.page), alarms


def _tenant(tenant: Tenant, revision: int) -> TenantDefinition:
    return TenantDefinition.model_validate(
        {"key": tenant.key, "number": tenant.number, "revision": revision, "name": tenant.name, "zone": tenant.zone}
    )


def _connections(tenant: Tenant, revision: int, only: UUID | None = None) -> dict[str, Definition]:
    rows = Connection.objects.of(tenant).select_related("tenant")
    found: dict[str, Definition] = {}
    for connection in rows.filter(pk=only) if only else rows:
        try:
            found[definitions.connection_key(tenant.key, connection.id)] = connection.definition(revision)
        except MainspringError as error:
            # One connection whose driver or key is missing must not keep all others from working.
            log.error("publication.connection_left_out", connection=connection.name, reason=str(error))
    return found


def _devices(tenant: Tenant, revision: int, only: list[UUID] | None = None) -> dict[str, Definition]:
    rows = device.published(tenant, only)
    return {definitions.device_key(tenant.key, row.id): row.definition(revision) for row in rows.iterator(PAGE)}


def _gateways(tenant: Tenant, revision: int, only: list[str] | None = None) -> dict[str, Definition]:
    rows = list(gateway.published(tenant, only))
    releases = gateway_release.current(rows)
    return {
        definitions.gateway_key(tenant.key, row.name): row.definition(revision, releases.get(row.id)) for row in rows
    }


def _tag_pages(tenant: Tenant, revision: int, page: int | None = None) -> Iterator[TagPage]:
    rows = Tag.objects.of(tenant).order_by("ordinal")
    if page is not None:
        rows = rows.filter(ordinal__gte=page * PAGE, ordinal__lt=(page + 1) * PAGE)
    for number, tags in groupby(Tag.definitions(rows), lambda tag: tag.ordinal // PAGE):
        yield TagPage(revision=revision, tenant=tenant.key, page=number, tags=tuple(tags))


def _alarm_pages(tenant: Tenant, revision: int, page: int | None = None) -> Iterator[AlarmPage]:
    rows = AlarmDefinition.objects.of(tenant).order_by("tag__ordinal", "condition", "id")
    if page is not None:
        rows = rows.filter(tag__tenant=tenant, tag__ordinal__gte=page * PAGE, tag__ordinal__lt=(page + 1) * PAGE)
    listed = AlarmDefinition.definitions(rows, suppression.groups(tenant))
    for number, alarms in groupby(listed, lambda alarm: alarm[0].tag // PAGE):
        defined = []
        suppressions: dict[UUID, Suppression] = {}
        for alarm, conditions in alarms:
            defined.append(alarm)
            suppressions.update((each.id, each) for each in conditions)
        yield AlarmPage(
            revision=revision, tenant=tenant.key, page=number, alarms=tuple(defined),
            suppressions=tuple(suppressions.values()),
        )  # fmt: skip


def _closing(work: Any) -> Any:
    """Close the thread's database connection after the work: the thread belongs to a pool and lives on."""

    def closed(*arguments: Any) -> Any:
        try:
            return work(*arguments)
        finally:
            connections.close_all()

    return closed
