"""Going back: a record as it was before an entry of its history, a removed one as it was; always as a new change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import models, transaction

from mainspring.core.errors import Conflict, LimitExceeded
from mainspring.core.text import Text
from mainspring.records import personal
from mainspring.records.audit import HIDDEN, Action, AuditEntry
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.fields import kept
from mainspring.records.defined.forms import draft_of, fill
from mainspring.records.defined.kinds import Defined, columns, find_kind, parts_of
from mainspring.records.draft import check
from mainspring.records.record import absent
from mainspring.records.tenant import Tenant

D = TypeVar("D", bound=Defined)
STEPS_MAX: Final = 1000
"""So many entries one goes back at once."""
_MADE: Final = Text(
    "This entry made the record. To undo it, remove the record.", "此条目创建了该记录；如需撤销，请删除该记录。"
)
_SAME: Final = Text(
    "The record is already as it was before this entry. Reload to see its history.",
    "记录与该条目之前的内容一致，无需撤销。请刷新查看历史。",
)
_ERASED: Final = Text(
    "What this record told of a person was erased; it cannot be brought back.",
    "该记录中的个人信息已被清除，无法恢复。",
)
_TOO_FAR: Final = Text(
    "More than {limit} changes followed this entry. Undo a later one first.",
    "该条目之后已有超过 {limit} 次修改，请先撤销较晚的修改。",
)


def undo(access: Access, kind: type[D], id: UUID, sequence: int, version: int | None) -> D:
    """Return a record to what it was before an entry of its history, and that entry's successors with it.

    Raises NotFound, Changed for a version that is not the present one, and Conflict or Invalid where what it was no
    longer fits.
    """
    tenant = access.author.tenant
    with transaction.atomic():
        if kind.objects.of(tenant).filter(pk=id).exists():
            present = writing.locked(access, Doing.CHANGE, kind, id, version)
            return _gone_back(access, present, _entries(tenant, kind, id, sequence))
        access.require(kind, Doing.CREATE)
        return _brought_back(access, kind, id, _entries(tenant, kind, id, sequence))


def removed(access: Access, kind: type[Defined], offset: int, limit: int) -> list[dict[str, Any]]:
    """Return records that were removed, the last first, each with the entry whose undoing brings it back."""
    tenant = access.author.tenant
    access.allow(kind(tenant=tenant), Doing.CREATE)
    entries = AuditEntry.objects.of(tenant).filter(object_kind=kind.kind, action=str(Action.DELETE))
    rows = list(entries.order_by("-sequence")[offset : offset + limit])
    there = {str(id) for id in kind.objects.filter(pk__in={row.object_id for row in rows}).values_list("pk", flat=True)}
    once: dict[str, AuditEntry] = {}
    for row in rows:
        if row.object_id not in there:
            once.setdefault(row.object_id, row)
    return [
        {"id": row.object_id, "title": row.object_name, "sequence": row.sequence, "time_ms": row.time_ms,
         "by": row.pseudonym}
        for row in once.values()
    ]  # fmt: skip


def document_before(tenant: Tenant, now: dict[str, Any], entries: Iterable[AuditEntry]) -> dict[str, Any]:
    """Return what a document was before some entries, the last of them coming first."""
    document = dict(now)
    for entry in entries:
        told = personal.opened(tenant, entry.object_kind, entry.object_id, entry.changes)
        document |= {name: old for name, (old, _new) in told.items()}
    return document


def put_back(record: Defined, document: dict[str, Any]) -> None:
    """Write the fields of a document of before into a record; raises Invalid where they no longer fit."""
    kind = type(record)
    fields = {name: document.get(name, _nothing(column)) for name, column in columns(kind).items()}
    draft = check(draft_of(kind), {name: value for name, value in fields.items() if value is not None})
    fill(record, {name: kept(getattr(draft, name)) for name in columns(kind)}, record.tenant)
    writing.prepare(record)


def _entries(tenant: Tenant, kind: type[Defined], id: UUID, sequence: int) -> list[AuditEntry]:
    told = AuditEntry.objects.of(tenant).filter(object_kind=kind.kind, object_id=str(id), sequence__gte=sequence)
    # Whoever looked at it or took it along changed nothing.
    changing = told.filter(action__in=[Action.CREATE, Action.CHANGE, Action.DELETE])
    entries = list(changing.order_by("-sequence")[: STEPS_MAX + 1])
    if len(entries) > STEPS_MAX:
        raise LimitExceeded(_TOO_FAR, limit=STEPS_MAX)
    if not entries or entries[-1].sequence != sequence:
        raise absent(kind.kind, id)
    if entries[-1].action == Action.CREATE:
        raise Conflict(_MADE)
    return entries


def _gone_back(access: Access, record: D, entries: list[AuditEntry]) -> D:
    now = record.document()
    before = document_before(record.tenant, now, entries)
    # What was erased is not told any more: it stays as it is.
    before = {name: now.get(name) if value == HIDDEN else value for name, value in before.items()}
    if before.get("state") == record.state:
        writing.refuse_fixed(record)
    writing.refuse_unseen(access, type(record), (name for name, value in before.items() if value != now.get(name)))
    _allow_steps(access, record, entries)
    record.state = before.get("state") or record.state
    put_back(record, before)
    if record.document() == now:
        raise Conflict(_SAME)
    writing.store_changed(access, record, now)
    return record


def _allow_steps(access: Access, record: Defined, entries: list[AuditEntry]) -> None:
    """Ask for the right of every step that is taken back."""
    for entry in entries:
        old, new = entry.changes.get("state", (None, None))
        step = next((step for step in record.shape.states.of(old or "") if step.target == new), None)
        if step is not None:
            access.allow(record, Doing.MOVE, step)


def _brought_back(access: Access, kind: type[D], id: UUID, entries: list[AuditEntry]) -> D:
    tenant = access.author.tenant
    document = document_before(tenant, {}, entries)
    if HIDDEN in document.values():
        raise Conflict(_ERASED)
    told = AuditEntry.objects.of(tenant).filter(object_kind=kind.kind, object_id=str(id)).count()
    record = kind(tenant=tenant, id=id, state=document.get("state") or "", version=told + 1)
    record.created_ms = document.get("created_ms") or record.created_ms
    put_back(record, document)
    writing.store_new(access, record)
    for part in list(_parts_removed_with(tenant, kind, id, entries[0])):
        _brought_back(access, find_kind(part.object_kind), UUID(part.object_id), [part])
    return record


def _parts_removed_with(tenant: Tenant, kind: type[Defined], id: UUID, whole: AuditEntry) -> Iterator[AuditEntry]:
    """Yield the entries of the parts that went with a whole: they come right before its own."""
    links = {name: part.shape.part_of for name, part in parts_of(kind).items()}
    if not links or whole.action != Action.DELETE:
        return
    before = AuditEntry.objects.of(tenant).filter(
        sequence__lt=whole.sequence, sequence__gte=whole.sequence - writing.PARTS_MAX
    )
    for entry in before.order_by("-sequence"):
        link = links.get(entry.object_kind)
        if entry.action != Action.DELETE or link is None or entry.changes.get(link, [None])[0] != str(id):
            return
        yield entry


def _nothing(column: Any) -> Any:
    """Return what an empty column holds: the log does not tell of what was empty."""
    return "" if isinstance(column, models.CharField | models.TextField) else column.get_default()
