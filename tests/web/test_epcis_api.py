"""Events over the API: captured, found page by page, shown; and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.records.epcis_documents import files
from tests.records.plant import tenant
from tests.records.test_events import PART, PRESS, STEEL, STORE, amount, arrival, document, event, made_of
from tests.web.asking import whole

from mainspring.records.events import names
from mainspring.records.events import query as queries
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


def test_declarations_are_found_by_the_events_they_mean(client: Any) -> None:
    wrong, right = (arrival(STEEL, amount, eventID=f"urn:uuid:{amount}") for amount in (10, 12))
    said = {
        "declarationTime": "2026-11-21T09:00:00Z",
        "reason": "incorrect_data",
        "correctiveEventIDs": ["urn:uuid:12"],
    }
    sent(client, document(wrong, {**wrong, "errorDeclaration": said}, right))

    def found(**query: Any) -> list[Any]:
        return [(each["eventID"], "errorDeclaration" in each) for each in listed(got(client, EVENTS, **query))]

    assert found(EQ_eventID="urn:uuid:10|urn:uuid:12", EXISTS_errorDeclaration="true") == [("urn:uuid:10", True)]
    assert found(EQ_correctiveEventID="urn:uuid:12") == [("urn:uuid:10", True)]
    assert len(found()) == 3


def listed(body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    return found


def test_the_vocabulary_has_both_languages(client: Any) -> None:
    told = got(client, "/api/v1/epcis/vocabulary")
    assert told["words"]["bizStep"]["receiving"] == {"en": "Receiving", "zh": "收货"}
    assert told["words"]["disposition"][f"{STATE}running"]["zh"] == "运行"
    assert (told["units"]["KGM"], told["units"]["GRM"], told["types"][0]) == ("kg", "g", "ObjectEvent")
    assert all(text["en"] and text["zh"] for of in told["words"].values() for text in of.values())


def test_names_lead_to_the_records_that_may_be_seen(signed_in: Callable[..., Any]) -> None:
    engineer = signed_in(Role.ENGINEER)
    item = made(engineer, "item", number="P 1", name={"en": "Shaft", "zh": "轴"}, gtin="9521321000018", tracked="lot")
    newer = made(engineer, "item", number="P 1", revision="B", name={"en": "Shaft B", "zh": "轴"}, tracked="serial")
    lot = made(engineer, "lot", item=item["id"], number="B-7")
    order = made(engineer, "order", number="WO-1", sort="work", subject="x")
    uris = {
        "urn:mainspring:item:P%201": [newer["id"]], "urn:mainspring:lot:P%201:B-7": [item["id"], lot["id"]],
        "urn:mainspring:lot:P%201:none": [newer["id"]], "urn:mainspring:order:WO-1": [order["id"]],
        "urn:mainspring:operation:WO-1:10": [order["id"]], "https://id.gs1.org/01/09521321000018/10/B-7?x": [
            item["id"], lot["id"]], "urn:epc:class:lgtin:9521321.000001.B-7": [item["id"], lot["id"]],
    }  # fmt: skip
    asked = {"uris": [*uris, "urn:mainspring:item:none", "https://example.com/x", "", "urn:mainspring:asset:none"]}
    answer = engineer.post("/api/v1/epcis/names", orjson.dumps(asked), "application/json").json()["names"]
    assert {uri: [each["id"] for each in records] for uri, records in answer.items()} == uris
    assert answer["urn:mainspring:lot:P%201:B-7"][1] == {
        "kind": "lot",
        "id": lot["id"],
        "name": {"en": "B-7", "zh": "B-7"},
    }
    found = got(engineer, "/api/v1/epcis/names", search="shaft")["items"]
    assert {"uri": "urn:mainspring:lot:P%201:B-7", "name": {"en": "Shaft B-7", "zh": "轴 B-7"}} in found
    assert got(engineer, "/api/v1/epcis/names", search="nothing like it", of="place")["items"] == []
    (of_lot,) = got(engineer, "/api/v1/epcis/names", record=lot["id"])["items"]
    (of_item,) = got(engineer, "/api/v1/epcis/names", record=item["id"])["items"]
    assert of_lot["uri"] == "urn:mainspring:lot:P%201:B-7"
    assert of_item == {"uri": f"urn:mainspring:item:P%201|{of_lot['uri']}", "name": {"en": "Shaft", "zh": "轴"}}
    assert got(engineer, "/api/v1/epcis/names", record=order["id"])["items"] == []


def test_a_lot_stands_with_the_revision_it_is_of(signed_in: Callable[..., Any]) -> None:
    engineer = signed_in(Role.ENGINEER)
    a = made(engineer, "item", number="P-2", name={"en": "A"}, gtin="9521321000018", tracked="lot")
    b = made(engineer, "item", number="P-2", revision="B", name={"en": "B"}, gtin="9521321000025", tracked="lot")
    older = [made(engineer, "lot", item=a["id"], number=number) for number in ("L-1", "L-2")]
    newer = made(engineer, "lot", item=b["id"], number="L-2")
    uris = {
        "urn:mainspring:lot:P-2:L-1": [a["id"], older[0]["id"]],
        # Two lots have this number: the one recorded last, but where the GTIN tells them apart.
        "urn:mainspring:lot:P-2:L-2": [b["id"], newer["id"]],
        "https://id.gs1.org/01/09521321000018/10/L-2": [a["id"], older[1]["id"]],
        "https://id.gs1.org/01/09521321000025/10/L-1": [b["id"]],
    }
    answer = engineer.post("/api/v1/epcis/names", orjson.dumps({"uris": list(uris)}), "application/json").json()[
        "names"
    ]
    assert {uri: [each["id"] for each in records] for uri, records in answer.items()} == uris


@pytest.mark.parametrize(
    "uri",
    [
        "urn:epc:idpat:sgtin:4012345.*.*", "urn:epc:id:sgtin:1.2", "urn:epc:id:sgtin:1..x",
        "urn:epc:id:sgtin:1.\u00b2.x", "urn:epc:id:sgtin:..", "urn:epc:class:lgtin:1", "urn:mainspring:lot:A:%00",
        "urn:mainspring:order:%00", "urn:mainspring:operation:%00:1", "urn:mainspring:asset:%00",
        "https://id.gs1.org/01/%00/10/%00",
    ],
)  # fmt: skip
def test_a_name_of_any_form_may_be_asked_for(client: Any, uri: str) -> None:
    answer = client.post("/api/v1/epcis/names", orjson.dumps({"uris": [uri]}), "application/json")
    assert (answer.status_code, answer.json()) == (200, {"names": {}})


def test_what_was_searched_for_comes_before_lots_of_it(signed_in: Callable[..., Any]) -> None:
    engineer = signed_in(Role.ENGINEER)
    items = [made(engineer, "item", number=f"XQ-{n}", name={"en": f"Rod {n}"}, tracked="lot") for n in range(4)]
    for item in items:
        for n in range(names.LOTS_MAX + 2):
            made(engineer, "lot", item=item["id"], number=f"R{n}")
    other = made(engineer, "item", number="YY", name={"en": "Other"}, tracked="serial")
    made(engineer, "lot", item=other["id"], number="XQ-9")
    with CaptureQueriesContext(connection) as asked:
        found = got(engineer, "/api/v1/epcis/names", search="xq")["items"]
    assert sum('FROM "records_lot"' in query["sql"] for query in asked) <= 3, "no question for every item"
    assert len(found) == names.FOUND_MAX
    assert sorted(each["name"]["en"] for each in found[:4]) == [f"Rod {n}" for n in range(4)]
    assert found[4]["uri"] == "urn:mainspring:unit:YY:XQ-9"
    lots = [uri.rpartition(":")[2] for uri in found[0]["uri"].split("|")[1:]]
    assert lots == [f"R{n}" for n in reversed(range(2, names.LOTS_MAX + 2))], "the newest lots of the item"
    assert all(":lot:XQ-" in each["uri"] for each in found[5:])


def made(client: Any, kind: str, **fields: Any) -> Any:
    answer = client.post(f"/api/v1/records/{kind}", orjson.dumps(fields), "application/json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_what_a_query_finds_is_exported_and_taken_in_again(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE_MAX", 2)
    sent(client, document(*(arrival(STEEL, amount, at=STORE) for amount in range(1, 6)), arrival(STEEL, 9, at=PRESS)))
    answer = client.get("/api/v1/epcis/export", {"EQ_bizLocation": STORE, "perPage": "1"})
    assert answer["Content-Disposition"] == 'attachment; filename="events.jsonld"'
    exported = async_to_sync(whole)(answer.streaming_content)
    events = orjson.loads(exported)["epcisBody"]["eventList"]
    assert sorted(each["quantityList"][0]["quantity"] for each in events) == [1, 2, 3, 4, 5]
    again = sent(client, exported).json()
    assert (again["stored"], len(again["eventIDs"])) == (0, 5)
    nothing = client.get("/api/v1/epcis/export", {"EQ_bizLocation": "urn:mainspring:asset:none"})
    assert orjson.loads(async_to_sync(whole)(nothing.streaming_content))["epcisBody"]["eventList"] == []
    got(client, "/api/v1/epcis/export", 422, EQ_nothing="x")
