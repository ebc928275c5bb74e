"""Documents that others wrote: every valid one comes in and out again as it was, every invalid one is refused."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.records.epcis_documents import files, invalid, loose, plain, valid
from tests.records.plant import author, tenant

from mainspring.records.events import query as queries
from mainspring.records.events.capture import capture
from mainspring.records.events.documents import read
from mainspring.records.events.event import Event
from mainspring.records.events.xml_documents import read_xml
from mainspring.records.faults import Invalid
from mainspring.records.tenant import Tenant


def events_in(content: bytes) -> list[Any]:
    """Return the events of a document as JSON-LD, names in full."""
    if content.lstrip().startswith(b"<"):
        return [plain(event) for event in read_xml(content)]
    document = orjson.loads(content)
    if "epcisBody" not in document:
        return [plain(document)]
    return [plain(event, document["@context"]) for event in document["epcisBody"]["eventList"]]


def out_again(plant: Tenant) -> list[Any]:
    page = queries.query(plant, {"orderBy": "recordTime", "orderDirection": "ASC", "perPage": "1000"})
    document = orjson.loads(orjson.dumps(queries.document(page.events)))
    return [plain(event) for event in document["epcisBody"]["queryResults"]["resultsBody"]["eventList"]]


def without(event: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """Return an event without the id and the time that were added to it."""
    added = {name for name in ("eventID", "recordTime") if name not in like}
    return {name: value for name, value in event.items() if name not in added}


def test_there_are_documents_of_both_versions_and_notations() -> None:
    assert len(valid()) > 100
    assert len(invalid()) >= 14


@pytest.mark.parametrize("name", valid())
def test_a_valid_document_comes_out_as_it_went_in(plant: Tenant, name: str) -> None:
    given = events_in(files()[name])
    captured = capture(author(plant), read(files()[name]))
    assert captured.stored == len(given) == len(captured.event_ids)
    found = out_again(plant)
    assert [without(event, like) for event, like in zip(found, given, strict=True)] == given


@pytest.mark.parametrize("name", invalid())
def test_an_invalid_document_is_refused_with_the_reason(plant: Tenant, name: str) -> None:
    content = files()[name]
    with pytest.raises(Invalid) as refused:
        if name.endswith("Query_with_unknown_parameter.json"):
            queries.query(plant, orjson.loads(content))
        else:
            capture(author(plant), read(content))
    assert refused.value.fields
    for text in refused.value.fields.values():
        assert text.en and text.zh and text.en != text.zh
    assert not Event.objects.of(plant).exists()


@pytest.mark.parametrize(
    ("file", "field"),
    [
        ("Combination_of_events_with_missing_mandatory_fields.json", "epcisBody.eventList.1.eventTimeZoneOffset"),
        ("Combination_of_non_standard_bizStep_and_disposition.json", "epcisBody.eventList.1.disposition"),
        ("ObjectEvent_with_ilmd_field_without_namespace.json", "epcisBody.eventList.0.ilmd.materialType"),
        ("ObjectEvent_with_invalid_certificationInfo.json", "epcisBody.eventList.0.certificationInfo"),
        ("ObjectEvent_with_unknown_field_in_quantityList.json", "epcisBody.eventList.0.quantityList.0.weight"),
        ("ObjectEvent_without_identifier_list.json", "epcisBody.eventList.0.epcList"),
        ("ObjectEvent_with_near_miss_action.xml", "epcisBody.eventList.0.action"),
        ("QueryDocument_with_invalid_eventType.json", "epcisBody.eventList.0.type"),
    ],
)
def test_the_refusal_names_the_event_and_the_field(file: str, field: str) -> None:
    name = next(name for name in invalid() if name.endswith(file))
    with pytest.raises(Invalid) as refused:
        read(files()[name])
    assert field in refused.value.fields


def test_a_query_parameter_that_does_not_exist_is_named(plant: Tenant) -> None:
    name = next(name for name in invalid() if name.endswith("Query_with_unknown_parameter.json"))
    with pytest.raises(Invalid) as refused:
        queries.query(plant, orjson.loads(files()[name]))
    assert refused.value.fields.keys() == {"GE_eventDate"}
    assert "GE_eventTime" in refused.value.fields["GE_eventDate"].en


def test_xml_says_what_json_says() -> None:
    pairs = [(name, name.replace("/JSON/", "/XML/").replace(".json", ".xml")) for name in valid() if "/JSON/" in name]
    same = [json for json, xml in pairs if xml in files() and loose(events_in(files()[json])) == loose(
        events_in(files()[xml]))]  # fmt: skip
    assert len(same) >= 30, same


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(
        ["ADD", "urn:mainspring:asset:a", "urn:mainspring:lot:a:b", "2026-11-21T08:00:00Z", "urn:epc:id:sgtin:1.2.3"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3), max_leaves=8,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to everything in a document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in parts for place in places(inner, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], junk)
    return copy


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([name for name in valid() if name.endswith(".json")]), st.integers(0, 10_000), JUNK)
def test_whatever_stands_in_a_document_it_is_taken_in_or_refused(name: str, place: int, junk: Any) -> None:
    document = orjson.loads(files()[name])
    found = places(document)
    content = json.dumps(replaced(document, found[place % len(found)], junk)).encode()
    try:
        capture(author(tenant("fuzzed")), read(content))
    except Invalid as refused:
        assert all(text.en and text.zh for text in refused.fields.values())


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([name for name in valid() if name.endswith(".xml")]), st.integers(0), st.binary(max_size=8))
def test_whatever_stands_in_xml_it_is_taken_in_or_refused(name: str, place: int, junk: bytes) -> None:
    content = files()[name]
    at = place % len(content)
    try:
        capture(author(tenant("fuzzed")), read(content[:at] + junk + content[at + len(junk) :]))
    except Invalid as refused:
        assert refused.fields
