"""Writing over OPC UA: each value in the type its node has, with the server's verdict for each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from mainspring.core.drivers import DriverTag, Value
from mainspring.core.errors import MainspringError, Rejected
from mainspring.core.text import Text
from mainspring.drivers.opcua_session import VALUE, item, node_id, status_name

if TYPE_CHECKING:
    from mainspring.drivers.opcua_session import Session

_DATA_TYPE: Final = 14
_INTEGERS: Final = {
    2: (-(2**7), 2**7), 3: (0, 2**8), 4: (-(2**15), 2**15), 5: (0, 2**16), 6: (-(2**31), 2**31), 7: (0, 2**32),
    8: (-(2**63), 2**63), 9: (0, 2**64),
}  # fmt: skip
# Abstract number types of namespace 0 and what is written to a node that has one of them and no value yet.
_ABSTRACT: Final = {"i=26": 11, "i=27": 8, "i=28": 9, "i=29": 6, "i=290": 11, "i=294": 13}

_REFUSED: Final = Text(
    "The server did not take {value} for {node}: {status}. Check value, type and the right to write.",
    "服务器没有接受 {node} 的写入值 {value}：{status}。请检查数值、类型和写入权限。",
)
_UNFIT: Final = Text(
    "{value} does not fit {node}, which is {type}. Write a value of that type and within its range.",
    "{value} 与 {node} 的类型 {type} 不符。请写入该类型范围内的数值。",
)
_UNKNOWN: Final = Text(
    "The type of {node} cannot be written ({type}). Choose a node that holds a single number, truth value or text.",
    "{node} 的类型不支持写入（{type}）。请选择单个数值、布尔或文本节点。",
)
_WHOLE: Final = Text(
    "The server does not give element {index} of {node} alone, so it is not written. Write a node with a single value.",
    "服务器不能单独访问 {node} 的第 {index} 个元素，因此未写入。请改写单值节点。",
)


async def write_values(
    session: Session, items: Sequence[tuple[DriverTag, Value]], types: dict[str, int]
) -> list[MainspringError | None]:
    """Write all values in as few requests as the server allows; `types` remembers what nodes hold."""
    from asyncua import ua

    await _learn(session, [tag.address.node for tag, _ in items], types)
    outcomes: list[MainspringError | None] = [await _element(session, tag) for tag, _ in items]
    wanted: list[tuple[int, Any]] = []
    for place, (tag, value) in enumerate(items):
        if outcomes[place]:
            continue
        try:
            wanted.append((place, _request(tag, value, types)))
        except MainspringError as error:
            outcomes[place] = error
    step = session.limits[1]
    for start in range(0, len(wanted), step):
        part = wanted[start : start + step]
        verdicts = await session.call(session.services.write(ua.WriteParameters([one for _, one in part])))
        for (place, _), verdict in zip(part, verdicts, strict=True):
            if not verdict.is_good():
                tag, value = items[place]
                outcomes[place] = Rejected(
                    _REFUSED, value=value, node=tag.address.node, status=status_name(int(verdict.value))
                )
    return outcomes


async def _element(session: Session, tag: DriverTag) -> MainspringError | None:
    """Refuse to write an element where the server does not know ranges: it would replace the whole array."""
    address = tag.address
    if address.index is None:
        return None
    asked = item(address.node)
    asked.IndexRange = str(address.index)
    (held,) = await session.readings([asked])
    alone = isinstance(held.value, list) and len(held.value) == 1
    return None if alone else Rejected(_WHOLE, node=address.node, index=address.index)


async def _learn(session: Session, nodes: list[str], types: dict[str, int]) -> None:
    """Find the built-in types of nodes by what they hold, or else by what they are declared to hold."""
    unknown = sorted(set(nodes) - types.keys())
    if not unknown:
        return
    held = await session.values(unknown)
    declared = await session.values(unknown, _DATA_TYPE)
    for node, now, kind in zip(unknown, held, declared, strict=True):
        name = str(kind.value)
        number = int(name[2:]) if name.startswith("i=") and name[2:].isdecimal() else 0
        found = now.type or (number if 0 < number <= 25 else _ABSTRACT.get(name, 0))
        if found:
            types[node] = found


def _request(tag: DriverTag, value: Value, types: dict[str, int]) -> Any:
    from asyncua import ua
    from asyncua.ua.attribute_ids import AttributeIds

    address = tag.address
    kind = types.get(address.node, 0)
    fitted = fit(kind, value)
    if fitted is None:
        name = ua.VariantType(kind).name if kind in range(26) else str(kind)
        known = kind in _INTEGERS or kind in (1, 10, 11, 12, 13, 21)
        raise Rejected(_UNFIT if known else _UNKNOWN, value=value, node=address.node, type=name)
    if kind == 21:
        fitted = ua.LocalizedText(fitted)
    whole = address.index is None
    variant = ua.Variant(fitted if whole else [fitted], ua.VariantType(kind))
    plain = ua.DataValue(variant, StatusCode=None)  # many servers take neither status nor time from a client
    return ua.WriteValue(node_id(address.node), AttributeIds(VALUE), None if whole else str(address.index), plain)


def fit(kind: int, value: Value) -> Any:
    """Return the value as the built-in type takes it, or None if it does not fit."""
    if kind == 1:
        return bool(value) if value in (0, 1) else None
    if bounds := _INTEGERS.get(kind):
        whole = not isinstance(value, str) and value == value // 1 and bounds[0] <= value < bounds[1]
        return int(value) if whole else None
    if kind in (10, 11):
        return None if isinstance(value, str) or (kind == 10 and 3.5e38 < abs(value) < float("inf")) else float(value)
    if kind in (12, 21):
        return value if isinstance(value, str) else None
    if kind == 13 and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    return None
