"""An expression's units, and its form for machines: postfix steps over numbers in base units.

Units are checked as dimensions. A temperature in °C or °F has a zero of its own, so sums of them are counted: the
difference of two is a span, their sum divided by two is a temperature again, anything else is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from mainspring.core.definitions import ExpressionInput
from mainspring.core.dimensions import Dimension, Measure, measure
from mainspring.core.expressions import COMPARISONS, ExpressionRefused, Node, parse
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.core.units import SIGNS

_NOT_A_CONDITION: Final = Text(
    "This is a quantity, not a condition; compare it, as in {example}", "这是数值而不是条件，请加上比较，例如 {example}"
)
_NOT_A_QUANTITY: Final = Text(
    "A condition cannot be calculated with; compare a quantity", "条件不能参与计算，请使用数值"
)
_DIFFERENT: Final = Text("{left} and {right} do not measure the same", "{left} 与 {right} 的量纲不同")
_BARE: Final = Text(
    "The number here needs a unit: {unit} is meant on the other side", "此处的数字须带单位，另一侧为 {unit}"
)
_ZERO: Final = Text(
    "A temperature with its own zero cannot be calculated with like this; write spans in K, as in TI-1 - TI-2 > 5 K",
    "带零点的温度不能这样计算，温差请用 K 表示，例如 TI-1 - TI-2 > 5 K",
)
_UNKNOWN: Final = Text("There is no tag {name}", "没有测点 {name}")
_TEXT: Final = Text("The tag {name} holds texts, which cannot be calculated with", "测点 {name} 为文字，不能参与计算")
_NO_TAG: Final = Text("The expression names no tag.", "表达式未引用任何测点。")
_LARGE: Final = Text("The number is too large", "数字过大")


class Step(IntEnum):
    """What one step does with the numbers on the stack."""

    NUMBER = 0
    TAG = 1
    ADD = 2
    SUBTRACT = 3
    MULTIPLY = 4
    DIVIDE = 5
    NEGATIVE = 6
    ABSOLUTE = 7
    LEAST = 8
    GREATEST = 9
    BELOW = 10
    AT_MOST = 11
    ABOVE = 12
    AT_LEAST = 13
    EQUAL = 14
    UNEQUAL = 15
    AND = 16
    OR = 17
    NOT = 18


_STEPS: Final = {
    "+": Step.ADD, "-": Step.SUBTRACT, "*": Step.MULTIPLY, "/": Step.DIVIDE, "negative": Step.NEGATIVE,
    "abs": Step.ABSOLUTE, "min": Step.LEAST, "max": Step.GREATEST, "<": Step.BELOW, "<=": Step.AT_MOST,
    ">": Step.ABOVE, ">=": Step.AT_LEAST, "==": Step.EQUAL, "!=": Step.UNEQUAL, "and": Step.AND, "or": Step.OR,
    "not": Step.NOT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Program:
    """Steps in postfix order: the operand of NUMBER is the number, of TAG the place in `tags` (ordinals)."""

    steps: tuple[tuple[Step, float], ...]
    tags: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a part yields: a condition, or a quantity of a dimension.

    `zeros` counts how many own zeros (of °C, °F) a temperature carries, None where any number fits. `bare` is a number
    without unit, `literal` one that is written down. `unit` is what to show in a message.
    """

    condition: bool = False
    dimension: Dimension = ()
    zeros: float | None = 0
    bare: bool = False
    scaled: bool = False
    literal: float | None = None
    affine: Measure | None = None
    unit: str = ""


_CONDITION: Final = _Kind(condition=True)
Code = list[tuple[Step, float]]


def compiled(text: str, inputs: Mapping[str, ExpressionInput]) -> Program:
    """Read, check and compile an expression over the tags it names; raises ExpressionRefused."""
    tree = parse(text)
    compiler = _Compiler(inputs)
    kind, code = compiler.part(tree)
    if not kind.condition:
        raise ExpressionRefused(_NOT_A_CONDITION, tree.position, example="TI-101 > 75 degC")
    if not compiler.tags:
        raise ExpressionRefused(_NO_TAG)
    return Program(tuple(code), tuple(compiler.tags))


