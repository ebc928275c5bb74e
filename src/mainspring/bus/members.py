"""Who belongs to the bus now: the roles of this machine, and the gateways that the definitions name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from mainspring.bus.connect import Bus
from mainspring.bus.credentials import RoleUser, gateway_user
from mainspring.core.definitions import Definition, GatewayDefinition

log = structlog.get_logger(__name__)


class Members:
    """The users of the bus; `changed` is set when a definition adds, replaces or ends one."""

    def __init__(self, own: Sequence[RoleUser]) -> None:
        self.changed = asyncio.Event()
        self._own = own
        self._gateways: dict[str, GatewayDefinition] = {}

    async def follow(self, bus: Bus) -> None:
        """Take the gateways that are defined, now and from now on."""
        await bus.watch_definitions(self._on_definition, "*.gateways.*")

    @property
    def users(self) -> list[RoleUser]:
        """Everyone who may connect, each key once: one that stands twice would spoil all of the server's settings."""
        found = {user.public_key: user for user in self._own}
        for gateway in self._enabled():
            if gateway.public_key in found:
                known = found[gateway.public_key]
                if (known.tenant, known.name) != (gateway.tenant, gateway_user(gateway.tenant, gateway.name, "").name):
                    log.error("members.key_used_twice", tenant=gateway.tenant, gateway=gateway.name)
                continue
            found[gateway.public_key] = gateway_user(gateway.tenant, gateway.name, gateway.public_key)
        return list(found.values())

    @property
    def local(self) -> list[tuple[str, str]]:
        """Tenant and name of each gateway that runs beside the platform."""
        return [(gateway.tenant, gateway.name) for gateway in self._enabled() if gateway.local]

    def _enabled(self) -> list[GatewayDefinition]:
        return [each for _, each in sorted(self._gateways.items()) if each.enabled and each.public_key]

    def _on_definition(self, key: str, definition: Definition | None) -> None:
        if isinstance(definition, GatewayDefinition):
            self._gateways[key] = definition
        else:
            self._gateways.pop(key, None)
        self.changed.set()
