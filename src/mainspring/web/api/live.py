"""Posted sets of tags and their streams; current values once, for programs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import numpy as np
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Router, Schema
from pydantic import Field

from mainspring.core.history import Ordinal
from mainspring.records.access.scope import Reach
from mainspring.records.rights import Right
from mainspring.web.api.forms import ordinals_of
from mainspring.web.live import TAGS_MAX, LiveSet, ask_current, dumps, event, hub, values_document
from mainspring.web.runtime import runtime
from mainspring.web.security import Actor, Needs, actor_of
from mainspring.web.standing import Standing, standing_of

router = Router(tags=["live"])

STREAM_S: Final = 300.0
"""A stream ends after this time and the page opens it again."""
STREAM_OF_PART_S: Final = 60.0
"""The same where it shows a part of the plant: so much later at most it follows what was moved out of that part."""
BEAT_S: Final = 1.0


class LiveSetDraft(Schema):
    """A set of tags to watch, and how often what changed is wanted."""

    tags: list[Ordinal] = Field(max_length=TAGS_MAX)
    interval_ms: int = Field(default=250, ge=250, le=60_000)


@router.post("/live", auth=Needs(Right.VIEW, somewhere=True))
async def post_set(request: HttpRequest, draft: LiveSetDraft) -> dict[str, Any]:
    """Post a set of tags; open its stream within a minute. Tags that the asker does not see are left out."""
    actor = actor_of(request)
    tags = await _seen(actor, draft.tags)
    return {"id": hub.post(actor.tenant.key, _holder(actor), tags, draft.interval_ms / 1000).id}


@router.put("/live/{id}", auth=Needs(Right.VIEW, somewhere=True))
async def change_set(request: HttpRequest, id: UUID, draft: LiveSetDraft) -> dict[str, Any]:
    """Replace the tags of a set; its stream sends a new snapshot."""
    actor = actor_of(request)
    live_set = hub.find(actor.tenant.key, _holder(actor), id)
    hub.change(live_set, await _seen(actor, draft.tags), draft.interval_ms / 1000)
    return {"id": live_set.id}


@router.get("/live/{id}/stream", auth=Needs(Right.VIEW, somewhere=True))
async def stream(request: HttpRequest, id: UUID) -> StreamingHttpResponse:
    """Stream snapshot, values, alarm, roles and beat events (text/event-stream)."""
    actor = actor_of(request)
    live_set = hub.find(actor.tenant.key, _holder(actor), id)
    hub.check_streams(_holder(actor))
    scope, reach = actor.scope(Right.VIEW), None
    if not scope.everywhere:
        reach = await sync_to_async(scope.reach)()
        hub.narrow(live_set, await sync_to_async(scope.ordinals)(live_set.tags.tolist()))
    events = _events(live_set, standing_of(request), reach)
    answer = StreamingHttpResponse(events, content_type="text/event-stream")
    answer["Cache-Control"] = "no-store"
    answer["X-Accel-Buffering"] = "no"
    return answer


@router.get("/current", auth=Needs(Right.VIEW, somewhere=True))
async def current(request: HttpRequest, tags: str) -> HttpResponse:
    """Return current values of tags, given as ordinals with commas between."""
    actor = actor_of(request)
    ordinals = np.array(sorted(set(await _seen(actor, ordinals_of(tags, "tags", TAGS_MAX)))), dtype=np.uint32)
    columns = await ask_current(runtime.require_bus(), actor.tenant.key, ordinals)
    return HttpResponse(dumps(values_document(ordinals, columns)), content_type="application/json")


def _holder(actor: Actor) -> str:
    """Return whose a set is: a person's sessions, or one token of theirs, which may see less."""
    return str(actor.pseudonym) if actor.token is None else f"{actor.pseudonym}/{actor.token.pk}"


async def _seen(actor: Actor, tags: list[int]) -> list[int]:
    """Return the tags that lie where the actor may look; of the whole plant nothing is looked up."""
    scope = actor.scope(Right.VIEW)
    return tags if scope.everywhere else sorted(await sync_to_async(scope.ordinals)(tags))


async def _events(live_set: LiveSet, standing: Standing, reach: Reach | None) -> AsyncIterator[bytes]:
    # Opened here: a stream whose first part is never asked for would otherwise stay open for ever.
    viewer = hub.open(live_set, standing, reach)
    ends = time.monotonic() + (STREAM_S if reach is None else STREAM_OF_PART_S)
    beat = 0.0
    try:
        yield b"retry: 1000\n\n"
        while not (hub.ended or viewer.ended) and time.monotonic() < ends:
            now = time.monotonic()
            if now >= beat:
                beat = now + BEAT_S
                yield _beat()
            if viewer.roles is not None:
                roles, viewer.roles = viewer.roles, None
                yield roles
            if viewer.alarms_lost:
                viewer.alarms_lost = False
                yield event("alarms-missed", {})
            while viewer.alarms:
                yield viewer.alarms.popleft()
            snapshot = hub.snapshots.get(live_set.tenant)
            if snapshot is not None and viewer.is_due(now):
                changes = viewer.changes(snapshot)
                if changes is not None:
                    # Computed only when the one before was taken: a slow viewer gets fewer and larger ones.
                    yield changes
            # Not `wait_for`: before Python 3.12 it loses a cancellation that comes together with the event, and the
            # stream of a viewer who left would go on.
            with suppress(TimeoutError):
                async with asyncio.timeout(max(beat - time.monotonic(), 0.01)):
                    await viewer.stirred.wait()
            viewer.stirred.clear()
    finally:
        hub.close(viewer)


def _beat() -> bytes:
    lags = [health.figures["lag_ms"] for (role, _), health in runtime.health.items()
            if role == "engine" and "lag_ms" in health.figures]  # fmt: skip
    silent = hub.engine_silent_since is not None
    now_ms = time.time_ns() // 1_000_000
    return event("beat", {"now_ms": now_ms, "lag_ms": max(lags, default=None), "engine": "silent" if silent else "ok"})
