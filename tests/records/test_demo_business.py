"""The demo's business records: all of them come in, once, beside nothing that people entered."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.records.plant import author

from mainspring.configuration import DemoSection
from mainspring.demo import business
from mainspring.demo.seed import seed
from mainspring.records.audit import first_broken
from mainspring.records.business.bill import explode
from mainspring.records.business.document import Document, is_whole
from mainspring.records.business.external_id import known_as
from mainspring.records.business.finding import Finding
from mainspring.records.business.item import Item
from mainspring.records.business.order import Order
from mainspring.records.daily_count import DailyCount
from mainspring.records.defined import listing
from mainspring.records.defined.access import Access, Doing, Permit
from mainspring.records.defined.kinds import find_kind, kinds
from mainspring.records.defined.writing import create
from mainspring.records.events.tallies import Stock
from mainspring.records.rights import Role
from mainspring.records.tenant import Tenant, now_ms

LEFT: dict[str, str] = {
    "assignment": "nobody has an account but the administrator",
    "grant": "there is no other company",
}
"""Kinds of which the demo has none, and why."""


@pytest.fixture
def started(plant: Tenant, tmp_path: Path) -> Tenant:
    seed(plant.key, DemoSection(), tmp_path / "secrets", tmp_path)
    return plant


def test_every_list_has_something_and_nothing_is_left_out(started: Tenant, tmp_path: Path) -> None:
    rows = list(business.rows_at(datetime.now(ZoneInfo(started.zone))))
    assert DailyCount.objects.of(started).get(**business.COUNTED).count == sum(len(each) for _, each in rows)
    ours = {kind.kind for kind in kinds() if kind.__module__.startswith("mainspring.")}
    empty = {kind for kind in ours if not find_kind(kind).objects.of(started).exists()}
    assert empty == ours & LEFT.keys()
    assert first_broken(started) is None
    bicycle = Item.objects.get(number="BK-M82S-38")
    assert (bicycle.name["zh"], known_as(started, "adventureworks", "Product", "771")) == (
        "Mountain-100 山地车，银色，38", bicycle,
    )  # fmt: skip
    assert len(explode(bicycle, Decimal(1), datetime.now(ZoneInfo(started.zone)).date()).needs) == 75
    assert Order.objects.of(started).filter(due_ms__gt=now_ms()).exists()
    assert is_whole(tmp_path, Document.objects.get(state="released"))
    assert Finding.objects.get(sort="nonconformity").about.startswith("lot:")
    _linked_records_are_called_by_their_names(started)
    assert {stock.thing.rpartition(":")[2] for stock in Stock.objects.of(started)} >= {"G-0418", "D-2204", "HU-8998"}


def _linked_records_are_called_by_their_names(plant: Tenant) -> None:
    order = Order.objects.select_related("party", "asset").get(number="SO-1001")
    everything = Access(author(plant), Role.ADMINISTRATOR.rights)
    called = listing.titles(everything, Order, [order])
    assert called[str(order.asset.pk)] == {"en": "Synthesis / Stripper", "zh": "合成区 / 汽提塔"}
    assert called[str(order.party.pk)]["zh"] == "RIVERSIDE 江畔聚合物（虚构）"
    # To somebody who may not see parties it has its number alone.
    orders = Permit("", kinds=frozenset({"order"}), doings=frozenset({Doing.VIEW}))
    assert listing.titles(Access(author(plant), frozenset(), (orders,)), Order, [order])[str(order.party.pk)] == {
        "en": "RIVERSIDE", "zh": "RIVERSIDE",
    }  # fmt: skip


def test_they_come_once(started: Tenant, tmp_path: Path) -> None:
    Finding.objects.of(started).delete()
    assert business.fill(author(started), tmp_path) == 0
    assert not Finding.objects.of(started).exists()


def test_who_keeps_records_of_their_own_gets_none(plant: Tenant, tmp_path: Path) -> None:
    access = Access(author(plant), Role.ADMINISTRATOR.rights)
    create(access, Item, {"number": "HU-8998", "name": {"en": "Mine"}})
    assert business.fill(author(plant), tmp_path) == 0
    assert Item.objects.of(plant).get().name["en"] == "Mine"
