"""Writing a record: its version, its audit entry and its publication in one transaction."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from django.db.models import ProtectedError

from mainspring.core.errors import Conflict
from mainspring.core.text import Text
from mainspring.records import personal
from mainspring.records.audit import HIDDEN, Action, Author, Deed, append
from mainspring.records.faults import plain
from mainspring.records.record import Record
from mainspring.records.tenant import now_ms

NAMED_MAX: Final = 3
"""So many of the records in the way are named."""
_LINKED: Final = Text(
    "{count} other records are linked to this one, among them {names}. Remove or change them first.",
    "有 {count} 条其他记录引用它，例如 {names}，请先删除或修改。",
)
UNTOLD: Final = frozenset({"id", "version", "unit_sign", "last_sign_in_ms", "last_used_ms", "last_seen_ms"})
"""Fields no audit entry repeats: they follow from others or change by themselves."""
_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})
"""What is not told of a record that is gone: it can be brought back without."""
HIDDEN_FIELDS: Final[dict[str, frozenset[str]]] = {
    # Personal words live in the person's record alone, where they can be erased.
    "user": frozenset({"username", "display_name"}),
    "subscription": frozenset({"target"}),
    "invitation": frozenset({"email", "name"}),
    "registration": frozenset({"contact", "email", "phone"}),
}
SEALED_FIELDS: Final[dict[str, frozenset[str]]] = {}
"""Fields of business records that tell of persons, by kind."""
NAMELESS: Final[set[str]] = set()
"""Kinds whose records are named by such a field: the audit names them by their id alone."""


def create(author: Author, record: Record) -> None:
    """Store a new record."""
    with transaction.atomic():
        record.save(force_insert=True)
        append(author, [deed(Action.CREATE, record, {}, record.document())])


def change(
    author: Author, record: Record, before: dict[str, Any], *, extra: dict[str, list[Any]] | None = None
) -> None:
    """Store a changed record as its next version; `before` is its document as it was.

    `extra` tells what the document does not show, for example that a password was replaced.
    """
    with transaction.atomic():
        after = record.document()
        told = deed(Action.CHANGE, record, before, after)
        told.changes.update(extra or {})
        if not told.changes:
            return
        record.version += 1
        record.changed_ms = now_ms()
        record.save()
        append(author, [told])


def delete(author: Author, record: Record) -> None:
    """Remove a record; raises Conflict if others are linked to it."""
    with transaction.atomic():
        told = deed(Action.DELETE, record, record.document(), {})
        try:
            record.delete()
        except ProtectedError as error:
            names = ", ".join(str(each) for each in list(error.protected_objects)[:NAMED_MAX])
            raise Conflict(_LINKED, count=len(error.protected_objects), names=names) from error
        append(author, [told])


def deed(action: Action, record: Record, before: dict[str, Any], after: dict[str, Any]) -> Deed:
    """Say what changes between two documents of a record."""
    hidden = HIDDEN_FIELDS.get(record.kind, frozenset())
    sealed = SEALED_FIELDS.get(record.kind, frozenset())
    changes = {}
    for name in before | after:
        old, new = before.get(name), after.get(name)
        if name in UNTOLD or old == new or (name not in before and not new) or (name not in after and old in _EMPTY):
            continue
        changes[name] = [HIDDEN if old else None, HIDDEN if new else None] if name in hidden else [old, new]
    changes |= personal.sealed(record, {name: pair for name, pair in changes.items() if name in sealed})
    # Through JSON: the hash covers exactly what the database gives back.
    return Deed(action, record.kind, str(record.pk), name_of(record), plain(changes))


def name_of(record: Record) -> str:
    """Return what the audit calls a record: nothing where that tells of a person."""
    return "" if record.kind in NAMELESS else record.label()
