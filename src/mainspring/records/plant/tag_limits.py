"""Alarm limits that come with imported tags: one number by condition, stored in few statements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from mainspring.core.definitions import Condition, Priority
from mainspring.core.kinds import SampleKind
from mainspring.core.text import Text
from mainspring.records import changes
from mainspring.records.audit import Action, Author, append
from mainspring.records.faults import Invalid
from mainspring.records.inserts import insert
from mainspring.records.plant.alarm_definition import AlarmDefinition
from mainspring.records.plant.tag import Tag
from mainspring.records.search_words import searchable
from mainspring.records.tenant import now_ms

LIMITS: Final = {"LL": Priority.HIGH, "L": Priority.MEDIUM, "H": Priority.MEDIUM, "HH": Priority.HIGH}
"""Conditions a sheet can carry, rising, with the priority a new one gets."""
BATCH: Final = 500
_UNKNOWN: Final = Text("There is no limit {name}; there are LL, L, H and HH.", "没有限值 {name}，只有 LL、L、H、HH。")
_NUMBER: Final = Text("Enter a number.", "请输入数字。")
_ORDER: Final = Text("Limits must rise from LL over L and H to HH.", "限值须按 LL、L、H、HH 递增。")
_TEXT: Final = Text("A text has no limits.", "文字测点没有限值。")


def check_limits(found: Any, kind: SampleKind) -> dict[str, float]:
    """Return limits by condition as numbers; raises Invalid for the column that is wrong."""
    limits: dict[str, float] = {}
    for name, value in dict(found).items():
        if name not in LIMITS:
            raise Invalid({f"limits.{name}": _UNKNOWN.format(name=name)})
        try:
            limits[name] = float(value)
        except (TypeError, ValueError):
            limits[name] = math.nan
        if not math.isfinite(limits[name]):
            raise Invalid({f"limits.{name}": _NUMBER})
    if limits and kind in {SampleKind.TEXT, SampleKind.BLOB}:
        raise Invalid({f"limits.{next(iter(limits))}": _TEXT})
    _require_rising(limits)
    return limits


def _require_rising(limits: Mapping[str, float]) -> None:
    rising = [(name, limits[name]) for name in LIMITS if name in limits]
    for (_, lower), (name, upper) in pairwise(rising):
        if lower > upper:
            raise Invalid({f"limits.{name}": _ORDER})


def written_limits(
    author: Author, wanted: Sequence[tuple[Tag, dict[str, float]]], *, dry_run: bool = False
) -> dict[UUID, int]:
    """Create or change the limits of tags; returns the tags touched with their ordinals."""
    by_tag = {tag.id: (tag, limits) for tag, limits in wanted if limits}
    known = {(each.tag_id, each.condition): each for each in _of_tags(author, by_tag)}
    fresh: list[AlarmDefinition] = []
    changed: list[tuple[AlarmDefinition, dict[str, Any]]] = []
    for tag, limits in by_tag.values():
        for condition, limit in limits.items():
            alarm = known.get((tag.id, condition))
            if alarm is None:
                fresh.append(_new(author, tag, condition, limit))
            elif alarm.limit != limit:
                before = {"limit": alarm.limit}
                alarm.limit = limit
                changed.append((alarm, before))
    touched = {alarm.tag_id: by_tag[alarm.tag_id][0].ordinal for alarm in (*fresh, *(alarm for alarm, _ in changed))}
    if dry_run or not touched:
        return touched
    for alarm, _ in changed:
        alarm.version, alarm.changed_ms = alarm.version + 1, now_ms()
    insert(fresh)
    AlarmDefinition.objects.bulk_update([alarm for alarm, _ in changed], ["limit", "version", "changed_ms"], BATCH)
    deeds = [changes.deed(Action.CREATE, alarm, {}, alarm.document()) for alarm in fresh]
    deeds += [changes.deed(Action.CHANGE, alarm, before, {"limit": alarm.limit}) for alarm, before in changed]
    append(author, deeds)
    return touched


def _of_tags(author: Author, tags: Iterable[UUID]) -> list[AlarmDefinition]:
    ids = list(tags)
    rows = AlarmDefinition.objects.of(author.tenant).select_related("tag").filter(condition__in=LIMITS)
    return [row for start in range(0, len(ids), BATCH) for row in rows.filter(tag__in=ids[start : start + BATCH])]


def _new(author: Author, tag: Tag, condition: str, limit: float) -> AlarmDefinition:
    name = f"{tag.name} {condition}"
    alarm = AlarmDefinition(tenant=author.tenant, tag=tag, condition=str(Condition(condition)), limit=limit)
    alarm.priority = str(LIMITS[condition])
    alarm.name = {"en": name, "zh": name}
    alarm.search = searchable(tag.path, alarm.name)
    return alarm
