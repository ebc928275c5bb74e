"""What the web role hears on the bus: everyone's health, every gateway's connections, every alarm's change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Container, Sequence
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import DatabaseError
from nats.aio.msg import Msg
from pydantic import ValidationError

from mainspring.bus.connect import Bus
from mainspring.core import subjects
from mainspring.core.alarms import AlarmEvent
from mainspring.core.health import GatewayConnections, Health
from mainspring.core.text import Text
from mainspring.records.plant import device
from mainspring.web import alarm_rows
from mainspring.web.lasting import in_thread
from mainspring.web.live import Hub
from mainspring.web.runtime import Runtime

log = structlog.get_logger(__name__)

SILENT_MS: Final = 4_000
FORGOTTEN_MS: Final = 600_000
ALARMS_WAITING_MAX: Final = 50_000
ALARMS_AT_ONCE: Final = 500
WATCH_S: Final = 0.5
SEEN_S: Final = 10.0
SEEN_WAITING_MAX: Final = 100_000
"""Devices of one company whose being heard waits to be noted."""

_SILENT: Final = Text(
    "{part} has not reported for {seconds} s. It is started again by itself; `mainspring status` tells more.",
    "{part} 已 {seconds} 秒未报告，系统会自动重启它，详见 `mainspring status`。",
)
_AWAY: Final = Text(
    "{part}, on another machine, has not reported for {seconds} s. It keeps its readings meanwhile; check that machine "
    "and its link.",
    "另一台机器上的{part} 已 {seconds} 秒未报告，期间读数由其保存，请检查该机器及其链路。",
)
_PARTS: Final = {
    "historian": Text("The historian", "历史库"), "engine": Text("The engine", "引擎"),
    "web": Text("The web role", "Web 角色"), "supervisor": Text("The supervisor", "监管进程"),
    "demo": Text("The demo plant's equipment", "演示设备"), "gateway": Text("Gateway {name}", "网关 {name}"),
}  # fmt: skip


class Listener:
    """Keeps the runtime fresh and passes alarms on."""

    def __init__(self, bus: Bus, runtime: Runtime, hub: Hub) -> None:
        self._bus = bus
        self._runtime = runtime
        self._hub = hub
        self._alarms: asyncio.Queue[tuple[str, AlarmEvent]] = asyncio.Queue(ALARMS_WAITING_MAX)
        self._seen: dict[str, dict[UUID, int]] = {}

    async def run(self) -> None:
        """Listen until cancelled."""
        await self._bus.nc.subscribe(subjects.HEALTH_ALL, cb=self._on_health)
        await self._bus.nc.subscribe(subjects.CONNECTIONS_ALL, cb=self._on_connections)
        await self._bus.nc.subscribe(subjects.ALARM_ALL, cb=self._on_alarm)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pass_alarms())
            tasks.create_task(self._watch_roles())
            tasks.create_task(self._note_seen())

    async def _on_health(self, message: Msg) -> None:
        try:
            health = Health.model_validate_json(message.data)
        except ValidationError as error:
            log.warning("listen.bad_health", subject=message.subject, reason=str(error))
            return
        # Whose report it is, is told by the subject, which the bus has checked; two gateways may have one name.
        _, _, role, place = message.subject.split(".", 3)
        tenant, _, instance = place.rpartition(".")
        if (health.role, health.tenant, health.instance) != (role, tenant, instance):
            log.warning("listen.false_health", subject=message.subject)
            return
        # When it came counts, not what the clock of its machine says.
        self._runtime.health[role, place] = health.model_copy(update={"time_ms": time.time_ns() // 1_000_000})

    async def _on_connections(self, message: Msg) -> None:
        try:
            report = GatewayConnections.model_validate_json(message.data)
        except ValidationError as error:
            log.warning("listen.bad_connections", subject=message.subject, reason=str(error))
            return
        _, tenant, _, gateway = message.subject.split(".")
        seen = self._seen.setdefault(tenant, {})
        if len(seen) < SEEN_WAITING_MAX:
            seen.update(report.devices)
        self._runtime.gateways[tenant, gateway] = report.model_copy(
            update={"time_ms": time.time_ns() // 1_000_000, "devices": {}}
        )

    async def _note_seen(self) -> None:
        while True:
            await asyncio.sleep(SEEN_S)
            seen, self._seen = self._seen, {}
            for tenant, devices in seen.items():
                try:
                    await in_thread(device.note_seen, tenant, devices)
                except DatabaseError as error:
                    log.warning("listen.seen_not_noted", tenant=tenant, reason=str(error))

    async def _on_alarm(self, message: Msg) -> None:
        try:
            changed = AlarmEvent.model_validate_json(message.data)
        except ValidationError as error:
            log.warning("listen.bad_alarm", subject=message.subject, reason=str(error))
            return
        if self._alarms.full():
            # The list itself stays right: pages ask for it again when they are told that they missed some.
            self._hub.tell_missed(self._alarms.get_nowait()[0])
        self._alarms.put_nowait((subjects.tenant_of(message.subject), changed))

    async def _pass_alarms(self) -> None:
        while True:
            waiting = [await self._alarms.get()]
            while len(waiting) < ALARMS_AT_ONCE and not self._alarms.empty():
                waiting.append(self._alarms.get_nowait())
            by_tenant: dict[str, list[AlarmEvent]] = {}
            for tenant, changed in waiting:
                by_tenant.setdefault(tenant, []).append(changed)
            for tenant, events in by_tenant.items():
                if tenant not in self._hub.viewers:
                    continue
                try:
                    rows = await in_thread(alarm_rows.of_events, tenant, events)
                except DatabaseError as error:
                    log.warning("listen.alarms_without_names", tenant=tenant, reason=str(error))
                    self._hub.tell_missed(tenant)
                    continue
                for row in rows:
                    self._hub.tell_alarm(tenant, row)

    async def _watch_roles(self) -> None:
        while True:
            now_ms = time.time_ns() // 1_000_000
            for key, health in tuple(self._runtime.health.items()):
                if now_ms - health.time_ms > FORGOTTEN_MS:
                    del self._runtime.health[key]
            for tenant in tuple(self._hub.viewers):
                self._hub.tell_roles(
                    tenant,
                    {"degraded": troubles(self._runtime.reports(tenant), now_ms, self._runtime.releases(tenant))},
                )
            await asyncio.sleep(WATCH_S)


def _silence(kind: str, name: str, seconds: int, *, away: bool) -> Text:
    part = _PARTS.get(kind, Text(kind, kind)).format(name=name)
    form = _AWAY if away else _SILENT
    return Text(form.en.format(part=part.en, seconds=seconds), form.zh.format(part=part.zh, seconds=seconds))


def part_of(health: Health) -> tuple[str, str]:
    """Return the role and the name a report is about: the supervisor reports what it starts again."""
    if health.role != "supervisor" or health.instance == "main":
        return health.role, health.instance
    kind, _, name = health.instance.partition("-")
    return kind, name


def troubles(reports: Sequence[Health], now_ms: int, elsewhere: Container[str] = ()) -> list[dict[str, Any]]:
    """Say what is wrong with the roles, one entry each, from their latest reports.

    `elsewhere` names the gateways on other machines, which nobody starts again here.
    """
    found: dict[str, dict[str, Any]] = {}
    for health in reports:
        age_ms = now_ms - health.time_ms
        kind, name = part_of(health)
        restarted = kind != health.role
        if restarted and age_ms > SILENT_MS:
            continue
        role = f"gateway-{name}" if kind == "gateway" else kind
        if age_ms > SILENT_MS:
            text = _silence(kind, name, age_ms // 1000, away=kind == "gateway" and name in elsewhere).document()
            found.setdefault(role, {"role": role, "state": "silent", "text": text, "since_ms": health.time_ms})
        elif restarted:
            found[role] = {"role": role, "state": "restarting", "text": health.text, "since_ms": health.started_ms}
        elif health.state == "degraded":
            found.setdefault(role, {"role": role, "state": "degraded", "text": health.text, "since_ms": health.time_ms})
    return list(found.values())
