"""Versions of the gateways' program: wheels in the data folder, so many and so large, removed when none runs them."""

from __future__ import annotations

import hashlib
import time
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Final

from django.db import models, transaction

from mainspring.core.errors import Conflict, LimitExceeded
from mainspring.core.health import ReleaseReport
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.audit import Author
from mainspring.records.faults import Invalid
from mainspring.records.plant.gateway import Gateway
from mainspring.records.record import Record, absent
from mainspring.records.tenant import Tenant, now_ms

WHEEL_BYTES_MAX: Final = 16 * 1024 * 1024
"""As much as one request may carry; a wheel of the program has one or two."""
UNDO_MS: Final = 10 * 60_000
"""How long the file of a removed version stays, so that the removal can be undone."""
PROGRAM: Final = "mainspring"
FALLBACKS: Final = 2
"""Releases that did well and whose versions stay: the one that runs, and the one a gateway goes back to."""

_NOT_OURS: Final = Text("This file is not a wheel of {program}.", "该文件不是 {program} 的安装包。")
_TOO_MANY: Final = Text(
    "There are {count} versions already, as many as software_versions_max allows. Remove one that no gateway needs.",
    "已有 {count} 个版本，达到 software_versions_max 上限。请先移除无网关需要的版本。",
)
_NO_ROOM: Final = Text(
    "The versions would have {size} MB, more than the {limit} MB of software_bytes_max. "
    "Remove one that no gateway needs.",
    "各版本合计将达 {size} MB，超过 software_bytes_max 的 {limit} MB。请先移除无网关需要的版本。",
)
_NEEDED: Final = Text(
    "Version {version} stays: {gateway} runs it, is to run it, or would go back to it. Release another version first.",
    "版本 {version} 不能移除：网关 {gateway} 正在运行、将要运行或会回退到该版本。请先发布其他版本。",
)


class Software(Record):
    """One version of the program; the wheel lies in the data folder under its hash."""

    program_version = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    removed_ms = models.BigIntegerField(null=True)
    """When it was removed; what was released with it is told by it still."""

    kind = "software"

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "sha256"], name="software_once")]

    def document(self) -> dict[str, Any]:
        """Return the form the API shows."""
        return {
            "id": self.id,
            "program_version": self.program_version,
            "sha256": self.sha256,
            "size": self.size,
            "removed_ms": self.removed_ms,
        }

    def label(self) -> str:
        """Return the version."""
        return self.program_version


def here(tenant: Tenant) -> models.QuerySet[Software]:
    """Return the versions that can be released."""
    return Software.objects.of(tenant).filter(removed_ms=None)


def wheel_file(folder: Path, tenant: Tenant, sha256: str) -> Path:
    """Where a tenant's wheel lies in the data folder."""
    return folder / "software" / tenant.key / f"{sha256}.whl"


@dataclass(frozen=True, slots=True)
class Room:
    """How many versions a company may keep in which folder, and how large together."""

    folder: Path
    versions_max: int
    bytes_max: int


def add(author: Author, wheel: bytes, room: Room) -> Software:
    """Keep a wheel of the program; raises Invalid for anything else, LimitExceeded for one too many."""
    version = _version(wheel)
    sha256 = hashlib.sha256(wheel).hexdigest()
    with transaction.atomic():
        known = Software.objects.of(author.tenant).filter(sha256=sha256).first()
        if known is not None and known.removed_ms is None:
            return known
        _require_room(author.tenant, len(wheel), room)
        file = wheel_file(room.folder, author.tenant, sha256)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = file.with_suffix(".part")
        part.write_bytes(wheel)
        part.replace(file)
        if known is not None:
            return _mark(author, known, None)
        made = Software(tenant=author.tenant, program_version=version, sha256=sha256, size=len(wheel))
        changes.create(author, made)
    return made


def remove(author: Author, sha256: str, reports: Mapping[str, ReleaseReport]) -> Software:
    """Remove a version; raises Conflict while a gateway runs it, is to run it or would go back to it.

    `reports` is what gateways say they run, by name.
    """
    with transaction.atomic():
        software = _find(author.tenant, sha256)
        for gateway in Gateway.objects.of(author.tenant).filter(local=False, credential__revoked_ms=None):
            if _needs(gateway, software, reports.get(gateway.name)):
                raise Conflict(_NEEDED, version=software.program_version, gateway=gateway.name)
        return _mark(author, software, now_ms())


def restore(author: Author, sha256: str, room: Room) -> Software:
    """Undo a removal, as long as the file is there; raises NotFound, LimitExceeded where its room was taken."""
    with transaction.atomic():
        software = _find(author.tenant, sha256)
        if not wheel_file(room.folder, author.tenant, sha256).exists():
            raise absent(Software.kind, sha256)
        if software.removed_ms is not None:
            _require_room(author.tenant, software.size, room)
        return _mark(author, software, None)


def sweep(folder: Path) -> None:
    """Delete the files of versions removed a while ago, and what no version knows."""
    cutoff_ms = now_ms() - UNDO_MS
    for tenant in Tenant.objects.all():
        place = wheel_file(folder, tenant, "").parent
        known = Software.objects.of(tenant).exclude(removed_ms__lt=cutoff_ms)
        kept = {f"{sha256}.whl" for sha256 in known.values_list("sha256", flat=True)}
        for file in place.iterdir() if place.exists() else ():
            if file.name not in kept and file.stat().st_mtime < time.time() - UNDO_MS / 1000:
                file.unlink()


def _require_room(tenant: Tenant, size: int, room: Room) -> None:
    # Locked: two uploads at once must not both find room for one.
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    sizes = list(here(tenant).values_list("size", flat=True))
    if len(sizes) >= room.versions_max:
        raise LimitExceeded(_TOO_MANY, count=len(sizes))
    if (whole := sum(sizes) + size) > room.bytes_max:
        raise LimitExceeded(_NO_ROOM, size=whole >> 20, limit=room.bytes_max >> 20)


def _find(tenant: Tenant, sha256: str) -> Software:
    found = Software.objects.of(tenant).filter(sha256=sha256).first()
    if found is None:
        raise absent(Software.kind, sha256)
    return found


def _mark(author: Author, software: Software, removed_ms: int | None) -> Software:
    before = software.document()
    software.removed_ms = removed_ms
    changes.change(author, software, before)
    return software


def _needs(gateway: Gateway, software: Software, report: ReleaseReport | None) -> bool:
    """Tell whether a gateway runs a version, is to run it, or would go back to it."""
    if report is not None:
        numbers = [number for number in (report.active, report.trying) if number]
        if gateway.releases.filter(number__in=numbers, software=software).exists():
            return True
    if gateway.releases.filter(state__in=["waiting", "released"], software=software).exists():
        return True
    did_well = gateway.releases.filter(state="active").order_by("-number").values_list("software", flat=True)
    return software.pk in did_well[:FALLBACKS]


def _version(wheel: bytes) -> str:
    """Return the version of a wheel of this program; raises Invalid."""
    wrong = Invalid({"file": _NOT_OURS.format(program=PROGRAM)})
    try:
        with zipfile.ZipFile(BytesIO(wheel)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            if len(names) != 1 or archive.getinfo(names[0]).file_size > 1024 * 1024:
                raise wrong
            told = HeaderParser().parsestr(archive.read(names[0]).decode())
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeDecodeError) as error:
        raise wrong from error
    if told["Name"] != PROGRAM or not told["Version"]:
        raise wrong
    return str(told["Version"])[:64]
