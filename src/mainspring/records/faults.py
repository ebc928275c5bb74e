"""What is wrong with something a person or program sent, in words and field by field."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from mainspring.core.errors import Conflict, MainspringError
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
_WORDS: Final[dict[str, Text]] = {
    "missing": Text("This is required.", "此项必填。"),
    "extra_forbidden": Text("There is no such field.", "没有此字段。"),
    "int_parsing": Text("Enter a whole number.", "请输入整数。"),
    "int_type": Text("Enter a whole number.", "请输入整数。"),
    "int_from_float": Text("Enter a whole number.", "请输入整数。"),
    "float_parsing": Text("Enter a number.", "请输入数字。"),
    "float_type": Text("Enter a number.", "请输入数字。"),
    "finite_number": Text("Enter a finite number.", "请输入有限的数字。"),
    "bool_parsing": Text("Enter true or false.", "请输入是或否。"),
    "bool_type": Text("Enter true or false.", "请输入是或否。"),
    "string_type": Text("Enter text.", "请输入文字。"),
    "uuid_parsing": Text("This is not an id.", "这不是有效的标识。"),
    "uuid_type": Text("This is not an id.", "这不是有效的标识。"),
    "dict_type": Text("Enter an object.", "请输入对象。"),
    "model_type": Text("Enter an object.", "请输入对象。"),
    "model_attributes_type": Text("Enter an object.", "请输入对象。"),
    "list_type": Text("Enter a list.", "请输入列表。"),
    "json_invalid": Text("The request is not valid JSON.", "请求不是有效的 JSON。"),
    "greater_than": Text("Must be greater than {gt}.", "必须大于 {gt}。"),
    "greater_than_equal": Text("Must be at least {ge}.", "不得小于 {ge}。"),
    "less_than": Text("Must be less than {lt}.", "必须小于 {lt}。"),
    "less_than_equal": Text("Must be at most {le}.", "不得大于 {le}。"),
    "string_too_short": Text("At least {min_length} characters.", "至少 {min_length} 个字符。"),
    "string_too_long": Text("At most {max_length} characters.", "最多 {max_length} 个字符。"),
    "too_long": Text("At most {max_length} entries.", "最多 {max_length} 项。"),
    "too_short": Text("At least {min_length} entries.", "至少 {min_length} 项。"),
    "string_pattern_mismatch": Text("Does not match the form {pattern}.", "不符合格式 {pattern}。"),
    "enum": Text("Must be one of {expected}.", "必须是 {expected} 之一。"),
    "literal_error": Text("Must be one of {expected}.", "必须是 {expected} 之一。"),
}


def fault(text: Text) -> PydanticCustomError:
    """Make a validator's error that keeps both languages."""
    # Braces would be taken for placeholders by pydantic.
    escaped = text.en.replace("{", "{{").replace("}", "}}")
    return PydanticCustomError("mainspring", escaped, {"text_en": text.en, "text_zh": text.zh})


def words(error: ErrorDetails | dict[str, Any]) -> Text:
    """Say one fault found by pydantic in both languages."""
    context = error.get("ctx") or {}
    if error["type"] == "mainspring":
        return Text(context["text_en"], context["text_zh"])
    known = _WORDS.get(error["type"])
    return known.format(**context) if known else Text(error["msg"], f"值无效（{error['msg']}）")


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
