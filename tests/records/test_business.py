"""What the nouns of the business model know themselves: levels of bills, working time, units, sums, deadlines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.records.plant import asset, author, tenant

from mainspring.core.errors import Conflict, LimitExceeded, NotFound
from mainspring.records.business import bill, calendar, commitment, document, finding, operation, order, unit
from mainspring.records.business.bill import BillLine, BillOfMaterial
from mainspring.records.business.calendar import Calendar, working
from mainspring.records.business.capability import able
from mainspring.records.business.commitment import Commitment, Settlement
from mainspring.records.business.document import Document
from mainspring.records.business.external_id import ids_of, known_as
from mainspring.records.business.finding import Finding
from mainspring.records.business.item import Item
from mainspring.records.business.operation import Operation
from mainspring.records.business.order import OrderLine
from mainspring.records.business.unit import Conversion
from mainspring.records.defined import writing
from mainspring.records.defined.access import Access
from mainspring.records.defined.kinds import find_kind
from mainspring.records.faults import Invalid
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant, now_ms

DAY = date(2026, 6, 1)
DAY_MS, HOUR_MS = 86_400_000, 3_600_000


class Making:
    """Makes records of a company."""

    def __init__(self, of: Tenant) -> None:
        self.tenant = of
        self.access = Access(author(of), Role.ADMINISTRATOR.rights)

    def __call__(self, kind: str, **fields: Any) -> Any:
        return writing.create(self.access, find_kind(kind), fields)

    def item(self, number: str, **fields: Any) -> Any:
        return self("item", number=number, name={"en": number}, **fields)

    def party(self, number: str) -> Any:
        return self("party", number=number, name={"en": number})

    def bill(self, whole: Any, *parts: tuple[Any, Any], release: bool = True, **fields: Any) -> Any:
        rows = [
            {"position": place, "item": part.pk, "quantity": quantity, "unit": part.unit}
            for place, (part, quantity) in enumerate(parts, start=1)
        ]
        made = self("bill-of-material", item=whole.pk, unit=whole.unit, **{"bill-line": rows}, **fields)
        return self.move(made, "release") if release else made

    def move(self, record: Any, *steps: str) -> Any:
        for step in steps:
            record = writing.move(self.access, type(record), record.pk, step, None)
        return record

    def change(self, record: Any, **fields: Any) -> Any:
        return writing.modify(self.access, type(record), record.pk, fields, None)


@pytest.fixture
def make(plant: Tenant) -> Making:
    return Making(plant)


def refused(attempt: Callable[[], Any]) -> set[str]:
    with pytest.raises(Invalid) as caught:
        attempt()
    return set(caught.value.fields)


# Bills of material


def test_what_goes_in_is_added_up_over_all_levels_and_ways(make: Making) -> None:
    bike, wheel, spoke, frame, tube = (make.item(name) for name in ("bike", "wheel", "spoke", "frame", "tube"))
    rubber = make.item("rubber", unit="kg")
    make.bill(bike, (wheel, 2), (frame, 1), (spoke, 4))
    make.bill(wheel, (spoke, 36), (rubber, "0.6"), quantity=1)
    make.bill(frame, (tube, 7), quantity=2)
    found = bill.explode(bike, Decimal(10), DAY)
    amounts = {Item.objects.get(pk=id).number: need for id, need in found.needs.items()}
    assert amounts == {
        "bike": 10, "wheel": 20, "frame": 10, "spoke": 760, "rubber": 12, "tube": 35,
    }  # fmt: skip
    assert found.level[spoke.pk] == 2
    assert {Item.objects.get(pk=id).number for id in found.bought()} == {"spoke", "rubber", "tube"}


def test_scrap_units_days_and_alternatives_count(make: Making) -> None:
    cake, flour, sugar = make.item("cake"), make.item("flour", unit="kg"), make.item("sugar", unit="kg")
    make("unit-of-measure", item=sugar.pk, code="bag", amount="0.5")
    one = make("bill-of-material", item=cake.pk, quantity=12)
    make("bill-line", bill=one.pk, position=1, item=flour.pk, quantity=600, unit="g", scrap=10)
    make("bill-line", bill=one.pk, position=2, item=sugar.pk, quantity=200, unit="g", valid_until="2026-05-31")
    make("bill-line", bill=one.pk, position=3, item=sugar.pk, quantity=100, unit="g", valid_from="2026-06-01")
    make.bill(cake, (flour, 99), alternative="2")
    assert bill.explode(cake, Decimal(1), DAY).needs[flour.pk] == 99
    make.move(one, "release")
    found = bill.explode(cake, Decimal(24), DAY)
    assert (found.needs[flour.pk], found.needs[sugar.pk]) == (Decimal("1.32"), Decimal("0.2"))
    assert bill.explode(cake, Decimal(24), date(2026, 5, 1)).needs[sugar.pk] == Decimal("0.4")
    assert refused(lambda: make("bill-line", bill=make.bill(flour, release=False).pk, position=1, item=sugar.pk,
                                quantity=1, unit="L")) == {"unit"}  # fmt: skip


def test_nothing_ever_goes_into_itself(make: Making) -> None:
    a, b, c = (make.item(name) for name in "abc")
    first = make.bill(a, (b, 1), release=False)
    make.bill(b, (c, 1), release=False)
    third = make.bill(c, release=False)
    for part in (a, b, c):
        line = {"bill": third.pk, "position": 1, "item": part.pk, "quantity": 1}
        assert refused(partial(make, "bill-line", **line)) == {"item"}
    assert not BillLine.objects.filter(bill=third).exists()
    # By changing whose bill it is, too.
    assert refused(lambda: make.change(first, item=c.pk)) == {"item"}
    assert BillOfMaterial.objects.get(pk=first.pk).item == a


def test_deep_and_wide_bills_are_worked_out_within_their_limit(make: Making) -> None:
    # Every level comes in twice, so that a quadrillion ways lead from the top to the bottom.
    items = [make.item(f"level-{level:02}") for level in range(bill.LEVELS_MAX + 1)]
    for whole, part in pairwise(items):
        rows = [{"position": place, "item": part.pk, "quantity": 1} for place in (1, 2)]
        make.move(make("bill-of-material", item=whole.pk, **{"bill-line": rows}), "release")
    found = bill.explode(items[1], Decimal(1), DAY)
    assert found.needs[items[-1].pk] == 2**49
    assert found.level[items[-1].pk] == 49
    with pytest.raises(LimitExceeded):
        bill.explode(items[0], Decimal(1), DAY)


# Calendars


def ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def shift(start: str, end: str, *weekdays: int) -> dict[str, Any]:
    return {"name": {"en": start}, "start": start, "end": end, "weekdays": list(weekdays or range(1, 8))}


def hours(found: list[calendar.Interval]) -> list[float]:
    return [(each.end_ms - each.start_ms) / HOUR_MS for each in found]


def test_working_time_follows_weekdays_holidays_and_days_worked_instead(make: Making) -> None:
    # National Day 2026: seven days off, and the Saturday after is worked.
    made = make(
        "calendar", code="day", name={"en": "Day"}, shifts=[shift("08:00", "12:00", 1, 2, 3, 4, 5),
                                                           shift("13:00", "17:00", 1, 2, 3, 4, 5)],
        exceptions=[
            {"first": "2026-10-01", "last": "2026-10-07", "reason": {"zh": "国庆节"}},
            {"first": "2026-10-10", "reason": {"zh": "调休"},
             "shifts": [{"name": {"en": "x"}, "start": "09:00", "end": "12:00"}]},
        ],
    )  # fmt: skip
    found = working(made, ms("2026-09-30T10:00", "Asia/Shanghai"), ms("2026-10-12T00:00", "Asia/Shanghai"))
    days = [datetime.fromtimestamp(each.start_ms / 1000, ZoneInfo("Asia/Shanghai")) for each in found]
    assert [f"{day:%m-%d %H}" for day in days] == [
        "09-30 10", "09-30 13", "10-08 08", "10-08 13", "10-09 08", "10-09 13", "10-10 09",
    ]  # fmt: skip
    assert sum(hours(found)) == 2 + 4 + 16 + 3


@pytest.mark.parametrize(
    ("night", "length"),
    [("2026-03-28", 7.0), ("2026-10-24", 9.0), ("2026-07-01", 8.0)],
    ids=["summer time begins", "summer time ends", "any night"],
)
def test_a_night_shift_is_as_long_as_the_night(make: Making, night: str, length: float) -> None:
    made = make("calendar", code="n", name={"en": "n"}, zone="Europe/Berlin", shifts=[shift("22:00", "06:00")])
    start = ms(f"{night}T12:00", "Europe/Berlin")
    assert hours(working(made, start, start + 24 * HOUR_MS)) == [length]


def test_shifts_that_touch_leave_no_gap_when_the_clock_is_set(make: Making) -> None:
    rows = [shift("02:30", "10:30"), shift("10:30", "18:30"), shift("18:30", "02:30")]
    made = make("calendar", code="c", name={"en": "c"}, zone="Europe/Berlin", shifts=rows)
    for day in ("2026-03-29", "2026-10-25"):
        start = ms(f"{day}T00:00", "Europe/Berlin") - DAY_MS
        found = working(made, start, start + 4 * DAY_MS)
        assert hours(found) == [96.0]
        parts = list(calendar.worked_shifts(made, start, start + 4 * DAY_MS))
        assert all(before.end_ms == after.start_ms for before, after in pairwise(parts))


def test_the_plants_zone_counts_where_none_is_given_and_years_are_bounded(make: Making) -> None:
    made = make("calendar", code="c", name={"en": "c"}, shifts=[shift("08:00", "09:00")])
    [only] = working(made, ms("2026-06-01T00:00"), ms("2026-06-01T12:00"))
    assert datetime.fromtimestamp(only.start_ms / 1000, UTC).hour == 0
    assert len(working(made, 0, 3650 * DAY_MS)) == 3650
    with pytest.raises(LimitExceeded):
        working(made, 0, 4000 * DAY_MS)
    assert working(Calendar(tenant=make.tenant), 0, DAY_MS) == []


# Units


def test_quantities_convert_by_what_they_measure_and_by_the_items_own_units(make: Making) -> None:
    screw = make.item("screw")
    make("unit-of-measure", item=screw.pk, code="box", amount=12)
    make("unit-of-measure", item=screw.pk, code="kg", many=3, amount=100)
    convert = Conversion(screw)
    for quantity, source, target, expected in (
        ("2", "box", "{count}", "24"), ("6", "{count}", "box", "0.5"), ("3", "kg", "{count}", "100"),
        ("300", "g", "{count}", "10"), ("1", "box", "g", "360"), ("1", "t", "box", "2777.777778"),
        ("5", "{count}", "{count}", "5"),
    ):  # fmt: skip
        assert convert(Decimal(quantity), source, target) == Decimal(expected), (source, target)
    assert refused(lambda: convert(Decimal(1), "L")) == {"unit"}
    assert refused(lambda: convert(Decimal(1), "crate", "box")) == {"unit"}
    oil = make.item("oil", unit="L")
    assert Conversion(oil)(Decimal("0.25"), "m3") == 250
    assert refused(lambda: Conversion(oil)(Decimal(1), "kg")) == {"unit"}
    make("unit-of-measure", item=oil.pk, code="kg", many="0.85", amount=1)
    assert Conversion(oil)(Decimal("1.7"), "kg") == 2
    assert refused(lambda: make("unit-of-measure", item=oil.pk, code="m3", amount=1000)) == {"code"}
    assert unit.ratio("Cel", "K") is None


# Orders


def test_links_never_take_more_of_a_line_than_it_has(make: Making) -> None:
    part, other = make.item("part"), make.item("other")
    make("unit-of-measure", item=part.pk, code="box", amount=10)

    def line(kind: str, quantity: int, of: Any = part) -> Any:
        made = make("order", sort=kind, **{"order-line": [{"position": 1, "item": of.pk, "quantity": quantity}]})
        return OrderLine.objects.get(order=made)

    bought, first, second = line("purchase", 100), line("sales", 70), line("sales", 70)
    link = make("order-link", supply=bought.pk, demand=first.pk, quantity=70)
    assert refused(lambda: make("order-link", supply=bought.pk, demand=second.pk, quantity=31)) == {"quantity"}
    make("order-link", supply=bought.pk, demand=second.pk, quantity=30)
    assert refused(lambda: make.change(link, quantity=71)) == {"quantity"}
    assert refused(lambda: make.change(bought, quantity=99)) == {"quantity"}
    assert refused(lambda: make.change(bought, item=other.pk)) == {"supply"}
    work = line("work", 60)
    assert refused(lambda: make("order-link", supply=work.pk, demand=second.pk, quantity=41)) == {"quantity"}
    make("order-link", supply=work.pk, demand=second.pk, quantity=40)
    assert order.linked(second) == (Decimal(0), Decimal(70))
    assert order.linked(bought) == (Decimal(100), Decimal(0))
    unlike = line("work", 5, other)
    assert refused(lambda: make("order-link", supply=unlike.pk, demand=first.pk, quantity=1)) == {"supply"}
    make("order-link", supply=unlike.pk, demand=first.pk, quantity=1, sort="subcontract")


def test_an_order_never_waits_for_itself(make: Making) -> None:
    part = make.item("part")
    made = make("order", sort="work", **{"order-line": [
        {"position": place, "item": part.pk, "quantity": 10} for place in (1, 2, 3)]})  # fmt: skip
    one, two, three = OrderLine.objects.filter(order=made).order_by("position")
    make("order-link", supply=one.pk, demand=two.pk, quantity=1)
    make("order-link", supply=two.pk, demand=three.pk, quantity=1)
    assert refused(lambda: make("order-link", supply=three.pk, demand=one.pk, quantity=1)) == {"supply"}


# Operations and capabilities


def test_a_routing_is_a_graph_whose_operations_find_their_equipment(make: Making) -> None:
    part = make.item("shaft")
    steps = {
        number: make("operation", item=part.pk, number=number, name={"en": number}, process=process,
                     material="steel", size=120, tolerance="0.02", setup_s=600, each_s=90)
        for number, process in (("10", "saw"), ("20", "turn"), ("30", "mill"), ("40", "grind"))
    }  # fmt: skip
    for after, then in (("10", "30"), ("10", "20"), ("20", "40"), ("30", "40")):
        make("operation-order", operation=steps[then].pk, after=steps[after].pk)
    assert [each.number for each in operation.routing(make.tenant, part)] == ["10", "20", "30", "40"]
    for after, then in (("40", "10"), ("40", "20"), ("30", "10")):
        row = {"operation": steps[then].pk, "after": steps[after].pk}
        assert refused(partial(make, "operation-order", **row)) == {"after"}
    foreign = make("operation", item=make.item("else").pk, number="10", name={"en": "x"}, process="saw")
    assert refused(lambda: make("operation-order", operation=steps["40"].pk, after=foreign.pk)) == {"after"}
    assert Operation.objects.get(pk=steps["20"].pk).duration_s(Decimal(10)) == 1500
    lathe, small = asset(make.tenant, "lathe"), asset(make.tenant, "small lathe")
    for name, place, more in (
        ("A", lathe, {"size_least": 20, "size_most": 400, "tolerance": "0.01"}),
        ("B", small, {"size_most": 100, "tolerance": "0.005"}),
        ("C", lathe, {"size_most": 400, "tolerance": "0.05"}),
        ("D", lathe, {"material": "brass", "tolerance": "0.01"}),
    ):
        make.move(make("capability", number=name, process="turn", asset=place.pk, **more), "release")
    make("capability", number="E", process="turn", asset=lathe.pk, tolerance="0.001")
    assert [each.number for each in operation.equipment_for(Operation.objects.get(pk=steps["20"].pk))] == ["A"]
    assert [each.number for each in able(make.tenant, "turn")] == ["A", "B", "C", "D"]


# Findings


def test_a_finding_has_the_deadline_of_its_grade_unless_someone_sets_one(make: Making) -> None:
    now = now_ms()
    made = make("finding", sort="hazard", subject="no guard", found_ms=now)
    assert refused(lambda: make.move(made, "grade")) >= {"severity"}
    graded = make.move(make.change(made, severity="critical"), "grade")
    assert graded.deadline_ms == now + DAY_MS
    assert refused(lambda: make.move(graded, "assign")) == {"assignee"}
    assert make("finding", sort="fault", subject="x", severity="minor", deadline_ms=now + 5, found_ms=now).deadline_ms
    mender, checker = make.party("mender"), make.party("checker")
    assigned = make.move(make.change(graded, assignee=mender.pk), "assign")
    assert refused(lambda: make.change(assigned, assignee=None)) == {"assignee"}
    fixed = make.move(make.change(assigned, remedy="guard fitted"), "fix")
    assert refused(lambda: make.change(fixed, verifier=mender.pk)) == {"verifier"}
    verified = make.move(make.change(fixed, verifier=checker.pk), "verify")
    with pytest.raises(Conflict):
        make.change(verified, cause="x")


def test_a_finding_is_found_when_it_is_entered_unless_someone_says_when(make: Making) -> None:
    first = make("finding", sort="fault", subject="one")
    while now_ms() <= first.found_ms:
        pass
    assert make("finding", sort="fault", subject="other").found_ms > first.found_ms


def test_overdue_findings_climb_step_by_step_and_what_is_mended_does_not(make: Making) -> None:
    now = now_ms()
    ages = {"late": 10, "day": 1.5, "just": 0.5, "soon": -1}
    made = {
        name: make("finding", sort="fault", subject=name, severity="minor", found_ms=now - 40 * DAY_MS,
                   deadline_ms=int(now - days * DAY_MS))
        for name, days in ages.items()
    }  # fmt: skip
    assert {name: each.step for name, each in made.items()} == {"late": 4, "day": 2, "just": 1, "soon": 0}
    assert [each.subject for each in finding.overdue(make.tenant, now)] == ["late", "day", "just"]
    assert finding.escalate(make.access.author, now) == []
    later = now + 9 * DAY_MS // 4
    climbed = finding.escalate(make.access.author, later)
    assert {each.subject: each.step for each in climbed} == {"day": 3, "just": 2, "soon": 2}
    assert finding.escalate(make.access.author, later) == []
    make.move(make.change(made["soon"], remedy="a duplicate"), "close")
    Making(tenant("north"))("finding", sort="fault", subject="theirs", severity="critical", deadline_ms=now + DAY_MS)
    assert finding.escalate_all(now + 30 * DAY_MS) == 3
    steps = dict(Finding.objects.values_list("subject", "step"))
    assert steps == {"late": 4, "day": 4, "just": 4, "soon": 0, "theirs": 4}
    assert Finding.objects.get(subject="late").version == 1
    # Nobody writes the step by hand.
    assert refused(lambda: make.change(made["just"], step=0)) == {"step"}


# Commitments


def test_settlements_add_up_to_no_more_than_was_committed(make: Making) -> None:
    seller, buyer = make.party("seller"), make.party("buyer")
    promise = make("commitment", sort="energy", debtor=seller.pk, creditor=buyer.pk, quantity=10, unit="MW.h",
                   amount=6000, over=10, due_ms=1)  # fmt: skip
    rest: dict[str, Any] = {"commitment": promise.pk, "day": "2026-06-01"}
    make("settlement", **rest, quantity=4000, unit="kW.h", amount=2500)
    make("settlement", **rest, quantity=7, unit="MW.h")
    promise = Commitment.objects.get(pk=promise.pk)
    found = commitment.balance(promise)
    assert [found.quantity, found.amount] == [11, 2500]
    assert [found.quantity_left, found.amount_left] == [-1, 3500]
    assert refused(lambda: make("settlement", **rest, quantity=1, unit="kW.h")) == {"quantity"}
    assert refused(lambda: make("settlement", **rest, amount=4200)) == {"amount"}
    assert refused(lambda: make("settlement", **rest, amount=1, currency="EUR")) == {"currency"}
    assert refused(lambda: make.change(promise, quantity=9)) == {"quantity"}
    make.move(Settlement.objects.get(quantity=7), "void")
    make("settlement", **rest, quantity=1, unit="kW.h")


# Documents


def test_a_documents_content_is_kept_by_its_hash_and_is_what_it_says(make: Making, tmp_path: Path) -> None:
    made = make("document", title={"en": "Drawing"}, sort="drawing")
    assert refused(lambda: make.move(made, "release")) == {"sha256"}
    with pytest.raises(NotFound):
        document.content_file(tmp_path, made)

    def attach(name: str, *chunks: bytes) -> Any:
        return document.attach(make.access, tmp_path, made.pk, None, name, iter(chunks))

    for name, content in (("a.exe", b"MZ"), ("a", b"x"), ("a.pdf", b"<html>"), ("a.csv", b"\x00\x01"), ("a.txt", b"")):
        assert refused(partial(attach, name, content)) == {"file_name"}
    bound = attach("../../etc/plan.pdf", b"%PDF-1.7 ", b"lines")
    assert (bound.file_name, bound.media_type, bound.size) == ("plan.pdf", "application/pdf", 14)
    file = document.content_file(tmp_path, bound)
    assert file.read_bytes() == b"%PDF-1.7 lines"
    assert document.is_whole(tmp_path, bound)
    released = make.move(bound, "release")
    with pytest.raises(Conflict):
        attach("b.pdf", b"%PDF-2")
    make.move(released, "revise")
    attach("b.pdf", b"%PDF-2")
    assert document.sweep(tmp_path, make.tenant) == 0
    assert document.sweep(tmp_path, make.tenant, now_s=4e9) == 1
    assert document.content_file(tmp_path, Document.objects.get()).read_bytes() == b"%PDF-2"
    assert not list((tmp_path / "documents" / "plant" / "incoming").iterdir())
    file = document.content_file(tmp_path, Document.objects.get())
    file.write_bytes(b"%PDF-3")
    assert not document.is_whole(tmp_path, Document.objects.get())
    file.unlink()
    with pytest.raises(NotFound):
        document.content_file(tmp_path, Document.objects.get())


def test_a_document_is_no_larger_than_its_limit(make: Making, tmp_path: Path) -> None:
    made = make("document", title={"en": "Film"})

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 2**20

    with pytest.raises(LimitExceeded):
        document.attach(make.access, tmp_path, made.pk, None, "film.txt", endless())
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


# Ids of other systems, places, trees


def test_a_record_is_found_by_what_another_system_calls_it(make: Making) -> None:
    part = make.item("part")
    make("external-id", system="erp", entity="Item", number="7", about=f"item:{part.pk}")
    assert known_as(make.tenant, "erp", "Item", "7") == part
    assert known_as(make.tenant, "erp", "Vendor", "7") is None
    assert ids_of(make.tenant, "erp", "Item") == {"7": part.pk}
    assert ids_of(tenant("north"), "erp", "Item") == {}


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Circle", "coordinates": [1, 2]},
        {"type": "Point", "coordinates": [1]},
        {"type": "Point", "coordinates": ["a", "b"]},
        {"type": "LineString", "coordinates": [[1, 2]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]},
        {"type": "Point", "coordinates": [200, 0]},
    ],
    ids=lambda geometry: str(geometry)[:50],
)
def test_what_is_no_geometry_is_refused(make: Making, geometry: dict[str, Any]) -> None:
    fields = refused(lambda: make("location", code="x", name={"en": "x"}, geometry=geometry))
    assert all(field.startswith("geometry") for field in fields)


def test_geometries_on_a_map_and_in_the_plant(make: Making) -> None:
    ring = [[0, 0], [500, 0], [500, 300], [0, 0]]
    hall = make("location", code="hall", name={"en": "Hall"}, coordinates="local",
                geometry={"type": "Polygon", "coordinates": [ring]})  # fmt: skip
    assert hall.geometry["coordinates"] == [ring]
    assert refused(lambda: make.change(hall, coordinates="wgs84")) == {"geometry"}


@pytest.mark.parametrize(
    ("kind", "fields", "link"),
    [
        ("party", {}, "within"), ("location", {"code": "{n}"}, "within"),
        ("criterion", {"scheme": "s", "number": "{n}"}, "within"),
    ],
)  # fmt: skip
def test_nothing_lies_within_itself(make: Making, kind: str, fields: dict[str, str], link: str) -> None:
    made: list[Any] = []
    for number in range(3):
        own = {name: value.format(n=number) for name, value in fields.items()}
        made.append(make(kind, name={"en": "x"}, **own, **({link: made[-1].pk} if made else {})))
    for inner in made:
        assert refused(partial(make.change, made[0], **{link: inner.pk})) == {link}


def test_parts_of_parts_of_assets_end_and_what_feeds_may_feed_back(make: Making) -> None:
    one, two, three = (asset(make.tenant, name).pk for name in ("one", "two", "three"))
    for sort in ("part-of", "feeds"):
        make("asset-link", source=one, target=two, sort=sort)
        make("asset-link", source=two, target=three, sort=sort)
    make("asset-link", source=three, target=one, sort="feeds")
    assert refused(lambda: make("asset-link", source=three, target=one, sort="part-of")) == {"target"}
