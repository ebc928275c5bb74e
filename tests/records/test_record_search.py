"""Records found by words, beginnings of words, Chinese words and pinyin initials; and lists of more than a few."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from tests.records import ground
from tests.records.plant import asset, author, tenant

from mainspring.records import search_index
from mainspring.records.access.grant import Grant, UpTo
from mainspring.records.access.granted import Granted
from mainspring.records.business.asset_type import Equipment
from mainspring.records.business.finding import Finding
from mainspring.records.business.item import Item
from mainspring.records.business.party import Party
from mainspring.records.defined import listing, writing
from mainspring.records.defined.access import Access, Permit
from mainspring.records.defined.kinds import kinds
from mainspring.records.defined.listing import Wanted, first
from mainspring.records.in_force import for_tenant
from mainspring.records.inserts import insert
from mainspring.records.rights import Right, Role
from mainspring.records.search_index import SearchRow, hits, searched, signs
from mainspring.records.search_words import sought, words
from mainspring.records.tenant import Tenant


@pytest.fixture
def access(plant: Tenant) -> Access:
    return Access(author(plant), Role.ADMINISTRATOR.rights)


def item(access: Access, number: str, en: str = "", zh: str = "", **fields: Any) -> Item:
    return writing.create(access, Item, {"number": number, "name": {"en": en or number, "zh": zh}, **fields})


def numbers(access: Access, search: str, **wanted: Any) -> list[str]:
    """Return what the list and the index find, which is the same."""
    asked = Wanted(search=search, **wanted)
    page: Any = listing.page(access, Item, asked)
    assert page.total == len(page.rows)
    assert set(page.rows) == set(listing.chosen(access, Item, asked))
    return [row.number for row in page.rows]


def indexed(access: Access, search: str, kind: Any = Item) -> set[Any]:
    return set(hits(kind, access.author.tenant.pk, sought(search), signs(kind, ()), 100))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("P-100/A", ["p100a", "100a", "a"]),
        ("M8x20", ["m8x20", "8x20", "x20", "20"]),
        ("Élan ＡＢＣ straße", ["elan", "abc", "straße"]),
        ("深沟球轴承", ["深沟球轴承", "sgqzc", "轴承", "zc"]),
        ("轴承6204", ["轴承", "zc", "6204"]),
        (" -/.  _", []),
    ],
)
def test_a_text_is_found_from_each_of_its_parts_on(text: str, found: list[str]) -> None:
    made = list(words(text))
    assert set(found) <= set(made)
    assert found or not made


def test_a_long_text_has_no_more_words_than_the_column_takes(plant: Tenant) -> None:
    made = searched(Item(tenant=plant, number="1", name={"en": " ".join(f"word{n}" for n in range(1000)), "zh": ""}))
    assert len(made) <= search_index.SEARCH_MAX
    assert all(word[1:].isalnum() for word in made.split())


def test_records_are_found_by_beginnings_of_words_in_both_languages(access: Access) -> None:
    item(access, "P-100/A", "Deep groove ball bearing", "深沟球轴承", size="6204-2RS")
    item(access, "P-200", "Stainless steel valve", "不锈钢阀门")
    item(access, "X7", "Explosion-proof hydraulic pump", "防爆液压泵")
    for search, found in {
        "bearing": ["P-100/A"], "BEAR": ["P-100/A"], "p-100": ["P-100/A"], "p100a": ["P-100/A"], "100": ["P-100/A"],
        "p": ["P-100/A", "P-200", "X7"], "ball deep": ["P-100/A"], "ball valve": [], "earing": [], "2rs": ["P-100/A"],
        "轴承": ["P-100/A"], "zc": ["P-100/A"], "阀门": ["P-200"], "不锈钢": ["P-200"], "fm steel": ["P-200"],
        "液压泵": ["X7"], "液压泵防爆": ["X7"], "yyb": ["X7"], "proof": ["X7"], "轴承 阀门": [], "%": [], "_": [],
        "'": [], '" OR 1': [], "x7": ["X7"], "AND": [], "nothing": [],
    }.items():  # fmt: skip
        assert numbers(access, search) == found, search


def test_the_index_goes_with_the_record_whoever_writes_it(access: Access, plant: Tenant) -> None:
    made = item(access, "P-1", "Bearing", "轴承")
    assert indexed(access, "bearing") == {made.pk}
    writing.modify(access, Item, made.pk, {"name": {"en": "Valve", "zh": "阀门"}}, 1)
    assert (indexed(access, "bearing"), indexed(access, "fm")) == (set(), {made.pk})
    other = Item(tenant=plant, number="P-2", name={"en": "Valve", "zh": ""}, state="draft")
    other.search = searched(other)
    insert([other])
    assert indexed(access, "valve") == {made.pk, other.pk}
    Item.objects.bulk_create(
        [Item(pk=other.pk, tenant=plant, number="P-2", state="draft", search=" cpump")],
        update_conflicts=True, unique_fields=["id"], update_fields=["search"],
    )  # fmt: skip
    assert (indexed(access, "valve"), indexed(access, "pump")) == ({made.pk}, {other.pk})
    writing.remove(access, Item, made.pk, 2)
    Item.objects.filter(pk=other.pk).delete()
    assert indexed(access, "valve") == indexed(access, "pump") == set()
    assert rows() == 0


def rows() -> int:
    """Return how many rows the index has."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT set_config(%s, %s, false)", [search_index.SOUGHT, "!a"])
        cursor.execute(f"SELECT count(*) FROM {search_index.TABLE}")
        return int(cursor.fetchone()[0])


