"""Devices that sign in by themselves: a credential of the one registry, and the topics it opens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from django.db import models, transaction
from pydantic import AfterValidator, Field, model_validator

from mainspring.core.definitions import DeviceDefinition
from mainspring.core.errors import LimitExceeded
from mainspring.core.faults import fault
from mainspring.core.text import Text
from mainspring.records import changes, outbox
from mainspring.records.audit import Action, Author, append
from mainspring.records.draft import Draft, merged
from mainspring.records.faults import Invalid
from mainspring.records.people import credential
from mainspring.records.people.credential import Credential, CredentialKind
from mainspring.records.plant.connection import GATEWAY_DEFAULT
from mainspring.records.record import Record, absent, require_version
from mainspring.records.tenant import Tenant, now_ms

NAME_MAX: Final = 120
BULK_MAX: Final = 5_000
DEVICES_MAX: Final = 100_000
FILTERS_MAX: Final = 20
FILTER_BYTES_MAX: Final = 256
BATCH: Final = 500
SEEN_STEP_MS: Final = 60_000
NAME: Final = r"^\w[^\s+#/\x00-\x1f\x7f]*$"
"""A name can stand as one level of a topic, and in a cell of a sheet."""
_PLACEHOLDER: Final = "{name}"

_EMPTY_FILTER: Final = Text("A topic filter cannot be empty.", "主题过滤器不能为空。")
_LONG_FILTER: Final = Text(
    f"A topic filter has at most {FILTER_BYTES_MAX} bytes.", f"主题过滤器最多 {FILTER_BYTES_MAX} 字节。"
)
_WRONG_FILTER: Final = Text(
    "+ and # stand alone between slashes, # only at the end: plant/+/values or plant/#.",
    "+ 和 # 须独占一级，# 只能在末尾，例如 plant/+/values 或 plant/#。",
)
_DOLLAR: Final = Text(
    "A topic filter cannot begin with $: those topics are the listener's own.",
    "主题过滤器不能以 $ 开头，此类主题由监听器自用。",
)
_NO_EVIDENCE: Final = Text(
    "Without a password a device needs a certificate: give its SHA-256.",
    "不使用密码的设备须有证书，请填写其 SHA-256。",
)
_PAST: Final = Text("Choose a time in the future.", "请选择将来的时间。")
_SAME_NAME: Final = Text("There is already a device {name}. Choose another name.", "已有设备 {name}，请换一个名称。")
_TWICE: Final = Text("{name} is listed twice.", "{name} 重复列出。")
_TOO_MANY: Final = Text(
    "A company has at most {limit} devices. Revoke those no longer in use.",
    "每个企业最多 {limit} 台设备，请吊销不再使用的设备。",
)


def _topic_filter(text: str) -> str:
    if not text:
        raise fault(_EMPTY_FILTER)
    if len(text.encode()) > FILTER_BYTES_MAX:
        raise fault(_LONG_FILTER)
    if text.startswith("$"):
        raise fault(_DOLLAR)
    *before, last = text.split("/")
    wrong = any("#" in level or ("+" in level and level != "+") for level in before)
    if wrong or "\x00" in text or (any(sign in last for sign in "+#") and last not in {"+", "#"}):
        raise fault(_WRONG_FILTER)
    return text


Filters = Annotated[tuple[Annotated[str, AfterValidator(_topic_filter)], ...], Field(max_length=FILTERS_MAX)]
"""MQTT topic filters; `{name}` stands for the device's own name."""


class DeviceFields(Draft):
    """What can be changed of a device."""

    gateway: str = Field(default=GATEWAY_DEFAULT, pattern=r"^[a-z][a-z0-9-]{0,31}$")
    publish: Filters = ()
    subscribe: Filters = ()
    certificate: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    expires_ms: int | None = Field(default=None, ge=0, lt=2**53)


class DeviceDraft(DeviceFields):
    """A new device; with `password` false it shows its certificate alone."""

    name: str = Field(min_length=1, max_length=NAME_MAX, pattern=NAME)
    password: bool = True

    @model_validator(mode="after")
    def _evidence(self) -> DeviceDraft:
        if not self.password and not self.certificate:
            raise fault(_NO_EVIDENCE)
        return self


