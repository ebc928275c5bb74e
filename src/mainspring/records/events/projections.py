"""Keeps what follows from events: added to with each capture, in its transaction, or made anew from all events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from django.db import transaction
from django.db.models import Q

from mainspring.core.text import Text
from mainspring.records.events import effects as effect
from mainspring.records.events.effects import Effects, StockKey
from mainspring.records.events.event import Event, Role, standing
from mainspring.records.events.forms import EVENTS
from mainspring.records.events.identifiers import ASSET, thing_of
from mainspring.records.events.tallies import TALLIES, Lineage, StateSpan, Stock, Tally, Use, WorkInProgress, row_id
from mainspring.records.events.units import MILLION, told
from mainspring.records.events.vocabulary import REPORTING, STATE
from mainspring.records.faults import FIELDS_MAX, Invalid
from mainspring.records.inserts import insert
from mainspring.records.tenant import Tenant

CHUNK: Final = 500
"""Keys asked for in one statement."""
REBUILD_EVENTS: Final = 5000
"""Events taken in at once when everything is made anew."""
WALK_MAX: Final = 200_000
"""Most lots and processes looked at to see that nothing comes from itself."""

_SHORT: Final = Text(
    "{location} would hold {amount} {unit} of {thing}. Record what came in first, or declare the wrong event.",
    "{location} 的 {thing} 将变为 {amount} {unit}，请先记录入库，或对错误事件作更正声明。",
)
_TWICE: Final = Text("{thing} is one unit and is at {location} already.", "{thing} 为单件，且已在 {location}。")
_CYCLE: Final = Text(
    "{thing} would come from itself. Give what comes out a lot of its own.",
    "{thing} 将成为自身的来源，请为产出使用新的批次。",
)
_FAR: Final = Text(
    "What is made of these lots reaches further than {limit} steps, so that circles cannot be ruled out.",
    "这些批次的后续关系超过 {limit} 步，无法排除循环。",
)

T = TypeVar("T")
Sums = dict[tuple[Any, ...], list[int]]


class Deed(NamedTuple):
    """What follows from one event, added (1) or taken back (-1)."""

    effects: Effects
    sign: int
    path: str = ""
    free: bool = False
    """It corrects something, so that stock may go below nothing for it."""


def take_in(tenant: Tenant, deeds: Sequence[Deed], *, checked: bool = False) -> None:
    """Add what follows from stored events; raises Invalid for what cannot be, unless that was `checked` before."""
    changes = _totals(deeds)
    before = {table: _write(tenant, table, changes[table]) for table in TALLIES}
    if not checked:
        _refuse_short(deeds, before[Stock])
        _refuse_cycles(tenant, deeds)
    since: dict[str, int] = {}
    for deed in deeds:
        for mark in deed.effects.marks:
            since[mark.asset] = min(mark.time_ms, since.get(mark.asset, mark.time_ms))
    for asset, time_ms in since.items():
        _span(tenant, asset, time_ms)


def rebuild(tenant: Tenant) -> int:
    """Make all tables anew from the events of a tenant; returns how many events were taken in."""
    count = 0
    with transaction.atomic():
        Tenant.objects.select_for_update().get(pk=tenant.pk)
        for table in TALLIES:
            table.objects.of(tenant).delete()
        StateSpan.objects.of(tenant).delete()
        ours = Q(read_point__startswith=ASSET) | Q(biz_location__startswith=ASSET)
        rows = standing(tenant).filter(ours).order_by("sequence").iterator(chunk_size=REBUILD_EVENTS)
        while batch := list(islice(rows, REBUILD_EVENTS)):
            take_in(tenant, [Deed(effects_of(row), 1) for row in batch], checked=True)
            count += len(batch)
    return count


def effects_of(event: Event) -> Effects:
    """Return what follows from a stored event."""
    return effect.of(EVENTS[event.kind].model_validate(event.document), event.event_id)


def _totals(deeds: Iterable[Deed]) -> dict[type[Tally], Sums]:
    totals: dict[type[Tally], Sums] = {
        Stock: defaultdict(lambda: [0]), WorkInProgress: defaultdict(lambda: [0, 0, 0]),
        Lineage: defaultdict(lambda: [0, 0]), Use: defaultdict(lambda: [0]),
    }  # fmt: skip
    for deed in deeds:
        found = deed.effects
        for table, place, sums in (
            (Stock, 0, found.stock), (WorkInProgress, 0, found.started), (WorkInProgress, 1, found.completed),
            (WorkInProgress, 2, found.scrapped), (Lineage, 0, found.lineage), (Lineage, 1, found.mentions),
            (Use, 0, found.used),
        ):  # fmt: skip
            kept = totals[table]
            for key, amount in sums.items():
                kept[key][place] += deed.sign * amount
    return totals


def _write(tenant: Tenant, table: type[Tally], changes: Sums) -> dict[tuple[Any, ...], int]:
    """Add to the rows of a table; returns the first sum of each as it was before."""
    if not changes:
        return {}
    ids = {row_id(tenant, *key): key for key in changes}
    before: dict[tuple[Any, ...], list[int]] = {}
    for some in _chunks(ids):
        found = table.objects.of(tenant).filter(pk__in=some)
        for row in found.values_list("pk", *table.sums):
            before[ids[row[0]]] = list(row[1:])
    for some in _chunks([id for id, key in ids.items() if key in before]):
        table.objects.of(tenant).filter(pk__in=some).delete()
    rows = []
    columns = [column.attname for column in table._meta.concrete_fields]
    for id, key in ids.items():
        sums = [old + new for old, new in zip(before.get(key, [0] * len(table.sums)), changes[key], strict=True)]
        if any(sums):
            values = {"id": id, "tenant_id": tenant.pk, **dict(zip(table.key, key, strict=True))}
            values |= dict(zip(table.sums, sums, strict=True))
            if table is Stock:
                values["item"] = thing_of(key[0]).item
            rows.append(table.from_db(None, columns, [values[column] for column in columns]))
    insert(rows)
    return {key: sums[0] for key, sums in before.items()}


def _refuse_short(deeds: Iterable[Deed], before: Mapping[tuple[Any, ...], int]) -> None:
    """Follow the stock event by event; raises Invalid naming those that take what is not there."""
    balances: dict[StockKey, int] = {}
    faults: dict[str, Text] = {}
    for deed in deeds:
        for key, amount in deed.effects.stock.items():
            after = balances.get(key, before.get(key, 0)) + deed.sign * amount
            balances[key] = after
            if deed.free or len(faults) >= FIELDS_MAX:
                continue
            if amount < 0 and after < 0:
                faults[deed.path] = _SHORT.format(
                    location=key.location, amount=told(after), unit=key.unit, thing=key.thing
                )
            elif amount > 0 and after > MILLION and thing_of(key.thing).single:
                faults[deed.path] = _TWICE.format(thing=key.thing, location=key.location)
    if faults:
        raise Invalid(faults)


def _refuse_cycles(tenant: Tenant, deeds: Sequence[Deed]) -> None:
    """Walk forward from what the new processes make; raises Invalid if the way comes back."""
    rows = Lineage.objects.of(tenant)
    new = {key.process for deed in deeds if deed.sign > 0 for key in deed.effects.mentions}
    edges: dict[str, set[str]] = {}
    processes, things = list(new), list[str]()
    while processes:
        things = []
        for some in _chunks(processes):
            for process, thing in rows.filter(process__in=some, made=True).values_list("process", "thing"):
                # A process and a thing may have the same name.
                edges.setdefault(f">{process}", set()).add(thing)
                if thing not in edges:
                    edges[thing] = set()
                    things.append(thing)
        processes = []
        for some in _chunks(things):
            for process, thing in rows.filter(thing__in=some, made=False).values_list("process", "thing"):
                edges[thing].add(f">{process}")
                if f">{process}" not in edges:
                    edges[f">{process}"] = set()
                    if process not in new:
                        processes.append(process)
        if len(edges) > WALK_MAX:
            raise Invalid({"": _FAR.format(limit=WALK_MAX)})
    led_to = _circling(edges)
    backward: dict[str, set[str]] = {node: set() for node in led_to}
    for node in led_to:
        for target in edges[node] & led_to:
            backward[target].add(node)
    left = _circling(backward)
    if left:
        for deed in deeds:
            for key in deed.effects.mentions:
                if deed.sign > 0 and key.made and f">{key.process}" in left and key.thing in left:
                    raise Invalid({deed.path: _CYCLE.format(thing=key.thing)})


def _circling(edges: Mapping[str, set[str]]) -> set[str]:
    """Return what is left when everything that nothing leads to is taken away, again and again."""
    leading: dict[str, int] = dict.fromkeys(edges, 0)
    for targets in edges.values():
        for target in targets:
            leading[target] = leading.get(target, 0) + 1
    free = [node for node, count in leading.items() if not count]
    left = set(leading)
    while free:
        node = free.pop()
        left.discard(node)
        for target in edges.get(node, ()):
            leading[target] -= 1
            if not leading[target]:
                free.append(target)
    return left


def _span(tenant: Tenant, asset: str, since_ms: int) -> None:
    """Make the spans of an asset anew from the one before a time."""
    spans = StateSpan.objects.of(tenant).filter(asset=asset)
    last = spans.filter(start_ms__lt=since_ms).order_by("-start_ms").first()
    begin_ms = last.start_ms if last else -(2**62)
    marks = standing(tenant).filter(
        Q(read_point__startswith=ASSET) | Q(biz_location__startswith=ASSET),
        kind="ObjectEvent", biz_step=REPORTING, disposition__startswith=STATE, time_ms__gte=begin_ms,
        lines__thing=asset, lines__role=Role.WHAT,
    )  # fmt: skip
    found: list[StateSpan] = []
    for time_ms, disposition in marks.order_by("time_ms", "sequence").values_list("time_ms", "disposition"):
        state = disposition.removeprefix(STATE)
        if found and found[-1].start_ms == time_ms:
            found.pop()
        if found and found[-1].state == state:
            found[-1].end_ms = None
            continue
        if found:
            found[-1].end_ms = time_ms
        made = row_id(tenant, "span", asset, time_ms)
        found.append(StateSpan(id=made, tenant=tenant, asset=asset, start_ms=time_ms, end_ms=None, state=state))
    spans.filter(start_ms__gte=begin_ms).delete()
    insert(found)


def _chunks(values: Iterable[T]) -> Iterator[list[T]]:
    waiting = iter(values)
    while some := list(islice(waiting, CHUNK)):
        yield some
