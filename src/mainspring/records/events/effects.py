"""What follows from one event: sums that later events add to, so that taking an event back is subtracting them.

An event counts here if its read point or its location is an asset of ours; others are kept and found, no more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pydantic_core import PydanticCustomError

from mainspring.core.text import Text
from mainspring.records.events.forms import EventForm, ObjectEvent, Quantities, TransformationEvent, milliseconds
from mainspring.records.events.identifiers import ASSET, ENERGY, OPERATION, ORDER, thing_of
from mainspring.records.events.units import MILLION, amount_of
from mainspring.records.events.vocabulary import (
    COMPLETING,
    CONSUMING,
    ORDER_TYPE,
    REPORTING,
    SCRAPPING,
    STARTING,
    STATE,
    short,
)
from mainspring.records.events.vocabulary import OPERATION as OPERATION_TYPE

STEPS: Final = {STARTING: "started", COMPLETING: "completed", SCRAPPING: "scrapped"}
_SELF: Final = Text(
    "{thing} cannot be made of itself. Give what comes out a lot of its own.",
    "{thing} 不能由自身产生，请为产出使用新的批次。",
)


class StockKey(NamedTuple):
    """Of what, in which unit, where."""

    thing: str
    unit: str
    location: str


class WorkKey(NamedTuple):
    """What an operation of an order works on."""

    order: str
    operation: str
    item: str
    unit: str


class LineageKey(NamedTuple):
    """That a process used (or made, if `made`) a lot or unit."""

    process: str
    made: bool
    thing: str
    unit: str


class UseKey(NamedTuple):
    """What an order used up at an asset."""

    order: str
    asset: str
    item: str
    unit: str


class Mark(NamedTuple):
    """From when an asset is in a state."""

    asset: str
    time_ms: int
    state: str


@dataclass(slots=True)
class Effects:
    """Sums by key, in millionths of the unit."""

    stock: Counter[StockKey] = field(default_factory=Counter)
    started: Counter[WorkKey] = field(default_factory=Counter)
    completed: Counter[WorkKey] = field(default_factory=Counter)
    scrapped: Counter[WorkKey] = field(default_factory=Counter)
    lineage: Counter[LineageKey] = field(default_factory=Counter)
    mentions: Counter[LineageKey] = field(default_factory=Counter)
    """How many events say it."""
    used: Counter[UseKey] = field(default_factory=Counter)
    marks: list[Mark] = field(default_factory=list)


class EffectFault(ValueError):
    """An event cannot be counted."""

    def __init__(self, field: str, text: Text) -> None:
        self.field, self.text = field, text
        super().__init__(text.en)


class Part(NamedTuple):
    """So much of a thing, in millionths."""

    thing: str
    unit: str
    amount: int


NOTHING: Final = Effects()


def of(form: EventForm, event_id: str) -> Effects:
    """Return what follows from an event; raises EffectFault. `event_id` names a transformation without its own id."""
    read = form.read_point.id if form.read_point else ""
    location = form.biz_location.id if form.biz_location else ""
    if not (read.startswith(ASSET) or location.startswith(ASSET)):
        return NOTHING
    effects = Effects()
    if isinstance(form, ObjectEvent):
        _object(effects, form, read, location)
    elif isinstance(form, TransformationEvent):
        _transformation(effects, form, read, location, event_id)
    return effects


def _object(effects: Effects, form: ObjectEvent, read: str, location: str) -> None:
    parts = _parts(form.epcs, form.quantities, "quantityList")
    order, operation = _work(form)
    asset = read or location
    if form.biz_step == REPORTING:
        if form.disposition and form.disposition.startswith(STATE):
            at_ms, state = milliseconds(form.time), form.disposition.removeprefix(STATE)
            effects.marks += [Mark(uri, at_ms, state) for uri in form.epcs if uri.startswith(ASSET)]
        return
    if form.biz_step == CONSUMING:
        _use(effects, parts, order, asset)
    if form.biz_step in STEPS:
        sums: Counter[WorkKey] = getattr(effects, STEPS[form.biz_step])
        for part in parts:
            sums[WorkKey(order, operation, thing_of(part.thing).item, part.unit)] += part.amount
    left, arrived = _moved(form, read, location)
    for part in parts:
        if part.thing.startswith((ENERGY, ASSET)):
            continue
        if left:
            effects.stock[StockKey(part.thing, part.unit, left)] -= part.amount
        if arrived:
            effects.stock[StockKey(part.thing, part.unit, arrived)] += part.amount


def _moved(form: ObjectEvent, read: str, location: str) -> tuple[str, str]:
    """Return which of our places things left and where they arrived; empty for none."""
    here = location or read
    source = next((each.source for each in form.sources if short("party", each.type) == "location"), "")
    target = next((each.destination for each in form.destinations if short("party", each.type) == "location"), "")
    if form.action == "ADD":
        left, arrived = "", here
    elif form.action == "DELETE":
        left, arrived = source or here, ""
    elif source or target:
        left, arrived = source, target or location
    else:
        left, arrived = "", ""
    if left == arrived:
        return "", ""
    return (left if left.startswith(ASSET) else ""), (arrived if arrived.startswith(ASSET) else "")


def _transformation(effects: Effects, form: TransformationEvent, read: str, location: str, event_id: str) -> None:
    order, operation = _work(form)
    inputs = _parts(form.input_epcs, form.input_quantities, "inputQuantityList")
    outputs = _parts(form.output_epcs, form.output_quantities, "outputQuantityList")
    process = form.transformation or event_id
    used_at, made_at = read or location, location or read
    for parts, made, place in ((inputs, False, used_at), (outputs, True, made_at)):
        for part in parts:
            if part.thing.startswith(ENERGY):
                continue
            if place.startswith(ASSET):
                effects.stock[StockKey(part.thing, part.unit, place)] += part.amount if made else -part.amount
            if thing_of(part.thing).traced:
                key = LineageKey(process, made, part.thing, part.unit)
                effects.lineage[key] += part.amount
                effects.mentions[key] += 1
    used = {part.thing for part in inputs if thing_of(part.thing).traced}
    for part in outputs:
        if part.thing in used:
            raise EffectFault("outputQuantityList", _SELF.format(thing=part.thing))
        if operation:
            effects.completed[WorkKey(order, operation, thing_of(part.thing).item, part.unit)] += part.amount
    _use(effects, inputs, order, used_at)


def _use(effects: Effects, parts: list[Part], order: str, asset: str) -> None:
    for part in parts:
        effects.used[UseKey(order, asset, thing_of(part.thing).item, part.unit)] += part.amount


def _work(form: EventForm) -> tuple[str, str]:
    """Return the order and the operation that an event belongs to; empty for none."""
    order = operation = ""
    for each in form.transactions:
        if each.biz_transaction.startswith(OPERATION) and each.type in {None, OPERATION_TYPE}:
            operation = each.biz_transaction
        elif each.biz_transaction.startswith(ORDER) or short("transaction", each.type or "") == ORDER_TYPE:
            order = order or each.biz_transaction
    if operation and not order:
        order = ORDER + operation.removeprefix(OPERATION).split(":")[0]
    return order, operation


def _parts(epcs: list[str], quantities: Quantities, field: str) -> list[Part]:
    parts = [Part(uri, "{count}", MILLION) for uri in epcs]
    for number, each in enumerate(quantities):
        try:
            amount, unit = amount_of(each.quantity, each.uom or "")
        except PydanticCustomError as error:
            told = error.context or {}
            raise EffectFault(f"{field}.{number}.quantity", Text(told["text_en"], told["text_zh"])) from error
        parts.append(Part(each.epc_class, unit, amount))
    return parts
