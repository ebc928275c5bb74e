"""Rates, states and expressions as records: what is refused and why, what is published, what protects their tags."""

from __future__ import annotations

from typing import Any

import pytest
from tests.records.plant import asset, author, tag

from mainspring.core.definitions import AlarmPage
from mainspring.core.errors import Conflict
from mainspring.core.text import Text
from mainspring.records import publication
from mainspring.records.audit import AuditEntry
from mainspring.records.faults import Invalid
from mainspring.records.plant import alarm_definition
from mainspring.records.plant import tag as tags
from mainspring.records.plant.alarm_definition import AlarmDefinition, AlarmDraft, draft_definition
from mainspring.records.plant.tag import Tag
from mainspring.records.tenant import Tenant


@pytest.fixture
def made(plant: Tenant) -> dict[str, Tag]:
    line = asset(plant, "Line", kind="line")
    reactor, tank = asset(plant, "R-1", line), asset(plant, "T-1", line)
    return {
        "hot": tag(plant, "TI-101", reactor, unit="Cel"),
        "cold": tag(plant, "TI-102", reactor, unit="Cel"),
        "pump": tag(plant, "PUMP", reactor, kind="boolean"),
        "mode": tag(plant, "MODE", reactor, kind="enumeration"),
        "note": tag(plant, "NOTE", reactor, kind="text"),
        "other": tag(plant, "TI-101", tank, unit="Cel"),
        "level": tag(plant, "LI-1", tank, unit="%"),
        "level2": tag(plant, "LI-1", line, unit="%"),
    }


def draft(of: Tag, condition: str, **fields: Any) -> AlarmDraft:
    return AlarmDraft.model_validate({"tag_id": of.id, "condition": condition, **fields})


def refused(plant: Tenant, wanted: AlarmDraft) -> dict[str, Text]:
    with pytest.raises(Invalid) as caught:
        alarm_definition.create(author(plant), wanted)
    return caught.value.fields


def published(plant: Tenant, of: Tag) -> AlarmPage:
    found = publication.documents([f"{plant.key}.alarms.{of.ordinal // 1000}"])
    (page,) = found.values()
    assert isinstance(page, AlarmPage)
    return page


def test_an_expression_finds_its_tags_and_is_published_with_them(plant: Tenant, made: dict[str, Tag]) -> None:
    text = 'TI-101 - TI-102 > 5 K and PUMP or "line/t-1/LI-1" > 90 %'
    text = text.replace("line/t-1/LI-1", made["level"].path)
    stored = alarm_definition.create(author(plant), draft(made["hot"], "expression", expression=text))
    document = AlarmDefinition.objects.get(pk=stored.pk).document()
    assert {each["name"]: each["tag"] for each in document["inputs"]} == {
        "TI-101": made["hot"].ordinal, "TI-102": made["cold"].ordinal, "PUMP": made["pump"].ordinal,
        made["level"].path: made["level"].ordinal,
    }  # fmt: skip
    (alarm,) = published(plant, made["hot"]).alarms
    assert alarm.expression == text
    assert {(each.name, each.unit, each.kind) for each in alarm.inputs} == {
        ("TI-101", "Cel", "float64"), ("TI-102", "Cel", "float64"), ("PUMP", "1", "boolean"),
        (made["level"].path, "%", "float64"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("TI-101 > 75", "needs a unit"),
        ("TI-101 > 5 kPa", "do not measure the same"),
        ("TI-999 > 5 degC", "no tag TI-999"),
        ("LI-1 > 50 %", "Several tags are called LI-1"),
        ("NOTE > 1", "holds texts"),
        ("TI-101 > 75 degX", "not a known unit"),
        ("TI-101 >", "ends where"),
        ("", "Write a condition"),
        ("(" * 30 + "TI-101" + ")" * 30, "nested"),
        ("__import__('os')", "no meaning"),
        ("TI-101 > 5 degC ; drop", "no meaning"),
    ],
)
def test_an_expression_is_refused_in_words(plant: Tenant, made: dict[str, Tag], text: str, told: str) -> None:
    fields = refused(plant, draft(made["pump"] if "LI-1 >" in text else made["hot"], "expression", expression=text))
    assert told in fields["expression"].en
    assert fields["expression"].zh != fields["expression"].en
    assert not AlarmDefinition.objects.exists()


def test_other_conditions_are_checked_against_the_tag(plant: Tenant, made: dict[str, Tag]) -> None:
    assert "states" in refused(plant, draft(made["mode"], "state"))
    assert "condition" in refused(plant, draft(made["hot"], "state", states=[1]))
    assert "condition" in refused(plant, draft(made["hot"], "change"))
    assert "condition" in refused(plant, draft(made["note"], "rate", limit=1))
    assert "condition" in refused(plant, draft(made["mode"], "rate", limit=1))
    assert "limit" in refused(plant, draft(made["hot"], "rate", limit=0))
    for number in range(alarm_definition.ALARMS_OF_TAG_MAX):
        alarm_definition.create(author(plant), draft(made["mode"], "state", states=[number], expression="left over"))
    assert "tag_id" in refused(plant, draft(made["mode"], "state", states=[99]))
    assert {alarm.expression for alarm in published(plant, made["mode"]).alarms} == {""}
    # What a tag has once it has once.
    alarm_definition.create(author(plant), draft(made["hot"], "H", limit=5))
    assert "condition" in refused(plant, draft(made["hot"], "H", limit=6))


def test_a_tag_of_an_expression_is_protected_and_keeps_its_name_there(plant: Tenant, made: dict[str, Tag]) -> None:
    who = author(plant)
    stored = alarm_definition.create(who, draft(made["hot"], "expression", expression="TI-101 > TI-102"))
    with pytest.raises(Conflict, match="calculates with"):
        tags.delete(who, made["cold"].id, None)
    with pytest.raises(Conflict, match="calculates with"):
        tags.modify(who, made["cold"].id, {"unit": "kPa"}, None)
    tags.modify(who, made["cold"].id, {"name": "TI-102-NEW"}, None)
    changed = alarm_definition.modify(who, stored.id, {"priority": "high"}, stored.version)
    assert changed.inputs.get(name="TI-102").tag_id == made["cold"].id
    alarm_definition.modify(who, stored.id, {"condition": "H", "limit": 3}, None)
    assert not changed.inputs.exists()
    tags.delete(who, made["cold"].id, None)
    alarm_definition.modify(who, stored.id, {"condition": "expression", "expression": "TI-101 > 5 degC"}, None)
    tags.delete(who, made["hot"].id, None)
    assert not AlarmDefinition.objects.exists()
    told = AuditEntry.objects.filter(object_kind="alarm-definition").values_list("action", flat=True)
    assert list(told).count("change") == 3


def test_a_draft_is_checked_without_being_stored(plant: Tenant, made: dict[str, Tag]) -> None:
    found, _ = draft_definition(plant, draft(made["hot"], "expression", expression="TI-101 > 5 degC", enabled=False))
    assert (found.enabled, found.inputs[0].tag) == (True, made["hot"].ordinal)
    assert not AlarmDefinition.objects.exists()
