"""Browsing what MTConnect describes: devices, their parts and data items, with what is needed to make tags of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from mainspring.core.drivers import Node
from mainspring.core.kinds import SampleKind
from mainspring.drivers.mtconnect_samples import Observation, spoken
from mainspring.drivers.mtconnect_words import UNAVAILABLE, kind_of, unit_of
from mainspring.drivers.mtconnect_xml import Component, Item

TEXT_MAX: Final = 120
AXES: Final = ("X", "Y", "Z")
_SEPARATOR: Final = "/"


def children(devices: list[Component], parent: str | None, state: Iterable[Observation], limit: int) -> list[Node]:
    """List at most `limit` entries below a node; None is the agent, an id a path of ids."""
    values = {each.item: each for each in state}
    if parent is None:
        return [_part(device, device.id) for device in devices][:limit]
    above, part = _find(devices, parent)
    if part is None:
        return []
    if isinstance(part, Item):
        return [_element(part, parent, index, values.get(part.id)) for index in range(len(AXES))][:limit]
    items = [_item(item, f"{above}{_SEPARATOR}{item.id}", values.get(item.id)) for item in part.items]
    parts = [_part(each, f"{above}{_SEPARATOR}{each.id}") for each in part.components]
    return [*items, *parts][:limit]


def _find(devices: list[Component], path: str) -> tuple[str, Component | Item | None]:
    """Find a part by the ids on the way to it."""
    first, *rest = path.split(_SEPARATOR)
    part: Component | Item | None = next((device for device in devices if device.id == first), None)
    for id_ in rest:
        if not isinstance(part, Component):
            return path, None
        below: list[Component | Item] = [*part.components, *part.items]
        part = next((each for each in below if each.id == id_), None)
    return path, part


def _part(part: Component, path: str) -> Node:
    name = part.name if part.name == part.kind else f"{part.kind} {part.name}"
    return Node(path, name, bool(part.items or part.components), description=part.description)


def _item(item: Item, path: str, state: Observation | None) -> Node:
    kind = kind_of(item.category, item.type, item.units, tuple(item.values))
    if item.is_vector or item.representation == "TIME_SERIES":
        kind = SampleKind.ARRAY
    # A set of entries becomes tags one by one: their keys are not described, the address names one.
    plain = item.representation in ("", "VALUE", "DISCRETE", "TIME_SERIES")
    address: dict[str, Any] | None = None
    if plain:
        address = {"item": item.id}
        if kind is SampleKind.ENUMERATION and item.category == "EVENT":
            address["values"] = list(item.vocabulary)
    words = " ".join(filter(None, (item.category, item.type, item.sub_type, item.representation)))
    return Node(
        path, item.name or item.id, item.is_vector, kind if plain else None, address, unit_of(item.units), words,
        value=_value(state),
    )  # fmt: skip


def _element(item: Item, path: str, index: int, state: Observation | None) -> Node:
    numbers = _value(state).split()
    shown = numbers[index] if index < len(numbers) else ""
    name = f"{item.name or item.id} {AXES[index]}"
    address = {"item": item.id, "index": index}
    return Node(
        f"{path}{_SEPARATOR}{index}", name, False, SampleKind.FLOAT, address, unit_of(item.units), item.type,
        value=shown,
    )  # fmt: skip


def _value(state: Observation | None) -> str:
    if state is None or UNAVAILABLE in (state.text, state.level):
        return ""
    return (spoken(state) if state.level else state.text)[:TEXT_MAX]
