"""Takes events in: all of a request or none, once each, with what follows from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import transaction

from mainspring.core.ids import uuid7
from mainspring.core.text import Text
from mainspring.records import daily_count
from mainspring.records.audit import Action, Author, append
from mainspring.records.audit import Deed as Entry
from mainspring.records.events import effects
from mainspring.records.events.documents import Given, Sent
from mainspring.records.events.effects import EffectFault, Effects
from mainspring.records.events.event import Event, EventLine, EventReference, Reference, Role
from mainspring.records.events.forms import (
    AggregationEvent,
    EventForm,
    TransactionEvent,
    TransformationEvent,
    milliseconds,
)
from mainspring.records.events.projections import CHUNK, Deed, effects_of, take_in
from mainspring.records.events.vocabulary import short
from mainspring.records.faults import FIELDS_MAX, Invalid
from mainspring.records.inserts import insert
from mainspring.records.tenant import Tenant, now_ms

_ADDED: Final = frozenset({"eventID", "recordTime", "errorDeclaration"})
"""What a repository or a declaration adds to the content of an event."""
_OTHER: Final = Text(
    "There is an event {id} with other content. Events are never changed: declare it wrong and send another.",
    "已有内容不同的事件 {id}；事件不可修改，请作错误声明后另发新事件。",
)
ALIKE_MAX: Final = 100
"""Most events of the same content looked at to find which one a declaration means."""
_EVENT: Final = [column.attname for column in Event._meta.concrete_fields]
_LINE: Final = ("id", "event_id", "tenant_id", "role", "thing", "counted", "quantity", "unit")
_REFERENCE: Final = ("id", "event_id", "tenant_id", "role", "type", "uri")


@dataclass(frozen=True, slots=True)
class Captured:
    """What became of a request."""

    capture: UUID
    event_ids: list[str]
    """Of all its events, in the order they were sent."""
    stored: int
    """How many of them were new."""


@dataclass(slots=True)
class _Known:
    """What the tenant has already of what a request names."""

    digests: dict[tuple[str, bool], str] = field(default_factory=dict)
    """By event id and whether it is a declaration."""
    effects: dict[str, Effects] = field(default_factory=dict)
    """Of events that hold and that this request adds."""
    corrective: set[str] = field(default_factory=set)
    alike: dict[str, list[str]] = field(default_factory=dict)
    """Ids of events that this request adds, by their content."""


def capture(author: Author, sent: Sent) -> Captured:
    """Store events and what follows from them; raises Invalid, which names each event that cannot be."""
    tenant, id, recorded_ms = author.tenant, uuid7(), now_ms()
    with transaction.atomic():
        # The tenant's row is the lock of its sequence: events are taken in one request after the other.
        Tenant.objects.select_for_update().get(pk=tenant.pk)
        last = Event.objects.of(tenant).order_by("-sequence").values_list("sequence", flat=True).first() or 0
        digests = [_digest(given.document) for given in sent.events]
        known = _known(tenant, sent.events)
        rows: list[Event] = []
        forms: list[EventForm] = []
        deeds: list[Deed] = []
        faults: dict[str, Text] = {}
        event_ids = []
        for given, digest in zip(sent.events, digests, strict=True):
            row_id = uuid7(recorded_ms)
            declared = given.form.declaration is not None
            meant = given.form.event_id or (_same(tenant, known, digest) if declared else "")
            event_id = meant or f"urn:uuid:{row_id}"
            event_ids.append(event_id)
            had = known.digests.get((event_id, declared))
            if had is not None:
                if had != digest and not declared and len(faults) < FIELDS_MAX:
                    faults[f"{given.path}.eventID".strip(".")] = _OTHER.format(id=event_id)
                continue
            known.digests[event_id, declared] = digest
            if not declared:
                known.alike.setdefault(digest, []).append(event_id)
            rows.append(
                _row(tenant, row_id, last + len(rows) + 1, id, recorded_ms, event_id, given, digest, sent.sender)
            )
            forms.append(given.form)
            deeds += _deeds(tenant, known, given, event_id, faults)
        if faults:
            raise Invalid(faults)
        _store(tenant, rows, forms)
        take_in(tenant, deeds)
        if rows:
            entry = Entry(Action.ENTER, "events", str(id), f"{len(rows)} events", {"events": [None, len(rows)]})
            append(author, [entry])
            daily_count.count(tenant, "records", "events", len(rows))
    return Captured(id, event_ids, len(rows))


def _digest(document: dict[str, Any]) -> str:
    content = {name: value for name, value in document.items() if name not in _ADDED}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _known(tenant: Tenant, events: Iterable[Given]) -> _Known:
    known = _Known()
    waiting = iter({given.form.event_id for given in events if given.form.event_id})
    while some := list(islice(waiting, CHUNK)):
        found = Event.objects.of(tenant).filter(event_id__in=some)
        for event_id, declaration, digest in found.values_list("event_id", "declaration", "digest"):
            known.digests[event_id, declaration] = digest
        named = EventReference.objects.of(tenant).filter(role=Reference.CORRECTIVE, uri__in=some)
        known.corrective.update(named.values_list("uri", flat=True))
    for given in events:
        if given.form.declaration is not None:
            known.corrective.update(given.form.declaration.corrective_event_ids)
    return known


def _same(tenant: Tenant, known: _Known, digest: str) -> str:
    """Return the id of the event that a declaration without one means: the last with its content that still holds."""
    stored = Event.objects.of(tenant).filter(digest=digest, declaration=False).order_by("-sequence")
    found = list(stored.values_list("event_id", flat=True)[:ALIKE_MAX])
    for event_id in found:
        known.digests.setdefault((event_id, False), digest)
    wrong = Event.objects.of(tenant).filter(event_id__in=found, declaration=True)
    for event_id in wrong.values_list("event_id", flat=True):
        known.digests.setdefault((event_id, True), digest)
    alike = [*reversed(known.alike.get(digest, [])), *found]
    # If none of them holds any more, the declaration is one that is known.
    return next((event_id for event_id in alike if (event_id, True) not in known.digests), alike[0] if alike else "")


def _deeds(tenant: Tenant, known: _Known, given: Given, event_id: str, faults: dict[str, Text]) -> Iterable[Deed]:
    """Return what follows from an event: its own effects, or those of the event it declares wrong, taken back."""
    if given.form.declaration is None:
        known.effects[event_id] = effects.NOTHING
        if (event_id, True) in known.digests:
            # It was declared wrong before it came.
            return ()
        try:
            found = effects.of(given.form, event_id)
        except EffectFault as error:
            if len(faults) < FIELDS_MAX:
                faults[f"{given.path}.{error.field}".strip(".")] = error.text
            return ()
        known.effects[event_id] = found
        return () if found is effects.NOTHING else (Deed(found, 1, given.path, event_id in known.corrective),)
    wrong: Effects | None = known.effects.get(event_id)
    if wrong is None and (event_id, False) in known.digests:
        wrong = effects_of(Event.objects.of(tenant).get(event_id=event_id, declaration=False))
    if wrong is None or wrong is effects.NOTHING:
        return ()
    return (Deed(wrong, -1, given.path, True),)


def _row(
    tenant: Tenant, id: UUID, sequence: int, capture: UUID, recorded_ms: int, event_id: str, given: Given, digest: str,
    system: str,
) -> Event:  # fmt: skip
    form, document = given.form, given.document
    declaration = form.declaration
    values = {
        "id": id, "tenant_id": tenant.pk, "sequence": sequence, "capture": capture, "event_id": event_id,
        "declaration": declaration is not None, "kind": form.type, "action": document.get("action", ""),
        "time_ms": milliseconds(form.time), "offset": form.offset, "recorded_ms": recorded_ms,
        "biz_step": short("bizStep", form.biz_step or ""), "disposition": short("disposition", form.disposition or ""),
        "read_point": form.read_point.id if form.read_point else "",
        "biz_location": form.biz_location.id if form.biz_location else "",
        "transformation": form.transformation or "" if isinstance(form, TransformationEvent) else "",
        "reason": short("reason", declaration.reason or "") if declaration else "",
        "system": system, "digest": digest, "context": given.context, "document": document,
    }  # fmt: skip
    return Event.from_db(None, _EVENT, [values[column] for column in _EVENT])


def _store(tenant: Tenant, rows: list[Event], forms: list[EventForm]) -> None:
    lines: list[EventLine] = []
    references: list[EventReference] = []
    for row, form in zip(rows, forms, strict=True):
        for role, thing, counted, quantity, unit in _lines(form):
            values: list[Any] = [None, row.pk, tenant.pk, role, thing, counted, quantity, unit]
            lines.append(EventLine.from_db(None, _LINE, values))
        for role, type, uri in _references(form):
            references.append(EventReference.from_db(None, _REFERENCE, [None, row.pk, tenant.pk, role, type, uri]))
    insert(rows)
    insert(lines)
    insert(references)


def _lines(form: Any) -> Iterable[tuple[str, str, bool, float | None, str]]:
    if isinstance(form, TransformationEvent):
        lists = [
            (Role.INPUT, form.input_epcs, form.input_quantities),
            (Role.OUTPUT, form.output_epcs, form.output_quantities),
        ]
    else:
        role = Role.CHILD if isinstance(form, AggregationEvent) else Role.WHAT
        lists = [(role, form.epcs, form.quantities)]
    if isinstance(form, AggregationEvent | TransactionEvent) and form.parent:
        yield Role.PARENT.value, form.parent, False, None, ""
    for role, epcs, quantities in lists:
        for epc in epcs:
            yield role.value, epc, False, None, ""
        for each in quantities:
            yield role.value, each.epc_class, True, each.quantity, each.uom or ""


def _references(form: EventForm) -> Iterable[tuple[str, str, str]]:
    for document in form.transactions:
        yield Reference.TRANSACTION.value, short("transaction", document.type or ""), document.biz_transaction
    for source in form.sources:
        yield Reference.SOURCE.value, short("party", source.type), source.source
    for target in form.destinations:
        yield Reference.DESTINATION.value, short("party", target.type), target.destination
    if form.declaration is not None:
        for corrective in form.declaration.corrective_event_ids:
            yield Reference.CORRECTIVE.value, "", corrective
