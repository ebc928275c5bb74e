"""What happened in the demo plant in the last days, as EPCIS events: where its lots come from and where they went.

Amounts follow the bills of material in `business_rows`: 62 kg of G of 2 kg of A, 28 kg of C and 32 kg of D.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from mainspring.demo.business_rows import FEED, STRIPPER, Clock
from mainspring.demo.edge import MACHINE as MACHINE_7
from mainspring.demo.machine import MACHINE as LATHE
from mainspring.demo.plant import CHILLER
from mainspring.records.events.identifiers import (
    asset_uri,
    energy_uri,
    item_uri,
    lot_uri,
    operation_uri,
    order_uri,
)
from mainspring.records.events.vocabulary import (
    COMPLETING,
    CONSUMING,
    CONTEXT,
    OPERATION,
    REPORTING,
    SCRAPPING,
    STARTING,
    STATE,
)

Event = dict[str, Any]
DRUM: Final = "urn:epc:id:sscc:9521321.0000000417"
"""9521321 is of the prefixes that GS1 keeps for examples."""
CUSTOMER: Final = "urn:epc:id:sgln:9521321.00042.0"
SENSOR: Final = "urn:epc:id:giai:9521321.TE-0207"


def events(clock: Clock) -> dict[str, Any]:
    """Return what happened as a document of EPCIS 2.0, in the order in which it was told."""
    day = _Day(clock)
    listed = [*_arrivals(day), *_product_h(day), *_product_g(day), *_hubs(day), *_equipment(day), *_errors(day)]
    return {
        "@context": [CONTEXT], "type": "EPCISDocument", "schemaVersion": "2.0",
        "creationDate": clock.now.isoformat(timespec="seconds"), "epcisBody": {"eventList": listed},
    }  # fmt: skip


class _Day:
    """Makes events so many days from now."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def moment(self, days: int, at: str) -> str:
        made = datetime.fromtimestamp(self.clock.at(days, at) / 1000, self.clock.now.tzinfo)
        return made.isoformat(timespec="seconds")

    def event(self, days: int, at: str, sort: str, **more: Any) -> Event:
        moment = self.moment(days, at)
        return {"type": sort, "eventTime": moment, "eventTimeZoneOffset": moment[-6:], **more}

    def added(self, days: int, at: str, place: str, *things: Event, **more: Any) -> Event:
        return self.event(
            days, at, "ObjectEvent", action="ADD", bizStep="receiving", bizLocation=_at(place),
            quantityList=list(things), **more,
        )  # fmt: skip

    def seen(self, days: int, at: str, step: str, place: str, *things: Event, **more: Any) -> Event:
        listed = {"quantityList": list(things)} if things else {}
        return self.event(
            days, at, "ObjectEvent", action="OBSERVE", bizStep=step, readPoint=_at(place), **listed, **more
        )

    def made(self, days: int, at: str, inputs: list[Event], output: Event, **more: Any) -> Event:
        return self.event(
            days, at, "TransformationEvent", inputQuantityList=inputs, outputQuantityList=[output],
            bizStep=more.pop("bizStep", "creating_class_instance"), **more,
        )  # fmt: skip


def _arrivals(day: _Day) -> list[Event]:
    return [
        day.added(-15, "09:20", FEED, _much(_lot("E-1187"), 9200), disposition="in_progress"),
        day.added(-12, "08:10", FEED, _much(_lot("D-2204"), 26_000), disposition="in_progress"),
        day.seen(-12, "08:55", "inspecting", FEED, _much(_lot("D-2204"), 26_000), disposition="conformant"),
        day.added(-12, "10:15", FEED, _much(item_uri("TE-A"), 2000), _much(item_uri("TE-C"), 26_000)),
        day.added(-3, "07:40", FEED, _much(item_uri("TE-A"), 900), _much(item_uri("TE-C"), 12_000)),
    ]


def _product_h(day: _Day) -> list[Event]:
    inputs = [_much(item_uri("TE-A"), 200), _much(item_uri("TE-C"), 2800), _much(_lot("E-1187"), 4600)]
    lot = _much(_lot("H-0211"), 7600)
    return [
        day.made(-6, "05:50", inputs, lot, readPoint=_at(FEED), bizLocation=_at(STRIPPER)),
        day.seen(-6, "13:20", "inspecting", STRIPPER, lot, disposition="conformant"),
    ]


