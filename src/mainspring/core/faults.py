"""What pydantic finds wrong, in words of both languages; validators keep both by raising `fault`."""

from __future__ import annotations

from typing import Any, Final

from pydantic_core import ErrorDetails, PydanticCustomError

from mainspring.core.text import Text

_WORDS: Final[dict[str, Text]] = {
    "missing": Text("This is required.", "此项必填。"),
    "extra_forbidden": Text("There is no such field.", "没有此字段。"),
    "int_parsing": Text("Enter a whole number.", "请输入整数。"),
    "int_type": Text("Enter a whole number.", "请输入整数。"),
    "int_from_float": Text("Enter a whole number.", "请输入整数。"),
    "float_parsing": Text("Enter a number.", "请输入数字。"),
    "float_type": Text("Enter a number.", "请输入数字。"),
    "decimal_parsing": Text("Enter a number.", "请输入数字。"),
    "decimal_type": Text("Enter a number.", "请输入数字。"),
    "decimal_max_digits": Text("At most {max_digits} digits.", "最多 {max_digits} 位数字。"),
    "decimal_max_places": Text("At most {decimal_places} decimals.", "最多 {decimal_places} 位小数。"),
    "decimal_whole_digits": Text("At most {whole_digits} digits before the point.", "小数点前最多 {whole_digits} 位。"),
    "date_type": Text("Enter a day, as 2026-11-21.", "请填写日期，如 2026-11-21。"),
    "date_parsing": Text("Enter a day, as 2026-11-21.", "请填写日期，如 2026-11-21。"),
    "date_from_datetime_parsing": Text("Enter a day, as 2026-11-21.", "请填写日期，如 2026-11-21。"),
    "date_from_datetime_inexact": Text("Enter a day, as 2026-11-21.", "请填写日期，如 2026-11-21。"),
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
