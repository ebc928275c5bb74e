"""Samples that people enter and correct; both are told from what machines sent, and say who and when."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from mainspring.core import quality, subjects
from mainspring.core.errors import NotConnected, NotFound
from mainspring.core.history import REASON_MAX, Correction, Ordinal, Range, RawQuery
from mainspring.core.ids import uuid7
from mainspring.core.kinds import Column, SampleKind
from mainspring.core.text import Text
from mainspring.records.access.scope import Scope
from mainspring.records.audit import Action, AuditEntry, Deed, append
from mainspring.records.faults import Invalid
from mainspring.records.plant.tag import Tag
from mainspring.records.rights import Right
from mainspring.records.tenant import Tenant
from mainspring.web.alarm_rows import people_of
from mainspring.web.api.forms import Listing, cut
from mainspring.web.entries import (
    COMMENT_MAX,
    Sample,
    batches,
    row_sample,
    rows_of,
    sample_time,
    sample_value,
)
from mainspring.web.lasting import in_thread, to_the_end
from mainspring.web.live import ask_current, dumps, exact
from mainspring.web.runtime import runtime
from mainspring.web.security import Actor, Needs, actor_of

router = Router(tags=["samples"])

SENT_AT_ONCE: Final = 500
"""Rows of one message: with the longest texts still less than a message may hold."""
REFUSED_MAX: Final = 200
TIMEOUT_S: Final = 30.0
Value = float | int | str | bool | list[Any]

_NO_TAG: Final = Text(
    "There is no tag {tag} here. It may have been deleted; choose it again.",
    "此处没有测点 {tag}，可能已被删除，请重新选择。",
)
_NO_SAMPLE: Final = Text(
    "There is no sample of this tag at this time. Enter it by hand instead.",
    "该测点在此时刻没有采样值，请改用人工录入。",
)
_NOTHING: Final = Text("Say the right value, or another quality.", "请填写正确的值或其他质量。")
_NOT_TEXT: Final = Text("The file is not text in UTF-8.", "文件不是 UTF-8 文本。")


class SampleDraft(Schema):
    """A sample to enter: now, unless a time is named; whole numbers beyond 2^53 as text."""

    tag: Ordinal
    time_ms: int | None = None
    value: Value
    quality: int = Field(default=quality.GOOD, ge=0, le=255)
    comment: str = Field(default="", max_length=COMMENT_MAX)
    id: UUID | None = Field(default=None, description="sent again with the same id within two minutes, it is kept once")


class CorrectionDraft(Schema):
    """A sample to correct; what is left out stays."""

    tag: Ordinal
    time_ms: int = Field(ge=0, lt=2**52)
    value: Value | None = None
    quality: int | None = Field(default=None, ge=0, le=255)
    reason: str = Field(min_length=1, max_length=REASON_MAX)


class CorrectionsDraft(Range):
    """Whose corrections are wanted, and of which range of sample times."""

    tag: Ordinal
    limit: int = Field(default=1000, ge=1, le=10_000)


class EnteredListing(Listing):
    """Whose entries are wanted."""

    tag: Ordinal


@router.post("/samples", auth=Needs(Right.ENTER, somewhere=True))
async def enter(request: HttpRequest, draft: SampleDraft) -> dict[str, Any]:
    """Enter a sample by hand. A tag that a connection reads needs the right to correct besides."""
    actor = actor_of(request)
    tag = await sync_to_async(_enterable)(actor, draft.tag)
    sample = Sample(tag, sample_time(draft.time_ms), sample_value(tag, draft.value), draft.quality, draft.comment)
    await to_the_end(_entered(actor, [sample], draft.id or uuid7()))
    return {"tag": tag.ordinal, "time_ms": sample.time_ms, "entered": 1}


@router.post("/samples/csv", auth=Needs(Right.ENTER, somewhere=True))
async def enter_file(request: HttpRequest, dry_run: bool = False) -> dict[str, Any]:
    """Enter the samples of a CSV file, the body of the request: path, time, value, quality, comment.

    Good rows are stored even if others are refused; times without offset are those of the plant's clocks.
    """
    actor = actor_of(request)
    try:
        rows = rows_of(request.body.decode())
    except UnicodeDecodeError as error:
        raise Invalid({"file": _NOT_TEXT}) from error
    samples, refused = await sync_to_async(_checked)(actor, rows)
    if samples and not dry_run:
        await to_the_end(_entered(actor, samples, uuid7()))
    return {"entered": len(samples), "refused_total": len(refused), "refused": refused[:REFUSED_MAX]}


@router.get("/samples/entered", auth=Needs(Right.VIEW, somewhere=True))
def entered(request: HttpRequest, listing: Query[EnteredListing]) -> dict[str, Any]:
    """List what was entered by hand for a tag, newest first: who, when, and why."""
    scope = actor_of(request).scope(Right.VIEW)
    tenant, tag = scope.tenant, _tag(scope, listing.tag)
    rows = AuditEntry.objects.of(tenant).filter(object_id=str(tag.id), action=str(Action.ENTER)).order_by("-sequence")
    entries = cut(rows, listing)
    people = people_of({str(entry.pseudonym) for entry in entries})
    items = [
        {"made_ms": entry.time_ms, "by": people.get(str(entry.pseudonym), "")}
        | {name: change[1] for name, change in entry.changes.items()}
        for entry in entries
    ]
    return {"items": items, "total": rows.count()}


@router.post("/history/correct", auth=Needs(Right.CORRECT, somewhere=True))
async def correct(request: HttpRequest, draft: CorrectionDraft) -> dict[str, Any]:
    """Correct the value or the quality of a sample; the former ones stay and can be found."""
    actor = actor_of(request)
    if draft.value is None and draft.quality is None:
        raise Invalid({"value": _NOTHING})
    tag = await sync_to_async(_tag)(actor.scope(Right.CORRECT), draft.tag)
    column = SampleKind(tag.sample_kind).column
    former = await _sample_at(actor.tenant, tag, column, draft.time_ms)
    value = former["value"] if draft.value is None else sample_value(tag, draft.value)
    level = former["quality"] if draft.quality is None else draft.quality
    question = Correction(
        tag=tag.ordinal, time_ms=draft.time_ms, column=column, value=_exact_text(value), quality=level,
        by=str(actor.pseudonym), reason=draft.reason,
    )  # fmt: skip
    changes = {
        "value": [_shown(former["value"]), _shown(value)], "quality": [former["quality"], level],
        "time_ms": [None, draft.time_ms], "comment": [None, draft.reason],
    }  # fmt: skip

    async def corrected() -> None:
        subject = subjects.history(actor.tenant.key, "correct")
        await runtime.require_bus().ask(subject, question.model_dump_json().encode(), timeout_s=TIMEOUT_S)
        await in_thread(append, actor.author, [Deed(Action.CORRECT, "tag", str(tag.id), tag.path, changes)])
        await _renew_current(actor.tenant, Sample(tag, draft.time_ms, value, level))

    await to_the_end(corrected())
    return {"tag": tag.ordinal, "time_ms": draft.time_ms, "former": _shown(former["value"]), "value": _shown(value)}


@router.post("/history/corrections", auth=Needs(Right.VIEW, somewhere=True))
async def corrections(request: HttpRequest, draft: CorrectionsDraft) -> HttpResponse:
    """List the corrections of a tag's samples, newest first: former and new, who, when, why."""
    scope = actor_of(request).scope(Right.VIEW)
    tenant, tag = scope.tenant, await sync_to_async(_tag)(scope, draft.tag)
    column = SampleKind(tag.sample_kind).column
    query = RawQuery(
        tags=(tag.ordinal,), start_ms=draft.start_ms, end_ms=draft.end_ms, limit=draft.limit, column=column
    )
    rows = (await _asked(tenant, "corrections", query)).to_pylist()
    people = await sync_to_async(people_of)({row["made_by"] for row in rows})
    items = [
        {
            "time_ms": row["time"], "value": _shown(row["value"]), "quality": row["quality"],
            "former": _shown(row["former"]), "former_quality": row["former_quality"],
            "former_origin": row["former_origin"], "made_ms": row["made_ms"],
            "by": people.get(row["made_by"], ""), "reason": row["reason"],
        }
        for row in rows
    ]  # fmt: skip
    return HttpResponse(dumps({"items": items, "total": len(items)}), content_type="application/json")


