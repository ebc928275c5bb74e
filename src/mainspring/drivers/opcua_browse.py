"""Browsing an OPC UA server: the children of one node, with what is needed to make tags of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mainspring.core.drivers import Node
from mainspring.core.kinds import SampleKind
from mainspring.core.units import code_of
from mainspring.drivers.opcua_columns import quality_of
from mainspring.drivers.opcua_session import node_id
from mainspring.drivers.opcua_wire import Reader, Reading, Structure

if TYPE_CHECKING:
    from mainspring.drivers.opcua_session import Session

ROOT: Final = "i=85"
"""The Objects folder, below which a server keeps what belongs to the plant."""
REFERENCES_MAX: Final = 64
"""References looked at to tell whether a child has children and a unit."""
TEXT_MAX: Final = 120
_DATA_TYPE, _ACCESS, _DESCRIPTION, _VALUE = 14, 18, 5, 13
_HIERARCHICAL, _PROPERTY = "i=33", 46
_OBJECT, _VARIABLE = 1, 2
_NUMBERS: Final = frozenset({SampleKind.FLOAT, SampleKind.INTEGER})
_KINDS: Final = {
    1: SampleKind.BOOLEAN, 10: SampleKind.FLOAT, 11: SampleKind.FLOAT,
    **dict.fromkeys(range(2, 10), SampleKind.INTEGER),
    **dict.fromkeys((12, 13, 14, 16, 17, 18, 20, 21), SampleKind.TEXT),
}  # fmt: skip
_ENUMERATION: Final = "i=29"


async def children(session: Session, parent: str | None, limit: int) -> list[Node]:
    """List at most `limit` objects and variables below `parent`."""
    references = (await _browse(session, [parent or ROOT], limit))[0]
    seen = {str(reference.NodeId.to_string()): reference for reference in references[:limit]}
    ids = list(seen)
    below = await _browse(session, ids, REFERENCES_MAX)
    variables = [node for node in ids if int(seen[node].NodeClass) == _VARIABLE]
    facts = {
        attribute: dict(zip(variables, await session.values(variables, attribute), strict=True))
        for attribute in (_DATA_TYPE, _ACCESS, _VALUE)
    }
    described = dict(zip(ids, await session.values(ids, _DESCRIPTION), strict=True))
    units = await _units(session, dict(zip(ids, below, strict=True)))
    nodes = []
    for node, beneath in zip(ids, below, strict=True):
        name = str(seen[node].DisplayName.Text or seen[node].BrowseName.Name or node)
        # A browse that was refused or cut short is taken for children: opening it shows the truth.
        opens = beneath is _UNSURE or any(_number(entry.ReferenceTypeId) != _PROPERTY for entry in beneath)
        description = str(described[node].value or "")[:TEXT_MAX]
        description = "" if description == name else description
        if node not in facts[_VALUE]:
            nodes.append(Node(node, name, opens, description=description))
            continue
        value = facts[_VALUE][node]
        kind = kind_of(str(facts[_DATA_TYPE][node].value), value)
        address: dict[str, Any] | None = None
        if kind is not None:
            address = {"node": node}
            if isinstance(value.value, list):
                # A whole array of numbers is one sample; of other arrays, elements are.
                kind, address = (SampleKind.ARRAY, address) if kind in _NUMBERS else (kind, address | {"index": 0})
        access = facts[_ACCESS][node].value
        writable = isinstance(access, int) and bool(access & 2)
        unit, shown = units.get(node, ""), text_of(value)
        nodes.append(Node(node, name, opens, kind, address, unit, description, writable, shown))
    return nodes


_UNSURE: Final[list[Any]] = []


async def _browse(session: Session, parents: list[str], most: int) -> list[list[Any]]:
    """Browse the children of several nodes; `_UNSURE` stands for those that could not be browsed."""
    from asyncua import ua

    found: list[list[Any]] = []
    step = session.limits[2]
    for start in range(0, len(parents), step):
        asked = [
            ua.BrowseDescription(
                node_id(parent), ua.BrowseDirection.Forward, node_id(_HIERARCHICAL), True,
                _OBJECT | _VARIABLE, ua.BrowseResultMask.All,
            )
            for parent in parents[start : start + step]
        ]  # fmt: skip
        request = ua.BrowseParameters(RequestedMaxReferencesPerNode=most, NodesToBrowse=asked)
        results = await session.call(session.services.browse(request))
        pending = []
        for result in results:
            if result.ContinuationPoint:
                pending.append(result.ContinuationPoint)
            found.append(list(result.References or ()) if result.StatusCode.is_good() else _UNSURE)
        if len(parents) == 1 and not results[0].StatusCode.is_good():
            raise session.refusal(int(results[0].StatusCode.value))
        if pending:
            release = ua.BrowseNextParameters(True, pending)
            await session.call(session.services.browse_next(release))
    return found


async def _units(session: Session, below: dict[str, list[Any]]) -> dict[str, str]:
    """Read the EngineeringUnits property of the nodes that have one."""
    wanted = {
        node: str(entry.NodeId.to_string())
        for node, entries in below.items()
        for entry in entries
        if _number(entry.ReferenceTypeId) == _PROPERTY and entry.BrowseName.Name == "EngineeringUnits"
    }
    readings = await session.values(list(wanted.values()))
    return {node: unit_of(reading.value) for node, reading in zip(wanted, readings, strict=True)}


def _number(node: Any) -> int:
    return int(node.Identifier) if node.NamespaceIndex == 0 and isinstance(node.Identifier, int) else -1


def unit_of(value: Any) -> str:
    """Return the UCUM code of an EUInformation where its sign is known, else the sign itself."""
    if not isinstance(value, Structure) or value.type != "i=889":
        return ""
    reader = Reader(value.body)
    reader.text()
    reader.take(4)
    sign = reader.localized()[:TEXT_MAX]
    return code_of(sign) or sign


def kind_of(data_type: str, value: Reading) -> SampleKind | None:
    """Tell what samples a variable gives, by its declared type, or else by the value it has."""
    declared = int(data_type[2:]) if data_type.startswith("i=") and data_type[2:].isdecimal() else 0
    if declared in _KINDS:
        return _KINDS[declared]
    # A type of its own that travels as Int32 is an enumeration: Part 3, section 8.14.
    if data_type == _ENUMERATION or (value.type == 6 and not 0 < declared <= 25):
        return SampleKind.ENUMERATION
    return _KINDS.get(value.type)


def text_of(value: Reading) -> str:
    """Say a current value in a few characters."""
    if quality_of(value.status) & 0xC0 == 0 or value.value is None:
        return ""
    if isinstance(value.value, Structure):
        return ""
    if isinstance(value.value, list):
        return ("[" + ", ".join(str(element) for element in value.value[:8]) + "]")[:TEXT_MAX]
    return (f"{value.value:.6g}" if isinstance(value.value, float) else str(value.value))[:TEXT_MAX]
