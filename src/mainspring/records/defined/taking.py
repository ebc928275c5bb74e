"""Many records of a kind at once: rows checked one by one, stored in few statements, taken back while unchanged."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.db.models.base import ModelState
from pydantic import BaseModel, ValidationError, create_model

from mainspring.core.errors import Conflict, MainspringError, NotAllowed
from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.audit import Action, Deed, append
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.fields import kept
from mainspring.records.defined.forms import draft_of, number, written
from mainspring.records.defined.keys import ids_of, joined, own_links
from mainspring.records.defined.kinds import Defined, columns, parts_of, remove_together, told, words_of
from mainspring.records.defined.undo import put_back
from mainspring.records.draft import Draft
from mainspring.records.faults import Invalid
from mainspring.records.importing.imported import Fault, Outcome, Planned
from mainspring.records.importing.tag_import import among
from mainspring.records.inserts import insert
from mainspring.records.search_index import searched, together
from mainspring.records.tenant import now_ms

BATCH: Final = 500
_NO_LINK: Final = Text("There is no {kind} {found} here.", "此处没有{kind} {found}。")
_NO_SUCH: Final = Text("There is no such {kind} here", "此处没有该{kind}")
_REFUSED: Final = Text(
    "{kind} {found} stands in row {row}, which is refused itself. Correct that row first.",
    "{kind} {found} 在第 {row} 行，而该行未被接受，请先更正该行。",
)
_ABOVE: Final = Text("The row it links to is refused", "所引用的行未被接受")
_TWICE: Final = Text("Row {row} names the same {kind}.", "第 {row} 行是相同的{kind}。")
_SAME: Final = Text("The same {kind} twice in the file", "文件中有重复的{kind}")


@dataclass(slots=True)
class _Row:
    """One row that is right: its place and number, its name, its record, and for a known one what it was."""

    place: int
    number: int
    name: str
    record: Defined
    before: dict[str, Any] | None
    after: dict[str, Any]
    version: int


class Taking:
    """Takes rows in pieces, each stored by itself, and remembers the rows before for records named twice.

    A row may link to a row of its own kind that was taken before it; `linked` gives the numbers of those that others
    link to, of the rest nothing is kept. A row of another system may say the `state` of its record there, whatever
    steps lead to it. Parts of `open_wholes` are taken in whatever state those are: they came with them.
    """

    def __init__(
        self, access: Access, kind: type[Defined], *, dry_run: bool, before_commit: Planned,
        open_wholes: Container[UUID] = frozenset(), linked: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        self._access, self._kind, self._dry_run = access, kind, dry_run
        self._before_commit = before_commit
        self._open_wholes = open_wholes
        self._key_form = _key_form(kind)
        self._row_of_key: dict[tuple[Any, ...], int] = {}
        self._ids: dict[Any, dict[str, UUID]] = {}
        self._linked_to: dict[UUID, Any] = {}
        self._links = {name: each.related_model for name, each in columns(kind).items() if each.is_relation}
        self._own = own_links(kind)
        self._named = linked
        self.writes = not dry_run or _judged_late(kind)
        self._above: dict[UUID, _Row] = {}
        self._series = [name for name in columns(kind) if told(kind, name).series]
        self._blank = kind(tenant=access.author.tenant)
        if kind.shape.states is not None:
            self._blank.state = kind.shape.states.first

    def take(self, rows: Sequence[dict[str, Any]], numbers: Sequence[int]) -> Outcome:
        """Check rows and, unless this is a dry run, store the right ones in one transaction.

        `numbers` are the rows' numbers as people see them.
        """
        planned, refused = self._planned(rows, numbers)
        if not self.writes:
            return self._stored(planned, refused)
        with transaction.atomic():
            if not self._dry_run and not self._still_true(planned):
                # Rows were read and checked without a lock, so that others write meanwhile.
                self._forget(planned)
                again = set(numbers)
                self._row_of_key = {key: row for key, row in self._row_of_key.items() if row not in again}
                planned, refused = self._planned(rows, numbers)
            outcome = self._stored(planned, refused)
            if self._dry_run:
                transaction.set_rollback(True)
        return outcome

    def _planned(self, rows: Sequence[dict[str, Any]], numbers: Sequence[int]) -> tuple[list[_Row], list[Fault]]:
        self._resolve(rows)
        keys: list[tuple[Any, ...] | None] = []
        linked: list[tuple[dict[str, Any], list[Fault]]] = []
        others = self._links.keys() - self._own
        for place, row in enumerate(rows):
            linked.append(self._linked(place, row, others))
            keys.append(None if linked[-1][1] else self._key(linked[-1][0]))
        self._read_linked([row for row, faults in linked if not faults])
        known = self._known(key for key in keys if key is not None)
        planned: list[_Row] = []
        refused: list[Fault] = []
        for place, key in enumerate(keys):
            row, faults = linked[place]
            if not faults and self._own:
                row, faults = self._linked(place, row, self._own)
            if faults:
                refused += faults
                continue
            if key is not None and key in self._row_of_key:
                one = self._kind.shape.one
                text = _TWICE.format(row=self._row_of_key[key], kind=one)
                refused.append(Fault(place, self._kind.shape.key[-1], text, _SAME.format(kind=one)))
                continue
            try:
                planned.append(self._row(place, row, numbers[place], known.get(key) if key else None))
            except (Invalid, Conflict, NotAllowed) as error:
                refused += self._faults(place, error)
            else:
                if key is not None:
                    self._row_of_key[key] = numbers[place]
                self._remember(planned[-1], rows[place])
        return planned, refused

    def _resolve(self, rows: Sequence[dict[str, Any]]) -> None:
        """Find the records that rows link to, once for all of them."""
        for name, target in self._links.items():
            found = self._ids.setdefault(target, {})
            found |= ids_of(self._access, target, {row[name] for row in rows if name in row} - found.keys())

    def _read_linked(self, rows: list[dict[str, Any]]) -> None:
        """Read what these rows link to at once: rules of a kind look at it, row by row."""
        self._linked_to = {}
        for name, target in self._links.items():
            own = name in self._own
            ids = {self._ids[target].get(row[name]) if own else row[name] for row in rows if row.get(name)}
            wanted = ids - self._linked_to.keys() - self._above.keys() - {None}
            self._linked_to |= target._default_manager.in_bulk(list(wanted))

    def _linked(self, place: int, row: dict[str, Any], names: Set[str]) -> tuple[dict[str, Any], list[Fault]]:
        """Put the ids of what a row links to in the place of their names."""
        faults = []
        row = dict(row)
        for name in names & row.keys():
            found = self._ids[self._links[name]].get(row[name])
            if found is None:
                faults.append(self._absent(place, name, row[name]))
            row[name] = found
        return row, faults

    def _absent(self, place: int, name: str, found: str) -> Fault:
        words = words_of(self._links[name])
        number = self._named.get(found) if self._named is not None and name in self._own else None
        if number is None:
            return Fault(place, name, _NO_LINK.format(kind=words, found=found), _NO_SUCH.format(kind=words))
        return Fault(place, name, _REFUSED.format(row=number, kind=words, found=found), _ABOVE)

    def _key(self, row: dict[str, Any]) -> tuple[Any, ...] | None:
        """Return the key of a row; None for one that is numbered when it is stored, or wrong."""
        try:
            read = self._key_form.model_validate({name: row[name] for name in self._kind.shape.key if name in row})
        except ValidationError:
            return None
        shape = self._kind.shape
        if any(name in self._series and not row.get(name) for name in shape.key):
            return None
        return tuple(kept(getattr(read, name)) for name in shape.key)

    def _known(self, keys: Iterable[tuple[Any, ...]], *, lock: bool = False) -> dict[tuple[Any, ...], Defined]:
        wanted = set(keys)
        names = [columns(self._kind)[name].attname for name in self._kind.shape.key]
        if not wanted:
            return {}
        rows = self._access.rows(self._kind, Doing.CHANGE)
        if lock:
            rows = rows.select_for_update(of=("self",))
        among_them = rows.filter(**{
            f"{name}__in": {key[place] for key in wanted} for place, name in enumerate(names)
        })  # fmt: skip
        found = {tuple(getattr(record, name) for name in names): record for record in among_them}
        return {key: record for key, record in found.items() if key in wanted}

    def _row(self, place: int, row: dict[str, Any], shown: int, known: Defined | None) -> _Row:
        state = row.pop("state", None)
        before = known.document() if known is not None else None
        version = known.version if known is not None else 0
        record = known or self._fresh()
        for name, value in row.items():
            if before is not None and isinstance(value, dict) and isinstance(before[name], dict):
                row[name] = before[name] | value
        values = written(self._kind, row, known)
        of = columns(self._kind)
        # Past the descriptors, which take most of the time; only links remember more than their value.
        vars(record).update({of[name].attname: value for name, value in values.items() if name not in self._links})
        for name in self._links.keys() & values.keys():
            setattr(record, of[name].attname, values[name])
            if values[name] in self._above:
                setattr(record, name, self._above[values[name]].record)
            elif values[name] in self._linked_to:
                setattr(record, name, self._linked_to[values[name]])
        if self._series and self._dry_run:
            for name in self._series:
                setattr(record, name, getattr(record, name) or f"?{shown}")
        elif self._series:
            number(record)
        if before is None:
            self._access.allow(record, Doing.CREATE)
            self._refuse_fixed(record)
        elif record.document() != before:
            self._access.allow(record, Doing.CHANGE)
            if self._kind.shape.append_only:
                raise Conflict(writing.APPENDED)
            self._refuse_fixed(record)
        if state is not None and state != record.state:
            self._access.allow(record, Doing.CHANGE)
            record.state = state
        writing.settle(record)
        if not self._dry_run:
            record.search = searched(record)
        # A new row that is only tried is not told of anywhere.
        after = {} if self._dry_run and before is None else record.document()
        return _Row(place, shown, "", record, before, after, version)

    def _refuse_fixed(self, record: Defined) -> None:
        """Raise Conflict for a record in a state in which nothing changes, or a part of one it did not come with."""
        whole = self._kind.shape.part_of
        if not whole or getattr(record, f"{whole}_id") not in self._open_wholes:
            writing.refuse_fixed(record)

    def _fresh(self) -> Defined:
        # Django would find out for each row again what a new one is like.
        record = self._kind.__new__(self._kind)
        vars(record).update(vars(self._blank))
        record._state = ModelState()
        record._state.fields_cache = dict(self._blank._state.fields_cache)
        record.id = uuid7()
        record.created_ms = record.changed_ms = now_ms()
        return record

    def _remember(self, row: _Row, fields: dict[str, Any]) -> None:
        """Let later rows link to a record of this file."""
        if not self._own:
            return
        key = self._kind.shape.key
        row.name = joined(fields[name] if name in self._links else getattr(row.record, name) for name in key)
        if self._named is None or row.name in self._named:
            self._ids[self._kind][row.name] = row.record.id
            self._above[row.record.id] = row

    def _forget(self, rows: Iterable[_Row]) -> None:
        """Let no later row link to these: they are not stored."""
        for row in rows:
            self._above.pop(row.record.id, None)
            self._ids.get(self._kind, {}).pop(row.name, None)

    def _above_of(self, records: Iterable[Defined]) -> set[UUID]:
        """Return what records link to among their own kind."""
        return {getattr(record, f"{name}_id") for record in records for name in self._own} - {None}

    def _still_true(self, planned: list[_Row]) -> bool:
        """Tell whether records are as they were when rows were read, and new ones still are new."""
        names = [columns(self._kind)[name].attname for name in self._kind.shape.key]
        wanted = {tuple(getattr(row.record, name) for name in names): row.version for row in planned}
        now = self._known(wanted, lock=True)
        return all((now[key].version if key in now else 0) == version for key, version in wanted.items())

    def _stored(self, planned: list[_Row], refused: list[Fault]) -> Outcome:
        changed = [row for row in planned if row.before is not None and row.after != row.before]
        fresh = [row for row in planned if row.before is None]
        unchanged = len(planned) - len(changed) - len(fresh)
        written_rows, faults = self._written(sorted([*fresh, *changed], key=lambda row: row.place))
        outcome = Outcome(unchanged=unchanged, refused=[*refused, *faults])
        deeds: list[Deed] = []
        for row in written_rows:
            record = row.record
            action = Action.CREATE if row.before is None else Action.CHANGE
            if not self._dry_run:
                deeds.append(changes.deed(action, record, row.before or {}, row.after))
            if row.before is None:
                outcome.made.append(record.id)
            else:
                outcome.before.append((row.before, record.version))
        outcome.created, outcome.updated = len(outcome.made), len(outcome.before)
        if deeds:
            append(self._access.author, deeds)
            self._before_commit(outcome)
        return outcome

    def _written(self, rows: list[_Row]) -> tuple[list[_Row], list[Fault]]:
        """Store rows together; if the database or a consequence refuses, one by one, to tell which are to blame."""
        if not self.writes:
            return rows, []
        if self._dry_run and self._own:
            # If someone stores the same meanwhile, these are judged without.
            with suppress(IntegrityError), transaction.atomic():
                self._store(self._taken_back(rows))
        try:
            with transaction.atomic():
                self._write(rows)
        except (IntegrityError, Invalid, Conflict):
            return self._one_by_one(rows)
        return rows, []

    def _taken_back(self, rows: list[_Row]) -> list[_Row]:
        """Return what lies above rows and was taken back with the piece it came in, for they are judged by it, too."""
        found: dict[UUID, _Row] = {}
        seen = {row.record.id for row in rows}
        above = self._above_of(row.record for row in rows)
        while above := above - seen:
            seen |= above
            here = {id: self._above[id] for id in above & self._above.keys()}
            found |= here
            others = among(self._kind._default_manager, "pk", above - here.keys())
            above = self._above_of([*others, *(row.record for row in here.values())])
        return [row for row in found.values() if row.before != row.after]

    def _one_by_one(self, rows: list[_Row]) -> tuple[list[_Row], list[Fault]]:
        done: list[_Row] = []
        faults: list[Fault] = []
        gone: dict[UUID, _Row] = {}
        for row in rows:
            try:
                self._refuse_below(row.record, gone)
                writing.stored(row.record, lambda row=row: self._write([row]))
                done.append(row)
            except (Invalid, Conflict) as error:
                faults += self._faults(row.place, error)
                self._forget([row])
                if row.before is None:
                    gone[row.record.id] = row
        return done, faults

    def _refuse_below(self, record: Defined, gone: Mapping[UUID, _Row]) -> None:
        """Raise Invalid for a record that links to a refused one."""
        above = {name: gone.get(getattr(record, f"{name}_id")) for name in self._own}
        faults = {
            name: _REFUSED.format(row=row.number, kind=self._kind.shape.one, found=row.name)
            for name, row in above.items()
            if row is not None
        }
        if faults:
            raise Invalid(faults)

    def _faults(self, place: int, error: MainspringError) -> list[Fault]:
        told = error.fields if isinstance(error, Invalid) else {self._kind.shape.key[0]: error.text}
        return [Fault(place, path, text, text) for path, text in told.items()]

    def _write(self, rows: list[_Row]) -> None:
        self._store(rows)
        for row in rows:
            row.record.follow(self._access.author, row.before)

    def _store(self, rows: list[_Row]) -> None:
        changed = [row for row in rows if row.before is not None]
        for row in changed:
            row.record.version, row.record.changed_ms = row.version + 1, now_ms()
        with together():
            insert([row.record for row in rows if row.before is None])
            store_changed(self._kind, [row.record for row in changed])


def store_changed(kind: type[Defined], records: list[Defined]) -> None:
    """Store many changed records in few statements."""
    # As an insert that meets itself: an update of many rows at once is a thousand times as much SQL.
    names = [column.name for column in kind._meta.concrete_fields if column.name not in {"id", "tenant"}]
    kind._default_manager.bulk_create(records, BATCH, update_conflicts=True, unique_fields=["id"], update_fields=names)


def undo(
    access: Access, kind: type[Defined], made: Sequence[str], before: Sequence[tuple[dict[str, Any], int]]
) -> tuple[int, int]:
    """Take an import back where nobody changed its records since; returns how many are taken back, how many stay."""
    with transaction.atomic():
        there = {str(record.pk): record for record in among(access.rows(kind, Doing.REMOVE), "pk", made)}
        mine = [there[id] for id in made if id in there and there[id].version == 1]
        # What was changed may link to what was made.
        back = _restored(access, kind, before)
        gone = _removed([record for record in mine if not _has_parts(record)])
        append(access.author, [
            *(changes.deed(Action.CHANGE, record, now, after) for record, now, after in back),
            *(changes.deed(Action.DELETE, record, document, {}) for record, document in gone),
        ])  # fmt: skip
    taken_back = len(gone) + len(back)
    return taken_back, len(there) + len(before) - taken_back


def _removed(records: list[Defined]) -> list[tuple[Defined, dict[str, Any]]]:
    """Remove records that nothing else is linked to, those that link to others first; returns them as they were."""
    gone = []
    while records:
        links = [f"{name}_id" for name in own_links(type(records[0]))]
        above = {getattr(record, link) for record in records for link in links}
        first = [record for record in records if record.pk not in above]
        # What leads back to itself goes together, or not at all.
        gone += _removed_at_once(first or records)
        records = [record for record in records if first and record.pk in above]
    return gone


def _removed_at_once(records: list[Defined]) -> list[tuple[Defined, dict[str, Any]]]:
    told_as = [(record, record.document()) for record in records]
    try:
        with transaction.atomic():
            remove_together(type(records[0]), [record.pk for record in records])
    except ProtectedError:
        pass
    else:
        return told_as
    gone = []
    for record, document in reversed(told_as):
        id = record.pk
        try:
            with transaction.atomic():
                record.delete()
        except ProtectedError:
            continue
        record.pk = id
        gone.append((record, document))
    return gone


def _restored(
    access: Access, kind: type[Defined], before: Sequence[tuple[dict[str, Any], int]]
) -> list[tuple[Defined, dict[str, Any], dict[str, Any]]]:
    """Give records back what they were, unless they changed again; returns each with its documents before and after."""
    versions = {str(document["id"]): version for document, version in before}
    known = {str(record.pk): record for record in among(access.rows(kind, Doing.CHANGE), "pk", versions)}
    changed: list[tuple[Defined, dict[str, Any], dict[str, Any]]] = []
    for document, version in before:
        record = known.get(str(document["id"]))
        if record is None or record.version != version:
            continue
        now = record.document()
        try:
            with transaction.atomic():
                put_back(record, document)
                after = record.document()
                record.version, record.changed_ms = version + 1, now_ms()
                writing.stored(record, record.save)
        except (Invalid, Conflict):
            continue
        changed.append((record, now, after))
    return changed


def _has_parts(record: Defined) -> bool:
    parts: Iterable[type[Defined]] = parts_of(type(record)).values()
    return any(part._default_manager.filter(**{part.shape.part_of: record}).exists() for part in parts)


def _judged_late(kind: type[Defined]) -> bool:
    """Tell whether storing a row can show more than its fields do: rules of the database, consequences."""
    states = kind.shape.states
    named = {f"{kind.kind}_key", f"{kind.kind}_state"} | {f"{kind.kind}_{name}"[:60] for name in columns(kind)}
    more: set[Any] = {each.name for each in kind._meta.constraints} - named
    return bool(more or kind.follow is not Defined.follow or (states and states.needs))


def _key_form(kind: type[Defined]) -> type[BaseModel]:
    known = draft_of(kind).model_fields
    fields: dict[str, Any] = {name: (known[name].annotation, known[name]) for name in kind.shape.key}
    made: type[BaseModel] = create_model(f"{kind.__name__}Key", __base__=Draft, **fields)
    return made
