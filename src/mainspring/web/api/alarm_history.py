"""The history of alarms with its filters, as rows and as files, and the performance figures made of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import pyarrow as pa
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from mainspring.core import subjects
from mainspring.core.alarms import AlarmEvent, Transition
from mainspring.core.definitions import Priority
from mainspring.core.history import TAGS_MAX, EventQuery
from mainspring.records.audit import Action, Deed, append
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web import alarm_rows
from mainspring.web.alarm_figures import figures
from mainspring.web.alarm_files import FILES, About, Language
from mainspring.web.api.alarms import active_within
from mainspring.web.api.forms import ordinals_of
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["alarms"])

DAY_MS: Final = 86_400_000
ROWS_MAX: Final = 10_000
FILE_ROWS_MAX: Final = 100_000
EVENTS_MAX: Final = 100_000
TIMEOUT_S: Final = 30.0

Moment = Annotated[int, Field(ge=0, lt=2**52)]


def _some_of(words: type[StrEnum]) -> str:
    """Return the pattern of a list of words, with commas between them."""
    one = "|".join(words)
    return rf"^((?:{one})(?:,(?:{one})){{0,{len(words) - 1}}})?$"


class HistoryListing(Schema):
    """What the history of alarms is asked for; lists are written with commas."""

    start_ms: Moment | None = None
    end_ms: Moment | None = None
    tag: str = ""
    alarm: UUID | None = None
    asset: UUID | None = None
    priority: str = Field(default="", pattern=_some_of(Priority), max_length=200)
    transition: str = Field(default="", pattern=_some_of(Transition), max_length=200)
    person: str = Field(default="", max_length=200)
    search: str = Field(default="", max_length=200)
    limit: int = 1000
    format: Literal["json", "csv", "xlsx", "parquet"] = "json"
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class _Range:
    start_ms: int
    end_ms: int


def _range_of(listing: HistoryListing) -> _Range:
    end = listing.end_ms if listing.end_ms is not None else time.time_ns() // 1_000_000 + 60_000
    start = listing.start_ms if listing.start_ms is not None else max(end - DAY_MS, 0)
    # A range that ends before it begins holds nothing.
    return _Range(start, max(start, end))


@router.get("/alarms/history", auth=Needs(Right.VIEW, somewhere=True))
async def history(request: HttpRequest, listing: Query[HistoryListing]) -> Any:
    """List transitions, newest first; without a range those of the last day. `tag` takes ordinals with commas.

    `search` is looked for in alarm, tag and place.
    """
    actor = actor_of(request)
    file = listing.format != "json"
    if file:
        actor.require(Right.EXPORT, somewhere=True)
    scope = actor.scope(Right.EXPORT if file else Right.VIEW)
    span = _range_of(listing)
    below = (await sync_to_async(scope.asset)(listing.asset)).path if listing.asset else None
    people = await sync_to_async(alarm_rows.pseudonyms_of)(actor.tenant, listing.person) if listing.person else None
    most = min(max(listing.limit, 1), FILE_ROWS_MAX if file else ROWS_MAX)
    sifted = below is not None or people is not None or listing.search != "" or not scope.everywhere
    events = [] if people == set() else await _events(actor.tenant, span, listing, EVENTS_MAX if sifted else most)
    if people is not None:
        events = [event for event in events if event.by in people]

    def shown() -> Any:
        within = scope.ordinals({event.tag for event in events})
        rows = alarm_rows.of_events(actor.tenant.key, [event for event in events if event.tag in within])
        if below is not None:
            rows = [row for row in rows if f"{row['path']}/".startswith(f"{below}/")]
        if listing.search:
            rows = [row for row in rows if _mentions(row, listing.search.casefold())]
        rows = rows[:most]
        if not file:
            return {"items": rows}
        about = _about(actor.tenant, span, listing, below)
        append(actor.author, [Deed(Action.EXPORT, "alarm-history", "", about.told())])
        kind, write = FILES[listing.format]
        answer = HttpResponse(write(rows, about), content_type=kind)
        answer["Content-Disposition"] = f'attachment; filename="alarms.{listing.format}"'
        return answer

    return await sync_to_async(shown)()


def _mentions(row: dict[str, Any], text: str) -> bool:
    """Tell whether a row's alarm, tag or place has a text in either language."""
    return any(text in str(each).casefold() for each in (*row["name"].values(), row["path"], *row["place"].values()))


def _about(tenant: Tenant, span: _Range, listing: HistoryListing, below: str | None) -> About:
    named = ("tag", "alarm", "priority", "transition", "person", "search")
    asked = {name: str(getattr(listing, name) or "") for name in named}
    filters = {name: value for name, value in {**asked, "asset": below or ""}.items() if value}
    plant = tenant.name.get(listing.language) or tenant.name["en"]
    return About(plant, tenant.zone, span.start_ms, span.end_ms, filters, listing.language)


async def _events(tenant: Tenant, span: _Range, listing: HistoryListing, limit: int) -> list[AlarmEvent]:
    words = {
        name: tuple(part for part in getattr(listing, name).split(",") if part) for name in ("priority", "transition")
    }
    query = EventQuery(
        start_ms=span.start_ms, end_ms=span.end_ms, tags=tuple(ordinals_of(listing.tag, "tag", TAGS_MAX)),
        alarm=str(listing.alarm or ""), priorities=words["priority"], transitions=words["transition"], limit=limit,
    )  # fmt: skip
    subject = subjects.history(tenant.key, "events")
    answer = await runtime.require_bus().ask(subject, query.model_dump_json().encode(), timeout_s=TIMEOUT_S)
    names = {"time": "time_ms", "raised": "raised_ms"}
    return [
        AlarmEvent.model_validate({names.get(key, key): value for key, value in row.items() if key != "tenant"})
        for row in pa.ipc.open_stream(answer).read_all().to_pylist()
    ]


@router.get("/alarms/performance", auth=Needs(Right.VIEW, somewhere=True))
async def performance(
    request: HttpRequest, start_ms: Moment | None = None, end_ms: Moment | None = None
) -> dict[str, Any]:
    """Tell how well the alarms serve: raises per hour, worst ten minutes, top ten, standing, chattering, floods."""
    scope = actor_of(request).scope(Right.VIEW)
    tenant, span = scope.tenant, _range_of(HistoryListing(start_ms=start_ms, end_ms=end_ms))
    raised = HistoryListing(transition=Transition.RAISED)
    told = await _events(tenant, span, raised, EVENTS_MAX)
    within = await sync_to_async(scope.ordinals)({event.tag for event in told})
    events = [event for event in told if event.tag in within]
    standing = {str(alarm.alarm): alarm.raised_ms for alarm in await active_within(scope) if alarm.active}
    found = figures(events, standing, span.start_ms, span.end_ms)
    named = await sync_to_async(_named)(tenant, found)
    counts = {str(priority): 0 for priority in Priority}
    for event in events:
        counts[event.priority] += 1
    return named | {
        "start_ms": span.start_ms,
        "end_ms": span.end_ms,
        "by_priority": counts,
        "cut": len(told) >= EVENTS_MAX,
    }


def _named(tenant: Tenant, found: dict[str, Any]) -> dict[str, Any]:
    """Add names to the alarms of the figures; those whose definition is gone keep their id."""
    lists: Sequence[str] = ("top", "standing", "chattering")
    wanted = {UUID(row["alarm"]) for name in lists for row in found[name]}
    names = alarm_rows.names(tenant.key, wanted)
    for name in lists:
        found[name] = [row | names.get(UUID(row["alarm"]), {}) for row in found[name]]
    return found
