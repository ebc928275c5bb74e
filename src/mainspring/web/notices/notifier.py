"""The two tasks that tell people: take transitions from the alarm stream into notices, and send what is due.

A transition is acknowledged on the bus once its notices are in the records, and a notice is marked once it was sent:
a crash in between tells someone twice, never not at all.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from django.db import DatabaseError
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.client import JetStreamContext
from pydantic import ValidationError

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.alarms import SET_ASIDE, AlarmEvent
from mainspring.core.definitions import Condition
from mainspring.core.errors import MainspringError
from mainspring.core.text import Text
from mainspring.records.plant import subscription as records
from mainspring.records.plant.subscription import Channel, Subscription
from mainspring.web import alarm_rows
from mainspring.web.configure import current
from mainspring.web.lasting import in_thread
from mainspring.web.notices.channels import send_mail, send_webhook
from mainspring.web.notices.letter import LINES_MAX, REPLAYED, letter

log = structlog.get_logger(__name__)

CONSUMER: Final = "notifier"
AT_ONCE: Final = 200
LOOK_S: Final = 1.0
SENDERS_MAX: Final = 8
"""Messages under way at once: a slow server holds up its own."""
OF_SERVER_MAX: Final = 2
"""Of them for one server, be it the mail server or the host of webhooks."""
IDLE_S: Final = 60.0
FETCH_S: Final = 20.0
RETRY_S: Final = 5.0
OLD_MS: Final = 3_600_000
"""A transition that is older than this when it is seen helps nobody: the platform was down."""
UNLIMITED: Final = frozenset({Condition.STALE, Condition.CHANGE, Condition.EXPRESSION})
BACK_OFF_S: Final = (10, 30, 60, 300, 900, 3600)
_BROKEN: Final = Text(
    "The message could not be made ({reason}). It is tried again; the log of the web role has the details.",
    "无法生成该消息（{reason}），系统将重试，详见 Web 角色的日志。",
)


class Notifier:
    """Runs in every web process; the consumer is shared, so that each transition is taken by one of them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._stirred = asyncio.Event()
        self._under_way: dict[UUID, str] = {}
        self._ended = asyncio.Event()
        # Of its own: those who wait for a slow server must not take the threads that requests work in.
        self._threads = ThreadPoolExecutor(SENDERS_MAX, "notices")

    async def run(self) -> None:
        """Take and send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take())
            tasks.create_task(self._send())

    async def _take(self) -> None:
        while True:
            try:
                feed = await self._feed()
                try:
                    while True:
                        await self._taken(feed)
                finally:
                    with suppress(NatsError):
                        await feed.unsubscribe()
            except (NatsError, DatabaseError, TimeoutError, OSError) as error:
                log.warning("notifier.waits", reason=str(error) or type(error).__name__)
                await asyncio.sleep(RETRY_S)

    async def _feed(self) -> JetStreamContext.PullSubscription:
        config = ConsumerConfig(
            name=CONSUMER, durable_name=CONSUMER, deliver_policy=DeliverPolicy.NEW, ack_policy=AckPolicy.EXPLICIT,
            filter_subject=subjects.ALARM_ALL, ack_wait=60, max_ack_pending=4 * AT_ONCE,
        )  # fmt: skip
        await self._bus.js.add_consumer(subjects.ALARM, config)
        return await self._bus.js.pull_subscribe_bind(CONSUMER, subjects.ALARM)

    async def _taken(self, feed: JetStreamContext.PullSubscription) -> None:
        try:
            messages = await feed.fetch(AT_ONCE, timeout=FETCH_S)
        except TimeoutError:
            return
        by_tenant: dict[str, list[AlarmEvent]] = {}
        for message in messages:
            if (changed := _event(message)) is not None:
                by_tenant.setdefault(subjects.tenant_of(message.subject), []).append(changed)
        written = 0
        for tenant, events in by_tenant.items():
            written += await in_thread(_noted, tenant, events)
        for message in messages:
            await message.ack()
        if written:
            self._stirred.set()

    async def _send(self) -> None:
        async with asyncio.TaskGroup() as senders:
            while True:
                self._stirred.clear()
                self._ended.clear()
                found: list[Subscription] = []
                waits = True
                try:
                    found = await in_thread(records.due, _now_ms())
                    waits = bool(found) or await in_thread(records.any_waiting)
                except DatabaseError as error:
                    log.warning("notifier.records_wait", reason=str(error))
                for subscription in found:
                    if self._has_room(subscription):
                        self._under_way[subscription.pk] = server_of(subscription)
                        senders.create_task(self._tell(subscription))
                # Nothing waits: sleep until something is noted, here or by a subscription that was enabled again.
                # Otherwise look soon, and at once when a message has left and made room for another.
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S if waits else IDLE_S):
                        await (self._ended if waits else self._stirred).wait()

    def _has_room(self, subscription: Subscription) -> bool:
        of_server = sum(server == server_of(subscription) for server in self._under_way.values())
        return (
            subscription.pk not in self._under_way and len(self._under_way) < SENDERS_MAX and of_server < OF_SERVER_MAX
        )

    async def _tell(self, subscription: Subscription) -> None:
        try:
            await in_thread(tell, subscription, threads=self._threads)
        except DatabaseError as error:
            log.warning("notifier.records_wait", reason=str(error))
            await asyncio.sleep(RETRY_S)
        finally:
            del self._under_way[subscription.pk]
            self._ended.set()


def server_of(subscription: Subscription) -> str:
    """Return what a message has to get through: the mail server, or the host and port of a webhook."""
    return urlsplit(subscription.target).netloc if subscription.channel == Channel.WEBHOOK else Channel.MAIL


def tell(subscription: Subscription) -> None:
    """Send what waits for a subscription as one message; a failure is noted and tried again later."""
    notices = records.waiting(subscription, LINES_MAX)
    if not notices:
        return
    more = subscription.dropped
    try:
        deliver(subscription, [notice.row for notice in notices], more)
    except Exception as error:
        # Whatever one message stumbles over must not keep all others from leaving.
        text = error.text if isinstance(error, MainspringError) else _BROKEN.format(reason=type(error).__name__)
        back_off_s = BACK_OFF_S[min(subscription.attempts, len(BACK_OFF_S) - 1)]
        log.warning("notifier.not_sent", subscription=str(subscription.id), reason=text.en, error=repr(error))
        records.failed(subscription, text, _now_ms(), _now_ms() + back_off_s * 1000)
    else:
        records.sent(subscription, notices, more, _now_ms())


def deliver(subscription: Subscription, rows: list[dict[str, Any]], more: int) -> None:
    """Send rows over the channel of a subscription; raises MainspringError."""
    tenant, user = subscription.tenant, subscription.user
    if subscription.channel == Channel.WEBHOOK:
        document = {
            "tenant": tenant.key,
            "subscription": str(subscription.id),
            "events": [_for_programs(row) for row in rows],
            "more": more,
        }
        send_webhook(subscription.target, subscription.clear_secret(), document)
        return
    language = user.language or "en"
    plant = tenant.name.get(language) or tenant.name["en"]
    send_mail(subscription.target, letter(rows, more, language, tenant.zone, plant, current().page_url))


def _for_programs(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row for programs: no limit is null, such as that of an expression; a recording is marked in words."""
    mark = REPLAYED.document() if row.get("replayed") else None
    return row | {"mark": mark} | ({"limit": None} if row["condition"] in UNLIMITED else {})


def _noted(tenant: str, events: list[AlarmEvent]) -> int:
    fresh = [each for each in events if _now_ms() - each.time_ms < OLD_MS and each.state not in SET_ASIDE]
    return records.note(tenant, alarm_rows.of_events(tenant, fresh)) if fresh else 0


def _event(message: Msg) -> AlarmEvent | None:
    try:
        return AlarmEvent.model_validate_json(message.data)
    except ValidationError as error:
        log.warning("notifier.bad_event", subject=message.subject, reason=str(error))
        return None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
