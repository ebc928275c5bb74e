"""Suppliers are rated by what they promised, what came and what was wrong with it; each number has its evidence."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mainspring.apps import kit
from mainspring.apps.kit import Author, Choices, Defined, F, Group, Move, Q, Rule, Shape, States, Text, cell, fields
from mainspring.apps.nouns import Commitment, Finding, Party, Settlement, Severity, ratio

WEIGHTS = {Severity.NOTE: 0, Severity.MINOR: 1, Severity.MAJOR: 3, Severity.CRITICAL: 10, "": 1}
ON_TIME_SHARE = Decimal("0.6")
LIMITS = ((Decimal(90), "A"), (Decimal(75), "B"), (Decimal(0), "C"))
RATINGS = {"A": 1, "B": 3, "C": 5}
NO_SUPPLIER = Text("{party} is not marked as a supplier.", "{party} 未标记为供应商。")
BACKWARDS = Text("The last day lies before the first.", "结束日期早于开始日期。")
NOTHING_DUE = Text("Nothing was due in this period; there is nothing to rate.", "此期间没有到期的交付，无可评价。")


class Mark(Choices):
    """What a score comes to."""

    A = "A", "A: preferred", "A：优先"
    B = "B", "B: accepted", "B：合格"
    C = "C", "C: to improve", "C：待改进"


class Basis(kit.Draft):
    """One promise kept or broken, or one finding."""

    record: str = cell(Text("Record", "记录"), max_length=80)
    number: str = cell(Text("Number", "编号"), max_length=64)
    day: kit.date = cell(Text("Day", "日期"))
    good: bool = cell(Text("In order", "符合"))
    weight: int = cell(Text("Weight", "权重"), ge=0)
    told: str = cell(Text("How it was", "情况"), max_length=200)


class SupplierRating(Defined):
    """How a supplier did in a period: worked out while it is a draft, fixed once it is released."""

    party = fields.link(Party, Text("Supplier", "供应商"), need=True)
    first = fields.day(Text("First day", "开始日期"), need=True)
    last = fields.day(Text("Last day", "结束日期"), need=True)
    remarks = fields.notes(Text("Remarks", "说明"))
    promises = fields.whole(Text("Deliveries due", "到期交付数"), default=0, given=True)
    on_time = fields.exact(Text("On time", "准时率"), unit="%", given=True)
    faults = fields.whole(Text("Findings, weighted", "加权问题数"), default=0, given=True)
    quality = fields.exact(Text("In order", "合格率"), unit="%", given=True)
    score = fields.exact(Text("Score", "得分"), given=True)
    mark = fields.choice(Mark, Text("Mark", "等级"), need=False, given=True)
    computed_ms = fields.moment(Text("Worked out", "计算时间"), given=True)
    evidence = fields.rows(Basis, Text("Evidence", "依据"), most=5000, given=True)

    kind = "supplier-rating"
    shape = Shape(
        one=Text("Supplier rating", "供应商评价"),
        many=Text("Supplier ratings", "供应商评价"),
        group=Group.SUPPLY,
        key=("party", "first", "last"),
        title="last",
        order="-last",
        columns=("party", "first", "last", "promises", "on_time", "quality", "score", "mark"),
        rules=(Rule("forwards", Q(last__gte=F("first")), BACKWARDS, "last"),),
        states=States(
            words={"draft": Text("Draft", "草稿"), "released": Text("Released", "已发布")},
            moves=(
                Move("recompute", ("draft",), "draft", Text("Work out again", "重新计算")),
                Move("release", ("draft",), "released", Text("Release", "发布")),
                Move("revise", ("released",), "draft", Text("Revise", "修订")),
            ),
            fixed=frozenset({"released"}),
        ),
    )

    def label(self) -> str:
        """Return supplier and period."""
        return f"{self.party.number} {self.first} – {self.last}"

    def settle(self) -> None:
        """Work the numbers out of their evidence; what is released keeps those it was released with."""
        if not self.party.supplier:
            raise kit.Invalid({"party": NO_SUPPLIER.format(party=self.party.number)})
        if self.state != "draft" or self.last < self.first:
            return
        kept, found = list(self._deliveries()), list(self._findings())
        self.promises, self.faults = len(kept), sum(each["weight"] for each in found)
        self.on_time = self.quality = self.score = None
        self.mark, self.evidence, self.computed_ms = "", [*kept, *found], kit.now_ms()
        if kept:
            self.on_time = round(Decimal(100 * sum(each["good"] for each in kept)) / len(kept), 2)
            self.quality = max(Decimal(0), round(100 - Decimal(100 * self.faults) / len(kept), 2))
            self.score = round(ON_TIME_SHARE * self.on_time + (1 - ON_TIME_SHARE) * self.quality, 2)
            self.mark = next(mark for least, mark in LIMITS if self.score >= least)

    def follow(self, author: Author, before: dict[str, Any] | None) -> None:
        """Write a released mark into the supplier's own record, where everyone who orders sees it."""
        if before and before["state"] == "draft" and self.state == "released":
            if not self.mark:
                raise kit.Conflict(NOTHING_DUE)
            rating = RATINGS[self.mark]
            kit.rework(
                kit.consequence(author), Party, self.party.pk, None, lambda party: setattr(party, "rating", rating)
            )

    def _period(self) -> tuple[int, int]:
        return kit.day_ms(self.tenant, self.first), kit.day_ms(self.tenant, self.last + kit.timedelta(days=1))

    def _deliveries(self) -> Iterator[dict[str, Any]]:
        """Yield the deliveries that fell due: in order if all of it had come by the end of that day."""
        start, end = self._period()
        promised = Commitment.objects.of(self.tenant).filter(debtor=self.party, sort="delivery", due_ms__gte=start)
        due = promised.filter(due_ms__lt=min(end, kit.now_ms()), state__in=("accepted", "kept", "broken"))
        for each in due.exclude(quantity=None).order_by("due_ms", "id"):
            day, come = kit.day_of(self.tenant, each.due_ms), Fraction(0)
            settled = Settlement.objects.filter(commitment=each).exclude(state="void").exclude(quantity=None)
            for part in settled.filter(day__lte=day):
                come += Fraction(part.quantity) * (ratio(part.unit, each.unit) or 0)
            told = f"{float(come):g} / {float(each.quantity):g} {each.unit}"
            yield _basis(each, day, good=come >= each.quantity, weight=1, told=told)

    def _findings(self) -> Iterator[dict[str, Any]]:
        """Yield what was found wrong with this supplier's orders."""
        start, end = self._period()
        found = Finding.objects.of(self.tenant).filter(order__party=self.party, found_ms__gte=start, found_ms__lt=end)
        for each in found.filter(sort="nonconformity").exclude(state="closed").order_by("found_ms", "id"):
            day = kit.day_of(self.tenant, each.found_ms)
            yield _basis(each, day, good=False, weight=WEIGHTS[each.severity], told=each.subject)


def _basis(record: Any, day: kit.date, *, good: bool, weight: int, told: str) -> dict[str, Any]:
    named = {"record": f"{record.kind}:{record.pk}", "number": record.number, "day": day.isoformat()}
    return {**named, "good": good, "weight": weight, "told": told}