@dataclass
class _Compiler:
    inputs: Mapping[str, ExpressionInput]
    tags: list[int] = field(default_factory=list)

    def part(self, node: Node) -> tuple[_Kind, Code]:
        """Return what a part yields, and the steps for it."""
        if node.kind == "number":
            return _number(node)
        if node.kind == "tag":
            return self._tag(node)
        if node.kind in {"and", "or", "not"}:
            return _CONDITION, self._joined(node, [self._condition(each) for each in node.parts])
        parts = [self._quantity(each) for each in node.parts]
        kinds = [kind for kind, _ in parts]
        if node.kind in COMPARISONS or node.kind in {"min", "max"}:
            kind, codes = _alike(node, parts)
            return (kind if node.kind in {"min", "max"} else _CONDITION), self._joined(node, codes)
        codes = [code for _, code in parts]
        if node.kind in {"+", "-"}:
            return _added(node, kinds), self._joined(node, codes)
        if node.kind in {"*", "/"}:
            return _multiplied(node, kinds), self._joined(node, codes)
        return _signed(node, kinds[0]), self._joined(node, codes)

    def _joined(self, node: Node, codes: list[Code]) -> Code:
        joined = list(codes[0])
        if len(codes) == 1:
            return [*joined, (_STEPS[node.kind], 0.0)]
        for code in codes[1:]:
            joined += [*code, (_STEPS[node.kind], 0.0)]
        return joined

    def _condition(self, node: Node) -> Code:
        kind, code = self.part(node)
        if not kind.condition:
            raise ExpressionRefused(_NOT_A_CONDITION, node.position, example="TI-101 > 75 degC")
        return code

    def _quantity(self, node: Node) -> tuple[_Kind, Code]:
        kind, code = self.part(node)
        if not kind.condition:
            return kind, code
        if node.kind == "tag":
            # A boolean may be compared with 0 and 1 as well.
            return _Kind(unit="0/1"), code
        raise ExpressionRefused(_NOT_A_QUANTITY, node.position)

    def _tag(self, node: Node) -> tuple[_Kind, Code]:
        tag = self.inputs.get(node.name)
        if tag is None:
            raise ExpressionRefused(_UNKNOWN, node.position, name=node.name)
        if tag.kind in {SampleKind.TEXT, SampleKind.BLOB}:
            raise ExpressionRefused(_TEXT, node.position, name=node.name)
        if tag.tag not in self.tags:
            self.tags.append(tag.tag)
        code: Code = [(Step.TAG, float(self.tags.index(tag.tag)))]
        if tag.kind is SampleKind.BOOLEAN:
            return _CONDITION, code
        unit = measure(tag.unit)
        if unit.factor != 1:
            code += [(Step.NUMBER, unit.factor), (Step.MULTIPLY, 0.0)]
        if unit.offset:
            code += [(Step.NUMBER, unit.offset), (Step.ADD, 0.0)]
        return _kind_of(tag.unit, unit), code


def _kind_of(code: str, unit: Measure) -> _Kind:
    zeros = 1.0 if unit.offset else None if unit.dimension == (("K", 1),) else 0.0
    scaled = not unit.dimension and unit.factor != 1
    return _Kind(dimension=unit.dimension, zeros=zeros, scaled=scaled, unit=SIGNS.get(code) or code)


def _number(node: Node) -> tuple[_Kind, Code]:
    if node.unit is None:
        if node.value > 1e300:
            raise ExpressionRefused(_LARGE, node.position)
        return _Kind(bare=True, literal=node.value, unit="1"), [(Step.NUMBER, node.value)]
    unit = measure(node.unit)
    kind = _kind_of(node.unit, unit)
    affine = unit if unit.offset else None
    value = node.value * unit.factor + unit.offset
    if value > 1e300:
        raise ExpressionRefused(_LARGE, node.position)
    return _Kind(
        dimension=kind.dimension, zeros=kind.zeros, scaled=kind.scaled, affine=affine, unit=kind.unit
    ), [(Step.NUMBER, value)]  # fmt: skip


