"""The language of alarm expressions: `TI-101 > 75 degC and not PUMP-2`. Read here, checked and compiled beside.

    or < and < not < comparison < + - < * / < unary minus < number with unit, tag, min(..), max(..), abs(..), (..)

A tag is written by its name or, in double quotes, by its path. A name may hold hyphens, so a minus stands between
spaces. Nothing here evaluates anything: the text becomes a tree, or is refused with the place of the fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from mainspring.core.dimensions import SPELLINGS
from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text
from mainspring.core.units import near_units, shown

LENGTH_MAX: Final = 500
DEPTH_MAX: Final = 20
TAGS_MAX: Final = 16
FUNCTIONS: Final = {"min": (2, 16), "max": (2, 16), "abs": (1, 1)}
WORDS: Final = frozenset({"and", "or", "not", *FUNCTIONS})
COMPARISONS: Final = frozenset({"<", "<=", ">", ">=", "==", "!="})

_PLACE: Final = Text(" (at character {place})", "（第 {place} 个字符处）")
_EMPTY: Final = Text("Write a condition, such as TI-101 > 75 degC.", "请填写条件，例如 TI-101 > 75 degC。")
_LONG: Final = Text(
    "The expression has {found} characters; at most {limit}.", "表达式有 {found} 个字符，最多 {limit} 个。"
)
_DEEP: Final = Text(
    "The expression is nested more than {limit} deep; make two alarms of it.",
    "表达式嵌套超过 {limit} 层，请拆成两条报警。",
)
_MANY_TAGS: Final = Text("The expression names more than {limit} tags.", "表达式引用的测点超过 {limit} 个。")
_ODD: Final = Text("{found!r} has no meaning here", "此处的 {found!r} 无意义")
_ONE_EQUAL: Final = Text("Compare with == instead of =", "比较请用 ==，不用 =")
_EXPECTED: Final = Text("{what} is expected here, not {found!r}", "此处应为{what}，而不是 {found!r}")
_OVER: Final = Text("The expression ends where {what} is expected", "表达式在应有{what}处结束")
_UNIT: Final = Text("{found!r} is not a known unit; nearest: {nearest}", "单位 {found!r} 未知，最接近的是 {nearest}")
_QUOTE: Final = Text("The quotation mark is never closed", "引号未闭合")
_ARGUMENTS: Final = Text("{name} takes {least} to {most} values", "{name} 需要 {least} 至 {most} 个值")
_CHAIN: Final = Text("Comparisons are not chained; join two of them with `and`", "比较不能连写，请用 and 连接两个比较")
_VALUE: Final = Text("a number, a tag or a bracket", "数字、测点或括号")
_OPERATOR: Final = Text("an operator", "运算符")

_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_NAME: Final = re.compile(r"[^\W\d]\w*(?:[-.]\w+)*")
_SYMBOL: Final = re.compile(r"<=|>=|==|!=|[-+*/<>(),]")
_UNIT_CHUNK: Final = re.compile(r"[^\s()<>=!,+*\"-]+")
_GAUGE: Final = "kPa(g)"
"""The one sign with brackets in it."""
_SPACE: Final = re.compile(r"\s*")


class ExpressionRefused(ConfigurationError):
    """An expression cannot be read or its units do not fit; the text tells where."""

    def __init__(self, text: Text, position: int | None = None, **values: Any) -> None:
        told = text.format(**{key: found.en if isinstance(found, Text) else found for key, found in values.items()})
        chinese = text.format(**{key: found.zh if isinstance(found, Text) else found for key, found in values.items()})
        place = _PLACE.format(place=position + 1) if position is not None else Text("", "")
        ends = Text("." if position is not None else "", "。" if position is not None else "")
        super().__init__(Text(told.en + place.en + ends.en, chinese.zh + place.zh + ends.zh))
        self.position = position


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression.

    `kind` is `number` (with `value` and `unit`, None for a bare one), `tag` (with `name`), `negative`, `not`, a
    function or an operator.
    """

    kind: str
    position: int
    parts: tuple[Node, ...] = ()
    value: float = 0.0
    unit: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int
    value: float = 0.0
    unit: str | None = None


def parse(text: str) -> Node:
    """Read an expression into a tree; raises ExpressionRefused."""
    if len(text) > LENGTH_MAX:
        raise ExpressionRefused(_LONG, found=len(text), limit=LENGTH_MAX)
    if not text.strip():
        raise ExpressionRefused(_EMPTY)
    reader = _Reader(_tokens(text), len(text.rstrip()))
    tree = reader.either(0)
    reader.end()
    if len(names(tree)) > TAGS_MAX:
        raise ExpressionRefused(_MANY_TAGS, limit=TAGS_MAX)
    return tree


def names(tree: Node) -> dict[str, int]:
    """Return the tags an expression names, each with the place of its first mention."""
    found: dict[str, int] = {}
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if node.kind == "tag":
            found[node.name] = min(node.position, found.get(node.name, node.position))
        waiting.extend(node.parts)
    return dict(sorted(found.items(), key=lambda each: each[1]))


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    place = _after_space(text, 0)
    while place < len(text):
        token, place = _token(text, place)
        found.append(token)
        place = _after_space(text, place)
    return found


def _after_space(text: str, place: int) -> int:
    space = _SPACE.match(text, place)
    return space.end() if space else place