def _tag(scope: Scope, ordinal: int) -> Tag:
    found = scope.tags().filter(ordinal=ordinal).first()
    if found is None:
        raise NotFound(_NO_TAG, tag=ordinal)
    return found


def _enterable(actor: Actor, ordinal: int) -> Tag:
    tag = _tag(actor.scope(Right.ENTER), ordinal)
    _require_correct(actor, [tag])
    return tag


def _require_correct(actor: Actor, tags: Iterable[Tag]) -> None:
    """Raise NotAllowed if connections read some of these tags and the actor may not correct them."""
    read = {tag.ordinal for tag in tags if tag.connection_id is not None}
    if actor.scope(Right.CORRECT).ordinals(read) != read:
        actor.require(Right.CORRECT)


def _checked(actor: Actor, rows: Sequence[dict[str, str]]) -> tuple[list[Sample], list[dict[str, Any]]]:
    """Return the samples of good rows, and what is wrong with the others; rows are counted from 0."""
    paths = {row.get("path", "").strip() for row in rows}
    tags: dict[str, Tag] = {}
    # PostgreSQL takes no NUL in a question.
    wanted = sorted(path for path in paths if "\0" not in path)
    for start in range(0, len(wanted), 500):
        for tag in actor.scope(Right.ENTER).tags().filter(path__in=wanted[start : start + 500]):
            tags[tag.path] = tag
    _require_correct(actor, tags.values())
    samples, refused = [], []
    for place, row in enumerate(rows):
        path = row.get("path", "").strip()
        try:
            if path not in tags:
                raise Invalid({"path": _NO_TAG.format(tag=path)})
            samples.append(row_sample(tags[path], row, actor.tenant.zone))
        except Invalid as wrong:
            field, text = next(iter(wrong.fields.items()))
            refused.append({"row": place, "field": field, "text": text.document()})
    return samples, refused


