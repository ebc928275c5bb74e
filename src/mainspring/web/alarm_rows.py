"""Alarm rows as pages show them: what the engine knows, joined with the names that records hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from mainspring.core.alarms import ActiveAlarm, AlarmEvent
from mainspring.core.definitions import Condition
from mainspring.core.units import SIGNS
from mainspring.records.people.user import User
from mainspring.records.plant.alarm_definition import AlarmDefinition
from mainspring.records.plant.asset import Asset
from mainspring.records.plant.tag import Tag
from mainspring.records.tenant import Tenant

NAMES_AT_ONCE = 900
PEOPLE_MAX = 1000
_PSEUDONYM = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def of_active(tenant: str, alarms: Sequence[ActiveAlarm]) -> list[dict[str, Any]]:
    """Return the rows of the alarm list, in the order given; alarms whose definition has gone are left out."""
    known = names(tenant, {alarm.alarm for alarm in alarms})
    conditions = suppressions(tenant, {alarm.suppressed_by for alarm in alarms if alarm.suppressed_by})
    people = people_of({person for alarm in alarms for person in (alarm.acknowledged_by, alarm.by)})
    return [
        alarm.model_dump(mode="json")
        | known[alarm.alarm]
        | {"acknowledged_by": people.get(alarm.acknowledged_by, alarm.acknowledged_by)}
        | {"by": people.get(alarm.by, alarm.by)}
        | {"suppression": conditions.get(alarm.suppressed_by)}
        for alarm in alarms
        if alarm.alarm in known
    ]


def of_events(tenant: str, events: Sequence[AlarmEvent]) -> list[dict[str, Any]]:
    """Return the rows of transitions, in the order given; a removed definition keeps its tag's name."""
    named = names(tenant, {changed.alarm for changed in events})
    unnamed = {changed.tag for changed in events if changed.alarm not in named}
    tags = {tag.ordinal: _tag_names(tag) for tag in _tags(tenant, unnamed)}
    people = people_of({changed.by for changed in events})
    rows = []
    for changed in events:
        row = changed.model_dump(mode="json") | {"changed_ms": changed.time_ms}
        known = named.get(changed.alarm) or tags.get(changed.tag)
        if known is None:
            continue
        word = f"{known['tag_name']} {changed.condition}"
        gone = {"name": {"en": word, "zh": word}, "consequence": None, "response": None, "per": "", "expression": ""}
        row |= gone | known
        row["by"] = people.get(changed.by, changed.by)
        row["acknowledged_by"] = row["by"] if changed.transition == "acknowledged" else ""
        rows.append(row)
    return rows


def names(tenant: str, alarms: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return what records say of alarms that are defined."""
    wanted, found = list(alarms), {}
    for start in range(0, len(wanted), NAMES_AT_ONCE):
        definitions = AlarmDefinition.objects.filter(
            tenant__key=tenant, pk__in=wanted[start : start + NAMES_AT_ONCE]
        ).select_related("tag__asset__parent", "tag__connection")
        for definition in definitions:
            found[definition.id] = _tag_names(definition.tag) | {
                "name": definition.name,
                "consequence": definition.consequence,
                "response": definition.response,
                "per": definition.per if definition.condition == Condition.RATE else "",
                "expression": definition.expression,
            }
    return found


def paths(tenant: str, alarms: Iterable[UUID]) -> dict[UUID, tuple[str, dict[str, str]]]:
    """Return the path and the name of alarms that are defined: what a list is searched by."""
    wanted, found = list(alarms), {}
    for start in range(0, len(wanted), NAMES_AT_ONCE):
        part = AlarmDefinition.objects.filter(tenant__key=tenant, pk__in=wanted[start : start + NAMES_AT_ONCE])
        for identity, path, name in part.values_list("id", "tag__path", "name"):
            found[identity] = (path, name)
    return found


def suppressions(tenant: str, identities: set[UUID]) -> dict[UUID | None, dict[str, Any]]:
    """Return reason and condition of what suppresses alarms: alarm definitions, or assets for all below them."""
    found: dict[UUID | None, dict[str, Any]] = {}
    wanted = list(identities)
    for start in range(0, len(wanted), NAMES_AT_ONCE):
        part = wanted[start : start + NAMES_AT_ONCE]
        for asset in Asset.objects.filter(tenant__key=tenant, pk__in=part):
            found[asset.id] = _condition(asset) | {"path": asset.path, "name": asset.name}
        for definition in AlarmDefinition.objects.filter(tenant__key=tenant, pk__in=part):
            found[definition.id] = _condition(definition) | {"path": "", "name": None}
    return found


def _condition(named: Asset | AlarmDefinition) -> dict[str, Any]:
    return {"reason": named.suppress_reason, "expression": named.suppress_when}


def _tags(tenant: str, ordinals: Iterable[int]) -> Iterable[Tag]:
    wanted = list(ordinals)
    for start in range(0, len(wanted), NAMES_AT_ONCE):
        part = Tag.objects.filter(tenant__key=tenant, ordinal__in=wanted[start : start + NAMES_AT_ONCE])
        yield from part.select_related("asset__parent", "connection")


def _tag_names(tag: Tag) -> dict[str, Any]:
    return {
        "tag_id": str(tag.id),
        "tag_name": tag.name,
        "path": tag.path,
        "place": _place(tag.asset),
        "asset": str(tag.asset_id),
        "unit": SIGNS.get(tag.unit, tag.unit),
        "decimals": tag.decimals,
        "words": tag.words,
        "replayed": tag.connection is not None and tag.connection.replayed,
    }


def _place(asset: Asset | None) -> dict[str, str]:
    """Return where a tag is, as people call it: its asset and what that stands in."""
    names = [each.name for each in (asset and asset.parent, asset) if each]
    return {language: " / ".join(name[language] for name in names) for language in ("en", "zh")}


def people_of(pseudonyms: Iterable[str]) -> dict[str, str]:
    """Return the names of the people behind pseudonyms."""
    wanted = []
    for pseudonym in pseudonyms:
        try:
            wanted.append(UUID(pseudonym))
        except ValueError:
            continue
    people = User.objects.filter(pseudonym__in=wanted) if wanted else ()
    return {str(person.pseudonym): person.display_name or person.username for person in people}


def with_names(refused: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return refusals with the names of people in the place of the pseudonyms that their texts hold."""
    people = people_of({found for row in refused for found in _PSEUDONYM.findall(row["text"]["en"])})

    def named(text: str) -> str:
        return _PSEUDONYM.sub(lambda found: people.get(found[0], found[0]), text)

    return [row | {"text": {language: named(text) for language, text in row["text"].items()}} for row in refused]


def pseudonyms_of(tenant: Tenant, name: str) -> set[str]:
    """Return the pseudonyms of people whose name or user name contains some text."""
    people = User.objects.filter(tenant=tenant)
    found = people.filter(display_name__icontains=name) | people.filter(username__icontains=name)
    return {str(person.pseudonym) for person in found[:PEOPLE_MAX]}
