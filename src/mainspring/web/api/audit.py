"""What was done, by whom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from mainspring.records.audit import Action, AuditEntry, Deed, append, check_part, lines, missed
from mainspring.records.heads import HeadFile
from mainspring.records.people.user import User, normal
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web.api.forms import Listing, cut
from mainspring.web.configure import current
from mainspring.web.lasting import in_thread
from mainspring.web.security import Needs, actor_of

router = Router(tags=["audit"])
VERIFIED_MAX: Final = 20_000
"""So many entries are verified at once, in about a second."""


class AuditOut(Schema):
    """One deed; `user` is empty where nobody is known or the person was forgotten."""

    id: UUID
    sequence: int
    time_ms: int
    user: str
    action: Action
    object_kind: str
    object_id: str
    object_name: str
    changes: dict[str, list[Any]]
    address: str


class AuditList(Schema):
    """A part of the audit, newest first."""

    items: list[AuditOut]
    total: int


class AuditListing(Listing):
    """What the audit takes."""

    user: str = ""
    action: Action | None = None
    object: str = ""
    start_ms: int | None = None
    end_ms: int | None = None


def _condition(tenant: Tenant, listing: AuditListing) -> Q:
    condition = Q()
    if listing.user:
        people = User.objects.filter(tenant=tenant, username=normal(listing.user))
        condition &= Q(pseudonym__in=people.values_list("pseudonym", flat=True))
    if listing.action:
        condition &= Q(action=str(listing.action))
    if listing.object:
        condition &= Q(object_id=listing.object) | Q(object_kind=listing.object)
    if listing.search.strip():
        condition &= Q(object_name__icontains=listing.search.strip())
    if listing.start_ms is not None:
        condition &= Q(time_ms__gte=listing.start_ms)
    if listing.end_ms is not None:
        condition &= Q(time_ms__lt=listing.end_ms)
    return condition


@router.get("/audit/export", auth=Needs(Right.ADMINISTER))
async def export_audit(
    request: HttpRequest, start_ms: int | None = None, end_ms: int | None = None
) -> StreamingHttpResponse:
    """Download the audit as lines of JSON, with the hashes that bind each entry to the one before it."""
    author = actor_of(request).author
    await in_thread(append, author, [Deed(Action.EXPORT, "audit", "")])
    answer = StreamingHttpResponse(_sent(lines(author.tenant, start_ms, end_ms)), content_type="application/x-ndjson")
    answer.headers["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
    return answer


async def _sent(parts: Iterator[str]) -> AsyncIterator[bytes]:
    while (part := await in_thread(next, parts, "")) != "":
        yield part.encode()


class ChainAsked(Schema):
    """Behind which entry to go on."""

    after: int = Field(default=0, ge=0, lt=2**63)


class HeadOut(Schema):
    """The last entry that the chain had at a time, as it was written down beside the database."""

    sequence: int
    digest: str
    time_ms: int


class PutBackOut(Schema):
    """Entries after `to_ms`, up to `sequence`, are known to be gone: the records were put back to that time."""

    noted_ms: int
    to_ms: int
    sequence: int


class ChainOut(Schema):
    """What was verified of the chain: up to which entry it is whole, of how many, and the first broken one."""

    whole_to: int
    total: int
    broken: int | None
    digest: str = Field(description="of the entry `whole_to`: a head to write down and to compare later")
    missed: HeadOut | None = Field(
        default=None, description="told with the last part: an entry that was there once, and was cut off the end"
    )
    put_back: list[PutBackOut] = Field(default=[], description="told with the last part")


@router.get("/audit/chain", auth=Needs(Right.ADMINISTER), response=ChainOut)
def verify_chain(request: HttpRequest, asked: Query[ChainAsked]) -> dict[str, Any]:
    """Verify a part of the chain behind an entry that is known to be whole; ask again until all is verified."""
    tenant = actor_of(request).tenant
    holding, given_up = HeadFile(current().data_folder, tenant.key).read()
    last = AuditEntry.objects.of(tenant).order_by("-sequence").values_list("sequence", flat=True).first() or 0
    checked = check_part(tenant, min(asked.after, last), VERIFIED_MAX)
    told = {"whole_to": checked.whole_to, "total": last, "broken": checked.broken, "digest": checked.digest}
    if checked.broken is not None or checked.whole_to < last:
        return told
    gone = [(restore, head) for restore, head in given_up if missed(tenant, [head])]
    return told | {
        "missed": next(iter(missed(tenant, holding)), None),
        "put_back": [restore.model_dump() | {"sequence": head.sequence} for restore, head in gone],
    }


@router.get("/audit", auth=Needs(Right.ADMINISTER), response=AuditList)
def audit(request: HttpRequest, listing: Query[AuditListing]) -> dict[str, Any]:
    """List what was done; people are looked up by their pseudonym now."""
    tenant = actor_of(request).tenant
    rows = AuditEntry.objects.of(tenant).filter(_condition(tenant, listing))
    entries = cut(rows.order_by("-sequence"), listing)
    people = User.objects.filter(tenant=tenant).filter(
        Q(pseudonym__in={entry.pseudonym for entry in entries if entry.pseudonym})
        | Q(
            pk__in={
                entry.object_id for entry in entries if entry.object_kind in {"user", "session"} and entry.object_id
            }
        )
    )
    by_pseudonym = {person.pseudonym: person.username for person in people}
    by_id = {str(person.id): person.username for person in people}
    fields = tuple(AuditOut.model_fields)
    items = [
        {name: getattr(entry, name) for name in fields if name != "user"}
        | {
            "user": by_pseudonym.get(entry.pseudonym, ""),
            "object_name": entry.object_name or by_id.get(entry.object_id, ""),
        }
        for entry in entries
    ]
    return {"items": items, "total": rows.count()}
