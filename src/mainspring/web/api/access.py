"""Who may do what and why; what other companies granted, and who used what was granted to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from mainspring.records.access import explain, granted, persons, use
from mainspring.records.access.grant import Grant
from mainspring.records.access.use import NOBODY, RecordUse
from mainspring.records.defined import writing
from mainspring.records.defined.access import Permit
from mainspring.records.defined.kinds import find_kind
from mainspring.records.people import administration as people
from mainspring.records.plant import asset as assets
from mainspring.records.record import absent
from mainspring.records.rights import Right
from mainspring.web.api.defined import access_of
from mainspring.web.api.forms import Listing, cut
from mainspring.web.faults import SIGN_IN, NotSignedIn
from mainspring.web.security import Needs, actor_of

router = Router(tags=["access"])


class HereAsked(Schema):
    """What is asked about: a kind, a record of it, a part of the plant; without a kind, the rights of the platform."""

    kind: str = Field(default="", max_length=64)
    id: UUID | None = None
    asset: UUID | None = None


@router.get("/access", auth=Needs(Right.ADMINISTER))
def who_can(request: HttpRequest, asked: Query[HereAsked]) -> dict[str, Any]:
    """Tell who can do what here, with the role, assignment or grant behind it."""
    access = access_of(request)
    tenant = access.author.tenant
    kind = find_kind(asked.kind) if asked.kind else None
    record = writing.find(access, kind, asked.id) if kind is not None and asked.id is not None else None
    asset = assets.find(tenant, asked.asset) if asked.asset is not None else None
    return explain.who_can(explain.Here(tenant, kind, record, asset))


@router.get("/access/people/{uuid:id}", auth=Needs(Right.ADMINISTER))
def what_can(request: HttpRequest, id: UUID) -> dict[str, Any]:
    """Tell what a person can do, and why."""
    tenant = actor_of(request).tenant
    return explain.what_can(explain.someone_of(people.find(tenant, id)), tenant)


@router.get("/access/own", auth=Needs(Right.SIGN_IN))
def what_can_i(request: HttpRequest) -> dict[str, Any]:
    """Tell what the asker can do, and why: a page offers that alone."""
    actor, access = actor_of(request), access_of(request)
    found = actor.token or actor.user
    if found is None:
        raise NotSignedIn(SIGN_IN)
    someone = explain.someone_of(found)
    if actor.looks_as:
        held = explain.Source((Permit("", access.rights), *access.permits), actor.looks_as)
        someone = explain.Someone(found, (held,))
    return explain.what_can(someone, actor.tenant)


@router.get("/grants/received", auth=Needs(Right.VIEW))
def received(request: HttpRequest) -> dict[str, Any]:
    """List what other companies grant to this one."""
    return {"items": granted.received(actor_of(request).tenant)}


@router.get("/grants/figures", auth=Needs(Right.VIEW))
def all_figures(request: HttpRequest) -> dict[str, Any]:
    """Count what other companies granted, by company and kind; `below` marks those below this one in the tree."""
    access = access_of(request)
    rows = granted.granting(access)
    for row in rows:
        use.note_figures(access, find_kind(row["kind"]), [row])
    names = ("from", "name", "below", "kind", "count", "purposes", "until_ms")
    return {"items": [{key: row[key] for key in names} for row in rows]}


@router.get("/grants/figures/{kind}", auth=Needs(Right.VIEW))
def figures(request: HttpRequest, kind: str, sums: str = "", by: str = "") -> dict[str, Any]:
    """Count the records of a kind that each company granted, and sum up some of their numbers; by state or a choice."""
    found, access = find_kind(kind), access_of(request)
    rows = granted.figures(access, found, [name for name in sums.split(",") if name], by)
    use.note_figures(access, found, rows)
    return {"items": [{key: row[key] for key in ("from", "name", "count", "sums", "groups")} for row in rows]}


class UseOut(Schema):
    """What someone of another company read within a minute; `who` is known to that company alone."""

    minute_ms: int
    company: str
    pseudonym: UUID | None
    doing: str
    rows: int


class UseList(Schema):
    """A part of the uses of a grant, newest first."""

    items: list[UseOut]
    total: int


@router.get("/grants/{uuid:id}/uses", auth=Needs(Right.ADMINISTER), response=UseList)
def uses(request: HttpRequest, id: UUID, listing: Query[Listing]) -> dict[str, Any]:
    """List who used a grant, when, and how many rows they got."""
    use.flush()
    tenant = actor_of(request).tenant
    if not Grant.objects.of(tenant).filter(pk=id).exists():
        raise absent("grant", id)
    rows = RecordUse.objects.of(tenant).filter(grant=str(id))
    shown = cut(rows.order_by("-minute_ms", "id"), listing)
    items = [
        {"minute_ms": row.minute_ms, "company": row.company, "doing": row.doing, "rows": row.rows,
         "pseudonym": None if row.pseudonym == NOBODY else row.pseudonym}
        for row in shown
    ]  # fmt: skip
    return {"items": items, "total": rows.count()}


@router.get("/personal/{kind}/{uuid:id}", auth=Needs(Right.ADMINISTER))
def held_of_person(request: HttpRequest, kind: str, id: UUID) -> dict[str, Any]:
    """Give everything that is held of a person: `user`, or a kind of record with personal fields."""
    return persons.held(access_of(request), kind, id)


@router.delete("/personal/{kind}/{uuid:id}", auth=Needs(Right.ADMINISTER), response={204: None})
def erase_person(request: HttpRequest, kind: str, id: UUID) -> Status[None]:
    """Erase a person for good; what the audit holds of them cannot be read by anyone any more."""
    persons.erase(access_of(request), kind, id)
    return Status(204, None)
