"""Business records of every kind, by what their classes declare: lists, forms, states, history."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Body, Query, Router, Schema, Status
from pydantic import Field

from mainspring.core.text import Text
from mainspring.records import personal
from mainspring.records.access.granted import Granted, granted
from mainspring.records.access.use import note
from mainspring.records.audit import AuditEntry
from mainspring.records.defined import listing, writing
from mainspring.records.defined.access import Access, Doing
from mainspring.records.defined.forms import draft_of
from mainspring.records.defined.kinds import Defined, columns, find_kind, kinds, named, title_of
from mainspring.records.faults import Invalid
from mainspring.records.importing.mapped import mappings_of
from mainspring.records.people.user import User
from mainspring.records.record import absent
from mainspring.records.rights import Right
from mainspring.web.api.forms import LIMIT_MAX, Label, if_match, version_of
from mainspring.web.security import FROM, Needs, actor_of

router = Router(tags=["records"])


class MoveOut(Schema):
    """A step between two states."""

    name: str
    words: Label


class KindOut(Schema):
    """A kind of record in the list of kinds."""

    kind: str
    one: Label
    many: Label
    group: str
    moves: list[MoveOut]


class ListAsked(listing.Wanted):
    """What a list takes."""

    from_: str = Field(default="", alias="from", max_length=32, description="another company that granted you records")


@router.get("/kinds", auth=Needs(Right.SIGN_IN), response=list[KindOut])
def list_kinds(request: HttpRequest) -> list[dict[str, Any]]:
    """List the kinds of records there are."""
    return [brief(kind) for kind in kinds()]


@router.get("/kinds/{kind}", auth=Needs(Right.SIGN_IN))
def show_kind(request: HttpRequest, kind: str) -> dict[str, Any]:
    """Describe a kind: its JSON Schema, its list, its states and what may be done with it."""
    return described(find_kind(kind))


@router.get("/records/{kind}", auth=Needs(Right.SIGN_IN))
def list_records(request: HttpRequest, kind: str, asked: Query[ListAsked]) -> dict[str, Any]:
    """List records: filtered, searched, sorted."""
    found, access = find_kind(kind), access_of(request)
    page = listing.page(access, found, asked)
    note(access, found, Doing.VIEW, len(page.rows))
    return {
        "items": [access.shown(row) for row in page.rows], "total": page.total, "more": page.more, "next": page.next,
        "titles": page.titles,
    }  # fmt: skip


@router.post("/records/{kind}", auth=Needs(Right.SIGN_IN), response={201: dict[str, Any]})
def create_record(request: HttpRequest, kind: str, fields: Body[dict[str, Any]]) -> Status[dict[str, Any]]:
    """Add a record."""
    found, access = find_kind(kind), access_of(request)
    return Status(201, detail(access, writing.create(access, found, fields)))


@router.get("/records/{kind}/{uuid:id}", auth=Needs(Right.SIGN_IN))
def show_record(request: HttpRequest, kind: str, id: UUID) -> dict[str, Any]:
    """Show a record."""
    found, access = find_kind(kind), access_of(request)
    record = writing.find(access, found, id)
    note(access, found, Doing.VIEW, 1)
    return detail(access, record)


@router.patch("/records/{kind}/{uuid:id}", auth=Needs(Right.SIGN_IN))
def change_record(request: HttpRequest, kind: str, id: UUID, fields: Body[dict[str, Any]]) -> dict[str, Any]:
    """Change some fields of a record; `version` or If-Match says which version was changed."""
    found, access = find_kind(kind), access_of(request)
    version = version_of(request, _version(fields.pop("version", None)))
    return detail(access, writing.modify(access, found, id, fields, version))


@router.delete("/records/{kind}/{uuid:id}", auth=Needs(Right.SIGN_IN), response={204: None})
def remove_record(request: HttpRequest, kind: str, id: UUID) -> Status[None]:
    """Remove a record that nothing is linked to."""
    found, access = find_kind(kind), access_of(request)
    writing.remove(access, found, id, if_match(request))
    return Status(204, None)


class MoveAsked(Schema):
    """A step to another state."""

    version: int


@router.post("/records/{kind}/{uuid:id}/moves/{move}", auth=Needs(Right.SIGN_IN))
def move_record(request: HttpRequest, kind: str, id: UUID, move: str, asked: MoveAsked) -> dict[str, Any]:
    """Take a step to another state."""
    found, access = find_kind(kind), access_of(request)
    return detail(access, writing.move(access, found, id, move, asked.version))


@router.get("/records/{kind}/{uuid:id}/history", auth=Needs(Right.SIGN_IN))
def record_history(request: HttpRequest, kind: str, id: UUID) -> dict[str, Any]:
    """Tell what was done to a record: who, when, which field from what to what."""
    found, access = find_kind(kind), access_of(request)
    if isinstance(access, Granted):
        # What was done and by whom stays with the owner.
        raise absent(found.kind, id)
    rows, hidden = access.rows(found), access.hidden(found)
    if found.shape.view not in access.rights and not rows.filter(pk=id).exists():
        raise absent(found.kind, id)
    entries = AuditEntry.objects.of(access.author.tenant).filter(object_id=str(id), object_kind=found.kind)
    told = list(entries.order_by("-sequence")[:LIMIT_MAX])
    if not told:
        raise absent(found.kind, id)
    names = names_of(access, {row.pseudonym for row in told})
    return {
        "items": [
            {"sequence": row.sequence, "time_ms": row.time_ms, "by": names.get(row.pseudonym, ""), "action": row.action,
             "changes": {
                 name: change
                 for name, change in personal.opened(access.tenant, found.kind, id, row.changes).items()
                 if name not in hidden
             }}
            for row in told
        ]
    }  # fmt: skip


def names_of(access: Access, pseudonyms: set[UUID | None]) -> dict[UUID | None, str]:
    """Return what people of one's own company are called, by their pseudonyms."""
    known = User.objects.filter(tenant=access.author.tenant, pseudonym__in={each for each in pseudonyms if each})
    return {user.pseudonym: named(user) for user in known}