def test_what_is_undone_is_not_found(access: Access) -> None:
    from django.db import transaction

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        item(access, "P-1", "Bearing")
        assert numbers(access, "bearing") == ["P-1"]
        raise ZeroDivisionError
    assert numbers(access, "bearing") == []
    assert rows() == 0


def test_another_companys_words_and_another_kinds_are_not_found(access: Access) -> None:
    north = Access(author(tenant("north")), Role.ADMINISTRATOR.rights)
    item(access, "P-1", "Bearing")
    theirs = item(north, "P-2", "Bearing")
    writing.create(access, Party, {"number": "S-1", "name": {"en": "Bearing works"}})
    assert numbers(access, "bearing") == ["P-1"]
    assert numbers(north, "bearing") == ["P-2"]
    assert indexed(north, "bearing") == {theirs.pk}
    with for_tenant(access.author.tenant):
        assert numbers(access, "bearing") == ["P-1"]
        if connection.vendor == "postgresql":
            # Asked for with the other's signs, the wall still shows nothing.
            assert indexed(north, "bearing") == set()


def test_without_a_question_postgresql_shows_no_row_of_the_index(access: Access) -> None:
    item(access, "P-1", "Bearing")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config(%s, '', false)", [search_index.SOUGHT])
        assert not SearchRow.objects.exists()
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {search_index.TABLE} SET object_kind = 'stolen'")
            assert cursor.rowcount == 0
    assert rows() == 1


def test_words_of_fields_that_are_not_shown_find_nothing(access: Access, plant: Tenant) -> None:
    writing.create(access, Party, {"number": "S-1", "name": {"en": "Li Wei"}})
    viewer = Access(author(plant), Role.VIEWER.rights)
    # Names of parties tell of persons: no grant shows them.
    grant = Grant(tenant=plant, subject=Party.kind, up_to=UpTo.INTERNAL)
    guest = Granted(author(plant), Role.VIEWER.rights, owner=plant, grants=(grant,))
    for search, seen, unseen in (("li", 1, 0), ("s-1", 1, 1), ("s-1 wei", 1, 0)):
        for one, count in ((viewer, seen), (guest, unseen)):
            assert len(first(one, Party, sought(search), 10)) == count
            assert listing.page(one, Party, Wanted(search=search)).total == count


def test_only_records_of_ones_own_part_of_the_plant_are_found(access: Access, plant: Tenant) -> None:
    mine, other = asset(plant, "mine"), asset(plant, "other")
    for number in range(3):
        for at in (mine, other):
            writing.create(access, Finding, {"subject": f"leak {number}", "sort": "fault", "asset": str(at.pk)})
    permit = Permit("x", frozenset({Right.VIEW}), path="mine")
    guest = Access(author(plant), frozenset(), (permit,))
    found: Any = first(guest, Finding, sought("leak"), 10)
    assert {row.asset_id for row in found} == {mine.pk}
    page = listing.page(guest, Finding, Wanted(search="leak"))
    assert (page.total, page.more) == (3, False)


def many(plant: Tenant, count: int) -> None:
    made = []
    for number in range(count):
        row = Item(
            tenant=plant, number=f"P-{number:04}", name={"en": "Bearing" if number % 2 else "Valve", "zh": "轴承"},
            state="released" if number % 4 == 1 else "draft", sort="tool" if number % 100 == 0 else "part",
            weight=number % 7 if number % 3 else None,
        )  # fmt: skip
        row.search = searched(row)
        made.append(row)
    insert(made)


