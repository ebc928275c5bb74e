"""Events as a file: what a query finds, from its beginning to its end, as a document that can be captured again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router

from mainspring.core.errors import LimitExceeded
from mainspring.records.audit import Action, Deed, append
from mainspring.records.events import query as queries
from mainspring.records.events.event import Event
from mainspring.records.events.vocabulary import CONTEXT
from mainspring.records.in_force import carried
from mainspring.records.rights import Right
from mainspring.web.api.defined_exchange import BUSY, EXPORTS_MAX, running, sent
from mainspring.web.api.epcis import PARAMETERS, VERSIONS, asked_of
from mainspring.web.lasting import in_thread
from mainspring.web.security import Needs, actor_of

router = Router(tags=["events"])
JSON_LD: Final = "application/ld+json"


@router.get("/epcis/export", auth=Needs(Right.EXPORT), openapi_extra=PARAMETERS)
async def export_events(request: HttpRequest) -> StreamingHttpResponse:
    """Download all events that a query finds as one JSON-LD document."""
    actor, asked = actor_of(request), asked_of(request)
    if len(running) >= EXPORTS_MAX:
        raise LimitExceeded(BUSY, limit=EXPORTS_MAX)
    pages = queries.pages(actor.tenant, asked)
    first = await in_thread(next, pages)
    await in_thread(append, actor.author, [Deed(Action.EXPORT, "events", "", changes={"query": [None, asked]})])
    parts = _parts(first, pages)
    answer = StreamingHttpResponse(sent(carried(lambda: next(parts, None))), content_type=JSON_LD, headers=VERSIONS)
    answer.headers["Content-Disposition"] = 'attachment; filename="events.jsonld"'
    return answer


def _parts(first: list[Event], pages: Iterator[list[Event]]) -> Iterator[bytes]:
    """Yield the document part by part: it may be larger than what fits into memory."""
    head = {"@context": [CONTEXT], "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": queries.now()}
    yield orjson.dumps(head)[:-1] + b',"epcisBody":{"eventList":['
    yield _written(first)
    for events in pages:
        yield b"," + _written(events)
    yield b"]}}"


def _written(events: list[Event]) -> bytes:
    return b",".join(orjson.dumps(queries.event_document(event)) for event in events)
