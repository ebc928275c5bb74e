"""How bodies of requests are read: JSON in UTF-8 that every database can keep and every reader can walk through."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from django.http import HttpRequest
from ninja.parser import Parser

from mainspring.core.errors import DecodeError
from mainspring.core.text import Text

DEPTH_MAX: Final = 64
WHOLE_MAX: Final = 2**64
_NOT_UTF_8: Final = Text("The request is not text in UTF-8.", "请求不是 UTF-8 文本。")
_NOT_JSON: Final = Text(
    "The request is not valid JSON ({reason}). Check its form.", "请求不是有效的 JSON（{reason}），请检查其格式。"
)
_DEEP: Final = Text("The request is nested deeper than {limit}. Flatten it.", "请求嵌套超过 {limit} 层，请减少层级。")
_CHARACTERS: Final = Text(
    "The request holds characters that cannot be stored: NUL, or half of a pair. Remove them.",
    "请求含有无法存储的字符（NUL 或不成对的代理字符），请删除。",
)
_NUMBER: Final = Text(
    "The request holds a number that is none, or beyond 64 bits. Send longer ones as text.",
    "请求含有非数字或超出 64 位的数值，较长的数字请以文本发送。",
)


class Unreadable(DecodeError):
    """The body of a request is no JSON, or JSON that nothing here can keep."""

    code = "unreadable"


class Json(Parser):
    """Reads bodies; raises Unreadable in one sentence."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the document a request holds."""
        return parsed(request.body)


def parsed(body: bytes) -> Any:
    """Return the document that bytes hold; raises Unreadable for what is no JSON or cannot be kept."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(_NOT_UTF_8) from error
    try:
        document = json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_whole)
    except ValueError as error:
        raise Unreadable(_NOT_JSON, reason=str(error)[:200]) from error
    except RecursionError as error:
        raise Unreadable(_DEEP, limit=DEPTH_MAX) from error
    # Only what is written with a backslash can come out as a character that UTF-8 itself does not have.
    _walk(document, escaped="\\u" in text)
    return document


def kept(text: str) -> bool:
    """Tell whether a text can be stored: PostgreSQL holds no NUL, and half of a pair is no UTF-8."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


def _walk(document: Any, *, escaped: bool) -> None:
    waiting = [(document, 1)]
    while waiting:
        one, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise Unreadable(_DEEP, limit=DEPTH_MAX)
        if isinstance(one, dict):
            if escaped and not all(map(kept, one)):
                raise Unreadable(_CHARACTERS)
            waiting += [(part, depth + 1) for part in one.values() if escaped or isinstance(part, dict | list)]
        elif isinstance(one, list):
            waiting += [(part, depth + 1) for part in one if escaped or isinstance(part, dict | list)]
        elif isinstance(one, str) and not kept(one):
            raise Unreadable(_CHARACTERS)


def _no_number(_: str) -> Any:
    raise Unreadable(_NUMBER)


def _finite(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise Unreadable(_NUMBER)
    return number


def _whole(written: str) -> int:
    if len(written) > 20 or not -WHOLE_MAX < (number := int(written)) < WHOLE_MAX:
        raise Unreadable(_NUMBER)
    return number
