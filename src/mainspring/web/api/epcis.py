"""Events over the API as EPCIS 2.0 has it: capture, query, one event; and what follows from them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Query, Router, Schema
from pydantic import Field

from mainspring.core.errors import NotFound
from mainspring.core.text import Text
from mainspring.records.defined.fields import MOMENT_MAX_MS
from mainspring.records.events import query as queries
from mainspring.records.events.capture import capture
from mainspring.records.events.documents import read
from mainspring.records.events.event import Event
from mainspring.records.events.tallies import StateSpan, Stock, Use, WorkInProgress
from mainspring.records.events.trace import DEPTH_MAX, trace
from mainspring.records.events.vocabulary import URI_MAX
from mainspring.records.faults import Invalid
from mainspring.records.rights import Right
from mainspring.web.api.forms import LIMIT_MAX
from mainspring.web.security import Needs, actor_of

router = Router(tags=["events"])
VERSIONS: Final = {"GS1-EPCIS-Version": "2.0.0", "GS1-CBV-Version": "2.0.0"}
_KINDS: Final = {
    "application/ld+json": {"schema": {"type": "object"}},
    "application/xml": {"schema": {"type": "string"}},
}
_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": _KINDS}}


def _schema_of(name: str) -> dict[str, Any]:
    """Describe a parameter of the query: several values stand with `|` between them."""
    if name in queries.ORDERS:
        return {"type": "string", "enum": list(queries.ORDERS[name])}
    if name in queries.CHOICES:
        one = f"({'|'.join(queries.CHOICES[name])})"
        return {"type": "string", "pattern": f"^{one}(\\|{one})*$"}
    return {"type": "string"}


PARAMETERS: Final[dict[str, Any]] = {
    "parameters": [
        {"in": "query", "name": name, "required": False, "schema": _schema_of(name)} for name in queries.PARAMETERS
    ]
}
PRINTED: Final = r"^[^\x00-\x1f\x7f]*$"
Name: Final[Any] = Field(default="", max_length=URI_MAX, pattern=PRINTED)
_NO_CAPTURE: Final = Text("There is no capture {id} here.", "此处没有采集记录 {id}。")
_ONE: Final = Text(
    "Send one event here; documents of several go to /api/v1/epcis/capture.",
    "此处一次接收一个事件，多个事件的文档请发往 /api/v1/epcis/capture。",
)


@router.post("/epcis/capture", auth=Needs(Right.ENTER), openapi_extra=_BODY)
def capture_document(request: HttpRequest) -> HttpResponse:
    """Take in a document of events, JSON-LD or XML: all of them or none; what was taken in before stays as it is."""
    captured = capture(actor_of(request).author, read(request.body))
    body = {"captureID": captured.capture, "stored": captured.stored, "eventIDs": captured.event_ids}
    return _answer(body, 202, Location=f"/api/v1/epcis/capture/{captured.capture}")


@router.get("/epcis/capture/{uuid:id}", auth=Needs(Right.VIEW))
def show_capture(request: HttpRequest, id: UUID) -> HttpResponse:
    """Tell of a capture that brought events; captures are finished when they are answered."""
    rows = Event.objects.of(actor_of(request).tenant).filter(capture=id)
    first = rows.order_by("sequence").first()
    if first is None:
        raise NotFound(_NO_CAPTURE, id=id)
    at = queries.written(first.recorded_ms)
    return _answer({
        "captureID": id, "createdAt": at, "finishedAt": at, "running": False, "success": True,
        "captureErrorBehaviour": "rollback", "errors": [], "stored": rows.count(),
    })  # fmt: skip


@router.post("/epcis/events", auth=Needs(Right.ENTER), openapi_extra=_BODY)
def capture_event(request: HttpRequest) -> HttpResponse:
    """Take in one event."""
    sent = read(request.body)
    if len(sent.events) > 1:
        raise Invalid({"": _ONE})
    actor = actor_of(request)
    captured = capture(actor.author, sent)
    event_id = captured.event_ids[0]
    found = queries.find(actor.tenant, event_id)
    location = f"/api/v1/epcis/events/{quote(event_id, safe='')}"
    return _answer(queries.event_document(found, alone=True), 201, Location=location)


@router.get("/epcis/events", auth=Needs(Right.VIEW), openapi_extra=PARAMETERS)
def list_events(request: HttpRequest) -> HttpResponse:
    """Find events by the parameters of the standard's query; the header Link leads to the next page."""
    asked = asked_of(request)
    page = queries.query(actor_of(request).tenant, asked)
    if not page.next:
        return _answer(queries.document(page.events))
    following = urlencode({**asked, "nextPageToken": page.next}, doseq=True)
    return _answer(queries.document(page.events), Link=f'</api/v1/epcis/events?{following}>; rel="next"')


