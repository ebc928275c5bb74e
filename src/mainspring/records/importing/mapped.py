"""Files that another system exports, as records: what each column becomes is declared in `mappings/*.toml`.

One file may hold records and their parts, as ERPNext and Odoo write them: a row for each part, the cells of the whole
filled in its first row alone. Both are taken, the wholes of some rows before their parts.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mainspring.core.text import Text
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.cells import Column, suggested, written_columns
from mainspring.records.defined.kinds import Defined, find_kind
from mainspring.records.defined.taking import Taking, undo
from mainspring.records.faults import Invalid
from mainspring.records.importing.imported import Fault, Imported, Outcome, Planned, mapping_of
from mainspring.records.importing.imported import Field as SheetField

FOLDER: Final = Path(__file__).parent / "mappings"
UNITS: Final = "units"
OTHERS: Final = "*"
STATE: Final = "state"
_HAN: Final = re.compile("[\u3400-\u9fff]")
_NEEDED: Final = Text("The column {name} is missing. Export it too.", "缺少列“{name}”，请一并导出。")
_NO_COLUMN: Final = Text("{name!r} is no column of {words}.", "“{name}”不是{words}的列。")
_NO_WHOLE: Final = Text("No row above says what this one belongs to.", "上方没有说明该行所属单据的行。")
_EMPTY: Final = Text("This is required.", "此项必填。")
_NO_STATE: Final = Text("{found} is not a known state.", "状态 {found} 未知。")
_NO_MATCH: Final = Text("{found} is not written as expected.", "{found} 的格式不符合预期。")


class Source(BaseModel):
    """Where the value of a field comes from; in a file of mappings a text alone is the name of a column."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    column: str = ""
    needed: bool = Field(default=False, description="the file must have the column, and the row a value in it")
    pattern: str = Field(default="", description="a regular expression; its first group is the value")
    values: Mapping[str, str] = Field(
        default={}, description="what words of that system are here, `*` all others; without it, those stay"
    )
    unit: bool = Field(default=False, description="a unit, by the table of that system's units")
    always: str = Field(default="", description="the same in every row")
    parts: tuple[Source, ...] = Field(default=(), description="sources whose values make one, with slashes between")
    first: tuple[Source, ...] = Field(default=(), description="sources of which the first that has a value counts")
    steps: int = Field(default=0, description="the row's place among those of its whole, times this")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, found: Any) -> Any:
        return {"column": found} if isinstance(found, str) else found

    def columns(self) -> list[str]:
        """Return the columns it is read from."""
        return (
            [self.column] if self.column else [name for each in (*self.parts, *self.first) for name in each.columns()]
        )

    def value(self, cells: Mapping[str, str], place: int, units: Mapping[str, str]) -> str:
        """Return the value of a row as a cell of ours; raises Invalid."""
        if self.parts:
            return "/".join(part.value(cells, place, units) for part in self.parts)
        if self.first:
            return next((value for each in self.first if (value := each.value(cells, place, units))), "")
        if self.steps:
            return str(place * self.steps)
        found = cells.get(self.column, "") or self.always
        if self.needed and not found:
            raise Invalid({self.column: _EMPTY})
        if self.pattern and found:
            matched = re.search(self.pattern, found)
            if matched is None:
                raise Invalid({self.column: _NO_MATCH.format(found=found)})
            found = matched[1]
        if self.unit:
            return units.get(found, found)
        return self.values.get(found, self.values.get(OTHERS, found)) if found else ""


class Target(BaseModel):
    """One kind of record that a file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    begins: str = Field(description="the column that is filled in rows where one of these begins")
    fields: Mapping[str, Source]
    state: Source | None = Field(
        default=None, description="the state it is in, whatever steps lead there; empty: as it is"
    )


class Declared(BaseModel):
    """One file of mappings: what one export of another system becomes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str
    words: dict[str, str]
    records: tuple[Target, ...] = Field(min_length=1, max_length=2, description="a whole before its parts")

    @property
    def many(self) -> Text:
        """What people call such an export."""
        return Text(self.words["en"], self.words["zh"])

    def sources(self) -> list[Source]:
        """Return all sources, a row's state among them."""
        found = [source for target in self.records for source in target.fields.values()]
        return found + [target.state for target in self.records if target.state is not None]

    def columns(self) -> dict[str, bool]:
        """Return the columns it reads, and whether the file must have them."""
        made = {target.begins: True for target in self.records}
        for source in self.sources():
            for name in source.columns():
                made[name] = made.get(name, False) or source.needed
        return made


@cache
def mappings() -> Mapping[str, Declared]:
    """Return all mappings by their names, as `erpnext-items`."""
    files = sorted(file for file in FOLDER.glob("*.toml") if file.stem != UNITS)
    return {file.stem: Declared.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))) for file in files}


