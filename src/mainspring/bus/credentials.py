"""Who may do what on the bus: one key pair for each role instance, and its least rights.

The server's configuration holds public keys only; the seed lies in the role's own file, readable by its owner alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import nkeys

from mainspring.bus.connect import inbox_prefix
from mainspring.core import subjects
from mainspring.core.definitions import BUCKET
from mainspring.core.files import replace_file

KV: Final = f"KV_{BUCKET}"
_ANSWERS: Final = ("$JS.API.INFO",)
_ANOTHER_ACCOUNT: Final = "_R_.>"
"""Where answers to another account go: names the server draws, which end with the answer."""
_INBOXES: Final = (
    *(f"{inbox_prefix(name)}.>" for name in ("web", "historian", "engine", "admin", "backup", "importer")),
    _ANOTHER_ACCOUNT,
)
"""Where platform roles answer each other. The server also lets anyone answer what it was asked, but forgets at a
reload what was under way, and an answer would be lost."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What one role instance may publish and subscribe to, besides its own inbox."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleUser:
    """One user of the bus: its name, its public key, its rights, and the tenant whose account it belongs to."""

    name: str
    public_key: str
    rights: Rights = field(default_factory=Rights)
    tenant: str = ""


def _reading(stream: str, consumer_filter: str = "*.>") -> tuple[str, ...]:
    """Rights to read a stream through consumers of one's own."""
    return (
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}.{consumer_filter}",
        f"$JS.API.CONSUMER.INFO.{stream}.*",
        f"$JS.API.CONSUMER.DELETE.{stream}.*",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.*",
        f"$JS.ACK.{stream}.>",
        "$JS.FC.>",
    )


def rights_of(role: str, instance: str = "", tenant: str = "") -> Rights:
    """Return the least rights of a role; a gateway's are bound to its tenant and its own name."""
    definitions_all = (*_ANSWERS, *_reading(KV))
    if role == "admin":
        return Rights((">",), (">",))
    if role == "gateway":
        # What these subjects mean to the platform is said in `accounts`; here they are bound to the gateway's own name.
        return Rights(
            (
                *(
                    right
                    for late in (False, True)
                    for right in (
                        subjects.readings(tenant, instance, late=late),
                        f"$JS.API.DIRECT.GET.{subjects.LATE if late else subjects.LIVE}."
                        + subjects.readings(tenant, instance, late=late),
                    )
                ),
                subjects.definitions(tenant),
                subjects.clock(tenant),
                _ANOTHER_ACCOUNT,
                subjects.connections(tenant, instance),
                subjects.blob(tenant, instance),
                subjects.health("gateway", instance, tenant),
            ),
            (
                subjects.gateway(tenant, instance, "*"),
                subjects.defined(tenant),
                *(subjects.position(stream) for stream in (subjects.LIVE, subjects.LATE)),
            ),
        )
    if role == "historian":
        streams = tuple(right for stream in subjects.STREAMS for right in _reading(stream))
        purge = tuple(f"$JS.API.STREAM.PURGE.{stream}" for stream in subjects.STREAMS)
        return Rights(
            (*definitions_all, *streams, *purge, *_INBOXES, "ms.position.*", subjects.health(role, "*")),
            ("ms.*.history.*", "ms.*.blob.*", "ms.backup.*"),
        )
    if role == "engine":
        return Rights(
            (
                *definitions_all,
                *_reading(subjects.LIVE),
                *_reading(subjects.LATE),
                *_reading(subjects.ALARM),
                *_INBOXES,
                subjects.ALARM_ALL,
                subjects.health(role, "*"),
            ),
            ("ms.*.current", "ms.*.alarms.*", "ms.position.*"),
        )
    if role == "web":
        asks = ("ms.*.history.*", "ms.*.current", "ms.*.alarms.*", "ms.*.gateway.*.*")
        by_hand = (subjects.readings("*", subjects.BY_HAND), subjects.blob("*", subjects.BY_HAND))
        return Rights(
            (
                *definitions_all,
                *_reading(subjects.ALARM),
                f"$KV.{BUCKET}.>",
                *asks,
                *_INBOXES,
                *by_hand,
                subjects.health(role, "*"),
            ),
            (subjects.HEALTH_ALL, subjects.CONNECTIONS_ALL, subjects.ALARM_ALL),
        )
    if role == "backup":
        streams = tuple(
            right
            for stream in (*subjects.STREAMS, KV)
            for right in (f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.DIRECT.GET.{stream}")
        )
        return Rights((*_ANSWERS, *streams, subjects.FREEZE, subjects.THAW, subjects.health(role, "*")), ())
    if role == "importer":
        return Rights((subjects.history("*", "import"),), ())
    if role == "status":
        return Rights((), (subjects.HEALTH_ALL, subjects.CONNECTIONS_ALL))
    message = f"{role} is not a role of the bus"
    raise ValueError(message)


def seed_file(folder: Path, name: str) -> Path:
    """Where a role instance's seed lies."""
    return folder / f"{name}.seed"


def user_name(role: str, instance: str = "", tenant: str = "") -> str:
    """Return the name under which a role instance connects; its seed's file and its inbox carry it."""
    return "-".join(part for part in (role, tenant, instance) if part)


def key_pair(file: Path) -> nkeys.KeyPair:
    """Return the key pair whose seed lies in a file, made on first use; the seed never leaves its machine."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(file, nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER))
    return nkeys.from_seed(bytearray(file.read_bytes().strip()))


def ensure_user(folder: Path, role: str, instance: str = "", tenant: str = "") -> RoleUser:
    """Return the user of a role instance, making its key pair on first use."""
    name = user_name(role, instance, tenant)
    pair = key_pair(seed_file(folder, name))
    return RoleUser(name, pair.public_key.decode(), rights_of(role, instance, tenant), tenant)


def gateway_user(tenant: str, name: str, public_key: str) -> RoleUser:
    """Return the user of a gateway whose seed is not here."""
    return RoleUser(user_name("gateway", name, tenant), public_key, rights_of("gateway", name, tenant), tenant)
