"""The alarm list, acknowledgement, and the history of alarms."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import pyarrow as pa
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from ninja import Query as Param
from ninja import Router, Schema
from pydantic import BaseModel, Field

from mainspring.core import subjects
from mainspring.core.alarms import Acknowledge, ActiveAlarm, AlarmEvent, AlarmState
from mainspring.core.definitions import Priority
from mainspring.core.history import TAGS_MAX, EventQuery
from mainspring.records.asset import Asset
from mainspring.records.asset import find as find_asset
from mainspring.records.audit import Action, Author, Deed, append
from mainspring.records.rights import Right
from mainspring.records.search_words import fragments, searchable
from mainspring.web import alarm_rows
from mainspring.web.api.forms import ordinals_of
from mainspring.web.exports import clock_of, neutral
from mainspring.web.lasting import in_thread, to_the_end
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["alarms"])

LIST_MAX: Final = 5000
ACKNOWLEDGE_MAX: Final = 1000
UNACKNOWLEDGED: Final = frozenset({AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.CLEARED_UNACKNOWLEDGED})
DAY_MS: Final = 86_400_000
JSON_EVENTS_MAX: Final = 10_000
CSV_EVENTS_MAX: Final = 100_000


class AcknowledgeDraft(Schema):
    """Alarms to acknowledge, by the ids of their definitions."""

    alarms: list[UUID] = Field(min_length=1, max_length=ACKNOWLEDGE_MAX)
    comment: str = Field(default="", max_length=500)


class ActiveAlarms(BaseModel):
    """The engine's answer: the gravest alarms, as many as it lists."""

    alarms: list[ActiveAlarm]


async def active(tenant: str) -> list[ActiveAlarm]:
    """Ask the engine for the alarms that are not normal."""
    answer = await runtime.require_bus().ask(subjects.alarms(tenant, "list"), b"{}")
    return ActiveAlarms.model_validate_json(answer).alarms


@router.get("/alarms", auth=Needs(Right.VIEW))
async def list_alarms(
    request: HttpRequest,
    search: str = "",
    priority: Priority | None = None,
    asset: UUID | None = None,
    offset: int = 0,
    limit: int = 500,
) -> dict[str, Any]:
    """List what is not normal: unacknowledged first, then by priority, newest first. It has no time window."""
    actor = actor_of(request)
    alarms = await active(actor.tenant.key)
    below = (await sync_to_async(find_asset)(actor.tenant, asset)).path if asset else None
    rows = await sync_to_async(alarm_rows.of_active)(actor.tenant.key, alarms)
    counts = {str(each): {"unacknowledged": 0, "total": 0} for each in Priority}
    for row in rows:
        counts[row["priority"]]["total"] += 1
        counts[row["priority"]]["unacknowledged"] += row["state"] in UNACKNOWLEDGED
    wanted = [row for row in rows if _matches(row, fragments(search), priority, below)]
    start, size = max(offset, 0), min(max(limit, 1), LIST_MAX)
    return {
        "items": wanted[start : start + size], "total": len(wanted), "hidden": len(rows) - len(wanted),
        "counts": counts, "now_ms": time.time_ns() // 1_000_000,
    }  # fmt: skip


def _matches(row: dict[str, Any], sought: Sequence[str], priority: Priority | None, below: str | None) -> bool:
    if priority is not None and row["priority"] != priority:
        return False
    if below is not None and not f"{row['path']}/".startswith(f"{below}/"):
        return False
    words = searchable(row["path"], row["name"])
    return all(fragment in words for fragment in sought)


@router.post("/alarms/acknowledge", auth=Needs(Right.ACKNOWLEDGE))
async def acknowledge(request: HttpRequest, draft: AcknowledgeDraft) -> dict[str, Any]:
    """Acknowledge alarms; each that could not be is told with its reason."""
    actor = actor_of(request)
    question = Acknowledge(alarms=tuple(draft.alarms), by=str(actor.pseudonym), comment=draft.comment)
    subject = subjects.alarms(actor.tenant.key, "acknowledge")
    payload = question.model_dump_json().encode()

    async def acknowledged() -> dict[str, Any]:
        answer = json.loads(await runtime.require_bus().ask(subject, payload))
        await in_thread(_record, actor.author, answer["acknowledged"], draft.comment)
        return {"acknowledged": answer["acknowledged"], "refused": answer["refused"]}

    return await to_the_end(acknowledged())