@router.get("/epcis/events/{path:event_id}", auth=Needs(Right.VIEW))
def show_event(request: HttpRequest, event_id: str) -> HttpResponse:
    """Show one event by its eventID."""
    return _answer(queries.event_document(queries.find(actor_of(request).tenant, event_id), alone=True))


class Part(Schema):
    """Which part of a list."""

    offset: int = Field(default=0, ge=0, le=10_000_000)
    limit: int = Field(default=200, ge=1, le=LIMIT_MAX)


class StockAsked(Part):
    """Which stock; names are URIs as events have them."""

    thing: str = Name
    item: str = Name
    location: str = Name


class WorkAsked(Part):
    """Which work in progress."""

    order: str = Name
    operation: str = Name


class UseAsked(Part):
    """Which use of material and energy."""

    order: str = Name
    asset: str = Name
    item: str = Name


class StatesAsked(Part):
    """Which states of which asset, between which times."""

    asset: str = Name
    start_ms: int = Field(default=0, ge=0, le=MOMENT_MAX_MS)
    end_ms: int = Field(default=MOMENT_MAX_MS, ge=0, le=MOMENT_MAX_MS)


class TraceAsked(Schema):
    """What to follow, and which way."""

    thing: str = Field(min_length=1, max_length=URI_MAX, pattern=PRINTED)
    direction: Literal["backward", "forward"] = "backward"
    depth: int = Field(default=DEPTH_MAX, ge=1, le=DEPTH_MAX)


@router.get("/epcis/stock", auth=Needs(Right.VIEW))
def list_stock(request: HttpRequest, asked: Query[StockAsked]) -> dict[str, Any]:
    """List how much of what is where."""
    return _part(Stock.objects.of(actor_of(request).tenant).order_by("thing", "location", "unit"), asked)


@router.get("/epcis/work-in-progress", auth=Needs(Right.VIEW))
def list_work(request: HttpRequest, asked: Query[WorkAsked]) -> dict[str, Any]:
    """List what operations of orders have started, completed and scrapped."""
    rows = WorkInProgress.objects.of(actor_of(request).tenant)
    return _part(rows.order_by("order", "operation", "item", "unit"), asked)


@router.get("/epcis/consumption", auth=Needs(Right.VIEW))
def list_use(request: HttpRequest, asked: Query[UseAsked]) -> dict[str, Any]:
    """List what orders used up at assets: material and energy."""
    return _part(Use.objects.of(actor_of(request).tenant).order_by("order", "asset", "item", "unit"), asked)


@router.get("/epcis/equipment-states", auth=Needs(Right.VIEW))
def list_states(request: HttpRequest, asked: Query[StatesAsked]) -> dict[str, Any]:
    """List from when to when assets were in which state."""
    rows = StateSpan.objects.of(actor_of(request).tenant).filter(start_ms__lt=asked.end_ms)
    rows = rows.filter(Q(end_ms__isnull=True) | Q(end_ms__gt=asked.start_ms))
    return _part(rows.order_by("asset", "start_ms"), asked)


@router.get("/epcis/trace", auth=Needs(Right.VIEW))
def show_trace(request: HttpRequest, asked: Query[TraceAsked]) -> dict[str, Any]:
    """Follow what a lot or unit is made of (backward), or what is made of it (forward)."""
    found = trace(actor_of(request).tenant, asked.thing, backward=asked.direction == "backward", depth=asked.depth)
    return {"items": [asdict(step) for step in found.steps], "more": found.more}


def asked_of(request: HttpRequest) -> dict[str, Any]:
    """Return the parameters of a query as they were sent."""
    return {name: values[0] if len(values) == 1 else values for name, values in request.GET.lists()}


def _part(rows: QuerySet[Any], asked: Part) -> dict[str, Any]:
    named = asked.model_dump(exclude={"offset", "limit", "start_ms", "end_ms"})
    rows = rows.filter(**{name: value for name, value in named.items() if value})
    found = list(rows[asked.offset : asked.offset + asked.limit])
    return {"items": [row.document() for row in found], "total": rows.count()}


def _answer(body: dict[str, Any], status: int = 200, **headers: str) -> HttpResponse:
    return JsonResponse(body, status=status, headers={**VERSIONS, **headers})
