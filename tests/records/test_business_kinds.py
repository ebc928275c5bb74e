"""What holds of every kind of record: each is made, listed, changed, moved, refused when wrong, removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.records.plant import asset, author, tag, tenant

from mainspring.core.errors import Conflict, NotAllowed, NotFound
from mainspring.records.audit import AuditEntry, first_broken
from mainspring.records.business.party import Party
from mainspring.records.defined import listing, writing
from mainspring.records.defined.access import Access
from mainspring.records.defined.kinds import Defined, columns, find_kind, kinds, parts_of
from mainspring.records.faults import Invalid
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant

DAY_MS = 86_400_000


class Ground:
    """A company with one record of each kind others link to, made when first asked for."""

    def __init__(self, of: Tenant) -> None:
        self.tenant = of
        self.access = Access(author(of), Role.ADMINISTRATOR.rights)
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Any:
        if name in {"asset", "asset-2"}:
            return asset(self.tenant, name).pk
        if name == "tag":
            return tag(self.tenant, "t", asset(self.tenant, "with-tag")).pk
        kind, _, _ = name.partition("#")
        return self.create(kind, **GOOD[kind].fields(self, name)).pk

    def create(self, kind: str, **fields: Any) -> Any:
        return writing.create(self.access, find_kind(kind), fields)


@dataclass(frozen=True)
class Good:
    """What a good record of a kind has, one change of it, and what is wrong with others of its kind, by the field."""

    fields: Callable[[Ground, str], dict[str, Any]]
    change: dict[str, Any]
    wrong: dict[str, dict[str, Any]] = field(default_factory=dict)
    moves: tuple[str, ...] = ()


def named(name: str) -> dict[str, str]:
    return {"en": name, "zh": "名称"}


GOOD: dict[str, Good] = {
    "party": Good(
        lambda g, n: {"number": n, "name": named(n), "supplier": True},
        {"rating": 2},
        {"rating": {"rating": 9}, "name": {"name": {"en": ""}}},
        ("block", "activate"),
    ),
    "asset-type": Good(
        lambda g, n: {"code": n, "name": named(n), "maker": g["party"]},
        {"properties": [{"submodel": "TechnicalData", "name": "MaxPressure", "words": named("p"), "unit": "bar"}]},
        {
            "properties.0.unit": {"properties": [{"submodel": "T", "name": "P", "words": named("p"), "unit": "no"}]},
            "properties.1.name": {"properties": [{"submodel": "T", "name": "P", "words": named("p")}] * 2},
        },
        ("release",),
    ),
    "equipment": Good(
        lambda g, n: {"asset": g["asset"], "type": g["asset-type"], "location": g["location"], "built": "2020-05-01"},
        {"serial": "4711"},
        {"installed": {"asset": "asset-2", "installed": "2019-01-01"}},
        ("put-in-service", "take-out", "scrap"),
    ),
    "capability": Good(
        lambda g, n: {"process": "milling", "asset": g["asset"], "size_least": 10, "size_most": 400},
        {"tolerance": "0.01"},
        {"asset": {"asset": None}, "size_least": {"size_least": 500}, "process": {"process": ""}},
        ("release", "withdraw"),
    ),
    "calendar": Good(
        lambda g, n: {"code": n, "name": named(n), "zone": "Europe/Berlin"},
        {"shifts": [{"name": named("day"), "start": "08:00", "end": "16:00", "weekdays": [1, 2, 3, 4, 5]}]},
        {
            "zone": {"zone": "Mars/Base"},
            "shifts.0.start": {"shifts": [{"name": named("x"), "start": "8:00", "end": "16:00", "weekdays": [1]}]},
            "exceptions.0.last": {"exceptions": [{"first": "2026-01-02", "last": "2026-01-01", "reason": named("")}]},
            "exceptions.1.first": {"exceptions": [{"first": "2026-01-02", "reason": named("")}] * 2},
        },
        ("release",),
    ),
    "item": Good(
        lambda g, n: {"number": n, "name": named(n), "tracked": "lot"},
        {"weight": "1.5"},
        {"unit": {"unit": "furlong"}, "sort": {"sort": "x"}, "cost": {"cost": -1}},
        ("release", "revise"),
    ),
    "unit-of-measure": Good(
        lambda g, n: {"item": g["item"], "code": "box", "amount": 12},
        {"amount": 24},
        {"amount": {"code": "b", "amount": 0}, "code": {"code": "{count}"}},
    ),
    "bill-of-material": Good(
        lambda g, n: {"item": g["item"], "alternative": n[-2:]},
        {"quantity": 10},
        {"valid_until": {"alternative": "x", "valid_from": "2026-02-01", "valid_until": "2026-01-01"},
         "unit": {"alternative": "x", "unit": "kg"}},
        ("release", "revise"),
    ),
    "bill-line": Good(
        lambda g, n: {"bill": g["bill-of-material"], "position": 10, "item": g["item#part"], "quantity": 2},
        {"scrap": 5},
        {"quantity": {"position": 20, "quantity": 0}, "item": {"position": 20, "item": "item"}},
    ),
    "lot": Good(
        lambda g, n: {"item": g["item"], "number": n, "made": "2026-03-01"},
        {"grade": "A"},
        {"expires": {"number": "x", "expires": "2026-01-01"}},
        ("hold", "free", "block"),
    ),
    "operation": Good(
        lambda g, n: {"item": g["item"], "number": n[-10:], "name": named(n), "process": "milling"},
        {"each_s": 30},
        {"setup_s": {"number": "x", "setup_s": -1}},
        ("release", "revise"),
    ),
    "operation-order": Good(
        lambda g, n: {"operation": g["operation"], "after": g["operation#first"]},
        {"overlap": 50},
        {"overlap": {"overlap": 0}, "after": {"after": "operation"}},
    ),
    "operation-material": Good(
        lambda g, n: {"operation": g["operation"], "item": g["item#part"], "quantity": 2},
        {"quantity": 3},
        {"unit": {"direction": "out", "unit": "kg"}},
    ),
    "order": Good(
        lambda g, n: {"number": n, "sort": "work", "asset": g["asset"]},
        {"priority": 9},
        {"due_ms": {"number": "x", "begin_ms": 5, "due_ms": 4}, "sort": {"number": "x", "sort": "wish"}},
        ("release", "start", "finish", "reopen"),
    ),
    "order-line": Good(
        lambda g, n: {"order": g["order" + n[10:]], "position": 1, "item": g["item"], "quantity": 5},
        {"price": "3.5"},
        {"item": {"position": 2, "item": None}, "quantity": {"position": 2, "quantity": None},
         "unit": {"position": 2, "unit": "kg"}},
    ),
    "order-link": Good(
        lambda g, n: {"supply": g["order-line"], "demand": g["order-line#sales"], "quantity": 3},
        {"quantity": 4},
        {"quantity": {"sort": "split", "quantity": 3}, "demand": {"sort": "subcontract", "demand": "order-line"}},
    ),
    "document": Good(
        lambda g, n: {"number": n, "title": named(n), "about": f"item:{g['item']}"},
        {"sort": "drawing"},
        {"about": {"number": "x", "about": "item:00000000-0000-7000-8000-000000000000"},
         "sha256": {"number": "x", "sha256": "0" * 64}},
    ),
    "finding": Good(
        lambda g, n: {"sort": "hazard", "subject": n, "asset": g["asset"], "severity": "major", "found_ms": 1000,
                      "assignee": g["party"], "remedy": "guard fitted", "verifier": g["party#other"]},
        {"cause": "no guard"},
        {"subject": {"subject": ""}, "deadline_ms": {"deadline_ms": 5}, "verifier": {"verifier": "party"}},
        ("grade", "assign", "fix", "return", "fix", "verify", "reopen"),
    ),
    "commitment": Good(
        lambda g, n: {"sort": "delivery", "debtor": g["party"], "creditor": g["party#other"], "quantity": 100,
                      "due_ms": DAY_MS},
        {"over": 10},
        {"creditor": {"creditor": "party"}, "quantity": {"quantity": None}, "due_ms": {"begin_ms": 2 * DAY_MS}},
        ("accept", "keep", "reopen"),
    ),
    "settlement": Good(
        lambda g, n: {"commitment": g["commitment"], "day": "2026-04-01", "quantity": 60},
        {"quantity": 70},
        {"quantity": {"quantity": 40.5}, "unit": {"unit": "kg"}, "day": {"day": "soon"}},
        ("agree", "pay"),
    ),
    "external-id": Good(
        lambda g, n: {"system": "erp", "entity": "Item", "number": n, "about": f"item:{g['item']}"},
        {"edition": "3"},
        {"about": {"number": "x", "about": "nothing:1"}},
    ),
    "project": Good(
        lambda g, n: {"number": n, "name": named(n), "lead": g["party"]},
        {"ends": "2026-12-31"},
        {"ends": {"number": "x", "begins": "2026-02-01", "ends": "2026-01-01"}},
        ("start", "finish", "reopen"),
    ),
    "project-member": Good(
        lambda g, n: {"project": g["project"], "party": g["party"]},
        {"part": "welder"},
        {"share": {"party": "party#other", "share": 101}},
    ),
    "project-task": Good(
        lambda g, n: {"project": g["project"], "number": n, "name": named(n)},
        {"progress": 40},
        {"progress": {"number": "x", "progress": 140}},
        ("start", "finish", "reopen"),
    ),
    "location": Good(
        lambda g, n: {"code": n, "name": named(n), "geometry": {"type": "Point", "coordinates": [121.5, 31.2]}},
        {"floor": "2", "x": 1, "y": 2, "width": 3, "depth": 4},
        {
            "x": {"code": "x", "x": 1},
            "geometry": {"code": "x", "geometry": {"type": "Point", "coordinates": [31.2, 121.5]}},
        },
        ("block",),
    ),
    "asset-link": Good(
        lambda g, n: {"source": g["asset"], "sort": "feeds", "target": g["asset-2"]},
        {"carries": "steam"},
        {"target": {"target": "asset"}, "sort": {"sort": "loves"}},
    ),
    "indicator": Good(
        lambda g, n: {"code": n, "name": named(n), "tag": g["tag"], "unit": "kW.h"},
        {"baseline": 100, "baseline_from": "2025-01-01", "baseline_until": "2025-12-31"},
        {"baseline_until": {"code": "x", "baseline": 5}},
        ("release",),
    ),
    "criterion": Good(
        lambda g, n: {"scheme": "GB/T 39116", "number": n, "name": named(n)},
        {"level": 3},
        {"weight": {"number": "x", "weight": -1}},
        ("release",),
    ),
    "evidence": Good(
        lambda g, n: {"criterion": g["criterion"], "statement": "all machines are connected", "paper": g["document"]},
        {"score": 80},
        {"statement": {"statement": "", "paper": None}, "score": {"score": 101}},
        ("submit", "refuse", "submit", "accept", "withdraw"),
    ),
}  # fmt: skip
BUSINESS = [kind for kind in kinds() if kind.__module__.startswith("mainspring.records.business.")]
ALL = pytest.mark.parametrize("kind", BUSINESS, ids=lambda kind: kind.kind)


@pytest.fixture
def ground(plant: Tenant) -> Ground:
    return Ground(plant)


def told(kind: type[Defined], record: Any) -> Any:
    return kind.objects.get(pk=record.pk)


def test_every_kind_is_tried_here() -> None:
    assert GOOD.keys() == {kind.kind for kind in BUSINESS}


@ALL
def test_a_record_is_made_listed_changed_and_removed(kind: type[Defined], ground: Ground) -> None:
    good = GOOD[kind.kind]
    made = ground.create(kind.kind, **good.fields(ground, kind.kind))
    assert made.label()
    page = listing.page(ground.access, kind, listing.Wanted(search=_words(made)))
    assert page.rows == [made]
    links = {str(getattr(made, f"{name}_id")) for name in good.fields(ground, kind.kind) if hasattr(made, f"{name}_id")}
    assert links <= page.titles.keys()
    for name in kind.shape.columns:
        column = kind._meta.get_field(name)
        if column.get_internal_type() != "JSONField":
            listing.page(ground.access, kind, listing.Wanted(sort=f"-{name}"))
    changed = writing.modify(ground.access, kind, made.pk, good.change, 1)
    assert changed.version == 2
    name, value = next(iter(good.change.items()))
    assert str(told(kind, made).document()[name])[:3] == str(value)[:3]
    assert [entry.action for entry in AuditEntry.objects.filter(object_id=str(made.pk))] == ["create", "change"]
    writing.remove(ground.access, kind, made.pk, 2)
    assert not kind.objects.filter(pk=made.pk).exists()
    assert first_broken(ground.tenant) is None


def _words(record: Any) -> str:
    """Return what the record is found by, if anything."""
    shape = record.shape
    names = [name for name in shape.found_by or shape.key if name in {"number", "code", "subject"}]
    return str(getattr(record, names[0])) if names else ""


@ALL
def test_it_takes_its_steps_and_no_others(kind: type[Defined], ground: Ground) -> None:
    good = GOOD[kind.kind]
    made = ground.create(kind.kind, **good.fields(ground, kind.kind))
    states = kind.shape.states
    assert made.state == states.first
    with pytest.raises(Conflict):
        writing.move(ground.access, kind, made.pk, "no-such-step", 1)
    for version, name in enumerate(good.moves, start=1):
        step = next(step for step in states.moves if step.name == name)
        assert writing.move(ground.access, kind, made.pk, name, version).state == step.target
    if told(kind, made).state in states.fixed:
        with pytest.raises(Conflict):
            writing.modify(ground.access, kind, made.pk, good.change, None)


@pytest.mark.parametrize(
    ("kind", "path"), [(kind, path) for kind in BUSINESS for path in GOOD[kind.kind].wrong],
    ids=lambda each: each if isinstance(each, str) else each.kind,
)  # fmt: skip
def test_what_is_wrong_is_told_beside_its_field(kind: type[Defined], path: str, ground: Ground) -> None:
    good = GOOD[kind.kind]
    fields = good.fields(ground, kind.kind)
    ground.create(kind.kind, **fields)
    wrong = {name: ground[value] if _is_reference(value) else value for name, value in good.wrong[path].items()}
    with pytest.raises(Invalid) as refused:
        ground.create(kind.kind, **{**_another(kind, fields), **wrong})
    assert path in refused.value.fields, refused.value.fields
    text = refused.value.fields[path]
    assert text.en
    assert any("\u4e00" <= character <= "\u9fff" for character in text.zh), text


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and (
        value in GOOD or value.partition("#")[0] in GOOD or value in {"asset", "asset-2"}
    )


def _another(kind: type[Defined], fields: dict[str, Any]) -> dict[str, Any]:
    name = kind.shape.key[-1]
    return {**fields, name: "another"} if isinstance(fields.get(name), str) and name in {"number", "code"} else fields


@ALL
def test_the_same_key_is_refused_and_another_company_may_have_it(kind: type[Defined], ground: Ground) -> None:
    fields = GOOD[kind.kind].fields(ground, kind.kind)
    first = ground.create(kind.kind, **fields)
    key = {name: getattr(first, columns(kind)[name].attname) for name in kind.shape.key}
    with pytest.raises(Invalid) as refused:
        ground.create(kind.kind, **{**fields, **key})
    assert refused.value.fields
    north = Ground(tenant("north"))
    north.create(kind.kind, **GOOD[kind.kind].fields(north, kind.kind))
    assert kind.objects.of(north.tenant).count() == kind.objects.of(ground.tenant).count()


@ALL
def test_nothing_of_another_company_is_linked_to_or_found(kind: type[Defined], ground: Ground) -> None:
    north = Ground(tenant("north"))
    theirs = north.create(kind.kind, **GOOD[kind.kind].fields(north, kind.kind))
    with pytest.raises(NotFound):
        writing.find(ground.access, kind, theirs.pk)
    with pytest.raises(NotFound):
        writing.modify(ground.access, kind, theirs.pk, {}, None)
    mine = GOOD[kind.kind].fields(ground, kind.kind)
    foreign = GOOD[kind.kind].fields(north, kind.kind)
    for name, value in foreign.items():
        column = kind._meta.get_field(name)
        if column.is_relation or name == "about":
            with pytest.raises(Invalid) as refused:
                ground.create(kind.kind, **{**mine, name: value})
            assert name in refused.value.fields


@ALL
def test_who_may_only_look_changes_nothing(kind: type[Defined], ground: Ground) -> None:
    fields = GOOD[kind.kind].fields(ground, kind.kind)
    made = ground.create(kind.kind, **fields)
    viewer = Access(author(ground.tenant), Role.VIEWER.rights)
    for attempt in (
        lambda: writing.create(viewer, kind, fields),
        lambda: writing.modify(viewer, kind, made.pk, {}, None),
        lambda: writing.remove(viewer, kind, made.pk, None),
    ):
        with pytest.raises(NotAllowed):
            attempt()


def test_what_another_record_means_is_kept(ground: Ground) -> None:
    item = ground["item"]
    ground.create("external-id", system="erp", entity="Item", number="1", about=f"item:{item}")
    with pytest.raises(Conflict) as refused:
        writing.remove(ground.access, find_kind("item"), item, None)
    assert "external-id 1" in str(refused.value)
    ground.create("finding", sort="fault", subject="hot", about=f"tag:{ground['tag']}")
    from mainspring.records.plant import tag as tags

    with pytest.raises(Conflict):
        tags.delete(author(ground.tenant), ground["tag"], None)


def test_an_asset_that_records_link_to_stays(ground: Ground) -> None:
    from mainspring.records.plant import asset as assets

    ground.create("order", sort="work", asset=ground["asset"])
    with pytest.raises(Conflict) as refused:
        assets.delete(author(ground.tenant), ground["asset"], None)
    assert "order O-000001" in str(refused.value)


def test_parts_come_with_their_whole_are_fixed_with_it_and_go_with_it(ground: Ground) -> None:
    line: Any = find_kind("order-line")
    order = find_kind("order")
    rows = [{"position": place, "item": ground["item"], "quantity": place} for place in (1, 2, 3)]
    made = ground.create("order", sort="purchase", **{"order-line": rows})
    assert list(line.objects.order_by("position").values_list("position", "quantity")) == [(1, 1), (2, 2), (3, 3)]
    rows[1]["quantity"], rows[2]["unit"] = -1, "furlong"
    with pytest.raises(Invalid) as refused:
        ground.create("order", sort="purchase", **{"order-line": rows})
    assert refused.value.fields.keys() == {"order-line.1.quantity", "order-line.2.unit"}
    assert order.objects.count() == 1
    for step in ("release", "finish"):
        writing.move(ground.access, order, made.pk, step, None)
    one = line.objects.first()
    for attempt in (
        lambda: writing.modify(ground.access, line, one.pk, {"quantity": 9}, None),
        lambda: writing.remove(ground.access, line, one.pk, None),
        lambda: ground.create("order-line", order=made.pk, position=9, subject="freight"),
    ):
        with pytest.raises(Conflict):
            attempt()
    writing.move(ground.access, order, made.pk, "reopen", None)
    writing.remove(ground.access, order, made.pk, None)
    assert not line.objects.exists()
    assert AuditEntry.objects.filter(action="delete", object_kind="order-line").count() == 3
    assert set(parts_of(order)) == {"order-line"}


def test_numbers_of_a_series_go_on_beside_those_written_by_hand(ground: Ground) -> None:
    numbers = [ground.create("order", sort="work").number for _ in range(2)]
    ground.create("order", sort="work", number="O-000003")
    numbers.append(ground.create("order", sort="work").number)
    assert numbers == ["O-000001", "O-000002", "O-000004"]
    assert Ground(tenant("north")).create("order", sort="work").number == "O-000001"


def test_personal_words_never_stand_in_the_audit(ground: Ground) -> None:
    made = ground.create("party", name={"en": "Erika Muster"}, phone="+49 30 1", sort="person")
    writing.modify(ground.access, Party, made.pk, {"phone": "+49 30 2", "rating": 1}, None)
    entries = AuditEntry.objects.filter(object_kind="party").order_by("sequence")
    told_of = str([entry.changes for entry in entries])
    assert "Erika" not in told_of
    assert "+49" not in told_of
    assert (entries[1].changes.keys(), entries[1].changes["rating"]) == ({"phone", "rating"}, [None, 1])