def _record(author: Author, alarms: Sequence[str], comment: str) -> None:
    changes: dict[str, list[Any]] = {"comment": [None, comment]} if comment else {}
    names = alarm_rows.names(author.tenant.key, map(UUID, alarms))
    append(
        author,
        [
            Deed(
                Action.ACKNOWLEDGE, "alarm-definition", alarm, names.get(UUID(alarm), {}).get("path", ""), changes
            )
            for alarm in alarms
        ],
    )  # fmt: skip


Moment = Annotated[int, Param(ge=0, lt=2**52)]


@router.get("/alarms/history", auth=Needs(Right.VIEW))
async def history(
    request: HttpRequest,
    start_ms: Moment | None = None,
    end_ms: Moment | None = None,
    tag: str = "",
    alarm: UUID | None = None,
    limit: int = 1000,
    format: Literal["json", "csv"] = "json",
    language: Literal["en", "zh"] = "en",
) -> Any:
    """List transitions, newest first; without a range those of the last day. `tag` takes ordinals with commas."""
    actor = actor_of(request)
    if format == "csv":
        actor.require(Right.EXPORT)
    end = end_ms if end_ms is not None else time.time_ns() // 1_000_000 + 60_000
    start = start_ms if start_ms is not None else max(end - DAY_MS, 0)
    query = EventQuery(
        start_ms=start, end_ms=end,
        tags=tuple(ordinals_of(tag, "tag", TAGS_MAX)), alarm=str(alarm or ""),
        limit=min(max(limit, 1), JSON_EVENTS_MAX if format == "json" else CSV_EVENTS_MAX),
    )  # fmt: skip
    subject = subjects.history(actor.tenant.key, "events")
    answer = await runtime.require_bus().ask(subject, query.model_dump_json().encode(), timeout_s=30)

    def shown() -> Any:
        rows = alarm_rows.of_events(actor.tenant.key, _events(pa.ipc.open_stream(answer).read_all()))
        if format == "json":
            return {"items": rows}
        clock = clock_of(actor.tenant.zone)
        append(actor.author, [Deed(Action.EXPORT, "alarm-history", "", f"{clock(start)} - {clock(end)}")])
        return _csv(rows, language, clock)

    return await sync_to_async(shown)()


def _events(table: pa.Table) -> list[AlarmEvent]:
    names = {"time": "time_ms", "raised": "raised_ms"}
    return [
        AlarmEvent.model_validate({names.get(key, key): value for key, value in row.items() if key != "tenant"})
        for row in table.to_pylist()
    ]


_HEADINGS: Final = {
    "en": ("time", "alarm", "path", "condition", "priority", "transition", "value", "limit", "unit", "by", "comment"),
    "zh": ("时间", "报警", "路径", "条件", "优先级", "变化", "值", "限值", "单位", "操作人", "备注"),
}


def _csv(rows: Sequence[dict[str, Any]], language: Literal["en", "zh"], clock: Callable[[int], str]) -> HttpResponse:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\r\n")
    out.writerow(_HEADINGS[language])
    for row in rows:
        name = row["name"].get(language) or row["name"]["en"]
        cells = [clock(row["time_ms"]), name, row["path"], row["condition"], row["priority"], row["transition"]]
        cells += [row["value"], row["limit"], row["unit"], row["by"], row["comment"]]
        out.writerow([neutral(cell) for cell in cells])
    # The mark lets spreadsheets read the Chinese words.
    answer = HttpResponse("\ufeff" + text.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="alarms.csv"'
    return answer


def worst_by_asset(rows: Sequence[dict[str, Any]], assets: Sequence[Asset]) -> dict[UUID, dict[str, int]]:
    """Count alarms of each priority below each asset."""
    found: dict[UUID, dict[str, int]] = {}
    for asset in assets:
        counts: dict[str, int] = {}
        for row in rows:
            if f"{row['path']}/".startswith(f"{asset.path}/"):
                counts[row["priority"]] = counts.get(row["priority"], 0) + 1
        found[asset.id] = counts
    return found
