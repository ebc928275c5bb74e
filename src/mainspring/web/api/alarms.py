"""The alarm list and acknowledgement."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import BaseModel, Field

from mainspring.core import subjects
from mainspring.core.alarms import Acknowledge, ActiveAlarm, AlarmState, ListAlarms, View
from mainspring.core.definitions import Priority
from mainspring.records.access.scope import Scope
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.rights import Right
from mainspring.records.search_words import fragments, searchable
from mainspring.web import alarm_rows
from mainspring.web.lasting import in_thread, to_the_end
from mainspring.web.runtime import runtime
from mainspring.web.security import Actor, Needs, actor_of

router = Router(tags=["alarms"])

LIST_MAX: Final = 5000
ACKNOWLEDGE_MAX: Final = 1000
UNACKNOWLEDGED: Final = frozenset({AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.CLEARED_UNACKNOWLEDGED})


class AcknowledgeDraft(Schema):
    """Alarms to acknowledge, by the ids of their definitions."""

    alarms: list[UUID] = Field(min_length=1, max_length=ACKNOWLEDGE_MAX)
    comment: str = Field(default="", max_length=500)


class ActiveAlarms(BaseModel):
    """The engine's answer: the gravest alarms, as many as it lists."""

    alarms: list[ActiveAlarm]


async def active(tenant: str, view: View = View.ACTIVE) -> list[ActiveAlarm]:
    """Ask the engine for the alarms that are not normal, or for those that nobody is told of."""
    question = ListAlarms(view=view).model_dump_json().encode()
    answer = await runtime.require_bus().ask(subjects.alarms(tenant, "list"), question)
    return ActiveAlarms.model_validate_json(answer).alarms


async def active_within(scope: Scope, view: View = View.ACTIVE) -> list[ActiveAlarm]:
    """Ask the engine for the alarms of a part of the plant; of all of it nothing is looked up."""
    alarms = await active(scope.tenant.key, view)
    if scope.everywhere:
        return alarms
    within = await sync_to_async(scope.alarm_ids)({alarm.alarm for alarm in alarms})
    return [alarm for alarm in alarms if alarm.alarm in within]


@router.get("/alarms", auth=Needs(Right.VIEW, somewhere=True))
async def list_alarms(
    request: HttpRequest,
    search: str = "",
    priority: Priority | None = None,
    asset: UUID | None = None,
    offset: int = 0,
    limit: int = 500,
    view: View = View.ACTIVE,
) -> dict[str, Any]:
    """List what is not normal: unacknowledged first, then by priority, newest first. It has no time window.

    `view` shows those shelved or out of service instead.
    """
    actor = actor_of(request)
    scope = actor.scope(Right.VIEW)
    alarms = await active_within(scope, view)
    below = (await sync_to_async(scope.asset)(asset)).path if asset else None
    sought = fragments(search)
    named: dict[UUID, tuple[str, Any]] = {}
    if sought or below is not None:
        named = await sync_to_async(alarm_rows.paths)(actor.tenant.key, {alarm.alarm for alarm in alarms})
    counts = {str(each): {"unacknowledged": 0, "total": 0} for each in Priority}
    for alarm in alarms:
        counts[alarm.priority]["total"] += 1
        counts[alarm.priority]["unacknowledged"] += alarm.state in UNACKNOWLEDGED
    wanted = [
        alarm
        for alarm in alarms
        if priority in (None, alarm.priority)
        and (not sought or _named(named.get(alarm.alarm), sought))
        and (below is None or f"{named.get(alarm.alarm, ('', ''))[0]}/".startswith(f"{below}/"))
    ]
    start, size = max(offset, 0), min(max(limit, 1), LIST_MAX)
    rows = await sync_to_async(alarm_rows.of_active)(actor.tenant.key, wanted[start : start + size])
    return {
        "items": rows, "total": len(wanted), "hidden": len(alarms) - len(wanted),
        "counts": counts, "now_ms": time.time_ns() // 1_000_000,
    }  # fmt: skip


def _named(path_and_name: tuple[str, Any] | None, sought: Sequence[str]) -> bool:
    if path_and_name is None:
        return False
    words = searchable(*path_and_name)
    return all(fragment in words for fragment in sought)


@router.post("/alarms/acknowledge", auth=Needs(Right.ACKNOWLEDGE, somewhere=True))
async def acknowledge(request: HttpRequest, draft: AcknowledgeDraft) -> dict[str, Any]:
    """Acknowledge alarms; each that could not be is told with its reason."""
    actor = actor_of(request)
    await require_alarms(actor, Right.ACKNOWLEDGE, draft.alarms)
    question = Acknowledge(alarms=tuple(draft.alarms), by=str(actor.pseudonym), comment=draft.comment)
    subject = subjects.alarms(actor.tenant.key, "acknowledge")
    payload = question.model_dump_json().encode()

    async def acknowledged() -> dict[str, Any]:
        answer = json.loads(await runtime.require_bus().ask(subject, payload))
        changes: dict[str, list[Any]] = {"comment": [None, draft.comment]} if draft.comment else {}
        await in_thread(record, actor.author, Action.ACKNOWLEDGE, answer["acknowledged"], changes)
        refused = await in_thread(alarm_rows.with_names, answer["refused"])
        return {"acknowledged": answer["acknowledged"], "refused": refused}

    return await to_the_end(acknowledged())


async def require_alarms(actor: Actor, right: Right, alarms: Sequence[UUID]) -> None:
    """Raise NotFound for alarms outside the part of the plant in which the actor has a right."""
    scope = actor.scope(right)
    if not scope.everywhere:
        await sync_to_async(scope.require_alarms)(alarms)


def record(author: Author, action: Action, alarms: Sequence[str], changes: dict[str, list[Any]]) -> None:
    """Write to the audit what was done with alarms."""
    names = alarm_rows.names(author.tenant.key, map(UUID, alarms))
    append(
        author,
        [
            Deed(action, "alarm-definition", alarm, names.get(UUID(alarm), {}).get("path", ""), changes)
            for alarm in alarms
        ],
    )
