"""Gateways: which there are, beside the platform and on other machines, and the key each is let in by.

A gateway elsewhere is announced here, which gives a token that is shown once; with it the gateway hands in the public
half of a key pair it made itself. The private half never travels.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, ClassVar, Final
from uuid import UUID

import nkeys
from django.db import models, transaction
from pydantic import Field

from mainspring.core.definitions import GatewayDefinition, Release
from mainspring.core.errors import Conflict, LimitExceeded, NotAllowed
from mainspring.core.text import Text
from mainspring.records import changes, outbox
from mainspring.records.audit import HIDDEN, Author
from mainspring.records.draft import Draft
from mainspring.records.faults import Invalid
from mainspring.records.people import credential
from mainspring.records.people.credential import Credential, CredentialKind
from mainspring.records.record import Record, absent
from mainspring.records.tenant import Tenant, now_ms

GATEWAYS_MAX: Final = 1000
_KEY_BYTES: Final = 35
TOKEN_MS: Final = 7 * 86_400_000
"""A token that was not used within a week opens nothing any more."""

_SAME_NAME: Final = Text("There is already a gateway {name}. Choose another name.", "已有网关 {name}，请换一个名称。")
_TOO_MANY: Final = Text("A company has at most {limit} gateways.", "每个企业最多 {limit} 个网关。")
_BESIDE: Final = Text(
    "{name} runs beside the platform, with a key that stays there. Whoever runs the platform takes it out.",
    "{name} 随平台运行，密钥不离开平台主机，由平台运营方移除。",
)
_NO_TOKEN: Final = Text(
    "This token does not enrol a gateway: it was used, replaced or is older than a week. Ask for a new one.",
    "该令牌无法登记网关：已使用、已更换或超过一周，请索取新令牌。",
)
_NO_KEY: Final = Text("This is not the public key of a gateway.", "这不是网关公钥。")
_KNOWN_KEY: Final = Text("Another gateway has this key. Make a new pair.", "该密钥已被其他网关使用，请重新生成。")


class GatewayState(StrEnum):
    """How far a gateway is."""

    WAITING = "waiting"
    ENROLLED = "enrolled"
    REVOKED = "revoked"


class GatewayDraft(Draft):
    """A new gateway on another machine."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="final: subjects and connections carry it")


class Gateway(Record):
    """One gateway; its entry in the registry is a token until it has enrolled, and its public key from then on."""

    name = models.CharField(max_length=32)
    local = models.BooleanField(default=False)
    credential = models.OneToOneField(Credential, on_delete=models.PROTECT, related_name="gateway")

    kind = "gateway"

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "name"], name="gateway_name")]

    @property
    def state(self) -> GatewayState:
        """How far it is, by its entry in the registry."""
        if self.credential.revoked_ms is not None:
            return GatewayState.REVOKED
        return GatewayState.WAITING if self.credential.digest else GatewayState.ENROLLED

    def document(self) -> dict[str, Any]:
        """Return the form the API shows; neither token nor key is in it."""
        return {
            "id": self.id,
            "name": self.name,
            "local": self.local,
            "state": self.state,
            "token_expires_ms": self.credential.expires_ms if self.state is GatewayState.WAITING else None,
            "version": self.version,
        }

    def label(self) -> str:
        """Return the name."""
        return self.name

    def definition(self, revision: int, release: Release | None = None) -> GatewayDefinition:
        """Return what is published."""
        return GatewayDefinition(
            id=self.id,
            tenant=self.tenant.key,
            revision=revision,
            name=self.name,
            local=self.local,
            public_key=self.credential.public if self.state is GatewayState.ENROLLED else "",
            enabled=self.state is not GatewayState.REVOKED,
            release=release,
        )


def published(tenant: Tenant, only: Iterable[str] | None = None) -> models.QuerySet[Gateway]:
    """Return the gateways of a tenant, those that were revoked too."""
    rows = Gateway.objects.of(tenant).select_related("tenant", "credential")
    return rows if only is None else rows.filter(name__in=list(only))


def find(tenant: Tenant, id: UUID) -> Gateway:
    """Return a gateway of the tenant; raises NotFound."""
    gateway = published(tenant).filter(pk=id).first()
    if gateway is None:
        raise absent("gateway", id)
    return gateway