def _product_g(day: _Day) -> list[Event]:
    old, bad, good = (_much(_lot(f"G-041{end}"), amount) for end, amount in ((6, 6200), (7, 6200), (8, 12_400)))
    drum = _much(_lot("G-0418"), 200)
    sold = [{"type": "po", "bizTransaction": order_uri("SO-1001")}]
    warm = {"sensorReport": [{"type": "Temperature", "value": 38.4, "uom": "CEL"}]}
    return [
        _g(day, -4, 6200, "G-0416"),
        day.seen(-4, "13:30", "inspecting", STRIPPER, old, disposition="conformant"),
        day.seen(-3, "05:20", "shipping", STRIPPER, old, disposition="in_transit", bizTransactionList=sold,
                 sourceList=[{"type": "location", "source": asset_uri(STRIPPER)}],
                 destinationList=[{"type": "location", "destination": CUSTOMER}]),
        _g(day, -3, 6200, "G-0417"),
        day.seen(-3, "10:05", "inspecting", STRIPPER, bad, disposition="non_conformant"),
        day.seen(-3, "10:20", "holding", STRIPPER, bad, disposition="unavailable"),
        _g(day, -2, 12_400, "G-0418"),
        day.seen(-2, "13:40", "sampling", STRIPPER, drum, bizLocation=_at(STRIPPER)),
        day.seen(-2, "15:10", "inspecting", STRIPPER, good, disposition="conformant"),
        day.seen(-2, "15:40", "storing", STRIPPER, good, disposition="available", bizLocation=_at(STRIPPER),
                 sensorElementList=[warm]),
        day.event(-1, "09:00", "AggregationEvent", action="ADD", bizStep="packing", parentID=DRUM,
                  childQuantityList=[drum], disposition="container_closed", readPoint=_at(STRIPPER)),
        day.event(-1, "09:30", "TransactionEvent", action="ADD", bizStep="staging_outbound", parentID=DRUM,
                  disposition="reserved", bizTransactionList=sold, readPoint=_at(STRIPPER)),
        day.seen(-1, "06:00", CONSUMING, CHILLER, _much(energy_uri("electricity"), 1840, "KWH"),
                 bizTransactionList=[_order("WO-1002")]),
    ]  # fmt: skip


def _g(day: _Day, days: int, amount: int, lot: str, told: int | None = None, **more: Any) -> Event:
    """Return the making of so much of G; `told` is what somebody typed for it."""
    part = amount // 62
    inputs = [_much(item_uri("TE-A"), 2 * part), _much(item_uri("TE-C"), 28 * part), _much(_lot("D-2204"), 32 * part)]
    return day.made(
        days, "05:50", inputs, _much(_lot(lot), told or amount), readPoint=_at(FEED), bizLocation=_at(STRIPPER),
        bizTransactionList=[_order("WO-1002")], **more,
    )  # fmt: skip


def _hubs(day: _Day) -> list[Event]:
    shells, axles = item_uri("SH-9312"), item_uri("SD-9872")
    hubs = item_uri("HU-8998")

    def worked(at: str, step: str, operation: str, pieces: int) -> Event:
        named = {"type": OPERATION, "bizTransaction": operation_uri("WO-1001", operation)}
        return day.seen(-1, at, step, LATHE, _much(hubs, pieces, ""), bizTransactionList=[_order("WO-1001"), named])

    return [
        day.added(-2, "08:10", LATHE, _much(shells, 60, ""), _much(axles, 60, "")),
        worked("06:10", STARTING, "10", 25),
        worked("11:30", COMPLETING, "10", 24),
        worked("11:32", SCRAPPING, "10", 1),
        day.made(-1, "13:45", [_much(shells, 24, ""), _much(axles, 24, "")], _much(hubs, 24, ""),
                 bizStep="assembling", readPoint=_at(LATHE), bizTransactionList=[_order("WO-1001")]),
    ]  # fmt: skip


def _equipment(day: _Day) -> list[Event]:
    states = (("06:05", "running"), ("13:50", "idle"), ("14:10", "running"), ("21:40", "stopped"))
    return [
        *(day.seen(-1, at, REPORTING, LATHE, disposition=f"{STATE}{state}", epcList=[asset_uri(LATHE)])
          for at, state in states),
        day.event(-2, "16:00", "AssociationEvent", action="ADD", bizStep="installing", parentID=asset_uri(MACHINE_7),
                  childEPCs=[SENSOR], readPoint=_at(MACHINE_7)),
    ]  # fmt: skip


def _errors(day: _Day) -> list[Event]:
    """Return a wrong amount with the event that stands for it, and a shipment that never was, each declared wrong."""
    wrong, right, never = (f"urn:uuid:{uuid5(NAMESPACE_URL, f'mainspring/demo/{name}')}" for name in "abc")
    mistyped = _g(day, -1, 6200, "G-0419", told=2600, eventID=wrong)
    shipment = day.seen(
        -1, "16:20", "shipping", STRIPPER, _much(_lot("H-0211"), 1000), disposition="in_transit", eventID=never,
        sourceList=[{"type": "location", "source": asset_uri(STRIPPER)}],
        destinationList=[{"type": "location", "destination": CUSTOMER}],
    )  # fmt: skip
    return [
        mistyped,
        {**mistyped, "errorDeclaration": {"declarationTime": day.moment(-1, "08:15"), "reason": "incorrect_data",
                                          "correctiveEventIDs": [right]}},
        _g(day, -1, 6200, "G-0419", eventID=right),
        shipment,
        {**shipment, "errorDeclaration": {"declarationTime": day.moment(-1, "17:05"), "reason": "did_not_occur"}},
        day.seen(-1, "14:30", "sampling", STRIPPER, _much(_lot("G-0419"), 1),
                 bizTransactionList=[{"type": "testprd", "bizTransaction": order_uri("IN-1001")}]),
    ]  # fmt: skip


def _lot(number: str) -> str:
    return lot_uri(f"TE-{number[0]}", number)


def _at(path: str) -> dict[str, str]:
    return {"id": asset_uri(path)}


def _order(number: str) -> dict[str, str]:
    return {"type": "prodorder", "bizTransaction": order_uri(number)}


def _much(thing: str, quantity: int, unit: str = "KGM") -> dict[str, Any]:
    return {"epcClass": thing, "quantity": quantity} | ({"uom": unit} if unit else {})
