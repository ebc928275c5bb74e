"""The gateway itself, as its runner starts it: one release, until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass

import structlog

from mainspring import __version__
from mainspring.bus.connect import Bus
from mainspring.core.definitions import GatewayDefinition, Release
from mainspring.core.health import ReleaseReport
from mainspring.core.logs import configure_logs
from mainspring.edge.enrolment import authority_file, enrolled, seed_file
from mainspring.edge.releases import Releases
from mainspring.edge.runner import settings_of
from mainspring.edge.settings import EdgeConfiguration
from mainspring.gateway import role
from mainspring.gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)

CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Keeper:
    """What the gateway tells its runner, and the platform of its runner."""

    releases: Releases
    number: int

    def want(self, definition: GatewayDefinition) -> None:
        """Take what the platform wants this gateway to run."""
        self.releases.want(definition)

    def note(self, *, on_bus: bool, connected: int, connections: int) -> ReleaseReport:
        """Take how the gateway does; return what it runs."""
        self.releases.beat(self.number, on_bus=on_bus, connected=connected, connections=connections)
        return self.releases.report(__version__)


def run_gateway(configuration: EdgeConfiguration, release: Release) -> None:
    """Be the gateway until SIGTERM or SIGINT; what ends it otherwise is logged, and raised."""
    folder = configuration.data_folder
    configure_logs(configuration.log_level, folder / "logs" / "gateway.log")
    own = enrolled(configuration)
    settings = GatewaySettings(
        **settings_of(configuration, release).model_dump(), name=own.name, tenant=own.tenant, folder=folder / "gateway"
    )
    authority = authority_file(configuration) if own.bus_ca else None

    async def connect() -> Bus:
        return await Bus.connect(own.bus_url, seed_file(configuration), own.user, tls_ca=authority, wait_s=CONNECT_S)

    async def until_stopped() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        log.info("gateway.starts", release=release.number, version=__version__)
        await role.run(connect, settings, stop, keeper=Keeper(Releases(folder), release.number))

    try:
        asyncio.run(until_stopped())
    except Exception:
        log.exception("gateway.failed")
        raise
