"""Units as people and devices write them: what is taken for which code, and what is never mixed up."""

from __future__ import annotations

import pytest

from mainspring.core.dimensions import measure
from mainspring.core.errors import ConfigurationError
from mainspring.core.units import SIGNS, SYNONYMS, check_unit, code_of, near_units


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("rpm", "{rpm}"), ("RPM", "{rpm}"), ("r/min", "{rpm}"), ("U/min", "{rpm}"), ("转/分", "{rpm}"),
        ("1/min", "/min"), ("°C", "Cel"), ("℃", "Cel"), ("degC", "Cel"), ("Deg C", "Cel"), ("摄氏度", "Cel"),
        ("m^3/h", "m3/h"), ("㎥", "m3"), ("μm", "um"), ("µm", "um"), ("Ω", "Ohm"), ("kWh", "kW.h"), ("％", "%"),
        ("Nm", "N.m"), ("N⋅m", "N.m"), ("kPa (g)", "kPa{gauge}"), ("in", "[in_i]"), ("-", "1"), ("元", "{CNY}"),
    ],
)  # fmt: skip
def test_a_unit_is_known_however_it_is_written(written: str, code: str) -> None:
    assert check_unit(written) == code


@pytest.mark.parametrize("code", SIGNS)
def test_every_sign_on_a_page_can_be_entered(code: str) -> None:
    assert code_of(code) == code
    if SIGNS[code]:
        assert measure(check_unit(SIGNS[code])) == measure(code)


def test_synonyms_mean_codes_that_there_are() -> None:
    assert set(SYNONYMS.values()) <= SIGNS.keys()


@pytest.mark.parametrize("written", ["mW", "S", "nm", "mpa", "MV", "T", "C", ""])
def test_what_may_mean_something_else_is_not_guessed(written: str) -> None:
    assert code_of(written) is None


@pytest.mark.parametrize(
    ("written", "meant"), [("C", "Cel"), ("KPA", "kPa"), ("degX", "deg"), ("m3/hr", "m3/h"), ("KW", "kW")]
)
def test_an_unknown_unit_is_refused_with_those_probably_meant(written: str, meant: str) -> None:
    assert meant in near_units(written)
    with pytest.raises(ConfigurationError) as refused:
        check_unit(written)
    assert meant in refused.value.text.en
    assert meant in refused.value.text.zh
