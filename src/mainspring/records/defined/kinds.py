"""Kinds of business records: classes that declare fields and a shape, known by their name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Final
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models
from django.db.models import ProtectedError, Q
from django.db.models.signals import class_prepared, pre_delete

from mainspring.core.errors import NotFound
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.audit import Author
from mainspring.records.defined.fields import Told, shown
from mainspring.records.defined.shape import Shape
from mainspring.records.people.user import User
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.connection import Connection
from mainspring.records.plant.device import Device
from mainspring.records.plant.gateway import Gateway
from mainspring.records.plant.tag import Tag
from mainspring.records.record import Record
from mainspring.records.tenant import Tenant

STATE_MAX: Final = 32
KIND_MAX: Final = 32
_NO_KIND: Final = Text(
    "There is no kind of record called {kind!r}. GET /api/v1/kinds lists them.",
    "没有名为 {kind!r} 的记录类型，可用 GET /api/v1/kinds 查询。",
)


class Defined(Record):
    """A business record: its class says all that forms, lists, imports, rights and the API need.

    A subclass has fields made by `defined.fields`, a `kind`, and a `shape`. What its fields must agree on beyond their
    own types stands in `settle`, what follows from storing it in `follow`.
    """

    state = models.CharField(max_length=STATE_MAX, default="", blank=True)
    search = models.TextField(default="", blank=True)

    shape: ClassVar[Shape]

    class Meta:
        abstract = True

    def settle(self) -> None:
        """Work out what follows from the fields and check what they must agree on; raises Invalid."""

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Do what follows from storing it, in the same transaction; `before` is None for a new one."""

    def document(self) -> dict[str, Any]:
        """Return the form the API, the audit and exports show; links are ids."""
        fields = {name: shown(getattr(self, column.attname)) for name, column in columns(type(self)).items()}
        return {
            "id": self.id, "version": self.version, "state": self.state, "created_ms": self.created_ms,
            "changed_ms": self.changed_ms, **fields,
        }  # fmt: skip

    def label(self) -> str:
        """Return its name in the audit."""
        title = getattr(self, title_of(type(self)))
        return str(title.get("en") or title.get("zh") or "") if isinstance(title, dict) else str(title)

    def __str__(self) -> str:
        return f"{self.kind} {self.label()}"


def columns(kind: type[Defined]) -> Mapping[str, Any]:
    """Return the columns that forms show, by their field's name, in the order they are declared."""
    return _FIELDS[kind]


def told(kind: type[Defined], name: str) -> Told:
    """Return what is known of a field."""
    found: Told = _FIELDS[kind][name].told
    return found


@cache
def anything_of(kind: type[Defined]) -> tuple[str, ...]:
    """Return the fields that mean a record by `kind:id`."""
    return tuple(name for name in columns(kind) if told(kind, name).control == "any")


def title_of(kind: type[Defined]) -> str:
    """Return the field that names a record to people."""
    return kind.shape.title or kind.shape.key[0]


def find_kind(name: str) -> type[Defined]:
    """Return a kind by its name; raises NotFound."""
    kind = _KINDS.get(name)
    if kind is None:
        raise NotFound(_NO_KIND, kind=name)
    return kind


def kinds() -> Iterator[type[Defined]]:
    """Yield all kinds, by their names."""
    for _, kind in sorted(_KINDS.items()):
        yield kind


def parts_of(kind: type[Defined]) -> Mapping[str, type[Defined]]:
    """Return the kinds whose records are parts of this one's, by their names."""
    return _PARTS.get(kind.kind, {})


def meant(tenant: Tenant, reference: str) -> Record | None:
    """Return the record that `kind:id` means, None if there is none here."""
    name, _, id = reference.partition(":")
    kind = meaning(name)
    return kind._default_manager.filter(tenant=tenant, pk=id).first() if kind is not None else None


