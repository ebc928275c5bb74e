"""Finds events by the parameters of the standard's query, page by page.

Source: GS1 EPCIS 2.0, sections 8.2.7 (SimpleEventQuery) and 12 (REST).
"""

from __future__ import annotations

import base64
import binascii
import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from mainspring.core.errors import NotFound
from mainspring.core.text import Text
from mainspring.records.events.event import Event, EventLine, EventReference, Reference, Role
from mainspring.records.events.forms import EVENTS, milliseconds
from mainspring.records.events.vocabulary import CONTEXT, URI_MAX, short
from mainspring.records.faults import Invalid
from mainspring.records.tenant import Tenant

PAGE: Final = 30
PAGE_MAX: Final = 1000
VALUES_MAX: Final = 200
_ANY: Final = tuple(Role)
_THINGS: Final[dict[str, tuple[tuple[Role, ...], bool]]] = {
    "MATCH_epc": ((Role.WHAT, Role.CHILD), False), "MATCH_parentID": ((Role.PARENT,), False),
    "MATCH_inputEPC": ((Role.INPUT,), False), "MATCH_outputEPC": ((Role.OUTPUT,), False),
    "MATCH_anyEPC": (_ANY, False), "MATCH_epcClass": ((Role.WHAT, Role.CHILD), True),
    "MATCH_inputEPCClass": ((Role.INPUT,), True), "MATCH_outputEPCClass": ((Role.OUTPUT,), True),
    "MATCH_anyEPCClass": (_ANY, True),
}  # fmt: skip
_COLUMNS: Final = {
    "eventType": "kind", "EQ_action": "action", "EQ_bizStep": "biz_step", "EQ_disposition": "disposition",
    "EQ_readPoint": "read_point", "EQ_bizLocation": "biz_location", "EQ_transformationID": "transformation",
    "EQ_eventID": "event_id", "EQ_errorReason": "reason",
}  # fmt: skip
_SHORT: Final = {"EQ_bizStep": "bizStep", "EQ_disposition": "disposition", "EQ_errorReason": "reason"}
_REFERENCES: Final = {
    "EQ_bizTransaction": (Reference.TRANSACTION, "transaction"), "EQ_source": (Reference.SOURCE, "party"),
    "EQ_destination": (Reference.DESTINATION, "party"),
}  # fmt: skip
CHOICES: Final = {"eventType": tuple(EVENTS), "EQ_action": ("ADD", "OBSERVE", "DELETE")}
ORDERS: Final = {"orderBy": ("eventTime", "recordTime"), "orderDirection": ("ASC", "DESC")}
_TIMES: Final = {
    "GE_eventTime": "time_ms__gte", "LT_eventTime": "time_ms__lt", "GE_recordTime": "recorded_ms__gte",
    "LT_recordTime": "recorded_ms__lt",
}  # fmt: skip
_PAGING: Final = ("perPage", "nextPageToken", "orderBy", "orderDirection", "eventCountLimit")
_CORRECTIVE: Final = "EQ_correctiveEventID"
_DECLARED: Final = "EXISTS_errorDeclaration"
PARAMETERS: Final = (*_THINGS, *_COLUMNS, *_TIMES, _CORRECTIVE, _DECLARED, *_PAGING)

_UNKNOWN: Final = Text(
    "There is no query parameter {name!r} here. Nearest: {near}.", "此处没有查询参数 {name!r}，最接近的是 {near}。"
)
_NO_CHOICE: Final = Text("Must be one of {choices}.", "必须是 {choices} 之一。")
_NO_TIME: Final = Text(
    "This is no time with its offset, as 2026-11-21T08:30:00+08:00.",
    "须为带时区偏移的时间，如 2026-11-21T08:30:00+08:00。",
)
_EMPTY: Final = Text("Give at least one value.", "至少给出一个值。")
_MANY: Final = Text(
    "At most {limit} values of {length} characters, none of them NUL.",
    "最多 {limit} 个值，每个不超过 {length} 个字符，且不含 NUL。",
)
_PER_PAGE: Final = Text("Enter a whole number from 1 to {limit}.", "请输入 1 到 {limit} 的整数。")
_TOKEN: Final = Text(
    "This token is not of this query. Begin with the first page.", "该分页标记不属于此查询，请从第一页开始。"
)
_ABSENT: Final = Text("There is no event {id} here.", "此处没有事件 {id}。")


