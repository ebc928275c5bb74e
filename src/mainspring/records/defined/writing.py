"""Writing business records: create, change, remove, move to another state, restore; each in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction

from mainspring.core.errors import Conflict
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.audit import Action, append
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.forms import fill, number, refuse_unmeant, require, written
from mainspring.records.defined.kinds import Defined, columns, parts_of, told
from mainspring.records.faults import FIELDS_MAX, Changed, Invalid
from mainspring.records.record import absent
from mainspring.records.search_index import searched
from mainspring.records.tenant import now_ms

D = TypeVar("D", bound=Defined)
PARTS_MAX: Final = 1000
BATCH: Final = 500
_TWICE: Final = Text("There is already a {kind} with this {fields}.", "已有相同{fields}的{kind}。")
_FIXED: Final = Text(
    "In the state {state} this cannot be changed. Move it to another state first.",
    "“{state}”状态下不能修改，请先转换状态。",
)
_NO_MOVE: Final = Text(
    "From the state {state} there is no step {move!r}. Reload to see what is possible now.",
    "“{state}”状态下没有“{move}”操作，请刷新查看当前可执行的操作。",
)
_PARTS: Final = Text("Send a list of up to {limit} objects.", "请发送最多 {limit} 个对象的列表。")
_UNSEEN: Final = Text(
    "Your rights do not show this field, so they do not change it. Ask your administrator.",
    "您的权限看不到此字段，因此不能修改，请联系管理员。",
)
APPENDED: Final = Text(
    "Records of this kind are never changed; add one that corrects it.", "此类记录不可修改，请新增一条更正记录。"
)


def find(access: Access, kind: type[D], id: UUID, doing: Doing = Doing.VIEW) -> D:
    """Return a record with which this may be done; raises NotFound for any other."""
    record: D | None = access.rows(kind, doing).filter(pk=id).first()
    if record is None:
        raise absent(kind.kind, id)
    return record


def create(access: Access, kind: type[D], fields: dict[str, Any]) -> D:
    """Store a new record, and its parts where the fields hold lists of them by their kind; raises Invalid."""
    access.require(kind, Doing.CREATE)
    parts = {name: fields[name] for name in parts_of(kind) if name in fields}
    with transaction.atomic():
        record = kind(tenant=access.tenant, state=kind.shape.states.first)
        own = {name: value for name, value in fields.items() if name not in parts}
        fill(record, written(kind, own), access.tenant)
        number(record)
        store_new(access, record)
        for name, entries in parts.items():
            _create_parts(access, record, parts_of(kind)[name], entries)
    return record


def modify(access: Access, kind: type[D], id: UUID, fields: dict[str, Any], version: int | None) -> D:
    """Change some fields of a record; raises Invalid, and Changed for a version that is not the present one."""
    refuse_unseen(access, kind, fields)

    def take_in(record: D) -> None:
        fill(record, written(kind, fields, record), record.tenant)
        number(record)

    return rework(access, kind, id, version, take_in)


def rework(access: Access, kind: type[D], id: UUID, version: int | None, work: Callable[[D], None]) -> D:
    """Change a record by what `work` does to it."""
    with transaction.atomic():
        record = locked(access, Doing.CHANGE, kind, id, version)
        refuse_fixed(record)
        before = record.document()
        work(record)
        store_changed(access, record, before)
    return record


def remove(access: Access, kind: type[Defined], id: UUID, version: int | None) -> None:
    """Remove a record that nothing is linked to, with its parts."""
    with transaction.atomic():
        record = locked(access, Doing.REMOVE, kind, id, version)
        refuse_fixed(record)
        for part in parts_of(kind).values():
            for each in part.objects.of(record.tenant).filter(**{part.shape.part_of: record}):
                changes.delete(access.author, each)
        changes.delete(access.author, record)


def move(access: Access, kind: type[D], id: UUID, name: str, version: int | None) -> D:
    """Take a step from the present state to another."""
    with transaction.atomic():
        record = locked(access, Doing.MOVE, kind, id, version)
        step = next((step for step in kind.shape.states.of(record.state) if step.name == name), None)
        if step is None:
            raise Conflict(_NO_MOVE, state=kind.shape.called(record.state) if record.state else "-", move=name)
        access.allow(record, Doing.MOVE, step)
        require(record, step.needs)
        before = record.document()
        record.state = step.target
        _store_changed(access, record, before)
    return record


def adopt(access: Access, kind: type[Defined], ids: Collection[UUID], state: str) -> None:
    """Put records that came from another system into the state they have there, whatever steps lead to it."""
    assert state in kind.shape.states.words, f"{kind.kind} has no state {state}"
    listed = list(ids)
    for start in range(0, len(listed), BATCH):
        with transaction.atomic():
            rows = access.rows(kind, Doing.CHANGE).select_for_update(of=("self",))
            records = list(rows.filter(pk__in=listed[start : start + BATCH]).exclude(state=state))
            before = [record.document() for record in records]
            for record in records:
                record.state, record.version, record.changed_ms = state, record.version + 1, now_ms()
            kind.objects.bulk_update(records, ["state", "version", "changed_ms"], BATCH)
            pairs = zip(records, before, strict=True)
            append(access.author, [changes.deed(Action.CHANGE, each, was, each.document()) for each, was in pairs])


def locked(access: Access, doing: Doing, kind: type[D], id: UUID, version: int | None) -> D:
    """Return a record to be changed in this transaction; raises NotFound, Changed, and Conflict for what never is."""
    # A step has a right of its own, which depends on the state.
    rows = access.rows(kind, Doing.VIEW if doing is Doing.MOVE else doing)
    record: D | None = rows.select_for_update(of=("self",)).filter(pk=id).first()
    if record is None:
        raise absent(kind.kind, id)
    if version is not None and version != record.version:
        # Not all of it may be shown to who changes it.
        raise Changed(access.shown(record))
    if kind.shape.append_only:
        raise Conflict(APPENDED)
    return record


def store_new(access: Access, record: Defined) -> None:
    """Store a new record and what follows from it; raises Conflict for a part of one in which nothing changes."""
    access.allow(record, Doing.CREATE)
    refuse_fixed_whole(record)
    prepare(record)
    stored(record, lambda: changes.create(access.author, record))
    record.follow(access.author, None)


def store_changed(access: Access, record: Defined, before: dict[str, Any]) -> None:
    """Store a changed record, whose place and whole may be others now, and what follows from it."""
    access.allow(record, Doing.CHANGE)
    refuse_fixed_whole(record)
    _store_changed(access, record, before)


def _store_changed(access: Access, record: Defined, before: dict[str, Any]) -> None:
    prepare(record)
    stored(record, lambda: changes.change(access.author, record, before))
    record.follow(access.author, before)


def _create_parts(access: Access, whole: Defined, part: type[Defined], entries: Any) -> None:
    """Store parts of a new record; faults are told by their place among them."""
    if not isinstance(entries, list) or len(entries) > PARTS_MAX or not all(isinstance(row, dict) for row in entries):
        raise Invalid({part.kind: _PARTS.format(limit=PARTS_MAX)})
    faults: dict[str, Text] = {}
    for place, row in enumerate(entries):
        try:
            create(access, part, {**row, part.shape.part_of: whole.pk})
        except Invalid as error:
            faults |= {f"{part.kind}.{place}.{path}": text for path, text in error.fields.items()}
    if faults:
        raise Invalid(dict(list(faults.items())[:FIELDS_MAX]))


def refuse_unseen(access: Access, kind: type[Defined], names: Iterable[str]) -> None:
    """Raise Invalid if fields are to be changed that are not shown to who changes them."""
    unseen = access.hidden(kind).intersection(names)
    if unseen:
        raise Invalid(dict.fromkeys(sorted(unseen), _UNSEEN))


def refuse_fixed(record: Defined) -> None:
    """Raise Conflict for a record in a state in which nothing changes, or a part of one."""
    if record.state in record.shape.states.fixed:
        raise Conflict(_FIXED, state=record.shape.called(record.state))
    refuse_fixed_whole(record)


def refuse_fixed_whole(record: Defined) -> None:
    """Raise Conflict for a part of a record in a state in which nothing changes."""
    whole = getattr(record, record.shape.part_of) if record.shape.part_of else None
    if whole is not None:
        refuse_fixed(whole)


def prepare(record: Defined) -> None:
    """Settle what follows from the fields of a record that is about to be stored; raises Invalid."""
    settle(record)
    record.search = searched(record)


def settle(record: Defined) -> None:
    """Check what the fields of a record must agree on; raises Invalid."""
    record.settle()
    refuse_unmeant(record)
    require(record, record.shape.states.needs.get(record.state, ()))


def stored(record: Defined, store: Any) -> None:
    """Store it, and say which field is to blame where the database refuses."""
    key = [columns(type(record))[name].attname for name in record.shape.key]
    same = {name: getattr(record, name) for name in key}
    if type(record).objects.of(record.tenant).filter(**same).exclude(pk=record.pk).exists():
        raise _twice(record)
    try:
        with transaction.atomic():
            store()
    except IntegrityError as error:
        # Someone else stored the same key between the look and the insert; or a constraint of the kind itself.
        if f"{record.kind}_key" in str(error) or "UNIQUE" in str(error):
            raise _twice(record) from error
        for rule in record.shape.rules:
            if f"{record.kind}_{rule.name}" in str(error):
                raise Invalid({rule.field: rule.words}, rule.words) from error
        raise


def _twice(record: Defined) -> Invalid:
    words = Text.listed(told(type(record), name).words for name in record.shape.key)
    text = _TWICE.format(kind=record.shape.one, fields=words)
    return Invalid({record.shape.key[0]: text}, text)
