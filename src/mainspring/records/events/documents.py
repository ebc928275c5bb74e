"""Reads documents of events, JSON-LD or XML, into events that are right as far as each alone can tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from pydantic import ValidationError

from mainspring.core.faults import words
from mainspring.core.text import Text
from mainspring.records.events.forms import EVENTS, Document, EventForm, FieldFault
from mainspring.records.events.vocabulary import CONTEXT, CONTEXTS, STANDARD_PREFIXES
from mainspring.records.events.xml_documents import read_xml
from mainspring.records.faults import FIELDS_MAX, Invalid

EVENTS_MAX: Final = 20_000
"""Most events of one request."""
DEPTH_MAX: Final = 64
PREFIXES_MAX: Final = 200
_LIST: Final = "epcisBody.eventList"
_NESTED: Final = frozenset({"ilmd", "readPoint", "bizLocation", "errorDeclaration"})
"""Fields whose own fields carry prefixes."""

_NO_JSON: Final = Text("This is no JSON document ({reason}).", "这不是 JSON 文档（{reason}）。")
_NUL: Final = Text("The character NUL cannot be stored.", "无法存储 NUL 字符。")
_NO_OBJECT: Final = Text("This is neither a document nor an event.", "这既不是文档也不是事件。")
_NO_LIST: Final = Text("The body has no eventList.", "正文中没有 eventList。")
_EMPTY: Final = Text("List at least one event.", "至少列出一个事件。")
_MANY: Final = Text("At most {limit} events in one request.", "单次请求最多 {limit} 个事件。")
_NO_TYPE: Final = Text(
    "There is no kind of event {type!r}. Known: {known}.", "没有类型为 {type!r} 的事件，可用类型：{known}。"
)
_NO_CONTEXT: Final = Text("Name the context of the standard first: {context}.", "请首先给出标准上下文：{context}。")
_BAD_CONTEXT: Final = Text(
    "A context is an address or an object of prefixes, at most {limit}.", "上下文须为地址或前缀对象，最多 {limit} 个。"
)
_NO_PREFIX: Final = Text("@context does not declare the prefix {prefix}.", "@context 未声明前缀 {prefix}。")
_DEEP: Final = Text("Nested deeper than {limit}.", "嵌套超过 {limit} 层。")


@dataclass(frozen=True, slots=True)
class Given:
    """One event as somebody sent it."""

    path: str
    """Where it stands in what was sent."""
    document: dict[str, Any]
    context: list[dict[str, Any]]
    """Prefixes that hold for it, beside the standard's own."""
    form: EventForm


@dataclass(frozen=True, slots=True)
class Sent:
    """Everything one request sent."""

    events: list[Given]
    sender: str = ""


def read(content: bytes) -> Sent:
    """Read a document or a single event, JSON-LD or XML; raises Invalid, which names each fault."""
    if content.lstrip()[:1] == b"<":
        return _sent(read_xml(content), "")
    if b"\\u0000" in content:
        # PostgreSQL holds no such character.
        raise Invalid({"": _NUL})
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Invalid({"": _NO_JSON.format(reason=str(error)[:200])}) from error
    return read_document(document)


def read_document(document: Any) -> Sent:
    """Read a parsed JSON-LD document or a single event."""
    if not isinstance(document, dict):
        raise Invalid({"": _NO_OBJECT})
    sort = document.get("type")
    if (isinstance(sort, str) and sort in EVENTS) or "eventTime" in document:
        faults: dict[str, Text] = {}
        _check_context(document.get("@context"), faults)
        _refuse(faults)
        return _sent([document], "", single=True)
    try:
        form = Document.model_validate(document)
    except ValidationError as error:
        raise Invalid(_told(error, "")) from error
    faults = {}
    _check_context(form.context, faults)
    _refuse(faults)
    body: Any = form.body
    if form.type == "EPCISQueryDocument":
        results = body.get("queryResults")
        body = results.get("resultsBody") if isinstance(results, dict) else {}
    events = body.get("eventList") if isinstance(body, dict) else None
    if not isinstance(events, list):
        raise Invalid({_LIST: _NO_LIST})
    return _sent(events, form.sender or "", form.context)


