"""What the platform holds of a person: given to them, and erased for them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import SET_NULL, Q

from mainspring.core.errors import NotFound
from mainspring.core.text import Text
from mainspring.records import changes, personal
from mainspring.records.audit import AuditEntry
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.defined.attached import Comment
from mainspring.records.defined.kinds import Defined, columns, find_kind, told
from mainspring.records.people import administration as people
from mainspring.records.people.user import User
from mainspring.records.search_index import searched
from mainspring.records.tenant import Tenant

ENTRIES_MAX: Final = 10_000
"""The newest of the deeds that are told of one person; all are in the audit's export."""
USER: Final = "user"
ERASED: Final = {"en": "Erased", "zh": "已删除"}
PLAIN_FIELDS: Final = ("created_ms", "begun_ms", "seen_ms", "address", "agent", "email", "verified")
_NO_PERSONS: Final = Text("Records of the kind {kind!r} tell nothing of persons.", "类型“{kind}”的记录不含个人信息。")


def held(access: Access, kind: str, id: UUID) -> dict[str, Any]:
    """Return everything the platform holds of a person: the record, and what the audit tells of and by them."""
    tenant = access.author.tenant
    if kind == USER:
        user = people.find(tenant, id)
        by_or_of = Q(pseudonym=user.pseudonym) | Q(object_kind__in=[USER, "session"], object_id=str(id))
        said = Comment.objects.of(tenant).filter(pseudonym=user.pseudonym).order_by("-created_ms")[:ENTRIES_MAX]
        return {
            "record": user.document(), "entries": _entries(tenant, by_or_of), "linked": _linked(user),
            "comments": [comment.document() for comment in said],
        }  # fmt: skip
    record = writing.find(access, _of_persons(kind), id)
    return {"record": record.document(), "entries": _entries(tenant, Q(object_kind=kind, object_id=str(id)))}


def erase(access: Access, kind: str, id: UUID) -> None:
    """Erase a person: an account goes, a record loses what tells of them, and logs keep what nobody can read.

    With an account go its tokens, sessions, subscriptions and assignments, and what tells of the person in records that
    name the account as theirs. Raises Conflict if other records name it: they are to be changed first.
    """
    author = access.author
    with transaction.atomic():
        if kind != USER:
            _erase_record(access, _of_persons(kind), id)
            return
        user = people.find(author.tenant, id)
        for relation in _relations():
            table = relation.related_model
            rows = table._base_manager.filter(**{relation.field.name: user})
            if issubclass(table, Defined) and _personal(table):
                for record in rows:
                    _erase_record(access, table, record.pk)
            elif relation.on_delete is SET_NULL:
                # It would stay behind with the words that tell of the person.
                rows.delete()
        people.delete(author, id, None)


def _erase_record(access: Access, kind: type[Defined], id: UUID) -> None:
    record = writing.find(access, kind, id)
    before = record.document()
    for name in columns(kind):
        if told(kind, name).personal:
            setattr(record, name, _empty(record, name))
    record.search = searched(record)
    changes.change(access.author, record, before)
    personal.destroy(access.author.tenant, kind.kind, id)


def _personal(kind: type[Defined]) -> bool:
    return any(told(kind, name).personal for name in columns(kind))


def _relations() -> list[Any]:
    """Return by which fields other tables name an account."""
    found = User._meta.get_fields(include_hidden=True)
    return [each for each in found if each.auto_created and not each.concrete and each.is_relation]


def _linked(user: User) -> dict[str, list[dict[str, Any]]]:
    """Return what names an account: tokens, sessions, subscriptions, assignments; no secret is in it."""
    linked: dict[str, list[dict[str, Any]]] = {}
    for relation in _relations():
        table: Any = relation.related_model
        rows = table._base_manager.filter(**{relation.field.name: user})[:ENTRIES_MAX]
        shown = [row.document() if hasattr(row, "document") else _plainly(row) for row in rows]
        if shown:
            linked.setdefault(getattr(table, "kind", table._meta.model_name), []).extend(shown)
    return linked


def _plainly(row: Any) -> dict[str, Any]:
    """Return what a row of a table without a document tells of where someone was, and when."""
    return {name: getattr(row, name) for name in PLAIN_FIELDS if hasattr(row, name)}


def _of_persons(name: str) -> type[Defined]:
    kind = find_kind(name)
    if not _personal(kind):
        raise NotFound(_NO_PERSONS, kind=name)
    return kind


def _empty(record: Defined, name: str) -> Any:
    about = told(type(record), name)
    if about.control == "words":
        return ERASED
    if about.need or name in record.shape.key:
        return f"erased-{record.pk.hex[-12:]}"
    return columns(type(record))[name].get_default()


def _entries(tenant: Tenant, condition: Q) -> list[dict[str, Any]]:
    rows = AuditEntry.objects.of(tenant).filter(condition).order_by("-sequence")[:ENTRIES_MAX]
    return [
        {"sequence": row.sequence, "time_ms": row.time_ms, "action": row.action, "kind": row.object_kind,
         "id": row.object_id, "address": row.address,
         "changes": personal.opened(tenant, row.object_kind, row.object_id, row.changes)}
        for row in rows
    ]  # fmt: skip
