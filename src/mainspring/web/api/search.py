"""One search over everything, for the command palette."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, zip_longest
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from mainspring.core.errors import NotAllowed, NotFound
from mainspring.records.access.use import note
from mainspring.records.defined import listing
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.kinds import Defined, columns, kinds, title_of, told
from mainspring.records.plant.connection import Connection
from mainspring.records.rights import Right
from mainspring.records.search_words import found, sought
from mainspring.web.api.defined import access_of
from mainspring.web.api.forms import Label
from mainspring.web.security import Needs, actor_of

router = Router(tags=["search"])


class Found(Schema):
    """One thing that was found."""

    kind: Literal["asset", "tag", "alarm", "connection", "record"]
    id: UUID
    name: Label
    path: str
    tag: int | None = None
    of: str = ""
    """Of a record: which kind."""
    word: Label | None = None
    """What people call a record of it."""
    about: Label | None = None
    """What it is beside its name."""


class FoundList(Schema):
    """What was found, kinds in turn."""

    items: list[Found]


class Question(Schema):
    """What the search takes."""

    q: str = Field(min_length=1, max_length=200)
    limit: int = Field(default=20, ge=1, le=100)


@router.get("/search", auth=Needs(Right.VIEW, somewhere=True), response=FoundList)
def search(request: HttpRequest, question: Query[Question]) -> dict[str, Any]:
    """Find anything by fragments of path or name, records by beginnings of their words, all by pinyin initials."""
    if not question.q.strip():
        return {"items": []}
    scope, condition, limit = actor_of(request).scope(Right.VIEW), found(question.q), question.limit
    assets = scope.assets().filter(condition).order_by("search")[:limit]
    tags = scope.tags().filter(condition).order_by("search")[:limit]
    alarms = scope.alarms().filter(condition).select_related("tag").order_by("search")[:limit]
    # Connections have no place.
    connections = Connection.objects.of(scope.tenant).filter(condition).order_by("name")[:limit]
    plain = (
        [_found("asset", row.id, row.name, row.path) for row in assets],
        [_found("tag", row.id, {"en": row.name, "zh": row.name}, row.path, row.ordinal) for row in tags],
        [_found("alarm", row.id, row.name, row.tag.path, row.tag.ordinal) for row in alarms],
        [_found("connection", row.id, {"en": row.name, "zh": row.name}, row.name) for row in connections]
        if scope.everywhere
        else [],
    )
    # Kinds in turn: a thousand matching tags must not hide the one asset.
    in_turn = [
        item
        for item in chain.from_iterable(zip_longest(*plain, *_records(access_of(request), question)))
        if item is not None
    ]
    return {"items": in_turn[:limit]}


def _found(kind: str, id: UUID, name: dict[str, str], path: str, tag: int | None = None) -> dict[str, Any]:
    return {"kind": kind, "id": id, "name": name, "path": path, "tag": tag}


def _records(access: Access, question: Question) -> Iterator[list[dict[str, Any]]]:
    """Yield what is found of each kind of record that may be seen."""
    asked = sought(question.q)
    for kind in kinds():
        try:
            shown = listing.first(access, kind, asked, question.limit)
        except (NotAllowed, NotFound):
            continue
        if shown:
            note(access, kind, Doing.VIEW, len(shown))
            yield [_record(row, access.hidden(kind)) for row in shown]


def _record(record: Defined, hidden: frozenset[str]) -> dict[str, Any]:
    kind, title = type(record), title_of(type(record))
    names = [name for name in columns(kind) if told(kind, name).control == "words" and name not in {title, *hidden}]
    name = kind.shape.one.document() if title in hidden else _label(getattr(record, title))
    about = _label(getattr(record, names[0])) if names else None
    return _found("record", record.pk, name, "") | {
        "of": kind.kind, "word": kind.shape.one.document(), "about": about,
    }  # fmt: skip


def _label(value: Any) -> dict[str, str]:
    return value if isinstance(value, dict) else {"en": str(value), "zh": str(value)}
