"""What the web role holds while it runs: the bus, and the latest health of everyone. Set in its event loop."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from mainspring.bus.connect import Bus
from mainspring.core.errors import NotConnected
from mainspring.core.health import ConnectionHealth, GatewayConnections, Health, ReleaseReport
from mainspring.core.text import Text

REPORT_AGE_MAX_MS: Final = 5_000
"""A gateway's report older than this says nothing about now."""
_NO_BUS: Final = Text(
    "This web process has no bus. Start the platform with `mainspring up`.",
    "此 Web 进程未连接总线，请用 `mainspring up` 启动平台。",
)
_BUS_AWAY: Final = Text(
    "The bus does not answer; it is started again by itself. Try again in a moment.",
    "总线暂无应答，系统会自动重启，请稍后再试。",
)


@dataclass(slots=True)
class Runtime:
    """The live side of the web role; `gateways` and `health` are kept fresh by whoever listens on the bus.

    Keys are what the subject says: tenant and gateway; role and instance, which of a gateway is `<tenant>.<gateway>`.
    """

    bus: Bus | None = None
    health: dict[tuple[str, str], Health] = field(default_factory=dict)
    gateways: dict[tuple[str, str], GatewayConnections] = field(default_factory=dict)

    def require_bus(self) -> Bus:
        """Return the bus; raises NotConnected where there is none, or while it is away: nothing waits for it then."""
        if self.bus is None:
            raise NotConnected(_NO_BUS)
        if not self.bus.connected:
            raise NotConnected(_BUS_AWAY)
        return self.bus

    def reports(self, tenant: str) -> list[Health]:
        """Return what the roles of the platform and the gateways of one tenant last said."""
        return [health for health in self.health.values() if health.tenant in {"", tenant}]

    def gateway_health(self, tenant: str, gateway: str) -> Health | None:
        """Return what a tenant's gateway last said of itself."""
        return self.health.get(("gateway", f"{tenant}.{gateway}"))

    def releases(self, tenant: str) -> dict[str, ReleaseReport]:
        """Return what the gateways of one tenant last said they run, by name."""
        own = {name: report.release for (key, name), report in self.gateways.items() if key == tenant}
        return {name: release for name, release in own.items() if release is not None}

    def connection_health(self, tenant: str, gateway: str, connection: UUID) -> ConnectionHealth | None:
        """Return what a tenant's gateway last said of a connection, None if that is too old or never came."""
        report = self.gateways.get((tenant, gateway))
        if report is None or time.time_ns() // 1_000_000 - report.time_ms > REPORT_AGE_MAX_MS:
            return None
        return next((health for health in report.connections if health.connection == connection), None)


runtime = Runtime()
"""The runtime of this process."""
