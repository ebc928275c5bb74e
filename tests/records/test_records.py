"""Assets, tags, connections and alarm definitions: what is refused, what moves, what is never reused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.records.plant import asset, author, modbus, opcua, tag, tenant

from mainspring.core.errors import Conflict, NotFound
from mainspring.records.draft import check
from mainspring.records.faults import Changed, Invalid
from mainspring.records.plant import alarm_definition as alarms
from mainspring.records.plant import asset as assets
from mainspring.records.plant import connection as connections
from mainspring.records.plant import tag as tags
from mainspring.records.plant.alarm_definition import AlarmDraft
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.connection import Connection
from mainspring.records.plant.driver_forms import check_address
from mainspring.records.plant.tag import Tag, TagDraft
from mainspring.records.search_words import found, initials
from mainspring.records.tenant import Tenant


def test_an_asset_is_found_by_path_name_and_pinyin_initials(plant: Tenant) -> None:
    site = asset(plant, "Site")
    reactor = asset(plant, "Boiler 1", site, name={"en": "Boiler 1", "zh": "反应釜"})
    for text in ("site/boil", "BOIL", "反应", "fyf", "boiler site"):
        assert list(Asset.objects.of(plant).filter(found(text)).filter(parent=site)) == [reactor], text
    assert not Asset.objects.of(plant).filter(found("fyx")).exists()
    assert initials("冷却水 A") == "lqs a"


def test_a_search_text_is_taken_literally(plant: Tenant) -> None:
    asset(plant, "plain")
    assert not Asset.objects.of(plant).filter(found("%")).exists()
    assert not Asset.objects.of(plant).filter(found("p_ain")).exists()


def test_moving_an_asset_moves_all_below_it_and_nothing_else(plant: Tenant) -> None:
    old, new = asset(plant, "old"), asset(plant, "new")
    beside = asset(plant, "old-beside")
    child = asset(plant, "child", old)
    inner, other = tag(plant, "TI-1", child), tag(plant, "TI-1", beside)
    assets.modify(author(plant), old.id, {"parent": new.id}, 1)
    assert Asset.objects.get(pk=child.pk).path == "new/old/child"
    assert Tag.objects.get(pk=inner.pk).path == "new/old/child/TI-1"
    assert Tag.objects.filter(found("new/old/child/ti-1")).count() == 1
    assert Tag.objects.get(pk=other.pk).path == "old-beside/TI-1"


def test_an_asset_never_lies_below_itself(plant: Tenant) -> None:
    top = asset(plant, "top")
    low = asset(plant, "low", top)
    for parent in (top.id, low.id):
        with pytest.raises(Invalid) as refused:
            assets.modify(author(plant), top.id, {"parent": parent}, 1)
        assert "parent" in refused.value.fields
    assert Asset.objects.get(pk=top.pk).parent_id is None


def test_an_asset_with_something_below_it_stays(plant: Tenant) -> None:
    top = asset(plant, "top")
    leaf = tag(plant, "TI-1", top)
    with pytest.raises(Conflict):
        assets.delete(author(plant), top.id, None)
    tags.delete(author(plant), leaf.id, None)
    assets.delete(author(plant), top.id, None)
    assert not Asset.objects.of(plant).exists()


def test_a_change_against_an_old_version_is_refused_with_the_present_one(plant: Tenant) -> None:
    one = asset(plant, "one")
    assets.modify(author(plant), one.id, {"name": {"en": "first"}}, 1)
    with pytest.raises(Changed) as refused:
        assets.modify(author(plant), one.id, {"name": {"en": "second"}}, 1)
    assert refused.value.current["name"]["en"] == "first"
    assert refused.value.current["version"] == 2


def test_ordinals_are_never_given_twice(plant: Tenant) -> None:
    unit = asset(plant, "unit")
    first = tag(plant, "a", unit)
    tags.delete(author(plant), first.id, None)
    again = tag(plant, "a", unit)
    elsewhere = tag(tenant("north"), "a", asset(tenant("north"), "unit"))
    assert len({first.ordinal, again.ordinal, elsewhere.ordinal}) == 3


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"unit": "Cels"}, "unit"),
        ({"low": 5, "high": 5}, ""),
        ({"gain": 0}, ""),
        ({"low": float("nan")}, "low"),
        ({"scan_ms": 5}, "scan_ms"),
        ({"name": "AI/1"}, "name"),
        ({"name": "AI\n1"}, "name"),
        ({"kind": "float64", "words": {"0": {"en": "off"}}}, ""),
        ({"kind": "boolean", "words": {"off": {"en": "off"}}}, ""),
        ({"kind": "double"}, "kind"),
        ({"speed": 1}, "speed"),
        ({"dead_band": -1}, "dead_band"),
    ],
)
def test_a_tag_that_makes_no_sense_is_refused_in_both_languages(
    plant: Tenant, fields: dict[str, Any], path: str
) -> None:
    unit = asset(plant, "unit")
    with pytest.raises(Invalid) as refused:
        check(TagDraft, {"name": "TI-1", "asset": unit.id, **fields})
    text = refused.value.fields[path]
    assert text.en
    assert any("\u4e00" <= character <= "\u9fff" for character in text.zh), text


def test_a_tag_belongs_to_ones_own_asset_and_connection(plant: Tenant) -> None:
    north = tenant("north")
    foreign_asset, foreign_plc = asset(north, "unit"), modbus(north)
    own = asset(plant, "unit")
    with pytest.raises(Invalid) as refused:
        tag(plant, "TI-1", foreign_asset)
    assert set(refused.value.fields) == {"asset"}
    with pytest.raises(Invalid) as refused:
        tag(plant, "TI-1", own, connection=foreign_plc.id, address={"register": 1})
    assert set(refused.value.fields) == {"connection"}
    with pytest.raises(NotFound):
        tags.find(plant, tag(north, "TI-1", foreign_asset).id)


def test_an_address_is_checked_by_the_driver_and_understood_again(plant: Tenant) -> None:
    plc, unit = modbus(plant), asset(plant, "unit")
    with pytest.raises(Invalid) as refused:
        tag(plant, "TI-1", unit, connection=plc.id, address={"register": 70_000})
    assert list(refused.value.fields) == ["address.register"]
    stored = tag(plant, "TI-2", unit, connection=plc.id, address={"register": 7, "type": "float32"})
    assert check_address("modbus-tcp", stored.address) == stored.address


def test_settings_are_checked_by_the_driver(plant: Tenant) -> None:
    with pytest.raises(Invalid) as refused:
        modbus(plant, port=0, speed=3)
    assert set(refused.value.fields) == {"settings.port", "settings.speed"}


def test_a_secret_is_sealed_and_never_shown(plant: Tenant) -> None:
    server = opcua(plant, sign_in="password", user="reader", password="s3cret-value", password_in_clear=True)
    stored = Connection.objects.values_list("settings", flat=True).get(pk=server.pk)
    assert "s3cret-value" not in str(stored)
    assert server.document()["settings"]["password"] == ""
    shown = server.document()["settings"] | {"timeout_ms": 1000}
    changed = connections.modify(author(plant), server.id, {"settings": shown}, 1)
    assert changed.definition(1).settings["password"] == "s3cret-value"
    assert changed.definition(1).settings["timeout_ms"] == 1000
    again = connections.modify(author(plant), server.id, {"settings": shown | {"password": "other-value"}}, 2)
    assert again.clear_settings()["password"] == "other-value"
    filled = connections.complete_settings(plant, "opcua", shown, server.id)
    assert filled["password"] == "other-value"


def test_a_connection_in_use_stays(plant: Tenant) -> None:
    plc, unit = modbus(plant), asset(plant, "unit")
    reading = tag(plant, "TI-1", unit, connection=plc.id, address={"register": 7})
    with pytest.raises(Conflict):
        connections.delete(author(plant), plc.id, None)
    tags.delete(author(plant), reading.id, None)
    connections.delete(author(plant), plc.id, None)
    assert not Connection.objects.of(plant).exists()


def test_limits_of_a_tag_stay_in_order(plant: Tenant) -> None:
    reading = tag(plant, "TI-1", asset(plant, "unit"))

    def alarm(condition: str, limit: float) -> alarms.AlarmDefinition:
        draft = {"tag_id": reading.id, "condition": condition, "limit": limit}
        return alarms.create(author(plant), AlarmDraft.model_validate(draft))

    high = alarm("H", 80)
    alarm("stale", 0)
    assert high.name == {"en": "TI-1 H", "zh": "TI-1 H"}
    for condition, limit, path in (("HH", 79, "limit"), ("L", 81, "limit"), ("H", 90, "condition")):
        with pytest.raises(Invalid) as refused:
            alarm(condition, limit)
        assert list(refused.value.fields) == [path]
    alarm("HH", 90)
    with pytest.raises(Invalid):
        alarms.modify(author(plant), high.id, {"limit": 91}, 1)


def test_a_text_has_no_limits(plant: Tenant) -> None:
    batch = tag(plant, "Batch", asset(plant, "unit"), kind="text")
    with pytest.raises(Invalid) as refused:
        alarms.create(author(plant), AlarmDraft(tag_id=batch.id, condition="H", limit=1))
    assert list(refused.value.fields) == ["condition"]


def test_the_database_itself_refuses_what_the_forms_refuse(plant: Tenant) -> None:
    from django.db import IntegrityError, transaction

    reading = tag(plant, "TI-1", asset(plant, "unit"))
    for fields in ({"low": 2, "high": 1}, {"gain": 0}, {"sample_kind": "double"}, {"ordinal": 2**32}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Tag.objects.filter(pk=reading.pk).update(**fields)