def access_of(request: HttpRequest) -> Access:
    """Return what the actor of a request may see and do; it is worked out once."""
    known: Access | None = getattr(request, "access", None)
    if known is None:
        actor = actor_of(request)
        known = Access(actor.author, actor.rights, actor.permits, actor.assignee)
        owner = request.GET.get(FROM, "")
        known = granted(known, owner) if owner else known
        request.access = known  # type: ignore[attr-defined]
    return known


def detail(access: Access, record: Defined) -> dict[str, Any]:
    """Return a record with the names of what it links to and the steps it can take."""
    kind, shown = type(record), access.shown(record)
    if isinstance(access, Granted):
        return {"title": "", **shown, "titles": {}, "moves": [], "fixed": True}
    # A kind may have a title of its own.
    return {
        "title": "" if title_of(kind) in access.hidden(kind) else record.label(),
        **shown,
        "titles": listing.titles(access, kind, [record]),
        "moves": [step.name for step in kind.shape.states.of(record.state)],
        "fixed": record.state in kind.shape.states.fixed,
    }


def brief(kind: type[Defined]) -> dict[str, Any]:
    """Return what a kind and its steps are called."""
    shape = kind.shape
    return {
        "kind": kind.kind, "one": shape.one.document(), "many": shape.many.document(), "group": shape.group,
        "moves": [
            {"name": step.name, "sources": step.sources, "target": step.target, "words": step.words.document(),
             "right": step.right, "needs": step.needs}
            for step in shape.states.moves
        ],
    }  # fmt: skip


def described(kind: type[Defined]) -> dict[str, Any]:
    """Return what a page needs to list, fill in and move records of a kind."""
    shape = kind.shape
    return brief(kind) | {
        "key": shape.key, "title": title_of(kind), "columns": shape.columns, "order": shape.order or shape.key[0],
        "append_only": shape.append_only, "schema": draft_of(kind).model_json_schema(),
        "states": {name: words.document() for name, words in shape.states.words.items()},
        "view": shape.view, "write": shape.write,
        "sources": [{"name": name, "words": each.many.document()} for name, each in mappings_of(kind.kind).items()],
        "linked_by": [
            {"kind": other.kind, "field": name, "part": other.shape.part_of == name}
            for other in kinds()
            for name, column in columns(other).items()
            if column.is_relation and column.related_model is kind
        ],
    }  # fmt: skip


_WHOLE: Final = Text("Enter a whole number.", "请输入整数。")


def _version(found: Any) -> int | None:
    if found is None or (isinstance(found, int) and not isinstance(found, bool)):
        return found
    raise Invalid({"version": _WHOLE})
