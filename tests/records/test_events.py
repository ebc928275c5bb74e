"""Events: added, never changed; all of a request or none; once each; corrected by declaration."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.records.plant import author, tenant

from mainspring.records.audit import first_broken
from mainspring.records.events import query as queries
from mainspring.records.events.capture import Captured, capture
from mainspring.records.events.documents import read, read_document
from mainspring.records.events.event import Event, EventLine
from mainspring.records.events.identifiers import (
    asset_uri,
    check_digit,
    energy_uri,
    lot_uri,
    operation_uri,
    order_uri,
    own_parts,
    thing_of,
    unit_uri,
)
from mainspring.records.events.tallies import StateSpan, Stock, Use, WorkInProgress
from mainspring.records.events.trace import trace
from mainspring.records.events.units import told
from mainspring.records.events.vocabulary import (
    COMPLETING,
    CONTEXT,
    OPERATION,
    REPORTING,
    SCRAPPING,
    STARTING,
    STATE,
)
from mainspring.records.faults import Invalid
from mainspring.records.tenant import Tenant

STORE, PRESS = asset_uri("plant/store"), asset_uri("plant/press 1")
STEEL, PART = lot_uri("STEEL", "批次-7"), lot_uri("P-100", "B1")


def event(kind: str = "ObjectEvent", at: str = "2026-11-21T08:00:00+08:00", **fields: Any) -> dict[str, Any]:
    made = {"type": kind, "eventTime": at, "eventTimeZoneOffset": "+08:00"}
    if kind == "ObjectEvent":
        made |= {"action": "OBSERVE"}
    return made | fields


def amount(thing: str, quantity: float, unit: str = "KGM") -> dict[str, Any]:
    return {"epcClass": thing, "quantity": quantity, **({"uom": unit} if unit else {})}


def arrival(thing: str, quantity: float, at: str = STORE, **fields: Any) -> dict[str, Any]:
    return event(action="ADD", quantityList=[amount(thing, quantity)], bizLocation={"id": at}, **fields)


def made_of(inputs: list[Any], outputs: list[Any], at: str = PRESS, **fields: Any) -> dict[str, Any]:
    return event(
        "TransformationEvent", inputQuantityList=inputs, outputQuantityList=outputs, readPoint={"id": at}, **fields
    )


def declared(wrong: dict[str, Any], *correct: str) -> dict[str, Any]:
    declaration = {"declarationTime": "2026-11-21T09:00:00+08:00", "reason": "incorrect_data",
                   "correctiveEventIDs": list(correct)}  # fmt: skip
    return {**wrong, "errorDeclaration": declaration}


def document(*events: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT, {"example": "https://example.com/ns/"}], "type": "EPCISDocument",
        "schemaVersion": "2.0", "creationDate": "2026-11-21T08:00:00Z", "epcisBody": {"eventList": list(events)},
        **fields,
    }  # fmt: skip


def take(plant: Tenant, *events: dict[str, Any], **fields: Any) -> Captured:
    return capture(author(plant), read_document(document(*events, **fields)))


def refused(plant: Tenant, *events: dict[str, Any], **fields: Any) -> dict[str, str]:
    stored = Event.objects.of(plant).count()
    with pytest.raises(Invalid) as error:
        take(plant, *events, **fields)
    assert Event.objects.of(plant).count() == stored
    assert all(text.zh for text in error.value.fields.values())
    return {path: text.en for path, text in error.value.fields.items()}


def stock(plant: Tenant) -> dict[tuple[str, str], float]:
    return {(row.thing, row.location): told(row.quantity) for row in Stock.objects.of(plant)}


def test_events_are_never_changed_or_removed_not_even_in_the_database(plant: Tenant) -> None:
    from django.db import DatabaseError, connection, transaction

    take(plant, arrival(STEEL, 10))
    found = Event.objects.of(plant).get()
    for forbidden in (found.save, found.delete):
        with pytest.raises(TypeError):
            forbidden()
    for table in ("records_event", "records_eventline", "records_eventreference"):
        if table.endswith("reference"):
            take(plant, arrival(STEEL, 1, bizTransactionList=[{"bizTransaction": order_uri("WO-1")}]))
        for statement in (f"UPDATE {table} SET tenant_id = tenant_id", f"DELETE FROM {table}"):
            with pytest.raises(DatabaseError, match="only added"), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
    with pytest.raises(DatabaseError, match="only added"), transaction.atomic():
        Event.objects.of(plant).update(reason="")


def test_a_request_is_taken_in_whole_or_not_at_all(plant: Tenant) -> None:
    fields = refused(plant, arrival(STEEL, 10), arrival(STEEL, -1), event(epcList=["no uri"]))
    assert fields.keys() == {"epcisBody.eventList.1.quantityList.0.quantity", "epcisBody.eventList.2.epcList.0"}
    assert not stock(plant)
    take(plant, arrival(STEEL, 10), sender="urn:epc:id:sgln:0353579.00001.0")
    assert Event.objects.of(plant).get().system == "urn:epc:id:sgln:0353579.00001.0"
    assert first_broken(plant) is None


def test_an_event_that_is_known_is_not_taken_in_twice(plant: Tenant) -> None:
    known = arrival(STEEL, 10, eventID="urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a8")
    assert take(plant, known, known).stored == 1
    assert take(plant, known).stored == 0
    assert stock(plant) == {(STEEL, STORE): 10}
    fields = refused(plant, {**known, "quantityList": [amount(STEEL, 11)]})
    assert fields.keys() == {"epcisBody.eventList.0.eventID"}
    assert take(tenant("north"), known).stored == 1


def test_what_an_event_says_of_itself_is_found(plant: Tenant) -> None:
    take(plant, arrival(STEEL, 10.5, bizStep="receiving", eventID="https://example.com/e/1"))
    row = Event.objects.of(plant).get()
    assert (row.kind, row.action, row.biz_step, row.biz_location) == ("ObjectEvent", "ADD", "receiving", STORE)
    assert (row.time_ms, row.offset) == (1_795_219_200_000, "+08:00")
    line = EventLine.objects.of(plant).get()
    assert (line.thing, line.quantity, line.unit, line.role, line.counted) == (STEEL, 10.5, "KGM", "what", True)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"action": "CREATE"}, "action"),
        ({"eventTime": "2026-11-21T08:00:00"}, "eventTime"),
        ({"eventTime": "2026-13-41T08:00:00Z"}, "eventTime"),
        ({"eventTimeZoneOffset": "+15:00"}, "eventTimeZoneOffset"),
        ({"bizStep": "urn:epcglobal:cbv:bizstep:transforming"}, "bizStep"),
        ({"bizStep": "https://ref.gs1.org/cbv/BizStep-transforming"}, "bizStep"),
        ({"disposition": "nowhere"}, "disposition"),
        ({"epcList": ["urn:epc:id:sgtin:0614141.107346"]}, "epcList.0"),
        ({"epcList": ["urn:epc:id:sgtin:0614141.1073.1"]}, "epcList.0"),
        ({"epcList": ["urn:epc:id:wagon:0614141.107346.1"]}, "epcList.0"),
        ({"epcList": ["https://id.gs1.org/01/09521141012346/21/2017"]}, "epcList.0"),
        ({"epcList": ["https://id.gs1.org/01/952114101234/21/2017"]}, "epcList.0"),
        ({"epcList": ["https://id.gs1.org/00/040123450000003339"]}, "epcList.0"),
        ({"epcList": ["urn:mainspring:lot:only"]}, "epcList.0"),
        ({"epcList": ["urn:mainspring:wagon:7"]}, "epcList.0"),
        ({"epcList": ["urn:uuid:1", "urn:uuid:1"]}, "epcList"),
        ({"epcList": []}, "epcList"),
        ({"colour": "red"}, "colour"),
        ({"unknown:colour": "red"}, "unknown:colour"),
        ({"ilmd": {"example:a": 1}}, "ilmd"),
        ({"readPoint": {"name": "x"}}, "readPoint.id"),
        ({"quantityList": [{"epcClass": STEEL, "uom": "KGM"}]}, "quantityList.0.quantity"),
        ({"quantityList": [{"epcClass": STEEL, "quantity": "5"}]}, "quantityList.0.quantity"),
        ({"bizTransactionList": [{"type": "bill", "bizTransaction": "urn:uuid:1"}]}, "bizTransactionList.0.type"),
        ({"sourceList": [{"source": "urn:uuid:1"}]}, "sourceList.0.type"),
        ({"sensorElementList": [{"sensorReport": []}]}, "sensorElementList.0.sensorReport"),
        ({"sensorElementList": [{"sensorReport": [{"value": 1}]}]}, "sensorElementList.0.sensorReport.0.type"),
        ({"errorDeclaration": {"reason": "did_not_occur"}}, "errorDeclaration.declarationTime"),
        ({"type": "ObservationEvent"}, "type"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(plant: Tenant, fields: dict[str, Any], field: str) -> None:
    wrong = {**event(epcList=["urn:epc:id:sgtin:0614141.107346.2017"]), **fields}
    assert refused(plant, wrong).keys() == {f"epcisBody.eventList.0.{field}"}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{", b"null", b'{"type":"EPCISDocument"}',
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<a>" * 100 + b"</a>" * 100, b"<a", b"<a/>", b"\xff\xfe",
        b"{" + b'"a":{' * 2000 + b"}" * 2001,
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        read(content)


def test_deep_extensions_are_refused(plant: Tenant) -> None:
    deep: Any = 1
    for _ in range(100):
        deep = {"example:a": deep}
    assert refused(plant, {**arrival(STEEL, 1), "example:deep": deep}).keys() == {"epcisBody.eventList.0"}


def test_stock_is_what_arrived_less_what_left(plant: Tenant) -> None:
    take(plant, arrival(STEEL, 1.5), arrival(STEEL, 500, at=PRESS))
    moved = event(
        quantityList=[amount(STEEL, 0.5)], bizLocation={"id": PRESS}, sourceList=[{"type": "location", "source": STORE}]
    )
    take(plant, moved, event(quantityList=[amount(STEEL, 7)], bizLocation={"id": PRESS}))
    assert stock(plant) == {(STEEL, STORE): 1, (STEEL, PRESS): 500.5}
    shipped: dict[str, Any] = {"sourceList": [{"type": "location", "source": STORE}],
               "destinationList": [{"type": "location", "destination": "urn:epc:id:sgln:0614141.00777.0"}]}  # fmt: skip
    take(plant, event(quantityList=[amount(STEEL, 400, "GRM")], readPoint={"id": STORE}, **shipped))
    gone = event(action="DELETE", quantityList=[amount(STEEL, 0.6)], bizLocation={"id": STORE})
    take(plant, gone)
    assert stock(plant) == {(STEEL, PRESS): 500.5}


def test_stock_is_never_less_than_nothing_unless_something_is_corrected(plant: Tenant) -> None:
    gone = event(action="DELETE", quantityList=[amount(STEEL, 8)], bizLocation={"id": STORE})
    assert refused(plant, arrival(STEEL, 5), gone).keys() == {"epcisBody.eventList.1"}
    wrong = arrival(STEEL, 10, eventID="urn:uuid:1")
    take(plant, wrong, gone)
    take(plant, declared(wrong, "urn:uuid:2"))
    assert stock(plant) == {(STEEL, STORE): -8}
    refused(plant, {**gone, "eventTime": "2026-11-21T08:00:01+08:00"})
    take(plant, arrival(STEEL, 9, eventID="urn:uuid:2"))
    assert stock(plant) == {(STEEL, STORE): 1}


def test_one_unit_is_in_one_place_once(plant: Tenant) -> None:
    made = event(action="ADD", epcList=[unit_uri("P-100", "1")], bizLocation={"id": STORE})
    take(plant, made)
    assert refused(plant, {**made, "eventTime": "2026-11-21T08:00:01+08:00"}).keys() == {"epcisBody.eventList.0"}


def test_a_declaration_takes_back_what_followed_even_before_its_event_came(plant: Tenant) -> None:
    wrong = arrival(STEEL, 10)
    take(plant, wrong)
    assert take(plant, declared(wrong)).stored == 1
    assert take(plant, declared(wrong)).stored == 0
    assert stock(plant) == {}
    late = arrival(STEEL, 3, eventID="urn:uuid:3")
    take(plant, declared(late))
    take(plant, late)
    assert stock(plant) == {}
    assert len(queries.query(plant, {}).events) == 4
    assert queries.find(plant, "urn:uuid:3").declaration is False


def test_events_elsewhere_are_kept_and_counted_nowhere(plant: Tenant) -> None:
    there = {"id": "urn:epc:id:sgln:0614141.00777.0"}
    take(plant, event(action="DELETE", quantityList=[amount(STEEL, 8)], bizLocation=there))
    assert stock(plant) == {}
    assert Event.objects.of(plant).count() == 1


def test_what_orders_make_and_use_is_told(plant: Tenant) -> None:
    operation = [{"type": OPERATION, "bizTransaction": operation_uri("WO-1", "20")}]
    item = [amount(PART, 10, "")]
    take(
        plant,
        arrival(STEEL, 10, at=PRESS),
        event(bizStep=STARTING, quantityList=item, readPoint={"id": PRESS}, bizTransactionList=operation),
        made_of(
            [amount(STEEL, 8.25), amount(energy_uri("electricity"), 3.5, "KWH")], [amount(PART, 6, "")],
            bizTransactionList=operation,
        ),
        event(bizStep=COMPLETING, quantityList=[amount(lot_uri("P-100", "B2"), 1, "")], readPoint={"id": PRESS},
              bizTransactionList=operation),
        event(bizStep=SCRAPPING, quantityList=[amount(PART, 2, "")], readPoint={"id": PRESS},
              bizTransactionList=operation),
    )  # fmt: skip
    work = WorkInProgress.objects.of(plant).get().document()
    assert (work["order"], work["operation"]) == (order_uri("WO-1"), operation_uri("WO-1", "20"))
    assert (work["started"], work["completed"], work["scrapped"], work["in_work"]) == (10, 7, 2, 1)
    used = {(row.item, row.unit): told(row.quantity) for row in Use.objects.of(plant)}
    assert used == {("urn:mainspring:item:STEEL", "kg"): 8.25, (energy_uri("electricity"), "kW.h"): 3.5}
    assert stock(plant) == {(STEEL, PRESS): 1.75, (PART, PRESS): 6}


def test_where_a_lot_comes_from_and_where_it_went(plant: Tenant) -> None:
    lots = [lot_uri("L", str(number)) for number in range(6)]
    take(plant, *(arrival(lot, 10, at=PRESS) for lot in lots[:2]))
    take(
        plant,
        made_of([amount(lots[0], 5), amount(lots[1], 5)], [amount(lots[2], 8)]),
        made_of([amount(lots[2], 4)], [amount(lots[3], 2), amount(lots[4], 2)]),
        made_of([amount(lots[3], 1), amount(lots[0], 1)], [amount(lots[5], 1)], transformationID="urn:uuid:7"),
    )
    back = trace(plant, lots[5], backward=True)
    assert {(step.origin, step.thing, step.depth) for step in back.steps} == {
        (lots[5], lots[3], 1), (lots[5], lots[0], 1), (lots[3], lots[2], 2), (lots[2], lots[0], 3),
        (lots[2], lots[1], 3),
    }  # fmt: skip
    ahead = trace(plant, lots[1], backward=False)
    assert {step.thing for step in ahead.steps} == set(lots[2:])
    assert [step.depth for step in trace(plant, lots[1], backward=False, depth=1).steps] == [1]
    assert trace(tenant("north"), lots[5], backward=True).steps == []


def test_nothing_comes_from_itself(plant: Tenant) -> None:
    first, second, third = (lot_uri("L", str(number)) for number in range(3))
    take(plant, arrival(first, 10, at=PRESS), made_of([amount(first, 1)], [amount(second, 1)]))
    assert "outputQuantityList" in next(iter(refused(plant, made_of([amount(first, 1)], [amount(first, 1)]))))
    circle = made_of([amount(second, 1)], [amount(third, 1)]), made_of([amount(third, 1)], [amount(first, 1)])
    assert refused(plant, *circle).keys() == {"epcisBody.eventList.0"}
    take(plant, circle[0])
    assert refused(plant, circle[1]).keys() == {"epcisBody.eventList.0"}


def test_equipment_is_in_one_state_after_the_other_in_whatever_order_it_is_told(plant: Tenant) -> None:
    def state(minute: int, name: str, **fields: Any) -> dict[str, Any]:
        return event(at=f"2026-11-21T08:{minute:02}:00Z", bizStep=REPORTING, disposition=STATE + name, epcList=[PRESS],
                     readPoint={"id": PRESS}, **fields)  # fmt: skip

    def spans() -> list[tuple[str, int, int | None]]:
        rows = StateSpan.objects.of(plant).order_by("start_ms")
        zero = 1_795_248_000_000
        return [(row.state, (row.start_ms - zero) // 60_000, row.end_ms and (row.end_ms - zero) // 60_000)
                for row in rows]  # fmt: skip

    wrong = state(20, "down", eventID="urn:uuid:20")
    take(plant, state(0, "running"), state(10, "running"), wrong, state(30, "idle"))
    assert spans() == [("running", 0, 20), ("down", 20, 30), ("idle", 30, None)]
    take(plant, state(5, "setup"))
    assert spans() == [("running", 0, 5), ("setup", 5, 10), ("running", 10, 20), ("down", 20, 30), ("idle", 30, None)]
    take(plant, declared(wrong))
    assert spans() == [("running", 0, 5), ("setup", 5, 10), ("running", 10, 30), ("idle", 30, None)]


def test_names_of_ours_say_what_they_are_made_of() -> None:
    assert own_parts(STEEL) == ["STEEL", "批次-7"]
    assert own_parts(PRESS) == ["plant/press 1"]
    assert STEEL.isascii()
    assert own_parts("urn:epc:id:sgtin:0614141.107346.2017") == []
    assert thing_of(STEEL) == ("urn:mainspring:item:STEEL", True, False)
    assert thing_of("urn:epc:class:lgtin:4012345.011111.4444").item == "urn:epc:idpat:sgtin:4012345.011111.*"
    assert thing_of("https://id.gs1.org/01/09521141012345/10/A").item == "https://id.gs1.org/01/09521141012345"
    assert check_digit("0952114101234") == "5"


def test_events_are_found_by_the_parameters_of_the_standard(plant: Tenant) -> None:
    serial = "urn:epc:id:sgtin:0614141.107346.2017"
    take(
        plant,
        event(at="2026-11-21T08:00:00Z", epcList=[serial], bizStep="urn:epcglobal:cbv:bizstep:shipping",
              disposition="in_transit", readPoint={"id": STORE}),
        arrival(STEEL, 10, at=PRESS, bizTransactionList=[{"type": "po", "bizTransaction": "urn:uuid:1"}]),
        made_of([amount(STEEL, 1)], [amount(PART, 1)]),
        event("AggregationEvent", action="ADD", parentID="urn:epc:id:sscc:0614141.1234567890", childEPCs=[serial]),
    )  # fmt: skip

    def found(**asked: Any) -> list[str]:
        return sorted(row.kind for row in queries.query(plant, asked).events)

    pattern = "urn:epc:idpat:sgtin:0614141.107346.*"
    assert found(eventType="ObjectEvent|AggregationEvent") == ["AggregationEvent", "ObjectEvent", "ObjectEvent"]
    assert (
        found(EQ_bizStep="shipping") == found(EQ_bizStep="https://ref.gs1.org/cbv/BizStep-shipping") == ["ObjectEvent"]
    )
    assert found(EQ_disposition=["in_transit", "active"]) == ["ObjectEvent"]
    assert found(MATCH_epc=serial) == found(MATCH_epc=pattern) == ["AggregationEvent", "ObjectEvent"]
    assert found(MATCH_anyEPC="urn:epc:id:sscc:0614141.1234567890") == ["AggregationEvent"]
    assert found(MATCH_parentID=serial) == []
    assert found(MATCH_anyEPCClass=STEEL) == ["ObjectEvent", "TransformationEvent"]
    assert found(MATCH_inputEPCClass=STEEL, MATCH_outputEPCClass=PART) == ["TransformationEvent"]
    assert found(EQ_readPoint=PRESS) == ["TransformationEvent"]
    assert found(EQ_bizLocation=PRESS, EQ_action="ADD") == ["ObjectEvent"]
    assert found(EQ_bizTransaction_po="urn:uuid:1") == ["ObjectEvent"]
    assert found(GE_eventTime="2026-11-21T07:00:00Z", LT_eventTime="2026-11-21T09:00:00Z") == ["ObjectEvent"]
    seen, token = [], ""
    while True:
        page = queries.query(plant, {"perPage": "3", "orderDirection": "ASC", "nextPageToken": token})
        seen += [row.sequence for row in page.events]
        token = page.next
        if not token:
            break
    assert seen == [2, 3, 4, 1]
    wrongs = {
        "GE_eventTime": "x", "eventType": "Event", "perPage": "0", "EQ_type": "x", "nextPageToken": "x",
        "orderBy": "id", "EQ_action": "", "eventCountLimit": "9999999999",
    }  # fmt: skip
    for name, value in wrongs.items():
        with pytest.raises(Invalid) as error:
            queries.query(plant, {name: value})
        assert error.value.fields.keys() == {name}


def test_a_large_capture_is_one_request(plant: Tenant) -> None:
    events = [arrival(lot_uri("L", str(number)), 1) for number in range(3000)]
    content = orjson.dumps(document(*events))
    assert capture(author(plant), read(content)).stored == 3000
    assert Stock.objects.of(plant).count() == 3000
    assert refused(plant, *(events[:1] * 20_001)).keys() == {"epcisBody.eventList"}