def _sent(events: list[Any], sender: str, context: Any = None, *, single: bool = False) -> Sent:
    if not events:
        raise Invalid({_LIST: _EMPTY})
    if len(events) > EVENTS_MAX:
        raise Invalid({_LIST: _MANY.format(limit=EVENTS_MAX)})
    faults: dict[str, Text] = {}
    shared, given = _prefixes(context), []
    for number, event in enumerate(events):
        path = "" if single else f"{_LIST}.{number}"
        found = _event(event, path, shared, faults)
        if found is not None:
            given.append(found)
        if len(faults) >= FIELDS_MAX:
            break
    _refuse(faults)
    return Sent(given, sender)


def _event(event: Any, path: str, shared: list[dict[str, Any]], faults: dict[str, Text]) -> Given | None:
    if not isinstance(event, dict):
        faults[path] = _NO_OBJECT
        return None
    kind = EVENTS.get(event.get("type", "")) if isinstance(event.get("type"), str) else None
    if kind is None:
        faults[f"{path}.type".strip(".")] = _NO_TYPE.format(type=str(event.get("type"))[:60], known=", ".join(EVENTS))
        return None
    if _depth(event) > DEPTH_MAX:
        faults[path] = _DEEP.format(limit=DEPTH_MAX)
        return None
    document = {name: value for name, value in event.items() if name != "@context"}
    try:
        form = kind.model_validate(document)
    except ValidationError as error:
        faults.update(_told(error, path))
        return None
    context = shared + _prefixes(event.get("@context"))
    known = STANDARD_PREFIXES.union(*context) if context else STANDARD_PREFIXES
    for field in _prefixed(document):
        prefix = field.rpartition(".")[2].partition(":")[0]
        if prefix not in known and "://" not in field:
            faults[f"{path}.{field}".strip(".")] = _NO_PREFIX.format(prefix=prefix[:60])
            return None
    return Given(path, document, context, form)


def _prefixed(document: dict[str, Any]) -> Iterable[str]:
    for name, value in document.items():
        if ":" in name:
            yield name
        elif name in _NESTED and isinstance(value, dict):
            yield from (f"{name}.{inner}" for inner in value if ":" in inner)


def _depth(value: Any) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        deepest = max(deepest, depth)
        if depth > DEPTH_MAX:
            break
        parts = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        waiting += [(part, depth + 1) for part in parts if isinstance(part, dict | list)]
    return deepest


def _check_context(context: Any, faults: dict[str, Text]) -> None:
    parts = context if isinstance(context, list) else [context]
    if not any(isinstance(part, str) and part.startswith(CONTEXTS) for part in parts):
        faults["@context"] = _NO_CONTEXT.format(context=CONTEXT)
    elif len(parts) > PREFIXES_MAX or not all(isinstance(part, str | dict) for part in parts):
        faults["@context"] = _BAD_CONTEXT.format(limit=PREFIXES_MAX)


def _prefixes(context: Any) -> list[dict[str, Any]]:
    """Return what a context declares, without addresses: nothing is fetched from anywhere."""
    parts = context if isinstance(context, list) else [context]
    return [part for part in parts[:PREFIXES_MAX] if isinstance(part, dict)]


def _told(error: ValidationError, path: str) -> dict[str, Text]:
    found: dict[str, Text] = {}
    for detail in error.errors(include_url=False, include_input=False)[:FIELDS_MAX]:
        place = [path, *(str(part) for part in detail["loc"] if not str(part).startswith(("constrained", "function")))]
        cause = (detail.get("ctx") or {}).get("error")
        if isinstance(cause, FieldFault):
            found[".".join(filter(None, [*place, cause.field]))] = cause.text
        else:
            found[".".join(filter(None, place))] = words(detail)
    return found


def _refuse(faults: dict[str, Text]) -> None:
    if faults:
        raise Invalid(faults)