def meaning(name: str) -> type[Record] | None:
    """Return the class that the first word of `kind:id` means."""
    return _KINDS.get(name) or PLAIN.get(name)


def named(record: Record) -> str:
    """Return the name by which people know what a record links to."""
    return record.display_name or record.username if isinstance(record, User) else record.label()


def words_of(kind: type[models.Model]) -> Text:
    """Return what people call one record of a class."""
    if issubclass(kind, Defined):
        return kind.shape.one
    return _PLAIN_WORDS[getattr(kind, "kind", "")]


PLAIN: Final[Mapping[str, type[Record]]] = {each.kind: each for each in (Asset, Tag, Connection, Device, Gateway)}
"""What `kind:id` can mean beside kinds."""
_PLAIN_WORDS: Final = {
    "asset": Text("asset", "资产"), "tag": Text("tag", "测点"), "connection": Text("connection", "连接"),
    "device": Text("device", "设备"), "gateway": Text("gateway", "网关"), "user": Text("person", "人员"),
    "credential": Text("token or service", "令牌或服务"),
}  # fmt: skip
_OWN_COLUMNS: Final = frozenset({"state", "created_ms", "changed_ms"})
_KINDS: Final[dict[str, type[Defined]]] = {}
_PARTS: Final[dict[str, dict[str, type[Defined]]]] = {}
_FIELDS: Final[dict[type[Defined], dict[str, Any]]] = {}


def _prepare(sender: type[models.Model], **_: Any) -> None:
    """Take in a new kind: what its shape says, the database shall hold too."""
    if not issubclass(sender, Defined) or sender._meta.abstract:
        return
    shape, meta = sender.shape, sender._meta
    found: dict[str, Any] = {column.name: column for column in meta.concrete_fields if hasattr(column, "told")}
    _refuse_slips(sender, found)
    assert sender.kind not in _KINDS or _KINDS[sender.kind].__module__ == sender.__module__, f"two kinds {sender.kind}"
    _KINDS[sender.kind], _FIELDS[sender] = sender, found
    if shape.part_of:
        whole: Any = found[shape.part_of].remote_field
        _PARTS.setdefault(whole.model.kind, {})[sender.kind] = sender
    hidden = frozenset(name for name, column in found.items() if told(sender, name).personal)
    if hidden:
        changes.SEALED_FIELDS[sender.kind] = hidden
        if title_of(sender) in hidden:
            changes.NAMELESS.add(sender.kind)
    meta.constraints = [*meta.constraints, *_constraints(sender, found)]
    meta.indexes = [*meta.indexes, *_indexes(sender)]
    # Migrations are made from what was declared; this is declared by the shape.
    meta.original_attrs |= {"constraints": meta.constraints, "indexes": meta.indexes}
    pre_delete.connect(_refuse_if_meant, sender=sender)


def _refuse_slips(kind: type[Defined], found: Mapping[str, Any]) -> None:
    """Stop the start at what is easily written wrong in a definition, with a sentence."""
    shape, states, name_of = kind.shape, kind.shape.states, kind.__name__
    named = {
        "key": shape.key, "columns": shape.columns, "found_by": shape.found_by, "labels": shape.labels,
        "title": (shape.title,), "order": (shape.order.removeprefix("-"),), "place": (shape.place,),
        "part_of": (shape.part_of,), "rules": tuple(rule.field for rule in shape.rules),
        "unit_in": tuple(column.told.unit_in for column in found.values()),
        "states": tuple(field for fields in states.needs.values() for field in fields),
        "moves": tuple(field for step in states.moves for field in step.needs),
    }  # fmt: skip
    for part, names in named.items():
        for name in names:
            if name and name not in found and name not in _OWN_COLUMNS:
                raise FieldDoesNotExist(f"{name_of}.shape.{part} names {name!r}, which is no field of it")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", kind.kind) or len(kind.kind) > KIND_MAX:
        raise ImproperlyConfigured(f"{name_of}.kind is {kind.kind!r}: lower case and hyphens, {KIND_MAX} at most")
    for name in found:
        if hasattr(Defined, name):
            raise ImproperlyConfigured(f"{name_of}.{name} hides what every record has; call the field otherwise")
    empty = [name for name in shape.key if name in found and found[name].null]
    if empty:
        raise ImproperlyConfigured(f"{name_of}.shape.key holds {empty[0]}, which may be empty: two could be the same")
    title: Told = found[shape.title or shape.key[0]].told
    if title.control in {"link", "any", "rows", "nested"}:
        raise ImproperlyConfigured(f"{name_of}.shape.title is missing: {shape.key[0]} is no text")
    if shape.part_of and found[shape.part_of].remote_field.on_delete is not models.CASCADE:
        raise ImproperlyConfigured(f"{name_of}.{shape.part_of} leads to the whole: it needs gone=models.CASCADE")