@dataclass(frozen=True, slots=True)
class Page:
    """Some events that were asked for, and what to ask for the next ones with; empty after the last."""

    events: list[Event]
    next: str


def find(tenant: Tenant, event_id: str) -> Event:
    """Return an event as it was captured, not its declaration; raises NotFound."""
    rows = Event.objects.of(tenant).filter(event_id=event_id).order_by("declaration")
    # PostgreSQL holds no NUL and takes none in a question.
    found = rows.first() if "\0" not in event_id else None
    if found is None:
        raise NotFound(_ABSENT, id=event_id[:URI_MAX])
    return found


def query(tenant: Tenant, asked: Mapping[str, Any]) -> Page:
    """Find events; values are texts, several with `|` between them, or lists; raises Invalid."""
    faults: dict[str, Text] = {}
    rows: QuerySet[Event] = Event.objects.of(tenant)
    for name, given in asked.items():
        if name in _PAGING or name == "@context":
            continue
        try:
            rows = _narrowed(rows, name, given)
        except _ParameterFault as error:
            faults[name] = error.text
    per_page = _per_page(asked, faults)
    column = "recorded_ms" if asked.get("orderBy") == "recordTime" else "time_ms"
    for name, choices in ORDERS.items():
        if name in asked and asked[name] not in choices:
            faults[name] = _NO_CHOICE.format(choices=", ".join(choices))
    ascending = asked.get("orderDirection", "DESC") == "ASC"
    after = _after(str(asked["nextPageToken"]), faults) if asked.get("nextPageToken") else None
    if faults:
        raise Invalid(faults)
    side = "gt" if ascending else "lt"
    if after is not None:
        same = Q(**{column: after[0], f"sequence__{side}": after[1]})
        rows = rows.filter(Q(**{f"{column}__{side}": after[0]}) | same)
    sign = "" if ascending else "-"
    found = list(rows.order_by(f"{sign}{column}", f"{sign}sequence")[: per_page + 1])
    more, found = len(found) > per_page, found[:per_page]
    return Page(found, _token(getattr(found[-1], column), found[-1].sequence) if more else "")


def pages(tenant: Tenant, asked: Mapping[str, Any]) -> Iterator[list[Event]]:
    """Yield all events that are asked for, many at once; raises Invalid with the first."""
    wanted = {name: value for name, value in asked.items() if name not in {"perPage", "eventCountLimit"}}
    page = query(tenant, {**wanted, "perPage": str(PAGE_MAX)})
    yield page.events
    while page.next:
        page = query(tenant, {**wanted, "perPage": str(PAGE_MAX), "nextPageToken": page.next})
        yield page.events


def document(events: Iterable[Event], query_name: str = "SimpleEventQuery") -> dict[str, Any]:
    """Return events as an EPCIS query document; each says which prefixes it uses."""
    return {
        "@context": [CONTEXT], "type": "EPCISQueryDocument", "schemaVersion": "2.0", "creationDate": now(),
        "epcisBody": {
            "queryResults": {
                "queryName": query_name, "resultsBody": {"eventList": [event_document(event) for event in events]},
            }
        },
    }  # fmt: skip


def event_document(event: Event, *, alone: bool = False) -> dict[str, Any]:
    """Return an event as it came, with its id and the time it was recorded; `alone` with the standard's context."""
    context = ([CONTEXT] if alone else []) + event.context
    made = {"@context": context} if context else {}
    return {**made, "eventID": event.event_id, "recordTime": written(event.recorded_ms), **event.document}


class _ParameterFault(ValueError):
    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


