"""One search over everything, for the command palette."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from mainspring.records.alarm_definition import AlarmDefinition
from mainspring.records.asset import Asset
from mainspring.records.connection import Connection
from mainspring.records.rights import Right
from mainspring.records.search_words import found
from mainspring.records.tag import Tag
from mainspring.web.api.forms import Label
from mainspring.web.security import Needs, actor_of

router = Router(tags=["search"])


class Found(Schema):
    """One thing that was found."""

    kind: Literal["asset", "tag", "alarm", "connection"]
    id: UUID
    name: Label
    path: str
    tag: int | None = None


class FoundList(Schema):
    """What was found, kinds in turn."""

    items: list[Found]


class Question(Schema):
    """What the search takes."""

    q: str = Field(min_length=1, max_length=200)
    limit: int = Field(default=20, ge=1, le=100)


@router.get("/search", auth=Needs(Right.VIEW), response=FoundList)
def search(request: HttpRequest, question: Query[Question]) -> dict[str, Any]:
    """Find assets, tags, alarm definitions and connections by fragments of path or name, or by pinyin initials."""
    if not question.q.strip():
        return {"items": []}
    tenant, condition, limit = actor_of(request).tenant, found(question.q), question.limit
    assets = Asset.objects.of(tenant).filter(condition).order_by("search")[:limit]
    tags = Tag.objects.of(tenant).filter(condition).order_by("search")[:limit]
    alarms = AlarmDefinition.objects.of(tenant).filter(condition).select_related("tag").order_by("search")[:limit]
    connections = Connection.objects.of(tenant).filter(condition).order_by("name")[:limit]
    kinds = (
        [_found("asset", row.id, row.name, row.path) for row in assets],
        [_found("tag", row.id, {"en": row.name, "zh": row.name}, row.path, row.ordinal) for row in tags],
        [_found("alarm", row.id, row.name, row.tag.path, row.tag.ordinal) for row in alarms],
        [_found("connection", row.id, {"en": row.name, "zh": row.name}, row.name) for row in connections],
    )
    # Kinds in turn: a thousand matching tags must not hide the one asset.
    in_turn = [item for item in chain.from_iterable(zip_longest(*kinds)) if item is not None]
    return {"items": in_turn[:limit]}


def _found(kind: str, id: UUID, name: dict[str, str], path: str, tag: int | None = None) -> dict[str, Any]:
    return {"kind": kind, "id": id, "name": name, "path": path, "tag": tag}