class Device(Record):
    """One device: its secret lies in the registry, its topics here; it goes when it is revoked."""

    credential = models.OneToOneField(Credential, on_delete=models.PROTECT, related_name="device")
    name = models.CharField(max_length=120)
    gateway = models.CharField(max_length=32, default=GATEWAY_DEFAULT)
    publish: models.JSONField[Any, Any] = models.JSONField(default=list)
    subscribe: models.JSONField[Any, Any] = models.JSONField(default=list)
    certificate = models.CharField(max_length=64, blank=True)

    kind = "device"

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "name"], name="device_name")]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows; the secret is not in it."""
        return {
            "id": self.id,
            "name": self.name,
            "gateway": self.gateway,
            "publish": self.publish,
            "subscribe": self.subscribe,
            "certificate": self.certificate,
            "password": bool(self.credential.digest),
            "issued_ms": self.credential.issued_ms,
            "expires_ms": self.credential.expires_ms,
            "last_seen_ms": self.credential.last_used_ms,
            "version": self.version,
        }

    def label(self) -> str:
        """Return the name."""
        return self.name

    def definition(self, revision: int) -> DeviceDefinition:
        """Return what is published."""
        return DeviceDefinition(
            id=self.id,
            tenant=self.tenant.key,
            revision=revision,
            name=self.name,
            gateway=self.gateway,
            digest=self.credential.digest,
            certificate=self.certificate,
            publish=tuple(self.publish),
            subscribe=tuple(self.subscribe),
            expires_ms=self.credential.expires_ms,
        )


def published(tenant: Tenant, only: Iterable[UUID] | None = None) -> models.QuerySet[Device]:
    """Return the devices that gateways let in: neither revoked nor expired."""
    rows = Device.objects.of(tenant).select_related("tenant", "credential").filter(credential__revoked_ms=None)
    rows = rows.exclude(credential__expires_ms__lte=now_ms())
    return rows if only is None else rows.filter(pk__in=list(only))


def find(tenant: Tenant, id: UUID) -> Device:
    """Return a device of the tenant; raises NotFound."""
    device = Device.objects.of(tenant).select_related("credential").filter(pk=id).first()
    if device is None:
        raise absent("device", id)
    return device


def issue(author: Author, drafts: Sequence[DeviceDraft]) -> list[tuple[Device, str]]:
    """Store new devices, all or none; each password is shown this once and is empty where none is wanted."""
    with transaction.atomic():
        _check_new(author.tenant, drafts)
        made = [_prepared(author, draft) for draft in drafts]
        Credential.objects.bulk_create([device.credential for device, _ in made], batch_size=BATCH)
        Device.objects.bulk_create([device for device, _ in made], batch_size=BATCH)
        append(author, [changes.deed(Action.CREATE, device, {}, device.document()) for device, _ in made])
        outbox.mark_devices(author.tenant.key, [device.id for device, _ in made])
    return made


def modify(author: Author, id: UUID, patch: dict[str, Any], version: int | None) -> Device:
    """Change where a device belongs, its topics, certificate or end; its password stays."""
    with transaction.atomic():
        device = find(author.tenant, id)
        require_version(device, version)
        before = device.document()
        draft = merged(DeviceFields, before, patch)
        if not device.credential.digest and not draft.certificate:
            raise Invalid({"certificate": _NO_EVIDENCE})
        if draft.expires_ms != before["expires_ms"]:
            _check_end(draft.expires_ms)
        _fill(device, draft)
        device.credential.save(update_fields=["expires_ms"])
        changes.change(author, device, before)
        outbox.mark_devices(author.tenant.key, [device.id])
    return device


def rotate(author: Author, id: UUID) -> tuple[Device, str]:
    """Give a device a new password; the old one ends as soon as its gateway hears of it."""
    with transaction.atomic():
        device = find(author.tenant, id)
        shown = credential.rotate(author, device.credential)
        outbox.mark_devices(author.tenant.key, [device.id])
    return device, shown


def revoke(author: Author, id: UUID) -> None:
    """End a device's credential for good; the registry keeps its entry, the name is free again."""
    with transaction.atomic():
        device = find(author.tenant, id)
        outbox.mark_devices(author.tenant.key, [device.id])
        credential.revoke(author, device.credential)
        changes.delete(author, device)


def _prepared(author: Author, draft: DeviceDraft) -> tuple[Device, str]:
    kept, shown = credential.prepared(author, CredentialKind.DEVICE, draft.name, secret=draft.password)
    device = Device(tenant=author.tenant, credential=kept, name=draft.name)
    _fill(device, draft)
    return device, shown


def _fill(device: Device, draft: DeviceFields) -> None:
    device.gateway, device.certificate = draft.gateway, draft.certificate
    device.publish = [text.replace(_PLACEHOLDER, device.name) for text in draft.publish]
    device.subscribe = [text.replace(_PLACEHOLDER, device.name) for text in draft.subscribe]
    device.credential.expires_ms = draft.expires_ms


def _check_new(tenant: Tenant, drafts: Sequence[DeviceDraft]) -> None:
    for end in {draft.expires_ms for draft in drafts}:
        _check_end(end)
    seen: set[str] = set()
    for draft in drafts:
        if draft.name in seen:
            raise Invalid({"name": _TWICE.format(name=draft.name)})
        seen.add(draft.name)
    known = Device.objects.of(tenant)
    if known.count() + len(drafts) > DEVICES_MAX:
        raise LimitExceeded(_TOO_MANY, limit=DEVICES_MAX)
    names = sorted(seen)
    for start in range(0, len(names), BATCH):
        taken = known.filter(name__in=names[start : start + BATCH]).values_list("name", flat=True).first()
        if taken is not None:
            raise Invalid({"name": _SAME_NAME.format(name=taken)})


def _check_end(expires_ms: int | None) -> None:
    if expires_ms is not None and expires_ms <= now_ms():
        raise Invalid({"expires_ms": _PAST})


def note_seen(tenant: str, seen: Mapping[UUID, int]) -> None:
    """Note when devices of a tenant were last heard, ms UTC, each once a minute at most.

    What its gateways say of other tenants' devices changes nothing.
    """
    latest_ms, identities = now_ms(), list(seen)
    for begin in range(0, len(identities), BATCH):
        devices = Device.objects.filter(tenant__key=tenant, pk__in=identities[begin : begin + BATCH])
        changed = []
        for device in devices.select_related("credential").only("credential__last_used_ms"):
            # A gateway's clock may be ahead: nothing was heard in the future.
            heard_ms = min(seen[device.pk], latest_ms)
            if heard_ms >= (device.credential.last_used_ms or 0) + SEEN_STEP_MS:
                device.credential.last_used_ms = heard_ms
                changed.append(device.credential)
        Credential.objects.bulk_update(changed, ["last_used_ms"])
