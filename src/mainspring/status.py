"""`mainspring status`: what the roles of a running platform say of themselves."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from mainspring.bus.connect import Bus
from mainspring.bus.credentials import seed_file
from mainspring.configuration import Configuration
from mainspring.core import subjects
from mainspring.core.health import GatewayConnections, Health

LISTEN_S = 1.4


async def status(configuration: Configuration, *, as_json: bool) -> str:
    """Listen to one round of reports and return them as a table or as JSON."""
    seed = seed_file(configuration.secrets_folder, "status")
    tls_ca = configuration.bus.tls_ca
    seed = seed if seed.exists() else None  # type: ignore[assignment]
    bus = await Bus.connect(configuration.bus_url, seed, "status", tls_ca=tls_ca, wait_s=1)
    roles: dict[str, Health] = {}
    connections: dict[str, GatewayConnections] = {}

    async def on_health(message: Any) -> None:
        health = Health.model_validate_json(message.data)
        roles[message.subject] = health

    async def on_connections(message: Any) -> None:
        report = GatewayConnections.model_validate_json(message.data)
        connections[message.subject] = report

    await bus.nc.subscribe(subjects.HEALTH_ALL, cb=on_health)
    await bus.nc.subscribe(subjects.CONNECTIONS_ALL, cb=on_connections)
    await asyncio.sleep(LISTEN_S)
    await bus.close()
    if as_json:
        document = {
            "roles": [health.model_dump(mode="json") for health in roles.values()],
            "gateways": [report.model_dump(mode="json") for report in connections.values()],
        }
        return json.dumps(document, ensure_ascii=False, indent=2)
    return table(list(roles.values()), connections)


def table(roles: list[Health], gateways: dict[str, GatewayConnections]) -> str:
    """Write reports as aligned text; those of gateways come by their subject."""
    now_ms = time.time_ns() // 1_000_000
    lines = [f"{'role':<22} {'state':<9} {'pid':>7} {'up':>8} {'memory':>8}  figures"]
    for health in sorted(roles, key=lambda each: (each.role, each.tenant, each.instance)):
        figures = "  ".join(f"{name} {_shown(name, value)}" for name, value in sorted(health.figures.items()))
        lines.append(
            f"{_place(health):<22} {health.state:<9} {health.pid:>7} "
            f"{_duration(now_ms - health.started_ms):>8} {health.memory_bytes / 2**20:>5.0f} MB  {figures}"
        )
        if health.text:
            lines.append(f"    {health.text['en']}")
        lines += [
            f"    {each.samples:,} readings of foreign tags refused from gateway {each.gateway} of {each.tenant}"
            for each in health.foreign
        ]
    for subject, gateway in sorted(gateways.items()):
        states = [connection.state for connection in gateway.connections]
        place = f"{subjects.tenant_of(subject)}/{gateway.gateway}"
        lines.append(f"gateway {place}: {states.count('connected')} of {len(states)} connections live")
        lines += [
            f"    {connection.connection} {connection.state}: {connection.text['en']}"
            for connection in gateway.connections
            if connection.text
        ]
    return "\n".join(lines)


def _place(health: Health) -> str:
    return f"{health.role} {health.tenant}/{health.instance}" if health.tenant else f"{health.role} {health.instance}"


def _shown(name: str, value: float) -> str:
    if name.endswith("_bytes"):
        return f"{value / 2**20:,.1f} MB"
    if name.endswith("_ms"):
        return f"{value:,.0f} ms"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.2f}"


def _duration(milliseconds: float) -> str:
    seconds = int(milliseconds // 1000)
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h {seconds % 3600 // 60:02} m"