def _same(node: Node, one: _Kind, other: _Kind) -> None:
    """Refuse quantities of different dimension, and bare numbers beside percent and the like."""
    if one.dimension != other.dimension:
        for bare, told in ((one, other), (other, one)):
            if bare.bare:
                raise ExpressionRefused(_BARE, node.position, unit=told.unit)
        raise ExpressionRefused(_DIFFERENT, node.position, left=one.unit, right=other.unit)
    if (one.bare and other.scaled) or (other.bare and one.scaled):
        raise ExpressionRefused(_BARE, node.position, unit=other.unit if one.bare else one.unit)


def _alike(node: Node, parts: list[tuple[_Kind, Code]]) -> tuple[_Kind, list[Code]]:
    """Check what is compared with each other; a written temperature becomes a span where the others are spans."""
    kinds = [kind for kind, _ in parts]
    for other in kinds[1:]:
        _same(node, kinds[0], other)
    spans = [kind.zeros for kind in kinds if kind.zeros is not None and kind.affine is None]
    zeros = spans[0] if spans else 1.0
    if any(each != zeros for each in spans):
        raise ExpressionRefused(_ZERO, node.position)
    codes = []
    for kind, code in parts:
        if kind.affine is not None and zeros == 0:
            codes.append([(Step.NUMBER, code[0][1] - kind.affine.offset)])
        elif kind.affine is not None and zeros != 1:
            raise ExpressionRefused(_ZERO, node.position)
        else:
            codes.append(code)
    told = [kind.zeros for kind in kinds if kind.zeros is not None]
    return _Kind(
        dimension=kinds[0].dimension, zeros=zeros if told else None, scaled=any(kind.scaled for kind in kinds),
        bare=all(kind.bare for kind in kinds), unit=next((kind.unit for kind in kinds if not kind.bare), "1"),
    ), codes  # fmt: skip


def _added(node: Node, kinds: list[_Kind]) -> _Kind:
    left, right = kinds
    _same(node, left, right)
    if left.affine is not None or right.affine is not None:
        raise ExpressionRefused(_ZERO, node.position)
    zeros = None
    if left.zeros is not None or right.zeros is not None:
        # A number in K beside one in °C is a span.
        first, second = left.zeros or 0.0, right.zeros or 0.0
        zeros = first + second if node.kind == "+" else first - second
    return _Kind(
        dimension=left.dimension, zeros=zeros, scaled=left.scaled or right.scaled, bare=left.bare and right.bare,
        unit=right.unit if left.bare else left.unit,
    )  # fmt: skip


def _multiplied(node: Node, kinds: list[_Kind]) -> _Kind:
    left, right = kinds
    sign = 1 if node.kind == "*" else -1
    powers = dict(left.dimension)
    for base, power in right.dimension:
        powers[base] = powers.get(base, 0) + sign * power
    dimension = tuple(sorted((base, power) for base, power in powers.items() if power))
    zeros: float | None = 0.0
    for kind, factor in ((left, right.literal), (right, left.literal)):
        if kind.affine is not None:
            raise ExpressionRefused(_ZERO, node.position)
        if not kind.zeros:
            continue
        if not factor or (node.kind == "/" and kind is right):
            raise ExpressionRefused(_ZERO, node.position)
        zeros = kind.zeros * factor if node.kind == "*" else kind.zeros / factor
    if zeros == 0 and dimension == (("K", 1),) and (left.zeros is None or right.zeros is None):
        zeros = None
    bare = left.bare and right.bare
    scaled = not dimension and (left.scaled or right.scaled) and (left.bare or right.bare)
    joined = left.unit if right.bare else right.unit if left.bare and node.kind == "*" else ""
    return _Kind(
        dimension=dimension, zeros=zeros, bare=bare, scaled=scaled, unit=joined or f"{left.unit}{node.kind}{right.unit}"
    )


def _signed(node: Node, kind: _Kind) -> _Kind:
    if kind.affine is not None or (kind.zeros and node.kind == "abs"):
        raise ExpressionRefused(_ZERO, node.position)
    zeros = -kind.zeros if kind.zeros else kind.zeros
    literal = -kind.literal if kind.literal is not None and node.kind == "negative" else None
    return _Kind(
        dimension=kind.dimension, zeros=zeros, bare=kind.bare, scaled=kind.scaled, literal=literal, unit=kind.unit
    )