def _narrowed(rows: QuerySet[Event], name: str, given: Any) -> QuerySet[Event]:
    if name in _TIMES:
        try:
            return rows.filter(**{_TIMES[name]: milliseconds(str(given))})
        except (ValueError, OverflowError):
            raise _ParameterFault(_NO_TIME) from None
    if name == _DECLARED:
        # The standard gives it no value.
        return rows.filter(declaration=True)
    beginning, _, type = name.rpartition("_")
    if not (
        name in _COLUMNS
        or name in _THINGS
        or name == _CORRECTIVE
        or (beginning in _REFERENCES and type and type.isprintable())
    ):
        near = difflib.get_close_matches(name, PARAMETERS, n=3, cutoff=0.3) or PARAMETERS[:3]
        raise _ParameterFault(_UNKNOWN.format(name=name[:80], near=", ".join(near)))
    values = _values(given)
    if name in CHOICES and not set(values) <= set(CHOICES[name]):
        raise _ParameterFault(_NO_CHOICE.format(choices=", ".join(CHOICES[name])))
    if name in _COLUMNS:
        normal = partial(short, _SHORT[name]) if name in _SHORT else str
        return rows.filter(**{f"{_COLUMNS[name]}__in": [normal(value) for value in values]})
    if name in _THINGS:
        roles, counted = _THINGS[name]
        lines = EventLine.objects.filter(_things(values), event=OuterRef("pk"), role__in=roles, counted=counted)
        return rows.filter(Exists(lines))
    named = EventReference.objects.filter(event=OuterRef("pk"), uri__in=values)
    if name == _CORRECTIVE:
        return rows.filter(Exists(named.filter(role=Reference.CORRECTIVE)))
    role, vocabulary = _REFERENCES[beginning]
    return rows.filter(Exists(named.filter(role=role, type=short(vocabulary, type))))


def _things(values: list[str]) -> Q:
    """Match identifiers; a pattern of the standard matches what begins like it."""
    found = Q(thing__in=values)
    for value in values:
        if value.startswith("urn:epc:idpat:"):
            begins = value.removeprefix("urn:epc:idpat:").partition("*")[0]
            found |= Q(thing__startswith=f"urn:epc:id:{begins}") | Q(thing__startswith=f"urn:epc:class:{begins}")
    return found


def _values(given: Any) -> list[str]:
    parts = given if isinstance(given, list) else [given]
    values = [value for part in parts for value in str(part).split("|") if value]
    if not values:
        raise _ParameterFault(_EMPTY)
    if len(values) > VALUES_MAX or any(len(value) > URI_MAX or "\0" in value for value in values):
        raise _ParameterFault(_MANY.format(limit=VALUES_MAX, length=URI_MAX))
    return values


def _per_page(asked: Mapping[str, Any], faults: dict[str, Text]) -> int:
    counts = []
    for name in ("perPage", "eventCountLimit"):
        if name in asked:
            text = str(asked[name])
            if not (text.isdecimal() and text.isascii() and len(text) < 9 and int(text) > 0):
                faults[name] = _PER_PAGE.format(limit=PAGE_MAX)
            else:
                counts.append(int(text))
    if counts and min(counts) > PAGE_MAX:
        faults["perPage"] = _PER_PAGE.format(limit=PAGE_MAX)
    return min([*counts, PAGE_MAX]) if counts else PAGE


def _token(value: int, sequence: int) -> str:
    return base64.urlsafe_b64encode(f"{value} {sequence}".encode()).decode().rstrip("=")


def _after(token: str, faults: dict[str, Text]) -> tuple[int, int] | None:
    try:
        value, sequence = base64.urlsafe_b64decode(f"{token[:100]}===").decode("ascii").split(" ")
        after = int(value), int(sequence)
    except (ValueError, binascii.Error):
        faults["nextPageToken"] = _TOKEN
        return None
    if not all(-(2**62) < part < 2**62 for part in after):
        faults["nextPageToken"] = _TOKEN
    return after


def now() -> str:
    """Return the present as the standard writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def written(time_ms: int) -> str:
    """Return a time as the standard writes it."""
    made = datetime.fromtimestamp(time_ms / 1000, UTC)
    return made.isoformat(timespec="milliseconds").replace("+00:00", "Z")