async def _entered(actor: Actor, samples: Sequence[Sample], id: UUID) -> None:
    """Send samples the way machines' go, each message once, and write down who entered them."""
    await _publish(actor.tenant, samples, id)
    await in_thread(append, actor.author, _deeds(samples))


async def _publish(tenant: Tenant, samples: Sequence[Sample], id: UUID) -> None:
    bus = runtime.require_bus()
    subject = subjects.readings(tenant.key, subjects.BY_HAND)
    for start in range(0, len(samples), SENT_AT_ONCE):
        for batch in batches(samples[start : start + SENT_AT_ONCE]):
            headers = {"Nats-Msg-Id": f"{subject}-{id}-{start}-{batch.column}"}
            await bus.js.publish(subject, batch.encode(), headers=headers)


def _deeds(samples: Sequence[Sample]) -> list[Deed]:
    """Return one deed a tag: what was entered, or how much of it."""
    by_tag: dict[UUID, list[Sample]] = {}
    for sample in samples:
        by_tag.setdefault(sample.tag.id, []).append(sample)
    deeds = []
    for entered_ in by_tag.values():
        first, last = entered_[0], entered_[-1]
        told: dict[str, Any] = {"time_ms": last.time_ms, "value": _shown(last.value), "quality": last.quality}
        if len(entered_) > 1:
            told |= {"count": len(entered_), "first_ms": min(each.time_ms for each in entered_)}
        if last.comment:
            told["comment"] = last.comment
        changes = {name: [None, each] for name, each in told.items()}
        deeds.append(Deed(Action.ENTER, "tag", str(first.tag.id), first.tag.path, changes))
    return deeds


async def _asked(tenant: Tenant, verb: str, query: RawQuery) -> pa.Table:
    subject = subjects.history(tenant.key, verb)
    answer = await runtime.require_bus().ask(subject, query.model_dump_json().encode(), timeout_s=TIMEOUT_S)
    return pa.ipc.open_stream(answer).read_all()


async def _sample_at(tenant: Tenant, tag: Tag, column: Column, time_ms: int) -> dict[str, Any]:
    query = RawQuery(tags=(tag.ordinal,), start_ms=time_ms, end_ms=time_ms + 1, limit=1, column=column)
    found: list[dict[str, Any]] = (await _asked(tenant, "raw", query)).to_pylist()
    if not found:
        raise NotFound(_NO_SAMPLE)
    return found[0]


async def _renew_current(tenant: Tenant, sample: Sample) -> None:
    """Let the current value and its alarms follow, if it is the newest sample that was corrected."""
    bus = runtime.require_bus()
    try:
        now = await ask_current(bus, tenant.key, np.array([sample.tag.ordinal], dtype=np.uint32))
    except NotConnected:
        # The engine is away: it comes back with what LIVE holds, and the history has the correction.
        return
    if int(now["time"][0]) == sample.time_ms:
        await _publish(tenant, [sample], uuid7())


def _exact_text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _shown(value: Any) -> Any:
    """Return a value as JSON readers keep it; a number that is none is null."""
    if isinstance(value, int) and not isinstance(value, bool):
        return exact(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