def mappings_of(kind: str) -> dict[str, Declared]:
    """Return the mappings whose files hold records of a kind."""
    return {name: declared for name, declared in mappings().items() if declared.records[0].kind == kind}


@cache
def units_of(system: str) -> Mapping[str, str]:
    """Return what a system calls units, by its words."""
    found: dict[str, dict[str, str]] = tomllib.loads((FOLDER / f"{UNITS}.toml").read_text(encoding="utf-8"))
    return found[system]


@dataclass(frozen=True, slots=True)
class MappedRow:
    """A row with the cells of its whole: whether that begins here, and the row's place among its parts from 1."""

    cells: Mapping[str, str]
    begins: bool
    place: int


@dataclass(slots=True)
class MappedLayout:
    """How rows of cells become rows of a mapping; rows are given in their order, for a whole is written once."""

    declared: Declared
    mapping: Mapping[int, str]
    columns: dict[str, int] = field(init=False)
    _whole: dict[str, str] = field(default_factory=dict)
    _place: int = 0

    def __post_init__(self) -> None:
        self.columns = {name: place for place, name in self.mapping.items()}

    def row(self, cells: list[str]) -> Any:
        """Return a row with the cells of its whole; raises Invalid for a part without one."""
        found = {name: cells[place] if place < len(cells) else "" for place, name in self.mapping.items()}
        whole, *parts = self.declared.records
        begins = bool(found[whole.begins])
        if begins:
            self._whole, self._place = found, 0
        elif not self._whole:
            raise Invalid({whole.begins: _NO_WHOLE})
        if not parts:
            return MappedRow(found, begins, 1)
        own = {name for source in parts[0].fields.values() for name in source.columns()} - self._of_whole()
        self._place += 1 if found[parts[0].begins] else 0
        cells_of = {name: found[name] if name in own else self._whole.get(name, "") for name in found}
        return MappedRow(cells_of, begins, self._place)

    def _of_whole(self) -> set[str]:
        whole = self.declared.records[0]
        return {whole.begins, *(name for source in whole.fields.values() for name in source.columns())}


