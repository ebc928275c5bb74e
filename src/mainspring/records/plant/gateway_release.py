"""Releases to gateways on other machines: settings and software, to one first and to the others once it does well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from pydantic import Field

from mainspring.core import definitions
from mainspring.core.definitions import Release
from mainspring.core.health import ReleaseReport
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records import changes, outbox
from mainspring.records.audit import Author
from mainspring.records.draft import Draft
from mainspring.records.faults import Invalid
from mainspring.records.plant.gateway import Gateway
from mainspring.records.plant.gateway_software import Software, here
from mainspring.records.record import Record
from mainspring.records.tenant import Tenant

_NO_SOFTWARE: Final = Text("There is no such version here. Upload its wheel first.", "没有该版本，请先上传安装包。")
_NO_GATEWAY: Final = Text("There is no such gateway on another machine.", "没有该（远程）网关。")
_NOTHING: Final = Text("Give settings or a version.", "请填写设置或选择版本。")


class ReleaseState(StrEnum):
    """How far a release is on one gateway."""

    WAITING = "waiting"
    RELEASED = "released"
    ACTIVE = "active"
    UNDONE = "undone"
    STOPPED = "stopped"
    REPLACED = "replaced"


OPEN: Final = (ReleaseState.WAITING, ReleaseState.RELEASED)


class RolloutDraft(Draft):
    """What to release, to which gateways in which order, and to how many of them first."""

    gateways: tuple[UUID, ...] = Field(min_length=1, max_length=1000)
    settings: dict[str, Any] = Field(default_factory=dict, max_length=64)
    software: UUID | None = None
    first: int = Field(default=1, ge=1, le=1000)


class GatewayRelease(Record):
    """One release on one gateway; `number` counts the gateway's releases, `rollout` joins those made together."""

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="releases")
    number = models.PositiveIntegerField()
    rollout: models.UUIDField[UUID, UUID] = models.UUIDField()
    settings: models.JSONField[Any, Any] = models.JSONField(default=dict)
    software = models.ForeignKey(Software, on_delete=models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=16, default=str(ReleaseState.WAITING))
    text: models.JSONField[Any, Any] = models.JSONField(null=True)

    kind = "gateway-release"

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "number"], name="release_number"),
            models.CheckConstraint(condition=Q(state__in=[str(s) for s in ReleaseState]), name="release_state"),
        ]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows."""
        return {
            "id": self.id,
            "gateway": self.gateway_id,
            "number": self.number,
            "rollout": self.rollout,
            "settings": self.settings,
            "software": self.software_id,
            "state": self.state,
            "text": self.text,
            "created_ms": self.created_ms,
        }

    def label(self) -> str:
        """Return gateway and number."""
        return f"{self.gateway.name} {self.number}"

    def published(self) -> Release:
        """Return what the gateway is told."""
        software = None
        if self.software is not None:
            software = definitions.Software(
                version=self.software.program_version, sha256=self.software.sha256, size=self.software.size
            )
        return Release(number=self.number, settings=self.settings, software=software)


def roll_out(author: Author, draft: RolloutDraft) -> list[GatewayRelease]:
    """Make a release for each gateway; the first ones get it at once, the others when those do well."""
    if not draft.settings and draft.software is None:
        raise Invalid({"settings": _NOTHING})
    with transaction.atomic():
        software = None
        if draft.software is not None:
            software = here(author.tenant).filter(pk=draft.software).first()
            if software is None:
                raise Invalid({"software": _NO_SOFTWARE})
        known = {each.id: each for each in Gateway.objects.of(author.tenant).filter(local=False)}
        rollout, made = uuid7(), []
        for place, identity in enumerate(dict.fromkeys(draft.gateways)):
            if identity not in known:
                raise Invalid({f"gateways.{place}": _NO_GATEWAY})
            state = ReleaseState.RELEASED if place < draft.first else ReleaseState.WAITING
            made.append(_release(author, known[identity], rollout, draft.settings, software, state))
    return made


def current(gateways: Iterable[Gateway]) -> dict[UUID, Release]:
    """Return what each gateway is to run: its newest release that is out."""
    found: dict[UUID, Release] = {}
    out = GatewayRelease.objects.filter(
        gateway__in=list(gateways), state__in=[ReleaseState.RELEASED, ReleaseState.ACTIVE]
    ).select_related("software")
    for release in out.order_by("number"):
        found[release.gateway_id] = release.published()
    return found


def progress(tenant: Tenant, reports: Mapping[str, ReleaseReport]) -> int:
    """Take what gateways report (by name): go on with the next ones, or stop where one undid its release.

    Returns how many releases changed.
    """
    changed = 0
    with transaction.atomic():
        rows = GatewayRelease.objects.of(tenant).filter(state__in=OPEN).select_related("gateway").order_by("created_ms")
        rollouts: dict[UUID, list[GatewayRelease]] = {}
        for release in rows:
            rollouts.setdefault(release.rollout, []).append(release)
        for releases in rollouts.values():
            changed += _progress(releases, reports)
    return changed


def _progress(releases: list[GatewayRelease], reports: Mapping[str, ReleaseReport]) -> int:
    changed, undone = [], False
    for release in releases:
        report = reports.get(release.gateway.name)
        if release.state != ReleaseState.RELEASED or report is None:
            continue
        if report.active == release.number:
            release.state = ReleaseState.ACTIVE
        elif report.undone == release.number:
            release.state, release.text, undone = ReleaseState.UNDONE, report.text, True
        else:
            continue
        changed.append(release)
    _keep(changed)
    waiting = [release for release in releases if release.state == ReleaseState.WAITING]
    if not undone and any(release.state == ReleaseState.RELEASED for release in releases):
        waiting = []
    if waiting:
        # Where the first ones have left for a newer release, nothing tells that this one does well.
        active = GatewayRelease.objects.filter(rollout=releases[0].rollout, state=ReleaseState.ACTIVE)
        go_on = not undone and active.exists()
        for release in waiting:
            release.state = ReleaseState.RELEASED if go_on else ReleaseState.STOPPED
        _keep(waiting)
    return len(changed) + len(waiting)


def _keep(releases: list[GatewayRelease]) -> None:
    for release in releases:
        release.save(update_fields=["state", "text"])
        outbox.mark_gateway(release.tenant.key, release.gateway.name)


def _release(
    author: Author,
    gateway: Gateway,
    rollout: UUID,
    settings: dict[str, Any],
    software: Software | None,
    state: ReleaseState,
) -> GatewayRelease:
    newest = gateway.releases.aggregate(models.Max("number"))["number__max"] or 0
    gateway.releases.filter(state__in=OPEN).update(state=ReleaseState.REPLACED)
    made = GatewayRelease(
        tenant=author.tenant, gateway=gateway, number=newest + 1, rollout=rollout, settings=settings,
        software=software, state=state,
    )  # fmt: skip
    changes.create(author, made)
    outbox.mark_gateway(author.tenant.key, gateway.name)
    return made
