"""What follows from events: kept with each capture or made anew, it is the same; and nothing is lost on the way."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.records.plant import tenant
from tests.records.test_events import PRESS, STORE, amount, arrival, declared, event, made_of, take

from mainspring.records.events.event import Event, standing
from mainspring.records.events.identifiers import lot_uri, operation_uri, unit_uri
from mainspring.records.events.projections import rebuild
from mainspring.records.events.tallies import TALLIES, StateSpan, Stock
from mainspring.records.events.units import MILLION
from mainspring.records.events.vocabulary import COMPLETING, OPERATION, REPORTING, STARTING, STATE
from mainspring.records.faults import Invalid
from mainspring.records.tenant import Tenant

LOTS = [lot_uri("L", str(number)) for number in range(5)]
PLACES = (STORE, PRESS)
UNIT = unit_uri("P", "1")
_numbers = count()

lots, places, minutes = st.sampled_from(LOTS), st.sampled_from(PLACES), st.integers(0, 9)
sizes = st.sampled_from([0.000001, 0.1, 0.3, 1, 2.5, 7])


def at(minute: int) -> str:
    return f"2026-11-21T08:{minute:02}:00Z"


def work(operation: int) -> list[dict[str, str]]:
    return [{"type": OPERATION, "bizTransaction": operation_uri("WO-1", str(operation))}]


def moved(lot: str, size: float, places: tuple[str, str], minute: int) -> dict[str, Any]:
    source = [{"type": "location", "source": places[0]}]
    return event(at=at(minute), quantityList=[amount(lot, size)], bizLocation={"id": places[1]}, sourceList=source)


def made(uses: list[str], makes: list[str], sizes: tuple[float, float], place: str, step: int) -> dict[str, Any]:
    outputs = [amount(lot, sizes[1]) for lot in makes if lot not in uses] or [amount("urn:mainspring:item:X", 1)]
    return made_of([amount(lot, sizes[0]) for lot in uses], outputs, at=place, bizTransactionList=work(step))


def state(minute: int, name: str, place: str) -> dict[str, Any]:
    return event(at=at(minute), bizStep=REPORTING, disposition=STATE + name, epcList=[place], readPoint={"id": place})


def step(name: str, size: float, number: int) -> dict[str, Any]:
    return event(bizStep=name, quantityList=[amount(LOTS[0], size)], readPoint={"id": PRESS},
                 bizTransactionList=work(number))  # fmt: skip


happenings = st.one_of(
    st.builds(lambda lot, size, place: arrival(lot, size, at=place), lots, sizes, places),
    st.builds(
        lambda lot, size, place: event(action="DELETE", quantityList=[amount(lot, size)], bizLocation={"id": place}),
        lots, sizes, places,
    ),
    st.builds(moved, lots, sizes, st.tuples(places, places), minutes),
    st.builds(made, st.lists(lots, min_size=1, max_size=2, unique=True), st.lists(lots, max_size=2, unique=True),
              st.tuples(sizes, sizes), places, st.integers(1, 2)),
    st.builds(state, minutes, st.sampled_from(["running", "idle"]), places),
    st.builds(step, st.sampled_from([STARTING, COMPLETING]), sizes, st.integers(1, 2)),
    st.builds(lambda place: event(action="ADD", epcList=[UNIT], bizLocation={"id": place}), places),
    st.integers(0, 20),
)  # fmt: skip
"""Events, or which earlier one is declared wrong."""
few = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def kept(plant: Tenant) -> dict[str, list[Any]]:
    tables: Any = (*TALLIES, StateSpan)
    return {table.__name__: list(table.objects.of(plant).order_by("pk").values()) for table in tables}


def happened(plant: Tenant, things: list[Any]) -> list[dict[str, Any]]:
    """Let things happen one by one; returns the events that were taken in and still hold."""
    taken: list[dict[str, Any]] = []
    for thing in things:
        if isinstance(thing, int):
            if taken:
                take(plant, declared(taken.pop(thing % len(taken))))
            continue
        named = {**thing, "eventID": f"urn:uuid:{next(_numbers)}"}
        try:
            take(plant, named)
        except Invalid:
            continue
        taken.append(named)
    return taken


def balance(events: list[dict[str, Any]]) -> Counter[str]:
    """Return how much of each lot there must be, from the events alone, in millionths."""
    total: Counter[str] = Counter()
    for each in events:
        signs = {"ADD": 1, "DELETE": -1}
        for field, sign in (("quantityList", signs.get(each.get("action", ""), 0)), ("inputQuantityList", -1),
                            ("outputQuantityList", 1)):  # fmt: skip
            for line in each.get(field, ()):
                total[line["epcClass"]] += sign * round(line["quantity"] * MILLION)
    return total


@few
@given(st.lists(happenings, max_size=12))
def test_made_anew_it_is_the_same(things: list[Any]) -> None:
    plant = tenant(f"p{next(_numbers)}")
    taken = happened(plant, things)
    before = kept(plant)
    assert standing(plant).count() == len(taken)
    assert rebuild(plant) <= len(taken)
    assert kept(plant) == before


@few
@given(st.lists(happenings, max_size=12))
def test_of_each_lot_there_is_what_was_made_less_what_was_used(things: list[Any]) -> None:
    plant = tenant(f"p{next(_numbers)}")
    expected = balance(happened(plant, things))
    found: Counter[str] = Counter()
    for row in Stock.objects.of(plant):
        found[row.thing] += row.quantity
    for lot in LOTS:
        assert found[lot] == expected[lot]


@few
@given(st.lists(happenings, max_size=8), happenings.filter(lambda thing: isinstance(thing, dict)))
def test_a_declaration_undoes_exactly_what_its_event_did(things: list[Any], last: dict[str, Any]) -> None:
    plant = tenant(f"p{next(_numbers)}")
    happened(plant, things)
    before = kept(plant)
    wrong = happened(plant, [last])
    if wrong:
        take(plant, declared(wrong[0]))
    assert kept(plant) == before


@few
@given(st.lists(happenings, max_size=10))
def test_one_request_does_what_many_do(things: list[Any]) -> None:
    one, many = tenant(f"p{next(_numbers)}"), tenant(f"p{next(_numbers)}")
    happened(many, things)
    stored = Event.objects.of(many).order_by("sequence").values_list("document", flat=True)
    if stored:
        take(one, *stored)
    assert _without_keys(kept(one)) == _without_keys(kept(many))


def _without_keys(tables: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        name: sorted(({k: v for k, v in row.items() if k not in {"id", "tenant_id"}} for row in rows), key=repr)
        for name, rows in tables.items()
    }
