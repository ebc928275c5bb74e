"""Every subject of the bus, in one place; the tenant is part of each that carries a tenant's things.

ms.<tenant>.live.<gateway>           readings, stream LIVE; header Ms-Seq: the gateway's own sequence
ms.<tenant>.late.<gateway>           readings, stream LATE
ms.<tenant>.alarm                    AlarmEvent as JSON, stream ALARM; Nats-Msg-Id is its id
ms.<tenant>.history.<query>          request raw, aggregate, trend, states, events, extent, corrections: Arrow IPC
                                     stream; correct: JSON; blob: what it is as JSON, then the content;
                                     import: a batch of readings, answered in JSON when they are on the disk
ms.<tenant>.blob.<gateway>           request core.blobs.Part: a part of a blob; answers how much is there
ms.<tenant>.current                  request uint32 ordinals, little-endian: core.current.SCHEMA as Arrow IPC stream
ms.<tenant>.alarms.<verb>            request list, acknowledge, comment, shelve, unshelve, out-of-service: JSON
ms.<tenant>.gateway.<gateway>.<verb> request test, browse, command: JSON
ms.<tenant>.connections.<gateway>    GatewayConnections as JSON, once a second
ms.<tenant>.clock                    request: the platform's time, milliseconds UTC in decimal
ms.<tenant>.definitions              request core.definitions.Since: bus.tenant_watch.Page, what changed since
ms.defined.<key>                     a definition was stored or withdrawn; a notice without content
ms.health.<role>.<instance>          Health as JSON, once a second
ms.health.gateway.<tenant>.<gateway> Health of a gateway
ms.backup.freeze, ms.backup.thaw     request: the historian links and copies what it owns, or lets go of it: JSON
ms.position.<stream>                 decimal sequence up to which the historian has stored, durably
"""

from __future__ import annotations

from typing import Final

LIVE: Final = "LIVE"
LATE: Final = "LATE"
ALARM: Final = "ALARM"
STREAMS: Final[dict[str, tuple[str, ...]]] = {
    LIVE: ("ms.*.live.*",),
    LATE: ("ms.*.late.*",),
    ALARM: ("ms.*.alarm",),
}
SEQUENCE_HEADER: Final = "Ms-Seq"
BY_HAND: Final = "_web"
"""In the place of a gateway: what people enter and upload. No gateway can have this name."""
FREEZE: Final = "ms.backup.freeze"
THAW: Final = "ms.backup.thaw"
RESERVED: Final = frozenset({"health", "position", "defined", "backup"})
"""Words that stand where a tenant does, so that no tenant can have them as its key."""
HEALTH_ALL: Final = "ms.health.>"
CONNECTIONS_ALL: Final = "ms.*.connections.*"
ALARM_ALL: Final = "ms.*.alarm"


def readings(tenant: str, gateway: str, *, late: bool = False) -> str:
    """Where a gateway's batches go."""
    return f"ms.{tenant}.{'late' if late else 'live'}.{gateway}"


def blob(tenant: str, gateway: str) -> str:
    """Where a gateway sends the blobs it keeps."""
    return f"ms.{tenant}.blob.{gateway}"


def alarm(tenant: str) -> str:
    """Where a tenant's alarm transitions go."""
    return f"ms.{tenant}.alarm"


def history(tenant: str, query: str) -> str:
    """Where history queries are asked."""
    return f"ms.{tenant}.history.{query}"


def current(tenant: str) -> str:
    """Where current values are asked."""
    return f"ms.{tenant}.current"


def alarms(tenant: str, verb: str) -> str:
    """Where the alarm list and acknowledgement are asked."""
    return f"ms.{tenant}.alarms.{verb}"


def gateway(tenant: str, name: str, verb: str) -> str:
    """Where a gateway is asked to test, browse or execute."""
    return f"ms.{tenant}.gateway.{name}.{verb}"


def connections(tenant: str, name: str) -> str:
    """Where a gateway reports its connections."""
    return f"ms.{tenant}.connections.{name}"


def definitions(tenant: str) -> str:
    """Where a gateway asks for its tenant's definitions."""
    return f"ms.{tenant}.definitions"


def clock(tenant: str) -> str:
    """Where a gateway asks for the platform's time."""
    return f"ms.{tenant}.clock"


def defined(tenant: str) -> str:
    """Where it is told that a tenant's definition was stored or withdrawn."""
    return f"ms.defined.{tenant}.>"


def health(role: str, instance: str, tenant: str = "") -> str:
    """Where a role reports itself; a gateway does so under its tenant."""
    return f"ms.health.{role}.{tenant}.{instance}" if tenant else f"ms.health.{role}.{instance}"


def position(stream: str) -> str:
    """Where the historian tells what it has stored."""
    return f"ms.position.{stream}"


def tenant_of(subject: str) -> str:
    """Return the tenant key of a subject."""
    return subject.split(".", 2)[1]


def sender(subject: str) -> str:
    """Return `<tenant>.<gateway>` of a subject of readings, live or late."""
    _, tenant, _, gateway = subject.split(".")
    return f"{tenant}.{gateway}"
