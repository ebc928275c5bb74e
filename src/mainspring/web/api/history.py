"""Trends, raw samples, aggregates, time in state, and exports."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Router
from pydantic import BaseModel, Field

from mainspring.core import subjects
from mainspring.core.errors import NotFound
from mainspring.core.history import AggregateQuery, Query, RawQuery, StateQuery, TrendQuery
from mainspring.core.samples import SampleKind
from mainspring.core.text import Text
from mainspring.core.units import SIGNS
from mainspring.records.audit import Action, Deed, append
from mainspring.records.rights import Right
from mainspring.records.tag import Tag
from mainspring.records.tenant import Tenant
from mainspring.web.exports import Export, ExportTag, as_csv, as_parquet
from mainspring.web.live import dumps
from mainspring.web.runtime import runtime
from mainspring.web.security import Needs, actor_of

router = Router(tags=["history"])

ARROW: Final = "application/vnd.apache.arrow.stream"
TIMEOUT_S: Final = 60.0
EXTENT_AGE_S: Final = 30.0
_NO_TAGS: Final = Text(
    "There are no tags {missing} here. They may have been deleted; choose them again.",
    "此处没有测点 {missing}，可能已被删除，请重新选择。",
)


class ExportDraft(Query):
    """What to export; aggregates need a step."""

    format: Literal["csv", "parquet"] = "csv"
    mode: Literal["raw", "aggregate"] = "raw"
    step_ms: int = Field(default=60_000, ge=100)
    language: Literal["en", "zh"] = "en"


async def _ask(tenant: str, verb: str, query: BaseModel) -> bytes:
    return await runtime.require_bus().ask(
        subjects.history(tenant, verb), query.model_dump_json().encode(), timeout_s=TIMEOUT_S
    )


_extents: dict[str, tuple[float, dict[str, Any]]] = {}


async def extent(tenant: str) -> dict[str, Any]:
    """Return how much history a tenant has; asked at most twice a minute."""
    known = _extents.get(tenant)
    if known is not None and time.monotonic() - known[0] < EXTENT_AGE_S:
        return known[1]
    answer = await runtime.require_bus().ask(subjects.history(tenant, "extent"), b"{}", timeout_s=TIMEOUT_S)
    found: dict[str, Any] = pa.ipc.open_stream(answer).read_all().to_pylist()[0]
    _extents[tenant] = (time.monotonic(), found)
    return found


@router.post("/history/trend", auth=Needs(Right.VIEW))
async def trend(request: HttpRequest, query: TrendQuery) -> HttpResponse:
    """Return at most `buckets` buckets for each tag, for drawing; absent buckets are gaps."""
    actor = actor_of(request)
    began = time.perf_counter()
    table = pa.ipc.open_stream(await _ask(actor.tenant.key, "trend", query)).read_all()
    metadata = table.schema.metadata or {}
    document = {
        "bucket_ms": int(metadata.get(b"bucket_ms", b"0")),
        "zone": actor.tenant.zone,
        "series": _series(table, query.tags, ("time", "first", "min", "max", "last", "mean", "good", "bad")),
        "oldest_ms": (await extent(actor.tenant.key)).get("oldest_ms"),
        "took_ms": round((time.perf_counter() - began) * 1000, 1),
    }
    return HttpResponse(dumps(document), content_type="application/json")


@router.post("/history/raw", auth=Needs(Right.VIEW))
async def raw(request: HttpRequest, query: RawQuery) -> HttpResponse:
    """Return all samples of tags, oldest first; as Arrow stream if asked for, else as JSON columns."""
    return await _answer(request, "raw", query, ("time", "value", "quality", "origin"))


@router.post("/history/aggregate", auth=Needs(Right.VIEW))
async def aggregate(request: HttpRequest, query: AggregateQuery) -> HttpResponse:
    """Return statistics of good samples for each step."""
    return await _answer(request, "aggregate", query, ("time", *query.functions, "good", "bad"))


@router.post("/history/states", auth=Needs(Right.VIEW))
async def states(request: HttpRequest, query: StateQuery) -> HttpResponse:
    """Return how long each whole value was held."""
    return await _answer(request, "states", query, ("value", "held_ms"))


async def _answer(request: HttpRequest, verb: str, query: Query, columns: Sequence[str]) -> HttpResponse:
    answer = await _ask(actor_of(request).tenant.key, verb, query)
    if ARROW in request.headers.get("Accept", ""):
        return HttpResponse(answer, content_type=ARROW)
    table = pa.ipc.open_stream(answer).read_all()
    return HttpResponse(dumps({"series": _series(table, query.tags, columns)}), content_type="application/json")


def _series(table: pa.Table, tags: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Cut a table into one set of columns for each tag, in the order asked."""
    of = table.column("tag").to_numpy()
    series = []
    for tag in tags:
        rows = table.filter(pa.array(of == tag)) if len(tags) > 1 else table
        cut: dict[str, Any] = {"tag": tag}
        for name in columns:
            values = rows.column(name)
            numeric = pa.types.is_floating(values.type) or pa.types.is_integer(values.type)
            cut[name] = np.ascontiguousarray(values.to_numpy()) if numeric else values.to_pylist()
        series.append(cut)
    return series


@router.post("/history/export", auth=Needs(Right.EXPORT))
async def export(request: HttpRequest, draft: ExportDraft) -> StreamingHttpResponse:
    """Download samples or aggregates as CSV or Parquet, however much it is."""
    actor = actor_of(request)
    tags = await sync_to_async(_export_tags)(actor.tenant, draft.tags)
    name = actor.tenant.name.get(draft.language) or actor.tenant.name["en"]
    wanted = Export(
        tenant=actor.tenant.key, plant=name, zone=actor.tenant.zone, tags=tags, start_ms=draft.start_ms,
        end_ms=draft.end_ms, step_ms=draft.step_ms if draft.mode == "aggregate" else None, language=draft.language,
    )  # fmt: skip
    changes: dict[str, list[Any]] = {
        "tags": [None, [tag.path for tag in tags]],
        "range_ms": [None, [draft.start_ms, draft.end_ms]],
    }
    deed = Deed(Action.EXPORT, "history", "", f"{len(tags)} tags", changes)
    await sync_to_async(append)(actor.author, [deed])
    writer, kind = (as_csv, "text/csv; charset=utf-8") if draft.format == "csv" else (
        as_parquet, "application/vnd.apache.parquet"
    )  # fmt: skip
    answer = StreamingHttpResponse(writer(runtime.require_bus(), wanted), content_type=kind)
    answer["Content-Disposition"] = f'attachment; filename="history.{draft.format}"'
    return answer


def _export_tags(tenant: Tenant, ordinals: Sequence[int]) -> list[ExportTag]:
    found = {tag.ordinal: tag for tag in Tag.objects.of(tenant).filter(ordinal__in=ordinals)}
    missing = [ordinal for ordinal in ordinals if ordinal not in found]
    if missing:
        raise NotFound(_NO_TAGS, missing=", ".join(map(str, missing[:5])))
    return [
        ExportTag(tag.ordinal, tag.path, SIGNS.get(tag.unit, tag.unit), SampleKind(tag.sample_kind).column)
        for tag in (found[ordinal] for ordinal in ordinals)
    ]
