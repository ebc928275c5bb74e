"""Events in XML, EPCIS 1.2 and 2.0, become those of JSON-LD: no document type, no entities, limited depth and size.

Source: GS1 EPCIS 1.2 and 2.0, XML schemas.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

from mainspring.core.text import Text
from mainspring.records.events.forms import EVENTS
from mainspring.records.events.vocabulary import STANDARD_PREFIXES, is_uri, short
from mainspring.records.faults import Invalid

DEPTH_MAX: Final = 64
ELEMENTS_MAX: Final = 500_000
_FIRST: Final = "urn:epcglobal:epcis:xsd:1"
_SECOND: Final = "urn:epcglobal:epcis:xsd:2"
_STANDARD: Final = frozenset({"", _FIRST, _SECOND, "urn:epcglobal:epcis-query:xsd:1",
                              "urn:epcglobal:epcis-query:xsd:2"})  # fmt: skip
_MASTER: Final = ("urn:epcglobal:cbv:mda", "urn:epcglobal:cbv:mda:")
"""Names of master data, whose prefix the context of JSON-LD declares."""
_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
_WRAPPERS: Final = frozenset({"extension", "baseExtension"})
"""Elements of 1.x around what later versions added."""
_EPCS: Final = frozenset({"epcList", "childEPCs", "inputEPCList", "outputEPCList"})
_QUANTITIES: Final = frozenset({"quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"})
_PAIRS: Final = {
    "bizTransactionList": ("bizTransaction", "transaction"), "sourceList": ("source", "party"),
    "destinationList": ("destination", "party"),
}  # fmt: skip
_WORDS: Final = {"bizStep": "bizStep", "disposition": "disposition", "reason": "reason"}
_NUMBERS: Final = frozenset({"value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue", "quantity"})

_MALFORMED: Final = Text("This is no document of EPCIS in XML ({reason}).", "这不是 EPCIS 的 XML 文档（{reason}）。")
_NO_EVENTS: Final = Text("There is no EventList in it.", "其中没有 EventList。")
_ORDER: Final = Text(
    "In XML of EPCIS 2.0 the eventTime stands before the action.", "EPCIS 2.0 的 XML 中 eventTime 必须在 action 之前。"
)


@dataclass(slots=True)
class Element:
    """One element with what is in it; names of extensions have their prefix before them, as in JSON-LD."""

    name: str
    standard: bool
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text without blanks around it."""
        return "".join(self.texts).strip()


class Names:
    """Prefixes of the namespaces of extensions, each its own."""

    def __init__(self) -> None:
        self.prefixes = dict.fromkeys(_MASTER, "cbvmda")
        self.spaces: set[str] = set()

    def label(self, written: str) -> tuple[str, bool]:
        """Return a name as JSON-LD has it, and whether it is the standard's; `written` is `space local prefix`."""
        parts = written.split(" ")
        if len(parts) == 1 or parts[0] in _STANDARD:
            self.spaces.update(parts[:-1][:1])
            return parts[min(1, len(parts) - 1)], True
        prefix = self.prefixes.get(parts[0])
        if prefix is None:
            wished = parts[2] if len(parts) > 2 else "ext"
            prefix, number, taken = wished, 2, set(self.prefixes.values()) | STANDARD_PREFIXES - {wished}
            while prefix in taken:
                prefix, number = f"{wished}{number}", number + 1
            self.prefixes[parts[0]] = prefix
        return f"{prefix}:{parts[1]}", False


def read_xml(content: bytes) -> list[dict[str, Any]]:
    """Return the events of a document, or the single event, as JSON-LD says them; raises Invalid."""
    names = Names()
    root = _parse(content, names)
    if root.name in EVENTS:
        found = [root]
    else:
        lists = _below(root, "EventList")
        if not lists:
            raise Invalid({"": _NO_EVENTS})
        found = [event for one in lists for event in _unwrapped(one)]
    context = [{prefix: space} for space, prefix in names.prefixes.items() if space not in _MASTER]
    events = []
    for number, element in enumerate(found):
        event: dict[str, Any] = {"type": element.name}
        if context:
            event["@context"] = context
        order = [child.name for child in element.children]
        before = order[: order.index("eventTime")] if "eventTime" in order else []
        if "action" in before and _SECOND in names.spaces:
            raise Invalid({f"epcisBody.eventList.{number}.action": _ORDER})
        _fill(event, element)
        if _FIRST in names.spaces and event.get("action", "ADD") != "ADD" and "ilmd" in event:
            # 1.x lets master data go with any action; as a field of its own it keeps its meaning.
            event["epcis:ilmd"] = event.pop("ilmd")
        events.append(event)
    return events


