"""Expressions: what they mean, what is refused and where; every known unit has a dimension."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.core.definitions import ExpressionInput
from mainspring.core.dimensions import measure
from mainspring.core.expression_program import Step, compiled
from mainspring.core.expressions import DEPTH_MAX, LENGTH_MAX, TAGS_MAX, ExpressionRefused, names, parse
from mainspring.core.kinds import SampleKind
from mainspring.core.units import SIGNS

KINDS = {"PUMP": SampleKind.BOOLEAN, "MODE": SampleKind.ENUMERATION, "NOTE": SampleKind.TEXT}
UNITS = {
    "TI-1": "Cel", "TI-2": "Cel", "TF": "[degF]", "TK": "K", "P": "kPa", "G": "kPa{gauge}", "LV": "%", "E": "kW",
    "F": "m3/h", "PUMP": "1", "MODE": "1", "NOTE": "1", "反应器": "Cel", "a/b/TI-1": "bar", "V": "t", "min-1": "1",
}  # fmt: skip
INPUTS = {
    name: ExpressionInput(name=name, tag=place, unit=unit, kind=KINDS.get(name, SampleKind.FLOAT))
    for place, (name, unit) in enumerate(UNITS.items())
}


def worked(text: str, **values: float) -> bool:
    """Work an expression out, in a way of its own."""
    program = compiled(text, INPUTS)
    by_ordinal = {INPUTS[name.replace("_", "-")].tag: value for name, value in values.items()}
    stack: list[float] = []
    pairs: dict[Step, Callable[[float, float], float]] = {
        Step.ADD: lambda a, b: a + b, Step.SUBTRACT: lambda a, b: a - b, Step.MULTIPLY: lambda a, b: a * b,
        Step.DIVIDE: lambda a, b: a / b, Step.LEAST: min, Step.GREATEST: max, Step.BELOW: lambda a, b: a < b,
        Step.AT_MOST: lambda a, b: a <= b, Step.ABOVE: lambda a, b: a > b, Step.AT_LEAST: lambda a, b: a >= b,
        Step.EQUAL: lambda a, b: a == b, Step.UNEQUAL: lambda a, b: a != b,
        Step.AND: lambda a, b: bool(a) and bool(b), Step.OR: lambda a, b: bool(a) or bool(b),
    }  # fmt: skip
    single: dict[Step, Callable[[float], float]] = {
        Step.NEGATIVE: lambda a: -a, Step.ABSOLUTE: abs, Step.NOT: lambda a: not a,
    }  # fmt: skip
    for step, operand in program.steps:
        if step is Step.NUMBER:
            stack.append(operand)
        elif step is Step.TAG:
            stack.append(by_ordinal[program.tags[int(operand)]])
        elif step in single:
            stack.append(float(single[step](stack.pop())))
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(float(pairs[step](left, right)))
    (outcome,) = stack
    return bool(outcome)


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        ("TI-1 > 75 degC", {"TI_1": 75.1}, True),
        ("TI-1 > 75 °C", {"TI_1": 75.0}, False),
        ("TI-1 > 167 degF", {"TI_1": 76.0}, True),
        ("TI-1 - TI-2 > 5 K", {"TI_1": 80.0, "TI_2": 74.0}, True),
        ("TI-1 - TI-2 > 5 degC", {"TI_1": 80.0, "TI_2": 76.0}, False),
        ("abs(TI-2 - TI-1) > 5 K", {"TI_1": 80.0, "TI_2": 74.0}, True),
        ("(TI-1 + TI-2) / 2 > 77 degC", {"TI_1": 80.0, "TI_2": 75.0}, True),
        ("max(TI-1, TI-2) > TF", {"TI_1": 20.0, "TI_2": 30.0, "TF": 85.0}, True),
        ("TI-1 > -5 degC", {"TI_1": -4.0}, True),
        ("P > 1 bar", {"P": 101.0}, True),
        ("G > 50 kPa(g) and PUMP", {"G": 51.0, "PUMP": 1.0}, True),
        ("not (MODE == 2 or MODE == 3)", {"MODE": 3.0}, False),
        ("LV > 50 % and LV * 2 < 130 %", {"LV": 60.0}, True),
        ("LV>50%", {"LV": 40.0}, False),
        ("E / F > 2 kW / 1 m3/h", {"E": 300.0, "F": 100.0}, True),
        ("V > 2000 kg", {"V": 2.1}, True),
        ("1 + 2 * 3 == MODE", {"MODE": 7.0}, True),
        ("10 - 4 - 3 == MODE", {"MODE": 3.0}, True),
        ("-MODE < -2 - -1", {"MODE": 2.0}, True),
        ("PUMP or MODE == 1 and MODE == 2", {"PUMP": 1.0, "MODE": 9.0}, True),
        ("min-1 > 3", {"min_1": 4.0}, True),
    ],
)
def test_what_an_expression_means(text: str, values: dict[str, float], holds: bool) -> None:
    assert worked(text, **values) is holds


@pytest.mark.parametrize(
    ("text", "told", "position"),
    [
        ("LV > 50", "needs a unit", 3),
        ("P > 1 m", "do not measure the same", 2),
        ("P > G", "do not measure the same", 2),
        ("TI-1 + TI-2 > 7 degC", "own zero", 12),
        ("TI-1 + 5 degC > TI-2", "own zero", 5),
        ("2 * TI-1 > 5 degC", "own zero", 9),
        ("TI-1 = 5", "==", 5),
        ("TI-1 > 5 degX", "not a known unit", 9),
        ("NOTE > 1", "texts", 0),
        ("TI-1", "quantity, not a condition", 0),
        ("(TI-1 > 5 degC) + 1 > 2", "cannot be calculated", 6),
        ("1 < P < 2 kPa", "chained", 6),
        ("TI-1-TI-2 > 5 K", "no tag TI-1-TI-2", 0),
        ("1 > 0", "names no tag", None),
        ("min(TI-1) > 5 degC", "takes 2 to 16", 0),
        ('"a/b > 5', "never closed", 0),
        ("TI-1 > 5 degC)", "an operator", 13),
        ("TI-1 >", "ends where", 6),
        ("  ", "Write a condition", None),
        ("P > " + "1" * 400 + " kPa", "too large", 4),
        ("x" * (LENGTH_MAX + 1), "characters", None),
        ("(" * (DEPTH_MAX + 2) + "P", "nested", None),
        ("not " * (DEPTH_MAX + 2) + "PUMP", "nested", None),
        (" or ".join(f"T{n}" for n in range(TAGS_MAX + 1)), "more than 16 tags", None),
    ],
)
def test_what_is_refused_and_where(text: str, told: str, position: int | None) -> None:
    with pytest.raises(ExpressionRefused) as caught:
        compiled(text, INPUTS)
    assert told in caught.value.text.en
    assert caught.value.position == position
    assert caught.value.text.zh


def test_names_come_in_their_order_with_their_places() -> None:
    assert names(parse('B > 1 and "x/y z" > 2 or B < A')) == {"B": 0, "x/y z": 10, "A": 29}


@pytest.mark.parametrize("code", SIGNS)
def test_every_known_unit_has_a_dimension_and_can_be_written(code: str) -> None:
    unit = measure(code)
    assert unit.factor > 0
    if code not in {"1", "{count}"}:
        inputs = {"X": ExpressionInput(name="X", tag=0, unit=code)}
        assert len(compiled(f"X > 5 {code}", inputs).tags) == 1


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["TI-1", "P", "PUMP", "5", "75 degC", "2 kPa", "(", ")", "+", "-", "*", "/", ">", "<=", "==", "and", "or",
             "not", "min(", "abs(", ",", "%", '"a/b/TI-1"', "@", "é", "\n", "1e3", ".", "="]
        ),
        max_size=14,
    )
)  # fmt: skip
def test_anything_is_read_or_refused_in_words(parts: list[str]) -> None:
    try:
        program = compiled(" ".join(parts), INPUTS)
    except ExpressionRefused as refused:
        assert refused.text.en
        return
    assert program.tags