class Mapped(Imported):
    """What an export of another system fills."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        self.kinds = [find_kind(target.kind) for target in declared.records]

    def require(self, access: Access) -> None:
        """Raise NotAllowed unless all its kinds may be written."""
        for kind in self.kinds:
            access.require(kind, Doing.CREATE)
            access.require(kind, Doing.CHANGE)

    def fields(self, access: Access) -> Mapping[str, SheetField]:
        """Return the columns it reads, by their names in the file."""
        return {
            name: SheetField(name, Text(name, name), required=needed)
            for name, needed in self.declared.columns().items()
        }  # fmt: skip

    def layout(self, options: dict[str, Any], access: Access) -> MappedLayout:
        """Read a layout; the columns that say what a row is must be there."""
        mapping, known = mapping_of(options), self.declared.columns()
        for name in mapping.values():
            if name not in known:
                raise Invalid({"mapping": _NO_COLUMN.format(name=name, words=self.declared.many)})
        for name, needed in known.items():
            if needed and name not in mapping.values():
                raise Invalid({"mapping": _NEEDED.format(name=name)})
        return MappedLayout(self.declared, mapping)

    def taker(self, access: Access, layout: Any, *, dry_run: bool, before_commit: Planned) -> MappedTaking:
        """Return what takes the rows of one import."""
        self.require(access)
        return MappedTaking(self, access, dry_run=dry_run, before_commit=before_commit)

    def undo(
        self, access: Access, made: Sequence[str], before: Sequence[tuple[dict[str, Any], int]]
    ) -> tuple[int, int]:
        """Take a piece back where nobody changed its records since, parts before their wholes."""
        self.require(access)
        undone = kept = 0
        for kind in reversed(self.kinds):
            ids = [str(document["id"]) for document, _ in before]
            own = {str(id) for id in kind.objects.filter(pk__in=ids).values_list("pk", flat=True)}
            back, stays = undo(access, kind, made, [each for each in before if str(each[0]["id"]) in own])
            undone, kept = undone + back, kept + stays
        return undone, kept

    def suggestion(self, key: str, cell: str) -> str:
        """Return what was probably meant by a cell."""
        for target, kind in zip(self.declared.records, self.kinds, strict=True):
            for name, source in target.fields.items():
                column = written_columns(kind).get(name)
                if source.column == key and column is not None:
                    return suggested(column, cell)
        return ""

    def template(self, access: Access, language: str, only: str = "") -> tuple[list[str], tuple[str, list[list[str]]]]:
        """Return the heads as that system writes them."""
        words = getattr(self.declared.many, language)
        return list(self.declared.columns()), (words, [[words]])


class MappedTaking:
    """Takes rows of a mapping in pieces: the records that begin in them, then their parts."""

    writes = True

    def __init__(self, mapped: Mapped, access: Access, *, dry_run: bool, before_commit: Planned) -> None:
        self._access, self._dry_run, self._mapped = access, dry_run, mapped
        # A dry run is a real one that is taken back: parts look for their wholes.
        self._before_commit = _untold if dry_run else before_commit
        self._units = units_of(mapped.declared.system)
        self._zone = ZoneInfo(access.author.tenant.zone)
        self._open: set[UUID] = set()
        self._last: MappedRow | None = None
        self._whole, *self._parts = (self._taking(kind) for kind in mapped.kinds)

    def _taking(self, kind: type[Defined]) -> Taking:
        return Taking(
            self._access, kind, dry_run=False, before_commit=self._before_commit, open_wholes=self._open
        )  # fmt: skip

    def take(self, rows: Sequence[Any], numbers: Sequence[int]) -> Outcome:
        """Check rows and, unless this is a dry run, store the right ones in one transaction."""
        whole, *parts = zip(self._mapped.declared.records, self._mapped.kinds, strict=True)
        with transaction.atomic():
            if self._dry_run and self._last is not None and rows and not rows[0].begins:
                # What the piece before made of the whole whose parts go on was taken back.
                self._taken(*whole, self._taking(whole[1]), [0], [self._last], [0])
            begin = [place for place, row in enumerate(rows) if row.begins]
            made = self._taken(*whole, self._whole, begin, rows, numbers)
            for (target, kind), taking in zip(parts, self._parts, strict=True):
                places = [place for place, row in enumerate(rows) if row.cells[target.begins]]
                # One that remembers wholes which were taken back finds them no more.
                known = self._taking(kind) if self._dry_run else taking
                _add(made, self._taken(target, kind, known, places, rows, numbers))
            if self._dry_run:
                transaction.set_rollback(True)
        self._last = next((row for row in reversed(rows) if row.begins), self._last)
        return made

    def _taken(
        self, target: Target, kind: type[Defined], taking: Taking, places: list[int], rows: Sequence[MappedRow],
        numbers: Sequence[int],
    ) -> Outcome:  # fmt: skip
        known = written_columns(kind, self._access.hidden(kind))
        drafts, at, faults = [], [], []
        for place in places:
            try:
                drafts.append(self._draft(target, known, rows[place], kind))
                at.append(place)
            except Invalid as error:
                faults += [Fault(place, name, text, text) for name, text in error.fields.items()]
        outcome = taking.take(drafts, [numbers[place] for place in at])
        outcome.refused = faults + [
            Fault(at[each.row], _column_of(target, each.field), each.text, each.cause, each.suggestion)
            for each in outcome.refused
        ]  # fmt: skip
        fixed = kind.shape.states.fixed
        self._open |= {*outcome.made, *(row["id"] for row, _ in outcome.before if row["state"] not in fixed)}
        return outcome

    def _draft(
        self, target: Target, known: Mapping[str, Column], row: MappedRow, kind: type[Defined]
    ) -> dict[str, Any]:
        """Return the fields of a record; raises Invalid with every cell that is wrong, by its column."""
        made: dict[str, Any] = {}
        faults: dict[str, Text] = {}
        for name, source in target.fields.items():
            try:
                found = source.value(row.cells, row.place, self._units)
                self._read(made, known, name, found)
            except Invalid as error:
                faults[_column_of(target, name)] = next(iter(error.fields.values()))
        if target.state is not None:
            state = target.state.value(row.cells, row.place, self._units)
            if state and state not in kind.shape.states.words:
                faults[target.state.column] = _NO_STATE.format(found=state)
            made |= {STATE: state} if state else {}
        if faults:
            raise Invalid(faults)
        return made

    def _read(self, made: dict[str, Any], known: Mapping[str, Column], name: str, found: str) -> None:
        # A text that says not in which language it is shows it by its letters.
        key = name if name in known else f"{name}.{'zh' if _HAN.search(found) else 'en'}"
        if not found or key not in known:
            return
        column = known[key]
        value = column.read(found, self._zone)
        if column.language:
            made.setdefault(column.name, {})[column.language] = value
        else:
            made[column.name] = value


def _column_of(target: Target, name: str) -> str:
    """Return the column a field is read from, by which people find what is wrong with it."""
    source = target.fields.get(name) or target.fields.get(name.partition(".")[0])
    return ((source.columns() if source is not None else []) or [target.begins])[0]


def _add(total: Outcome, part: Outcome) -> None:
    total.created += part.created
    total.updated += part.updated
    total.unchanged += part.unchanged
    total.refused += part.refused


def _untold(_outcome: Outcome) -> None:
    """Tell nobody: it is taken back."""