def _parse(content: bytes, names: Names) -> Element:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.namespace_prefixes = True
    parser.buffer_text = True
    top = Element("", True, {})
    stack, count = [top], 0

    def opened(written: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > DEPTH_MAX or count > ELEMENTS_MAX:
            raise _malformed(f"deeper than {DEPTH_MAX} or more than {ELEMENTS_MAX} elements")
        name, standard = names.label(written)
        # What XML Schema says of an element's type is no part of the event.
        said = {names.label(key)[0]: value for key, value in attributes.items() if not key.startswith(_INSTANCE)}
        element = Element(name, standard, said)
        stack[-1].children.append(element)
        stack.append(element)

    def said(text: str) -> None:
        stack[-1].texts.append(text)

    def refuse(*_: object) -> None:
        raise _malformed("it declares a document type")

    parser.StartElementHandler = opened
    parser.EndElementHandler = lambda _: stack.pop()
    parser.CharacterDataHandler = said
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise _malformed(str(error)) from error
    return top.children[0]


def _malformed(reason: str) -> Invalid:
    return Invalid({"": _MALFORMED.format(reason=reason[:200])})


def _below(element: Element, name: str) -> list[Element]:
    found, waiting = [], [element]
    while waiting:
        one = waiting.pop()
        if one.name == name and one.standard:
            found.append(one)
        else:
            waiting += reversed(one.children)
    return found


def _unwrapped(element: Element) -> list[Element]:
    """Return what is in an element, without the wrappers of 1.x."""
    found: list[Element] = []
    for child in element.children:
        wrapper = child.standard and child.name in _WRAPPERS
        found += _unwrapped(child) if wrapper else [child]
    return found


def _fill(event: dict[str, Any], element: Element) -> None:
    for child in _unwrapped(element):
        if not child.standard:
            _put(event, child.name, _free(child))
        elif child.name == "certificationInfo":
            # Before 2.0 it is any text; as a field of its own it keeps its meaning and needs not be a URI.
            _put(event, child.name if is_uri(child.text) else f"epcis:{child.name}", child.text)
        else:
            found = _field(child)
            if found is not None:
                event[child.name] = found


def _field(element: Element) -> Any:
    name, children = element.name, element.children
    if name in _EPCS:
        # A list of identifiers is a set; documents in XML repeat them.
        return list(dict.fromkeys(child.text for child in children)) or None
    if name in _QUANTITIES:
        return [_quantity(child) for child in children] or None
    if name in _PAIRS:
        inner, kind = _PAIRS[name]
        return [_typed(child, inner, kind) for child in children] or None
    if name == "sensorElementList":
        return [_sensor(child) for child in children] or None
    if name == "persistentDisposition":
        parts: dict[str, list[str]] = {}
        for child in children:
            parts.setdefault(child.name, []).append(short("disposition", child.text))
        return parts
    if name == "correctiveEventIDs":
        return [child.text for child in children]
    if name in {"readPoint", "bizLocation", "errorDeclaration", "ilmd"}:
        made: dict[str, Any] = {}
        _fill(made, element)
        return made
    return short(_WORDS[name], element.text) if name in _WORDS else element.text


def _quantity(element: Element) -> dict[str, Any]:
    made = {child.name: child.text for child in element.children if child.text}
    return {name: _number(value) if name in _NUMBERS else value for name, value in made.items()}


def _typed(element: Element, inner: str, kind: str) -> dict[str, str]:
    made = {"type": short(kind, element.attributes["type"])} if "type" in element.attributes else {}
    return made | {inner: element.text}


def _sensor(element: Element) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for child in element.children:
        if child.standard and child.name == "sensorMetadata":
            made[child.name] = _attributes(child)
        elif child.standard and child.name == "sensorReport":
            made.setdefault(child.name, []).append(_attributes(child))
        elif child.standard and child.name in _WRAPPERS:
            made |= _sensor(child)
        else:
            _put(made, child.name, _free(child))
    return made


def _attributes(element: Element) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in element.attributes.items():
        if name in _NUMBERS:
            made[name] = _number(value)
        elif name == "booleanValue":
            made[name] = {"true": True, "1": True, "false": False, "0": False}.get(value, value)
        else:
            made[name] = value.removeprefix("gs1:") if name == "type" else value
    for child in element.children:
        _put(made, child.name, _free(child))
    return made


def _number(text: str) -> Any:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _free(element: Element) -> Any:
    """Return an extension: text, or an object of what is in it."""
    if not element.children:
        text = {"value": element.text} if element.text else {}
        return element.attributes | text if element.attributes else element.text
    made: dict[str, Any] = dict(element.attributes)
    for child in element.children:
        _put(made, child.name, _free(child))
    return made


def _put(made: dict[str, Any], name: str, value: Any) -> None:
    """Set a field; one that comes again becomes a list."""
    if name not in made:
        made[name] = value
    elif isinstance(made[name], list):
        made[name].append(value)
    else:
        made[name] = [made[name], value]
