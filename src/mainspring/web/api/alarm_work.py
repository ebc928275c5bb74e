"""What people do with alarms beside acknowledging: shelve, return, comment, take out of service."""

from __future__ import annotations

import json
import time
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from mainspring.core import subjects
from mainspring.core.alarms import SHELF_MIN_MS, Acknowledge, Comment, OutOfService, Shelve, Unshelve
from mainspring.core.text import Text
from mainspring.records.audit import Action
from mainspring.records.faults import Invalid
from mainspring.records.rights import Right
from mainspring.web.api.alarms import ACKNOWLEDGE_MAX, record, require_alarms
from mainspring.web.configure import current
from mainspring.web.lasting import in_thread, to_the_end
from mainspring.web.runtime import runtime
from mainspring.web.security import Actor, Needs, actor_of

router = Router(tags=["alarms"])

HOUR_MS: Final = 3_600_000
_TIME: Final = Text(
    "An alarm is shelved for at least {least} s, and here for at most {most} h.",
    "搁置至少 {least} 秒，本厂区最多 {most} 小时。",
)
_WHEN: Final = Text("Say for how long, or until when, but not both.", "请填写搁置时长或截止时间，二选一。")


class Chosen(Schema):
    """Alarms, by the ids of their definitions."""

    alarms: list[UUID] = Field(min_length=1, max_length=ACKNOWLEDGE_MAX)


class Reasoned(Chosen):
    """Alarms, and the reason or comment."""

    comment: str = Field(min_length=1, max_length=500)


class ShelveDraft(Reasoned):
    """Alarms to shelve for a time or until a time; the comment is the reason."""

    for_ms: int | None = Field(default=None, ge=0, lt=2**40)
    until_ms: int | None = Field(default=None, ge=0, lt=2**52)


class ServiceDraft(Reasoned):
    """Alarms to take out of service, or with `out` false to return; the comment is the reason."""

    out: bool = True


@router.post("/alarms/shelve", auth=Needs(Right.ACKNOWLEDGE, somewhere=True))
async def shelve(request: HttpRequest, draft: ShelveDraft) -> dict[str, Any]:
    """Shelve alarms until a time; they return by themselves."""
    actor, now_ms = actor_of(request), time.time_ns() // 1_000_000
    if (draft.for_ms is None) == (draft.until_ms is None):
        raise Invalid({"until_ms": _WHEN})
    until_ms = draft.until_ms if draft.until_ms is not None else now_ms + (draft.for_ms or 0)
    hours = current().shelf_hours_max
    if not now_ms + SHELF_MIN_MS <= until_ms <= now_ms + hours * HOUR_MS:
        raise Invalid({"until_ms": _TIME.format(least=SHELF_MIN_MS // 1000, most=hours)})
    question = Shelve(
        alarms=tuple(draft.alarms), by=str(actor.pseudonym), comment=draft.comment, until_ms=until_ms
    )  # fmt: skip
    changes: dict[str, list[Any]] = {"shelved": [None, until_ms], "comment": [None, draft.comment]}
    return await _asked(actor, Right.ACKNOWLEDGE, "shelve", question, changes) | {"until_ms": until_ms}


@router.post("/alarms/unshelve", auth=Needs(Right.ACKNOWLEDGE, somewhere=True))
async def unshelve(request: HttpRequest, draft: Chosen) -> dict[str, Any]:
    """Return alarms from the shelf before their time."""
    actor = actor_of(request)
    question = Unshelve(alarms=tuple(draft.alarms), by=str(actor.pseudonym))
    return await _asked(actor, Right.ACKNOWLEDGE, "unshelve", question, {"shelved": [True, None]})


@router.post("/alarms/comment", auth=Needs(Right.ACKNOWLEDGE, somewhere=True))
async def comment(request: HttpRequest, draft: Reasoned) -> dict[str, Any]:
    """Keep a comment with alarms; it stands in their history."""
    actor = actor_of(request)
    question = Comment(alarms=tuple(draft.alarms), by=str(actor.pseudonym), comment=draft.comment)
    return await _asked(actor, Right.ACKNOWLEDGE, "comment", question, {"comment": [None, draft.comment]})


@router.post("/alarms/out-of-service", auth=Needs(Right.CONFIGURE, somewhere=True))
async def out_of_service(request: HttpRequest, draft: ServiceDraft) -> dict[str, Any]:
    """Take alarms out of service until someone returns them, or return them."""
    actor = actor_of(request)
    question = OutOfService(
        alarms=tuple(draft.alarms), by=str(actor.pseudonym), comment=draft.comment, out=draft.out
    )  # fmt: skip
    changes: dict[str, list[Any]] = {"out_of_service": [not draft.out, draft.out], "comment": [None, draft.comment]}
    return await _asked(actor, Right.CONFIGURE, "out-of-service", question, changes)


async def _asked(
    actor: Actor, right: Right, verb: str, question: Acknowledge, changes: dict[str, list[Any]]
) -> dict[str, Any]:
    """Ask the engine, and write to the audit what it did; both also if the asker goes away."""
    await require_alarms(actor, right, question.alarms)
    subject, payload = subjects.alarms(actor.tenant.key, verb), question.model_dump_json().encode()

    async def done() -> dict[str, Any]:
        answer = json.loads(await runtime.require_bus().ask(subject, payload))
        await in_thread(record, actor.author, Action.CHANGE, answer["done"], changes)
        return {"done": answer["done"], "refused": answer["refused"]}

    return await to_the_end(done())
