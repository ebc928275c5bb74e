"""Events over the API: captured, found page by page, shown; and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from tests.records.epcis_documents import files
from tests.records.plant import tenant
from tests.records.test_events import PART, PRESS, STEEL, STORE, amount, arrival, document, event, made_of

from mainspring.records.events.vocabulary import CONTEXT, REPORTING, STATE
from mainspring.records.rights import Role

CAPTURE, EVENTS = "/api/v1/epcis/capture", "/api/v1/epcis/events"
XML = "2.0/EPCIS/XML/Capture/Documents/ObjectEvent_all_possible_fields.xml"
HASH = "ni:///sha-256;36abb3a2c0a726de32ac4beafd6b8bc4ba0b1d2de244490312e5cbec7b5ddece?ver=CBV2.0"


def sent(client: Any, body: Any, path: str = CAPTURE, status: int = 202) -> Any:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    answer = client.post(path, content, "application/ld+json")
    assert answer.status_code == status, answer.content
    return answer


def got(client: Any, path: str, status: int = 200, **query: Any) -> Any:
    answer = client.get(path, query)
    assert answer.status_code == status, answer.content
    return answer.json()


@pytest.fixture
def client(signed_in: Callable[..., Any]) -> Any:
    return signed_in(Role.OPERATOR)


def test_a_document_is_captured_and_told_of(client: Any) -> None:
    answer = sent(client, document(arrival(STEEL, 10), arrival(STEEL, 2, eventID=HASH)))
    captured = answer.json()
    assert (captured["stored"], captured["eventIDs"][1]) == (2, HASH)
    assert answer["GS1-EPCIS-Version"] == "2.0.0"
    told = got(client, answer["Location"])
    assert (told["success"], told["running"], told["errors"], told["stored"]) == (True, False, [], 2)
    got(client, f"{CAPTURE}/0190a000-0000-7000-8000-000000000000", 404)


def test_an_event_is_captured_and_shown_by_its_id(client: Any) -> None:
    given = {"@context": [CONTEXT, {"example": "https://example.com/ns/"}], **arrival(STEEL, 10, eventID=HASH),
             "example:colour": {"shade": "蓝"}}  # fmt: skip
    answer = sent(client, given, EVENTS, 201)
    shown = got(client, answer["Location"])
    assert answer["Location"] == f"{EVENTS}/{quote(HASH, safe='')}"
    assert given.items() <= shown.items()
    assert shown["recordTime"].endswith("Z")
    got(client, f"{EVENTS}/urn:uuid:0", 404)
    sent(client, document(arrival(STEEL, 1), arrival(STEEL, 2)), EVENTS, 422)


def test_a_document_in_xml_is_captured(client: Any) -> None:
    assert sent(client, files()[XML]).json()["stored"] == 1
    found = got(client, EVENTS)["epcisBody"]["queryResults"]["resultsBody"]["eventList"][0]
    assert (found["bizStep"], found["ilmd"]["cbvmda:lotNumber"]) == ("receiving", "ABC123")
    assert {"ext1": "http://example.com/ext1/"} in found["@context"]


def test_events_are_found_page_by_page(client: Any) -> None:
    sent(client, document(*(arrival(STEEL, number, at=PRESS if number % 2 else STORE) for number in range(1, 8))))
    path, seen = f"{EVENTS}?EQ_bizLocation={quote(PRESS, safe='')}&perPage=3", 0
    pages = 0
    while path:
        answer = client.get(path)
        body = answer.json()
        assert body["type"] == "EPCISQueryDocument"
        seen += len(body["epcisBody"]["queryResults"]["resultsBody"]["eventList"])
        path, pages = answer.get("Link", "").partition(">")[0].removeprefix("<"), pages + 1
    assert (seen, pages) == (4, 2)
    refused = got(client, EVENTS, 422, GE_eventDate="2026-01-01T00:00:00Z")
    assert "GE_eventTime" in refused["fields"]["GE_eventDate"]["en"]
    got(client, EVENTS, 422, MATCH_epc="a\0b", EQ_bizTransaction_po="\0")
    got(client, f"{EVENTS}/a%00b", 404)
    got(client, "/api/v1/epcis/stock", 422, thing="a\0b")


def test_a_refusal_tells_event_field_and_reason_in_both_languages(client: Any) -> None:
    refused = sent(client, document(arrival(STEEL, 1), arrival(STEEL, 1, bizStep="transforming")), status=422).json()
    told = refused["fields"]["epcisBody.eventList.1.bizStep"]
    assert "transforming" in told["en"]
    assert "transforming" in told["zh"]
    for content in (b"", b"<a/>", b"[1]"):
        sent(client, content, status=422)
    short = event(action="DELETE", quantityList=[amount(STEEL, 1)], bizLocation={"id": STORE})
    assert sent(client, document(short), status=422).json()["fields"].keys() == {"epcisBody.eventList.0"}


def test_what_follows_from_events_is_listed(client: Any) -> None:
    order = [{"type": "prodorder", "bizTransaction": "urn:mainspring:order:WO-1"}]
    running = event(bizStep=REPORTING, disposition=f"{STATE}running", epcList=[PRESS], readPoint={"id": PRESS})
    sent(client, document(
        arrival(STEEL, 10, at=PRESS), running,
        made_of([amount(STEEL, 4)], [amount(PART, 3, "")], bizTransactionList=order),
    ))  # fmt: skip
    stock = got(client, "/api/v1/epcis/stock", item="urn:mainspring:item:STEEL")
    assert (stock["total"], stock["items"][0]["quantity"], stock["items"][0]["unit"]) == (1, 6, "kg")
    assert stock["items"][0]["item"] == "urn:mainspring:item:STEEL"
    used = got(client, "/api/v1/epcis/consumption", order="urn:mainspring:order:WO-1")["items"]
    assert [(row["item"], row["quantity"]) for row in used] == [("urn:mainspring:item:STEEL", 4)]
    states = got(client, "/api/v1/epcis/equipment-states", asset=PRESS)["items"]
    assert [(row["state"], row["end_ms"]) for row in states] == [("running", None)]
    assert got(client, "/api/v1/epcis/work-in-progress", limit=1)["total"] == 0
    steps = got(client, "/api/v1/epcis/trace", thing=PART)["items"]
    assert [(step["thing"], step["depth"]) for step in steps] == [(STEEL, 1)]
    assert got(client, "/api/v1/epcis/trace", thing=STEEL, direction="forward")["items"][0]["thing"] == PART


def test_who_may_only_look_captures_nothing_and_strangers_see_nothing(signed_in: Callable[..., Any]) -> None:
    sent(signed_in(Role.OPERATOR), document(arrival(STEEL, 10, eventID=HASH)))
    viewer = signed_in(Role.VIEWER)
    sent(viewer, document(arrival(STEEL, 1)), status=403)
    assert got(viewer, "/api/v1/epcis/stock")["total"] == 1
    stranger = signed_in(Role.ADMINISTRATOR, of=tenant("north"))
    assert got(stranger, "/api/v1/epcis/stock")["total"] == 0
    assert got(stranger, EVENTS)["epcisBody"]["queryResults"]["resultsBody"]["eventList"] == []
    got(stranger, f"{EVENTS}/{quote(HASH, safe='')}", 404)
