"""Many changes in one request: all of them or none, with what is wrong told row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal
from uuid import UUID

from django.db import transaction
from pydantic import BaseModel, Field

from mainspring.core.errors import Conflict, NotFound
from mainspring.core.text import Text
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.defined.kinds import Defined
from mainspring.records.faults import FIELDS_MAX, Changed, Invalid

ROWS_MAX: Final = 1000
_NONE: Final = Text(
    "{bad} of {all} rows cannot be done, so none was. Correct them and send all again.",
    "{all} 行中有 {bad} 行无法执行，因此全部未执行。请更正后重新发送全部。",
)
_NEEDED: Final = Text("Say which record, and which version of it.", "请指明记录及其版本。")


class Row(BaseModel):
    """One change: a new record, or one that is changed, removed or moved at a version."""

    do: Literal["create", "change", "remove", "move"]
    id: UUID | None = None
    version: int | None = Field(default=None, ge=1, lt=2**31)
    fields: dict[str, Any] = {}
    move: str = Field(default="", max_length=64)


def bulk(access: Access, kind: type[Defined], rows: Sequence[Row]) -> list[Defined | None]:
    """Do all rows in one transaction; returns their records, None for removed ones.

    Raises Invalid with every fault as `row.field`, rows counted from 0; then nothing was done.
    """
    faults: dict[str, Text] = {}
    bad: set[int] = set()
    done: list[Defined | None] = []
    with transaction.atomic():
        for place, row in enumerate(rows):
            try:
                with transaction.atomic():
                    done.append(_done(access, kind, row))
            except (Invalid, Conflict, NotFound) as error:
                bad.add(place)
                faults |= {f"{place}.{path}": text for path, text in _faults(error).items()}
        if faults:
            raise Invalid(dict(list(faults.items())[:FIELDS_MAX]), _NONE.format(bad=len(bad), all=len(rows)))
    return done


def _faults(error: Invalid | Conflict | NotFound) -> dict[str, Text]:
    if isinstance(error, Invalid):
        return error.fields
    return {"version" if isinstance(error, Changed) else "id": error.text}


def _done(access: Access, kind: type[Defined], row: Row) -> Defined | None:
    if row.do == "create":
        return writing.create(access, kind, row.fields)
    if row.id is None or row.version is None:
        raise Invalid({"version" if row.id is not None else "id": _NEEDED})
    match row.do:
        case "change":
            return writing.modify(access, kind, row.id, row.fields, row.version)
        case "move":
            return writing.move(access, kind, row.id, row.move, row.version)
        case "remove":
            writing.remove(access, kind, row.id, row.version)
    return None
