"""The gateway's own MQTT listener, made from the gateway's settings; where it is off its code is not imported."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mainspring.core.drivers import Host
from mainspring.gateway.batches import Gate
from mainspring.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from mainspring.drivers.mqtt_listener import Listener


def make_listener(settings: GatewaySettings, host: Host, gate: Gate) -> Listener | None:
    """Return the listener and lend its hub to the drivers; None where it is switched off."""
    if not settings.mqtt_port:
        return None
    from mainspring.drivers.mqtt_hub import Hub
    from mainspring.drivers.mqtt_listener import Listener, ListenerSettings
    from mainspring.drivers.mqtt_session import PART

    hub = host.parts[PART] = Hub()
    hub.closed = lambda: not gate.open
    return Listener(
        ListenerSettings(
            settings.mqtt_host, settings.mqtt_port, settings.mqtt_tls_certificate, settings.mqtt_tls_key,
            settings.mqtt_tls_client_ca, settings.mqtt_connections_max, settings.mqtt_packet_bytes_max,
        ),
        hub,
        asyncio.Event(),
    )  # fmt: skip
