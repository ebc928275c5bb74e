"""Units of measure: UCUM for all, and what an item is packed, weighed or counted in beside its own unit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any, Final

from mainspring.core.dimensions import Measure, measure
from mainspring.core.errors import ConfigurationError
from mainspring.core.text import Text
from mainspring.core.units import check_unit, code_of
from mainspring.records.business.item import Item
from mainspring.records.defined import fields
from mainspring.records.defined.fields import DECIMALS
from mainspring.records.defined.kinds import Defined
from mainspring.records.defined.shape import Group, Shape
from mainspring.records.faults import Invalid

_NO_WAY: Final = Text(
    "{item} is not converted from {source} to {target}. Declare how many {source} are how many {unit}.",
    "{item} 无法从 {source} 换算为 {target}，请声明若干 {source} 等于若干 {unit}。",
)
_SAME: Final = Text(
    "{unit} and {code} measure the same; UCUM converts them.", "{unit} 与 {code} 同量纲，按 UCUM 换算。"
)


class UnitOfMeasure(Defined):
    """Another unit of one item: `3 kg are 1 piece`, `1 box is 12 pieces`."""

    item = fields.link(Item, Text("Item", "物料"), need=True)
    code = fields.code(
        Text("Unit", "单位"), length=32, hint=Text("a UCUM code, or the word for a pack", "UCUM 代码或包装名称")
    )
    many = fields.exact(Text("So many of it", "数量"), above=0, default=1)
    amount = fields.exact(Text("are so many of the item's unit", "折合物料单位数量"), above=0, need=True)
    gtin = fields.code(Text("GTIN", "商品条码"), length=14, need=False)

    kind = "unit-of-measure"
    shape = Shape(
        one=Text("Unit of measure", "计量单位"),
        many=Text("Units of measure", "计量单位"),
        group=Group.MATERIAL,
        key=("item", "code"),
        title="code",
        order="code",
        columns=("item", "code", "many", "amount"),
        found_by=("code", "gtin"),
    )

    def settle(self) -> None:
        """Refuse a conversion that UCUM knows already."""
        if ratio(self.code, self.item.unit) is not None:
            raise Invalid({"code": _SAME.format(unit=self.item.unit, code=self.code)})


def ratio(source: str, target: str) -> Fraction | None:
    """Return how many of `target` one of `source` is, None where they do not measure the same."""
    if source == target:
        return Fraction(1)
    found, wanted = _measure(source), _measure(target)
    if found is None or wanted is None or found.dimension != wanted.dimension or found.offset or wanted.offset:
        return None
    # Factors are short decimals; as such, not as the nearest binary number, they convert without an error.
    return Fraction(str(found.factor)) / Fraction(str(wanted.factor))


class Conversion:
    """How quantities of one item convert, read once."""

    def __init__(self, item: Item, rows: list[tuple[str, Decimal, Decimal]] | None = None) -> None:
        self._item, self._rows = item, rows

    @cached_property
    def _own(self) -> dict[str, Fraction]:
        rows: Any = self._rows
        if rows is None:
            rows = UnitOfMeasure.objects.filter(item=self._item).values_list("code", "many", "amount")
        return {code: Fraction(amount) / Fraction(many) for code, many, amount in rows}

    def known(self, written: str) -> str:
        """Return the code of a unit that the item converts from; raises Invalid for any other."""
        if written == self._item.unit:
            return written
        code = written if written in self._own else known_unit(written)
        self(Decimal(1), code)
        return code

    def __call__(self, quantity: Decimal, source: str, target: str = "") -> Decimal:
        """Convert a quantity, into the item's own unit if `target` is left out; raises Invalid."""
        target = target or self._item.unit
        if source == target:
            return quantity
        direct = None if source in self._own or target in self._own else ratio(source, target)
        if direct is None:
            ways = self._in_own(source), self._in_own(target)
            if ways[0] is None or ways[1] is None:
                raise Invalid(
                    {"unit": _NO_WAY.format(item=self._item.number, source=source, target=target, unit=self._item.unit)}
                )
            direct = ways[0] / ways[1]
        return decimal(Fraction(quantity) * direct)

    def _in_own(self, code: str) -> Fraction | None:
        if code in self._own:
            return self._own[code]
        direct = ratio(code, self._item.unit)
        if direct is not None:
            return direct
        for other, factor in self._own.items():
            between = ratio(code, other)
            if between is not None:
                return between * factor
        return None


def unit_of_item() -> Any:
    """Make the field for the unit of some quantity of an item: UCUM, or one of the item's own."""
    hint = Text("UCUM, or one of the item's own", "UCUM 单位，或该物料自有单位")
    return fields.code(Text("Unit", "单位"), length=32, default="{count}", hint=hint)


def known_unit(written: str) -> str:
    """Return the code of a unit as people write it; raises Invalid for an unknown one."""
    try:
        return check_unit(written)
    except ConfigurationError as error:
        raise Invalid({"unit": error.text}) from error


def decimal(number: Fraction) -> Decimal:
    """Return a number with as many places as quantities are kept with."""
    scaled = round(number * 10**DECIMALS)
    return Decimal(scaled).scaleb(-DECIMALS)


def _measure(code: str) -> Measure | None:
    known = code_of(code)
    return measure(known) if known == code else None
