"""Records of a kind as sheets fill them: what an import must know of them, and the empty sheet to fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from mainspring.core.text import Text
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.cells import Column, suggested, taken, written_columns
from mainspring.records.defined.keys import behind, joined, own_links
from mainspring.records.defined.kinds import Defined, columns
from mainspring.records.defined.taking import Taking, undo
from mainspring.records.faults import Invalid
from mainspring.records.importing.imported import Field, Imported, Planned, mapping_of

_NO_FIELD: Final = Text("{kind} has no field {name!r} that a column can fill.", "{kind}没有可由列填写的字段“{name}”。")
_CIRCLE: Final = Text(
    "Row {row} leads back to this one, so neither can come first. Change one of them.",
    "第 {row} 行又引用回本行，无法确定先后，请修改其中一行。",
)
_NEEDED: Final = Text("Say which column holds {name}.", "请指定哪一列是{name}。")
_ABOUT: Final = Text(
    "What each column takes. An import reads the first sheet alone; an empty cell leaves what is there.",
    "各列可填内容。导入时只读取第一张工作表；空单元格保持原值不变。",
)
_NOTES: Final = Text("Notes", "说明")
_HEAD: Final = (Text("Column", "列"), Text("Needed", "必填"), Text("Takes", "可填内容"), Text("Example", "示例"))
_YES: Final = Text("yes", "是")


@dataclass(slots=True)
class RecordLayout:
    """How rows of cells become fields of records of a kind, and which of them others of the file link to."""

    kind: type[Defined]
    fields: Mapping[int, Column]
    zone: ZoneInfo
    columns: dict[str, int] = field(init=False)
    linked: dict[str, int] = field(default_factory=dict)
    """The numbers of rows that others link to, by the names of their records."""
    _circles: dict[str, dict[str, Text]] = field(default_factory=dict)
    """What is wrong with links that lead back, by the record's name and the column's key."""

    def __post_init__(self) -> None:
        self.columns = {column.field.key: place for place, column in self.fields.items()}

    def order(self, rows: Sequence[list[str]], numbers: Sequence[int]) -> Sequence[int]:
        """Return the places of rows, each behind those it links to, else as they stand."""
        own = {key: self.columns[key] for key in own_links(self.kind) if key in self.columns}
        if not own:
            return range(len(rows))
        place_of: dict[str, int] = {}
        for place, cells in enumerate(rows):
            place_of.setdefault(self._name(cells), place)
        place_of.pop("", None)
        links = [{key: cells[at] for key, at in own.items() if at < len(cells)} for cells in rows]
        above = [{key: place_of[name] for key, name in each.items() if name in place_of} for each in links]
        self.linked = {name: numbers[place_of[name]] for each in links for name in each.values() if name in place_of}
        order, back = behind([list(each.values()) for each in above])
        for place, goal in back:
            wrong = _CIRCLE.format(row=numbers[goal])
            found = self._circles.setdefault(self._name(rows[place]), {})
            found |= {key: wrong for key, at in above[place].items() if at == goal}
        return order

    def _name(self, cells: list[str]) -> str:
        """Return how a file names the record of a row; empty where its key cannot be read or is given later."""
        parts = []
        for name in self.kind.shape.key:
            place = self.columns.get(name, len(cells))
            cell = cells[place] if place < len(cells) else ""
            try:
                parts.append(
                    self.fields[place].read(cell, self.zone) if cell else columns(self.kind)[name].get_default()
                )
            except Invalid:
                return ""
        return joined(parts) if all(part not in (None, "") for part in parts) else ""

    def row(self, cells: list[str]) -> dict[str, Any]:
        """Return the fields of a row; an empty cell says nothing. Raises Invalid with every cell that is wrong."""
        row: dict[str, Any] = {}
        faults: dict[str, Text] = {}
        for place, column in self.fields.items():
            cell = cells[place] if place < len(cells) else ""
            if not cell:
                continue
            try:
                value = column.read(cell, self.zone)
            except Invalid as error:
                faults |= error.fields
                continue
            if column.language:
                row.setdefault(column.name, {})[column.language] = value
            else:
                row[column.name] = value
        if self._circles:
            faults |= self._circles.get(self._name(cells), {})
        if faults:
            raise Invalid(faults)
        return row


class Records(Imported):
    """Records of one kind, as sheets fill them."""

    def __init__(self, kind: type[Defined]) -> None:
        self.kind = kind

    def require(self, access: Access) -> None:
        """Raise NotAllowed unless the kind may be written."""
        access.require(self.kind, Doing.CREATE)
        access.require(self.kind, Doing.CHANGE)

    def fields(self, access: Access) -> Mapping[str, Field]:
        """Return what a column can be, by key."""
        return {key: column.field for key, column in written_columns(self.kind, access.hidden(self.kind)).items()}

    def layout(self, options: dict[str, Any], access: Access) -> RecordLayout:
        """Read a layout; the columns of the key must be there, unless they fill themselves."""
        known = written_columns(self.kind, access.hidden(self.kind))
        mapping = mapping_of(options)
        unknown = [key for key in mapping.values() if key not in known]
        if unknown:
            raise Invalid({"mapping": _NO_FIELD.format(kind=self.kind.shape.one, name=unknown[0])})
        missing = [
            known[name].told.words
            for name in self.kind.shape.key
            if name in known and known[name].field.required and name not in mapping.values()
        ]
        if missing:
            raise Invalid({"mapping": _NEEDED.format(name=missing[0])})
        return RecordLayout(
            self.kind, {place: known[key] for place, key in mapping.items()}, ZoneInfo(access.author.tenant.zone)
        )

    def order(self, layout: RecordLayout, rows: Sequence[list[str]], numbers: Sequence[int]) -> Sequence[int]:
        """Return the places of rows, each behind those it links to."""
        return layout.order(rows, numbers)

    def taker(self, access: Access, layout: RecordLayout, *, dry_run: bool, before_commit: Planned) -> Taking:
        """Return what takes the rows of one import."""
        self.require(access)
        return Taking(access, self.kind, dry_run=dry_run, before_commit=before_commit, linked=layout.linked)

    def undo(
        self, access: Access, made: Sequence[str], before: Sequence[tuple[dict[str, Any], int]]
    ) -> tuple[int, int]:
        """Take a piece back where nobody changed its records since."""
        self.require(access)
        return undo(access, self.kind, made, before)

    def suggestion(self, key: str, cell: str) -> str:
        """Return what was probably meant by a cell."""
        column = written_columns(self.kind).get(key)
        return suggested(column, cell) if column is not None else ""

    def template(self, access: Access, language: str, only: str = "") -> tuple[list[str], tuple[str, list[list[str]]]]:
        """Return the heads, and what each column takes."""
        known = written_columns(self.kind, access.hidden(self.kind)).values()
        notes = [[getattr(_ABOUT, language)], [getattr(each, language) for each in _HEAD]]
        for column in known:
            needed = getattr(_YES, language) if column.field.required or _named(column) else ""
            title, says = getattr(column.field.title, language), getattr(taken(column), language)
            notes.append([title, needed, says, column.field.example])
        return [getattr(each.field.title, language) for each in known], (getattr(_NOTES, language), notes)


def _named(column: Column) -> bool:
    return column.told.control == "words" and column.told.need