def announce(author: Author, draft: GatewayDraft) -> tuple[Gateway, str]:
    """Store a gateway on another machine; the token it enrols with is shown this once."""
    with transaction.atomic():
        known = Gateway.objects.of(author.tenant)
        if known.filter(name=draft.name).exists():
            raise Invalid({"name": _SAME_NAME.format(name=draft.name)})
        if known.count() >= GATEWAYS_MAX:
            raise LimitExceeded(_TOO_MANY, limit=GATEWAYS_MAX)
        kept, token = _token(author, draft.name)
        gateway = Gateway(tenant=author.tenant, name=draft.name, credential=kept)
        changes.create(author, gateway)
        outbox.mark_gateway(author.tenant.key, gateway.name)
    return gateway, token


def announce_again(author: Author, id: UUID) -> tuple[Gateway, str]:
    """Give a gateway a new token, for another machine or after its key was revoked; what let it in before ends."""
    with transaction.atomic():
        gateway = _elsewhere(author, id)
        before, old = gateway.document(), gateway.credential
        if old.revoked_ms is None:
            credential.revoke(author, old)
        gateway.credential, token = _token(author, gateway.name)
        changes.change(author, gateway, before, extra={"token": [HIDDEN, HIDDEN]})
        outbox.mark_gateway(author.tenant.key, gateway.name)
    return gateway, token


def revoke(author: Author, id: UUID) -> Gateway:
    """End a gateway's key or token for good; its connection to the bus ends within seconds."""
    with transaction.atomic():
        gateway = _elsewhere(author, id)
        if gateway.credential.revoked_ms is None:
            credential.revoke(author, gateway.credential)
            outbox.mark_gateway(author.tenant.key, gateway.name)
    return gateway


def enrol(token: str, public_key: str, address: str = "") -> Gateway:
    """Take the public key of a gateway that shows its token, which thereby ends; raises NotAllowed or Invalid."""
    kept = credential.verify(token, CredentialKind.GATEWAY)
    gateway = None if kept is None else Gateway.objects.select_related("tenant").filter(credential=kept).first()
    if kept is None or gateway is None:
        raise NotAllowed(_NO_TOKEN)
    if not _is_key(public_key):
        raise Invalid({"public_key": _NO_KEY})
    author = Author(gateway.tenant, address=address)
    with transaction.atomic():
        if Credential.objects.filter(public=public_key).exists():
            raise Conflict(_KNOWN_KEY)
        # Only one of two who show the same token at once finds it unused.
        fields = {"public": public_key, "digest": "", "expires_ms": None, "issued_ms": now_ms()}
        if not Credential.objects.filter(pk=kept.pk, public=kept.public, revoked_ms=None).update(**fields):
            raise NotAllowed(_NO_TOKEN)
        before = gateway.document() | {"state": GatewayState.WAITING}
        gateway.credential = Credential.objects.get(pk=kept.pk)
        changes.change(author, gateway, before)
        outbox.mark_gateway(gateway.tenant.key, gateway.name)
    return gateway


def ensure_local(author: Author, name: str, user: str, public_key: str) -> Gateway:
    """Enter a gateway that runs beside the platform, with the key that lies there."""
    with transaction.atomic():
        kept = credential.register_key(author, CredentialKind.GATEWAY, user, public_key)
        gateway = published(author.tenant, [name]).first()
        if gateway is None:
            gateway = Gateway(tenant=author.tenant, name=name, local=True, credential=kept)
            changes.create(author, gateway)
        elif gateway.credential != kept:
            before = gateway.document()
            gateway.local, gateway.credential = True, kept
            changes.change(author, gateway, before, extra={"key": [HIDDEN, HIDDEN]})
        outbox.mark_gateway(author.tenant.key, name)
    return gateway


def _token(author: Author, name: str) -> tuple[Credential, str]:
    return credential.issue(author, CredentialKind.GATEWAY, name, expires_ms=now_ms() + TOKEN_MS)


def _elsewhere(author: Author, id: UUID) -> Gateway:
    gateway = find(author.tenant, id)
    if gateway.local:
        raise Conflict(_BESIDE, name=gateway.name)
    return gateway


def _is_key(public_key: str) -> bool:
    """Tell whether this is the public half of a user's pair: one that is not would spoil the bus's whole settings."""
    try:
        raw = base64.b32decode(public_key)
    except ValueError:
        return False
    checksum = int.from_bytes(raw[-2:], "little")
    return len(raw) == _KEY_BYTES and raw[0] == nkeys.PREFIX_BYTE_USER and checksum == nkeys.crc16(raw[:-2])
