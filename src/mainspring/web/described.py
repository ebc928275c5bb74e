"""The API's own description as OpenAPI: what its declarations say, and what holds for all endpoints alike.

Endpoints of records have `{kind}` in their path. What they take and answer depends on the kind: the ones that read and
write records themselves are described for each kind beside the general form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, ClassVar, Final

from ninja.openapi.schema import REF_TEMPLATE, OpenAPISchema
from pydantic.json_schema import models_json_schema

from mainspring.records.defined.forms import draft_of
from mainspring.records.defined.kinds import Defined, columns, kinds, parts_of, told
from mainspring.records.defined.writing import PARTS_MAX
from mainspring.web.uploads import ANY, UPLOADS

PREFIX: Final = "/api/v1"
Document = dict[str, Any]
_SCHEMAS: Final = "#/components/schemas/"
_WORDS: Final[Document] = {
    "type": "object", "properties": {"en": {"type": "string"}, "zh": {"type": "string"}}, "required": ["en", "zh"],
}  # fmt: skip
_FAULT: Final[Document] = {
    "type": "object",
    "description": "Why something was refused or failed, in one sentence; `fields` names each fault by its path.",
    "properties": {
        "code": {"type": "string"},
        "text": _WORDS,
        "request_id": {"type": "string"},
        "fields": {"type": "object", "additionalProperties": _WORDS},
        "current": {"type": "object", "description": "of a conflict: the record as it stands"},
    },
    "required": ["code", "text"],
}
_REFUSED: Final[Document] = {
    "description": "Refused, or failed", "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}Fault"}}}
}  # fmt: skip
_HEAD: Final[Document] = {
    "id": {"type": "string", "format": "uuid"}, "version": {"type": "integer", "minimum": 1},
    "state": {"type": "string"}, "created_ms": {"type": "integer"}, "changed_ms": {"type": "integer"},
}  # fmt: skip
_TITLES: Final[Document] = {
    "type": "object", "description": "what records are called that these link to, by id",
    "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}},
}  # fmt: skip
_DETAIL: Final[Document] = {
    "title": {"type": "string"}, "titles": _TITLES,
    "moves": {"type": "array", "items": {"type": "string"}}, "fixed": {"type": "boolean"},
}  # fmt: skip
_VERSION: Final[Document] = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}
_ID: Final = {"in": "path", "name": "id", "required": True, "schema": {"type": "string", "format": "uuid"}}


class _Described(OpenAPISchema):
    """What Ninja says; where two forms share a name, the second gets a number, so that each name means one form."""

    _other: ClassVar[dict[str, str]] = {}

    def _create_schema_from_model(self, *given: Any, **more: Any) -> tuple[Document, bool]:
        self._other.clear()
        schema, required = super()._create_schema_from_model(*given, **more)
        return _renamed(schema, self._other), required

    def add_schema_definitions(self, definitions: Document) -> None:
        """Take in forms by their names."""
        for name, schema in definitions.items():
            number = 1
            while self.schemas.get(f"{name}{number if number > 1 else ''}", schema) != schema:
                number += 1
            if number > 1:
                self._other[name] = f"{name}{number}"
        for name, schema in definitions.items():
            self.schemas[self._other.get(name, name)] = _renamed(schema, self._other)


@cache
def described() -> Document:
    """Return the description; it is made once, for all kinds are known when the first request comes."""
    from mainspring.web.api import api

    document: Document = dict(deepcopy(_Described(api, f"{PREFIX}/")))
    schemas = document["components"]["schemas"]
    schemas["Fault"] = _FAULT
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, method, path.removeprefix(PREFIX))
    _add_kinds(document)
    return document


def _complete(operation: Document, method: str, path: str) -> None:
    """Say what holds for all: how things are refused, what a file may be, which kinds there are."""
    operation["responses"] = {**operation["responses"], "4XX": _REFUSED, "5XX": _REFUSED}
    upload = UPLOADS.get((method, path))
    if upload is not None:
        # Any bytes may come; what is in them is looked at, and refused in words.
        content: Document = {kind: {} for kind in upload.media_types} if upload.media_types != ANY else {ANY[0]: {}}
        operation["requestBody"] = {
            "required": True, "content": content,
            "description": f"{upload.takes}; at most {upload.bytes_max // 2**20} MB in one request",
        }  # fmt: skip
    for parameter in operation["parameters"]:
        if parameter["in"] == "path" and parameter["name"] == "kind" and path.startswith(("/records/", "/kinds/")):
            parameter["schema"] = {"type": "string", "enum": [kind.kind for kind in kinds()]}


def _add_kinds(document: Document) -> None:
    paths, schemas = document["paths"], document["components"]["schemas"]
    every = list(kinds())
    drafts, found = models_json_schema([(draft_of(kind), "validation") for kind in every], ref_template=REF_TEMPLATE)
    definitions: Document = found["$defs"]
    other = {name: f"Record{name}" for name, schema in definitions.items() if schemas.get(name, schema) != schema}
    schemas |= {other.get(name, name): _renamed(schema, other) for name, schema in definitions.items()}
    general = {path: paths[f"{PREFIX}{path}"] for path in ("/records/{kind}", "/records/{kind}/{id}")}
    for kind in every:
        reference = drafts[draft_of(kind), "validation"]["$ref"].removeprefix(_SCHEMAS)
        name = other.get(reference, reference)
        draft = schemas[name]
        schemas[name] = _with_parts(kind, draft)
        schemas[f"{kind.__name__}Patch"] = _patch(draft)
        schemas[f"{kind.__name__}Out"] = _answered(kind, draft)
        forms = {"post": name, "patch": f"{kind.__name__}Patch"}
        for path, operations in general.items():
            paths[f"{PREFIX}{path.replace('{kind}', kind.kind)}"] = {
                method: _of_kind(kind, method, path, operation, forms) for method, operation in operations.items()
            }


def _of_kind(kind: type[Defined], method: str, path: str, general: Document, forms: Mapping[str, str]) -> Document:
    """Return an operation on records of one kind."""
    made = deepcopy(general)
    made["operationId"] = f"{general['operationId']}_{kind.kind.replace('-', '_')}"
    made["summary"] = f"{general['summary']}: {kind.shape.one.en}"
    made["parameters"] = [each for each in made["parameters"] if each["name"] != "kind"]
    if method in forms:
        content = {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{forms[method]}"}}}
        made["requestBody"] = {"required": True, "content": content}
    good = "201" if method == "post" else "200"
    if method != "delete":
        out: Document = {"$ref": f"{_SCHEMAS}{kind.__name__}Out"}
        shown = out if path.endswith("{id}") or method == "post" else _listed(out)
        described_as = {"description": "OK", "content": {"application/json": {"schema": shown}}}
        made["responses"] = {good: described_as, "4XX": _REFUSED, "5XX": _REFUSED}
    return made


def _listed(out: Document) -> Document:
    properties = {
        "items": {"type": "array", "items": out}, "total": {"type": "integer"}, "more": {"type": "boolean"},
        "next": {"type": "string"}, "titles": _TITLES,
    }  # fmt: skip
    return {"type": "object", "properties": properties, "required": list(properties)}


def _with_parts(kind: type[Defined], draft: Document) -> Document:
    """Return the form of a new record: its parts may come with it."""
    rows = {"type": "array", "items": {"type": "object"}, "maxItems": PARTS_MAX}
    return draft | {"properties": draft["properties"] | dict.fromkeys(parts_of(kind), rows)}


def _patch(draft: Document) -> Document:
    kept = {name: value for name, value in draft.items() if name != "required"}
    return kept | {"properties": draft["properties"] | {"version": _VERSION}}


def _answered(kind: type[Defined], draft: Document) -> Document:
    """Return the form of a record as it is shown; fields above the asker's grade are left out."""
    shown = dict(_shown(kind, draft["properties"]))
    made = {"type": "object", "properties": _HEAD | _DETAIL | shown, "required": list(_HEAD)}
    return made | ({"description": draft["description"]} if "description" in draft else {})


def _shown(kind: type[Defined], properties: Document) -> Iterator[tuple[str, Document]]:
    for name, column in columns(kind).items():
        about = told(kind, name)
        schema = {key: value for key, value in properties[name].items() if key not in {"default", "readOnly"}}
        if about.control in {"text", "code", "notes", "choice", "unit", "any"}:
            # What was stored under older rules is shown, too.
            schema = {"type": "string", "title": about.words.en}
        yield name, {"anyOf": [schema, {"type": "null"}]} if column.null else schema


def _renamed(schema: Any, other: Mapping[str, str]) -> Any:
    """Return a schema whose references follow definitions that got another name."""
    if isinstance(schema, list):
        return [_renamed(each, other) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _renamed(value, other) for key, value in schema.items()}
    if isinstance(found := made.get("$ref"), str):
        name = found.removeprefix(_SCHEMAS)
        made["$ref"] = f"{_SCHEMAS}{other.get(name, name)}"
    return made
