"""POST /alarm-definitions/try: what a draft would have done, before anyone has to live with it."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from mainspring.core.definitions import AlarmDefinition, Suppression, TagDefinition
from mainspring.core.errors import LimitExceeded
from mainspring.core.text import Text
from mainspring.records.faults import Invalid
from mainspring.records.plant.alarm_definition import AlarmDraft, draft_definition
from mainspring.records.plant.tag import Tag
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web import trial
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["alarm definitions"])

RANGE_MAX_MS: Final = 92 * 86_400_000
AT_ONCE: Final = 2
_RANGE: Final = Text(
    "Try an alarm on a range of at most 92 days that ends after it starts.",
    "请在不超过 92 天的时段内试算，且结束晚于开始。",
)
_BUSY: Final = Text("Others try alarms at the moment. Try again shortly.", "正在进行其他试算，请稍后再试。")
_under_way: set[object] = set()


class Trial(Schema):
    """A draft, and the range to try it on; `id` names the stored definition that is being changed."""

    definition: AlarmDraft
    id: UUID | None = None
    start_ms: int = Field(ge=0, lt=2**52)
    end_ms: int = Field(ge=0, lt=2**52)


@router.post("/alarm-definitions/try", auth=Needs(Right.CONFIGURE))
async def try_alarm_definition(request: HttpRequest, wanted: Trial) -> dict[str, Any]:
    """Tell how often, when and how long an alarm would have been raised; nothing is stored."""
    if not 0 < wanted.end_ms - wanted.start_ms <= RANGE_MAX_MS:
        raise Invalid({"end_ms": _RANGE})
    tenant = actor_of(request).tenant
    definition, tags, conditions = await sync_to_async(_checked)(tenant, wanted)
    if len(_under_way) >= AT_ONCE:
        raise LimitExceeded(_BUSY)
    token = object()
    _under_way.add(token)
    try:
        series = await trial.read(runtime.require_bus(), tenant.key, tags, wanted.start_ms, wanted.end_ms)
        found = await asyncio.to_thread(
            trial.tried, definition, tags, series, wanted.start_ms, wanted.end_ms, conditions
        )
    finally:
        _under_way.discard(token)
    return found | {"start_ms": wanted.start_ms, "end_ms": wanted.end_ms, "tag": definition.tag}


def _checked(
    tenant: Tenant, wanted: Trial
) -> tuple[AlarmDefinition, list[TagDefinition], list[Suppression]]:  # fmt: skip
    definition, conditions = draft_definition(tenant, wanted.definition, wanted.id)
    named = [each.tag for inputs in (definition.inputs, *(each.inputs for each in conditions)) for each in inputs]
    ordinals = list(dict.fromkeys((definition.tag, *named)))
    found = {tag.ordinal: tag for tag in Tag.definitions(Tag.objects.of(tenant).filter(ordinal__in=ordinals))}
    return definition, [found[ordinal] for ordinal in ordinals], conditions