def _constraints(kind: type[Defined], found: Mapping[str, Any]) -> Iterator[models.BaseConstraint]:
    yield models.UniqueConstraint(fields=["tenant", *kind.shape.key], name=f"{kind.kind}_key")
    states = kind.shape.states
    if states.words:
        yield models.CheckConstraint(condition=Q(state__in=list(states.words)), name=f"{kind.kind}_state")
    for state, names in states.needs.items():
        for name in names:
            empty = Q(**{f"{name}__isnull": True}) if found[name].null else Q(**{name: ""})
            yield models.CheckConstraint(condition=~Q(state=state) | ~empty, name=f"{kind.kind}_{state}_{name}")
    for rule in kind.shape.rules:
        yield models.CheckConstraint(condition=rule.holds, name=f"{kind.kind}_{rule.name}")
    for name, column in found.items():
        about: Told = column.told
        if about.choices is not None:
            values = [str(value) for value in about.choices] + ([""] if column.default == "" and not about.need else [])
            yield models.CheckConstraint(condition=Q(**{f"{name}__in": values}), name=f"{kind.kind}_{name}"[:60])


def _indexes(kind: type[Defined]) -> Iterator[models.Index]:
    state = ("state",) if kind.shape.states.words else ()
    order = (kind.shape.order.removeprefix("-"),) if kind.shape.order else ()
    sorted_by = [name for name in dict.fromkeys((*kind.shape.columns, *order, *state)) if name != kind.shape.key[0]]
    for name in sorted_by:
        if kind._meta.get_field(name).get_internal_type() in {"JSONField", "TextField"}:
            continue
        yield models.Index(fields=["tenant", name, "id"], name=f"{kind.kind}_by_{name}"[:30])
    yield models.Index(fields=["tenant", "changed_ms", "id"], name=f"{kind.kind}_by_change"[:30])


class _Unmeant(models.QuerySet[Any]):
    """Rows that no other record means."""


def remove_together(kind: type[Defined], ids: Sequence[UUID]) -> None:
    """Remove records of a kind; raises ProtectedError if another record is linked to one of them."""
    _refuse_meant(kind, ids)
    _Unmeant(kind).filter(pk__in=ids).delete()


def _refuse_if_meant(sender: type[Record], instance: Record, origin: Any = None, **_: Any) -> None:
    if not (isinstance(origin, _Unmeant) and origin.model is sender):
        _refuse_meant(sender, [instance.pk])


def _refuse_meant(meant: type[Record], ids: Sequence[UUID]) -> None:
    """Keep what other records mean by `kind:id`; links by key the database keeps itself."""
    references = [f"{meant.kind}:{id}" for id in ids]
    for kind in kinds():
        for name in anything_of(kind):
            found: set[models.Model] = set(kind.objects.filter(**{f"{name}__in": references})[: changes.NAMED_MAX])
            if found:
                raise ProtectedError(references[0], found)


class_prepared.connect(_prepare)
for _plain in PLAIN.values():
    pre_delete.connect(_refuse_if_meant, sender=_plain)