def test_for_a_letter_the_first_are_looked_at_and_the_others_where_these_do_not_do(
    access: Access, plant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(plant, 60)
    monkeypatch.setattr(listing, "SAMPLED", 20)
    asked: list[Any] = []

    def counted(*given: Any) -> Any:
        asked.append(given)
        return hits(*given)

    monkeypatch.setattr(listing, "hits", counted)

    def found(search: str, most: int, one: Access = access) -> list[str]:
        rows: Any = first(one, Item, sought(search), most)
        return [row.number for row in rows]

    every = [f"P-{number:04}" for number in range(60)]
    assert found("b", 5) == every[1:10:2]
    assert found("轴", 20) == every[:20]
    assert asked == []
    assert found("v", 30) == every[::2]
    assert found("bea", 11) == every[1:22:2]
    assert found("x", 5) == []
    assert len(asked) == 3
    monkeypatch.setattr(listing, "SAMPLED", 61)
    assert found("x", 5) == [] and found("v", 60) == every[::2]
    assert len(asked) == 3, "there are no others"
    stranger = Access(author(tenant("north")), Role.ADMINISTRATOR.rights)
    assert found("b", 5, stranger) == []


def through(access: Access, **wanted: Any) -> list[str]:
    """Return all numbers of a list, page by page."""
    seen: list[str] = []
    after = ""
    while True:
        page: Any = listing.page(access, Item, Wanted(limit=70, after=after, **wanted))
        seen += [row.number for row in page.rows]
        if not (after := page.next):
            return seen


def test_pages_of_many_and_of_few_hold_the_same_rows(
    access: Access, plant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(plant, 400)
    asked: list[dict[str, Any]] = [
        {"sort": "number"}, {"sort": "-number"}, {"sort": "state"}, {"sort": "-changed_ms"},
        {"search": "bearing", "sort": "-number"}, {"search": "轴承", "sort": "sort"},
        {"where": '[["state","eq","released"]]', "sort": "number"},
        {"where": '[["state","ne","released"],["number","lt","P-0300"]]', "sort": "-revision"},
        {"where": '[["sort","in",["tool"]]]'}, {"where": '[["weight","eq",null],["made","eq",false]]', "sort": "unit"},
        {"search": "bearing p-00", "where": '[["state","eq","released"]]', "sort": "-number"},
        {"search": "valve", "where": '[["state","eq","released"]]'}, {"sort": "weight"}, {"sort": "-weight"},
    ]  # fmt: skip
    few = [through(access, **each) for each in asked]
    for found, each in zip(few, asked, strict=True):
        rows = listing.chosen(access, Item, Wanted(**each))
        assert found == [row.number for row in rows], each
        assert len(found) == len(set(found)) == rows.count(), each
    monkeypatch.setattr(listing, "FEW_MAX", 3)
    monkeypatch.setattr(listing, "COUNTED_MAX", 20)
    assert [through(access, **each) for each in asked] == few


def test_a_total_is_exact_up_to_a_limit(access: Access, plant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    many(plant, 100)
    monkeypatch.setattr(listing, "COUNTED_MAX", 60)
    monkeypatch.setattr(listing, "FEW_MAX", 20)
    monkeypatch.setattr(listing, "SAMPLED", 10)

    def total(**wanted: Any) -> tuple[int, bool]:
        page = listing.page(access, Item, Wanted(**wanted))
        return page.total, page.more

    assert total() == (60, True)
    assert total(where='[["state","eq","released"]]') == (25, False)
    assert total(where='[["sort","eq","tool"]]') == (1, False)
    assert total(search="bearing", limit=10) == (20, True)
    assert total(search="bearing", limit=90) == (50, False)
    assert total(search="bearing", where='[["state","eq","released"]]', limit=7) == (7, True)
    assert total(search="bearing", where='[["number","ge","P-0001"]]', limit=7) == (10, True)
    assert total(search="bearing", where='[["sort","eq","tool"]]') == (0, False)


def test_a_kind_whose_words_are_made_otherwise_is_indexed_anew(access: Access) -> None:
    made = item(access, "P-1", "Bearing", "轴承")
    Item.objects.update(search=" cold")
    with connection.cursor() as cursor:
        triggers(cursor)
    assert indexed(access, "bearing") == set()
    search_index.build()
    assert indexed(access, "bearing") == {made.pk}
    assert numbers(access, "zc") == ["P-1"]
    before = made_by()
    search_index.build()
    assert made_by() == before


def triggers(cursor: Any) -> None:
    """Give the triggers of items the names they had if items were found by other fields."""
    for name in made_by():
        if name.startswith("search_item_"):
            on = f" ON {Item._meta.db_table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER {name}{on}")


def made_by() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(search_index._MADE[connection.vendor])
        return {row[0] for row in cursor.fetchall()}


def test_every_kind_has_its_triggers() -> None:
    names = made_by()
    for kind in kinds():
        mine = [name for name in names if name.startswith(f"search_{kind.kind.replace('-', '_')}_")]
        assert len(mine) >= 3, kind.kind


def test_equipment_is_found_by_its_own_words(access: Access, plant: Tenant) -> None:
    made = writing.create(access, Equipment, {"asset": str(asset(plant, "press").pk), "number": "EQ-7"})
    assert first(access, Equipment, sought("eq7"), 5) == [made]


def test_the_database_is_the_one_that_was_asked_for() -> None:
    assert connection.vendor == ("postgresql" if ground.SERVER else "sqlite")