def _token(text: str, place: int) -> tuple[_Token, int]:
    """Read the token that begins at a place; return it and where it ends."""
    if text[place] == '"':
        end = text.find('"', place + 1)
        if end < 0:
            raise ExpressionRefused(_QUOTE, place)
        return _Token("name", text[place + 1 : end], place), end + 1
    if found := _NUMBER.match(text, place):
        unit, end = _unit(text, found.end())
        return _Token("number", text[place:end], place, float(found.group()), unit), end
    if found := _NAME.match(text, place):
        kind = "word" if found.group() in WORDS else "name"
        return _Token(kind, found.group(), place), found.end()
    if found := _SYMBOL.match(text, place):
        return _Token("symbol", found.group(), place), found.end()
    if text[place] == "=":
        raise ExpressionRefused(_ONE_EQUAL, place)
    raise ExpressionRefused(_ODD, place, found=text[place])


def _unit(text: str, end: int) -> tuple[str | None, int]:
    """Read the unit behind a number, the longest that is known; return its code and where it ends."""
    start = _after_space(text, end)
    if text.startswith(_GAUGE, start):
        return "kPa{gauge}", start + len(_GAUGE)
    chunk = _UNIT_CHUNK.match(text, start)
    if chunk is None or chunk.group() in {"and", "or"}:
        return None, end
    written = chunk.group()
    for size in range(len(written), 0, -1):
        code = SPELLINGS.get(written[:size])
        if code is not None and (size == len(written) or written[size] == "/"):
            return code, start + size
    if written[0] == "/":
        return None, end
    near = near_units(written) or ["Cel", "kPa", "%"]
    raise ExpressionRefused(_UNIT, start, found=written, nearest=", ".join(map(shown, near)))


class _Reader:
    """Goes through the tokens once, from the weakest operator to the strongest."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens = tokens
        self._next = 0
        self._length = length

    def either(self, depth: int) -> Node:
        """Read what `or` joins."""
        if depth > DEPTH_MAX:
            raise ExpressionRefused(_DEEP, limit=DEPTH_MAX)
        left = self._both(depth)
        while token := self._take("word", {"or"}):
            left = Node("or", token.position, (left, self._both(depth)))
        return left

    def end(self) -> None:
        """Refuse what is left over."""
        token = self._peek()
        if token is not None:
            raise ExpressionRefused(_EXPECTED, token.position, what=_OPERATOR, found=token.text)

    def _both(self, depth: int) -> Node:
        left = self._negated(depth)
        while token := self._take("word", {"and"}):
            left = Node("and", token.position, (left, self._negated(depth)))
        return left

    def _negated(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise ExpressionRefused(_DEEP, limit=DEPTH_MAX)
        if token := self._take("word", {"not"}):
            return Node("not", token.position, (self._negated(depth + 1),))
        return self._compared(depth)

    def _compared(self, depth: int) -> Node:
        left = self._sum(depth)
        token = self._take("symbol", COMPARISONS)
        if token is None:
            return left
        compared = Node(token.text, token.position, (left, self._sum(depth)))
        if again := self._take("symbol", COMPARISONS):
            raise ExpressionRefused(_CHAIN, again.position)
        return compared

    def _sum(self, depth: int) -> Node:
        left = self._product(depth)
        while token := self._take("symbol", {"+", "-"}):
            left = Node(token.text, token.position, (left, self._product(depth)))
        return left

    def _product(self, depth: int) -> Node:
        left = self._value(depth)
        while token := self._take("symbol", {"*", "/"}):
            left = Node(token.text, token.position, (left, self._value(depth)))
        return left

    def _value(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise ExpressionRefused(_DEEP, limit=DEPTH_MAX)
        token = self._peek()
        if token is None:
            raise ExpressionRefused(_OVER, self._length, what=_VALUE)
        self._next += 1
        if token.kind == "number":
            return Node("number", token.position, value=token.value, unit=token.unit)
        if token.kind == "name":
            return Node("tag", token.position, name=token.text)
        if token.text in FUNCTIONS:
            return self._function(token, depth)
        if token.text == "(":
            inner = self.either(depth + 1)
            self._expect(")")
            return inner
        if token.text == "-":
            inner = self._value(depth + 1)
            if inner.kind == "number":
                return Node("number", token.position, value=-inner.value, unit=inner.unit)
            return Node("negative", token.position, (inner,))
        raise ExpressionRefused(_EXPECTED, token.position, what=_VALUE, found=token.text)

    def _function(self, token: _Token, depth: int) -> Node:
        self._expect("(")
        parts = [self.either(depth + 1)]
        while self._take("symbol", {","}):
            parts.append(self.either(depth + 1))
        self._expect(")")
        least, most = FUNCTIONS[token.text]
        if not least <= len(parts) <= most:
            raise ExpressionRefused(_ARGUMENTS, token.position, name=token.text, least=least, most=most)
        return Node(token.text, token.position, tuple(parts))

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, kind: str, texts: frozenset[str] | set[str]) -> _Token | None:
        token = self._peek()
        if token is None or token.kind != kind or token.text not in texts:
            return None
        self._next += 1
        return token

    def _expect(self, text: str) -> None:
        token = self._peek()
        if token is None:
            raise ExpressionRefused(_OVER, self._length, what=text)
        if token.text != text or token.kind != "symbol":
            raise ExpressionRefused(_EXPECTED, token.position, what=text, found=token.text)
        self._next += 1
