"""Conditions that suppress alarms, and the shifts of a site: what is refused, what is published, what is protected."""

from __future__ import annotations

from typing import Any

import pytest
from tests.records.plant import asset, author, tag

from mainspring.core.definitions import AlarmPage
from mainspring.core.errors import Conflict
from mainspring.records import publication
from mainspring.records.faults import Invalid
from mainspring.records.outbox import outbox
from mainspring.records.plant import alarm_definition
from mainspring.records.plant import asset as assets
from mainspring.records.plant import tag as tags
from mainspring.records.plant.alarm_definition import AlarmDefinition, AlarmDraft, draft_definition
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.suppression import SuppressionInput
from mainspring.records.plant.tag import Tag
from mainspring.records.tenant import Tenant

REASON = {"en": "Pump stopped", "zh": "泵已停"}


@pytest.fixture
def made(plant: Tenant) -> dict[str, Any]:
    site = asset(plant, "Works", kind="site")
    line = asset(plant, "Line", site, kind="line")
    cell = asset(plant, "P-1", line)
    return {
        "site": site, "line": line, "cell": cell,
        "flow": tag(plant, "FI-1", cell, unit="m3/h"), "state": tag(plant, "PUMP", cell, kind="enumeration"),
        "valve": tag(plant, "VALVE", line, kind="boolean"), "note": tag(plant, "NOTE", cell, kind="text"),
    }  # fmt: skip


def low(plant: Tenant, of: Tag, **fields: Any) -> AlarmDefinition:
    draft = {"tag_id": of.id, "condition": "L", "limit": 5, **fields}
    return alarm_definition.create(author(plant), AlarmDraft.model_validate(draft))


def published(plant: Tenant, of: Tag) -> AlarmPage:
    (page,) = publication.documents([f"{plant.key}.alarms.{of.ordinal // 1000}"]).values()
    assert isinstance(page, AlarmPage)
    return page


def change(plant: Tenant, of: Asset, **fields: Any) -> Asset:
    return assets.modify(author(plant), of.id, fields, None)


def test_an_alarm_is_published_with_its_own_condition_and_those_above(plant: Tenant, made: dict[str, Any]) -> None:
    own = low(plant, made["flow"], suppress_when="PUMP == 2", suppress_reason=REASON)
    other = low(plant, made["flow"], condition="LL", limit=1)
    change(plant, made["line"], suppress_when="VALVE", suppress_reason={"en": "", "zh": "阀关"})
    page = published(plant, made["flow"])
    conditions = {each.id: each for each in page.suppressions}
    assert conditions.keys() == {own.id, made["line"].id}
    assert [(each.name, each.tag) for each in conditions[own.id].inputs] == [("PUMP", made["state"].ordinal)]
    # A reason in one language serves both.
    assert conditions[made["line"].id].reason.en == "阀关"
    by = {alarm.id: set(alarm.suppressed_by) for alarm in page.alarms}
    assert by == {own.id: {own.id, made["line"].id}, other.id: {made["line"].id}}
    change(plant, made["line"], suppress_when="")
    assert [each.id for each in published(plant, made["flow"]).suppressions] == [own.id]
    assert SuppressionInput.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"suppress_when": "NOBODY == 2", "suppress_reason": REASON}, "suppress_when"),
        ({"suppress_when": "PUMP", "suppress_reason": REASON}, "suppress_when"),
        ({"suppress_when": "FI-1 > 5 bar", "suppress_reason": REASON}, "suppress_when"),
        ({"suppress_when": "NOTE == 1", "suppress_reason": REASON}, "suppress_when"),
        ({"suppress_when": "PUMP == 2"}, "suppress_reason"),
        ({"suppress_when": "PUMP == 2", "suppress_reason": {"en": "x" * 201}}, "suppress_reason"),
    ],
)
def test_what_makes_no_sense_is_refused(plant: Tenant, made: dict[str, Any], fields: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        low(plant, made["flow"], **fields)
    assert list(caught.value.fields) == [field]
    with pytest.raises(Invalid) as caught:
        change(plant, made["cell"], **fields)
    assert list(caught.value.fields) == [field]


def test_a_tag_that_a_condition_names_is_protected(plant: Tenant, made: dict[str, Any]) -> None:
    low(plant, made["flow"], suppress_when="PUMP == 2", suppress_reason=REASON)
    change(plant, made["line"], suppress_when="VALVE", suppress_reason=REASON)
    for name, place in (("state", "FI-1"), ("valve", "works/line")):
        with pytest.raises(Conflict) as caught:
            tags.delete(author(plant), made[name].id, None)
        assert place in str(caught.value)
    with pytest.raises(Conflict):
        tags.modify(author(plant), made["state"].id, {"kind": "boolean"}, None)
    # A new name changes nothing: the condition keeps its tag.
    tags.modify(author(plant), made["state"].id, {"name": "PUMP-STATE"}, None)
    (condition,) = [each for each in published(plant, made["flow"]).suppressions if each.expression == "PUMP == 2"]
    assert condition.inputs[0].tag == made["state"].ordinal
    # The tag of the alarm itself goes, with its alarm.
    tags.delete(author(plant), made["flow"].id, None)


def test_a_draft_tells_all_that_would_suppress_it(plant: Tenant, made: dict[str, Any]) -> None:
    change(plant, made["site"], suppress_when="VALVE", suppress_reason=REASON)
    draft = AlarmDraft.model_validate(
        {"tag_id": made["flow"].id, "condition": "L", "suppress_when": "PUMP == 0", "suppress_reason": REASON}
    )
    definition, conditions = draft_definition(plant, draft)
    assert [each.expression for each in conditions] == ["VALVE", "PUMP == 0"]
    assert definition.suppressed_by == tuple(each.id for each in conditions)
    assert not AlarmDefinition.objects.exists()


def test_what_comes_below_a_condition_is_published_anew(plant: Tenant, made: dict[str, Any]) -> None:
    low(plant, made["flow"])
    other = asset(plant, "Elsewhere")
    key = f"{plant.key}.alarms.{made['flow'].ordinal // 1000}"

    def marked(work: Any) -> bool:
        outbox.take()
        work()
        return key in outbox.take()[0]

    assert not marked(lambda: change(plant, made["cell"], description={"en": "x"}))
    assert marked(lambda: change(plant, made["line"], suppress_when="VALVE", suppress_reason=REASON))
    assert marked(lambda: change(plant, made["line"], suppress_reason={"en": "Line empty"}))
    assert marked(lambda: change(plant, made["cell"], parent=str(other.id)))
    assert published(plant, made["flow"]).suppressions == ()
    assert marked(lambda: tags.modify(author(plant), made["flow"].id, {"asset": str(made["line"].id)}, None))
    assert len(published(plant, made["flow"]).suppressions) == 1


def test_shifts_belong_to_a_site(plant: Tenant, made: dict[str, Any]) -> None:
    stored = change(plant, made["site"], shifts=["22:00", "06:00", "14:00", "06:00"])
    assert stored.document()["shifts"] == ["06:00", "14:00", "22:00"]
    for wrong, of in ((["6:00"], "site"), (["24:00"], "site"), (["06:00"], "line"), (["00:0a"], "site")):
        with pytest.raises(Invalid) as caught:
            change(plant, made[of], shifts=wrong)
        assert next(iter(caught.value.fields)).startswith("shifts")
