"""What is wrong with something a person or program sent, in words and field by field."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson
from pydantic import ValidationError

from mainspring.core.errors import Conflict, MainspringError
from mainspring.core.faults import words
from mainspring.core.text import Text

_AS_TEXT: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
FIELDS_MAX: Final = 50
"""Most faulty fields told at once."""


class Invalid(MainspringError):
    """What was sent cannot be stored; `fields` names each fault by its path."""

    code = "invalid"

    def __init__(self, fields: dict[str, Text], text: Text | None = None) -> None:
        self.fields = fields
        count = len(fields)
        super().__init__(text or _INVALID.format(count=count, first=next(iter(fields), "")))

    def document(self) -> dict[str, Any]:
        """Return the form that travels in JSON, with the faults under `fields`."""
        return {**super().document(), "fields": {path: text.document() for path, text in self.fields.items()}}


class Changed(Conflict):
    """Someone else changed the record first; `current` is how it stands now."""

    def __init__(self, current: dict[str, Any]) -> None:
        self.current = current
        super().__init__(_CHANGED)

    def document(self) -> dict[str, Any]:
        """Return the form that travels in JSON, with the record under `current`."""
        return {**super().document(), "current": self.current}


_INVALID: Final = Text(
    "{count} field(s) cannot be stored, first {first}. Correct them and send again.",
    "有 {count} 个字段无法保存，首个为 {first}，请更正后重试。",
)
_CHANGED: Final = Text(
    "Someone changed this record after you opened it. Compare with the current state and send again.",
    "此记录在您打开后已被他人修改，请与当前内容比较后重试。",
)


def faults(error: ValidationError, prefix: str = "") -> dict[str, Text]:
    """Return the faults of a pydantic validation by dotted path, at most `FIELDS_MAX`."""
    found: dict[str, Text] = {}
    for detail in error.errors(include_url=False, include_input=False)[:FIELDS_MAX]:
        path = ".".join(str(part) for part in detail["loc"])
        found[f"{prefix}.{path}".strip(".")] = words(detail)
    return found


_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def canonical(document: Any) -> bytes:
    """Return the one JSON form of a document, for hashes."""
    return _CANONICAL.encode(document).encode()


def plain(document: Any) -> Any:
    """Return a document as it comes back from JSON; what JSON does not know becomes text."""
    try:
        return orjson.loads(orjson.dumps(document, default=str, option=_AS_TEXT))
    except orjson.JSONEncodeError:
        # Whole numbers beyond 64 bits and keys that are no text are known to the standard library alone.
        return json.loads(json.dumps(document, default=str))
