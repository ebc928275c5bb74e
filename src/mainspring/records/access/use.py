"""Who read what is protected, and what others were granted: counted by the minute, for the owner to see."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID

import structlog
from django.db import IntegrityError, models, transaction
from django.db.models import F

from mainspring.core.ids import uuid7
from mainspring.records.access.granted import Granted
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.fields import Grade
from mainspring.records.defined.kinds import Defined, columns, told
from mainspring.records.in_force import for_platform
from mainspring.records.tenant import OfTenant, Tenant, now_ms

log = structlog.get_logger(__name__)
MINUTE_MS: Final = 60_000
WAITING_MAX: Final = 10_000
TOLD_MAX: Final = 500
"""So many minutes are told at once; the others a second later."""
NOBODY: Final = UUID(int=0)


class RecordUse(models.Model):
    """How many records of a kind someone read within a minute; `tenant` is whose records they are."""

    id: models.UUIDField[UUID, UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    minute_ms = models.BigIntegerField()
    company = models.CharField(max_length=32)
    pseudonym: models.UUIDField[UUID, UUID] = models.UUIDField(default=NOBODY)
    object_kind = models.CharField(max_length=32)
    doing = models.CharField(max_length=16)
    grant = models.CharField(max_length=36, default="")
    """The id of the grant that showed them; empty: the company's own."""
    rows = models.BigIntegerField(default=0)
    told = models.BooleanField(default=False)
    """It stands in the audit."""

    objects = OfTenant.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "minute_ms", "company", "pseudonym", "object_kind", "doing", "grant"],
                name="use_of_minute",
            )
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "told", "minute_ms"], name="use_untold")]

    def __str__(self) -> str:
        return f"{self.minute_ms} {self.company} {self.object_kind} {self.rows}"


class _Reading(NamedTuple):
    tenant: UUID
    minute_ms: int
    company: str
    pseudonym: UUID
    object_kind: str
    doing: str
    grant: str


_lock = threading.Lock()
_waiting: Counter[_Reading] = Counter()


def note(access: Access, kind: type[Defined], doing: Doing, rows: int) -> None:
    """Count records that were read, where that is to be told: those of others, and those with protected fields."""
    if not rows:
        return
    author, grants = access.author, [""]
    if isinstance(access, Granted):
        owner, grants = access.owner, [str(grant.pk) for grant in access.grants if grant.subject == kind.kind]
    elif any(told(kind, name).grade >= Grade.CONFIDENTIAL for name in {*columns(kind)} - access.hidden(kind)):
        owner = author.tenant
    else:
        return
    for grant in grants:
        _count(author, owner.pk, kind, str(doing), grant, rows)


def note_figures(access: Access, kind: type[Defined], figures: Iterable[Mapping[str, Any]]) -> None:
    """Count that figures of granted records were taken."""
    for each in figures:
        for grant in each["grants"]:
            _count(access.author, each["owner"], kind, "figures", grant, each["count"])


def _count(author: Author, owner: UUID, kind: type[Defined], doing: str, grant: str, rows: int) -> None:
    minute = now_ms() // MINUTE_MS * MINUTE_MS
    reading = _Reading(owner, minute, author.tenant.key, author.pseudonym or NOBODY, kind.kind, doing, grant)
    with _lock:
        _waiting[reading] += rows
        full = len(_waiting) >= WAITING_MAX
    if full:
        flush()


def flush() -> None:
    """Store what was counted, and put finished minutes into the audit; the web role does so every second."""
    with _lock:
        counted = dict(_waiting)
        _waiting.clear()
    with for_platform():
        try:
            while counted:
                reading, rows = next(iter(counted.items()))
                try:
                    with transaction.atomic():
                        _add(reading, rows)
                except IntegrityError as error:
                    log.warning("uses.dropped", reason=str(error), kind=reading.object_kind, rows=rows)
                del counted[reading]
            tell()
        finally:
            with _lock:
                _waiting.update(counted)


def forget() -> None:
    """Drop what waits: tests begin with none."""
    with _lock:
        _waiting.clear()


def tell() -> None:
    """Append finished minutes that no audit has yet, each to the chain of the company whose records were read."""
    # What was counted at the end of a minute is stored within the next one.
    begun = (now_ms() // MINUTE_MS - 1) * MINUTE_MS
    rows = (
        RecordUse.objects.filter(told=False, minute_ms__lt=begun)
        .select_related("tenant")
        .order_by("minute_ms")[:TOLD_MAX]
    )
    for row in rows:
        with transaction.atomic():
            # Another process may tell it at this moment.
            if RecordUse.objects.filter(pk=row.pk, told=False).update(told=True):
                append(Author(row.tenant, None if row.pseudonym == NOBODY else row.pseudonym), [deed(row)])


def deed(row: RecordUse) -> Deed:
    """Return what the audit says of a minute's reading."""
    changes: dict[str, list[Any]] = {"rows": [None, row.rows], "doing": [None, row.doing]}
    if row.grant:
        changes |= {"company": [None, row.company], "grant": [None, row.grant]}
    return Deed(Action.READ, row.object_kind, "", "", changes)


def _add(reading: _Reading, rows: int) -> None:
    known: dict[str, Any] = {
        "tenant_id": reading.tenant, "minute_ms": reading.minute_ms, "company": reading.company,
        "pseudonym": reading.pseudonym, "object_kind": reading.object_kind, "doing": reading.doing,
        "grant": reading.grant,
    }  # fmt: skip
    RecordUse.objects.get_or_create(**known)
    RecordUse.objects.filter(**known).update(rows=F("rows") + rows)
