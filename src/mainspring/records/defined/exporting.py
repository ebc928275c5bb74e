"""Records of a kind as files: XLSX, CSV and JSON, filtered as lists are, without what the asker may not see."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from mainspring.core.errors import LimitExceeded
from mainspring.core.text import Text
from mainspring.records.access.use import note
from mainspring.records.audit import Action, Deed, append
from mainspring.records.defined import listing
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.cells import SHOWN, Cell, Column, columns_of, moment_text
from mainspring.records.defined.fields import shown
from mainspring.records.defined.keys import names_of
from mainspring.records.defined.kinds import Defined
from mainspring.records.importing.sheets import ROWS_MAX, csv_lines, xlsx_parts

PIECE: Final = 500
Form = Literal["xlsx", "csv", "json"]
Language = Literal["en", "zh"]
_TOO_MANY: Final = Text(
    "This list has more than {limit} rows. Filter it, and export it in parts.",
    "列表超过 {limit} 行，请筛选后分批导出。",
)


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported: records of a kind by their ids, as a file in a language."""

    access: Access
    kind: type[Defined]
    ids: list[UUID]
    form: Form
    language: Language

    def parts(self) -> Iterator[bytes]:
        """Yield the file; what is gone meanwhile is left out."""
        match self.form:
            case "json":
                yield from self._json()
            case "csv":
                yield from csv_lines(self._rows())
            case "xlsx":
                yield from xlsx_parts(self._rows())

    def _rows(self) -> Iterator[list[Cell]]:
        language, zone = self.language, ZoneInfo(self.access.author.tenant.zone)
        known = list(self._known().values())
        yield [getattr(title, language) for title in (*(each.field.title for each in known), *SHOWN.values())]
        for records in self._pieces():
            names = _link_names(known, records)
            for record in records:
                cells = (each.write(each.of(record), language, zone, names) for each in known)
                yield [*cells, *_shown(record, language, zone)]

    def _json(self) -> Iterator[bytes]:
        known = {column.name: column for column in self._known().values()}
        before = b"[\n"
        for records in self._pieces():
            names = _link_names(known.values(), records)
            lines = [json.dumps(_document(record, known, names), ensure_ascii=False, default=str) for record in records]
            yield before + ",\n".join(lines).encode()
            before = b",\n"
        yield b"[]\n" if before == b"[\n" else b"\n]\n"

    def _known(self) -> dict[str, Column]:
        return columns_of(self.kind, self.access.hidden(self.kind))

    def _pieces(self) -> Iterator[list[Defined]]:
        for start in range(0, len(self.ids), PIECE):
            part = self.ids[start : start + PIECE]
            found = {record.pk: record for record in self.access.rows(self.kind, Doing.EXPORT).filter(pk__in=part)}
            if found:
                yield [found[id] for id in part if id in found]


def begin(access: Access, kind: type[Defined], wanted: listing.Question, form: Form, language: Language) -> Export:
    """Settle what is exported, and write down who takes it; raises Invalid, and LimitExceeded for too many rows."""
    rows = listing.chosen(access, kind, wanted, Doing.EXPORT)
    ids = list(rows.values_list("pk", flat=True)[: ROWS_MAX + 1])
    if len(ids) > ROWS_MAX:
        raise LimitExceeded(_TOO_MANY, limit=ROWS_MAX)
    asked = {"where": wanted.where, "search": wanted.search, "rows": len(ids), "form": form}
    told: dict[str, list[Any]] = {name: [None, value] for name, value in asked.items() if value != ""}
    append(access.author, [Deed(Action.EXPORT, kind.kind, "", kind.shape.many.en, told)])
    note(access, kind, Doing.EXPORT, len(ids))
    return Export(access, kind, ids, form, language)


def _link_names(known: Iterable[Column], records: list[Defined]) -> dict[UUID, str]:
    """Return how the records that these link to are named in files: one query for each kind they lead to."""
    wanted: dict[Any, set[UUID]] = {}
    for column in known:
        if column.target is not None:
            ids = {column.of(record) for record in records} - {None}
            wanted.setdefault(column.target, set()).update(ids)
    return {id: name for target, ids in wanted.items() for id, name in names_of(target, ids).items()}


def _shown(record: Defined, language: str, zone: ZoneInfo) -> list[Cell]:
    state = getattr(record.shape.called(record.state), language)
    return [str(record.id), state, record.version, moment_text(record.changed_ms, zone)]


def _document(record: Defined, known: dict[str, Column], names: dict[UUID, str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, column in known.items():
        value = column.of(record)
        made[name] = names.get(value) if column.target is not None else shown(value)
    told = {"id": record.id, "state": record.state, "version": record.version, "changed_ms": record.changed_ms}
    return made | told
